#include "bench/pairing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/counters_probe.h"
#include "bench/pairing_pair.h"

#define ALPHA 0.002
#define TOLERANCE 0.02
#define POWER 0.9
#define PAIRS_MIN 8
#define PAIRS_MAX 400
#define BLOCK_S 0.004
#define PAIR_S 0.5
#define TIME_LIMIT_S 90.0
#define OFF_CPU_SHARE 0.05 /* of the wall time: from here on it is substantial */
#define COUNT_CALL_MAX_S                                                                           \
	0.02 /* calls that take longer aren't counted: counting is 100 times that */

static const char *const side_names[2] = {"A", "B"};

struct comparison {
	const struct worker_spec *specs[2];
	const struct pairing_options *options;
	struct pairing_result *result;
	struct steal_meter steal;
	struct pair_measured *pair; /* the present one */
	double *wall, *cpu;	    /* log ratios of all pairs */
	size_t wall_capacity, cpu_capacity;
	double first_values[2]; /* of each side; with `same` */
	bool same[2];		/* each process of the side gave that value */
	bool ratio_unknown;	/* a value of 0 or less: there is no ratio */
	bool cpu_fits;		/* neither side gave up the CPU by itself so far */
	uint64_t loops;
	uint64_t random;
	double started_s, deadline_s;
	double first_pair_s; /* start-up of files is in it: costs are told without */
};

void pairing_defaults(struct pairing_options *options)
{
	*options = (struct pairing_options){
	    .plan = {.alpha = ALPHA,
		     .tolerance = log1p(TOLERANCE),
		     .power = POWER,
		     .pairs_min = PAIRS_MIN,
		     .pairs_max = PAIRS_MAX},
	    .metric = PAIR_AUTO,
	    .block_s = BLOCK_S,
	    .pair_s = PAIR_S,
	    .time_limit_s = TIME_LIMIT_S,
	    .cpu = -1,
	    .kind = BENCH_TIME,
	    .count = true,
	};
}

static uint64_t seed_from_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
}

static bool interrupted(const struct comparison *comparison)
{
	return comparison->options->stop != NULL && *comparison->options->stop;
}

static const char *name_of(const struct comparison *comparison)
{
	const struct bench_target *target = &comparison->specs[0]->target;

	if (comparison->options->name != NULL)
		return comparison->options->name;
	if (target->name != NULL)
		return target->name;
	if (target->text != NULL)
		return target->text;
	return target->argv != NULL && target->argv[0] != NULL ? target->argv[0] : "";
}

static int say_failure(struct pairing_result *result, const char *text, struct err *err)
{
	mem_free(result->failure);
	result->failure = mem_copy_text(text);
	result->verdict = VERDICT_NOT_MEASURED;
	if (result->failure == NULL)
		return err_set(err, ERR_MEMORY, "No memory to say why nothing was measured");
	return 0;
}

int pairing_not_measured(struct pairing_result *ret_result, const char *failure, struct err *err)
{
	*ret_result = (struct pairing_result){.cpu = -1, .pair_cost_s = NAN};
	ret_result->state.location = ret_result->state.low = ret_result->state.high = NAN;
	ret_result->state.p = 1;
	ret_result->state.detectable = NAN;
	bench_counters_clear(&ret_result->counters_a);
	bench_counters_clear(&ret_result->counters_b);
	return say_failure(ret_result, failure, err);
}

/* --- raw values ----------------------------------------------------------------------------- */

static int new_side(const struct comparison *comparison, struct bench_results **ret_results,
		    struct err *err)
{
	const struct pairing_options *options = comparison->options;
	const char *unit = options->unit != NULL ? options->unit : "s";
	struct bench_results *results = bench_results_new();
	char name[512];

	*ret_results = results;
	if (results == NULL ||
	    bench_results_add(results, name_of(comparison), unit, options->kind) == NULL)
		return err_set(err, ERR_MEMORY, "No memory for the results");
	if (options->kind != BENCH_TIME)
		return 0;
	snprintf(name, sizeof(name), "%s (CPU time)", name_of(comparison));
	if (bench_results_add(results, name, unit, options->kind) == NULL)
		return err_set(err, ERR_MEMORY, "No memory for the results");
	return 0;
}

