/* JSON to a stream. Reading JSON is jansson's part. */
#include "base/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"

void json_start(struct json_writer *json, FILE *stream, bool pretty)
{
	*json = (struct json_writer){.stream = stream, .pretty = pretty};
}

static void new_line(struct json_writer *json)
{
	if (json->pretty) {
		fprintf(json->stream, "\n%*s", json->depth * 2, "");
	}
}

/* What comes before a key or an element. */
static void separate(struct json_writer *json)
{
	if (json->depth == 0) {
		return;
	}
	if (json->has_item[json->depth - 1]) {
		putc(',', json->stream);
	}
	json->has_item[json->depth - 1] = true;
	new_line(json);
}

static void before_value(struct json_writer *json)
{
	if (json->after_key) {
		json->after_key = false;
	} else {
		separate(json);
	}
}

static void begin(struct json_writer *json, char bracket)
{
	before_value(json);
	assert(json->depth < JSON_DEPTH_MAX);
	putc(bracket, json->stream);
	json->has_item[json->depth++] = false;
}

static void end(struct json_writer *json, char bracket)
{
	assert(json->depth > 0 && !json->after_key);
	json->depth--;
	if (json->has_item[json->depth]) {
		new_line(json);
	}
	putc(bracket, json->stream);
	if (json->depth == 0 && json->pretty) {
		putc('\n', json->stream);
	}
}

void json_object_begin(struct json_writer *json)
{
	begin(json, '{');
}

void json_object_end(struct json_writer *json)
{
	end(json, '}');
}

void json_array_begin(struct json_writer *json)
{
	begin(json, '[');
}

void json_array_end(struct json_writer *json)
{
	end(json, ']');
}

/* The two-character escape of a control character, a quote or a backslash; 0: it has none. */
static char short_escape(unsigned char byte)
{
	switch (byte) {
	case '"':
	case '\\':
		return (char)byte;
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	default:
		return 0;
	}
}

static void write_string(FILE *stream, const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t plain = 0; /* start of what needs no escape */
	size_t at = 0;
	putc('"', stream);
	while (at < size) {
		uint32_t character;
		size_t length = utf8_decode(bytes + at, size - at, &character);
		bool is_plain = character != UTF8_INVALID && character >= 0x20 &&
				character != '"' && character != '\\' && character != 0x7F;
		if (!is_plain) {
			fwrite(bytes + plain, 1, at - plain, stream);
			plain = at + length;
			if (character == UTF8_INVALID) {
				fputs("\xEF\xBF\xBD", stream);
			} else if (short_escape(bytes[at]) != 0) {
				fprintf(stream, "\\%c", short_escape(bytes[at]));
			} else {
				fprintf(stream, "\\u%04x", (unsigned)character);
			}
		}
		at += length;
	}
	fwrite(bytes + plain, 1, size - plain, stream);
	putc('"', stream);
}

void json_key(struct json_writer *json, const char *key)
{
	assert(json->depth > 0 && !json->after_key);
	separate(json);
	write_string(json->stream, key, strlen(key));
	fputs(json->pretty ? ": " : ":", json->stream);
	json->after_key = true;
}

void json_text(struct json_writer *json, const char *text)
{
	if (text == NULL) {
		json_absent(json);
	} else {
		json_text_n(json, text, strlen(text));
	}
}

void json_text_n(struct json_writer *json, const char *text, size_t size)
{
	before_value(json);
	write_string(json->stream, size > 0 ? text : "", size);
}

void json_signed(struct json_writer *json, int64_t value)
{
	before_value(json);
	fprintf(json->stream, "%" PRId64, value);
}

void json_unsigned(struct json_writer *json, uint64_t value)
{
	if (value == UINT64_MAX) {
		json_absent(json);
		return;
	}
	before_value(json);
	fprintf(json->stream, "%" PRIu64, value);
}

void json_number(struct json_writer *json, double value)
{
	if (!isfinite(value)) {
		json_absent(json);
		return;
	}
	before_value(json);
	fprintf(json->stream, "%.9g", value);
}

void json_bool(struct json_writer *json, bool value)
{
	before_value(json);
	fputs(value ? "true" : "false", json->stream);
}

void json_absent(struct json_writer *json)
{
	before_value(json);
	fputs("null", json->stream);
}
