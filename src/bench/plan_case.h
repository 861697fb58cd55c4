/* One benchmark under one interpreter, while it is measured: the values of one process, and where
 * they go. Used by plan*.c and load.c alone. */
#ifndef BENCH_PLAN_CASE_H
#define BENCH_PLAN_CASE_H

#include <stddef.h>
#include <stdint.h>

#include "bench/plan.h"

struct series {
	double *values;
	uint8_t *causes;
	size_t count, capacity;
};

int series_add(struct series *series, double value, uint8_t causes);
void series_release(struct series *series);

/* One execution of a command. */
struct execution {
	struct bench_run run; /* without values */
	double value;
	uint8_t causes;
};

struct bench_case {
	struct worker_spec spec;
	size_t benchmark; /* in the results */
	enum bench_kind kind;
	double median; /* of the last process; NaN none yet */
	double spent_s;
	size_t rounds; /* processes; of a command, executions */
	bool failed;
	struct execution *executions; /* of a command: kept until the warm-up is known */
	size_t execution_count, execution_capacity;
};

/* One process more. The budget is what it may take; what failed is written into the result.
 * Errors: no memory. */
int plan_process(const struct bench_plan *plan, struct bench_case *one,
		 struct bench_results *results, uint64_t seed, double budget_s, struct err *err);
/* The same for a load: load.c. */
int load_process(const struct bench_plan *plan, struct bench_case *one,
		 struct bench_results *results, uint64_t seed, struct err *err);
/* What only the end knows: a command's warm-up, the exact counters. */
int plan_finish(const struct bench_plan *plan, struct bench_case *one,
		struct bench_results *results, struct err *err);

/* Says in the result why it was not (wholly) measured. */
int plan_failed(struct bench_case *one, struct bench_results *results, const struct err *failure,
		struct err *err);
int plan_note(struct bench_case *one, struct bench_results *results, const char *text,
	      struct err *err);
/* What the worker tells of itself: notes, interpreter. Then ends it. */
int plan_take_leave(struct worker *worker, struct bench_case *one, struct bench_results *results,
		    struct bench_counters *ret_counters, struct err *err);

#endif
