/* See imports.h. */
#include "bench/imports.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "bench/embedded.h"
#include "bench/imports_child.h"
#include "bench/imports_command.h"
#include "bench/imports_events.h"
#include "bench/imports_judge.h"

/* Where the probe's descriptor lies: above what programs expect to be given, below the usual limit
 * of 1024, with one free behind it for the probe's own. */
#define PROBE_FD_MIN 700
#define PROBE_FD_MIN_LOW 60

/* One run under the probe: a file in memory that holds its text, and behind that what it writes. */
struct probed_run {
	int fd;
	off_t text_size;
	struct imports_command command;
};

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t wrote = write(fd, bytes, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return -1;
		bytes += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

static int memory_file(const char *name, int at_least, int *ret_fd, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC), high;

	if (fd < 0)
		return err_set_errno(err, ERR_FILE, errno, "can't make a file in memory");
	high = fcntl(fd, F_DUPFD_CLOEXEC, at_least);
	if (high < 0)
		high = fcntl(fd, F_DUPFD_CLOEXEC, PROBE_FD_MIN_LOW);
	if (high < 0) {
		*ret_fd = fd;
		return 0;
	}
	close(fd);
	*ret_fd = high;
	return 0;
}

static int probe_prepare(struct probed_run *run, char *const *argv, bool lines, struct err *err)
{
	char call[64], bootstrap[256];
	struct stat info;
	int result = memory_file("imports", PROBE_FD_MIN, &run->fd, err);

	if (result < 0)
		return result;
	snprintf(call, sizeof(call), "\nstart(%d, %s)\n", run->fd, lines ? "True" : "False");
	if (write_all(run->fd, embedded_imports, embedded_imports_size) < 0 ||
	    write_all(run->fd, call, strlen(call)) < 0 || fstat(run->fd, &info) < 0)
		return err_set_errno(err, ERR_FILE, errno, "can't write the probe to memory");
	run->text_size = info.st_size;
	/* One expression: it leaves no name in __main__. The time comes first: from there on it is
	 * the probe that takes it. */
	snprintf(bootstrap, sizeof(bootstrap),
		 "exec(*(lambda entered:(compile(__import__('posix').pread(%d,%lld,0),"
		 "'<frozen importlib._bootstrap>','exec'),"
		 "{'__name__':'_frozen_importlib','entered':entered}))"
		 "(__import__('time').monotonic_ns()))",
		 run->fd, (long long)info.st_size);
	return imports_command_make(&run->command, argv, bootstrap, err);
}

static void probe_release(struct probed_run *run)
{
	if (run->fd >= 0)
		close(run->fd);
	imports_command_release(&run->command);
}

/* The file's bytes from an offset on, with a NUL behind them. */
static int read_memory_file(int fd, off_t from, char **ret_bytes, size_t *ret_size, struct err *err)
{
	struct stat info;
	size_t size, got = 0;
	char *bytes;

	if (fstat(fd, &info) < 0 || info.st_size < from)
		return err_set(err, ERR_FILE, "can't read what the probe wrote");
	size = (size_t)(info.st_size - from);
	if (size > IMPORTS_TEXT_MAX)
		return err_set(err, ERR_FILE, "the probe wrote too much: %zu bytes", size);
	bytes = mem_alloc(size + 1);
	if (!bytes)
		return err_set(err, ERR_MEMORY, "no memory for what the probe wrote");
	while (got < size) {
		ssize_t part = pread(fd, bytes + got, size - got, from + (off_t)got);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			break;
		got += (size_t)part;
	}
	bytes[got] = 0;
	*ret_bytes = bytes;
	*ret_size = got;
	return 0;
}

static int explain_silence(const struct imports_child *child, struct err *err)
{
	int result = err_set(err, ERR_NOT_PYTHON, "the probe did not run in %s", child->argv[0]);

	err_why(err, "it ended with status %d and wrote nothing to the probe's descriptor",
		child->exit_status);
	err_next(err, "name the interpreter itself, CPython 3.8 or later: pyrometer imports -- "
		      "python3 app.py");
	return result;
}

/* Runs the program once under the probe and reads what it wrote. */
static int run_probed(const struct imports_options *options, bool quiet,
		      struct imports_result *result, struct imports_child *child, struct err *err)
{
	struct probed_run run = {.fd = -1};
	char *bytes = NULL;
	size_t size = 0;
	int status = probe_prepare(&run, options->argv, options->lines, err);

	if (status == 0) {
		*child = (struct imports_child){run.command.probed, run.fd, -1, quiet, 0, 0, 0};
		status = imports_child_run(child, err);
	}
	if (status == 0)
		status = read_memory_file(run.fd, run.text_size, &bytes, &size, err);
	if (status == 0)
		status = imports_events_read(result, bytes, size, child->launched_ns, err);
	if (status == -ERR_NOT_PYTHON)
		explain_silence(child, err);
	if (status == 0) {
		result->exit_status = child->exit_status;
		result->wall_ns = (uint64_t)child->wall_ns;
		status = imports_judge(result, err);
	}
	mem_free(bytes);
	probe_release(&run);
	return status;
}

