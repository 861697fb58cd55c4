/* Other tools' files: what they wrote is read for what it says, what we write is read back, and
 * what is wrong in a file is named with its place. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "result_fixture.h"

#define CORPUS "tests/corpus/bench_results/"

static struct bench_results *read_corpus(const char *path, enum bench_format wanted)
{
	struct bench_results *results = NULL;
	enum bench_format format;
	struct err err = {0};

	if (bench_results_read(path, &results, &format, &err) < 0)
		fail_msg("%s: %s: %s", path, err.what, err.why);
	assert_int_equal(format, wanted);
	return results;
}

static const struct benchmark *named(const struct bench_results *results, const char *name,
				     const char *one, const char *two)
{
	for (size_t i = 0; i < results->benchmark_count; i++) {
		const struct benchmark *benchmark = &results->benchmarks[i];

		if (strcmp(benchmark->name, name) == 0 &&
		    (one == NULL || strcmp(benchmark->params[0].value, one) == 0) &&
		    (two == NULL || strcmp(benchmark->params[1].value, two) == 0))
			return benchmark;
	}
	fail_msg("no %s", name);
	return NULL;
}

static void pyperf_keeps_processes_apart(void **state)
{
	struct bench_results *results = read_corpus(CORPUS "pyperf.json", BENCH_PYPERF);
	const struct benchmark *sort = named(results, "sort_small", NULL, NULL);
	const struct benchmark *memory = named(results, "memory", NULL, NULL);

	(void)state;
	assert_int_equal(sort->run_count, 3);
	assert_int_equal(sort->runs[0].value_count, 0); /* calibration */
	assert_int_equal(sort->runs[0].warmup_count, 2);
	assert_int_equal(sort->runs[1].loops, 640); /* loops × inner_loops */
	assert_int_equal(sort->runs[1].value_count, 3);
	assert_true(sort->runs[2].values[1] == 2.2e-05);
	assert_true(sort->runs[1].warmups[0] == 2.4e-05);
	assert_int_equal(sort->runs[1].counters.peak_rss_bytes, 12345344);
	assert_true(sort->runs[0].start_s == 1769860800.25);
	assert_true(sort->runs[2].start_s == 1769860802);
	assert_string_equal(sort->unit, "s");
	assert_string_equal(memory->unit, "bytes");
	assert_int_equal(memory->kind, BENCH_PEAK_MEMORY);
	assert_true(memory->runs[0].values[0] == 7340032);
	assert_string_equal(bench_results_fact_of(results, "python"), "3.12.1");
	assert_string_equal(bench_results_fact_of(results, "cpu_model"), "a CPU");
	assert_string_equal(bench_results_fact_of(results, "cpu_count"), "2");
	assert_string_equal(results->tool_version, "2.6.0");
	bench_results_free(results);
}

static void pytest_benchmark_has_parameters_and_values(void **state)
{
	struct bench_results *results = read_corpus(CORPUS "pytest_benchmark.json", BENCH_PYTEST);
	const struct benchmark *one = named(results, "test_b.py::test_param", "10", "list");

	(void)state;
	assert_int_equal(results->benchmark_count, 3);
	assert_string_equal(one->params[0].name, "n");
	assert_string_equal(one->params[1].name, "kind");
	assert_int_equal(one->run_count, 1);
	assert_int_equal(one->runs[0].loops, 5);
	assert_int_equal(one->runs[0].value_count, 6);
	assert_true(one->runs[0].values[0] == 3.283999831182882e-07);
	assert_int_equal(named(results, "test_b.py::test_sum", NULL, NULL)->runs[0].loops, 10);
	assert_null(one->failure);
	assert_string_equal(bench_results_fact_of(results, "implementation"), "CPython");
	assert_null(bench_results_fact_of(results, "commit")); /* "unversioned" */
	bench_results_free(results);
}

