/* Writes asv's results, version 2: docs/formats/asv.md. asv keeps all combinations of a benchmark's
 * parameters in one row, so ours are gathered by name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "bench/result_internal.h"

#define PARAMS_MAX 16
#define VALUES_MAX 1024 /* of one parameter */
#define CELLS_MAX 65536

/* The benchmarks of one name, as the product of their parameters' values. */
struct group {
	const struct benchmark **cells; /* cell_count of them */
	size_t cell_count;
	const char **values[PARAMS_MAX];
	size_t value_counts[PARAMS_MAX], param_count;
};

static void group_release(struct group *group)
{
	for (size_t i = 0; i < PARAMS_MAX; i++)
		mem_free(group->values[i]);
	mem_free(group->cells);
	*group = (struct group){0};
}

static bool same_names(const struct benchmark *a, const struct benchmark *b)
{
	if (a->param_count != b->param_count)
		return false;
	for (size_t i = 0; i < a->param_count; i++) {
		if (strcmp(a->params[i].name, b->params[i].name) != 0)
			return false;
	}
	return true;
}

static size_t position(const struct group *group, size_t param, const char *value)
{
	size_t at = 0;

	while (at < group->value_counts[param] && strcmp(group->values[param][at], value) != 0)
		at++;
	return at;
}

static bool add_values(struct group *group, const struct benchmark *benchmark)
{
	for (size_t i = 0; i < group->param_count; i++) {
		size_t at = position(group, i, benchmark->params[i].value);

		if (at < group->value_counts[i])
			continue;
		if (at == VALUES_MAX)
			return false;
		if (group->values[i] == NULL)
			group->values[i] = mem_zalloc(VALUES_MAX, sizeof(*group->values[i]));
		if (group->values[i] == NULL)
			return false;
		group->values[i][group->value_counts[i]++] = benchmark->params[i].value;
	}
	return true;
}

static size_t cell_of(const struct group *group, const struct benchmark *benchmark)
{
	size_t cell = 0;

	for (size_t i = 0; i < group->param_count; i++)
		cell =
		    cell * group->value_counts[i] + position(group, i, benchmark->params[i].value);
	return cell;
}

/* False where they are no whole product of a size that one row can have. */
static bool group_make(struct group *group, const struct bench_results *results,
		       const struct benchmark *first)
{
	group->param_count = first->param_count;
	if (first->param_count > PARAMS_MAX)
		return false;
	for (size_t i = 0; i < results->benchmark_count; i++) {
		const struct benchmark *other = &results->benchmarks[i];

		if (strcmp(other->name, first->name) == 0 &&
		    (!same_names(other, first) || !add_values(group, other)))
			return false;
	}
	group->cell_count = 1;
	for (size_t i = 0; i < group->param_count; i++) {
		group->cell_count *= group->value_counts[i];
		if (group->cell_count > CELLS_MAX)
			return false;
	}
	group->cells = mem_zalloc(group->cell_count, sizeof(*group->cells));
	if (group->cells == NULL)
		return false;
	for (size_t i = 0; i < results->benchmark_count; i++) {
		const struct benchmark *other = &results->benchmarks[i];

		if (strcmp(other->name, first->name) != 0)
			continue;
		if (group->cells[cell_of(group, other)] != NULL)
			return false;
		group->cells[cell_of(group, other)] = other;
	}
	/* asv would show what is missing as failed. */
	for (size_t i = 0; i < group->cell_count; i++) {
		if (group->cells[i] == NULL)
			return false;
	}
	return true;
}

/* ---- A row ---- */

static void write_params(struct json_writer *json, const struct group *group)
{
	json_array_begin(json);
	for (size_t i = 0; i < group->param_count; i++) {
		json_array_begin(json);
		for (size_t k = 0; k < group->value_counts[i]; k++)
			json_text(json, group->values[i][k]);
		json_array_end(json);
	}
	json_array_end(json);
}

enum row_number { ROW_MEDIAN, ROW_Q25, ROW_Q75, ROW_NUMBER, ROW_REPEAT };

static int write_numbers(struct json_writer *json, const struct group *group, enum row_number which)
{
	json_array_begin(json);
	for (size_t i = 0; i < group->cell_count; i++) {
		const struct benchmark *cell = group->cells[i];
		struct summary summary = {0};

		if (benchmark_summary(cell, &summary) < 0)
			return -ERR_MEMORY;
		if (summary.n == 0)
			json_absent(json);
		else if (which == ROW_NUMBER)
			json_unsigned(json, cell->runs[0].loops);
		else if (which == ROW_REPEAT)
			json_unsigned(json, summary.n);
		else
			bench_json_exact(json, which == ROW_MEDIAN ? summary.median
					       : which == ROW_Q25  ? summary.q1
								   : summary.q3);
	}
	json_array_end(json);
	return 0;
}

