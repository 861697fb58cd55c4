/* `report --json`: the numbers for programs. Keys are documented in
 * docs/commands/report.md; shares are fractions of 1, unknown is null. */
#ifndef REPORT_JSON_VIEW_H
#define REPORT_JSON_VIEW_H

#include <stdio.h>

#include "analysis/shares.h"

struct err;

#define REPORT_SCHEMA_VERSION 1

/* `limit` rows of functions and lines each, 0 = all. `damage` NULL or "" = none. */
int report_json_write(const struct profile *, const struct selection *, enum share_sort,
		      size_t limit, const char *damage, FILE *, struct err *);

#endif
