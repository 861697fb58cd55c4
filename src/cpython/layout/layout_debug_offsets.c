/* _Py_DebugOffsets (CPython 3.13+): the table of offsets that an interpreter carries about itself
 * (Include/internal/pycore_runtime.h in 3.13, pycore_debug_offsets.h since). It is another
 * process's memory, so nothing in it is believed before it was checked. The shapes of the three
 * versions differ; each is a generated list of rows (generated/layout_3_N.h). */
#include "cpython/layout/layout.h"

#include <string.h>

#include "base/err.h"
#include "cpython/layout/generated/layout_3_13.h"
#include "cpython/layout/generated/layout_3_14.h"
#include "cpython/layout/generated/layout_3_15.h"

/* No structure of an interpreter is larger (the largest known: _PyRuntime of 3.12, 460 KB), and of
 * those that are read in one piece for every sample none is larger than the second. */
#define STRUCTURE_SIZE_MAX (UINT64_C(4) << 20)
#define SAMPLED_SIZE_MAX (UINT64_C(16) << 10)

#define VERSION_WORD 8
#define FREE_THREADED_WORD 16

enum word_kind {
	WORD_OFFSET,	 /* our field's offset, inside a structure of the size in word `owner` */
	WORD_SIZE,	 /* our field is this size */
	WORD_AT_LEAST,	 /* a size that our field (a size as well) may not exceed */
	WORD_SUM,	 /* our field is the sum of two words: a structure inside `owner` */
	WORD_DIFFERENCE, /* … the first less the second; the first lies inside `owner` */
};

/* One row: words are byte offsets in the block, all multiples of eight. */
struct debug_word {
	uint16_t word, second, owner;
	uint8_t kind;	/* enum word_kind */
	uint8_t width;	/* bytes that are read at the offset; 0: it only marks an end or a start */
	uint16_t field; /* offset in struct layout_offsets */
	const char *name;
};

#define FIELD(ours) offsetof(struct layout_offsets, ours)
#define DEBUG_OFFSET(word_at, ours, owner_at, bytes, text)                                         \
	{.word = (word_at),                                                                        \
	 .owner = (owner_at),                                                                      \
	 .kind = WORD_OFFSET,                                                                      \
	 .width = (bytes),                                                                         \
	 .field = FIELD(ours),                                                                     \
	 .name = (text)},
#define DEBUG_SIZE(word_at, ours, text)                                                            \
	{.word = (word_at), .kind = WORD_SIZE, .field = FIELD(ours), .name = (text)},
#define DEBUG_AT_LEAST(word_at, ours, text)                                                        \
	{.word = (word_at), .kind = WORD_AT_LEAST, .field = FIELD(ours), .name = (text)},
#define DEBUG_SUM(word_at, second_at, ours, owner_at, bytes, text)                                 \
	{.word = (word_at),                                                                        \
	 .second = (second_at),                                                                    \
	 .owner = (owner_at),                                                                      \
	 .kind = WORD_SUM,                                                                         \
	 .width = (bytes),                                                                         \
	 .field = FIELD(ours),                                                                     \
	 .name = (text)},
#define DEBUG_DIFFERENCE(word_at, second_at, ours, owner_at, bytes, text)                          \
	{.word = (word_at),                                                                        \
	 .second = (second_at),                                                                    \
	 .owner = (owner_at),                                                                      \
	 .kind = WORD_DIFFERENCE,                                                                  \
	 .width = (bytes),                                                                         \
	 .field = FIELD(ours),                                                                     \
	 .name = (text)},

static const struct debug_word words_3_13[] = {DEBUG_OFFSETS_3_13_WORDS};
static const struct debug_word words_3_14[] = {DEBUG_OFFSETS_3_14_WORDS};
static const struct debug_word words_3_15[] = {DEBUG_OFFSETS_3_15_WORDS};

