#include "commands/compare_run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/terminal.h"
#include "bench/pairing_saved.h"

#define TEXTS_MAX (16u << 20)
#define BENCHMARK_LIMIT_S 90.0 /* of one benchmark, where no limit was given for all */
#define PATH_MAX_TEXT 4096

struct progress {
	const struct terminal *terminal;
	const struct compare_plan *plan;
	size_t at;
	uint64_t shown_ns;
};

static double now_s(void)
{
	return (double)clock_ns(CLOCK_MONOTONIC) * 1e-9;
}

/* --- progress --------------------------------------------------------------------------------- */

#define PROGRESS_EVERY_NS 200000000u
#define PROGRESS_NAME_COLUMNS 28

static void show_progress(void *context, const struct sequential_state *state, double elapsed_s,
			  double left_s)
{
	struct progress *progress = context;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	char change[48] = "";

	(void)elapsed_s;
	if (now - progress->shown_ns < PROGRESS_EVERY_NS)
		return;
	progress->shown_ns = now;
	if (isfinite(state->low) && isfinite(state->high))
		snprintf(change, sizeof(change), "  %+.1f to %+.1f %%", expm1(state->low) * 100,
			 expm1(state->high) * 100);
	fputs("\r", stderr);
	if (progress->plan->count > 1)
		fprintf(stderr, "%zu/%zu ", progress->at + 1, progress->plan->count);
	text_write_cell(stderr, progress->plan->items[progress->at].name, PROGRESS_NAME_COLUMNS,
			CUT_MIDDLE, false);
	fprintf(stderr, " %zu pairs%s  at most %.0f s left\033[K", state->pairs, change,
		ceil(left_s));
	fflush(stderr);
}

static void clear_progress(const struct terminal *terminal)
{
	if (terminal->is_terminal)
		fputs("\r\033[K", stderr);
}

/* --- measuring -------------------------------------------------------------------------------- */

static void options_of(const struct compare_plan *plan, const struct compare_settings *settings,
		       struct pairing_options *options)
{
	pairing_defaults(options);
	/* An equal part for each: then what a benchmark's own test finds, Holm carries. */
	options->plan.alpha = settings->alpha / (double)(plan->count > 0 ? plan->count : 1);
	options->plan.tolerance = log1p(settings->tolerance_percent / 100);
	if (settings->pairs_max > 0)
		options->plan.pairs_max = (size_t)settings->pairs_max;
	options->metric = settings->cpu ? PAIR_CPU : settings->wall ? PAIR_WALL : PAIR_AUTO;
	if (settings->pair_s > 0)
		options->pair_s = settings->pair_s;
	if (settings->block_s > 0)
		options->block_s = settings->block_s;
	options->cpu = (int)settings->on_cpu;
	options->seed = (uint64_t)settings->seed;
	options->count = strcmp(settings->counters, "never") != 0;
	options->stop = plan->stop;
}

static int answer_init(struct compare_answer *answer, size_t count, struct err *err)
{
	*answer = (struct compare_answer){.count = 0};
	arena_init(&answer->arena, TEXTS_MAX);
	answer->results = mem_zalloc(count + 1, sizeof(*answer->results));
	answer->rows = mem_zalloc(count + 1, sizeof(*answer->rows));
	if (answer->results == NULL || answer->rows == NULL)
		return err_set(err, ERR_MEMORY, "No memory for %zu results", count);
	return 0;
}

static int run_item(const struct compare_plan *plan, const struct compare_item *item,
		    struct pairing_options *options, struct pairing_result *result, struct err *err)
{
	if (item->missing != NULL)
		return pairing_not_measured(result, item->missing, err);
	if (plan->stop != NULL && *plan->stop)
		return pairing_not_measured(result, "interrupted before its first pair", err);
	if (options->time_limit_s <= 0)
		return pairing_not_measured(result, "the time limit was over before its first pair",
					    err);
	options->name = item->name;
	options->unit = item->unit;
	options->kind = item->kind;
	return pairing_run(&item->specs[0], &item->specs[1], options, result, err);
}

