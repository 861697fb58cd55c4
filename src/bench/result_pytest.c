/* pytest-benchmark's --benchmark-json, with --benchmark-save-data for the values (3.x to 5.x):
 * docs/formats/pytest-benchmark.md. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "bench/result_internal.h"

#define NAME_MAX_BYTES 4096

/* ---- Reading ---- */

static const struct {
	const char *object, *theirs, *ours;
} facts[] = {
    {"machine_info", "python_version", "python"},
    {"machine_info", "python_implementation", "implementation"},
    {"machine_info", "node", "hostname"},
    {"machine_info", "machine", "machine"},
    {"machine_info", "system", "system"},
    {"machine_info", "release", "kernel"},
    {"commit_info", "id", "commit"},
    {"commit_info", "branch", "branch"},
    {"commit_info", "dirty", "dirty"},
};
#define FACT_COUNT (sizeof(facts) / sizeof(facts[0]))

static int read_facts(const struct bench_reading *reading, const json_t *root,
		      struct bench_results *results)
{
	const json_t *cpu = bench_json_member(json_object_get(root, "machine_info"), "cpu");
	const json_t *model = bench_json_member(cpu, "brand_raw");
	char number[40];

	for (size_t i = 0; i < FACT_COUNT; i++) {
		const json_t *value =
		    bench_json_member(json_object_get(root, facts[i].object), facts[i].theirs);

		/* What it says where there is no repository. */
		if (json_is_string(value) &&
		    (strcmp(json_string_value(value), "unversioned") == 0 ||
		     strcmp(json_string_value(value), "(unknown)") == 0))
			continue;
		if (value == NULL || json_is_object(value) || json_is_array(value))
			continue;
		if (bench_results_fact(results, facts[i].ours,
				       bench_scalar_text(value, number, sizeof(number))) < 0)
			return bench_no_memory(reading);
	}
	if (model == NULL)
		model = bench_json_member(cpu, "brand");
	if (json_is_string(model) &&
	    bench_results_fact(results, "cpu_model", json_string_value(model)) < 0)
		return bench_no_memory(reading);
	return 0;
}

/* "file.py::test_x[4]" with params is "file.py::test_x": the rest is in the params. */
static void cut_params(char *name, const json_t *object)
{
	const char *param = NULL;
	size_t length, name_length = strlen(name);

	if (!json_is_object(bench_json_member(object, "params")) ||
	    !bench_json_text(bench_json_member(object, "param"), &param))
		return;
	length = strlen(param);
	if (name_length > length + 2 && name[name_length - 1] == ']' &&
	    name[name_length - length - 2] == '[' &&
	    memcmp(name + name_length - length - 1, param, length) == 0)
		name[name_length - length - 2] = '\0';
}

static int read_params(const struct bench_reading *reading, const json_t *object,
		       struct benchmark *benchmark)
{
	const json_t *params = bench_json_member(object, "params");
	char number[40];
	const char *key;
	json_t *value;

	if (!json_is_object(params))
		return 0;
	json_object_foreach((json_t *)params, key, value)
	{
		if (benchmark_param(benchmark, key,
				    bench_scalar_text(value, number, sizeof(number))) < 0)
			return bench_no_memory(reading);
	}
	return 0;
}

/* Without the values there is one number, and it is said that it stands for many. */
static int read_median(const struct bench_reading *reading, const json_t *stats, size_t b,
		       struct benchmark *benchmark, struct bench_run *run)
{
	const json_t *median = bench_json_member(stats, "median");
	double value;

	if (!bench_json_number(median, &value))
		return bench_wrong(reading, median, "a number", "benchmarks[%zu].stats.median", b);
	if (bench_run_add(run, value, false, 0) < 0 ||
	    bench_text_set(&benchmark->failure, "the file has no single values, only their median: "
						"pytest --benchmark-save-data keeps them") < 0)
		return bench_no_memory(reading);
	return 0;
}

static int read_stats(const struct bench_reading *reading, const json_t *stats, size_t b,
		      struct benchmark *benchmark)
{
	const json_t *data = bench_json_member(stats, "data");
	const json_t *iterations = bench_json_member(stats, "iterations");
	struct bench_run *run = benchmark_add_run(benchmark);
	double value;

	if (run == NULL)
		return bench_no_memory(reading);
	if (!json_is_object(stats))
		return bench_wrong(reading, stats, "an object", "benchmarks[%zu].stats", b);
	if (iterations != NULL && !bench_json_count(iterations, &run->loops))
		return bench_wrong(reading, iterations, "a whole number",
				   "benchmarks[%zu].stats.iterations", b);
	if (data == NULL)
		return read_median(reading, stats, b, benchmark, run);
	if (!json_is_array(data))
		return bench_wrong(reading, data, "a list", "benchmarks[%zu].stats.data", b);
	for (size_t i = 0; i < json_array_size(data); i++) {
		if (!bench_json_number(json_array_get(data, i), &value))
			return bench_wrong(reading, json_array_get(data, i), "a number",
					   "benchmarks[%zu].stats.data[%zu]", b, i);
		if (bench_run_add(run, value, false, 0) < 0)
			return bench_no_memory(reading);
	}
	return 0;
}

