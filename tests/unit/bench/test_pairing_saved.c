/* Saved results, made here: what may be said of them, and what not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "bench/pairing_saved.h"

static struct bench_results *files[2];
static struct pairing_result result;
static const char *reason;

static int set_up(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		files[side] = bench_results_new();
		assert_non_null(files[side]);
		assert_non_null(bench_results_add(files[side], "bench_x", "s", BENCH_TIME));
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pairing_result_release(&result);
	bench_results_free(files[0]);
	bench_results_free(files[1]);
	return 0;
}

/* `runs` processes of five values about `value`: those of a process are alike, processes differ by
 * up to 1 %. */
static void fill(int side, size_t runs, double value, double start_s, uint64_t seed)
{
	struct benchmark *benchmark = &files[side]->benchmarks[0];

	for (size_t i = 0; i < runs; i++) {
		struct bench_run *run = benchmark_add_run(benchmark);
		double of_process = value * (1 + 0.01 * (double)((i * 7 + seed) % 5) / 4);

		assert_non_null(run);
		run->seed = seed + i;
		run->start_s = start_s + (double)i;
		for (int at = 0; at < 5; at++)
			assert_int_equal(bench_run_add(run, of_process * (1 + 1e-4 * at), false, 0),
					 0);
	}
}

static void judge(double drift)
{
	struct saved_options options = {.drift = drift};
	struct pairing_options defaults;

	pairing_defaults(&defaults);
	options.plan = defaults.plan;
	assert_int_equal(pairing_saved(&files[0]->benchmarks[0], &files[1]->benchmarks[0], &options,
				       &result, &reason, NULL),
			 0);
}

static void what_ran_together_is_judged_as_pairs(void **state)
{
	(void)state;
	fill(0, 12, 1.0, 1000, 40);
	fill(1, 12, 1.1, 1000, 40);
	judge(NAN);
	assert_int_equal(result.verdict, VERDICT_REGRESSION);
	assert_int_equal(result.pair_count, 12);
	assert_true(fabs(result.state.location - log(1.1)) < 1e-6);
	assert_null(reason);
}

static void what_ran_at_two_times_has_no_verdict_of_its_own(void **state)
{
	static const struct {
		size_t runs;
		double factor, drift;
		enum verdict verdict;
		bool reason;
	} rows[] = {
	    {20, 1.5, NAN, VERDICT_CANNOT_TELL, true},	{20, 1.0, NAN, VERDICT_CANNOT_TELL, true},
	    {20, 1.5, 0.1, VERDICT_REGRESSION, false},	{20, 0.5, 0.1, VERDICT_IMPROVEMENT, false},
	    {20, 1.05, 0.1, VERDICT_CANNOT_TELL, true}, {20, 1.0, 0, VERDICT_PASS, false},
	    {1, 1.5, 0, VERDICT_CANNOT_TELL, true},	{6, 1.5, 0, VERDICT_CANNOT_TELL, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tear_down(state);
		set_up(state);
		fill(0, rows[i].runs, 1, 1000, 40);
		fill(1, rows[i].runs, rows[i].factor, 9000, 41);
		judge(rows[i].drift);
		assert_int_equal(result.verdict, rows[i].verdict);
		assert_int_equal(reason != NULL, rows[i].reason);
		assert_true(fabs(result.state.location - log(rows[i].factor)) < 0.02);
		assert_true(result.state.p == 1);
	}
}

static void a_side_without_values_was_not_measured(void **state)
{
	(void)state;
	fill(0, 8, 1, 1000, 40);
	judge(0);
	assert_int_equal(result.verdict, VERDICT_NOT_MEASURED);
	assert_string_equal(result.failure, "one side has no values");
}

static void values_of_0_are_no_times(void **state)
{
	(void)state;
	fill(0, 8, 0, 1000, 40);
	fill(1, 8, 1, 1000, 40);
	judge(0);
	assert_int_equal(result.verdict, VERDICT_NOT_MEASURED);
}

static void other_surroundings_are_named(void **state)
{
	char text[128] = "";

	(void)state;
	assert_false(saved_surroundings_differ(files[0], files[1], text, sizeof(text)));
	bench_results_fact(files[0], "python", "3.11.7");
	assert_false(saved_surroundings_differ(files[0], files[1], text, sizeof(text)));
	bench_results_fact(files[1], "python", "3.13.0");
	assert_true(saved_surroundings_differ(files[0], files[1], text, sizeof(text)));
	assert_string_equal(text, "python 3.11.7 and 3.13.0");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_ran_together_is_judged_as_pairs),
	    CASE(what_ran_at_two_times_has_no_verdict_of_its_own),
	    CASE(a_side_without_values_was_not_measured),
	    CASE(values_of_0_are_no_times),
	    CASE(other_surroundings_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
