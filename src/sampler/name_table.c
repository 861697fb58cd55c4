/* See name_table.h. */
#include "sampler/name_table.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"

#define CODES_MAX (1u << 24)
#define STACKS_MAX (1u << 26)
#define FRAMES_MAX (1u << 24)

void name_table_init(struct name_table *table, struct profile_builder *builder,
		     const struct remote_memory *memory, const struct layout *layout)
{
	memset(table, 0, sizeof(*table));
	table->builder = builder;
	table->memory = memory;
	table->layout = layout;
	u64_map_init(&table->frames, FRAMES_MAX);
}

void name_table_release(struct name_table *table)
{
	for (size_t i = 0; i < table->code_count; i++)
		code_info_free(table->codes[i].info);
	mem_free(table->codes);
	mem_free(table->stacks);
	mem_free(table->last);
	u64_map_release(&table->frames);
	memset(table, 0, sizeof(*table));
}

static int function_of(struct name_table *table, const char *name, const char *file,
		       uint32_t first_line, struct function_id *ret_id, struct err *err)
{
	struct profile_function function = {.first_line = first_line};
	int result =
	    profile_builder_string(table->builder, name, strlen(name), &function.name, err);

	if (result == 0 && *file)
		result =
		    profile_builder_string(table->builder, file, strlen(file), &function.file, err);
	if (result == 0)
		result = profile_builder_function(table->builder, &function, ret_id, err);
	return result;
}

int name_table_code(struct name_table *table, const struct code_announcement *announcement,
		    struct err *err)
{
	struct code_info *info = announcement->info;
	struct named_code *slot;
	int result;

	if (!info && code_info_read(table->memory, table->layout,
				    (struct raddr){announcement->address}, &info, NULL) < 0)
		info = NULL;
	if (info && memcmp(&info->fingerprint, &announcement->fingerprint,
			   sizeof(info->fingerprint)) != 0) {
		code_info_free(info); /* another code object lies there now */
		info = NULL;
	}
	if (!info)
		table->codes_gone++;
	result = grow_array((void **)&table->codes, &table->code_capacity,
			    (size_t)announcement->code_key + 1, sizeof(*table->codes), CODES_MAX);
	if (result < 0) {
		code_info_free(info);
		return result;
	}
	while (table->code_count <= announcement->code_key)
		table->codes[table->code_count++] = (struct named_code){NULL, {0}};
	slot = &table->codes[announcement->code_key];
	code_info_free(slot->info);
	slot->info = info;
	if (!info)
		return function_of(table, "<unknown>", "", 0, &slot->function, err);
	return function_of(table, info->name, info->file, (uint32_t)info->first_line,
			   &slot->function, err);
}

static uint16_t column_of(int32_t column)
{
	return column > 0 && column <= UINT16_MAX ? (uint16_t)column : 0;
}

static int special_frame(struct name_table *table, const char *name, enum frame_kind kind,
			 struct frame_id *ret_id, struct err *err)
{
	struct profile_frame frame = {.kind = (uint8_t)kind};
	int result = function_of(table, name, "", 0, &frame.function, err);

	return result < 0 ? result : profile_builder_frame(table->builder, &frame, ret_id, err);
}

static int frame_of(struct name_table *table, const struct keyed_frame *keyed,
		    struct frame_id *ret_id, struct err *err)
{
	uint64_t key = (uint64_t)keyed->code_key << 32 | (uint32_t)(keyed->offset + 1), known;
	struct profile_frame frame = {.kind = FRAME_PYTHON};
	const struct named_code *code;
	struct code_location location;
	int result;

