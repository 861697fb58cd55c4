/* From the operands and options of `bench` to a plan. */
#ifndef COMMANDS_BENCH_REQUEST_H
#define COMMANDS_BENCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/options.h"
#include "bench/plan.h"

struct err;

struct bench_arguments {
	const char *setup, *select, *gc, *directory;
	bool statements, commands, show_output, no_counters;
	struct option_texts pythons, environment;
	int64_t processes, values, seed, pin;
	double value_s, time_limit_s, timeout_s, load_rate_hz, load_s;
	uint64_t memory_limit;
};

struct bench_request {
	struct arena arena;
	struct bench_plan plan;
	const char *saved; /* a file of results to show instead of measuring; NULL */
	struct bench_target *targets;
	const char **environment;
	char *pythons[PLAN_PYTHONS_MAX]; /* mem */
};

/* -ERR_USAGE, -ERR_FILE (no such interpreter). Release also after a failure. */
int bench_request_make(struct bench_request *request, const struct bench_arguments *arguments,
		       int operand_count, char **operands, struct err *err);
void bench_request_release(struct bench_request *request);

#endif
