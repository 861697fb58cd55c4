/* Texts of /proc against hostile bytes; identity, threads and children of real processes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "process/process.h"
#include "process/proc_text.h"

#define TAIL                                                                                       \
	" 0 7 7 34816 7 4194304 100 0 0 0 12 34 0 0 20 0 3 0 123456 1000000 250 "                  \
	"18446744073709551615 1 1 0 0 0 0 0 16781312 134217730 0 0 0 17 5 0 0 0\n"

static void stat_texts_parse_or_are_refused(void **state)
{
	static const struct {
		const char *text;
		bool good;
		const char *comm;
	} cases[] = {
	    {"1 (python3) S" TAIL, true, "python3"},
	    {"1 (a) b) R 1 ()) S" TAIL, true, "a) b) R 1 ()"},
	    {"1 () Z" TAIL, true, ""},
	    {"1 (a\nb) t" TAIL, true, "a\nb"},
	    {"1 (123456789012345678901234567890123456789) S" TAIL, true,
	     "1234567890123456789012345678901"},
	    {"", false, NULL},
	    {")", false, NULL},
	    {"1 (x)", false, NULL},
	    {"1 (x) ", false, NULL},
	    {"1 (x) S", false, NULL},
	    {"1 x) S" TAIL, false, NULL},
	    {"1 (x) S -4 7 7", false, NULL},
	    {"1 (x) \x01" TAIL, false, NULL},
	    {"1 (x) S 0 7 7 34816 7 4194304 100 0 0 0 1x2 34 0 0 20 0 3 0 1 1 1 1 1 1 1 1 1 1 "
	     "1 1 1 1 1 1 17 5",
	     false, NULL},
	    {"1 (x) S 0 7 7 34816 7 4194304 100 0 0 0 99999999999999999999 34 0 0 20 0 3 0 1 1 "
	     "1 1 1 1 1 1 1 1 1 1 1 1 1 1 17 5",
	     false, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process_stat stat = {.start_ticks = 77};
		bool good = process_stat_parse(cases[i].text, strlen(cases[i].text), &stat);

		if (good != cases[i].good)
			fail_msg("case %zu: %s", i, cases[i].text);
		if (!good) {
			assert_int_equal(stat.start_ticks, 77); /* untouched */
			continue;
		}
		assert_string_equal(stat.comm, cases[i].comm);
		assert_int_equal(stat.user_ticks, 12);
		assert_int_equal(stat.system_ticks, 34);
		assert_int_equal(stat.thread_count, 3);
		assert_int_equal(stat.start_ticks, 123456);
		assert_int_equal(stat.cpu, 5);
	}
}

static void every_cut_of_a_stat_text_is_refused(void **state)
{
	static const char text[] = "1 (python3) S" TAIL;
	struct process_stat stat;
	const char *fields_end = strstr(text, " 5 0 0 0");

	(void)state;
	for (size_t size = 0; size <= (size_t)(fields_end - text); size++)
		assert_false(process_stat_parse(text, size, &stat));
	assert_true(process_stat_parse(text, sizeof(text) - 1, &stat));
}

static void numbers_fill_their_field(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} cases[] = {
	    {"  42 ", true, 42},
	    {"-42\n", true, -42},
	    {"-9223372036854775808", true, INT64_MIN},
	    {"9223372036854775808", false, 0},
	    {"-9223372036854775809", false, 0},
	    {"4[2", false, 0},
	    {"-", false, 0},
	    {"", false, 0},
	    {"\n1", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proc_cursor cursor = {cases[i].text, cases[i].text + strlen(cases[i].text)};
		int64_t value = 0;

		assert_int_equal(proc_take_i64(&cursor, &value), cases[i].good);
		if (cases[i].good)
			assert_true(value == cases[i].value);
	}
}

static void command_lines_become_one_line(void **state)
{
	char text[] = "python3\0-c\0a\nb\x7f\x1b[m\0\0";
	size_t size = sizeof(text);
	char empty[1] = "";
	size_t nothing = 0;

	(void)state;
	process_command_line_clean(text, &size);
	assert_int_equal(size, strlen("python3 -c a?b??[m"));
	assert_memory_equal(text, "python3 -c a?b??[m", size);
	process_command_line_clean(empty, &nothing);
	assert_int_equal(nothing, 0);
}

