/* Workers with the Python that is here: what a block, a count and an end tell, against what is
 * known of the code that ran; and every way in which a benchmark can go wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/worker.h"
#include "bench/worker_energy.h"
#include "bench/worker_process.h"

static char *python;

static struct worker_spec statement(const char *text, const char *setup)
{
	return (struct worker_spec){
	    .target = {.kind = TARGET_STATEMENT, .text = text, .setup = setup},
	    .python = python,
	    .seed = 7,
	    .cpu = -1,
	    .time_limit_s = 60,
	};
}

static struct worker *start(const struct worker_spec *spec)
{
	struct worker *worker = NULL;
	struct err err = {0};

	if (worker_start(spec, &worker, &err) < 0)
		fail_msg("%s: %s", err.what, err.why);
	return worker;
}

static struct block block_of(struct worker *worker, uint64_t loops)
{
	struct block block = {0};
	struct err err = {0};

	if (worker_block(worker, loops, &block, &err) < 0)
		fail_msg("%s: %s", err.what, err.why);
	return block;
}

/* The machine may be busy, so only a sleep's least time is certain. */
static void a_block_takes_as_long_as_its_loops(void **state)
{
	struct worker_spec spec = statement("sleep(0.002)", "from time import sleep");
	struct worker *worker = start(&spec);
	struct block block = block_of(worker, 10);

	(void)state;
	assert_int_equal(block.loops, 10);
	assert_true(block.wall_s >= 0.0199);
	assert_true(block.cpu_s < block.wall_s);
	assert_true(worker_overhead(worker) > 0 && worker_overhead(worker) < 1e-4);
	assert_string_equal(worker_unit(worker), "s");
	worker_end(worker, NULL, NULL);
}

/* The setup runs once, and the statement's names live from block to block. */
static void loops_run_exactly_as_often_as_asked(void **state)
{
	struct worker_spec spec =
	    statement("n += 1\nif n == 101: raise ValueError('it ran %d times' % n)", "n = 0");
	struct worker *worker = start(&spec);
	struct block block;
	struct err err = {0};

	(void)state;
	block_of(worker, 60);
	block_of(worker, 40);
	assert_int_equal(worker_block(worker, 1, &block, &err), -ERR_TARGET);
	assert_non_null(strstr(err.why, "ValueError: it ran 101 times"));
	assert_int_equal(worker_block(worker, 1, &block, &err), -ERR_TARGET);
	worker_end(worker, NULL, NULL);
}

