/* See ring.h. Each record is an 8-byte size, then its bytes; a size of WRAP
 * says that the rest of the buffer is unused and the record starts at 0. */
#include "sampler/ring.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"

#define WRAP UINT64_MAX

int ring_init(struct ring *ring, size_t size)
{
	memset(ring, 0, sizeof(*ring));
	ring->bytes = mem_alloc(size);
	ring->size = size;
	return ring->bytes ? 0 : -ERR_MEMORY;
}

void ring_release(struct ring *ring)
{
	mem_free(ring->bytes);
	ring->bytes = NULL;
}

bool ring_put(struct ring *ring, const void *first, size_t first_size, const void *second,
	      size_t second_size)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	size_t free_bytes = ring->size - (head - tail), at = head & (ring->size - 1);
	uint64_t size = first_size + second_size;
	size_t record = 8 + ((size + 7) & ~(size_t)7), skipped = 0;

	if (record > ring->size / 2)
		return false;
	if (at + record > ring->size) {
		skipped = ring->size - at;
		if (free_bytes < skipped + record)
			return false;
		memcpy(ring->bytes + at, &(uint64_t){WRAP}, 8);
		at = 0;
	} else if (free_bytes < record) {
		return false;
	}
	memcpy(ring->bytes + at, &size, 8);
	if (first_size)
		memcpy(ring->bytes + at + 8, first, first_size);
	if (second_size)
		memcpy(ring->bytes + at + 8 + first_size, second, second_size);
	atomic_store_explicit(&ring->head, head + skipped + record, memory_order_release);
	return true;
}

const void *ring_peek(struct ring *ring, size_t *ret_size)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t size;

	if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
		return NULL;
	memcpy(&size, ring->bytes + (tail & (ring->size - 1)), 8);
	if (size == WRAP) {
		tail += ring->size - (tail & (ring->size - 1));
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
		memcpy(&size, ring->bytes + (tail & (ring->size - 1)), 8);
	}
	*ret_size = (size_t)size;
	return ring->bytes + (tail & (ring->size - 1)) + 8;
}

void ring_drop(struct ring *ring)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t size;

	memcpy(&size, ring->bytes + (tail & (ring->size - 1)), 8);
	atomic_store_explicit(&ring->tail, tail + 8 + ((size + 7) & ~(size_t)7),
			      memory_order_release);
}

double ring_fill(const struct ring *ring)
{
	size_t used = atomic_load_explicit(&ring->head, memory_order_relaxed) -
		      atomic_load_explicit(&ring->tail, memory_order_relaxed);

	return (double)used / (double)ring->size;
}
