/* The threads of one target as the collector knows them: which row each has in
 * the profile, the scheduler's exact times, and what it was doing when it was
 * last looked at (a thread that has not run since is still doing it). */
#ifndef SAMPLER_THREAD_TABLE_H
#define SAMPLER_THREAD_TABLE_H

#include "cpython/walk/frames.h"
#include "profile/builder.h"
#include "system/thread_times.h"

#define THREAD_TABLE_MAX 4096

struct known_thread {
	uint64_t tstate, ident;
	pid_t tid;
	struct thread_id id; /* in the profile */
	struct thread_times times;
	bool times_open, alive, named, looked, stack_known, is_main;
	struct thread_schedstat first, last; /* since we know it; at the last look */
	struct stack_id stack;		     /* at the last look */
	uint8_t state, flags;
	uint64_t own_delay_ns; /* that our last sample added to its run-queue time */
	double on_cpu_owed;
	uint64_t last_ns; /* when `last` was read */
	double recent_ran_ns, recent_had_ns, runnable_owed;
	struct stack_prediction *prediction;
};

struct thread_table {
	struct known_thread *threads;
	size_t count, capacity;
};

void thread_table_init(struct thread_table *table);
void thread_table_release(struct thread_table *table);
/* By kernel thread id; NULL when there is none alive. */
struct known_thread *thread_table_find(struct thread_table *table, pid_t tid);
/* Adds one, opens its times. NULL: no memory or the bound is reached. */
struct known_thread *thread_table_add(struct thread_table *table, pid_t pid, pid_t tid);
void thread_table_end(struct known_thread *thread);

/* Which of on-CPU and run queue a runnable thread's sample is: by the part of the time since the
 * last look that it ran and waited, exactly as the scheduler tells it, less the delay that our own
 * sample caused. exact: the thread was off its CPU when `now` was read. Call once a sample, before
 * thread->last is set to *now. */
uint8_t known_thread_runnable_state(struct known_thread *thread, const struct thread_schedstat *now,
				    bool exact, uint64_t own_hold_ns);

/* Was a thread that is runnable, or in our stop, so by itself? A stop of ours wakes whoever waits:
 * for some microseconds it is runnable. Told by the part of the time of the last looks, less what
 * it waited for a CPU, that it ran; so in as many looks as that part is. For the stopping reader,
 * before known_thread_runnable_state. */
bool known_thread_was_runnable(struct known_thread *thread, const struct thread_schedstat *now,
			       uint64_t now_ns);

#endif
