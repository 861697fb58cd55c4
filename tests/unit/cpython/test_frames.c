/* Frames walked in images that the test builds for each version, so that the right answer is known:
 * heap frames, chunks, generators, shims; predictions after the stack changed; torn chains. */
#include "frame_world.h"

/* --- every version ------------------------------------------------------------------------ */

static void each_version_gives_back_its_stack(void **state)
{
	static const struct {
		uint32_t depth;
		int odd;
	} cases[] = {
	    {1, PLAIN}, {2, PLAIN}, {12, GENERATORS}, {40, GENERATORS | SHIMS}, {7, SHIMS}};

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct world world;

			world_start(&world, minor);
			build(&world, cases[i].depth, cases[i].odd);
			check_read(&world);
			check_read(&world); /* predicted */
			world_end(&world);
		}
	}
}

static void no_frame_is_depth_zero(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;
		uint32_t flags;

		world_start(&world, minor);
		build(&world, 0, PLAIN);
		assert_int_equal(0, read_stack(&world, &world.prediction, WALK_MAX, &flags));
		assert_int_equal(0, flags);
		world_end(&world);
	}
}

static void steady_state_is_one_call(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		build(&world, 30, GENERATORS);
		assert_true(reads_of_one(&world) > 1);
		assert_int_equal(1, reads_of_one(&world));
		world_end(&world);
	}
}

static void ten_thousand_deep(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		build(&world, 10000, GENERATORS);
		check_read(&world);
		world_end(&world);

		world_start(&world, minor);
		build(&world, 10000, PLAIN);
		check_read(&world);
		/* All in ranges of 64 a call: 1,016 pages of heap frames, 70 chunks. */
		assert_true(reads_of_one(&world) <= (minor <= 10 ? 18 : 3));
		world_end(&world);
	}
}

/* 3.8–3.10: a head that begins on one page and ends on the next, for every place of the cut. */
static void heap_frames_cross_pages(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 10; minor++) {
		struct world world;
		uint32_t head;

		world_start(&world, minor);
		head = (uint32_t)world.layout->at.frame_size;
		for (uint32_t before = 0; before <= head; before += 8) {
			uint64_t leaf = HEAP + 3 * 4096 - before, root = HEAP + 3 * 4096 + 512;

			put_frame(&world, root, 0, CODES, 4);
			put_frame(&world, leaf, root, CODES + 4096, 8);
			world.depth = 2;
			world.expected[0] = (struct raw_frame){CODES + 4096, leaf, 8, 0};
			world.expected[1] = (struct raw_frame){CODES, root, 4, 0};
			set_current(&world, leaf, 0, 0);
			check_read(&world);
			check_read(&world);
		}
		world_end(&world);
	}
}

/* A generator's frame lies in no chunk: that is found out once a walk, not once a frame. */
static void chunk_heads_are_read_once(void **state)
{
	(void)state;
	for (int minor = 11; minor <= 15; minor++) {
		struct world world;
		uint64_t reads;

		world_start(&world, minor);
		build(&world, 4000, GENERATORS);
		reads = reads_of_one(&world);
		/* A window for each of 1,000 generators; head and window for each chunk; thread. */
		assert_true(reads <= 1000 + 2 * world.chunks + 4);
		world_end(&world);
	}
}

/* --- predictions -------------------------------------------------------------------------- */

static void prediction_follows_a_changing_stack(void **state)
{
	static const struct {
		uint32_t depth;
		int odd;
	} steps[] = {{20, PLAIN}, {24, PLAIN},	     {3, PLAIN},   {700, PLAIN}, {2, GENERATORS},
		     {90, SHIMS}, {700, GENERATORS}, {690, PLAIN}, {1, PLAIN},	 {3000, PLAIN}};

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			build(&world, steps[i].depth, steps[i].odd);
			check_read(&world);
		}
		world_end(&world);
	}
}

