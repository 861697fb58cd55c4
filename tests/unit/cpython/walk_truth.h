/* Known truth for the tests of cpython/walk: runs tests/targets/walk_target.py under every
 * interpreter of this machine and hands out the lines that it tells of itself, while it waits to be
 * read from outside. Interpreters: PYROMETER_PYTHONS (colons between), ~/.pyenv, /usr/bin/python3,
 * and as root python3.14 and python3.15 in PYROMETER_SID or ~/.cache/pyrometer/sid.
 */
#ifndef TEST_WALK_TRUTH_H
#define TEST_WALK_TRUTH_H

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

#define TRUTH_PYTHONS_MAX 64
#define TRUTH_FIELDS_MAX 10
#define TRUTH_SCRIPT_MAX 65536
#define TRUTH_DEADLINE_S 60

struct truth_python {
	char root[512]; /* "" none: chroot */
	char path[512];
	const char *option;  /* "" none: -X option */
	const char *section; /* what the target tells */
};

struct truth {
	struct truth_python python;
	pid_t pid;
	FILE *lines;
	int hold;   /* the target ends when this is closed */
	char *line; /* the current one, cut into fields */
	size_t line_size;
	char *fields[TRUTH_FIELDS_MAX];
	int field_count;
	const struct layout *layout;
	struct remote_memory memory;
	struct raddr runtime;
};

struct truth_pythons {
	struct truth_python items[TRUTH_PYTHONS_MAX];
	size_t count;
};

static void truth_add(struct truth_pythons *pythons, const char *root, const char *path)
{
	char whole[1100];
	struct truth_python *python = &pythons->items[pythons->count];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	if (pythons->count == TRUTH_PYTHONS_MAX || access(whole, X_OK) != 0)
		return;
	snprintf(python->root, sizeof(python->root), "%s", root);
	snprintf(python->path, sizeof(python->path), "%s", path);
	python->option = python->section = "";
	pythons->count++;
}

static void truth_find(struct truth_pythons *pythons)
{
	const char *home = getenv("HOME"), *given = getenv("PYROMETER_PYTHONS");
	const char *sid = getenv("PYROMETER_SID");
	char text[1024];
	glob_t found;

	pythons->count = 0;
	if (given && strlen(given) < sizeof(text)) {
		strcpy(text, given);
		for (char *rest = text, *path; (path = strsep(&rest, ":"));)
			if (*path)
				truth_add(pythons, "", path);
	}
	snprintf(text, sizeof(text), "%s/.pyenv/versions/3.*/bin/python3", home ? home : "");
	if (glob(text, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			truth_add(pythons, "", found.gl_pathv[i]);
		globfree(&found);
	}
	truth_add(pythons, "", "/usr/bin/python3");
	snprintf(text, sizeof(text), "%s/.cache/pyrometer/sid", home ? home : "");
	if (geteuid() == 0) {
		truth_add(pythons, sid ? sid : text, "/usr/bin/python3.14");
		truth_add(pythons, sid ? sid : text, "/usr/bin/python3.15");
	}
}

/* The next line, cut into fields; false at the end of them (E). */
static bool truth_next(struct truth *truth)
{
	char *rest, *field;
	ssize_t size = getline(&truth->line, &truth->line_size, truth->lines);

	if (size <= 0)
		fail_msg("%s ended in the middle of its lines", truth->python.path);
	truth->line[size - 1] = '\0';
	rest = truth->line;
	truth->field_count = 0;
	while ((field = strsep(&rest, " ")) && truth->field_count < TRUTH_FIELDS_MAX)
		truth->fields[truth->field_count++] = field;
	return strcmp(truth->fields[0], "E") != 0;
}

static uint64_t truth_u64(const struct truth *truth, int field)
{
	assert_true(field < truth->field_count);
	return strtoull(truth->fields[field], NULL, 10);
}

static int64_t truth_i64(const struct truth *truth, int field)
{
	assert_true(field < truth->field_count);
	return strtoll(truth->fields[field], NULL, 10);
}

/* A hexadecimal field as text, in place. */
static const char *truth_text(const struct truth *truth, int field)
{
	char *text = truth->fields[field], *to = text;
	unsigned byte;

	assert_true(field < truth->field_count);
	if (strcmp(text, "-") == 0)
		return "";
	for (const char *from = text; sscanf(from, "%2x", &byte) == 1; from += 2)
		*to++ = (char)byte;
	*to = '\0';
	return text;
}

static void truth_exec(const struct truth_python *python, const char *script)
{
	if (python->root[0] && (chroot(python->root) != 0 || chdir("/") != 0))
		_exit(126);
	if (python->option[0])
		execl(python->path, python->path, "-X", python->option, "-c", script,
		      python->section, (char *)NULL);
	else
		execl(python->path, python->path, "-c", script, python->section, (char *)NULL);
	_exit(127);
}

/* Starts the target and reads its first lines. False when its version is none of ours. */
static bool truth_start(struct truth *truth, const struct truth_python *python)
{
	static char script[TRUTH_SCRIPT_MAX];
	FILE *file = fopen("tests/targets/walk_target.py", "r");
	int out[2], in[2];

	assert_non_null(file);
	script[fread(script, 1, sizeof(script) - 1, file)] = '\0';
	fclose(file);
	memset(truth, 0, sizeof(*truth));
	truth->python = *python;
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(in), 0);
	truth->pid = fork();
	assert_true(truth->pid >= 0);
	if (truth->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		for (int i = 0; i < 2; i++) {
			close(in[i]);
			close(out[i]);
		}
		alarm(TRUTH_DEADLINE_S);
		truth_exec(python, script);
	}
	close(in[0]);
	close(out[1]);
	truth->hold = in[1];
	truth->lines = fdopen(out[0], "r");
	assert_true(truth_next(truth) && strcmp(truth->fields[0], "V") == 0);
	truth->layout = layout_for_minor((int)truth_i64(truth, 1));
	assert_true(truth_next(truth) && strcmp(truth->fields[0], "R") == 0);
	truth->runtime.v = truth_u64(truth, 1);
	remote_memory_init_live(&truth->memory, truth->pid);
	return truth->layout != NULL;
}

static void truth_stop(struct truth *truth)
{
	int status;

	close(truth->hold);
	fclose(truth->lines); /* may be cut short: the target then dies of the pipe */
	free(truth->line);
	kill(truth->pid, SIGKILL);
	waitpid(truth->pid, &status, 0);
}

/* Runs `check` for each interpreter; at least one must be there. `section`: codes, objects or
 * threads; `option`: -X option, "" none. */
static void truth_for_each(const char *section, const char *option,
			   void (*check)(struct truth *truth))
{
	static struct truth_pythons pythons;
	size_t checked = 0;

	truth_find(&pythons);
	for (size_t i = 0; i < pythons.count; i++) {
		struct truth truth;

		pythons.items[i].option = option;
		pythons.items[i].section = section;
		if (truth_start(&truth, &pythons.items[i])) {
			print_message("  %s%s %s\n", truth.python.root, truth.python.path, option);
			check(&truth);
			checked++;
		}
		truth_stop(&truth);
	}
	if (checked == 0)
		fail_msg("no CPython 3.8 to 3.15 on this machine");
}

#endif
