/* Processes for the tests of runtime_find: starts a program that prints one line, READY and what it
 * knows of itself, and then waits until its stdin closes. */
#ifndef TEST_FIND_TARGET_H
#define TEST_FIND_TARGET_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "cpython/layout/runtime_find.h"

#define TARGET_DEADLINE_MS 60000
#define TARGET_ARGS_MAX 12

struct target {
	pid_t pid;
	int input, output;
};

/* Known truth: what the interpreter says of itself. ctypes gives the address of its _PyRuntime. */
#define TARGET_PROGRAM                                                                             \
	"import sys\n"                                                                             \
	"try:\n"                                                                                   \
	"    import ctypes\n"                                                                      \
	"    a = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, '_PyRuntime'))\n"         \
	"except Exception:\n"                                                                      \
	"    a = 0\n"                                                                              \
	"sys.stdout.write('READY %x %x\\n' % (sys.hexversion, a)); sys.stdout.flush()\n"           \
	"sys.stdin.read()\n"

/* root: chroot there first (NULL: no). Variables of the test's own Python stay out of the target.
 */
static inline void target_start(struct target *target, const char *root, char *const argv[])
{
	int input[2], output[2];

	assert_int_equal(pipe(input), 0);
	assert_int_equal(pipe(output), 0);
	target->pid = fork();
	assert_true(target->pid >= 0);
	if (target->pid == 0) {
		dup2(input[0], 0);
		dup2(output[1], 1);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		if (root != NULL && (chroot(root) < 0 || chdir("/") < 0))
			_exit(126);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	target->input = input[1];
	target->output = output[0];
}

/* The next line that it prints, without its end; waits for it. */
static inline void target_line(struct target *target, char *line, size_t size)
{
	size_t used = 0;

	for (;;) {
		struct pollfd wait = {.fd = target->output, .events = POLLIN};
		char byte;

		assert_true(poll(&wait, 1, TARGET_DEADLINE_MS) == 1);
		if (read(target->output, &byte, 1) != 1 || byte == '\n')
			break;
		if (used + 1 < size)
			line[used++] = byte;
	}
	line[used] = '\0';
}

static inline void target_ready(struct target *target, uint32_t *ret_version_hex,
				uint64_t *ret_address)
{
	char line[128];
	unsigned long long version, address;

	target_line(target, line, sizeof(line));
	if (sscanf(line, "READY %llx %llx", &version, &address) != 2)
		fail_msg("the target said \"%s\"", line);
	*ret_version_hex = (uint32_t)version;
	*ret_address = address;
}

/* Closes its stdin, and waits for its end. */
static inline void target_end(struct target *target)
{
	close(target->input);
	close(target->output);
	kill(target->pid, SIGKILL);
	assert_true(waitpid(target->pid, NULL, 0) == target->pid);
}

static inline int find_in(pid_t pid, struct runtime *ret_runtime, struct err *err)
{
	struct remote_memory memory;

	memset(err, 0, sizeof(*err));
	remote_memory_init_live(&memory, pid);
	return runtime_find(pid, &memory, ret_runtime, err);
}

/* A command that has to succeed; false where it doesn't. */
static inline bool shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline bool shell(const char *format, ...)
{
	char command[4096];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	assert_true(size > 0 && size < (int)sizeof(command));
	return system(command) == 0;
}

/* The three lines that a refusal needs: what, why or next. */
static inline void assert_refusal(const struct err *err, int code, const char *named)
{
	assert_int_equal(err->code, -code);
	assert_non_null(strstr(err->what, named));
	assert_true(err->next[0] != '\0');
}

#endif
