/* asv's results, version 2 (asv 0.5 and later; its results.py tells the format):
 * docs/formats/asv.md. Reading; writing is in result_asv_write.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/result_internal.h"

#define COLUMNS_MAX 32
#define PARAMS_MAX 16 /* per benchmark */
#define RESULTS_VERSION 2

struct asv_file {
	const struct bench_reading *reading;
	const char *columns[COLUMNS_MAX];
	size_t column_count;
	json_t *benchmarks; /* benchmarks.json of the folder above: units, names of params; NULL */
};

/* A benchmark's row is cut behind its last column that says something. */
static const json_t *column(const struct asv_file *file, const json_t *row, const char *name)
{
	for (size_t i = 0; i < file->column_count; i++) {
		if (strcmp(file->columns[i], name) == 0) {
			const json_t *value = json_array_get(row, i);

			return json_is_null(value) ? NULL : value;
		}
	}
	return NULL;
}

/* What asv tells by the first part of a function's name. */
static const struct {
	const char *prefix, *unit;
	enum bench_kind kind;
} kinds[] = {
    {"timeraw_", "s", BENCH_TIME},
    {"time_", "s", BENCH_TIME},
    {"peakmem_", "bytes", BENCH_PEAK_MEMORY},
    {"mem_", "bytes", BENCH_TRACK},
    {"track_", "unit", BENCH_TRACK},
};

static const char *base_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL ? dot + 1 : name;
}

static struct benchmark *add_benchmark(const struct asv_file *file, struct bench_results *results,
				       const char *name)
{
	const json_t *known = json_object_get(file->benchmarks, name);
	const char *unit = "s", *base = base_name(name);
	enum bench_kind kind = BENCH_TIME;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(base, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
			unit = kinds[i].unit;
			kind = kinds[i].kind;
			break;
		}
	}
	if (bench_json_text(bench_json_member(known, "unit"), &unit) &&
	    strcmp(unit, "seconds") == 0)
		unit = "s";
	return bench_results_add(results, name, unit, kind);
}

/* Texts are written as Python's repr: 'a' is a. */
static int add_param(const struct asv_file *file, struct benchmark *benchmark, size_t at,
		     const json_t *value)
{
	const json_t *names =
	    bench_json_member(json_object_get(file->benchmarks, benchmark->name), "param_names");
	const char *name = NULL, *text;
	char number[40], fallback[32];
	char *copy;
	size_t length;
	int r;

	snprintf(fallback, sizeof(fallback), "param%zu", at + 1);
	if (!bench_json_text(json_array_get(names, at), &name))
		name = fallback;
	text = bench_scalar_text(value, number, sizeof(number));
	length = strlen(text);
	if (length >= 2 && (text[0] == '\'' || text[0] == '"') && text[length - 1] == text[0]) {
		text++;
		length -= 2;
	}
	copy = mem_alloc(length + 1);
	if (copy == NULL)
		return bench_no_memory(file->reading);
	memcpy(copy, text, length);
	copy[length] = '\0';
	r = benchmark_param(benchmark, name, copy);
	mem_free(copy);
	return r < 0 ? bench_no_memory(file->reading) : 0;
}

/* Number `index` of the product of the parameters' lists, the last one counting fastest. */
static int add_params(const struct asv_file *file, struct benchmark *benchmark,
		      const json_t *params, size_t index)
{
	size_t positions[PARAMS_MAX], count = json_array_size(params);
	int r = 0;

	for (size_t i = count; i-- > 0;) {
		size_t size = json_array_size(json_array_get(params, i));

		positions[i] = index % size;
		index /= size;
	}
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_param(file, benchmark, i,
			      json_array_get(json_array_get(params, i), positions[i]));
	return r;
}

