/* The table of threads: time on and off the CPU, and what each does most. */
#ifndef REPORT_THREADS_VIEW_H
#define REPORT_THREADS_VIEW_H

#include "analysis/shares.h"
#include "report/page.h"

struct err;

/* The threads that `selection` could choose from (its thread is ignored), those
 * with the most samples first, `limit` rows. */
int threads_view_write(const struct page *, const struct profile *, const struct selection *,
		       size_t limit, struct err *);

#endif
