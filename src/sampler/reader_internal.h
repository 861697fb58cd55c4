/* What reader.c (the sampling thread) and one_sample.c (what it does at each instant) share; not
 * for others. */
#ifndef SAMPLER_READER_INTERNAL_H
#define SAMPLER_READER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "sampler/call_sites.h"
#include "sampler/interpreter_words.h"
#include "sampler/live_top.h"
#include "sampler/reader.h"
#include "sampler/stopper.h"
#include "sampler/watched.h"
#include "system/cpu.h"

struct sampling_reader {
	struct sampling_options options;
	struct runtime runtime;
	struct remote_memory memory;
	pid_t pid;
	pthread_t thread;
	bool thread_started, fastest;
	atomic_bool wake_each, stop, ended, same_core_refused;
	struct ring ring;

	struct stack_reader stacks;
	struct stack_source source;
	struct interpreter_words words;
	struct watched_threads watched;
	struct call_sites sites;
	struct live_top top;
	struct stopper stopper;
	struct schedule schedule;
	struct rate_control control;
	struct raw_frame *frames, *again;

	struct watched_thread *subject; /* holds the lock now, or was the last to hold it */
	int32_t bound_cpu;
	uint64_t missed, dropped;
	uint64_t fast_look_ns;
	double fast_period_ns;
	struct thread_stat fast_stat;
	struct thread_schedstat fast_times;
	clockid_t process_clock;
	uint64_t fast_ran_ns;
	double fast_owed;
	uint8_t fast_bits;
	uint32_t failures_in_row;
	uint64_t worked_ns;	/* when the last sample did not fail */
	struct cpu_set allowed; /* where this thread may run */

	atomic_uint_fast64_t cpu_ns, stolen_ns, rate_mhz;
	atomic_int cpu_now;
};

/* Takes one sample and puts its record into the ring; then follows the target's thread to its core,
 * or off it. instant_ns: when it was due, 0 where there is no schedule. Hot path. */
void sampling_reader_sample(struct sampling_reader *reader, uint64_t instant_ns,
			    uint64_t weight_ns);

#endif
