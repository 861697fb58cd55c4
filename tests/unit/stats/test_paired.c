/* One number of a pair's blocks, and the estimate over pairs, where the truth is known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/paired.h"

#define ASSERT_NEAR(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))
#define BLOCKS 20

/* Blocks of 1 s (A) and 1.05 s (B) on a machine that slows down by half over the pair, where the
 * second of a block takes 10 % longer; some are disturbed. */
static void make_blocks(double *a, double *b, uint8_t *order, size_t disturbed)
{
	static const uint8_t drawn[BLOCKS] = {0, 1, 1, 0, 1, 0, 0, 0, 1, 1,
					      0, 1, 0, 1, 0, 0, 1, 0, 1, 0};

	for (size_t i = 0; i < BLOCKS; i++) {
		double speed = 1 + 0.5 * (double)i / BLOCKS;

		order[i] = drawn[i];
		a[i] = speed * (order[i] ? 1.1 : 1);
		b[i] = speed * 1.05 * (order[i] ? 1 : 1.1);
	}
	for (size_t i = 0; i < disturbed; i++)
		b[i * 3] *= 4;
}

static void order_drift_and_disturbance_do_not_move_a_pair(void **state)
{
	(void)state;
	double a[BLOCKS], b[BLOCKS];
	uint8_t order[BLOCKS];

	for (size_t disturbed = 0; disturbed <= 6; disturbed++) {
		make_blocks(a, b, order, disturbed);
		ASSERT_NEAR(pair_log_ratio(a, b, order, BLOCKS), log(1.05), 1e-12);
	}
}

static void swapping_a_and_b_negates_exactly(void **state)
{
	(void)state;
	double a[BLOCKS], b[BLOCKS];
	uint8_t order[BLOCKS], swapped[BLOCKS];

	for (size_t blocks = 1; blocks <= BLOCKS; blocks++) {
		make_blocks(a, b, order, 3);
		for (size_t i = 0; i < blocks; i++) {
			a[i] *= 1 + 0.013 * (double)(i * 7 % 11);
			swapped[i] = !order[i];
		}
		assert_true(pair_log_ratio(a, b, order, blocks) ==
			    -pair_log_ratio(b, a, swapped, blocks));
	}
}

static void blocks_without_a_time_are_left_out(void **state)
{
	(void)state;
	double a[BLOCKS], b[BLOCKS];
	uint8_t order[BLOCKS];

	make_blocks(a, b, order, 0);
	a[0] = 0;
	a[1] = NAN;
	b[2] = -1;
	b[3] = INFINITY;
	ASSERT_NEAR(pair_log_ratio(a, b, order, BLOCKS), log(1.05), 1e-12);
	assert_true(isnan(pair_log_ratio(a, b, order, 4)));
	assert_true(isnan(pair_log_ratio(a, b, order, 0)));
	mem_fail_after(0);
	assert_true(isnan(pair_log_ratio(a, b, order, BLOCKS)));
	mem_fail_after(-1);
}

static void a_single_order_still_gives_a_number(void **state)
{
	(void)state;
	static const double a[] = {1, 1, 1}, b[] = {1.1, 1.2, 9};
	static const uint8_t order[] = {0, 0, 0};

	ASSERT_NEAR(pair_log_ratio(a, b, order, 3), log(1.2), 1e-12);
	ASSERT_NEAR(pair_log_ratio(a, b, order, 1), log(1.1), 1e-12);
}

static void estimate_of_few_or_equal_pairs_claims_no_more_than_it_can(void **state)
{
	(void)state;
	static const double values[] = {0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05};
	struct paired_estimate estimate = {.pairs = 99};
	struct err err = {0};

	assert_int_equal(paired_estimate_of(values, 0, 0.95, 1, &estimate, &err), -ERR_TOO_LITTLE);
	assert_int_equal(estimate.pairs, 99);
	for (size_t n = 1; n <= 8; n++) {
		assert_int_equal(paired_estimate_of(values, n, 0.95, 1, &estimate, &err), 0);
		assert_int_equal(estimate.pairs, n);
		ASSERT_NEAR(estimate.location, 0.05, 1e-15);
		assert_true(n < 6 ? isinf(estimate.low) && isinf(estimate.high)
				  : estimate.low == 0.05 && estimate.high == 0.05);
		assert_true(n == 1 ? isnan(estimate.spread) : estimate.spread == 0);
	}
}

