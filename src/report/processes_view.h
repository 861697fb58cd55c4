/* The table of processes: the command and its children. */
#ifndef REPORT_PROCESSES_VIEW_H
#define REPORT_PROCESSES_VIEW_H

#include "profile/profile.h"
#include "report/page.h"

/* `limit` rows, those with the most CPU time first after the first process.
 * notable_only: Python processes and those with 1 % of the first's CPU time; then
 * nothing is written when there is only one. Returns whether anything was. */
bool processes_view_write(const struct page *, const struct profile *, size_t limit,
			  bool notable_only);

#endif
