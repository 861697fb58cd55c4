/* A byte ring from one producer (a sampling thread) to one consumer (the
 * collector): records of any size, no locks, no system calls. A record that does
 * not fit is refused and counted by the producer. */
#ifndef SAMPLER_RING_H
#define SAMPLER_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *bytes;
	size_t size;			 /* power of two */
	_Alignas(64) atomic_size_t head; /* written by the producer */
	_Alignas(64) atomic_size_t tail; /* written by the consumer */
};

int ring_init(struct ring *ring, size_t size);
void ring_release(struct ring *ring);
/* Two parts are copied one after another as one record (either may be empty). Record sizes are
 * rounded up to 8. False: no room. */
bool ring_put(struct ring *ring, const void *first, size_t first_size, const void *second,
	      size_t second_size);
/* The oldest record, contiguous until ring_drop; NULL when empty. */
const void *ring_peek(struct ring *ring, size_t *ret_size);
void ring_drop(struct ring *ring);
/* Fraction in use, for the producer. */
double ring_fill(const struct ring *ring);

#endif
