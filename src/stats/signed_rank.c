/* Wilcoxon's signed ranks: the exact distribution of their sum, and the averages of two. */
#include "stats/signed_rank.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/interval.h"
#include "stats/summary.h"

#define EXACT_VALUES_MAX 128
#define EXACT_BELOW_SD 1.5 /* further up nobody asks for the exact p */

static int refuse_size(size_t n, struct err *err)
{
	int r = err_set(err, ERR_LIMIT, "too many pairs to compare");

	err_why(err, "%zu, and %d is the limit", n, SIGNED_RANK_VALUES_MAX);
	err_next(err, "leave out the oldest");
	return r;
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "no memory to compare pairs");
}

/* chances[s] becomes the chance that the ranks of a random half sum to s, for s ≤ limit. */
static void rank_sum_chances(const size_t *ranks, size_t n, double *chances, size_t limit)
{
	size_t reached = 0; /* the largest sum that the ranks so far can have, or the limit */

	for (size_t s = 0; s <= limit; s++)
		chances[s] = s == 0;
	for (size_t i = 0; i < n; i++) {
		size_t rank = ranks[i];

		reached = rank < limit - reached ? reached + rank : limit;
		for (size_t s = reached + 1; s-- > rank;)
			chances[s] = (chances[s] + chances[s - rank]) / 2;
		for (size_t s = 0; s < rank && s <= reached; s++)
			chances[s] /= 2;
	}
}

struct distance {
	double size;
	bool above;
};

static int by_size(const void *a, const void *b)
{
	double x = ((const struct distance *)a)->size, y = ((const struct distance *)b)->size;

	return x < y ? -1 : x > y;
}

/* Twice the ranks of the sorted distances (so that shared ones are whole), and twice the sum of
 * those that lie against the claim. */
static size_t rank_distances(const struct distance *distances, size_t n, size_t *ranks)
{
	size_t against = 0;

	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && distances[to].size == distances[from].size;)
			to++;
		for (size_t i = from; i < to; i++) {
			ranks[i] = from + to + 1;
			if (!distances[i].above)
				against += ranks[i];
		}
	}
	return against;
}

static int rank_sum_p(const size_t *ranks, size_t n, size_t sum, double *ret_p, struct err *err)
{
	double mean = 0, variance = 0, *chances, p = 0;

	for (size_t i = 0; i < n; i++) {
		mean += (double)ranks[i] / 2;
		variance += (double)ranks[i] * (double)ranks[i] / 4;
	}
	if (n > EXACT_VALUES_MAX || (double)sum > mean - EXACT_BELOW_SD * sqrt(variance)) {
		/* The sum moves in steps of 2 where nothing is tied. */
		*ret_p = normal_cdf(((double)sum + 1 - mean) / sqrt(variance));
		return 0;
	}
	chances = mem_alloc((sum + 1) * sizeof(*chances));
	if (chances == NULL)
		return no_memory(err);
	rank_sum_chances(ranks, n, chances, sum);
	for (size_t s = 0; s <= sum; s++)
		p += chances[s];
	mem_free(chances);
	*ret_p = p < 1 ? p : 1;
	return 0;
}

int signed_rank_p(const double *values, size_t n, double centre, int side, double *ret_p,
		  struct err *err)
{
	struct distance *distances;
	size_t *ranks, used = 0, against;
	int r = 0;

	if (n > SIGNED_RANK_VALUES_MAX)
		return refuse_size(n, err);
	distances = mem_alloc((n + 1) * sizeof(*distances));
	ranks = mem_alloc((n + 1) * sizeof(*ranks));
	if (distances == NULL || ranks == NULL) {
		r = no_memory(err);
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		double d = side > 0 ? values[i] - centre : centre - values[i];

		if (d != 0)
			distances[used++] = (struct distance){fabs(d), d > 0};
	}
	if (used == 0) {
		*ret_p = 1;
		goto out;
	}
	qsort(distances, used, sizeof(*distances), by_size);
	against = rank_distances(distances, used, ranks);
	r = rank_sum_p(ranks, used, against, ret_p, err);
out:
	mem_free(ranks);
	mem_free(distances);
	return r;
}

/* The largest sum of the ranks 1 to n whose chance to be that small or smaller, twice, is at most
 * `miss`; −1: even 0 is likelier. Above `limit` it is not looked for. */
static int critical_sum(size_t n, double miss, size_t limit, long *ret_sum, struct err *err)
{
	double *chances = mem_alloc((limit + 1) * sizeof(*chances)), p = 0;
	size_t ranks[EXACT_VALUES_MAX], sum;

	if (chances == NULL)
		return no_memory(err);
	for (size_t i = 0; i < n; i++)
		ranks[i] = i + 1;
	rank_sum_chances(ranks, n, chances, limit);
	for (sum = 0; sum <= limit; sum++) {
		p += chances[sum];
		if (2 * p > miss)
			break;
	}
	*ret_sum = (long)sum - 1;
	mem_free(chances);
	return 0;
}

/* How many averages are left out at each end; −1: even all of them are too few. */
static int averages_outside(size_t n, double miss, long *ret_outside, struct err *err)
{
	double mean = (double)n * (double)(n + 1) / 4;
	double sd = sqrt((double)n * (double)(n + 1) * (double)(2 * n + 1) / 24);
	double edge = mean + normal_quantile(miss / 2) * sd - 0.5;
	size_t limit = (size_t)mean;
	int r;

	if (n > EXACT_VALUES_MAX) {
		*ret_outside = edge >= 0 ? (long)edge : -1;
		return 0;
	}
	/* The exact one lies near; where it doesn't, it is looked for everywhere. */
	if (edge + sd / 2 + 4 < mean)
		limit = edge + sd / 2 + 4 > 0 ? (size_t)(edge + sd / 2 + 4) : 0;
	r = critical_sum(n, miss, limit, ret_outside, err);
	if (r == 0 && *ret_outside == (long)limit)
		r = critical_sum(n, miss, (size_t)mean, ret_outside, err);
	return r;
}

int signed_rank_interval(const double *values, size_t n, double miss, double *ret_location,
			 double *ret_low, double *ret_high, struct err *err)
{
	double *averages;
	size_t count = 0;
	long outside;
	int r;

	if (n > SIGNED_RANK_VALUES_MAX)
		return refuse_size(n, err);
	r = averages_outside(n, miss, &outside, err);
	if (r < 0)
		return r;
	averages = mem_alloc(n * (n + 1) / 2 * sizeof(*averages));
	if (averages == NULL)
		return no_memory(err);
	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++)
			averages[count++] = values[i] / 2 + values[j] / 2;
	sort_numbers(averages, count);
	*ret_location = median_sorted(averages, count);
	/* A sum of at most `outside` refuses a centre: so many averages lie beyond the interval. */
	*ret_low = outside < 0 ? -INFINITY : averages[outside];
	*ret_high = outside < 0 ? INFINITY : averages[count - 1 - (size_t)outside];
	mem_free(averages);
	return 0;
}
