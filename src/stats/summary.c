/* Summaries of a list of numbers: order statistics, mean and standard deviation. */
#include "stats/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void sort_numbers(double *values, size_t n)
{
	if (n > 1)
		qsort(values, n, sizeof(*values), by_value);
}

double quantile_sorted(const double *sorted, size_t n, double p)
{
	double position, part;
	size_t below;

	if (n == 0 || isnan(p))
		return NAN;
	if (p <= 0)
		return sorted[0];
	if (p >= 1)
		return sorted[n - 1];
	position = (double)(n - 1) * p;
	below = (size_t)position;
	if (below >= n - 1)
		return sorted[n - 1];
	part = position - (double)below;
	if (part == 0 || sorted[below] == sorted[below + 1])
		return sorted[below]; /* infinite ones stay what they are */
	return sorted[below] * (1 - part) + sorted[below + 1] * part;
}

double median_sorted(const double *sorted, size_t n)
{
	if (n == 0)
		return NAN;
	if (n % 2 == 1)
		return sorted[n / 2];
	return sorted[n / 2 - 1] / 2 + sorted[n / 2] / 2;
}

/* Two passes: the first mean's rounding error is taken off, and a sum never overflows. */
static double mean_of(const double *values, size_t n)
{
	double mean = 0, rest = 0;

	for (size_t i = 0; i < n; i++)
		mean += values[i] / (double)n;
	if (!isfinite(mean))
		return mean;
	for (size_t i = 0; i < n; i++)
		rest += (values[i] - mean) / (double)n;
	return mean + rest;
}

static double sd_of(const double *values, size_t n, double mean)
{
	double squares = 0, rest = 0;

	if (n < 2)
		return NAN;
	for (size_t i = 0; i < n; i++) {
		double d = values[i] - mean;

		squares += d * d;
		rest += d;
	}
	squares -= rest * rest / (double)n;
	return sqrt((squares > 0 ? squares : 0) / (double)(n - 1));
}

int summary_of(const double *values, size_t n, struct summary *ret_summary)
{
	struct summary summary = {.n = n,
				  .min = NAN,
				  .q1 = NAN,
				  .median = NAN,
				  .q3 = NAN,
				  .mean = NAN,
				  .p95 = NAN,
				  .p99 = NAN,
				  .max = NAN,
				  .sd = NAN};
	double *sorted;
	size_t size;

	for (size_t i = 0; i < n; i++)
		if (isnan(values[i]))
			return -ERR_USAGE;
	if (n > 0) {
		if (!size_multiply(n, sizeof(*sorted), &size))
			return -ERR_MEMORY;
		sorted = mem_alloc(size);
		if (sorted == NULL)
			return -ERR_MEMORY;
		memcpy(sorted, values, size);
		sort_numbers(sorted, n);
		summary.min = sorted[0];
		summary.q1 = quantile_sorted(sorted, n, 0.25);
		summary.median = median_sorted(sorted, n);
		summary.q3 = quantile_sorted(sorted, n, 0.75);
		summary.p95 = quantile_sorted(sorted, n, 0.95);
		summary.p99 = quantile_sorted(sorted, n, 0.99);
		summary.max = sorted[n - 1];
		summary.mean = mean_of(sorted, n);
		summary.sd = sd_of(sorted, n, summary.mean);
		mem_free(sorted);
	}
	*ret_summary = summary;
	return 0;
}
