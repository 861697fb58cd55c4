#include "bench/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "bench/embedded.h"
#include "bench/worker.h"
#include "bench/worker_protocol.h"
#include "system/cpu.h"

#define READ_BYTES 65536
#define OUTPUT_PIPE_BYTES (1 << 20) /* a benchmark that prints shall seldom wait for us */
#define RECEIVED_MAX (2 * REPLY_LINE_MAX)
#define KILL_PATIENCE_S 10.0 /* after SIGKILL: longer only in the kernel's own trouble */
#define WAIT_STEP_MS 20	     /* where the kernel has no pidfd */
#define DRAIN_MAX 64	     /* reads in a row: it may write faster than we read */

double clock_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- Starting ---- */

struct child {
	const struct worker_spec *spec;
	char *const *argv;
	char *const *environment;
	bool speaks;
	int source, request, reply, output, report, hold;
};

static void child_fail(const struct child *child, int errno_value)
{
	ssize_t ignored = write(child->report, &errno_value, sizeof(errno_value));

	(void)ignored;
	_exit(127);
}

/* Standard streams: none to read from; what a command prints is nobody's, what it complains of
 * is kept. */
static void child_streams(const struct child *child)
{
	int nothing = open("/dev/null", O_RDWR);

	if (nothing < 0)
		child_fail(child, errno);
	dup2(nothing, 0);
	if (!child->spec->show_output) {
		dup2(child->speaks ? child->output : nothing, 1);
		dup2(child->output, 2);
	}
	if (child->speaks && (dup2(child->source, WORKER_SOURCE_FD) < 0 ||
			      dup2(child->request, WORKER_REQUEST_FD) < 0 ||
			      dup2(child->reply, WORKER_REPLY_FD) < 0))
		child_fail(child, errno);
}

/* Should the machine run out of memory, then the kernel shall take this process and not another. */
static void child_limits(const struct child *child)
{
	struct rlimit limit = {child->spec->memory_limit, child->spec->memory_limit};
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t ignored = fd < 0 ? 0 : write(fd, "1000", 4);

	(void)ignored;
	if (fd >= 0)
		close(fd);
	if (child->spec->memory_limit)
		setrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = limit.rlim_max = 0;
	setrlimit(RLIMIT_CORE, &limit); /* what crashes need not fill the disk */
}

/* Between fork and exec. We have one thread, so there is nothing here that could be locked. */
static void child_exec(const struct child *child)
{
	sigset_t none;
	char byte;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	child_streams(child);
	child_limits(child);
	if (child->spec->directory && chdir(child->spec->directory) < 0)
		child_fail(child, errno);
	if (child->spec->cpu >= 0 && cpu_bind(child->spec->cpu, NULL) < 0)
		child_fail(child, EINVAL);
	while (child->hold >= 0 && read(child->hold, &byte, 1) < 0 && errno == EINTR)
		;
	execvpe(child->argv[0], child->argv, child->environment);
	child_fail(child, errno);
}

