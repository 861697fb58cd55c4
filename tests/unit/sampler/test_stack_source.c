/* Keys of stacks and codes over an image: one key for one stack, another for any other; addresses
 * that are used again; a sink that refuses; tables that grow and start anew. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "sampler/stack_source.h"

#define FIRST 0x300000000ull
#define CODE_STEP 512u
#define CODES 20100u

struct world {
	const struct layout *layout;
	uint8_t *image;
	struct remote_segment segment;
	struct remote_memory memory;
	struct stack_source source;
	uint32_t codes, stacks; /* announced */
	bool refuse_codes, refuse_stacks;
	struct keyed_frame *last; /* of the last stack announced */
	uint32_t last_depth, last_flags, last_stack;
	uint64_t last_code_address;
};

static bool take_code(void *context, const struct code_announcement *announcement)
{
	struct world *world = context;

	if (world->refuse_codes)
		return false;
	world->codes++;
	assert_int_equal(world->codes, announcement->code_key);
	world->last_code_address = announcement->address;
	code_info_free(announcement->info);
	return true;
}

static bool take_stack(void *context, uint32_t key, const struct keyed_frame *frames,
		       uint32_t depth, uint32_t flags)
{
	struct world *world = context;

	if (world->refuse_stacks)
		return false;
	world->stacks++;
	memcpy(world->last, frames, depth * sizeof(*frames));
	world->last_depth = depth;
	world->last_flags = flags;
	world->last_stack = key;
	return true;
}

static uint64_t code_at(uint32_t number)
{
	return FIRST + number * (uint64_t)CODE_STEP;
}

/* Another code object comes to lie at this address. */
static void replace_code(struct world *world, uint32_t number)
{
	struct code_fingerprint_span span = code_fingerprint_span(world->layout);

	for (uint32_t i = 0; i < span.size; i++)
		world->image[number * CODE_STEP + (uint32_t)span.offset + i] ^= 0x5a;
}

static void world_start(struct world *world, int minor)
{
	struct stack_sink sink = {take_code, take_stack, world};

	memset(world, 0, sizeof(*world));
	world->layout = layout_for_minor(minor);
	world->image = malloc((size_t)CODES * CODE_STEP);
	world->last = calloc(FRAMES_DEPTH_MAX + 1, sizeof(*world->last));
	assert_non_null(world->image);
	assert_non_null(world->last);
	for (size_t i = 0; i < (size_t)CODES * CODE_STEP; i += 4)
		memcpy(world->image + i, &(uint32_t){(uint32_t)i * 2654435761u}, 4);
	world->segment = (struct remote_segment){FIRST, world->image, (size_t)CODES * CODE_STEP};
	remote_memory_init_image(&world->memory, &world->segment, 1);
	assert_int_equal(
	    0, stack_source_init(&world->source, &world->memory, world->layout, &sink, 99));
}

static void world_end(struct world *world)
{
	stack_source_release(&world->source);
	free(world->image);
	free(world->last);
}

static uint32_t key_of(struct world *world, const struct raw_frame *frames, uint32_t depth,
		       uint32_t flags, uint64_t generation)
{
	uint32_t key = 0;

	assert_int_equal(
	    0, stack_source_intern(&world->source, frames, depth, flags, generation, &key));
	assert_int_not_equal(0, key);
	return key;
}

/* codes[] leaf first; offsets 2 × place. */
static uint32_t intern(struct world *world, const uint32_t *codes, uint32_t depth,
		       uint64_t generation)
{
	struct raw_frame frames[64] = {0};

	assert_true(depth <= 64);
	for (uint32_t i = 0; i < depth; i++)
		frames[i] =
		    (struct raw_frame){.code = code_at(codes[i]), .offset = (int32_t)(2 * i)};
	return key_of(world, frames, depth, 0, generation);
}

static void equal_stacks_share_a_key(void **state)
{
	static const uint32_t codes[] = {1, 2, 3, 2, 1};

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		struct world world;
		uint32_t key;

		world_start(&world, minor);
		key = intern(&world, codes, 5, UINT64_MAX);
		for (int i = 0; i < 100; i++)
			assert_int_equal(key, intern(&world, codes, 5, UINT64_MAX));
		assert_int_equal(1, world.stacks);
		assert_int_equal(3, world.codes);
		assert_int_equal(5, world.last_depth);
		assert_int_equal(world.last[1].code_key, world.last[3].code_key);
		assert_int_equal(8, world.last[4].offset);
		world_end(&world);
	}
}

