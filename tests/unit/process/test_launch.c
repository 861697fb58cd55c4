/* Starting a program that notices nothing: failures, descriptors, signals, status. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "process/launch.h"

static int wait_for(struct launch *launch)
{
	int status = -1;

	for (int i = 0; i < 200; i++) {
		int rc = launch_poll(launch, &status, NULL, NULL);
		if (rc != 0) {
			assert_int_equal(rc, 1);
			return launch_exit_code(status);
		}
		struct pollfd ended = {launch->pidfd, POLLIN, 0};
		poll(launch->pidfd >= 0 ? &ended : NULL, launch->pidfd >= 0 ? 1 : 0, 100);
	}
	fail_msg("not ended after 20 s");
	return -1;
}

static void the_exit_code_is_a_shells(void **state)
{
	static const struct {
		const char *script;
		int code;
	} cases[] = {
	    {"exit 0", 0},	    {"exit 7", 7},	    {"exit 255", 255},
	    {"kill -TERM $$", 143}, {"kill -KILL $$", 137}, {"kill -INT $$", 130},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[] = {(char *)"sh", (char *)"-c", (char *)cases[i].script, NULL};
		struct launch launch;

		assert_int_equal(launch_start(argv, &launch, NULL), 0);
		assert_int_equal(wait_for(&launch), cases[i].code);
		launch_release(&launch);
		launch_release(&launch);
	}
}

static void a_program_that_cannot_start_says_why(void **state)
{
	char directory[] = "/tmp/launch_XXXXXX", plain[64], orphan[64];
	struct launch launch = {.pid = -5};

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(plain, sizeof(plain), "%s/plain", directory);
	snprintf(orphan, sizeof(orphan), "%s/orphan", directory);
	close(open(plain, O_CREAT | O_WRONLY, 0600));
	int fd = open(orphan, O_CREAT | O_WRONLY, 0700);
	assert_int_equal(write(fd, "#!/no/such/interpreter\n", 23), 23);
	close(fd);
	const struct {
		const char *program;
		int code;
		const char *why;
	} cases[] = {
	    {"no-such-program-anywhere", -ERR_FILE, "PATH"},
	    {"/no/such/program", -ERR_FILE, "no such file"},
	    {plain, -ERR_PERMISSION, "ermission"},
	    {"/tmp", -ERR_PERMISSION, "ermission"},
	    {orphan, -ERR_FILE, "first line"},
	    {"", -ERR_USAGE, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[] = {(char *)cases[i].program, NULL};
		struct err err = {0};

		assert_int_equal(launch_start(argv, &launch, &err), cases[i].code);
		assert_non_null(strstr(err.why, cases[i].why));
		assert_int_equal(launch.pid, -5);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left behind */
	unlink(plain);
	unlink(orphan);
	rmdir(directory);
}

