/* The profile model: what every recorder fills and every view, export, diff and
 * piece of advice reads. Words are pprof's (sample, function, label); storage is
 * the Firefox profiler's (string, function, frame, stack = parent + frame,
 * thread, sample, marker tables).
 *
 * Ids are one-field structs; 0 is none; id N is row N-1 of its table... rows are
 * stored with a dummy row 0, so tables are indexed by id directly.
 * A `struct profile` is read-only for everybody but its builder (builder.h).
 * Not thread-safe for writing; a finished profile may be read from any thread.
 */
#ifndef PROFILE_PROFILE_H
#define PROFILE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct string_id {
	uint32_t v;
};
struct function_id {
	uint32_t v;
};
struct frame_id {
	uint32_t v;
};
struct stack_id {
	uint32_t v;
};
struct thread_id {
	uint32_t v;
};
struct process_id {
	uint32_t v;
};

enum frame_kind {
	FRAME_PYTHON = 1,
	FRAME_BUILTIN = 2,
	FRAME_NATIVE = 3,
	FRAME_WAITING = 4,
	FRAME_GC = 5,
	FRAME_TASK = 6,
	FRAME_TORN = 7,	     /* this part of the stack could not be told; name "<torn>" */
	FRAME_TRUNCATED = 8, /* deeper than the bound; name "<truncated>", at the root end */
};

/* What the thread was doing at the instant of the sample. */
enum sample_state {
	STATE_UNKNOWN = 0,
	STATE_ON_CPU = 1,   /* executing */
	STATE_RUNQUEUE = 2, /* runnable, waiting for a CPU */
	STATE_BLOCKED = 3,  /* waiting for I/O, a lock, a timer … */
	STATE_GIL_WAIT = 4, /* waiting for the interpreter lock */
	STATE_GC = 5,	    /* on CPU, a garbage collection in progress on this thread */
	STATE_COUNT
};

enum sample_flag {
	SAMPLE_TORN = 1 << 0,	    /* part of its stack is FRAME_TORN */
	SAMPLE_OTHER_CORE = 1 << 1, /* read while the thread may have been running */
	SAMPLE_STOPPED = 1 << 2,    /* read while the target was stopped */
	SAMPLE_NO_STACK = 1 << 3,   /* a thread with no Python stack (stack = 0), or failed */
};

struct profile_function {
	struct string_id name; /* qualified name where the version has it */
	struct string_id file; /* co_filename as the program has it */
	uint32_t first_line;   /* 0 unknown */
};

struct profile_frame {
	struct function_id function;
	uint32_t line;		     /* current line; 0 unknown */
	uint32_t end_line;	     /* 0 unknown */
	uint16_t column, end_column; /* 1-based UTF-8 byte columns; 0 unknown */
	uint8_t kind;		     /* enum frame_kind */
};

struct profile_stack {
	struct stack_id parent; /* the caller's stack; 0 at the root; always < own id */
	struct frame_id frame;
	uint32_t depth; /* frames up to and with this one, ≥ 1 */
};

struct profile_process {
	uint32_t pid, parent_pid;
	struct string_id command;  /* argv joined by blanks, cut at PROFILE_COMMAND_MAX */
	struct string_id python;   /* "3.12.1", or 0 when it is not Python */
	uint64_t start_ns, end_ns; /* since the start of the recording; end 0 = still running */
	uint64_t cpu_ns;	   /* user + system; UINT64_MAX unknown */
	uint64_t peak_rss_bytes;   /* VmHWM; UINT64_MAX unknown */
};

struct profile_thread {
	struct process_id process;
	uint64_t tid;		   /* kernel's thread id */
	struct string_id name;	   /* the Python thread's name, or 0 */
	bool is_main;		   /* main thread of its process */
	uint64_t start_ns, end_ns; /* first and last instant it was seen */
	uint64_t on_cpu_ns;	   /* exact, from schedstat, while recorded; UINT64_MAX unknown */
	uint64_t runqueue_ns;	   /* likewise */
};

