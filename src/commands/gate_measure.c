#include "commands/gate_measure.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/terminal.h"
#include "bench/gate.h"
#include "bench/imports.h"
#include "commands/bench_request.h"
#include "commands/compare_plan.h"

#define ALPHA 0.002 /* over all benchmarks together */
#define PAIRS_LIMIT_S 90.0
#define IMPORT_REPEAT 7 /* for an interval */
#define REQUEST_LIMIT_S 60.0

/* --- benchmarks --------------------------------------------------------------------------------
 */

int gate_measure_benchmarks(const struct gate_measuring *measuring,
			    struct bench_results **ret_results, struct err *err)
{
	const char *python = measuring->python;
	struct bench_arguments arguments = {.gc = "on",
					    .pin = -1,
					    .seed = -1,
					    .timeout_s = REQUEST_LIMIT_S,
					    .time_limit_s = measuring->time_limit_s *
							    measuring->benchmark_count,
					    .no_counters = true,
					    .pythons = {&python, python != NULL}};
	struct bench_request request;
	struct bench_results *results = bench_results_new();
	int r = bench_request_make(&request, &arguments, measuring->benchmark_count,
				   measuring->benchmarks, err);

	if (r == 0 && results == NULL)
		r = err_set(err, ERR_MEMORY, "no memory for results");
	if (r == 0) {
		request.plan.base.stop = measuring->stop;
		results->tool = mem_copy_text("pyrometer");
		results->tool_version = mem_copy_text(PYROMETER_VERSION);
		results->created_s = (double)clock_ns(CLOCK_REALTIME) * 1e-9;
		if (bench_plan_facts(&request.plan, results) < 0)
			r = err_set(err, ERR_MEMORY, "no memory for results");
	}
	if (r == 0)
		r = bench_plan_run(&request.plan, results, err);
	bench_request_release(&request);
	if (r < 0)
		bench_results_free(results);
	else
		*ret_results = results;
	return r;
}

/* --- pairs
 * ---------------------------------------------------------------------------------------- */

/* As `bench` names it: FILE.py::NAME. A plan of one file leaves the file out. */
static const char *item_name(struct gate *gate, const struct gate_measuring *measuring,
			     const struct compare_item *item)
{
	const char *only = measuring->benchmarks[0];
	size_t length = strlen(only);

	if (measuring->benchmark_count == 1 && length > 3 &&
	    strcmp(only + length - 3, ".py") == 0 && strcmp(only, item->name) != 0 &&
	    strstr(item->name, "::") == NULL)
		return gate_text(gate, "%s::%s", only, item->name);
	return item->name;
}

static void set_options(const struct gate_measuring *measuring, const struct compare_item *item,
			const struct budget *budget, size_t tests, struct pairing_options *options)
{
	pairing_defaults(options);
	options->plan.alpha = ALPHA / (double)(tests > 0 ? tests : 1);
	/* The question is on which side of the limit it lies. */
	options->plan.tolerance = options->plan.indifference = log1p(budget->limit);
	options->metric = budget->metric == BUDGET_MORE_CPU ? PAIR_CPU : PAIR_AUTO;
	options->time_limit_s =
	    measuring->time_limit_s > 0 ? measuring->time_limit_s : PAIRS_LIMIT_S;
	options->cpu = -1;
	options->name = item->name;
	options->unit = item->unit;
	options->kind = item->kind;
	options->stop = measuring->stop;
}

static int measure_pairs(const struct gate_measuring *measuring, struct gate *gate,
			 const struct compare_item *item, const struct budget *budget, size_t tests,
			 const char *name, struct err *err)
{
	struct pairing_result result;
	struct pairing_options options;
	int r;

	if (item->missing != NULL)
		return gate_add_pairs(gate, budget, name, NULL, item->missing, err);
	if (measuring->stop != NULL && *measuring->stop)
		return gate_add_pairs(gate, budget, name, NULL, "interrupted", err);
	if (budget->metric == BUDGET_MORE_MEMORY)
		return gate_add_pairs(gate, budget, name, NULL,
				      "memory is compared with a file of results, not in pairs",
				      err);
	set_options(measuring, item, budget, tests, &options);
	r = pairing_run(&item->specs[0], &item->specs[1], &options, &result, err);
	if (r < 0)
		return r;
	r = gate_add_pairs(gate, budget, name, &result.state,
			   result.verdict == VERDICT_NOT_MEASURED
			       ? (result.failure != NULL ? result.failure : "it was not measured")
			       : NULL,
			   err);
	pairing_result_release(&result);
	return r;
}