static void any_difference_is_another_stack(void **state)
{
	struct raw_frame base[6], other[6];
	struct world world;
	uint32_t keys[32], count = 0;

	(void)state;
	world_start(&world, 13);
	for (uint32_t i = 0; i < 6; i++)
		base[i] = (struct raw_frame){.code = code_at(i), .offset = 20};
	keys[count++] = key_of(&world, base, 6, 0, UINT64_MAX);
	keys[count++] = key_of(&world, base, 5, 0, UINT64_MAX);
	keys[count++] = key_of(&world, base + 1, 5, 0, UINT64_MAX);
	keys[count++] = key_of(&world, base, 6, STACK_TORN, UINT64_MAX);
	keys[count++] = key_of(&world, base, 6, STACK_TRUNCATED, UINT64_MAX);
	for (uint32_t i = 0; i < 6; i++) {
		memcpy(other, base, sizeof(base));
		other[i].offset = 22;
		keys[count++] = key_of(&world, other, 6, 0, UINT64_MAX);
		memcpy(other, base, sizeof(base));
		other[i].code = code_at(40);
		keys[count++] = key_of(&world, other, 6, 0, UINT64_MAX);
		memcpy(other, base, sizeof(base));
		other[i].code = 0; /* torn */
		keys[count++] = key_of(&world, other, 6, 0, UINT64_MAX);
		assert_int_equal(0, world.last[i].code_key);
	}
	memcpy(other, base, sizeof(base));
	other[2].code = code_at(3);
	other[3].code = code_at(2);
	keys[count++] = key_of(&world, other, 6, 0, UINT64_MAX);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(keys[i], keys[k]);
	/* The frame's address, its flags and its window are not part of a stack. */
	memcpy(other, base, sizeof(base));
	other[0].address = 77;
	other[0].window = 3;
	assert_int_equal(keys[0], key_of(&world, other, 6, 0, UINT64_MAX));
	world_end(&world);
}

/* The leaf's code object is another one: seen at once, with the interpreter's count and without. */
static void reuse_of_the_leaf_is_seen_at_once(void **state)
{
	static const uint32_t codes[] = {5, 6};

	(void)state;
	for (int minor = 8; minor <= 15; minor++) {
		bool counted = minor >= 14;
		struct world world;
		uint32_t first, second;
		uint64_t generation = 1;

		world_start(&world, minor);
		first = intern(&world, codes, 2, counted ? generation : UINT64_MAX);
		replace_code(&world, 5);
		second = intern(&world, codes, 2, counted ? ++generation : UINT64_MAX);
		assert_int_not_equal(first, second);
		assert_int_equal(1, world.source.reused);
		assert_int_equal(code_at(5), world.last_code_address);
		assert_int_equal(3, world.last[0].code_key); /* 1, 2, and the new one */
		assert_int_equal(second,
				 intern(&world, codes, 2, counted ? generation : UINT64_MAX));
		world_end(&world);
	}
}

/* Far from the leaf: with the count at once; without it in a bounded number of stacks. */
static void reuse_far_from_the_leaf_is_seen_in_turn(void **state)
{
	uint32_t codes[60];

	(void)state;
	for (uint32_t i = 0; i < 60; i++)
		codes[i] = i;
	for (uint32_t where = 0; where < 60; where += 7) {
		struct world world;
		uint32_t first, tries = 0;

		world_start(&world, 14);
		first = intern(&world, codes, 60, 1);
		replace_code(&world, where);
		assert_int_equal(first, intern(&world, codes, 60, 1)); /* nothing was freed */
		assert_int_not_equal(first, intern(&world, codes, 60, 2));
		world_end(&world);

		world_start(&world, 13);
		first = intern(&world, codes, 60, UINT64_MAX);
		replace_code(&world, where);
		while (intern(&world, codes, 60, UINT64_MAX) == first)
			assert_true(++tries <= 60);
		world_end(&world);
	}
}

