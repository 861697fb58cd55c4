/* Budgets against files of results. A limit is judged by the interval over processes: a value of
 * one process says nothing of how processes vary. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "bench/gate.h"
#include "bench/pairing_saved.h"
#include "bench/result.h"
#include "stats/paired.h"
#include "stats/summary.h"

/* So few processes have no interval at 95 %; equal programs' processes differed by 13 to 18 % on a
 * busy machine, so a limit must be further away than this to be told from. */
#define PROCESSES_MIN 6
#define FEW_PROCESSES_PART 0.25

static int no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "no memory to judge the budgets");
}

void gate_judge_limit(struct gate *gate, struct gate_row *row, bool at_least)
{
	double limit = row->budget->limit, low = row->low, high = row->high;
	bool few = !isfinite(low) || !isfinite(high);

	if (isnan(row->value)) {
		row->verdict = GATE_NOT_MEASURED;
		return;
	}
	if (few) {
		low = row->value * (1 - FEW_PROCESSES_PART);
		high = row->value * (1 + FEW_PROCESSES_PART);
		row->low = row->high = NAN;
	}
	if (at_least ? low >= limit : high <= limit)
		row->verdict = GATE_PASS;
	else if (at_least ? high < limit : low > limit)
		row->verdict = GATE_FAIL;
	else
		row->verdict = GATE_CANNOT_TELL;
	if (row->verdict == GATE_CANNOT_TELL)
		row->reason = few ? gate_text(gate,
					      "fewer than %d processes: how they vary isn't "
					      "known, and the limit is near",
					      PROCESSES_MIN)
				  : "the limit lies within the interval";
}

/* --- numbers of processes
 * -------------------------------------------------------------------------- */

static int number_of_values(const struct bench_run *run, const struct budget *budget,
			    double *ret_number)
{
	struct summary summary;
	double *sorted;
	int r = summary_of(run->values, run->value_count, &summary);

	if (r < 0)
		return r;
	if (budget->metric == BUDGET_MEAN) {
		*ret_number = summary.mean;
		return 0;
	}
	if (budget->metric == BUDGET_THROUGHPUT) {
		*ret_number = summary.mean > 0 ? 1 / summary.mean : NAN;
		return 0;
	}
	sorted = mem_alloc(run->value_count * sizeof(*sorted));
	if (sorted == NULL)
		return -ERR_MEMORY;
	memcpy(sorted, run->values, run->value_count * sizeof(*sorted));
	sort_numbers(sorted, run->value_count);
	*ret_number = quantile_sorted(sorted, run->value_count, budget->quantile);
	mem_free(sorted);
	return 0;
}

/* One number a process; NaN: it has none. -ERR_MEMORY; -ERR_USAGE: values that are no numbers. */
static int number_of(const struct bench_run *run, const struct budget *budget, double *ret_number)
{
	*ret_number = NAN;
	if (budget->metric == BUDGET_CPU || budget->metric == BUDGET_MORE_CPU)
		*ret_number = run->counters.cpu_s;
	else if ((budget->metric == BUDGET_PEAK_MEMORY || budget->metric == BUDGET_MORE_MEMORY) &&
		 run->counters.peak_rss_bytes != UINT64_MAX)
		*ret_number = (double)run->counters.peak_rss_bytes;
	else if (budget->metric <= BUDGET_THROUGHPUT && run->value_count > 0)
		return number_of_values(run, budget, ret_number);
	return 0;
}

static int numbers_of(const struct benchmark *benchmark, const struct budget *budget,
		      double **ret_numbers, size_t *ret_count, struct err *err)
{
	double *numbers = mem_alloc((benchmark->run_count + 1) * sizeof(*numbers));
	size_t count = 0;

	if (numbers == NULL)
		return no_memory(err);
	for (size_t i = 0; i < benchmark->run_count; i++) {
		int r = number_of(&benchmark->runs[i], budget, &numbers[count]);

		if (r == -ERR_MEMORY) {
			mem_free(numbers);
			return no_memory(err);
		}
		count += r == 0 && isfinite(numbers[count]);
	}
	*ret_numbers = numbers;
	*ret_count = count;
	return 0;
}

/* Peaks and other largest ones: no process may be over. A quantile of 1 and a peak are the largest
 * that was seen, which no interval is about. */
static bool is_extreme(const struct budget *budget)
{
	return budget->metric == BUDGET_PEAK_MEMORY ||
	       (budget->metric == BUDGET_QUANTILE &&
		(budget->quantile == 0 || budget->quantile == 1));
}

