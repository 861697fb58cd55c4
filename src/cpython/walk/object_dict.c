/* Dicts and instance attributes: the part of object.h with tables of keys. Facts that struct layout
 * has no field for are marked "CPython:" with their source. */
#include "base/err.h"
#include "cpython/walk/object.h"
#include "cpython/walk/object_internal.h"

/* CPython: Include/object.h, tp_flags */
#define TYPE_INLINE_VALUES (1ull << 2)	 /* 3.13+, unused before */
#define TYPE_MANAGED_WEAKREF (1ull << 3) /* 3.12+, unused before */
#define TYPE_MANAGED_DICT (1ull << 4)	 /* 3.11+, unused before */

/* CPython: Objects/dict-common.h (3.8–3.10), Include/internal/pycore_dict.h (3.11+):
 * { hash, key, value }, and { key, value } in tables with only str keys of 3.11+ */
#define GENERAL_ENTRY_WORDS 3
#define STR_KEY_ENTRY_WORDS 2
#define DICT_KEYS_GENERAL 0
#define DICT_KEYS_SPLIT 2
#define DICT_LOG2_SIZE_MAX 40
#define DICT_KEYS_HEAD_MAX 64
#define DICT_CHUNK 64 /* entries at a time */

/* layout.h has no kind of its own for this; it changed in the same release as a kind that it has.
 * CPython: Include/internal/pycore_dict.h, struct _dictvalues; before 3.11 a bare array */
static int64_t dict_values_offset(const struct layout *layout)
{
	return layout->frame_link == FRAME_LINK_TSTATE ? 8 : 0; /* its head came with 3.13 */
}

/* A table of keys, with the values in it or, split, beside it. */
struct dict_table {
	struct raddr entries;
	struct raddr values; /* 0: in the entries */
	uint64_t count;	     /* entries, the deleted ones too */
	unsigned entry_words;
	unsigned keys_kind; /* 3.11+ */
};

static uint64_t index_bytes_before_311(uint64_t size)
{
	if (size <= 0xff)
		return size;
	if (size <= 0xffff)
		return 2 * size;
	return size <= 0xffffffff ? 4 * size : 8 * size;
}

/* Where the entries begin; false when the head is not one of a table. */
static bool parse_keys_head(const struct layout *layout, const uint8_t *head,
			    struct dict_table *table, uint64_t *ret_entries_offset)
{
	uint64_t size, index_bytes;

	if (layout->at.dictkeys_log2_size >= 0) {
		uint8_t log2_size = head[layout->at.dictkeys_log2_size];
		uint8_t log2_bytes = head[layout->at.dictkeys_log2_index_bytes];

		table->keys_kind = head[layout->at.dictkeys_kind];
		if (log2_size > DICT_LOG2_SIZE_MAX || log2_bytes > DICT_LOG2_SIZE_MAX + 3 ||
		    table->keys_kind > DICT_KEYS_SPLIT)
			return false;
		size = 1ull << log2_size;
		index_bytes = 1ull << log2_bytes;
		table->entry_words = table->keys_kind == DICT_KEYS_GENERAL ? GENERAL_ENTRY_WORDS
									   : STR_KEY_ENTRY_WORDS;
	} else {
		size = load_u64(head + layout->at.dictkeys_size);
		if (size > 1ull << DICT_LOG2_SIZE_MAX || (size & (size - 1)) != 0)
			return false;
		index_bytes = index_bytes_before_311(size);
		table->entry_words = GENERAL_ENTRY_WORDS;
	}
	table->count = load_u64(head + layout->at.dictkeys_nentries);
	if (table->count > size)
		return false;
	*ret_entries_offset = (uint64_t)layout->at.dictkeys_indices + index_bytes;
	return true;
}

static int read_keys(const struct remote_memory *memory, const struct layout *layout,
		     struct raddr keys, struct dict_table *table)
{
	uint8_t head[DICT_KEYS_HEAD_MAX];
	uint64_t offset;

	if (!is_object_address(keys))
		return -ERR_TORN;
	if (layout->at.dictkeys_indices > DICT_KEYS_HEAD_MAX)
		return -ERR_LIMIT;
	int error = remote_read(memory, keys, head, (size_t)layout->at.dictkeys_indices, NULL);
	if (error)
		return error;
	if (!parse_keys_head(layout, head, table, &offset))
		return -ERR_TORN;
	table->entries = (struct raddr){keys.v + offset};
	return 0;
}

