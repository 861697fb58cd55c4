/* The hot files, line by line, with their source and its heat. */
#ifndef REPORT_LINES_VIEW_H
#define REPORT_LINES_VIEW_H

#include "analysis/shares.h"
#include "report/page.h"

struct err;

/* The hottest lines (at most `limit`) file by file, the hottest file first, with
 * the lines around them where the source can be shown. */
int lines_view_write(const struct page *, const struct profile *, const struct shares *,
		     size_t limit, struct err *);

/* One row per (file, line): self adds up over functions; total is that of the
 * function with the most of it, since one call can pass a line twice. */
struct file_line {
	struct string_id file;
	uint32_t line;
	struct function_id function; /* the one with the most self of them */
	double self, total;
	double function_self;
};
int file_lines_collect(const struct shares *, const struct profile *, struct file_line **ret_lines,
		       size_t *ret_count, struct err *); /* by file, then line; mem_free */

#endif
