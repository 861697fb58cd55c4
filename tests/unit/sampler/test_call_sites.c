/* Which callee belongs to which call site, without any target: pairs are learned from readings that
 * agree, and what can't be is torn. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "sampler/call_sites.h"
#include "sampler/live_top.h"

#define LOOP 0x1000ull
#define F 0x2000ull
#define G 0x3000ull
#define MAIN 0x4000ull
#define DATA_STACK_MINOR 13
#define HEAP_MINOR 9 /* its frames tell nothing by themselves: every link must be learned */

struct world {
	struct remote_memory memory;
	struct live_top top;
	struct call_sites sites;
};

static void world_start(struct world *world, int minor)
{
	remote_memory_init_image(&world->memory, NULL, 0);
	live_top_init(&world->top, &world->memory, layout_for_minor(minor));
	assert_int_equal(0, call_sites_init(&world->sites, &world->memory, layout_for_minor(minor),
					    &world->top));
}

/* main calls loop at 10, loop calls `callee` at `site`. */
static uint32_t make(struct raw_frame frames[3], uint64_t callee, int32_t site)
{
	frames[0] = (struct raw_frame){.code = callee, .offset = 4, .address = 0x900};
	frames[1] = (struct raw_frame){.code = LOOP, .offset = site, .address = 0x800};
	frames[2] = (struct raw_frame){.code = MAIN, .offset = 10, .address = 0x700};
	return 3;
}

static void world_end(struct world *world)
{
	call_sites_release(&world->sites);
	live_top_release(&world->top);
}

static void learn(struct world *world, uint64_t callee, int32_t site, int times)
{
	struct raw_frame frames[3];

	while (times--)
		call_sites_learn(&world->sites, frames, make(frames, callee, site));
}

static enum call_verdict judge(struct world *world, uint64_t callee, int32_t site,
			       struct raw_frame frames[3], uint32_t *depth)
{
	*depth = make(frames, callee, site);
	return call_sites_judge(&world->sites, frames, depth);
}

/* f(); g() in turn: a reading that pairs f's call site with g is never called known. */
static void alternating_callees(void **state)
{
	struct raw_frame frames[3];
	struct world world;
	uint32_t depth;

	(void)state;
	world_start(&world, HEAP_MINOR);
	learn(&world, F, 20, 100);
	learn(&world, G, 30, 100);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(CALL_KNOWN, judge(&world, F, 20, frames, &depth));
		assert_int_equal(F, frames[0].code);
		assert_int_equal(CALL_TORN, judge(&world, G, 20, frames, &depth));
		assert_int_equal(3, depth);
		/* What runs is known, from which of the loop's lines it was called is not. */
		assert_int_equal(G, frames[0].code);
		assert_int_equal(LOOP, frames[1].code);
		assert_int_equal(FRAME_OFFSET_UNKNOWN, frames[1].offset);
		assert_int_equal(CALL_TORN, judge(&world, F, 30, frames, &depth));
		assert_int_equal(CALL_KNOWN, judge(&world, G, 30, frames, &depth));
	}
	world_end(&world);
}

/* A pair that was confirmed by a rare accident does not become possible. */
static void an_accident_is_outvoted(void **state)
{
	struct raw_frame frames[3];
	struct world world;
	uint32_t depth;

	(void)state;
	world_start(&world, HEAP_MINOR);
	learn(&world, F, 20, 5000);
	learn(&world, G, 20, 10);
	assert_int_equal(CALL_TORN, judge(&world, G, 20, frames, &depth));
	assert_int_equal(CALL_KNOWN, judge(&world, F, 20, frames, &depth));
	world_end(&world);
}