static double extreme_of(const double *numbers, size_t count, bool least)
{
	double extreme = numbers[0];

	for (size_t i = 1; i < count; i++)
		if (least ? numbers[i] < extreme : numbers[i] > extreme)
			extreme = numbers[i];
	return extreme;
}

/* A process has few values beyond a high percentile: over all processes there are more. */
static int pooled_of(const struct benchmark *benchmark, const struct budget *budget,
		     double *ret_value, struct err *err)
{
	double *values;
	size_t count;

	if (benchmark_values(benchmark, &values, &count) < 0)
		return no_memory(err);
	sort_numbers(values, count);
	*ret_value = quantile_sorted(values, count, budget->quantile);
	mem_free(values);
	return 0;
}

static int measure(struct gate *gate, const struct benchmark *benchmark, struct gate_row *row,
		   struct err *err)
{
	const struct budget *budget = row->budget;
	struct paired_estimate estimate;
	double *numbers = NULL;
	size_t count = 0;
	int r = numbers_of(benchmark, budget, &numbers, &count, err);

	if (r < 0)
		return r;
	if (count == 0) {
		row->reason = "the results don't have it";
	} else if (is_extreme(budget)) {
		row->value = extreme_of(numbers, count,
					budget->quantile == 0 && budget->metric == BUDGET_QUANTILE);
		row->verdict = row->value > budget->limit ? GATE_FAIL : GATE_PASS;
	} else {
		r = paired_estimate_of(numbers, count, 0.95, 0, &estimate, err);
		if (r == 0)
			row->value = estimate.location;
		if (r == 0 && budget->metric == BUDGET_QUANTILE)
			r = pooled_of(benchmark, budget, &row->value, err);
		if (r == 0) {
			/* The interval is about the middle process; the figure is shown with it. */
			row->low = fmin(estimate.low, row->value);
			row->high = fmax(estimate.high, row->value);
			gate_judge_limit(gate, row, budget->metric == BUDGET_THROUGHPUT);
		}
	}
	mem_free(numbers);
	return r;
}

/* --- against a baseline
 * ----------------------------------------------------------------------------- */

/* The processes' CPU time or peak as if they were a benchmark's values: a run each. */
static int benchmark_of_counters(struct bench_results *scratch, const struct benchmark *from,
				 const struct budget *budget,
				 const struct benchmark **ret_benchmark)
{
	struct benchmark *copy = bench_results_add(scratch, from->name, "x", from->kind);

	for (size_t i = 0; copy != NULL && i < from->run_count; i++) {
		struct bench_run *run;
		double number;

		if (number_of(&from->runs[i], budget, &number) == -ERR_MEMORY)
			return -ERR_MEMORY;
		if (!isfinite(number))
			continue;
		run = benchmark_add_run(copy);
		if (run == NULL)
			return -ERR_MEMORY;
		run->seed = from->runs[i].seed;
		run->start_s = from->runs[i].start_s;
		if (bench_run_add(run, number, false, 0) < 0)
			return -ERR_MEMORY;
	}
	*ret_benchmark = copy;
	return copy != NULL ? 0 : -ERR_MEMORY;
}

static void judge_ratio(struct gate *gate, const struct pairing_result *result, const char *reason,
			struct gate_row *row)
{
	const struct sequential_state *state = &result->state;
	double limit = log1p(row->budget->limit);

	if (result->verdict == VERDICT_NOT_MEASURED) {
		row->reason = gate_text(gate, "%s", result->failure != NULL ? result->failure : "");
		return;
	}
	row->value = expm1(state->location);
	row->low = expm1(state->low);
	row->high = expm1(state->high);
	row->verdict = GATE_CANNOT_TELL;
	if (reason != NULL)
		row->reason = reason;
	else if (!isfinite(state->low) || !isfinite(state->high))
		row->reason = "too few processes";
	else if (state->high <= limit)
		row->verdict = GATE_PASS;
	/* Pairs have a test of their own, with alpha 0.002; an interval alone cries wolf. */
	else if (state->low > limit &&
		 (result->pair_count == 0 || result->verdict == VERDICT_REGRESSION))
		row->verdict = GATE_FAIL;
	else
		row->reason = "the limit lies within the interval";
}

