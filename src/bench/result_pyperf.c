/* pyperf's JSON, version 1.0 (pyperf 1.0 and later; its _bench.py and _metadata.py tell the
 * format): docs/formats/pyperf.md. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "bench/result_internal.h"

/* Units by pyperf's names. */
static const struct {
	const char *theirs, *ours;
	enum bench_kind kind;
} units[] = {
    {"second", "s", BENCH_TIME},
    {"byte", "bytes", BENCH_PEAK_MEMORY},
    {"integer", "integer", BENCH_TRACK},
};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

/* Facts by pyperf's names; all others are written with the prefix, since pyperf gives some names
 * a type of its own. */
static const struct {
	const char *theirs, *ours;
} facts[] = {
    {"python_version", "python"},
    {"python_implementation", "implementation"},
    {"python_executable", "python_executable"},
    {"cpu_model_name", "cpu_model"},
    {"hostname", "hostname"},
    {"platform", "platform"},
};
#define FACT_COUNT (sizeof(facts) / sizeof(facts[0]))
#define FACT_PREFIX "pyrometer_"

/* Of one run, or already held elsewhere in the model. */
static const char *const not_facts[] = {
    "name",	   "unit",	  "loops",	     "inner_loops",	  "date",
    "duration",	   "mem_max_rss", "calibrate_loops", "recalibrate_loops", "uptime",
    "perf_version"};

/* ---- Reading ---- */

/* The metadata of a run counts before its benchmark's, that before the suite's. */
struct metadata {
	const json_t *levels[3];
};

static const json_t *metadata_get(const struct metadata *metadata, const char *key)
{
	for (size_t i = 0; i < 3; i++) {
		const json_t *value = bench_json_member(metadata->levels[i], key);

		if (value != NULL)
			return value;
	}
	return NULL;
}

static const char *metadata_text(const struct metadata *metadata, const char *key)
{
	const char *text = NULL;

	bench_json_text(metadata_get(metadata, key), &text);
	return text;
}

static int read_facts(const struct bench_reading *reading, const json_t *metadata,
		      struct bench_results *results)
{
	char number[40];
	const char *key;
	json_t *value;

	if (metadata == NULL)
		return 0;
	json_object_foreach((json_t *)metadata, key, value)
	{
		const char *name = key;
		bool skip = json_is_object(value) || json_is_array(value);

		for (size_t i = 0; i < sizeof(not_facts) / sizeof(not_facts[0]); i++)
			skip = skip || strcmp(key, not_facts[i]) == 0;
		for (size_t i = 0; i < FACT_COUNT; i++)
			name = strcmp(key, facts[i].theirs) == 0 ? facts[i].ours : name;
		if (strncmp(key, FACT_PREFIX, strlen(FACT_PREFIX)) == 0)
			name = key + strlen(FACT_PREFIX);
		if (skip || bench_results_fact_of(results, name) != NULL)
			continue;
		if (bench_results_fact(results, name,
				       bench_scalar_text(value, number, sizeof(number))) < 0)
			return bench_no_memory(reading);
	}
	return 0;
}

#define RUN_WHERE "benchmarks[%zu].runs[%zu].%s"

static int read_warmups(const struct bench_reading *reading, const json_t *list, size_t b, size_t r,
			struct bench_run *run)
{
	uint64_t loops;
	double value;

	if (list != NULL && !json_is_array(list))
		return bench_wrong(reading, list, "a list", RUN_WHERE, b, r, "warmups");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *pair = json_array_get(list, i);

		if (!json_is_array(pair) || json_array_size(pair) != 2 ||
		    !bench_json_count(json_array_get(pair, 0), &loops) ||
		    !bench_json_number(json_array_get(pair, 1), &value))
			return bench_wrong(reading, pair, "a pair of loops and value",
					   "benchmarks[%zu].runs[%zu].warmups[%zu]", b, r, i);
		if (bench_run_add(run, value, true, 0) < 0)
			return bench_no_memory(reading);
	}
	return 0;
}

