/* Our own file of results: `bench --json`. What is written here is read back whole, to the last
 * bit of each number. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "bench/result_internal.h"

static const char *const kind_names[] = {
    [BENCH_TIME] = "time",
    [BENCH_PEAK_MEMORY] = "peak-memory",
    [BENCH_TRACK] = "track",
    [BENCH_LATENCY] = "latency",
};
#define KIND_COUNT (sizeof(kind_names) / sizeof(kind_names[0]))

/* One list for writing and reading. */
static const struct counter_field {
	const char *name;
	size_t offset;
	bool is_double;
} counter_fields[] = {
    {"cpu_s", offsetof(struct bench_counters, cpu_s), true},
    {"peak_rss_bytes", offsetof(struct bench_counters, peak_rss_bytes), false},
    {"modules", offsetof(struct bench_counters, modules), false},
    {"syscalls", offsetof(struct bench_counters, syscalls), false},
    {"voluntary_switches", offsetof(struct bench_counters, voluntary_switches), false},
    {"involuntary_switches", offsetof(struct bench_counters, involuntary_switches), false},
    {"minor_faults", offsetof(struct bench_counters, minor_faults), false},
    {"major_faults", offsetof(struct bench_counters, major_faults), false},
    {"gc_collections", offsetof(struct bench_counters, gc_collections), false},
    {"calls", offsetof(struct bench_counters, calls), false},
    {"bytecodes", offsetof(struct bench_counters, bytecodes), false},
    {"instructions", offsetof(struct bench_counters, instructions), false},
    {"allocations", offsetof(struct bench_counters, allocations), false},
    {"energy_j", offsetof(struct bench_counters, energy_j), true},
    {"steal_s", offsetof(struct bench_counters, steal_s), true},
};
#define COUNTER_COUNT (sizeof(counter_fields) / sizeof(counter_fields[0]))

/* ---- Writing ---- */

static void write_numbers(struct json_writer *json, const char *key, const double *values,
			  size_t count)
{
	json_key(json, key);
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		bench_json_exact(json, values[i]);
	json_array_end(json);
}

static void write_counters(struct json_writer *json, const struct bench_counters *counters)
{
	json_key(json, "counters");
	json_object_begin(json);
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		const void *field = (const char *)counters + counter_fields[i].offset;

		json_key(json, counter_fields[i].name);
		if (counter_fields[i].is_double)
			bench_json_exact(json, *(const double *)field);
		else
			json_unsigned(json, *(const uint64_t *)field);
	}
	json_object_end(json);
}

/* A whole number that a reader may hold in 64 bits with a sign is a number, a larger one a
 * text. */
