/* One sampling thread: takes the samples of one Python process and puts them into
 * a ring. Three ways to read behind one interface:
 *
 *  same core   (default) the thread is bound to the CPU of the target's running
 *              thread, so that waking up takes that CPU from it: while we read, it
 *              stands still at the very instruction the timer hit. Nothing tears.
 *  other core  (--rate max, or where the core may not be shared): the target runs
 *              on; depth and call sites come from words that tell them truly,
 *              what stays unknown is torn (call_sites.h).
 *  stopping    (--stop) ptrace stops the target's threads for each sample: the calibrator.
 *
 * What is read at an instant is the thread that holds the interpreter lock, or the
 * last one that did; only that thread changes Python stacks. The collector looks
 * at the others at leisure.
 *
 * Hot path after sampling_reader_start. The ring's consumer is the collector.
 */
#ifndef SAMPLER_READER_H
#define SAMPLER_READER_H

#include <pthread.h>
#include <stdatomic.h>

#include "cpython/layout/runtime_find.h"
#include "profile/profile.h"
#include "sampler/ring.h"
#include "sampler/schedule.h"
#include "sampler/stack_source.h"
#include "system/thread_times.h"

struct sampling_options {
	enum reader_kind reader;
	double rate_hz; /* 0: adapts to the budget; INFINITY: as fast as it goes */
	double budget;	/* fraction of the target's time */
	uint64_t seed;
	uint64_t origin_ns; /* CLOCK_MONOTONIC at the start of the recording */
	int wake_fd;	    /* eventfd of the collector, see sampling_reader_wake_each */
};

enum record_kind { RECORD_CODE = 1, RECORD_STACK, RECORD_SAMPLE };
enum sample_outcome { OUTCOME_VALID = 1, OUTCOME_TORN, OUTCOME_FAILED };
enum sample_cause {
	CAUSE_NONE,
	CAUSE_UNREADABLE,
	CAUSE_INCONSISTENT,
	CAUSE_NO_INTERPRETER,
	CAUSE_OTHER,
};
enum record_bit {
	RECORD_HOLDS_GIL = 1 << 0,
	RECORD_GC = 1 << 1,
	RECORD_CLOCKED = 1 << 2, /* the process's CPU clock was compared: RECORD_RAN is known */
	RECORD_RAN = 1 << 3,	 /* it advanced: the process was on a CPU since the last look */
};

struct record_code {
	uint32_t kind, reserved;
	struct code_announcement code;
};
struct record_stack { /* keyed frames follow, leaf first */
	uint32_t kind, stack_key, depth, flags;
};
struct record_sample {
	uint32_t kind, stack_key;		/* stack_key 0: no Python stack */
	uint64_t time_ns, weight_ns;		/* since origin */
	uint64_t tstate;			/* 0: no thread known */
	struct thread_schedstat times;		/* of the thread, when times_known */
	uint64_t missed_before, dropped_before; /* instants since the last record */
	uint32_t late_ns,
	    hold_ns; /* wake-up after the instant; how long we held the target's core */
	int32_t tid;
	uint8_t outcome, cause, reader, bits;
	char os_state; /* R S D …, 0 unknown */
	bool times_known;
};

struct sampling_reader;

/* Starts the thread. The runtime is copied. */
int sampling_reader_start(const struct runtime *runtime, pid_t pid,
			  const struct sampling_options *options,
			  struct sampling_reader **ret_reader, struct err *err);
/* Asks it to end, waits, leaves the target running. The ring may still hold records. */
void sampling_reader_stop(struct sampling_reader *reader);
void sampling_reader_free(struct sampling_reader *reader);

struct ring *sampling_reader_ring(struct sampling_reader *reader);
/* Readable by any thread at any time. */
struct sampling_reader_status {
	uint64_t cpu_ns; /* of the sampling thread */
	uint64_t
	    stolen_ns;	/* of it, taken from the target's core while the target would have run */
	double rate_hz; /* now; in the fastest mode, as measured */
	bool ended;	/* the target is gone or no Python any more */
	bool same_core_refused; /* the cpuset forbids the target's core */
	int32_t cpu;		/* the core it is bound to, -1 none */
};
void sampling_reader_status(const struct sampling_reader *reader,
			    struct sampling_reader_status *ret);
/* Wake the collector for every sample (it has other threads to look at), or leave it to poll. */
void sampling_reader_wake_each(struct sampling_reader *reader, bool wake);

#endif
