/* Profiles of known shares for the tests of report/: stacks written as text,
 * "main@app.py:5|match@orders.py:44#41", the root first; #41
 * is the first line of the function (1 when not said). A test builds one, prints
 * a view into memory and looks at the text. Included by tests only. */
#ifndef REPORT_FIXTURE_H
#define REPORT_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/terminal.h"
#include "profile/builder.h"

#define FIXTURE_WEIGHT_NS 1000000u

struct fixture {
	struct profile_builder *builder;
	struct process_id process;
	struct thread_id main;
	uint64_t samples;
};

static const struct terminal fixture_plain = {.columns = 80, .utf8 = true};

static inline struct string_id fixture_string(struct fixture *fixture, const char *text)
{
	struct string_id id = {0};

	assert_int_equal(profile_builder_string(fixture->builder, text, strlen(text), &id, NULL),
			 0);
	return id;
}

static inline struct thread_id fixture_thread(struct fixture *fixture, uint64_t tid,
					      const char *name, uint64_t on_cpu_ns)
{
	struct profile_thread thread = {
	    .process = fixture->process,
	    .tid = tid,
	    .name = name != NULL ? fixture_string(fixture, name) : (struct string_id){0},
	    .is_main = name == NULL,
	    .on_cpu_ns = on_cpu_ns,
	    .runqueue_ns = UINT64_MAX,
	};
	struct thread_id id;

	assert_int_equal(profile_builder_add_thread(fixture->builder, &thread, &id, NULL), 0);
	return id;
}

static inline void fixture_start(struct fixture *fixture)
{
	struct profile_process process = {
	    .pid = 4711, .cpu_ns = 7910000000u, .peak_rss_bytes = 212u << 20};
	struct profile_meta *meta;

	*fixture = (struct fixture){.builder = profile_builder_new()};
	assert_non_null(fixture->builder);
	process.command = fixture_string(fixture, "python orders.py");
	process.python = fixture_string(fixture, "3.12.1");
	assert_int_equal(
	    profile_builder_add_process(fixture->builder, &process, &fixture->process, NULL), 0);
	fixture->main = fixture_thread(fixture, 4711, NULL, 7910000000u);
	meta = profile_builder_meta(fixture->builder);
	profile_meta_set_text(&meta->command, "python orders.py --fast");
	profile_meta_set_text(&meta->directory, "/srv/shop");
	profile_meta_set_text(&meta->python, "3.12.1");
	profile_meta_set_text(&meta->mode, "samples");
	profile_meta_set_text(&meta->clock, "wall");
	meta->duration_ns = 8420000000u;
	meta->rate_hz = 796;
	meta->budget = 0.01;
	meta->exit_status = 0;
	meta->self_cpu_ns = 150000000;
	meta->stolen_ns = UINT64_MAX;
	meta->complete = true;
}

/* "name@file:line#first"; without '@' a function of no file. */
static inline struct frame_id fixture_frame(struct fixture *fixture, const char *text, size_t size)
{
	char *copy = strndup(text, size), *at = strrchr(copy, '@');
	char *colon = at != NULL ? strrchr(at, ':') : NULL;
	char *hash = colon != NULL ? strchr(colon, '#') : NULL;
	struct profile_function function = {0};
	struct profile_frame frame = {.kind = FRAME_PYTHON};
	struct frame_id id;

	if (at != NULL)
		*at = '\0';
	if (colon != NULL) {
		*colon = '\0';
		frame.line = (uint32_t)atoi(colon + 1);
		function.first_line = hash != NULL ? (uint32_t)atoi(hash + 1) : 1;
	}
	function.name = fixture_string(fixture, copy);
	function.file = fixture_string(fixture, at != NULL ? at + 1 : "");
	assert_int_equal(
	    profile_builder_function(fixture->builder, &function, &frame.function, NULL), 0);
	assert_int_equal(profile_builder_frame(fixture->builder, &frame, &id, NULL), 0);
	free(copy);
	return id;
}

