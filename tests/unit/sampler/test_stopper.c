/* Stopping a real process for samples: it runs on with every signal delivered, a stop by job
 * control stays one, its end is left for its parent to see. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "process/launch.h"
#include "python_target.h"
#include "sampler/stopper.h"

#define SPIN "import sys\nsys.stdout.write('R'); sys.stdout.flush()\nwhile True: pass\n"
#define COUNT_SIGNALS                                                                              \
	"import os, signal, threading\n"                                                           \
	"signal.signal(signal.SIGUSR1, lambda *a: os.write(1, b'.'))\n"                            \
	"threading.Thread(target=threading.Event().wait, daemon=True).start()\n"                   \
	"os.write(1, b'R')\n"                                                                      \
	"while True: pass\n"

static char python[1][512];

static int find(void **state)
{
	(void)state;
	find_pythons(python, 1);
	return 0;
}

static void cycle(struct stopper *stopper)
{
	assert_int_equal(0, stopper_stop(stopper));
	assert_true(stopper->stopped);
	stopper_resume(stopper);
	assert_false(stopper->stopped);
}

/* How long an answer is waited for between two stops. It grows: on a busy machine a target that is
 * stopped again before it had a CPU never comes to answer. */
static int wait_ms(int tries)
{
	return tries < 50 ? 1 + tries : 50;
}

static void it_stands_still_while_stopped(void **state)
{
	struct python_target target;
	struct stopper stopper;

	(void)state;
	target_start(&target, python[0], SPIN);
	assert_int_equal(0, stopper_start(&stopper, target.pid));
	for (int i = 0; i < 20; i++) {
		assert_int_equal(0, stopper_stop(&stopper));
		assert_int_equal('t', target_state(target.pid));
		stopper_resume(&stopper);
		assert_int_not_equal('t', target_state(target.pid));
	}
	stopper_finish(&stopper);
	assert_true(target_reaches(target.pid, "R"));
	assert_true(WIFSIGNALED(target_end(&target, SIGKILL)));
}

/* Samples leave a pause. A target that is stopped again at once hardly gets to run: on an idle
 * machine the next stop comes before its first instruction. */
static void sample_pause(void)
{
	nanosleep(&(struct timespec){0, 50000}, NULL);
}

/* One signal is on its way at a time, so none can merge with another: each must be answered. */
static void no_signal_is_lost(void **state)
{
	struct python_target target;
	struct stopper stopper;
	uint64_t started = test_now_ns();

	(void)state;
	target_start(&target, python[0], COUNT_SIGNALS);
	assert_int_equal(0, stopper_start(&stopper, target.pid));
	for (int i = 0; i < 300; i++) {
		bool stop_first = i % 3 == 0;
		int answer = -1;

		if (stop_first)
			assert_int_equal(0, stopper_stop(&stopper));
		assert_int_equal(0, kill(target.pid, SIGUSR1));
		if (stop_first)
			stopper_resume(&stopper);
		for (int tries = 0; tries < 200 && answer < 0; tries++) {
			cycle(&stopper);
			answer = target_byte(&target, wait_ms(tries));
		}
		assert_int_equal('.', answer);
		assert_int_equal(2, stopper.count); /* both threads are still ours */
	}
	stopper_finish(&stopper);
	/* A stop that waits for an event that never comes takes seconds. */
	assert_true(test_now_ns() - started < 20000000000ull);
	kill(target.pid, SIGUSR1);
	assert_int_equal('.', target_byte(&target, TARGET_DEADLINE_MS));
	assert_true(WIFSIGNALED(target_end(&target, SIGTERM)));
}

/* Ctrl-Z and fg while it is sampled. */
static void job_control_still_works(void **state)
{
	struct python_target target;
	struct stopper stopper;

	(void)state;
	target_start(&target, python[0], COUNT_SIGNALS);
	assert_int_equal(0, stopper_start(&stopper, target.pid));
	cycle(&stopper);
	kill(target.pid, SIGSTOP);
	for (int i = 0; i < 50; i++)
		cycle(&stopper);
	/* It stays stopped between the samples: nothing runs that could answer. */
	kill(target.pid, SIGUSR1);
	for (int i = 0; i < 50; i++) {
		cycle(&stopper);
		assert_int_equal(-1, target_byte(&target, 2));
	}
	kill(target.pid, SIGCONT);
	for (int i = 0, answer = -1; answer != '.'; i++) {
		assert_true(i < 200);
		cycle(&stopper);
		answer = target_byte(&target, wait_ms(i));
	}
	stopper_finish(&stopper);
	assert_true(target_reaches(target.pid, "R"));
	target_end(&target, SIGKILL);
}

static void it_stays_stopped_after_us(void **state)
{
	struct python_target target;
	struct stopper stopper;

	(void)state;
	target_start(&target, python[0], COUNT_SIGNALS);
	assert_int_equal(0, stopper_start(&stopper, target.pid));
	kill(target.pid, SIGSTOP);
	for (int i = 0; i < 20; i++)
		cycle(&stopper);
	stopper_finish(&stopper);
	assert_true(target_reaches(target.pid, "T"));
	kill(target.pid, SIGCONT);
	kill(target.pid, SIGUSR1);
	assert_int_equal('.', target_byte(&target, TARGET_DEADLINE_MS));
	target_end(&target, SIGKILL);
}

