#include "cpython/walk/line_table.h"

#include "base/arena.h"
#include "base/err.h"

#include <string.h>

/* Sizes are at most 16 MiB and one entry moves a line by less than 2^36, so int64_t sums can't
 * overflow; beyond this many bits of a varint it is garbage (CPython writes at most 32). */
#define VARINT_SHIFT_MAX 30

#define LNOTAB_END INT64_MAX	  /* the last lnotab entry has no end of its own */
#define LINE_310_NONE (-128)	  /* line delta of "no line" */
#define LOCATION_UNIT_BYTES 2	  /* lengths are in code units */
#define LOCATION_ENTRY_MARK 0x80u /* only the first byte of an entry has it */

/* Codes of the entries of Objects/locations.md; 0–9 are the short forms. */
enum location_code {
	LOCATION_SHORT_LAST = 9,
	LOCATION_ONE_LINE_FIRST = 10,
	LOCATION_ONE_LINE_LAST = 12,
	LOCATION_NO_COLUMNS = 13,
	LOCATION_LONG = 14,
	LOCATION_NONE = 15,
};

static int32_t line_number(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (int32_t)line : 0;
}

void line_table_start(struct line_table_cursor *cursor, const struct line_table *table)
{
	*cursor = (struct line_table_cursor){.table = *table, .line = table->first_line};
}

/* 3.8, 3.9: pairs (bytes forward, signed lines forward); a line holds until the bytes are passed.
 */
static bool next_lnotab(struct line_table_cursor *cursor, struct line_table_entry *entry)
{
	const struct line_table *table = &cursor->table;

	entry->start = cursor->offset;
	entry->location.line = entry->location.end_line = line_number(cursor->line);
	if (table->size - cursor->position < 2) {
		entry->end = LNOTAB_END;
		cursor->ended = true;
		return true;
	}
	cursor->offset += table->bytes[cursor->position];
	cursor->line += (int8_t)table->bytes[cursor->position + 1];
	cursor->position += 2;
	entry->end = cursor->offset;
	return true;
}

/* 3.10: pairs (bytes, signed lines); the line moves first, then holds for these bytes. */
static bool next_310(struct line_table_cursor *cursor, struct line_table_entry *entry)
{
	const struct line_table *table = &cursor->table;
	int delta;

	if (table->size - cursor->position < 2)
		return false;
	delta = (int8_t)table->bytes[cursor->position + 1];
	entry->start = cursor->offset;
	cursor->offset += table->bytes[cursor->position];
	cursor->position += 2;
	entry->end = cursor->offset;
	if (delta != LINE_310_NONE) {
		cursor->line += delta;
		entry->location.line = entry->location.end_line = line_number(cursor->line);
	}
	return true;
}

static bool next_byte(struct line_table_cursor *cursor, uint8_t *ret_byte)
{
	if (cursor->position >= cursor->table.size)
		return false;
	*ret_byte = cursor->table.bytes[cursor->position++];
	return true;
}

