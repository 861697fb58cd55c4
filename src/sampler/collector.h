/* Turns the records of one sampling thread into rows and samples of the profile:
 * names codes, interns stacks, looks at the threads that do not hold the lock,
 * keeps the scheduler's exact times. Runs on the session's thread, off the hot
 * path and off the target's core. */
#ifndef SAMPLER_COLLECTOR_H
#define SAMPLER_COLLECTOR_H

#include "process/process.h"
#include "profile/builder.h"
#include "sampler/reader.h"

struct collector;

/* Where samples go: valid until the call returns. */
struct collector_sink {
	int (*sample)(void *context, const struct profile_sample *, struct err *);
	void *context;
};

/* Takes over nothing; everything outlives the collector. */
int collector_new(struct profile_builder *builder, struct process_id process, pid_t pid,
		  const struct runtime *runtime, struct sampling_reader *reader,
		  const struct collector_sink *sink, uint64_t origin_ns,
		  struct collector **ret_collector, struct err *err);
void collector_free(struct collector *collector);

/* Handle everything that is in the ring; add to `counts`. Negative when the sink failed. */
int collector_drain(struct collector *collector, struct sample_counts *counts, struct err *err);
/* Every ~100 ms: threads that came and went, names, times. */
void collector_refresh(struct collector *collector, uint64_t now_ns);

#endif
