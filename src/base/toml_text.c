/* The characters of TOML: blanks and comments, strings with their escapes, dotted keys. What they
 * mean is toml.c's. Nothing here recurses, and every loop ends with the bytes. */
#include "base/err.h"
#include "base/toml_internal.h"
#include "base/utf8.h"

int toml_fail(struct toml_reader *reader, int line, const char *why)
{
	int rc = err_set(reader->err, ERR_USAGE, "%s:%d: cannot be read", reader->file_name, line);
	err_why(reader->err, "%s", why);
	return rc;
}

/* ---- Characters ---- */

void toml_skip_blanks(struct toml_reader *reader)
{
	while (toml_peek(reader) == ' ' || toml_peek(reader) == '\t' || toml_peek(reader) == '\r') {
		reader->at++;
	}
}

static void skip_line_rest(struct toml_reader *reader)
{
	while (reader->at < reader->end && *reader->at != '\n') {
		reader->at++;
	}
}

void toml_skip_space(struct toml_reader *reader)
{
	for (;;) {
		toml_skip_blanks(reader);
		if (toml_peek(reader) == '#') {
			skip_line_rest(reader);
		}
		if (toml_peek(reader) != '\n') {
			return;
		}
		reader->line++;
		reader->at++;
	}
}

/* ---- Strings ---- */

static void sink_put(struct toml_sink *sink, const char *bytes, size_t size)
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

static bool hex_escape(struct toml_reader *reader, int digits, uint32_t *ret_character)
{
	uint32_t character = 0;
	for (int i = 0; i < digits; i++) {
		int c = toml_peek(reader);
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
static bool read_escape(struct toml_reader *reader, struct toml_sink *sink)
{
	static const char letters[] = "btnfr\"\\";
	static const char meanings[] = "\b\t\n\f\r\"\\";
	int c = toml_peek(reader);
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
	sink_put(sink, (const char *)bytes, utf8_put(character, bytes));
	return true;
}

int toml_read_string(struct toml_reader *reader, struct toml_sink *sink)
{
	char quote = *reader->at++;
	for (;;) {
		int c = toml_peek(reader);
		if (c < 0 || c == '\n') {
			return toml_fail(reader, reader->line, "the text has no closing quote");
		}
		if (c == quote) {
			reader->at++;
			return 0;
		}
		if (c == '\\' && quote == '"') {
			reader->at++;
			if (!read_escape(reader, sink)) {
				return toml_fail(reader, reader->line,
						 "an escape after \\ that TOML doesn't have");
			}
			continue;
		}
		uint32_t character;
		size_t length = utf8_decode((const uint8_t *)reader->at,
					    (size_t)(reader->end - reader->at), &character);
		if (sink->bytes != NULL &&
		    (character == UTF8_INVALID || (character < 0x20 && c != '\t'))) {
			return toml_fail(reader, reader->line,
					 "the text holds a control character or isn't UTF-8");
		}
		sink_put(sink, reader->at, length);
		reader->at += length;
	}
}

int toml_skip_multi_line(struct toml_reader *reader)
{
	int first_line = reader->line;
	char quote = *reader->at;
	reader->at += 3;
	while (reader->at < reader->end) {
		if (*reader->at == '\\' && quote == '"') {
			reader->at++;
			if (toml_peek(reader) == '\n') {
				continue; /* counted below */
			}
		} else if (*reader->at == quote && reader->end - reader->at >= 3 &&
			   reader->at[1] == quote && reader->at[2] == quote) {
			reader->at += 3;
			for (int i = 0; i < 2 && toml_peek(reader) == quote; i++) {
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
	return toml_fail(reader, first_line, "the text of several lines has no closing quotes");
}

/* ---- Keys ---- */

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* One part of a dotted key, appended to the path. */
static int read_key_part(struct toml_reader *reader, struct toml_path *path)
{
	char *bytes = path->text + path->used;
	struct toml_sink sink = {.bytes = bytes, .size = sizeof path->text - path->used};
	if (sink.size == 0 || path->foreign) {
		sink.bytes = NULL;
	}
	if (toml_peek(reader) == '"' || toml_peek(reader) == '\'') {
		int rc = toml_read_string(reader, &sink);
		if (rc < 0) {
			return rc;
		}
	} else {
		const char *start = reader->at;
		while (is_bare(toml_peek(reader))) {
			reader->at++;
		}
		if (reader->at == start) {
			return toml_fail(reader, reader->line, "a key is expected here");
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

int toml_read_key(struct toml_reader *reader, struct toml_path *path)
{
	for (;;) {
		toml_skip_blanks(reader);
		int rc = read_key_part(reader, path);
		if (rc < 0) {
			return rc;
		}
		toml_skip_blanks(reader);
		if (toml_peek(reader) != '.') {
			return 0;
		}
		reader->at++;
	}
}
