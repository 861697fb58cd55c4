/* Which process a command is for: -p PID or its one operand. For commands that
 * take nothing else. */
#ifndef COMMANDS_PID_OPERAND_H
#define COMMANDS_PID_OPERAND_H

#include <stdint.h>

struct err;

/* *ret_pid: 0 when neither is given. -ERR_USAGE: both, more than one, or not a process id; `usage`
 * is then the next step ("pyrometer dump -p PID"). */
int pid_operand(int32_t option, int operand_count, char **operands, const char *usage, int *ret_pid,
		struct err *err);
/* The error where a process must be named and none was: -ERR_USAGE. */
int pid_operand_missing(const char *usage, struct err *err);

#endif
