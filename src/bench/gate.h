/* Holds results to budgets: a row for each budget of each benchmark that it fits. What is not known
 * is never green: a benchmark that vanished, failed, has no baseline or another interpreter is
 * "not measured", and what lies too near its limit "cannot tell". Measures nothing itself. */
#ifndef BENCH_GATE_H
#define BENCH_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "bench/budgets.h"
#include "bench/waivers.h"

struct bench_results;
struct benchmark;
struct err;
struct imports_result;
struct sequential_state;

enum gate_verdict {
	GATE_PASS,
	GATE_WAIVED,	  /* over its budget, and that is allowed for now */
	GATE_CANNOT_TELL, /* too near the limit for what was measured */
	GATE_REFUSED,	  /* smaller than what this machine can see */
	GATE_NOT_MEASURED,
	GATE_FAIL
};

struct gate_row {
	const char *name; /* of the benchmark; of the budget's table where there is none */
	const struct budget *budget;
	const char *unit;	 /* of the numbers: "s", "bytes", "/s", "%", or the benchmark's */
	double value, low, high; /* NaN: not known; of relative ones parts of 1: 0.05 = 5 % more */
	enum gate_verdict verdict;
	const char *reason; /* NULL: the numbers say it */
	const struct waiver *waiver;
};

struct gate {
	struct arena arena;
	const struct budgets *budgets;
	struct waivers *waivers;
	struct gate_row *rows;
	size_t count, capacity;
	char today[DATE_SIZE];
	double noise; /* log ratio that this machine can see (doctor --noise); NaN: not known */
	const char *noise_of; /* where that figure is from */
	bool relative_in_pairs;
};

/* Budgets and waivers are lent and outlive the gate. */
void gate_init(struct gate *, const struct budgets *, struct waivers *, double now_unix_s);
void gate_release(struct gate *);

/* Adds the rows of all budgets about benchmarks. baseline NULL: there is none. With
 * relative_in_pairs, relative budgets are left to gate_add_pairs. */
int gate_judge_results(struct gate *, const struct bench_results *results,
		       const struct bench_results *baseline, struct err *err);

/* A relative budget that was measured in pairs, the baseline being A; failure NULL: it was. */
int gate_add_pairs(struct gate *, const struct budget *, const char *name,
		   const struct sequential_state *state, const char *failure, struct err *err);

/* Everything a table import:MODULE asks; failure NULL: it was measured. */
int gate_judge_import(struct gate *, const char *table, const struct imports_result *result,
		      const char *failure, struct err *err);

/* The last budget of that key that fits decides; false: another one does. */
bool gate_decides(const struct gate *, const struct budget *, const char *benchmark);

/* Of all rows: the worst. GATE_NOT_MEASURED where there is none. */
enum gate_verdict gate_verdict(const struct gate *);
/* "pass", "waived", "cannot-tell", "refused", "not-measured", "fail". */
const char *gate_verdict_name(enum gate_verdict);
/* 0, 1 failed, 9 cannot tell or refused, 10 not measured. */
int gate_exit_code(enum gate_verdict);

/* Text in the gate's arena; NULL: no memory. */
const char *gate_text(struct gate *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A row more, with its waiver applied. */
int gate_add_row(struct gate *, const struct gate_row *, struct err *err);

/* Sets the verdict of a row by its value and interval; few processes have none and get a wide one.
 * `at_least`: the limit is a lower one. */
void gate_judge_limit(struct gate *, struct gate_row *, bool at_least);
/* Whether a relative budget asks for less than the machine can see: then the row says so. */
bool gate_refuse_below_noise(struct gate *, struct gate_row *);

/* "name(a=1, b=2)", as shown and as budgets name it. */
const char *gate_benchmark_name(struct gate *, const struct benchmark *);

#endif
