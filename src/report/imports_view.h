/* What a program imports, for people: the answer, and on request the tree or the time line. JSON
 * is bench/imports.h's. */
#ifndef REPORT_IMPORTS_VIEW_H
#define REPORT_IMPORTS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct err;
struct imports_result;
struct terminal;

enum imports_sort {
	IMPORTS_BY_TOTAL,
	IMPORTS_BY_SELF,
	IMPORTS_BY_MEMORY,
	IMPORTS_BY_FILES,
	IMPORTS_BY_START
};

struct imports_view {
	const struct imports_result *result;
	const char *directory; /* files in it are shown relative to it; NULL none */
	enum imports_sort sort;
	size_t limit; /* rows of a list; 0 = all */
	bool tree, timeline;
};

/* 0 or -ERR_FILE, -ERR_MEMORY. */
int imports_view_write(const struct imports_view *view, FILE *stream,
		       const struct terminal *terminal, struct err *err);

/* The exact set of modules, one a line, sorted. */
int imports_modules_write(const struct imports_result *result, FILE *stream, struct err *err);

#endif
