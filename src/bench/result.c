/* The model of benchmark results in memory. Its JSON is in result_json.c, other tools' files are
 * in result_FORMAT.c. */
#include "bench/result.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/result_internal.h"

struct bench_results *bench_results_new(void)
{
	struct bench_results *results = mem_zalloc(1, sizeof(*results));

	if (results != NULL)
		results->created_s = NAN;
	return results;
}

static void run_release(struct bench_run *run)
{
	mem_free(run->warmups);
	mem_free(run->values);
	mem_free(run->causes);
}

static void benchmark_release(struct benchmark *benchmark)
{
	for (size_t i = 0; i < benchmark->run_count; i++)
		run_release(&benchmark->runs[i]);
	for (size_t i = 0; i < benchmark->param_count; i++) {
		mem_free(benchmark->params[i].name);
		mem_free(benchmark->params[i].value);
	}
	mem_free(benchmark->runs);
	mem_free(benchmark->params);
	mem_free(benchmark->name);
	mem_free(benchmark->unit);
	mem_free(benchmark->failure);
}

void bench_results_free(struct bench_results *results)
{
	if (results == NULL)
		return;
	for (size_t i = 0; i < results->benchmark_count; i++)
		benchmark_release(&results->benchmarks[i]);
	for (size_t i = 0; i < results->fact_count; i++) {
		mem_free(results->facts[i].name);
		mem_free(results->facts[i].value);
	}
	mem_free(results->benchmarks);
	mem_free(results->facts);
	mem_free(results->tool);
	mem_free(results->tool_version);
	mem_free(results);
}

int bench_text_set(char **text, const char *value)
{
	char *copy = NULL;

	if (value != NULL) {
		copy = mem_copy_text(value);
		if (copy == NULL)
			return -ERR_MEMORY;
	}
	mem_free(*text);
	*text = copy;
	return 0;
}

/* The arrays carry no capacity: it follows from the count, which is doubled from 1. */
static int make_room(void **items, size_t count, size_t size)
{
	size_t capacity = 1, bytes;
	void *grown;

	if (count > 0 && (count & (count - 1)) != 0)
		return 0; /* not a power of two: there is room up to the next one */
	if (count > 0 && !size_multiply(count, 2, &capacity))
		return -ERR_MEMORY;
	if (!size_multiply(capacity, size, &bytes))
		return -ERR_MEMORY;
	grown = mem_realloc(*items, bytes);
	if (grown == NULL)
		return -ERR_MEMORY;
	*items = grown;
	return 0;
}

int bench_results_fact(struct bench_results *results, const char *name, const char *value)
{
	struct bench_fact fact = {0};
	void *items = results->facts;

	for (size_t i = 0; i < results->fact_count; i++) {
		if (strcmp(results->facts[i].name, name) == 0)
			return bench_text_set(&results->facts[i].value, value);
	}
	if (make_room(&items, results->fact_count, sizeof(fact)) < 0)
		return -ERR_MEMORY;
	results->facts = items;
	fact.name = mem_copy_text(name);
	if (fact.name == NULL || bench_text_set(&fact.value, value) < 0) {
		mem_free(fact.name);
		return -ERR_MEMORY;
	}
	results->facts[results->fact_count++] = fact;
	return 0;
}

const char *bench_results_fact_of(const struct bench_results *results, const char *name)
{
	for (size_t i = 0; i < results->fact_count; i++) {
		if (strcmp(results->facts[i].name, name) == 0)
			return results->facts[i].value;
	}
	return NULL;
}

struct benchmark *bench_results_add(struct bench_results *results, const char *name,
				    const char *unit, enum bench_kind kind)
{
	struct benchmark benchmark = {.kind = kind, .overhead_s = NAN};
	void *items = results->benchmarks;

	if (make_room(&items, results->benchmark_count, sizeof(benchmark)) < 0)
		return NULL;
	results->benchmarks = items;
	benchmark.name = mem_copy_text(name);
	benchmark.unit = mem_copy_text(unit);
	if (benchmark.name == NULL || benchmark.unit == NULL) {
		benchmark_release(&benchmark);
		return NULL;
	}
	results->benchmarks[results->benchmark_count] = benchmark;
	return &results->benchmarks[results->benchmark_count++];
}

