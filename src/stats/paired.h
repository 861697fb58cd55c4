/* What pairs say of a ratio. A pair is two processes that took turns; its one number is
 * log(B/A). Pairs are independent, the blocks inside one are not. Robust: the location is
 * that of the middle of the distribution, so a pair that another program disturbed moves it
 * little. Pure functions; random numbers only from the seed that is given. */
#ifndef STATS_PAIRED_H
#define STATS_PAIRED_H

#include <stddef.h>
#include <stdint.h>

struct err;

struct paired_estimate {
	size_t pairs;
	double location;  /* of log(B/A): log ratios */
	double low, high; /* interval at the confidence asked for; ±INFINITY for too few pairs */
	double spread;	  /* robust standard deviation of one pair */
};

int paired_estimate_of(const double *log_ratios, size_t n, double confidence, uint64_t seed,
		       struct paired_estimate *ret_estimate, struct err *err);

/* One pair's number from its blocks: wall or CPU time per loop of A and of B, block by block, in
 * the order in which they ran (order[i]: 1 where B ran first in block i). Robust against the
 * blocks that something else disturbed, and free of drift within the pair. */
double pair_log_ratio(const double *a, const double *b, const uint8_t *order, size_t blocks);

/* The smallest |log ratio| that n pairs of this spread would find with this power at this
 * one-sided level, and the pairs that a given effect needs. */
double paired_detectable(size_t n, double spread, double alpha, double power);
size_t paired_needed(double effect, double spread, double alpha, double power);

#endif
