/* pyrometer imports: what a program's start costs, import by import. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/terminal.h"
#include "bench/imports.h"
#include "commands/commands.h"
#include "commands/target_command.h"
#include "report/imports_view.h"

#define DIRECTORY_MAX 4096

struct imports_command_options {
	const char *output, *python, *module, *code, *sort;
	int64_t top, repeat;
	bool json, tree, timeline, modules, lines;
};

static const struct imports_command_options imports_defaults = {.sort = "total", .top = 15};
static const char *const sort_choices[] = {"total", "self", "memory", "files", "start", NULL};

#define FIELD(member)                                                                              \
	.offset = offsetof(struct imports_command_options, member), .set_offset = OPTION_NO_SET

static const struct option imports_options[] = {
    {.name = "module",
     .letter = 'm',
     .type = OPTION_TEXT,
     FIELD(module),
     .value_name = "MODULE",
     .no_config = true,
     .ends_options = true,
     .help = "Run a module as `python -m MODULE`; operands are its arguments."},
    {.name = "code",
     .letter = 'c',
     .type = OPTION_TEXT,
     FIELD(code),
     .value_name = "CODE",
     .no_config = true,
     .ends_options = true,
     .help = "Run this text as `python -c CODE`: pyrometer imports -c 'import json'."},
    {.name = "python",
     .type = OPTION_TEXT,
     FIELD(python),
     .value_name = "PYTHON",
     .help = "The interpreter for a script, a module or a text; by default python3 of PATH."},
    {.name = "tree",
     .type = OPTION_FLAG,
     FIELD(tree),
     .help = "Each import under the one that it happened in."},
    {.name = "timeline",
     .type = OPTION_FLAG,
     FIELD(timeline),
     .help = "Imports in the order in which they began, with a bar for each."},
    {.name = "modules",
     .type = OPTION_FLAG,
     FIELD(modules),
     .no_config = true,
     .help = "Only the exact set of modules at the end, one a line, on standard output."},
    {.name = "lines",
     .type = OPTION_FLAG,
     FIELD(lines),
     .help = "Time each line of module bodies too; before CPython 3.12 that slows imports down."},
    {.name = "sort",
     .type = OPTION_CHOICE,
     FIELD(sort),
     .value_name = "KEY",
     .choices = sort_choices,
     .help = "Order of the list."},
    {.name = "top",
     .type = OPTION_INTEGER,
     FIELD(top),
     .value_name = "N",
     .minimum = 0,
     .maximum = IMPORTS_RECORDS_MAX,
     .help = "Rows of a list; 0 shows all, also in the tree and on the time line."},
    {.name = "repeat",
     .type = OPTION_INTEGER,
     FIELD(repeat),
     .value_name = "N",
     .minimum = 0,
     .maximum = IMPORTS_RUNS_MAX,
     .help = "Then run the program N times more without the probe and N times with it, in turns "
	     "and with no output: what the probe itself costs."},
    {.name = "json",
     .type = OPTION_FLAG,
     FIELD(json),
     .no_config = true,
     .help = "The answer as JSON on standard output, after the program's own."},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     FIELD(output),
     .value_name = "FILE",
     .no_config = true,
     .help = "Write the answer to this file instead."},
    {.name = NULL},
};

/* The answer's place. It is opened before the program runs: a run is not to be lost. */
static int open_output(const struct imports_command_options *options, FILE **ret_stream,
		       struct err *err)
{
	int fd;

	*ret_stream = options->json || options->modules ? stdout : stderr;
	if (!options->output)
		return 0;
	fd = open(options->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	*ret_stream = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (*ret_stream)
		return 0;
	if (fd >= 0)
		close(fd);
	return err_set_errno(err, ERR_FILE, errno, "can't write %s", options->output);
}

static enum imports_sort sort_of(const char *name)
{
	static const enum imports_sort sorts[] = {IMPORTS_BY_TOTAL, IMPORTS_BY_SELF,
						  IMPORTS_BY_MEMORY, IMPORTS_BY_FILES,
						  IMPORTS_BY_START};

