/* Two recordings against each other, for people and for programs. */
#ifndef REPORT_DIFF_VIEW_H
#define REPORT_DIFF_VIEW_H

#include <stdio.h>

#include "analysis/diff.h"

struct err;
struct terminal;

#define DIFF_SCHEMA_VERSION 1

struct diff_view {
	const struct profile *a, *b;
	const char *path_a, *path_b;
	const struct selection *selection;
	const struct profile_diff *diff;
	size_t limit; /* rows; 0 = all */
};

int diff_view_write(const struct diff_view *, FILE *, const struct terminal *, struct err *);
int diff_json_write(const struct diff_view *, FILE *, struct err *);

#endif