static int judge_suite(struct compare_answer *answer, const struct compare_plan *plan,
		       const struct compare_settings *settings, struct err *err)
{
	struct pairing_result **list =
	    mem_alloc((answer->count + 1) * sizeof(struct pairing_result *));
	int r;

	if (list == NULL)
		return err_set(err, ERR_MEMORY, "No memory for %zu verdicts", answer->count);
	for (size_t i = 0; i < answer->count; i++)
		list[i] = &answer->results[i];
	r = pairing_holm(list, answer->count, settings->alpha, err);
	for (size_t i = 0; i < answer->count; i++)
		answer->rows[i] = (struct comparison_row){.name = plan->items[i].name,
							  .result = &answer->results[i],
							  .verdict = answer->results[i].verdict};
	mem_free(list);
	return r;
}

static const char *python_of(struct compare_answer *answer, const struct bench_results *side)
{
	char text[80];
	const char *version, *implementation;

	if (side == NULL)
		return NULL;
	version = bench_results_fact_of(side, "python");
	implementation = bench_results_fact_of(side, "implementation");
	if (version == NULL)
		return NULL;
	snprintf(text, sizeof(text), "%s %s", implementation != NULL ? implementation : "Python",
		 version);
	return arena_copy_text(&answer->arena, text, strlen(text));
}

static void note_pythons(struct compare_answer *answer, struct compare_plan *plan)
{
	for (size_t i = 0; i < answer->count; i++) {
		if (plan->sides[0].python == NULL)
			plan->sides[0].python = python_of(answer, answer->results[i].a);
		if (plan->sides[1].python == NULL)
			plan->sides[1].python = python_of(answer, answer->results[i].b);
	}
}

int compare_run(struct compare_plan *plan, const struct compare_settings *settings,
		struct compare_answer *ret_answer, struct err *err)
{
	struct progress progress = {.plan = plan};
	struct pairing_options options;
	struct terminal terminal;
	double started = now_s();
	int r = answer_init(ret_answer, plan->count, err);

	terminal_describe(&terminal, stderr);
	progress.terminal = &terminal;
	options_of(plan, settings, &options);
	if (terminal.is_terminal) {
		options.progress = show_progress;
		options.context = &progress;
	}
	for (size_t i = 0; i < plan->count && r == 0; i++) {
		double left = settings->time_limit_s - (now_s() - started);

		/* What one benchmark leaves of its part, those behind it have. */
		options.time_limit_s =
		    settings->time_limit_set ? left / (double)(plan->count - i) : BENCHMARK_LIMIT_S;
		progress.at = i;
		r = run_item(plan, &plan->items[i], &options, &ret_answer->results[i], err);
		if (r == 0)
			ret_answer->count = i + 1;
	}
	clear_progress(&terminal);
	ret_answer->elapsed_s = now_s() - started;
	ret_answer->alpha = settings->alpha;
	ret_answer->tolerance = options.plan.tolerance;
	if (r == 0)
		r = judge_suite(ret_answer, plan, settings, err);
	note_pythons(ret_answer, plan);
	return r;
}

void compare_answer_release(struct compare_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++)
		pairing_result_release(&answer->results[i]);
	mem_free(answer->results);
	mem_free(answer->rows);
	arena_release(&answer->arena);
	answer->count = 0;
}

/* --- saved results ---------------------------------------------------------------------------- */

static int add_saved(struct compare_plan *plan, const struct benchmark *benchmark, struct err *err)
{
	const char *name = compare_plan_text(plan, "%s", benchmark->name);

	for (size_t i = 0; i < benchmark->param_count && name != NULL; i++) {
		/* Our own names have their parameters in them. */
		if (strchr(benchmark->name, '(') != NULL)
			break;
		name = compare_plan_text(plan, "%s%s%s=%s%s", name, i == 0 ? "(" : ", ",
					 benchmark->params[i].name, benchmark->params[i].value,
					 i + 1 == benchmark->param_count ? ")" : "");
	}
	return compare_plan_add(plan, name, benchmark->unit, benchmark->kind, NULL, NULL, NULL,
				err);
}

