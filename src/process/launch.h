/* Starts the target so that it notices nothing: same terminal, process group,
 * stdin, stdout, stderr, environment, signal mask and ignored signals as our own
 * parent gave them to us; none of our descriptors (all of ours are CLOEXEC). */
#ifndef PROCESS_LAUNCH_H
#define PROCESS_LAUNCH_H

#include <sys/resource.h>
#include <sys/types.h>

struct err;

struct launch {
	pid_t pid;
	int pidfd; /* readable when it ended; -1 where the kernel has none */
};

/* Fork and exec argv (looked up in PATH). Returns only after the exec happened, or fails
 * with -ERR_FILE (no such program) / -ERR_PERMISSION. While it runs, the caller
 * ignores SIGINT and SIGQUIT (the terminal sends them to the target too) and
 * forwards SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2: launch_signals_take/_restore. One
 * launch at a time has its signals forwarded. */
int launch_start(char *const argv[], struct launch *ret_launch, struct err *);

/* Reap without blocking; ret_usage may be NULL (0: still running; 1: ended, *ret_status as wait4
 * gives it). */
int launch_poll(struct launch *, int *ret_status, struct rusage *ret_usage, struct err *);
/* As a shell gives it: exit code, or 128 + signal. */
int launch_exit_code(int wait_status);

void launch_signals_take(const struct launch *);
void launch_signals_restore(void);
void launch_release(struct launch *);

#endif
