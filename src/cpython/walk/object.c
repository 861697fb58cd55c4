/* Layout facts that struct layout has no field for are marked "CPython:" with their source. */
#include "cpython/walk/object.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"

#include <string.h>

/* CPython: Include/object.h, tp_flags; the same bits on 3.8–3.15 */
#define TYPE_IS_INT (1ull << 24)
#define TYPE_IS_BYTES (1ull << 27)
#define TYPE_IS_STR (1ull << 28)
#define TYPE_IS_DICT (1ull << 29)
#define TYPE_INLINE_VALUES (1ull << 2)	 /* 3.13+, unused before */
#define TYPE_MANAGED_WEAKREF (1ull << 3) /* 3.12+, unused before */
#define TYPE_MANAGED_DICT (1ull << 4)	 /* 3.11+, unused before */

#define WORD 8
#define STR_HEAD_MAX 128
#define STR_LENGTH_MAX (INT64_C(1) << 40)
#define TYPE_NAME_CHUNK 64 /* aligned, so it never crosses a page */
#define INT_DIGIT_BITS 30  /* CPython: PyLong_SHIFT on x86-64 */
#define INT_DIGITS_MAX 3   /* 64 bits are at most three digits */

static struct raddr plus(struct raddr address, int64_t offset)
{
	return (struct raddr){address.v + (uint64_t)offset};
}

static bool is_object_address(struct raddr address)
{
	return address.v != 0 && address.v % WORD == 0;
}

/* What kind of int and of dict values: layout.h has no kinds of their own for these two, but each
 * changed in the same release as a kind that it has. */
static bool int_has_tag(const struct layout *layout)
{
	return layout->string_layout == STRING_LAYOUT_312; /* lv_tag came with 3.12 */
}
/* CPython: Include/internal/pycore_dict.h, struct _dictvalues; before 3.11 a bare array */
static int64_t dict_values_offset(const struct layout *layout)
{
	return layout->frame_link == FRAME_LINK_TSTATE ? 8 : 0; /* its head came with 3.13 */
}

static int read_type(const struct remote_memory *memory, const struct layout *layout,
		     struct raddr object, struct raddr *ret_type)
{
	if (!is_object_address(object))
		return -ERR_TORN;
	int error = remote_read_raddr(memory, plus(object, layout->at.object_type), ret_type);
	if (error)
		return error;
	return is_object_address(*ret_type) ? 0 : -ERR_TORN;
}

static int read_type_flags(const struct remote_memory *memory, const struct layout *layout,
			   struct raddr object, struct raddr *ret_type, uint64_t *ret_flags)
{
	int error = read_type(memory, layout, object, ret_type);

	if (error)
		return error;
	return remote_read_u64(memory, plus(*ret_type, layout->at.type_flags), ret_flags);
}

static int check_type(const struct remote_memory *memory, const struct layout *layout,
		      struct raddr object, uint64_t flag)
{
	struct raddr type;
	uint64_t flags;
	int error = read_type_flags(memory, layout, object, &type, &flags);

	if (error)
		return error;
	return flags & flag ? 0 : -ERR_TORN;
}

