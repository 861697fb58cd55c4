#include "bench/plan_case.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/warmup.h"
#include "bench/worker_process.h"
#include "stats/summary.h"

#define VALUES_MAX 100000     /* of one process, warm-up among them */
#define SERIES_GROWTH_MAX 4   /* a warm-up may take this many times the values asked for */
#define CALIBRATE_PARTS 5     /* of a value's length are enough to find its loops */
#define CALIBRATE_AGAIN_MAX 4 /* a JIT makes the same loops shorter */
#define COUNT_SLOWEST_S 2.0   /* of one call: counting takes several, and longer ones */
#define NOTE_TEXT_MAX 512
#define FAILURE_TEXT_MAX 1024

/* ---- Series ---- */

int series_add(struct series *series, double value, uint8_t causes)
{
	size_t capacity = series->capacity;
	int result = grow_array((void **)&series->values, &capacity, series->count + 1,
				sizeof(*series->values), VALUES_MAX);

	if (result == 0)
		result = grow_array((void **)&series->causes, &series->capacity, series->count + 1,
				    sizeof(*series->causes), VALUES_MAX);
	if (result < 0)
		return result;
	series->values[series->count] = value;
	series->causes[series->count++] = causes;
	return 0;
}

void series_release(struct series *series)
{
	mem_free(series->values);
	mem_free(series->causes);
	*series = (struct series){.values = NULL};
}

static double series_median(const struct series *series, size_t from)
{
	struct summary summary;

	if (from >= series->count ||
	    summary_of(series->values + from, series->count - from, &summary) < 0)
		return NAN;
	return summary.median;
}

/* ---- What is told in the result ---- */

static int no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "no memory for results");
}

static struct benchmark *result_of(const struct bench_case *one, struct bench_results *results)
{
	return &results->benchmarks[one->benchmark];
}

int plan_failed(struct bench_case *one, struct bench_results *results, const struct err *failure,
		struct err *err)
{
	struct benchmark *benchmark = result_of(one, results);
	char text[FAILURE_TEXT_MAX];

	one->failed = true;
	if (benchmark->failure)
		return 0;
	snprintf(text, sizeof(text), "%s%s%s", failure->what, failure->why[0] ? ": " : "",
		 failure->why);
	benchmark->failure = mem_copy_text(text);
	return benchmark->failure ? 0 : no_memory(err);
}

int plan_note(struct bench_case *one, struct bench_results *results, const char *text,
	      struct err *err)
{
	const struct benchmark *benchmark = result_of(one, results);
	char name[NOTE_TEXT_MAX], all[NOTE_TEXT_MAX];
	const char *before;

	snprintf(name, sizeof(name), "note of %s", benchmark->name);
	for (size_t i = 0; i < benchmark->param_count; i++) {
		size_t length = strlen(name);

		snprintf(name + length, sizeof(name) - length, " %s=%s", benchmark->params[i].name,
			 benchmark->params[i].value);
	}
	before = bench_results_fact_of(results, name);
	if (before && strstr(before, text))
		return 0;
	snprintf(all, sizeof(all), "%s%s%s", before ? before : "", before ? "; " : "", text);
	return bench_results_fact(results, name, all) < 0 ? no_memory(err) : 0;
}

int plan_take_leave(struct worker *worker, struct bench_case *one, struct bench_results *results,
		    struct bench_counters *ret_counters, struct err *err)
{
	uint64_t bytes = one->spec.target.kind == TARGET_COMMAND ? 0 : worker_output_bytes(worker);
	struct err failure;
	int result = 0, ended;

	for (size_t i = 0; result == 0 && worker_note(worker, i); i++)
		result = plan_note(one, results, worker_note(worker, i), err);
	if (result == 0 && bytes)
		result =
		    plan_note(one, results, "prints (kept from you; --show-output shows it)", err);
	ended = worker_end(worker, ret_counters, &failure);
	if (result == 0 && ended < 0 && !one->failed)
		result = plan_failed(one, results, &failure, err);
	return result;
}

/* ---- One process ---- */

static double unix_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* What one process gives, before it is known how much of it is warm-up. */
struct taking {
	struct worker *worker;
	enum bench_kind kind;
	uint64_t loops;
	struct series early, series; /* early: with other loops than the rest */
	size_t cut;
	double deadline_s;
	bool settled;
};

