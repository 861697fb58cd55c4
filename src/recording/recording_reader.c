/* Reads a .pyro file: see recording_reader.h. All in the file may be hostile: no
 * view, trigger or SQL of the file is run (a table must have the very text of
 * schema.c), every value's type and range is checked, rows refer only to earlier
 * ones, and ids must rise, so that a tree with a cycle ends. What does not hold is
 * left out, counted and said.
 */
#include "recording/recording_reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "profile/builder.h"
#include "recording/recording_bytes.h"
#include "recording/recording_source.h"
#include "recording/sample_block.h"
#include "recording/sample_sum.h"
#include "recording/schema.h"

#define SUMS_BEFORE_SUMMING ((size_t)1 << 18)
#define SUMS_MAX ((size_t)1 << 24)
#define SAMPLES_MAX ((uint64_t)1 << 27)

/* The id in the builder of each id of the file; 0 = not there. */
struct id_map {
	uint32_t *ids;
	size_t count, capacity;
};

struct reading {
	struct recording_source source;
	struct profile_builder *builder;
	struct recording_damage *damage;
	bool present[TABLE_COUNT];
	struct id_map strings, functions, frames, stacks, processes, threads;
	uint64_t rows_dropped;	  /* dictionary rows, threads, markers that can't be */
	uint64_t samples_dropped; /* their stack or thread is missing */
	uint64_t blocks_dropped;
	uint64_t timeline_count, aggregate_count; /* samples found in each */
	bool timeline_whole, aggregate_whole;
	bool corrupt; /* SQLite met a damaged page */
	struct profile_sample *sums;
	size_t sum_count, sum_capacity;
	struct sample_block_codec codec;
};

static void say(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct reading *reading, const char *format, ...)
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

static int no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "no memory to read the recording");
}

/* ---- values ---- */

static bool get_count(sqlite3_stmt *row, int column, uint64_t maximum, uint64_t *ret_value)
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

static bool get_u32(sqlite3_stmt *row, int column, uint32_t maximum, uint32_t *ret_value)
{
	uint64_t value;

	if (!get_count(row, column, maximum, &value))
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

static bool get_u16(sqlite3_stmt *row, int column, uint16_t *ret_value)
{
	uint32_t value;

	if (!get_u32(row, column, UINT16_MAX, &value))
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
	return get_count(row, column, INT64_MAX, ret_value);
}

/* The id that a row of the file refers to; 0 refers to none and is allowed when
 * `optional`. */
static bool get_reference(sqlite3_stmt *row, int column, const struct id_map *map, bool optional,
			  uint32_t *ret_id)
{
	uint64_t value;

	if (!get_count(row, column, UINT32_MAX, &value))
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

/* Text made safe: valid UTF-8, no control characters; NULL on no memory. */
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
		used += utf8_encode(character, (uint8_t *)copy + used);
		at += step;
	}
	copy[used] = '\0';
	return copy;
}

static char *get_text(sqlite3_stmt *row, int column)
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

/* ---- a walk over one table ---- */

/* One row. 0, or -ERR_FILE for a row that can't be (it is left out), or
 * -ERR_MEMORY, which ends the reading. */
typedef int row_fn(struct reading *, sqlite3_stmt *row, struct err *);

struct table_walk {
	enum recording_table table;
	const char *sql;
	bool by_id; /* column 0 is a rising id */
	row_fn *take;
};

/* Rows until the end or the first damaged page; *ret_whole tells which. */
static int walk(struct reading *reading, const struct table_walk *walk, bool *ret_whole,
		struct err *err)
{
	const char *name = recording_tables[walk->table].name;
	sqlite3_stmt *row = NULL;
	uint64_t last = 0, id;
	int code = 0, sqlite = SQLITE_CORRUPT;

	*ret_whole = false;
	if (!reading->present[walk->table])
		return 0;
	if (sqlite3_prepare_v2(reading->source.db, walk->sql, -1, &row, NULL) == SQLITE_OK) {
		while ((sqlite = sqlite3_step(row)) == SQLITE_ROW) {
			if (walk->by_id) {
				/* A row takes a byte of the file at the least. */
				if (!get_count(row, 0, reading->source.size_bytes, &id) ||
				    id <= last) {
					sqlite = SQLITE_CORRUPT;
					break;
				}
				last = id;
			}
			code = walk->take(reading, row, NULL);
			if (code == -ERR_MEMORY)
				break;
			if (code < 0)
				reading->rows_dropped++;
			code = 0;
		}
	}
	sqlite3_finalize(row);
	if (code == -ERR_MEMORY || (sqlite & 0xff) == SQLITE_NOMEM)
		return no_memory(err);
	*ret_whole = sqlite == SQLITE_DONE;
	if (!*ret_whole) {
		reading->corrupt = true;
		if ((sqlite & 0xff) == SQLITE_INTERRUPT)
			say(reading, "the table %s takes too long to read", name);
		else
			say(reading, "the table %s is readable only up to row %llu", name,
			    (unsigned long long)last);
	}
	return 0;
}

