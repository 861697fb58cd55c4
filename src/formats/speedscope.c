/* speedscope's own file format: one sampled profile a thread, in the order of
 * time, weights in nanoseconds. docs/formats/speedscope.md. */

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "formats/format_support.h"

#define SCHEMA_URL "https://www.speedscope.app/file-format-schema.json"

/* Frames are functions: speedscope has no place for a line within one. Frame 0
 * stands for samples with no stack; function N is frame N. */
static void write_frames(struct json_writer *json, const struct profile *profile)
{
	json_key(json, "shared");
	json_object_begin(json);
	json_key(json, "frames");
	json_array_begin(json);
	json_object_begin(json);
	json_key(json, "name");
	json_text(json, NO_STACK_NAME);
	json_object_end(json);
	for (uint32_t i = 1; i < profile->function_count; i++) {
		const struct profile_function *function = &profile->functions[i];
		const char *name = profile_string(profile, function->name);
		json_object_begin(json);
		json_key(json, "name");
		json_text(json, *name ? name : "<unknown>");
		if (function->file.v != 0) {
			json_key(json, "file");
			json_text(json, profile_string(profile, function->file));
		}
		if (function->first_line != 0) {
			json_key(json, "line");
			json_unsigned(json, function->first_line);
		}
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

static uint32_t function_of(const struct profile *profile, uint32_t stack)
{
	return profile->frames[profile->stacks[stack].frame.v].function.v;
}

static void write_stack(struct json_writer *json, const struct profile *profile, uint32_t stack,
			uint32_t *functions)
{
	uint32_t depth = 0;

	for (uint32_t at = stack; at != 0; at = profile->stacks[at].parent.v)
		functions[depth++] = function_of(profile, at);
	json_array_begin(json);
	if (depth == 0)
		json_unsigned(json, 0);
	while (depth-- > 0)
		json_unsigned(json, functions[depth]);
	json_array_end(json);
}

/* Neighbours with the same stack are one sample with the sum of their weights:
 * the picture is the same and the file a fraction of the size. */
static size_t run_length(const struct profile *profile, const size_t *rows, size_t count,
			 uint64_t *ret_weight_ns)
{
	uint32_t stack = profile->samples[rows[0]].stack.v;
	uint64_t weight_ns = 0;
	size_t length = 0;

	while (length < count && profile->samples[rows[length]].stack.v == stack)
		weight_ns += profile->samples[rows[length++]].weight_ns;
	*ret_weight_ns = weight_ns;
	return length;
}

/* Values start at the thread's first sample. A thread's weights add up to what was seen of it. */
static void write_bounds(struct json_writer *json, const struct profile *profile,
			 const size_t *rows, size_t count)
{
	uint64_t start_ns = profile->samples[rows[0]].time_ns, end_ns = start_ns;

	for (size_t i = 0; i < count; i++)
		end_ns += profile->samples[rows[i]].weight_ns;
	json_key(json, "unit");
	json_text(json, "nanoseconds");
	json_key(json, "startValue");
	json_unsigned(json, start_ns);
	json_key(json, "endValue");
	json_unsigned(json, end_ns);
}

static void write_thread(struct json_writer *json, const struct profile *profile, uint32_t thread,
			 const size_t *rows, size_t count, uint32_t *functions)
{
	const struct profile_thread *row = &profile->threads[thread];
	char space[32], name[512];
	uint64_t weight_ns;

	snprintf(name, sizeof(name), "%.400s (process %u, thread %llu)",
		 thread_label(profile, (struct thread_id){thread}, space, sizeof(space)),
		 profile->processes[row->process.v].pid, (unsigned long long)row->tid);
	json_object_begin(json);
	json_key(json, "type");
	json_text(json, "sampled");
	json_key(json, "name");
	json_text(json, name);
	write_bounds(json, profile, rows, count);
	json_key(json, "samples");
	json_array_begin(json);
	for (size_t i = 0; i < count; i += run_length(profile, rows + i, count - i, &weight_ns))
		write_stack(json, profile, profile->samples[rows[i]].stack.v, functions);
	json_array_end(json);
	json_key(json, "weights");
	json_array_begin(json);
	for (size_t i = 0; i < count;) {
		i += run_length(profile, rows + i, count - i, &weight_ns);
		json_unsigned(json, weight_ns);
	}
	json_array_end(json);
	json_object_end(json);
}

static uint32_t deepest_stack(const struct profile *profile)
{
	uint32_t depth = 0;

	for (uint32_t i = 1; i < profile->stack_count; i++) {
		if (profile->stacks[i].depth > depth)
			depth = profile->stacks[i].depth;
	}
	return depth;
}

static int speedscope_write(const struct profile *profile, const struct format_filter *filter,
			    FILE *stream, struct err *err)
{
	struct sample_order order;
	struct json_writer json;
	uint32_t *functions;
	int rc = sample_order_init(&order, profile, filter, err);

	if (rc != 0)
		return rc;
	functions = mem_zalloc((size_t)deepest_stack(profile) + 1, sizeof(*functions));
	if (!functions) {
		sample_order_release(&order);
		return format_no_memory("speedscope", err);
	}
	json_start(&json, stream, false);
	json_object_begin(&json);
	json_key(&json, "$schema");
	json_text(&json, SCHEMA_URL);
	json_key(&json, "exporter");
	json_text(&json, "pyrometer " PYROMETER_VERSION);
	json_key(&json, "name");
	json_text(&json, profile->meta.command ? profile->meta.command : "unknown command");
	json_key(&json, "activeProfileIndex");
	json_unsigned(&json, 0);
	write_frames(&json, profile);
	json_key(&json, "profiles");
	json_array_begin(&json);
	/* Threads of the profile come first in its table's order; row 0 is for the unknown, last.
	 */
	for (uint32_t i = 1; i <= profile->thread_count; i++) {
		uint32_t thread = i % profile->thread_count;
		size_t first = order.start[thread], end = order.start[thread + 1];
		if (end > first)
			write_thread(&json, profile, thread, order.order + first, end - first,
				     functions);
	}
	json_array_end(&json);
	json_object_end(&json);
	putc('\n', stream);
	mem_free(functions);
	sample_order_release(&order);
	return format_finish(stream, "speedscope", err);
}

extern const struct format format_speedscope;
const struct format format_speedscope = {
    .name = "speedscope",
    .summary = "speedscope's JSON: a time line and flame graph for each thread",
    .extension = ".speedscope.json",
    .opened_by = "speedscope (https://www.speedscope.app, or npx speedscope)",
    .needs_timeline = true,
    .write = speedscope_write,
};