static int read_loops(const struct bench_reading *reading, const struct metadata *metadata,
		      size_t b, size_t r, struct bench_run *run)
{
	const json_t *loops = metadata_get(metadata, "loops");
	const json_t *inner = metadata_get(metadata, "inner_loops");
	uint64_t outer_count = 1, inner_count = 1;

	if (loops != NULL && !bench_json_count(loops, &outer_count))
		return bench_wrong(reading, loops, "a whole number", RUN_WHERE, b, r,
				   "metadata.loops");
	if (inner != NULL && !bench_json_count(inner, &inner_count))
		return bench_wrong(reading, inner, "a whole number", RUN_WHERE, b, r,
				   "metadata.inner_loops");
	if (__builtin_mul_overflow(outer_count, inner_count, &run->loops))
		return bench_wrong(reading, loops, "a smaller number", RUN_WHERE, b, r,
				   "metadata.loops");
	return 0;
}

static int read_run(const struct bench_reading *reading, const json_t *object,
		    const struct metadata *metadata, size_t b, size_t r,
		    struct benchmark *benchmark)
{
	const json_t *values = bench_json_member(object, "values");
	const char *date = metadata_text(metadata, "date");
	struct bench_run *run = benchmark_add_run(benchmark);
	double value;
	int failed;

	if (run == NULL)
		return bench_no_memory(reading);
	if (values != NULL && !json_is_array(values))
		return bench_wrong(reading, values, "a list", RUN_WHERE, b, r, "values");
	failed = read_loops(reading, metadata, b, r, run);
	if (failed == 0)
		failed = read_warmups(reading, bench_json_member(object, "warmups"), b, r, run);
	for (size_t i = 0; failed == 0 && i < json_array_size(values); i++) {
		if (!bench_json_number(json_array_get(values, i), &value))
			return bench_wrong(reading, json_array_get(values, i), "a number",
					   "benchmarks[%zu].runs[%zu].values[%zu]", b, r, i);
		if (bench_run_add(run, value, false, 0) < 0)
			return bench_no_memory(reading);
	}
	run->start_s = date != NULL ? bench_time_of(date) : NAN;
	bench_json_count(metadata_get(metadata, "mem_max_rss"), &run->counters.peak_rss_bytes);
	return failed;
}

static struct benchmark *add_benchmark(const struct metadata *metadata,
				       struct bench_results *results, const char *name)
{
	const char *unit = metadata_text(metadata, "unit");
	enum bench_kind kind = BENCH_TRACK;

	unit = unit != NULL ? unit : "second";
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		if (strcmp(unit, units[i].theirs) == 0) {
			kind = units[i].kind;
			unit = units[i].ours;
			break;
		}
	}
	return bench_results_add(results, name, unit, kind);
}

static int read_benchmark(const struct bench_reading *reading, const json_t *object,
			  const json_t *suite, size_t b, struct bench_results *results)
{
	const json_t *runs = bench_json_member(object, "runs");
	struct metadata metadata = {{bench_json_member(json_array_get(runs, 0), "metadata"),
				     bench_json_member(object, "metadata"), suite}};
	const char *name = metadata_text(&metadata, "name");
	struct benchmark *benchmark;
	int failed = 0;

	if (!json_is_array(runs) || json_array_size(runs) == 0)
		return bench_wrong(reading, runs, "a list of runs", "benchmarks[%zu].runs", b);
	if (name == NULL)
		return bench_wrong(reading, metadata_get(&metadata, "name"), "a text",
				   "benchmarks[%zu].metadata.name", b);
	benchmark = add_benchmark(&metadata, results, name);
	if (benchmark == NULL)
		return bench_no_memory(reading);
	failed = read_facts(reading, metadata.levels[1], results);
	if (failed == 0)
		failed = read_facts(reading, metadata.levels[0], results);
	for (size_t i = 0; failed == 0 && i < json_array_size(runs); i++) {
		const json_t *run = json_array_get(runs, i);

		if (!json_is_object(run))
			return bench_wrong(reading, run, "an object", "benchmarks[%zu].runs[%zu]",
					   b, i);
		metadata.levels[0] = bench_json_member(run, "metadata");
		failed = read_run(reading, run, &metadata, b, i, benchmark);
	}
	return failed;
}

