/* What only a tracer sees of a process: its peak memory in the moment before it is gone, and each
 * of its system calls. By ptrace; the process must be ours (worker_process.h). Linux. */
#ifndef BENCH_WORKER_TRACE_H
#define BENCH_WORKER_TRACE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/worker_process.h"

#define TRACE_THREADS_MAX 1024 /* at a time; what comes beyond runs uncounted */

struct worker_trace {
	bool syscalls;	     /* each one stops it: slow, its times mean nothing */
	bool unreadable;     /* the kernel can't say which stop is which: no count */
	uint64_t count;	     /* of system calls, of all threads and children */
	uint64_t peak_bytes; /* VmHWM of the process itself; UINT64_MAX unknown */
	double stopped_s;    /* how long it stood still for us at its end */
	pid_t tids[TRACE_THREADS_MAX];
	size_t tid_count;
};

/* Seizes a held process, or with `syscalls` a running one. false: not allowed here, or no longer
 * there; then it runs untraced, and worker_trace_run only waits for its end. */
bool worker_trace_start(struct worker_process *process, bool syscalls,
			struct worker_trace *ret_trace);
/* Lets it run until it has ended (and is reaped) or, where `until_read`, a worker is about to read
 * its next request: there it stands until worker_trace_resume. -ERR_TIMEOUT, also when *stop. */
int worker_trace_run(struct worker_process *process, struct worker_trace *trace, bool until_read,
		     double deadline_s, const volatile sig_atomic_t *stop, struct err *err);
/* On from there, counting from 0. */
void worker_trace_resume(struct worker_process *process, struct worker_trace *trace);
/* They run on, untraced. */
void worker_trace_detach(struct worker_process *process, struct worker_trace *trace);

#endif
