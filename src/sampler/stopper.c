/* See stopper.h. */
#include "sampler/stopper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "process/process.h"

#define REFRESH_NS 20000000ull
#define WAIT_NS 2000000000ull
#define SPIN_NS 100000 /* a stop takes some microseconds; longer than this is slept over */

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void drop(struct stopper *stopper, uint32_t index)
{
	stopper->count--;
	stopper->tids[index] = stopper->tids[stopper->count];
	stopper->held[index] = stopper->held[stopper->count];
	stopper->group_stop[index] = stopper->group_stop[stopper->count];
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
		stopper->group_stop[stopper->count] = false;
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

/* The next stop of a thread, consumed: 1 with its status, 0 none yet, −1 the thread ended. The end
 * of the process itself is only looked at: its status is for its parent, which may be us. */
static int next_stop(const struct stopper *stopper, pid_t tid, int *ret_status)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)tid, &info,
		   WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD) < 0)
		return errno == EINTR ? 0 : -1;
	if (info.si_pid == 0)
		return 0;
	if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
	    info.si_code == CLD_DUMPED) {
		if (tid != stopper->pid)
			waitpid(tid, NULL, __WALL | __WNOTHREAD | WNOHANG);
		return -1;
	}
	return waitpid(tid, ret_status, __WALL | __WNOTHREAD | WNOHANG) == tid &&
	       WIFSTOPPED(*ret_status);
}

static bool is_event_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* Ctrl-Z and the like: the thread is to stay stopped until SIGCONT. */
static bool is_group_stop(int status)
{
	return is_event_stop(status) && WSTOPSIG(status) != SIGTRAP;
}

static void go_on(pid_t tid, bool group_stop)
{
	ptrace(group_stop ? PTRACE_LISTEN : PTRACE_CONT, tid, 0, 0);
}

/* Wait until the thread is in our stop. A signal that stops it first is delivered, then we wait on.
 * -ERR_NO_PROCESS: it ended; -ERR_LIMIT: it stands in the kernel and will stop later. */
static int wait_stop(struct stopper *stopper, uint32_t index)
{
	uint64_t start = now_ns(), waited;
	pid_t tid = stopper->tids[index];

	do {
		int status, got = next_stop(stopper, tid, &status);

		if (got < 0)
			return -ERR_NO_PROCESS;
		if (got > 0 && is_event_stop(status)) {
			stopper->group_stop[index] = is_group_stop(status);
			return 0;
		}
		if (got > 0)
			ptrace(PTRACE_CONT, tid, 0, (void *)(long)WSTOPSIG(status));
		waited = now_ns() - start;
		if (waited > SPIN_NS)
			nanosleep(&(struct timespec){0, SPIN_NS}, NULL);
	} while (waited < WAIT_NS);
	return -ERR_LIMIT;
}

/* Threads that stopped between two samples go on: with their signal, or stopped by job control, or
 * (a stop of ours that came too late, SIGCONT) running. */
static void pass_signals(struct stopper *stopper)
{
	for (uint32_t i = 0; i < stopper->count; i++) {
		pid_t tid = stopper->tids[i];
		int status;

		if (next_stop(stopper, tid, &status) <= 0)
			continue;
		if (is_event_stop(status))
			go_on(tid, is_group_stop(status));
		else
			ptrace(PTRACE_CONT, tid, 0, (void *)(long)WSTOPSIG(status));
	}
}

int stopper_stop(struct stopper *stopper)
{
	if (now_ns() - stopper->refresh_ns > REFRESH_NS)
		refresh(stopper);
	pass_signals(stopper);
	for (uint32_t i = 0; i < stopper->count; i++) {
		int ignored;

		if (ptrace(PTRACE_INTERRUPT, stopper->tids[i], 0, 0) < 0) {
			next_stop(stopper, stopper->tids[i], &ignored); /* a thread is reaped */
			drop(stopper, i--);
		}
	}
	for (uint32_t i = 0; i < stopper->count; i++) {
		int result = wait_stop(stopper, i);

		if (result == -ERR_NO_PROCESS)
			drop(stopper, i--);
		else
			stopper->held[i] = result == 0;
	}
	stopper->gone = stopper->count == 0;
	stopper->stopped = !stopper->gone;
	return stopper->gone ? -ERR_NO_PROCESS : 0;
}

void stopper_resume(struct stopper *stopper)
{
	for (uint32_t i = 0; i < stopper->count; i++)
		if (stopper->held[i]) {
			go_on(stopper->tids[i], stopper->group_stop[i]);
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
