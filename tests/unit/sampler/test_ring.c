/* The ring alone, and between two threads (also built with -Db_sanitize=thread). Any order of puts
 * and drops against a model: tests/fuzz/fuzz_ring.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "sampler/ring.h"

#define SMALL 256u
#define RECORDS 300000u

static void check_next(struct ring *ring, const void *bytes, size_t size)
{
	size_t got = SIZE_MAX;
	const void *record = ring_peek(ring, &got);

	assert_non_null(record);
	assert_int_equal(size, got);
	assert_int_equal(0, (uintptr_t)record % 8);
	assert_memory_equal(record, bytes, size);
	ring_drop(ring);
}

static void records_come_out_whole_and_in_order(void **state)
{
	static const char text[] = "one record after another, of any size";
	struct ring ring;
	size_t ignored;

	(void)state;
	assert_int_equal(0, ring_init(&ring, SMALL));
	assert_null(ring_peek(&ring, &ignored));
	/* Many times around, so that every place of the wrap is met. */
	for (size_t i = 0; i < 2000; i++) {
		size_t size = i % sizeof(text), cut = size ? i % size : 0;

		assert_true(ring_put(&ring, text, cut, text + cut, size - cut));
		assert_true(ring_put(&ring, &i, sizeof(i), NULL, 0));
		check_next(&ring, text, size);
		check_next(&ring, &i, sizeof(i));
		assert_null(ring_peek(&ring, &ignored));
	}
	assert_true(ring_fill(&ring) == 0);
	ring_release(&ring);
}

static void a_full_ring_refuses_and_keeps(void **state)
{
	struct ring ring;
	uint64_t value, taken = 0, out = 0;

	(void)state;
	assert_int_equal(0, ring_init(&ring, SMALL));
	for (int round = 0; round < 50; round++) {
		for (value = taken; ring_put(&ring, &value, sizeof(value), NULL, 0); value++)
			taken = value + 1;
		assert_int_equal(SMALL / 16, taken - out);
		assert_true(ring_fill(&ring) == 1);
		assert_false(ring_put(&ring, NULL, 0, NULL, 0));
		for (int i = 0; i <= round % 16; i++, out++)
			check_next(&ring, &out, sizeof(out));
	}
	ring_release(&ring);
}

static void a_record_over_half_never_fits(void **state)
{
	uint8_t bytes[SMALL] = {0};
	struct ring ring;

	(void)state;
	assert_int_equal(0, ring_init(&ring, SMALL));
	assert_false(ring_put(&ring, bytes, SMALL / 2 - 7, NULL, 0));
	for (size_t i = 0; i < 100;
	     i++) { /* the largest that may fits an empty ring at any place */
		assert_true(ring_put(&ring, bytes, SMALL / 2 - 8, NULL, 0));
		check_next(&ring, bytes, SMALL / 2 - 8);
		assert_true(ring_put(&ring, bytes, 8 * (i % 5), NULL, 0));
		check_next(&ring, bytes, 8 * (i % 5));
	}
	assert_int_equal(0, ring_peek(&ring, &(size_t){0}) != NULL);
	ring_release(&ring);
}

static void no_memory_is_said(void **state)
{
	struct ring ring;

	(void)state;
	mem_fail_after(0);
	assert_int_equal(-ERR_MEMORY, ring_init(&ring, SMALL));
	mem_fail_after(-1);
	ring_release(&ring);
}

static size_t size_of(uint32_t number)
{
	return 4 + number * 2654435761u % 90;
}

static void *produce(void *argument)
{
	struct ring *ring = argument;
	uint8_t bytes[100];

	for (uint32_t i = 0; i < RECORDS; i++) {
		size_t size = size_of(i);

		memset(bytes, (int)(i & 0xff), sizeof(bytes));
		memcpy(bytes, &i, sizeof(i));
		while (!ring_put(ring, bytes, 4, bytes + 4, size - 4))
			sched_yield();
	}
	return NULL;
}

static void one_writes_while_another_reads(void **state)
{
	struct ring ring;
	pthread_t producer;

	(void)state;
	assert_int_equal(0, ring_init(&ring, 1024));
	assert_int_equal(0, pthread_create(&producer, NULL, produce, &ring));
	for (uint32_t i = 0; i < RECORDS; i++) {
		const uint8_t *record;
		uint32_t number;
		size_t size;

		while (!(record = ring_peek(&ring, &size)))
			sched_yield();
		memcpy(&number, record, sizeof(number));
		if (number != i || size != size_of(i))
			fail_msg("record %u of size %zu came as number %u", number, size, i);
		for (size_t k = 4; k < size; k++)
			if (record[k] != (i & 0xff))
				fail_msg("record %u is torn at byte %zu", i, k);
		ring_drop(&ring);
	}
	pthread_join(producer, NULL);
	assert_null(ring_peek(&ring, &(size_t){0}));
	ring_release(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_come_out_whole_and_in_order),
	    cmocka_unit_test(a_full_ring_refuses_and_keeps),
	    cmocka_unit_test(a_record_over_half_never_fits),
	    cmocka_unit_test(no_memory_is_said),
	    cmocka_unit_test(one_writes_while_another_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
