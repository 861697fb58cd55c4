/* Profiles made at random from a seed, for the tests of the recording. */
#ifndef MADE_PROFILE_H
#define MADE_PROFILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/builder.h"

struct made {
	struct profile_builder *builder;
	uint64_t seed;
	uint64_t time_ns;
};

static inline uint32_t made_random(struct made *made, uint32_t below)
{
	made->seed = made->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((made->seed >> 33) % below);
}

static inline uint32_t made_string(struct made *made, const char *what, uint32_t number)
{
	struct string_id id;
	char text[64];
	int size = snprintf(text, sizeof(text), "%s_%u_\xc3\xa9", what, number);

	if (profile_builder_string(made->builder, text, (size_t)size, &id, NULL) < 0)
		abort();
	return id.v;
}

/* Adds `stacks` random stacks, `threads` threads of one more process, a marker, meta. */
static inline void made_grow(struct made *made, uint32_t stacks, uint32_t threads)
{
	struct profile_builder *builder = made->builder;
	struct profile_meta *meta = profile_builder_meta(builder);
	struct profile_process process = {.pid = 100 + made_random(made, 100),
					  .cpu_ns = UINT64_MAX,
					  .peak_rss_bytes = 5,
					  .command = {made_string(made, "command", 1)}};
	struct process_id process_id;
	struct thread_id thread_id = {0};

	for (uint32_t i = 0; i < stacks; i++) {
		struct profile_function function = {
		    {made_string(made, "name", made_random(made, 40))},
		    {made_string(made, "file", made_random(made, 5))},
		    made_random(made, 9)};
		struct profile_frame frame = {.line = made_random(made, 1000),
					      .end_line = made_random(made, 3),
					      .column = (uint16_t)made_random(made, 80),
					      .kind = (uint8_t)(1 + made_random(made, 8))};
		struct frame_id frame_id;
		struct stack_id parent = {made_random(made,
						      profile_builder_view(builder)->stack_count)},
				id;

		if (profile_builder_function(builder, &function, &frame.function, NULL) < 0 ||
		    profile_builder_frame(builder, &frame, &frame_id, NULL) < 0 ||
		    profile_builder_stack(builder, parent, frame_id, &id, NULL) < 0)
			abort();
	}
	if (profile_builder_add_process(builder, &process, &process_id, NULL) < 0)
		abort();
	for (uint32_t i = 0; i < threads; i++) {
		struct profile_thread thread = {.process = process_id,
						.tid = made_random(made, 100000),
						.is_main = i == 0,
						.on_cpu_ns = i ? i : UINT64_MAX,
						.end_ns = i};

		thread.name.v = made_string(made, "thread", i);
		if (profile_builder_add_thread(builder, &thread, &thread_id, NULL) < 0)
			abort();
	}
	if (profile_builder_add_marker(
		builder,
		&(struct profile_marker){
		    .start_ns = 1, .end_ns = 2, .thread = thread_id, .name = {1}},
		NULL) < 0)
		abort();
	profile_meta_set_text(&meta->command, "app.py --x");
	profile_meta_set_text(&meta->pyrometer_version, "0.1.0");
	meta->rate_hz = 300.5;
	meta->counts.scheduled += stacks;
	meta->complete = true;
}

/* One instant: a sample of each thread. */
static inline size_t made_instant(struct made *made, struct profile_sample *samples,
				  uint32_t stack_from)
{
	const struct profile *view = profile_builder_view(made->builder);
	size_t count = 0;

	made->time_ns += 1 + made_random(made, 6666666);
	for (uint32_t thread = 1; thread < view->thread_count; thread++)
		samples[count++] = (struct profile_sample){
		    .time_ns = made->time_ns,
		    .weight_ns = 3333333,
		    .count = 1,
		    .thread = {thread},
		    .stack = {stack_from + made_random(made, view->stack_count - stack_from)},
		    .state = (uint8_t)made_random(made, STATE_COUNT)};
	return count;
}

#endif
