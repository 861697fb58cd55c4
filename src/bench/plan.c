#include "bench/plan.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/plan_case.h"
#include "bench/worker_process.h"
#include "process/proc_text.h"
#include "system/host.h"

#define CASES_MAX 100000
#define NAME_TEXT_MAX 4096
#define BUDGET_LEAST_S 0.01
#define PROCESS_S 1.0 /* below this a process has little more than started */

void bench_plan_defaults(struct bench_plan *plan)
{
	*plan = (struct bench_plan){
	    .base = {.cpu = -1, .time_limit_s = 60},
	    .processes = 8,
	    .values = 10,
	    .value_s = 0.05,
	    .count = true,
	    .load_s = 10,
	};
}

/* ---- What there is to measure ---- */

struct plan_state {
	const struct bench_plan *plan;
	struct bench_results *results;
	struct arena arena; /* names */
	struct bench_case *cases;
	size_t count, capacity;
	double began_s;
	size_t done;
};

static const char *keep(struct plan_state *state, const char *text)
{
	return text ? arena_copy_text(&state->arena, text, strlen(text)) : NULL;
}

/* "json:loads", "sorted(x)", "python app.py", "bench_orders.py::time_match". */
static void name_target(const struct bench_target *target, char *text, size_t size)
{
	const char *slash;
	size_t length = 0;

	text[0] = 0;
	if (target->kind == TARGET_COMMAND) {
		for (size_t i = 0; target->argv[i] && length < size; i++)
			length += (size_t)snprintf(text + length, size - length, "%s%s",
						   i ? " " : "", target->argv[i]);
	} else if (target->kind == TARGET_FILE) {
		slash = strrchr(target->text, '/');
		snprintf(text, size, "%s%s%s", slash ? slash + 1 : target->text,
			 target->name ? "::" : "", target->name ? target->name : "");
	} else {
		snprintf(text, size, "%s", target->text);
	}
}

static int add_params(const struct listed_benchmark *listed, struct benchmark *benchmark,
		      const char *python)
{
	int result = 0;

	for (size_t i = 0; result == 0 && listed && i < listed->param_count; i++)
		result =
		    benchmark_param(benchmark, listed->params[i].name, listed->params[i].value);
	if (result == 0 && python)
		result = benchmark_param(benchmark, "python", python);
	return result;
}

/* One benchmark under one interpreter. `python` as it shall be called, NULL: it is the only one. */
static int add_case(struct plan_state *state, const struct bench_target *target,
		    const struct listed_benchmark *listed, size_t python, const char *called,
		    struct err *err)
{
	const struct bench_plan *plan = state->plan;
	enum bench_kind kind = listed ? listed->kind : BENCH_TIME;
	struct benchmark *benchmark;
	char name[NAME_TEXT_MAX];
	size_t length;

	if (plan->load_rate_hz > 0 && kind == BENCH_TIME)
		kind = BENCH_LATENCY;
	name_target(target, name, sizeof(name));
	/* The parameters have their own place. */
	length = listed && listed->param_count ? strcspn(name, "(") : strlen(name);
	name[length] = 0;
	benchmark = bench_results_add(state->results, name, listed ? listed->unit : "s", kind);
	if (!benchmark || add_params(listed, benchmark, called) < 0 ||
	    grow_array((void **)&state->cases, &state->capacity, state->count + 1,
		       sizeof(*state->cases), CASES_MAX) < 0)
		return err_set(err, ERR_MEMORY, "no memory for %zu benchmarks", state->count + 1);
	benchmark->overhead_s = NAN;
	struct bench_case *one = &state->cases[state->count++];
	*one = (struct bench_case){.spec = plan->base,
				   .benchmark = state->results->benchmark_count - 1,
				   .kind = kind,
				   .median = NAN};
	one->spec.target = *target;
	if (target->kind != TARGET_COMMAND && plan->python_count)
		one->spec.python = plan->pythons[python];
	return 0;
}

static bool is_wanted(const struct bench_plan *plan, const char *name)
{
	char anywhere[NAME_TEXT_MAX];

	if (!plan->pattern || strstr(name, plan->pattern))
		return true;
	snprintf(anywhere, sizeof(anywhere), "*%s*", plan->pattern);
	return fnmatch(anywhere, name, 0) == 0;
}

static int add_file(struct plan_state *state, const struct bench_target *target, size_t python,
		    const char *called, struct err *err)
{
	struct worker_spec spec = state->plan->base;
	struct listed_benchmark *list;
	struct err failure;
	size_t count;
	int result = 0;

	spec.target = *target;
	if (state->plan->python_count)
		spec.python = state->plan->pythons[python];
	if (worker_list(&spec, &list, &count, &failure) < 0) {
		result = add_case(state, target, NULL, python, called, err);
		if (result == 0)
			result = plan_failed(&state->cases[state->count - 1], state->results,
					     &failure, err);
		return result;
	}
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct bench_target each = *target;

		if ((target->name && strcmp(target->name, list[i].name) != 0) ||
		    !is_wanted(state->plan, list[i].name))
			continue;
		each.name = keep(state, list[i].name);
		result = each.name ? add_case(state, &each, &list[i], python, called, err)
				   : err_set(err, ERR_MEMORY, "no memory for names");
	}
	listed_free(list, count);
	return result;
}