static void a_summary_alone_says_that_it_is_one(void **state)
{
	struct bench_results *results =
	    read_corpus(CORPUS "pytest_benchmark_summary.json", BENCH_PYTEST);
	const struct benchmark *one = named(results, "test_b.py::test_param", "10", "list");

	(void)state;
	assert_int_equal(one->runs[0].value_count, 1);
	assert_true(one->runs[0].values[0] == 1.986001734621823e-07);
	assert_non_null(strstr(one->failure, "only their median"));
	bench_results_free(results);
}

static void hyperfine_runs_each_time_in_a_process(void **state)
{
	struct bench_results *results = read_corpus(CORPUS "hyperfine.json", BENCH_HYPERFINE);
	const struct benchmark *one = named(results, "sleep 0.001", "1", NULL);

	(void)state;
	assert_int_equal(one->run_count, 6);
	assert_int_equal(one->runs[3].value_count, 1);
	assert_true(one->runs[3].values[0] == 0.002179849);
	assert_null(one->failure);
	/* What hyperfine says of memory may be another command's. */
	assert_true(one->runs[0].counters.peak_rss_bytes == UINT64_MAX);
	bench_results_free(results);
}

static void asv_has_every_combination_of_parameters(void **state)
{
	struct bench_results *results = read_corpus(CORPUS "asv.json", BENCH_ASV);
	const struct benchmark *sort = named(results, "suite.Sort.time_sort", "10", "tuple");

	(void)state;
	assert_int_equal(results->benchmark_count, 8);
	assert_int_equal(sort->runs[0].value_count, 3);
	assert_true(sort->runs[0].values[1] == 0.0021);
	assert_int_equal(sort->runs[0].loops, 50);
	assert_true(sort->runs[0].start_s == 1769860801);
	assert_null(sort->failure);
	assert_non_null(
	    strstr(named(results, "suite.Sort.time_sort", "20", "list")->failure, "failed"));
	assert_non_null(
	    strstr(named(results, "suite.Sort.time_sort", "20", "tuple")->failure, "skipped"));
	assert_int_equal(named(results, "suite.peakmem_big", NULL, NULL)->kind, BENCH_PEAK_MEMORY);
	assert_int_equal(named(results, "suite.track_items", NULL, NULL)->kind, BENCH_TRACK);
	assert_non_null(strstr(named(results, "suite.time_plain", NULL, NULL)->failure, "samples"));
	assert_non_null(named(results, "suite.time_broken", NULL, NULL)->failure);
	assert_true(results->created_s == 1769860800);
	bench_results_free(results);
}