/* Reads `count` entries from `first` on into pairs of words. */
static int read_entries(const struct remote_memory *memory, const struct dict_table *table,
			uint64_t first, uint64_t count, struct raddr (*pairs)[2])
{
	uint64_t words[DICT_CHUNK * GENERAL_ENTRY_WORDS], values[DICT_CHUNK];
	unsigned width = table->entry_words;
	int error =
	    remote_read(memory, plus(table->entries, (int64_t)(first * width * OBJECT_WORD)), words,
			(size_t)count * width * OBJECT_WORD, NULL);

	if (error)
		return error;
	if (table->values.v)
		error = remote_read(memory, plus(table->values, (int64_t)(first * OBJECT_WORD)),
				    values, (size_t)count * OBJECT_WORD, NULL);
	if (error)
		return error;
	for (uint64_t i = 0; i < count; i++) {
		pairs[i][0].v = words[i * width + width - 2];
		pairs[i][1].v = table->values.v ? values[i] : words[i * width + width - 1];
	}
	return 0;
}

static int each_entry(const struct remote_memory *memory, const struct dict_table *table,
		      size_t max_items, object_dict_item_fn item, void *context)
{
	struct raddr pairs[DICT_CHUNK][2];
	uint64_t count = table->count < OBJECT_DICT_SCAN_MAX ? table->count : OBJECT_DICT_SCAN_MAX;
	size_t told = 0;

	for (uint64_t first = 0; first < count; first += DICT_CHUNK) {
		uint64_t here = count - first < DICT_CHUNK ? count - first : DICT_CHUNK;
		int error = read_entries(memory, table, first, here, pairs);

		if (error)
			return error;
		for (uint64_t i = 0; i < here; i++) {
			if (!is_object_address(pairs[i][0]) || !is_object_address(pairs[i][1]))
				continue;
			if (told++ >= max_items)
				return 0;
			error = item(context, pairs[i][0], pairs[i][1]);
			if (error)
				return error;
		}
	}
	return 0;
}

/* From 3.13 on the values say how many they are; keys may have grown past them. */
static int bound_by_capacity(const struct remote_memory *memory, const struct layout *layout,
			     struct raddr values, struct dict_table *table)
{
	uint8_t capacity;

	table->values = plus(values, dict_values_offset(layout));
	if (dict_values_offset(layout) == 0)
		return 0;
	int error = remote_read(memory, values, &capacity, sizeof(capacity), NULL);
	if (!error && table->count > capacity)
		table->count = capacity;
	return error;
}

static int read_dict_head(const struct remote_memory *memory, const struct layout *layout,
			  struct raddr dict, struct raddr head[2])
{
	int error = remote_read_raddr(memory, plus(dict, layout->at.dict_keys), &head[0]);

	return error ? error
		     : remote_read_raddr(memory, plus(dict, layout->at.dict_values), &head[1]);
}

int object_dict_each(const struct remote_memory *memory, const struct layout *layout,
		     struct raddr dict, size_t max_items, object_dict_item_fn item, void *context)
{
	struct dict_table table = {0};
	struct raddr head[2], again[2];
	int error = object_check_type(memory, layout, dict, TYPE_IS_DICT);

	if (!error)
		error = read_dict_head(memory, layout, dict, head);
	if (!error)
		error = read_keys(memory, layout, head[0], &table);
	if (!error && head[1].v)
		error = is_object_address(head[1])
			    ? bound_by_capacity(memory, layout, head[1], &table)
			    : -ERR_TORN;
	if (!error)
		error = each_entry(memory, &table, max_items, item, context);
	if (error)
		return error;
	error = read_dict_head(memory, layout, dict, again);
	if (error)
		return error;
	return memcmp(head, again, sizeof(head)) == 0 ? 0 : -ERR_TORN;
}

struct name_search {
	const struct remote_memory *memory;
	const struct layout *layout;
	const char *name;
	size_t size;
	struct raddr value;
};

static int search_item(void *context, struct raddr key, struct raddr value)
{
	struct name_search *search = context;

	if (!object_is_ascii_str(search->memory, search->layout, key, search->name, search->size))
		return 0;
	search->value = value;
	return 1;
}

int object_dict_find(const struct remote_memory *memory, const struct layout *layout,
		     struct raddr dict, const char *name, struct raddr *ret_value)
{
	struct name_search search = {memory, layout, name, strlen(name), {0}};
	int error = object_dict_each(memory, layout, dict, OBJECT_KEYS_MAX, search_item, &search);

	if (error < 0)
		return error;
	*ret_value = search.value;
	return 0;
}

/* ---- attributes ---- */

/* CPython: Include/cpython/object.h, PyHeapTypeObject.ht_cached_keys: 872 on 3.11, 880 on
 * 3.12–3.14, 888 on 3.15; the words around it are objects. */
#define CACHED_KEYS_FIRST 864
#define CACHED_KEYS_WORDS 5
#define SHARED_KEYS_LOG2_SIZE_MAX 7

/* The table of keys shared by a type's instances. Found by what it is: a split table's head is
 * told from an object's for sure, because where it has log2(size) in 1–7 an object has the low
 * byte of its type's address, which is aligned. */