static inline struct stack_id fixture_stack(struct fixture *fixture, const char *frames)
{
	struct stack_id stack = {0};

	while (*frames != '\0') {
		size_t length = strcspn(frames, "|");
		struct frame_id frame = fixture_frame(fixture, frames, length);

		assert_int_equal(
		    profile_builder_stack(fixture->builder, stack, frame, &stack, NULL), 0);
		frames += length + (frames[length] == '|');
	}
	return stack;
}

/* `count` samples of the thread, each FIXTURE_WEIGHT_NS. "" = no Python stack. */
static inline void fixture_add(struct fixture *fixture, struct thread_id thread, const char *frames,
			       enum sample_state state, unsigned count)
{
	struct profile_sample sample = {
	    .weight_ns = FIXTURE_WEIGHT_NS,
	    .count = 1,
	    .thread = thread,
	    .stack = fixture_stack(fixture, frames),
	    .state = (uint8_t)state,
	    .flags = *frames == '\0' ? SAMPLE_NO_STACK : 0,
	};

	for (unsigned i = 0; i < count; i++) {
		sample.time_ns = fixture->samples++ * FIXTURE_WEIGHT_NS;
		assert_int_equal(profile_builder_add_sample(fixture->builder, &sample, NULL), 0);
	}
}

static inline struct profile *fixture_finish(struct fixture *fixture)
{
	struct sample_counts *counts = &profile_builder_meta(fixture->builder)->counts;
	struct profile *profile;

	counts->valid = counts->scheduled = counts->same_core = fixture->samples;
	profile = profile_builder_freeze(fixture->builder);
	assert_non_null(profile);
	return profile;
}

/* A run whose shares are known: 31 % on line 44 of match, 7 % on line 45, … */
static inline struct profile *fixture_orders(void)
{
	static const struct {
		const char *frames;
		enum sample_state state;
		unsigned count;
	} rows[] = {
	    {"<module>@/srv/shop/orders.py:99|main@/srv/shop/orders.py:88#50|"
	     "match@/srv/shop/orders.py:44#41",
	     STATE_ON_CPU, 310},
	    {"<module>@/srv/shop/orders.py:99|main@/srv/shop/orders.py:88#50|"
	     "match@/srv/shop/orders.py:45#41",
	     STATE_ON_CPU, 70},
	    {"<module>@/srv/shop/orders.py:99|main@/srv/shop/orders.py:63#50", STATE_ON_CPU, 200},
	    {"<module>@/srv/shop/orders.py:99|main@/srv/shop/orders.py:88#50|"
	     "JSONDecoder.decode@/usr/lib/python3.12/json/decoder.py:337#332",
	     STATE_ON_CPU, 250},
	    {"<module>@/srv/shop/orders.py:99|main@/srv/shop/orders.py:90#50|"
	     "fetch@/srv/shop/orders.py:22#20",
	     STATE_BLOCKED, 140},
	    {"<module>@/srv/shop/orders.py:99|main@/srv/shop/orders.py:91#50", STATE_GC, 30},
	};
	struct fixture fixture;

	fixture_start(&fixture);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fixture_add(&fixture, fixture.main, rows[i].frames, rows[i].state, rows[i].count);
	return fixture_finish(&fixture);
}

/* No line but a command to copy is wider than the terminal, and nothing in it can drive one. */
static inline void assert_page_is_sound(const char *text, size_t columns)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		char *line = strndup(text, length);

		for (size_t i = 0; i < length; i++)
			assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
		if (text_display_width(line) > columns && strstr(line, " pyrometer r") == NULL)
			fail_msg("%zu columns: %s", text_display_width(line), line);
		free(line);
		text += length + (text[length] == '\n');
	}
}

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (strstr(text, part) == NULL)                                                    \
			fail_msg("\"%s\" is not in:\n%s", part, text);                             \
	} while (0)
#define assert_lacks(text, part)                                                                   \
	do {                                                                                       \
		if (strstr(text, part) != NULL)                                                    \
			fail_msg("\"%s\" is in:\n%s", part, text);                                 \
	} while (0)

#endif
