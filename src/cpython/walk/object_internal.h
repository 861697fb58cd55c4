/* What object.c and object_dict.c share; not for others. */
#ifndef CPYTHON_WALK_OBJECT_INTERNAL_H
#define CPYTHON_WALK_OBJECT_INTERNAL_H

#include <string.h>

#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

#define OBJECT_WORD 8

/* CPython: Include/object.h, tp_flags; the same bits on 3.8–3.15 */
#define TYPE_IS_INT (1ull << 24)
#define TYPE_IS_BYTES (1ull << 27)
#define TYPE_IS_STR (1ull << 28)
#define TYPE_IS_DICT (1ull << 29)

static inline struct raddr plus(struct raddr address, int64_t offset)
{
	return (struct raddr){address.v + (uint64_t)offset};
}

static inline bool is_object_address(struct raddr address)
{
	return address.v != 0 && address.v % OBJECT_WORD == 0;
}

static inline uint64_t load_u64(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* 0, -ERR_TORN when `object` can't be one, or what remote_read returned. */
int object_type_flags(const struct remote_memory *memory, const struct layout *layout,
		      struct raddr object, struct raddr *ret_type, uint64_t *ret_flags);
/* The same, and -ERR_TORN when its type has not this flag. */
int object_check_type(const struct remote_memory *memory, const struct layout *layout,
		      struct raddr object, uint64_t flag);
/* Is it a str with exactly this ASCII text? Unreadable counts as no: an equal one is all there. */
bool object_is_ascii_str(const struct remote_memory *memory, const struct layout *layout,
			 struct raddr object, const char *text, size_t size);

#endif
