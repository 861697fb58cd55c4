/* `compare --json`: see compare_view.h. Ratios are B/A, not logarithms. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "report/compare_view.h"
#include "report/page.h"
#include "stats/summary.h"

#define COMPARE_SCHEMA_VERSION 1

static void write_number(struct json_writer *json, const char *key, double value)
{
	json_key(json, key);
	json_number(json, value);
}

static void write_text(struct json_writer *json, const char *key, const char *value)
{
	json_key(json, key);
	json_text(json, value);
}

static void write_side(struct json_writer *json, const char *key,
		       const struct comparison_side *side)
{
	json_key(json, key);
	json_object_begin(json);
	write_text(json, "label", side->label);
	write_text(json, "revision", side->revision);
	write_text(json, "subject", side->subject);
	write_text(json, "python", side->python);
	json_object_end(json);
}

static void write_counters(struct json_writer *json, const struct pairing_result *result)
{
	json_key(json, "counters");
	json_array_begin(json);
	for (int bit = PAIR_CALLS; bit <= PAIR_ALLOCATIONS; bit *= 2) {
		enum pair_counter counter = (enum pair_counter)bit;

		if ((result->counters_exact & counter) == 0)
			continue;
		json_object_begin(json);
		write_text(json, "name", pair_counter_name(counter));
		json_key(json, "a");
		json_unsigned(json, pair_counter_of(&result->counters_a, counter));
		json_key(json, "b");
		json_unsigned(json, pair_counter_of(&result->counters_b, counter));
		json_key(json, "differs");
		json_bool(json, (result->counters_differ & counter) != 0);
		json_object_end(json);
	}
	json_array_end(json);
}

/* Median of a side's own values: the ratio isn't made of these, but a reader wants the size. */
static int write_median(struct json_writer *json, const char *key,
			const struct bench_results *results)
{
	struct summary summary = {0};
	double *values = NULL;
	size_t count = 0;

	if (results != NULL && results->benchmark_count > 0) {
		if (benchmark_values(&results->benchmarks[0], &values, &count) < 0 ||
		    summary_of(values, count, &summary) == -ERR_MEMORY) {
			mem_free(values);
			return -ERR_MEMORY;
		}
		mem_free(values);
	}
	write_number(json, key, summary.n > 0 ? summary.median : NAN);
	return 0;
}

static int write_row(struct json_writer *json, const struct comparison_row *row)
{
	const struct pairing_result *result = row->result;
	bool known = row->verdict != VERDICT_NOT_MEASURED;
	const struct bench_results *a = result->a;

	json_object_begin(json);
	write_text(json, "name", row->name);
	write_text(json, "unit",
		   a != NULL && a->benchmark_count > 0 ? a->benchmarks[0].unit : NULL);
	write_number(json, "ratio", known ? exp(result->state.location) : NAN);
	write_number(json, "low", known ? exp(result->state.low) : NAN);
	write_number(json, "high", known ? exp(result->state.high) : NAN);
	write_text(json, "verdict", verdict_name(row->verdict));
	json_key(json, "pairs");
	json_unsigned(json, result->pair_count);
	/* As a part of A, as the sentence has it. */
	write_number(json, "detectable", known ? expm1(result->state.detectable) : NAN);
	json_key(json, "pairs_needed");
	json_unsigned(json, result->state.pairs_needed == SIZE_MAX ? UINT64_MAX
								   : result->state.pairs_needed);
	write_number(json, "p", known ? result->state.p : NAN);
	json_key(json, "exact");
	json_bool(json, result->exact);
	write_text(json, "metric", result->metric == PAIR_CPU ? "cpu" : "wall");
	write_number(json, "elapsed_s", result->elapsed_s);
	write_number(json, "steal_s", result->steal_s);
	json_key(json, "off_cpu");
	json_bool(json, result->off_cpu);
	write_text(json, "failure", result->failure);
	if (write_median(json, "median_a", result->a) < 0 ||
	    write_median(json, "median_b", result->b) < 0)
		return -ERR_MEMORY;
	write_counters(json, result);
	json_key(json, "log_ratios");
	json_array_begin(json);
	for (size_t i = 0; i < result->pair_count && result->log_ratios != NULL; i++)
		json_number(json, result->log_ratios[i]);
	json_array_end(json);
	json_object_end(json);
	return 0;
}

int compare_json_write(FILE *out, const struct comparison *comparison, struct err *err)
{
	struct json_writer json;

	json_start(&json, out, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_signed(&json, COMPARE_SCHEMA_VERSION);
	write_text(&json, "tool", "pyrometer");
	write_text(&json, "tool_version", PYROMETER_VERSION);
	json_key(&json, "created_s");
	if (comparison->created_s > 0 && comparison->created_s < 1e15)
		json_signed(&json, (int64_t)comparison->created_s);
	else
		json_absent(&json);
	write_side(&json, "a", &comparison->a);
	write_side(&json, "b", &comparison->b);
	write_text(&json, "verdict", verdict_name(comparison_verdict(comparison)));
	write_number(&json, "alpha", comparison->alpha);
	write_number(&json, "tolerance", expm1(comparison->tolerance));
	write_number(&json, "indifference", expm1(comparison->indifference));
	write_number(&json, "elapsed_s", comparison->elapsed_s);
	json_key(&json, "benchmarks");
	json_array_begin(&json);
	for (size_t i = 0; i < comparison->row_count; i++) {
		if (write_row(&json, &comparison->rows[i]) < 0)
			return err_set(err, ERR_MEMORY, "no memory to write the comparison");
	}
	json_array_end(&json);
	json_object_end(&json);
	return stream_finish(out, "the comparison", err);
}
