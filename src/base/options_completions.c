/* Shell completions: scripts for bash, zsh and fish, from the same tables as --help. The scripts
 * need nothing but the shell itself. */
#include <stdio.h>
#include <string.h>

#include "base/options.h"

const char *const completion_shells[] = {"bash", "zsh", "fish", NULL};

/* Whether the value is a path, by its name in the table. */
static bool takes_path(const struct option *option)
{
	const char *name = option_value_name(option);
	return strstr(name, "FILE") != NULL || strstr(name, "PATH") != NULL ||
	       strstr(name, "DIR") != NULL || strstr(name, "FOLDER") != NULL;
}

/* The next option that is shown; NULL after the last. */
static const struct option *shown(const struct option *option)
{
	while (option != NULL && option->name != NULL && option->hidden) {
		option++;
	}
	return option != NULL && option->name != NULL ? option : NULL;
}
#define FOR_EACH_SHOWN(option, command)                                                            \
	for (const struct option *option = shown((command)->options); option != NULL;              \
	     option = shown(option + 1))

static void put_words(FILE *stream, const char *const *words, const char *separator)
{
	for (size_t i = 0; words[i] != NULL; i++) {
		fprintf(stream, "%s%s", i > 0 ? separator : "", words[i]);
	}
}

static void put_command_names(FILE *stream, const struct command *const *commands)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		fprintf(stream, "%s%s", i > 0 ? " " : "", commands[i]->name);
	}
}

/* ---- bash ---- */

static void put_bash_pattern(FILE *stream, const struct option *option)
{
	fprintf(stream, "--%s", option->name);
	if (option->letter != 0) {
		fprintf(stream, "|-%c", option->letter);
	}
}

/* What completes the value of the option before the cursor. */
static void put_bash_values(FILE *stream, const struct command *command)
{
	fputs("\t\tcase $previous in\n", stream);
	FOR_EACH_SHOWN(option, command)
	{
		if (option->type == OPTION_FLAG) {
			continue;
		}
		fputs("\t\t", stream);
		put_bash_pattern(stream, option);
		fputs(") ", stream);
		if (option->type == OPTION_CHOICE) {
			fputs("_pyrometer_words \"", stream);
			put_words(stream, option->choices, " ");
			fputs("\"; ", stream);
		} else if (takes_path(option)) {
			fputs("_pyrometer_files; ", stream);
		} else if (option->type == OPTION_PID) {
			fputs("_pyrometer_words \"$(cd /proc && echo [0-9]*)\"; ", stream);
		}
		fputs("return ;;\n", stream);
	}
	fputs("\t\tesac\n", stream);
}

/* Sets `operand` where one stands before the cursor: from there on the options are the program's.
 */
static void put_bash_operand_search(FILE *stream, const struct command *command)
{
	fputs("\t\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	      "\t\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t\t--) operand=1 ;;\n",
	      stream);
	FOR_EACH_SHOWN(option, command)
	{
		if (option->type != OPTION_FLAG) {
			fputs("\t\t\t", stream);
			put_bash_pattern(stream, option);
			fputs(") [[ ${COMP_WORDS[i+1]} == = ]] && ((i++)); ((i++))", stream);
			if (option->ends_options) {
				/* Its value is complete: what follows is the program's. */
				fputs("; ((i < COMP_CWORD)) && operand=1", stream);
			}
			fputs(" ;;\n", stream);
		}
	}
	fputs("\t\t\t-*) ;;\n"
	      "\t\t\t*) operand=1 ;;\n"
	      "\t\t\tesac\n"
	      "\t\t\t[[ -n $operand ]] && break\n"
	      "\t\tdone\n"
	      "\t\tif [[ -n $operand ]]; then _pyrometer_files; return; fi\n",
	      stream);
}

static void put_bash_command(FILE *stream, const struct command *const *commands,
			     const struct command *command)
{
	fprintf(stream, "\t%s)\n", command->name);
	if (command->stops_at_operand) {
		put_bash_operand_search(stream, command);
	}
	put_bash_values(stream, command);
	fputs("\t\tif [[ $current == -* ]]; then\n\t\t\t_pyrometer_words \"", stream);
	FOR_EACH_SHOWN(option, command)
	{
		fprintf(stream, "--%s ", option->name);
		if (option->letter != 0) {
			fprintf(stream, "-%c ", option->letter);
		}
	}
	fputs("--help -h\"\n\t\telse\n\t\t\t", stream);
	if (command->operands_are_commands) {
		fputs("_pyrometer_words \"", stream);
		put_command_names(stream, commands);
		fputs("\"\n", stream);
	} else if (command->operand_choices != NULL) {
		fputs("_pyrometer_words \"", stream);
		put_words(stream, command->operand_choices, " ");
		fputs("\"\n", stream);
	} else {
		fputs("_pyrometer_files\n", stream);
	}
	fputs("\t\tfi ;;\n", stream);
}