	if (keyed->code_key == 0 || keyed->code_key >= table->code_count ||
	    table->codes[keyed->code_key].function.v == 0)
		return special_frame(table, "<torn>", FRAME_TORN, ret_id, err);
	if (u64_map_get(&table->frames, key, &known)) {
		ret_id->v = (uint32_t)known;
		return 0;
	}
	code = &table->codes[keyed->code_key];
	frame.function = code->function;
	if (!code->info)
		frame.kind = FRAME_TORN; /* which function this was is not known */
	if (code->info &&
	    code_location_at(code->info, table->layout->line_table, keyed->offset, &location)) {
		frame.line = location.line > 0 ? (uint32_t)location.line : 0;
		frame.end_line = location.end_line > 0 ? (uint32_t)location.end_line : 0;
		frame.column = column_of(location.column);
		frame.end_column = column_of(location.end_column);
	}
	result = profile_builder_frame(table->builder, &frame, ret_id, err);
	if (result == 0)
		u64_map_put(&table->frames, key, ret_id->v); /* a cache: failing is fine */
	return result;
}

static bool is_internal(const struct name_table *table, uint32_t code_key)
{
	return code_key && code_key < table->code_count && table->codes[code_key].info &&
	       code_info_is_internal(table->codes[code_key].info);
}

/* The row that stands for what is missing at the root end, if anything is. */
static int missing_part(struct name_table *table, uint32_t flags, struct stack_id *ret_stack,
			struct err *err)
{
	bool truncated = flags & STACK_TRUNCATED;
	struct frame_id frame;
	int result;

	if (!(flags & (STACK_TRUNCATED | STACK_TORN)))
		return 0;
	table->stacks_truncated += truncated;
	result = special_frame(table, truncated ? "<truncated>" : "<torn>",
			       truncated ? FRAME_TRUNCATED : FRAME_TORN, &frame, err);
	if (result == 0)
		result = profile_builder_stack(table->builder, *ret_stack, frame, ret_stack, err);
	return result;
}

/* How many frames from the root on the last stack had too: their rows are known. */
static uint32_t shared_with_last(const struct name_table *table, const struct keyed_frame *frames,
				 uint32_t depth, uint32_t flags)
{
	uint32_t shared = 0;

	if (flags != table->last_flags)
		return 0;
	while (shared < depth && shared < table->last_depth &&
	       memcmp(&frames[depth - 1 - shared], &table->last[shared].frame, sizeof(*frames)) ==
		   0)
		shared++;
	return shared;
}

int name_table_stack(struct name_table *table, uint32_t stack_key, const struct keyed_frame *frames,
		     uint32_t depth, uint32_t flags, struct err *err)
{
	struct stack_id stack = {0};
	struct frame_id frame;
	uint32_t shared = shared_with_last(table, frames, depth, flags);
	int result;

	result = missing_part(table, flags, &stack, err);
	if (result == 0)
		result = grow_array((void **)&table->last, &table->last_capacity, depth,
				    sizeof(*table->last), FRAMES_DEPTH_MAX + 1);
	table->last_depth = result == 0 ? shared : 0;
	table->last_flags = flags;
	if (shared)
		stack = table->last[shared - 1].stack;
	for (uint32_t i = depth - shared; i-- > 0 && result == 0;) {
		if (!is_internal(table, frames[i].code_key)) {
			result = frame_of(table, &frames[i], &frame, err);
			if (result == 0)
				result = profile_builder_stack(table->builder, stack, frame, &stack,
							       err);
		}
		if (result == 0)
			table->last[table->last_depth++] = (struct named_part){frames[i], stack};
	}
	if (result == 0)
		result = grow_array((void **)&table->stacks, &table->stack_capacity,
				    (size_t)stack_key + 1, sizeof(*table->stacks), STACKS_MAX);
	if (result < 0)
		return result;
	while (table->stack_count <= stack_key)
		table->stacks[table->stack_count++].v = 0;
	table->stacks[stack_key] = stack;
	return 0;
}

struct stack_id name_table_stack_id(const struct name_table *table, uint32_t stack_key)
{
	return stack_key < table->stack_count ? table->stacks[stack_key] : (struct stack_id){0};
}
