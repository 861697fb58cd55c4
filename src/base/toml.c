/* A reader of TOML for one table of a file. Nothing recurses deeper than TOML_DEPTH_MAX, and every
 * loop ends with the bytes. */
#include "base/toml.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"

#define TEXT_BYTES_MAX 8192

struct key_path {
	char text[TOML_PATH_BYTES_MAX]; /* the parts, NUL after each */
	size_t used;
	uint16_t starts[TOML_KEYS_MAX];
	size_t count;
	bool foreign; /* too long, or of an array of tables: never under the prefix */
};

struct reader {
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

static int fail(struct reader *reader, int line, const char *why)
{
	int rc = err_set(reader->err, ERR_USAGE, "%s:%d: cannot be read", reader->file_name, line);
	err_why(reader->err, "%s", why);
	return rc;
}

static int no_memory(struct reader *reader)
{
	return err_set(reader->err, ERR_MEMORY, "%s: no memory to read it", reader->file_name);
}

/* ---- Characters ---- */

static int peek(const struct reader *reader)
{
	return reader->at < reader->end ? (unsigned char)*reader->at : -1;
}

static bool starts_with(const struct reader *reader, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(reader->end - reader->at) >= length &&
	       memcmp(reader->at, text, length) == 0;
}

static void skip_blanks(struct reader *reader)
{
	while (peek(reader) == ' ' || peek(reader) == '\t' || peek(reader) == '\r') {
		reader->at++;
	}
}

static void skip_line_rest(struct reader *reader)
{
	while (reader->at < reader->end && *reader->at != '\n') {
		reader->at++;
	}
}

/* Blanks, newlines and comments: what may stand between the items of an array. */
static void skip_space(struct reader *reader)
{
	for (;;) {
		skip_blanks(reader);
		if (peek(reader) == '#') {
			skip_line_rest(reader);
		}
		if (peek(reader) != '\n') {
			return;
		}
		reader->line++;
		reader->at++;
	}
}

/* ---- Strings ---- */

/* Where decoded text goes: NULL bytes = nowhere (skipping). Full: `overflow`. */
struct sink {
	char *bytes;
	size_t size, used;
	bool overflow;
};

static void sink_put(struct sink *sink, const char *bytes, size_t size)
{
	if (sink->bytes == NULL) {
		return;
	}
	if (size >= sink->size - sink->used) { /* one byte stays for the NUL */
		sink->overflow = true;
		return;
	}
	memcpy(sink->bytes + sink->used, bytes, size);
	sink->used += size;
}

static bool hex_escape(struct reader *reader, int digits, uint32_t *ret_character)
{
	uint32_t character = 0;
	for (int i = 0; i < digits; i++) {
		int c = peek(reader);
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0) {
			return false;
		}
		character = character << 4 | (uint32_t)digit;
		reader->at++;
	}
	*ret_character = character;
	return character != 0 && character <= 0x10FFFF &&
	       (character < 0xD800 || character > 0xDFFF);
}

/* After the backslash. */
static bool read_escape(struct reader *reader, struct sink *sink)
{
	static const char letters[] = "btnfr\"\\";
	static const char meanings[] = "\b\t\n\f\r\"\\";
	int c = peek(reader);
	if (c < 0 || c == '\n') {
		return false;
	}
	reader->at++;
	const char *letter = strchr(letters, c);
	if (c != 0 && letter != NULL) {
		sink_put(sink, &meanings[letter - letters], 1);
		return true;
	}
	if (sink->bytes == NULL) {
		return true; /* skipping: any escape will do */
	}
	uint32_t character;
	if ((c != 'u' && c != 'U') || !hex_escape(reader, c == 'u' ? 4 : 8, &character)) {
		return false;
	}
	uint8_t bytes[4];
	sink_put(sink, (const char *)bytes, utf8_encode(character, bytes));
	return true;
}

/* "…" or '…' on one line; at the opening quote. */
static int read_string(struct reader *reader, struct sink *sink)
{
	char quote = *reader->at++;
	for (;;) {
		int c = peek(reader);
		if (c < 0 || c == '\n') {
			return fail(reader, reader->line, "the text has no closing quote");
		}
		if (c == quote) {
			reader->at++;
			return 0;
		}
		if (c == '\\' && quote == '"') {
			reader->at++;
			if (!read_escape(reader, sink)) {
				return fail(reader, reader->line,
					    "an escape after \\ that TOML doesn't have");
			}
			continue;
		}
		uint32_t character;
		size_t length = utf8_decode((const uint8_t *)reader->at,
					    (size_t)(reader->end - reader->at), &character);
		if (sink->bytes != NULL &&
		    (character == UTF8_INVALID || (character < 0x20 && c != '\t'))) {
			return fail(reader, reader->line,
				    "the text holds a control character or isn't UTF-8");
		}
		sink_put(sink, reader->at, length);
		reader->at += length;
	}
}

