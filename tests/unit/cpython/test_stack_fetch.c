/* What a stack reader copies in advance, over images: words that lie near one another, chunks of
 * the data stack that come and go, the height that a stack had lately; as another core reads it and
 * as the same one does. */
#include "frame_world.h"

#define FORGOTTEN_AFTER 300 /* samples: HIGH_KEPT of stack_fetch.c, twice, and some */

/* --- words -------------------------------------------------------------------------------- */

/* Every combination of two words near to and far from each other comes as it lies there. */
static void words_come_as_they_lie(void **state)
{
	static const uint32_t offsets[] = {0, 8, 12, 400, 1016, 1024, 2000, 3000, 4000, 4095 - 16};
	const size_t count = sizeof(offsets) / sizeof(offsets[0]);

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		world.reader.target_runs = true;
		add_region(&world, 0x30000000, 8192);
		for (uint32_t i = 0; i < 8192; i++)
			*at(&world, 0x30000000 + i) = (uint8_t)(i * 31 + (i >> 8));
		build(&world, 9, PLAIN);
		check_read(&world);
		for (size_t i = 0; i < count * count; i++) {
			uint64_t first = 0x30000000 + offsets[i / count],
				 second = 0x30000000 + offsets[i % count], got[2] = {0, 0};
			uint8_t longer[96];
			struct remote_range extra[] = {{{first}, &got[0], 8},
						       {{second}, &got[1], 8},
						       {{second + 3}, longer, sizeof(longer)}};

			assert_int_equal(3, stack_reader_fetch(&world.reader, TSTATE,
							       &world.prediction, extra, 3));
			assert_memory_equal(at(&world, first), &got[0], 8);
			assert_memory_equal(at(&world, second), &got[1], 8);
			assert_memory_equal(at(&world, second + 3), longer, sizeof(longer));
		}
		world_end(&world);
	}
}

/* Too many or too long for it: read one by one, as before. */
static void any_number_of_words_comes(void **state)
{
	static uint8_t longer[8192];
	uint64_t words[40];
	struct remote_range extra[41];

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		world.reader.target_runs = true;
		add_region(&world, 0x30000000, 8192);
		for (uint32_t i = 0; i < 1024; i++)
			put(&world, 0x30000000 + 8 * i, i * 77);
		build(&world, 9, PLAIN);
		check_read(&world);
		for (uint32_t i = 0; i < 40; i++)
			extra[i] = (struct remote_range){{0x30000000 + 200 * i}, &words[i], 8};
		extra[40] = (struct remote_range){{0x30000000}, longer, sizeof(longer)};
		for (size_t count = 1; count <= 41; count++) {
			memset(words, 0, sizeof(words));
			assert_int_equal(count,
					 stack_reader_fetch(&world.reader, TSTATE,
							    &world.prediction, extra, count));
			for (uint32_t i = 0; i < count && i < 40; i++)
				assert_int_equal(25 * 77 * i, words[i]);
		}
		assert_memory_equal(at(&world, 0x30000000), longer, sizeof(longer));
		world_end(&world);
	}
}

/* A word that is gone is said to be, however near to one that is there. */
static void words_that_are_gone_are_said(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;
		uint64_t there = 0, gone = 0;
		struct remote_range extra[] = {{{0x30000ff0}, &there, 8}, {{0x30001010}, &gone, 8}};

		world_start(&world, minor);
		world.reader.target_runs = true;
		add_region(&world, 0x30000000, 4096);
		put(&world, 0x30000ff0, 4711);
		build(&world, 9, PLAIN);
		check_read(&world);
		assert_int_equal(
		    1, stack_reader_fetch(&world.reader, TSTATE, &world.prediction, extra, 2));
		assert_int_equal(4711, there);
		world_end(&world);
	}
}

/* --- chunks ------------------------------------------------------------------------------- */

/* From the same core and from another the stack that grows and shrinks is right each time. */
static void a_stack_that_breathes(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		for (int runs = 0; runs < 2; runs++) {
			struct world world;

			world_start(&world, minor);
			world.reader.target_runs = runs;
			for (uint32_t i = 0; i < 400; i++) {
				build(&world, 1 + (i * 37) % 600, i % 3 ? PLAIN : GENERATORS);
				check_read(&world);
			}
			world_end(&world);
		}
	}
}

