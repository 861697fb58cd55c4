/* Line tables made by hand: every form of every format, garbage, and the index. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/line_table.h"

#define BYTES_MAX 16

struct want {
	const char *name;
	enum line_table_kind kind;
	size_t size;
	uint8_t bytes[BYTES_MAX];
	int32_t first_line;
	int64_t offset;
	bool found;
	struct code_location location;
};

static const struct want wants[] = {
    {"lnotab: empty", LINE_TABLE_LNOTAB, 0, {0}, 7, 100, true, {7, 7, 0, 0}},
    {"lnotab: before the step", LINE_TABLE_LNOTAB, 2, {6, 1}, 7, 5, true, {7, 7, 0, 0}},
    {"lnotab: at the step", LINE_TABLE_LNOTAB, 2, {6, 1}, 7, 6, true, {8, 8, 0, 0}},
    {"lnotab: two steps at one place",
     LINE_TABLE_LNOTAB,
     4,
     {6, 127, 0, 10},
     1,
     6,
     true,
     {138, 138, 0, 0}},
    {"lnotab: backwards", LINE_TABLE_LNOTAB, 4, {2, 10, 2, 0xfd}, 1, 4, true, {8, 8, 0, 0}},
    {"lnotab: before line 1", LINE_TABLE_LNOTAB, 2, {2, 0x80}, 1, 2, true, {0, 0, 0, 0}},
    {"lnotab: half a pair", LINE_TABLE_LNOTAB, 3, {2, 1, 9}, 1, 50, true, {2, 2, 0, 0}},
    {"3.10: empty", LINE_TABLE_310, 0, {0}, 7, 0, false, {0}},
    {"3.10: moves first", LINE_TABLE_310, 2, {6, 1}, 7, 5, true, {8, 8, 0, 0}},
    {"3.10: past its end", LINE_TABLE_310, 2, {6, 1}, 7, 6, false, {0}},
    {"3.10: no line", LINE_TABLE_310, 4, {6, 1, 2, 0x80}, 7, 6, true, {0}},
    {"3.10: no line does not move",
     LINE_TABLE_310,
     6,
     {6, 1, 2, 0x80, 2, 0},
     7,
     8,
     true,
     {8, 8, 0, 0}},
    {"3.10: empty ranges add up",
     LINE_TABLE_310,
     6,
     {0, 127, 0, 127, 4, 1},
     1,
     0,
     true,
     {256, 256, 0, 0}},
    {"3.11: short form",
     LINE_TABLE_LOCATIONS,
     2,
     {0x80 | 3 << 3, 0x25},
     9,
     1,
     true,
     {9, 9, 27, 32}},
    {"3.11: one line, delta 2",
     LINE_TABLE_LOCATIONS,
     3,
     {0x80 | 12 << 3, 200, 255},
     9,
     0,
     true,
     {11, 11, 201, 256}},
    {"3.11: no columns", LINE_TABLE_LOCATIONS, 2, {0x80 | 13 << 3, 0x05}, 9, 0, true, {7, 7, 0, 0}},
    {"3.11: long form",
     LINE_TABLE_LOCATIONS,
     7,
     {0x80 | 14 << 3, 0x42, 0x01, 0x03, 0x45, 0x02, 0x09},
     9,
     0,
     true,
     {9 + 33, 9 + 33 + 3, 133, 9}},
    {"3.11: long form, no columns",
     LINE_TABLE_LOCATIONS,
     5,
     {0x80 | 14 << 3, 0, 0, 0, 0},
     9,
     0,
     true,
     {9, 9, 0, 0}},
    {"3.11: none", LINE_TABLE_LOCATIONS, 1, {0x80 | 15 << 3 | 7}, 9, 15, true, {0}},
    {"3.11: none is past", LINE_TABLE_LOCATIONS, 1, {0x80 | 15 << 3 | 7}, 9, 16, false, {0}},
    {"3.11: caches belong to it",
     LINE_TABLE_LOCATIONS,
     2,
     {0x80 | 0 << 3 | 4, 0},
     9,
     9,
     true,
     {9, 9, 1, 1}},
    {"3.11: line 0 has no columns", LINE_TABLE_LOCATIONS, 2, {0x80, 0x11}, 0, 0, true, {0}},
    {"3.11: no mark", LINE_TABLE_LOCATIONS, 2, {0x18, 0x25}, 9, 0, false, {0}},
    {"3.11: cut short form", LINE_TABLE_LOCATIONS, 1, {0x80}, 9, 0, false, {0}},
    {"3.11: cut long form", LINE_TABLE_LOCATIONS, 4, {0x80 | 14 << 3, 0, 0, 0}, 9, 0, false, {0}},
    {"3.11: endless number",
     LINE_TABLE_LOCATIONS,
     9,
     {0x80 | 13 << 3, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x01},
     9,
     0,
     false,
     {0}},
    {"3.11: mark inside a number",
     LINE_TABLE_LOCATIONS,
     3,
     {0x80 | 13 << 3, 0xc1, 0x01},
     9,
     0,
     false,
     {0}},
    {"3.11: line too large",
     LINE_TABLE_LOCATIONS,
     7,
     {0x80 | 13 << 3, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f},
     INT32_MAX,
     0,
     true,
     {0}},
    {"a kind that is none", (enum line_table_kind)77, 2, {0x80, 0}, 9, 0, false, {0}},
    {"before the first byte", LINE_TABLE_310, 2, {6, 1}, 7, -5, false, {0}},
};

static void each_form_gives_its_location(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		const struct want *want = &wants[i];
		struct line_table table = {want->bytes, want->size, want->kind, want->first_line};
		struct line_index index = {0};
		struct code_location got;

		if (line_table_find(&table, NULL, want->offset, &got) != want->found ||
		    memcmp(&got, &want->location, sizeof(got)) != 0)
			fail_msg("%s: %d,%d,%d,%d", want->name, got.line, got.end_line, got.column,
				 got.end_column);
		assert_int_equal(line_index_build(&index, &table), 0);
		assert_int_equal(line_table_find(&table, &index, want->offset, &got), want->found);
		assert_memory_equal(&got, &want->location, sizeof(got));
		line_index_release(&index);
	}
}

/* Random tables: whatever they are, the index changes no answer. */
static void the_index_changes_no_answer(void **state)
{
	static uint8_t bytes[4000];
	static const enum line_table_kind kinds[] = {LINE_TABLE_LNOTAB, LINE_TABLE_310,
						     LINE_TABLE_LOCATIONS};

	(void)state;
	srandom(3);
	for (int round = 0; round < 60; round++) {
		struct line_table table = {bytes, sizeof(bytes), kinds[round % 3], 1};
		struct line_index index = {0};

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(random() % 3 ? random() % 4 : random());
		if (table.kind == LINE_TABLE_LOCATIONS) /* well-formed: pairs of the short form */
			for (size_t i = 0; i < sizeof(bytes); i += 2) {
				bytes[i] = 0x80 | (uint8_t)(random() % 80);
				bytes[i + 1] &= 0x7f;
			}
		assert_int_equal(line_index_build(&index, &table), 0);
		assert_true(index.count > 10);
		for (int64_t offset = 0; offset < 40000; offset += 13) {
			struct code_location plain, indexed;

			assert_int_equal(line_table_find(&table, NULL, offset, &plain),
					 line_table_find(&table, &index, offset, &indexed));
			assert_memory_equal(&plain, &indexed, sizeof(plain));
		}
		line_index_release(&index);
	}
}