/* Three quotes, anything, three quotes (of up to five in a row). */
static int skip_multi_line(struct reader *reader)
{
	int first_line = reader->line;
	char quote = *reader->at;
	reader->at += 3;
	while (reader->at < reader->end) {
		if (*reader->at == '\\' && quote == '"') {
			reader->at++;
			if (peek(reader) == '\n') {
				continue; /* counted below */
			}
		} else if (*reader->at == quote && reader->end - reader->at >= 3 &&
			   reader->at[1] == quote && reader->at[2] == quote) {
			reader->at += 3;
			for (int i = 0; i < 2 && peek(reader) == quote; i++) {
				reader->at++;
			}
			return 0;
		} else if (*reader->at == '\n') {
			reader->line++;
		}
		if (reader->at < reader->end) {
			reader->at++;
		}
	}
	return fail(reader, first_line, "the text of several lines has no closing quotes");
}

/* ---- Keys ---- */

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* One part of a dotted key, appended to the path. */
static int read_key_part(struct reader *reader, struct key_path *path)
{
	char *bytes = path->text + path->used;
	struct sink sink = {.bytes = bytes, .size = sizeof path->text - path->used};
	if (sink.size == 0 || path->foreign) {
		sink.bytes = NULL;
	}
	if (peek(reader) == '"' || peek(reader) == '\'') {
		int rc = read_string(reader, &sink);
		if (rc < 0) {
			return rc;
		}
	} else {
		const char *start = reader->at;
		while (is_bare(peek(reader))) {
			reader->at++;
		}
		if (reader->at == start) {
			return fail(reader, reader->line, "a key is expected here");
		}
		sink_put(&sink, start, (size_t)(reader->at - start));
	}
	if (sink.bytes == NULL || sink.overflow || path->count == TOML_KEYS_MAX) {
		path->foreign = true;
		return 0;
	}
	path->starts[path->count++] = (uint16_t)path->used;
	bytes[sink.used] = '\0';
	path->used += sink.used + 1;
	return 0;
}

static int read_key(struct reader *reader, struct key_path *path)
{
	for (;;) {
		skip_blanks(reader);
		int rc = read_key_part(reader, path);
		if (rc < 0) {
			return rc;
		}
		skip_blanks(reader);
		if (peek(reader) != '.') {
			return 0;
		}
		reader->at++;
	}
}

static bool is_under_prefix(const struct reader *reader, const struct key_path *path)
{
	if (path->foreign || path->count < reader->prefix_count) {
		return false;
	}
	for (size_t i = 0; i < reader->prefix_count; i++) {
		if (strcmp(path->text + path->starts[i], reader->prefix[i]) != 0) {
			return false;
		}
	}
	return true;
}

static int report(struct reader *reader, const struct key_path *path,
		  const struct toml_value *value)
{
	const char *parts[TOML_KEYS_MAX];
	for (size_t i = 0; i < path->count; i++) {
		parts[i] = path->text + path->starts[i];
	}
	return reader->entry(reader->context, parts + reader->prefix_count,
			     path->count - reader->prefix_count, value, reader->err);
}

/* ---- Values ---- */

static bool is_scalar_end(int c)
{
	return c < 0 || c == '\n' || c == ',' || c == ']' || c == '}' || c == '#';
}

/* digits(_digits)*; 0 where there is none. */
static size_t digit_run(const char *text, size_t size)
{
	size_t at = 0;
	while (at < size && ((text[at] >= '0' && text[at] <= '9') ||
			     (text[at] == '_' && at > 0 && text[at - 1] != '_'))) {
		at++;
	}
	return at > 0 && text[at - 1] == '_' ? 0 : at;
}

/* TOML's decimal integer or float; false: neither. */
static bool classify_number(const char *text, size_t size, enum toml_kind *ret_kind)
{
	size_t at = size > 0 && (text[0] == '+' || text[0] == '-') ? 1 : 0;
	size_t digits = digit_run(text + at, size - at);
	if (digits == 0 || (digits > 1 && text[at] == '0')) {
		return false;
	}
	at += digits;
	*ret_kind = TOML_INTEGER;
	if (at < size && text[at] == '.') {
		*ret_kind = TOML_NUMBER;
		digits = digit_run(text + at + 1, size - at - 1);
		if (digits == 0) {
			return false;
		}
		at += 1 + digits;
	}
	if (at < size && (text[at] == 'e' || text[at] == 'E')) {
		*ret_kind = TOML_NUMBER;
		at++;
		at += at < size && (text[at] == '+' || text[at] == '-') ? 1 : 0;
		digits = digit_run(text + at, size - at);
		if (digits == 0) {
			return false;
		}
		at += digits;
	}
	return at == size;
}