/* A height that a chunk had lately is read in advance; one of long ago isn't. */
static void height_is_remembered_for_a_while(void **state)
{
	(void)state;
	for (int minor = 11; minor <= 15; minor++) {
		struct world world;
		uint32_t size;

		world_start(&world, minor);
		world.reader.target_runs = true;
		build(&world, 120, PLAIN);
		check_read(&world);
		for (int i = 0; i < 20; i++) {
			build(&world, 4, PLAIN);
			check_read(&world);
			build(&world, 120, PLAIN);
			assert_int_equal(1, reads_of_one(&world));
		}
		size = world.prediction.windows[world.prediction.count - 1].size;
		assert_true(size > 120 * FRAME_STEP);
		build(&world, 4, PLAIN);
		for (int i = 0; i < FORGOTTEN_AFTER; i++)
			check_read(&world);
		size = world.prediction.windows[world.prediction.count - 1].size;
		assert_true(size < 20 * FRAME_STEP);
		world_end(&world);
	}
}

/* The chunk above the top one has been freed since: what lies below it, and the words, cost one
 * more read, not one a frame. */
static void a_chunk_that_is_gone_costs_one_read(void **state)
{
	(void)state;
	for (int minor = 13; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		world.reader.target_runs = true;
		for (int i = 0; i < 4; i++) {
			build(&world, 300, PLAIN);
			check_read(&world);
			build(&world, 130, PLAIN);
			check_read(&world);
		}
		build(&world, 400, PLAIN); /* three chunks, all of them predicted */
		check_read(&world);
		check_read(&world);
		while (world.chunks > 1)
			drop_region(&world, CHUNKS + --world.chunks * CHUNK_STEP);
		build(&world, 60, PLAIN);
		assert_int_equal(2, reads_of_one(&world));
		assert_int_equal(1, reads_of_one(&world));
		world_end(&world);
	}
}

/* The thread state names a chunk that is gone, or damaged: what lies in chunks that were copied
 * before is not read frame by frame. */
static void a_broken_list_of_chunks_costs_few_reads(void **state)
{
	(void)state;
	for (int minor = 11; minor <= 15; minor++) {
		const struct layout_offsets *offsets;
		struct world world;

		world_start(&world, minor);
		offsets = &world.layout->at;
		build(&world, 100, PLAIN);
		check_read(&world);
		build(&world, 140, PLAIN);
		put(&world, TSTATE + (uint64_t)offsets->tstate_datastack_chunk, 0x51000000);
		assert_true(reads_of_one(&world) <= 4);
		/* Nothing is known of the chunk: read by its pages. */
		world.prediction.count = 0;
		assert_true(reads_of_one(&world) <= 2 + 4 + 4);
		world_end(&world);
	}
}

/* Whatever is remembered of chunks, a thread that takes over the prediction is read right. */
static void memory_of_another_thread_does_no_harm(void **state)
{
	(void)state;
	for (int minor = 11; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		world.reader.target_runs = true;
		build(&world, 500, PLAIN);
		check_read(&world);
		for (uint32_t i = 0; i < FRAMES_CHUNKS_KNOWN; i++) {
			world.prediction.chunks[i].above = CHUNKS + 0x8000000 * i;
			world.prediction.chunks[i].high = UINT32_MAX - i;
			world.prediction.chunks[i].goes_on = 1000;
		}
		check_read(&world);
		check_read(&world);
		build(&world, 30, GENERATORS);
		check_read(&world);
		world_end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_come_as_they_lie),
	    cmocka_unit_test(any_number_of_words_comes),
	    cmocka_unit_test(words_that_are_gone_are_said),
	    cmocka_unit_test(a_stack_that_breathes),
	    cmocka_unit_test(height_is_remembered_for_a_while),
	    cmocka_unit_test(a_chunk_that_is_gone_costs_one_read),
	    cmocka_unit_test(a_broken_list_of_chunks_costs_few_reads),
	    cmocka_unit_test(memory_of_another_thread_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