static uint64_t row_id(sqlite3_stmt *row)
{
	return (uint64_t)sqlite3_column_int64(row, 0);
}

static int take_string(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct string_id id;
	char *text;
	int code;

	if (sqlite3_column_type(row, 1) != SQLITE_TEXT)
		return -ERR_FILE;
	text = get_text(row, 1);
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
	if (!get_u32(row, 3, UINT32_MAX, &function.first_line))
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
	    !get_u32(row, 2, UINT32_MAX, &frame.line) ||
	    !get_u32(row, 3, UINT32_MAX, &frame.end_line) || !get_u16(row, 4, &frame.column) ||
	    !get_u16(row, 5, &frame.end_column) || !get_u32(row, 6, UINT8_MAX, &kind))
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

	if (!get_u32(row, 1, UINT32_MAX, &process.pid) ||
	    !get_u32(row, 2, UINT32_MAX, &process.parent_pid) ||
	    !get_count(row, 5, INT64_MAX, &process.start_ns) ||
	    !get_count(row, 6, INT64_MAX, &process.end_ns) ||
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
	    !get_count(row, 2, INT64_MAX, &thread.tid) || !get_u32(row, 4, 1, &is_main) ||
	    !get_count(row, 5, INT64_MAX, &thread.start_ns) ||
	    !get_count(row, 6, INT64_MAX, &thread.end_ns) ||
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

	if (!get_count(row, 1, INT64_MAX, &marker.start_ns) ||
	    !get_count(row, 2, INT64_MAX, &marker.end_ns) ||
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
		text = get_text(row, 1);                                                           \
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

/* ---- samples ---- */

static int keep_sum(struct reading *reading, const struct profile_sample *sample)
{
	void *items = reading->sums;
	int code;

	if (reading->sum_count >= SUMS_BEFORE_SUMMING &&
	    reading->sum_count >= reading->sum_capacity)
		reading->sum_count = sample_sum(reading->sums, reading->sum_count);
	code = grow_array(&items, &reading->sum_capacity, reading->sum_count + 1,
			  sizeof(*reading->sums), SUMS_MAX);
	reading->sums = items;
	if (code == 0)
		reading->sums[reading->sum_count++] = *sample;
	return code;
}

/* Ids of the file to ids of the builder; false when they are not there. */
static bool translate(const struct reading *reading, struct profile_sample *sample)
{
	if (sample->thread.v >= reading->threads.count || !reading->threads.ids[sample->thread.v])
		return false;
	sample->thread.v = reading->threads.ids[sample->thread.v];
	if (sample->stack.v == 0)
		return true;
	if (sample->stack.v >= reading->stacks.count || !reading->stacks.ids[sample->stack.v])
		return false;
	sample->stack.v = reading->stacks.ids[sample->stack.v];
	return true;
}

static int take_aggregate(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct profile_sample sample = {0};
	uint64_t count;
	uint32_t state, flags;

	(void)err;
	if (!get_u32(row, 0, UINT32_MAX, &sample.thread.v) ||
	    !get_u32(row, 1, UINT32_MAX, &sample.stack.v) ||
	    !get_u32(row, 2, STATE_COUNT - 1, &state) || !get_u32(row, 3, UINT8_MAX, &flags) ||
	    !get_count(row, 4, INT64_MAX, &count) || count == 0 ||
	    !get_count(row, 5, INT64_MAX, &sample.weight_ns))
		return -ERR_FILE;
	sample.state = (uint8_t)state;
	sample.flags = (uint8_t)flags;
	sample.count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
	if (!translate(reading, &sample)) {
		reading->samples_dropped += sample.count;
		return 0;
	}
	reading->aggregate_count += sample.count;
	return keep_sum(reading, &sample);
}

enum block_use { BLOCKS_TO_TIMELINE, BLOCKS_TO_SUMS };

static int take_block(struct reading *reading, sqlite3_stmt *row, enum block_use use)
{
	const void *data = sqlite3_column_blob(row, 1);
	size_t size = (size_t)sqlite3_column_bytes(row, 1);
	int code;

	if (sqlite3_column_type(row, 1) != SQLITE_BLOB || !data)
		code = -ERR_FILE;
	else
		code = sample_block_decode(&reading->codec, data, size, NULL);
	if (code == -ERR_MEMORY)
		return code;
	if (code < 0) {
		reading->blocks_dropped++;
		return 0;
	}
	for (size_t i = 0; i < reading->codec.sample_count; i++) {
		struct profile_sample sample = reading->codec.samples[i];

		if (!translate(reading, &sample)) {
			reading->samples_dropped += sample.count;
			continue;
		}
		if (reading->timeline_count >= SAMPLES_MAX)
			return -ERR_FILE;
		reading->timeline_count += sample.count;
		code = use == BLOCKS_TO_SUMS
			   ? keep_sum(reading, &sample)
			   : profile_builder_add_sample(reading->builder, &sample, NULL);
		if (code < 0)
			return code;
	}
	return 0;
}

static int take_block_to_timeline(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	(void)err;
	return take_block(reading, row, BLOCKS_TO_TIMELINE);
}

static int take_block_to_sums(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	(void)err;
	return take_block(reading, row, BLOCKS_TO_SUMS);
}

static const struct table_walk blocks_to_timeline = {
    TABLE_SAMPLE_BLOCK, "SELECT id, data FROM sample_block ORDER BY id", true,
    take_block_to_timeline};
static const struct table_walk blocks_to_sums = {
    TABLE_SAMPLE_BLOCK, "SELECT id, data FROM sample_block ORDER BY id", true, take_block_to_sums};
static const struct table_walk aggregates = {
    TABLE_AGGREGATE, "SELECT thread, stack, state, flags, count, weight_ns FROM aggregate", false,
    take_aggregate};

/* Only how many there are: to say what a damaged time line has lost. */
static int count_aggregate(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	uint64_t count;

	(void)err;
	if (!get_count(row, 0, UINT32_MAX, &count))
		return -ERR_FILE;
	reading->aggregate_count += count;
	return 0;
}

static const struct table_walk aggregate_counts = { TABLE_AGGREGATE, "SELECT count FROM aggregate",
						    false, count_aggregate };

static int flush_sums(struct reading *reading, struct err *err)
{
	reading->sum_count = sample_sum(reading->sums, reading->sum_count);
	for (size_t i = 0; i < reading->sum_count; i++) {
		int code = profile_builder_add_sample(reading->builder, &reading->sums[i], err);

		if (code < 0)
			return code;
	}
	return 0;
}

/* Sums: from the table, or from the time line when that has kept more. */
static int read_aggregated(struct reading *reading, struct err *err)
{
	uint64_t dropped = reading->samples_dropped;
	int code = walk(reading, &aggregates, &reading->aggregate_whole, err);

	profile_builder_meta(reading->builder)->aggregated = true;
	if (code == 0 && !reading->aggregate_whole) {
		struct profile_sample *kept = reading->sums;
		size_t kept_count = reading->sum_count, kept_capacity = reading->sum_capacity;

		reading->sums = NULL;
		reading->sum_count = reading->sum_capacity = 0;
		reading->samples_dropped = 0;
		code = walk(reading, &blocks_to_sums, &reading->timeline_whole, err);
		if (reading->timeline_count < reading->aggregate_count) {
			mem_free(reading->sums);
			reading->sums = kept;
			reading->sum_count = kept_count;
			reading->sum_capacity = kept_capacity;
			reading->samples_dropped = dropped;
		} else {
			mem_free(kept);
			say(reading, "sums were made from the time line");
		}
	}
	return code < 0 ? code : flush_sums(reading, err);
}

/* ---- the whole ---- */

static const struct table_walk dictionary[] = {
    {TABLE_META, "SELECT key, value FROM meta LIMIT 1000", false, take_meta},
    {TABLE_STRING, "SELECT id, text FROM string ORDER BY id", true, take_string},
    {TABLE_FUNCTION, "SELECT id, name, file, first_line FROM function ORDER BY id", true,
     take_function},
    {TABLE_FRAME,
     "SELECT id, function, line, end_line, start_column, end_column, kind FROM frame ORDER BY id",
     true, take_frame},
    {TABLE_STACK, "SELECT id, parent, frame FROM stack ORDER BY id", true, take_stack},
    {TABLE_PROCESS,
     "SELECT id, pid, parent_pid, command, python, start_ns, end_ns, cpu_ns, peak_rss_bytes "
     "FROM process ORDER BY id",
     true, take_process},
    {TABLE_THREAD,
     "SELECT id, process, tid, name, is_main, start_ns, end_ns, on_cpu_ns, runqueue_ns "
     "FROM thread ORDER BY id",
     true, take_thread},
    {TABLE_MARKER, "SELECT id, start_ns, end_ns, thread, name, data FROM marker ORDER BY id", true,
     take_marker},
};

static int user_version(struct reading *reading)
{
	sqlite3_stmt *row = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(reading->source.db, "PRAGMA user_version", -1, &row, NULL) ==
		SQLITE_OK &&
	    sqlite3_step(row) == SQLITE_ROW)
		version = sqlite3_column_int(row, 0);
	sqlite3_finalize(row);
	return version;
}

/* The version of Pyrometer that wrote the file, as far as it can be read. */
static void find_writer(struct reading *reading, char *text, size_t size)
{
	sqlite3_stmt *row = NULL;
	char *version = NULL;

	snprintf(text, size, "an unknown version");
	if (reading->present[TABLE_META] &&
	    sqlite3_prepare_v2(reading->source.db,
			       "SELECT value FROM meta WHERE key = 'pyrometer_version'", -1, &row,
			       NULL) == SQLITE_OK &&
	    sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) == SQLITE_TEXT)
		version = get_text(row, 0);
	if (version)
		snprintf(text, size, "Pyrometer %.40s", version);
	mem_free(version);
	sqlite3_finalize(row);
}

