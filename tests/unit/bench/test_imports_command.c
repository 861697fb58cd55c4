/* A command that runs a Python program, as its interpreter reads it, becomes the probed one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "bench/imports_command.h"

/* Words joined by '|', to compare at one glance. */
static void join(char *text, size_t size, char **words)
{
	text[0] = 0;
	for (size_t i = 0; words[i]; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s%s", i ? "|" : "", words[i]);
}

/* As main gets them: not written to. */
static char *const *words_of(const char *const *words)
{
	return (char *const *)(uintptr_t)words;
}

struct command_case {
	const char *argv[12];
	const char *probed; /* NULL: refused */
	const char *interpreter;
};

static void commands_are_read_as_the_interpreter_reads_them(void **state)
{
	static const struct command_case cases[] = {
	    {{"python3", "app.py", "-v"},
	     "python3|-c|B|script:app.py|-v",
	     "python3|-X|importtime|-c|pass"},
	    {{"python3", "-O", "-m", "pkg.mod", "-m", "x"},
	     "python3|-O|-c|B|-m:pkg.mod|-m|x",
	     "python3|-O|-X|importtime|-c|pass"},
	    {{"/usr/bin/python3.11", "-c", "import x", "y"},
	     "/usr/bin/python3.11|-c|B|-c:import x|y",
	     "/usr/bin/python3.11|-X|importtime|-c|pass"},
	    {{"python3", "-Im", "pkg"}, "python3|-I|-c|B|-m:pkg", NULL},
	    {{"python3", "-sEmpkg"}, "python3|-sE|-c|B|-m:pkg", NULL},
	    {{"python3", "-cpass"}, "python3|-c|B|-c:pass", NULL},
	    {{"python3", "-W", "ignore", "-Xdev", "-X", "utf8", "a.py"},
	     "python3|-W|ignore|-Xdev|-X|utf8|-c|B|script:a.py",
	     NULL},
	    {{"python3", "-uWerror", "a.py"}, "python3|-uWerror|-c|B|script:a.py", NULL},
	    {{"python3", "--check-hash-based-pycs", "never", "a.py"},
	     "python3|--check-hash-based-pycs|never|-c|B|script:a.py",
	     NULL},
	    {{"python3", "--", "a.py"}, "python3|-c|B|script:a.py", NULL},
	    {{"env", "A=1", "pypy3", "a"}, "env|A=1|pypy3|-c|B|script:a", NULL},
	    {{"chroot", "/r", "/usr/bin/python3.13t", "a"},
	     "chroot|/r|/usr/bin/python3.13t|-c|B|script:a",
	     NULL},
	    {{"python3", "-"}, NULL, NULL},
	    {{"python3"}, NULL, NULL},
	    {{"python3", "-V"}, NULL, NULL},
	    {{"python3", "-m"}, NULL, NULL},
	    {{"python3", "-c"}, NULL, NULL},
	    {{"python3", "-X"}, NULL, NULL},
	    {{"python3", "--version"}, NULL, NULL},
	    {{"/bin/ls", "app.py"}, NULL, NULL},
	    {{"./python_app.py"}, NULL, NULL},
	    {{NULL}, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct imports_command command;
		char text[512];
		int status = imports_command_make(&command, words_of(cases[i].argv), "B", NULL);

		if (!cases[i].probed) {
			assert_int_equal(status, -ERR_USAGE);
		} else {
			assert_int_equal(status, 0);
			join(text, sizeof(text), command.probed);
			assert_string_equal(text, cases[i].probed);
		}
		if (cases[i].interpreter) {
			join(text, sizeof(text), command.interpreter);
			assert_string_equal(text, cases[i].interpreter);
		}
		imports_command_release(&command);
	}
}

static void a_script_names_its_interpreter_in_its_first_line(void **state)
{
	static const struct {
		const char *line, *before; /* words before the script; NULL: refused */
	} cases[] = {
	    {"#!/usr/bin/python3\n", "/usr/bin/python3|-c|B|script:"},
	    {"#! /opt/bin/python3.12 -sE\r\n", "/opt/bin/python3.12|-sE|-c|B|script:"},
	    {"#!/usr/bin/env python3\n", "/usr/bin/env|python3|-c|B|script:"},
	    {"#!/bin/sh\n", NULL},
	    {"#!\n", NULL},
	    {"", NULL},
	    {"import os\n", NULL},
	};
	char path[] = "/tmp/test_imports_command_XXXXXX", wanted[512], text[512];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	fchmod(fd, 0700);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *argv[] = {path, "one", NULL};
		struct imports_command command;
		int status;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, cases[i].line, strlen(cases[i].line), 0),
				 strlen(cases[i].line));
		status = imports_command_make(&command, words_of(argv), "B", NULL);
		if (cases[i].before) {
			assert_int_equal(status, 0);
			snprintf(wanted, sizeof(wanted), "%s%s|one", cases[i].before, path);
			join(text, sizeof(text), command.probed);
			assert_string_equal(text, wanted);
		} else {
			assert_int_equal(status, -ERR_USAGE);
		}
		imports_command_release(&command);
	}
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_are_read_as_the_interpreter_reads_them),
	    cmocka_unit_test(a_script_names_its_interpreter_in_its_first_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
