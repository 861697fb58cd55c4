/* From a command that runs a Python program to the one that runs it under the probe of `imports`,
 * and to that of its interpreter alone. Looks at PATH and at a script's first line. */
#ifndef BENCH_IMPORTS_COMMAND_H
#define BENCH_IMPORTS_COMMAND_H

#include "base/arena.h"

struct err;

struct imports_command {
	char **probed; /* the program, under the probe */
	char *
	    *interpreter; /* the same interpreter with its options, -X importtime, and no program */
	struct arena arena; /* of what they point to */
};

/* `bootstrap` is the text for -c. -ERR_USAGE where argv runs no Python program (or an interactive
 * one), -ERR_MEMORY. Release also after a failure. */
int imports_command_make(struct imports_command *command, char *const *argv, const char *bootstrap,
			 struct err *err);
void imports_command_release(struct imports_command *command);

#endif
