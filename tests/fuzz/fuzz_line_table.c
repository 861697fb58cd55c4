/* Line tables of any kind: byte 0 the kind, 1–4 the first line, the rest the table. Look-ups with
 * and without the index must agree, and with a plain walk. */
#include "cpython/walk/line_table.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_offset(const struct line_table *table, const struct line_index *index,
			 int64_t offset, const struct code_location *want)
{
	struct code_location plain, indexed;
	bool found = line_table_find(table, index, offset, &indexed);

	if (line_table_find(table, NULL, offset, &plain) != found ||
	    memcmp(&plain, &indexed, sizeof(plain)) != 0)
		abort();
	if (want && (!found || memcmp(want, &plain, sizeof(plain)) != 0))
		abort();
	if (plain.line < 0 || plain.end_line < 0 || plain.column < 0 || plain.end_column < 0)
		abort();
	if (plain.line == 0 && (plain.column != 0 || plain.end_column != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_table_cursor cursor;
	struct line_table_entry entry;
	struct line_index index = {0};
	struct line_table table;

	if (size < 5)
		return 0;
	table = (struct line_table){data + 5, size - 5, (enum line_table_kind)(data[0] % 4), 0};
	memcpy(&table.first_line, data + 1, sizeof(table.first_line));
	if (line_index_build(&index, &table))
		return 0;
	line_table_start(&cursor, &table);
	for (int entries = 0; entries < 256 && line_table_next(&cursor, &entry); entries++) {
		if (entry.start > entry.end)
			abort();
		/* Look-ups without the index walk from the start: a few of them, far ones too. */
		if (entry.start < entry.end && (entries < 4 || entries % 32 == 31)) {
			check_offset(&table, &index, entry.start, &entry.location);
			check_offset(&table, &index, entry.end - 1, &entry.location);
		}
	}
	check_offset(&table, &index, -1, NULL);
	check_offset(&table, &index, INT64_MAX, NULL);
	line_index_release(&index);
	return 0;
}