static void prediction_of_memory_that_went_away(void **state)
{
	(void)state;
	for (int minor = 11; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		build(&world, 400, GENERATORS); /* three chunks */
		check_read(&world);
		assert_true(world.chunks >= 3);
		while (world.chunks > 1)
			drop_region(&world, CHUNKS + --world.chunks * CHUNK_STEP);
		build(&world, 60, PLAIN);
		check_read(&world);
		assert_int_equal(1, reads_of_one(&world));
		world_end(&world);
	}
}

static void prediction_of_a_moved_cframe(void **state)
{
	(void)state;
	for (int minor = 11; minor <= 12; minor++) {
		struct world world;
		const struct layout_offsets *offsets;

		world_start(&world, minor);
		offsets = &world.layout->at;
		build(&world, 9, PLAIN);
		check_read(&world);
		/* The old one still tells of a frame, a wrong one. */
		put(&world, TSTATE + (uint64_t)offsets->tstate_cframe, CFRAME + 256);
		put(&world, CFRAME + 256 + (uint64_t)offsets->cframe_current_frame,
		    world.expected[0].address);
		put(&world, CFRAME + (uint64_t)offsets->cframe_current_frame,
		    world.expected[4].address);
		check_read(&world);
		assert_int_equal(1, reads_of_one(&world));
		/* The C stack of before is gone. */
		drop_region(&world, CFRAME & ~0xfffull);
		add_region(&world, 0x19000000, 4096);
		put(&world, TSTATE + (uint64_t)offsets->tstate_cframe, 0x19000100);
		put(&world, 0x19000100 + (uint64_t)offsets->cframe_current_frame,
		    world.expected[0].address);
		check_read(&world);
		world_end(&world);
	}
}

/* --- limits and damage --------------------------------------------------------------------- */

static void depth_at_the_limit(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;
		uint32_t flags;
		int depth;

		world_start(&world, minor);
		build(&world, 20, SHIMS);
		/* Exactly as many as there is room for is the whole stack. */
		depth = read_stack(&world, &world.prediction, 20, &flags);
		check_same(&world, depth, flags);
		assert_int_equal(19, read_stack(&world, &world.prediction, 19, &flags));
		assert_int_equal(STACK_TRUNCATED, flags);
		build(&world, FRAMES_DEPTH_MAX + 1, PLAIN);
		assert_int_equal(FRAMES_DEPTH_MAX,
				 read_stack(&world, &world.prediction, FRAMES_DEPTH_MAX, &flags));
		assert_int_equal(STACK_TRUNCATED, flags);
		world_end(&world);
	}
}

static void circles_end(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;
		uint32_t flags;

		world_start(&world, minor);
		build(&world, 5, PLAIN);
		put(&world, world.expected[4].address + (uint64_t)world.layout->at.frame_back,
		    world.expected[1].address);
		assert_int_equal(FRAMES_DEPTH_MAX,
				 read_stack(&world, &world.prediction, FRAMES_DEPTH_MAX, &flags));
		assert_int_equal(STACK_TRUNCATED, flags);
		if (has_shims(&world)) {
			put_shim(&world, HEAP + 0x1000, HEAP + 0x2000);
			put_shim(&world, HEAP + 0x2000, HEAP + 0x1000);
			put(&world,
			    world.expected[4].address + (uint64_t)world.layout->at.frame_back,
			    HEAP + 0x1000);
			assert_int_equal(
			    5, read_stack(&world, &world.prediction, FRAMES_DEPTH_MAX, &flags));
			assert_int_equal(STACK_TRUNCATED, flags);
		}
		world_end(&world);
	}
}

/* What breaks a chain below frame 2 leaves frames 0 to 2 in the stack, and says so. */
static void broken_chains_are_torn(void **state)
{
	static const struct {
		const char *what;
		uint64_t back;
	} cases[] = {
	    {"not aligned", HEAP + 0x3004},
	    {"not mapped", 0x7000000000ull},
	    {"end of the address space", 0x7ffffffffff8ull},
	    {"kernel", 0xffff888000000000ull},
	    {"end of a mapping", HEAP + HEAP_BYTES - 16},
	};

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct world world;
			uint32_t flags;

			world_start(&world, minor);
			build(&world, 10, PLAIN);
			put(&world,
			    world.expected[2].address + (uint64_t)world.layout->at.frame_back,
			    cases[i].back);
			for (int again = 0; again < 2; again++) {
				assert_int_equal(
				    3, read_stack(&world, &world.prediction, WALK_MAX, &flags));
				assert_int_equal(STACK_TORN, flags);
			}
			build(&world, 10, PLAIN);
			check_read(&world);
			world_end(&world);
		}
	}
}

