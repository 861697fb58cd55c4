/* What the scheduler tells of a thread: hostile texts, and threads that do a known thing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "system/thread_times.h"

static void schedstat_texts(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
	    {"1 2 3\n", true},
	    {"18446744073709551615 2 3", true},
	    {"1 2 3 4\n", true},
	    {"", false},
	    {"1 2\n", false},
	    {"1 2 \n", false},
	    {"1\n2\n3\n", false},
	    {"-1 2 3\n", false},
	    {"18446744073709551616 2 3\n", false},
	    {"1 2 3x\n", false},
	    {"1\t2\t3\n", false},
	    {"1 0x2 3\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct thread_schedstat times = {7, 7, 7};
		bool good = thread_schedstat_parse(cases[i].text, strlen(cases[i].text), &times);

		if (good != cases[i].good)
			fail_msg("case %zu", i);
		if (good)
			assert_true(times.runqueue_ns == 2 && times.slices == 3);
		else
			assert_true(times.on_cpu_ns == 7 && times.slices == 7);
	}
}

static void stat_texts(void **state)
{
	static const char zeros[] =
	    " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
	    "0 0 0";
	static const struct {
		const char *head, *tail;
		bool good;
		char status;
		int cpu;
	} cases[] = {
	    {"5 (x) S", " 3 0\n", true, 'S', 3}, {"5 (a) R (b)) D", " 8191", true, 'D', 8191},
	    {"5 (x) S", " -1 0\n", false, 0, 0}, {"5 (x) S", " 2147483648 0\n", false, 0, 0},
	    {"5 (x) S", "\n", false, 0, 0},	 {"5 x S", " 3 0\n", false, 0, 0},
	    {"5 (x)\nS", " 3 0\n", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct thread_stat stat = {0};
		char text[256];

		snprintf(text, sizeof(text), "%s%s%s", cases[i].head, zeros, cases[i].tail);
		if (thread_stat_parse(text, strlen(text), &stat) != cases[i].good)
			fail_msg("case %zu", i);
		assert_int_equal(stat.state, cases[i].status);
		assert_int_equal(stat.cpu, cases[i].cpu);
	}
}

static void syscall_texts(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t number;
		uint64_t last;
	} cases[] = {
	    {"running\n", true, -1, 0},
	    {"-1 0x7ffd1000 0x7f0000001234\n", true, -1, 0},
	    {"202 0x1 0x2 0x3 0x4 0x5 0xffffffffffffffff 0x7ffd 0x7f\n", true, 202, UINT64_MAX},
	    {"0 0x1 0x2 0x3 0x4 0x5 0x6", true, 0, 6},
	    {"", false, 0, 0},
	    {"runnin", false, 0, 0},
	    {"-2 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n", false, 0, 0},
	    {"0 0x1 0x2 0x3 0x4 0x5\n", false, 0, 0},
	    {"0 1 2 3 4 5 6\n", false, 0, 0},
	    {"0 0x1 0x2 0x3 0x4 0x5 0x10000000000000000 0x7 0x8\n", false, 0, 0},
	    {"0 0x 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct thread_syscall call = {.number = 99};
		bool good = thread_syscall_parse(cases[i].text, strlen(cases[i].text), &call);

		if (good != cases[i].good)
			fail_msg("case %zu", i);
		assert_true(call.number == (good ? cases[i].number : 99));
		if (good)
			assert_true(call.arguments[5] == cases[i].last);
	}
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void a_blocked_child_is_told_truly_until_it_ends(void **state)
{
	struct thread_times times;
	struct thread_schedstat before, after;
	struct thread_stat stat = {0};
	struct thread_syscall call = {0};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		char byte;
		uint64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
		while (now_ns(CLOCK_THREAD_CPUTIME_ID) - start < 30000000)
			;
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) < 0);
	}
	assert_int_equal(thread_times_open(&times, child, child, NULL), 0);
	uint64_t deadline = now_ns(CLOCK_MONOTONIC) + 20000000000u;
	do {
		poll(NULL, 0, 2);
		assert_int_equal(thread_times_stat(&times, &stat), 0);
	} while (stat.state != 'S' && now_ns(CLOCK_MONOTONIC) < deadline);
	assert_int_equal(stat.state, 'S');
	assert_true(stat.cpu >= 0 && stat.cpu < sysconf(_SC_NPROCESSORS_CONF));
	assert_int_equal(thread_times_schedstat(&times, &before), 0);
	assert_true(before.on_cpu_ns >= 30000000 && before.on_cpu_ns < 2000000000);
	assert_true(before.slices > 0);
	int rc = thread_times_syscall(&times, &call);
	if (rc == 0) {
		assert_int_equal(call.number, SYS_read);
		assert_int_equal(call.arguments[0], ends[0]);
		assert_int_equal(call.arguments[2], 1);
	} else {
		assert_int_equal(rc, -ERR_PERMISSION);
	}
	poll(NULL, 0, 20);
	assert_int_equal(thread_times_schedstat(&times, &after), 0);
	assert_true(after.on_cpu_ns == before.on_cpu_ns); /* off its CPU: exact */
	close(ends[1]);
	close(ends[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(thread_times_schedstat(&times, &after), -ERR_NO_PROCESS);
	assert_int_equal(thread_times_stat(&times, &stat), -ERR_NO_PROCESS);
	thread_times_release(&times);
	thread_times_release(&times);
	struct err err = {0};
	assert_int_equal(thread_times_open(&times, child, child, &err), -ERR_NO_PROCESS);
	assert_true(err.what[0] && err.why[0]);
	thread_times_release(&times);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(schedstat_texts),
	    cmocka_unit_test(stat_texts),
	    cmocka_unit_test(syscall_texts),
	    cmocka_unit_test(a_blocked_child_is_told_truly_until_it_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
