/* `pyrometer man [COMMAND]`: manual pages as roff, so that a package can install them. */
#include <stdio.h>

#include "base/err.h"
#include "base/options.h"
#include "base/program.h"
#include "commands/commands.h"

static int man_main(const void *options, int operand_count, char **operands, struct err *err)
{
	(void)options;
	if (operand_count == 0) {
		program_print_man(&pyrometer_program, stdout);
		return 0;
	}
	const struct command *command;
	int rc = program_find_command(&pyrometer_program, operand_count, operands, &command, err);
	if (rc < 0) {
		return rc;
	}
	options_print_man(command, pyrometer_program.version, stdout);
	return 0;
}

const struct command command_man = {
    .name = "man",
    .summary = "Print a manual page, as roff",
    .usage = "man [COMMAND]",
    .description = "Without COMMAND: the page of the program itself.",
    .examples = "pyrometer man run | man -l -\n"
		"pyrometer man run > pyrometer-run.1",
    .operands_are_commands = true,
    .main = man_main,
};
