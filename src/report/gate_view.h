/* What `gate` found: a page for people, Markdown for a pull request, annotations for GitHub, JSON,
 * SARIF 2.1.0. Reads the rows of bench/gate and decides nothing itself. */
#ifndef REPORT_GATE_VIEW_H
#define REPORT_GATE_VIEW_H

#include <stddef.h>
#include <stdio.h>

struct err;
struct gate;
struct gate_row;
struct terminal;

#define GATE_SCHEMA_VERSION 1

/* terminal NULL: what `out` is. All: 0 or -ERR_FILE. */
int gate_view_print(FILE *out, const struct gate *, const struct terminal *, struct err *);
int gate_json_write(FILE *out, const struct gate *, struct err *);
int gate_markdown_write(FILE *out, const struct gate *, struct err *);
/* ::error, ::warning and ::notice lines at the budget's line of pyproject.toml. */
int gate_annotations_write(FILE *out, const struct gate *, struct err *);
int gate_sarif_write(FILE *out, const struct gate *, struct err *);

/* "p95 12.4 ms (11.9 ms to 12.8 ms), at most 10 ms: …"; untrusted text in it. */
#define GATE_SENTENCE_MAX 1024
char *gate_sentence(const struct gate_row *, char *text, size_t size);
/* "2 of 7 budgets are not met, 1 was not measured" */
char *gate_headline(const struct gate *, char *text, size_t size);
/* The budgets' file as seen from the working directory. */
const char *gate_file(const struct gate *);

#endif
