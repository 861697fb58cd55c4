/* A against B for people and as JSON (docs/commands/compare.md): the verdict first, then a row for
 * each benchmark, then what is counted and compared exactly. Reads results of bench/pairing and
 * decides nothing itself. */
#ifndef REPORT_COMPARE_VIEW_H
#define REPORT_COMPARE_VIEW_H

#include <stdio.h>

#include "bench/pairing.h"

struct err;
struct terminal;

/* One benchmark of the suite. */
struct comparison_row {
	const char *name;
	const struct pairing_result *result;
	enum verdict verdict; /* after Holm over the suite: what counts */
};

/* What A or B is. Texts may be NULL where there is nothing to say. */
struct comparison_side {
	const char *label;    /* as the user gave it: "rev:main", "python:3.13", "bench_a.py" */
	const char *revision; /* full commit, for the ledger */
	const char *subject;  /* first line of its message */
	const char *python;   /* "CPython 3.13.0" */
};

struct comparison {
	struct comparison_side a, b;
	const struct comparison_row *rows;
	size_t row_count;
	double alpha;	     /* over the whole suite */
	double tolerance;    /* |log ratio| within which B counts as equal */
	double indifference; /* |log ratio| that no verdict is made of */
	double elapsed_s;    /* all of it */
	double created_s;    /* Unix time */
};

/* terminal NULL: what `out` is. 0, -ERR_FILE or -ERR_MEMORY. */
int compare_view_print(FILE *out, const struct comparison *, const struct terminal *, struct err *);

/* `compare --json`: schema_version, a, b, alpha, tolerance, verdict,
 * benchmarks[{name,ratio,low,high,verdict,pairs,detectable,…}]. What the ledger takes. */
int compare_json_write(FILE *out, const struct comparison *, struct err *);

/* Of the whole suite (verdict_worse over the rows); VERDICT_NOT_MEASURED for none. */
enum verdict comparison_verdict(const struct comparison *);

/* "B takes 4.2 % longer (3.1 to 5.3)", "cannot tell: …" for one row, without a newline: for other
 * formats (Markdown, annotations). */
#define COMPARISON_TEXT_MAX 512
char *comparison_sentence(const struct comparison *, const struct comparison_row *, char *text,
			  size_t size);

#endif
