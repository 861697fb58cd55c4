/* The answer: what `run` prints on stderr when the program has ended, and what
 * `report` prints first. A verdict in one sentence, the header, the states, the
 * hottest functions with their uncertainty, what changed since the last time,
 * what to type next, and how it was measured.
 * Nothing is wider than the terminal but a command to copy that cannot be cut.
 */
#ifndef REPORT_ANSWER_H
#define REPORT_ANSWER_H

#include <stddef.h>
#include <stdio.h>

#include "analysis/shares.h"

struct err;
struct terminal;

/* Zero-initialised options are valid: the defaults of `run`. */
struct answer_options {
	const struct selection *selection; /* NULL: main thread, wall time */
	enum share_sort sort;
	size_t limit;			/* rows of functions; 0 = 10 */
	const struct profile *previous; /* last recording of this command, or NULL */
	const char *recording_path;	/* for the commands to copy, or NULL: none are printed */
	const char *damage;		/* one sentence (recording_damage.text), or NULL or "" */
};

/* 0, or -ERR_MEMORY / -ERR_FILE (the stream failed). Too few samples are an
 * answer of their own, not a failure. */
int report_answer(const struct profile *, const struct answer_options *, FILE *,
		  const struct terminal *, struct err *);

/* Fewer samples than this say nothing about shares. */
#define ANSWER_SAMPLES_MIN 20

#endif