static void write_whole(struct json_writer *json, const char *key, uint64_t value)
{
	char text[24];

	json_key(json, key);
	if (value <= INT64_MAX) {
		json_unsigned(json, value);
		return;
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	json_text(json, text);
}

static void write_run(struct json_writer *json, const struct bench_run *run)
{
	json_object_begin(json);
	write_whole(json, "seed", run->seed);
	write_whole(json, "loops", run->loops);
	json_key(json, "start_s");
	bench_json_exact(json, run->start_s);
	write_numbers(json, "warmups", run->warmups, run->warmup_count);
	write_numbers(json, "values", run->values, run->value_count);
	if (run->causes != NULL) {
		json_key(json, "causes");
		json_array_begin(json);
		for (size_t i = 0; i < run->value_count; i++)
			json_unsigned(json, run->causes[i]);
		json_array_end(json);
	}
	write_counters(json, &run->counters);
	json_object_end(json);
}

static void write_summary(struct json_writer *json, const struct summary *summary, bool is_time)
{
	const struct {
		const char *name;
		double value;
	} fields[] = {
	    {"min", summary->min},
	    {"q1", summary->q1},
	    {"median", summary->median},
	    {"q3", summary->q3},
	    {"mean", summary->mean},
	    {"p95", summary->p95},
	    {"p99", summary->p99},
	    {"max", summary->max},
	    {"sd", summary->sd},
	    {"throughput", is_time && summary->mean > 0 ? 1 / summary->mean : NAN},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		json_key(json, fields[i].name);
		json_number(json, summary->n > 0 ? fields[i].value : NAN);
	}
}

static int write_benchmark(struct json_writer *json, const struct benchmark *benchmark)
{
	bool is_time = benchmark->kind == BENCH_TIME && strcmp(benchmark->unit, "s") == 0;
	struct summary summary;
	double *values = NULL;
	size_t count = 0;

	if (benchmark_summary(benchmark, &summary) < 0 ||
	    benchmark_values(benchmark, &values, &count) < 0)
		return -ERR_MEMORY;
	json_object_begin(json);
	json_key(json, "name");
	json_text(json, benchmark->name);
	json_key(json, "unit");
	json_text(json, benchmark->unit);
	json_key(json, "kind");
	json_text(json, kind_names[benchmark->kind]);
	json_key(json, "params");
	json_array_begin(json);
	for (size_t i = 0; i < benchmark->param_count; i++) {
		json_object_begin(json);
		json_key(json, "name");
		json_text(json, benchmark->params[i].name);
		json_key(json, "value");
		json_text(json, benchmark->params[i].value);
		json_object_end(json);
	}
	json_array_end(json);
	json_key(json, "n");
	json_unsigned(json, count);
	write_summary(json, &summary, is_time);
	json_key(json, "overhead_s");
	bench_json_exact(json, benchmark->overhead_s);
	json_key(json, "failure");
	json_text(json, benchmark->failure);
	write_numbers(json, "values", values, count);
	json_key(json, "runs");
	json_array_begin(json);
	for (size_t i = 0; i < benchmark->run_count; i++)
		write_run(json, &benchmark->runs[i]);
	json_array_end(json);
	json_object_end(json);
	mem_free(values);
	return 0;
}

int bench_results_write(const struct bench_results *results, FILE *file, struct err *err)
{
	struct json_writer json;

	json_start(&json, file, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_signed(&json, BENCH_SCHEMA_VERSION);
	json_key(&json, "tool");
	json_text(&json, results->tool);
	json_key(&json, "tool_version");
	json_text(&json, results->tool_version);
	json_key(&json, "created_s");
	bench_json_exact(&json, results->created_s);
	json_key(&json, "environment");
	json_object_begin(&json);
	for (size_t i = 0; i < results->fact_count; i++) {
		json_key(&json, results->facts[i].name);
		json_text(&json, results->facts[i].value);
	}
	json_object_end(&json);
	json_key(&json, "benchmarks");
	json_array_begin(&json);
	for (size_t i = 0; i < results->benchmark_count; i++) {
		if (write_benchmark(&json, &results->benchmarks[i]) < 0)
			return err_set(err, ERR_MEMORY, "no memory to write the results");
	}
	json_array_end(&json);
	json_object_end(&json);
	return bench_stream_check(file, err);
}

/* ---- Reading ---- */

struct place {
	const struct bench_reading *reading;
	size_t benchmark, run;
};

#define WRONG(place, value, wanted, name)                                                          \
	bench_wrong((place)->reading, value, wanted, "benchmarks[%zu].runs[%zu].%s",               \
		    (place)->benchmark, (place)->run, name)

static int read_counters(const struct place *place, const json_t *object,
			 struct bench_counters *counters)
{
	if (object == NULL)
		return 0;
	if (!json_is_object(object))
		return WRONG(place, object, "an object", "counters");
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		const json_t *value = bench_json_member(object, counter_fields[i].name);
		void *field = (char *)counters + counter_fields[i].offset;

		if (value == NULL)
			continue;
		if (counter_fields[i].is_double ? !bench_json_number(value, field)
						: !bench_json_count(value, field))
			return WRONG(place, value, "a number", counter_fields[i].name);
	}
	return 0;
}

static int read_numbers(const struct place *place, const json_t *object, const char *key,
			struct bench_run *run)
{
	bool are_warmups = strcmp(key, "warmups") == 0;
	const json_t *list = bench_json_member(object, key);
	const json_t *causes = are_warmups ? NULL : bench_json_member(object, "causes");
	double number;
	uint64_t cause;

	if (list == NULL)
		return 0;
	if (!json_is_array(list))
		return WRONG(place, list, "a list of numbers", key);
	if (causes != NULL && json_array_size(causes) != json_array_size(list))
		return WRONG(place, causes, "a list with one entry a value", "causes");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *value = json_array_get(list, i);

		cause = 0;
		if (!bench_json_number(value, &number))
			return WRONG(place, value, "a list of numbers", key);
		if (causes != NULL &&
		    (!bench_json_count(json_array_get(causes, i), &cause) || cause > UINT8_MAX))
			return WRONG(place, json_array_get(causes, i), "a number up to 255",
				     "causes");
		if (bench_run_add(run, number, are_warmups, (uint8_t)cause) < 0)
			return bench_no_memory(place->reading);
	}
	return 0;
}