/* How many combinations; 0 with an error. */
static size_t combinations(const struct asv_file *file, const char *name, const json_t *params)
{
	size_t count = 1;

	if (params != NULL && (!json_is_array(params) || json_array_size(params) > PARAMS_MAX)) {
		bench_wrong(file->reading, params, "a list of at most 16 lists",
			    "results.%.80s.params", name);
		return 0;
	}
	for (size_t i = 0; i < json_array_size(params); i++) {
		const json_t *list = json_array_get(params, i);

		if (!json_is_array(list) || json_array_size(list) == 0 ||
		    !size_multiply(count, json_array_size(list), &count) ||
		    count > BENCH_COUNT_MAX) {
			bench_wrong(file->reading, list, "a list of few values",
				    "results.%.80s.params[%zu]", name, i);
			return 0;
		}
	}
	return count;
}

static int read_samples(const struct asv_file *file, const json_t *samples, const char *name,
			size_t index, struct bench_run *run)
{
	double value;

	for (size_t i = 0; i < json_array_size(samples); i++) {
		if (!bench_json_number(json_array_get(samples, i), &value))
			return bench_wrong(file->reading, json_array_get(samples, i), "a number",
					   "results.%.80s.samples[%zu][%zu]", name, index, i);
		if (bench_run_add(run, value, false, 0) < 0)
			return bench_no_memory(file->reading);
	}
	return 0;
}

static const json_t *entry(const struct asv_file *file, const json_t *row, const char *name,
			   size_t index)
{
	const json_t *list = column(file, row, name);
	const json_t *value = json_array_get(list, index);

	return json_is_null(value) ? NULL : value;
}

/* One combination. asv writes null for one that failed, NaN for one that was skipped. */
static int read_combination(const struct asv_file *file, const json_t *row,
			    struct benchmark *benchmark, size_t index)
{
	const json_t *result = entry(file, row, "result", index);
	const json_t *samples = entry(file, row, "samples", index);
	const char *failure = NULL;
	struct bench_run *run;
	double value;
	int r = 0;

	if (result == NULL)
		failure = "asv has no result for it: it failed";
	else if (bench_json_is_nan(result))
		failure = "asv skipped it";
	else if (!bench_json_number(result, &value))
		return bench_wrong(file->reading, result, "a number", "results.%.80s.result[%zu]",
				   benchmark->name, index);
	if (samples != NULL && !json_is_array(samples))
		return bench_wrong(file->reading, samples, "a list", "results.%.80s.samples[%zu]",
				   benchmark->name, index);
	if (failure == NULL) {
		const json_t *started = column(file, row, "started_at");

		run = benchmark_add_run(benchmark);
		if (run == NULL)
			return bench_no_memory(file->reading);
		bench_json_count(entry(file, row, "stats_number", index), &run->loops);
		if (bench_json_number(started, &run->start_s))
			run->start_s /= 1000;
		if (samples != NULL)
			r = read_samples(file, samples, benchmark->name, index, run);
		else if (bench_run_add(run, value, false, 0) < 0)
			return bench_no_memory(file->reading);
		if (samples == NULL && benchmark->kind == BENCH_TIME)
			failure = "the file has no samples, only their median: "
				  "asv run --record-samples keeps them";
	}
	if (r == 0 && bench_text_set(&benchmark->failure, failure) < 0)
		return bench_no_memory(file->reading);
	return r;
}

static int read_row(const struct asv_file *file, const char *name, const json_t *row,
		    struct bench_results *results)
{
	const json_t *params, *result;
	size_t count;
	int r = 0;

	if (!json_is_array(row))
		return bench_wrong(file->reading, row, "a list", "results.%.80s", name);
	params = column(file, row, "params");
	result = column(file, row, "result");
	count = combinations(file, name, params);
	if (count == 0)
		return -ERR_FILE;
	/* A file of few bytes must not ask for much memory: what isn't there failed as a whole. */
	if (result != NULL && (!json_is_array(result) || json_array_size(result) != count))
		return bench_wrong(file->reading, result, "a list with one entry a combination",
				   "results.%.80s.result", name);
	if (result == NULL) {
		struct benchmark *benchmark = add_benchmark(file, results, name);

		return benchmark == NULL ? bench_no_memory(file->reading)
					 : read_combination(file, row, benchmark, 0);
	}
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct benchmark *benchmark = add_benchmark(file, results, name);

