/* `pyrometer help [COMMAND]`: the same as --help. */
#include <stdio.h>

#include "base/err.h"
#include "base/options.h"
#include "base/program.h"
#include "base/terminal.h"
#include "commands/commands.h"

static int help_main(const void *options, int operand_count, char **operands, struct err *err)
{
	struct terminal terminal;
	(void)options;
	terminal_describe(&terminal, stdout);
	if (operand_count == 0) {
		program_print_help(&pyrometer_program, stdout, terminal.columns, terminal.color);
		return 0;
	}
	const struct command *command;
	int rc = program_find_command(&pyrometer_program, operand_count, operands, &command, err);
	if (rc < 0) {
		return rc;
	}
	options_print_help(command, stdout, terminal.columns, terminal.color);
	return 0;
}

const struct command command_help = {
    .name = "help",
    .summary = "Explain a command",
    .usage = "help [COMMAND]",
    .examples = "pyrometer help run",
    .operands_are_commands = true,
    .main = help_main,
};