static void heads_that_can_not_be_are_torn(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		for (int what = 0; what < 4; what++) {
			struct world world;
			const struct layout_offsets *offsets;
			uint64_t frame;
			uint32_t flags;

			world_start(&world, minor);
			offsets = &world.layout->at;
			build(&world, 10, PLAIN);
			frame = world.expected[4].address;
			if (what == 0)
				put(&world, frame + (uint64_t)offsets->frame_code, 0);
			else if (what == 1)
				put(&world, frame + (uint64_t)offsets->frame_code, CODES + 4);
			else if (what == 2 && minor <= 10)
				memcpy(at(&world, frame + (uint64_t)offsets->frame_position),
				       &(int32_t){-2}, 4);
			else if (what == 2) /* an instruction between two */
				put(&world, frame + (uint64_t)offsets->frame_position,
				    world.expected[4].code + (uint64_t)offsets->code_code + 3);
			else if (minor > 10) /* before the code */
				put(&world, frame + (uint64_t)offsets->frame_position,
				    world.expected[4].code);
			else
				put(&world, frame + (uint64_t)offsets->frame_code, 6);
			assert_int_equal(4,
					 read_stack(&world, &world.prediction, WALK_MAX, &flags));
			assert_int_equal(STACK_TORN, flags);
			/* The leaf itself: nothing is known. */
			build(&world, 10, PLAIN);
			put(&world, world.expected[0].address + (uint64_t)offsets->frame_code, 4);
			assert_int_equal(-ERR_TORN,
					 read_stack(&world, &world.prediction, WALK_MAX, &flags));
			world_end(&world);
		}
	}
}

static void broken_chunks_do_not_hide_frames(void **state)
{
	(void)state;
	for (int minor = 11; minor <= 15; minor++) {
		for (int what = 0; what < 5; what++) {
			struct world world;
			const struct layout_offsets *offsets;

			world_start(&world, minor);
			offsets = &world.layout->at;
			build(&world, 300, GENERATORS);
			assert_true(world.chunks >= 2);
			if (what == 0) /* the list runs in a circle */
				put(&world, CHUNKS + (uint64_t)offsets->chunk_previous,
				    CHUNKS + CHUNK_STEP);
			else if (what == 1)
				put(&world, CHUNKS + (uint64_t)offsets->chunk_size, UINT64_MAX);
			else if (what == 2)
				put(&world, CHUNKS + (uint64_t)offsets->chunk_size, 0);
			else if (what == 3)
				put(&world, TSTATE + (uint64_t)offsets->tstate_datastack_chunk, 1);
			else
				put(&world, TSTATE + (uint64_t)offsets->tstate_datastack_top,
				    UINT64_MAX - 7);
			check_read(&world); /* frame by frame then */
			check_read(&world);
			world_end(&world);
		}
	}
}

