/* What run and record share: start or find the target, sample it into a recording
 * until it ends, keep its terminal, signals and exit status its own. */
#ifndef COMMANDS_RECORDER_H
#define COMMANDS_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "commands/recording_place.h"
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

struct recorded {
	struct recording_place place; /* of the recording and of the one before */
	int exit_status; /* of the program as a shell gives it; for -p 0, or ERR_FILE where the
			    recording is cut short */
	bool launched;
	/* No Python process was seen in what was started: that was said, nothing is kept, and there
	 * is no answer to give. */
	bool empty;
};

/* 0 and *ret_recorded: there is something to report, even if a full disk cut it short (which was
 * said on stderr), or `empty`. Or a negative code: nothing was recorded. A program that was started
 * has then run to its end all the same.
 *
 * Where the recording ends before a program that was started does (--duration), the file is
 * finished and closed at once, and a terminal gets a line that says so; then the program's end is
 * awaited, since its status is ours. Its status and what it did later are not in that recording.
 *
 * Of a running process (-p) SIGINT, SIGTERM and SIGHUP end the recording; a second one while it is
 * being finished changes nothing, a third ends Pyrometer. */
int recorder_run(const struct record_arguments *arguments, int operand_count, char **operands,
		 struct recorded *ret_recorded, struct err *err);

#endif
