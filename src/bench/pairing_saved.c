#include "bench/pairing_saved.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/paired.h"
#include "stats/summary.h"

#define TOGETHER_S 1.0	      /* the two runs of a pair start within this */
#define CONFIDENCE_EACH 0.975 /* two sides: what both intervals miss adds up */
#define PROCESSES_MIN 7	      /* for an interval of that confidence */

static const char too_few[] = "one process, or few, cannot say how much processes vary";
static const char other_time[] =
    "A and B were measured at different times: what the machine did between is in neither";
static const char drift_allowed[] = "the difference is within what --drift allows the machine";

static double run_median(const struct bench_run *run)
{
	struct summary summary;

	if (run->value_count == 0 || summary_of(run->values, run->value_count, &summary) < 0)
		return NAN;
	return summary.median;
}

static bool are_pairs(const struct benchmark *a, const struct benchmark *b)
{
	if (a->run_count == 0 || a->run_count != b->run_count)
		return false;
	for (size_t i = 0; i < a->run_count; i++) {
		const struct bench_run *of_a = &a->runs[i], *of_b = &b->runs[i];

		if (of_a->seed == 0 || of_a->seed != of_b->seed ||
		    of_a->value_count != of_b->value_count || of_a->value_count == 0 ||
		    !(fabs(of_a->start_s - of_b->start_s) < TOGETHER_S))
			return false;
	}
	return true;
}

/* Of one pair; the order within it is not in the file. */
static double run_ratio(const struct bench_run *a, const struct bench_run *b)
{
	uint8_t *order = mem_zalloc(a->value_count + 1, 1);
	double ratio = NAN;

	if (order != NULL)
		ratio = pair_log_ratio(a->values, b->values, order, a->value_count);
	mem_free(order);
	return ratio;
}

static int judge_pairs(const struct benchmark *a, const struct benchmark *b,
		       const struct saved_options *options, struct pairing_result *result,
		       struct err *err)
{
	size_t count = a->run_count;
	int r;

	result->log_ratios = mem_alloc(count * sizeof(double));
	if (result->log_ratios == NULL)
		return err_set(err, ERR_MEMORY, "No memory for %zu pairs", count);
	for (size_t i = 0; i < count; i++) {
		result->log_ratios[i] = run_ratio(&a->runs[i], &b->runs[i]);
		if (!isfinite(result->log_ratios[i])) {
			pairing_result_release(result);
			return pairing_not_measured(result, "a pair has no ratio", err);
		}
	}
	result->pair_count = count;
	r = sequential_look(&options->plan, result->log_ratios, count, &result->state, err);
	if (r < 0) {
		pairing_result_release(result);
		return r;
	}
	result->verdict = result->state.decision == SEQUENTIAL_GREATER ? VERDICT_REGRESSION
			  : result->state.decision == SEQUENTIAL_LESS  ? VERDICT_IMPROVEMENT
			  : result->state.decision == SEQUENTIAL_EQUAL ? VERDICT_PASS
								       : VERDICT_CANNOT_TELL;
	return 0;
}

/* The logarithms of the processes' medians; each process is one observation, whatever number of
 * values it has. */
static int side_estimate(const struct benchmark *side, struct paired_estimate *ret_estimate,
			 struct err *err)
{
	double *logs = mem_alloc((side->run_count + 1) * sizeof(*logs));
	size_t count = 0;
	int r = 0;

	if (logs == NULL)
		return err_set(err, ERR_MEMORY, "No memory for %zu processes", side->run_count);
	for (size_t i = 0; i < side->run_count; i++) {
		double median = run_median(&side->runs[i]);

		if (median > 0 && isfinite(median))
			logs[count++] = log(median);
	}
	*ret_estimate = (struct paired_estimate){.location = NAN};
	if (count > 0)
		r = paired_estimate_of(logs, count, CONFIDENCE_EACH, 0, ret_estimate, err);
	mem_free(logs);
	return r;
}

static void judge_difference(const struct saved_options *options, struct pairing_result *result,
			     size_t processes, const char **ret_reason)
{
	struct sequential_state *state = &result->state;
	double low = state->low - options->drift, high = state->high + options->drift;

	result->verdict = VERDICT_CANNOT_TELL;
	if (processes < PROCESSES_MIN) {
		*ret_reason = too_few;
	} else if (isnan(options->drift)) {
		*ret_reason = other_time;
	} else if (low > 0) {
		result->verdict = VERDICT_REGRESSION;
	} else if (high < 0) {
		result->verdict = VERDICT_IMPROVEMENT;
	} else if (low >= -options->plan.tolerance && high <= options->plan.tolerance) {
		result->verdict = VERDICT_PASS;
	} else {
		*ret_reason = drift_allowed;
	}
	if (!isnan(options->drift)) {
		state->low = low;
		state->high = high;
	}
}

int pairing_saved(const struct benchmark *a, const struct benchmark *b,
		  const struct saved_options *options, struct pairing_result *ret_result,
		  const char **ret_reason, struct err *err)
{
	struct paired_estimate of_a = {.pairs = 0}, of_b = {.pairs = 0};
	size_t processes;
	int r = pairing_not_measured(ret_result, "one side has no values", err);

	*ret_reason = NULL;
	if (r < 0)
		return r;
	if (are_pairs(a, b)) {
		mem_free(ret_result->failure);
		ret_result->failure = NULL;
		return judge_pairs(a, b, options, ret_result, err);
	}
	r = side_estimate(a, &of_a, err);
	if (r == 0)
		r = side_estimate(b, &of_b, err);
	if (r < 0)
		pairing_result_release(ret_result);
	if (r < 0 || of_a.pairs == 0 || of_b.pairs == 0)
		return r; /* not measured, and the result says so */
	mem_free(ret_result->failure);
	ret_result->failure = NULL;
	processes = of_a.pairs < of_b.pairs ? of_a.pairs : of_b.pairs;
	ret_result->state.pairs = 0;
	ret_result->state.location = of_b.location - of_a.location;
	ret_result->state.low = of_b.low - of_a.high;
	ret_result->state.high = of_b.high - of_a.low;
	ret_result->state.detectable = INFINITY;
	ret_result->state.pairs_needed = SIZE_MAX;
	judge_difference(options, ret_result, processes, ret_reason);
	return 0;
}

bool saved_surroundings_differ(const struct bench_results *a, const struct bench_results *b,
			       char *text, size_t size)
{
	static const char *const facts[] = {"python", "implementation", "cpu_model", "host",
					    "machine"};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		const char *of_a = bench_results_fact_of(a, facts[i]);
		const char *of_b = bench_results_fact_of(b, facts[i]);

		if (of_a == NULL || of_b == NULL || strcmp(of_a, of_b) == 0)
			continue;
		snprintf(text, size, "%s %s and %s", facts[i], of_a, of_b);
		return true;
	}
	return false;
}