/* How an interpreter is called in the results: by the version that it says it has. */
static const char *call_python(struct plan_state *state, size_t python)
{
	struct worker_spec spec = state->plan->base;
	struct worker *worker;
	char text[128];

	spec.target = (struct bench_target){.kind = TARGET_STATEMENT, .text = "pass"};
	spec.python = state->plan->pythons[python];
	if (worker_start(&spec, &worker, NULL) < 0)
		return keep(state, spec.python);
	snprintf(text, sizeof(text), "%s%s%s",
		 strcmp(worker_implementation(worker), "CPython") == 0
		     ? ""
		     : worker_implementation(worker),
		 strcmp(worker_implementation(worker), "CPython") == 0 ? "" : " ",
		 worker_python_version(worker));
	if (python == 0) {
		bench_results_fact(state->results, "python", worker_python_version(worker));
		bench_results_fact(state->results, "implementation", worker_implementation(worker));
	}
	worker_end(worker, NULL, NULL);
	return keep(state, text);
}

static int add_target(struct plan_state *state, const struct bench_target *target,
		      const char *const *called, struct err *err)
{
	size_t pythons = state->plan->python_count ? state->plan->python_count : 1;
	char name[NAME_TEXT_MAX];
	int result = 0;

	if (target->kind == TARGET_COMMAND)
		pythons = 1;
	name_target(target, name, sizeof(name));
	if (target->kind != TARGET_FILE && !is_wanted(state->plan, name))
		return 0;
	for (size_t i = 0; result == 0 && i < pythons; i++) {
		const char *as = pythons > 1 ? called[i] : NULL;

		result = target->kind == TARGET_FILE ? add_file(state, target, i, as, err)
						     : add_case(state, target, NULL, i, as, err);
	}
	return result;
}

static int add_all(struct plan_state *state, struct err *err)
{
	const char *called[PLAN_PYTHONS_MAX];
	const struct bench_plan *plan = state->plan;
	int result = 0;

	for (size_t i = 0; i < plan->python_count && i < PLAN_PYTHONS_MAX; i++)
		called[i] = call_python(state, i);
	for (size_t i = 0; result == 0 && i < plan->target_count; i++)
		result = add_target(state, &plan->targets[i], called, err);
	if (result == 0 && state->count == 0) {
		result = err_set(err, ERR_NOT_MEASURED, "there is no benchmark to measure");
		err_why(err,
			plan->pattern ? "no name has or fits \"%s\"%.0s"
				      : "%.0s%s has no bench_*, time_*, peakmem_* or track_*",
			plan->pattern ? plan->pattern : "",
			plan->target_count ? plan->targets[0].text : "the list");
		err_next(err, "pyrometer bench --help says what counts as one");
	}
	return result;
}

/* ---- Measuring ---- */

/* The same for all of a round, another one for each round. */
static uint64_t seed_of(const struct bench_plan *plan, size_t round)
{
	uint64_t mixed = plan->seed + 0x9e3779b97f4a7c15u * (uint64_t)(round + 1);

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	return (mixed ^ (mixed >> 31)) & 0xffffffffu;
}

static double share_of(const struct plan_state *state)
{
	const struct bench_plan *plan = state->plan;

	return plan->time_limit_s > 0 ? plan->time_limit_s / (double)state->count
				      : PLAN_BENCHMARK_S;
}

/* A command's processes have one value each. Of little time few processes are made, rather than
 * many that end before they have settled. */
static size_t rounds_of(const struct plan_state *state, const struct bench_case *one)
{
	const struct bench_plan *plan = state->plan;
	double fitting = share_of(state) / PROCESS_S;

	if (one->spec.target.kind == TARGET_COMMAND)
		return plan->processes * plan->values;
	if (plan->load_rate_hz > 0 || fitting >= (double)plan->processes)
		return plan->processes;
	return fitting < 1 ? 1 : (size_t)fitting;
}

static bool is_over(const struct plan_state *state, const struct bench_case *one)
{
	const struct bench_plan *plan = state->plan;

	if (one->failed || one->rounds >= rounds_of(state, one))
		return true;
	/* The next one takes about as long as those before took. */
	if (plan->load_rate_hz > 0)
		return false;
	return one->rounds > 0 &&
	       one->spent_s + one->spent_s / (double)one->rounds / 2 > share_of(state);
}