/* The exit status belongs to the parent, here the same process as the tracer (as under `run`). */
static void the_end_is_left_to_the_parent(void **state)
{
	static const char *const code = "import os\nos.write(1, b'R')\n"
					"for i in range(3000000): pass\n"
					"os._exit(7)\n";
	struct python_target target;
	struct stopper stopper;
	int status;

	(void)state;
	target_start(&target, python[0], code);
	assert_int_equal(0, stopper_start(&stopper, target.pid));
	while (stopper_stop(&stopper) == 0) {
		stopper_resume(&stopper);
		sample_pause();
	}
	assert_true(stopper.gone);
	stopper_finish(&stopper);
	status = target_end(&target, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(7, WEXITSTATUS(status));
}

static void killed_while_stopped(void **state)
{
	struct python_target target;
	struct stopper stopper;

	(void)state;
	target_start(&target, python[0], SPIN);
	assert_int_equal(0, stopper_start(&stopper, target.pid));
	assert_int_equal(0, stopper_stop(&stopper));
	kill(target.pid, SIGKILL);
	assert_true(target_reaches(target.pid, "ZX"));
	stopper_resume(&stopper);
	assert_true(stopper_stop(&stopper) < 0);
	assert_true(stopper.gone);
	stopper_finish(&stopper);
	assert_int_equal(SIGKILL, WTERMSIG(target_end(&target, 0)));
}

static void threads_that_come_are_stopped_too(void **state)
{
	static const char *const code =
	    "import os, threading, time\nos.write(1, b'R')\n"
	    "while True:\n"
	    "    ts = [threading.Thread(target=time.sleep, args=(.01,)) for _ in range(8)]\n"
	    "    [t.start() for t in ts]; [t.join() for t in ts]\n";
	struct python_target target;
	struct stopper stopper;
	uint32_t most = 0;

	(void)state;
	target_start(&target, python[0], code);
	assert_int_equal(0, stopper_start(&stopper, target.pid));
	for (int i = 0; i < 400; i++) {
		cycle(&stopper);
		if (stopper.count > most)
			most = stopper.count;
		nanosleep(&(struct timespec){0, 500000}, NULL);
	}
	assert_true(most > 1);
	stopper_finish(&stopper);
	assert_true(target_reaches(target.pid, "SR"));
	target_end(&target, SIGKILL);
}

struct cycling {
	pid_t pid;
	atomic_bool end;
	int failed;
};

static void *cycle_on(void *argument)
{
	struct cycling *cycling = argument;
	struct stopper stopper;

	cycling->failed = stopper_start(&stopper, cycling->pid);
	while (cycling->failed == 0 && !atomic_load(&cycling->end)) {
		cycling->failed = stopper_stop(&stopper);
		stopper_resume(&stopper);
		sample_pause();
	}
	stopper_finish(&stopper);
	return NULL;
}

/* Under `run --stop` another thread of ours waits for the target's end: it must not take our stops
 * for it, nor take them away. */
static void who_waits_for_its_end_is_not_disturbed(void **state)
{
	char option[] = "-c", code[] = "while True: pass";
	char *arguments[] = {python[0], option, code, NULL};
	struct cycling cycling = {0};
	struct launch launch;
	pthread_t thread;
	int status = 0;

	(void)state;
	assert_int_equal(0, launch_start(arguments, &launch, NULL));
	cycling.pid = launch.pid;
	assert_int_equal(0, pthread_create(&thread, NULL, cycle_on, &cycling));
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(0, launch_poll(&launch, &status, NULL, NULL));
		nanosleep(&(struct timespec){0, 100000}, NULL);
	}
	atomic_store(&cycling.end, true);
	pthread_join(thread, NULL);
	assert_int_equal(0, cycling.failed);
	kill(launch.pid, SIGKILL);
	assert_true(target_reaches(launch.pid, "Z"));
	assert_int_equal(1, launch_poll(&launch, &status, NULL, NULL));
	assert_int_equal(SIGKILL, WTERMSIG(status));
	launch_release(&launch);
}

static void no_process_is_refused(void **state)
{
	struct stopper stopper;

	(void)state;
	assert_int_equal(-ERR_NO_PROCESS, stopper_start(&stopper, 0x3ffffffe));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_stands_still_while_stopped),
	    cmocka_unit_test(no_signal_is_lost),
	    cmocka_unit_test(job_control_still_works),
	    cmocka_unit_test(it_stays_stopped_after_us),
	    cmocka_unit_test(the_end_is_left_to_the_parent),
	    cmocka_unit_test(killed_while_stopped),
	    cmocka_unit_test(threads_that_come_are_stopped_too),
	    cmocka_unit_test(who_waits_for_its_end_is_not_disturbed),
	    cmocka_unit_test(no_process_is_refused),
	};

	return cmocka_run_group_tests(tests, find, NULL);
}
