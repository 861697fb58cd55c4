/* The table of functions: self with its 95 % interval, total, hottest line. */
#ifndef REPORT_FUNCTIONS_VIEW_H
#define REPORT_FUNCTIONS_VIEW_H

#include "analysis/shares.h"
#include "report/page.h"

/* Writes nothing when there is no row. `title` stands over the names. */
void functions_view_write(const struct page *, const struct profile *, const struct shares *,
			  const char *title, size_t limit);

/* For too few samples: which functions were seen, how many times; no shares. */
void functions_view_write_counts(const struct page *, const struct profile *, const struct shares *,
				 size_t limit);

/* The decimals that shares of this selection may show. */
int shares_decimals(const struct shares *);

#endif
