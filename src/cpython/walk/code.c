#include "cpython/walk/code.h"

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/object.h"

#include <string.h>

#define CODE_HEAD_MAX 512 /* bytes of a code object before its bytecode: 216 on 3.15 */
#define CODE_TYPE_NAME "code"
#define CODE_UNIT_BYTES 2
#define NO_OFFSET (-1)

static uint64_t load_u64(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static int32_t load_i32(const uint8_t *bytes)
{
	int32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* ---- fingerprint ---- */

/* Two tuples of its own. 3.8 to 3.10 have them inside of the span's later part, others before it,
 * where words lie between that change (3.11's co_warmup): so they are looked at one by one. */
#define TUPLE_FIELDS 2
static void list_tuple_fields(const struct layout *layout, int32_t fields[TUPLE_FIELDS])
{
	fields[0] = layout->at.code_consts;
	fields[1] = layout->at.code_names;
}

/* From the first of what is compared to the end; *ret_fixed is where every word counts. */
static struct code_fingerprint_span span_of(const struct layout *layout, int64_t *ret_fixed)
{
	const struct layout_offsets *at = &layout->at;
	const int64_t words[] = {at->code_name, at->code_filename, at->code_linetable};
	int64_t first = at->code_firstlineno, end = first + 4;
	int32_t tuples[TUPLE_FIELDS];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		first = words[i] < first ? words[i] : first;
		end = words[i] + 8 > end ? words[i] + 8 : end;
	}
	*ret_fixed = first;
	list_tuple_fields(layout, tuples);
	for (size_t i = 0; i < TUPLE_FIELDS; i++)
		if (tuples[i] >= 0 && tuples[i] + 8 <= *ret_fixed && tuples[i] < first)
			first = tuples[i];
	/* Offsets may come from the target: callers have room for the stated maximum only. */
	if (first < 0 || end - first > CODE_FINGERPRINT_SPAN_MAX)
		return (struct code_fingerprint_span){0, 0};
	return (struct code_fingerprint_span){(int32_t)first, (uint32_t)(end - first)};
}

struct code_fingerprint_span code_fingerprint_span(const struct layout *layout)
{
	int64_t fixed;

	return span_of(layout, &fixed);
}

static uint64_t mixed(uint64_t mix, uint64_t word)
{
	mix = (mix ^ word) * 0x9e3779b97f4a7c15u;
	return mix ^ mix >> 29;
}

void code_fingerprint_from_span(const struct layout *layout, const uint8_t *span,
				struct code_fingerprint *ret_fingerprint)
{
	const struct layout_offsets *at = &layout->at;
	int64_t fixed;
	struct code_fingerprint_span where = span_of(layout, &fixed);
	int32_t tuples[TUPLE_FIELDS];
	uint64_t mix = 0;
	uint32_t position = (uint32_t)(fixed - where.offset);

	*ret_fingerprint = (struct code_fingerprint){{0}};
	if (where.size == 0)
		return;
	list_tuple_fields(layout, tuples);
	for (size_t i = 0; i < TUPLE_FIELDS; i++)
		if (tuples[i] >= where.offset && tuples[i] + 8 <= fixed)
			mix = mixed(mix, load_u64(span + (tuples[i] - where.offset)));
	for (; position + 8 <= where.size; position += 8)
		mix = mixed(mix, load_u64(span + position));
	if (position + 4 <= where.size)
		mix = mixed(mix, (uint32_t)load_i32(span + position));
	ret_fingerprint->words[0] = load_u64(span + (at->code_name - where.offset));
	ret_fingerprint->words[1] = load_u64(span + (at->code_filename - where.offset));
	ret_fingerprint->words[2] = load_u64(span + (at->code_linetable - where.offset));
	ret_fingerprint->words[3] =
	    (uint32_t)load_i32(span + (at->code_firstlineno - where.offset)) | (mix >> 32) << 32;
}

/* ---- reading ---- */

/* Fields that never change while a code object lives; compared after the rest was read. */
#define HEAD_FIELDS 10
struct head_field {
	int32_t offset; /* NO_OFFSET: not in this version */
	int32_t size;
};

static void list_head_fields(const struct layout *layout, struct head_field fields[HEAD_FIELDS])
{
	const struct layout_offsets *at = &layout->at;
	bool adaptive = layout->code_storage == CODE_ADAPTIVE;
	const struct head_field list[HEAD_FIELDS] = {
	    {at->object_type, 8},      {at->code_name, 8},
	    {at->code_qualname, 8},    {at->code_filename, 8},
	    {at->code_linetable, 8},   {at->code_firstlineno, 4},
	    {at->code_flags, 4},       {at->code_stacksize, 4},
	    {at->code_nlocalsplus, 4}, {adaptive ? at->varobject_size_field : at->code_code, 8},
	};

	memcpy(fields, list, sizeof(list));
}

/* Offsets may come from the target (3.13+): none may lie outside of what is read. */
static bool head_fits(const struct layout *layout)
{
	struct head_field fields[HEAD_FIELDS];

	list_head_fields(layout, fields);
	for (size_t i = 0; i < HEAD_FIELDS; i++)
		if (fields[i].offset < NO_OFFSET ||
		    fields[i].offset > layout->at.code_size - fields[i].size)
			return false;
	return code_fingerprint_span(layout).size > 0;
}

/* A freed block keeps what it held but for its first word: there the allocator's link to the next
 * free one, or none, takes the place of the reference count. */
static bool is_freed(const uint8_t *head)
{
	uint64_t word = load_u64(head);

	return word == 0 || (word >> 32 != 0 && word >> 48 == 0);
}

static bool same_head(const struct layout *layout, const uint8_t *a, const uint8_t *b)
{
	struct head_field fields[HEAD_FIELDS];

	if (is_freed(b))
		return false;
	list_head_fields(layout, fields);
	for (size_t i = 0; i < HEAD_FIELDS; i++)
		if (fields[i].offset != NO_OFFSET &&
		    memcmp(a + fields[i].offset, b + fields[i].offset, (size_t)fields[i].size) != 0)
			return false;
	return true;
}

static int read_head(const struct remote_memory *memory, const struct layout *layout,
		     struct raddr address, uint8_t head[CODE_HEAD_MAX])
{
	/* To the end of the fixed part: code_size counts what the type itself says (one unit of
	 * bytecode and padding may be in it), always allocated. */
	if (layout->at.code_size > CODE_HEAD_MAX || layout->at.code_size <= 0 || !head_fits(layout))
		return -ERR_LIMIT;
	return remote_read(memory, address, head, (size_t)layout->at.code_size, NULL);
}

static int check_is_code(const struct remote_memory *memory, const struct layout *layout,
			 struct raddr address)
{
	char name[sizeof(CODE_TYPE_NAME) + 1];
	int error = object_type_name(memory, layout, address, name, sizeof(name));

	if (error)
		return error;
	return strcmp(name, CODE_TYPE_NAME) == 0 ? 0 : -ERR_TORN;
}

static int read_bytecode_extent(const struct remote_memory *memory, const struct layout *layout,
				const uint8_t *head, struct code_info *info)
{
	struct raddr data = {info->address.v + (uint64_t)layout->at.code_code};
	uint64_t size;

	if (layout->code_storage == CODE_ADAPTIVE) {
		size = load_u64(head + layout->at.varobject_size_field);
		if (size > CODE_BYTES_MAX / CODE_UNIT_BYTES)
			return -ERR_TORN;
		size *= CODE_UNIT_BYTES;
	} else {
		struct raddr code = {load_u64(head + layout->at.code_code)};
		int error = object_bytes_extent(memory, layout, code, &data, &size);

		if (error)
			return error;
		if (size > CODE_BYTES_MAX)
			return -ERR_TORN;
	}
	info->bytecode = data.v;
	info->code_size = (uint32_t)size;
	return 0;
}

static void take_numbers(const struct layout *layout, const uint8_t *head, struct code_info *info)
{
	const struct layout_offsets *at = &layout->at;
	struct code_fingerprint_span span = code_fingerprint_span(layout);

	info->first_line = load_i32(head + at->code_firstlineno);
	info->flags = (uint32_t)load_i32(head + at->code_flags);
	info->stacksize =
	    at->code_stacksize != NO_OFFSET ? load_i32(head + at->code_stacksize) : -1;
	info->nlocalsplus =
	    at->code_nlocalsplus != NO_OFFSET ? load_i32(head + at->code_nlocalsplus) : -1;
	code_fingerprint_from_span(layout, head + span.offset, &info->fingerprint);
}

/* What the head points to. */
static int read_parts(const struct remote_memory *memory, const struct layout *layout,
		      const uint8_t *head, struct code_info *info, struct err *err)
{
	const struct layout_offsets *at = &layout->at;
	int32_t name = at->code_qualname != NO_OFFSET ? at->code_qualname : at->code_name;
	int error = object_read_str(memory, layout, (struct raddr){load_u64(head + name)},
				    CODE_NAME_MAX, &info->name, err);

	if (!error)
		error = object_read_str(memory, layout,
					(struct raddr){load_u64(head + at->code_filename)},
					CODE_NAME_MAX, &info->file, err);
	if (!error)
		error = object_read_bytes(
		    memory, layout, (struct raddr){load_u64(head + at->code_linetable)},
		    CODE_LINE_TABLE_MAX, &info->line_table, &info->line_table_size, err);
	if (!error && (error = read_bytecode_extent(memory, layout, head, info)))
		err_set(err, (enum err_code) - error,
			"the bytecode of the code object can't be read");
	return error;
}

static struct line_table table_of(const struct code_info *info, enum line_table_kind kind)
{
	return (struct line_table){info->line_table, info->line_table_size, kind, info->first_line};
}

static int read_whole(const struct remote_memory *memory, const struct layout *layout,
		      struct code_info *info, struct err *err)
{
	uint8_t head[CODE_HEAD_MAX], again[CODE_HEAD_MAX];
	struct line_table table;
	int error = check_is_code(memory, layout, info->address);

	if (!error)
		error = read_head(memory, layout, info->address, head);
	if (error)
		return err_set(err, (enum err_code) - error, "no code object at 0x%llx",
			       (unsigned long long)info->address.v);
	take_numbers(layout, head, info);
	error = read_parts(memory, layout, head, info, err);
	if (error)
		return error;
	error = read_head(memory, layout, info->address, again);
	if (!error && !same_head(layout, head, again))
		error = -ERR_TORN;
	if (error)
		return err_set(err, (enum err_code) - error,
			       "the code object at 0x%llx changed while it was read",
			       (unsigned long long)info->address.v);
	table = table_of(info, layout->line_table);
	error = line_index_build(&info->line_index, &table);
	return error ? err_set(err, (enum err_code) - error, "no memory for a line table") : 0;
}

int code_info_read(const struct remote_memory *memory, const struct layout *layout,
		   struct raddr address, struct code_info **ret_info, struct err *err)
{
	struct code_info *info = mem_zalloc(1, sizeof(*info));

	if (!info)
		return err_set(err, ERR_MEMORY, "no memory for a code object");
	info->address = address;
	int error = read_whole(memory, layout, info, err);
	if (error) {
		code_info_free(info);
		return error;
	}
	*ret_info = info;
	return 0;
}

void code_info_free(struct code_info *info)
{
	if (!info)
		return;
	mem_free(info->name);
	mem_free(info->file);
	mem_free(info->line_table);
	line_index_release(&info->line_index);
	mem_free(info);
}

bool code_location_at(const struct code_info *info, enum line_table_kind kind, int64_t offset,
		      struct code_location *ret_location)
{
	struct line_table table = table_of(info, kind);

	*ret_location = (struct code_location){0};
	if (offset == -1) {
		int32_t line = info->first_line > 0 ? info->first_line : 0;

		ret_location->line = ret_location->end_line = line;
		return true;
	}
	if (offset < 0 || offset >= info->code_size)
		return false;
	return line_table_find(&table, &info->line_index, offset, ret_location);
}

bool code_info_is_internal(const struct code_info *info)
{
	return info->first_line == 0 && strcmp(info->name, "__init__") == 0 &&
	       strcmp(info->file, "__init__") == 0;
}
