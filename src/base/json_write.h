/* Writes JSON to a stream: escaping, commas and nesting are kept right; numbers that are not
 * finite become null. Invalid UTF-8 becomes U+FFFD. No name here is one of jansson's: the linker
 * would give our function to jansson's own callers. */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 32
struct json_writer {
	FILE *stream;
	int depth;
	bool pretty;
	bool has_item[JSON_DEPTH_MAX];
	bool after_key;
};

void json_start(struct json_writer *, FILE *stream, bool pretty);
void json_object_begin(struct json_writer *);
void json_object_end(struct json_writer *);
void json_array_begin(struct json_writer *);
void json_array_end(struct json_writer *);
void json_key(struct json_writer *, const char *key);
void json_text(struct json_writer *, const char *text); /* NULL → null */
void json_text_n(struct json_writer *, const char *text, size_t size);
void json_signed(struct json_writer *, int64_t value);
void json_unsigned(struct json_writer *, uint64_t value); /* UINT64_MAX → null */
void json_number(struct json_writer *, double value);	  /* %.9g */
void json_bool(struct json_writer *, bool value);
void json_absent(struct json_writer *); /* null */

#endif