static int compare_with(struct gate *gate, const struct benchmark *before,
			const struct benchmark *after, struct gate_row *row, struct err *err)
{
	const struct budget *budget = row->budget;
	bool memory = budget->metric == BUDGET_MORE_MEMORY;
	struct saved_options options = {
	    .plan = {.alpha = 0.002,
		     .power = 0.9,
		     .indifference = log1p(budget->limit),
		     .tolerance = log1p(budget->limit)},
	    /* What a process needs of memory doesn't depend on the hour. */
	    .drift = memory ? 0 : log1p(gate->budgets->drift)};
	struct bench_results *scratch_a = bench_results_new(), *scratch_b = bench_results_new();
	struct pairing_result result;
	const char *reason = NULL;
	int r = scratch_a != NULL && scratch_b != NULL ? 0 : -ERR_MEMORY;

	if (r == 0 && budget->metric != BUDGET_SLOWER) {
		r = benchmark_of_counters(scratch_a, before, budget, &before);
		if (r == 0)
			r = benchmark_of_counters(scratch_b, after, budget, &after);
	}
	if (r < 0) {
		r = no_memory(err);
	} else {
		r = pairing_saved(before, after, &options, &result, &reason, err);
		if (r == 0) {
			/* That the interval holds 0 is no reason here: the limit decides. */
			if (!isnan(options.drift) && isfinite(result.state.low))
				reason = NULL;
			judge_ratio(gate, &result, reason, row);
			pairing_result_release(&result);
		}
	}
	bench_results_free(scratch_a);
	bench_results_free(scratch_b);
	return r;
}

/* Whether a fact of the surroundings is known on both sides and differs. */
static bool fact_differs(const struct bench_results *a, const struct bench_results *b,
			 const char *name)
{
	const char *one = bench_results_fact_of(a, name), *other = bench_results_fact_of(b, name);

	return one != NULL && other != NULL && strcmp(one, other) != 0;
}

static const char *why_not_comparable(struct gate *gate, const struct bench_results *results,
				      const struct bench_results *baseline,
				      const struct benchmark *before, const struct benchmark *after)
{
	static const char *const facts[] = {"implementation", "python"};

	if (baseline == NULL)
		return "there is no baseline (--baseline FILE or rev:REVISION)";
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (fact_differs(results, baseline, facts[i]))
			return gate_text(gate,
					 "the interpreter changed: %.60s, and %.60s in the "
					 "baseline",
					 bench_results_fact_of(results, facts[i]),
					 bench_results_fact_of(baseline, facts[i]));
	if (before == NULL)
		return "the baseline doesn't have it";
	if (before->failure != NULL)
		return gate_text(gate, "in the baseline it failed: %.300s", before->failure);
	if (strcmp(before->unit, after->unit) != 0)
		return "the baseline has another unit";
	return NULL;
}

bool gate_refuse_below_noise(struct gate *gate, struct gate_row *row)
{
	if (row->budget->metric == BUDGET_MORE_MEMORY || isnan(gate->noise) ||
	    log1p(row->budget->limit) >= gate->noise)
		return false;
	row->verdict = GATE_REFUSED;
	row->reason = gate_text(gate, "this machine can't tell less than %.1f %% (%s)",
				expm1(gate->noise) * 100,
				gate->noise_of != NULL ? gate->noise_of : "doctor --noise");
	return true;
}

/* --- all of it
 * ------------------------------------------------------------------------------------- */

static const char *unit_of(struct gate *gate, const struct budget *budget,
			   const struct benchmark *benchmark)
{
	switch (budget->metric) {
	case BUDGET_CPU:
		return "s";
	case BUDGET_PEAK_MEMORY:
		return "bytes";
	case BUDGET_THROUGHPUT:
		return "/s";
	case BUDGET_SLOWER:
	case BUDGET_MORE_CPU:
	case BUDGET_MORE_MEMORY:
		return "%";
	default:
		return gate_text(gate, "%s", benchmark->unit);
	}
}

/* Why a limit of that unit is not about what the benchmark gives; NULL: it is. */
static const char *why_other_unit(const struct budget *budget, const struct benchmark *benchmark)
{
	bool seconds = strcmp(benchmark->unit, "s") == 0,
	     bytes = strcmp(benchmark->unit, "bytes") == 0;

	if (budget->metric == BUDGET_THROUGHPUT && !seconds)
		return "what gives no time has no throughput";
	if (budget->metric == BUDGET_THROUGHPUT && benchmark->kind == BENCH_LATENCY)
		return "under a load of a given rate, latencies say nothing of throughput";
	if (budget->metric != BUDGET_QUANTILE && budget->metric != BUDGET_MEAN)
		return NULL;
	if ((budget->unit == UNIT_SECONDS && !seconds) || (budget->unit == UNIT_BYTES && !bytes))
		return "the limit has another unit";
	return NULL;
}

