/* Starts a process for `imports` and waits for its end. */
#ifndef BENCH_IMPORTS_CHILD_H
#define BENCH_IMPORTS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct imports_child {
	char *const *argv;
	int kept_fd;		      /* stays open in the process; −1 none */
	int stderr_fd;		      /* its stderr when quiet; −1: /dev/null */
	bool quiet;		      /* stdin, stdout, stderr are not ours */
	int64_t launched_ns, wall_ns; /* out: CLOCK_MONOTONIC; until it was reaped */
	int exit_status;	      /* out: as a shell gives it */
};

/* Returns when it has ended. Not quiet: as process/launch.h starts a target, the signals of the
 * terminal are its own. -ERR_FILE, -ERR_PERMISSION: it can't be started. */
int imports_child_run(struct imports_child *child, struct err *err);

#endif
