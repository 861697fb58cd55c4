/* From argv to the exit status, with commands of its own, each run in a process of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/options.h"
#include "base/program.h"

#define OUTPUT_MAX 65536
#define WORDS_MAX 8

struct sample_options {
	int64_t fail, count;
	const char *module;
};
static const struct sample_options defaults = {0, 0, NULL};
static const struct option options[] = {
    {.name = "fail",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct sample_options, fail),
     .set_offset = OPTION_NO_SET,
     .help = "Fail with this code"},
    {.name = "count",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct sample_options, count),
     .set_offset = OPTION_NO_SET,
     .help = "Lines to print"},
    {.name = "module",
     .letter = 'm',
     .type = OPTION_TEXT,
     .offset = offsetof(struct sample_options, module),
     .set_offset = OPTION_NO_SET,
     .help = "A module",
     .ends_options = true},
    {.name = NULL},
};

static int sample_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct sample_options *sample = values;
	for (int64_t i = 0; i < sample->count; i++) {
		puts("a line of some length, so that the pipe fills soon");
	}
	for (int i = 0; i < operand_count; i++) {
		printf("operand %s\n", operands[i]);
	}
	if (sample->fail < 0) {
		return (int)sample->fail; /* no text at all */
	}
	if (sample->fail > 0) {
		int rc = err_set(err, (enum err_code)sample->fail, "it broke\x1B[31m\nhere");
		err_why(err, "the value was 5");
		err_next(err, "try 6");
		return rc;
	}
	return operand_count > 0 && strcmp(operands[0], "seven") == 0 ? 7 : 0;
}

static int signal_main(const void *values, int operand_count, char **operands, struct err *err)
{
	(void)values;
	(void)operand_count;
	(void)err;
	execvp(operands[0], operands);
	return -ERR_FILE;
}

#define SAMPLE_FIELDS                                                                              \
	.options = options, .options_size = sizeof(struct sample_options), .defaults = &defaults,  \
	.usage = "x", .summary = "A summary", .main = sample_main
static const struct command command_sample = {.name = "sample", SAMPLE_FIELDS};
static const struct command command_run = {
    .name = "run", SAMPLE_FIELDS, .stops_at_operand = true, .own_failure_status = 125};
static const struct command command_exec = {.name = "exec",
					    .summary = "x",
					    .usage = "x",
					    .main = signal_main,
					    .stops_at_operand = true,
					    .own_failure_status = 125};
static const struct command *const commands[] = {&command_sample, &command_run, &command_exec,
						 NULL};
static const struct program program = {
    .name = "pyrometer", .version = "9.8.7", .summary = "Measures", .commands = commands};

struct outcome {
	int status; /* 256 + n: ended by signal n */
	char out[OUTPUT_MAX], err[OUTPUT_MAX];
};

static void read_back(FILE *stream, char *text)
{
	rewind(stream);
	text[fread(text, 1, OUTPUT_MAX - 1, stream)] = '\0';
	fclose(stream);
}

/* Runs words split at spaces in `folder`; stdout goes to out_fd where ≥ 0. */
static void run_in(const char *folder, const char *line, int out_fd, struct outcome *outcome)
{
	char words[256], *argv[WORDS_MAX + 1] = {NULL};
	int argc = 0, status;
	FILE *out = tmpfile(), *err = tmpfile();
	assert_non_null(out);
	assert_non_null(err);
	snprintf(words, sizeof words, "%s", line);
	char *rest = words;
	for (char *word; argc < WORDS_MAX && (word = strsep(&rest, " ")) != NULL;) {
		argv[argc++] = word;
	}
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		dup2(out_fd >= 0 ? out_fd : fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		if (chdir(folder) < 0) {
			_exit(99);
		}
		exit(program_main(&program, argc, argv));
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	outcome->status = WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
	read_back(out, outcome->out);
	read_back(err, outcome->err);
}

static void statuses_and_texts_are_as_the_rules_say(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *out, *err;
	} rows[] = {
	    {"pyrometer --version", 0, "pyrometer 9.8.7\n", ""},
	    {"pyrometer -V", 0, "pyrometer 9.8.7\n", ""},
	    {"pyrometer --help", 0, "Commands:", ""},
	    {"pyrometer sample --help", 0, "Usage: pyrometer x", ""},
	    {"pyrometer", 2, "", "Commands:"},
	    {"pyrometer sampel", 2, "",
	     "unknown command 'sampel'; did you mean 'sample'?\n  why: "},
	    {"pyrometer xyzzy", 2, "", "unknown command 'xyzzy'\n"},
	    {"pyrometer --xyzzy", 2, "", "unknown option '--xyzzy'\n"},
	    {"pyrometer meson.build", 2, "", "next: pyrometer run meson.build\n"},
	    {"pyrometer sample --fial 1", 2, "", "did you mean '--fail'?"},
	    {"pyrometer sample x y", 0, "operand x\noperand y\n", ""},
	    {"pyrometer sample seven", 7, "operand seven\n", ""},
	    {"pyrometer sample --fail 3", 3, "",
	     "pyrometer: it broke?[31m?here\n  why: the value was 5\n  next: try 6\n"},
	    {"pyrometer sample --fail 67", 8, "", "pyrometer: it broke"},
	    {"pyrometer sample --fail=-4", 4, "",
	     "pyrometer: failed\n  why: there is no such process"},
	    {"pyrometer run --fail 3", 3, "", "it broke"},
	    {"pyrometer run --fail 3 app.py", 125, "", "it broke"},
	    {"pyrometer run --fail 3 -m mod --help", 125, "operand --help", "it broke"},
	    {"pyrometer run --fail 3 -m mod", 125, "", "it broke"},
	    {"pyrometer run --fail 2 app.py", 2, "", "it broke"},
	    {"pyrometer run --fail x app.py", 2, "", "whole number"},
	    {"pyrometer run seven", 7, "operand seven\n", ""},
	    {"pyrometer exec sh -c exit", 0, "", ""},
	};
	static struct outcome outcome;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		run_in(".", rows[i].line, -1, &outcome);
		if (outcome.status != rows[i].status || strstr(outcome.out, rows[i].out) == NULL ||
		    strstr(outcome.err, rows[i].err) == NULL ||
		    (rows[i].err[0] == '\0' && outcome.err[0] != '\0')) {
			fail_msg("%s: %d\n%s\n%s", rows[i].line, outcome.status, outcome.out,
				 outcome.err);
		}
		if (rows[i].status >= 2 && rows[i].err[0] != '\0' &&
		    strchr(rows[i].line, ' ') != NULL) {
			size_t lines = 0;
			for (const char *at = outcome.err; *at != '\0'; at++) {
				lines += *at == '\n';
			}
			assert_int_equal(lines, 3);
		}
	}
}