static int keep_run(struct benchmark *benchmark, const struct pair_measured *pair,
		    const struct pair_side *side, const double *values, uint64_t seed)
{
	struct bench_run *run = benchmark_add_run(benchmark);
	int r = run != NULL ? 0 : -ERR_MEMORY;

	if (r < 0)
		return r;
	run->seed = seed;
	run->loops = pair->loops;
	run->start_s = pair->start_s;
	run->counters = side->counters;
	for (size_t i = 0; i < pair->blocks && r == 0; i++)
		r = bench_run_add(run, values[i], i < pair->warmups, side->causes[i]);
	return r;
}

static int keep_side(struct comparison *comparison, int side, uint64_t seed)
{
	struct bench_results *results = side == 0 ? comparison->result->a : comparison->result->b;
	const struct pair_measured *pair = comparison->pair;
	const struct pair_side *measured = &pair->sides[side];
	bool timed = comparison->options->kind == BENCH_TIME;
	int r = 0;

	if (comparison->result->pair_count == 0 && measured->python_version[0] != '\0') {
		r = bench_results_fact(results, "python", measured->python_version);
		if (r == 0)
			r = bench_results_fact(results, "implementation", measured->implementation);
	}
	if (r == 0)
		r = keep_run(&results->benchmarks[0], pair, measured,
			     timed ? measured->wall : measured->value, seed);
	if (r == 0 && timed)
		r = keep_run(&results->benchmarks[1], pair, measured, measured->cpu, seed);
	return r;
}

/* --- one more pair -------------------------------------------------------------------------- */

static void note_values(struct comparison *comparison)
{
	for (int side = 0; side < 2; side++) {
		double value = pair_value(comparison->pair, side);

		if (comparison->result->pair_count == 0) {
			comparison->first_values[side] = value;
			comparison->same[side] = isfinite(value);
		}
		if (value != comparison->first_values[side])
			comparison->same[side] = false;
		if (!(value > 0) || !isfinite(value))
			comparison->ratio_unknown = true;
	}
}

static double ratio_of_values(const struct pair_measured *pair)
{
	double a = pair_value(pair, 0), b = pair_value(pair, 1);

	return a > 0 && b > 0 ? log(b / a) : NAN;
}

static void note_waits(struct comparison *comparison)
{
	for (int side = 0; side < 2; side++) {
		const struct pair_side *measured = &comparison->pair->sides[side];

		if (!measured->gave_up_cpu)
			continue;
		comparison->cpu_fits = false;
		if (measured->off_share > OFF_CPU_SHARE)
			comparison->result->off_cpu = true;
	}
}

static int keep_pair(struct comparison *comparison, uint64_t seed, struct err *err)
{
	struct pairing_result *result = comparison->result;
	bool timed = comparison->options->kind == BENCH_TIME;
	size_t count = result->pair_count;
	double wall, cpu;
	int r = grow_array((void **)&comparison->wall, &comparison->wall_capacity, count + 1,
			   sizeof(double), 0);

	if (r == 0)
		r = grow_array((void **)&comparison->cpu, &comparison->cpu_capacity, count + 1,
			       sizeof(double), 0);
	if (r == 0)
		r = keep_side(comparison, 0, seed);
	if (r == 0)
		r = keep_side(comparison, 1, seed);
	if (r < 0)
		return err_set(err, ERR_MEMORY, "No memory for pair %zu", count + 1);
	if (timed) {
		note_waits(comparison);
		wall = pair_ratio(comparison->pair, PAIR_WALL);
		cpu = pair_ratio(comparison->pair, PAIR_CPU);
		if (!isfinite(wall))
			comparison->ratio_unknown = true;
		if (!isfinite(cpu))
			comparison->cpu_fits = false;
	} else {
		note_values(comparison);
		comparison->cpu_fits = false;
		wall = cpu = ratio_of_values(comparison->pair);
	}
	comparison->wall[count] = wall;
	comparison->cpu[count] = cpu;
	comparison->loops = comparison->pair->loops;
	result->pair_count++;
	return 0;
}

