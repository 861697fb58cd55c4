/* See target_command.h. */
#include "commands/target_command.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "process/process.h"

#define TEXT_MAX 4096

static bool ends_with(const char *text, const char *ending)
{
	size_t length = strlen(text), tail = strlen(ending);

	return length > tail && strcmp(text + length - tail, ending) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "path/to/orders.py" → "orders"; anything that is no good in a file name becomes '-'. */
static void set_short_name(struct target_command *command, const char *path)
{
	const char *name = base_name(path);

	snprintf(command->short_name, sizeof(command->short_name), "%s", *name ? name : "program");
	if (ends_with(command->short_name, ".py"))
		command->short_name[strlen(command->short_name) - 3] = 0;
	for (char *c = command->short_name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			*c = '-';
	if (command->short_name[0] == '-' || command->short_name[0] == '.')
		command->short_name[0] = '_';
}

/* Which word names the program: the script or module behind an interpreter, else the first. */
static const char *program_word(char *const *argv)
{
	if (strncmp(base_name(argv[0]), "python", 6) != 0 &&
	    strncmp(base_name(argv[0]), "pypy", 4) != 0)
		return argv[0];
	for (size_t i = 1; argv[i]; i++) {
		if (strcmp(argv[i], "-m") == 0 && argv[i + 1])
			return argv[i + 1];
		if (strcmp(argv[i], "-c") == 0)
			break;
		if (strcmp(argv[i], "-X") == 0 || strcmp(argv[i], "-W") == 0) {
			if (argv[i + 1])
				i++;
			continue;
		}
		if (argv[i][0] != '-')
			return argv[i];
	}
	return argv[0];
}

/* Nothing in it that a shell takes for anything else, wherever it stands in a word. */
static bool is_plain(const char *word)
{
	for (const char *c = word; *c; c++)
		if ((unsigned char)*c < 0x80 && !isalnum((unsigned char)*c) &&
		    !strchr("_-./:=,+@%", *c))
			return false;
	return *word != 0;
}

static void write_quoted(FILE *stream, const char *word)
{
	bool controls = false;

	for (const char *c = word; *c; c++)
		controls = controls || (unsigned char)*c < ' ' || *c == 0x7f;
	fputs(controls ? "$'" : "'", stream);
	for (const char *c = word; *c; c++) {
		if (!controls && *c == '\'')
			fputs("'\\''", stream);
		else if (controls && (*c == '\'' || *c == '\\'))
			fprintf(stream, "\\%c", *c);
		else if ((unsigned char)*c < ' ' || *c == 0x7f)
			fprintf(stream, "\\%03o", (unsigned)*c);
		else
			putc(*c, stream);
	}
	putc('\'', stream);
}

/* One line that a shell takes for the same words: people copy it. */
static int set_text(struct target_command *command, char *const *argv)
{
	size_t size;
	FILE *stream = open_memstream(&command->text, &size);

	if (!stream)
		return -ERR_MEMORY;
	for (size_t i = 0; argv[i]; i++) {
		if (i && (size_t)ftell(stream) + strlen(argv[i]) > TEXT_MAX) {
			fputs(" ...", stream); /* whole words only: half a quote ends nowhere */
			break;
		}
		if (i)
			putc(' ', stream);
		if (is_plain(argv[i]))
			fputs(argv[i], stream);
		else
			write_quoted(stream, argv[i]);
	}
	return fclose(stream) == 0 ? 0 : -ERR_MEMORY;
}

static int describe_process(struct target_command *command, pid_t pid, int operand_count,
			    struct err *err)
{
	char text[TEXT_MAX];
	int result;

	if (operand_count > 0) {
		result =
		    err_set(err, ERR_USAGE, "both a process and a program to start were given");
		err_why(err, "-p %d names a running process, and %d words follow", (int)pid,
			operand_count);
		err_next(err, "leave out one of them");
		return result;
	}
	result = process_readable(pid, err);
	if (result == 0)
		result = process_command_line(pid, text, sizeof(text), err);
	if (result < 0)
		return result;
	command->text = mem_copy_text(text);
	snprintf(command->short_name, sizeof(command->short_name), "pid-%d", (int)pid);
	return command->text ? 0 : -ERR_MEMORY;
}

static int check_script(const char *path, struct err *err)
{
	int result;

	if (access(path, R_OK) == 0)
		return 0;
	result = err_set(err, ERR_FILE, "can't read the script %s", path);
	err_why(err, "%s", strerror(errno));
	err_next(
	    err,
	    "check the path, or put the whole command after --: pyrometer run -- python app.py");
	return result;
}

int target_command_make(struct target_command *command, pid_t pid, const char *python,
			const char *module, int operand_count, char **operands, struct err *err)
{
	const char *interpreter = python ? python : "python3";
	size_t at = 0;
	int result;

	memset(command, 0, sizeof(*command));
	if (pid > 0)
		return describe_process(command, pid, operand_count, err);
	if (operand_count == 0 && !module) {
		result = err_set(err, ERR_USAGE, "nothing to run");
		err_why(err, "no program and no process was given");
		err_next(err, "pyrometer run app.py, or pyrometer record -p PID");
		return result;
	}
	if (!module && ends_with(operands[0], ".py")) {
		result = check_script(operands[0], err);
		if (result < 0)
			return result;
	}
	command->argv = mem_zalloc((size_t)operand_count + 4, sizeof(*command->argv));
	if (!command->argv)
		return err_set(err, ERR_MEMORY, "no memory for the command line");
	if (module || ends_with(operands[0], ".py"))
		command->argv[at++] = (char *)(uintptr_t)interpreter;
	if (module) {
		command->argv[at++] = (char *)(uintptr_t) "-m";
		command->argv[at++] = (char *)(uintptr_t)module;
	}
	for (int i = 0; i < operand_count; i++)
		command->argv[at++] = operands[i];
	set_short_name(command, program_word(command->argv));
	return set_text(command, command->argv);
}

void target_command_release(struct target_command *command)
{
	mem_free(command->argv);
	mem_free(command->text);
	memset(command, 0, sizeof(*command));
}