/* A number, or the text of one that is too large for others' readers. */
static bool read_whole(const json_t *value, uint64_t *ret_whole)
{
	const char *text;
	char *end;

	if (bench_json_count(value, ret_whole))
		return true;
	if (!bench_json_text(value, &text) || *text < '0' || *text > '9' || strlen(text) > 20)
		return false;
	*ret_whole = strtoull(text, &end, 10);
	return *end == '\0';
}

static int read_run(const struct place *place, const json_t *object, struct bench_run *run)
{
	const json_t *seed, *loops, *start;
	int r;

	if (!json_is_object(object))
		return bench_wrong(place->reading, object, "an object", "benchmarks[%zu].runs[%zu]",
				   place->benchmark, place->run);
	seed = bench_json_member(object, "seed");
	loops = bench_json_member(object, "loops");
	start = bench_json_member(object, "start_s");
	if (seed != NULL && !read_whole(seed, &run->seed))
		return WRONG(place, seed, "a whole number", "seed");
	if (loops != NULL && !read_whole(loops, &run->loops))
		return WRONG(place, loops, "a whole number", "loops");
	if (start != NULL && !bench_json_number(start, &run->start_s))
		return WRONG(place, start, "a number", "start_s");
	r = read_numbers(place, object, "warmups", run);
	if (r == 0)
		r = read_numbers(place, object, "values", run);
	if (r == 0)
		r = read_counters(place, bench_json_member(object, "counters"), &run->counters);
	return r;
}

static int read_runs(struct place *place, const json_t *object, struct benchmark *benchmark)
{
	const json_t *runs = bench_json_member(object, "runs");
	struct bench_run *run;
	int r = 0;

	if (runs == NULL) { /* written by hand: all values are one run */
		run = benchmark_add_run(benchmark);
		return run == NULL ? bench_no_memory(place->reading)
				   : read_numbers(place, object, "values", run);
	}
	if (!json_is_array(runs))
		return bench_wrong(place->reading, runs, "a list", "benchmarks[%zu].runs",
				   place->benchmark);
	for (place->run = 0; r == 0 && place->run < json_array_size(runs); place->run++) {
		run = benchmark_add_run(benchmark);
		if (run == NULL)
			return bench_no_memory(place->reading);
		r = read_run(place, json_array_get(runs, place->run), run);
	}
	return r;
}

static int read_params(const struct place *place, const json_t *list, struct benchmark *benchmark)
{
	const char *name, *value;

	if (list == NULL)
		return 0;
	if (!json_is_array(list))
		return bench_wrong(place->reading, list, "a list", "benchmarks[%zu].params",
				   place->benchmark);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *param = json_array_get(list, i);

		if (!bench_json_text(bench_json_member(param, "name"), &name) ||
		    !bench_json_text(bench_json_member(param, "value"), &value))
			return bench_wrong(place->reading, param, "an object of name and value",
					   "benchmarks[%zu].params[%zu]", place->benchmark, i);
		if (benchmark_param(benchmark, name, value) < 0)
			return bench_no_memory(place->reading);
	}
	return 0;
}

