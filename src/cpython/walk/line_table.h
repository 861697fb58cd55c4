/* Line tables of code objects: from an instruction's byte offset to a line, and
 * on 3.11+ to a column span. Pure: works on a copied table, allocates only for
 * the index. Not for hot paths.
 *
 * Formats (CPython): Objects/lnotab_notes.txt (3.8, 3.9 and, in its second part,
 * 3.10) and Objects/locations.md (3.11+). The table is untrusted: any garbage ends the walk.
 */
#ifndef CPYTHON_WALK_LINE_TABLE_H
#define CPYTHON_WALK_LINE_TABLE_H

#include "cpython/layout/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_location {
	int32_t line, end_line;	    /* 0 = none */
	int32_t column, end_column; /* 1-based byte columns, 0 = none (always before 3.11) */
};

struct line_table {
	const uint8_t *bytes; /* the caller's */
	size_t size;
	enum line_table_kind kind;
	int32_t first_line;
};

/* One entry: the half-open byte range of bytecode, and where it stands. */
struct line_table_entry {
	int64_t start, end; /* start == end is possible: such an entry covers nothing */
	struct code_location location;
};

/* A walk over the entries, in order of the bytecode. */
struct line_table_cursor {
	struct line_table table;
	size_t position; /* in the table */
	int64_t offset;	 /* in the bytecode: where the next entry starts */
	int64_t line;	 /* running line number, not clamped */
	bool ended;
};

void line_table_start(struct line_table_cursor *cursor, const struct line_table *table);
/* The next entry; false at the end and at the first garbage. */
bool line_table_next(struct line_table_cursor *cursor, struct line_table_entry *ret_entry);

/* The state of a cursor before every LINE_INDEX_STRIDE-th entry: look-ups search here and walk at
 * most one stride. Built once; one point (24 bytes) for 64 entries. */
#define LINE_INDEX_STRIDE 64
struct line_index_point {
	uint64_t position;
	int64_t offset, line;
};
struct line_index {
	struct line_index_point *points; /* NULL: no index, look-ups walk from the start */
	size_t count;
};

/* 0 or -ERR_MEMORY. Garbage is not an error: the index ends there. */
int line_index_build(struct line_index *index, const struct line_table *table);
void line_index_release(struct line_index *index);

/* The location of byte `offset` ≥ 0. True when the table covers it, also when the entry says that
 * it has no line (all zero then); false and all zero when it does not. `index` may be NULL. */
bool line_table_find(const struct line_table *table, const struct line_index *index, int64_t offset,
		     struct code_location *ret_location);

#endif
