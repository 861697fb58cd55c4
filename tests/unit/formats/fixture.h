/* The profile that the format tests write, here and in tests/formats: known in
 * full, with what is hard in a format: semicolons, quotes, text outside ASCII,
 * a torn frame, no stack, recursion, two processes, every state, times out of order. */
#ifndef TESTS_FORMATS_FIXTURE_H
#define TESTS_FORMATS_FIXTURE_H

#include "../analysis/small_profile.h"

#define FIXTURE_MS 1000000u

static inline void fixture_marker(struct small *small, struct thread_id thread)
{
	struct profile_marker span = {.start_ns = 2 * FIXTURE_MS,
				      .end_ns = 5 * FIXTURE_MS,
				      .thread = thread,
				      .name = small_string(small, "GC"),
				      .data = small_string(small, "generation 2")};
	struct profile_marker instant = {.start_ns = 7 * FIXTURE_MS,
					 .end_ns = 7 * FIXTURE_MS,
					 .name = small_string(small, "exec"),
					 .data = small_string(small, "child \"x\"")};
	int rc = profile_builder_add_marker(small->builder, &span, NULL);

	assert(rc == 0);
	rc = profile_builder_add_marker(small->builder, &instant, NULL);
	assert(rc == 0);
	(void)rc;
}

static inline struct profile *fixture_profile(void)
{
	struct small small = small_new();
	struct process_id first = small_process(&small, 10, "3.12.1");
	struct process_id child = small_process(&small, 20, "3.8.18");
	struct thread_id main_thread = small_thread(&small, first, 10, "MainThread", true);
	struct thread_id worker = small_thread(&small, first, 11, "wörker; \"1\"", false);
	struct thread_id unnamed = small_thread(&small, child, 20, "", true);

	small_samples(&small, main_thread, "m@/src/a.py:11;work@/src/a.py:21", STATE_ON_CPU, 5,
		      FIXTURE_MS);
	small_samples(&small, main_thread, "m@/src/a.py:12;work@/src/a.py:22", STATE_ON_CPU, 2,
		      FIXTURE_MS);
	small_samples(&small, main_thread, "m@/src/a.py:12;work@/src/a.py:22", STATE_RUNQUEUE, 1,
		      FIXTURE_MS);
	small_samples(&small, main_thread, "m@/src/a.py:12;<torn>", STATE_ON_CPU, 1, FIXTURE_MS);
	small_samples(&small, main_thread, "m@/src/a.py:12", STATE_GC, 2, FIXTURE_MS);
	small_samples(&small, worker, "rec@/src/ü.py:31;rec@/src/ü.py:31;rec@/src/ü.py:32",
		      STATE_GIL_WAIT, 3, FIXTURE_MS);
	small_samples(&small, worker, "", STATE_UNKNOWN, 1, FIXTURE_MS);
	small.now_ns = 4 * FIXTURE_MS; /* earlier than the samples above */
	small_samples(&small, worker, "read@/src/ü.py:41;C.recv", STATE_BLOCKED, 4, FIXTURE_MS);
	small_samples(&small, unnamed, "m@/src/a.py:11", STATE_ON_CPU, 6, FIXTURE_MS);
	fixture_marker(&small, worker);
	return small_finish(&small);
}

/* A name with a semicolon cannot be given by small_samples. */
static inline struct profile *semicolon_profile(uint64_t second_weight_ns)
{
	struct small small = small_new();
	struct thread_id thread = small_main_thread(&small);
	struct profile_function function = {.name = small_string(&small, "a;b"),
					    .file = small_string(&small, "x;y.py"),
					    .first_line = 3};
	struct profile_frame frame = {.line = 4, .kind = FRAME_PYTHON};
	struct profile_sample sample = {
	    .weight_ns = FIXTURE_MS, .count = 1, .thread = thread, .state = STATE_ON_CPU};
	struct frame_id frame_id = {0};

	profile_builder_function(small.builder, &function, &frame.function, NULL);
	profile_builder_frame(small.builder, &frame, &frame_id, NULL);
	profile_builder_stack(small.builder, (struct stack_id){0}, frame_id, &sample.stack, NULL);
	profile_builder_add_sample(small.builder, &sample, NULL);
	sample.weight_ns = second_weight_ns;
	profile_builder_add_sample(small.builder, &sample, NULL);
	return small_finish(&small);
}

#endif
