/* Any order of puts and drops on a small ring against a plain queue: what comes out is what went
 * in, whole and in order; a refused record leaves no trace; an empty ring takes every record that
 * may ever fit.
 */
#include <stdlib.h>
#include <string.h>

#include "sampler/ring.h"

#define RING_SIZE 256u
#define QUEUE_MAX 64u
#define RECORD_MAX 160u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct queued {
	uint8_t size, first;
};

static void fill(uint8_t *bytes, size_t size, uint8_t first)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(first + i);
}

static void check_oldest(struct ring *ring, const struct queued *expected)
{
	uint8_t want[RECORD_MAX];
	size_t size = SIZE_MAX;
	const void *bytes = ring_peek(ring, &size);

	if (!bytes || size != expected->size || (uintptr_t)bytes % 8 != 0)
		abort();
	fill(want, size, expected->first);
	if (memcmp(bytes, want, size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct queued queue[QUEUE_MAX];
	size_t used = 0, ignored;
	uint8_t record[RECORD_MAX];
	struct ring ring;

	if (ring_init(&ring, RING_SIZE) < 0)
		abort();
	for (size_t i = 0; i + 2 < size; i += 3) {
		struct queued next = {(uint8_t)(data[i + 1] % RECORD_MAX), data[i + 2]};
		size_t cut = data[i + 2] % (next.size + 1u);
		bool taken;

		if (data[i] & 1) {
			if (used) {
				check_oldest(&ring, &queue[0]);
				ring_drop(&ring);
				memmove(queue, queue + 1, --used * sizeof(*queue));
			} else if (ring_peek(&ring, &ignored)) {
				abort();
			}
			continue;
		}
		fill(record, next.size, next.first);
		taken = ring_put(&ring, record, cut, record + cut, next.size - cut);
		if (!taken && used == 0 && next.size + 15u <= RING_SIZE / 2)
			abort();
		if (taken) {
			if (used == QUEUE_MAX)
				abort(); /* more records than 8-byte heads fit */
			queue[used++] = next;
		}
		if (ring_fill(&ring) < 0 || ring_fill(&ring) > 1)
			abort();
	}
	for (size_t i = 0; i < used; i++) {
		check_oldest(&ring, &queue[i]);
		ring_drop(&ring);
	}
	if (ring_peek(&ring, &ignored))
		abort();
	ring_release(&ring);
	return 0;
}