static void what_the_sink_refused_comes_again(void **state)
{
	static const uint32_t codes[] = {1, 2, 3};
	struct raw_frame frames[3];
	struct world world;
	uint32_t key = 0;

	(void)state;
	world_start(&world, 12);
	for (uint32_t i = 0; i < 3; i++)
		frames[i] =
		    (struct raw_frame){.code = code_at(codes[i]), .offset = (int32_t)(2 * i)};
	world.refuse_codes = true;
	assert_int_equal(-ERR_LIMIT,
			 stack_source_intern(&world.source, frames, 3, 0, UINT64_MAX, &key));
	world.refuse_codes = false;
	world.refuse_stacks = true;
	assert_int_equal(-ERR_LIMIT,
			 stack_source_intern(&world.source, frames, 3, 0, UINT64_MAX, &key));
	assert_int_equal(3, world.codes);
	assert_int_equal(0, key);
	world.refuse_stacks = false;
	key = intern(&world, codes, 3, UINT64_MAX);
	assert_int_equal(key, intern(&world, codes, 3, UINT64_MAX));
	assert_int_equal(3, world.codes);
	assert_int_equal(1, world.stacks);
	world_end(&world);
}

/* More distinct codes in one stack than the table had room for. */
static void a_stack_of_many_codes(void **state)
{
	static struct raw_frame frames[FRAMES_DEPTH_MAX];
	struct world world;
	uint32_t key;

	(void)state;
	world_start(&world, 13);
	for (uint32_t i = 0; i < FRAMES_DEPTH_MAX; i++)
		frames[i] = (struct raw_frame){.code = code_at(i), .offset = 2};
	key = key_of(&world, frames, FRAMES_DEPTH_MAX, 0, UINT64_MAX);
	assert_int_equal(FRAMES_DEPTH_MAX, world.codes);
	for (uint32_t i = 0; i < FRAMES_DEPTH_MAX; i++)
		assert_int_not_equal(0, world.last[i].code_key);
	assert_int_equal(key, key_of(&world, frames, FRAMES_DEPTH_MAX, 0, UINT64_MAX));
	world_end(&world);
}

/* Memory stays bounded: after half a million stacks the table starts anew; keys never repeat. */
static void the_table_of_stacks_starts_anew(void **state)
{
	struct raw_frame frame = {.code = code_at(1)};
	struct world world;
	uint32_t key;

	(void)state;
	world_start(&world, 13);
	for (uint32_t i = 0; i < STACK_SOURCE_STACKS_MAX + 1000; i++) {
		frame.offset = (int32_t)(2 * i);
		assert_int_equal(i + 1, key_of(&world, &frame, 1, 0, UINT64_MAX));
	}
	assert_true(world.source.stack_capacity <= 2 * STACK_SOURCE_STACKS_MAX);
	assert_true(world.source.stack_count <= STACK_SOURCE_STACKS_MAX);
	frame.offset = 0; /* forgotten: announced again under a new key */
	key = key_of(&world, &frame, 1, 0, UINT64_MAX);
	assert_int_equal(STACK_SOURCE_STACKS_MAX + 1001, key);
	assert_int_equal(key, key_of(&world, &frame, 1, 0, UINT64_MAX));
	world_end(&world);
}

/* --- one stack after another -------------------------------------------------------------- */

#define SEQUENCE 1200u
#define SEQUENCE_DEPTH 40u

/* What a frame truly is: which code object, of those that lay at its address one after another. */
struct true_stack {
	uint32_t depth, flags, key;
	struct true_frame {
		uint32_t number, version;
		int32_t offset;
	} frames[SEQUENCE_DEPTH];
};

static uint32_t draw(uint64_t *random, uint32_t below)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (uint32_t)((*random >> 20) % below);
}

static void renew_code(struct world *world, uint32_t number, uint32_t *version)
{
	struct code_fingerprint_span span = code_fingerprint_span(world->layout);

	for (uint32_t i = 0; i < span.size; i++)
		world->image[number * CODE_STEP + (uint32_t)span.offset + i] ^=
		    (uint8_t)(*version ^ (*version + 1));
	++*version;
}

