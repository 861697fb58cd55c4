/* See imports_command.h. */
#include "bench/imports_command.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#define WORDS_MAX 100000
#define FIRST_LINE_MAX 512
#define PATH_SIZE 4096

/* What the words of a command mean to the interpreter. */
struct reading {
	struct arena *arena;
	char **words; /* of the command, with the interpreter of a script's first line before it */
	size_t count, interpreter;
	char **flags; /* its options, without -m and -c */
	size_t flag_count;
	const char *mode, *what; /* "script", "-m", "-c" */
	size_t arguments;	 /* index of the program's first */
	bool no_memory;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* python, python3.11, python3.13t, pypy3 …, not python_app.py. */
static bool is_interpreter(const char *word)
{
	const char *name = base_name(word);
	size_t prefix = strncmp(name, "python", 6) == 0 ? 6 : strncmp(name, "pypy", 4) == 0 ? 4 : 0;

	return prefix && strspn(name + prefix, "0123456789.tdmu-bg") == strlen(name + prefix);
}

static char *copy(struct reading *reading, const char *text, size_t size)
{
	char *result = arena_copy_text(reading->arena, text, size);

	reading->no_memory = reading->no_memory || !result;
	return result;
}

static int refuse(struct err *err, const char *what, const char *why)
{
	int result = err_set(err, ERR_USAGE, "%s", what);

	err_why(err, "%s", why);
	err_next(err, "pyrometer imports app.py, or pyrometer imports -- python -m app");
	return result;
}

/* As execvp finds it; false where it does not. */
static bool find_file(const char *word, char *path, size_t size)
{
	const char *folders = getenv("PATH");

	if (strchr(word, '/')) {
		snprintf(path, size, "%s", word);
		return access(path, X_OK) == 0;
	}
	for (const char *at = folders ? folders : "/bin:/usr/bin"; at;) {
		size_t length = strcspn(at, ":");

		snprintf(path, size, "%.*s%s%s", (int)length, at, length ? "/" : "", word);
		if (access(path, X_OK) == 0)
			return true;
		at = at[length] ? at + length + 1 : NULL;
	}
	return false;
}

/* The first line of a script, without "#!"; empty where it is none. */
static void read_first_line(const char *path, char *line)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : read(fd, line, FIRST_LINE_MAX - 1);

	if (fd >= 0)
		close(fd);
	line[got > 0 ? got : 0] = 0;
	if (strncmp(line, "#!", 2) != 0)
		line[0] = 0;
	else
		memmove(line, line + 2, strlen(line) - 1);
	line[strcspn(line, "\r\n")] = 0;
}

/* Puts the words of the first line that names an interpreter before those of the command. */
static void take_first_line(struct reading *reading, char *const *argv)
{
	char path[PATH_SIZE], line[FIRST_LINE_MAX], *words[16], *rest, *word;
	size_t count = 0;

	if (!find_file(argv[0], path, sizeof(path)))
		return;
	read_first_line(path, line);
	for (word = strtok_r(line, " \t", &rest); word && count < 16;
	     word = strtok_r(NULL, " \t", &rest))
		words[count++] = word;
	if (!count || !is_interpreter(words[count - 1]))
		if (count < 2 || (!is_interpreter(words[0]) && !is_interpreter(words[1])))
			return;
	memmove(reading->words + count, reading->words, reading->count * sizeof(char *));
	for (size_t i = 0; i < count; i++)
		reading->words[i] = copy(reading, words[i], strlen(words[i]));
	reading->words[count] = copy(reading, path, strlen(path));
	reading->count += count;
}

static bool find_interpreter(struct reading *reading)
{
	for (reading->interpreter = 0; reading->interpreter < reading->count;
	     reading->interpreter++)
		if (is_interpreter(reading->words[reading->interpreter]))
			return true;
	return false;
}

static void add_flag(struct reading *reading, char *word)
{
	reading->flags[reading->flag_count++] = word;
}

/* One word of single-letter options at index `at`; the index of the next word. */
static size_t read_cluster(struct reading *reading, size_t at)
{
	char *word = reading->words[at];

	for (size_t i = 1; word[i]; i++) {
		char *value = word[i + 1]		? word + i + 1
			      : at + 1 < reading->count ? reading->words[at + 1]
							: NULL;
		size_t next = at + (word[i + 1] ? 1 : 2);

		if (strchr("hV?", word[i]))
			return reading->count;
		if (word[i] == 'W' || word[i] == 'X') {
			add_flag(reading, word);
			if (!word[i + 1] && value)
				add_flag(reading, value);
			return value ? next : reading->count;
		}
		if (word[i] != 'c' && word[i] != 'm')
			continue;
		if (i > 1)
			add_flag(reading, copy(reading, word, i));
		reading->mode = word[i] == 'c' ? "-c" : "-m";
		reading->what = value;
		return next;
	}
	add_flag(reading, word);
	return at + 1;
}