static int take_one(struct taking *taking, struct err *failure)
{
	struct block block;
	bool timed = taking->kind == BENCH_TIME;
	int result = worker_block(taking->worker, timed ? taking->loops : 1, &block, failure);

	if (result < 0)
		return result;
	if (series_add(&taking->series, timed ? block.wall_s / (double)taking->loops : block.value,
		       block.causes) < 0)
		return no_memory(failure);
	return 0;
}

/* What was a value's length has become much less: more loops, from the beginning. */
static int calibrate_again(struct taking *taking, const struct bench_plan *plan,
			   struct err *failure)
{
	double median = series_median(&taking->series, taking->cut);

	for (size_t i = 0; i < taking->series.count; i++)
		if (series_add(&taking->early, taking->series.values[i], taking->series.causes[i]) <
		    0)
			return no_memory(failure);
	taking->series.count = 0;
	taking->loops = (uint64_t)ceil(plan->value_s / fmax(median, 1e-10));
	return 0;
}

static int take_values(struct taking *taking, const struct bench_plan *plan, struct err *failure)
{
	int again = 0;

	for (;;) {
		struct series *series = &taking->series;
		int result = take_one(taking, failure);

		if (result < 0)
			return result;
		if (taking->kind != BENCH_TIME)
			return 0;
		taking->cut = warmup_count(series->values, series->count, &taking->settled);
		bool late = clock_now_s() >= taking->deadline_s;
		bool enough = series->count - taking->cut >= plan->values;
		if (enough && again < CALIBRATE_AGAIN_MAX && !late &&
		    series_median(series, taking->cut) * (double)taking->loops <
			plan->value_s / 3) {
			again++;
			result = calibrate_again(taking, plan, failure);
			if (result < 0)
				return result;
			continue;
		}
		if (late || (enough && taking->settled) ||
		    series->count >= plan->values * SERIES_GROWTH_MAX)
			return 0;
	}
}

static int write_run(const struct taking *taking, struct benchmark *benchmark, uint64_t seed,
		     double start_s, struct err *err)
{
	struct bench_run *run = benchmark_add_run(benchmark);
	int result = run ? 0 : -ERR_MEMORY;

	if (run) {
		run->seed = seed;
		run->start_s = start_s;
		run->loops = taking->kind == BENCH_TIME ? taking->loops : 1;
	}
	for (size_t i = 0; result == 0 && i < taking->early.count; i++)
		result = bench_run_add(run, taking->early.values[i], true, 0);
	for (size_t i = 0; result == 0 && i < taking->series.count; i++)
		result = bench_run_add(run, taking->series.values[i], i < taking->cut,
				       taking->series.causes[i]);
	return result < 0 ? no_memory(err) : 0;
}

static int python_process(const struct bench_plan *plan, struct bench_case *one,
			  struct bench_results *results, uint64_t seed, double deadline_s,
			  struct err *err)
{
	struct taking taking = {.deadline_s = deadline_s, .kind = one->kind, .loops = 1};
	struct benchmark *benchmark = result_of(one, results);
	struct err failure = {.code = 0};
	double start_s = unix_now_s();
	int failed = worker_start(&one->spec, &taking.worker, &failure), result = 0;

	if (failed < 0)
		return plan_failed(one, results, &failure, err);
	taking.kind = worker_kind(taking.worker);
	failed = worker_calibrate(taking.worker, plan->value_s / CALIBRATE_PARTS, &taking.loops,
				  &failure);
	if (taking.loops > 1 && failed == 0)
		taking.loops *= CALIBRATE_PARTS;
	if (failed == 0)
		failed = take_values(&taking, plan, &failure);
	if (failed < 0)
		result = plan_failed(one, results, &failure, err);
	benchmark->overhead_s = worker_overhead(taking.worker);
	if (result == 0 && taking.series.count + taking.early.count > 0) {
		result = write_run(&taking, benchmark, seed, start_s, err);
		one->median = series_median(&taking.series, taking.cut);
	}
	if (result == 0 && failed == 0 && !taking.settled && taking.kind == BENCH_TIME &&
	    taking.series.count >= plan->values * SERIES_GROWTH_MAX)
		result = plan_note(one, results, "not settled when its measuring ended", err);
	struct bench_run *last = benchmark->run_count && taking.series.count + taking.early.count
				     ? &benchmark->runs[benchmark->run_count - 1]
				     : NULL;
	int left = plan_take_leave(taking.worker, one, results, last ? &last->counters : NULL, err);
	series_release(&taking.series);
	series_release(&taking.early);
	return result < 0 ? result : left;
}

