/* The history of results: order, series, what is left out, and no memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/history.h"
#include "bench/result.h"

#define FILES 4

static char folder[64];
static char *folders[] = {folder};

static void path_of(int number, char *path, size_t size)
{
	snprintf(path, size, "%s/%d.json", folder, number);
}

/* The newest first by name; the last one has no date. */
static int write_files(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_history.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return 1;
	for (int i = 0; i < FILES; i++) {
		struct bench_results *results = bench_results_new();
		char path[128];
		FILE *stream;

		path_of(i, path, sizeof(path));
		stream = fopen(path, "w");
		results->created_s = i == FILES - 1 ? NAN : 1767225600 - i * 86400.0;
		bench_results_fact(results, "commit", i == 0 ? "0123456789abcdef" : NULL);
		bench_run_add(benchmark_add_run(bench_results_add(results, "x", "s", BENCH_TIME)),
			      i + 1, false, 0);
		bench_results_add(results, "not measured", "s", BENCH_TIME);
		assert_int_equal(bench_results_write(results, stream, NULL), 0);
		fclose(stream);
		bench_results_free(results);
	}
	return 0;
}

static int remove_files(void **state)
{
	char path[128];

	(void)state;
	for (int i = 0; i < FILES; i++) {
		path_of(i, path, sizeof(path));
		unlink(path);
	}
	return rmdir(folder);
}

static void files_are_in_order_of_time(void **state)
{
	static const double medians[FILES] = {3, 2, 1, 4}; /* without a date: last */
	struct history history = {0};

	(void)state;
	assert_int_equal(history_read(folders, 1, &history, NULL), 0);
	assert_int_equal(history.file_count, FILES);
	assert_int_equal(history.skipped, 0);
	assert_int_equal(history.series_count, 1); /* what has no value has no series */
	assert_int_equal(history.series[0].count, FILES);
	for (size_t i = 0; i < FILES; i++) {
		assert_int_equal(history.series[0].points[i].file, i);
		assert_true(history.series[0].points[i].median == medians[i]);
	}
	assert_string_equal(history.files[2].label, "0123456789ab");
	assert_string_equal(history.files[0].label, "2.json");
	assert_int_equal(history.series[0].change_count, 0);
	history_release(&history);
}

static void no_memory_is_an_error_each_time(void **state)
{
	int failed = 0;

	(void)state;
	for (long n = 0;; n++) {
		struct history history = {0};
		bool ended;
		int r;

		mem_fail_after(n);
		r = history_read(folders, 1, &history, NULL);
		ended = !mem_failed();
		mem_fail_after(-1);
		history_release(&history);
		if (ended) {
			assert_int_equal(r, 0);
			break;
		}
		assert_true(r < 0);
		failed++;
	}
	assert_true(failed > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_are_in_order_of_time),
	    cmocka_unit_test(no_memory_is_an_error_each_time),
	};
	return cmocka_run_group_tests(tests, write_files, remove_files);
}