/* As CPython's own command line is read (Python/getopt.c: options end at the first operand). */
static void read_interpreter_options(struct reading *reading)
{
	size_t at = reading->interpreter + 1;

	while (at < reading->count && !reading->what) {
		char *word = reading->words[at];

		if (strcmp(word, "-") == 0) {
			return;
		} else if (word[0] != '-') {
			reading->mode = "script";
			reading->what = word;
			at++;
		} else if (strcmp(word, "--check-hash-based-pycs") == 0 &&
			   at + 1 < reading->count) {
			add_flag(reading, word);
			add_flag(reading, reading->words[at + 1]);
			at += 2;
		} else if (strcmp(word, "--") == 0) {
			at++;
		} else if (word[1] == '-') {
			return;
		} else {
			at = read_cluster(reading, at);
		}
	}
	reading->arguments = at;
}

/* The words up to the program, then `tail`, and where asked the program's arguments. */
static char **make_argv(struct reading *reading, char *const *tail, size_t tail_count,
			bool arguments)
{
	size_t given = arguments ? reading->count - reading->arguments : 0, at = 0;
	size_t total = reading->interpreter + 1 + reading->flag_count + tail_count + given + 1;
	char **argv = arena_alloc(reading->arena, total * sizeof(char *));

	if (!argv) {
		reading->no_memory = true;
		return NULL;
	}
	for (size_t i = 0; i <= reading->interpreter; i++)
		argv[at++] = reading->words[i];
	for (size_t i = 0; i < reading->flag_count; i++)
		argv[at++] = reading->flags[i];
	for (size_t i = 0; i < tail_count; i++)
		argv[at++] = tail[i];
	for (size_t i = 0; i < given; i++)
		argv[at++] = reading->words[reading->arguments + i];
	argv[at] = NULL;
	return argv;
}

static int read_words(struct reading *reading, char *const *argv, struct err *err)
{
	while (argv[reading->count])
		if (++reading->count > WORDS_MAX)
			return refuse(err, "the command is too long", "over 100,000 words");
	if (!reading->count)
		return refuse(err, "nothing to run", "no program was given");
	reading->words = arena_alloc(reading->arena, (reading->count + 17) * sizeof(char *));
	/* A word can be two flags at most, when a cluster is split. */
	reading->flags = arena_alloc(reading->arena, (2 * reading->count + 36) * sizeof(char *));
	if (!reading->words || !reading->flags)
		return err_set(err, ERR_MEMORY, "no memory for the command line");
	for (size_t i = 0; i < reading->count; i++)
		reading->words[i] = copy(reading, argv[i], strlen(argv[i]));
	if (!reading->no_memory && !find_interpreter(reading))
		take_first_line(reading, argv);
	if (reading->no_memory)
		return err_set(err, ERR_MEMORY, "no memory for the command line");
	if (!find_interpreter(reading))
		return refuse(err, "no Python in the command",
			      "none of its words is an interpreter, and its file names none");
	return 0;
}

int imports_command_make(struct imports_command *command, char *const *argv, const char *bootstrap,
			 struct err *err)
{
	static const char *const no_program[] = {"-X", "importtime", "-c", "pass"};
	struct reading reading = {.arena = &command->arena};
	char *tail[4], mode_and_what[16];
	size_t size;
	int result;

	memset(command, 0, sizeof(*command));
	arena_init(&command->arena, 0);
	result = read_words(&reading, argv, err);
	if (result < 0)
		return result;
	read_interpreter_options(&reading);
	if (!reading.what)
		return refuse(err, "no program for the interpreter to run",
			      "a script, -m MODULE or -c CODE must follow it; stdin is not read");
	snprintf(mode_and_what, sizeof(mode_and_what), "%s:", reading.mode);
	size = strlen(mode_and_what) + strlen(reading.what);
	tail[0] = copy(&reading, "-c", 2);
	tail[1] = copy(&reading, bootstrap, strlen(bootstrap));
	tail[2] = arena_alloc(&command->arena, size + 1);
	if (tail[2])
		snprintf(tail[2], size + 1, "%s%s", mode_and_what, reading.what);
	command->probed = make_argv(&reading, tail, 3, true);
	for (size_t i = 0; i < 4; i++)
		tail[i] = copy(&reading, no_program[i], strlen(no_program[i]));
	command->interpreter = make_argv(&reading, tail, 4, false);
	if (reading.no_memory || !tail[2])
		return err_set(err, ERR_MEMORY, "no memory for the command line");
	return 0;
}

void imports_command_release(struct imports_command *command)
{
	arena_release(&command->arena);
	memset(command, 0, sizeof(*command));
}
