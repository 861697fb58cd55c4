#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "recording/sample_block.h"

static uint64_t seed = 1;

static uint32_t roll(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

static void random_samples(struct profile_sample *samples, size_t count, uint32_t stacks)
{
	uint64_t time = roll(1000);

	for (size_t i = 0; i < count; i++) {
		if (roll(3) == 0)
			time += roll(1u << 30);
		samples[i] =
		    (struct profile_sample){.time_ns = time,
					    .weight_ns = roll(2) ? 7 : INT64_MAX,
					    .count = 1 + roll(2) * roll(UINT32_MAX),
					    .thread = {roll(5) ? roll(30) : roll(UINT32_MAX)},
					    .stack = {stacks ? roll(stacks) : roll(UINT32_MAX)},
					    .state = (uint8_t)roll(STATE_COUNT),
					    .flags = (uint8_t)roll(256)};
	}
}

static void what_is_encoded_is_decoded(void **state)
{
	static const struct {
		size_t count;
		uint32_t stacks;
	} rows[] = {
	    {1, 1}, {1, 0}, {2, 2}, {255, 0}, {257, 0}, {5000, 500}, {65536, 0}, {65536, 1},
	};
	struct sample_block_codec codec;
	struct profile_sample *samples = malloc(65536 * sizeof(*samples));

	(void)state;
	sample_block_init(&codec);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		uint8_t *copy;

		memset(samples, 0, 65536 * sizeof(*samples));
		random_samples(samples, rows[row].count, rows[row].stacks);
		assert_int_equal(sample_block_encode(&codec, samples, rows[row].count, NULL), 0);
		copy = malloc(codec.packed_size);
		memcpy(copy, codec.packed, codec.packed_size);
		assert_int_equal(sample_block_decode(&codec, copy, codec.packed_size, NULL), 0);
		assert_int_equal(codec.sample_count, rows[row].count);
		for (size_t i = 0; i < rows[row].count; i++) {
			const struct profile_sample *a = &samples[i], *b = &codec.samples[i];

			assert_true(a->time_ns == b->time_ns && a->weight_ns == b->weight_ns &&
				    a->count == b->count && a->thread.v == b->thread.v &&
				    a->stack.v == b->stack.v && a->state == b->state &&
				    a->flags == b->flags);
		}
		free(copy);
	}
	assert_int_equal(sample_block_encode(&codec, samples, 65537, NULL), -ERR_LIMIT);
	assert_int_equal(sample_block_encode(&codec, samples, 0, NULL), -ERR_LIMIT);
	sample_block_release(&codec);
	free(samples);
}

static void every_cut_of_a_block_is_refused(void **state)
{
	struct sample_block_codec codec;
	struct profile_sample samples[300];
	uint8_t *raw;
	size_t size;

	(void)state;
	sample_block_init(&codec);
	random_samples(samples, 300, 0);
	assert_int_equal(sample_block_encode(&codec, samples, 300, NULL), 0);
	size = codec.raw.size;
	raw = malloc(size + 1);
	memcpy(raw, codec.raw.bytes, size);
	raw[size] = 0;
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1); /* so that ASan sees a read beyond */

		memcpy(exact, raw, cut);
		assert_int_equal(sample_block_decode_raw(&codec, exact, cut, NULL), -ERR_FILE);
		free(exact);
	}
	assert_int_equal(sample_block_decode_raw(&codec, raw, size, NULL), 0);
	assert_int_equal(sample_block_decode_raw(&codec, raw, size + 1, NULL), -ERR_FILE);
	free(raw);
	sample_block_release(&codec);
}

static void a_bomb_is_refused_before_it_is_unpacked(void **state)
{
	static const uint8_t bomb[] = {1, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x28, 0xb5, 0x2f, 0xfd};
	struct sample_block_codec codec;

	(void)state;
	sample_block_init(&codec);
	assert_int_equal(sample_block_decode(&codec, bomb, sizeof(bomb), NULL), -ERR_FILE);
	assert_int_equal(sample_block_decode(&codec, "\x02", 1, NULL), -ERR_FILE);
	assert_int_equal(sample_block_decode(&codec, "", 0, NULL), -ERR_FILE);
	assert_int_equal(codec.raw.capacity, 0);
	sample_block_release(&codec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_encoded_is_decoded),
	    cmocka_unit_test(every_cut_of_a_block_is_refused),
	    cmocka_unit_test(a_bomb_is_refused_before_it_is_unpacked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
