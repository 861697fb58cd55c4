/* Each format's structure, over a profile that is known in full. What the real
 * consumers make of the files is tested in tests/formats. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <zlib.h>

#include "fixture.h"

#include "base/err.h"
#include "formats/format.h"
#include "formats/protobuf.h"

static char *write_format(const char *name, const struct profile *profile,
			  const struct format_filter *filter, size_t *ret_size)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, ret_size);

	assert_int_equal(format_find(name)->write(profile, filter, stream, NULL), 0);
	fclose(stream);
	return text;
}

static void collapsed_is_one_line_a_stack(void **state)
{
	(void)state;
	struct profile *profile = fixture_profile();
	size_t size;
	char *text = write_format("collapsed", profile, NULL, &size);
	/* Stacks of two processes and of other lines are one; the order is that of the table. */
	assert_string_equal(text, "<no Python stack> 1\n"
				  "m (/src/a.py:10) 8\n"
				  "m (/src/a.py:10);work (/src/a.py:20) 8\n"
				  "m (/src/a.py:10);<torn> 1\n"
				  "rec (/src/ü.py:30);rec (/src/ü.py:30);rec (/src/ü.py:30) 3\n"
				  "read (/src/ü.py:40);C.recv 4\n");
	free(text);
	profile_free(profile);
}

static void collapsed_escapes_and_weighs(void **state)
{
	(void)state;
	static const struct {
		uint64_t second_weight_ns;
		const char *expected;
	} rows[] = {
	    {FIXTURE_MS, "a\\x3bb (x\\x3by.py:3) 2\n"},
	    {3 * FIXTURE_MS, "a\\x3bb (x\\x3by.py:3) 4000\n"}, /* unequal: microseconds */
	};
	for (size_t i = 0; i < 2; i++) {
		struct profile *profile = semicolon_profile(rows[i].second_weight_ns);
		size_t size;
		char *text = write_format("collapsed", profile, NULL, &size);
		assert_string_equal(text, rows[i].expected);
		free(text);
		profile_free(profile);
	}
}

static json_t *write_json(const char *name, const struct profile *profile)
{
	size_t size;
	char *text = write_format(name, profile, NULL, &size);
	json_error_t error;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fail_msg("%s: %s at %d", name, error.text, error.position);
	free(text);
	return json;
}

static const char *speedscope_frame(const json_t *root, const json_t *stack, size_t i)
{
	json_t *frames = json_object_get(json_object_get(root, "shared"), "frames");
	json_int_t index = json_integer_value(json_array_get(stack, i));

	return json_string_value(json_object_get(json_array_get(frames, (size_t)index), "name"));
}

static void speedscope_has_each_thread_in_order_of_time(void **state)
{
	(void)state;
	struct profile *profile = fixture_profile();
	json_t *root = write_json("speedscope", profile);
	json_t *profiles = json_object_get(root, "profiles");
	static const struct {
		const char *name, *first_leaf;
		int samples, weight_ms, start_ms;
	} rows[] = {
	    /* Equal neighbours by stack are one: lines 21 and 22 differ, states do not count. */
	    {"MainThread (process 10, thread 10)", "work", 4, 11, 0},
	    {"wörker; \"1\" (process 10, thread 11)", "C.recv", 3, 8, 4},
	    {"thread 20 (process 20, thread 20)", "m", 1, 6, 8},
	};
	assert_int_equal(json_array_size(profiles), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *one = json_array_get(profiles, i);
		json_t *samples = json_object_get(one, "samples");
		json_t *weights = json_object_get(one, "weights"), *weight;
		json_t *first = json_array_get(samples, 0);
		json_int_t sum = 0;
		size_t at;
		assert_string_equal(json_string_value(json_object_get(one, "name")), rows[i].name);
		assert_int_equal(json_array_size(samples), rows[i].samples);
		assert_int_equal(json_array_size(weights), rows[i].samples);
		json_array_foreach(weights, at, weight) sum += json_integer_value(weight);
		assert_int_equal(sum, rows[i].weight_ms * (json_int_t)FIXTURE_MS);
		assert_string_equal(speedscope_frame(root, first, json_array_size(first) - 1),
				    rows[i].first_leaf);
		json_int_t start = json_integer_value(json_object_get(one, "startValue"));
		assert_int_equal(start, rows[i].start_ms * (json_int_t)FIXTURE_MS);
		assert_int_equal(json_integer_value(json_object_get(one, "endValue")) - start, sum);
	}
	json_decref(root);
	profile_free(profile);
}

static json_int_t cell(const json_t *table, const char *column, json_int_t row)
{
	const json_t *array = json_object_get(table, column);

	assert_true(row >= 0 && (size_t)row < json_array_size(array));
	json_t *value = json_array_get(array, (size_t)row);
	return json_is_null(value) ? -1 : json_integer_value(value);
}

