/* One process that runs what is measured: a Python interpreter with the worker in it
 * (python/pyrometer/_worker.py, embedded in this program; asked over a pipe, so that two of them
 * can take turns in blocks of milliseconds), or a command that is started anew for each value.
 * One interface for both: a caller asks for a block and gets its time. Everything that a worker
 * says is untrusted. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/result.h"

struct err;

enum target_kind {
	TARGET_FUNCTION,  /* text: module:function (dotted after the colon) */
	TARGET_STATEMENT, /* text: the statement; setup: run once before */
	TARGET_COMMAND,	  /* argv */
	TARGET_FILE	  /* text: path of a file of bench_* functions or asv classes; name: one of
			     those, as worker_list gives them (NULL: to list) */
};

struct bench_target {
	enum target_kind kind;
	const char *text, *setup, *name;
	char *const *argv;
};

struct worker_spec {
	struct bench_target target;
	const char *python;	  /* interpreter; NULL: python3 in PATH. Not for commands */
	const char *directory;	  /* to run in and first in sys.path; NULL: the present one */
	char *const *environment; /* added to a clean one of fixed length; NULL */
	uint64_t seed;		  /* PYTHONHASHSEED */
	int cpu;		  /* pinned to it; −1 not */
	bool gc_disabled;	  /* while a block runs */
	double time_limit_s;	  /* for one request; then the worker is ended and said to hang */
	uint64_t memory_limit;	  /* bytes of address space; 0 none */
	bool show_output; /* its stdout and stderr go to ours; else they are kept, bounded */
	/* Looked at while waiting, may be NULL: once it is not 0 (a signal handler's work) every
	 * request ends with -ERR_TIMEOUT, "stopped". */
	const volatile sig_atomic_t *stop;
};

struct worker;

struct block {
	uint64_t loops;
	double wall_s, cpu_s; /* of the loops alone; the worker's own loop is taken off */
	double value;	      /* track_* and peakmem_*: what it gave */
	uint8_t causes;	      /* enum bench_cause */
};

struct listed_benchmark {
	char *name, *unit;
	enum bench_kind kind;
	struct bench_param *params;
	size_t param_count;
};

/* Starts the process and loads the target (runs its setup). The error of a target that raises has
 * the exception's last line and its place. The spec's texts must live as long as the worker. Sets
 * SIGPIPE to be ignored in our process: a worker may be gone when it is asked. */
int worker_start(const struct worker_spec *spec, struct worker **ret_worker, struct err *err);
/* Ends it (teardown, then exit, then kill) and frees it, whatever is returned; counters may be
 * NULL. Of a command: of one execution on average, the peak that of the largest. An error: its
 * teardown raised, or it had died before. */
int worker_end(struct worker *worker, struct bench_counters *ret_counters, struct err *err);

/* Runs the target `loops` times. Errors: it raised (-ERR_TARGET), hung (-ERR_TIMEOUT), died. */
int worker_block(struct worker *worker, uint64_t loops, struct block *ret_block, struct err *err);
/* Loops that take about `seconds`, found by doubling; commands: 1. */
int worker_calibrate(struct worker *worker, double seconds, uint64_t *ret_loops, struct err *err);
/* What one empty iteration costs in this worker, seconds (already taken off). */
double worker_overhead(const struct worker *worker);
pid_t worker_pid(const struct worker *worker);
/* "s", "bytes" or track_*'s own, and how to read a block: of BENCH_PEAK_MEMORY and BENCH_TRACK its
 * value counts, and one block of one loop is all that a process has to say. */
const char *worker_unit(const struct worker *worker);
enum bench_kind worker_kind(const struct worker *worker);
/* What it did that a reader of its numbers should know ("changes the working directory …"), NULL
 * past the last. */
const char *worker_note(const struct worker *worker, size_t i);
/* Bytes that it wrote to its standard streams so far, and did not get shown. */
uint64_t worker_output_bytes(struct worker *worker);

/* An open-loop load: `count` requests at `rate_hz`, each latency counted from its planned start,
 * however long the ones before took. mem_free. Not for peakmem_* and track_*. */
int worker_load(struct worker *worker, double rate_hz, size_t count, double **ret_latencies_s,
		struct err *err);
/* "3.13.0", "CPython" / "PyPy"; "" for commands. */
const char *worker_python_version(const struct worker *worker);
const char *worker_implementation(const struct worker *worker);

/* Exact counters of one call of the target (of one execution of a command): run twice per seed by
 * the caller to see whether they are deterministic. Filled, the others are unknown: calls (Python
 * and built-in functions of the main thread), bytecodes (CPython 3.12+, calls under half a second),
 * modules (imported by then, without the worker's own), syscalls (where ptrace is allowed; threads
 * and children too). */
int worker_count(struct worker *worker, struct bench_counters *ret_counters, struct err *err);

/* The benchmarks in a file, with each combination of params as its own: then its name ends with
 * them in parentheses, "Suite.time_sort(n=10)". mem: listed_free. */
int worker_list(const struct worker_spec *spec, struct listed_benchmark **ret_list,
		size_t *ret_count, struct err *err);
void listed_free(struct listed_benchmark *list, size_t count);

/* The default interpreter, and what a name such as "3.11", "pypy3" or a path stands for. */
int python_find(const char *name, char **ret_path, struct err *err);

#endif