static int read_benchmark(const struct bench_reading *reading, const json_t *object, size_t b,
			  struct bench_results *results)
{
	const json_t *full = bench_json_member(object, "fullname");
	struct benchmark *benchmark;
	const char *name;
	char *copy;
	int r;

	if (full == NULL)
		full = bench_json_member(object, "name");
	if (!bench_json_text(full, &name))
		return bench_wrong(reading, full, "a text", "benchmarks[%zu].fullname", b);
	copy = mem_copy_text(name);
	if (copy == NULL)
		return bench_no_memory(reading);
	cut_params(copy, object);
	benchmark = bench_results_add(results, copy, "s", BENCH_TIME);
	mem_free(copy);
	if (benchmark == NULL)
		return bench_no_memory(reading);
	r = read_params(reading, object, benchmark);
	return r == 0 ? read_stats(reading, bench_json_member(object, "stats"), b, benchmark) : r;
}

int bench_read_pytest(const struct bench_reading *reading, const json_t *root,
		      struct bench_results *results)
{
	const json_t *benchmarks = json_object_get(root, "benchmarks");
	const char *date = NULL, *version = NULL;
	int r;

	bench_json_text(bench_json_member(root, "datetime"), &date);
	bench_json_text(bench_json_member(root, "version"), &version);
	if (bench_text_set(&results->tool, "pytest-benchmark") < 0 ||
	    bench_text_set(&results->tool_version, version) < 0)
		return bench_no_memory(reading);
	results->created_s = date != NULL ? bench_time_of(date) : NAN;
	r = read_facts(reading, root, results);
	for (size_t i = 0; r == 0 && i < json_array_size(benchmarks); i++) {
		if (!json_is_object(json_array_get(benchmarks, i)))
			return bench_wrong(reading, json_array_get(benchmarks, i), "an object",
					   "benchmarks[%zu]", i);
		r = read_benchmark(reading, json_array_get(benchmarks, i), i, results);
	}
	return r;
}

/* ---- Writing ---- */

static void write_facts(struct json_writer *json, const struct bench_results *results,
			const char *object)
{
	json_key(json, object);
	json_object_begin(json);
	for (size_t i = 0; i < FACT_COUNT; i++) {
		const char *value = bench_results_fact_of(results, facts[i].ours);

		if (strcmp(facts[i].object, object) != 0)
			continue;
		json_key(json, facts[i].theirs);
		if (strcmp(facts[i].theirs, "dirty") == 0)
			json_bool(json, value != NULL && strcmp(value, "true") == 0);
		else
			json_text(json, value != NULL ? value : "unknown");
	}
	if (strcmp(object, "machine_info") == 0) {
		json_key(json, "cpu");
		json_object_begin(json);
		json_key(json, "brand_raw");
		json_text(json, bench_results_fact_of(results, "cpu_model"));
		json_object_end(json);
	}
	json_object_end(json);
}

/* Outliers as pytest-benchmark counts them: beyond one deviation; beyond 1.5 of the quartiles'
 * distance. */
static void write_spread(struct json_writer *json, const double *values,
			 const struct summary *summary)
{
	double iqr = summary->q3 - summary->q1;
	double low = summary->max, high = summary->min;
	size_t by_deviation = 0, by_quartiles = 0;
	char text[64];

	for (size_t i = 0; i < summary->n; i++) {
		bool outside =
		    values[i] < summary->q1 - 1.5 * iqr || values[i] > summary->q3 + 1.5 * iqr;

		by_quartiles += outside;
		by_deviation += fabs(values[i] - summary->mean) > summary->sd;
		if (!outside && values[i] < low)
			low = values[i];
		if (!outside && values[i] > high)
			high = values[i];
	}
	json_key(json, "iqr");
	bench_json_exact(json, iqr);
	json_key(json, "iqr_outliers");
	json_unsigned(json, by_quartiles);
	json_key(json, "stddev_outliers");
	json_unsigned(json, by_deviation);
	snprintf(text, sizeof(text), "%zu;%zu", by_deviation, by_quartiles);
	json_key(json, "outliers");
	json_text(json, text);
	json_key(json, "ld15iqr");
	bench_json_exact(json, low);
	json_key(json, "hd15iqr");
	bench_json_exact(json, high);
}

