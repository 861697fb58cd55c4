/* Memory: the instrumented allocator, the arena, growable buffers, varints. */
#include "base/arena.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define ARENA_ALIGNMENT 16
#define ARENA_BLOCK_FIRST_BYTES ((size_t)4 << 10)
#define ARENA_BLOCK_LAST_BYTES ((size_t)256 << 10)
#define BUFFER_FIRST_BYTES 256
#define VARINT_BYTES_MAX 10

/* ---- Allocation, with a fault to order ---- */

static atomic_long allocations_left = -1; /* −1: never fail */
static atomic_bool allocation_failed;

static bool must_fail(void)
{
	if (atomic_load_explicit(&allocations_left, memory_order_relaxed) < 0) {
		return false;
	}
	if (atomic_fetch_sub_explicit(&allocations_left, 1, memory_order_relaxed) != 0) {
		return false;
	}
	atomic_store_explicit(&allocation_failed, true, memory_order_relaxed);
	return true;
}

void mem_fail_after(long allocations)
{
	atomic_store(&allocation_failed, false);
	atomic_store(&allocations_left, allocations < 0 ? -1 : allocations);
}

bool mem_failed(void)
{
	return atomic_load(&allocation_failed);
}

void *mem_alloc(size_t size)
{
	return must_fail() ? NULL : malloc(size > 0 ? size : 1);
}

void *mem_zalloc(size_t count, size_t size)
{
	if (must_fail()) {
		return NULL;
	}
	return count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1);
}

void *mem_realloc(void *memory, size_t size)
{
	return must_fail() ? NULL : realloc(memory, size > 0 ? size : 1);
}

char *mem_copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = mem_alloc(size);
	return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void mem_free(void *memory)
{
	free(memory);
}

/* ---- Sizes ---- */

bool size_add(size_t a, size_t b, size_t *ret_sum)
{
	size_t sum;
	if (__builtin_add_overflow(a, b, &sum)) {
		return false;
	}
	*ret_sum = sum;
	return true;
}

bool size_multiply(size_t a, size_t b, size_t *ret_product)
{
	size_t product;
	if (__builtin_mul_overflow(a, b, &product)) {
		return false;
	}
	*ret_product = product;
	return true;
}

/* The capacity that holds `wanted`: doubled from `capacity`, within `maximum` (≥ wanted). */
static size_t doubled(size_t capacity, size_t first, size_t wanted, size_t maximum)
{
	if (capacity == 0) {
		capacity = first;
	}
	while (capacity < wanted) {
		if (capacity > maximum / 2) {
			return maximum;
		}
		capacity *= 2;
	}
	return capacity < maximum ? capacity : maximum;
}

int grow_array(void **items, size_t *capacity, size_t count_wanted, size_t size, size_t maximum)
{
	if (count_wanted <= *capacity) {
		return 0;
	}
	if (maximum == 0) {
		maximum = SIZE_MAX;
	}
	if (count_wanted > maximum) {
		return -ERR_LIMIT;
	}
	size_t new_capacity = doubled(*capacity, 8, count_wanted, maximum);
	size_t bytes;
	if (!size_multiply(new_capacity, size, &bytes)) {
		return -ERR_LIMIT;
	}
	void *grown = mem_realloc(*items, bytes);
	if (grown == NULL) {
		return -ERR_MEMORY;
	}
	*items = grown;
	*capacity = new_capacity;
	return 0;
}

/* ---- Arena ---- */