static int read_bare_value(struct reader *reader, struct toml_value *value)
{
	const char *start = reader->at;
	while (!is_scalar_end(peek(reader))) {
		reader->at++;
	}
	size_t size = (size_t)(reader->at - start);
	while (size > 0 && strchr(" \t\r", start[size - 1]) != NULL) {
		size--;
	}
	if ((size == 4 && memcmp(start, "true", 4) == 0) ||
	    (size == 5 && memcmp(start, "false", 5) == 0)) {
		value->kind = TOML_BOOL;
	} else if (!classify_number(start, size, &value->kind) || size > TEXT_BYTES_MAX) {
		return fail(reader, value->line,
			    "not supported here: Pyrometer's own tables hold \"text\", decimal "
			    "numbers, true, false and arrays of those");
	}
	char *text = arena_copy_text(reader->arena, start, size);
	if (text == NULL) {
		return no_memory(reader);
	}
	size_t kept = 0;
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '_') {
			text[kept++] = text[i];
		}
	}
	text[kept] = '\0';
	value->text = text;
	return 0;
}

static int read_text_value(struct reader *reader, struct toml_value *value)
{
	char bytes[TEXT_BYTES_MAX];
	struct sink sink = {.bytes = bytes, .size = sizeof bytes};
	if (starts_with(reader, "\"\"\"") || starts_with(reader, "'''")) {
		return fail(reader, value->line,
			    "not supported here: text of several lines (three quotes)");
	}
	int rc = read_string(reader, &sink);
	if (rc < 0) {
		return rc;
	}
	if (sink.overflow) {
		return fail(reader, value->line, "the text is longer than 8191 bytes");
	}
	value->kind = TOML_TEXT;
	value->text = arena_copy_text(reader->arena, bytes, sink.used);
	return value->text != NULL ? 0 : no_memory(reader);
}

static int read_scalar(struct reader *reader, struct toml_value *value)
{
	*value = (struct toml_value){.line = reader->line};
	int c = peek(reader);
	return c == '"' || c == '\'' ? read_text_value(reader, value)
				     : read_bare_value(reader, value);
}

static int read_array_items(struct reader *reader, struct toml_value *array,
			    struct toml_value **items, size_t *capacity)
{
	reader->at++; /* [ */
	for (;;) {
		skip_space(reader);
		int c = peek(reader);
		if (c == ']') {
			reader->at++;
			return 0;
		}
		if (c < 0) {
			return fail(reader, array->line, "the array has no closing bracket");
		}
		if (c == '[' || c == '{') {
			return fail(reader, reader->line,
				    "not supported here: arrays or tables in an array");
		}
		int rc = grow_array((void **)items, capacity, array->item_count + 1, sizeof **items,
				    TOML_ITEMS_MAX);
		if (rc == -ERR_LIMIT) {
			return fail(reader, reader->line, "the array has over 1024 items");
		}
		if (rc < 0) {
			return no_memory(reader);
		}
		rc = read_scalar(reader, &(*items)[array->item_count]);
		if (rc < 0) {
			return rc;
		}
		array->item_count++;
		skip_space(reader);
		if (peek(reader) == ',') {
			reader->at++;
		} else if (peek(reader) != ']' && peek(reader) >= 0) {
			return fail(reader, reader->line, "a comma or ] is expected here");
		}
	}
}

static int read_array(struct reader *reader, struct toml_value *value)
{
	struct toml_value *items = NULL;
	size_t capacity = 0;
	*value = (struct toml_value){.kind = TOML_ARRAY, .line = reader->line};
	int rc = read_array_items(reader, value, &items, &capacity);
	if (rc == 0 && value->item_count > 0) {
		size_t bytes = value->item_count * sizeof *items;
		struct toml_value *kept = arena_alloc(reader->arena, bytes);
		if (kept == NULL) {
			rc = no_memory(reader);
		} else {
			memcpy(kept, items, bytes);
			value->items = kept;
		}
	}
	mem_free(items);
	return rc;
}

static int read_value(struct reader *reader, const struct key_path *path, int depth);

/* [ … ] that isn't ours. */
static int skip_array(struct reader *reader, const struct key_path *path, int depth)
{
	int first_line = reader->line;
	reader->at++;
	for (;;) {
		skip_space(reader);
		if (peek(reader) == ']') {
			reader->at++;
			return 0;
		}
		if (peek(reader) < 0) {
			return fail(reader, first_line, "the array has no closing bracket");
		}
		if (peek(reader) == ',') {
			reader->at++;
			continue;
		}
		const char *before = reader->at;
		int rc = read_value(reader, path, depth + 1);
		if (rc < 0) {
			return rc;
		}
		if (reader->at == before) {
			return fail(reader, reader->line, "a value is expected here");
		}
	}
}

