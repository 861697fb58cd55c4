/* From the operands of run and record to the argv of the target: `app.py`, `-m
 * module`, `-- python app.py`, or the words of a process that runs already. */
#ifndef COMMANDS_TARGET_COMMAND_H
#define COMMANDS_TARGET_COMMAND_H

#include <sys/types.h>

struct err;

struct target_command {
	char **argv;	      /* NULL-terminated, for launch_start; NULL with a pid */
	char *text;	      /* one line, as the recording keeps it */
	char short_name[128]; /* of the program: "orders", for the recording's name */
};

/* pid > 0: describes that process. -ERR_USAGE when nothing or both are given, -ERR_FILE when the
 * script does not exist. */
int target_command_make(struct target_command *command, pid_t pid, const char *python,
			const char *module, int operand_count, char **operands, struct err *err);
void target_command_release(struct target_command *command);

#endif