static uint64_t load_u64(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* ---- str ---- */

struct str_head {
	int64_t length; /* characters */
	unsigned kind;	/* bytes of one: 1, 2, 4 */
	bool ascii;
	struct raddr data;
};

/* From the bytes of a PyASCIIObject; false when no compact str has such a head. */
static bool parse_str_head(const struct layout *layout, struct raddr object, const uint8_t *bytes,
			   struct str_head *ret_head)
{
	struct str_head head;
	uint32_t state;

	head.length = (int64_t)load_u64(bytes + layout->at.unicode_length);
	memcpy(&state, bytes + layout->at.unicode_state, sizeof(state));
	head.kind = state >> layout->at.unicode_kind_shift & 7;
	head.ascii = state >> layout->at.unicode_ascii_shift & 1;
	if (!(state >> layout->at.unicode_compact_shift & 1))
		return false;
	if (head.kind != 1 && (head.ascii || (head.kind != 2 && head.kind != 4)))
		return false;
	if (head.length < 0 || head.length > STR_LENGTH_MAX)
		return false;
	head.data = plus(object, head.ascii ? layout->at.unicode_ascii_size
					    : layout->at.unicode_compact_size);
	*ret_head = head;
	return true;
}

/* One character as text into `text` (at least 8 bytes); how many, 0 when it is no character. */
static size_t escape_character(uint32_t character, uint8_t *text)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t shown = character;
	int nibbles;

	if (character < 0x20 || character == 0x7f) {
		nibbles = 2;
	} else if (character >= 0xdc80 && character <= 0xdcff) {
		shown = character - 0xdc00;
		nibbles = 2;
	} else if ((character >= 0x80 && character < 0xa0) ||
		   (character >= 0xd800 && character <= 0xdfff)) {
		nibbles = 4;
	} else if (character > 0x10ffff) {
		return 0;
	} else {
		return utf8_encode(character, text);
	}
	text[0] = '\\';
	text[1] = nibbles == 2 ? 'x' : 'u';
	for (int i = 0; i < nibbles; i++)
		text[2 + i] = (uint8_t)digits[shown >> 4 * (nibbles - 1 - i) & 15];
	return 2 + (size_t)nibbles;
}

static uint32_t character_at(const uint8_t *bytes, unsigned kind, size_t index)
{
	uint16_t two;
	uint32_t four;

	switch (kind) {
	case 1:
		return bytes[index];
	case 2:
		memcpy(&two, bytes + 2 * index, sizeof(two));
		return two;
	default:
		memcpy(&four, bytes + 4 * index, sizeof(four));
		return four;
	}
}

/* The first `count` characters, as far as they fit into max_bytes. */
static int encode_str(const uint8_t *bytes, unsigned kind, size_t count, size_t max_bytes,
		      char **ret_text)
{
	struct buffer text;
	uint8_t one[8];
	int error = 0;

	buffer_init(&text, max_bytes + 1);
	for (size_t i = 0; i < count; i++) {
		size_t size = escape_character(character_at(bytes, kind, i), one);

		if (size == 0)
			error = -ERR_TORN;
		if (size == 0 || text.size + size > max_bytes)
			break;
		if (!buffer_append(&text, one, size))
			break;
	}
	if (!error && !buffer_append(&text, "", 1))
		error = -ERR_MEMORY;
	if (!error && text.failed)
		error = -ERR_MEMORY;
	if (error) {
		buffer_release(&text);
		return error;
	}
	*ret_text = (char *)text.bytes;
	return 0;
}

static int read_str(const struct remote_memory *memory, const struct layout *layout,
		    struct raddr object, size_t max_bytes, char **ret_text)
{
	uint8_t bytes[STR_HEAD_MAX];
	struct str_head head;
	size_t count;
	uint8_t *data;
	int error = check_type(memory, layout, object, TYPE_IS_STR);

	if (error)
		return error;
	if (layout->at.unicode_ascii_size > STR_HEAD_MAX || max_bytes == SIZE_MAX)
		return -ERR_LIMIT;
	error = remote_read(memory, object, bytes, (size_t)layout->at.unicode_ascii_size, NULL);
	if (error)
		return error;
	if (!parse_str_head(layout, object, bytes, &head))
		return -ERR_TORN;
	count = (uint64_t)head.length < max_bytes ? (size_t)head.length : max_bytes;
	data = mem_alloc(count * head.kind + 1);
	if (!data)
		return -ERR_MEMORY;
	if (count > 0)
		error = remote_read(memory, head.data, data, count * head.kind, NULL);
	if (!error)
		error = encode_str(data, head.kind, count, max_bytes, ret_text);
	mem_free(data);
	return error;
}

int object_read_str(const struct remote_memory *memory, const struct layout *layout,
		    struct raddr object, size_t max_bytes, char **ret_text, struct err *err)
{
	int error = read_str(memory, layout, object, max_bytes, ret_text);

	if (error)
		err_set(err, (enum err_code) - error, "the str at 0x%llx can't be read",
			(unsigned long long)object.v);
	return error;
}