/* "root;…;leaf" of a row of the stack table, for one thread. */
static void firefox_stack_text(const json_t *thread, json_int_t stack, char *text, size_t size)
{
	const json_t *stacks = json_object_get(thread, "stackTable");
	const json_t *frames = json_object_get(thread, "frameTable");
	const json_t *functions = json_object_get(thread, "funcTable");
	const json_t *strings = json_object_get(thread, "stringArray");
	json_int_t prefix = cell(stacks, "prefix", stack);

	text[0] = '\0';
	assert_true(prefix < stack); /* callers first: the viewer relies on it */
	if (prefix >= 0)
		firefox_stack_text(thread, prefix, text, size);
	json_int_t name =
	    cell(functions, "name", cell(frames, "func", cell(stacks, "frame", stack)));
	size_t used = strlen(text);
	snprintf(text + used, size - used, "%s%s", prefix >= 0 ? ";" : "",
		 json_string_value(json_array_get(strings, (size_t)name)));
}

static void firefox_samples_lead_to_their_stacks(void **state)
{
	(void)state;
	static const struct {
		int thread, sample;
		const char *stack, *category;
	} rows[] = {
	    {0, 0, "m;work", "On CPU"},
	    {0, 7, "m;work", "Waiting for a CPU"},
	    {0, 8, "m;<torn>", "On CPU"},
	    {0, 9, "m", "Garbage collection"},
	    {1, 0, "read;C.recv", "Blocked"}, /* earlier by time, later in the table */
	    {1, 4, "rec;rec;rec", "Waiting for the GIL"},
	    {1, 7, "<no Python stack>", "Unknown state"},
	    {2, 0, "m", "On CPU"},
	};
	struct profile *profile = fixture_profile();
	json_t *root = write_json("firefox", profile);
	json_t *threads = json_object_get(root, "threads");
	json_t *categories = json_object_get(json_object_get(root, "meta"), "categories");
	assert_int_equal(json_array_size(threads), 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *thread = json_array_get(threads, (size_t)rows[i].thread);
		json_int_t stack =
		    cell(json_object_get(thread, "samples"), "stack", rows[i].sample);
		json_int_t category =
		    cell(json_object_get(thread, "stackTable"), "category", stack);
		json_t *row = json_array_get(categories, (size_t)category);
		char text[256];
		firefox_stack_text(thread, stack, text, sizeof(text));
		assert_string_equal(text, rows[i].stack);
		assert_string_equal(json_string_value(json_object_get(row, "name")),
				    rows[i].category);
	}
	/* Markers: the worker's span, and the process's instant with the first thread. */
	for (size_t i = 0; i < 2; i++) {
		json_t *thread = json_array_get(threads, i);
		json_t *markers = json_object_get(thread, "markers");
		json_int_t name = cell(markers, "name", 0);
		json_t *strings = json_object_get(thread, "stringArray");
		assert_int_equal(json_integer_value(json_object_get(markers, "length")), 1);
		assert_string_equal(json_string_value(json_array_get(strings, (size_t)name)),
				    i == 0 ? "exec" : "GC");
		assert_int_equal(cell(markers, "phase", 0), i);
	}
	json_decref(root);
	profile_free(profile);
}

static bool keep_blocked(const void *context, const struct profile *profile,
			 const struct profile_sample *sample)
{
	(void)context;
	(void)profile;
	return sample->state == STATE_BLOCKED;
}

static void every_format_honours_the_filter(void **state)
{
	(void)state;
	static const struct format_filter filter = {.keep = keep_blocked};
	struct profile *profile = fixture_profile();
	size_t size;
	char *text = write_format("collapsed", profile, &filter, &size);
	assert_string_equal(text, "read (/src/ü.py:40);C.recv 4\n");
	free(text);
	text = write_format("speedscope", profile, &filter, &size);
	json_t *root = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "profiles")), 1);
	json_decref(root);
	free(text);
	text = write_format("firefox", profile, &filter, &size);
	root = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "threads")), 1);
	json_decref(root);
	free(text);
	profile_free(profile);
}

/* Inflates all; the caller frees. */
static uint8_t *gunzip(const char *bytes, size_t size, size_t *ret_size)
{
	uint8_t *out = malloc(1 << 20);
	z_stream zlib = {.next_in = (uint8_t *)(uintptr_t)bytes,
			 .avail_in = (uInt)size,
			 .next_out = out,
			 .avail_out = 1 << 20};

	assert_int_equal(inflateInit2(&zlib, 15 + 16), Z_OK);
	assert_int_equal(inflate(&zlib, Z_FINISH), Z_STREAM_END);
	*ret_size = zlib.total_out;
	inflateEnd(&zlib);
	return out;
}

