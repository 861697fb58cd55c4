/* A reader of TOML for one table of a file: its values and lines; toml_text.c has the characters
 * that they are made of. Nothing recurses deeper than TOML_DEPTH_MAX; every loop ends with the
 * bytes. */
#include "base/toml.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/toml_internal.h"

#define TEXT_BYTES_MAX 8192

static int no_memory(struct toml_reader *reader)
{
	return err_set(reader->err, ERR_MEMORY, "%s: no memory to read it", reader->file_name);
}

static bool is_under_prefix(const struct toml_reader *reader, const struct toml_path *path)
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

static int report(struct toml_reader *reader, const struct toml_path *path,
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

static int read_bare_value(struct toml_reader *reader, struct toml_value *value)
{
	const char *start = reader->at;
	while (!is_scalar_end(toml_peek(reader))) {
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
		return toml_fail(
		    reader, value->line,
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

static int read_text_value(struct toml_reader *reader, struct toml_value *value)
{
	char bytes[TEXT_BYTES_MAX];
	struct toml_sink sink = {.bytes = bytes, .size = sizeof bytes};
	if (toml_starts_with(reader, "\"\"\"") || toml_starts_with(reader, "'''")) {
		return toml_fail(reader, value->line,
				 "not supported here: text of several lines (three quotes)");
	}
	int rc = toml_read_string(reader, &sink);
	if (rc < 0) {
		return rc;
	}
	if (sink.overflow) {
		return toml_fail(reader, value->line, "the text is longer than 8191 bytes");
	}
	value->kind = TOML_TEXT;
	value->text = arena_copy_text(reader->arena, bytes, sink.used);
	return value->text != NULL ? 0 : no_memory(reader);
}

static int read_scalar(struct toml_reader *reader, struct toml_value *value)
{
	*value = (struct toml_value){.line = reader->line};
	int c = toml_peek(reader);
	return c == '"' || c == '\'' ? read_text_value(reader, value)
				     : read_bare_value(reader, value);
}

static int read_array_items(struct toml_reader *reader, struct toml_value *array,
			    struct toml_value **items, size_t *capacity)
{
	reader->at++; /* [ */
	for (;;) {
		toml_skip_space(reader);
		int c = toml_peek(reader);
		if (c == ']') {
			reader->at++;
			return 0;
		}
		if (c < 0) {
			return toml_fail(reader, array->line, "the array has no closing bracket");
		}
		if (c == '[' || c == '{') {
			return toml_fail(reader, reader->line,
					 "not supported here: arrays or tables in an array");
		}
		int rc = grow_array((void **)items, capacity, array->item_count + 1, sizeof **items,
				    TOML_ITEMS_MAX);
		if (rc == -ERR_LIMIT) {
			return toml_fail(reader, reader->line, "the array has over 1024 items");
		}
		if (rc < 0) {
			return no_memory(reader);
		}
		rc = read_scalar(reader, &(*items)[array->item_count]);
		if (rc < 0) {
			return rc;
		}
		array->item_count++;
		toml_skip_space(reader);
		if (toml_peek(reader) == ',') {
			reader->at++;
		} else if (toml_peek(reader) != ']' && toml_peek(reader) >= 0) {
			return toml_fail(reader, reader->line, "a comma or ] is expected here");
		}
	}
}

static int read_array(struct toml_reader *reader, struct toml_value *value)
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

static int read_value(struct toml_reader *reader, const struct toml_path *path, int depth);

/* [ … ] that isn't ours. */
static int skip_array(struct toml_reader *reader, const struct toml_path *path, int depth)
{
	int first_line = reader->line;
	reader->at++;
	for (;;) {
		toml_skip_space(reader);
		if (toml_peek(reader) == ']') {
			reader->at++;
			return 0;
		}
		if (toml_peek(reader) < 0) {
			return toml_fail(reader, first_line, "the array has no closing bracket");
		}
		if (toml_peek(reader) == ',') {
			reader->at++;
			continue;
		}
		const char *before = reader->at;
		int rc = read_value(reader, path, depth + 1);
		if (rc < 0) {
			return rc;
		}
		if (reader->at == before) {
			return toml_fail(reader, reader->line, "a value is expected here");
		}
	}
}

/* { key = value, … }: its entries are the path's. */
static int read_inline_table(struct toml_reader *reader, const struct toml_path *path, int depth)
{
	int first_line = reader->line;
	reader->at++;
	for (;;) {
		toml_skip_space(reader);
		if (toml_peek(reader) == '}') {
			reader->at++;
			return 0;
		}
		if (toml_peek(reader) < 0) {
			return toml_fail(reader, first_line, "the table has no closing brace");
		}
		struct toml_path inner = *path;
		int rc = toml_read_key(reader, &inner);
		if (rc < 0) {
			return rc;
		}
		if (toml_peek(reader) != '=') {
			return toml_fail(reader, reader->line, "= is expected after the key");
		}
		reader->at++;
		toml_skip_blanks(reader);
		rc = read_value(reader, &inner, depth + 1);
		if (rc < 0) {
			return rc;
		}
		toml_skip_space(reader);
		if (toml_peek(reader) == ',') {
			reader->at++;
		} else if (toml_peek(reader) != '}' && toml_peek(reader) >= 0) {
			return toml_fail(reader, reader->line, "a comma or } is expected here");
		}
	}
}

static int report_own_value(struct toml_reader *reader, const struct toml_path *path)
{
	struct toml_value value;
	int rc =
	    toml_peek(reader) == '[' ? read_array(reader, &value) : read_scalar(reader, &value);
	return rc < 0 ? rc : report(reader, path, &value);
}

static int read_value(struct toml_reader *reader, const struct toml_path *path, int depth)
{
	int c = toml_peek(reader);
	if (depth >= TOML_DEPTH_MAX) {
		return toml_fail(reader, reader->line,
				 "values lie more than 32 deep in one another");
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
	if (toml_starts_with(reader, "\"\"\"") || toml_starts_with(reader, "'''")) {
		return toml_skip_multi_line(reader);
	}
	if (c == '"' || c == '\'') {
		struct toml_sink nowhere = {.bytes = NULL};
		return toml_read_string(reader, &nowhere);
	}
	while (!is_scalar_end(toml_peek(reader))) {
		reader->at++;
	}
	return 0;
}

/* ---- Lines ---- */

/* [a.b] or [[a.b]]: the path of the lines that follow. */
static int read_header(struct toml_reader *reader, struct toml_path *table)
{
	bool is_array = toml_starts_with(reader, "[[");
	struct toml_value value = {.kind = TOML_TABLE, .line = reader->line};
	*table = (struct toml_path){.count = 0};
	reader->at += is_array ? 2 : 1;
	int rc = toml_read_key(reader, table);
	if (rc < 0) {
		return rc;
	}
	if (!toml_starts_with(reader, is_array ? "]]" : "]")) {
		return toml_fail(reader, reader->line, "the table's name has no closing bracket");
	}
	reader->at += is_array ? 2 : 1;
	if (!is_under_prefix(reader, table)) {
		table->foreign = table->foreign || is_array;
		return 0;
	}
	if (is_array) {
		return toml_fail(reader, value.line,
				 "not supported here: arrays of tables ([[…]])");
	}
	return report(reader, table, &value);
}

static int read_line(struct toml_reader *reader, struct toml_path *table)
{
	int rc;
	if (toml_peek(reader) == '[') {
		rc = read_header(reader, table);
	} else {
		struct toml_path path = *table;
		rc = toml_read_key(reader, &path);
		if (rc < 0) {
			return rc;
		}
		if (toml_peek(reader) != '=') {
			return toml_fail(reader, reader->line, "= is expected after the key");
		}
		reader->at++;
		toml_skip_blanks(reader);
		if (is_scalar_end(toml_peek(reader))) {
			return toml_fail(reader, reader->line, "a value is expected after =");
		}
		rc = read_value(reader, &path, 0);
	}
	if (rc < 0) {
		return rc;
	}
	toml_skip_blanks(reader);
	int c = toml_peek(reader);
	if (c >= 0 && c != '\n' && c != '#') {
		return toml_fail(reader, reader->line,
				 "something follows where the line should end");
	}
	return 0;
}

int toml_parse(const char *file_name, const char *bytes, size_t size, const char *const *prefix,
	       struct arena *arena, toml_entry_fn entry, void *context, struct err *err)
{
	struct toml_reader reader = {.file_name = file_name,
				     .at = bytes,
				     .end = bytes + size,
				     .line = 1,
				     .prefix = prefix,
				     .arena = arena,
				     .entry = entry,
				     .context = context,
				     .err = err};
	struct toml_path table = {.count = 0};
	if (size > TOML_FILE_BYTES_MAX) {
		return toml_fail(&reader, 1, "the file is larger than 4 MiB");
	}
	while (prefix[reader.prefix_count] != NULL) {
		reader.prefix_count++;
	}
	if (toml_starts_with(&reader, "\xEF\xBB\xBF")) {
		reader.at += 3;
	}
	for (;;) {
		toml_skip_space(&reader);
		if (reader.at >= reader.end) {
			return 0;
		}
		int rc = read_line(&reader, &table);
		if (rc < 0) {
			return rc;
		}
	}
}
