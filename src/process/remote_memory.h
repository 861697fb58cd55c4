/* The memory of another process, or a saved image of one: the only module that
 * reads a target. A remote address is a `struct raddr`, never a pointer.
 *
 * Two back ends behind one interface: *live* (process_vm_readv) and *image*
 * (address ranges kept in our own memory: tests and fuzzers mutate them).
 * Every read is all or nothing unless it says otherwise; a short read is an
 * error and leaves the destination in an unspecified state; nothing is filled
 * with zeros. Thread-safe: a `struct remote_memory` is immutable once opened.
 */
#ifndef PROCESS_REMOTE_MEMORY_H
#define PROCESS_REMOTE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct raddr {
	uint64_t v; /* 0 is "none" */
};

/* One range of a vectored read: `size` bytes at `from` are copied to `to`. */
struct remote_range {
	struct raddr from;
	void *to;
	size_t size;
};

#define REMOTE_RANGES_MAX 64 /* ranges of one remote_read_ranges call */

struct remote_segment { /* of an image; the bytes are the caller's, read only */
	uint64_t start;
	const uint8_t *bytes;
	size_t size;
};

struct remote_memory {
	pid_t pid;			       /* live; 0 for an image */
	const struct remote_segment *segments; /* image, sorted by start, disjoint */
	size_t segment_count;
};

/* Nothing is opened and nothing can fail: permission shows at the first read. */
void remote_memory_init_live(struct remote_memory *memory, pid_t pid);
void remote_memory_init_image(struct remote_memory *memory, const struct remote_segment *segments,
			      size_t segment_count);

/* Read `size` bytes at `from`. 0, or -ERR_UNREADABLE (address not mapped),
 * -ERR_PERMISSION, -ERR_NO_PROCESS. `err` may be NULL (hot paths pass NULL). */
int remote_read(const struct remote_memory *memory, struct raddr from, void *to, size_t size,
		struct err *err);

/* Read up to REMOTE_RANGES_MAX ranges in one system call, filled in order.
 * Returns the number of bytes that were read (≥ 0; the ranges before that
 * point are whole), or a negative code when nothing at all could be read. */
ssize_t remote_read_ranges(const struct remote_memory *memory, const struct remote_range *ranges,
			   size_t count);

/* Typed reads; the address must be aligned to the type, else -ERR_TORN. */
int remote_read_u64(const struct remote_memory *memory, struct raddr from, uint64_t *ret_value);
int remote_read_u32(const struct remote_memory *memory, struct raddr from, uint32_t *ret_value);
int remote_read_raddr(const struct remote_memory *memory, struct raddr from,
		      struct raddr *ret_value);

#endif
