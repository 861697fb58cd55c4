/* Signed ranks against published critical values and against counting all signs one by one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/signed_rank.h"

static void interval_leaves_out_as_many_averages_as_the_tables_say(void **state)
{
	(void)state;
	/* Wilcoxon's two-sided critical values: the rank sum that is just significant. */
	static const struct {
		size_t n;
		double miss;
		long critical; /* −1: none is */
	} rows[] = {
	    {5, 0.05, -1}, {6, 0.05, 0},   {7, 0.05, 2},   {8, 0.05, 3},   {9, 0.05, 5},
	    {10, 0.05, 8}, {12, 0.05, 13}, {15, 0.05, 25}, {20, 0.05, 52}, {25, 0.05, 89},
	    {7, 0.01, -1}, {8, 0.01, 0},   {10, 0.01, 3},  {20, 0.01, 37}, {25, 0.01, 68},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Powers of two: each average of two tells its pair, so it can be counted. */
		double values[32], location, low, high;
		long below_low = 0, above_high = 0;

		for (size_t k = 0; k < rows[i].n; k++)
			values[k] = ldexp(1, (int)k);
		assert_int_equal(signed_rank_interval(values, rows[i].n, rows[i].miss, &location,
						      &low, &high, NULL),
				 0);
		for (size_t a = 0; a < rows[i].n; a++)
			for (size_t b = a; b < rows[i].n; b++) {
				below_low += (values[a] + values[b]) / 2 < low;
				above_high += (values[a] + values[b]) / 2 > high;
			}
		if (rows[i].critical < 0) {
			assert_true(isinf(low) && low < 0 && isinf(high) && high > 0);
		} else {
			assert_int_equal(below_low, rows[i].critical);
			assert_int_equal(above_high, rows[i].critical);
		}
		assert_true(low <= location && location <= high);
	}
}

/* The part of all sign patterns whose rank sum against the claim is as small as the real one. */
static double p_by_counting(const double *values, size_t n, double centre)
{
	double distance[16], rank[16], real = 0;
	size_t used = 0, as_small = 0;
	bool above[16];

	for (size_t i = 0; i < n; i++)
		if (values[i] != centre) {
			distance[used] = fabs(values[i] - centre);
			above[used++] = values[i] > centre;
		}
	for (size_t i = 0; i < used; i++) {
		rank[i] = 0.5;
		for (size_t k = 0; k < used; k++)
			rank[i] += distance[k] < distance[i]	? 1
				   : distance[k] == distance[i] ? 0.5
								: 0;
		real += above[i] ? 0 : rank[i];
	}
	for (size_t signs = 0; signs < (size_t)1 << used; signs++) {
		double sum = 0;

		for (size_t i = 0; i < used; i++)
			sum += signs >> i & 1 ? rank[i] : 0;
		as_small += sum <= real;
	}
	return (double)as_small / (double)((size_t)1 << used);
}

static void p_is_the_part_of_sign_patterns(void **state)
{
	(void)state;
	static const struct {
		double values[12];
		size_t n;
		double centre;
	} rows[] = {
	    {{1, 2, 3, 4, 5, 6, 7, 8}, 8, 0},
	    {{1, 2, 3, 4, 5, 6, 7, -8}, 8, 0},
	    {{-1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 10, 0},
	    {{1, 1, 1, 1, 1, 1, -1, 1, 1}, 9, 0},
	    {{1, 1, 2, 2, 2, -2, 3, 3, 4, 5}, 10, 0},
	    {{0, 0, 0, 4, 5, 6, 7, 8, 9, 1}, 10, 0},
	    {{3, 4, 5, 6, 7, 8, 9, 10, 2.5, 2.25}, 10, 2},
	    {{1}, 1, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double expected = p_by_counting(rows[i].values, rows[i].n, rows[i].centre), p;
		double negated[12], other;

		assert_int_equal(
		    signed_rank_p(rows[i].values, rows[i].n, rows[i].centre, 1, &p, NULL), 0);
		if (expected < 0.06)
			assert_true(fabs(p - expected) < 1e-12);
		else
			assert_true(p > 0.05); /* by approximation */
		for (size_t k = 0; k < rows[i].n; k++)
			negated[k] = -rows[i].values[k];
		assert_int_equal(
		    signed_rank_p(negated, rows[i].n, -rows[i].centre, -1, &other, NULL), 0);
		assert_true(p == other);
	}
}

static void values_on_the_centre_say_nothing(void **state)
{
	(void)state;
	static const double values[] = {2, 2, 2};
	double p;

	assert_int_equal(signed_rank_p(values, 3, 2, 1, &p, NULL), 0);
	assert_true(p == 1);
	assert_int_equal(signed_rank_p(values, 0, 2, 1, &p, NULL), 0);
	assert_true(p == 1);
}

static void exact_and_approximation_meet_where_one_takes_over(void **state)
{
	(void)state;

	for (size_t n = 127; n <= 130; n++) {
		double values[130], p, against = 0, mean, sd, normal;

		/* Three of eight below: about 2.5 standard deviations. */
		for (size_t i = 0; i < n; i++) {
			values[i] = ((double)i + 1) * (i % 8 < 3 ? -1 : 1);
			against += values[i] < 0 ? -values[i] : 0;
		}
		mean = (double)(n * (n + 1)) / 4;
		sd = sqrt((double)(n * (n + 1) * (2 * n + 1)) / 24);
		normal = erfc((mean - against - 0.5) / sd / sqrt(2)) / 2;
		assert_int_equal(signed_rank_p(values, n, 0, 1, &p, NULL), 0);
		assert_true(normal > 1e-4 && normal < 0.02);
		assert_true(fabs(log(p / normal)) < 0.05);
		assert_true(n > 128 ? fabs(log(p / normal)) < 1e-9 : p != normal);
	}
}

static void limits_and_missing_memory_are_said(void **state)
{
	(void)state;
	static double many[SIGNED_RANK_VALUES_MAX + 1];
	double p, low, high;
	struct err err = {0};

	assert_int_equal(signed_rank_p(many, SIGNED_RANK_VALUES_MAX + 1, 0, 1, &p, &err),
			 -ERR_LIMIT);
	assert_int_equal(
	    signed_rank_interval(many, SIGNED_RANK_VALUES_MAX + 1, 0.05, &p, &low, &high, &err),
	    -ERR_LIMIT);
	for (size_t i = 0; i < 10; i++)
		many[i] = (double)i;
	for (long n = 0;; n++) {
		int r;

		mem_fail_after(n);
		r = signed_rank_p(many, 10, 0, 1, &p, &err);
		if (r == 0)
			r = signed_rank_interval(many, 10, 0.05, &p, &low, &high, &err);
		mem_fail_after(-1);
		if (r == 0)
			break;
		assert_int_equal(r, -ERR_MEMORY);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(interval_leaves_out_as_many_averages_as_the_tables_say),
	    cmocka_unit_test(p_is_the_part_of_sign_patterns),
	    cmocka_unit_test(values_on_the_centre_say_nothing),
	    cmocka_unit_test(exact_and_approximation_meet_where_one_takes_over),
	    cmocka_unit_test(limits_and_missing_memory_are_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