static void print_bash(const struct command *const *commands, FILE *stream)
{
	fputs(
	    "# bash completion for pyrometer; made by: pyrometer completions bash\n"
	    "_pyrometer_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$current\"); }\n"
	    "_pyrometer_files() {\n"
	    "\tcompopt -o filenames 2>/dev/null\n"
	    "\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
	    "}\n"
	    "_pyrometer() {\n"
	    "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
	    "\tlocal operand= i\n"
	    "\tCOMPREPLY=()\n"
	    "\t# --name=value comes as three words.\n"
	    "\tif [[ $current == = ]]; then\n"
	    "\t\tcurrent=\n"
	    "\telif [[ $previous == = && $COMP_CWORD -gt 1 ]]; then\n"
	    "\t\tprevious=${COMP_WORDS[COMP_CWORD-2]}\n"
	    "\tfi\n"
	    "\tif [[ $COMP_CWORD -eq 1 ]]; then\n"
	    "\t\t_pyrometer_words \"",
	    stream);
	put_command_names(stream, commands);
	fputs(" --help --version\"\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n", stream);
	for (size_t i = 0; commands[i] != NULL; i++) {
		put_bash_command(stream, commands, commands[i]);
	}
	fputs("\tesac\n}\ncomplete -F _pyrometer pyrometer\n", stream);
}

/* ---- zsh ---- */

/* Inside '…', and inside […] of an _arguments specification. */
static void put_zsh_text(FILE *stream, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			fputs("'\\''", stream);
			continue;
		}
		if (strchr("[]:\\", *text) != NULL) {
			putc('\\', stream);
		}
		putc(*text == '\n' ? ' ' : *text, stream);
	}
}

static void put_zsh_option(FILE *stream, const struct option *option)
{
	bool is_flag = option->type == OPTION_FLAG;
	fputs(" \\\n\t\t\t", stream);
	if (option->type == OPTION_TEXTS) {
		fputs("'*'", stream);
	} else if (option->letter != 0) {
		fprintf(stream, "'(-%c --%s)'", option->letter, option->name);
	}
	if (option->letter != 0) {
		fprintf(stream, "{-%c%s,--%s%s}", option->letter, is_flag ? "" : "+", option->name,
			is_flag ? "" : "=");
	} else {
		fprintf(stream, "--%s%s", option->name, is_flag ? "" : "=");
	}
	fputs("'[", stream);
	put_zsh_text(stream, option->help);
	fputs("]", stream);
	if (!is_flag) {
		fputs(":", stream);
		put_zsh_text(stream, option_value_name(option));
		fputs(":", stream);
		if (option->type == OPTION_CHOICE) {
			fputs("(", stream);
			put_words(stream, option->choices, " ");
			fputs(")", stream);
		} else if (takes_path(option)) {
			fputs("_files", stream);
		} else if (option->type == OPTION_PID) {
			fputs("_pids", stream);
		} else {
			fputs(" ", stream);
		}
	}
	fputs("'", stream);
}

static void put_zsh_command(FILE *stream, const struct command *const *commands,
			    const struct command *command)
{
	fprintf(stream, "\t%s)\n\t\t_arguments -s -S", command->name);
	FOR_EACH_SHOWN(option, command)
	{
		put_zsh_option(stream, option);
	}
	fputs(" \\\n\t\t\t'(- *)'{-h,--help}'[Print the options and end]' \\\n\t\t\t", stream);
	if (command->operands_are_commands) {
		fputs("'1:command:(", stream);
		put_command_names(stream, commands);
		fputs(")'", stream);
	} else if (command->operand_choices != NULL) {
		fputs("'1:name:(", stream);
		put_words(stream, command->operand_choices, " ");
		fputs(")'", stream);
	} else {
		fprintf(stream, "'%s*:file:_files'", command->stops_at_operand ? "(-)" : "");
	}
	fputs(" ;;\n", stream);
}