static void unknown_sites_stay_torn(void **state)
{
	struct raw_frame frames[3];
	struct world world;
	uint32_t depth;

	(void)state;
	world_start(&world, HEAP_MINOR);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(CALL_TORN, judge(&world, F, 20, frames, &depth));
		/* Not even the lower pair is known: all above main is torn, as one. */
		assert_int_equal(2, depth);
		assert_int_equal(0, frames[0].code);
		assert_int_equal(MAIN, frames[1].code);
	}
	learn(&world, F, 20, 1); /* once is not enough */
	assert_int_equal(CALL_TORN, judge(&world, F, 20, frames, &depth));
	learn(&world, F, 20, 1);
	assert_int_equal(CALL_KNOWN, judge(&world, F, 20, frames, &depth));
	/* The line of a caller on an instruction that never called is not known. */
	assert_int_equal(CALL_TORN, judge(&world, F, 24, frames, &depth));
	assert_int_equal(LOOP, frames[1].code);
	assert_int_equal(FRAME_OFFSET_UNKNOWN, frames[1].offset);
	world_end(&world);
}

/* As many callees as a share of 1 in 20 lets be known; a thirty-first never seen is torn. */
static void polymorphic_site(void **state)
{
	struct raw_frame frames[3];
	struct world world;
	uint32_t depth, known = 0;

	(void)state;
	world_start(&world, HEAP_MINOR);
	for (int round = 0; round < 50; round++)
		for (uint64_t k = 0; k < 15; k++)
			learn(&world, 0x10000 + 64 * k, 20, 1);
	for (uint64_t k = 0; k < 15; k++)
		known += judge(&world, 0x10000 + 64 * k, 20, frames, &depth) == CALL_KNOWN;
	assert_int_equal(15, known);
	assert_int_equal(CALL_TORN, judge(&world, 0x20000, 20, frames, &depth));
	world_end(&world);

	/* Thirty equally frequent ones, called from nowhere else: each is known. */
	world_start(&world, DATA_STACK_MINOR);
	for (int round = 0; round < 50; round++)
		for (uint64_t k = 0; k < 30; k++)
			learn(&world, 0x10000 + 64 * k, 20, 1);
	for (uint64_t k = 0; k < 30; k++) {
		assert_int_equal(CALL_KNOWN, judge(&world, 0x10000 + 64 * k, 20, frames, &depth));
		assert_int_equal(3, depth);
		assert_int_equal(20, frames[1].offset);
	}
	world_end(&world);
}

/* A callee of two sites: read once at a third, its caller's line is unknown, itself is not. */
static void a_callee_of_several_sites(void **state)
{
	struct raw_frame frames[3];
	struct world world;
	uint32_t depth;

	(void)state;
	world_start(&world, HEAP_MINOR);
	learn(&world, F, 20, 300);
	learn(&world, F, 30, 100);
	learn(&world, G, 40, 100);
	assert_int_equal(CALL_KNOWN, judge(&world, F, 20, frames, &depth));
	assert_int_equal(CALL_KNOWN, judge(&world, F, 30, frames, &depth));
	assert_int_equal(CALL_TORN, judge(&world, F, 40, frames, &depth));
	assert_int_equal(3, depth);
	assert_int_equal(F, frames[0].code);
	assert_int_equal(FRAME_OFFSET_UNKNOWN, frames[1].offset);
	assert_int_equal(10, frames[2].offset);
	world_end(&world);
}

/* What a caller calls once in many thousand times is more likely what lay there before. */
static void a_function_hardly_ever_seen_there(void **state)
{
	struct raw_frame frames[3];
	struct world world;
	uint32_t depth;

	(void)state;
	world_start(&world, HEAP_MINOR);
	learn(&world, F, 20, 5000);
	learn(&world, G, 24, 1);
	assert_int_equal(CALL_TORN, judge(&world, G, 24, frames, &depth));
	assert_int_equal(3, depth);
	assert_int_equal(0, frames[0].code);
	assert_int_equal(LOOP, frames[1].code);
	assert_int_equal(FRAME_OFFSET_UNKNOWN, frames[1].offset);
	world_end(&world);
}

