/* Where a series of results changed its level (for a history of results: alerts, never a gate). */
#ifndef STATS_CHANGE_POINTS_H
#define STATS_CHANGE_POINTS_H

#include <stddef.h>
#include <stdint.h>

struct err;

#define CHANGE_VALUES_MAX 1000 /* memory grows with the square, and time */
#define CHANGE_ALPHA_MIN 0.0005

struct change_point {
	size_t at;	      /* index of the first value of the new level */
	double before, after; /* medians of the two levels */
	double p;
};

/* E-divisive means (Matteson and James 2014) with a permutation test: no shape of the values is
 * assumed, only that without a change their order says nothing. In order of `at`; a level has three
 * values at least, so a change is seen with its third. The same seed gives the same answer. Points
 * are freed by mem_free; NULL where there are none. -ERR_USAGE for values that are not finite,
 * -ERR_LIMIT, -ERR_MEMORY. */
int change_points_find(const double *values, size_t n, double alpha, uint64_t seed,
		       struct change_point **ret_points, size_t *ret_count, struct err *err);

#endif
