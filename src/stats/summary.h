/* Summaries of a list of numbers. Pure functions. */
#ifndef STATS_SUMMARY_H
#define STATS_SUMMARY_H

#include <stddef.h>

struct summary {
	size_t n;
	double min, q1, median, q3, mean, p95, p99, max;
	double sd; /* of the sample; NaN for n < 2 */
};

/* All NaN for n = 0. 0 or -ERR_MEMORY; values are not changed. NaN values are refused
 * (-ERR_USAGE). */
int summary_of(const double *values, size_t n, struct summary *ret_summary);

/* Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). */
double quantile_sorted(const double *sorted, size_t n, double p);
/* Exactly −m for the negated values, whatever the rounding. NaN for n = 0. */
double median_sorted(const double *sorted, size_t n);
/* Ascending, in place. No NaN. */
void sort_numbers(double *values, size_t n);

#endif
