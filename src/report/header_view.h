/* What was measured and how: the lines around every table. */
#ifndef REPORT_HEADER_VIEW_H
#define REPORT_HEADER_VIEW_H

#include "analysis/shares.h"
#include "report/page.h"

/* orders.py  CPython 3.12.1  8.42 s wall  7.91 s CPU  peak memory 212 MiB … */
void header_write(const struct page *, const struct profile *, const struct selection *,
		  const struct shares *);
/* on CPU 91.2 %   waiting 8.2 % …: only those that are not zero. */
void states_write(const struct page *, const struct shares *);
/* 6,702 samples, 2 torn; 796 a second …; Pyrometer used 1.8 % of a core. */
void samples_write(const struct page *, const struct profile *, const struct shares *);
/* What the reader must know before believing: damage (NULL or "" none), an
 * unfinished recording, unread stacks, states that the kernel contradicts. Nothing when there is
 * nothing. */
void warnings_write(const struct page *, const struct profile *, const struct selection *,
		    const struct shares *, const char *damage);

/* Do the sampled states differ from the kernel's own accounting of the main thread
 * by more than sampling explains? Only for the whole run; *ret_exact: the kernel's
 * share on the CPU, NAN unknown. */
bool states_contradicted(const struct profile *, const struct selection *, const struct shares *,
			 double *ret_exact);
double profile_wall_s(const struct profile *); /* of the first Python process; NAN unknown */

/* What people call the program of a command line: "orders.py", "-m http.server",
 * "python". Never empty. */
char *program_name(char *text, size_t size, const char *command);

#endif
