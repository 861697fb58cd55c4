/* Intervals against values published in the papers that define them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "stats/interval.h"

#define ASSERT_NEAR(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static void wilson_equals_published_values(void **state)
{
	(void)state;
	/* Newcombe (1998), "Two-sided confidence intervals for the single
	 * proportion", table I, method 3; to the four digits printed. */
	static const struct {
		double k, n, low, high;
	} rows[] = {
	    {81, 263, 0.2553, 0.3662},
	    {15, 148, 0.0624, 0.1605},
	    {0, 20, 0.0000, 0.1611},
	    {1, 29, 0.0061, 0.1718},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct interval w = wilson_interval(rows[i].k, rows[i].n, 0.95);
		ASSERT_NEAR(w.low, rows[i].low, 0.00005);
		ASSERT_NEAR(w.high, rows[i].high, 0.00005);
	}
}

static void newcombe_equals_published_values(void **state)
{
	(void)state;
	/* Newcombe (1998), "Interval estimation for the difference between
	 * independent proportions", table II, method 10. */
	static const struct {
		double k1, n1, k2, n2, low, high;
	} rows[] = {
	    {56, 70, 48, 80, 0.0524, 0.3339}, {9, 10, 3, 10, 0.1705, 0.8090},
	    {6, 7, 2, 7, 0.0582, 0.8062},     {5, 56, 0, 29, -0.0381, 0.1926},
	    {0, 10, 0, 20, -0.1611, 0.2775},  {0, 10, 0, 10, -0.2775, 0.2775},
	    {10, 10, 0, 20, 0.6791, 1.0000},  {10, 10, 0, 10, 0.6075, 1.0000},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct interval d =
		    newcombe_difference(rows[i].k1, rows[i].n1, rows[i].k2, rows[i].n2, 0.95);
		ASSERT_NEAR(d.low, rows[i].low, 0.00005);
		ASSERT_NEAR(d.high, rows[i].high, 0.00005);
	}
}

static void quantile_equals_tables(void **state)
{
	(void)state;
	static const struct {
		double p, z;
	} rows[] = {
	    {0.5, 0},
	    {0.975, 1.959963984540054},
	    {0.995, 2.575829303548901},
	    {0.9995, 3.290526731491926},
	    {0.84134474606854293, 1.0},
	    {1e-10, -6.361340902404056},
	    {0.02, -2.053748910631823},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ASSERT_NEAR(normal_quantile(rows[i].p), rows[i].z, 1e-9);
	for (double p = 0.0001; p < 1; p += 0.0007)
		ASSERT_NEAR(normal_cdf(normal_quantile(p)), p, 1e-12);
	assert_true(normal_quantile(0) == -INFINITY);
	assert_true(normal_quantile(1) == INFINITY);
	assert_true(isnan(normal_quantile(-0.1)));
	assert_true(isnan(normal_quantile(NAN)));
	assert_true(isfinite(normal_quantile(5e-324)));
}

static void no_trials_say_nothing(void **state)
{
	(void)state;
	struct interval w = wilson_interval(0, 0, 0.95);
	assert_true(w.low == 0 && w.high == 1);
	w = wilson_interval(1, NAN, 0.95);
	assert_true(w.low == 0 && w.high == 1);
	struct interval d = newcombe_difference(0, 0, 3, 10, 0.95);
	assert_true(d.low == -1 && d.high == 1);
}

static void ends_are_exact_and_hold_the_estimate(void **state)
{
	(void)state;
	for (double n = 1; n < 1e7; n *= 3) {
		assert_true(wilson_interval(0, n, 0.95).low == 0);
		assert_true(wilson_interval(n, n, 0.95).high == 1);
		for (int i = 0; i <= 20; i++) {
			double p = i / 20.0;
			struct interval w = wilson_interval(p * n, n, 0.95);
			assert_true(w.low <= p + 1e-15 && p <= w.high + 1e-15);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wilson_equals_published_values),
	    cmocka_unit_test(newcombe_equals_published_values),
	    cmocka_unit_test(quantile_equals_tables),
	    cmocka_unit_test(no_trials_say_nothing),
	    cmocka_unit_test(ends_are_exact_and_hold_the_estimate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