struct debug_shape {
	uint8_t minor;
	size_t size;
	const struct debug_word *words;
	size_t count;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
static const struct debug_shape shapes[] = {
    {13, DEBUG_OFFSETS_3_13_SIZE, words_3_13, COUNT(words_3_13)},
    {14, DEBUG_OFFSETS_3_14_SIZE, words_3_14, COUNT(words_3_14)},
    {15, DEBUG_OFFSETS_3_15_SIZE, words_3_15, COUNT(words_3_15)},
};
_Static_assert(DEBUG_OFFSETS_3_15_SIZE <= DEBUG_OFFSETS_SIZE_MAX,
	       "DEBUG_OFFSETS_SIZE_MAX is too small");

static const struct debug_shape *shape_of(const struct layout *layout)
{
	for (size_t i = 0; i < COUNT(shapes); i++)
		if (layout->version.major == 3 && layout->version.minor == shapes[i].minor)
			return &shapes[i];
	return NULL;
}

static uint64_t word_at(const uint8_t *image, size_t at)
{
	uint64_t value;

	memcpy(&value, image + at, sizeof(value));
	return value;
}

bool debug_offsets_head(const uint8_t *image, size_t size, uint32_t *ret_version_hex,
			bool *ret_free_threaded)
{
	uint64_t version;

	if (size < DEBUG_OFFSETS_HEAD_SIZE ||
	    memcmp(image, DEBUG_OFFSETS_COOKIE, sizeof(DEBUG_OFFSETS_COOKIE) - 1) != 0)
		return false;
	version = word_at(image, VERSION_WORD);
	if (version > UINT32_MAX)
		return false;
	*ret_version_hex = (uint32_t)version;
	*ret_free_threaded = word_at(image, FREE_THREADED_WORD) != 0;
	return true;
}

size_t debug_offsets_size(const struct layout *layout)
{
	const struct debug_shape *shape = shape_of(layout);

	return shape == NULL ? 0 : shape->size;
}

static int32_t *field_of(struct layout_offsets *at, const struct debug_word *row)
{
	return (int32_t *)((char *)at + row->field);
}

static int refuse(struct err *err, const struct debug_word *row, uint64_t value, const char *reason)
{
	int code =
	    err_set(err, ERR_NOT_PYTHON, "the interpreter's own table of offsets is not valid");

	err_why(err, "_Py_DebugOffsets.%s is %llu: %s", row->name, (unsigned long long)value,
		reason);
	err_next(err,
		 "the interpreter may be patched, or its memory damaged: try another build of it");
	return code;
}

/* The one value that a row gives, checked; 0 or -ERR_NOT_PYTHON. */
static int row_value(const struct debug_word *row, const uint8_t *image, uint64_t *ret_value,
		     struct err *err)
{
	uint64_t value = word_at(image, row->word);
	uint64_t owner, second;

	/* Bounded first: sums of two bounded words can't wrap. */
	if (value > STRUCTURE_SIZE_MAX)
		return refuse(err, row, value, "no structure is that large");
	if (row->kind == WORD_SIZE || row->kind == WORD_AT_LEAST) {
		if (value == 0 || value % sizeof(uint64_t) != 0)
			return refuse(err, row, value, "a size is a multiple of 8 and not 0");
		*ret_value = value;
		return 0;
	}
	owner = word_at(image, row->owner);
	second = row->kind == WORD_OFFSET ? 0 : word_at(image, row->second);
	if (owner > STRUCTURE_SIZE_MAX)
		return refuse(err, row, owner, "the structure around it can't be that large");
	if (second > STRUCTURE_SIZE_MAX)
		return refuse(err, row, second, "no structure is that large");
	if (row->kind == WORD_SUM)
		value += second;
	if (value + row->width > owner)
		return refuse(err, row, value, "past the end of its structure");
	if (row->kind == WORD_DIFFERENCE) {
		if (value < second)
			return refuse(err, row, value, "before the structure it belongs to");
		value -= second;
	}
	if (row->width != 0 && value % row->width != 0)
		return refuse(err, row, value, "not aligned");
	*ret_value = value;
	return 0;
}

static void note_difference(struct layout *layout, const struct debug_word *row, int32_t table,
			    int32_t target)
{
	if (layout->difference_count < LAYOUT_DIFFERENCES_MAX)
		layout->differences[layout->difference_count] =
		    (struct layout_difference){row->name, table, target};
	layout->difference_count++;
}

/* Fields that the block doesn't have, but whose neighbours it has. Their distance is that of the
 * table: a patch release that moves one moves the others with it. */
static void move_neighbours(struct layout_offsets *at, const struct layout_offsets *table)
{
	int32_t chunk = at->tstate_datastack_chunk - table->tstate_datastack_chunk;
	int32_t head = at->runtime_interpreters_head - table->runtime_interpreters_head;

	at->tstate_datastack_top = table->tstate_datastack_top + chunk;
	at->tstate_datastack_limit = table->tstate_datastack_limit + chunk;
	at->tstate_id = table->tstate_id + chunk;
	at->runtime_interpreters_main = table->runtime_interpreters_main + head;
	at->frame_size = at->frame_localsplus;
	at->code_size = at->code_code;
}

struct sized_field {
	int32_t offset, size;
	uint64_t maximum;
	const char *name;
};

/* What no single row can say: the derived fields lie inside, sampled structures are small, and the
 * block is no shorter than the one it was read as. */
static int check_whole(const struct layout_offsets *at, const struct layout_offsets *table,
		       struct err *err)
{
	const struct sized_field derived[] = {
	    {at->tstate_datastack_limit + 8, at->tstate_size, SAMPLED_SIZE_MAX,
	     "thread_state.datastack_limit"},
	    {at->tstate_datastack_top, at->tstate_size, SAMPLED_SIZE_MAX,
	     "thread_state.datastack_top"},
	    {at->tstate_id, at->tstate_size, SAMPLED_SIZE_MAX, "thread_state.id"},
	    {at->runtime_interpreters_main + 8, at->runtime_size, STRUCTURE_SIZE_MAX,
	     "runtime_state.interpreters_main"},
	    {at->frame_localsplus, table->frame_localsplus * 2, SAMPLED_SIZE_MAX,
	     "interpreter_frame.localsplus"},
	    {at->code_code, table->code_code * 2, SAMPLED_SIZE_MAX, "code_object.co_code_adaptive"},
	};