/* Which tables are there with the very text of the schema. */
static void find_tables(struct reading *reading)
{
	sqlite3_stmt *row = NULL;

	memset(reading->present, 0, sizeof(reading->present));
	for (int i = 0; i < TABLE_COUNT; i++) {
		if (sqlite3_prepare_v2(reading->source.db,
				       "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND "
				       "name = ?1 AND tbl_name = ?1 AND sql = ?2 AND rootpage > 1",
				       -1, &row, NULL) == SQLITE_OK) {
			sqlite3_bind_text(row, 1, recording_tables[i].name, -1, SQLITE_STATIC);
			sqlite3_bind_text(row, 2, recording_tables[i].create, -1, SQLITE_STATIC);
			reading->present[i] = sqlite3_step(row) == SQLITE_ROW;
		}
		sqlite3_finalize(row);
		row = NULL;
	}
}

static int check_schema(struct reading *reading, const char *path, struct err *err)
{
	int version = user_version(reading);
	char writer[64];

	find_tables(reading);
	if (version > RECORDING_USER_VERSION) {
		find_writer(reading, writer, sizeof(writer));
		err_set(err, ERR_FILE, "can't read %s: a newer version of Pyrometer wrote it",
			path);
		err_why(
		    err,
		    "its schema is %d, written by %s; this is Pyrometer %s, which reads up to %d",
		    version, writer, PYROMETER_VERSION, RECORDING_USER_VERSION);
		err_next(err, "upgrade: pip install --upgrade pyrometer");
		return -ERR_FILE;
	}
	if (version < 1 || !reading->present[TABLE_META]) {
		err_set(err, ERR_FILE, "can't read %s as a recording", path);
		err_why(err,
			version < 1 ? "its schema is %d, which never was"
				    : "schema %d, but its table meta is not a recording's",
			version);
		err_next(err, "record again; the file is left as it was");
		return -ERR_FILE;
	}
	for (int i = 0; i < TABLE_COUNT; i++) {
		if (!reading->present[i])
			say(reading, "the table %s is missing or not a recording's",
			    recording_tables[i].name);
	}
	return 0;
}

