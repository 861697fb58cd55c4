/* Rows of a recording that may be hostile: their values checked one by one, a walk over a table
 * that ends, and the rows of all tables but those of samples taken into the builder. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "recording/recording_reading.h"

void reading_say(struct reading *reading, const char *format, ...)
{
	char *text = reading->damage->text;
	size_t used = strlen(text), room = sizeof(reading->damage->text) - used;
	va_list arguments;
	int size;

	if (used && room > 3) {
		memcpy(text + used, "; ", 3);
		used += 2;
		room -= 2;
	}
	va_start(arguments, format);
	size = vsnprintf(text + used, room, format, arguments);
	va_end(arguments);
	if (size < 0)
		text[used] = '\0';
}

int reading_no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "no memory to read the recording");
}

/* ---- values ---- */

bool row_get_count(sqlite3_stmt *row, int column, uint64_t maximum, uint64_t *ret_value)
{
	sqlite3_int64 value;

	if (sqlite3_column_type(row, column) != SQLITE_INTEGER)
		return false;
	value = sqlite3_column_int64(row, column);
	if (value < 0 || (uint64_t)value > maximum)
		return false;
	*ret_value = (uint64_t)value;
	return true;
}

bool row_get_u32(sqlite3_stmt *row, int column, uint32_t maximum, uint32_t *ret_value)
{
	uint64_t value;

	if (!row_get_count(row, column, maximum, &value))
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

static bool get_u16(sqlite3_stmt *row, int column, uint16_t *ret_value)
{
	uint32_t value;

	if (!row_get_u32(row, column, UINT16_MAX, &value))
		return false;
	*ret_value = (uint16_t)value;
	return true;
}

static bool get_count_or_unknown(sqlite3_stmt *row, int column, uint64_t *ret_value)
{
	if (sqlite3_column_type(row, column) == SQLITE_NULL) {
		*ret_value = UINT64_MAX;
		return true;
	}
	return row_get_count(row, column, INT64_MAX, ret_value);
}

/* The id that a row of the file refers to; 0 refers to none and is allowed when
 * `optional`. */
static bool get_reference(sqlite3_stmt *row, int column, const struct id_map *map, bool optional,
			  uint32_t *ret_id)
{
	uint64_t value;

	if (!row_get_count(row, column, UINT32_MAX, &value))
		return false;
	if (value == 0) {
		*ret_id = 0;
		return optional;
	}
	if (value >= map->count || map->ids[value] == 0)
		return false;
	*ret_id = map->ids[value];
	return true;
}

static char *copy_safe(const char *text, size_t size)
{
	size_t at = 0, used = 0;
	char *copy = mem_alloc(size * 3 + 1); /* U+FFFD takes three bytes */

	if (!copy)
		return NULL;
	while (at < size && text[at] != '\0') {
		uint32_t character;
		size_t step = utf8_decode((const uint8_t *)text + at, size - at, &character);

		if (character == UTF8_INVALID)
			character = 0xfffd;
		if (character < 0x20 || character == 0x7f)
			character = '?';
		used += utf8_put(character, (uint8_t *)copy + used);
		at += step;
	}
	copy[used] = '\0';
	return copy;
}

char *row_get_text(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return copy_safe(text ? text : "", text ? (size_t)sqlite3_column_bytes(row, column) : 0);
}

static int map_put(struct id_map *map, uint64_t id, uint32_t value)
{
	void *items = map->ids;
	int code = grow_array(&items, &map->capacity, id + 1, sizeof(*map->ids), SIZE_MAX / 8);

	map->ids = items;
	if (code < 0)
		return code;
	memset(map->ids + map->count, 0, (id + 1 - map->count) * sizeof(*map->ids));
	map->ids[id] = value;
	map->count = id + 1;
	return 0;
}

static uint64_t row_id(sqlite3_stmt *row)
{
	return (uint64_t)sqlite3_column_int64(row, 0);
}

/* ---- one row of each table ---- */

static int take_string(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct string_id id;
	char *text;
	int code;

	if (sqlite3_column_type(row, 1) != SQLITE_TEXT)
		return -ERR_FILE;
	text = row_get_text(row, 1);
	if (!text)
		return -ERR_MEMORY;
	code = profile_builder_string(reading->builder, text, strlen(text), &id, err);
	mem_free(text);
	return code < 0 ? code : map_put(&reading->strings, row_id(row), id.v);
}

static int take_function(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct profile_function function = {0};
	struct function_id id;
	int code;

	/* A name that was lost with its page costs the name, not the function. */
	if (!get_reference(row, 1, &reading->strings, true, &function.name.v))
		reading->rows_dropped++;
	if (!get_reference(row, 2, &reading->strings, true, &function.file.v))
		reading->rows_dropped++;
	if (!row_get_u32(row, 3, UINT32_MAX, &function.first_line))
		return -ERR_FILE;
	code = profile_builder_function(reading->builder, &function, &id, err);
	return code < 0 ? code : map_put(&reading->functions, row_id(row), id.v);
}

static int take_frame(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct profile_frame frame = {0};
	struct frame_id id;
	uint32_t kind;
	int code;

	if (!get_reference(row, 1, &reading->functions, false, &frame.function.v) ||
	    !row_get_u32(row, 2, UINT32_MAX, &frame.line) ||
	    !row_get_u32(row, 3, UINT32_MAX, &frame.end_line) || !get_u16(row, 4, &frame.column) ||
	    !get_u16(row, 5, &frame.end_column) || !row_get_u32(row, 6, UINT8_MAX, &kind))
		return -ERR_FILE;
	frame.kind = (uint8_t)kind;
	code = profile_builder_frame(reading->builder, &frame, &id, err);
	return code < 0 ? code : map_put(&reading->frames, row_id(row), id.v);
}

static int take_stack(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct stack_id parent, id;
	struct frame_id frame;
	int code;

	/* The map holds only rows before this one: a parent is always an earlier stack. */
	if (!get_reference(row, 1, &reading->stacks, true, &parent.v) ||
	    !get_reference(row, 2, &reading->frames, false, &frame.v))
		return -ERR_FILE;
	code = profile_builder_stack(reading->builder, parent, frame, &id, err);
	return code < 0 ? code : map_put(&reading->stacks, row_id(row), id.v);
}

static int take_process(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct profile_process process = {0};
	struct process_id id;
	int code;

	if (!row_get_u32(row, 1, UINT32_MAX, &process.pid) ||
	    !row_get_u32(row, 2, UINT32_MAX, &process.parent_pid) ||
	    !row_get_count(row, 5, INT64_MAX, &process.start_ns) ||
	    !row_get_count(row, 6, INT64_MAX, &process.end_ns) ||
	    !get_count_or_unknown(row, 7, &process.cpu_ns) ||
	    !get_count_or_unknown(row, 8, &process.peak_rss_bytes))
		return -ERR_FILE;
	if (!get_reference(row, 3, &reading->strings, true, &process.command.v) ||
	    !get_reference(row, 4, &reading->strings, true, &process.python.v))
		reading->rows_dropped++;
	code = profile_builder_add_process(reading->builder, &process, &id, err);
	return code < 0 ? code : map_put(&reading->processes, row_id(row), id.v);
}

static int take_thread(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct profile_thread thread = {0};
	struct thread_id id;
	uint32_t is_main;
	int code;

	if (!get_reference(row, 1, &reading->processes, false, &thread.process.v) ||
	    !row_get_count(row, 2, INT64_MAX, &thread.tid) || !row_get_u32(row, 4, 1, &is_main) ||
	    !row_get_count(row, 5, INT64_MAX, &thread.start_ns) ||
	    !row_get_count(row, 6, INT64_MAX, &thread.end_ns) ||
	    !get_count_or_unknown(row, 7, &thread.on_cpu_ns) ||
	    !get_count_or_unknown(row, 8, &thread.runqueue_ns))
		return -ERR_FILE;
	if (!get_reference(row, 3, &reading->strings, true, &thread.name.v))
		reading->rows_dropped++;
	thread.is_main = is_main;
	code = profile_builder_add_thread(reading->builder, &thread, &id, err);
	return code < 0 ? code : map_put(&reading->threads, row_id(row), id.v);
}

static int take_marker(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct profile_marker marker = {0};

	if (!row_get_count(row, 1, INT64_MAX, &marker.start_ns) ||
	    !row_get_count(row, 2, INT64_MAX, &marker.end_ns) ||
	    !get_reference(row, 3, &reading->threads, true, &marker.thread.v) ||
	    !get_reference(row, 4, &reading->strings, true, &marker.name.v) ||
	    !get_reference(row, 5, &reading->strings, true, &marker.data.v))
		return -ERR_FILE;
	return profile_builder_add_marker(reading->builder, &marker, err);
}

/* Sets one field of meta from its row; false when the value can't be. */
static bool set_meta(struct profile_meta *meta, const char *key, sqlite3_stmt *row,
		     bool *ret_memory)
{
	double number;

#define META_TEXT(field)                                                                           \
	if (strcmp(key, #field) == 0) {                                                            \
		char *text = NULL;                                                                 \
		if (sqlite3_column_type(row, 1) == SQLITE_NULL)                                    \
			return true;                                                               \
		if (sqlite3_column_type(row, 1) != SQLITE_TEXT)                                    \
			return false;                                                              \
		text = row_get_text(row, 1);                                                       \
		mem_free(meta->field);                                                             \
		meta->field = text;                                                                \
		*ret_memory = text != NULL;                                                        \
		return true;                                                                       \
	}
#define META_COUNT(field)                                                                          \
	if (strcmp(key, #field) == 0)                                                              \
		return get_count_or_unknown(row, 1, &meta->field);
#define META_NUMBER(field)                                                                         \
	if (strcmp(key, #field) == 0) {                                                            \
		if (sqlite3_column_type(row, 1) == SQLITE_NULL) {                                  \
			meta->field = NAN;                                                         \
			return true;                                                               \
		}                                                                                  \
		number = sqlite3_column_double(row, 1);                                            \
		if (!isfinite(number) || number < 0)                                               \
			return false;                                                              \
		meta->field = number;                                                              \
		return true;                                                                       \
	}
#define META_SMALL(field, type, minimum, maximum)                                                  \
	if (strcmp(key, #field) == 0) {                                                            \
		sqlite3_int64 value = sqlite3_column_int64(row, 1);                                \
		if (sqlite3_column_type(row, 1) != SQLITE_INTEGER || value < (minimum) ||          \
		    value > (maximum))                                                             \
			return false;                                                              \
		meta->field = (type)value;                                                         \
		return true;                                                                       \
	}
#include "recording/meta_fields.def"
#undef META_TEXT
#undef META_COUNT
#undef META_NUMBER
#undef META_SMALL
	return true; /* a key of a later writer */
}

static int take_meta(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	const char *key = (const char *)sqlite3_column_text(row, 0);
	bool memory = true;

	(void)err;
	if (!key || !set_meta(profile_builder_meta(reading->builder), key, row, &memory))
		return -ERR_FILE;
	return memory ? 0 : -ERR_MEMORY;
}

static const struct table_walk dictionary[] = {
    {TABLE_META, "SELECT key, value FROM meta LIMIT 1000", false, take_meta},
    {TABLE_STRING, "SELECT id, text FROM string " READING_BY_ID, true, take_string},
    {TABLE_FUNCTION, "SELECT id, name, file, first_line FROM function " READING_BY_ID, true,
     take_function},
    {TABLE_FRAME,
     "SELECT id, function, line, end_line, start_column, end_column, kind FROM "
     "frame " READING_BY_ID,
     true, take_frame},
    {TABLE_STACK, "SELECT id, parent, frame FROM stack " READING_BY_ID, true, take_stack},
    {TABLE_PROCESS,
     "SELECT id, pid, parent_pid, command, python, start_ns, end_ns, cpu_ns, peak_rss_bytes "
     "FROM process " READING_BY_ID,
     true, take_process},
    {TABLE_THREAD,
     "SELECT id, process, tid, name, is_main, start_ns, end_ns, on_cpu_ns, runqueue_ns "
     "FROM thread " READING_BY_ID,
     true, take_thread},
    {TABLE_MARKER, "SELECT id, start_ns, end_ns, thread, name, data FROM marker " READING_BY_ID,
     true, take_marker},
};

int reading_dictionary(struct reading *reading, enum recording_detail detail, struct err *err)
{
	bool whole;
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof(dictionary) / sizeof(dictionary[0]); i++) {
		enum recording_table table = dictionary[i].table;

		if (detail == RECORDING_META && (table == TABLE_FUNCTION || table == TABLE_FRAME ||
						 table == TABLE_STACK || table == TABLE_MARKER))
			continue;
		code = reading_walk(reading, &dictionary[i], &whole, err);
	}
	return code;
}