/* One sample, or `count` equal ones summed (aggregated profile: time_ns is 0). */
struct profile_sample {
	uint64_t time_ns;   /* since the start of the recording */
	uint64_t weight_ns; /* Σ 1/design rate: what the sample stands for */
	uint32_t count;	    /* ≥ 1 */
	struct thread_id thread;
	struct stack_id stack; /* 0 = no Python stack */
	uint8_t state;	       /* enum sample_state */
	uint8_t flags;	       /* enum sample_flag */
};

/* A span or instant on the time line. */
struct profile_marker {
	uint64_t start_ns, end_ns;
	struct thread_id thread; /* 0 = whole process */
	struct string_id name, data;
};

enum reader_kind { READER_SAME_CORE = 1, READER_OTHER_CORE = 2, READER_STOPPING = 3 };

/* Every scheduled instant is exactly one of valid, torn, failed, missed. */
struct sample_counts {
	uint64_t scheduled; /* = valid + torn + failed + missed */
	uint64_t valid, torn, failed, missed;
	uint64_t same_core, other_core, stopped; /* of valid + torn: by which reader */
	uint64_t fail_unreadable, fail_inconsistent, fail_no_interpreter, fail_other;
	uint64_t late_ns_total, late_ns_max; /* wake-up after the scheduled instant */
	uint64_t dropped_ring;		     /* part of failed: our own buffers were full */
	uint64_t stacks_truncated;
};

#define PROFILE_COMMAND_MAX 4096
#define PROFILE_STACK_DEPTH_MAX 20000

/* How it was measured. Times in ns; fractions of 1. Unknown is said by *_known
 * or UINT64_MAX / NAN, never by 0. */
struct profile_meta {
	char *command;	    /* as typed, one line; NULL unknown */
	char *directory;    /* working directory of the target */
	char *python;	    /* of the main process: "3.12.1" */
	char *python_build; /* e.g. "shared, found by section .PyRuntime" */
	char *host;	    /* kernel and machine, one line */
	char *pyrometer_version;
	char *mode;		  /* "samples" (later: "trace") */
	char *clock;		  /* "wall" */
	uint64_t started_unix_ns; /* CLOCK_REALTIME */
	uint64_t duration_ns;
	double rate_hz;		   /* mean design rate */
	double budget;		   /* fraction of the target's time; 0 = fixed rate */
	uint8_t reader;		   /* enum reader_kind asked for */
	int32_t exit_status;	   /* of the command, as a shell gives it; -1 unknown */
	uint64_t self_cpu_ns;	   /* Pyrometer's own, all threads */
	uint64_t stolen_ns;	   /* what it took from the target's cores; UINT64_MAX unknown */
	uint64_t timeline_dropped; /* samples kept only in the aggregates (--max-size) */
	bool complete;		   /* the recorder ended it itself */
	bool aggregated;	   /* samples are sums, without times */
	struct sample_counts counts;
};

/* String text is UTF-8, any bytes of the target made valid, NUL-terminated, no
 * control characters below 0x20 except where the program's own name has them
 * (then escaped \xNN by whoever fills it). */
struct profile {
	struct profile_meta meta;
	const char *const *strings;
	uint32_t string_count; /* row 0 is "" */
	const struct profile_function *functions;
	uint32_t function_count; /* counts include row 0 */
	const struct profile_frame *frames;
	uint32_t frame_count;
	const struct profile_stack *stacks;
	uint32_t stack_count;
	const struct profile_process *processes;
	uint32_t process_count;
	const struct profile_thread *threads;
	uint32_t thread_count;
	const struct profile_sample *samples;
	size_t sample_count;
	const struct profile_marker *markers;
	size_t marker_count;
};

const char *profile_string(const struct profile *profile, struct string_id id);

#endif