static void sum_up_damage(struct reading *reading, enum recording_detail detail)
{
	struct recording_damage *damage = reading->damage;
	uint64_t dropped = profile_builder_meta(reading->builder)->timeline_dropped;
	char found[sizeof(damage->text)];

	if (reading->rows_dropped)
		say(reading, "%llu rows can't be right and were left out",
		    (unsigned long long)reading->rows_dropped);
	if (reading->blocks_dropped)
		say(reading, "%llu blocks of samples are damaged",
		    (unsigned long long)reading->blocks_dropped);
	if (reading->samples_dropped)
		say(reading, "the stack or thread of %llu samples is missing",
		    (unsigned long long)reading->samples_dropped);
	if (reading->source.damaged) {
		memcpy(found, damage->text, sizeof(found));
		if (reading->source.bytes_missing)
			snprintf(damage->text, sizeof(damage->text),
				 "its last %llu bytes are missing%s%.400s",
				 (unsigned long long)reading->source.bytes_missing,
				 *found ? "; " : "", found);
		else if (!*found)
			say(reading, "it is damaged, but all that was asked for is readable");
	}
	if (!*damage->text)
		return;
	damage->samples_lost = UINT64_MAX;
	if (reading->samples_dropped && !reading->corrupt && !reading->blocks_dropped)
		damage->samples_lost = reading->samples_dropped;
	if (detail == RECORDING_AGGREGATED && reading->aggregate_whole)
		damage->samples_lost = reading->samples_dropped;
	if (detail == RECORDING_TIMELINE && reading->aggregate_whole &&
	    reading->aggregate_count >= reading->timeline_count + dropped)
		damage->samples_lost = reading->aggregate_count - reading->timeline_count - dropped;
}