static int kind_of(const char *name)
{
	for (size_t i = 0; i < KIND_COUNT; i++) {
		if (strcmp(kind_names[i], name) == 0)
			return (int)i;
	}
	return -1;
}

static int read_benchmark(struct place *place, const json_t *object, struct bench_results *results)
{
	const json_t *failure = bench_json_member(object, "failure");
	const json_t *overhead = bench_json_member(object, "overhead_s");
	const json_t *kind = bench_json_member(object, "kind");
	const char *name, *unit = "s", *kind_name = kind_names[BENCH_TIME], *text = NULL;
	struct benchmark *benchmark;
	int r;

	if (!bench_json_text(bench_json_member(object, "name"), &name))
		return bench_wrong(place->reading, bench_json_member(object, "name"), "a text",
				   "benchmarks[%zu].name", place->benchmark);
	bench_json_text(bench_json_member(object, "unit"), &unit);
	if (kind != NULL && (!bench_json_text(kind, &kind_name) || kind_of(kind_name) < 0))
		return bench_wrong(place->reading, kind, "time, peak-memory, track or latency",
				   "benchmarks[%zu].kind", place->benchmark);
	if (failure != NULL && !bench_json_text(failure, &text))
		return bench_wrong(place->reading, failure, "a text or null",
				   "benchmarks[%zu].failure", place->benchmark);
	benchmark = bench_results_add(results, name, unit, (enum bench_kind)kind_of(kind_name));
	if (benchmark == NULL || bench_text_set(&benchmark->failure, text) < 0)
		return bench_no_memory(place->reading);
	if (overhead != NULL && !bench_json_number(overhead, &benchmark->overhead_s))
		return bench_wrong(place->reading, overhead, "a number",
				   "benchmarks[%zu].overhead_s", place->benchmark);
	r = read_params(place, bench_json_member(object, "params"), benchmark);
	return r == 0 ? read_runs(place, object, benchmark) : r;
}

static int read_heading(const struct bench_reading *reading, const json_t *root,
			struct bench_results *results)
{
	const json_t *created = bench_json_member(root, "created_s");
	const json_t *facts = bench_json_member(root, "environment");
	const char *tool = NULL, *version = NULL, *key;
	char text[BENCH_TIME_TEXT_MAX];
	json_t *value;

	bench_json_text(bench_json_member(root, "tool"), &tool);
	bench_json_text(bench_json_member(root, "tool_version"), &version);
	if (bench_text_set(&results->tool, tool) < 0 ||
	    bench_text_set(&results->tool_version, version) < 0)
		return bench_no_memory(reading);
	if (created != NULL && !bench_json_number(created, &results->created_s))
		return bench_wrong(reading, created, "a number", "created_s");
	if (facts == NULL)
		return 0;
	if (!json_is_object(facts))
		return bench_wrong(reading, facts, "an object", "environment");
	json_object_foreach((json_t *)facts, key, value)
	{
		const char *fact = bench_scalar_text(value, text, sizeof(text));

		if (json_is_object(value) || json_is_array(value))
			return bench_wrong(reading, value, "a text", "environment.%s", key);
		if (bench_results_fact(results, key, json_is_null(value) ? NULL : fact) < 0)
			return bench_no_memory(reading);
	}
	return 0;
}

int bench_read_own(const struct bench_reading *reading, const json_t *root,
		   struct bench_results *results)
{
	const json_t *benchmarks = bench_json_member(root, "benchmarks");
	struct place place = {.reading = reading};
	int r = read_heading(reading, root, results);

	if (r < 0)
		return r;
	if (!json_is_array(benchmarks))
		return bench_wrong(reading, benchmarks, "a list", "benchmarks");
	if (json_array_size(benchmarks) > BENCH_COUNT_MAX)
		return bench_wrong(reading, benchmarks, "a shorter list", "benchmarks");
	for (; r == 0 && place.benchmark < json_array_size(benchmarks); place.benchmark++)
		r = read_benchmark(&place, json_array_get(benchmarks, place.benchmark), results);
	return r;
}