static int judge_saved(const struct benchmark *a, const struct benchmark *b,
		       const struct saved_options *options, const char *name,
		       struct pairing_result *result, struct err *err)
{
	const char *reason = NULL;
	int r;

	if (a == NULL || b == NULL)
		return pairing_not_measured(
		    result, a == NULL ? "B has it, A has not" : "A has it, B has not", err);
	if (a->failure != NULL || b->failure != NULL)
		return pairing_not_measured(result, a->failure != NULL ? a->failure : b->failure,
					    err);
	if (strcmp(a->unit, b->unit) != 0)
		return pairing_not_measured(result, "A and B have different units", err);
	r = pairing_saved(a, b, options, result, &reason, err);
	if (r == 0 && reason != NULL) {
		text_write_safe(stderr, name);
		fprintf(stderr, ": %s\n", reason);
	}
	return r;
}

static size_t union_size(const struct bench_results *a, const struct bench_results *b)
{
	size_t count = a->benchmark_count;

	for (size_t i = 0; i < b->benchmark_count; i++) {
		const struct benchmark *one = &b->benchmarks[i];

		if (bench_results_find(a, one->name, one->params, one->param_count) == NULL)
			count++;
	}
	return count > 0 ? count : 1;
}

static int judge_files(struct compare_plan *plan, const struct bench_results *a,
		       const struct bench_results *b, const struct saved_options *options,
		       struct compare_answer *answer, struct err *err)
{
	const struct bench_results *files[2] = {a, b};
	int r = answer_init(answer, a->benchmark_count + b->benchmark_count, err);

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < files[side]->benchmark_count && r == 0; i++) {
			const struct benchmark *one = &files[side]->benchmarks[i];
			const struct benchmark *twin = bench_results_find(
			    files[!side], one->name, one->params, one->param_count);
			struct pairing_result *result = &answer->results[answer->count];

			if (side == 1 && twin != NULL)
				continue; /* judged from A's side */
			r = add_saved(plan, one, err);
			if (r == 0)
				r = judge_saved(side == 0 ? one : twin, side == 0 ? twin : one,
						options, plan->items[plan->count - 1].name, result,
						err);
			if (r == 0)
				answer->count++;
		}
	return r;
}

int compare_saved(struct compare_plan *plan, const struct compare_settings *settings,
		  struct compare_answer *ret_answer, struct err *err)
{
	struct saved_options options = {
	    .drift = settings->drift_set ? log1p(settings->drift_percent / 100) : NAN};
	struct bench_results *a = NULL, *b = NULL;
	struct pairing_options defaults;
	enum bench_format format;
	char differ[256];
	int r;

	options_of(plan, settings, &defaults);
	options.plan = defaults.plan;
	*ret_answer = (struct compare_answer){.count = 0};
	r = bench_results_read(plan->operands[0].text, &a, &format, err);
	if (r == 0)
		r = bench_results_read(plan->operands[1].text, &b, &format, err);
	if (r == 0) {
		options.plan.alpha = settings->alpha / (double)union_size(a, b);
		r = judge_files(plan, a, b, &options, ret_answer, err);
	}
	if (r == 0 && saved_surroundings_differ(a, b, differ, sizeof(differ))) {
		fputs("A and B were measured with ", stderr);
		text_write_safe(stderr, differ);
		fputs(": a difference need not be the program's\n", stderr);
	}
	if (r == 0) {
		ret_answer->alpha = settings->alpha;
		ret_answer->tolerance = options.plan.tolerance;
		plan->sides[0].python = python_of(ret_answer, a);
		plan->sides[1].python = python_of(ret_answer, b);
		r = judge_suite(ret_answer, plan, settings, err);
	}
	bench_results_free(a);
	bench_results_free(b);
	return r;
}