int bench_read_pyperf(const struct bench_reading *reading, const json_t *root,
		      struct bench_results *results)
{
	const json_t *benchmarks = bench_json_member(root, "benchmarks");
	const json_t *suite = bench_json_member(root, "metadata");
	const char *version = json_string_value(json_object_get(root, "version"));
	const char *tool_version = NULL;
	int r;

	/* Warm-ups were raw values before, and other things called otherwise. */
	if (version == NULL || strcmp(version, "1.0") != 0)
		return bench_wrong(reading, json_object_get(root, "version"), "\"1.0\"", "version");
	bench_json_text(bench_json_member(suite, "perf_version"), &tool_version);
	if (bench_text_set(&results->tool, "pyperf") < 0 ||
	    bench_text_set(&results->tool_version, tool_version) < 0)
		return bench_no_memory(reading);
	r = read_facts(reading, suite, results);
	for (size_t i = 0; r == 0 && i < json_array_size(benchmarks); i++)
		r = read_benchmark(reading, json_array_get(benchmarks, i), suite, i, results);
	for (size_t i = 0; r == 0 && i < results->benchmark_count; i++) {
		if (results->benchmarks[i].run_count > 0 && isnan(results->created_s))
			results->created_s = results->benchmarks[i].runs[0].start_s;
	}
	return r;
}

/* ---- Writing ---- */

/* pyperf refuses a metadata text that is empty or has more than one line. */
static bool fits_metadata(const char *text)
{
	return text != NULL && text[strspn(text, " \t")] != '\0' && strpbrk(text, "\r\n") == NULL;
}

static void write_facts(struct json_writer *json, const struct bench_results *results)
{
	char name[128];

	json_key(json, "metadata");
	json_object_begin(json);
	for (size_t i = 0; i < results->fact_count; i++) {
		const struct bench_fact *fact = &results->facts[i];

		if (!fits_metadata(fact->value))
			continue;
		snprintf(name, sizeof(name), FACT_PREFIX "%s", fact->name);
		for (size_t k = 0; k < FACT_COUNT; k++) {
			if (strcmp(fact->name, facts[k].ours) == 0)
				snprintf(name, sizeof(name), "%s", facts[k].theirs);
		}
		json_key(json, name);
		json_text(json, fact->value);
	}
	json_object_end(json);
}

static void write_run(struct json_writer *json, const struct bench_run *run)
{
	char date[BENCH_TIME_TEXT_MAX];
	uint64_t loops = run->loops > 0 ? run->loops : 1;

	json_object_begin(json);
	json_key(json, "metadata");
	json_object_begin(json);
	json_key(json, "loops");
	json_unsigned(json, loops);
	if (*bench_time_text(date, sizeof(date), run->start_s) != '\0') {
		date[10] = ' ';
		date[26] = '\0'; /* pyperf's has no zone */
		json_key(json, "date");
		json_text(json, date);
	}
	if (run->counters.peak_rss_bytes != UINT64_MAX) {
		json_key(json, "mem_max_rss");
		json_unsigned(json, run->counters.peak_rss_bytes);
	}
	json_object_end(json);
	if (run->warmup_count > 0) {
		json_key(json, "warmups");
		json_array_begin(json);
		for (size_t i = 0; i < run->warmup_count; i++) {
			json_array_begin(json);
			json_unsigned(json, loops);
			bench_json_exact(json, run->warmups[i]);
			json_array_end(json);
		}
		json_array_end(json);
	}
	if (run->value_count > 0) {
		json_key(json, "values");
		json_array_begin(json);
		for (size_t i = 0; i < run->value_count; i++)
			bench_json_exact(json, run->values[i]);
		json_array_end(json);
	}
	json_object_end(json);
}