/* Times of the modules that were there before. Without -X importtime (PyPy) they stay unknown. */
static int run_interpreter(const struct imports_options *options, struct imports_result *result,
			   struct err *err)
{
	struct imports_command command = {0};
	struct imports_child child = {.kept_fd = -1, .stderr_fd = -1, .quiet = true};
	char *bytes = NULL;
	size_t size = 0;
	int status = imports_command_make(&command, options->argv, "pass", err);

	if (status == 0)
		status = memory_file("importtime", 3, &child.stderr_fd, err);
	child.argv = command.interpreter;
	if (status == 0)
		status = imports_child_run(&child, err);
	if (status == 0)
		status = read_memory_file(child.stderr_fd, 0, &bytes, &size, err);
	if (status == 0)
		imports_importtime_read(result, bytes, size);
	mem_free(bytes);
	if (child.stderr_fd >= 0)
		close(child.stderr_fd);
	imports_command_release(&command);
	return status;
}

static int run_plain_once(const struct imports_options *options, double *ret_s, struct err *err)
{
	struct imports_child child = {options->argv, -1, -1, true, 0, 0, 0};
	int status = imports_child_run(&child, err);

	*ret_s = (double)child.wall_ns / 1e9;
	return status;
}

static int run_probed_once(const struct imports_options *options, double *ret_s,
			   double *ret_imports_s, struct err *err)
{
	struct imports_child child = {0};
	struct imports_result result = {0};
	int status;

	arena_init(&result.arena, 0);
	status = run_probed(options, true, &result, &child, err);
	*ret_s = (double)child.wall_ns / 1e9;
	*ret_imports_s = (double)result.total_ns / 1e9;
	imports_release(&result);
	return status;
}

/* Plain and probed runs take turns, and each comes first in half of the pairs. */
static int run_pairs(const struct imports_options *options, struct imports_result *result,
		     struct err *err)
{
	size_t count = (size_t)options->repeat;
	int status = 0;

	result->plain_s = mem_zalloc(count, sizeof(double));
	result->probed_s = mem_zalloc(count, sizeof(double));
	result->probed_imports_s = mem_zalloc(count, sizeof(double));
	if (!result->plain_s || !result->probed_s || !result->probed_imports_s)
		return err_set(err, ERR_MEMORY, "no memory for the repeated runs");
	for (size_t i = 0; status == 0 && i < count; i++) {
		for (size_t turn = 0; status == 0 && turn < 2; turn++)
			if (turn == i % 2)
				status = run_plain_once(options, &result->plain_s[i], err);
			else
				status = run_probed_once(options, &result->probed_s[i],
							 &result->probed_imports_s[i], err);
		result->pair_count += status == 0;
	}
	return status;
}

static int keep_command(struct imports_result *result, char *const *argv)
{
	struct buffer text;
	int status;

	buffer_init(&text, 65536);
	for (size_t i = 0; argv[i]; i++) {
		buffer_append(&text, i ? " " : "", i != 0);
		buffer_append(&text, argv[i], strlen(argv[i]));
	}
	result->command = arena_copy_text(&result->arena, (const char *)text.bytes, text.size);
	status = result->command ? 0 : -ERR_MEMORY;
	buffer_release(&text);
	return status;
}

int imports_measure(const struct imports_options *options, struct imports_result *ret_result,
		    struct err *err)
{
	struct imports_child child = {0};
	int status;

	memset(ret_result, 0, sizeof(*ret_result));
	arena_init(&ret_result->arena, 0);
	if (options->repeat < 0 || options->repeat > IMPORTS_RUNS_MAX)
		return err_set(err, ERR_USAGE, "%d repeated runs: 0 to %d are possible",
			       options->repeat, IMPORTS_RUNS_MAX);
	if (keep_command(ret_result, options->argv) < 0)
		return err_set(err, ERR_MEMORY, "no memory for the command line");
	status = run_probed(options, options->quiet, ret_result, &child, err);
	if (status == 0 && !options->no_interpreter)
		status = run_interpreter(options, ret_result, err);
	if (status == 0 && options->repeat > 0)
		status = run_pairs(options, ret_result, err);
	return status;
}

void imports_release(struct imports_result *result)
{
	mem_free(result->records);
	mem_free(result->before);
	mem_free(result->modules);
	mem_free(result->lazy_left);
	mem_free(result->work);
	mem_free(result->lines);
	mem_free(result->fallbacks);
	mem_free(result->unused);
	mem_free(result->plain_s);
	mem_free(result->probed_s);
	mem_free(result->probed_imports_s);
	arena_release(&result->arena);
	memset(result, 0, sizeof(*result));
}
