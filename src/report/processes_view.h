/* The table of processes: the command and its children. */
#ifndef REPORT_PROCESSES_VIEW_H
#define REPORT_PROCESSES_VIEW_H

#include "profile/profile.h"
#include "report/page.h"

/* `limit` rows, those with the most CPU time first after the first process. */
void processes_view_write(const struct page *, const struct profile *, size_t limit);

#endif
