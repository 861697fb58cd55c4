/* Summaries against values worked out by hand, and at the edges. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/summary.h"

#define ASSERT_NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-12 * (1 + fabs(b)))

static void summary_equals_what_a_hand_computes(void **state)
{
	(void)state;
	static const struct {
		double values[6];
		size_t n;
		struct summary is;
	} rows[] = {
	    {{7}, 1, {1, 7, 7, 7, 7, 7, 7, 7, 7, NAN}},
	    {{3, 1}, 2, {2, 1, 1.5, 2, 2.5, 2, 2.9, 2.98, 3, M_SQRT2}},
	    {{5, 5, 5, 5}, 4, {4, 5, 5, 5, 5, 5, 5, 5, 5, 0}},
	    {{4, 1, 3, 2, 5}, 5, {5, 1, 2, 3, 4, 3, 4.8, 4.96, 5, 1.5811388300841898}},
	    {{-1, 9, 1, 3, 2, 4}, 6, {6, -1, 1.25, 2.5, 3.75, 3, 7.75, 8.75, 9, 3.40587727318528}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct summary got;

		assert_int_equal(summary_of(rows[i].values, rows[i].n, &got), 0);
		assert_int_equal(got.n, rows[i].n);
		ASSERT_NEAR(got.min, rows[i].is.min);
		ASSERT_NEAR(got.q1, rows[i].is.q1);
		ASSERT_NEAR(got.median, rows[i].is.median);
		ASSERT_NEAR(got.q3, rows[i].is.q3);
		ASSERT_NEAR(got.mean, rows[i].is.mean);
		ASSERT_NEAR(got.p95, rows[i].is.p95);
		ASSERT_NEAR(got.p99, rows[i].is.p99);
		ASSERT_NEAR(got.max, rows[i].is.max);
		if (rows[i].n > 1)
			ASSERT_NEAR(got.sd, rows[i].is.sd);
		else
			assert_true(isnan(got.sd));
	}
}

static void nothing_gives_nan_and_nan_is_refused(void **state)
{
	(void)state;
	static const double bad[] = {1, NAN, 2};
	struct summary got = {.n = 99};

	assert_int_equal(summary_of(bad, 3, &got), -ERR_USAGE);
	assert_int_equal(got.n, 99);
	assert_int_equal(summary_of(NULL, 0, &got), 0);
	assert_int_equal(got.n, 0);
	assert_true(isnan(got.min) && isnan(got.median) && isnan(got.mean) && isnan(got.p99) &&
		    isnan(got.max) && isnan(got.sd));
}

static void large_and_near_values_keep_their_digits(void **state)
{
	(void)state;
	static const double near[] = {1e9 + 1, 1e9 + 2, 1e9 + 3}, huge[] = {1.7e308, 1.7e308};
	struct summary got;

	assert_int_equal(summary_of(near, 3, &got), 0);
	ASSERT_NEAR(got.sd, 1.0);
	ASSERT_NEAR(got.mean, 1e9 + 2);
	assert_int_equal(summary_of(huge, 2, &got), 0);
	ASSERT_NEAR(got.mean, 1.7e308);
	ASSERT_NEAR(got.median, 1.7e308);
	ASSERT_NEAR(got.p95, 1.7e308);
}

static void quantiles_stay_within_the_values(void **state)
{
	(void)state;
	static const double sorted[] = {1, 2, INFINITY};

	assert_true(isnan(quantile_sorted(sorted, 0, 0.5)));
	assert_true(isnan(quantile_sorted(sorted, 2, NAN)));
	assert_true(quantile_sorted(sorted, 2, -1) == 1);
	assert_true(quantile_sorted(sorted, 2, 2) == 2);
	assert_true(quantile_sorted(sorted, 3, 0.5) == 2);
	assert_true(isinf(quantile_sorted(sorted, 3, 0.9)));
}

static void a_missing_byte_of_memory_is_said(void **state)
{
	(void)state;
	static const double values[] = {1, 2};
	struct summary got;

	mem_fail_after(0);
	assert_int_equal(summary_of(values, 2, &got), -ERR_MEMORY);
	mem_fail_after(-1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(summary_equals_what_a_hand_computes),
	    cmocka_unit_test(nothing_gives_nan_and_nan_is_refused),
	    cmocka_unit_test(large_and_near_values_keep_their_digits),
	    cmocka_unit_test(quantiles_stay_within_the_values),
	    cmocka_unit_test(a_missing_byte_of_memory_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