struct bench_run *benchmark_add_run(struct benchmark *benchmark)
{
	struct bench_run run = {.loops = 1, .start_s = NAN};
	void *items = benchmark->runs;

	if (make_room(&items, benchmark->run_count, sizeof(run)) < 0)
		return NULL;
	benchmark->runs = items;
	bench_counters_clear(&run.counters);
	benchmark->runs[benchmark->run_count] = run;
	return &benchmark->runs[benchmark->run_count++];
}

int benchmark_param(struct benchmark *benchmark, const char *name, const char *value)
{
	struct bench_param param = {0};
	void *items = benchmark->params;

	if (make_room(&items, benchmark->param_count, sizeof(param)) < 0)
		return -ERR_MEMORY;
	benchmark->params = items;
	param.name = mem_copy_text(name);
	param.value = mem_copy_text(value);
	if (param.name == NULL || param.value == NULL) {
		mem_free(param.name);
		mem_free(param.value);
		return -ERR_MEMORY;
	}
	benchmark->params[benchmark->param_count++] = param;
	return 0;
}

static int add_cause(struct bench_run *run, uint8_t causes)
{
	void *items = run->causes;

	if (run->causes == NULL) {
		size_t capacity = 1;

		if (causes == 0)
			return 0;
		/* As far as make_room believes that it has come. */
		while (capacity < run->value_count)
			capacity *= 2;
		run->causes = mem_zalloc(capacity, 1);
		if (run->causes == NULL)
			return -ERR_MEMORY;
		items = run->causes;
	}
	if (make_room(&items, run->value_count, 1) < 0)
		return -ERR_MEMORY;
	run->causes = items;
	run->causes[run->value_count] = causes;
	return 0;
}

int bench_run_add(struct bench_run *run, double value, bool is_warmup, uint8_t causes)
{
	double **list = is_warmup ? &run->warmups : &run->values;
	size_t *count = is_warmup ? &run->warmup_count : &run->value_count;
	void *items = *list;

	if (make_room(&items, *count, sizeof(value)) < 0)
		return -ERR_MEMORY;
	*list = items;
	if (!is_warmup && add_cause(run, causes) < 0)
		return -ERR_MEMORY;
	(*list)[(*count)++] = value;
	return 0;
}

void bench_counters_clear(struct bench_counters *counters)
{
	memset(counters, 0xFF, sizeof(*counters));
	counters->cpu_s = NAN;
	counters->energy_j = NAN;
	counters->steal_s = NAN;
}

static bool same_params(const struct benchmark *benchmark, const struct bench_param *params,
			size_t count)
{
	if (benchmark->param_count != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(benchmark->params[i].name, params[i].name) != 0 ||
		    strcmp(benchmark->params[i].value, params[i].value) != 0)
			return false;
	}
	return true;
}

struct benchmark *bench_results_find(const struct bench_results *results, const char *name,
				     const struct bench_param *params, size_t param_count)
{
	for (size_t i = 0; i < results->benchmark_count; i++) {
		struct benchmark *benchmark = &results->benchmarks[i];

		if (strcmp(benchmark->name, name) == 0 &&
		    same_params(benchmark, params, param_count))
			return benchmark;
	}
	return NULL;
}

int benchmark_values(const struct benchmark *benchmark, double **ret_values, size_t *ret_count)
{
	size_t count = 0, at = 0;
	double *values;

	for (size_t i = 0; i < benchmark->run_count; i++) {
		if (!size_add(count, benchmark->runs[i].value_count, &count))
			return -ERR_MEMORY;
	}
	values = mem_zalloc(count > 0 ? count : 1, sizeof(*values));
	if (values == NULL)
		return -ERR_MEMORY;
	for (size_t i = 0; i < benchmark->run_count; i++) {
		const struct bench_run *run = &benchmark->runs[i];

		if (run->value_count > 0)
			memcpy(values + at, run->values, run->value_count * sizeof(*values));
		at += run->value_count;
	}
	*ret_values = values;
	*ret_count = count;
	return 0;
}