/* Each budget of each benchmark that it decides: counted, and with `measure` made a row of. */
static int for_each_pair(const struct gate_measuring *measuring, struct gate *gate,
			 const struct compare_plan *plan, bool measure, size_t *tests,
			 struct err *err)
{
	const struct budgets *budgets = gate->budgets;
	size_t count = 0;
	int r = 0;

	for (size_t b = 0; b < budgets->count && r == 0; b++) {
		size_t found = 0;

		if (!budget_is_relative(&budgets->items[b]))
			continue;
		for (size_t i = 0; i < plan->count && r == 0; i++) {
			const char *name = item_name(gate, measuring, &plan->items[i]);

			if (name == NULL)
				return err_set(err, ERR_MEMORY, "no memory for names");
			if (!gate_decides(gate, &budgets->items[b], name))
				continue;
			found++;
			if (measure)
				r = measure_pairs(measuring, gate, &plan->items[i],
						  &budgets->items[b], *tests, name, err);
		}
		if (r == 0 && measure && found == 0)
			r = gate_add_pairs(gate, &budgets->items[b], budgets->items[b].name, NULL,
					   "neither side has such a benchmark", err);
		count += found;
	}
	*tests = count;
	return r;
}

int gate_measure_pairs(const struct gate_measuring *measuring, struct gate *gate,
		       const char *revision, struct err *err)
{
	const struct compare_arguments arguments = {.python = measuring->python,
						    .prepare = measuring->prepare,
						    .request_limit_s = REQUEST_LIMIT_S};
	struct compare_plan plan = {.stop = measuring->stop};
	int count = measuring->benchmark_count + 2, r, removed;
	char **operands = mem_alloc((size_t)count * sizeof(*operands));
	char working[] = "rev:.";
	size_t tests = 0;

	if (operands == NULL)
		return err_set(err, ERR_MEMORY, "no memory for operands");
	operands[0] = (char *)revision;
	operands[1] = working;
	for (int i = 0; i < measuring->benchmark_count; i++)
		operands[i + 2] = measuring->benchmarks[i];
	r = compare_plan_make(&plan, &arguments, count, operands, err);
	if (r == 0)
		r = for_each_pair(measuring, gate, &plan, false, &tests, err);
	if (r == 0)
		r = for_each_pair(measuring, gate, &plan, true, &tests, err);
	removed = compare_plan_release(&plan, r < 0 ? NULL : err);
	mem_free(operands);
	return r < 0 ? r : removed;
}

/* --- imports
 * ------------------------------------------------------------------------------------------ */

static bool is_module_name(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_' && !(name[0] & 0x80))
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.' && !(*c & 0x80))
			return false;
	return true;
}

static bool wants_time(const struct gate *gate, const char *table)
{
	for (size_t i = 0; i < gate->budgets->count; i++)
		if (gate->budgets->items[i].metric == BUDGET_IMPORT_TIME &&
		    strcmp(gate->budgets->items[i].name, table) == 0)
			return true;
	return false;
}

static int measure_import(struct gate *gate, const char *python, const char *table, struct err *err)
{
	const char *module = table + strlen(BUDGET_IMPORT_PREFIX);
	struct imports_result result;
	struct err failure = {0};
	char code[512], failed[1024] = "";
	const char *argv[] = {python, "-c", code, NULL};
	const struct imports_options options = {.argv = (char *const *)argv,
						.quiet = true,
						.no_interpreter = true,
						.repeat =
						    wants_time(gate, table) ? IMPORT_REPEAT : 0};
	int r;

	if (!is_module_name(module))
		return gate_judge_import(gate, table, NULL, "that is no module's name", err);
	snprintf(code, sizeof(code), "import %s", module);
	r = imports_measure(&options, &result, &failure);
	if (r < 0)
		snprintf(failed, sizeof(failed), "%s: %s", failure.what, failure.why);
	else if (result.exit_status != 0)
		snprintf(failed, sizeof(failed), "`%.200s` ended with status %d", code,
			 result.exit_status);
	r = gate_judge_import(gate, table, &result, failed[0] != '\0' ? failed : NULL, err);
	imports_release(&result);
	return r;
}

int gate_measure_imports(const struct gate_measuring *measuring, struct gate *gate, struct err *err)
{
	const struct budgets *budgets = gate->budgets;
	char *python = NULL;
	int r = 0;

	for (size_t i = 0; i < budgets->count && r == 0; i++) {
		bool seen = !budget_is_import(&budgets->items[i]);

		for (size_t k = 0; k < i && !seen; k++)
			seen = strcmp(budgets->items[k].name, budgets->items[i].name) == 0;
		if (seen)
			continue;
		if (python == NULL)
			r = python_find(measuring->python, &python, err);
		if (r == 0)
			r = measure_import(gate, python, budgets->items[i].name, err);
	}
	mem_free(python);
	return r;
}
