#include "bench/worker_trace.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "process/process.h"

#define POLL_LONGEST_MS 200 /* *stop is looked at this often at least */
#define STOPS_A_TURN 256    /* then output is drained and the clock looked at */

/* ---- The threads that are traced ---- */

static bool is_traced(const struct worker_trace *trace, pid_t tid)
{
	for (size_t i = 0; i < trace->tid_count; i++)
		if (trace->tids[i] == tid)
			return true;
	return false;
}

static void add(struct worker_trace *trace, pid_t tid)
{
	if (!is_traced(trace, tid) && trace->tid_count < TRACE_THREADS_MAX)
		trace->tids[trace->tid_count++] = tid;
}

static void drop(struct worker_trace *trace, pid_t tid)
{
	for (size_t i = 0; i < trace->tid_count; i++)
		if (trace->tids[i] == tid) {
			trace->tids[i] = trace->tids[--trace->tid_count];
			return;
		}
}

bool worker_trace_start(struct worker_process *process, bool syscalls,
			struct worker_trace *ret_trace)
{
	unsigned long options = PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
	pid_t *tids = NULL;
	size_t count = 0;

	*ret_trace = (struct worker_trace){.syscalls = syscalls, .peak_bytes = UINT64_MAX};
	if (syscalls)
		options |= PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
	if (!syscalls || process_threads(process->pid, &tids, &count, NULL) < 0)
		count = 0;
	for (size_t i = 0; i < count && i < TRACE_THREADS_MAX; i++)
		if (ptrace(PTRACE_SEIZE, tids[i], 0, options) == 0) {
			add(ret_trace, tids[i]);
			ptrace(PTRACE_INTERRUPT, tids[i], 0, 0);
		}
	mem_free(tids);
	if (!syscalls && ptrace(PTRACE_SEIZE, process->pid, 0, options) == 0)
		add(ret_trace, process->pid);
	return is_traced(ret_trace, process->pid);
}

/* ---- One stop ---- */

/* true: the worker stands before it reads its next request, and is left there. */
static bool on_syscall(const struct worker_process *process, struct worker_trace *trace, pid_t tid,
		       bool until_read)
{
	struct __ptrace_syscall_info info;

	memset(&info, 0, sizeof(info));
	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) <= 0)
		trace->unreadable = true;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	if (until_read && tid == process->pid && info.entry.nr == SYS_read &&
	    info.entry.args[0] == WORKER_REQUEST_FD)
		return true;
	trace->count++;
	return false;
}

static void on_event(const struct worker_process *process, struct worker_trace *trace, pid_t tid,
		     int event)
{
	unsigned long message;

	if (event == PTRACE_EVENT_EXIT && tid == process->pid) {
		double began_s = clock_now_s();

		if (process_peak_rss(tid, &trace->peak_bytes, NULL) < 0)
			trace->peak_bytes = UINT64_MAX;
		trace->stopped_s += clock_now_s() - began_s;
	} else if (event == PTRACE_EVENT_EXEC && tid == process->pid) {
		trace->count = 0; /* what we did before its exec isn't its own */
	} else if ((event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK ||
		    event == PTRACE_EVENT_VFORK) &&
		   ptrace(PTRACE_GETEVENTMSG, tid, 0, &message) == 0) {
		add(trace, (pid_t)message);
	}
}

/* Resumes the thread unless it shall stay. */
static bool on_stop(const struct worker_process *process, struct worker_trace *trace, pid_t tid,
		    int status, bool until_read)
{
	int number = WSTOPSIG(status), event = status >> 16;
	bool stops =
	    number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;

	if (number == (SIGTRAP | 0x80)) {
		if (on_syscall(process, trace, tid, until_read))
			return true;
		number = 0;
	} else if (event == PTRACE_EVENT_STOP && stops) {
		ptrace(PTRACE_LISTEN, tid, 0, 0);
		return false;
	} else if (event) {
		on_event(process, trace, tid, event);
		number = 0;
	}
	ptrace(trace->syscalls ? PTRACE_SYSCALL : PTRACE_CONT, tid, 0, number);
	return false;
}

