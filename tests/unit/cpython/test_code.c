/* Code objects against what the interpreter itself says of them: names, files, every line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/code.h"
#include "walk_truth.h"

#define CODES_MAX 256

struct seen_codes {
	struct code_fingerprint fingerprints[CODES_MAX];
	struct raddr addresses[CODES_MAX];
	size_t count, offsets;
};

static void check_head(const struct truth *truth, const struct code_info *info)
{
	assert_int_equal(info->first_line, truth_i64(truth, 2));
	assert_int_equal(info->flags, truth_u64(truth, 3));
	assert_int_equal(info->code_size, truth_u64(truth, 4));
	assert_int_equal(info->stacksize, truth_i64(truth, 5));
	if (strlen(truth->fields[6]) / 2 <= CODE_NAME_MAX)
		assert_string_equal(info->name, truth_text(truth, 6));
	else /* cut, and never inside a character (all of two bytes here) */
		assert_true(strlen(info->name) == CODE_NAME_MAX &&
			    memcmp(info->name, truth_text(truth, 6), CODE_NAME_MAX) == 0);
	assert_string_equal(info->file, truth_text(truth, 7));
}

static struct code_info *read_code(struct truth *truth, struct seen_codes *seen)
{
	struct code_info *info = NULL;
	struct raddr address = {truth_u64(truth, 1)};
	struct code_location at;
	struct err err = {0};

	if (code_info_read(&truth->memory, truth->layout, address, &info, &err))
		fail_msg("%s: %s %s", truth->python.path, err.what, err.why);
	check_head(truth, info);
	assert_true(seen->count < CODES_MAX);
	seen->fingerprints[seen->count] = info->fingerprint;
	seen->addresses[seen->count++] = address;
	assert_true(code_location_at(info, truth->layout->line_table, -1, &at));
	assert_int_equal(at.line, info->first_line);
	assert_false(code_location_at(info, truth->layout->line_table, info->code_size, &at));
	assert_false(code_location_at(info, truth->layout->line_table, -2, &at));
	return info;
}

/* A range of bytes with one location: every byte of it, an instruction's and its caches'. */
static void check_range(const struct truth *truth, const struct code_info *info)
{
	const struct code_location want = {
	    (int32_t)truth_i64(truth, 3), (int32_t)truth_i64(truth, 4),
	    (int32_t)truth_i64(truth, 5), (int32_t)truth_i64(truth, 6)};

	for (int64_t offset = truth_i64(truth, 1); offset < truth_i64(truth, 2); offset++) {
		struct code_location got;
		bool found = code_location_at(info, truth->layout->line_table, offset, &got);

		if (!found || memcmp(&got, &want, sizeof(got)) != 0)
			fail_msg("%s: %.60s offset %lld: %d,%d,%d,%d, not %d,%d,%d,%d",
				 truth->python.path, info->name, (long long)offset, got.line,
				 got.end_line, got.column, got.end_column, want.line, want.end_line,
				 want.column, want.end_column);
	}
}

static void check_fingerprints(const struct truth *truth, const struct seen_codes *seen)
{
	struct code_fingerprint_span span = code_fingerprint_span(truth->layout);
	uint8_t bytes[CODE_FINGERPRINT_SPAN_MAX];

	assert_true(span.size <= sizeof(bytes));
	for (size_t i = 0; i < seen->count; i++) {
		struct code_fingerprint again;
		struct raddr from = {seen->addresses[i].v + (uint64_t)span.offset};

		assert_int_equal(remote_read(&truth->memory, from, bytes, span.size, NULL), 0);
		code_fingerprint_from_span(truth->layout, bytes, &again);
		assert_memory_equal(&again, &seen->fingerprints[i], sizeof(again));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(&again, &seen->fingerprints[j], sizeof(again));
	}
}

static void check_codes(struct truth *truth)
{
	static struct seen_codes seen;
	struct code_info *info = NULL;
	size_t largest = 0;

	seen.count = seen.offsets = 0;
	while (truth_next(truth)) {
		if (truth->fields[0][0] == 'C') {
			code_info_free(info);
			info = read_code(truth, &seen);
			largest = info->line_table_size > largest ? info->line_table_size : largest;
		} else if (truth->fields[0][0] == 'L') {
			seen.offsets += (size_t)(truth_u64(truth, 2) - truth_u64(truth, 1));
			check_range(truth, info);
		}
	}
	code_info_free(info);
	assert_true(seen.count > 20 && seen.offsets > 100000);
	assert_true(largest > 32768);
	check_fingerprints(truth, &seen);
	print_message("    %zu code objects, %zu offsets, largest line table %zu bytes\n",
		      seen.count, seen.offsets, largest);
}

