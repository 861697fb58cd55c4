/* A command that is started anew for each value: its wall time from the exec to its end, its CPU
 * time with that of its children, and its own peak memory. One interface with the Python worker:
 * bench/worker.h; this is its other half. */
#ifndef BENCH_COMMAND_WORKER_H
#define BENCH_COMMAND_WORKER_H

#include "bench/result.h"
#include "bench/worker.h"

struct command_worker {
	const struct worker_spec *spec;
	struct bench_counters sum; /* over the executions; the peak: the highest */
	size_t executions;
	uint64_t output_bytes;
};

void command_worker_init(struct command_worker *worker, const struct worker_spec *spec);
/* Errors: as worker_block; a status other than 0 is one. */
int command_worker_block(struct command_worker *worker, uint64_t loops, struct block *ret_block,
			 struct err *err);
/* System calls of one execution more, of all its threads and children. */
int command_worker_count(struct command_worker *worker, struct bench_counters *ret_counters,
			 struct err *err);
void command_worker_counters(const struct command_worker *worker,
			     struct bench_counters *ret_counters);

#endif
