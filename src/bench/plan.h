/* What `bench` does: everything that is to be measured, under every interpreter, in many processes
 * with a seed each, in turns (so that a slow minute of the machine is shared by all), with the
 * warm-up cut off by what the values say. A benchmark that fails is named in its result, and the
 * others go on. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "bench/result.h"
#include "bench/worker.h"

struct err;

#define PLAN_PYTHONS_MAX 32

struct plan_progress {
	size_t done, total; /* processes; of commands, executions */
	double elapsed_s, left_s;
	const char *name; /* what is measured now */
};

struct bench_plan {
	/* Files without a name stand for all their benchmarks. */
	const struct bench_target *targets;
	size_t target_count;
	const char *pattern;	    /* only names that have it in them or fit it; NULL all */
	const char *const *pythons; /* paths; with more than one, each is a parameter "python" */
	size_t python_count;
	/* All but target, python and seed are taken from it. */
	struct worker_spec base;
	size_t processes; /* for each benchmark */
	size_t values;	  /* of each process, the warm-up not counted */
	double value_s;	  /* what one value is made of, for whatever is shorter */
	/* For all together, shared out; each benchmark gets one process all the same. 0: a
	 * benchmark's share is PLAN_BENCHMARK_S. */
	double time_limit_s;
	uint64_t seed;
	bool count; /* calls, bytecodes and system calls of one call, in a process of its own */
	/* An open-loop load in place of blocks; 0: none. */
	double load_rate_hz, load_s;
	void (*progress)(void *context, const struct plan_progress *progress); /* or NULL */
	void *context;
};

#define PLAN_BENCHMARK_S 20.0
#define LOAD_REQUESTS_MAX 1000000 /* of one process */

void bench_plan_defaults(struct bench_plan *plan);

/* Adds what it measures to the results, with facts on the surroundings. What a benchmark does
 * beside taking time ("prints 12 bytes") is a fact "note of NAME". Errors: only what keeps
 * everything from being measured (no memory, nothing there to be measured). */
int bench_plan_run(const struct bench_plan *plan, struct bench_results *results, struct err *err);

/* The machine and the plan, as facts of the results. */
int bench_plan_facts(const struct bench_plan *plan, struct bench_results *results);

#endif
