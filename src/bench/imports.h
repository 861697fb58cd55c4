/* What a program imports, what each import costs and what of it is used: measured by a probe that
 * runs the program in its own interpreter (python/pyrometer/_imports.py), beside plain runs of it.
 *
 * A record is one module that was loaded, or failed to load; its times are wall-clock time without
 * what the probe took. Modules that the interpreter had before the program began are known by name,
 * with times where it has -X importtime. Everything that comes from the probe is the program's
 * word: checked for shape, its text untrusted. */
#ifndef BENCH_IMPORTS_H
#define BENCH_IMPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"

struct err;

#define IMPORTS_SCHEMA_VERSION 1
#define IMPORTS_RECORDS_MAX 200000
#define IMPORTS_TEXT_MAX ((size_t)256 << 20) /* of what the probe writes */
#define IMPORTS_RUNS_MAX 1000
#define IMPORTS_UNKNOWN INT64_MIN /* of a signed amount; UINT64_MAX of an unsigned one */
#define IMPORTS_NONE UINT32_MAX	  /* of an index */

struct imports_options {
	/* The program as for execvp: words before the interpreter (env, chroot ROOT), the
	 * interpreter with its options, then a script, -m MODULE or -c CODE with its arguments; or
	 * a script that names its interpreter in its first line. */
	char *const *argv;
	bool lines;	     /* time each line of module bodies */
	bool quiet;	     /* the program's stdin, stdout and stderr are /dev/null */
	bool no_interpreter; /* leave out the run that times the interpreter's own start */
	int repeat;	     /* plain and probed runs, in pairs, on top of the first; all quiet */
};

enum imports_use {
	IMPORTS_USE_UNKNOWN,
	IMPORTS_USE_YES, /* a function of it ran once its package was imported */
	IMPORTS_USE_NO	 /* it has functions, and none did */
};

/* Something that a module's body did other than compute: an audit event of the interpreter. */
struct imports_work {
	uint32_t record;
	const char *event;  /* "open", "subprocess.Popen" … */
	const char *detail; /* the file, the program, the address; NULL unknown */
	uint32_t order;	    /* in which they happened */
};

/* One line of a module's body; what it imports is not in its time. */
struct imports_line {
	uint32_t record, line;
	uint64_t self_ns, hits;
};

struct imports_record {
	const char *name;
	const char *kind; /* loader: SourceFileLoader …; "namespace", "by hand"; NULL unknown */
	const char *file; /* NULL: none, or unknown */
	uint32_t parent;  /* index of the import that it happened in; IMPORTS_NONE */
	uint32_t thread;  /* 0: the first that imported */
	int64_t start_ns; /* since the process was started, without the probe's own start */
	uint64_t total_ns, self_ns;
	uint64_t body_ns;     /* of self_ns: its own body; UINT64_MAX unknown */
	uint64_t compile_ns;  /* of self_ns: its source was compiled; UINT64_MAX: it was not */
	uint64_t cpu_ns;      /* CPU time of its thread, with what it imports; UINT64_MAX unknown */
	int64_t memory_bytes; /* resident memory gained, with what it imports; IMPORTS_UNKNOWN */
	uint64_t files, bytes,
	    stats;	     /* opened, their sizes, and asked for by the finders; its own */
	const char *by_file; /* who imports; NULL: the interpreter itself */
	const char *by_function;
	uint32_t by_line;
	const char *how; /* "import", "import_module", "-m", "by hand", "interpreter" */
	/* Whether it happens while the program starts: at module level, or inside such an import.
	 * Otherwise at first use, from a function. */
	bool at_start;
	bool lazy;  /* a lazy import (PEP 810), at its first use: by_* is the place of the use */
	bool shell; /* the module itself was loaded by an import inside this one, which counts */
	uint64_t work_count;
	const char *error; /* type of the exception; NULL: it was loaded */
	const char *error_text, *missing;
	bool handled; /* of a failure: whoever imported went on */
	enum imports_use use;
};

/* A compiled part that could not be imported, and a module that went on without it. */
struct imports_fallback {
	uint32_t record;      /* the failed import */
	const char *module;   /* that goes on in pure Python */
	const char *evidence; /* files of the package that bear its name, or why the part that is
				 there can't be loaded; NULL none */
};

/* A module of which nothing ran after its import, nor of its submodules. */
struct imports_unused {
	uint32_t record;
	uint64_t avoidable_ns; /* at most: with what it imports first and is not known to be used */
};

/* A module that was there before the program began. */
struct imports_before {
	const char *name, *file;
	uint64_t self_ns, total_ns; /* UINT64_MAX unknown */
};

struct imports_result {
	struct arena arena;
	const char *implementation, *version, *executable;
	const char *use_method; /* "sys.monitoring", "run counters", "unknown" */
	const char *command;
	int exit_status;       /* of the first run, as a shell gives it */
	bool complete;	       /* the program came to its end; else what was used is not known */
	uint64_t wall_ns;      /* of the first run */
	int64_t began_ns;      /* since the process was started: the program's own beginning */
	int64_t ended_ns;      /* its main module's end */
	uint64_t probe_ns;     /* what the probe took of wall_ns: its start, and while it ran */
	uint64_t peak_bytes;   /* UINT64_MAX unknown */
	uint64_t total_ns;     /* of all imports: start_ns + first_use_ns */
	uint64_t startup_ns;   /* of those while it starts */
	uint64_t first_use_ns; /* of those from functions, later */

	struct imports_record *records; /* in the order in which they began */
	size_t record_count;
	struct imports_before *before;
	size_t before_count;
	const char **modules; /* the exact set at the program's end, sorted */
	size_t module_count;
	const char **lazy_left; /* imported lazily and never used (PEP 810) */
	size_t lazy_left_count;
	struct imports_work *work; /* in the order of their records */
	size_t work_count;
	struct imports_line *lines; /* so too, the slowest of a record first */
	size_t line_count;
	struct imports_fallback *fallbacks;
	size_t fallback_count;
	struct imports_unused *unused; /* the outermost, most avoidable first */
	size_t unused_count;

	double *plain_s, *probed_s; /* wall time of the repeated runs, pair by pair */
	double *probed_imports_s;   /* total_ns of each probed one */
	size_t pair_count;
};

/* Runs the program once with the probe, and more often as the options say; the signals of the
 * terminal go to it. Its exit status is in the result, whatever it is. -ERR_USAGE: no Python
 * program in argv; -ERR_FILE, -ERR_PERMISSION: it can't be started; -ERR_NOT_PYTHON: the probe
 * did not run in it. imports_release also after a failure. */
int imports_measure(const struct imports_options *options, struct imports_result *ret_result,
		    struct err *err);
void imports_release(struct imports_result *result);

/* Everything, as one JSON object and a newline. -ERR_FILE where it can't be written. */
int imports_json_write(const struct imports_result *result, FILE *stream, struct err *err);

double imports_median(const double *values, size_t count); /* NAN of none */

/* The distribution's part of a name: "xml" of "xml.dom". Bytes of it. */
size_t imports_top_size(const char *name);

#endif
