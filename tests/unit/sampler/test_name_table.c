/* Stacks of keys become stacks of named frames: each path as it was announced, whatever the stack
 * before it was, with what is torn or cut off at its root end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sampler/name_table.h"

#define CODES 9u
#define DEPTH_MAX 200u

struct world {
	struct profile_builder *builder;
	struct remote_memory memory;
	struct name_table table;
	uint64_t random;
};

static char *copy_of(const char *text)
{
	char *copy = mem_alloc(strlen(text) + 1);

	assert_non_null(copy);
	memcpy(copy, text, strlen(text) + 1);
	return copy;
}

static void world_start(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->random = 88172645463325252ull;
	world->builder = profile_builder_new();
	assert_non_null(world->builder);
	remote_memory_init_image(&world->memory, NULL, 0);
	name_table_init(&world->table, world->builder, &world->memory, layout_for_minor(13));
	for (uint32_t key = 1; key < CODES; key++) {
		struct code_announcement announcement = {.code_key = key, .address = 4096 * key};
		struct code_info *info = mem_zalloc(1, sizeof(*info));

		assert_non_null(info);
		info->name = copy_of((char[]){'f', (char)('0' + key), 0});
		info->file = copy_of("names.py");
		info->first_line = (int32_t)key;
		announcement.info = info;
		assert_int_equal(0, name_table_code(&world->table, &announcement, NULL));
	}
}

static void world_end(struct world *world)
{
	name_table_release(&world->table);
	profile_builder_free(world->builder);
}

static uint32_t draw(struct world *world, uint32_t below)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return (uint32_t)((world->random >> 20) % below);
}

/* Leaf first: the frames, then the row for what is missing. */
static void check_path(struct world *world, uint32_t key, const struct keyed_frame *frames,
		       uint32_t depth, uint32_t flags)
{
	const struct profile *profile = profile_builder_view(world->builder);
	struct stack_id stack = name_table_stack_id(&world->table, key);

	for (uint32_t i = 0; i < depth; i++) {
		const struct profile_stack *row = &profile->stacks[stack.v];
		const struct profile_frame *frame = &profile->frames[row->frame.v];
		const char *name =
		    profile_string(profile, profile->functions[frame->function.v].name);
		char wanted[] = {'f', (char)('0' + frames[i].code_key), 0};

		assert_int_not_equal(0, stack.v);
		assert_string_equal(frames[i].code_key ? wanted : "<torn>", name);
		assert_int_equal(frames[i].code_key ? FRAME_PYTHON : FRAME_TORN, frame->kind);
		stack = row->parent;
	}
	if (flags) {
		const struct profile_stack *row = &profile->stacks[stack.v];

		assert_int_not_equal(0, stack.v);
		assert_int_equal(flags & STACK_TRUNCATED ? FRAME_TRUNCATED : FRAME_TORN,
				 profile->frames[row->frame.v].kind);
		stack = row->parent;
	}
	assert_int_equal(0, stack.v);
}

static void each_path_is_as_it_was_announced(void **state)
{
	static const uint32_t flags[] = {0, 0, 0, STACK_TORN, STACK_TRUNCATED};
	struct keyed_frame frames[DEPTH_MAX] = {{0}};
	struct world world;
	uint32_t depth = 1;

	(void)state;
	world_start(&world);
	for (uint32_t key = 1; key < 3000; key++) {
		uint32_t now = draw(&world, 4) ? draw(&world, 12) : draw(&world, DEPTH_MAX);
		uint32_t flag = flags[draw(&world, 5)];

		/* Frames from the leaf on change, are left or are entered; now and then all. */
		if (now < depth && draw(&world, 2)) {
			memmove(frames, frames + now, (depth - now) * sizeof(*frames));
			depth -= now;
		} else if (depth + now <= DEPTH_MAX) {
			memmove(frames + now, frames, depth * sizeof(*frames));
			depth += now;
		}
		for (uint32_t i = 0; i < now && i < depth; i++)
			frames[i] =
			    (struct keyed_frame){draw(&world, CODES), (int32_t)draw(&world, 3) * 2};
		assert_int_equal(0, name_table_stack(&world.table, key, frames, depth, flag, NULL));
		check_path(&world, key, frames, depth, flag);
	}
	world_end(&world);
}

static void a_failed_allocation_is_no_wrong_path(void **state)
{
	struct keyed_frame frames[DEPTH_MAX];

	(void)state;
	for (long n = 0; n < 40; n++) {
		struct world world;

		world_start(&world);
		for (uint32_t i = 0; i < DEPTH_MAX; i++)
			frames[i] = (struct keyed_frame){1 + i % (CODES - 1), -1};
		assert_int_equal(
		    0, name_table_stack(&world.table, 1, frames + 190, DEPTH_MAX - 190, 0, NULL));
		mem_fail_after(n);
		(void)name_table_stack(&world.table, 2, frames, DEPTH_MAX, 0, NULL);
		mem_fail_after(-1);
		for (uint32_t i = 0; i < 50; i++)
			frames[i].code_key = 1 + (i + 1) % (CODES - 1);
		assert_int_equal(0, name_table_stack(&world.table, 3, frames, DEPTH_MAX, 0, NULL));
		check_path(&world, 3, frames, DEPTH_MAX, 0);
		world_end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_path_is_as_it_was_announced),
	    cmocka_unit_test(a_failed_allocation_is_no_wrong_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
