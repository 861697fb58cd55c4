/* Collapsed stacks: one line a stack, callers first, frames apart by ';', then a
 * blank and a number. docs/formats/collapsed.md says what the number is. Lines of
 * source are not part of it: stacks that differ only there are one line. */
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "formats/format_support.h"

/* Stacks by function: node of a stack, and for a node its caller and function. */
struct path_node {
	uint32_t parent, function;
	uint64_t weight_ns, count;
};
struct paths {
	struct path_node *nodes;
	uint32_t *node_of, count;
};

static int find_paths(struct paths *paths, const struct profile *profile)
{
	struct u64_map known;
	int rc = 0;

	u64_map_init(&known, 0);
	paths->count = 1;
	for (uint32_t i = 1; i < profile->stack_count && rc == 0; i++) {
		uint32_t parent = paths->node_of[profile->stacks[i].parent.v];
		uint32_t function = profile->frames[profile->stacks[i].frame.v].function.v;
		uint64_t key = (uint64_t)parent << 32 | function, node;
		if (!u64_map_get(&known, key, &node)) {
			node = paths->count++;
			paths->nodes[node].parent = parent;
			paths->nodes[node].function = function;
			rc = u64_map_put(&known, key, node);
		}
		paths->node_of[i] = (uint32_t)node;
	}
	u64_map_release(&known);
	return rc;
}

/* ';' parts frames and has no escape in the format: it is written as \x3b. */
static void write_text(FILE *stream, const char *text)
{
	for (; *text; text++) {
		if (*text == ';')
			fputs("\\x3b", stream);
		else if ((unsigned char)*text < 0x20)
			fprintf(stream, "\\x%02x", (unsigned char)*text);
		else
			putc(*text, stream);
	}
}

static void write_frame(FILE *stream, const struct profile *profile, uint32_t function)
{
	const struct profile_function *row = &profile->functions[function];
	const char *name = profile_string(profile, row->name);
	const char *file = profile_string(profile, row->file);

	write_text(stream, *name ? name : "<unknown>");
	if (!*file)
		return;
	fputs(" (", stream);
	write_text(stream, file);
	if (row->first_line != 0)
		fprintf(stream, ":%u", row->first_line);
	putc(')', stream);
}

/* Samples that all stand for the same time are counted. Under a rate that was
 * adapted they are not equal, and the number is the time in microseconds. */
static bool weights_are_equal(const struct profile *profile, const struct format_filter *filter)
{
	double first = 0;

	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		if (sample->count == 0 || !format_keeps(filter, profile, sample))
			continue;
		double each = (double)sample->weight_ns / sample->count;
		if (first == 0)
			first = each;
		/* Sums of weights are whole nanoseconds: a rounding apart is no difference. */
		else if (each < first * 0.999 || each > first * 1.001)
			return false;
	}
	return true;
}

static void write_path(FILE *stream, const struct profile *profile, const struct paths *paths,
		       uint32_t node, uint32_t *functions, bool by_count)
{
	const struct path_node *leaf = &paths->nodes[node];
	uint64_t number = by_count ? leaf->count : (leaf->weight_ns + 500) / 1000;
	uint32_t depth = 0;

	for (uint32_t at = node; at != 0; at = paths->nodes[at].parent)
		functions[depth++] = paths->nodes[at].function;
	if (depth == 0)
		fputs(NO_STACK_NAME, stream);
	while (depth-- > 0) {
		write_frame(stream, profile, functions[depth]);
		if (depth > 0)
			putc(';', stream);
	}
	fprintf(stream, " %llu\n", (unsigned long long)number);
}

static int write_paths(const struct profile *profile, const struct format_filter *filter,
		       struct paths *paths, FILE *stream)
{
	bool by_count = weights_are_equal(profile, filter);
	uint32_t depth_max = 1, *functions;

	for (uint32_t i = 1; i < profile->stack_count; i++) {
		if (profile->stacks[i].depth > depth_max)
			depth_max = profile->stacks[i].depth;
	}
	functions = mem_zalloc((size_t)depth_max + 1, sizeof(*functions));
	if (!functions)
		return -ERR_MEMORY;
	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		if (!format_keeps(filter, profile, sample))
			continue;
		struct path_node *node = &paths->nodes[paths->node_of[sample->stack.v]];
		node->weight_ns += sample->weight_ns;
		node->count += sample->count;
	}
	for (uint32_t i = 0; i < paths->count; i++) {
		if (paths->nodes[i].count > 0)
			write_path(stream, profile, paths, i, functions, by_count);
	}
	mem_free(functions);
	return 0;
}

static int collapsed_write(const struct profile *profile, const struct format_filter *filter,
			   FILE *stream, struct err *err)
{
	size_t rows = (size_t)profile->stack_count + 1;
	struct paths paths = {
	    .nodes = mem_zalloc(rows, sizeof(*paths.nodes)),
	    .node_of = mem_zalloc(rows, sizeof(*paths.node_of)),
	};
	int rc = paths.nodes && paths.node_of ? find_paths(&paths, profile) : -ERR_MEMORY;

	if (rc == 0)
		rc = write_paths(profile, filter, &paths, stream);
	mem_free(paths.nodes);
	mem_free(paths.node_of);
	return rc != 0 ? format_no_memory("collapsed stacks", err)
		       : format_finish(stream, "collapsed", err);
}

extern const struct format format_collapsed;
const struct format format_collapsed = {
    .name = "collapsed",
    .summary = "one line a stack, for flame graphs and text tools",
    .extension = ".txt",
    .opened_by = "flamegraph.pl, inferno, speedscope, sort and grep",
    .write = collapsed_write,
};
