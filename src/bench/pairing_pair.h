/* One pair: two workers started with the same seed, blocks in turn, both ended. Internal to
 * bench/pairing. */
#ifndef BENCH_PAIRING_PAIR_H
#define BENCH_PAIRING_PAIR_H

#include "bench/pairing.h"
#include "bench/steal.h"

#define PAIR_BLOCKS_MAX 256 /* of each side in one pair, warm-up included */

struct pair_plan {
	const struct worker_spec *specs[2]; /* A, B; their seed and cpu are replaced */
	const struct pairing_options *options;
	uint64_t seed; /* PYTHONHASHSEED of both */
	int cpu;
	uint64_t loops;	   /* of one block, for both; 0: to be found */
	double deadline_s; /* CLOCK_MONOTONIC: what isn't complete then is given up */
	struct steal_meter *steal;
	bool first; /* of the comparison: commands warm the file cache */
};

struct pair_side {
	/* Per iteration, in the order in which they ran; the first `warmups` are not counted. */
	double wall[PAIR_BLOCKS_MAX], cpu[PAIR_BLOCKS_MAX], value[PAIR_BLOCKS_MAX];
	uint8_t causes[PAIR_BLOCKS_MAX];
	struct bench_counters counters;
	char python_version[32], implementation[32];
	/* It slept, waited or was waited for within the blocks: it gave up the CPU by itself. */
	bool gave_up_cpu;
	double off_share; /* of the middle block's wall time: not CPU time */
};

struct pair_measured {
	struct pair_side sides[2];
	uint64_t loops;			/* of one block */
	uint8_t order[PAIR_BLOCKS_MAX]; /* 1: B ran first */
	size_t blocks, warmups;		/* of each side; warm-up included */
	double start_s;			/* Unix time */
	double starved_s, ran_s;	/* of both: waiting for the CPU, and on it */
};

enum pair_outcome { PAIR_COMPLETE, PAIR_GIVEN_UP };

/* 0 and *ret_outcome, or negative: side *ret_failed (0: A, 1: B) failed, err says how. */
int pair_measure(const struct pair_plan *plan, uint64_t *random, struct pair_measured *ret_pair,
		 enum pair_outcome *ret_outcome, int *ret_failed, struct err *err);

/* log(B/A) of the pair's blocks without the warm-up, NaN where a time is not above 0 in half of
 * them. */
double pair_ratio(const struct pair_measured *pair, enum pair_metric metric);
/* The middle of what a side gave as values (peakmem_, track_). */
double pair_value(const struct pair_measured *pair, int side);

/* The next random number (splitmix64). */
uint64_t pair_random(uint64_t *state);
double pair_now_s(void); /* CLOCK_MONOTONIC */

#endif
