/* Exact counters of one call: see worker.h. */
#include "bench/worker_internal.h"

#include <string.h>

#include "base/err.h"
#include "bench/worker_trace.h"

/* System calls between two readings of requests, the worker's own among them. */
static int traced_block(struct worker *worker, struct worker_trace *trace, const char *request,
			uint64_t *ret_count, struct err *err)
{
	double deadline_s = clock_now_s() + worker->spec.time_limit_s;
	struct worker_reply reply;
	int result = worker_ask(worker, request, strlen(request), err);

	if (result < 0)
		return result;
	worker_trace_resume(&worker->process, trace);
	result =
	    worker_trace_run(&worker->process, trace, true, deadline_s, worker->spec.stop, err);
	if (result < 0) {
		worker->failed = true;
		return worker_explain(worker, result, err);
	}
	*ret_count = trace->count;
	result = worker_answer(worker, deadline_s, REPLY_BLOCK, REPLY_BLOCK, &reply, err);
	if (result == 0)
		worker_reply_release(&reply);
	return result;
}

/* Unknown where tracing isn't allowed. */
static int count_syscalls(struct worker *worker, uint64_t *ret_count, struct err *err)
{
	struct worker_trace trace;
	double deadline_s = clock_now_s() + worker->spec.time_limit_s;
	uint64_t empty = 0, once = 0;
	int result;

	if (!worker_trace_start(&worker->process, true, &trace)) {
		worker_trace_detach(&worker->process, &trace);
		return 0;
	}
	/* It waits for a request; stopped in that, it begins the reading anew. */
	result =
	    worker_trace_run(&worker->process, &trace, true, deadline_s, worker->spec.stop, err);
	if (result == 0)
		result = traced_block(worker, &trace, "b 0\n", &empty, err);
	if (result == 0)
		result = traced_block(worker, &trace, "b 1\n", &once, err);
	worker_trace_detach(&worker->process, &trace);
	if (result == 0 && !trace.unreadable && once >= empty)
		*ret_count = once - empty;
	return result;
}

int worker_count(struct worker *worker, struct bench_counters *ret_counters, struct err *err)
{
	struct bench_counters counters;
	struct worker_reply reply;
	int result;

	if (worker->is_command)
		return command_worker_count(&worker->command, ret_counters, err);
	bench_counters_clear(&counters);
	result =
	    worker_converse(worker, "c\n", 2, worker->spec.time_limit_s, REPLY_COUNT, &reply, err);
	if (result < 0)
		return result;
	counters.calls = reply.numbers[0];
	counters.bytecodes = reply.numbers[1];
	counters.modules = reply.numbers[2];
	worker_reply_release(&reply);
	if (worker->kind == BENCH_TIME)
		result = count_syscalls(worker, &counters.syscalls, err);
	if (result == 0)
		*ret_counters = counters;
	return result;
}
