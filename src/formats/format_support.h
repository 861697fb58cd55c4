/* What several formats need and no caller outside formats/ does: frame names,
 * the order of samples by thread and time, and the end of a write. */
#ifndef FORMATS_FORMAT_SUPPORT_H
#define FORMATS_FORMAT_SUPPORT_H

#include "formats/format.h"

/* The name of a frame that stands for samples with no Python stack. */
#define NO_STACK_NAME "<no Python stack>"

bool format_keeps(const struct format_filter *, const struct profile *,
		  const struct profile_sample *);

/* Kept samples by thread, in the order of time; index N of `order` is a row of
 * profile->samples. Thread t has order[start[t]] .. order[start[t + 1] - 1]. */
struct sample_order {
	size_t *order, *start;
	size_t count;
};
int sample_order_init(struct sample_order *, const struct profile *, const struct format_filter *,
		      struct err *);
void sample_order_release(struct sample_order *);

/* "MainThread", or "thread 1234" when it has no name. `size` ≥ 32 is enough for the latter. */
const char *thread_label(const struct profile *, struct thread_id, char *space, size_t size);
/* "on-cpu", "runqueue", "blocked", "gil-wait", "gc", "unknown". */
const char *state_label(uint8_t state);
bool state_is_on_cpu(uint8_t state);

/* 0, or -ERR_FILE when the stream could not take all that was written. */
int format_finish(FILE *, const char *format_name, struct err *);
int format_no_memory(const char *format_name, struct err *);

#endif
