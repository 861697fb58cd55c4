/* A against B: pairs of workers that take turns in short blocks on one core, in random order,
 * with the same seed within a pair and another one for each pair, until stats/sequential decides
 * or the time is over. Knows nothing of what A and B are. */
#ifndef BENCH_PAIRING_H
#define BENCH_PAIRING_H

#include "bench/worker.h"
#include "stats/sequential.h"

enum pair_metric { PAIR_WALL, PAIR_CPU };

struct pairing_options {
	struct sequential_plan plan;
	enum pair_metric metric;
	double block_s;	     /* target length of one block; 0.004 */
	double pair_s;	     /* of one pair; 0.75 */
	double time_limit_s; /* of the whole comparison */
	int cpu;	     /* both on it; −1: the one with least to do */
	uint64_t seed;	     /* 0: from the clock */
	/* Progress with time left; may be NULL. */
	void (*progress)(void *context, const struct sequential_state *state, double elapsed_s,
			 double left_s);
	void *context;
};

enum verdict {
	VERDICT_PASS,
	VERDICT_REGRESSION,
	VERDICT_IMPROVEMENT,
	VERDICT_CANNOT_TELL,
	VERDICT_NOT_MEASURED
};

struct pairing_result {
	enum verdict verdict;
	struct sequential_state state;
	double *log_ratios; /* one a pair */
	size_t pair_count;
	struct bench_results *a, *b;		      /* raw values of both sides, a run a pair */
	struct bench_counters counters_a, counters_b; /* exact where counters_exact says */
	uint32_t counters_exact, counters_differ;     /* bit per counter: enum pair_counter */
	double elapsed_s, steal_s;
	bool off_cpu;  /* a substantial part of the wall time is not CPU time */
	char *failure; /* NOT_MEASURED: why, and of which side */
};

enum pair_counter {
	PAIR_CALLS = 1,
	PAIR_BYTECODES = 2,
	PAIR_MODULES = 4,
	PAIR_SYSCALLS = 8,
	PAIR_INSTRUCTIONS = 16,
	PAIR_ALLOCATIONS = 32
};

int pairing_run(const struct worker_spec *a, const struct worker_spec *b,
		const struct pairing_options *options, struct pairing_result *ret_result,
		struct err *err);
void pairing_result_release(struct pairing_result *result);
void pairing_defaults(struct pairing_options *options);

/* "pass", "regression", "improvement", "cannot-tell", "not-measured". */
const char *verdict_name(enum verdict verdict);
/* The exit code that PRODUCT.md gives it. */
int verdict_exit_code(enum verdict verdict);

#endif
