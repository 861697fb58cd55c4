/* Code objects of a target: names, files and lines. Off the hot path: the
 * sampler records (code address, instruction offset); here they get names.
 *
 * Everything that is read may be torn or hostile: sizes are bounded by
 * CODE_*_MAX, a wrong type or length is -ERR_TORN.
 */
#ifndef CPYTHON_WALK_CODE_H
#define CPYTHON_WALK_CODE_H

#include "cpython/layout/layout.h"
#include "cpython/walk/line_table.h"
#include "process/remote_memory.h"

#define CODE_NAME_MAX (64 * 1024) /* bytes of UTF-8 of a name or a path */
#define CODE_LINE_TABLE_MAX (16 * 1024 * 1024)
#define CODE_BYTES_MAX (64 * 1024 * 1024)

/* What identifies a code object beyond its address: words of its head that a
 * new object at the same address would hardly share. Compared to detect reuse. */
#define CODE_FINGERPRINT_WORDS 4
struct code_fingerprint {
	/* name; filename; line table; first line, and above it a mix of all that stays the same */
	uint64_t words[CODE_FINGERPRINT_WORDS];
};

/* Ranges to read for a fingerprint: contiguous span [offset, offset + size) of the code object;
 * code_fingerprint_from_span picks the words that stay the same while the code object lives: its
 * constants and names, and all from its first line to its line table (from 3.12 on co_version too,
 * a number of its own for each code object). For hot paths: no allocation. At most
 * CODE_FINGERPRINT_SPAN_MAX bytes on every version; size 0 when a target's own offsets would make
 * it larger. */
#define CODE_FINGERPRINT_SPAN_MAX 160
struct code_fingerprint_span {
	int32_t offset;
	uint32_t size;
};
struct code_fingerprint_span code_fingerprint_span(const struct layout *layout);
void code_fingerprint_from_span(const struct layout *layout, const uint8_t *span,
				struct code_fingerprint *ret_fingerprint);

struct code_info { /* heap; code_info_free */
	struct raddr address;
	struct code_fingerprint fingerprint;
	char *name; /* UTF-8: co_qualname on 3.11+, else co_name; never NULL */
	char *file; /* co_filename, UTF-8 */
	int32_t first_line;
	uint32_t flags;			/* co_flags */
	uint32_t code_size;		/* bytes of bytecode */
	uint64_t bytecode;		/* remote address of the first instruction (bytes data, or
					   co_code_adaptive) */
	int32_t nlocalsplus, stacksize; /* -1 unknown */
	uint8_t *line_table;
	size_t line_table_size;
	struct line_index
	    line_index; /* built by code_info_read; empty in one made by hand: slower */
};

/* Reads it whole, then the head again: -ERR_TORN when it changed meanwhile or
 * is not a code object (type name "code" is checked). */
int code_info_read(const struct remote_memory *memory, const struct layout *layout,
		   struct raddr address, struct code_info **ret_info, struct err *err);
void code_info_free(struct code_info *info);

/* Code of CPython itself that stands in a frame of its own and that tracebacks do not show: the
 * clean-up after a specialised __init__ call (3.12+, _Py_InitCleanup in Objects/codeobject.c). */
bool code_info_is_internal(const struct code_info *info);

/* The location of the instruction at byte `offset` of the bytecode (any byte of
 * it, CACHE entries included; -1 = before the first: first_line). Pure: works on the copied table,
 * bounded. True when the table covers the offset, also when it says "no line" there (all zero);
 * false and all zero outside the bytecode and for garbage. O(log entries) with the index. */
bool code_location_at(const struct code_info *info, enum line_table_kind kind, int64_t offset,
		      struct code_location *ret_location);

#endif