/* The worker's text as a file without a name. */
static int source_open(void)
{
	int fd = memfd_create("pyrometer-worker", MFD_CLOEXEC);

	if (fd >= 0 &&
	    write(fd, embedded_worker, embedded_worker_size) != (ssize_t)embedded_worker_size) {
		close(fd);
		return -1;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

enum {
	SOURCE,
	REQUEST_IN,
	REQUEST_OUT,
	REPLY_IN,
	REPLY_OUT,
	OUTPUT_IN,
	OUTPUT_OUT,
	REPORT_IN,
	REPORT_OUT,
	HOLD_IN,
	HOLD_OUT,
	FD_COUNT
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_pipes(bool speaks, bool held, int fds[FD_COUNT], struct err *err)
{
	for (int i = 0; i < FD_COUNT; i++)
		fds[i] = -1;
	if (speaks)
		fds[SOURCE] = source_open();
	if ((speaks && (fds[SOURCE] < 0 || pipe2(&fds[REQUEST_IN], O_CLOEXEC) < 0 ||
			pipe2(&fds[REPLY_IN], O_CLOEXEC) < 0)) ||
	    (held && pipe2(&fds[HOLD_IN], O_CLOEXEC) < 0) ||
	    pipe2(&fds[OUTPUT_IN], O_CLOEXEC) < 0 || pipe2(&fds[REPORT_IN], O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_FILE, errno, "Can't make pipes for a benchmark");
	for (int i = 0; i < FD_COUNT; i++)
		if (fds[i] >= WORKER_SOURCE_FD) {
			err_set(err, ERR_LIMIT, "too many files are open");
			err_why(err, "a benchmark's pipes need descriptors below %d",
				WORKER_SOURCE_FD);
			return -ERR_LIMIT;
		}
	fcntl(fds[OUTPUT_IN], F_SETPIPE_SZ, OUTPUT_PIPE_BYTES);
	fcntl(fds[OUTPUT_IN], F_SETFL, O_NONBLOCK);
	if (speaks)
		fcntl(fds[REPLY_IN], F_SETFL, O_NONBLOCK);
	return 0;
}

static pid_t fork_child(const struct child *child)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
	pid_t pid = fork();
	if (pid == 0)
		child_exec(child);
	int errno_value = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = errno_value;
	return pid;
}

static void take_fds(struct worker_process *process, int fds[FD_COUNT])
{
	process->request_fd = fds[REQUEST_OUT];
	process->reply_fd = fds[REPLY_IN];
	process->output_fd = fds[OUTPUT_IN];
	process->exec_fd = fds[REPORT_IN];
	process->go_fd = fds[HOLD_OUT];
	fds[REQUEST_OUT] = fds[REPLY_IN] = fds[OUTPUT_IN] = fds[REPORT_IN] = fds[HOLD_OUT] = -1;
}

int worker_process_start(const struct worker_spec *spec, char *const *argv, bool speaks, bool held,
			 struct worker_process *ret_process, struct err *err)
{
	struct worker_process *process = ret_process;
	struct arena arena;
	int fds[FD_COUNT];
	int result = open_pipes(speaks, held, fds, err);

	*process = (struct worker_process){.pid = -1,
					   .pidfd = -1,
					   .request_fd = -1,
					   .reply_fd = -1,
					   .output_fd = -1,
					   .go_fd = -1,
					   .exec_fd = -1};
	buffer_init(&process->received, RECEIVED_MAX);
	arena_init(&arena, 0);
	struct child child = {spec,
			      argv,
			      worker_environment(spec, argv, &arena),
			      speaks,
			      fds[SOURCE],
			      fds[REQUEST_IN],
			      fds[REPLY_OUT],
			      fds[OUTPUT_OUT],
			      fds[REPORT_OUT],
			      fds[HOLD_IN]};
	if (result == 0 && !child.environment)
		result = err_set(err, ERR_MEMORY, "no memory for the environment of a benchmark");
	if (result == 0) {
		process->pid = fork_child(&child);
		if (process->pid < 0)
			result = err_set_errno(err, ERR_FILE, errno, "Can't start a process");
	}
	if (result == 0) {
		setpgid(process->pid, process->pid); /* whoever of us comes first */
		process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
		take_fds(process, fds);
	}
	for (int i = 0; i < FD_COUNT; i++)
		close_fd(&fds[i]);
	arena_release(&arena);
	if (result == 0 && !held)
		result = worker_process_go(process, argv[0], err);
	if (result < 0)
		worker_process_release(process);
	return result;
}

void worker_process_let_go(struct worker_process *process)
{
	/* A byte, not the end of the file: the child holds the writing end too, until its exec. */
	while (process->go_fd >= 0 && write(process->go_fd, "", 1) < 0 && errno == EINTR)
		;
	close_fd(&process->go_fd);
}

int worker_process_go(struct worker_process *process, const char *program, struct err *err)
{
	int errno_value = 0, result;
	ssize_t got;

	worker_process_let_go(process);
	do {
		got = read(process->exec_fd, &errno_value, sizeof(errno_value));
	} while (got < 0 && errno == EINTR);
	close_fd(&process->exec_fd);
	if (got != (ssize_t)sizeof(errno_value))
		return 0;
	result = err_set_errno(err, ERR_FILE, errno_value, "Can't start %s", program);
	err_next(err, "check the program, the folder to run in, and the CPU to run on");
	return result;
}

/* ---- Asking and listening ---- */

int worker_process_ask(struct worker_process *process, const char *line, size_t size,
		       struct err *err)
{
	if (process->request_fd < 0)
		return err_set(err, ERR_TARGET, "the benchmark's process has ended");
	while (size) {
		ssize_t done = write(process->request_fd, line, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EPIPE)
			return 0; /* it ended: listening will tell how */
		if (done < 0)
			return err_set_errno(err, ERR_TARGET, errno,
					     "Can't ask a benchmark's process");
		line += done;
		size -= (size_t)done;
	}
	return 0;
}

static void keep_output(struct worker_process *process, const char *bytes, size_t size)
{
	process->output_total += size;
	if (size > WORKER_OUTPUT_KEPT) {
		bytes += size - WORKER_OUTPUT_KEPT;
		size = WORKER_OUTPUT_KEPT;
	}
	if (process->output_size + size > WORKER_OUTPUT_KEPT) {
		size_t drop = process->output_size + size - WORKER_OUTPUT_KEPT;

		memmove(process->output, process->output + drop, process->output_size - drop);
		process->output_size -= drop;
	}
	memcpy(process->output + process->output_size, bytes, size);
	process->output_size += size;
	process->output[process->output_size] = 0;
}

void worker_process_drain(struct worker_process *process)
{
	char bytes[READ_BYTES];

	for (int i = 0; i < DRAIN_MAX && process->output_fd >= 0; i++) {
		ssize_t got = read(process->output_fd, bytes, sizeof(bytes));

		if (got > 0)
			keep_output(process, bytes, (size_t)got);
		else if (got == 0)
			close_fd(&process->output_fd);
		else if (errno != EINTR)
			return;
	}
}

/* Bytes that came, 0: none now; -ERR_TARGET: none will come any more. */
static int receive(struct worker_process *process, struct err *err)
{
	char bytes[READ_BYTES];
	ssize_t got = read(process->reply_fd, bytes, sizeof(bytes));

	if (got > 0 && !buffer_append(&process->received, bytes, (size_t)got))
		return err_set(err, ERR_TARGET,
			       "the benchmark's process says more than any worker");
	if (got > 0)
		return (int)got;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -ERR_TARGET;
}

static int ended_early(struct worker_process *process, struct err *err)
{
	char text[128], last[256];
	int result;

	worker_process_end(process, 1);
	worker_process_status_text(process, text, sizeof(text));
	worker_process_last_line(process, last, sizeof(last));
	result = err_set(err, ERR_TARGET, "the benchmark's process %s", text);
	err_why(err, "it ended before it had answered%s%s", *last ? "; its last line: " : "", last);
	return result;
}

static int wait_for_bytes(struct worker_process *process, double deadline_s,
			  const volatile sig_atomic_t *stop, struct err *err)
{
	double left = deadline_s - clock_now_s();
	struct pollfd polled[] = {{.fd = process->reply_fd, .events = POLLIN},
				  {.fd = process->output_fd, .events = POLLIN},
				  {.fd = process->pidfd, .events = POLLIN}};
	int milliseconds = left * 1e3 > INT_MAX ? INT_MAX : (int)(left * 1e3) + 1;

	if (stop && *stop)
		return err_set(err, ERR_TIMEOUT, "stopped");
	if (left <= 0)
		return err_set(err, ERR_TIMEOUT, "it hangs");
	if (poll(polled, 3, milliseconds) < 0)
		return 0; /* a signal: the caller looks at *stop again */
	if (polled[1].revents)
		worker_process_drain(process);
	if (polled[0].revents || polled[2].revents) {
		int got = receive(process, err);

		if (got < 0 || (got == 0 && polled[2].revents))
			return ended_early(process, err);
	}
	return 0;
}

int worker_process_line(struct worker_process *process, double deadline_s,
			const volatile sig_atomic_t *stop, char **ret_line, size_t *ret_size,
			struct err *err)
{
	struct buffer *received = &process->received;
	size_t looked = 0;

	for (;;) {
		uint8_t *end = received->size > looked
				   ? memchr(received->bytes + looked, '\n', received->size - looked)
				   : NULL;
		if (end) {
			*ret_line = (char *)received->bytes;
			*ret_size = (size_t)(end - received->bytes);
			return 0;
		}
		looked = received->size;
		int result = wait_for_bytes(process, deadline_s, stop, err);
		if (result < 0)
			return result;
	}
}

void worker_process_take_line(struct worker_process *process, size_t size)
{
	struct buffer *received = &process->received;

	received->size -= size + 1;
	memmove(received->bytes, received->bytes + size + 1, received->size);
}

/* ---- Ending ---- */

bool worker_process_reap(struct worker_process *process)
{
	siginfo_t info = {0};

	if (process->ended)
		return true;
	if (process->pid <= 0 ||
	    waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return false;
	/* Before it is reaped: until then its number, which is the group's, is nobody else's. */
	kill(-process->pid, SIGKILL);
	while (wait4(process->pid, &process->status, 0, &process->usage) < 0 && errno == EINTR)
		;
	process->ended = true;
	worker_process_drain(process);
	return true;
}

static void wait_until_ended(struct worker_process *process, double seconds)
{
	double deadline = clock_now_s() + seconds;

	while (!worker_process_reap(process) && clock_now_s() < deadline) {
		struct pollfd polled[] = {{.fd = process->pidfd, .events = POLLIN},
					  {.fd = process->output_fd, .events = POLLIN}};

		poll(polled, 2, WAIT_STEP_MS);
		worker_process_drain(process);
	}
}

void worker_process_end(struct worker_process *process, double patience_s)
{
	close_fd(&process->request_fd); /* a worker that reads its end of it leaves */
	if (process->pid <= 0 || process->ended)
		return;
	wait_until_ended(process, patience_s);
	if (!process->ended) {
		kill(-process->pid, SIGKILL);
		kill(process->pid, SIGKILL);
		wait_until_ended(process, KILL_PATIENCE_S);
	}
}

void worker_process_release(struct worker_process *process)
{
	worker_process_end(process, 0);
	close_fd(&process->pidfd);
	close_fd(&process->reply_fd);
	close_fd(&process->output_fd);
	close_fd(&process->go_fd);
	close_fd(&process->exec_fd);
	buffer_release(&process->received);
	process->pid = -1;
}

void worker_process_status_text(const struct worker_process *process, char *text, size_t size)
{
	int status = process->status;

	if (!process->ended)
		snprintf(text, size, "runs on");
	else if (WIFSIGNALED(status))
		snprintf(text, size, "was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, size, "ended itself with status %d", WEXITSTATUS(status));
}

void worker_process_last_line(const struct worker_process *process, char *text, size_t size)
{
	const char *end = process->output + process->output_size, *begin;

	while (end > process->output && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	for (begin = end; begin > process->output && begin[-1] != '\n';)
		begin--;
	snprintf(text, size, "%.*s", (int)(end - begin), begin);
}
