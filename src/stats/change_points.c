/* E-divisive means: the split of a stretch whose two sides differ most by energy distance; kept
 * where a shuffled stretch seldom has as good a one; then the same within each side. */
#include "stats/change_points.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/summary.h"

#define LEVEL_MIN 3 /* values: fewer are no level */

struct stretch {
	size_t from, to;
};

struct split {
	size_t at, to; /* the second side ends before `to` */
	double q;
};

struct finder {
	const double *values;
	size_t n;
	double alpha;
	uint64_t random;
	size_t shuffles;
	double *shuffled; /* n */
	double *sums;	  /* (n + 1)²: of the distances between values i < a and j < b */
	struct change_point *points;
	size_t count, capacity;
};

/* xorshift64*: Vigna (2016). */
static uint64_t next_random(struct finder *finder)
{
	finder->random ^= finder->random >> 12;
	finder->random ^= finder->random << 25;
	finder->random ^= finder->random >> 27;
	return finder->random * UINT64_C(2685821657736338717);
}

static void shuffle(struct finder *finder, double *values, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)(((next_random(finder) >> 32) * (uint64_t)i) >> 32);
		double value = values[i - 1];

		values[i - 1] = values[j];
		values[j] = value;
	}
}

static void sum_distances(const double *values, size_t n, double *sums)
{
	size_t width = n + 1;

	memset(sums, 0, width * sizeof(*sums));
	for (size_t a = 1; a <= n; a++) {
		double row = 0;

		sums[a * width] = 0;
		for (size_t b = 1; b <= n; b++) {
			row += fabs(values[a - 1] - values[b - 1]);
			sums[a * width + b] = sums[(a - 1) * width + b] + row;
		}
	}
}

/* Of the distances within [from, to), each pair twice. */
static double within(const double *sums, size_t n, size_t from, size_t to)
{
	size_t width = n + 1;

	return sums[to * width + to] - sums[from * width + to] - sums[to * width + from] +
	       sums[from * width + from];
}

/* The energy distance between [0, at) and [at, to), scaled by their sizes. */
static double split_gain(const double *sums, size_t n, size_t at, size_t to)
{
	size_t width = n + 1;
	double left = (double)at, right = (double)(to - at);
	double between = sums[at * width + to] - sums[at * width + at];

	return left * right / (left + right) *
	       (2 * between / (left * right) - within(sums, n, 0, at) / (left * (left - 1)) -
		within(sums, n, at, to) / (right * (right - 1)));
}

/* The end of the second side is free, so that a later change back doesn't hide this one. */
static struct split best_split(const double *values, size_t n, double *sums)
{
	struct split best = {.q = -INFINITY};

	sum_distances(values, n, sums);
	for (size_t at = LEVEL_MIN; at + LEVEL_MIN <= n; at++)
		for (size_t to = at + LEVEL_MIN; to <= n; to++) {
			double q = split_gain(sums, n, at, to);

			if (q > best.q)
				best = (struct split){at, to, q};
		}
	return best;
}

/* How often a shuffled stretch has as good a split; no further than it matters. */
static double split_p(struct finder *finder, struct stretch stretch, double q)
{
	size_t n = stretch.to - stretch.from, as_good = 0, done = 0;
	size_t enough = (size_t)(finder->alpha * (double)(finder->shuffles + 1));

	memcpy(finder->shuffled, finder->values + stretch.from, n * sizeof(double));
	while (done < finder->shuffles && as_good <= enough) {
		shuffle(finder, finder->shuffled, n);
		as_good += best_split(finder->shuffled, n, finder->sums).q >= q;
		done++;
	}
	return (double)(as_good + 1) / (double)(done + 1);
}

static int add_point(struct finder *finder, size_t at, double p, struct err *err)
{
	if (grow_array((void **)&finder->points, &finder->capacity, finder->count + 1,
		       sizeof(*finder->points), 0) < 0)
		return err_set(err, ERR_MEMORY, "no memory for a history's changes");
	finder->points[finder->count++] = (struct change_point){.at = at, .p = p};
	return 0;
}

/* Depth is bounded by n / LEVEL_MIN, and n by CHANGE_VALUES_MAX. */
static int find_within(struct finder *finder, struct stretch stretch, struct err *err)
{
	size_t n = stretch.to - stretch.from;
	struct split split;
	double p;
	int r;

	if (n < 2 * LEVEL_MIN)
		return 0;
	split = best_split(finder->values + stretch.from, n, finder->sums);
	if (!(split.q > 0))
		return 0;
	p = split_p(finder, stretch, split.q);
	if (p > finder->alpha)
		return 0;
	r = find_within(finder, (struct stretch){stretch.from, stretch.from + split.at}, err);
	if (r == 0)
		r = add_point(finder, stretch.from + split.at, p, err);
	if (r == 0)
		r = find_within(finder, (struct stretch){stretch.from + split.at, stretch.to}, err);
	return r;
}

static double median_between(struct finder *finder, size_t from, size_t to)
{
	memcpy(finder->shuffled, finder->values + from, (to - from) * sizeof(double));
	sort_numbers(finder->shuffled, to - from);
	return median_sorted(finder->shuffled, to - from);
}

static void tell_levels(struct finder *finder)
{
	for (size_t i = 0; i < finder->count; i++) {
		size_t from = i > 0 ? finder->points[i - 1].at : 0;
		size_t to = i + 1 < finder->count ? finder->points[i + 1].at : finder->n;

		finder->points[i].before = median_between(finder, from, finder->points[i].at);
		finder->points[i].after = median_between(finder, finder->points[i].at, to);
	}
}

static int check_values(const double *values, size_t n, double alpha, struct err *err)
{
	if (!(alpha >= CHANGE_ALPHA_MIN && alpha < 1))
		return err_set(err, ERR_USAGE, "changes cannot be looked for at level %g", alpha);
	if (n > CHANGE_VALUES_MAX) {
		int r = err_set(err, ERR_LIMIT, "too long a history to look for changes");
		err_why(err, "%zu values, and %d is the limit", n, CHANGE_VALUES_MAX);
		err_next(err, "leave out the oldest");
		return r;
	}
	for (size_t i = 0; i < n; i++)
		if (!isfinite(values[i]))
			return err_set(err, ERR_USAGE, "value %zu of the history is no number",
				       i + 1);
	return 0;
}

int change_points_find(const double *values, size_t n, double alpha, uint64_t seed,
		       struct change_point **ret_points, size_t *ret_count, struct err *err)
{
	struct finder finder = {
	    .values = values, .n = n, .alpha = alpha, .random = seed ? seed : 1};
	int r = check_values(values, n, alpha, err);

	if (r < 0)
		return r;
	/* Enough that p can fall to half of alpha. */
	finder.shuffles = (size_t)ceil(2 / alpha) - 1;
	if (finder.shuffles < 99)
		finder.shuffles = 99;
	finder.shuffled = mem_alloc((n + 1) * sizeof(double));
	finder.sums = mem_alloc((n + 1) * (n + 1) * sizeof(double));
	if (finder.shuffled == NULL || finder.sums == NULL)
		r = err_set(err, ERR_MEMORY, "no memory to look for changes");
	else
		r = find_within(&finder, (struct stretch){0, n}, err);
	if (r == 0) {
		tell_levels(&finder);
		*ret_points = finder.points;
		*ret_count = finder.count;
	} else {
		mem_free(finder.points);
	}
	mem_free(finder.sums);
	mem_free(finder.shuffled);
	return r;
}