static int failed_side(struct comparison *comparison, int side, const struct err *cause,
		       struct err *err)
{
	char text[sizeof(cause->what) + sizeof(cause->why) + 64];
	const char *colon = cause->why[0] != '\0' ? ": " : "";

	if (comparison->result->pair_count > 0)
		snprintf(text, sizeof(text), "%s failed in pair %zu: %s%s%s", side_names[side],
			 comparison->result->pair_count + 1, cause->what, colon, cause->why);
	else
		snprintf(text, sizeof(text), "%s: %s%s%s", side_names[side], cause->what, colon,
			 cause->why);
	return say_failure(comparison->result, text, err);
}

/* Somebody else came to our CPU and takes as much of it as we have: perhaps another one is free. */
static void look_for_quiet(struct comparison *comparison)
{
	const struct pair_measured *pair = comparison->pair;
	int cpu;

	if (comparison->options->cpu >= 0 || pair->starved_s <= pair->ran_s ||
	    steal_quietest_cpu(&cpu, NULL) < 0 || cpu == comparison->result->cpu)
		return;
	comparison->result->cpu = cpu;
	comparison->result->steal_s += steal_seconds(&comparison->steal);
	steal_end(&comparison->steal);
	steal_start(&comparison->steal, cpu);
}

/* 1: a pair more; 0: no more (interrupted, out of time, or failed, which the result then says). */
static int one_pair(struct comparison *comparison, struct err *err)
{
	struct pair_plan plan = {
	    .specs = {comparison->specs[0], comparison->specs[1]},
	    .options = comparison->options,
	    /* 0 would turn the randomisation off, and it ends at 32 bits. */
	    .seed = 1 + pair_random(&comparison->random) % UINT32_MAX,
	    .cpu = comparison->result->cpu,
	    .loops = comparison->loops,
	    .deadline_s = comparison->deadline_s,
	    .steal = &comparison->steal,
	    .first = comparison->result->pair_count == 0,
	};
	enum pair_outcome outcome = PAIR_GIVEN_UP;
	struct err cause = {0};
	int failed = 0, r;

	r = pair_measure(&plan, &comparison->random, comparison->pair, &outcome, &failed, &cause);
	if (interrupted(comparison))
		return 0; /* the terminal's Ctrl-C reaches the workers too: no failure of theirs */
	if (r < 0)
		return failed_side(comparison, failed, &cause, err);
	if (outcome == PAIR_GIVEN_UP)
		return 0;
	r = keep_pair(comparison, plan.seed, err);
	look_for_quiet(comparison);
	return r < 0 ? r : 1;
}

static enum pair_metric metric_now(const struct comparison *comparison)
{
	if (comparison->options->kind != BENCH_TIME)
		return PAIR_WALL;
	if (comparison->options->metric != PAIR_AUTO)
		return comparison->options->metric;
	return comparison->cpu_fits ? PAIR_CPU : PAIR_WALL;
}

static const double *ratios_now(const struct comparison *comparison)
{
	return metric_now(comparison) == PAIR_CPU ? comparison->cpu : comparison->wall;
}

/* What every process gave alike is known, not estimated. */
static bool decide_exactly(struct comparison *comparison)
{
	struct pairing_result *result = comparison->result;
	struct sequential_state *state = &result->state;
	double a = comparison->first_values[0], b = comparison->first_values[1], ratio;

	if (comparison->options->kind == BENCH_TIME || !comparison->same[0] ||
	    !comparison->same[1] || result->pair_count < comparison->options->plan.pairs_min)
		return false;
	ratio = a > 0 && b > 0 ? log(b / a) : a == b ? 0 : b > a ? INFINITY : -INFINITY;
	state->pairs = result->pair_count;
	state->location = state->low = state->high = ratio;
	state->p = a == b ? 1 : 0;
	state->detectable = 0;
	state->pairs_needed = result->pair_count;
	state->decision = fabs(ratio) <= comparison->options->plan.tolerance ? SEQUENTIAL_EQUAL
			  : ratio > 0					     ? SEQUENTIAL_GREATER
									     : SEQUENTIAL_LESS;
	result->exact = true;
	return true;
}

