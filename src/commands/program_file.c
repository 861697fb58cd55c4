/* See program_file.h. */
#include "commands/program_file.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "process/proc_text.h"
#include "process/process.h"

#define PATH_MAX_HERE 4096
#define STAT_TEXT_MAX 2048
#define SCRIPT_DEPTH_MAX 4 /* as the kernel: a script's interpreter may be a script */
#define CHUNK_BYTES 65536
#define SIGN_MAX 16 /* no sign is longer: kept from one chunk to the next */
#define COMM_MAX 15 /* the kernel keeps this many bytes of a name */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_program(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

static bool find_program(const char *word, char *path, size_t size)
{
	const char *folders = getenv("PATH");

	if (strchr(word, '/')) {
		snprintf(path, size, "%s", word);
		return is_program(path);
	}
	for (const char *at = folders ? folders : "/bin:/usr/bin"; at;) {
		size_t length = strcspn(at, ":");

		snprintf(path, size, "%.*s%s%s", (int)length, at, length ? "/" : "", word);
		if (is_program(path))
			return true;
		at = at[length] ? at + length + 1 : NULL;
	}
	return false;
}

/* "#!/bin/sh -e" → "/bin/sh", in place of the path. */
static bool follow_first_line(const char *text, size_t size, char *path, size_t path_size)
{
	size_t at = 2, end;

	while (at < size && (text[at] == ' ' || text[at] == '\t'))
		at++;
	for (end = at; end < size && !strchr(" \t\n", text[end]);)
		end++;
	if (end == at || end - at >= path_size)
		return false;
	memcpy(path, text + at, end - at);
	path[end - at] = 0;
	return true;
}

/* A word that a program with an interpreter in it, or one that loads its library, can't be without:
 * a needed library's name, an exported symbol. Too many are found rather than too few. */
static bool has_sign(const char *text, size_t size)
{
	static const char *const signs[] = {"libpython", "PyRuntime", "Py_Main", "Py_BytesMain",
					    "Py_Init",	 "PyEval_",   "libpypy", "pypy_"};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (memmem(text, size, signs[i], strlen(signs[i])))
			return true;
	return false;
}

/* Reads on to the end of the file, whose first `got` bytes are in the text. */
static enum program_kind kind_of_elf(int fd, char *text, size_t got)
{
	size_t kept = 0;
	ssize_t more = (ssize_t)got;

	while (more > 0) {
		size_t size = kept + (size_t)more;

		if (has_sign(text, size))
			return PROGRAM_MAYBE_PYTHON;
		kept = size < SIGN_MAX ? size : SIGN_MAX;
		memmove(text, text + size - kept, kept);
		more = read(fd, text + kept, CHUNK_BYTES - kept);
	}
	return more < 0 ? PROGRAM_UNKNOWN : PROGRAM_NOT_PYTHON;
}

/* *ret_again: it is a script, and the path is now that of its interpreter. */
static enum program_kind look(char *path, size_t path_size, char *text, bool *ret_again)
{
	enum program_kind kind = PROGRAM_UNKNOWN;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : read(fd, text, CHUNK_BYTES);

	*ret_again = false;
	if (got >= 4 && memcmp(text, "\177ELF", 4) == 0)
		kind = kind_of_elf(fd, text, (size_t)got);
	else if (got >= 4 && memcmp(text, "#!", 2) == 0)
		*ret_again = follow_first_line(text, (size_t)got, path, path_size);
	if (fd >= 0)
		close(fd);
	return kind;
}

enum program_kind program_file_kind(const char *word)
{
	char path[PATH_MAX_HERE];
	enum program_kind kind = PROGRAM_UNKNOWN;
	char *text = mem_alloc(CHUNK_BYTES);
	bool again = text && find_program(word, path, sizeof(path));

	for (int depth = 0; again && depth <= SCRIPT_DEPTH_MAX; depth++)
		kind = look(path, sizeof(path), text, &again);
	mem_free(text);
	return kind;
}

bool program_was_alone(pid_t pid, const char *word)
{
	char text[STAT_TEXT_MAX];
	struct process_stat stat;
	struct proc_cursor cursor;
	uint64_t faults_of_children;
	size_t size;

	/* The name changes with every exec. Field 11 of proc(5): page faults of the children that
	 * were waited for; no process has none. */
	return proc_read(pid, "stat", text, sizeof(text), &size, NULL) == 0 &&
	       process_stat_parse(text, size, &stat) && stat.state == 'Z' &&
	       strncmp(stat.comm, base_name(word), COMM_MAX) == 0 &&
	       proc_stat_after_comm(text, size, &cursor) && proc_skip_fields(&cursor, 8) &&
	       proc_take_u64(&cursor, &faults_of_children) && faults_of_children == 0;
}
