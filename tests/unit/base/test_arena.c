/* Memory: arena, growing arrays, buffers, varints, ordered failures. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/err.h"

static void arena_gives_aligned_memory_that_does_not_overlap(void **state)
{
	struct arena arena;
	unsigned char *parts[300];
	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < 300; i++) {
		parts[i] = arena_alloc(&arena, i * 7);
		assert_non_null(parts[i]);
		assert_int_equal((uintptr_t)parts[i] % 16, 0);
		memset(parts[i], (int)(i & 0xFF), i * 7);
	}
	for (size_t i = 0; i < 300; i++) {
		for (size_t j = 0; j < i * 7; j++) {
			assert_int_equal(parts[i][j], i & 0xFF);
		}
	}
	assert_string_equal(arena_copy_text(&arena, "abcdef", 3), "abc");
	arena_release(&arena);
	arena_release(&arena);
}

static void arena_stops_at_its_maximum_and_at_overflow(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena, 64);
	assert_non_null(arena_alloc(&arena, 48));
	assert_null(arena_alloc(&arena, 17));
	assert_non_null(arena_alloc(&arena, 16));
	assert_null(arena_alloc(&arena, 0));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_copy_text(&arena, "", SIZE_MAX));
	arena_release(&arena);
	arena_init(&arena, 0);
	assert_null(arena_alloc(&arena, SIZE_MAX - 20));
	arena_release(&arena);
}

static void sizes_are_checked(void **state)
{
	size_t result = 7;
	(void)state;
	assert_true(size_add(SIZE_MAX - 1, 1, &result));
	assert_int_equal(result, SIZE_MAX);
	assert_false(size_add(SIZE_MAX, 1, &result));
	assert_int_equal(result, SIZE_MAX);
	assert_false(size_multiply(SIZE_MAX / 2, 3, &result));
	assert_true(size_multiply(6, 7, &result));
	assert_int_equal(result, 42);
}

static void arrays_double_up_to_their_maximum(void **state)
{
	int *items = NULL;
	size_t capacity = 0;
	(void)state;
	for (size_t count = 1; count <= 100; count++) {
		assert_int_equal(grow_array((void **)&items, &capacity, count, sizeof *items, 100),
				 0);
		assert_true(capacity >= count && capacity <= 100);
		items[count - 1] = (int)count;
	}
	assert_int_equal(grow_array((void **)&items, &capacity, 101, sizeof *items, 100),
			 -ERR_LIMIT);
	assert_int_equal(grow_array((void **)&items, &capacity, SIZE_MAX / 2, 8, 0), -ERR_LIMIT);
	mem_fail_after(0);
	assert_int_equal(grow_array((void **)&items, &capacity, 200, sizeof *items, 0),
			 -ERR_MEMORY);
	mem_fail_after(-1);
	assert_int_equal(capacity, 100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(items[i], i + 1);
	}
	mem_free(items);
}

static void buffers_keep_what_they_have_after_a_failure(void **state)
{
	struct buffer buffer;
	(void)state;
	buffer_init(&buffer, 10);
	assert_true(buffer_append(&buffer, "0123456", 7));
	assert_false(buffer_append(&buffer, "789A", 4));
	assert_true(buffer.failed);
	assert_false(buffer_append(&buffer, "7", 1));
	assert_int_equal(buffer.size, 7);
	assert_memory_equal(buffer.bytes, "0123456", 7);
	buffer_release(&buffer);
}

static void varints_come_back(void **state)
{
	static const int64_t values[] = {0,   1,   -1,	63,	 64,	    -64,
					 -65, 127, 128, 1 << 20, INT64_MAX, INT64_MIN};
	struct buffer buffer;
	(void)state;
	buffer_init(&buffer, 0);
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		assert_true(buffer_zigzag(&buffer, values[i]));
		assert_true(buffer_varint(&buffer, (uint64_t)values[i]));
	}
	const uint8_t *cursor = buffer.bytes, *end = buffer.bytes + buffer.size;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		int64_t number;
		uint64_t bits;
		assert_true(zigzag_read(&cursor, end, &number));
		assert_true(number == values[i]);
		assert_true(varint_read(&cursor, end, &bits));
		assert_true(bits == (uint64_t)values[i]);
	}
	assert_ptr_equal(cursor, end);
	buffer_release(&buffer);
}

static void cut_and_oversized_varints_are_refused(void **state)
{
	static const uint8_t cut[] = {0x80, 0x80};
	static const uint8_t wide[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02};
	static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
					  0x80, 0x80, 0x80, 0x80, 0x00};
	uint64_t value = 5;
	(void)state;
	const uint8_t *cursor = cut;
	assert_false(varint_read(&cursor, cut + sizeof cut, &value));
	assert_false(varint_read(&cursor, cut, &value));
	assert_ptr_equal(cursor, cut);
	cursor = wide;
	assert_false(varint_read(&cursor, wide + sizeof wide, &value));
	cursor = endless;
	assert_false(varint_read(&cursor, endless + sizeof endless, &value));
	assert_int_equal(value, 5);
}

static void the_ordered_allocation_fails_and_only_that_one(void **state)
{
	(void)state;
	mem_fail_after(1);
	void *first = mem_alloc(1);
	assert_non_null(first);
	assert_false(mem_failed());
	assert_null(mem_zalloc(1, 1));
	assert_true(mem_failed());
	void *third = mem_copy_text("x");
	assert_non_null(third);
	mem_fail_after(-1);
	mem_free(first);
	mem_free(third);
	assert_null(mem_zalloc(SIZE_MAX, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arena_gives_aligned_memory_that_does_not_overlap),
	    cmocka_unit_test(arena_stops_at_its_maximum_and_at_overflow),
	    cmocka_unit_test(sizes_are_checked),
	    cmocka_unit_test(arrays_double_up_to_their_maximum),
	    cmocka_unit_test(buffers_keep_what_they_have_after_a_failure),
	    cmocka_unit_test(varints_come_back),
	    cmocka_unit_test(cut_and_oversized_varints_are_refused),
	    cmocka_unit_test(the_ordered_allocation_fails_and_only_that_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