static int judge_one(struct gate *gate, const struct budget *budget,
		     const struct benchmark *benchmark, const struct bench_results *results,
		     const struct bench_results *baseline, struct err *err)
{
	struct gate_row row = {.name = gate_benchmark_name(gate, benchmark),
			       .budget = budget,
			       .unit = unit_of(gate, budget, benchmark),
			       .value = NAN,
			       .low = NAN,
			       .high = NAN,
			       .verdict = GATE_NOT_MEASURED};
	const char *python = bench_results_fact_of(results, "python");
	const struct benchmark *before = NULL;
	int r = 0;

	if (benchmark->failure != NULL) {
		row.reason = gate_text(gate, "it failed: %.400s", benchmark->failure);
	} else if (gate->budgets->python != NULL &&
		   (python == NULL ||
		    strncmp(python, gate->budgets->python, strlen(gate->budgets->python)) != 0)) {
		row.reason = gate_text(gate, "the budgets are for Python %.30s, it was %.60s",
				       gate->budgets->python, python != NULL ? python : "unknown");
	} else if (!budget_is_relative(budget)) {
		row.reason = why_other_unit(budget, benchmark);
		if (row.reason == NULL)
			r = measure(gate, benchmark, &row, err);
	} else if (!gate_refuse_below_noise(gate, &row)) {
		if (baseline != NULL)
			before = bench_results_find(baseline, benchmark->name, benchmark->params,
						    benchmark->param_count);
		row.reason = why_not_comparable(gate, results, baseline, before, benchmark);
		if (row.reason == NULL)
			r = compare_with(gate, before, benchmark, &row, err);
	}
	return r == 0 ? gate_add_row(gate, &row, err) : r;
}

static int vanished(struct gate *gate, const struct budget *budget, const char *name,
		    const char *reason, struct err *err)
{
	const struct gate_row row = {.name = name,
				     .budget = budget,
				     .unit = "",
				     .value = NAN,
				     .low = NAN,
				     .high = NAN,
				     .verdict = GATE_NOT_MEASURED,
				     .reason = reason};

	return gate_add_row(gate, &row, err);
}

static bool is_there(const struct gate *gate, const struct budget *budget)
{
	for (size_t i = 0; i < gate->count; i++)
		if (gate->rows[i].budget == budget ||
		    (strcmp(gate->rows[i].budget->key, budget->key) == 0 &&
		     budget_fits(budget, gate->rows[i].name)))
			return true;
	return false;
}

/* Benchmarks that the baseline has and the results don't. */
static int judge_vanished(struct gate *gate, const struct budget *budget,
			  const struct bench_results *results, const struct bench_results *baseline,
			  struct err *err)
{
	int r = 0;

	for (size_t i = 0; baseline != NULL && i < baseline->benchmark_count && r == 0; i++) {
		const struct benchmark *before = &baseline->benchmarks[i];
		const char *name = gate_benchmark_name(gate, before);

		if (name == NULL)
			return no_memory(err);
		if (gate_decides(gate, budget, name) &&
		    bench_results_find(results, before->name, before->params,
				       before->param_count) == NULL)
			r = vanished(gate, budget, name,
				     "it vanished: the baseline has it, the results don't", err);
	}
	return r;
}

int gate_judge_results(struct gate *gate, const struct bench_results *results,
		       const struct bench_results *baseline, struct err *err)
{
	const struct budgets *budgets = gate->budgets;
	int r = 0;

	for (size_t i = 0; i < budgets->count && r == 0; i++) {
		const struct budget *budget = &budgets->items[i];

		if (budget_is_import(budget) ||
		    (budget_is_relative(budget) && gate->relative_in_pairs))
			continue;
		for (size_t k = 0; k < results->benchmark_count && r == 0; k++) {
			const char *name = gate_benchmark_name(gate, &results->benchmarks[k]);

			if (name == NULL)
				return no_memory(err);
			if (gate_decides(gate, budget, name))
				r = judge_one(gate, budget, &results->benchmarks[k], results,
					      baseline, err);
		}
		if (r == 0)
			r = judge_vanished(gate, budget, results, baseline, err);
		if (r == 0 && !is_there(gate, budget))
			r = vanished(gate, budget, budget->name,
				     budget_is_pattern(budget)
					 ? "no benchmark fits it"
					 : "the results have no such benchmark",
				     err);
	}
	return r;
}