static void counts_are_those_of_the_code(void **state)
{
	static const struct {
		const char *text, *setup;
		uint64_t calls, syscalls;
	} rows[] = {
	    {"pass", "", 0, 0},
	    {"f()", "def f(): pass", 1, 0},
	    {"f(); f(); len('x')", "def f(): pass", 3, 0},
	    {"getppid(); getppid()", "from os import getppid", 2, 2},
	    {"write(fd, b'x')", "import os\nfrom os import write\nfd = os.open('/dev/null', 1)", 1,
	     1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct worker_spec spec = statement(rows[i].text, rows[i].setup);
		struct worker *worker = start(&spec);
		struct bench_counters counters;
		struct err err = {0};

		if (worker_count(worker, &counters, &err) < 0)
			fail_msg("%s: %s %s", rows[i].text, err.what, err.why);
		assert_int_equal(counters.calls, rows[i].calls);
		if (counters.syscalls != UINT64_MAX) /* where tracing is allowed */
			assert_int_equal(counters.syscalls, rows[i].syscalls);
		block_of(worker, 1); /* it goes on as before */
		worker_end(worker, NULL, NULL);
	}
}

static void the_end_tells_what_the_process_used(void **state)
{
	struct worker_spec spec =
	    statement("x = bytearray(64 << 20)", "import ctypes, json, decimal");
	struct worker *worker = start(&spec);
	struct bench_counters counters;
	struct err err = {0};

	(void)state;
	block_of(worker, 1);
	assert_int_equal(worker_end(worker, &counters, &err), 0);
	assert_true(counters.cpu_s > 0);
	/* Never reported low, and never that of anybody else: this is less than twice of it. */
	assert_true(counters.peak_rss_bytes >= (uint64_t)64 << 20);
	assert_true(counters.peak_rss_bytes < (uint64_t)128 << 20);
	assert_true(counters.modules >= 3 && counters.modules < 200);
	assert_true(counters.gc_collections != UINT64_MAX);
	assert_true(counters.calls == UINT64_MAX);
}

/* After a process that took much: hyperfine would tell the second the first one's peak. */
static void peak_memory_is_never_inherited(void **state)
{
	char big_code[] = "x = bytearray(200 << 20)", small_code[] = "pass", flag[] = "-c",
	     isolated[] = "-SE";
	char *big[] = {python, isolated, flag, big_code, NULL};
	char *small[] = {python, isolated, flag, small_code, NULL};
	char *const *const commands[] = {big, small};
	uint64_t peaks[2] = {0, 0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct worker_spec spec = statement("", "");
		struct bench_counters counters;
		struct worker *worker;

		spec.target = (struct bench_target){.kind = TARGET_COMMAND, .argv = commands[i]};
		worker = start(&spec);
		block_of(worker, 1);
		worker_end(worker, &counters, NULL);
		peaks[i] = counters.peak_rss_bytes;
	}
	if (peaks[0] == UINT64_MAX)
		skip(); /* tracing isn't allowed here: then it is unknown, and not a guess */
	assert_true(peaks[0] >= (uint64_t)200 << 20);
	assert_true(peaks[1] < (uint64_t)100 << 20);
}

static void what_goes_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *setup;
		int code;
		const char *in_what, *in_why;
	} rows[] = {
	    {"x(", "", ERR_TARGET, "could not be loaded", "SyntaxError"},
	    {"yield 1", "", ERR_TARGET, "could not be loaded", "SyntaxError"},
	    {"pass", "import no_such_module", ERR_TARGET, "could not be set up",
	     "No module named 'no_such_module'"},
	    {"1 / zero", "zero = 0", ERR_TARGET, "raised", "ZeroDivisionError"},
	    {"import sys; sys.exit(4)", "", ERR_TARGET, "raised", "sys.exit: 4"},
	    {"raise KeyboardInterrupt", "", ERR_TARGET, "raised", "KeyboardInterrupt"},
	    {"import os; os._exit(5)", "", ERR_TARGET, "ended itself with status 5", ""},
	    {"import os; os.kill(os.getpid(), 9)", "", ERR_TARGET, "signal 9", ""},
	    {"import os; os.fork()", "", ERR_TARGET, "raised", "the child comes back"},
	    {"f()", "def f(): return f()", ERR_TARGET, "raised", "RecursionError"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct worker_spec spec = statement(rows[i].text, rows[i].setup);
		struct worker *worker = NULL;
		struct block block;
		struct err err = {0};
		int result = worker_start(&spec, &worker, &err);

		if (result == 0)
			result = worker_block(worker, 1, &block, &err);
		if (result != -rows[i].code || !strstr(err.what, rows[i].in_what) ||
		    !strstr(err.why, rows[i].in_why))
			fail_msg("%s: %d, %s: %s", rows[i].text, result, err.what, err.why);
		if (worker)
			worker_end(worker, NULL, NULL);
	}
}

static void what_hangs_is_ended_with_all_that_it_started(void **state)
{
	struct worker_spec spec = statement(
	    "import os, time\nif os.fork() == 0:\n    time.sleep(3600)\ntime.sleep(3600)", "");
	struct worker *worker;
	struct block block;
	struct err err = {0};
	pid_t pid;

	(void)state;
	spec.time_limit_s = 2;
	if (worker_start(&spec, &worker, &err) < 0)
		skip(); /* two seconds weren't enough to start: this machine has other worries */
	pid = worker_pid(worker);
	assert_int_equal(worker_block(worker, 1, &block, &err), -ERR_TIMEOUT);
	assert_non_null(strstr(err.what, "hangs"));
	worker_end(worker, NULL, NULL);
	/* The group is gone once its last process was reaped by whoever inherited it. */
	for (int i = 0; i < 1000 && kill(-pid, 0) == 0; i++)
		usleep(10000);
	assert_int_not_equal(kill(-pid, 0), 0);
}

