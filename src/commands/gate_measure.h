/* What `gate` measures itself: benchmarks under this interpreter, pairs against a revision, and
 * what modules import. */
#ifndef COMMANDS_GATE_MEASURE_H
#define COMMANDS_GATE_MEASURE_H

#include <signal.h>
#include <stddef.h>

struct bench_results;
struct err;
struct gate;

struct gate_measuring {
	char **benchmarks; /* files, functions, commands, as bench and compare take them */
	int benchmark_count;
	const char *python;  /* name; NULL: python3 of PATH */
	double time_limit_s; /* for each benchmark; 0: the defaults of bench and compare */
	const char *prepare; /* command for each revision's folder; NULL */
	const volatile sig_atomic_t *stop;
};

/* As `bench` would. */
int gate_measure_benchmarks(const struct gate_measuring *, struct bench_results **ret_results,
			    struct err *err);
/* Adds a row for each relative budget of each benchmark: `revision` ("rev:main") against the
 * working tree. */
int gate_measure_pairs(const struct gate_measuring *, struct gate *, const char *revision,
		       struct err *err);
/* Adds the rows of all tables import:MODULE. */
int gate_measure_imports(const struct gate_measuring *, struct gate *, struct err *err);

#endif
