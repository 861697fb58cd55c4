/* Wilcoxon's signed-rank test (1945), exactly: given how far the values lie from the centre, each
 * is as likely above it as below. That is all it assumes, so heavy tails, unequal spreads and ties
 * do no harm. With it Hodges and Lehmann's location (1963), and the interval of all centres that
 * the test would not refuse. */
#ifndef STATS_SIGNED_RANK_H
#define STATS_SIGNED_RANK_H

#include <stddef.h>

struct err;

#define SIGNED_RANK_VALUES_MAX 2000 /* memory and time grow with the square */

/* One-sided p value of "the centre lies at `centre` or below" (side 1), or above (side −1). Values
 * that equal the centre tell nothing and are left out; ties share their ranks, and the
 * distribution is that of those ranks. Above 128 values, and for p above about 7 %, by the normal
 * approximation. -ERR_MEMORY, -ERR_LIMIT. */
int signed_rank_p(const double *values, size_t n, double centre, int side, double *ret_p,
		  struct err *err);

/* The median of all averages of two, and the interval that misses the centre of a symmetric
 * distribution with a chance of `miss` at most; without end where n is too small for that. Negated
 * values give the negated interval to the last bit. n ≥ 1. -ERR_MEMORY, -ERR_LIMIT. */
int signed_rank_interval(const double *values, size_t n, double miss, double *ret_location,
			 double *ret_low, double *ret_high, struct err *err);

#endif