/* Is it a str with exactly this ASCII text? Unreadable counts as no: an equal one is all there. */
static bool is_ascii_str(const struct remote_memory *memory, const struct layout *layout,
			 struct raddr object, const char *text, size_t size)
{
	uint8_t bytes[STR_HEAD_MAX + OBJECT_NAME_MAX];
	size_t head_size = (size_t)layout->at.unicode_ascii_size;
	struct str_head head;

	if (!is_object_address(object) || head_size > STR_HEAD_MAX || size > OBJECT_NAME_MAX)
		return false;
	if (remote_read(memory, object, bytes, head_size + size, NULL))
		return false;
	if (!parse_str_head(layout, object, bytes, &head) || !head.ascii)
		return false;
	if ((uint64_t)head.length != size || memcmp(bytes + head_size, text, size) != 0)
		return false;
	return check_type(memory, layout, object, TYPE_IS_STR) == 0;
}

/* ---- bytes, int, type ---- */

int object_bytes_extent(const struct remote_memory *memory, const struct layout *layout,
			struct raddr object, struct raddr *ret_data, uint64_t *ret_size)
{
	uint64_t size;
	int error = check_type(memory, layout, object, TYPE_IS_BYTES);

	if (error)
		return error;
	error = remote_read_u64(memory, plus(object, layout->at.varobject_size_field), &size);
	if (error)
		return error;
	if (size > INT64_MAX)
		return -ERR_TORN;
	*ret_data = plus(object, layout->at.bytes_data);
	*ret_size = size;
	return 0;
}

static int read_bytes(const struct remote_memory *memory, const struct layout *layout,
		      struct raddr object, size_t max_bytes, uint8_t **ret_bytes, size_t *ret_size)
{
	struct raddr data;
	uint64_t size;
	uint8_t *bytes;
	int error = object_bytes_extent(memory, layout, object, &data, &size);

	if (error)
		return error;
	if (size > max_bytes)
		return -ERR_LIMIT;
	bytes = mem_alloc((size_t)size + 1);
	if (!bytes)
		return -ERR_MEMORY;
	if (size > 0)
		error = remote_read(memory, data, bytes, (size_t)size, NULL);
	if (error) {
		mem_free(bytes);
		return error;
	}
	*ret_bytes = bytes;
	*ret_size = (size_t)size;
	return 0;
}

int object_read_bytes(const struct remote_memory *memory, const struct layout *layout,
		      struct raddr object, size_t max_bytes, uint8_t **ret_bytes, size_t *ret_size,
		      struct err *err)
{
	int error = read_bytes(memory, layout, object, max_bytes, ret_bytes, ret_size);

	if (error)
		err_set(err, (enum err_code) - error, "the bytes object at 0x%llx can't be read",
			(unsigned long long)object.v);
	return error;
}

/* Number of digits and sign from ob_size, or from lv_tag on 3.12+. */
static bool parse_int_tag(const struct layout *layout, uint64_t tag, uint64_t *ret_digits,
			  bool *ret_negative)
{
	if (int_has_tag(layout)) {
		/* CPython: Include/cpython/longintrepr.h: digits << 3 | small << 2 | sign (0
		 * positive, 1 zero, 2 negative) */
		*ret_digits = tag >> 3;
		*ret_negative = (tag & 3) == 2;
		return (tag & 3) != 3 && ((tag & 3) == 1) == (*ret_digits == 0);
	}
	*ret_negative = (int64_t)tag < 0;
	*ret_digits = *ret_negative ? -tag : tag;
	return true;
}

int object_read_int(const struct remote_memory *memory, const struct layout *layout,
		    struct raddr object, int64_t *ret_value)
{
	uint32_t digits[INT_DIGITS_MAX];
	uint64_t tag, count, value = 0;
	bool negative;
	int error = check_type(memory, layout, object, TYPE_IS_INT);