static void report_progress(struct plan_state *state, const struct bench_case *now)
{
	struct plan_progress progress = {.elapsed_s = clock_now_s() - state->began_s};
	double by_rounds, by_time = 0;

	if (!state->plan->progress)
		return;
	for (size_t i = 0; i < state->count; i++) {
		const struct bench_case *one = &state->cases[i];

		progress.done += one->rounds;
		progress.total += is_over(state, one) ? one->rounds : rounds_of(state, one);
		if (!is_over(state, one) && !(state->plan->load_rate_hz > 0))
			by_time += fmax(share_of(state) - one->spent_s, 0);
		else if (!is_over(state, one))
			by_time += INFINITY;
	}
	by_rounds = progress.done ? progress.elapsed_s / (double)progress.done *
					(double)(progress.total - progress.done)
				  : INFINITY;
	progress.left_s = fmin(by_rounds, by_time);
	progress.name = state->results->benchmarks[now->benchmark].name;
	state->plan->progress(state->plan->context, &progress);
}

static bool is_stopped(const struct bench_plan *plan)
{
	return plan->base.stop && *plan->base.stop;
}

/* One process of each, then the next round. */
static int measure(struct plan_state *state, struct err *err)
{
	bool any = true;
	int result = 0;

	for (size_t round = 0; any && result == 0; round++) {
		any = false;
		for (size_t i = 0; result == 0 && i < state->count; i++) {
			struct bench_case *one = &state->cases[i];
			size_t left = rounds_of(state, one) - one->rounds;

			if (is_over(state, one) || is_stopped(state->plan))
				continue;
			any = true;
			report_progress(state, one);
			double budget_s =
			    fmax((share_of(state) - one->spent_s) / (double)left, BUDGET_LEAST_S);
			result = plan_process(state->plan, one, state->results,
					      seed_of(state->plan, round), budget_s, err);
		}
	}
	return result;
}

/* What was stopped before it had begun says so, and "stopped" is no failure of the others. */
static int settle_stopped(struct plan_state *state, struct bench_case *one, struct err *err)
{
	struct benchmark *benchmark = &state->results->benchmarks[one->benchmark];
	struct err stopped;

	if (!is_stopped(state->plan) || one->rounds >= rounds_of(state, one))
		return 0;
	mem_free(benchmark->failure);
	benchmark->failure = NULL;
	err_set(&stopped, ERR_NOT_MEASURED, "stopped before it was done");
	return plan_failed(one, state->results, &stopped, err);
}

int bench_plan_run(const struct bench_plan *plan, struct bench_results *results, struct err *err)
{
	struct plan_state state = {.plan = plan, .results = results, .began_s = clock_now_s()};
	int result;

	arena_init(&state.arena, 0);
	result = add_all(&state, err);
	if (result == 0)
		result = measure(&state, err);
	for (size_t i = 0; i < state.count; i++) {
		int finished = plan_finish(plan, &state.cases[i], results, err);

		if (result == 0)
			result = finished;
		if (result == 0)
			result = settle_stopped(&state, &state.cases[i], err);
	}
	mem_free(state.cases);
	arena_release(&state.arena);
	return result;
}

/* ---- Facts ---- */

static void file_fact(struct bench_results *results, const char *name, const char *path,
		      int *failed)
{
	char text[128];
	size_t size;

	if (proc_read_file(path, text, sizeof(text) - 1, &size, NULL) < 0)
		return;
	text[size] = 0;
	text[strcspn(text, "\n")] = 0;
	*failed |= bench_results_fact(results, name, text) < 0;
}

static void number_fact(struct bench_results *results, const char *name, double value, int *failed)
{
	char text[64];

	snprintf(text, sizeof(text), "%.9g", value);
	*failed |= bench_results_fact(results, name, text) < 0;
}

int bench_plan_facts(const struct bench_plan *plan, struct bench_results *results)
{
	struct host host;
	char text[256];
	int failed = 0;

	host_read(&host);
	failed |= bench_results_fact(results, "system", host.kernel) < 0;
	failed |= bench_results_fact(results, "machine", host.machine) < 0;
	if (host.processor[0])
		failed |= bench_results_fact(results, "cpu_model", host.processor) < 0;
	number_fact(results, "cpu_count", host.cpus_online, &failed);
	if (host.load_1m >= 0)
		number_fact(results, "load_1m_before", host.load_1m, &failed);
	failed |=
	    bench_results_fact(results, "virtual_machine", host.virtual_machine ? "yes" : "no") < 0;
	file_fact(results, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
		  &failed);
	file_fact(results, "turbo_off", "/sys/devices/system/cpu/intel_pstate/no_turbo", &failed);
	file_fact(results, "address_randomization", "/proc/sys/kernel/randomize_va_space", &failed);
	failed |= bench_results_fact(results, "gc",
				     plan->base.gc_disabled ? "off while a value is measured"
							    : "on, as in any program") < 0;
	snprintf(text, sizeof(text), "%" PRIu64 ", mixed anew for each process", plan->seed);
	failed |= bench_results_fact(results, "seed", text) < 0;
	snprintf(text, sizeof(text), "%d", plan->base.cpu);
	failed |= bench_results_fact(results, "cpu", plan->base.cpu < 0 ? "any" : text) < 0;
	if (plan->python_count)
		failed |= bench_results_fact(results, "python_path", plan->pythons[0]) < 0;
	if (plan->load_rate_hz > 0)
		number_fact(results, "load_rate_hz", plan->load_rate_hz, &failed);
	return failed ? -ERR_MEMORY : 0;
}