static int look(struct comparison *comparison, struct err *err)
{
	struct pairing_result *result = comparison->result;

	if (decide_exactly(comparison))
		return 0;
	if (comparison->ratio_unknown) {
		if (comparison->options->kind == BENCH_TIME)
			return say_failure(result, "it takes no longer than an empty loop", err);
		/* Exact values may still be told apart. */
		if (comparison->same[0] && comparison->same[1])
			return 0;
		return say_failure(result,
				   "a value of 0 or less changes from process to process: "
				   "there is no ratio",
				   err);
	}
	return sequential_look(&comparison->options->plan, ratios_now(comparison),
			       result->pair_count, &result->state, err);
}

/* --- the whole comparison ------------------------------------------------------------------- */

static void tell_progress(const struct comparison *comparison)
{
	const struct pairing_options *options = comparison->options;
	const struct pairing_result *result = comparison->result;
	double elapsed = pair_now_s() - comparison->started_s,
	       left = options->time_limit_s - elapsed;
	double needed = (double)result->state.pairs_needed - (double)result->pair_count;

	if (options->progress == NULL)
		return;
	if (result->state.pairs_needed != SIZE_MAX && result->state.pairs_needed > 0 &&
	    isfinite(result->pair_cost_s) && needed * result->pair_cost_s < left)
		left = needed > 0 ? needed * result->pair_cost_s : result->pair_cost_s;
	options->progress(options->context, &result->state, elapsed, left > 0 ? left : 0);
}

static void note_cost(struct comparison *comparison)
{
	size_t pairs = comparison->result->pair_count;
	double elapsed = pair_now_s() - comparison->started_s;

	if (pairs == 1)
		comparison->first_pair_s = elapsed;
	comparison->result->pair_cost_s =
	    pairs > 1 ? (elapsed - comparison->first_pair_s) / (double)(pairs - 1) : elapsed;
}

/* Counting costs a hundred calls' time: only where that is little. */
static void count(struct comparison *comparison)
{
	struct pairing_result *result = comparison->result;
	const struct pair_measured *pair = comparison->pair;
	double left = comparison->deadline_s - pair_now_s(), call = 0;
	struct counters_probe probe;

	for (int side = 0; side < 2; side++)
		if (pair->sides[side].wall[0] > call)
			call = pair->sides[side].wall[0];
	if (!comparison->options->count || call > COUNT_CALL_MAX_S ||
	    left < 4 * result->pair_cost_s || comparison->specs[0]->target.kind == TARGET_COMMAND)
		return;
	counters_probe_run(comparison->specs[0], comparison->specs[1],
			   1 + pair_random(&comparison->random) % UINT32_MAX, &probe);
	result->counters_a = probe.a;
	result->counters_b = probe.b;
	result->counters_exact = probe.exact;
	result->counters_differ = probe.differ;
}

static int run_pairs(struct comparison *comparison, struct err *err)
{
	struct pairing_result *result = comparison->result;
	int r;

	do {
		double left = comparison->deadline_s - pair_now_s();

		/* A pair that can't be complete in time is not begun. */
		if (interrupted(comparison) || left <= 0 ||
		    (result->pair_count > 0 && left < result->pair_cost_s))
			break;
		r = one_pair(comparison, err);
		if (r <= 0)
			return r;
		note_cost(comparison);
		r = look(comparison, err);
		if (r < 0)
			return r;
		if (result->pair_count == 1 && result->failure == NULL) {
			double before = pair_now_s();

			count(comparison);
			comparison->first_pair_s += pair_now_s() - before;
		}
		tell_progress(comparison);
	} while (result->state.decision == SEQUENTIAL_CONTINUE && result->failure == NULL &&
		 result->pair_count < comparison->options->plan.pairs_max);
	return 0;
}

