#include "cpython/walk/object.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "cpython/walk/object_internal.h"

#define STR_HEAD_MAX 128
#define STR_LENGTH_MAX (INT64_C(1) << 40)
#define TYPE_NAME_CHUNK 64 /* aligned, so it never crosses a page */
#define INT_DIGIT_BITS 30  /* CPython: PyLong_SHIFT on x86-64 */
#define INT_DIGITS_MAX 3   /* 64 bits are at most three digits */

/* layout.h has no kind of its own for this; it changed in the release of a kind that it has. */
static bool int_has_tag(const struct layout *layout)
{
	return layout->string_layout == STRING_LAYOUT_312; /* lv_tag came with 3.12 */
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

int object_type_flags(const struct remote_memory *memory, const struct layout *layout,
		      struct raddr object, struct raddr *ret_type, uint64_t *ret_flags)
{
	int error = read_type(memory, layout, object, ret_type);

	if (error)
		return error;
	return remote_read_u64(memory, plus(*ret_type, layout->at.type_flags), ret_flags);
}

int object_check_type(const struct remote_memory *memory, const struct layout *layout,
		      struct raddr object, uint64_t flag)
{
	struct raddr type;
	uint64_t flags;
	int error = object_type_flags(memory, layout, object, &type, &flags);

	if (error)
		return error;
	return flags & flag ? 0 : -ERR_TORN;
}

/* ---- str ---- */

struct str_head {
	int64_t length; /* characters */
	unsigned kind;	/* bytes of one: 1, 2, 4 */
	bool ascii;
	struct raddr data;
};

/* Offsets may come from the target (3.13+): none may lie outside of what is read. */
static bool str_head_fits(const struct layout *layout)
{
	const struct layout_offsets *at = &layout->at;

	return at->unicode_ascii_size > 0 && at->unicode_ascii_size <= STR_HEAD_MAX &&
	       at->unicode_length >= 0 && at->unicode_length <= at->unicode_ascii_size - 8 &&
	       at->unicode_state >= 0 && at->unicode_state <= at->unicode_ascii_size - 4;
}

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
		return utf8_put(character, text);
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
	int error = object_check_type(memory, layout, object, TYPE_IS_STR);

	if (error)
		return error;
	if (!str_head_fits(layout) || max_bytes == SIZE_MAX)
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

bool object_is_ascii_str(const struct remote_memory *memory, const struct layout *layout,
			 struct raddr object, const char *text, size_t size)
{
	uint8_t bytes[STR_HEAD_MAX + OBJECT_NAME_MAX];
	size_t head_size = (size_t)layout->at.unicode_ascii_size;
	struct str_head head;

	if (!is_object_address(object) || !str_head_fits(layout) || size > OBJECT_NAME_MAX)
		return false;
	if (remote_read(memory, object, bytes, head_size + size, NULL))
		return false;
	if (!parse_str_head(layout, object, bytes, &head) || !head.ascii)
		return false;
	if ((uint64_t)head.length != size || memcmp(bytes + head_size, text, size) != 0)
		return false;
	return object_check_type(memory, layout, object, TYPE_IS_STR) == 0;
}

/* ---- bytes, int, type ---- */

int object_bytes_extent(const struct remote_memory *memory, const struct layout *layout,
			struct raddr object, struct raddr *ret_data, uint64_t *ret_size)
{
	uint64_t size;
	int error = object_check_type(memory, layout, object, TYPE_IS_BYTES);

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
	int error = object_check_type(memory, layout, object, TYPE_IS_INT);

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