static int read_all(struct reading *reading, const char *path, enum recording_detail detail,
		    struct err *err)
{
	bool whole;
	int code = check_schema(reading, path, err);

	for (size_t i = 0; code == 0 && i < sizeof(dictionary) / sizeof(dictionary[0]); i++) {
		enum recording_table table = dictionary[i].table;

		if (detail == RECORDING_META && (table == TABLE_FUNCTION || table == TABLE_FRAME ||
						 table == TABLE_STACK || table == TABLE_MARKER))
			continue;
		code = walk(reading, &dictionary[i], &whole, err);
	}
	if (code == 0 && detail == RECORDING_AGGREGATED)
		code = read_aggregated(reading, err);
	if (code == 0 && detail == RECORDING_TIMELINE)
		code = walk(reading, &blocks_to_timeline, &reading->timeline_whole, err);
	if (code == 0 && detail == RECORDING_TIMELINE &&
	    (*reading->damage->text || reading->blocks_dropped || reading->samples_dropped ||
	     reading->source.damaged))
		code = walk(reading, &aggregate_counts, &reading->aggregate_whole, err);
	return code;
}

static int start(struct reading *reading)
{
	struct recording_source source = reading->source;
	struct recording_damage *damage = reading->damage;

	memset(reading, 0, sizeof(*reading));
	reading->source = source;
	reading->damage = damage;
	memset(damage, 0, sizeof(*damage));
	sample_block_init(&reading->codec);
	reading->builder = profile_builder_new();
	return reading->builder ? 0 : -ERR_MEMORY;
}

static void clear(struct reading *reading)
{
	mem_free(reading->strings.ids);
	mem_free(reading->functions.ids);
	mem_free(reading->frames.ids);
	mem_free(reading->stacks.ids);
	mem_free(reading->processes.ids);
	mem_free(reading->threads.ids);
	mem_free(reading->sums);
	sample_block_release(&reading->codec);
	profile_builder_free(reading->builder);
	reading->builder = NULL;
}

static int finish(struct reading *reading, enum recording_detail detail,
		  struct profile **ret_profile, struct err *err)
{
	struct profile *profile;

	sum_up_damage(reading, detail);
	profile = profile_builder_freeze(reading->builder);
	reading->builder = NULL;
	if (!profile)
		return no_memory(err);
	*ret_profile = profile;
	return 0;
}

int recording_read(const char *path, enum recording_detail detail, struct profile **ret_profile,
		   struct recording_damage *ret_damage, struct err *err)
{
	struct recording_damage unused;
	struct reading reading = {.damage = ret_damage ? ret_damage : &unused};
	int code = recording_source_open(&reading.source, path, err);

	if (code < 0)
		return code;
	code = start(&reading) < 0 ? no_memory(err) : read_all(&reading, path, detail, err);
	if (code == 0)
		code = finish(&reading, detail, ret_profile, err);
	clear(&reading);
	recording_source_release(&reading.source);
	return code;
}

int recording_read_bytes(const void *bytes, size_t size, enum recording_detail detail,
			 struct profile **ret_profile, struct recording_damage *ret_damage,
			 struct err *err)
{
	struct recording_damage unused;
	struct reading reading = {.damage = ret_damage ? ret_damage : &unused};
	int code = recording_source_open_bytes(&reading.source, bytes, size, "(memory)", err);

	if (code < 0)
		return code;
	code = start(&reading) < 0 ? no_memory(err) : read_all(&reading, "(memory)", detail, err);
	if (code == 0)
		code = finish(&reading, detail, ret_profile, err);
	clear(&reading);
	recording_source_release(&reading.source);
	return code;
}