static void more_pairs_than_slots(void **state)
{
	struct raw_frame frames[3];
	struct world world;
	uint32_t depth;

	(void)state;
	world_start(&world, HEAP_MINOR);
	for (int32_t site = 0; site < 100000; site++)
		learn(&world, F, 2 * site, 1);
	assert_true(world.sites.edge_count * 2 <= CALL_SITES_SLOTS);
	learn(&world, F, 20, 2);
	assert_int_equal(CALL_KNOWN, judge(&world, F, 20, frames, &depth));
	world_end(&world);
}

static void stacks_of_no_and_one_frame(void **state)
{
	struct raw_frame frames[3];
	struct world world;
	uint32_t depth = 0;

	(void)state;
	world_start(&world, HEAP_MINOR);
	memset(frames, 0, sizeof(frames));
	assert_int_equal(CALL_KNOWN, call_sites_judge(&world.sites, frames, &depth));
	assert_int_equal(CALL_KNOWN, call_sites_check(&world.sites, frames, &depth, 0));
	assert_int_equal(0, depth);
	depth = 1;
	frames[0].code = F;
	assert_int_equal(CALL_KNOWN, call_sites_judge(&world.sites, frames, &depth));
	assert_int_equal(1, depth);
	world_end(&world);
}

/* On 3.11+ a code object of another size comes to lie at an address: its positions are right. */
static void the_size_of_a_reused_code_address(void **state)
{
	(void)state;
	for (int minor = 13; minor <= 15; minor++) {
		uint64_t code[64] = {0};
		struct remote_segment segment = {F, (const uint8_t *)code, sizeof(code)};
		struct raw_frame frame = {.code = F, .offset = 20};
		struct world world;
		uint32_t depth = 1;
		int32_t at;

		world_start(&world, minor);
		remote_memory_init_image(&world.memory, &segment, 1);
		at = world.sites.layout->at.varobject_size_field;
		code[at / 8] = 15; /* units of two bytes */
		assert_int_equal(CALL_KNOWN, call_sites_check(&world.sites, &frame, &depth, 0));
		frame.offset = 40; /* not in this one */
		assert_int_equal(CALL_TORN, call_sites_check(&world.sites, &frame, &depth, 0));
		code[at / 8] = 150;
		frame.code = F;
		depth = 1;
		assert_int_equal(CALL_KNOWN, call_sites_check(&world.sites, &frame, &depth, 0));
		world_end(&world);
	}
}

static void checking_allocates_nothing(void **state)
{
	struct raw_frame frames[3];
	struct world world;

	(void)state;
	world_start(&world, HEAP_MINOR);
	mem_fail_after(0);
	for (int32_t i = 0; i < 40000; i++) {
		uint32_t depth = make(frames, F + 64ull * (uint64_t)(i % 7), 2 * i);

		call_sites_learn(&world.sites, frames, depth);
		call_sites_check(&world.sites, frames, &depth, 0x10);
	}
	assert_false(mem_failed());
	mem_fail_after(-1);
	world_end(&world);
}

static void no_memory_is_said(void **state)
{
	struct remote_memory memory;
	struct call_sites sites;

	(void)state;
	remote_memory_init_image(&memory, NULL, 0);
	mem_fail_after(0);
	assert_int_equal(-ERR_MEMORY, call_sites_init(&sites, &memory, layout_for_minor(13), NULL));
	mem_fail_after(-1);
	call_sites_release(&sites);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(alternating_callees),
	    cmocka_unit_test(an_accident_is_outvoted),
	    cmocka_unit_test(unknown_sites_stay_torn),
	    cmocka_unit_test(polymorphic_site),
	    cmocka_unit_test(a_callee_of_several_sites),
	    cmocka_unit_test(a_function_hardly_ever_seen_there),
	    cmocka_unit_test(more_pairs_than_slots),
	    cmocka_unit_test(stacks_of_no_and_one_frame),
	    cmocka_unit_test(the_size_of_a_reused_code_address),
	    cmocka_unit_test(checking_allocates_nothing),
	    cmocka_unit_test(no_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
