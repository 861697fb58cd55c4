/* Results in memory and in our own file: what is written comes back whole. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/result.h"
#include "bench/result_internal.h"
#include "result_fixture.h"

static void what_is_written_comes_back_whole(void **state)
{
	struct bench_results *results = fixture_results(), *back;
	struct err err = {0};
	enum bench_format format = BENCH_ASV;
	size_t size;
	char *text = fixture_write(results, BENCH_PYROMETER, &size);

	(void)state;
	assert_int_equal(bench_results_parse("results.json", &text, size, &back, &format, &err), 0);
	assert_int_equal(format, BENCH_PYROMETER);
	fixture_assert_same(results, back);
	mem_free(text);
	bench_results_free(back);
	bench_results_free(results);
}

static void unknown_is_never_zero(void **state)
{
	struct bench_results *results = bench_results_new(), *back;
	struct benchmark *benchmark = bench_results_add(results, "x", "s", BENCH_TIME);
	struct bench_counters none;
	size_t size;
	char *text;

	(void)state;
	assert_int_equal(bench_run_add(benchmark_add_run(benchmark), 1.5, false, 0), 0);
	text = fixture_write(results, BENCH_PYROMETER, &size);
	assert_non_null(strstr(text, "\"peak_rss_bytes\": null"));
	assert_non_null(strstr(text, "\"cpu_s\": null"));
	assert_int_equal(bench_results_parse("x.json", &text, size, &back, NULL, NULL), 0);
	bench_counters_clear(&none);
	fixture_assert_same_counters(&back->benchmarks[0].runs[0].counters, &none);
	assert_true(isnan(back->created_s));
	assert_true(isnan(back->benchmarks[0].overhead_s));
	assert_null(back->benchmarks[0].failure);
	mem_free(text);
	bench_results_free(back);
	bench_results_free(results);
}

static void causes_stay_beside_their_values(void **state)
{
	struct bench_results *results = bench_results_new();
	struct bench_run *run = benchmark_add_run(bench_results_add(results, "x", "s", BENCH_TIME));

	(void)state;
	/* The first cause may come late, at any length of the list. */
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(bench_run_add(run, (double)i, false, i >= 37 ? i % 16 : 0), 0);
	assert_int_equal(run->value_count, 100);
	for (size_t i = 0; i < 100; i++) {
		assert_true(run->values[i] == (double)i);
		assert_int_equal(run->causes[i], i >= 37 ? i % 16 : 0);
	}
	bench_results_free(results);
}

static void a_benchmark_is_found_by_name_and_parameters(void **state)
{
	struct bench_results *results = bench_results_new();
	const struct bench_param four = {(char *)"n", (char *)"4"},
				 five = {(char *)"n", (char *)"5"};

	(void)state;
	bench_results_add(results, "a", "s", BENCH_TIME);
	assert_int_equal(
	    benchmark_param(bench_results_add(results, "a", "s", BENCH_TIME), "n", "4"), 0);
	assert_ptr_equal(bench_results_find(results, "a", NULL, 0), &results->benchmarks[0]);
	assert_ptr_equal(bench_results_find(results, "a", &four, 1), &results->benchmarks[1]);
	assert_null(bench_results_find(results, "a", &five, 1));
	assert_null(bench_results_find(results, "b", NULL, 0));
	bench_results_free(results);
}

static void a_fact_said_again_replaces_the_first(void **state)
{
	struct bench_results *results = bench_results_new();

	(void)state;
	assert_int_equal(bench_results_fact(results, "python", "3.8.18"), 0);
	assert_int_equal(bench_results_fact(results, "python", "3.13.0"), 0);
	assert_int_equal(bench_results_fact(results, "unknown", NULL), 0);
	assert_int_equal(results->fact_count, 2);
	assert_string_equal(bench_results_fact_of(results, "python"), "3.13.0");
	assert_null(bench_results_fact_of(results, "unknown"));
	bench_results_free(results);
}

/* Each allocation in turn fails: nothing leaks (sanitizers), nothing is half there. */
static void no_memory_is_an_error_each_time(void **state)
{
	struct bench_results *results = fixture_results(), *back = NULL;
	size_t size;
	char *text = fixture_write(results, BENCH_PYROMETER, &size);
	int failed = 0;

	(void)state;
	for (long n = 0;; n++) {
		int r;

		back = NULL;
		mem_fail_after(n);
		r = bench_results_parse("x.json", &text, size, &back, NULL, NULL);
		if (!mem_failed()) {
			mem_fail_after(-1);
			assert_int_equal(r, 0);
			break;
		}
		mem_fail_after(-1);
		assert_int_equal(r, -ERR_MEMORY);
		assert_null(back);
		failed++;
	}
	assert_true(failed > 20);
	fixture_assert_same(results, back);
	mem_free(text);
	bench_results_free(back);
	bench_results_free(results);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_comes_back_whole),
	    cmocka_unit_test(unknown_is_never_zero),
	    cmocka_unit_test(causes_stay_beside_their_values),
	    cmocka_unit_test(a_benchmark_is_found_by_name_and_parameters),
	    cmocka_unit_test(a_fact_said_again_replaces_the_first),
	    cmocka_unit_test(no_memory_is_an_error_each_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