static int write_stats(struct json_writer *json, const struct benchmark *benchmark)
{
	struct summary summary;
	double *values = NULL;
	size_t count = 0;

	if (benchmark_summary(benchmark, &summary) < 0 ||
	    benchmark_values(benchmark, &values, &count) < 0)
		return -ERR_MEMORY;
	const struct {
		const char *name;
		double value;
	} fields[] = {{"min", summary.min},
		      {"max", summary.max},
		      {"mean", summary.mean},
		      {"stddev", summary.n > 1 ? summary.sd : 0},
		      {"median", summary.median},
		      {"q1", summary.q1},
		      {"q3", summary.q3},
		      {"ops", summary.mean > 0 ? 1 / summary.mean : 0},
		      {"total", summary.mean * (double)summary.n}};

	json_key(json, "stats");
	json_object_begin(json);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		json_key(json, fields[i].name);
		bench_json_exact(json, fields[i].value);
	}
	write_spread(json, values, &summary);
	json_key(json, "rounds");
	json_unsigned(json, count);
	json_key(json, "iterations");
	json_unsigned(json, benchmark->runs[0].loops);
	json_key(json, "data");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		bench_json_exact(json, values[i]);
	json_array_end(json);
	json_object_end(json);
	mem_free(values);
	return 0;
}

static void write_options(struct json_writer *json)
{
	json_key(json, "options");
	json_object_begin(json);
	json_key(json, "disable_gc");
	json_bool(json, false);
	json_key(json, "timer");
	json_text(json, "perf_counter");
	json_key(json, "min_rounds");
	json_signed(json, 1);
	json_key(json, "max_time");
	json_number(json, 0);
	json_key(json, "min_time");
	json_number(json, 0);
	json_key(json, "warmup");
	json_bool(json, false);
	json_object_end(json);
}

static void write_params(struct json_writer *json, const struct benchmark *benchmark,
			 const char *values)
{
	json_key(json, "params");
	if (benchmark->param_count == 0) {
		json_absent(json);
	} else {
		json_object_begin(json);
		for (size_t i = 0; i < benchmark->param_count; i++) {
			json_key(json, benchmark->params[i].name);
			json_text(json, benchmark->params[i].value);
		}
		json_object_end(json);
	}
	json_key(json, "param");
	json_text(json, benchmark->param_count > 0 ? values : NULL);
}

static int write_benchmark(struct json_writer *json, const struct benchmark *benchmark)
{
	const char *separator = strrchr(benchmark->name, ':');
	const char *last = separator != NULL ? separator + 1 : benchmark->name;
	char values[NAME_MAX_BYTES] = "", name[NAME_MAX_BYTES];
	size_t used = 0;

	for (size_t i = 0; i < benchmark->param_count && used < sizeof(values); i++)
		used += (size_t)snprintf(values + used, sizeof(values) - used, "%s%s",
					 i > 0 ? "-" : "", benchmark->params[i].value);
	json_object_begin(json);
	json_key(json, "group");
	json_absent(json);
	for (size_t i = 0; i < 2; i++) {
		json_key(json, i == 0 ? "name" : "fullname");
		snprintf(name, sizeof(name), "%s%s%s%s", i == 0 ? last : benchmark->name,
			 benchmark->param_count > 0 ? "[" : "", values,
			 benchmark->param_count > 0 ? "]" : "");
		json_text(json, name);
	}
	write_params(json, benchmark, values);
	json_key(json, "extra_info");
	json_object_begin(json);
	json_object_end(json);
	write_options(json);
	if (write_stats(json, benchmark) < 0)
		return -ERR_MEMORY;
	json_object_end(json);
	return 0;
}

int bench_write_pytest(const struct bench_results *results, FILE *file, struct err *err)
{
	char date[BENCH_TIME_TEXT_MAX];
	struct json_writer json;

	json_start(&json, file, true);
	json_object_begin(&json);
	write_facts(&json, results, "machine_info");
	write_facts(&json, results, "commit_info");
	json_key(&json, "benchmarks");
	json_array_begin(&json);
	for (size_t i = 0; i < results->benchmark_count; i++) {
		const struct benchmark *benchmark = &results->benchmarks[i];
		size_t count = 0;

		for (size_t k = 0; k < benchmark->run_count; k++)
			count += benchmark->runs[k].value_count;
		/* It knows seconds only, and nothing without a value. */
		if (count > 0 && strcmp(benchmark->unit, "s") == 0 &&
		    write_benchmark(&json, benchmark) < 0)
			return err_set(err, ERR_MEMORY, "no memory to write the results");
	}
	json_array_end(&json);
	json_key(&json, "datetime");
	bench_time_text(date, sizeof(date), isnan(results->created_s) ? 0 : results->created_s);
	json_text(&json, date);
	json_key(&json, "version");
	json_text(&json, "4.0.0");
	json_object_end(&json);
	return bench_stream_check(file, err);
}
