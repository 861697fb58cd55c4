/* Benchmark results for people: for each benchmark its numbers, its distribution, what disturbed
 * it and what was cut off as warm-up; several interpreters (the parameter "python") side by side.
 * Reads the results and changes nothing. At most 80 columns wide, colour as the terminal says. */
#ifndef REPORT_BENCH_VIEW_H
#define REPORT_BENCH_VIEW_H

#include <stdbool.h>
#include <stdio.h>

struct bench_results;
struct err;
struct terminal;

struct bench_view_options {
	const struct terminal *terminal; /* NULL: what `out` is */
	bool brief;			 /* one line a benchmark, no distributions */
	/* The user's own price of an hour of one core; 0: no money is spoken of. */
	double core_hour_price;
	const char *currency; /* "EUR"; may be NULL */
};

/* options may be NULL. 0, -ERR_FILE (out failed) or -ERR_MEMORY. */
int bench_view_print(FILE *out, const struct bench_results *results,
		     const struct bench_view_options *options, struct err *err);

#endif
