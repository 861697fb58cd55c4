/* One number from the blocks of a pair, and one interval from the numbers of pairs. */
#include "stats/paired.h"

#include <math.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/interval.h"
#include "stats/signed_rank.h"
#include "stats/summary.h"

/* Of one order fewer blocks than this part of all: its median would be noise. */
#define ORDER_PART_MIN 8

static double median_of(double *values, size_t n)
{
	sort_numbers(values, n);
	return median_sorted(values, n);
}

double pair_log_ratio(const double *a, const double *b, const uint8_t *order, size_t blocks)
{
	/* The log ratios where A ran first grow from the front, the others from the back. */
	double *ratios = mem_alloc((blocks + 1) * sizeof(*ratios)), ratio;
	size_t first = 0, second = 0;

	if (ratios == NULL)
		return NAN;
	for (size_t i = 0; i < blocks; i++) {
		if (!(a[i] > 0) || !(b[i] > 0) || !isfinite(a[i]) || !isfinite(b[i]))
			continue;
		ratio = log(b[i]) - log(a[i]); /* of b/a would not negate exactly */
		if (order[i] == 0)
			ratios[first++] = ratio;
		else
			ratios[blocks - ++second] = ratio;
	}
	if (first > blocks / ORDER_PART_MIN && second > blocks / ORDER_PART_MIN) {
		/* Whatever running second does to a block, it does to A in one and to B in the
		 * other. */
		ratio =
		    median_of(ratios, first) / 2 + median_of(ratios + blocks - second, second) / 2;
	} else {
		for (size_t i = 0; i < second; i++)
			ratios[first + i] = ratios[blocks - second + i];
		ratio = median_of(ratios, first + second);
	}
	mem_free(ratios);
	return ratio;
}

/* Croux and Rousseeuw (1992), "Time-efficient algorithms for two highly robust estimators of
 * scale": consistency for the normal distribution, and the small-sample factors. */
#define QN_NORMAL 2.2219
static const double qn_small[] = {0, 0, .399, .994, .512, .844, .611, .857, .669, .872};
#define QN_SMALL_COUNT (sizeof(qn_small) / sizeof(qn_small[0]))

static double qn_factor(size_t n)
{
	double count = (double)n;

	if (n < QN_SMALL_COUNT)
		return QN_NORMAL * qn_small[n];
	return QN_NORMAL * count / (count + (n % 2 == 1 ? 1.4 : 3.8));
}

double robust_spread(const double *values, size_t n)
{
	size_t half = n / 2 + 1, count = 0;
	double *distances, spread;

	if (n < 2 || n > SIGNED_RANK_VALUES_MAX)
		return NAN;
	distances = mem_alloc(n * (n - 1) / 2 * sizeof(*distances));
	if (distances == NULL)
		return NAN;
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			distances[count++] = fabs(values[i] - values[j]);
	sort_numbers(distances, count);
	spread = distances[half * (half - 1) / 2 - 1] * qn_factor(n);
	mem_free(distances);
	return spread;
}

int paired_estimate_of(const double *log_ratios, size_t n, double confidence, uint64_t seed,
		       struct paired_estimate *ret_estimate, struct err *err)
{
	struct paired_estimate estimate = {.pairs = n};
	int r;

	(void)seed;
	if (n == 0)
		return err_set(err, ERR_TOO_LITTLE, "no pairs to compare");
	for (size_t i = 0; i < n; i++)
		if (!isfinite(log_ratios[i]))
			return err_set(err, ERR_USAGE, "pair %zu has no ratio", i + 1);
	r = signed_rank_interval(log_ratios, n, 1 - confidence, &estimate.location, &estimate.low,
				 &estimate.high, err);
	if (r < 0)
		return r;
	estimate.spread = robust_spread(log_ratios, n);
	if (n > 1 && isnan(estimate.spread))
		return err_set(err, ERR_MEMORY, "no memory to compare pairs");
	*ret_estimate = estimate;
	return 0;
}

double paired_detectable(size_t n, double spread, double alpha, double power)
{
	double z = -normal_quantile(alpha), left = (double)n - z * z / 2;

	if (!(left > 0))
		return INFINITY;
	return (z + normal_quantile(power)) * spread / sqrt(left);
}

size_t paired_needed(double effect, double spread, double alpha, double power)
{
	double z = -normal_quantile(alpha), ratio, pairs;

	if (!(fabs(effect) > 0) || !isfinite(spread))
		return SIZE_MAX;
	ratio = (z + normal_quantile(power)) * spread / effect;
	pairs = ceil(ratio * ratio + z * z / 2);
	if (!(pairs < 1e15))
		return SIZE_MAX;
	return pairs < 2 ? 2 : (size_t)pairs;
}