		if (benchmark == NULL)
			return bench_no_memory(file->reading);
		r = add_params(file, benchmark, params, i);
		if (r == 0)
			r = read_combination(file, row, benchmark, i);
	}
	return r;
}

/* ---- The file ---- */

static const struct {
	const char *object, *theirs, *ours;
} facts[] = {
    {NULL, "commit_hash", "commit"},	{NULL, "env_name", "env_name"},
    {NULL, "python", "python"},		{"params", "machine", "machine_name"},
    {"params", "cpu", "cpu_model"},	{"params", "os", "system"},
    {"params", "arch", "machine"},	{"params", "ram", "ram"},
    {"params", "num_cpu", "cpu_count"},
};

static int read_facts(const struct asv_file *file, const json_t *root,
		      struct bench_results *results)
{
	char number[40];

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		const json_t *object =
		    facts[i].object != NULL ? json_object_get(root, facts[i].object) : root;
		const json_t *value = bench_json_member(object, facts[i].theirs);

		if (value == NULL || json_is_object(value) || json_is_array(value))
			continue;
		if (bench_results_fact(results, facts[i].ours,
				       bench_scalar_text(value, number, sizeof(number))) < 0)
			return bench_no_memory(file->reading);
	}
	return 0;
}

static int read_columns(struct asv_file *file, const json_t *root)
{
	const json_t *columns = bench_json_member(root, "result_columns");
	const json_t *version = json_object_get(root, "version");

	if (!json_is_integer(version) || json_integer_value(version) != RESULTS_VERSION)
		return bench_wrong(file->reading, version, "2 (asv update rewrites older ones)",
				   "version");
	if (!json_is_array(columns) || json_array_size(columns) > COLUMNS_MAX)
		return bench_wrong(file->reading, columns, "a list of at most 32 names",
				   "result_columns");
	for (size_t i = 0; i < json_array_size(columns); i++) {
		if (!bench_json_text(json_array_get(columns, i), &file->columns[i]))
			return bench_wrong(file->reading, json_array_get(columns, i), "a text",
					   "result_columns[%zu]", i);
		file->column_count = i + 1;
	}
	return 0;
}

/* results/MACHINE/FILE.json has results/benchmarks.json; without it units follow from names. */
static json_t *read_benchmarks_json(const char *path)
{
	static const char name[] = "../benchmarks.json";
	const char *slash = strrchr(path, '/');
	size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
	char *beside = mem_alloc(folder + sizeof(name));
	json_t *root = NULL;

	if (beside == NULL)
		return NULL;
	memcpy(beside, path, folder);
	memcpy(beside + folder, name, sizeof(name));
	if (bench_json_read(beside, &root, NULL) < 0)
		root = NULL;
	mem_free(beside);
	return root;
}

int bench_read_asv(const struct bench_reading *reading, const json_t *root,
		   struct bench_results *results)
{
	struct asv_file file = {.reading = reading};
	const json_t *rows = json_object_get(root, "results");
	const json_t *date = bench_json_member(root, "date");
	const char *name;
	json_t *row;
	int r = read_columns(&file, root);

	if (r < 0)
		return r;
	if (bench_text_set(&results->tool, "asv") < 0)
		return bench_no_memory(reading);
	if (bench_json_number(date, &results->created_s))
		results->created_s /= 1000; /* the commit's: what asv orders its results by */
	file.benchmarks = read_benchmarks_json(reading->path);
	r = read_facts(&file, root, results);
	json_object_foreach((json_t *)rows, name, row)
	{
		if (r == 0)
			r = read_row(&file, name, row, results);
	}
	json_decref(file.benchmarks);
	return r;
}