static int write_samples(struct json_writer *json, const struct group *group)
{
	json_array_begin(json);
	for (size_t i = 0; i < group->cell_count; i++) {
		double *values = NULL;
		size_t count = 0;

		if (benchmark_values(group->cells[i], &values, &count) < 0)
			return -ERR_MEMORY;
		if (count == 0) {
			json_absent(json);
		} else {
			json_array_begin(json);
			for (size_t k = 0; k < count; k++)
				bench_json_exact(json, values[k]);
			json_array_end(json);
		}
		mem_free(values);
	}
	json_array_end(json);
	return 0;
}

static const char *const columns[] = {"result",	    "params",	     "version",	      "started_at",
				      "duration",   "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
				      "stats_q_75", "stats_number",  "stats_repeat",  "samples",
				      "profile"};

static double started_ms(const struct group *group)
{
	for (size_t i = 0; i < group->cell_count; i++) {
		if (group->cells[i]->run_count > 0)
			return floor(group->cells[i]->runs[0].start_s * 1000);
	}
	return NAN;
}

static int write_row(struct json_writer *json, const char *name, const struct group *group)
{
	int r;

	json_key(json, name);
	json_array_begin(json);
	r = write_numbers(json, group, ROW_MEDIAN);
	write_params(json, group);
	json_absent(json); /* version */
	bench_json_exact(json, started_ms(group));
	json_absent(json); /* duration */
	json_absent(json); /* the interval's ends: ours is of another kind than asv's */
	json_absent(json);
	for (enum row_number which = ROW_Q25; r == 0 && which <= ROW_REPEAT; which++)
		r = write_numbers(json, group, which);
	if (r == 0)
		r = write_samples(json, group);
	json_array_end(json);
	return r;
}

/* ---- The file ---- */

/* Benchmarks that are no product stand alone, their parameters in their names. */
static int write_alone(struct json_writer *json, const struct benchmark *benchmark)
{
	const struct benchmark *cell[1] = {benchmark};
	struct group alone = {.cells = cell, .cell_count = 1};
	char *name = benchmark_full_name(benchmark);
	int r = name == NULL ? -ERR_MEMORY : write_row(json, name, &alone);

	mem_free(name);
	return r;
}

static bool is_first(const struct bench_results *results, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcmp(results->benchmarks[i].name, results->benchmarks[at].name) == 0)
			return false;
	}
	return true;
}

static int write_rows(struct json_writer *json, const struct bench_results *results)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < results->benchmark_count; i++) {
		const struct benchmark *benchmark = &results->benchmarks[i];
		struct group group = {0};

		if (!is_first(results, i))
			continue;
		if (group_make(&group, results, benchmark)) {
			r = write_row(json, benchmark->name, &group);
		} else {
			for (size_t k = i; r == 0 && k < results->benchmark_count; k++) {
				if (strcmp(results->benchmarks[k].name, benchmark->name) == 0)
					r = write_alone(json, &results->benchmarks[k]);
			}
		}
		group_release(&group);
	}
	return r;
}

static void write_fact(struct json_writer *json, const struct bench_results *results,
		       const char *key, const char *fact, const char *otherwise)
{
	const char *value = bench_results_fact_of(results, fact);

	json_key(json, key);
	json_text(json, value != NULL ? value : otherwise);
}

static void write_heading(struct json_writer *json, const struct bench_results *results)
{
	char name[128];
	const char *python = bench_results_fact_of(results, "python");

	snprintf(name, sizeof(name), "existing-py%s", python != NULL ? python : "unknown");
	write_fact(json, results, "commit_hash", "commit", "0000000000000000");
	write_fact(json, results, "env_name", "env_name", name);
	json_key(json, "date");
	bench_json_exact(json, isnan(results->created_s) ? 0 : floor(results->created_s * 1000));
	write_fact(json, results, "python", "python", "");
	json_key(json, "params");
	json_object_begin(json);
	write_fact(json, results, "machine", "machine_name", "unknown");
	write_fact(json, results, "arch", "machine", "");
	write_fact(json, results, "cpu", "cpu_model", "");
	write_fact(json, results, "num_cpu", "cpu_count", "");
	write_fact(json, results, "os", "system", "");
	write_fact(json, results, "ram", "ram", "");
	write_fact(json, results, "python", "python", "");
	json_object_end(json);
	json_key(json, "requirements");
	json_object_begin(json);
	json_object_end(json);
	json_key(json, "env_vars");
	json_object_begin(json);
	json_object_end(json);
	json_key(json, "result_columns");
	json_array_begin(json);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		json_text(json, columns[i]);
	json_array_end(json);
}

int bench_write_asv(const struct bench_results *results, FILE *file, struct err *err)
{
	struct json_writer json;

	json_start(&json, file, true);
	json_object_begin(&json);
	write_heading(&json, results);
	json_key(&json, "results");
	json_object_begin(&json);
	if (write_rows(&json, results) < 0)
		return err_set(err, ERR_MEMORY, "no memory to write the results");
	json_object_end(&json);
	json_key(&json, "durations");
	json_object_begin(&json);
	json_object_end(&json);
	json_key(&json, "version");
	json_signed(&json, 2);
	json_object_end(&json);
	return bench_stream_check(file, err);
}
