/* Where a warm-up ends, found from series of which it is known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "bench/load.h"
#include "bench/warmup.h"

#define N 40

static uint64_t random_state;

/* Uniform in (0, 1): xorshift64*, the same numbers in each run. */
static double uniform(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return ((double)(random_state * 0x2545f4914f6cdd1du >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

/* Scatter of 2 % around 1. */
static void fill(double *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		values[i] = 1 + 0.02 * normal();
}

static void a_known_warm_up_is_cut_where_it_ends(void **state)
{
	static const size_t lengths[] = {1, 2, 5, 10, 15};

	(void)state;
	random_state = 1;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		double values[N];
		bool settled;

		fill(values, N);
		for (size_t j = 0; j < lengths[i]; j++)
			values[j] *= 2;
		assert_int_equal(warmup_count(values, N, &settled), lengths[i]);
		assert_true(settled);
	}
}

static void a_decaying_warm_up_is_cut_to_within_the_scatter(void **state)
{
	(void)state;
	random_state = 2;
	for (int turn = 0; turn < 200; turn++) {
		double values[N];

		fill(values, N);
		for (size_t j = 0; j < N; j++)
			values[j] += 2 * exp(-(double)j / 3);
		size_t cut = warmup_count(values, N, NULL);
		/* 2 e^(-j/3) is 27 % at 6 and 1 % at 16. */
		assert_in_range(cut, 6, 16);
	}
}

static void what_has_no_warm_up_loses_little(void **state)
{
	size_t lost = 0, unsettled = 0;

	(void)state;
	random_state = 3;
	for (int turn = 0; turn < 2000; turn++) {
		double values[12];
		bool settled;

		fill(values, 12);
		lost += warmup_count(values, 12, &settled);
		unsettled += !settled;
	}
	/* Of 24,000 values. */
	assert_in_range(lost, 0, 240);
	assert_in_range(unsettled, 0, 20);
}

static void outliers_later_on_stay(void **state)
{
	double values[N];

	(void)state;
	random_state = 4;
	fill(values, N);
	values[1] = values[7] = values[20] = values[39] = 30;
	values[0] = 1;
	assert_int_equal(warmup_count(values, N, NULL), 0);
	/* Nor are fast values a warm-up. */
	values[0] = 0.5;
	assert_int_equal(warmup_count(values, N, NULL), 0);
}

static void what_never_settles_says_so(void **state)
{
	double values[N];
	bool settled = true;

	(void)state;
	for (size_t i = 0; i < N; i++)
		values[i] = 10 - (double)i / 5;
	warmup_count(values, N, &settled);
	assert_false(settled);
}

static void few_or_equal_values_are_left_alone(void **state)
{
	double values[N];
	bool settled = false;

	(void)state;
	for (size_t i = 0; i < N; i++)
		values[i] = i == 0 ? 100 : 1;
	assert_int_equal(warmup_count(values, WARMUP_VALUES_MIN - 1, &settled), 0);
	assert_true(settled);
	assert_int_equal(warmup_count(values, 0, &settled), 0);
	assert_int_equal(warmup_count(values + 1, N - 1, &settled), 0);
	assert_int_equal(warmup_count(values, N, &settled), 1);
}

static void a_load_that_was_kept_up_with_has_its_rate(void **state)
{
	double latencies[200];

	(void)state;
	for (size_t i = 0; i < 200; i++)
		latencies[i] = 0.001;
	assert_float_equal(load_achieved_hz(100, latencies, 200), 100, 0.6);
	/* One server that needs 20 ms for each: 50 a second, however many are sent. */
	for (size_t i = 0; i < 200; i++)
		latencies[i] = (double)(i + 1) * 0.02 - (double)i * 0.01;
	assert_float_equal(load_achieved_hz(100, latencies, 200), 50, 0.5);
	assert_true(isnan(load_achieved_hz(100, latencies, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_warm_up_is_cut_where_it_ends),
	    cmocka_unit_test(a_decaying_warm_up_is_cut_to_within_the_scatter),
	    cmocka_unit_test(what_has_no_warm_up_loses_little),
	    cmocka_unit_test(outliers_later_on_stay),
	    cmocka_unit_test(what_never_settles_says_so),
	    cmocka_unit_test(few_or_equal_values_are_left_alone),
	    cmocka_unit_test(a_load_that_was_kept_up_with_has_its_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