/* pyperf's runs have values > 0 and warm-ups ≥ 0. */
static int check_values(const struct benchmark *benchmark, size_t *ret_count, struct err *err)
{
	size_t count = 0;
	double wrong = 1;

	for (size_t i = 0; i < benchmark->run_count; i++) {
		const struct bench_run *run = &benchmark->runs[i];

		count += run->value_count;
		for (size_t k = 0; k < run->value_count; k++)
			wrong = run->values[k] > 0 ? wrong : run->values[k];
		for (size_t k = 0; k < run->warmup_count; k++)
			wrong = run->warmups[k] >= 0 ? wrong : run->warmups[k];
	}
	*ret_count = count;
	if (!(wrong > 0)) {
		int r = err_set(err, ERR_FILE, "a pyperf file can't hold %s", benchmark->name);

		err_why(err, "it has the value %g, and pyperf takes only values above 0", wrong);
		err_next(err, "write Pyrometer's own file instead: --json");
		return r;
	}
	return 0;
}

static int refuse_twice(const struct benchmark *benchmark, struct err *err)
{
	int r = err_set(err, ERR_FILE, "a pyperf file can't hold %s", benchmark->name);

	err_why(err, "it is there twice, and pyperf takes each name once");
	err_next(err, "write Pyrometer's own file instead: --json");
	return r;
}

static int write_benchmark(struct json_writer *json, const struct benchmark *benchmark,
			   struct err *err)
{
	const char *unit = benchmark->unit;
	size_t count = 0;
	char *name;
	int r = check_values(benchmark, &count, err);

	if (r < 0 || count == 0)
		return r;
	name = benchmark_full_name(benchmark);
	if (name == NULL)
		return err_set(err, ERR_MEMORY, "no memory to write the results");
	for (char *c = name; *c != '\0'; c++)
		*c = *c == '\n' || *c == '\r' ? ' ' : *c;
	for (size_t i = 0; i < UNIT_COUNT; i++)
		unit = strcmp(unit, units[i].ours) == 0 ? units[i].theirs : unit;
	json_object_begin(json);
	json_key(json, "metadata");
	json_object_begin(json);
	json_key(json, "name");
	json_text(json, fits_metadata(name) ? name : "(unnamed)");
	json_key(json, "unit");
	/* pyperf knows these three only. */
	json_text(json, unit != benchmark->unit ? unit : "integer");
	json_object_end(json);
	json_key(json, "runs");
	json_array_begin(json);
	for (size_t i = 0; i < benchmark->run_count; i++) {
		if (benchmark->runs[i].value_count + benchmark->runs[i].warmup_count > 0)
			write_run(json, &benchmark->runs[i]);
	}
	json_array_end(json);
	json_object_end(json);
	mem_free(name);
	return 0;
}

int bench_write_pyperf(const struct bench_results *results, FILE *file, struct err *err)
{
	struct json_writer json;
	int r;

	json_start(&json, file, true);
	json_object_begin(&json);
	json_key(&json, "benchmarks");
	json_array_begin(&json);
	for (size_t i = 0; i < results->benchmark_count; i++) {
		const struct benchmark *benchmark = &results->benchmarks[i];

		r = bench_results_find(results, benchmark->name, benchmark->params,
				       benchmark->param_count) != benchmark
			? refuse_twice(benchmark, err)
			: write_benchmark(&json, benchmark, err);
		if (r < 0)
			return r;
	}
	json_array_end(&json);
	write_facts(&json, results);
	json_key(&json, "version");
	json_text(&json, "1.0");
	json_object_end(&json);
	return bench_stream_check(file, err);
}