/* No look-up with an index decodes more than one stride: a million of them in a table of 16 MiB
 * end at once; without one they would take hours. */
static void lookups_do_not_grow_with_the_table(void **state)
{
	size_t size = 16u << 20;
	uint8_t *bytes = malloc(size);
	struct line_table table = {bytes, size, LINE_TABLE_310, 1};
	struct line_index index = {0};

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < size; i += 2) {
		bytes[i] = 2;
		bytes[i + 1] = 1;
	}
	assert_int_equal(line_index_build(&index, &table), 0);
	assert_int_equal(index.count, size / 2 / LINE_INDEX_STRIDE);
	for (int64_t i = 0; i < 1000000; i++) {
		struct code_location got;
		int64_t offset = i * 7919 % (int64_t)size;

		assert_true(line_table_find(&table, &index, offset, &got));
		assert_int_equal(got.line, offset / 2 + 2);
	}
	line_index_release(&index);
	free(bytes);
}

static void no_memory_for_the_index_is_reported(void **state)
{
	static const uint8_t bytes[] = {2, 1};
	struct line_table table = {bytes, sizeof(bytes), LINE_TABLE_310, 1};
	struct line_index index = {0};

	(void)state;
	mem_fail_after(0);
	assert_int_equal(line_index_build(&index, &table), -ERR_MEMORY);
	mem_fail_after(-1);
	assert_null(index.points);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_form_gives_its_location),
	    cmocka_unit_test(the_index_changes_no_answer),
	    cmocka_unit_test(lookups_do_not_grow_with_the_table),
	    cmocka_unit_test(no_memory_for_the_index_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
