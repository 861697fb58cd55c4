/* The stacks of all threads of a process at this moment, with what each is doing.
 * Reads only; a thread that runs on while it is read is read again until two
 * readings agree. Not for hot paths. */
#ifndef SAMPLER_THREAD_DUMP_H
#define SAMPLER_THREAD_DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "cpython/layout/runtime_find.h"
#include "cpython/walk/code.h"

struct err;

struct dump_frame {
	char *function, *file;
	struct code_location location;
	int32_t first_line;
};
/* Standing still by another's will: a signal (SIGSTOP, Ctrl-Z), a debugger. */
enum dump_stop { DUMP_NOT_STOPPED, DUMP_STOPPED, DUMP_TRACED };
struct dump_thread {
	uint64_t tid, ident;
	int64_t interpreter;
	char *name;		   /* NULL unknown */
	uint8_t state;		   /* enum sample_state */
	enum dump_stop stop;	   /* then state is STATE_BLOCKED */
	bool holds_gil, stable;	   /* stable: two readings agreed, or it stood still */
	struct dump_frame *frames; /* leaf first */
	uint32_t depth;
	bool truncated, torn;
};
struct thread_dump {
	struct runtime runtime;
	struct dump_thread *threads;
	size_t count;
};

/* -ERR_NO_PROCESS, -ERR_PERMISSION, -ERR_NOT_PYTHON, -ERR_TOO_LITTLE (starting up). */
int thread_dump_take(int pid, struct thread_dump *ret_dump, struct err *err);
void thread_dump_release(struct thread_dump *dump);

#endif
