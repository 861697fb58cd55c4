/* Benchmark results: raw values in their hierarchy (benchmark → process → value), with what is
 * known of the surroundings. Nothing is thrown away and nothing summarised here: summaries are
 * computed when they are shown. Owned strings; free with bench_results_free. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;

#define BENCH_SCHEMA_VERSION 1

enum bench_kind { BENCH_TIME, BENCH_PEAK_MEMORY, BENCH_TRACK, BENCH_LATENCY };

/* Counters of one process (a run). UINT64_MAX / NaN: not known. */
struct bench_counters {
	double cpu_s;		 /* user + system, of the process and its children */
	uint64_t peak_rss_bytes; /* of the process itself (VmHWM), never inherited */
	uint64_t modules;	 /* imported by the end */
	uint64_t syscalls;
	uint64_t voluntary_switches, involuntary_switches, minor_faults, major_faults;
	uint64_t gc_collections;
	uint64_t calls, bytecodes, instructions, allocations; /* exact ones, when asked for */
	double energy_j;
	double steal_s; /* taken by the hypervisor from the machine meanwhile */
};

struct bench_run {	 /* one process */
	uint64_t seed;	 /* PYTHONHASHSEED and order */
	uint64_t loops;	 /* iterations behind one value */
	double start_s;	 /* Unix time */
	double *warmups; /* like values, not counted in any summary */
	size_t warmup_count;
	double *values;	 /* in the benchmark's unit per iteration */
	uint8_t *causes; /* per value: enum bench_cause bits, what disturbed it; NULL none known */
	size_t value_count;
	struct bench_counters counters;
};

enum bench_cause {
	CAUSE_STEAL = 1,
	CAUSE_SWITCHED = 2,  /* involuntary context switch within the value */
	CAUSE_COLLECTED = 4, /* garbage collection */
	CAUSE_FAULTED = 8,   /* major page fault, or many minor ones */
};

struct bench_param {
	char *name, *value;
};

struct benchmark {
	char *name; /* "module:function", "file.py::bench_x", the statement or command */
	char *unit; /* "s", "bytes", or track_*'s own */
	enum bench_kind kind;
	struct bench_param *params;
	size_t param_count;
	struct bench_run *runs;
	size_t run_count;
	char *failure;	   /* why it was not (wholly) measured; NULL none */
	double overhead_s; /* of the worker per iteration, already taken off; NaN not known */
};

struct bench_fact { /* environment: "python", "implementation", "cpu_model", "governor", … */
	char *name, *value;
};

struct bench_results {
	char *tool, *tool_version; /* that wrote them */
	double created_s;
	struct bench_fact *facts;
	size_t fact_count;
	struct benchmark *benchmarks;
	size_t benchmark_count;
};

struct bench_results *bench_results_new(void);
void bench_results_free(struct bench_results *);
int bench_results_fact(struct bench_results *, const char *name, const char *value);
const char *bench_results_fact_of(const struct bench_results *, const char *name); /* or NULL */
/* The lists of a result grow by these functions alone: how much room each has follows from its
 * count. Return the new entry (valid until the next addition), NULL: no memory.
 * What was measured under several interpreters is one benchmark each, with the parameter "python"
 * ("3.13.0"); shown side by side. */
struct benchmark *bench_results_add(struct bench_results *, const char *name, const char *unit,
				    enum bench_kind kind);
struct bench_run *benchmark_add_run(struct benchmark *);
int benchmark_param(struct benchmark *, const char *name, const char *value);
int bench_run_add(struct bench_run *, double value, bool is_warmup, uint8_t causes);
void bench_counters_clear(struct bench_counters *); /* all unknown */
struct benchmark *bench_results_find(const struct bench_results *, const char *name,
				     const struct bench_param *params, size_t param_count);

/* All values of all runs, in order; mem_free. */
int benchmark_values(const struct benchmark *, double **ret_values, size_t *ret_count);

/* `bench --json` (PRODUCT.md): benchmarks[{name,n,unit,values,min,median,mean,p95,p99,max,…}],
 * environment, runs; what bench_results_read gives back whole. */
int bench_results_write(const struct bench_results *, FILE *file, struct err *err);

/* Files of other tools, told by their content. Hostile until checked. What a format can't hold is
 * left out as docs/formats says; what it would refuse (pyperf: a value that isn't above 0) is an
 * error. A file that has only summaries gives one value and a `failure` that says so. */
enum bench_format { BENCH_PYROMETER, BENCH_PYPERF, BENCH_PYTEST, BENCH_HYPERFINE, BENCH_ASV };
/* ret_format may be NULL. */
int bench_results_read(const char *path, struct bench_results **ret_results,
		       enum bench_format *ret_format, struct err *err);
int bench_results_export(const struct bench_results *, enum bench_format format, FILE *file,
			 struct err *err);
/* "pyperf", "pytest-benchmark", "hyperfine", "asv", "pyrometer"; negative: no such. */
int bench_format_named(const char *name);

#endif