static void disturbed_pairs_move_the_estimate_little(void **state)
{
	(void)state;
	double values[20];
	struct paired_estimate clean, disturbed;

	for (size_t i = 0; i < 20; i++)
		values[i] = 0.02 + 0.001 * ((double)i - 9.5);
	assert_int_equal(paired_estimate_of(values, 20, 0.95, 1, &clean, NULL), 0);
	ASSERT_NEAR(clean.location, 0.02, 1e-9);
	values[3] = 3;
	values[11] = 1e9;
	assert_int_equal(paired_estimate_of(values, 20, 0.95, 1, &disturbed, NULL), 0);
	ASSERT_NEAR(disturbed.location, 0.02, clean.spread / 2);
	assert_true(disturbed.spread < 1.5 * clean.spread && disturbed.high < 0.03);
}

static void what_is_no_number_is_refused(void **state)
{
	(void)state;
	static const double values[] = {0.1, INFINITY, 0.1}, other[] = {NAN};
	struct paired_estimate estimate;

	assert_int_equal(paired_estimate_of(values, 3, 0.95, 1, &estimate, NULL), -ERR_USAGE);
	assert_int_equal(paired_estimate_of(other, 1, 0.95, 1, &estimate, NULL), -ERR_USAGE);
}

static void spread_is_that_of_the_undisturbed(void **state)
{
	(void)state;
	double values[100];

	/* Normal quantiles, roughly: logit scaled to a standard deviation of 1. */
	for (size_t i = 0; i < 100; i++) {
		double p = ((double)i + 0.5) / 100;
		values[i] = log(p / (1 - p)) / 1.7;
	}
	ASSERT_NEAR(robust_spread(values, 100), 1, 0.1);
	for (size_t i = 0; i < 30; i++)
		values[i * 3] += 1e6;
	assert_true(robust_spread(values, 100) < 3);
	assert_true(isnan(robust_spread(values, 1)));
}

static void pairs_needed_are_those_of_the_t_test(void **state)
{
	(void)state;
	/* Exact for the one-sided t test at 0.01 with power 0.9; Guenther's is within one. */
	static const struct {
		double spread, effect;
		size_t pairs;
	} rows[] = {{1, 1, 16}, {1, 2, 6},   {2, 1, 55}, {2, 2, 16},
		    {2, 5, 5},	{5, 1, 329}, {5, 2, 85}, {5, 5, 16}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = paired_needed(rows[i].effect, rows[i].spread, 0.01, 0.9);

		assert_true(n + 1 >= rows[i].pairs && n <= rows[i].pairs + 1);
		assert_true(paired_detectable(n, rows[i].spread, 0.01, 0.9) <= rows[i].effect);
		assert_true(paired_detectable(n - 1, rows[i].spread, 0.01, 0.9) > rows[i].effect);
	}
	assert_int_equal(paired_needed(0, 1, 0.01, 0.9), SIZE_MAX);
	assert_int_equal(paired_needed(1, NAN, 0.01, 0.9), SIZE_MAX);
	assert_int_equal(paired_needed(-2, 1, 0.01, 0.9), paired_needed(2, 1, 0.01, 0.9));
	assert_true(isinf(paired_detectable(1, 1, 0.01, 0.9)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_drift_and_disturbance_do_not_move_a_pair),
	    cmocka_unit_test(swapping_a_and_b_negates_exactly),
	    cmocka_unit_test(blocks_without_a_time_are_left_out),
	    cmocka_unit_test(a_single_order_still_gives_a_number),
	    cmocka_unit_test(estimate_of_few_or_equal_pairs_claims_no_more_than_it_can),
	    cmocka_unit_test(disturbed_pairs_move_the_estimate_little),
	    cmocka_unit_test(what_is_no_number_is_refused),
	    cmocka_unit_test(spread_is_that_of_the_undisturbed),
	    cmocka_unit_test(pairs_needed_are_those_of_the_t_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
