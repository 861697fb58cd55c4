/* The verdict: one plain sentence, true of the numbers, that says where the
 * time of a selection went. */
#ifndef REPORT_VERDICT_H
#define REPORT_VERDICT_H

#include <stddef.h>

#include "analysis/shares.h"

enum verdict_kind {
	VERDICT_NOTHING, /* no samples at all */
	VERDICT_TOO_FEW, /* under ANSWER_SAMPLES_MIN */
	VERDICT_UNSEEN,	 /* mostly without a Python stack */
	VERDICT_WAITING,
	VERDICT_RUNQUEUE,
	VERDICT_GIL,
	VERDICT_GC,
	VERDICT_IMPORTS,
	VERDICT_LINE,
	VERDICT_FUNCTION,
	VERDICT_THIN, /* no place stands out */
};

#define VERDICT_TEXT_MAX 1024

/* Writes the sentence (no newline, untrusted names in it as they are) and says
 * which it is. `shares` are those of `selection`, sorted by self. */
enum verdict_kind verdict_write(const struct profile *, const struct selection *,
				const struct shares *, char *text, size_t size);

/* "the run", "the CPU time of all threads", "the time of thread worker-1" … */
void scope_write(const struct selection *, char *text, size_t size);

#endif
