/* See stopper.h. */
#include "sampler/stopper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "process/process.h"

#define REFRESH_NS 20000000ull
#define WAIT_NS 2000000000ull

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void drop(struct stopper *stopper, uint32_t index)
{
	stopper->count--;
	stopper->tids[index] = stopper->tids[stopper->count];
	stopper->held[index] = stopper->held[stopper->count];
}

/* Seize threads that are new since the last look. */
static int refresh(struct stopper *stopper)
{
	pid_t *tids;
	size_t count;

	if (process_threads(stopper->pid, &tids, &count, NULL) < 0)
		return -ERR_NO_PROCESS;
	for (size_t i = 0; i < count && stopper->count < STOPPER_THREADS_MAX; i++) {
		bool known = false;

		for (uint32_t k = 0; k < stopper->count && !known; k++)
			known = stopper->tids[k] == tids[i];
		if (known || ptrace(PTRACE_SEIZE, tids[i], 0, 0) < 0)
			continue;
		stopper->tids[stopper->count] = tids[i];
		stopper->held[stopper->count++] = false;
	}
	mem_free(tids);
	stopper->refresh_ns = now_ns();
	return stopper->count ? 0 : -ERR_PERMISSION;
}

int stopper_start(struct stopper *stopper, pid_t pid)
{
	memset(stopper, 0, sizeof(*stopper));
	stopper->pid = pid;
	return refresh(stopper);
}

/* Wait until the thread is in our stop. A signal that stops it first is delivered, then we wait on.
 * Negative: the thread ended. */
static int wait_stop(pid_t tid)
{
	uint64_t deadline = now_ns() + WAIT_NS;

	for (;;) {
		int status;
		pid_t got = waitpid(tid, &status, __WALL | __WNOTHREAD | WNOHANG);

		if (got < 0 && errno != EINTR)
			return -ERR_NO_PROCESS;
		if (got == tid) {
			if (!WIFSTOPPED(status))
				return -ERR_NO_PROCESS;
			if (status >> 16 == PTRACE_EVENT_STOP)
				return 0;
			ptrace(PTRACE_CONT, tid, 0, (void *)(long)WSTOPSIG(status));
		}
		if (now_ns() > deadline)
			return -ERR_NO_PROCESS;
	}
}

/* Threads that stopped for a signal between two samples go on with it. */
static void pass_signals(struct stopper *stopper)
{
	for (uint32_t i = 0; i < stopper->count; i++) {
		int status;

		if (waitpid(stopper->tids[i], &status, __WALL | __WNOTHREAD | WNOHANG) ==
			stopper->tids[i] &&
		    WIFSTOPPED(status)) {
			if (status >> 16 == PTRACE_EVENT_STOP)
				ptrace(PTRACE_LISTEN, stopper->tids[i], 0, 0);
			else
				ptrace(PTRACE_CONT, stopper->tids[i], 0,
				       (void *)(long)WSTOPSIG(status));
		}
	}
}

int stopper_stop(struct stopper *stopper)
{
	if (now_ns() - stopper->refresh_ns > REFRESH_NS && refresh(stopper) < 0)
		stopper->gone = stopper->count == 0;
	pass_signals(stopper);
	for (uint32_t i = 0; i < stopper->count; i++) {
		if (ptrace(PTRACE_INTERRUPT, stopper->tids[i], 0, 0) < 0) {
			drop(stopper, i--);
			continue;
		}
	}
	for (uint32_t i = 0; i < stopper->count; i++) {
		if (wait_stop(stopper->tids[i]) < 0) {
			drop(stopper, i--);
			continue;
		}
		stopper->held[i] = true;
	}
	stopper->gone = stopper->count == 0;
	stopper->stopped = !stopper->gone;
	return stopper->gone ? -ERR_NO_PROCESS : 0;
}

void stopper_resume(struct stopper *stopper)
{
	for (uint32_t i = 0; i < stopper->count; i++)
		if (stopper->held[i]) {
			ptrace(PTRACE_CONT, stopper->tids[i], 0, 0);
			stopper->held[i] = false;
		}
	stopper->stopped = false;
}

void stopper_finish(struct stopper *stopper)
{
	if (stopper_stop(stopper) < 0)
		return;
	for (uint32_t i = 0; i < stopper->count; i++)
		ptrace(PTRACE_DETACH, stopper->tids[i], 0, 0);
	stopper->count = 0;
	stopper->stopped = false;
}