/* What the thread has to say now, if anything. */
static bool look_at(struct worker_process *process, struct worker_trace *trace, pid_t tid,
		    bool until_read, bool *ret_any)
{
	siginfo_t info = {0};
	int status;

	if (tid == process->pid) {
		/* Its end is taken by worker_process_reap, which knows what else belongs to that.
		 */
		if (waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid == tid && info.si_code != CLD_TRAPPED &&
		    info.si_code != CLD_STOPPED) {
			drop(trace, tid);
			worker_process_reap(process);
			return false;
		}
	}
	if (waitpid(tid, &status, WNOHANG | __WALL) != tid)
		return false;
	*ret_any = true;
	if (!WIFSTOPPED(status)) {
		drop(trace, tid);
		return false;
	}
	return on_stop(process, trace, tid, status, until_read);
}

/* ---- Waiting ---- */

struct child_signal {
	sigset_t before;
	int fd;
};

/* Stops and ends come as SIGCHLD, which poll can wait for. */
static void child_signal_begin(struct child_signal *signals)
{
	struct sigaction action;
	sigset_t set;

	if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &signals->before);
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void child_signal_end(struct child_signal *signals)
{
	if (signals->fd >= 0)
		close(signals->fd);
	sigprocmask(SIG_SETMASK, &signals->before, NULL);
}

static void wait_for_child(const struct child_signal *signals, struct worker_process *process,
			   double left_s)
{
	struct pollfd polled[] = {{.fd = signals->fd, .events = POLLIN},
				  {.fd = process->output_fd, .events = POLLIN},
				  {.fd = process->pidfd, .events = POLLIN}};
	int milliseconds =
	    left_s * 1e3 < POLL_LONGEST_MS ? (int)(left_s * 1e3) + 1 : POLL_LONGEST_MS;
	struct signalfd_siginfo taken;

	if (signals->fd < 0 && process->pidfd < 0)
		milliseconds = 1;
	if (poll(polled, 3, milliseconds) <= 0)
		return;
	while (signals->fd >= 0 && read(signals->fd, &taken, sizeof(taken)) > 0)
		;
	if (polled[1].revents)
		worker_process_drain(process);
}

/* true: the thread that was waited for stands where it should. */
static bool turn(struct worker_process *process, struct worker_trace *trace, bool until_read,
		 bool *ret_any)
{
	*ret_any = false;
	for (size_t i = 0; i < trace->tid_count; i++)
		if (look_at(process, trace, trace->tids[i], until_read, ret_any))
			return true;
	if (trace->tid_count == 0)
		worker_process_reap(process);
	return false;
}

int worker_trace_run(struct worker_process *process, struct worker_trace *trace, bool until_read,
		     double deadline_s, const volatile sig_atomic_t *stop, struct err *err)
{
	struct child_signal signals;
	int result = 0;

	child_signal_begin(&signals);
	for (unsigned turns = 0; result == 0; turns++) {
		bool any;

		if (turn(process, trace, until_read, &any) || process->ended)
			break;
		if (any && turns % STOPS_A_TURN)
			continue;
		double left_s = deadline_s - clock_now_s();
		if (stop && *stop)
			result = err_set(err, ERR_TIMEOUT, "stopped");
		else if (left_s <= 0)
			result = err_set(err, ERR_TIMEOUT, "it hangs");
		else if (any)
			worker_process_drain(process);
		else
			wait_for_child(&signals, process, left_s);
	}
	child_signal_end(&signals);
	return result;
}

void worker_trace_resume(struct worker_process *process, struct worker_trace *trace)
{
	trace->count = 0;
	ptrace(PTRACE_SYSCALL, process->pid, 0, 0);
}

void worker_trace_detach(struct worker_process *process, struct worker_trace *trace)
{
	/* Detaching needs a stopped thread; those that run are stopped first, within a bound. */
	double deadline_s = clock_now_s() + 1;

	for (size_t i = 0; i < trace->tid_count; i++) {
		pid_t tid = trace->tids[i];
		int status = 0;

		if (ptrace(PTRACE_DETACH, tid, 0, 0) == 0)
			continue;
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		while (waitpid(tid, &status, WNOHANG | __WALL) == 0 && clock_now_s() < deadline_s)
			usleep(100);
		ptrace(PTRACE_DETACH, tid, 0, 0);
	}
	trace->tid_count = 0;
	worker_process_drain(process);
}