static void short_reads_say_how_far(void **state)
{
	uint8_t first[16], second[16];

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct remote_range extra[2] = {{{TSTATE}, first, sizeof(first)},
						{{HEAP}, second, sizeof(second)}};
		struct remote_range many[REMOTE_RANGES_MAX] = {{{0}, NULL, 0}};
		struct world world;
		uint32_t flags;

		world_start(&world, minor);
		build(&world, 10, PLAIN);
		assert_int_equal(
		    2, stack_reader_fetch(&world.reader, TSTATE, &world.prediction, extra, 2));
		assert_int_equal(world.depth, stack_reader_walk(&world.reader, &world.prediction,
								world.got, WALK_MAX, &flags));
		check_same(&world, (int)world.depth, flags);
		/* The second range is not there: one is whole, the thread state was not read. */
		extra[1].from.v = 0x7000000000ull;
		assert_int_equal(
		    1, stack_reader_fetch(&world.reader, TSTATE, &world.prediction, extra, 2));
		assert_int_equal(-ERR_UNREADABLE,
				 stack_reader_walk(&world.reader, &world.prediction, world.got,
						   WALK_MAX, &flags));
		assert_int_equal(0, stack_reader_current_frame(&world.reader));
		assert_int_equal(0, stack_reader_thread_word(&world.reader));
		/* The thread state is not there. */
		extra[1].from.v = HEAP;
		assert_int_equal(2, stack_reader_fetch(&world.reader, 0x7000000000ull,
						       &world.prediction, extra, 2));
		assert_int_equal(-ERR_UNREADABLE,
				 stack_reader_walk(&world.reader, &world.prediction, world.got,
						   WALK_MAX, &flags));
		assert_true(stack_reader_fetch(&world.reader, 0x7000000000ull, &world.prediction,
					       NULL, 0) < 0);
		/* Only the extra ranges are asked for. */
		assert_int_equal(2, stack_reader_fetch(&world.reader, 0, NULL, extra, 2));
		assert_int_equal(-ERR_LIMIT,
				 stack_reader_fetch(&world.reader, TSTATE, &world.prediction, many,
						    REMOTE_RANGES_MAX - 1));
		check_read(&world);
		world_end(&world);
	}
}

static void words_of_the_thread(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;
		const struct layout_offsets *offsets;

		world_start(&world, minor);
		offsets = &world.layout->at;
		build(&world, 3, PLAIN);
		put(&world, TSTATE + (uint64_t)offsets->tstate_thread_id, 0x7f0011223344ull);
		if (offsets->tstate_native_thread_id >= 0)
			put(&world, TSTATE + (uint64_t)offsets->tstate_native_thread_id, 4711);
		check_read(&world);
		check_read(&world);
		assert_int_equal(world.expected[0].address,
				 stack_reader_current_frame(&world.reader));
		assert_int_equal(offsets->tstate_native_thread_id >= 0 ? 4711 : 0x7f0011223344ull,
				 stack_reader_thread_word(&world.reader));
		world_end(&world);
	}
}

static void each_failed_allocation_is_said(void **state)
{
	struct stack_reader reader;
	struct remote_memory memory;

	(void)state;
	remote_memory_init_image(&memory, NULL, 0);
	for (long n = 0;; n++) {
		int result;

		mem_fail_after(n);
		result = stack_reader_init(&reader, &memory, layout_for_minor(13));
		if (!mem_failed()) {
			assert_int_equal(0, result);
			break;
		}
		assert_int_equal(-ERR_MEMORY, result);
	}
	mem_fail_after(-1);
	stack_reader_release(&reader);
}

/* A walk takes nothing from the heap, however deep. */
static void walking_allocates_nothing(void **state)
{
	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;

		world_start(&world, minor);
		build(&world, 2000, GENERATORS | SHIMS);
		mem_fail_after(0);
		check_read(&world);
		check_read(&world);
		assert_false(mem_failed());
		mem_fail_after(-1);
		world_end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_version_gives_back_its_stack),
	    cmocka_unit_test(no_frame_is_depth_zero),
	    cmocka_unit_test(steady_state_is_one_call),
	    cmocka_unit_test(ten_thousand_deep),
	    cmocka_unit_test(heap_frames_cross_pages),
	    cmocka_unit_test(chunk_heads_are_read_once),
	    cmocka_unit_test(prediction_follows_a_changing_stack),
	    cmocka_unit_test(prediction_of_memory_that_went_away),
	    cmocka_unit_test(prediction_of_a_moved_cframe),
	    cmocka_unit_test(depth_at_the_limit),
	    cmocka_unit_test(circles_end),
	    cmocka_unit_test(broken_chains_are_torn),
	    cmocka_unit_test(heads_that_can_not_be_are_torn),
	    cmocka_unit_test(broken_chunks_do_not_hide_frames),
	    cmocka_unit_test(short_reads_say_how_far),
	    cmocka_unit_test(words_of_the_thread),
	    cmocka_unit_test(each_failed_allocation_is_said),
	    cmocka_unit_test(walking_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
