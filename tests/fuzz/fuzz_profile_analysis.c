/* Fuzz target: bytes → a valid profile by the builder → shares, call tree, diff
 * and every format. Aborts when an answer breaks what must hold of any profile. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/diff.h"
#include "analysis/filter.h"
#include "analysis/shares.h"
#include "base/err.h"
#include "formats/format.h"
#include "profile/builder.h"

#define TOLERANCE 1e-9
#define ROWS_MAX 200   /* of each table */
#define PARSE_EVERY 16 /* inputs, by their size: JSON is parsed back */

struct input {
	const uint8_t *at, *end;
};

static uint8_t take(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static uint64_t take_wide(struct input *input)
{
	/* Few bits most of the time, all of them sometimes. */
	uint8_t shape = take(input);
	uint64_t value = take(input);

	for (int i = 1; i < (shape & 7); i++)
		value = value << 8 | take(input);
	return (shape & 0xf8) == 0xf8 ? UINT64_MAX - value : value;
}

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static const char *const texts[] = {
    "f",
    "g",
    "<torn>",
    "_find_and_load",
    "<frozen importlib._bootstrap>",
    "a;b",
    "\"\\/",
    "ü→",
    "/usr/lib/python3.12/json/decoder.py",
    "/home/x/app.py",
    "/x/site-packages/y.py",
    "\x7f",
    "\xf0\x9f\x90\x8d",
    "lib/python3",
    "python3.11",
    "",
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

static uint32_t below(struct input *input, uint32_t bound)
{
	return bound > 0 ? take(input) % bound : 0;
}

static void add_place(struct input *input, struct profile_builder *builder)
{
	const struct profile *view = profile_builder_view(builder);
	struct profile_function function = {
	    .name = {below(input, view->string_count)},
	    .file = {below(input, view->string_count)},
	    .first_line = take(input),
	};
	struct profile_frame frame = {0};
	struct frame_id frame_id;

	if (profile_builder_function(builder, &function, &frame.function, NULL) != 0)
		return;
	frame.line = (uint32_t)take_wide(input);
	frame.column = take(input);
	frame.kind = take(input) % (FRAME_TRUNCATED + 1);
	profile_builder_frame(builder, &frame, &frame_id, NULL);
}

static void add_sample(struct input *input, struct profile_builder *builder)
{
	const struct profile *view = profile_builder_view(builder);
	struct profile_sample sample = {
	    .time_ns = take_wide(input),
	    .weight_ns = take_wide(input),
	    .count = 1 + take(input) % 7,
	    .thread = {below(input, view->thread_count)},
	    .stack = {below(input, view->stack_count)},
	    .state = take(input) % STATE_COUNT,
	    .flags = take(input),
	};

	profile_builder_add_sample(builder, &sample, NULL);
}

static void add_thread(struct input *input, struct profile_builder *builder)
{
	const struct profile *view = profile_builder_view(builder);
	struct profile_process process = {.pid = take(input),
					  .python = {below(input, view->string_count)},
					  .start_ns = take_wide(input)};
	struct process_id process_id = {1 + below(input, view->process_count)};
	struct profile_thread thread = {.process = process_id,
					.tid = take_wide(input),
					.name = {below(input, view->string_count)},
					.is_main = take(input) & 1};
	struct thread_id thread_id;

	if (process_id.v == view->process_count &&
	    profile_builder_add_process(builder, &process, &process_id, NULL) != 0)
		return;
	profile_builder_add_thread(builder, &thread, &thread_id, NULL);
}

static void add_marker(struct input *input, struct profile_builder *builder)
{
	const struct profile *view = profile_builder_view(builder);
	struct profile_marker marker = {
	    .start_ns = take_wide(input),
	    .end_ns = take_wide(input),
	    .thread = {below(input, view->thread_count)},
	    .name = {below(input, view->string_count)},
	    .data = {below(input, view->string_count)},
	};

	profile_builder_add_marker(builder, &marker, NULL);
}

static void add_row(struct input *input, struct profile_builder *builder)
{
	const struct profile *view = profile_builder_view(builder);
	const char *text = texts[take(input) % TEXT_COUNT];
	struct string_id string;
	struct stack_id stack;

	switch (take(input) % 8) {
	case 0:
		profile_builder_string(builder, text, strlen(text), &string, NULL);
		break;
	case 1:
		add_place(input, builder);
		break;
	case 2:
		add_thread(input, builder);
		break;
	case 3:
		add_marker(input, builder);
		break;
	case 4:
	case 5:
		profile_builder_stack(builder, (struct stack_id){below(input, view->stack_count)},
				      (struct frame_id){below(input, view->frame_count)}, &stack,
				      NULL);
		break;
	default:
		add_sample(input, builder);
	}
}

static struct profile *make_profile(struct input *input)
{
	struct profile_builder *builder = profile_builder_new();
	struct profile_meta *meta;

	must(builder != NULL, "memory for a builder");
	meta = profile_builder_meta(builder);
	meta->aggregated = take(input) & 1;
	meta->rate_hz = (double)take_wide(input);
	meta->started_unix_ns = take_wide(input);
	meta->duration_ns = take_wide(input);
	profile_meta_set_text(&meta->mode, take(input) == 0xff ? "trace" : "samples");
	/* Something in every table, so that few bytes lead to samples. */
	for (int i = 0; i < 4; i++) {
		struct string_id string;
		const char *text = texts[take(input) % TEXT_COUNT];
		profile_builder_string(builder, text, strlen(text), &string, NULL);
	}
	add_place(input, builder);
	add_thread(input, builder);
	for (int i = 0; i < ROWS_MAX && input->at < input->end; i++)
		add_row(input, builder);
	return profile_builder_freeze(builder);
}

static double check_rows(const struct share_row *rows, size_t count)
{
	double self = 0;

	for (size_t i = 0; i < count; i++) {
		const struct share_row *row = &rows[i];
		must(row->self >= 0 && row->total <= 1, "shares lie in [0, 1]");
		must(row->self <= row->total, "self is at most total");
		must(row->self_count <= row->total_count, "so are the counts");
		must(row->self_low >= 0 && row->self_low <= row->self &&
			 row->self <= row->self_high && row->self_high <= 1,
		     "the interval of self holds it");
		must(row->total_low <= row->total && row->total <= row->total_high,
		     "the interval of total holds it");
		self += row->self;
	}
	must(self <= 1 + TOLERANCE, "self adds up to at most 1");
	return self;
}

static void check_shares(const struct profile *profile, const struct selection *selection)
{
	struct shares shares;
	double states = 0;

	if (shares_compute(profile, selection, &shares, NULL) != 0)
		return;
	double functions = check_rows(shares.functions, shares.function_count);
	double lines = check_rows(shares.lines, shares.line_count);
	must(lines <= functions + TOLERANCE, "lines have no more than their functions");
	for (int i = 0; i < STATE_COUNT; i++)
		states += shares.state[i];
	must(shares.weight_ns > 0 ? fabs(states - 1) < TOLERANCE : states == 0, "states add to 1");
	must(shares.effective_n <= (double)shares.sample_count * (1 + TOLERANCE),
	     "the effective n is at most n");
	must(shares.weight_ns > 0 ? shares.import_total >= 0 && shares.import_total <= 1
				  : isnan(shares.import_total),
	     "imports are a share, or unknown");
	shares_sort(&shares, SORT_TOTAL);
	shares_release(&shares);
}

static void check_tree(const struct profile *profile, const struct selection *selection)
{
	struct call_tree tree;
	size_t reached = 1;

	if (call_tree_build(profile, selection, &tree, NULL) != 0)
		return;
	must(fabs(tree.nodes[0].total_ns - tree.weight_ns) <= TOLERANCE * tree.weight_ns,
	     "the root has all the weight");
	for (size_t i = 0; i < tree.node_count; i++) {
		const struct tree_node *node = &tree.nodes[i];
		double below_it = node->self_ns, last = INFINITY;
		must(i == 0 || node->parent < i, "callers come first");
		for (uint32_t at = node->first_child; at; at = tree.nodes[at].next_sibling) {
			must(tree.nodes[at].parent == i, "a child knows its parent");
			must(tree.nodes[at].total_ns <= last, "children fall by total");
			last = tree.nodes[at].total_ns;
			below_it += last;
			reached++;
		}
		must(fabs(below_it - node->total_ns) <= TOLERANCE * (1 + node->total_ns),
		     "a total is its self and its children's");
	}
	must(reached == tree.node_count, "every node is somebody's child once");
	call_tree_release(&tree);
}

static void check_diff(const struct profile *a, const struct profile *b,
		       const struct selection *selection)
{
	struct profile_diff diff;

	if (profile_diff_compute(a, b, selection, &diff, NULL) != 0)
		return;
	for (size_t i = 0; i < diff.row_count; i++) {
		const struct diff_row *row = &diff.rows[i];
		must(row->share_a <= row->total_a + TOLERANCE && row->total_a <= 1, "a's shares");
		must(row->share_b <= row->total_b + TOLERANCE && row->total_b <= 1, "b's shares");
		must(row->change_low <= row->change + TOLERANCE &&
			 row->change <= row->change_high + TOLERANCE,
		     "the interval holds the change");
		must(!row->significant || row->change_low > 0 || row->change_high < 0,
		     "what is significant leaves out 0");
		must(a != b || !row->significant, "nothing differs from itself");
	}
	profile_diff_release(&diff);
}

static void write_and_parse(const struct profile *profile, const struct format *format,
			    const struct format_filter *filter)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	must(format->write(profile, filter, stream, NULL) == 0, "a format writes any profile");
	fclose(stream);
	if (strstr(format->extension, ".json")) {
		json_t *json =
		    json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
		must(json != NULL, "what is called JSON is JSON");
		json_decref(json);
	}
	free(text);
}

static void check_formats(const struct profile *profile, const struct selection *selection,
			  bool parse)
{
	static FILE *sink;
	struct sample_filter samples;
	struct format_filter filter = {.keep = sample_filter_keep, .context = &samples};

	if (!sink)
		sink = fopen("/dev/null", "w");
	if (sample_filter_init(&samples, profile, selection, NULL) != 0)
		return;
	for (size_t i = 0; formats[i]; i++) {
		if (parse)
			write_and_parse(profile, formats[i], &filter);
		else
			must(formats[i]->write(profile, &filter, sink, NULL) == 0,
			     "a format writes any profile");
	}
	sample_filter_release(&samples);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	uint8_t bits = take(&input), choice = take(&input);
	struct selection selection = {
	    .all_threads = bits & 1,
	    .basis = bits & 2 ? BASIS_CPU : BASIS_WALL,
	    .fold_library = bits & 4,
	    .module = bits & 8 ? texts[choice % TEXT_COUNT] : NULL,
	    .text = bits & 16 ? texts[choice / 16 % TEXT_COUNT] : NULL,
	    .thread = bits & 32 ? "f" : NULL,
	    .pid = bits & 64 ? choice : 0,
	};

	if (bits & 128) {
		selection.from_ns = take_wide(&input);
		selection.to_ns = take_wide(&input);
	}
	struct profile *a = make_profile(&input);
	struct profile *b = make_profile(&input);
	if (a && b) {
		check_shares(a, &selection);
		check_tree(a, &selection);
		check_diff(a, b, &selection);
		check_diff(a, a, &selection);
		check_formats(a, &selection, size % PARSE_EVERY == 0);
	}
	profile_free(a);
	profile_free(b);
	return 0;
}
