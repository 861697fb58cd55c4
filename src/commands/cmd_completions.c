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
	const char *near =
	    operand_count == 1 ? options_did_you_mean(operands[0], completion_shells) : NULL;
	int rc;
	if (near != NULL) {
		rc = err_set(err, ERR_USAGE, "no completions for '%s'; did you mean '%s'?",
			     operands[0], near);
	} else if (operand_count == 1) {
		rc = err_set(err, ERR_USAGE, "no completions for '%s'", operands[0]);
	} else {
		rc = err_set(err, ERR_USAGE, "completions needs the name of one shell");
	}
	err_why(err, "there are completions for bash, zsh and fish%s",
		operand_count == 0  ? "; no name was given"
		: operand_count > 1 ? "; more than one name was given"
				    : "");
	err_next(err, "pyrometer completions %s", near != NULL ? near : "bash");
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
