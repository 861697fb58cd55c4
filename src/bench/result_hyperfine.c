/* hyperfine's --export-json (1.0 and later): docs/formats/hyperfine.md. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "bench/result_internal.h"

#define FAILURE_MAX 160

/* A time of a command that failed is no time of what was asked for. */
static int read_exit_codes(const struct bench_reading *reading, const json_t *codes, size_t at,
			   struct benchmark *benchmark)
{
	size_t failed = 0, size = json_array_size(codes);
	char text[FAILURE_MAX], last[40] = "";

	if (codes == NULL)
		return 0;
	if (!json_is_array(codes))
		return bench_wrong(reading, codes, "a list", "results[%zu].exit_codes", at);
	for (size_t i = 0; i < size; i++) {
		const json_t *code = json_array_get(codes, i);

		if (json_is_integer(code) && json_integer_value(code) == 0)
			continue;
		failed++;
		if (json_is_integer(code))
			snprintf(last, sizeof(last), "with status %" JSON_INTEGER_FORMAT,
				 json_integer_value(code));
		else
			snprintf(last, sizeof(last), "by a signal, or unknown to hyperfine");
	}
	if (failed == 0)
		return 0;
	snprintf(text, sizeof(text), "%zu of %zu runs failed: the last of them ended %s", failed,
		 size, last);
	return bench_text_set(&benchmark->failure, text) < 0 ? bench_no_memory(reading) : 0;
}

static int read_parameters(const struct bench_reading *reading, const json_t *parameters, size_t at,
			   struct benchmark *benchmark)
{
	char number[40];
	const char *key;
	json_t *value;

	if (parameters == NULL)
		return 0;
	if (!json_is_object(parameters))
		return bench_wrong(reading, parameters, "an object", "results[%zu].parameters", at);
	json_object_foreach((json_t *)parameters, key, value)
	{
		if (benchmark_param(benchmark, key,
				    bench_scalar_text(value, number, sizeof(number))) < 0)
			return bench_no_memory(reading);
	}
	return 0;
}

/* Each time is a process of its own. Its memory is left out: hyperfine's figure may be that of a
 * command before it. */
static int read_times(const struct bench_reading *reading, const json_t *object, size_t at,
		      struct benchmark *benchmark)
{
	const json_t *times = bench_json_member(object, "times");
	struct bench_run *run;
	double number;

	if (times == NULL || json_array_size(times) == 0)
		return bench_text_set(&benchmark->failure,
				      "the file has no times, only their summary") < 0
			   ? bench_no_memory(reading)
			   : 0;
	for (size_t i = 0; i < json_array_size(times); i++) {
		if (!bench_json_number(json_array_get(times, i), &number))
			return bench_wrong(reading, json_array_get(times, i), "a number",
					   "results[%zu].times[%zu]", at, i);
		run = benchmark_add_run(benchmark);
		if (run == NULL || bench_run_add(run, number, false, 0) < 0)
			return bench_no_memory(reading);
	}
	return 0;
}

int bench_read_hyperfine(const struct bench_reading *reading, const json_t *root,
			 struct bench_results *results)
{
	const json_t *list = json_object_get(root, "results");
	const char *command;
	int r = 0;

	if (bench_text_set(&results->tool, "hyperfine") < 0)
		return bench_no_memory(reading);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const json_t *object = json_array_get(list, i);
		const json_t *times = bench_json_member(object, "times");
		struct benchmark *benchmark;

		if (!json_is_object(object))
			return bench_wrong(reading, object, "an object", "results[%zu]", i);
		if (!bench_json_text(bench_json_member(object, "command"), &command))
			return bench_wrong(reading, bench_json_member(object, "command"), "a text",
					   "results[%zu].command", i);
		if (times != NULL && !json_is_array(times))
			return bench_wrong(reading, times, "a list", "results[%zu].times", i);
		benchmark = bench_results_add(results, command, "s", BENCH_TIME);
		if (benchmark == NULL)
			return bench_no_memory(reading);
		r = read_times(reading, object, i, benchmark);
		if (r == 0)
			r = read_exit_codes(reading, bench_json_member(object, "exit_codes"), i,
					    benchmark);
		if (r == 0)
			r = read_parameters(reading, bench_json_member(object, "parameters"), i,
					    benchmark);
	}
	return r;
}

/* ---- Writing ---- */

static void write_per_run(struct json_writer *json, const struct benchmark *benchmark)
{
	json_key(json, "memory_usage_byte");
	json_array_begin(json);
	for (size_t i = 0; i < benchmark->run_count; i++) {
		for (size_t k = 0; k < benchmark->runs[i].value_count; k++)
			json_unsigned(json, benchmark->runs[i].counters.peak_rss_bytes);
	}
	json_array_end(json);
	json_key(json, "exit_codes");
	json_array_begin(json);
	for (size_t i = 0; i < benchmark->run_count; i++) {
		for (size_t k = 0; k < benchmark->runs[i].value_count; k++)
			json_absent(json);
	}
	json_array_end(json);
	json_key(json, "parameters");
	json_object_begin(json);
	for (size_t i = 0; i < benchmark->param_count; i++) {
		json_key(json, benchmark->params[i].name);
		json_text(json, benchmark->params[i].value);
	}
	json_object_end(json);
}

static int write_result(struct json_writer *json, const struct benchmark *benchmark)
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
	} fields[] = {{"mean", summary.mean}, {"stddev", summary.sd}, {"median", summary.median},
		      {"user", NAN},	      {"system", NAN},	      {"min", summary.min},
		      {"max", summary.max}};

	json_object_begin(json);
	json_key(json, "command");
	json_text(json, benchmark->name);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		json_key(json, fields[i].name);
		bench_json_exact(json, fields[i].value);
	}
	json_key(json, "times");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		bench_json_exact(json, values[i]);
	json_array_end(json);
	write_per_run(json, benchmark);
	json_object_end(json);
	mem_free(values);
	return 0;
}

int bench_write_hyperfine(const struct bench_results *results, FILE *file, struct err *err)
{
	struct json_writer json;

	json_start(&json, file, true);
	json_object_begin(&json);
	json_key(&json, "results");
	json_array_begin(&json);
	for (size_t i = 0; i < results->benchmark_count; i++) {
		const struct benchmark *benchmark = &results->benchmarks[i];

		/* hyperfine knows seconds only. */
		if (strcmp(benchmark->unit, "s") == 0 && write_result(&json, benchmark) < 0)
			return err_set(err, ERR_MEMORY, "no memory to write the results");
	}
	json_array_end(&json);
	json_object_end(&json);
	return bench_stream_check(file, err);
}
