/* Stops a process for the instant of a sample, by ptrace: PTRACE_SEIZE once, then
 * PTRACE_INTERRUPT … PTRACE_CONT for each sample. Signals that arrive meanwhile
 * are passed on, a process stopped by job control stays stopped, and its exit status is left for
 * its parent (which may be another thread of ours). Only for --stop: it costs the target 10–30 µs a
 * sample. All calls must come from the one thread that called stopper_start (ptrace's rule). */
#ifndef SAMPLER_STOPPER_H
#define SAMPLER_STOPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STOPPER_THREADS_MAX 1024

struct stopper {
	pid_t pid;
	pid_t tids[STOPPER_THREADS_MAX];
	bool held[STOPPER_THREADS_MAX];	      /* stopped by us now */
	bool group_stop[STOPPER_THREADS_MAX]; /* of those: by job control already, to stay so */
	uint32_t count;
	uint64_t refresh_ns;
	bool stopped, gone;
};

int stopper_start(struct stopper *stopper, pid_t pid);
/* Stop every thread. Negative: the process is gone or could not be stopped (nothing stays stopped).
 */
int stopper_stop(struct stopper *stopper);
void stopper_resume(struct stopper *stopper);
/* Detach from every thread: the target runs as before. */
void stopper_finish(struct stopper *stopper);

#endif
