/* argv → command → exit status. The only part of base that prints to stdout and stderr by itself.
 */
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/options.h"
#include "base/terminal.h"

#define COMMANDS_MAX 64

/* What is said where an error leaves its second or third line open. */
static const struct {
	int code;
	const char *why, *next;
} fallbacks[] = {
    {ERR_USAGE, "the command line or the configuration is wrong", NULL},
    {ERR_PERMISSION, "the system does not permit it", "pyrometer doctor"},
    {ERR_NO_PROCESS, "there is no such process, or it has ended", "ps -e"},
    {ERR_NOT_PYTHON, "it is not a CPython 3.8 to 3.15", "pyrometer doctor"},
    {ERR_TOO_LITTLE, "there is too little data to answer", NULL},
    {ERR_FILE, "a file could not be read or written", NULL},
    {ERR_TORN, "what was read is not consistent", "pyrometer doctor"},
    {ERR_UNREADABLE, "the process's memory could not be read", "pyrometer doctor"},
    {ERR_LIMIT, "a bound of Pyrometer's own was reached", NULL},
    {ERR_MEMORY, "there is no memory left", "free -h"},
    {ERR_INTERNAL, "Pyrometer itself failed", "pyrometer doctor"},
};

static void print_line(FILE *stream, const char *start, const char *text)
{
	fputs(start, stream);
	text_write_safe(stream, text);
	putc('\n', stream);
}

void program_print_error(const struct program *program, const struct command *command,
			 const struct err *err, FILE *stream)
{
	const char *why = "the cause is not known", *next = NULL;
	char help[128];
	for (size_t i = 0; i < sizeof fallbacks / sizeof fallbacks[0]; i++) {
		if (fallbacks[i].code == err->code) {
			why = fallbacks[i].why;
			next = fallbacks[i].next;
		}
	}
	if (next == NULL) {
		snprintf(help, sizeof help, "%s %s%s", program->name,
			 command != NULL ? command->name : "",
			 command != NULL ? " --help" : "--help");
		next = help;
	}
	fputs(program->name, stream);
	print_line(stream, ": ", err->what[0] != '\0' ? err->what : "failed");
	print_line(stream, "  why: ", err->why[0] != '\0' ? err->why : why);
	print_line(stream, "  next: ", err->next[0] != '\0' ? err->next : next);
}

/* ---- Descriptors and signals ---- */

/* A file that we open must never become somebody's stdout. */
static void open_missing_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) {
			continue;
		}
		int opened = open("/dev/null", (fd == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
		if (opened != fd && opened >= 0) {
			close(opened);
			return;
		}
	}
}

static void ignore_signal(int number)
{
	(void)number;
}

/* Where data is all that a command makes, a reader that goes away (`| head`) ends it at once and
 * quietly: SIGPIPE's default. A command that runs a program must outlive that, to keep what it
 * recorded: there a handler, not SIG_IGN, because exec gives a handler back to the default, so that
 * the program starts with the signals it would have without us. */
static void arrange_sigpipe(const struct command *command)
{
	struct sigaction action = {.sa_flags = SA_RESTART};
	struct sigaction inherited;
	if (command->own_failure_status == 0 || sigaction(SIGPIPE, NULL, &inherited) < 0 ||
	    inherited.sa_handler == SIG_IGN) {
		return;
	}
	action.sa_handler = ignore_signal;
	sigaction(SIGPIPE, &action, NULL);
}

/* Data that didn't arrive is a failure, unless its reader went away. */
static int flush_stdout(struct err *err)
{
	bool had_error = ferror(stdout) != 0;
	errno = 0;
	if (fflush(stdout) == 0 && !had_error) {
		return 0;
	}
	if (errno == EPIPE) {
		return 0;
	}
	if (errno != 0) {
		return err_set_errno(err, ERR_FILE, errno, "cannot write the output to stdout");
	}
	return err_set(err, ERR_FILE, "cannot write the output to stdout");
}

/* ---- Running ---- */

/* The status for a negative code. Where the program that was started has the say over the status,
 * our own failure is told apart by one of its own; a wrong command line stays one. */
static int failure_status(const struct command *command, int code, bool has_program)
{
	if (command->own_failure_status != 0 && has_program && code != -ERR_USAGE) {
		return command->own_failure_status;
	}
	return err_exit_status(code);
}

static int report_failure(const struct program *program, const struct command *command, int code,
			  bool has_program, struct err *err)
{
	if (err->code == 0) {
		err->code = -code;
	}
	fflush(stdout);
	program_print_error(program, command, err, stderr);
	return failure_status(command, code, has_program);
}

static void print_help(const struct command *command)
{
	struct terminal terminal;
	terminal_describe(&terminal, stdout);
	options_print_help(command, stdout, terminal.columns, terminal.color);
}

/* Whether the command line asks for help: read without the configuration, for where that is broken.
 */
static bool wants_help(const struct command *command, int argc, char **argv, void *values)
{
	char **words = mem_zalloc((size_t)argc + 1, sizeof *words); /* the parser moves them */
	int first;
	bool help = false;
	if (words == NULL) {
		return false;
	}
	memcpy(words, argv, (size_t)argc * sizeof *words);
	if (options_parse(command, NULL, argc, words, values, &first, &help, NULL) < 0) {
		help = false;
	}
	options_release(command, values);
	mem_free(words);
	return help;
}

