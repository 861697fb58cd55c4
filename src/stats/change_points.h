/* Where a series of results changed its level (for a history of results: alerts, never a gate). */
#ifndef STATS_CHANGE_POINTS_H
#define STATS_CHANGE_POINTS_H

#include <stddef.h>
#include <stdint.h>

struct err;

struct change_point {
	size_t at;	      /* index of the first value of the new level */
	double before, after; /* medians of the two levels */
	double p;
};

/* E-divisive means (Matteson and James 2014) with a permutation test. Frees by mem_free. */
int change_points_find(const double *values, size_t n, double alpha, uint64_t seed,
		       struct change_point **ret_points, size_t *ret_count, struct err *err);

#endif
