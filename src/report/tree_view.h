/* The call tree, callers above callees, the heaviest branch first. */
#ifndef REPORT_TREE_VIEW_H
#define REPORT_TREE_VIEW_H

#include "analysis/shares.h"
#include "report/page.h"

struct err;

/* At most `limit` rows (the heaviest nodes); a function that calls itself with
 * nothing else beside it is one row, "fib ×25". */
int tree_view_write(const struct page *, const struct profile *, const struct selection *,
		    size_t limit, struct err *);

#endif
