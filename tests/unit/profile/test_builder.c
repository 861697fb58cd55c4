#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "profile/builder.h"

static void equal_values_get_equal_ids_and_new_ones_the_next(void **state)
{
	struct profile_builder *builder = profile_builder_new();
	struct string_id a, b, c, none;
	const struct profile *view = profile_builder_view(builder);

	(void)state;
	assert_int_equal(profile_builder_string(builder, "abc", 3, &a, NULL), 0);
	assert_int_equal(profile_builder_string(builder, "abcd", 4, &b, NULL), 0);
	assert_int_equal(profile_builder_string(builder, "abcXX", 3, &c, NULL), 0);
	assert_int_equal(profile_builder_string(builder, "", 0, &none, NULL), 0);
	assert_int_equal(a.v, 1);
	assert_int_equal(b.v, 2);
	assert_int_equal(c.v, 1);
	assert_int_equal(none.v, 0);
	assert_string_equal(profile_string(view, b), "abcd");
	assert_string_equal(profile_string(view, (struct string_id){77}), "");
	assert_int_equal(view->string_count, 3);
	profile_builder_free(builder);
}

/* A chain of 3 frames and a sample, made step by step; returns the first failure. */
static int fill(struct profile_builder *builder)
{
	struct string_id name;
	struct function_id function;
	struct frame_id frame;
	struct stack_id stack = {0};
	struct process_id process;
	struct thread_id thread;
	int code = profile_builder_string(builder, "f", 1, &name, NULL);

	for (uint32_t line = 1; code == 0 && line <= 3; line++) {
		code = profile_builder_function(builder, &(struct profile_function){name, name, 1},
						&function, NULL);
		if (code == 0)
			code = profile_builder_frame(builder,
						     &(struct profile_frame){.function = function,
									     .line = line,
									     .kind = FRAME_PYTHON},
						     &frame, NULL);
		if (code == 0)
			code = profile_builder_stack(builder, stack, frame, &stack, NULL);
	}
	if (code == 0)
		code = profile_builder_add_process(builder, &(struct profile_process){.pid = 1},
						   &process, NULL);
	if (code == 0)
		code = profile_builder_add_thread(
		    builder, &(struct profile_thread){.process = process}, &thread, NULL);
	if (code == 0)
		code = profile_builder_add_sample(
		    builder, &(struct profile_sample){.thread = thread, .stack = stack, .count = 1},
		    NULL);
	if (code == 0)
		code = profile_meta_set_text(&profile_builder_meta(builder)->command, "x");
	return code;
}

static void a_stack_is_a_parent_and_a_frame(void **state)
{
	struct profile_builder *builder = profile_builder_new();
	struct profile *profile;

	(void)state;
	assert_int_equal(fill(builder), 0);
	assert_int_equal(fill(builder), 0);
	profile = profile_builder_freeze(builder);
	assert_int_equal(profile->function_count, 2);
	assert_int_equal(profile->stack_count, 4);
	assert_int_equal(profile->stacks[3].depth, 3);
	assert_int_equal(profile->stacks[3].parent.v, 2);
	assert_int_equal(profile->process_count, 3); /* not interned */
	assert_int_equal(profile->sample_count, 2);
	profile_free(profile);
}

static void rows_that_refer_to_none_are_refused(void **state)
{
	struct profile_builder *b = profile_builder_new();
	struct function_id function;
	struct frame_id frame;
	struct stack_id stack;
	struct process_id process;
	struct thread_id thread;
	struct profile_thread no_process = {.process = {9}};
	struct profile_sample sample = {.thread = {1}, .count = 1};

	(void)state;
	assert_int_equal(fill(b), 0);
	assert_int_equal(
	    profile_builder_function(b, &(struct profile_function){{9}, {0}, 0}, &function, NULL),
	    -ERR_FILE);
	assert_int_equal(profile_builder_frame(b, &(struct profile_frame){.kind = 1}, &frame, NULL),
			 -ERR_FILE);
	assert_int_equal(profile_builder_frame(
			     b, &(struct profile_frame){.function = {1}, .kind = 9}, &frame, NULL),
			 -ERR_FILE);
	assert_int_equal(
	    profile_builder_stack(b, (struct stack_id){4}, (struct frame_id){1}, &stack, NULL),
	    -ERR_FILE);
	assert_int_equal(
	    profile_builder_stack(b, (struct stack_id){0}, (struct frame_id){0}, &stack, NULL),
	    -ERR_FILE);
	assert_int_equal(profile_builder_add_process(b, &(struct profile_process){.python = {5}},
						     &process, NULL),
			 -ERR_FILE);
	assert_int_equal(profile_builder_add_thread(b, &no_process, &thread, NULL), -ERR_FILE);
	assert_int_equal(profile_builder_add_sample(b, &sample, NULL), 0);
	sample.stack.v = 4;
	assert_int_equal(profile_builder_add_sample(b, &sample, NULL), -ERR_FILE);
	sample = (struct profile_sample){.thread = {0}, .count = 1};
	assert_int_equal(profile_builder_add_sample(b, &sample, NULL), -ERR_FILE);
	sample = (struct profile_sample){.thread = {1}, .count = 0};
	assert_int_equal(profile_builder_add_sample(b, &sample, NULL), -ERR_FILE);
	assert_null(profile_builder_thread(b, (struct thread_id){0}));
	assert_null(profile_builder_process(b, (struct process_id){2}));
	profile_builder_free(b);
}

static void a_stack_has_a_greatest_depth(void **state)
{
	struct profile_builder *builder = profile_builder_new();
	struct stack_id stack = {0};
	uint32_t depth = 0;
	int code;

	(void)state;
	assert_int_equal(fill(builder), 0);
	while ((code = profile_builder_stack(builder, stack, (struct frame_id){1}, &stack, NULL)) ==
	       0)
		depth++;
	assert_int_equal(code, -ERR_LIMIT);
	assert_int_equal(depth, PROFILE_STACK_DEPTH_MAX + 1);
	profile_builder_free(builder);
}

static void every_allocation_may_fail(void **state)
{
	int code = -1;

	(void)state;
	for (long n = 0; code != 0; n++) {
		struct profile_builder *builder;

		assert_true(n < 1000);
		mem_fail_after(n);
		builder = profile_builder_new();
		code = builder ? fill(builder) : -ERR_MEMORY;
		mem_fail_after(-1);
		assert_true(code == 0 || code == -ERR_MEMORY);
		profile_builder_free(builder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equal_values_get_equal_ids_and_new_ones_the_next),
	    cmocka_unit_test(a_stack_is_a_parent_and_a_frame),
	    cmocka_unit_test(rows_that_refer_to_none_are_refused),
	    cmocka_unit_test(a_stack_has_a_greatest_depth),
	    cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
