/* A Python program to read from outside: starts `python3 -c CODE`, waits for its first byte on
 * stdout, and ends it. Interpreters as the machine has them: the first python3 that is found in
 * PYROMETER_PYTHONS (colons between), ~/.pyenv, /usr/bin.
 */
#ifndef TEST_PYTHON_TARGET_H
#define TEST_PYTHON_TARGET_H

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TARGET_DEADLINE_MS 20000

struct python_target {
	pid_t pid;
	int output; /* its stdout */
};

static uint64_t test_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* One interpreter for each minor version that is there, at most `room`. */
static size_t find_pythons(char (*paths)[512], size_t room)
{
	const char *home = getenv("HOME"), *given = getenv("PYROMETER_PYTHONS");
	char pattern[600], list[1024];
	size_t count = 0;
	glob_t found;

	if (given && strlen(given) < sizeof(list)) {
		strcpy(list, given);
		for (char *rest = list, *path; (path = strsep(&rest, ":")) && count < room;)
			if (*path && access(path, X_OK) == 0)
				snprintf(paths[count++], 512, "%s", path);
	}
	snprintf(pattern, sizeof(pattern), "%s/.pyenv/versions/3.*/bin/python3", home ? home : "");
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && count < room; i++)
			if (access(found.gl_pathv[i], X_OK) == 0)
				snprintf(paths[count++], 512, "%s", found.gl_pathv[i]);
		globfree(&found);
	}
	if (count < room && access("/usr/bin/python3", X_OK) == 0)
		snprintf(paths[count++], 512, "/usr/bin/python3");
	assert_true(count > 0); /* no interpreter on this machine: nothing can be proved */
	return count;
}

/* One byte of what the target writes; -1 when none came in time or it ended. */
static int target_byte(const struct python_target *target, int timeout_ms)
{
	struct pollfd ready = {target->output, POLLIN, 0};
	unsigned char byte;

	if (poll(&ready, 1, timeout_ms) != 1 || read(target->output, &byte, 1) != 1)
		return -1;
	return byte;
}

static void target_start(struct python_target *target, const char *python, const char *code)
{
	int ends[2];

	assert_int_equal(0, pipe2(ends, O_CLOEXEC));
	target->pid = fork();
	assert_true(target->pid >= 0);
	if (target->pid == 0) {
		dup2(ends[1], 1);
		execl(python, python, "-I", "-c", code, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	target->output = ends[0];
	assert_int_equal('R', target_byte(target, TARGET_DEADLINE_MS));
}

/* 'R', 'S', 't' …; 0: there is none. */
static char target_state(pid_t pid)
{
	char path[64], text[512], *end;
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

/* Waits for a state (by polling /proc with a deadline: the kernel has no event for it). */
static bool target_reaches(pid_t pid, const char *states)
{
	uint64_t deadline = test_now_ns() + TARGET_DEADLINE_MS * 1000000ull;

	while (test_now_ns() < deadline) {
		char state = target_state(pid);
		if (state && strchr(states, state))
			return true;
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	return false;
}

/* The status as waitpid gives it: proof that nobody took it before us. */
static int target_end(struct python_target *target, int signal_number)
{
	int status = -1;

	if (signal_number)
		kill(target->pid, signal_number);
	assert_int_equal(target->pid, waitpid(target->pid, &status, 0));
	close(target->output);
	return status;
}

#endif
