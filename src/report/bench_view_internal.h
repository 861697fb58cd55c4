/* What the parts of bench_view share. */
#ifndef REPORT_BENCH_VIEW_INTERNAL_H
#define REPORT_BENCH_VIEW_INTERNAL_H

#include "bench/result.h"
#include "report/page.h"
#include "stats/summary.h"

/* One benchmark, its values and its summary. */
struct bench_row {
	const struct benchmark *benchmark;
	char *name; /* with its parameters */
	double *values;
	size_t count;
	struct summary summary; /* n = 0: nothing measured, all others NaN */
};

/* -ERR_MEMORY leaves nothing to release. */
int bench_row_init(struct bench_row *, const struct benchmark *);
void bench_row_release(struct bench_row *);

/* The distribution as bars, a line each. What lies far off goes into the last one. */
void bench_view_histogram(const struct page *, const struct bench_row *);

/* Sentences: values far off and what disturbed them; what was cut off as warm-up; how the
 * processes differ. Each only where there is something to say. */
void bench_view_outliers(const struct page *, const struct bench_row *);
void bench_view_warmup(const struct page *, const struct bench_row *);
void bench_view_processes(const struct page *, const struct bench_row *);

/* Beyond this a value is called an outlier: three times the quartiles' distance above the third
 * (Tukey's "far out"). INFINITY for fewer than BENCH_OUTLIER_VALUES_MIN. */
#define BENCH_OUTLIER_VALUES_MIN 8
double bench_outlier_limit(const struct summary *);

/* The matrix of medians, interpreters as columns. True where there was one to show; *ret_shown
 * untouched else. -ERR_MEMORY. */
int bench_view_matrix(const struct page *, const struct bench_row *rows, size_t count,
		      bool *ret_shown);

#endif
