/* The page of bench as people get it: numbers that are known, and never wider than 80 columns. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/terminal.h"
#include "bench/result.h"
#include "report/bench_numbers.h"
#include "report/bench_view.h"

static const struct terminal plain = {.columns = 80, .utf8 = true};
static const struct terminal ascii = {.columns = 80};
static const struct terminal narrow = {.columns = 40, .utf8 = true};
static const struct terminal colored = {.columns = 200, .utf8 = true, .color = true};

static struct benchmark *add(struct bench_results *results, const char *name, size_t n,
			     double first)
{
	struct benchmark *benchmark = bench_results_add(results, name, "s", BENCH_TIME);
	struct bench_run *run = benchmark_add_run(benchmark);

	assert_int_equal(bench_run_add(run, first * 5, true, 0), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    bench_run_add(run, first * (1 + 0.01 * (double)(i % 10)), false, 0), 0);
	return benchmark;
}

static char *print(const struct bench_results *results, const struct terminal *terminal,
		   struct bench_view_options options)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	options.terminal = terminal;
	assert_int_equal(bench_view_print(stream, results, &options, NULL), 0);
	fclose(stream);
	if (getenv("SHOW_REPORT") != NULL)
		printf("%s----\n", text);
	return text;
}

/* Whether the page says it, wherever its lines break. */
static bool says(const char *text, const char *wanted)
{
	size_t size = strlen(text), used = 0;
	char *joined = malloc(size + 1);
	bool found;

	assert_non_null(joined);
	for (size_t i = 0; i < size; i++) {
		bool blank = text[i] == ' ' || text[i] == '\n';

		if (!blank || used == 0 || joined[used - 1] != ' ')
			joined[used++] = blank ? ' ' : text[i];
	}
	joined[used] = '\0';
	found = strstr(joined, wanted) != NULL;
	free(joined);
	return found;
}

static void assert_fits(const char *text, size_t columns)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		assert_true(text_display_width_n(text, length) <= columns);
		text += length + (text[length] == '\n');
	}
}

static void the_numbers_are_those_of_the_values(void **state)
{
	struct bench_results *results = bench_results_new();
	struct benchmark *benchmark = add(results, "app:parse", 100, 1e-3);
	char *text;

	(void)state;
	benchmark->runs[0].counters.cpu_s = 36;
	benchmark->runs[0].counters.peak_rss_bytes = 21 << 20;
	text = print(results, &plain,
		     (struct bench_view_options){.core_hour_price = 0.5, .currency = "EUR"});
	/* Ten values of 1.00 to 1.09 ms, ten times each. */
	assert_true(says(text, "n 100 in 1 process"));
	assert_true(says(text, "median 1.045 ms"));
	assert_true(says(text, "min 1.000 ms"));
	assert_true(says(text, "max 1.090 ms"));
	assert_true(says(text, "throughput 956.9 /s"));
	assert_true(says(text, "CPU 36.00 s"));
	assert_true(says(text, "0.01 core-hours"));
	assert_true(says(text, "0.005 EUR at 0.5 an hour"));
	assert_true(says(text, "peak memory 21 MiB"));
	assert_true(says(text, "energy not available here"));
	assert_true(says(text, "Warm-up: 1 value was cut off in each process; the first took "
			       "5.000"));
	assert_fits(text, 80);
	free(text);
	bench_results_free(results);
}

static void outliers_are_named_with_what_disturbed_them(void **state)
{
	struct bench_results *results = bench_results_new();
	struct benchmark *benchmark = add(results, "app:parse", 100, 1e-3);
	char *text;

	(void)state;
	bench_run_add(&benchmark->runs[0], 2e-3, false, CAUSE_STEAL | CAUSE_SWITCHED);
	bench_run_add(&benchmark->runs[0], 3e-3, false, CAUSE_COLLECTED);
	bench_run_add(&benchmark->runs[0], 4e-3, false, CAUSE_FAULTED);
	bench_run_add(&benchmark->runs[0], 2.5e-3, false, 0);
	bench_run_add(&benchmark->runs[0], 1.9e-3, false, CAUSE_STEAL);
	text = print(results, &plain, (struct bench_view_options){0});
	assert_non_null(
	    strstr(text, "5 values lie far off: 4.000 ms (page faults), 3.000 ms (GC)"));
	assert_true(says(text, "2.500 ms (cause unknown)"));
	assert_true(says(text, "and 1 more; a likely cause is known of 4"));
	assert_fits(text, 80);
	free(text);
	bench_results_free(results);
}

/* Counts stand behind the bars: their sum is n, whatever the shape. */
static size_t sum_of_bars(const char *text, const char *bar)
{
	size_t sum = 0;

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		const char *end = strchr(++line, '\n'), *at = NULL, *next = line;

		while ((next = strstr(next, bar)) != NULL && end != NULL && next < end) {
			next += strlen(bar);
			at = next;
		}
		if (at == NULL)
			continue;
		at = strchr(at, ' ');
		if (at != NULL && at < end)
			sum += strtoul(at, NULL, 10);
	}
	return sum;
}