/* A bare walk over the top-level fields; what is inside them is decoded in tests/formats. */
static void pprof_has_its_tables(void **state)
{
	(void)state;
	struct profile *profile = fixture_profile();
	size_t size, count[16] = {0}, plain_size;
	char *text = write_format("pprof", profile, NULL, &size);
	uint8_t *plain = gunzip(text, size, &plain_size);
	const uint8_t *at = plain, *end = plain + plain_size;
	while (at < end) {
		uint64_t tag, value;
		assert_true(varint_read(&at, end, &tag) && varint_read(&at, end, &value));
		assert_true(tag >> 3 > 0 && tag >> 3 < 16);
		count[tag >> 3]++;
		if ((tag & 7) == 2) {
			assert_true(value <= (size_t)(end - at));
			at += value;
		}
	}
	assert_int_equal(count[1], 3); /* samples, cpu, wall */
	/* By stack, thread and state: 5 of MainThread, 3 of the worker, 1 of the child. */
	assert_int_equal(count[2], 5 + 3 + 1);
	assert_int_equal(count[4], profile->frame_count); /* row 0 is not written, "no stack" is */
	assert_int_equal(count[5], profile->function_count);
	assert_int_equal(count[3], 0);
	free(plain);
	free(text);
	profile_free(profile);
}

static void protobuf_fields_are_as_the_specification_has_them(void **state)
{
	(void)state;
	/* protobuf.dev, "Encoding": a = 150 in field 1; "testing" in field 2; both embedded in 3.
	 */
	static const uint8_t expected[] = {0x08, 0x96, 0x01, 0x12, 0x07, 't',  'e',  's', 't',
					   'i',	 'n',  'g',  0x1a, 0x03, 0x08, 0x96, 0x01};
	struct buffer message, inner;
	buffer_init(&message, SIZE_MAX);
	buffer_init(&inner, SIZE_MAX);
	protobuf_unsigned(&message, 1, 150);
	protobuf_unsigned(&message, 9, 0); /* the default is left out */
	protobuf_text(&message, 2, "testing");
	protobuf_unsigned(&inner, 1, 150);
	protobuf_bytes(&message, 3, &inner);
	assert_int_equal(message.size, sizeof(expected));
	assert_memory_equal(message.bytes, expected, sizeof(expected));
	buffer_release(&message);
	buffer_release(&inner);
}

static void a_full_disk_is_an_error(void **state)
{
	(void)state;
	struct profile *profile = fixture_profile();
	for (size_t i = 0; formats[i]; i++) {
		FILE *full = fopen("/dev/full", "w");
		struct err err = {0};
		assert_non_null(full);
		assert_int_equal(formats[i]->write(profile, NULL, full, &err), -ERR_FILE);
		assert_true(err.what[0] && err.why[0] && err.next[0]);
		fclose(full);
	}
	profile_free(profile);
}

static void every_failed_allocation_is_an_error_and_no_leak(void **state)
{
	(void)state;
	struct profile *profile = fixture_profile();
	for (size_t i = 0; formats[i]; i++) {
		int failures = 0, rc = -1;
		for (long n = 0; rc != 0; n++) {
			FILE *sink = fopen("/dev/null", "w");
			mem_fail_after(n);
			rc = formats[i]->write(profile, NULL, sink, NULL);
			mem_fail_after(-1);
			fclose(sink);
			assert_true(rc == 0 || rc == -ERR_MEMORY);
			failures += rc != 0;
		}
		assert_true(failures >= 3);
	}
	profile_free(profile);
}

static void an_empty_profile_is_still_a_file(void **state)
{
	(void)state;
	struct small small = small_new();
	struct profile *profile = small_finish(&small);
	size_t size;
	for (size_t i = 0; formats[i]; i++)
		free(write_format(formats[i]->name, profile, NULL, &size));
	json_decref(write_json("speedscope", profile));
	json_decref(write_json("firefox", profile));
	profile_free(profile);
}

static void formats_are_found_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; formats[i]; i++)
		assert_ptr_equal(format_find(formats[i]->name), formats[i]);
	assert_null(format_find("no such format"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(collapsed_is_one_line_a_stack),
	    cmocka_unit_test(collapsed_escapes_and_weighs),
	    cmocka_unit_test(speedscope_has_each_thread_in_order_of_time),
	    cmocka_unit_test(firefox_samples_lead_to_their_stacks),
	    cmocka_unit_test(every_format_honours_the_filter),
	    cmocka_unit_test(pprof_has_its_tables),
	    cmocka_unit_test(protobuf_fields_are_as_the_specification_has_them),
	    cmocka_unit_test(a_full_disk_is_an_error),
	    cmocka_unit_test(every_failed_allocation_is_an_error_and_no_leak),
	    cmocka_unit_test(an_empty_profile_is_still_a_file),
	    cmocka_unit_test(formats_are_found_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
