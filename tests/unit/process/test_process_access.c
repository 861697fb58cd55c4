/* Why a process may not be read: every reason has its words; real refusals where we are root. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "process/process.h"
#include "process/process_access.h"

#define PTRACE ((uint64_t)1 << CAP_SYS_PTRACE)
#define USER .our_uid = 1000, .their_uid = 1000, .their_uid_known = true, .uids_match = true

static void every_reason_has_its_words(void **state)
{
	static const struct {
		struct access_facts facts;
		const char *why, *next;
	} cases[] = {
	    {{USER, .yama_scope = 1}, "ptrace_scope is 1", "pyrometer run"},
	    {{USER, .yama_scope = 2}, "ptrace_scope is 2", "sudo"},
	    {{USER, .yama_scope = 3, .our_capabilities = PTRACE}, "ptrace_scope is 3", "boot"},
	    {{USER, .yama_scope = 0}, "security module", "sudo"},
	    {{USER, .yama_scope = -1}, "security module", "sudo"},
	    {{USER, .yama_scope = 1, .not_dumpable = true}, "not dumpable", "sudo"},
	    {{USER, .yama_scope = -1, .their_capabilities = 0x20}, "0x20", "sudo"},
	    {{USER, .yama_scope = 1, .other_user_namespace = true}, "user namespace", "sudo"},
	    {{.our_uid = 1000, .their_uid = 33, .their_uid_known = true, .yama_scope = 1},
	     "user 33, Pyrometer as user 1000",
	     "sudo"},
	    {{.our_uid = 0, .yama_scope = -1, .we_are_contained = true},
	     "CAP_SYS_PTRACE",
	     "--cap-add SYS_PTRACE"},
	    {{.our_uid = 0, .yama_scope = 1}, "CAP_SYS_PTRACE", "capability"},
	    {{.our_uid = 0, .our_capabilities = PTRACE, .yama_scope = 1},
	     "security module",
	     "root of the host"},
	    {{.our_uid = 0,
	      .our_capabilities = PTRACE,
	      .yama_scope = -1,
	      .other_user_namespace = true},
	     "another user namespace",
	     "root of the host"},
	    {{USER, .yama_scope = 1, .own_read_refused = true},
	     "seccomp",
	     "allow that system call"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct access_facts facts = cases[i].facts;
		struct err err = {0};

		facts.pid = 4711;
		facts.errno_value = EPERM;
		assert_int_equal(access_explain(&facts, &err), -ERR_PERMISSION);
		assert_int_equal(err.code, ERR_PERMISSION);
		assert_non_null(strstr(err.what, "4711"));
		if (!strstr(err.why, cases[i].why) || !strstr(err.next, cases[i].next))
			fail_msg("case %zu: %s | %s", i, err.why, err.next);
	}
	assert_int_equal(access_explain(&cases[0].facts, NULL), -ERR_PERMISSION);
}

static pid_t stopped_child(void (*prepare)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prepare)
			prepare();
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void our_child_and_ourselves_are_readable(void **state)
{
	(void)state;
	pid_t child = stopped_child(NULL);
	assert_int_equal(process_readable(child, NULL), 0);
	assert_int_equal(process_readable(getpid(), NULL), 0);
	end(child);
}

static void python_is_readable_and_named(void **state)
{
	char text[256];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execlp("python3", "python3", "-c",
		       "import signal\nprint(1, flush=True)\nsignal.pause()", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	ssize_t got = read(ends[0], text, 1);
	close(ends[0]);
	if (got == 1) {
		assert_int_equal(process_readable(child, NULL), 0);
		assert_int_equal(process_command_line(child, text, sizeof(text), NULL), 0);
		assert_non_null(strstr(text, "python3 -c import signal?print"));
	}
	end(child);
	if (got != 1)
		skip(); /* no python3 here */
}

static void become_nobody(void)
{
	if (setgid(65534) || setuid(65534))
		_exit(3);
	prctl(PR_SET_DUMPABLE, 1);
}

/* Asks as nobody; the words come back through a pipe. */
static void ask_as_nobody(pid_t target, int *ret_code, struct err *ret_err)
{
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = {0};
		become_nobody();
		int rc = process_readable(target, &err);
		bool sent = write(ends[1], &rc, sizeof(rc)) == sizeof(rc) &&
			    write(ends[1], &err, sizeof(err)) == sizeof(err);
		_exit(sent ? 0 : 4);
	}
	assert_int_equal(read(ends[0], ret_code, sizeof(*ret_code)), sizeof(*ret_code));
	assert_int_equal(read(ends[0], ret_err, sizeof(*ret_err)), sizeof(*ret_err));
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void become_nobody_undumpable(void)
{
	become_nobody();
	prctl(PR_SET_DUMPABLE, 0);
}

static void real_refusals_name_their_reason(void **state)
{
	static const struct {
		void (*prepare)(void);
		const char *why;
	} cases[] = {
	    {NULL, "runs as user 0, Pyrometer as user 65534"},
	    {become_nobody_undumpable, "not dumpable"},
	};

	(void)state;
	if (getuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pid_t target = stopped_child(cases[i].prepare);
		struct err err;
		int rc;

		ask_as_nobody(target, &rc, &err);
		end(target);
		assert_int_equal(rc, -ERR_PERMISSION);
		if (!strstr(err.why, cases[i].why))
			fail_msg("case %zu: %s", i, err.why);
		assert_true(err.next[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_reason_has_its_words),
	    cmocka_unit_test(our_child_and_ourselves_are_readable),
	    cmocka_unit_test(python_is_readable_and_named),
	    cmocka_unit_test(real_refusals_name_their_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
