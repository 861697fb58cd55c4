/* What toml.c (values, lines) and toml_text.c (characters, strings, keys) share; not for others. */
#ifndef BASE_TOML_INTERNAL_H
#define BASE_TOML_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/toml.h"

struct toml_path {
	char text[TOML_PATH_BYTES_MAX]; /* the parts, NUL after each */
	size_t used;
	uint16_t starts[TOML_KEYS_MAX];
	size_t count;
	bool foreign; /* too long, or of an array of tables: never under the prefix */
};

struct toml_reader {
	const char *file_name;
	const char *at, *end;
	int line;
	const char *const *prefix;
	size_t prefix_count;
	struct arena *arena;
	toml_entry_fn entry;
	void *context;
	struct err *err;
};

/* Where decoded text goes: NULL bytes = nowhere (skipping). Full: `overflow`. */
struct toml_sink {
	char *bytes;
	size_t size, used;
	bool overflow;
};

static inline int toml_peek(const struct toml_reader *reader)
{
	return reader->at < reader->end ? (unsigned char)*reader->at : -1;
}

static inline bool toml_starts_with(const struct toml_reader *reader, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(reader->end - reader->at) >= length &&
	       memcmp(reader->at, text, length) == 0;
}

/* Says why the file cannot be read, and on which line; returns -ERR_USAGE. */
int toml_fail(struct toml_reader *, int line, const char *why);

void toml_skip_blanks(struct toml_reader *);
/* Blanks, newlines and comments: what may stand between the items of an array. */
void toml_skip_space(struct toml_reader *);

/* "…" or '…' on one line; at the opening quote. 0 or a negative code. */
int toml_read_string(struct toml_reader *, struct toml_sink *);
/* Three quotes, anything, three quotes (of up to five in a row); at the first quote. */
int toml_skip_multi_line(struct toml_reader *);

/* A dotted key: its parts are appended to the path, which becomes foreign where they don't fit. */
int toml_read_key(struct toml_reader *, struct toml_path *);

#endif