static void the_distribution_shows_every_value(void **state)
{
	static const struct {
		double last;
		size_t n;
	} rows[] = {{1e-3, 2}, {1.5e-3, 50}, {1, 100}, {1e-3, 1000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench_results *results = bench_results_new();
		struct benchmark *benchmark = add(results, "x", rows[i].n, 1e-3);
		char *text;

		bench_run_add(&benchmark->runs[0], rows[i].last, false, 0);
		text = print(results, &ascii, (struct bench_view_options){0});
		assert_int_equal(sum_of_bars(text, "#"), rows[i].n + 1);
		for (const char *c = text; *c != '\0'; c++)
			assert_true((unsigned char)*c < 0x80);
		assert_fits(text, 80);
		free(text);
		bench_results_free(results);
	}
}

static void interpreters_stand_side_by_side(void **state)
{
	static const char *const pythons[] = {"3.8.18", "3.11.7", "3.12.1", "3.13.0"};
	struct bench_results *results = bench_results_new();
	char *text;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    benchmark_param(add(results, "app:parse", 11, 1e-3 / (double)(i + 1)), "python",
				    pythons[i]),
		    0);
	text = print(results, &plain, (struct bench_view_options){0});
	for (size_t i = 0; i < 4; i++)
		assert_true(says(text, pythons[i]));
	assert_true(says(text, "2.00x"));
	assert_true(says(text, "4.00x"));
	assert_false(says(text, "1.00x"));
	assert_fits(text, 80);
	free(text);
	bench_results_free(results);
}

static void what_was_not_measured_says_why(void **state)
{
	struct bench_results *results = bench_results_new();
	struct benchmark *benchmark = bench_results_add(results, "app:broken", "s", BENCH_TIME);
	char *text;

	(void)state;
	benchmark->failure = strdup("ValueError: no such row at app.py:12");
	add(results, "app:works", 30, 2);
	text = print(results, &plain, (struct bench_view_options){0});
	assert_true(says(text, "not measured"));
	assert_true(says(text, "Not measured: ValueError: no such row at app.py:12"));
	assert_true(says(text, "median 2.090 s"));
	free(text);
	text = print(results, &plain, (struct bench_view_options){.brief = true});
	assert_true(says(text, "ValueError"));
	assert_false(says(text, "█"));
	free(text);
	bench_results_free(results);
}

static void hostile_names_stay_within_the_page(void **state)
{
	const struct terminal *terminals[] = {&plain, &ascii, &narrow, &colored};
	struct bench_results *results = bench_results_new();
	char name[5000];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "\033[2Jevil\xff\n", 10);
	assert_int_equal(benchmark_param(add(results, name, 20, 1), name, name), 0);
	bench_results_add(results, "空の名前", name, BENCH_TRACK);
	bench_run_add(benchmark_add_run(&results->benchmarks[1]), 3, false, 0);
	results->benchmarks[1].failure = strdup(name);
	for (size_t i = 0; i < 4; i++) {
		char *text = print(results, terminals[i], (struct bench_view_options){0});

		assert_false(says(text, "\033[2J"));
		if (!terminals[i]->color)
			assert_fits(text, (size_t)terminals[i]->columns);
		else
			assert_non_null(strchr(text, '\033'));
		free(text);
	}
	bench_results_free(results);
}

static void numbers_carry_the_unit_that_fits(void **state)
{
	static const struct {
		double value;
		const char *unit, *text;
	} rows[] = {
	    {0, "s", "0 s"},
	    {1.5e-9, "s", "1.500 ns"},
	    {12.3456e-6, "s", "12.35 us"},
	    {0.99999, "s", "1.000 s"},
	    {999.94e-6, "s", "999.9 us"},
	    {123.456, "s", "123.5 s"},
	    {1e9, "s", "1.000e+09 s"},
	    {-0.002, "s", "-2.000 ms"},
	    {512, "bytes", "512 B"},
	    {1536, "bytes", "1.500 KiB"},
	    {3e9, "bytes", "2.794 GiB"},
	    {17, "items", "17 items"},
	    {0.25, "a very long unit indeed", "0.250 a very long "},
	};
	char text[BENCH_NUMBER_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(
		    bench_number_text(text, sizeof(text), rows[i].value, rows[i].unit, false),
		    rows[i].text);
	assert_string_equal(bench_number_text(text, sizeof(text), 0.0 / 0.0, "s", true), "unknown");
	assert_string_equal(bench_number_text(text, sizeof(text), 2e-6, "s", true), "2.000 µs");
}

static void no_memory_is_an_error_each_time(void **state)
{
	struct bench_results *results = bench_results_new();
	const struct bench_view_options options = {.terminal = &plain};
	int failed = 0;

	(void)state;
	add(results, "a", 20, 1);
	assert_int_equal(benchmark_param(add(results, "b", 20, 1), "python", "3.12.1"), 0);
	for (long n = 0;; n++) {
		char *text = NULL;
		size_t size;
		FILE *stream = open_memstream(&text, &size);
		bool ended;
		int r;

		mem_fail_after(n);
		r = bench_view_print(stream, results, &options, NULL);
		ended = !mem_failed();
		mem_fail_after(-1);
		fclose(stream);
		free(text);
		if (ended) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ERR_MEMORY);
		failed++;
	}
	assert_true(failed >= 5);
	bench_results_free(results);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_numbers_are_those_of_the_values),
	    cmocka_unit_test(outliers_are_named_with_what_disturbed_them),
	    cmocka_unit_test(the_distribution_shows_every_value),
	    cmocka_unit_test(interpreters_stand_side_by_side),
	    cmocka_unit_test(what_was_not_measured_says_why),
	    cmocka_unit_test(hostile_names_stay_within_the_page),
	    cmocka_unit_test(numbers_carry_the_unit_that_fits),
	    cmocka_unit_test(no_memory_is_an_error_each_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
