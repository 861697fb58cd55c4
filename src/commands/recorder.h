/* What run and record share: start or find the target, sample it into a recording
 * until it ends, keep its terminal, signals and exit status its own. */
#ifndef COMMANDS_RECORDER_H
#define COMMANDS_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"

struct err;

struct record_arguments {
	const char *output, *module, *python;
	int32_t pid;
	double duration_s, time_limit_s, rate_hz, budget_percent;
	bool other_core, stop, no_children;
	uint64_t max_size_bytes;
};

#define RECORDER_DEFAULT_MAX_SIZE (2ull << 30)
#define RECORDER_PATH_MAX 4096

struct recorded {
	char path[RECORDER_PATH_MAX];	       /* the recording */
	char previous_path[RECORDER_PATH_MAX]; /* the one before of the same name; "" none */
	int exit_status;		       /* of the program as a shell gives it; 0 for -p */
	bool launched;
};

/* 0 and *ret_recorded, or a negative code: nothing was recorded. A program that was started has
 * then run to its end all the same when it had been started at all. */
int recorder_run(const struct record_arguments *arguments, int operand_count, char **operands,
		 struct recorded *ret_recorded, struct err *err);

#endif
