/* What report, export and diff share: the options that select samples (one
 * table fragment), which recording is meant, and where the output goes. */
#ifndef COMMANDS_REPORT_INPUT_H
#define COMMANDS_REPORT_INPUT_H

#include <stdint.h>
#include <stdio.h>

#include "analysis/shares.h"
#include "base/options.h"
#include "recording/recording_reader.h"

struct err;

struct selection_arguments {
	const char *threads, *thread, *module, *filter;
	double from_s, to_s;
	int32_t pid;
	bool cpu, fold_library;
};

extern const char *const selection_threads[]; /* "main", "all" */
/* The options themselves: selection_options.def, included in each table. */

/* The texts stay owned by the arguments. */
void selection_from_arguments(const struct selection_arguments *, struct selection *);
/* The detail that the selection needs. */
enum recording_detail selection_detail(const struct selection *);

/* The operand, or without one the newest *.pyro of the working directory (said on
 * stderr). -ERR_USAGE for more than one, -ERR_FILE when there is none. */
#define RECORDING_PATH_MAX 4096
int recording_operand(const char *command, int operand_count, char **operands, char *ret_path,
		      struct err *);

/* The error for a recording of which no sample is in the selection, or none is left: `doing` is
 * "report" or "export". -ERR_TOO_LITTLE. */
int no_samples(const char *doing, const struct profile *, const char *damage, struct err *);

/* What of the recording could not be read, as a line on stderr; nothing when all could. path: said
 * in front, NULL: not. */
void damage_say(const char *path, const struct recording_damage *);

/* Output to a file (NULL or "-": stdout). A file appears whole or not at all. */
struct output {
	FILE *stream;
	char path[RECORDING_PATH_MAX], temporary[RECORDING_PATH_MAX + 32];
};
int output_open(struct output *, const char *path, struct err *);
/* Flushes and puts the file in its place; `result` < 0 discards it and is returned. */
int output_close(struct output *, int result, struct err *);

#endif