static void a_benchmark_may_do_this(void **state)
{
	static const struct {
		const char *text, *setup, *note;
		uint64_t output_min;
	} rows[] = {
	    {"print('x' * 1000, flush=True)", "", NULL, 1000},
	    {"write(1, x)", "from os import write\nx = b'x' * 300000", NULL, 3000000},
	    {"import sys; sys.stdin.read()", "", NULL, 0},
	    {"import os; os.closerange(0, 200)", "", NULL, 0},
	    {"import os; os.chdir('/')", "", "working directory", 0},
	    {"await asyncio.sleep(0)", "import asyncio", NULL, 0},
	    {"import subprocess; subprocess.check_call(['true'])", "", NULL, 0},
	    {"t = Thread(target=len, args=('x',)); t.start(); t.join()",
	     "from threading import Thread", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct worker_spec spec = statement(rows[i].text, rows[i].setup);
		struct worker *worker = start(&spec);
		struct err err = {0};

		for (int j = 0; j < 10; j++)
			block_of(worker, 1);
		assert_true(worker_output_bytes(worker) >= rows[i].output_min);
		if (!rows[i].note)
			assert_null(worker_note(worker, 0));
		else
			assert_non_null(strstr(worker_note(worker, 0), rows[i].note));
		if (worker_end(worker, NULL, &err) < 0)
			fail_msg("%s: %s %s", rows[i].text, err.what, err.why);
	}
}

static void memory_that_is_not_there_is_a_memory_error(void **state)
{
	struct worker_spec spec = statement("x = bytearray(4 << 30)", "");
	struct worker *worker;
	struct block block;
	struct err err = {0};

	(void)state;
	spec.memory_limit = (uint64_t)2 << 30;
	worker = start(&spec);
	assert_int_equal(worker_block(worker, 1, &block, &err), -ERR_TARGET);
	assert_non_null(strstr(err.why, "MemoryError"));
	worker_end(worker, NULL, NULL);
}

static void commands_are_timed_and_their_failures_named(void **state)
{
	char shell[] = "/bin/sh", flag[] = "-c", works[] = "sleep 0.05; exit 0",
	     fails[] = "echo no such order >&2; exit 3";
	char *good[] = {shell, flag, works, NULL}, *bad[] = {shell, flag, fails, NULL};
	struct worker_spec spec = statement("", "");
	struct worker *worker;
	struct block block;
	struct err err = {0};
	uint64_t loops = 0;

	(void)state;
	spec.target = (struct bench_target){.kind = TARGET_COMMAND, .argv = good};
	worker = start(&spec);
	assert_int_equal(worker_calibrate(worker, 1, &loops, &err), 0);
	assert_int_equal(loops, 1);
	block = block_of(worker, 2);
	assert_true(block.wall_s >= 0.1 && block.cpu_s < block.wall_s);
	worker_end(worker, NULL, NULL);
	spec.target.argv = bad;
	worker = start(&spec);
	assert_int_equal(worker_block(worker, 1, &block, &err), -ERR_TARGET);
	assert_non_null(strstr(err.what, "status 3"));
	assert_non_null(strstr(err.why, "no such order"));
	worker_end(worker, NULL, NULL);
}

static void every_seed_and_every_length_of_names_gives_the_same_stack(void **state)
{
	char short_variable[] = "A=1", long_variable[] = "A_MUCH_LONGER_NAME=with a longer value",
	     first[] = "python", second[] = "/a/longer/path/of/python";
	char *short_list[] = {short_variable, NULL}, *long_list[] = {long_variable, NULL};
	char *argv[] = {first, NULL}, *other_argv[] = {second, NULL};
	size_t sizes[2] = {0, 0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct worker_spec spec = {.seed = i ? 4294967295 : 0,
					   .environment = i ? long_list : short_list};
		struct arena arena;
		char *const *used = i ? other_argv : argv;

		arena_init(&arena, 0);
		char **list = worker_environment(&spec, used, &arena);
		assert_non_null(list);
		for (size_t j = 0; list[j]; j++)
			sizes[i] += strlen(list[j]) + 1;
		sizes[i] += 2 * strlen(used[0]) + 1; /* argv, and the path of the exec */
		arena_release(&arena);
	}
	assert_int_equal(sizes[0], sizes[1]);
}

static void energy_counters_wrap(void **state)
{
	struct energy_reading none = {0};
	struct energy_reading before = {
	    .zone_count = 2, .energy_uj = {5000000, 90}, .range_uj = {10000000, 100}};
	struct energy_reading after = {
	    .zone_count = 2, .energy_uj = {6500000, 10}, .range_uj = {10000000, 100}};

	(void)state;
	assert_true(isnan(energy_between_j(&none, &none)));
	assert_true(isnan(energy_between_j(&none, &after)));
	assert_true(fabs(energy_between_j(&before, &after) - 1.50002) < 1e-9);
	before.energy_uj[1] = 101; /* more than it can hold */
	assert_true(isnan(energy_between_j(&before, &after)));
}

static int find_python(void **state)
{
	struct err err = {0};

	(void)state;
	if (python_find(NULL, &python, &err) < 0)
		fail_msg("%s: %s", err.what, err.why);
	return 0;
}

static int free_python(void **state)
{
	(void)state;
	mem_free(python);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_block_takes_as_long_as_its_loops),
	    cmocka_unit_test(loops_run_exactly_as_often_as_asked),
	    cmocka_unit_test(counts_are_those_of_the_code),
	    cmocka_unit_test(the_end_tells_what_the_process_used),
	    cmocka_unit_test(peak_memory_is_never_inherited),
	    cmocka_unit_test(what_goes_wrong_is_named),
	    cmocka_unit_test(what_hangs_is_ended_with_all_that_it_started),
	    cmocka_unit_test(a_benchmark_may_do_this),
	    cmocka_unit_test(memory_that_is_not_there_is_a_memory_error),
	    cmocka_unit_test(commands_are_timed_and_their_failures_named),
	    cmocka_unit_test(every_seed_and_every_length_of_names_gives_the_same_stack),
	    cmocka_unit_test(energy_counters_wrap),
	};

	return cmocka_run_group_tests(tests, find_python, free_python);
}
