/* A recording of real Python processes from start to end: the counts add up, samples say what the
 * program does, the target runs on unharmed, and its ends of any kind end the recording. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/err.h"
#include "python_target.h"
#include "sampler/session.h"

#define HOT                                                                                        \
	"import os\n"                                                                              \
	"def hot_leaf(n):\n"                                                                       \
	"    t = 0\n"                                                                              \
	"    for i in range(n): t += i\n"                                                          \
	"    return t\n"                                                                           \
	"def caller():\n"                                                                          \
	"    while True: hot_leaf(2000)\n"                                                         \
	"os.write(1, b'R')\n"                                                                      \
	"caller()\n"

static char python[1][512];

static int find(void **state)
{
	(void)state;
	find_pythons(python, 1);
	return 0;
}

struct taken {
	uint64_t samples, with_leaf, with_stack;
	struct sample_counts counts;
	uint32_t processes;
	struct taken_row {
		uint32_t pid;
		uint64_t start_ns, end_ns, cpu_ns;
		bool python;
		char command[64];
	} rows[4];
	/* Samples of the threads in functions of these names. */
	uint64_t waiter, waiter_running, hasher, hasher_waiting;
	int fail_with; /* the sink refuses */
};

static void take_rows(struct taken *taken, const struct profile *view)
{
	taken->processes = view->process_count - 1;
	for (uint32_t i = 0; i < taken->processes && i < 4; i++) {
		const struct profile_process *row = &view->processes[i + 1];

		taken->rows[i] = (struct taken_row){row->pid,	 row->start_ns,	     row->end_ns,
						    row->cpu_ns, row->python.v != 0, ""};
		snprintf(taken->rows[i].command, sizeof(taken->rows[i].command), "%s",
			 profile_string(view, row->command));
	}
}

/* Does the stack hold a function of this name? */
static bool stack_has(const struct profile *profile, struct stack_id stack, const char *name)
{
	while (stack.v) {
		struct frame_id frame = profile->stacks[stack.v].frame;
		struct function_id function = profile->frames[frame.v].function;

		if (strstr(profile_string(profile, profile->functions[function.v].name), name))
			return true;
		stack = profile->stacks[stack.v].parent;
	}
	return false;
}

static int append(void *context, const struct profile *view, const struct profile_sample *samples,
		  size_t count, struct err *err)
{
	struct taken *taken = context;

	if (taken->fail_with)
		return err_set(err, ERR_FILE, "the disk of this test is full");
	for (size_t i = 0; i < count; i++) {
		taken->samples++;
		taken->with_stack += samples[i].stack.v != 0;
		taken->with_leaf += stack_has(view, samples[i].stack, "hot_leaf") &&
				    stack_has(view, samples[i].stack, "caller");
		if (stack_has(view, samples[i].stack, "waiter")) {
			taken->waiter++;
			taken->waiter_running += samples[i].state == STATE_ON_CPU;
		}
		if (stack_has(view, samples[i].stack, "hasher")) {
			taken->hasher++;
			taken->hasher_waiting += samples[i].state == STATE_BLOCKED;
		}
	}
	taken->counts = view->meta.counts;
	take_rows(taken, view);
	return 0;
}

static struct session *start(struct taken *taken, enum reader_kind reader, double rate_hz,
			     pid_t pid)
{
	struct session_options options = {.reader = reader,
					  .rate_hz = rate_hz,
					  .budget = 0.01,
					  .follow_children = true,
					  .seed = 17};
	struct session_sink sink = {append, taken};
	struct session *session;
	struct err err = {0};

	memset(taken, 0, sizeof(*taken));
	assert_int_equal(0, session_new(&options, &sink, &session, &err));
	if (session_add_root(session, pid, false, &err) < 0)
		fail_msg("%s: %s", err.what, err.why);
	return session;
}

static void run_for(struct session *session, uint64_t ns)
{
	uint64_t end = test_now_ns() + ns;

	while (test_now_ns() < end && !session_root_ended(session))
		assert_int_equal(0, session_step(session, 10000000, NULL));
}

static void check_counts(const struct taken *taken)
{
	const struct sample_counts *counts = &taken->counts;

	assert_int_equal(counts->scheduled,
			 counts->valid + counts->torn + counts->failed + counts->missed);
	assert_int_equal(counts->valid + counts->torn,
			 counts->same_core + counts->other_core + counts->stopped);
	assert_int_equal(counts->failed, counts->fail_unreadable + counts->fail_inconsistent +
					     counts->fail_no_interpreter + counts->fail_other +
					     counts->dropped_ring);
}

