#include "process/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

/* What our parent gave us, before any of our code changed it: the target shall get the same
 * (nohup and `trap ''` work by it). */
static struct {
	sigset_t mask;
	sigset_t ignored;
} inherited;

__attribute__((constructor)) static void remember_inherited(void)
{
	struct sigaction action;

	sigprocmask(SIG_SETMASK, NULL, &inherited.mask);
	sigemptyset(&inherited.ignored);
	for (int number = 1; number < NSIG; number++)
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			sigaddset(&inherited.ignored, number);
}

/* In the child, between fork and exec: only async-signal-safe calls. */
static void child_exec(char *const argv[], int report_fd)
{
	struct sigaction action = {0};

	for (int number = 1; number < NSIG; number++) {
		action.sa_handler =
		    sigismember(&inherited.ignored, number) == 1 ? SIG_IGN : SIG_DFL;
		sigaction(number, &action, NULL); /* fails for KILL, STOP and libc's own */
	}
	sigprocmask(SIG_SETMASK, &inherited.mask, NULL);
	execvp(argv[0], argv);
	int errno_value = errno;
	ssize_t ignored = write(report_fd, &errno_value, sizeof(errno_value));
	(void)ignored;
	_exit(127);
}

__attribute__((nonnull(1))) static int exec_failed(const char *program, int errno_value,
						   struct err *err)
{
	if (errno_value == ENOENT && !strchr(program, '/')) {
		err_set(err, ERR_FILE, "There is no program %s", program);
		err_why(err, "it is in no directory of PATH");
		err_next(err, "a Python file is started by its interpreter: python3 %s", program);
		return -ERR_FILE;
	}
	if (errno_value == ENOENT) {
		err_set(err, ERR_FILE, "Can't start %s", program);
		err_why(err, "%s",
			access(program, F_OK) == 0
			    ? "the interpreter that its first line names doesn't exist"
			    : "there is no such file");
		return -ERR_FILE;
	}
	int rc = err_set_errno(err, ERR_FILE, errno_value, "Can't start %s", program);
	if (rc == -ERR_PERMISSION)
		err_next(err, "chmod +x %s, or start it by its interpreter: python3 %s", program,
			 program);
	return rc;
}

/* Waits for the exec: the pipe closes when it happened, or brings the errno. */
static int exec_result(int fd)
{
	int errno_value = 0;
	ssize_t got;

	do {
		got = read(fd, &errno_value, sizeof(errno_value));
	} while (got < 0 && errno == EINTR);
	return got == (ssize_t)sizeof(errno_value) ? errno_value : 0;
}

static pid_t fork_and_exec(char *const argv[], int report_fd, int *ret_errno)
{
	sigset_t all, before;
	struct sigaction action;

	/* A shell may have left SIGCHLD ignored: then nobody could reap the target. */
	if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
	pid_t pid = fork();
	if (pid == 0)
		child_exec(argv, report_fd);
	*ret_errno = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int launch_start(char *const argv[], struct launch *ret_launch, struct err *err)
{
	int report[2], errno_value;

	if (!argv[0] || !argv[0][0])
		return err_set(err, ERR_USAGE, "No program to start was given");
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_FILE, errno, "Can't make a pipe");
	pid_t pid = fork_and_exec(argv, report[1], &errno_value);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return err_set_errno(err, ERR_FILE, errno_value, "Can't start a process for %s",
				     argv[0]);
	}
	errno_value = exec_result(report[0]);
	close(report[0]);
	if (errno_value != 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return exec_failed(argv[0], errno_value, err);
	}
	*ret_launch = (struct launch){pid, (int)syscall(SYS_pidfd_open, pid, 0)};
	return 0;
}

static volatile sig_atomic_t forward_pid; /* 0: nobody */
static volatile sig_atomic_t forward_pidfd = -1;

int launch_poll(struct launch *launch, int *ret_status, struct rusage *ret_usage, struct err *err)
{
	int status;
	struct rusage usage;
	pid_t got;

	/* Once reaped the number may become another process's: stop forwarding before. */
	siginfo_t info = {0};
	if (waitid(P_PID, (id_t)launch->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    (info.si_pid == 0 || (info.si_code != CLD_EXITED && info.si_code != CLD_KILLED &&
				  info.si_code != CLD_DUMPED)))
		return 0; /* or only stopped: by a thread of ours that traces it */
	if (forward_pid == launch->pid) {
		forward_pid = 0;
		forward_pidfd = -1;
	}
	do {
		got = wait4(launch->pid, &status, WNOHANG, &usage);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_set_errno(err, ERR_NO_PROCESS, errno, "Can't wait for process %d",
				     (int)launch->pid);
	if (got == 0)
		return 0;
	*ret_status = status;
	if (ret_usage)
		*ret_usage = usage;
	return 1;
}

int launch_exit_code(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

static const int ignored_signals[] = {SIGINT, SIGQUIT};
static const int forwarded_signals[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct sigaction before[COUNT(ignored_signals) + COUNT(forwarded_signals)];
static bool taken;

static void forward(int number)
{
	int errno_value = errno;
	pid_t pid = (pid_t)forward_pid;
	int pidfd = (int)forward_pidfd;

	if (pid > 0 && (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0))
		kill(pid, number);
	errno = errno_value;
}

void launch_signals_take(const struct launch *launch)
{
	struct sigaction action = {0};
	size_t slot = 0;

	forward_pidfd = launch->pidfd;
	forward_pid = launch->pid;
	if (taken)
		return;
	action.sa_handler = SIG_IGN;
	for (size_t i = 0; i < COUNT(ignored_signals); i++)
		sigaction(ignored_signals[i], &action, &before[slot++]);
	action.sa_handler = forward;
	action.sa_flags = SA_RESTART;
	for (size_t i = 0; i < COUNT(forwarded_signals); i++) {
		/* nohup: what we were told to ignore stays ignored, by the target too. */
		if (sigismember(&inherited.ignored, forwarded_signals[i]) == 1)
			sigaction(forwarded_signals[i], NULL, &before[slot++]);
		else
			sigaction(forwarded_signals[i], &action, &before[slot++]);
	}
	taken = true;
}

void launch_signals_restore(void)
{
	size_t slot = 0;

	forward_pid = 0;
	forward_pidfd = -1;
	if (!taken)
		return;
	for (size_t i = 0; i < COUNT(ignored_signals); i++)
		sigaction(ignored_signals[i], &before[slot++], NULL);
	for (size_t i = 0; i < COUNT(forwarded_signals); i++)
		sigaction(forwarded_signals[i], &before[slot++], NULL);
	taken = false;
}

void launch_release(struct launch *launch)
{
	if (forward_pid == launch->pid)
		launch_signals_restore();
	if (launch->pidfd >= 0)
		close(launch->pidfd);
	launch->pidfd = -1;
}
