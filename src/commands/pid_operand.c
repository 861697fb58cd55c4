/* See pid_operand.h. */
#include "commands/pid_operand.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static int refuse(const char *usage, struct err *err)
{
	err_set(err, ERR_USAGE, "which process?");
	err_next(err, "%s", usage);
	return -ERR_USAGE;
}

int pid_operand_missing(const char *usage, struct err *err)
{
	int r = refuse(usage, err);

	err_why(err, "no process id was given");
	return r;
}

/* Digits only; 0: not a process id. */
static int parse(const char *text)
{
	size_t length = strlen(text);
	long pid;

	if (length == 0 || length > 10 || strspn(text, "0123456789") != length)
		return 0;
	pid = strtol(text, NULL, 10);
	return pid > INT32_MAX ? 0 : (int)pid;
}

int pid_operand(int32_t option, int operand_count, char **operands, const char *usage, int *ret_pid,
		struct err *err)
{
	int pid = option, r;

	if (operand_count == 1 && !option)
		pid = parse(operands[0]);
	if (operand_count == 0 || (operand_count == 1 && !option && pid)) {
		*ret_pid = pid;
		return 0;
	}
	r = refuse(usage, err);
	if (option)
		err_why(err, "`%s` is given beside -p %d", operands[0], (int)option);
	else
		err_why(err, "`%s` is not one process id", operands[operand_count > 1 ? 1 : 0]);
	return r;
}