/* As a running program's: from the leaf on frames change, are left or are entered. */
static void change_stack(struct true_stack *stack, uint64_t *random)
{
	uint32_t change = draw(random, draw(random, 4) ? 3 : stack->depth + 1);

	if (change < stack->depth && draw(random, 2)) {
		memmove(stack->frames, stack->frames + change,
			(stack->depth - change) * sizeof(stack->frames[0]));
		stack->depth -= change;
	} else if (stack->depth + change <= SEQUENCE_DEPTH) {
		memmove(stack->frames + change, stack->frames,
			stack->depth * sizeof(stack->frames[0]));
		stack->depth += change;
	}
	for (uint32_t i = 0; i < change && i < stack->depth; i++) {
		bool torn = draw(random, 30) == 0;

		stack->frames[i] = (struct true_frame){torn ? 99 : draw(random, 8), 0,
						       torn ? -1 : (int32_t)draw(random, 3) * 2};
	}
	stack->flags = draw(random, 9) ? 0 : STACK_TORN;
}

static void intern_true(struct world *world, struct true_stack *stack, const uint32_t *versions,
			uint64_t generation)
{
	struct raw_frame frames[SEQUENCE_DEPTH] = {{0}};
	bool torn = false;

	for (uint32_t i = 0; i < stack->depth; i++) {
		struct true_frame *frame = &stack->frames[i];

		frames[i].offset = frame->offset;
		frame->version = frame->number < 8 ? versions[frame->number] : 0;
		if (frame->number < 8)
			frames[i].code = code_at(frame->number);
		torn |= frame->number >= 8;
	}
	stack->key = key_of(world, frames, stack->depth, stack->flags, generation);
	assert_true(world->source.last_torn == torn);
	if (world->last_stack != stack->key)
		return;
	for (uint32_t i = 0; i < stack->depth; i++) {
		assert_int_equal(stack->frames[i].number < 8, world->last[i].code_key != 0);
		assert_int_equal(stack->frames[i].offset, world->last[i].offset);
	}
}

/* What a stack shares with the one before is not hashed again: equal ones have one key all the same
 * and others another, also while code objects give way to others (3.14 counts them). */
static void keys_do_not_depend_on_the_stack_before(void **state)
{
	static struct true_stack seen[SEQUENCE];

	(void)state;
	for (int minor = 13; minor <= 14; minor++) {
		struct true_stack stack = {.depth = 1};
		uint32_t versions[8] = {0};
		uint64_t random = 0x2545f4914f6cdd1dull, generation = 1;
		struct world world;

		world_start(&world, minor);
		for (uint32_t n = 0; n < SEQUENCE; n++) {
			change_stack(&stack, &random);
			if (minor == 14 && draw(&random, 12) == 0) {
				uint32_t number = draw(&random, 8);

				renew_code(&world, number, &versions[number]);
				generation++;
			}
			intern_true(&world, &stack, versions,
				    minor == 14 ? generation : UINT64_MAX);
			seen[n] = stack;
			for (uint32_t i = 0; i < n; i++) {
				bool same = seen[i].depth == stack.depth &&
					    seen[i].flags == stack.flags &&
					    memcmp(seen[i].frames, stack.frames,
						   stack.depth * sizeof(stack.frames[0])) == 0;

				assert_int_equal(same, seen[i].key == stack.key);
			}
		}
		world_end(&world);
	}
}

static void each_failed_allocation_costs_a_stack_at_most(void **state)
{
	static struct raw_frame frames[9000];

	(void)state;
	for (uint32_t i = 0; i < 9000; i++)
		frames[i] = (struct raw_frame){.code = code_at(i), .offset = 2};
	for (long n = 0; n < 4; n++) {
		struct world world;
		uint32_t key = 0;

		world_start(&world, 13);
		key_of(&world, frames, 10, 0, UINT64_MAX);
		mem_fail_after(n);
		if (stack_source_intern(&world.source, frames, 9000, 0, UINT64_MAX, &key) < 0)
			assert_true(mem_failed());
		mem_fail_after(-1);
		key_of(&world, frames, 9000, 0, UINT64_MAX);
		assert_int_equal(9000, world.codes);
		world_end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equal_stacks_share_a_key),
	    cmocka_unit_test(any_difference_is_another_stack),
	    cmocka_unit_test(reuse_of_the_leaf_is_seen_at_once),
	    cmocka_unit_test(reuse_far_from_the_leaf_is_seen_in_turn),
	    cmocka_unit_test(what_the_sink_refused_comes_again),
	    cmocka_unit_test(a_stack_of_many_codes),
	    cmocka_unit_test(the_table_of_stacks_starts_anew),
	    cmocka_unit_test(keys_do_not_depend_on_the_stack_before),
	    cmocka_unit_test(each_failed_allocation_costs_a_stack_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