struct arena_block {
	struct arena_block *next;
	size_t used, size; /* of bytes */
	_Alignas(ARENA_ALIGNMENT) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t maximum_bytes)
{
	*arena = (struct arena){.maximum_bytes = maximum_bytes > 0 ? maximum_bytes : SIZE_MAX};
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
	struct arena_block *last = arena->blocks;
	size_t wanted = ARENA_BLOCK_FIRST_BYTES - sizeof *last;
	if (last != NULL) {
		wanted = doubled(last->size, ARENA_BLOCK_FIRST_BYTES, last->size + 1,
				 ARENA_BLOCK_LAST_BYTES);
	}
	wanted = wanted < size ? size : wanted;
	size_t bytes;
	if (!size_add(sizeof *last, wanted, &bytes)) {
		return NULL;
	}
	struct arena_block *block = mem_alloc(bytes);
	if (block == NULL) {
		return NULL;
	}
	block->next = last;
	block->used = 0;
	block->size = wanted;
	arena->blocks = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t rounded;
	if (!size_add(size > 0 ? size : 1, ARENA_ALIGNMENT - 1, &rounded)) {
		return NULL;
	}
	rounded &= ~(size_t)(ARENA_ALIGNMENT - 1);
	if (rounded > arena->maximum_bytes - arena->used_bytes) {
		return NULL;
	}
	struct arena_block *block = arena->blocks;
	if (block == NULL || rounded > block->size - block->used) {
		block = add_block(arena, rounded);
		if (block == NULL) {
			return NULL;
		}
	}
	void *memory = block->bytes + block->used;
	block->used += rounded;
	arena->used_bytes += rounded;
	return memory;
}

char *arena_copy_text(struct arena *arena, const char *text, size_t size)
{
	size_t bytes;
	if (!size_add(size, 1, &bytes)) {
		return NULL;
	}
	char *copy = arena_alloc(arena, bytes);
	if (copy != NULL) {
		if (size > 0) {
			memcpy(copy, text, size);
		}
		copy[size] = '\0';
	}
	return copy;
}

void arena_release(struct arena *arena)
{
	struct arena_block *block = arena->blocks;
	while (block != NULL) {
		struct arena_block *next = block->next;
		mem_free(block);
		block = next;
	}
	arena->blocks = NULL;
	arena->used_bytes = 0;
}

/* ---- Buffers and varints ---- */

void buffer_init(struct buffer *buffer, size_t maximum)
{
	*buffer = (struct buffer){.maximum = maximum > 0 ? maximum : SIZE_MAX};
}

void buffer_release(struct buffer *buffer)
{
	mem_free(buffer->bytes);
	buffer->bytes = NULL;
	buffer->size = 0;
	buffer->capacity = 0;
	buffer->failed = false;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
	size_t wanted;
	if (buffer->failed || !size_add(buffer->size, size, &wanted) || wanted > buffer->maximum) {
		buffer->failed = true;
		return false;
	}
	if (wanted > buffer->capacity) {
		size_t capacity =
		    doubled(buffer->capacity, BUFFER_FIRST_BYTES, wanted, buffer->maximum);
		uint8_t *grown = mem_realloc(buffer->bytes, capacity);
		if (grown == NULL) {
			buffer->failed = true;
			return false;
		}
		buffer->bytes = grown;
		buffer->capacity = capacity;
	}
	if (size > 0) {
		memcpy(buffer->bytes + buffer->size, bytes, size);
	}
	buffer->size = wanted;
	return true;
}

bool buffer_varint(struct buffer *buffer, uint64_t value)
{
	uint8_t bytes[VARINT_BYTES_MAX];
	size_t size = 0;
	while (value >= 0x80) {
		bytes[size++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[size++] = (uint8_t)value;
	return buffer_append(buffer, bytes, size);
}

bool buffer_zigzag(struct buffer *buffer, int64_t value)
{
	uint64_t bits = (uint64_t)value << 1;
	return buffer_varint(buffer, value < 0 ? ~bits : bits);
}

bool varint_read(const uint8_t **cursor, const uint8_t *end, uint64_t *ret_value)
{
	const uint8_t *at = *cursor;
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
		if (at >= end) {
			return false;
		}
		uint8_t byte = *at++;
		if (shift == 63 && byte > 1) {
			return false;
		}
		value |= (uint64_t)(byte & 0x7F) << shift;
		if ((byte & 0x80) == 0) {
			*cursor = at;
			*ret_value = value;
			return true;
		}
	}
	return false;
}

bool zigzag_read(const uint8_t **cursor, const uint8_t *end, int64_t *ret_value)
{
	uint64_t bits;
	if (!varint_read(cursor, end, &bits)) {
		return false;
	}
	uint64_t half = bits >> 1;
	*ret_value = (int64_t)((bits & 1) != 0 ? ~half : half);
	return true;
}
