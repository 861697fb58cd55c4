/* Hash maps against what was put in, and the hash against its own collisions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"

static bool equal_number(const void *context, uint32_t value, const void *key)
{
	const uint64_t *keys = context;
	return keys[value - 1] == *(const uint64_t *)key;
}

static void interning_finds_what_was_put_in_and_nothing_else(void **state)
{
	enum { COUNT = 5000 };
	static uint64_t keys[COUNT];
	struct intern_map map;
	(void)state;
	intern_map_init(&map, 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		keys[i] = (uint64_t)i * 4096;
		/* Few hashes on purpose: most keys collide with others. */
		uint64_t hash = hash_u64(keys[i] % 977);
		assert_int_equal(intern_map_find(&map, hash, equal_number, keys, &keys[i]), 0);
		assert_int_equal(intern_map_insert(&map, hash, i + 1), 0);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		uint64_t hash = hash_u64(keys[i] % 977);
		assert_int_equal(intern_map_find(&map, hash, equal_number, keys, &keys[i]), i + 1);
	}
	uint64_t absent = 1;
	assert_int_equal(intern_map_find(&map, hash_u64(0), equal_number, keys, &absent), 0);
	assert_int_equal(map.count, COUNT);
	intern_map_release(&map);
}

static void maps_stop_at_their_maximum_and_survive_failed_growth(void **state)
{
	struct intern_map interned;
	struct u64_map map;
	uint64_t value = 0;
	(void)state;
	intern_map_init(&interned, 2);
	assert_int_equal(intern_map_insert(&interned, 1, 1), 0);
	assert_int_equal(intern_map_insert(&interned, 2, 2), 0);
	assert_int_equal(intern_map_insert(&interned, 3, 3), -ERR_LIMIT);
	intern_map_release(&interned);

	u64_map_init(&map, 1000);
	for (long n = 0; n < 2; n++) {
		mem_fail_after(0);
		int rc = u64_map_put(&map, (uint64_t)n, 1);
		mem_fail_after(-1);
		assert_int_equal(rc, n == 0 ? -ERR_MEMORY : 0);
		assert_int_equal(u64_map_put(&map, (uint64_t)n, 1), 0);
	}
	uint64_t key = 2;
	int rc = 0;
	mem_fail_after(0);
	while (rc == 0) {
		rc = u64_map_put(&map, key, key);
		key += rc == 0;
	}
	assert_int_equal(rc, -ERR_MEMORY);
	mem_fail_after(-1);
	for (uint64_t i = 2; i < key; i++) {
		assert_true(u64_map_get(&map, i, &value));
		assert_true(value == i);
	}
	for (; key < 1000; key++) {
		assert_int_equal(u64_map_put(&map, key, key), 0);
	}
	assert_int_equal(u64_map_put(&map, key, key), -ERR_LIMIT);
	assert_int_equal(u64_map_put(&map, 5, 50), 0);
	assert_true(u64_map_get(&map, 5, &value));
	assert_int_equal(value, 50);
	u64_map_clear(&map);
	assert_false(u64_map_get(&map, 5, &value));
	assert_int_equal(map.count, 0);
	u64_map_release(&map);
}

static void keys_of_all_sorts_are_kept_apart(void **state)
{
	static const uint64_t strides[] = {1, 8, 4096, (uint64_t)1 << 32, (uint64_t)1 << 40};
	(void)state;
	for (size_t s = 0; s < 5; s++) {
		struct u64_map map;
		uint64_t value;
		u64_map_init(&map, 0);
		for (uint64_t i = 0; i < 20000; i++) {
			assert_int_equal(u64_map_put(&map, i * strides[s], ~i), 0);
		}
		for (uint64_t i = 0; i < 20000; i++) {
			assert_true(u64_map_get(&map, i * strides[s], &value));
			assert_true(value == ~i);
		}
		assert_false(u64_map_get(&map, 20000 * strides[s], &value));
		u64_map_release(&map);
	}
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Among n random 64-bit values a collision has a chance of n²/2^65: none is expected here. */
static void the_hash_has_no_collisions_on_similar_inputs(void **state)
{
	enum { COUNT = 200000 };
	uint64_t *hashes = malloc(COUNT * sizeof *hashes);
	size_t count = 0;
	(void)state;
	assert_non_null(hashes);
	for (size_t size = 0; size <= 100; size++) { /* zeros of every length */
		static const uint8_t zeros[100];
		hashes[count++] = hash_bytes(zeros, size, 0);
	}
	for (size_t size = 1; size <= 64; size++) { /* one bit set */
		uint8_t bytes[64] = {0};
		for (size_t bit = 0; bit < size * 8; bit++) {
			bytes[bit / 8] = (uint8_t)(1U << bit % 8);
			hashes[count++] = hash_bytes(bytes, size, 0);
			bytes[bit / 8] = 0;
		}
	}
	for (uint32_t i = 0; count < COUNT; i++) { /* paths that differ in a few digits */
		char text[64];
		int size = snprintf(text, sizeof text, "/usr/lib/python3/module_%u.py:%u", i / 100,
				    i % 100);
		hashes[count++] = hash_bytes(text, (size_t)size, 0);
	}
	qsort(hashes, count, sizeof *hashes, compare_u64);
	for (size_t i = 1; i < count; i++) {
		assert_true(hashes[i] != hashes[i - 1]);
	}
	free(hashes);
}

static void every_byte_and_the_seed_change_about_half_of_the_bits(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 120; size++) {
		uint8_t bytes[120];
		for (size_t i = 0; i < size; i++) {
			bytes[i] = (uint8_t)(i * 37 + size);
		}
		uint64_t whole = hash_bytes(bytes, size, 1);
		assert_true(whole == hash_bytes(bytes, size, 1));
		assert_true(whole != hash_bytes(bytes, size, 2));
		for (size_t i = 0; i < size; i++) {
			bytes[i] ^= 1;
			int bits = __builtin_popcountll(whole ^ hash_bytes(bytes, size, 1));
			bytes[i] ^= 1;
			assert_in_range(bits, 10, 54); /* 32 ± 5.5 standard deviations of 4 */
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(interning_finds_what_was_put_in_and_nothing_else),
	    cmocka_unit_test(maps_stop_at_their_maximum_and_survive_failed_growth),
	    cmocka_unit_test(keys_of_all_sorts_are_kept_apart),
	    cmocka_unit_test(the_hash_has_no_collisions_on_similar_inputs),
	    cmocka_unit_test(every_byte_and_the_seed_change_about_half_of_the_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
