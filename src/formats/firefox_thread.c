/* A thread's tables for the Firefox profiler: see firefox_thread.h. */
#include "formats/firefox_thread.h"

#include <string.h>

#include "base/err.h"
#include "formats/format_support.h"

/* A string that no profile has, for the function of samples with no stack. */
#define NO_STACK_STRING UINT32_MAX

static const uint8_t categories[STATE_COUNT] = {
    [STATE_UNKNOWN] = CATEGORY_OTHER,	  [STATE_ON_CPU] = CATEGORY_PYTHON,
    [STATE_RUNQUEUE] = CATEGORY_RUNQUEUE, [STATE_BLOCKED] = CATEGORY_BLOCKED,
    [STATE_GIL_WAIT] = CATEGORY_GIL_WAIT, [STATE_GC] = CATEGORY_GC,
};

uint8_t firefox_category_of_state(uint8_t state)
{
	return categories[state < STATE_COUNT ? state : STATE_UNKNOWN];
}

void firefox_thread_init(struct firefox_thread *thread, const struct profile *profile)
{
	memset(thread, 0, sizeof(*thread));
	thread->profile = profile;
	u64_map_init(&thread->string_rows, 0);
	u64_map_init(&thread->function_rows, 0);
	u64_map_init(&thread->frame_rows, 0);
	u64_map_init(&thread->stack_rows, 0);
}

void firefox_thread_release(struct firefox_thread *thread)
{
	struct column *columns[] = {
	    &thread->strings,	      &thread->functions,	 &thread->frame_ids,
	    &thread->frame_functions, &thread->frame_categories, &thread->stack_prefixes,
	    &thread->stack_frames,    &thread->stack_categories, &thread->sample_stacks,
	    &thread->marker_rows,
	};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		mem_free(columns[i]->items);
	u64_map_release(&thread->string_rows);
	u64_map_release(&thread->function_rows);
	u64_map_release(&thread->frame_rows);
	u64_map_release(&thread->stack_rows);
	memset(thread, 0, sizeof(*thread));
}

/* Returns the row of the value added; on failure the thread is failed. */
static uint32_t column_add(struct firefox_thread *thread, struct column *column, uint32_t value)
{
	void *items = column->items;

	if (grow_array(&items, &column->capacity, column->count + 1, sizeof(uint32_t),
		       UINT32_MAX - 1) != 0) {
		thread->failed = true;
		return 0;
	}
	column->items = items;
	column->items[column->count] = value;
	return (uint32_t)column->count++;
}

/* The row known under a key, or the one to come, `next`, which is then known. */
static bool row_known(struct firefox_thread *thread, struct u64_map *map, uint64_t key, size_t next,
		      uint32_t *ret_row)
{
	uint64_t row;

	if (u64_map_get(map, key, &row)) {
		*ret_row = (uint32_t)row;
		return true;
	}
	*ret_row = (uint32_t)next;
	if (u64_map_put(map, key, next) != 0)
		thread->failed = true;
	return false;
}

uint32_t firefox_thread_string(struct firefox_thread *thread, struct string_id string)
{
	uint32_t row;

	if (!row_known(thread, &thread->string_rows, string.v, thread->strings.count, &row))
		column_add(thread, &thread->strings, string.v);
	return row;
}

static uint32_t add_function(struct firefox_thread *thread, uint32_t function)
{
	uint32_t row;

	if (!row_known(thread, &thread->function_rows, function, thread->functions.count, &row))
		column_add(thread, &thread->functions, function);
	return row;
}

static uint32_t add_frame(struct firefox_thread *thread, uint32_t frame, uint8_t category)
{
	uint64_t key = (uint64_t)frame * CATEGORY_COUNT + category;
	uint32_t row;

	if (row_known(thread, &thread->frame_rows, key, thread->frame_ids.count, &row))
		return row;
	uint32_t function = frame ? thread->profile->frames[frame].function.v : 0;
	column_add(thread, &thread->frame_ids, frame);
	column_add(thread, &thread->frame_functions, add_function(thread, function));
	column_add(thread, &thread->frame_categories, category);
	return row;
}