/* ---- Commands ---- */

static int command_process(struct bench_case *one, struct bench_results *results, uint64_t seed,
			   struct err *err)
{
	struct execution execution = {.run = {.seed = seed, .loops = 1, .start_s = unix_now_s()}};
	struct err failure = {.code = 0};
	struct worker *worker;
	struct block block;
	int failed = worker_start(&one->spec, &worker, &failure);

	if (failed < 0)
		return plan_failed(one, results, &failure, err);
	failed = worker_block(worker, 1, &block, &failure);
	int result = plan_take_leave(worker, one, results, &execution.run.counters, err);
	if (failed < 0)
		return result < 0 ? result : plan_failed(one, results, &failure, err);
	execution.value = block.wall_s;
	execution.causes = block.causes;
	one->median = isnan(one->median) ? block.wall_s : fmin(one->median, block.wall_s);
	if (result == 0 &&
	    grow_array((void **)&one->executions, &one->execution_capacity,
		       one->execution_count + 1, sizeof(*one->executions), VALUES_MAX) < 0)
		result = no_memory(err);
	if (result == 0)
		one->executions[one->execution_count++] = execution;
	return result;
}

/* The first executions find cold caches: the same rule as within a process. */
static int write_executions(struct bench_case *one, struct benchmark *benchmark, struct err *err)
{
	struct series series = {.values = NULL};
	int result = 0;
	size_t cut;

	for (size_t i = 0; result == 0 && i < one->execution_count; i++)
		result = series_add(&series, one->executions[i].value, 0);
	cut = result < 0 ? 0 : warmup_count(series.values, series.count, NULL);
	series_release(&series);
	for (size_t i = 0; result == 0 && i < one->execution_count; i++) {
		const struct execution *execution = &one->executions[i];
		struct bench_run *run = benchmark_add_run(benchmark);

		if (!run) {
			result = -ERR_MEMORY;
			break;
		}
		run->seed = execution->run.seed;
		run->loops = 1;
		run->start_s = execution->run.start_s;
		run->counters = execution->run.counters;
		result = bench_run_add(run, execution->value, i < cut, execution->causes);
	}
	return result < 0 ? no_memory(err) : 0;
}

int plan_process(const struct bench_plan *plan, struct bench_case *one,
		 struct bench_results *results, uint64_t seed, double budget_s, struct err *err)
{
	double began_s = clock_now_s();
	int result;

	one->spec.seed = seed;
	if (one->spec.target.kind == TARGET_COMMAND)
		result = command_process(one, results, seed, err);
	else if (plan->load_rate_hz > 0)
		result = load_process(plan, one, results, seed, err);
	else
		result = python_process(plan, one, results, seed, began_s + budget_s, err);
	one->spent_s += clock_now_s() - began_s;
	one->rounds++;
	return result;
}

/* ---- The end ---- */

/* In a process of its own: counting takes time and memory, which shall not be the benchmark's. */
static int count(struct bench_case *one, struct benchmark *benchmark)
{
	struct bench_counters counted, *counters;
	struct worker *worker;
	int result;

	if (worker_start(&one->spec, &worker, NULL) < 0)
		return 0;
	result = worker_count(worker, &counted, NULL);
	worker_end(worker, NULL, NULL);
	if (result < 0 || benchmark->run_count == 0)
		return 0;
	counters = &benchmark->runs[benchmark->run_count - 1].counters;
	counters->syscalls = counted.syscalls;
	counters->calls = counted.calls;
	counters->bytecodes = counted.bytecodes;
	return 0;
}

int plan_finish(const struct bench_plan *plan, struct bench_case *one,
		struct bench_results *results, struct err *err)
{
	struct benchmark *benchmark = result_of(one, results);
	bool stopped = plan->base.stop && *plan->base.stop;
	int result = 0;

	if (one->spec.target.kind == TARGET_COMMAND)
		result = write_executions(one, benchmark, err);
	mem_free(one->executions);
	one->executions = NULL;
	if (result == 0 && plan->count && !one->failed && !stopped &&
	    !(one->median > COUNT_SLOWEST_S))
		result = count(one, benchmark);
	return result;
}
