/* A process that is measured: started with an environment of fixed length, in a group of its own
 * (so that what it leaves behind can be ended), bound to a CPU, within a limit of memory, its
 * output kept in part. Used by the Python worker and by commands. One thread. */
#ifndef BENCH_WORKER_PROCESS_H
#define BENCH_WORKER_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/arena.h"

struct err;
struct worker_spec;

#define WORKER_OUTPUT_KEPT 4096 /* bytes: the last ones */

struct worker_process {
	pid_t pid;
	int pidfd;
	int request_fd, reply_fd; /* -1: not asked for */
	int output_fd;
	int go_fd;		/* closing it lets a held process go on to its exec; -1 */
	int exec_fd;		/* brings the errno of an exec that failed, then closes; -1 */
	struct buffer received; /* of replies, not yet taken */
	char output[WORKER_OUTPUT_KEPT + 1];
	size_t output_size;
	uint64_t output_total;
	bool ended; /* it was reaped */
	int status;
	struct rusage usage; /* of it and of the children that it waited for */
};

/* argv: with the descriptors' numbers in it where `speaks`; see worker_process_fds. held: it waits
 * before the exec until worker_process_go. */
int worker_process_start(const struct worker_spec *spec, char *const *argv, bool speaks, bool held,
			 struct worker_process *ret_process, struct err *err);
void worker_process_let_go(struct worker_process *process);
/* Lets it go and waits for the exec: whether that worked. */
int worker_process_go(struct worker_process *process, const char *program, struct err *err);

/* The numbers that the pipes of a process that speaks have in it: high ones, so that a benchmark
 * that closes descriptors at random spares them. */
#define WORKER_SOURCE_FD 200
#define WORKER_REQUEST_FD 201
#define WORKER_REPLY_FD 202

int worker_process_ask(struct worker_process *process, const char *line, size_t size,
		       struct err *err);
/* The next line, without its end; it stays the next one until worker_process_take_line. deadline_s:
 * on CLOCK_MONOTONIC. -ERR_TIMEOUT (or *stop became non-zero); -ERR_TARGET: it ended. */
int worker_process_line(struct worker_process *process, double deadline_s,
			const volatile sig_atomic_t *stop, char **ret_line, size_t *ret_size,
			struct err *err);
void worker_process_take_line(struct worker_process *process, size_t size);
/* What it has written so far, without waiting. */
void worker_process_drain(struct worker_process *process);

/* Ends it, if need be by SIGKILL after `patience_s`, and all that is left of its group. */
void worker_process_end(struct worker_process *process, double patience_s);
/* Has it ended by now? Then it is reaped. */
bool worker_process_reap(struct worker_process *process);
void worker_process_release(struct worker_process *process);

/* "ended itself with status 3", "was ended by signal 9 (Killed)". */
void worker_process_status_text(const struct worker_process *process, char *text, size_t size);
/* Its last line of output, "" none; control characters as they are. */
void worker_process_last_line(const struct worker_process *process, char *text, size_t size);

double clock_now_s(void); /* CLOCK_MONOTONIC */

/* The environment: see worker_environment.c. All in the arena; NULL: no memory. */
char **worker_environment(const struct worker_spec *spec, char *const *argv, struct arena *arena);

#endif
