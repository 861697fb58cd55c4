/* Small profiles for tests, written as text: stacks are "name@file:line;…",
 * callers first. Failures are assertions: it is test code. */
#ifndef TESTS_SMALL_PROFILE_H
#define TESTS_SMALL_PROFILE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "profile/builder.h"

struct small {
	struct profile_builder *builder;
	uint64_t now_ns;
};

static inline struct string_id small_string(struct small *small, const char *text)
{
	struct string_id id = {0};

	if (*text) {
		int rc = profile_builder_string(small->builder, text, strlen(text), &id, NULL);
		assert(rc == 0);
		(void)rc;
	}
	return id;
}

static inline struct small small_new(void)
{
	struct small small = {profile_builder_new(), 0};
	struct profile_meta *meta = profile_builder_meta(small.builder);

	profile_meta_set_text(&meta->mode, "samples");
	profile_meta_set_text(&meta->clock, "wall");
	profile_meta_set_text(&meta->command, "python app.py");
	meta->started_unix_ns = 1700000000123456789u;
	meta->duration_ns = 2000000000;
	meta->rate_hz = 1000;
	return small;
}

static inline struct process_id small_process(struct small *small, uint32_t pid, const char *python)
{
	struct profile_process process = {.pid = pid, .python = small_string(small, python)};
	struct process_id id = {0};
	int rc = profile_builder_add_process(small->builder, &process, &id, NULL);

	assert(rc == 0);
	(void)rc;
	return id;
}

static inline struct thread_id small_thread(struct small *small, struct process_id process,
					    uint64_t tid, const char *name, bool is_main)
{
	struct profile_thread thread = {
	    .process = process, .tid = tid, .name = small_string(small, name), .is_main = is_main};
	struct thread_id id = {0};
	int rc = profile_builder_add_thread(small->builder, &thread, &id, NULL);

	assert(rc == 0);
	(void)rc;
	return id;
}

static inline uint8_t small_kind(const char *name)
{
	if (strcmp(name, "<torn>") == 0)
		return FRAME_TORN;
	if (strncmp(name, "C.", 2) == 0)
		return FRAME_BUILTIN;
	return FRAME_PYTHON;
}

/* A function's first line is that of its frame rounded down to a ten. */
static inline struct stack_id small_stack(struct small *small, const char *text)
{
	char *copy = strdup(text), *rest = copy, *part;
	struct stack_id stack = {0};

	while ((part = strsep(&rest, ";")) != NULL && *part) {
		char *file = strchr(part, '@'), *line = file ? strrchr(file, ':') : NULL;
		uint32_t number = line ? (uint32_t)atoi(line + 1) : 0;
		if (line)
			*line = '\0';
		if (file)
			*file++ = '\0';
		struct profile_function function = {.name = small_string(small, part),
						    .file = small_string(small, file ? file : ""),
						    .first_line = number - number % 10};
		struct profile_frame frame = {.line = number, .kind = small_kind(part)};
		int rc = profile_builder_function(small->builder, &function, &frame.function, NULL);
		struct frame_id frame_id = {0};
		assert(rc == 0);
		rc = profile_builder_frame(small->builder, &frame, &frame_id, NULL);
		assert(rc == 0);
		rc = profile_builder_stack(small->builder, stack, frame_id, &stack, NULL);
		assert(rc == 0);
		(void)rc;
	}
	free(copy);
	return stack;
}

/* `count` samples one after the other, each of weight_ns. */
static inline void small_samples(struct small *small, struct thread_id thread, const char *stack,
				 uint8_t state, int count, uint64_t weight_ns)
{
	struct profile_sample sample = {.weight_ns = weight_ns,
					.count = 1,
					.thread = thread,
					.stack = small_stack(small, stack),
					.state = state};

	if (strstr(stack, "<torn>"))
		sample.flags |= SAMPLE_TORN;
	if (sample.stack.v == 0)
		sample.flags |= SAMPLE_NO_STACK;
	for (int i = 0; i < count; i++) {
		sample.time_ns = small->now_ns;
		small->now_ns += weight_ns;
		int rc = profile_builder_add_sample(small->builder, &sample, NULL);
		assert(rc == 0);
		(void)rc;
	}
}

/* One process, one main thread; the common case. */
static inline struct thread_id small_main_thread(struct small *small)
{
	return small_thread(small, small_process(small, 100, "3.12.1"), 100, "MainThread", true);
}

static inline struct profile *small_finish(struct small *small)
{
	struct profile *profile = profile_builder_freeze(small->builder);

	assert(profile);
	return profile;
}

#endif
