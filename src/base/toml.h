/* Reads one table of a TOML 1.0 file: what lies under a prefix such as tool.pyrometer is decoded
 * and reported, entry by entry; all else is only skipped, leniently, so that a newer or unusual
 * pyproject.toml does no harm. Pure: bytes in, calls out. The bytes are untrusted.
 *
 * Under the prefix: text in "…" or '…', decimal whole numbers, numbers, true/false, arrays of
 * those, dotted keys, [tables] and {inline tables}. Not supported there, and said with the line:
 * multi-line strings, dates, other number bases, inf/nan, arrays in arrays, [[arrays of tables]].
 * docs/decisions/0001-toml-subset.md says why this is our own. */
#ifndef BASE_TOML_H
#define BASE_TOML_H

#include <stddef.h>

struct arena;
struct err;

#define TOML_FILE_BYTES_MAX ((size_t)4 << 20)
#define TOML_DEPTH_MAX 32 /* values in values */
#define TOML_KEYS_MAX 16  /* parts of one dotted path */
#define TOML_PATH_BYTES_MAX 512
#define TOML_ITEMS_MAX 1024 /* of one array */

enum toml_kind {
	TOML_TABLE, /* a [header], also of an empty table: no value */
	TOML_TEXT,
	TOML_INTEGER, /* text: the digits, without underscores */
	TOML_NUMBER,  /* text: as written, without underscores */
	TOML_BOOL,    /* text: "true" or "false" */
	TOML_ARRAY,
};

struct toml_value {
	enum toml_kind kind;
	int line;
	const char *text;
	const struct toml_value *items; /* TOML_ARRAY: of the scalar kinds */
	size_t item_count;
};

/* path: the parts below the prefix, `depth` of them (0: the prefix's own [header]). They are lent
 * for the call; the value lives as long as the arena. A negative code ends the parse and is
 * returned. */
typedef int (*toml_entry_fn)(void *context, const char *const *path, size_t depth,
			     const struct toml_value *value, struct err *err);

/* file_name: for messages. prefix ends with NULL. -ERR_USAGE, -ERR_MEMORY, or what the callback
 * returned. */
int toml_parse(const char *file_name, const char *bytes, size_t size, const char *const *prefix,
	       struct arena *, toml_entry_fn, void *context, struct err *);

#endif
