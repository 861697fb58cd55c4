/* What several formats need: see format_support.h. */
#include "formats/format_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"

bool format_keeps(const struct format_filter *filter, const struct profile *profile,
		  const struct profile_sample *sample)
{
	return !filter || !filter->keep || filter->keep(filter->context, profile, sample);
}

struct timed_row {
	uint64_t time_ns;
	size_t row;
};

static int by_time(const void *left, const void *right)
{
	const struct timed_row *a = left, *b = right;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

static bool in_order(const struct profile *profile, const size_t *rows, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (profile->samples[rows[i]].time_ns < profile->samples[rows[i - 1]].time_ns)
			return false;
	}
	return true;
}

/* Recorders write in order of time; a merged profile need not be. */
static int sort_thread(const struct profile *profile, size_t *rows, size_t count)
{
	struct timed_row *timed;

	if (in_order(profile, rows, count))
		return 0;
	timed = mem_zalloc(count, sizeof(*timed));
	if (!timed)
		return -ERR_MEMORY;
	for (size_t i = 0; i < count; i++)
		timed[i] = (struct timed_row){profile->samples[rows[i]].time_ns, rows[i]};
	qsort(timed, count, sizeof(*timed), by_time);
	for (size_t i = 0; i < count; i++)
		rows[i] = timed[i].row;
	mem_free(timed);
	return 0;
}

/* A counting sort by thread: count, sum, place. */
static int place_samples(struct sample_order *order, const struct profile *profile,
			 const uint8_t *kept)
{
	size_t *next = mem_zalloc((size_t)profile->thread_count + 1, sizeof(*next));
	int rc = 0;

	if (!next)
		return -ERR_MEMORY;
	for (uint32_t t = 0; t < profile->thread_count; t++) {
		order->start[t + 1] += order->start[t];
		next[t] = order->start[t];
	}
	for (size_t i = 0; i < profile->sample_count; i++) {
		if (kept[i])
			order->order[next[profile->samples[i].thread.v]++] = i;
	}
	mem_free(next);
	for (uint32_t t = 0; t < profile->thread_count && rc == 0; t++) {
		rc = sort_thread(profile, order->order + order->start[t],
				 order->start[t + 1] - order->start[t]);
	}
	return rc;
}

int sample_order_init(struct sample_order *order, const struct profile *profile,
		      const struct format_filter *filter, struct err *err)
{
	uint8_t *kept = mem_zalloc(profile->sample_count + 1, 1);
	int rc = -ERR_MEMORY;

	memset(order, 0, sizeof(*order));
	order->start = mem_zalloc((size_t)profile->thread_count + 2, sizeof(*order->start));
	if (!kept || !order->start)
		goto out;
	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		kept[i] = format_keeps(filter, profile, sample);
		if (kept[i]) {
			order->start[sample->thread.v + 1]++;
			order->count++;
		}
	}
	order->order = mem_zalloc(order->count + 1, sizeof(*order->order));
	if (order->order)
		rc = place_samples(order, profile, kept);
out:
	mem_free(kept);
	if (rc != 0) {
		sample_order_release(order);
		return format_no_memory("this export", err);
	}
	return 0;
}

void sample_order_release(struct sample_order *order)
{
	mem_free(order->order);
	mem_free(order->start);
	memset(order, 0, sizeof(*order));
}

const char *thread_label(const struct profile *profile, struct thread_id thread, char *space,
			 size_t size)
{
	const struct profile_thread *row = &profile->threads[thread.v];

	if (thread.v == 0)
		return "unknown thread";
	if (row->name.v != 0)
		return profile_string(profile, row->name);
	snprintf(space, size, "thread %llu", (unsigned long long)row->tid);
	return space;
}

static const char *const state_labels[STATE_COUNT] = {
    [STATE_UNKNOWN] = "unknown", [STATE_ON_CPU] = "on-cpu",	[STATE_RUNQUEUE] = "runqueue",
    [STATE_BLOCKED] = "blocked", [STATE_GIL_WAIT] = "gil-wait", [STATE_GC] = "gc",
};

const char *state_label(uint8_t state)
{
	return state_labels[state < STATE_COUNT ? state : STATE_UNKNOWN];
}

bool state_is_on_cpu(uint8_t state)
{
	return state == STATE_ON_CPU || state == STATE_GC;
}

int format_finish(FILE *stream, const char *format_name, struct err *err)
{
	int rc;

	errno = 0;
	if (fflush(stream) == 0 && !ferror(stream))
		return 0;
	rc = err_set_errno(err, ERR_FILE, errno ? errno : EIO, "the %s export is not complete",
			   format_name);
	err_next(err, "look for room on the disk, or write to another place with -o FILE");
	return rc;
}

int format_no_memory(const char *format_name, struct err *err)
{
	int rc = err_set(err, ERR_MEMORY, "no memory for %s", format_name);

	err_next(err, "export less: one thread, or a shorter window");
	return rc;
}