static void a_reader_that_goes_away_ends_it_quietly(void **state)
{
	static const struct {
		const char *line;
		int status;
	} rows[] = {
	    /* Data is all it makes: it ends at once. */
	    {"pyrometer sample --count 100000", 256 + SIGPIPE},
	    /* It must outlive the reader. */
	    {"pyrometer run --count 10000 seven", 7},
	    {"pyrometer run --count 10000", 0},
	};
	static struct outcome outcome;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int ends[2];
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		close(ends[0]);
		run_in(".", rows[i].line, ends[1], &outcome);
		close(ends[1]);
		assert_int_equal(outcome.status, rows[i].status);
		assert_string_equal(outcome.err, "");
	}
}

static void a_started_program_has_its_own_sigpipe(void **state)
{
	static struct outcome outcome;
	int ends[2];
	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	run_in("/usr", "pyrometer exec ls", ends[1], &outcome);
	close(ends[1]);
	assert_int_equal(outcome.status, 256 + SIGPIPE);
}

static void output_that_does_not_arrive_is_a_failure(void **state)
{
	static struct outcome outcome;
	(void)state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	static const char *const lines[] = {"pyrometer sample x", "pyrometer --version",
					    "pyrometer --help", "pyrometer sample --help"};
	for (size_t i = 0; i < 4; i++) {
		run_in(".", lines[i], full, &outcome);
		assert_int_equal(outcome.status, 8);
		assert_non_null(strstr(outcome.err, "No space left on device"));
	}
	close(full);
}

static void write_file(const char *folder, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/pyproject.toml", folder);
	FILE *stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static void configuration_is_used_and_its_errors_never_hide_the_help(void **state)
{
	static struct outcome outcome;
	char folder[] = "/tmp/pyrometer-test-XXXXXX", path[64];
	(void)state;
	assert_non_null(mkdtemp(folder));
	write_file(folder, "[tool.pyrometer.sample]\nfail = 5\n");
	run_in(folder, "pyrometer sample", -1, &outcome);
	assert_int_equal(outcome.status, 5);
	run_in(folder, "pyrometer sample --fail 0", -1, &outcome);
	assert_int_equal(outcome.status, 0);
	write_file(folder, "[tool.pyrometer.sample]\nfial = 5\n");
	run_in(folder, "pyrometer run app.py", -1, &outcome);
	assert_int_equal(outcome.status, 2);
	assert_non_null(
	    strstr(outcome.err, "pyproject.toml:2: unknown key 'fial'; did you mean 'fail'?"));
	run_in(folder, "pyrometer run --help", -1, &outcome);
	assert_int_equal(outcome.status, 0);
	assert_string_equal(outcome.err, "");
	snprintf(path, sizeof path, "%s/pyproject.toml", folder);
	remove(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(statuses_and_texts_are_as_the_rules_say),
	    cmocka_unit_test(a_reader_that_goes_away_ends_it_quietly),
	    cmocka_unit_test(a_started_program_has_its_own_sigpipe),
	    cmocka_unit_test(output_that_does_not_arrive_is_a_failure),
	    cmocka_unit_test(configuration_is_used_and_its_errors_never_hide_the_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