	for (size_t i = 0; i < COUNT(derived); i++) {
		const struct sized_field *field = &derived[i];
		struct debug_word row = {.name = field->name};

		if (field->offset < 0 || field->offset > field->size || field->offset % 8 != 0 ||
		    (uint64_t)field->size > field->maximum)
			return refuse(err, &row, (uint64_t)field->offset,
				      "does not fit its structure");
	}
	return 0;
}

static int check_head(const struct debug_shape *shape, const uint8_t *image, size_t size,
		      struct err *err)
{
	uint32_t version_hex = 0;
	bool free_threaded = false;
	struct python_version version;
	char text[32];
	int code;

	if (shape == NULL || size < shape->size ||
	    !debug_offsets_head(image, size, &version_hex, &free_threaded)) {
		code = err_set(err, ERR_NOT_PYTHON,
			       "no table of offsets where the interpreter keeps its own");
		err_why(err, "%zu bytes read, no cookie \"%s\" or too short", size,
			DEBUG_OFFSETS_COOKIE);
		err_next(err, "try a CPython release between %s", layout_supported_versions());
		return code;
	}
	version = python_version_of(version_hex);
	python_version_text(&version, text, sizeof(text));
	if (free_threaded) {
		code = err_set(err, ERR_NOT_PYTHON, "a free-threaded CPython %s is not supported",
			       text);
		err_why(err, "_Py_DebugOffsets.free_threaded is set: objects and frames are laid "
			     "out differently");
		err_next(
		    err,
		    "run the program under the ordinary build: python%u.%u instead of python%u.%ut",
		    version.major, version.minor, version.major, version.minor);
		return code;
	}
	if (version.major != 3 || version.minor != shape->minor) {
		code = err_set(err, ERR_NOT_PYTHON,
			       "the interpreter calls itself CPython %s, not 3.%u", text,
			       shape->minor);
		err_next(err, "try another build of the interpreter");
		return code;
	}
	return 0;
}

int layout_apply_debug_offsets(struct layout *layout, const uint8_t *image, size_t size,
			       struct err *err)
{
	const struct debug_shape *shape = shape_of(layout);
	struct layout changed = *layout;
	int code = check_head(shape, image, size, err);

	if (code < 0)
		return code;
	changed.difference_count = 0;
	for (size_t i = 0; i < shape->count; i++) {
		const struct debug_word *row = &shape->words[i];
		int32_t *field = field_of(&changed.at, row);
		uint64_t value = 0;

		code = row_value(row, image, &value, err);
		if (code < 0)
			return code;
		if (row->kind == WORD_AT_LEAST) {
			if (value < (uint64_t)*field)
				return refuse(err, row, value, "smaller than what is read of it");
			continue;
		}
		if ((int32_t)value != *field)
			note_difference(&changed, row, *field, (int32_t)value);
		*field = (int32_t)value;
	}
	move_neighbours(&changed.at, &layout->at);
	code = check_whole(&changed.at, &layout->at, err);
	if (code < 0)
		return code;
	changed.version = python_version_of((uint32_t)word_at(image, VERSION_WORD));
	changed.from_debug_offsets = true;
	*layout = changed;
	return 0;
}