static uint64_t stack_key(uint32_t stack, uint8_t category)
{
	return (uint64_t)stack * CATEGORY_COUNT + category;
}

static uint32_t add_stack_row(struct firefox_thread *thread, uint32_t prefix, uint32_t frame,
			      uint8_t category)
{
	column_add(thread, &thread->stack_frames, add_frame(thread, frame, category));
	column_add(thread, &thread->stack_categories, category);
	return column_add(thread, &thread->stack_prefixes, prefix);
}

/* The row of a caller's stack: callers are Python's whatever the leaf does. Of a
 * chain that is not there yet the number of rows is found first; then they are
 * made for the root end first, and filled on a second walk from below. */
static uint32_t add_callers(struct firefox_thread *thread, uint32_t stack)
{
	const struct profile_stack *stacks = thread->profile->stacks;
	size_t first = thread->stack_prefixes.count, missing = 0;
	uint64_t above = FIREFOX_NONE;

	for (uint32_t at = stack; at != 0; at = stacks[at].parent.v) {
		if (u64_map_get(&thread->stack_rows, stack_key(at, CATEGORY_PYTHON), &above))
			break;
		missing++;
	}
	for (size_t i = 0; i < missing; i++) {
		column_add(thread, &thread->stack_prefixes,
			   i == 0 ? (uint32_t)above : (uint32_t)(first + i - 1));
		column_add(thread, &thread->stack_frames, 0);
		column_add(thread, &thread->stack_categories, CATEGORY_PYTHON);
	}
	for (size_t i = missing; i-- > 0 && !thread->failed; stack = stacks[stack].parent.v) {
		thread->stack_frames.items[first + i] =
		    add_frame(thread, stacks[stack].frame.v, CATEGORY_PYTHON);
		if (u64_map_put(&thread->stack_rows, stack_key(stack, CATEGORY_PYTHON),
				first + i) != 0)
			thread->failed = true;
	}
	return missing == 0 ? (uint32_t)above : (uint32_t)(first + missing - 1);
}

void firefox_thread_add_sample(struct firefox_thread *thread, const struct profile_sample *sample)
{
	uint8_t category = firefox_category_of_state(sample->state);
	uint64_t key = stack_key(sample->stack.v, category), row;

	if (!u64_map_get(&thread->stack_rows, key, &row)) {
		const struct profile_stack *stack = &thread->profile->stacks[sample->stack.v];
		uint32_t prefix = FIREFOX_NONE;
		if (sample->stack.v != 0)
			prefix = add_callers(thread, stack->parent.v);
		row = add_stack_row(thread, prefix, sample->stack.v ? stack->frame.v : 0, category);
		if (u64_map_put(&thread->stack_rows, key, row) != 0)
			thread->failed = true;
	}
	column_add(thread, &thread->sample_stacks, (uint32_t)row);
}

void firefox_thread_add_marker(struct firefox_thread *thread, size_t marker_row)
{
	const struct profile_marker *marker = &thread->profile->markers[marker_row];

	column_add(thread, &thread->marker_rows, (uint32_t)marker_row);
	firefox_thread_string(thread, marker->name);
}

static void write_length(struct json_writer *json, size_t length)
{
	json_key(json, "length");
	json_unsigned(json, length);
}

static void write_column(struct json_writer *json, const char *name, const struct column *column)
{
	json_key(json, name);
	json_array_begin(json);
	for (size_t i = 0; i < column->count; i++) {
		if (column->items[i] == FIREFOX_NONE)
			json_absent(json);
		else
			json_unsigned(json, column->items[i]);
	}
	json_array_end(json);
}

/* A column of one value throughout: an integer, or null. */
static void write_constant(struct json_writer *json, const char *name, size_t count, bool is_null,
			   int64_t value)
{
	json_key(json, name);
	json_array_begin(json);
	for (size_t i = 0; i < count; i++) {
		if (is_null)
			json_absent(json);
		else
			json_signed(json, value);
	}
	json_array_end(json);
}

