/* The history of results: the median of each benchmark over many files, and where it changed its
 * level. For alerts, never for a gate: the files are of different days, so a change may be the
 * machine's. Series are kept apart by interpreter and machine. */
#ifndef BENCH_HISTORY_H
#define BENCH_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "stats/change_points.h"

struct err;

#define HISTORY_FILES_MAX CHANGE_VALUES_MAX
#define HISTORY_SERIES_MAX 20000
#define HISTORY_DEPTH_MAX 3 /* folders in folders: asv has results/MACHINE/FILE */
#define HISTORY_ALPHA 0.01  /* of one series' changes */
/* With fewer results even a clear change is often not told from chance at that level. */
#define HISTORY_TELLS_MIN 12

struct history_file {
	char *path;
	double created_s; /* NaN: not known; then after the others, by name */
	char *label;	  /* commit, or the file's name */
};

struct history_point {
	size_t file; /* index in history.files */
	double median;
};

struct history_series {
	char *name, *unit, *python, *machine; /* name: with parameters; the last two may be "" */
	struct history_point *points;	      /* in the files' order */
	size_t count;
	struct change_point *changes; /* `at`: index in points */
	size_t change_count;
};

struct history {
	struct history_file *files;
	size_t file_count;
	struct history_series *series;
	size_t series_count;
	size_t skipped;	    /* files that are no results */
	char *skipped_text; /* of the first of them: what is wrong with it */
};

/* Files, and folders with *.json in them. A file named itself must be results; one found in a
 * folder may be another thing and is counted. -ERR_TOO_LITTLE: no results at all. */
int history_read(char *const *paths, size_t count, struct history *ret_history, struct err *err);
void history_release(struct history *);

#endif
