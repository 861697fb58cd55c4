/* Lists of imports on a page: the costliest, the tree, the time line. Part of imports_view. */
#ifndef REPORT_IMPORTS_ROWS_H
#define REPORT_IMPORTS_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"

struct err;
struct imports_record;
struct imports_view;
struct page;

struct imports_page {
	const struct page *page;
	const struct imports_view *view;
	struct profile paths; /* empty but for its directory: what text_place asks for */
};

/* "app.py:3 in main", "(interpreter)". */
char *imports_place_text(const struct imports_page *, const struct imports_record *, char *text,
			 size_t size);
/* Of those at the start, or of those at first use. -ERR_MEMORY. */
int imports_list_write(const struct imports_page *, bool at_start, struct err *err);
int imports_tree_write(const struct imports_page *, struct err *err);
int imports_timeline_write(const struct imports_page *, struct err *err);

#endif