static void print_zsh(const struct command *const *commands, FILE *stream)
{
	fputs("#compdef pyrometer\n"
	      "# zsh completion for pyrometer; made by: pyrometer completions zsh\n"
	      "_pyrometer() {\n"
	      "\tlocal -a commands\n"
	      "\tcommands=(\n",
	      stream);
	for (size_t i = 0; commands[i] != NULL; i++) {
		fprintf(stream, "\t\t'%s:", commands[i]->name);
		put_zsh_text(stream, commands[i]->summary);
		fputs("'\n", stream);
	}
	fputs("\t)\n"
	      "\tif (( CURRENT == 2 )); then\n"
	      "\t\t_describe -t commands command commands\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tshift words\n"
	      "\t(( CURRENT-- ))\n"
	      "\tcase $words[1] in\n",
	      stream);
	for (size_t i = 0; commands[i] != NULL; i++) {
		put_zsh_command(stream, commands, commands[i]);
	}
	/* Both as an autoloaded function of $fpath and by `source <(…)`. */
	fputs("\tesac\n"
	      "}\n"
	      "if [[ $funcstack[1] == _pyrometer ]]; then\n"
	      "\t_pyrometer \"$@\"\n"
	      "else\n"
	      "\tcompdef _pyrometer pyrometer\n"
	      "fi\n",
	      stream);
}

/* ---- fish ---- */

static void put_fish_text(FILE *stream, const char *text)
{
	putc('\'', stream);
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\') {
			putc('\\', stream);
		}
		putc(*text == '\n' ? ' ' : *text, stream);
	}
	putc('\'', stream);
}

static void put_fish_start(FILE *stream, const struct command *command)
{
	fprintf(stream, "complete -c pyrometer -n '__pyrometer_command %s'", command->name);
}

static void put_fish_option(FILE *stream, const struct command *command,
			    const struct option *option)
{
	put_fish_start(stream, command);
	if (option->letter != 0) {
		fprintf(stream, " -s %c", option->letter);
	}
	fprintf(stream, " -l %s", option->name);
	if (option->type == OPTION_CHOICE) {
		fputs(" -x -a '", stream);
		put_words(stream, option->choices, " ");
		fputs("'", stream);
	} else if (option->type == OPTION_PID) {
		fputs(" -x -a '(__fish_complete_pids)'", stream);
	} else if (takes_path(option)) {
		fputs(" -r -F", stream);
	} else if (option->type != OPTION_FLAG) {
		fputs(" -x", stream);
	}
	fputs(" -d ", stream);
	put_fish_text(stream, option->help);
	putc('\n', stream);
}

static void put_fish_command(FILE *stream, const struct command *const *commands,
			     const struct command *command)
{
	fprintf(stream, "complete -c pyrometer -n __pyrometer_no_command -f -a %s -d ",
		command->name);
	put_fish_text(stream, command->summary);
	putc('\n', stream);
	FOR_EACH_SHOWN(option, command)
	{
		put_fish_option(stream, command, option);
	}
	put_fish_start(stream, command);
	fputs(" -s h -l help -d 'Print the options and end'\n", stream);
	if (command->operands_are_commands || command->operand_choices != NULL) {
		put_fish_start(stream, command);
		fputs(" -f -a '", stream);
		if (command->operands_are_commands) {
			put_command_names(stream, commands);
		} else {
			put_words(stream, command->operand_choices, " ");
		}
		fputs("'\n", stream);
	}
}

static void print_fish(const struct command *const *commands, FILE *stream)
{
	fputs("# fish completion for pyrometer; made by: pyrometer completions fish\n"
	      "function __pyrometer_no_command\n"
	      "\ttest (count (commandline -opc)) -eq 1\n"
	      "end\n"
	      "function __pyrometer_command\n"
	      "\tset -l words (commandline -opc)\n"
	      "\ttest (count $words) -gt 1; and test $words[2] = $argv[1]\n"
	      "end\n"
	      "complete -c pyrometer -n __pyrometer_no_command -l help -d 'Print help and end'\n"
	      "complete -c pyrometer -n __pyrometer_no_command -l version -d 'Print the version'\n",
	      stream);
	for (size_t i = 0; commands[i] != NULL; i++) {
		put_fish_command(stream, commands, commands[i]);
	}
}

void options_print_completions(const struct command *const *commands, const char *shell,
			       FILE *stream)
{
	if (strcmp(shell, "bash") == 0) {
		print_bash(commands, stream);
	} else if (strcmp(shell, "zsh") == 0) {
		print_zsh(commands, stream);
	} else if (strcmp(shell, "fish") == 0) {
		print_fish(commands, stream);
	}
}
