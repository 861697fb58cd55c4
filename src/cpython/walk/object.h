/* Small readers of a target's objects: str, bytes, int, type names, dict items,
 * instance attributes. Untrusted input, bounded, off the hot path. */
#ifndef CPYTHON_WALK_OBJECT_H
#define CPYTHON_WALK_OBJECT_H

#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

/* A str as UTF-8 (lone surrogates, NUL and control characters as \x.. / \u.... escapes), cut at
 * max_bytes. *ret_text is malloc'd. -ERR_TORN when it is not a str. */
int object_read_str(const struct remote_memory *, const struct layout *, struct raddr object,
		    size_t max_bytes, char **ret_text, struct err *);
/* tp_name of the object's type into `name` (cut). */
int object_type_name(const struct remote_memory *, const struct layout *, struct raddr object,
		     char *name, size_t name_size);
int object_read_int(const struct remote_memory *, const struct layout *, struct raddr object,
		    int64_t *ret_value);

/* Calls `item` for each entry (general and unicode-keyed tables; at most max_items). */
typedef int (*object_dict_item_fn)(void *context, struct raddr key, struct raddr value);
int object_dict_each(const struct remote_memory *, const struct layout *, struct raddr dict,
		     size_t max_items, object_dict_item_fn item, void *context);
/* The value of instance attribute `name` (dict, managed dict or inline values, 3.8–3.15), or
 * address 0 when there is none. */
int object_attribute(const struct remote_memory *, const struct layout *, struct raddr object,
		     const char *name, struct raddr *ret_value);

#endif
