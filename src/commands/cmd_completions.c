/* `pyrometer completions bash|zsh|fish`: the script on stdout. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/options.h"
#include "base/program.h"
#include "commands/commands.h"

static int completions_main(const void *options, int operand_count, char **operands,
			    struct err *err)
{
	(void)options;
	for (size_t i = 0; operand_count == 1 && completion_shells[i] != NULL; i++) {
		if (strcmp(operands[0], completion_shells[i]) == 0) {
			options_print_completions(pyrometer_program.commands, operands[0], stdout);
			return 0;
		}
	}
	int rc;
	if (operand_count == 1) {
		rc = err_set(err, ERR_USAGE, "no completions for '%s'", operands[0]);
	} else {
		rc = err_set(err, ERR_USAGE, "completions needs the name of one shell");
	}
	err_why(err, "there are completions for bash, zsh and fish; %d names were given",
		operand_count);
	err_next(err, "pyrometer completions bash");
	return rc;
}

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

const struct command command_completions = {
    .name = "completions",
    .summary = "Print the completions of a shell",
    .usage = "completions bash|zsh|fish",
    .description = "Prints a script that completes commands, options and their values:\n"
		   "  bash  ~/.local/share/bash-completion/completions/pyrometer\n"
		   "  zsh   _pyrometer in a folder of $fpath\n"
		   "  fish  ~/.config/fish/completions/pyrometer.fish",
    .examples = "source <(pyrometer completions bash)",
    .operand_choices = shells,
    .main = completions_main,
};
