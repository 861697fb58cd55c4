#include "bench/warmup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "stats/summary.h"

#define SCATTERS 4.0	  /* of normal values one in 16,000 lies further away */
#define SCATTER_MIN 0.01  /* relative: what is nearer is the same for our purpose */
#define MAD_TO_SD 1.4826  /* for normal values */
#define MEDIAN_ERROR 1.25 /* of a median, to that of a mean of normal values */
#define MOVES_MIN 0.05	  /* relative: the later half's own halves may differ by this */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts them. */
static double median_of(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return quantile_sorted(values, n, 0.5);
}

static double middle_of(const double *values, size_t n, double *room)
{
	memcpy(room, values, n * sizeof(*values));
	return median_of(room, n);
}

/* How far from the median a value may lie: the allowance. */
static double allowance(const double *values, size_t n, double median, double *room)
{
	for (size_t i = 0; i < n; i++)
		room[i] = fabs(values[i] - median);
	return SCATTERS * fmax(MAD_TO_SD * median_of(room, n), SCATTER_MIN * fabs(median));
}

/* Whether the halves of the late half differ by more than their medians scatter. By the steps from
 * value to value, which a slow drift leaves as they are. */
static bool still_moves(const double *late, size_t n, double median, double *room)
{
	size_t half = n / 2;
	double step, error;
	double moved = fabs(middle_of(late, half, room) - middle_of(late + half, n - half, room));

	for (size_t i = 0; i + 1 < n; i++)
		room[i] = fabs(late[i + 1] - late[i]);
	step = MAD_TO_SD * median_of(room, n - 1) / sqrt(2);
	error = MEDIAN_ERROR * step * sqrt(2 / (double)half);
	return moved > fmax(SCATTERS * error, MOVES_MIN * fabs(median));
}

size_t warmup_count(const double *values, size_t n, bool *ret_settled)
{
	const double *late = values + n / 2;
	size_t late_n = n - n / 2, cut = 0;
	double *room = n < WARMUP_VALUES_MIN ? NULL : mem_alloc(n * sizeof(*room));
	double median, allowed;

	if (ret_settled)
		*ret_settled = true;
	if (!room)
		return 0;
	median = middle_of(late, late_n, room);
	allowed = allowance(late, late_n, median, room);
	/* Only slow ones, and only from the beginning: a slow value behind a good first one is an
	 * outlier, and a fast one was no warm-up; both stay. */
	if (values[0] > median + allowed)
		while (cut < n / 2 &&
		       (values[cut] > median + allowed || values[cut + 1] > median + allowed))
			cut++;
	if (ret_settled)
		*ret_settled = cut < n / 2 && !still_moves(late, late_n, median, room);
	mem_free(room);
	return cut;
}