static void every_scheduled_sample_is_counted_once(void **state)
{
	static const struct {
		enum reader_kind reader;
		double rate_hz;
	} cases[] = {{READER_SAME_CORE, 400},
		     {READER_SAME_CORE, 0},
		     {READER_OTHER_CORE, 1000},
		     {READER_OTHER_CORE, INFINITY},
		     {READER_STOPPING, 400}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct python_target target;
		struct session *session;
		struct taken taken;

		target_start(&target, python[0], HOT);
		session = start(&taken, cases[i].reader, cases[i].rate_hz, target.pid);
		run_for(session, 1000000000ull);
		assert_int_equal(0, session_finish(session, NULL));
		session_free(session);
		check_counts(&taken);
		assert_true(taken.samples >= taken.counts.valid);
		if (taken.counts.valid <= 50 || taken.with_leaf < taken.counts.valid * 9 / 10)
			fail_msg("case %zu: %llu scheduled, %llu valid, %llu torn, %llu failed, "
				 "%llu missed; %llu samples, %llu of the leaf",
				 i, (unsigned long long)taken.counts.scheduled,
				 (unsigned long long)taken.counts.valid,
				 (unsigned long long)taken.counts.torn,
				 (unsigned long long)taken.counts.failed,
				 (unsigned long long)taken.counts.missed,
				 (unsigned long long)taken.samples,
				 (unsigned long long)taken.with_leaf);
		/* The program does one thing. */
		assert_true(taken.with_leaf >= taken.counts.valid * 9 / 10);
		if (cases[i].reader == READER_STOPPING)
			assert_int_equal(taken.counts.valid, taken.counts.stopped);
		assert_true(target_reaches(target.pid, "R"));
		assert_int_equal(SIGKILL, WTERMSIG(target_end(&target, SIGKILL)));
	}
}

static void stopping_loses_no_signal(void **state)
{
	static const char *const code =
	    "import os, signal\n"
	    "signal.signal(signal.SIGUSR1, lambda *a: os.write(1, b'.'))\n"
	    "os.write(1, b'R')\n"
	    "while True: pass\n";
	struct python_target target;
	struct session *session;
	struct taken taken;

	(void)state;
	target_start(&target, python[0], code);
	session = start(&taken, READER_STOPPING, 1000, target.pid);
	for (int i = 0; i < 150; i++) {
		int answer = -1;

		assert_int_equal(0, kill(target.pid, SIGUSR1));
		for (int tries = 0; tries < 2000 && answer < 0; tries++) {
			assert_int_equal(0, session_step(session, 1000000, NULL));
			answer = target_byte(&target, 0);
		}
		assert_int_equal('.', answer);
	}
	assert_int_equal(0, session_finish(session, NULL));
	session_free(session);
	check_counts(&taken);
	assert_true(taken.counts.stopped > 0);
	assert_true(target_reaches(target.pid, "R"));
	assert_int_equal(SIGTERM, WTERMSIG(target_end(&target, SIGTERM)));
}

static void death_in_mid_sample(void **state)
{
	static const enum reader_kind readers[] = {READER_SAME_CORE, READER_OTHER_CORE,
						   READER_STOPPING};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct python_target target;
		struct session *session;
		struct taken taken;

		target_start(&target, python[0], HOT);
		session = start(&taken, readers[i],
				readers[i] == READER_OTHER_CORE ? INFINITY : 1000, target.pid);
		run_for(session, 300000000ull);
		kill(target.pid, SIGKILL);
		run_for(session, 5000000000ull);
		assert_true(session_root_ended(session));
		assert_int_equal(0, session_finish(session, NULL));
		session_free(session);
		check_counts(&taken);
		assert_true(taken.counts.valid > 10);
		assert_int_equal(SIGKILL, WTERMSIG(target_end(&target, 0)));
	}
}

/* Into another Python program in the same process: sampled again; then into one that is none. */
static void exec_into_another_program(void **state)
{
	static const char *const code =
	    "import os, sys, time\n"
	    "os.write(1, b'R')\n"
	    "end = time.time() + .5\n"
	    "while time.time() < end: pass\n"
	    "os.execv(sys.executable, [sys.executable, '-I', '-c', '''\n"
	    "import os, time\n"
	    "def hot_leaf(end):\n"
	    "    while time.time() < end: pass\n"
	    "def caller(): hot_leaf(time.time() + 1)\n"
	    "caller()\n"
	    "os.execv('/bin/sleep', ['sleep', '60'])\n"
	    "'''])\n";
	struct python_target target;
	struct session *session;
	struct taken taken;

	(void)state;
	target_start(&target, python[0], code);
	session = start(&taken, READER_SAME_CORE, 400, target.pid);
	run_for(session, 3000000000ull);
	assert_false(session_root_ended(session)); /* it sleeps */
	assert_int_equal(0, session_finish(session, NULL));
	session_free(session);
	check_counts(&taken);
	if (taken.with_leaf <= 50)
		fail_msg("%llu samples, %llu valid, %llu of the leaf",
			 (unsigned long long)taken.samples, (unsigned long long)taken.counts.valid,
			 (unsigned long long)taken.with_leaf);
	assert_int_equal(SIGTERM, WTERMSIG(target_end(&target, SIGTERM)));
	/* A row for each program, one after the other. */
	assert_int_equal(3, taken.processes);
	for (int i = 0; i < 3; i++) {
		const struct taken_row *row = &taken.rows[i];

		assert_int_equal(target.pid, row->pid);
		assert_true(row->python == (i < 2));
		assert_true(i == 2 || row->end_ns == taken.rows[i + 1].start_ns);
		assert_true(i == 2 || (row->cpu_ns > 20000000ull && row->cpu_ns < 60000000000ull));
	}
	assert_non_null(strstr(taken.rows[2].command, "sleep 60"));
}