	for (size_t i = 0; sort_choices[i]; i++)
		if (strcmp(sort_choices[i], name) == 0)
			return sorts[i];
	return IMPORTS_BY_TOTAL;
}

static int write_answer(const struct imports_command_options *options,
			const struct imports_result *result, FILE *stream, struct err *err)
{
	struct imports_view view = {.result = result,
				    .sort = sort_of(options->sort),
				    .limit = (size_t)options->top,
				    .tree = options->tree,
				    .timeline = options->timeline};
	char directory[DIRECTORY_MAX];
	struct terminal terminal;

	if (options->json)
		return imports_json_write(result, stream, err);
	if (options->modules)
		return imports_modules_write(result, stream, err);
	view.directory = getcwd(directory, sizeof(directory));
	terminal_describe(&terminal, stream);
	return imports_view_write(&view, stream, &terminal, err);
}

/* The words of python -c CODE OPERANDS; freed by mem_free. */
static char **code_argv(const struct imports_command_options *options, int operand_count,
			char **operands)
{
	const char *words[] = {options->python ? options->python : "python3", "-c", options->code};
	char **argv = mem_zalloc((size_t)operand_count + 4, sizeof(*argv));

	for (size_t i = 0; argv && i < 3; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	for (int i = 0; argv && i < operand_count; i++)
		argv[3 + i] = operands[i];
	return argv;
}

static int check_options(const struct imports_command_options *options, int operand_count,
			 struct err *err)
{
	const char *both = options->module && options->code	? "-m and -c"
			   : options->tree && options->timeline ? "--tree and --timeline"
			   : options->json && options->modules	? "--json and --modules"
								: NULL;
	int result;

	if (operand_count == 0 && !options->module && !options->code) {
		result = err_set(err, ERR_USAGE, "nothing to run");
		err_why(err, "no program was given");
		err_next(err, "pyrometer imports app.py, or pyrometer imports -m package");
		return result;
	}
	if (!both)
		return 0;
	result = err_set(err, ERR_USAGE, "%s don't go together", both);
	err_why(err, "each of them says what the other one says otherwise");
	err_next(err, "leave out one of them");
	return result;
}

static int measure_and_answer(const struct imports_command_options *options, char **argv,
			      FILE *stream, struct err *err)
{
	struct imports_options wanted = {
	    .argv = argv, .lines = options->lines, .repeat = (int)options->repeat};
	struct imports_result measured;
	int result = imports_measure(&wanted, &measured, err);

	if (result == 0)
		result = write_answer(options, &measured, stream, err);
	if (result == 0)
		result = measured.exit_status;
	imports_release(&measured);
	return result;
}

static int imports_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct imports_command_options *options = values;
	struct target_command command = {0};
	FILE *stream = NULL;
	char **argv = NULL;
	int result = check_options(options, operand_count, err);

	if (result == 0 && options->code) {
		argv = code_argv(options, operand_count, operands);
		if (!argv)
			result = err_set(err, ERR_MEMORY, "no memory for the command line");
	} else if (result == 0) {
		result = target_command_make(&command, 0, options->python, options->module,
					     operand_count, operands, err);
	}
	if (result == 0)
		result = open_output(options, &stream, err);
	if (result == 0)
		result = measure_and_answer(options, argv ? argv : command.argv, stream, err);
	if (stream && options->output && fclose(stream) != 0 && result >= 0)
		result = err_set_errno(err, ERR_FILE, errno, "can't write %s", options->output);
	mem_free(argv);
	target_command_release(&command);
	return result;
}

const struct command command_imports = {
    .name = "imports",
    .summary = "What a program's start costs, import by import",
    .usage = "imports [options] [--] PROGRAM [ARGS...]\n"
	     "imports [options] -m MODULE [ARGS...]\n"
	     "imports [options] -c CODE [ARGS...]",
    .description =
	"The program runs as always, in its own interpreter, with a probe in it: its terminal, its "
	"output and its exit status are its own. Then the answer is printed on standard error: the "
	"time, memory and files of each import, who imports it, what happens at the start and what "
	"later at first use, what of it nothing used, and packages that go on without their "
	"compiled part.\n"
	"\n"
	"CPython 3.8 to 3.15 and PyPy. Times are wall time without what the probe took. Modules "
	"that the interpreter needs before the program begins are timed by a second start with -X "
	"importtime and no program. The exit status is the program's; 125 when Pyrometer itself "
	"failed.",
    .examples = "pyrometer imports app.py\n"
		"pyrometer imports --tree -m mypackage --help\n"
		"pyrometer imports --json -o imports.json -- python3.12 -O app.py\n"
		"pyrometer imports --modules -c 'import json' > modules.txt",
    .options = imports_options,
    .options_size = sizeof(struct imports_command_options),
    .defaults = &imports_defaults,
    .stops_at_operand = true,
    .own_failure_status = ERR_INTERNAL,
    .main = imports_main,
};
