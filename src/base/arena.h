/* Batch memory: many small allocations, one free. And checked sizes, growable
 * byte buffers with a stated maximum, varints. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used_bytes, maximum_bytes;
};
void arena_init(struct arena *, size_t maximum_bytes); /* 0 = SIZE_MAX */
void *arena_alloc(struct arena *, size_t size); /* 16-byte aligned, not cleared; NULL: full */
char *arena_copy_text(struct arena *, const char *text, size_t size); /* NUL-terminated copy */
void arena_release(struct arena *);

bool size_add(size_t a, size_t b, size_t *ret_sum); /* false on overflow */
bool size_multiply(size_t a, size_t b, size_t *ret_product);
/* realloc for `count` items of `size` bytes, doubling *capacity; -ERR_MEMORY / -ERR_LIMIT. */
/* maximum: items, 0 = none; *items and *capacity are untouched on failure. */
int grow_array(void **items, size_t *capacity, size_t count_wanted, size_t size, size_t maximum);

struct buffer {
	uint8_t *bytes;
	size_t size, capacity, maximum;
	bool failed;
};
void buffer_init(struct buffer *, size_t maximum); /* bytes; 0 = SIZE_MAX */
void buffer_release(struct buffer *);
bool buffer_append(struct buffer *, const void *bytes,
		   size_t size); /* false: memory or maximum; sticky in .failed */
bool buffer_varint(struct buffer *, uint64_t value); /* LEB128 */
bool buffer_zigzag(struct buffer *, int64_t value);
/* Reads at *cursor < end; false when cut or over 64 bits. */
bool varint_read(const uint8_t **cursor, const uint8_t *end, uint64_t *ret_value);
bool zigzag_read(const uint8_t **cursor, const uint8_t *end, int64_t *ret_value);

/* Instrumented allocation: tests make the n-th allocation fail. All of src/ allocates through
 * these. */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t count, size_t size);
void *mem_realloc(void *memory, size_t size);
char *mem_copy_text(const char *text);
void mem_free(void *memory);
/* Tests: let `allocations` succeed, fail the next one, and only that one; −1 never. */
void mem_fail_after(long allocations);
bool mem_failed(void); /* whether that failure has happened: ends a loop over n */

#endif
