/* See sample_sum.h. */
#include "recording/sample_sum.h"

#include <stdlib.h>

static int by_key(const void *a, const void *b)
{
	const struct profile_sample *x = a, *y = b;

	if (x->thread.v != y->thread.v)
		return x->thread.v < y->thread.v ? -1 : 1;
	if (x->stack.v != y->stack.v)
		return x->stack.v < y->stack.v ? -1 : 1;
	if (x->state != y->state)
		return x->state < y->state ? -1 : 1;
	return x->flags < y->flags ? -1 : x->flags > y->flags;
}

size_t sample_sum(struct profile_sample *samples, size_t count)
{
	size_t kept = 0;

	if (count == 0)
		return 0;
	qsort(samples, count, sizeof(*samples), by_key);
	for (size_t i = 0; i < count; i++) {
		uint64_t weight =
		    samples[i].weight_ns < INT64_MAX ? samples[i].weight_ns : INT64_MAX;
		struct profile_sample *last = kept ? &samples[kept - 1] : NULL;

		/* Counts of 32 bits: what would overflow stays a row of its own. */
		if (last && by_key(last, &samples[i]) == 0 &&
		    last->count <= UINT32_MAX - samples[i].count &&
		    last->weight_ns <= INT64_MAX - weight) {
			last->count += samples[i].count;
			last->weight_ns += weight;
			continue;
		}
		samples[kept] = samples[i];
		samples[kept].weight_ns = weight;
		samples[kept++].time_ns = 0;
	}
	return kept;
}