/* Whether the command line names a program to start: by an operand, or as python's -m does. */
static bool names_program(const struct command *command, const void *values, int operand_count)
{
	bool found = operand_count > 0;
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
	     option++) {
		if (option->ends_options && option->type == OPTION_TEXT) {
			const void *field = (const char *)values + option->offset;
			found = found || *(const char *const *)field != NULL;
		}
	}
	return found;
}

static int parse_and_run(const struct program *program, const struct command *command,
			 const struct config *config, int argc, char **argv, void *values)
{
	struct err err = {.code = 0};
	int first = argc;
	bool help = false;
	char **words = mem_zalloc((size_t)argc + 1, sizeof *words); /* for help: argv is moved */
	if (words != NULL) {
		memcpy(words, argv, (size_t)argc * sizeof *words);
	}
	int rc = options_parse(command, config, argc, argv, values, &first, &help, &err);
	if (rc < 0 && words != NULL) { /* a value of the configuration, perhaps */
		options_release(command, values);
		if (wants_help(command, argc, words, values)) {
			help = true;
			rc = 0;
		}
	}
	mem_free(words);
	if (rc < 0) {
		return report_failure(program, command, rc, false, &err);
	}
	if (help) {
		print_help(command);
		rc = 0;
	} else {
		arrange_sigpipe(command);
		rc = command->main(values, argc - first, argv + first, &err);
	}
	bool has_program = names_program(command, values, argc - first);
	if (rc < 0) {
		return report_failure(program, command, rc, has_program, &err);
	}
	int flushed = flush_stdout(&err);
	if (flushed < 0 && rc == 0) {
		return report_failure(program, command, flushed, has_program, &err);
	}
	return rc;
}

static int run_command(const struct program *program, const struct command *command, int argc,
		       char **argv)
{
	struct err err = {.code = 0};
	struct config config;
	void *values = NULL;
	int status;

	config_init(&config);
	int rc = 0;
	values = mem_zalloc(1, command->options_size > 0 ? command->options_size : 1);
	if (values == NULL) {
		rc = err_set(&err, ERR_MEMORY, "cannot start");
	}
	if (rc == 0 && command->options != NULL) {
		rc = config_load(&config, NULL, &err);
	}
	if (rc == 0) {
		rc = config_check(&config, program->commands, &err);
	}
	if (rc < 0 && values != NULL && wants_help(command, argc, argv, values)) {
		config_release(&config); /* a broken configuration must not hide the help */
		rc = 0;
	}
	if (rc < 0) {
		status = report_failure(program, command, rc, false, &err);
		goto out;
	}
	status = parse_and_run(program, command, &config, argc, argv, values);
out:
	if (values != NULL) {
		options_release(command, values);
	}
	mem_free(values);
	config_release(&config);
	return status;
}

/* Fills the error for a word that is no command. */
static int unknown_word(const struct program *program, const char *word, struct err *err)
{
	const char *names[COMMANDS_MAX + 1];
	size_t count = 0;
	for (; count < COMMANDS_MAX && program->commands[count] != NULL; count++) {
		names[count] = program->commands[count]->name;
	}
	names[count] = NULL;
	const char *kind = word[0] == '-' ? "option" : "command";
	const char *near = word[0] == '-' ? NULL : options_did_you_mean(word, names);
	int rc;
	if (near != NULL) {
		rc =
		    err_set(err, ERR_USAGE, "unknown command '%s'; did you mean '%s'?", word, near);
		err_next(err, "%s %s --help", program->name, near);
	} else {
		rc = err_set(err, ERR_USAGE, "unknown %s '%s'", kind, word);
		err_next(err, "%s --help", program->name);
	}
	err_why(err, "%s has no such %s", program->name, kind);
	return rc;
}

int program_find_command(const struct program *program, int operand_count, char **operands,
			 const struct command **ret_command, struct err *err)
{
	if (operand_count != 1) {
		int rc = err_set(err, ERR_USAGE, "one command's name is wanted");
		err_why(err, "%d names were given", operand_count);
		err_next(err, "%s --help", program->name);
		return rc;
	}
	const struct command *command = commands_find(program->commands, operands[0]);
	if (command == NULL) {
		return unknown_word(program, operands[0], err);
	}
	*ret_command = command;
	return 0;
}

static int refuse_word(const struct program *program, const char *word)
{
	struct err err = {.code = 0};
	unknown_word(program, word, &err);
	if (access(word, F_OK) == 0 && commands_find(program->commands, "run") != NULL) {
		err_why(&err, "it is a file; a program is profiled by run");
		err_next(&err, "%s run %s", program->name, word);
	}
	program_print_error(program, NULL, &err, stderr);
	return ERR_USAGE;
}

static int end_of_output(const struct program *program)
{
	struct err err = {.code = 0};
	if (flush_stdout(&err) < 0) {
		program_print_error(program, NULL, &err, stderr);
		return ERR_FILE;
	}
	return 0;
}

int program_main(const struct program *program, int argc, char **argv)
{
	struct terminal terminal;
	open_missing_descriptors();
	const char *word = argc > 1 ? argv[1] : NULL;
	if (word == NULL) {
		terminal_describe(&terminal, stderr);
		program_print_help(program, stderr, terminal.columns, terminal.color);
		return ERR_USAGE;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		terminal_describe(&terminal, stdout);
		program_print_help(program, stdout, terminal.columns, terminal.color);
		return end_of_output(program);
	}
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		printf("%s %s\n", program->name, program->version);
		return end_of_output(program);
	}
	const struct command *command = commands_find(program->commands, word);
	if (command == NULL) {
		return refuse_word(program, word);
	}
	return run_command(program, command, argc - 1, argv + 1);
}
