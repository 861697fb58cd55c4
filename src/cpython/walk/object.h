/* Small readers of a target's objects: str, bytes, int, type names, dict items,
 * instance attributes. Untrusted input, bounded, off the hot path.
 *
 * All return 0, or -ERR_TORN (the object is not of that type, or inconsistent), -ERR_LIMIT (a
 * stated bound), -ERR_MEMORY, or what remote_read returned (-ERR_UNREADABLE …).
 */
#ifndef CPYTHON_WALK_OBJECT_H
#define CPYTHON_WALK_OBJECT_H

#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

#define OBJECT_NAME_MAX 256   /* bytes of an attribute's or key's name */
#define OBJECT_KEYS_MAX 65536 /* keys compared in a look-up by name; the rest is not seen */
#define OBJECT_DICT_SCAN_MAX (1 << 24) /* entries of a dict looked at, the deleted ones too */

/* A str as UTF-8, cut at max_bytes (never inside a character or an escape). *ret_text is
 * mem_alloc'd. Always valid UTF-8 without control characters: a byte that surrogateescape smuggled
 * in (U+DC80–U+DCFF) becomes \x80–\xff, another lone surrogate \udXXX, U+0000–U+001F and U+007F
 * \x00–\x1f and \x7f, U+0080–U+009F \u0080–\u009f. -ERR_TORN when it is not a compact str (the
 * legacy, non-compact ones belong to subclasses and are refused). */
int object_read_str(const struct remote_memory *, const struct layout *, struct raddr object,
		    size_t max_bytes, char **ret_text, struct err *);
/* A bytes object, -ERR_LIMIT over max_bytes. *ret_bytes is mem_alloc'd, never NULL. */
int object_read_bytes(const struct remote_memory *, const struct layout *, struct raddr object,
		      size_t max_bytes, uint8_t **ret_bytes, size_t *ret_size, struct err *);
/* The size of a bytes object and where its data lie; nothing of the data is read. */
int object_bytes_extent(const struct remote_memory *, const struct layout *, struct raddr object,
			struct raddr *ret_data, uint64_t *ret_size);
/* tp_name of the object's type into `name` (cut; '?' for what is not printable ASCII). */
int object_type_name(const struct remote_memory *, const struct layout *, struct raddr object,
		     char *name, size_t name_size);
/* An int (or bool) that fits; -ERR_LIMIT for a longer one. */
int object_read_int(const struct remote_memory *, const struct layout *, struct raddr object,
		    int64_t *ret_value);

/* Calls `item` for each entry (general, unicode-keyed and split tables; at most max_items).
 * A non-zero answer of `item` ends the walk and is returned. -ERR_TORN when the table was
 * replaced meanwhile: what was told until then may be stale. */
typedef int (*object_dict_item_fn)(void *context, struct raddr key, struct raddr value);
int object_dict_each(const struct remote_memory *, const struct layout *, struct raddr dict,
		     size_t max_items, object_dict_item_fn item, void *context);
/* The value of the ASCII str key `name`, or address 0 when there is none (linear walk). */
int object_dict_find(const struct remote_memory *, const struct layout *, struct raddr dict,
		     const char *name, struct raddr *ret_value);
/* The value of instance attribute `name` (dict, managed dict or inline values, 3.8–3.15), or
 * address 0 when there is none. */
int object_attribute(const struct remote_memory *, const struct layout *, struct raddr object,
		     const char *name, struct raddr *ret_value);

#endif