/* Six bits a byte, low ones first; bit 6 says that more follow. */
static bool next_varint(struct line_table_cursor *cursor, uint64_t *ret_value)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned shift = 0; shift <= VARINT_SHIFT_MAX; shift += 6) {
		if (!next_byte(cursor, &byte) || byte & LOCATION_ENTRY_MARK)
			return false;
		value |= (uint64_t)(byte & 0x3f) << shift;
		if (!(byte & 0x40)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* The sign is in bit 0. */
static bool next_signed_varint(struct line_table_cursor *cursor, int64_t *ret_value)
{
	uint64_t value;

	if (!next_varint(cursor, &value))
		return false;
	*ret_value = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
	return true;
}

static bool next_long_form(struct line_table_cursor *cursor, struct code_location *location)
{
	int64_t line_delta;
	uint64_t end_delta, column, end_column;

	if (!next_signed_varint(cursor, &line_delta) || !next_varint(cursor, &end_delta) ||
	    !next_varint(cursor, &column) || !next_varint(cursor, &end_column))
		return false;
	cursor->line += line_delta;
	location->line = line_number(cursor->line);
	location->end_line = line_number(cursor->line + (int64_t)end_delta);
	/* Stored as column + 1, 0 for none: what we give too. */
	location->column = column <= INT32_MAX ? (int32_t)column : 0;
	location->end_column = end_column <= INT32_MAX ? (int32_t)end_column : 0;
	return true;
}

/* The bytes after an entry's first one. */
static bool next_location_body(struct line_table_cursor *cursor, unsigned code,
			       struct code_location *location)
{
	uint8_t first, second;
	int64_t delta;

	if (code == LOCATION_NONE)
		return true;
	if (code == LOCATION_LONG)
		return next_long_form(cursor, location);
	if (code == LOCATION_NO_COLUMNS) {
		if (!next_signed_varint(cursor, &delta))
			return false;
		cursor->line += delta;
	} else if (code >= LOCATION_ONE_LINE_FIRST) {
		if (!next_byte(cursor, &first) || !next_byte(cursor, &second))
			return false;
		cursor->line += code - LOCATION_ONE_LINE_FIRST;
		location->column = first + 1;
		location->end_column = second + 1;
	} else {
		if (!next_byte(cursor, &first))
			return false;
		location->column = (int32_t)(code << 3 | (first >> 4 & 7)) + 1;
		location->end_column = location->column + (first & 15);
	}
	location->line = location->end_line = line_number(cursor->line);
	return true;
}

static bool next_location(struct line_table_cursor *cursor, struct line_table_entry *entry)
{
	uint8_t head;

	if (!next_byte(cursor, &head) || !(head & LOCATION_ENTRY_MARK))
		return false;
	entry->start = cursor->offset;
	cursor->offset += ((head & 7) + 1) * LOCATION_UNIT_BYTES;
	entry->end = cursor->offset;
	if (!next_location_body(cursor, head >> 3 & 15, &entry->location))
		return false;
	if (entry->location.line == 0) /* no columns of no line */
		entry->location = (struct code_location){0};
	return true;
}

bool line_table_next(struct line_table_cursor *cursor, struct line_table_entry *ret_entry)
{
	struct line_table_entry entry = {0};
	bool found = false;

	if (cursor->ended)
		return false;
	switch (cursor->table.kind) {
	case LINE_TABLE_LNOTAB:
		found = next_lnotab(cursor, &entry);
		break;
	case LINE_TABLE_310:
		found = next_310(cursor, &entry);
		break;
	case LINE_TABLE_LOCATIONS:
		found = next_location(cursor, &entry);
		break;
	}
	if (!found) {
		cursor->ended = true;
		return false;
	}
	*ret_entry = entry;
	return true;
}

int line_index_build(struct line_index *index, const struct line_table *table)
{
	struct line_table_cursor cursor;
	struct line_table_entry entry;
	struct line_index built = {0};
	size_t capacity = 0;

	line_table_start(&cursor, table);
	for (size_t entries = 0;; entries++) {
		struct line_index_point point = {cursor.position, cursor.offset, cursor.line};

		if (!line_table_next(&cursor, &entry))
			break;
		if (entries % LINE_INDEX_STRIDE != 0)
			continue;
		int error = grow_array((void **)&built.points, &capacity, built.count + 1,
				       sizeof(*built.points), SIZE_MAX / sizeof(*built.points));
		if (error) {
			line_index_release(&built);
			return -ERR_MEMORY;
		}
		built.points[built.count++] = point;
	}
	*index = built;
	return 0;
}

void line_index_release(struct line_index *index)
{
	mem_free(index->points);
	*index = (struct line_index){0};
}

/* Puts the cursor on the last point that does not start after `offset`. */
static void cursor_seek(struct line_table_cursor *cursor, const struct line_index *index,
			int64_t offset)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->points[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return;
	cursor->position = (size_t)index->points[low - 1].position;
	cursor->offset = index->points[low - 1].offset;
	cursor->line = index->points[low - 1].line;
}

bool line_table_find(const struct line_table *table, const struct line_index *index, int64_t offset,
		     struct code_location *ret_location)
{
	struct line_table_cursor cursor;
	struct line_table_entry entry;

	*ret_location = (struct code_location){0};
	if (offset < 0)
		return false;
	line_table_start(&cursor, table);
	if (index && index->points)
		cursor_seek(&cursor, index, offset);
	while (line_table_next(&cursor, &entry)) {
		if (entry.start > offset)
			return false;
		if (offset < entry.end) {
			*ret_location = entry.location;
			return true;
		}
	}
	return false;
}