/* { key = value, … }: its entries are the path's. */
static int read_inline_table(struct reader *reader, const struct key_path *path, int depth)
{
	int first_line = reader->line;
	reader->at++;
	for (;;) {
		skip_space(reader);
		if (peek(reader) == '}') {
			reader->at++;
			return 0;
		}
		if (peek(reader) < 0) {
			return fail(reader, first_line, "the table has no closing brace");
		}
		struct key_path inner = *path;
		int rc = read_key(reader, &inner);
		if (rc < 0) {
			return rc;
		}
		if (peek(reader) != '=') {
			return fail(reader, reader->line, "= is expected after the key");
		}
		reader->at++;
		skip_blanks(reader);
		rc = read_value(reader, &inner, depth + 1);
		if (rc < 0) {
			return rc;
		}
		skip_space(reader);
		if (peek(reader) == ',') {
			reader->at++;
		} else if (peek(reader) != '}' && peek(reader) >= 0) {
			return fail(reader, reader->line, "a comma or } is expected here");
		}
	}
}

static int report_own_value(struct reader *reader, const struct key_path *path)
{
	struct toml_value value;
	int rc = peek(reader) == '[' ? read_array(reader, &value) : read_scalar(reader, &value);
	return rc < 0 ? rc : report(reader, path, &value);
}

static int read_value(struct reader *reader, const struct key_path *path, int depth)
{
	int c = peek(reader);
	if (depth >= TOML_DEPTH_MAX) {
		return fail(reader, reader->line, "values lie more than 32 deep in one another");
	}
	if (c == '{') {
		return read_inline_table(reader, path, depth);
	}
	if (is_under_prefix(reader, path)) {
		return report_own_value(reader, path);
	}
	if (c == '[') {
		return skip_array(reader, path, depth);
	}
	if (starts_with(reader, "\"\"\"") || starts_with(reader, "'''")) {
		return skip_multi_line(reader);
	}
	if (c == '"' || c == '\'') {
		struct sink nowhere = {.bytes = NULL};
		return read_string(reader, &nowhere);
	}
	while (!is_scalar_end(peek(reader))) {
		reader->at++;
	}
	return 0;
}

/* ---- Lines ---- */

/* [a.b] or [[a.b]]: the path of the lines that follow. */
static int read_header(struct reader *reader, struct key_path *table)
{
	bool is_array = starts_with(reader, "[[");
	struct toml_value value = {.kind = TOML_TABLE, .line = reader->line};
	*table = (struct key_path){.count = 0};
	reader->at += is_array ? 2 : 1;
	int rc = read_key(reader, table);
	if (rc < 0) {
		return rc;
	}
	if (!starts_with(reader, is_array ? "]]" : "]")) {
		return fail(reader, reader->line, "the table's name has no closing bracket");
	}
	reader->at += is_array ? 2 : 1;
	if (!is_under_prefix(reader, table)) {
		table->foreign = table->foreign || is_array;
		return 0;
	}
	if (is_array) {
		return fail(reader, value.line, "not supported here: arrays of tables ([[…]])");
	}
	return report(reader, table, &value);
}

static int read_line(struct reader *reader, struct key_path *table)
{
	int rc;
	if (peek(reader) == '[') {
		rc = read_header(reader, table);
	} else {
		struct key_path path = *table;
		rc = read_key(reader, &path);
		if (rc < 0) {
			return rc;
		}
		if (peek(reader) != '=') {
			return fail(reader, reader->line, "= is expected after the key");
		}
		reader->at++;
		skip_blanks(reader);
		if (is_scalar_end(peek(reader))) {
			return fail(reader, reader->line, "a value is expected after =");
		}
		rc = read_value(reader, &path, 0);
	}
	if (rc < 0) {
		return rc;
	}
	skip_blanks(reader);
	int c = peek(reader);
	if (c >= 0 && c != '\n' && c != '#') {
		return fail(reader, reader->line, "something follows where the line should end");
	}
	return 0;
}

int toml_parse(const char *file_name, const char *bytes, size_t size, const char *const *prefix,
	       struct arena *arena, toml_entry_fn entry, void *context, struct err *err)
{
	struct reader reader = {.file_name = file_name,
				.at = bytes,
				.end = bytes + size,
				.line = 1,
				.prefix = prefix,
				.arena = arena,
				.entry = entry,
				.context = context,
				.err = err};
	struct key_path table = {.count = 0};
	if (size > TOML_FILE_BYTES_MAX) {
		return fail(&reader, 1, "the file is larger than 4 MiB");
	}
	while (prefix[reader.prefix_count] != NULL) {
		reader.prefix_count++;
	}
	if (starts_with(&reader, "\xEF\xBB\xBF")) {
		reader.at += 3;
	}
	for (;;) {
		skip_space(&reader);
		if (reader.at >= reader.end) {
			return 0;
		}
		int rc = read_line(&reader, &table);
		if (rc < 0) {
			return rc;
		}
	}
}
