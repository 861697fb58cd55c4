/* A against B: pairs of workers that take turns in short blocks on one core, in random order,
 * with the same seed within a pair and another one for each pair, until stats/sequential decides
 * or the time is over. Knows nothing of what A and B are. */
#ifndef BENCH_PAIRING_H
#define BENCH_PAIRING_H

#include <signal.h>

#include "bench/worker.h"
#include "stats/sequential.h"

/* The clock whose times are compared. PAIR_AUTO: CPU time where neither side ever gave up the CPU
 * by itself (then wall time holds nothing more than what other programs took from it), wall time
 * where one did. The result has one of the first two. */
enum pair_metric { PAIR_WALL, PAIR_CPU, PAIR_AUTO };

struct pairing_options {
	struct sequential_plan plan;
	enum pair_metric metric;
	double block_s;	     /* target length of one block; 0.004 */
	double pair_s;	     /* of one pair; 0.5 */
	double time_limit_s; /* of the whole comparison */
	int cpu;	     /* both on it; −1: the one with least to do */
	uint64_t seed;	     /* 0: from the clock */
	/* Progress with time left; may be NULL. */
	void (*progress)(void *context, const struct sequential_state *state, double elapsed_s,
			 double left_s);
	void *context;
	const char *name;     /* of the benchmark in the raw values; NULL: the target's text */
	const char *unit;     /* NULL: "s" */
	enum bench_kind kind; /* what is not BENCH_TIME compares the values that it gave */
	bool count;	      /* probe the exact counters too */
	/* Set by a signal handler: end now and say what is known. May be NULL. */
	const volatile sig_atomic_t *stop;
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
	double *log_ratios; /* one a pair, of `metric` */
	size_t pair_count;
	/* Raw values of both sides, a run a pair: benchmarks[0] in wall time (or its own unit),
	 * benchmarks[1], where there is one, "NAME (CPU time)". */
	struct bench_results *a, *b;
	struct bench_counters counters_a, counters_b; /* exact where counters_exact says */
	uint32_t counters_exact, counters_differ;     /* bit per counter: enum pair_counter */
	double elapsed_s, steal_s;
	bool off_cpu;		 /* a substantial part of the wall time is not CPU time */
	char *failure;		 /* NOT_MEASURED: why, and of which side */
	enum pair_metric metric; /* PAIR_WALL or PAIR_CPU: what log_ratios are of */
	int cpu;		 /* that both ran on, at the end: one that others take is left */
	double pair_cost_s;	 /* of one more pair, its start-up included; NaN: not known */
	bool interrupted;	 /* by options.stop */
	/* Every process of a side gave one same value: there is nothing to estimate, and the
	 * verdict is that of comparing the two. */
	bool exact;
};

enum pair_counter {
	PAIR_CALLS = 1,
	PAIR_BYTECODES = 2,
	PAIR_MODULES = 4,
	PAIR_SYSCALLS = 8,
	PAIR_INSTRUCTIONS = 16,
	PAIR_ALLOCATIONS = 32
};

/* 0 also where something could not be measured (VERDICT_NOT_MEASURED and `failure`): that is an
 * answer. Negative only when the comparison itself could not be made (memory, no such CPU). */
int pairing_run(const struct worker_spec *a, const struct worker_spec *b,
		const struct pairing_options *options, struct pairing_result *ret_result,
		struct err *err);
void pairing_result_release(struct pairing_result *result);
void pairing_defaults(struct pairing_options *options);

/* A result that says why nothing was measured, for what doesn't even reach the workers (a
 * benchmark that one side doesn't have). */
int pairing_not_measured(struct pairing_result *ret_result, const char *failure, struct err *err);

/* "pass", "regression", "improvement", "cannot-tell", "not-measured". */
const char *verdict_name(enum verdict verdict);
/* The exit code that PRODUCT.md gives it. */
int verdict_exit_code(enum verdict verdict);
/* Of the two, what decides the exit code of a suite: regression, then not measured, then cannot
 * tell, then the rest. */
enum verdict verdict_worse(enum verdict one, enum verdict other);
/* "calls", "bytecodes", … of one bit. */
const char *pair_counter_name(enum pair_counter counter);
uint64_t pair_counter_of(const struct bench_counters *counters, enum pair_counter counter);

/* Verdicts of a suite with the error held over all of it: what Holm's procedure at alpha doesn't
 * carry becomes "cannot tell". */
int pairing_holm(struct pairing_result *const results[], size_t count, double alpha,
		 struct err *err);

#endif
