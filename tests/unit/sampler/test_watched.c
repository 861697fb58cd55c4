/* Which kernel thread a thread state is, when the state is used again by another thread; the table
 * of threads and the split of runnable samples by the scheduler's times. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "profile/profile.h"
#include "sampler/thread_table.h"
#include "sampler/watched.h"

#define STATE 0x5000ull

struct sleeper {
	pthread_t thread;
	pid_t tid;
	sem_t ready, end;
};

static void *sleep_on(void *argument)
{
	struct sleeper *sleeper = argument;

	sleeper->tid = gettid();
	sem_post(&sleeper->ready);
	sem_wait(&sleeper->end);
	return NULL;
}

static void sleeper_start(struct sleeper *sleeper)
{
	sem_init(&sleeper->ready, 0, 0);
	sem_init(&sleeper->end, 0, 0);
	assert_int_equal(0, pthread_create(&sleeper->thread, NULL, sleep_on, sleeper));
	sem_wait(&sleeper->ready);
}

static void sleeper_end(struct sleeper *sleeper)
{
	sem_post(&sleeper->end);
	pthread_join(sleeper->thread, NULL);
}

static void a_reused_thread_state_is_another_thread(void **state)
{
	struct sleeper first, second;
	struct watched_threads watched;
	struct watched_thread *thread;
	struct remote_memory memory;
	struct thread_stat stat;

	(void)state;
	sleeper_start(&first);
	sleeper_start(&second);
	remote_memory_init_image(&memory, NULL, 0);
	assert_int_equal(0,
			 watched_threads_init(&watched, &memory, layout_for_minor(13), getpid()));
	thread = watched_thread_for(&watched, STATE);
	thread->prediction.count = 5;
	watched_thread_identify(&watched, thread, (uint64_t)first.tid);
	assert_int_equal(first.tid, thread->tid);
	assert_true(thread->times_open);
	assert_int_equal(0, thread_times_stat(&thread->times, &stat));
	/* The same address, another thread: its descriptors are of that one. */
	assert_ptr_equal(thread, watched_thread_for(&watched, STATE));
	watched_thread_identify(&watched, thread, (uint64_t)second.tid);
	assert_int_equal(second.tid, thread->tid);
	assert_int_equal(second.tid, thread->times.tid);
	/* It ends: what is read then says so, and nothing of it is kept. */
	sleeper_end(&second);
	assert_true(thread_times_stat(&thread->times, &stat) < 0);
	thread->word = 0;
	watched_thread_identify(&watched, thread, (uint64_t)second.tid);
	assert_false(thread->times_open);
	assert_int_equal(0, thread->tid);
	watched_thread_identify(&watched, thread, 0);
	watched_thread_identify(&watched, thread, UINT64_MAX);
	assert_int_equal(0, thread->tid);
	sleeper_end(&first);
	watched_threads_release(&watched);
}

/* 3.8–3.10: the kernel's id lies in glibc's struct pthread. */
static void the_id_behind_pthread_self(void **state)
{
	struct watched_threads watched;
	struct remote_memory memory;
	struct watched_thread *thread;

	(void)state;
	remote_memory_init_live(&memory, getpid());
	assert_int_equal(0, watched_threads_init(&watched, &memory, layout_for_minor(9), getpid()));
	thread = watched_thread_for(&watched, STATE);
	watched_thread_identify(&watched, thread, (uint64_t)pthread_self());
	assert_int_equal(gettid(), thread->tid);
	watched_threads_release(&watched);
}

static void the_least_recently_used_goes(void **state)
{
	struct watched_threads watched;
	struct remote_memory memory;
	struct watched_thread *first;

	(void)state;
	remote_memory_init_image(&memory, NULL, 0);
	assert_int_equal(0,
			 watched_threads_init(&watched, &memory, layout_for_minor(13), getpid()));
	for (uint64_t i = 0; i < WATCHED_MAX; i++)
		assert_int_equal(STATE + i, watched_thread_for(&watched, STATE + i)->tstate);
	first = watched_thread_for(&watched, STATE); /* used again: the second is now the oldest */
	first->prediction.count = 3;
	watched_thread_for(&watched, STATE + 1000);
	assert_int_equal(STATE, first->tstate);
	assert_int_equal(3, watched_thread_for(&watched, STATE)->prediction.count);
	assert_int_equal(WATCHED_MAX, watched.count);
	assert_int_equal(0, watched_thread_for(&watched, STATE + 1)->prediction.count);
	watched_threads_release(&watched);
}

static void threads_are_found_while_they_live(void **state)
{
	struct thread_table table;
	struct known_thread *thread;

	(void)state;
	thread_table_init(&table);
	assert_null(thread_table_find(&table, gettid()));
	thread = thread_table_add(&table, getpid(), gettid());
	assert_non_null(thread);
	assert_true(thread->is_main && thread->times_open && thread->alive);
	assert_ptr_equal(thread, thread_table_find(&table, gettid()));
	thread_table_end(thread);
	assert_null(thread_table_find(&table, gettid()));
	/* Its place is used again. */
	assert_non_null(thread_table_add(&table, getpid(), gettid()));
	assert_int_equal(1, table.count);
	thread_table_release(&table);
	mem_fail_after(0);
	assert_null(thread_table_add(&table, getpid(), gettid()));
	mem_fail_after(-1);
	thread_table_release(&table);
}

/* Samples follow the scheduler's times: of a thread that ran `ran` and waited `waited` ns between
 * two looks, that part of the samples is on-CPU. */
static void runnable_samples_follow_the_scheduler(void **state)
{
	static const struct {
		uint64_t ran, waited, own;
	} cases[] = {{1000000, 0, 0},	    {1000000, 1000000, 0}, {1000000, 3000000, 0},
		     {3000000, 1000000, 0}, {900000, 100000, 0},   {2000000, 100000, 40000}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct known_thread thread = {.state = STATE_ON_CPU};
		struct thread_schedstat now = {0};
		double part;
		int on_cpu = 0;

		for (int sample = 0; sample < 10000; sample++) {
			now.on_cpu_ns += cases[i].ran;
			now.runqueue_ns += cases[i].waited;
			thread.state =
			    known_thread_runnable_state(&thread, &now, true, cases[i].own);
			on_cpu += thread.state == STATE_ON_CPU;
			thread.last = now;
		}
		/* The wait that we caused (held, switched) is not the program's. */
		part = cases[i].own
			   ? 1.0
			   : (double)cases[i].ran / (double)(cases[i].ran + cases[i].waited);
		if (cases[i].own)
			assert_true(on_cpu > 9800);
		else
			assert_true(on_cpu >= part * 10000 - 2 && on_cpu <= part * 10000 + 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reused_thread_state_is_another_thread),
	    cmocka_unit_test(the_id_behind_pthread_self),
	    cmocka_unit_test(the_least_recently_used_goes),
	    cmocka_unit_test(threads_are_found_while_they_live),
	    cmocka_unit_test(runnable_samples_follow_the_scheduler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
