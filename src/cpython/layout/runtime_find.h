/* Finds the interpreter inside a process: is it CPython, which version, which
 * build, where is _PyRuntime. The ladder (research: samplers): section
 * `.PyRuntime` in any mapped file (3.13+; cookie "xdebugpy") → symbol
 * `_PyRuntime` → dynamic symbol → scan of .bss/.data validated by the thread
 * state's back pointer to its interpreter. Files are opened through the
 * target's own root (/proc/PID/root, /proc/PID/map_files), so containers and
 * chroots work. Everything that is read is checked before it is used.
 */
#ifndef CPYTHON_LAYOUT_RUNTIME_FIND_H
#define CPYTHON_LAYOUT_RUNTIME_FIND_H

#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

enum runtime_found_by {
	FOUND_BY_SECTION = 1,
	FOUND_BY_SYMBOL,
	FOUND_BY_DYNAMIC_SYMBOL,
	FOUND_BY_SCAN,
};

struct runtime {
	struct layout layout;
	struct raddr address; /* _PyRuntime */
	enum runtime_found_by found_by;
	char file[512];	       /* the mapped file it was found in, as /proc/PID/maps names it */
	char version_text[64]; /* "3.12.1" */
	bool shared_library;   /* in libpython rather than in the executable */
	bool jit_possible;     /* built with the experimental JIT (3.13+) */
};

/* 0; -ERR_NO_PROCESS; -ERR_PERMISSION; -ERR_NOT_PYTHON with the reason by name (a free-threaded
 * build, PyPy, version not supported, not Python at all) and what to try in `err`.
 * -ERR_TOO_LITTLE: looks like Python but is not initialised yet (just started): try again soon.
 * A process that just started may not have loaded its libraries, or may yet exec into Python (a
 * shell, env): ask again after an exec and, on -ERR_TOO_LITTLE, in a moment. Cost: some ms at the
 * first call for a file, some 100 µs after (what a file says is kept by its identity); opens files,
 * allocates. Thread-safe. Not for hot paths. */
int runtime_find(pid_t pid, const struct remote_memory *memory, struct runtime *ret_runtime,
		 struct err *err);

#endif