static int read_cached_keys(const struct remote_memory *memory, const struct layout *layout,
			    struct raddr type, struct dict_table *table)
{
	uint64_t words[CACHED_KEYS_WORDS];
	int error = remote_read(memory, plus(type, CACHED_KEYS_FIRST), words, sizeof(words), NULL);

	if (error || layout->at.dictkeys_log2_size < 0)
		return error ? error : -ERR_TORN;
	for (int i = 0; i < CACHED_KEYS_WORDS; i++) {
		struct raddr keys = {words[i]};
		uint8_t log2_size;

		if (!is_object_address(keys) ||
		    remote_read(memory, plus(keys, layout->at.dictkeys_log2_size), &log2_size, 1,
				NULL))
			continue;
		if (log2_size == 0 || log2_size > SHARED_KEYS_LOG2_SIZE_MAX)
			continue;
		if (read_keys(memory, layout, keys, table) == 0 &&
		    table->keys_kind == DICT_KEYS_SPLIT)
			return 0;
	}
	return -ERR_TORN;
}

static int find_in_values(const struct remote_memory *memory, const struct layout *layout,
			  struct raddr type, struct raddr values, struct name_search *search)
{
	struct dict_table table = {0};
	int error;

	if (!is_object_address(values))
		return -ERR_TORN;
	error = read_cached_keys(memory, layout, type, &table);
	if (!error)
		error = bound_by_capacity(memory, layout, values, &table);
	if (!error)
		error = each_entry(memory, &table, OBJECT_KEYS_MAX, search_item, search);
	return error < 0 ? error : 0;
}

/* CPython: Include/internal/pycore_object.h. The words before an object whose type has a managed
 * dict: 3.11 [-4] values, [-3] dict; 3.12 [-3] dict, or values with bit 0 set; 3.13+ [-3] dict,
 * and values behind the object where the type says so. From 3.12 on [-4] is the list of weak
 * references. The word and the type's flags tell which. */
static int find_managed(const struct remote_memory *memory, const struct layout *layout,
			struct raddr object, struct raddr type, uint64_t flags,
			struct name_search *search)
{
	uint64_t words[2], basicsize;
	int error = remote_read(memory, plus(object, -4 * OBJECT_WORD), words, sizeof(words), NULL);

	if (error)
		return error;
	if (words[1] & 1)
		return find_in_values(memory, layout, type, (struct raddr){words[1] + 1}, search);
	if (words[1])
		return object_dict_find(memory, layout, (struct raddr){words[1]}, search->name,
					&search->value);
	if (flags & TYPE_INLINE_VALUES) {
		error = remote_read_u64(memory, plus(type, layout->at.type_basicsize), &basicsize);
		if (error)
			return error;
		return find_in_values(memory, layout, type, plus(object, (int64_t)basicsize),
				      search);
	}
	if (words[0] && !(flags & TYPE_MANAGED_WEAKREF) && dict_values_offset(layout) == 0)
		return find_in_values(memory, layout, type, (struct raddr){words[0]}, search);
	return 0;
}

/* tp_dictoffset: from the start, or if negative from the end of an object of variable size. */
static int dict_by_offset(const struct remote_memory *memory, const struct layout *layout,
			  struct raddr object, struct raddr type, struct raddr *ret_dict)
{
	uint64_t offset, basicsize, itemsize, items, size;
	int error = remote_read_u64(memory, plus(type, layout->at.type_dictoffset), &offset);

	if (error)
		return error;
	*ret_dict = (struct raddr){0};
	if (offset == 0)
		return 0;
	if ((int64_t)offset < 0) {
		if ((error = remote_read_u64(memory, plus(type, layout->at.type_basicsize),
					     &basicsize)) ||
		    (error = remote_read_u64(memory, plus(type, layout->at.type_itemsize),
					     &itemsize)) ||
		    (error = remote_read_u64(memory, plus(object, layout->at.varobject_size_field),
					     &items)))
			return error;
		if ((int64_t)items < 0)
			items = -items;
		size = (basicsize + items * itemsize + OBJECT_WORD - 1) / OBJECT_WORD * OBJECT_WORD;
		offset += size;
	}
	return remote_read_raddr(memory, plus(object, (int64_t)offset), ret_dict);
}

int object_attribute(const struct remote_memory *memory, const struct layout *layout,
		     struct raddr object, const char *name, struct raddr *ret_value)
{
	struct name_search search = {memory, layout, name, strlen(name), {0}};
	struct raddr type, dict;
	uint64_t flags;
	int error = object_type_flags(memory, layout, object, &type, &flags);

	if (error)
		return error;
	if (flags & TYPE_MANAGED_DICT) {
		error = find_managed(memory, layout, object, type, flags, &search);
	} else {
		error = dict_by_offset(memory, layout, object, type, &dict);
		if (!error && dict.v)
			error = object_dict_find(memory, layout, dict, name, &search.value);
	}
	if (error)
		return error;
	*ret_value = search.value;
	return 0;
}
