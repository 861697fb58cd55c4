/* Results with something in every field, and the comparison of two. */
#ifndef RESULT_FIXTURE_H
#define RESULT_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bench/result.h"
#include "bench/result_internal.h"

static inline void fixture_run(struct benchmark *benchmark, uint64_t seed, double first)
{
	struct bench_run *run = benchmark_add_run(benchmark);

	assert_non_null(run);
	run->seed = seed;
	run->loops = 128;
	run->start_s = 1767225600.25;
	assert_int_equal(bench_run_add(run, first * 3, true, 0), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    bench_run_add(run, first + i / 3e4, false, i == 2 ? CAUSE_STEAL : 0), 0);
	run->counters.cpu_s = 0.1 + 0.2;
	run->counters.peak_rss_bytes = 12345678901;
	run->counters.calls = 0;
	run->counters.steal_s = 0;
}

static inline struct bench_results *fixture_results(void)
{
	struct bench_results *results = bench_results_new();
	struct benchmark *benchmark;

	assert_non_null(results);
	assert_int_equal(bench_text_set(&results->tool, "pyrometer"), 0);
	assert_int_equal(bench_text_set(&results->tool_version, "0.1.0"), 0);
	results->created_s = 1767225600.125;
	assert_int_equal(bench_results_fact(results, "python", "3.12.1"), 0);
	assert_int_equal(bench_results_fact(results, "implementation", "CPython"), 0);
	assert_int_equal(bench_results_fact(results, "cpu_model", "a \"quoted\" CPU"), 0);
	assert_int_equal(bench_results_fact(results, "commit", "0123456789abcdef0123"), 0);
	benchmark = bench_results_add(results, "module:function", "s", BENCH_TIME);
	benchmark->overhead_s = 1.1e-8;
	fixture_run(benchmark, UINT64_MAX, 0.001);
	fixture_run(benchmark, 7, 0.0011);
	for (int n = 1; n <= 2; n++) {
		benchmark = bench_results_add(results, "b.py::time_x", "s", BENCH_TIME);
		assert_int_equal(benchmark_param(benchmark, "n", n == 1 ? "1" : "2"), 0);
		assert_int_equal(benchmark_param(benchmark, "kind", "list"), 0);
		fixture_run(benchmark, 9, n / 10.0);
	}
	benchmark = bench_results_add(results, "b.py::peakmem_x", "bytes", BENCH_PEAK_MEMORY);
	fixture_run(benchmark, 1, 4e6);
	benchmark = bench_results_add(results, "b.py::broken", "s", BENCH_TIME);
	assert_int_equal(bench_text_set(&benchmark->failure, "ValueError: no"), 0);
	return results;
}

/* mem_free */
static inline char *fixture_write(const struct bench_results *results, enum bench_format format,
				  size_t *ret_size)
{
	char *text = NULL, *copy;
	FILE *stream = open_memstream(&text, ret_size);

	assert_non_null(stream);
	assert_int_equal(bench_results_export(results, format, stream, NULL), 0);
	fclose(stream);
	copy = mem_copy_text(text);
	free(text);
	return copy;
}

static inline void fixture_same_number(double a, double b)
{
	assert_true((isnan(a) && isnan(b)) || a == b);
}

static inline void fixture_same_text(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a != NULL)
		assert_string_equal(a, b);
}

static inline void fixture_same_numbers(const double *a, const double *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fixture_same_number(a[i], b[i]);
}

static inline void fixture_assert_same_counters(const struct bench_counters *a,
						const struct bench_counters *b)
{
	fixture_same_number(a->cpu_s, b->cpu_s);
	assert_int_equal(a->peak_rss_bytes, b->peak_rss_bytes);
	assert_int_equal(a->modules, b->modules);
	assert_int_equal(a->syscalls, b->syscalls);
	assert_int_equal(a->voluntary_switches, b->voluntary_switches);
	assert_int_equal(a->involuntary_switches, b->involuntary_switches);
	assert_int_equal(a->minor_faults, b->minor_faults);
	assert_int_equal(a->major_faults, b->major_faults);
	assert_int_equal(a->gc_collections, b->gc_collections);
	assert_int_equal(a->calls, b->calls);
	assert_int_equal(a->bytecodes, b->bytecodes);
	assert_int_equal(a->instructions, b->instructions);
	assert_int_equal(a->allocations, b->allocations);
	fixture_same_number(a->energy_j, b->energy_j);
	fixture_same_number(a->steal_s, b->steal_s);
}

static inline void fixture_assert_same_run(const struct bench_run *a, const struct bench_run *b)
{
	assert_int_equal(a->seed, b->seed);
	assert_int_equal(a->loops, b->loops);
	fixture_same_number(a->start_s, b->start_s);
	assert_int_equal(a->warmup_count, b->warmup_count);
	fixture_same_numbers(a->warmups, b->warmups, a->warmup_count);
	assert_int_equal(a->value_count, b->value_count);
	fixture_same_numbers(a->values, b->values, a->value_count);
	assert_int_equal(a->causes == NULL, b->causes == NULL);
	if (a->causes != NULL)
		assert_memory_equal(a->causes, b->causes, a->value_count);
	fixture_assert_same_counters(&a->counters, &b->counters);
}

static inline void fixture_assert_same(const struct bench_results *a, const struct bench_results *b)
{
	fixture_same_text(a->tool, b->tool);
	fixture_same_text(a->tool_version, b->tool_version);
	fixture_same_number(a->created_s, b->created_s);
	assert_int_equal(a->fact_count, b->fact_count);
	for (size_t i = 0; i < a->fact_count; i++)
		fixture_same_text(bench_results_fact_of(b, a->facts[i].name), a->facts[i].value);
	assert_int_equal(a->benchmark_count, b->benchmark_count);
	for (size_t i = 0; i < a->benchmark_count; i++) {
		const struct benchmark *x = &a->benchmarks[i], *y = &b->benchmarks[i];

		assert_string_equal(x->name, y->name);
		assert_string_equal(x->unit, y->unit);
		assert_int_equal(x->kind, y->kind);
		assert_ptr_equal(bench_results_find(b, x->name, x->params, x->param_count), y);
		fixture_same_text(x->failure, y->failure);
		fixture_same_number(x->overhead_s, y->overhead_s);
		assert_int_equal(x->run_count, y->run_count);
		for (size_t k = 0; k < x->run_count; k++)
			fixture_assert_same_run(&x->runs[k], &y->runs[k]);
	}
}

#endif
