/* The CPU of a thread: binding, refusals, sets, time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "system/cpu.h"
#include "system/host.h"

static void sets_are_told_as_ranges(void **state)
{
	static const struct {
		uint64_t first, second;
		const char *text;
		int count;
	} cases[] = {
	    {0, 0, "", 0},	    {1, 0, "0", 1},
	    {0x10F, 0, "0-3,8", 5}, {(uint64_t)1 << 63, 3, "63-65", 3},
	    {0, 5, "64,66", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cpu_set set = {{cases[i].first, cases[i].second}};
		char text[64], small[4];

		cpu_set_text(&set, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(cpu_set_count(&set), cases[i].count);
		cpu_set_text(&set, small, sizeof(small)); /* cut, not overrun */
		assert_true(strlen(small) < sizeof(small));
	}
	struct cpu_set all;
	memset(&all, 0xFF, sizeof(all));
	assert_true(cpu_set_has(&all, CPU_MAX - 1));
	assert_false(cpu_set_has(&all, CPU_MAX) || cpu_set_has(&all, -1));
}

static void a_thread_is_bound_and_given_back(void **state)
{
	struct cpu_set before, bound, after;

	(void)state;
	assert_int_equal(cpu_allowed(0, &before, NULL), 0);
	assert_true(cpu_set_count(&before) > 0);
	for (int cpu = 0; cpu < CPU_MAX; cpu++) {
		if (!cpu_set_has(&before, cpu))
			continue;
		assert_int_equal(cpu_bind(cpu, NULL), 0);
		assert_int_equal(cpu_current(), cpu);
		assert_int_equal(cpu_allowed(0, &bound, NULL), 0);
		assert_int_equal(cpu_set_count(&bound), 1);
	}
	assert_int_equal(cpu_restore(&before, NULL), 0);
	assert_int_equal(cpu_allowed(0, &after, NULL), 0);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void a_cpu_that_is_not_there_is_named(void **state)
{
	static const int wrong[] = {-1, CPU_MAX - 1, CPU_MAX, 1 << 30};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = {0};
		struct cpu_set before, after;

		cpu_allowed(0, &before, NULL);
		assert_int_equal(cpu_bind(wrong[i], &err), -ERR_FILE);
		assert_non_null(strstr(err.what, "no CPU"));
		cpu_allowed(0, &after, NULL);
		assert_memory_equal(&before, &after, sizeof(before));
	}
}

static void thread_time_grows_with_work_only(void **state)
{
	(void)state;
	uint64_t start = cpu_thread_time_ns();
	while (cpu_thread_time_ns() - start < 2000000)
		;
	uint64_t before = cpu_thread_time_ns();
	usleep(20000);
	assert_true(cpu_thread_time_ns() - before < 15000000);
}

/* In a child, so that this thread's slice stays as it was; false is an answer, too. */
static void a_short_slice_never_harms(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		_exit(cpu_short_slice(100000) ? 1 : 0);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	print_message("short slice: %s\n", WEXITSTATUS(status) ? "taken" : "not supported");
}

static void the_host_is_one_line(void **state)
{
	struct host host;
	char text[400], small[8];

	(void)state;
	host_read(&host);
	assert_true(host.cpus_online > 0 && host.cpus_allowed > 0);
	assert_true(host.cpus_allowed <= host.cpus_online);
	host_describe(&host, text, sizeof(text));
	print_message("%s\n", text);
	assert_non_null(strstr(text, "Linux "));
	assert_null(strchr(text, '\n'));
	assert_int_equal(system("grep -q ' hypervisor' /proc/cpuinfo") == 0, host.virtual_machine);
	host_describe(&host, small, sizeof(small));
	assert_int_equal(strlen(small), sizeof(small) - 1);
}

static void a_host_is_described_by_what_is_known(void **state)
{
	static const struct {
		struct host host;
		const char *text;
	} cases[] = {
	    {{"Linux 6.1", "x86_64", "", 1, 1, 0, false, false, -1}, "Linux 6.1 x86_64, 1 CPU"},
	    {{"Linux 6.1", "x86_64", "Some CPU", 16, 2, 1.5, true, true, 0.414},
	     "Linux 6.1 x86_64, Some CPU, 2 of 16 CPUs, limited to 1.50 CPUs, virtual machine, "
	     "container, load 0.41"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];

		host_describe(&cases[i].host, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sets_are_told_as_ranges),
	    cmocka_unit_test(a_thread_is_bound_and_given_back),
	    cmocka_unit_test(a_cpu_that_is_not_there_is_named),
	    cmocka_unit_test(thread_time_grows_with_work_only),
	    cmocka_unit_test(a_short_slice_never_harms),
	    cmocka_unit_test(the_host_is_one_line),
	    cmocka_unit_test(a_host_is_described_by_what_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
