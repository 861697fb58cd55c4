/* What pairs say of a ratio. A pair is two processes that took turns; its one number is
 * log(B/A). Pairs are independent, the blocks inside one are not. Robust: the location is
 * that of the middle of the distribution, so a pair that another program disturbed moves it
 * little. What is asked of whoever makes pairs: which of the two processes starts first, and which
 * runs first in each block, is drawn at random; then equal programs give numbers that are as
 * likely above 0 as below, and nothing more is assumed (docs/decisions/0030-comparing.md). Pure
 * functions. */
#ifndef STATS_PAIRED_H
#define STATS_PAIRED_H

#include <stddef.h>
#include <stdint.h>

struct err;

struct paired_estimate {
	size_t pairs;
	double location;  /* of log(B/A): log ratios */
	double low, high; /* interval at the confidence asked for; ±INFINITY for too few pairs */
	double spread;	  /* robust standard deviation of one pair; NaN for one pair */
};

/* Hodges and Lehmann's location with the exact signed-rank interval (stats/signed_rank.h). At 95 %
 * it wants 6 pairs. The interval is that of a number of pairs fixed beforehand; while pairs come
 * in, sequential_look has the one to use. Nothing here is random: `seed` is not used. Values that
 * are not finite: -ERR_USAGE; no pairs: -ERR_TOO_LITTLE. */
int paired_estimate_of(const double *log_ratios, size_t n, double confidence, uint64_t seed,
		       struct paired_estimate *ret_estimate, struct err *err);

/* One pair's number from its blocks: wall or CPU time per loop of A and of B, block by block, in
 * the order in which they ran (order[i]: 1 where B ran first in block i). Robust against the
 * blocks that something else disturbed, and free of drift within the pair: the median over the
 * blocks of either order, and the mean of the two. Blocks whose times are not above 0 are left
 * out; NaN where none is left. Swapping A and B (and each order) negates it exactly. */
double pair_log_ratio(const double *a, const double *b, const uint8_t *order, size_t blocks);

/* Standard deviation of the undisturbed ones: Qn of Croux and Rousseeuw (1992), which half of the
 * values cannot spoil. 0 where more than half are equal, NaN for n < 2 or no memory. */
double robust_spread(const double *values, size_t n);

/* The smallest |log ratio| that n pairs of this spread would find with this power at this
 * one-sided level, and the pairs that a given effect needs (normal pairs, t test: Guenther 1981;
 * signed ranks want 5 % more pairs). INFINITY and SIZE_MAX: none would do. */
double paired_detectable(size_t n, double spread, double alpha, double power);
size_t paired_needed(double effect, double spread, double alpha, double power);

#endif