static void write_known(struct json_writer *json, uint32_t value)
{
	if (value == 0)
		json_absent(json);
	else
		json_unsigned(json, value);
}

static void write_frames(struct firefox_thread *thread, struct json_writer *json)
{
	size_t count = thread->frame_ids.count;

	json_key(json, "frameTable");
	json_object_begin(json);
	write_length(json, count);
	write_constant(json, "address", count, false, -1);
	write_constant(json, "inlineDepth", count, false, 0);
	write_column(json, "category", &thread->frame_categories);
	write_constant(json, "subcategory", count, false, 0);
	write_column(json, "func", &thread->frame_functions);
	write_constant(json, "nativeSymbol", count, true, 0);
	write_constant(json, "innerWindowID", count, false, 0);
	write_constant(json, "implementation", count, true, 0);
	json_key(json, "line");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		write_known(json, thread->profile->frames[thread->frame_ids.items[i]].line);
	json_array_end(json);
	json_key(json, "column");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		write_known(json, thread->profile->frames[thread->frame_ids.items[i]].column);
	json_array_end(json);
	json_object_end(json);
}

static void write_flags(struct json_writer *json, const char *name, size_t count, bool value)
{
	json_key(json, name);
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		json_bool(json, value);
	json_array_end(json);
}

/* The viewer shows a source file only of functions that it takes for scripts. */
static void write_functions(struct firefox_thread *thread, struct json_writer *json)
{
	const struct profile_function *rows = thread->profile->functions;
	size_t count = thread->functions.count;

	json_key(json, "funcTable");
	json_object_begin(json);
	write_length(json, count);
	json_key(json, "name");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++) {
		uint32_t id = thread->functions.items[i];
		struct string_id name = id ? rows[id].name : (struct string_id){NO_STACK_STRING};
		json_unsigned(json, firefox_thread_string(thread, name));
	}
	json_array_end(json);
	write_flags(json, "isJS", count, true);
	write_flags(json, "relevantForJS", count, false);
	write_constant(json, "resource", count, false, -1);
	json_key(json, "fileName");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++) {
		struct string_id file = rows[thread->functions.items[i]].file;
		if (file.v == 0)
			json_absent(json);
		else
			json_unsigned(json, firefox_thread_string(thread, file));
	}
	json_array_end(json);
	json_key(json, "lineNumber");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		write_known(json, rows[thread->functions.items[i]].first_line);
	json_array_end(json);
	write_constant(json, "columnNumber", count, true, 0);
	json_object_end(json);
}

static void write_stacks(struct firefox_thread *thread, struct json_writer *json)
{
	json_key(json, "stackTable");
	json_object_begin(json);
	write_length(json, thread->stack_prefixes.count);
	write_column(json, "prefix", &thread->stack_prefixes);
	write_column(json, "frame", &thread->stack_frames);
	write_column(json, "category", &thread->stack_categories);
	write_constant(json, "subcategory", thread->stack_prefixes.count, false, 0);
	json_object_end(json);
}

static void write_empty_table(struct json_writer *json, const char *name,
			      const char *const *columns)
{
	json_key(json, name);
	json_object_begin(json);
	write_length(json, 0);
	for (; *columns; columns++)
		write_constant(json, *columns, 0, true, 0);
	json_object_end(json);
}

void firefox_thread_write_tables(struct firefox_thread *thread, struct json_writer *json)
{
	static const char *const symbols[] = {"address", "functionSize", "libIndex", "name", NULL};
	static const char *const resources[] = {"lib", "name", "host", "type", NULL};

	write_frames(thread, json);
	write_functions(thread, json);
	write_empty_table(json, "nativeSymbols", symbols);
	write_empty_table(json, "resourceTable", resources);
	write_stacks(thread, json);
	/* Last: the tables above may have added to it. */
	json_key(json, "stringArray");
	json_array_begin(json);
	for (size_t i = 0; i < thread->strings.count; i++) {
		uint32_t string = thread->strings.items[i];
		json_text(json, string == NO_STACK_STRING
				    ? NO_STACK_NAME
				    : profile_string(thread->profile, (struct string_id){string}));
	}
	json_array_end(json);
}