static void write_file(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	assert_true(fputs(text, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
}

static void asv_s_own_list_names_units_and_parameters(void **state)
{
	char folder[] = "/tmp/test_result_files.XXXXXX", path[128], list[128], machine[128];
	struct bench_results *results;
	const struct benchmark *one;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(list, sizeof(list), "%s/benchmarks.json", folder);
	snprintf(machine, sizeof(machine), "%s/machine", folder);
	snprintf(path, sizeof(path), "%s/machine/0123-env.json", folder);
	assert_int_equal(mkdir(machine, 0700), 0);
	write_file(list, "{\"s.track_x\": {\"unit\": \"rows\", \"param_names\": [\"n\"]}}");
	write_file(path, "{\"commit_hash\": \"x\", \"version\": 2, \"result_columns\": "
			 "[\"result\", \"params\"], \"results\": {\"s.track_x\": [[4], "
			 "[[\"'a'\"]]]}}");
	results = read_corpus(path, BENCH_ASV);
	one = named(results, "s.track_x", "a", NULL);
	assert_string_equal(one->unit, "rows");
	assert_string_equal(one->params[0].name, "n");
	bench_results_free(results);
	/* A list that is no JSON is as good as none. */
	write_file(list, "[");
	results = read_corpus(path, BENCH_ASV);
	assert_string_equal(named(results, "s.track_x", "a", NULL)->params[0].name, "param1");
	bench_results_free(results);
	unlink(list);
	unlink(path);
	rmdir(machine);
	assert_int_equal(rmdir(folder), 0);
}

static void what_is_no_file_of_results_is_said(void **state)
{
	static const struct {
		const char *path, *why;
	} rows[] = {
	    {"/tmp/test_result_files.none/x.json", "No such file"},
	    {"/tmp", "no plain file"},
	    {"/dev/zero", "no plain file"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench_results *results = NULL;
		struct err err = {0};

		assert_int_equal(bench_results_read(rows[i].path, &results, NULL, &err), -ERR_FILE);
		assert_non_null(strstr(err.why, rows[i].why));
		assert_non_null(strstr(err.what, rows[i].path));
	}
}

/* Each format holds less than ours: but names, values and their order are there again. */
static void what_we_write_for_others_comes_back(void **state)
{
	static const enum bench_format formats[] = {BENCH_PYPERF, BENCH_PYTEST, BENCH_HYPERFINE,
						    BENCH_ASV};
	struct bench_results *results = fixture_results();

	(void)state;
	for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
		struct bench_results *back = NULL;
		enum bench_format format;
		struct err err = {0};
		size_t size, seen = 0;
		char *text = fixture_write(results, formats[f], &size);

		if (bench_results_parse("x.json", &text, size, &back, &format, &err) < 0)
			fail_msg("%d: %s: %s", formats[f], err.what, err.why);
		assert_int_equal(format, formats[f]);
		for (size_t i = 0; i < results->benchmark_count; i++) {
			const struct benchmark *one = &results->benchmarks[i];
			char *name = benchmark_full_name(one);
			double *values, *again;
			size_t count, again_count;

			assert_int_equal(benchmark_values(one, &values, &count), 0);
			for (size_t k = 0; k < back->benchmark_count; k++) {
				const struct benchmark *other = &back->benchmarks[k];
				char *other_name = benchmark_full_name(other);
				bool same =
				    strcmp(other->name, one->name) == 0 &&
				    (one->param_count == 0 ||
				     strcmp(one->params[0].value, other->params[0].value) == 0);

				same = same || strcmp(other->name, name) == 0;
				mem_free(other_name);
				if (!same)
					continue;
				assert_int_equal(benchmark_values(other, &again, &again_count), 0);
				assert_int_equal(again_count, count);
				fixture_same_numbers(again, values, count);
				mem_free(again);
				seen++;
				break;
			}
			mem_free(values);
			mem_free(name);
		}
		/* pytest-benchmark and hyperfine know seconds only; nobody but hyperfine and asv
		 * keeps one without a value. */
		assert_int_equal(seen, formats[f] == BENCH_PYPERF      ? 4
				       : formats[f] == BENCH_PYTEST    ? 3
				       : formats[f] == BENCH_HYPERFINE ? 4
								       : 5);
		mem_free(text);
		bench_results_free(back);
	}
	bench_results_free(results);
}

static void pyperf_is_told_what_it_cannot_hold(void **state)
{
	struct bench_results *results = bench_results_new();
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	struct err err = {0};

	(void)state;
	bench_run_add(benchmark_add_run(bench_results_add(results, "x", "s", BENCH_TIME)), 0, false,
		      0);
	assert_int_equal(bench_results_export(results, BENCH_PYPERF, stream, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "only values above 0"));
	fclose(stream);
	free(text);
	bench_results_free(results);
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	    {"", "it is empty"},
	    {"{", "line 1, column 1"},
	    {"[]", "it is JSON, but not as"},
	    {"{\"schema_version\": 1, \"benchmarks\": [{\"ratio\": 1}]}", "it is a comparison"},
	    {"{\"schema_version\": 1, \"benchmarks\": [{\"name\": 4}]}",
	     "benchmarks[0].name is 4; it should be a text"},
	    {"{\"schema_version\": 1, \"benchmarks\": [{\"name\": \"x\", \"runs\": [{\"values\": "
	     "[1, NaN]}]}]}",
	     "benchmarks[0].runs[0].values is NaN"},
	    {"{\"schema_version\": 1, \"benchmarks\": [{\"name\": \"x\", \"runs\": [{\"values\": "
	     "[1], \"causes\": [1, 2]}]}]}",
	     "benchmarks[0].runs[0].causes is a list of 2"},
	    {"{\"schema_version\": 1, \"benchmarks\": [{\"name\": \"x\", \"kind\": \"y\"}]}",
	     "benchmarks[0].kind is the text \"y\""},
	    {"{\"schema_version\": 1, \"benchmarks\": [{\"name\": \"x\", \"runs\": [{\"seed\": "
	     "-1}]}]}",
	     "benchmarks[0].runs[0].seed is -1"},
	    {"{\"schema_version\": 1, \"benchmarks\": [7]}", "benchmarks[0].name is missing"},
	    {"{\"version\": \"0.9\", \"benchmarks\": []}", "version is the text \"0.9\""},
	    {"{\"version\": \"1.0\", \"benchmarks\": [{\"runs\": []}]}",
	     "benchmarks[0].runs is a list of 0"},
	    {"{\"version\": \"1.0\", \"benchmarks\": [{\"runs\": [{\"values\": [1]}]}]}",
	     "benchmarks[0].metadata.name is missing"},
	    {"{\"version\": \"1.0\", \"metadata\": {\"name\": \"x\"}, \"benchmarks\": [{\"runs\": "
	     "[{\"values\": [true]}]}]}",
	     "benchmarks[0].runs[0].values[0] is true"},
	    {"{\"version\": \"1.0\", \"metadata\": {\"name\": \"x\", \"loops\": "
	     "9223372036854775807, \"inner_loops\": 4}, \"benchmarks\": [{\"runs\": [{}]}]}",
	     "metadata.loops is 9223372036854775807; it should be a smaller number"},
	    {"{\"version\": \"1.0\", \"metadata\": {\"name\": \"x\"}, \"benchmarks\": [{\"runs\": "
	     "[{\"warmups\": [[1]]}]}]}",
	     "benchmarks[0].runs[0].warmups[0] is a list of 1"},
	    {"{\"machine_info\": {}, \"benchmarks\": [{\"fullname\": \"x\", \"stats\": 4}]}",
	     "benchmarks[0].stats is 4"},
	    {"{\"machine_info\": {}, \"benchmarks\": [{\"fullname\": \"x\", \"stats\": "
	     "{\"median\": -Infinity}}]}",
	     "benchmarks[0].stats.median is -Infinity"},
	    {"{\"results\": [{\"command\": \"x\", \"times\": [\"1\"]}]}",
	     "results[0].times[0] is the text \"1\""},
	    {"{\"results\": [{\"command\": null}]}", "results[0].command is missing"},
	    {"{\"results\": {}, \"commit_hash\": \"x\", \"version\": 1}",
	     "version is 1; it should be 2 (asv update"},
	    {"{\"results\": {\"a\": [[1], [[], [1]]]}, \"commit_hash\": \"x\", \"version\": 2, "
	     "\"result_columns\": [\"result\", \"params\"]}",
	     "results.a.params[0] is a list of 0"},
	    {"{\"results\": {\"a\": [[1, 2], []]}, \"commit_hash\": \"x\", \"version\": 2, "
	     "\"result_columns\": [\"result\", \"params\"]}",
	     "results.a.result is a list of 2"},
	    {"{\"schema_version\": 1, \"benchmarks\": [], \"benchmarks\": []}", "duplicate"},
	    {"{\"x\": 1e999}", "real number overflow"},
	    {"{\"x\": 99999999999999999999999}", "too big integer"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = mem_copy_text(rows[i].text);
		struct bench_results *results = NULL;
		struct err err = {0};

		assert_int_equal(
		    bench_results_parse("f.json", &text, strlen(text), &results, NULL, &err),
		    -ERR_FILE);
		if (strstr(err.why, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].text, err.why);
		assert_non_null(strstr(err.what, "f.json"));
		assert_true(err.next[0] != '\0');
		assert_null(results);
		mem_free(text);
	}
}

static void depth_without_end_is_an_error(void **state)
{
	const size_t depth = 1000000;
	char *text = mem_alloc(depth + 1);
	struct bench_results *results = NULL;
	struct err err = {0};

	(void)state;
	memset(text, '[', depth);
	text[depth] = '\0';
	assert_int_equal(bench_results_parse("f.json", &text, depth, &results, NULL, &err),
			 -ERR_FILE);
	assert_non_null(strstr(err.why, "depth"));
	mem_free(text);
}

static void a_product_of_parameters_has_a_bound(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	struct bench_results *results = NULL;
	struct err err = {0};

	(void)state;
	fputs("{\"commit_hash\": \"x\", \"version\": 2, \"result_columns\": [\"result\", "
	      "\"params\"], \"results\": {\"a\": [null, [",
	      stream);
	for (int i = 0; i < 16; i++)
		fprintf(stream, "%s[0,1,2,3,4,5,6,7,8,9]", i > 0 ? "," : "");
	fputs("]]}}", stream);
	fclose(stream);
	assert_int_equal(bench_results_parse("f.json", &text, size, &results, NULL, &err),
			 -ERR_FILE);
	assert_non_null(strstr(err.why, "results.a.params"));
	free(text);
}

static void a_name_names_its_format(void **state)
{
	(void)state;
	assert_int_equal(bench_format_named("pyrometer"), BENCH_PYROMETER);
	assert_int_equal(bench_format_named("pyperf"), BENCH_PYPERF);
	assert_int_equal(bench_format_named("pytest-benchmark"), BENCH_PYTEST);
	assert_int_equal(bench_format_named("hyperfine"), BENCH_HYPERFINE);
	assert_int_equal(bench_format_named("asv"), BENCH_ASV);
	assert_true(bench_format_named("timeit") < 0);
}

static void times_are_understood_as_the_tools_write_them(void **state)
{
	static const struct {
		const char *text;
		double unix_s;
	} rows[] = {
	    {"2026-01-31 12:00:00.250000", 1769860800.25},
	    {"2026-01-31T12:00:00", 1769860800},
	    {"2026-01-31T12:00:00+02:00", 1769853600},
	    {"2026-01-31T12:00:00.5-00:30", 1769862600.5},
	    {"yesterday", NAN},
	    {"", NAN},
	};
	char text[BENCH_TIME_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fixture_same_number(bench_time_of(rows[i].text), rows[i].unix_s);
	assert_string_equal(bench_time_text(text, sizeof(text), 1769860800.25),
			    "2026-01-31T12:00:00.250000+00:00");
	assert_string_equal(bench_time_text(text, sizeof(text), NAN), "");
	assert_string_equal(bench_time_text(text, sizeof(text), 1e300), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pyperf_keeps_processes_apart),
	    cmocka_unit_test(pytest_benchmark_has_parameters_and_values),
	    cmocka_unit_test(a_summary_alone_says_that_it_is_one),
	    cmocka_unit_test(hyperfine_runs_each_time_in_a_process),
	    cmocka_unit_test(asv_has_every_combination_of_parameters),
	    cmocka_unit_test(asv_s_own_list_names_units_and_parameters),
	    cmocka_unit_test(what_is_no_file_of_results_is_said),
	    cmocka_unit_test(what_we_write_for_others_comes_back),
	    cmocka_unit_test(pyperf_is_told_what_it_cannot_hold),
	    cmocka_unit_test(what_is_wrong_is_named_with_its_place),
	    cmocka_unit_test(depth_without_end_is_an_error),
	    cmocka_unit_test(a_product_of_parameters_has_a_bound),
	    cmocka_unit_test(a_name_names_its_format),
	    cmocka_unit_test(times_are_understood_as_the_tools_write_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