/* Two threads that wait are never on a CPU but for our stopping of them; a third computes beside
 * the main thread, outside of the lock. */
static void stopping_leaves_a_waiting_thread_waiting(void **state)
{
	static const char *const code =
	    "import hashlib, os, threading, time\n"
	    "def hasher():\n"
	    "    while True: hashlib.pbkdf2_hmac('sha256', b'x', b'y', 100000)\n"
	    "threading.Thread(target=hasher, daemon=True).start()\n"
	    "def waiter(): threading.Event().wait()\n"
	    "def sleeping_waiter():\n"
	    "    while True: time.sleep(1000)\n"
	    "threading.Thread(target=waiter, daemon=True).start()\n"
	    "threading.Thread(target=sleeping_waiter, daemon=True).start()\n"
	    "time.sleep(.1)\n"
	    "os.write(1, b'R')\n"
	    "while True: pass\n";
	struct python_target target;
	struct session *session;
	struct taken taken;

	(void)state;
	target_start(&target, python[0], code);
	session = start(&taken, READER_STOPPING, 400, target.pid);
	run_for(session, 2000000000ull);
	assert_int_equal(0, session_finish(session, NULL));
	session_free(session);
	check_counts(&taken);
	print_message("    %llu of %llu running, %llu of %llu waiting\n",
		      (unsigned long long)taken.waiter_running, (unsigned long long)taken.waiter,
		      (unsigned long long)taken.hasher_waiting, (unsigned long long)taken.hasher);
	assert_true(taken.waiter > 50);
	assert_true(taken.waiter_running <= taken.waiter / 20);
	assert_true(taken.hasher > 25 && taken.hasher_waiting <= taken.hasher * 9 / 10);
	assert_int_equal(SIGTERM, WTERMSIG(target_end(&target, SIGTERM)));
}

static void fork_without_exec_is_followed(void **state)
{
	static const char *const code = "import os, time\n"
					"def hot_leaf(end):\n"
					"    while time.time() < end: pass\n"
					"def caller(): hot_leaf(time.time() + 1.5)\n"
					"os.write(1, b'R')\n"
					"pid = os.fork()\n"
					"if pid == 0:\n"
					"    caller()\n"
					"    os._exit(0)\n"
					"os.waitpid(pid, 0)\n"
					"os._exit(3)\n";
	struct python_target target;
	struct session *session;
	struct taken taken;
	int status;

	(void)state;
	target_start(&target, python[0], code);
	session = start(&taken, READER_SAME_CORE, 400, target.pid);
	run_for(session, 10000000000ull);
	assert_true(session_root_ended(session));
	assert_int_equal(0, session_finish(session, NULL));
	session_free(session);
	check_counts(&taken);
	assert_int_equal(2, taken.processes);
	assert_true(taken.with_leaf > 50);
	status = target_end(&target, 0);
	assert_int_equal(3, WEXITSTATUS(status));
}

/* The sink's failure is told once; sampling goes on; nothing of it leaks. */
static void a_sink_that_fails_is_told_once(void **state)
{
	struct python_target target;
	struct session *session;
	struct taken taken;
	struct err err = {0};
	int told = 0;

	(void)state;
	target_start(&target, python[0], HOT);
	session = start(&taken, READER_SAME_CORE, 200, target.pid);
	taken.fail_with = 1;
	for (int i = 0; i < 150; i++)
		told += session_step(session, 10000000, &err) < 0;
	assert_int_equal(1, told);
	assert_int_equal(ERR_FILE, err.code);
	assert_true(session_finish(session, &err) < 0);
	session_free(session);
	assert_true(target_reaches(target.pid, "R"));
	target_end(&target, SIGKILL);
}

static void what_is_no_python_is_refused(void **state)
{
	struct session_options options = {.reader = READER_SAME_CORE, .budget = 0.01};
	struct session_sink sink;
	struct session *session;
	struct taken taken = {0};
	struct err err = {0};
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		execl("/bin/sleep", "sleep", "60", (char *)NULL);
		_exit(127);
	}
	sink = (struct session_sink){append, &taken};
	assert_int_equal(0, session_new(&options, &sink, &session, &err));
	assert_true(target_reaches(child, "S"));
	assert_int_equal(-ERR_NOT_PYTHON, session_add_root(session, child, false, &err));
	assert_true(err.what[0] && err.next[0]);
	session_free(session);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_scheduled_sample_is_counted_once),
	    cmocka_unit_test(stopping_loses_no_signal),
	    cmocka_unit_test(death_in_mid_sample),
	    cmocka_unit_test(exec_into_another_program),
	    cmocka_unit_test(stopping_leaves_a_waiting_thread_waiting),
	    cmocka_unit_test(fork_without_exec_is_followed),
	    cmocka_unit_test(a_sink_that_fails_is_told_once),
	    cmocka_unit_test(what_is_no_python_is_refused),
	};

	return cmocka_run_group_tests(tests, find, NULL);
}