static void our_own_process_is_told_truly(void **state)
{
	struct process_stat stat;
	struct process_identity identity;
	char text[4096], link[4096];
	uint64_t device = 0, inode = 0, peak = 0;

	(void)state;
	assert_int_equal(process_stat_read(getpid(), &stat, NULL), 0);
	assert_int_equal(stat.ppid, getppid());
	assert_int_equal(stat.state, 'R');
	assert_int_equal(process_identity_of(getpid(), &identity, NULL), 0);
	assert_true(process_is_alive(&identity));
	identity.start_ticks++;
	assert_false(process_is_alive(&identity));
	assert_int_equal(process_executable(getpid(), text, sizeof(text), &device, &inode, NULL),
			 0);
	assert_non_null(strstr(text, "test_process"));
	assert_true(inode != 0);
	assert_int_equal(process_executable(getpid(), text, 4, &device, &inode, NULL), -ERR_LIMIT);
	assert_int_equal(process_directory(getpid(), text, sizeof(text), NULL), 0);
	assert_string_equal(text, getcwd(link, sizeof(link)));
	assert_int_equal(process_peak_rss(getpid(), &peak, NULL), 0);
	assert_true(peak > 100 * 1024);
	assert_int_equal(process_command_line(getpid(), text, 5, NULL), 0);
	assert_int_equal(strlen(text), 4);
	assert_false(process_in_other_root(getpid()));
}

static void a_process_that_is_not_there_says_so(void **state)
{
	struct process_stat stat;
	struct err err = {0};
	pid_t *list;
	size_t count;
	uint64_t bytes;

	(void)state;
	pid_t ended = fork();
	if (ended == 0)
		_exit(0);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)ended, &info, WEXITED | WNOWAIT), 0);
	struct process_identity identity;
	assert_int_equal(process_identity_of(ended, &identity, NULL), 0); /* a zombie is there */
	assert_false(process_is_alive(&identity));
	assert_int_equal(process_peak_rss(ended, &bytes, NULL), -ERR_NO_PROCESS);
	assert_int_equal(process_readable(ended, &err), -ERR_NO_PROCESS);
	assert_non_null(strstr(err.why, "zombie"));
	assert_int_equal(waitpid(ended, NULL, 0), ended);
	assert_int_equal(process_stat_read(ended, &stat, &err), -ERR_NO_PROCESS);
	assert_int_equal(process_threads(ended, &list, &count, NULL), -ERR_NO_PROCESS);
	assert_int_equal(process_children(ended, &list, &count, NULL), -ERR_NO_PROCESS);
	assert_int_equal(process_readable(ended, &err), -ERR_NO_PROCESS);
	assert_true(err.why[0] && err.next[0]);
}

static pthread_barrier_t barrier;

static void *wait_twice(void *child)
{
	if (child) {
		*(pid_t *)child = fork(); /* a child of a thread that isn't the main one */
		if (*(pid_t *)child == 0) {
			pause();
			_exit(0);
		}
	}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static bool has(const pid_t *list, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == pid)
			return true;
	return false;
}

static void threads_and_children_are_listed_both_ways(void **state)
{
	pthread_t threads[3];
	pid_t *tids, *pids, *scanned, of_thread = 0;
	size_t tid_count, pid_count, scanned_count;

	(void)state;
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, wait_twice, i == 1 ? &of_thread : NULL), 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(process_threads(getpid(), &tids, &tid_count, NULL), 0);
	assert_true(tid_count >= 4); /* a sanitizer may have its own */
	assert_true(has(tids, tid_count, getpid()));
	assert_int_equal(process_children(getpid(), &pids, &pid_count, NULL), 0);
	assert_int_equal(pid_count, 2);
	assert_true(has(pids, pid_count, child) && has(pids, pid_count, of_thread));
	assert_int_equal(process_children_scan(getpid(), &scanned, &scanned_count, NULL), 0);
	assert_int_equal(scanned_count, 2);
	assert_memory_equal(scanned, pids, 2 * sizeof(pid_t));
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	kill(child, SIGKILL);
	kill(of_thread, SIGKILL);
	waitpid(child, NULL, 0);
	waitpid(of_thread, NULL, 0);
	mem_free(tids);
	mem_free(pids);
	mem_free(scanned);
	pthread_barrier_destroy(&barrier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stat_texts_parse_or_are_refused),
	    cmocka_unit_test(every_cut_of_a_stat_text_is_refused),
	    cmocka_unit_test(numbers_fill_their_field),
	    cmocka_unit_test(command_lines_become_one_line),
	    cmocka_unit_test(our_own_process_is_told_truly),
	    cmocka_unit_test(a_process_that_is_not_there_says_so),
	    cmocka_unit_test(threads_and_children_are_listed_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