static void every_offset_has_the_location_that_the_interpreter_says(void **state)
{
	(void)state;
	truth_for_each("codes", "", check_codes);
}

/* Every failing allocation is reported, and leaves nothing behind. */
static void check_allocations(struct truth *truth)
{
	struct raddr address = {truth_u64(truth, 1)};
	struct code_info *info = NULL;
	int error = -1;

	for (long n = 0; n < 100 && error; n++) {
		mem_fail_after(n);
		error = code_info_read(&truth->memory, truth->layout, address, &info, NULL);
		mem_fail_after(-1);
		assert_true(error == 0 || error == -ERR_MEMORY);
		assert_true(n > 3 || error);
	}
	assert_int_equal(error, 0);
	code_info_free(info);
}

/* Other objects, addresses between objects, and nothing at all are refused. */
static void check_refusals(struct truth *truth)
{
	struct code_info *info = NULL;
	struct raddr type;
	struct raddr address = {truth_u64(truth, 1)};

	for (uint64_t shift = 1; shift <= 8; shift++)
		assert_true(code_info_read(&truth->memory, truth->layout,
					   (struct raddr){address.v + shift}, &info, NULL) < 0);
	address.v += (uint64_t)truth->layout->at.object_type;
	assert_int_equal(remote_read_raddr(&truth->memory, address, &type), 0);
	assert_int_equal(code_info_read(&truth->memory, truth->layout, type, &info, NULL),
			 -ERR_TORN);
	assert_int_equal(
	    code_info_read(&truth->memory, truth->layout, (struct raddr){0}, &info, NULL),
	    -ERR_TORN);
	assert_null(info);
}

static void check_codes_without_columns(struct truth *truth)
{
	struct code_info *info = NULL;
	static struct seen_codes seen;
	size_t ranges = 0;

	seen.count = 0;
	while (truth_next(truth)) {
		if (truth->fields[0][0] == 'C') {
			code_info_free(info);
			check_refusals(truth);
			check_allocations(truth);
			info = read_code(truth, &seen);
		} else if (truth->fields[0][0] == 'L') {
			check_range(truth, info);
			ranges++;
		}
	}
	code_info_free(info);
	assert_true(ranges > 1000);
}

static void tables_without_columns_are_read_too_and_what_is_no_code_is_refused(void **state)
{
	(void)state;
	truth_for_each("codes", "no_debug_ranges", check_codes_without_columns);
}

static void fingerprint_spans_are_small_on_every_version(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		const struct layout *layout = layout_for_minor(minor);

		assert_non_null(layout);
		assert_true(code_fingerprint_span(layout).size <= CODE_FINGERPRINT_SPAN_MAX);
		assert_true(code_fingerprint_span(layout).offset > 0);
	}
}

/* Offsets that a target's own table could claim: refused, nothing is read outside of a buffer. */
static void offsets_outside_the_head_are_refused(void **state)
{
	static uint8_t bytes[4096];
	const struct remote_segment segment = {0x1000, bytes, sizeof(bytes)};
	const int32_t wild[] = {-2, -100, 208, 9000, INT32_MAX, INT32_MIN};
	struct remote_memory memory;

	(void)state;
	/* An object whose type, at 0x1400, is named "code". */
	memcpy(bytes + 8, &(uint64_t){0x1400}, 8);
	memcpy(bytes + 0x400 + layout_for_minor(13)->at.type_name, &(uint64_t){0x1800}, 8);
	memcpy(bytes + 0x800, "code", 5);
	remote_memory_init_image(&memory, &segment, 1);
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		struct layout layout = *layout_for_minor(13);
		int32_t *const fields[] = {&layout.at.code_filename, &layout.at.code_linetable,
					   &layout.at.code_firstlineno, &layout.at.code_flags,
					   &layout.at.varobject_size_field};

		for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
			struct code_info *info = NULL;
			int32_t good = *fields[f];

			*fields[f] = wild[i];
			assert_int_equal(
			    code_info_read(&memory, &layout, (struct raddr){0x1000}, &info, NULL),
			    -ERR_LIMIT);
			assert_true(code_fingerprint_span(&layout).size <=
				    CODE_FINGERPRINT_SPAN_MAX);
			*fields[f] = good;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fingerprint_spans_are_small_on_every_version),
	    cmocka_unit_test(offsets_outside_the_head_are_refused),
	    cmocka_unit_test(every_offset_has_the_location_that_the_interpreter_says),
	    cmocka_unit_test(tables_without_columns_are_read_too_and_what_is_no_code_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