static int conclude(struct comparison *comparison, struct err *err)
{
	struct pairing_result *result = comparison->result;
	static const enum verdict of_decision[] = {
	    [SEQUENTIAL_CONTINUE] = VERDICT_CANNOT_TELL, [SEQUENTIAL_GREATER] = VERDICT_REGRESSION,
	    [SEQUENTIAL_LESS] = VERDICT_IMPROVEMENT,	 [SEQUENTIAL_EQUAL] = VERDICT_PASS,
	    [SEQUENTIAL_UNKNOWN] = VERDICT_CANNOT_TELL,
	};
	char text[128];
	int r = 0;

	result->elapsed_s = pair_now_s() - comparison->started_s;
	result->steal_s += steal_seconds(&comparison->steal);
	result->interrupted = interrupted(comparison);
	result->metric = metric_now(comparison);
	if (result->metric == PAIR_CPU) {
		result->log_ratios = comparison->cpu;
		comparison->cpu = NULL;
	} else {
		result->log_ratios = comparison->wall;
		comparison->wall = NULL;
	}
	if (result->failure != NULL)
		result->verdict = VERDICT_NOT_MEASURED;
	else if (result->pair_count > 0)
		result->verdict = of_decision[result->state.decision];
	else if (result->interrupted)
		r = say_failure(result, "interrupted before the first pair was complete", err);
	else {
		snprintf(text, sizeof(text),
			 "the time limit (%.3g s) was over before the first pair was complete",
			 comparison->options->time_limit_s);
		r = say_failure(result, text, err);
	}
	return r;
}

static int prepare(struct comparison *comparison, struct err *err)
{
	const struct pairing_options *options = comparison->options;
	struct pairing_result *result = comparison->result;
	int r = 0;

	result->cpu = options->cpu;
	if (options->cpu < 0)
		r = steal_quietest_cpu(&result->cpu, err);
	comparison->pair = mem_alloc(sizeof(*comparison->pair));
	if (r == 0 && comparison->pair == NULL)
		r = err_set(err, ERR_MEMORY, "No memory for a pair");
	if (r == 0)
		r = new_side(comparison, &result->a, err);
	if (r == 0)
		r = new_side(comparison, &result->b, err);
	return r;
}

int pairing_run(const struct worker_spec *a, const struct worker_spec *b,
		const struct pairing_options *options, struct pairing_result *ret_result,
		struct err *err)
{
	struct comparison comparison = {
	    .specs = {a, b},
	    .options = options,
	    .result = ret_result,
	    .cpu_fits = true,
	    .random = options->seed != 0 ? options->seed : seed_from_clock(),
	    .started_s = pair_now_s(),
	};
	int r = pairing_not_measured(ret_result, "nothing was run", err);

	if (r < 0)
		return r;
	mem_free(ret_result->failure);
	ret_result->failure = NULL;
	comparison.deadline_s = comparison.started_s + options->time_limit_s;
	r = prepare(&comparison, err);
	if (r == 0) {
		steal_start(&comparison.steal, ret_result->cpu);
		r = run_pairs(&comparison, err);
		if (r == 0)
			r = conclude(&comparison, err);
		steal_end(&comparison.steal);
	}
	mem_free(comparison.wall);
	mem_free(comparison.cpu);
	mem_free(comparison.pair);
	if (r < 0)
		pairing_result_release(ret_result);
	return r;
}

void pairing_result_release(struct pairing_result *result)
{
	bench_results_free(result->a);
	bench_results_free(result->b);
	mem_free(result->log_ratios);
	mem_free(result->failure);
	result->a = result->b = NULL;
	result->log_ratios = NULL;
	result->failure = NULL;
	result->pair_count = 0;
}