/* Runs a shell script as the target and gives what it wrote. */
static void output_of(const char *script, char *text, size_t size)
{
	int ends[2], saved = dup(STDOUT_FILENO);
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
	struct launch launch;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fcntl(saved, F_SETFD, FD_CLOEXEC);
	fflush(stdout);
	dup2(ends[1], STDOUT_FILENO);
	int rc = launch_start(argv, &launch, NULL);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(ends[1]);
	assert_int_equal(rc, 0);
	size_t used = 0;
	ssize_t got;
	while (used < size - 1 && (got = read(ends[0], text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	close(ends[0]);
	assert_int_equal(wait_for(&launch), 0);
	launch_release(&launch);
}

static void status_line(const char *status, const char *name, char *ret_line)
{
	const char *at = strstr(status, name);

	assert_non_null(at);
	size_t size = strcspn(at, "\n");
	assert_true(size < 64);
	memcpy(ret_line, at, size);
	ret_line[size] = '\0';
}

static void the_target_gets_our_parents_signals_not_ours(void **state)
{
	static char before[8192], after[8192];
	char left[64], right[64];
	sigset_t mask, old;

	(void)state;
	output_of("cat /proc/self/status", before, sizeof(before));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_BLOCK, &mask, &old);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGWINCH, SIG_IGN);
	output_of("cat /proc/self/status", after, sizeof(after));
	signal(SIGPIPE, SIG_DFL);
	signal(SIGWINCH, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	static const char *const lines[] = {"SigBlk:", "SigIgn:", "SigCgt:"};
	for (size_t i = 0; i < 3; i++) {
		status_line(before, lines[i], left);
		status_line(after, lines[i], right);
		assert_string_equal(left, right);
	}
}

static void the_target_gets_no_descriptor_and_keeps_the_group(void **state)
{
	char text[256], wanted[64];

	(void)state;
	/* ls has one more open itself: the directory. What the runner of this test left open for us
	 * is the target's, too. */
	output_of("ls /proc/self/fd", text, sizeof(text));
	int listed = -1;
	for (const char *at = text; *at; at++)
		listed += *at == '\n';
	int inherited = 0;
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		inherited += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	assert_int_equal(listed, inherited);
	output_of("cut -d' ' -f5,6 /proc/$$/stat", text, sizeof(text));
	snprintf(wanted, sizeof(wanted), "%d %d\n", (int)getpgrp(), (int)getsid(0));
	assert_string_equal(text, wanted);
}

static void signals_are_forwarded_while_taken(void **state)
{
	static const struct {
		int number;
		const char *script;
		int code;
	} cases[] = {
	    {SIGTERM, "trap 'exit 41' TERM; echo; while :; do sleep 0.02; done", 41},
	    {SIGHUP, "trap 'exit 42' HUP; echo; while :; do sleep 0.02; done", 42},
	    {SIGUSR1, "trap 'exit 43' USR1; echo; while :; do sleep 0.02; done", 43},
	    {SIGUSR2, "echo; while :; do sleep 0.02; done", 128 + SIGUSR2},
	};
	struct sigaction action;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ends[2], saved = dup(STDOUT_FILENO);
		char *argv[] = {(char *)"sh", (char *)"-c", (char *)cases[i].script, NULL};
		char line;
		struct launch launch;

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		fcntl(saved, F_SETFD, FD_CLOEXEC);
		dup2(ends[1], STDOUT_FILENO);
		int rc = launch_start(argv, &launch, NULL);
		dup2(saved, STDOUT_FILENO);
		close(saved);
		close(ends[1]);
		assert_int_equal(rc, 0);
		launch_signals_take(&launch);
		assert_int_equal(read(ends[0], &line, 1), 1); /* its trap is set */
		raise(SIGINT);				      /* not ours to die of */
		raise(cases[i].number);
		assert_int_equal(wait_for(&launch), cases[i].code);
		raise(cases[i].number); /* nobody to forward to: harmless */
		launch_signals_restore();
		sigaction(cases[i].number, NULL, &action);
		assert_true(action.sa_handler == SIG_DFL);
		launch_release(&launch);
		close(ends[0]);
	}
}

static void an_ignored_sigchld_does_not_lose_the_status(void **state)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 9", NULL};
	struct launch launch;
	struct rusage usage;
	int status, rc = 0;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(launch_start(argv, &launch, NULL), 0);
	struct pollfd ended = {launch.pidfd, POLLIN, 0};
	assert_int_equal(poll(&ended, 1, 20000), 1);
	rc = launch_poll(&launch, &status, &usage, NULL);
	assert_int_equal(rc, 1);
	assert_int_equal(launch_exit_code(status), 9);
	assert_true(usage.ru_maxrss > 0);
	assert_int_equal(launch_poll(&launch, &status, NULL, NULL), -ERR_NO_PROCESS);
	launch_release(&launch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_exit_code_is_a_shells),
	    cmocka_unit_test(a_program_that_cannot_start_says_why),
	    cmocka_unit_test(the_target_gets_our_parents_signals_not_ours),
	    cmocka_unit_test(the_target_gets_no_descriptor_and_keeps_the_group),
	    cmocka_unit_test(signals_are_forwarded_while_taken),
	    cmocka_unit_test(an_ignored_sigchld_does_not_lose_the_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