	if (error)
		return error;
	error = remote_read_u64(memory, plus(object, layout->at.long_tag), &tag);
	if (error)
		return error;
	if (!parse_int_tag(layout, tag, &count, &negative))
		return -ERR_TORN;
	if (count > INT_DIGITS_MAX)
		return -ERR_LIMIT;
	if (count > 0)
		error = remote_read(memory, plus(object, layout->at.long_digits), digits,
				    (size_t)count * sizeof(digits[0]), NULL);
	if (error)
		return error;
	for (uint64_t i = count; i-- > 0;) {
		if (digits[i] >> INT_DIGIT_BITS)
			return -ERR_TORN;
		if (value >> (64 - INT_DIGIT_BITS))
			return -ERR_LIMIT;
		value = value << INT_DIGIT_BITS | digits[i];
	}
	if (value > (uint64_t)INT64_MAX + negative)
		return -ERR_LIMIT;
	*ret_value = (int64_t)(negative ? -value : value);
	return 0;
}

/* Aligned pieces; byte for byte where a piece is not there whole (images, the last page). */
static int read_text_piece(const struct remote_memory *memory, struct raddr from, size_t size,
			   char *to, size_t *ret_size)
{
	if (remote_read(memory, from, to, size, NULL) == 0) {
		*ret_size = size;
		return 0;
	}
	*ret_size = 1;
	return remote_read(memory, from, to, 1, NULL);
}

int object_type_name(const struct remote_memory *memory, const struct layout *layout,
		     struct raddr object, char *name, size_t name_size)
{
	struct raddr type, text;
	size_t used = 0, got;
	int error = read_type(memory, layout, object, &type);

	if (error)
		return error;
	error = remote_read_raddr(memory, plus(type, layout->at.type_name), &text);
	if (error)
		return error;
	while (used + 1 < name_size) {
		char piece[TYPE_NAME_CHUNK];
		size_t wanted = TYPE_NAME_CHUNK - text.v % TYPE_NAME_CHUNK;

		error = read_text_piece(memory, text, wanted, piece, &got);
		if (error)
			return error;
		for (size_t i = 0; i < got && used + 1 < name_size; i++) {
			if (piece[i] == '\0') {
				name[used] = '\0';
				return 0;
			}
			name[used++] = piece[i] >= ' ' && piece[i] <= '~' ? piece[i] : '?';
		}
		text = plus(text, (int64_t)got);
	}
	if (name_size > 0)
		name[used] = '\0';
	return 0;
}

/* ---- dict ---- */

/* CPython: Objects/dict-common.h (3.8–3.10), Include/internal/pycore_dict.h (3.11+):
 * { hash, key, value }, and { key, value } in tables with only str keys of 3.11+ */
#define GENERAL_ENTRY_WORDS 3
#define STR_KEY_ENTRY_WORDS 2
#define DICT_KEYS_GENERAL 0
#define DICT_KEYS_SPLIT 2
#define DICT_LOG2_SIZE_MAX 40
#define DICT_KEYS_HEAD_MAX 64
#define DICT_CHUNK 64 /* entries at a time */

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
	int error = remote_read(memory, plus(table->entries, (int64_t)(first * width * WORD)),
				words, (size_t)count * width * WORD, NULL);

	if (error)
		return error;
	if (table->values.v)
		error = remote_read(memory, plus(table->values, (int64_t)(first * WORD)), values,
				    (size_t)count * WORD, NULL);
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
	int error = check_type(memory, layout, dict, TYPE_IS_DICT);

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

	if (!is_ascii_str(search->memory, search->layout, key, search->name, search->size))
		return 0;
	search->value = value;
	return 1;
}

int object_dict_find(const struct remote_memory *memory, const struct layout *layout,
		     struct raddr dict, const char *name, struct raddr *ret_value)
{
	struct name_search search = {memory, layout, name, strlen(name), {0}};
	int error = object_dict_each(memory, layout, dict, SIZE_MAX, search_item, &search);

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
		error = each_entry(memory, &table, SIZE_MAX, search_item, search);
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
	int error = remote_read(memory, plus(object, -4 * WORD), words, sizeof(words), NULL);

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
		size = (basicsize + items * itemsize + WORD - 1) / WORD * WORD;
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
	int error = read_type_flags(memory, layout, object, &type, &flags);

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
