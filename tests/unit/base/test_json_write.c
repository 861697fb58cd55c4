/* JSON out: read back by jansson, a reader that isn't ours. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"

static char *write_one(const char *text, size_t size)
{
	char *bytes = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&bytes, &length);
	struct json_writer json;
	assert_non_null(stream);
	json_start(&json, stream, false);
	json_text_n(&json, text, size);
	fclose(stream);
	return bytes;
}

static void texts_come_back_from_another_reader(void **state)
{
	static const char replacement[] = "\xEF\xBF\xBD";
	const struct {
		const char *text;
		size_t size;
		const char *wanted;
	} rows[] = {
	    {"plain", 5, "plain"},
	    {"", 0, ""},
	    {"\"\\/\b\f\n\r\t\x01\x1F\x7F", 11, "\"\\/\b\f\n\r\t\x01\x1F\x7F"},
	    {"gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x8D", 11, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x8D"},
	    {"\xFF", 1, replacement},	   /* no lead byte */
	    {"\xE2\x82", 2, replacement},  /* cut */
	    {"\xC0\xAF", 2, NULL},	   /* overlong */
	    {"\xED\xA0\x80", 3, NULL},	   /* a surrogate, as Python's surrogatepass writes */
	    {"\xF4\x90\x80\x80", 4, NULL}, /* above U+10FFFF */
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *bytes = write_one(rows[i].text, rows[i].size);
		json_t *read = json_loads(bytes, JSON_DECODE_ANY, NULL);
		assert_non_null(read);
		if (rows[i].wanted != NULL) {
			assert_string_equal(json_string_value(read), rows[i].wanted);
		} else {
			assert_non_null(strstr(json_string_value(read), replacement));
		}
		json_decref(read);
		free(bytes);
	}
}

static void write_document(struct json_writer *json)
{
	json_object_begin(json);
	json_key(json, "a\"b");
	json_array_begin(json);
	json_signed(json, INT64_MIN);
	json_unsigned(json, UINT64_MAX);
	json_number(json, 0.1);
	json_number(json, (double)NAN);
	json_number(json, (double)-INFINITY);
	json_array_begin(json);
	json_array_end(json);
	json_array_end(json);
	json_key(json, "empty");
	json_object_begin(json);
	json_object_end(json);
	json_key(json, "yes");
	json_bool(json, true);
	json_key(json, "none");
	json_text(json, NULL);
	json_object_end(json);
}

static void nesting_and_commas_are_right(void **state)
{
	(void)state;
	for (int pretty = 0; pretty < 2; pretty++) {
		char *bytes = NULL;
		size_t length = 0;
		struct json_writer json;
		FILE *stream = open_memstream(&bytes, &length);
		json_start(&json, stream, pretty == 1);
		write_document(&json);
		fclose(stream);
		if (pretty == 0) {
			assert_string_equal(bytes,
					    "{\"a\\\"b\":[-9223372036854775808,null,0.1,null,"
					    "null,[]],\"empty\":{},\"yes\":true,\"none\":null}");
		} else {
			assert_int_equal(bytes[length - 1], '\n');
		}
		json_error_t error;
		json_t *read = json_loads(bytes, 0, &error);
		assert_non_null(read);
		assert_int_equal(json_array_size(json_object_get(read, "a\"b")), 6);
		json_decref(read);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_come_back_from_another_reader),
	    cmocka_unit_test(nesting_and_commas_are_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
