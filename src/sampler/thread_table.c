/* See thread_table.h. */
#include "sampler/thread_table.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"

/* What one of our wake-ups delays the target beyond the time we measure in it: two context
 * switches. */
#define SWITCH_NS 20000u
#define RECENT_NS 50e6

void thread_table_init(struct thread_table *table)
{
	memset(table, 0, sizeof(*table));
}

void thread_table_end(struct known_thread *thread)
{
	if (thread->times_open)
		thread_times_release(&thread->times);
	mem_free(thread->prediction);
	thread->prediction = NULL;
	thread->times_open = thread->alive = false;
}

void thread_table_release(struct thread_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		thread_table_end(&table->threads[i]);
	mem_free(table->threads);
	thread_table_init(table);
}

struct known_thread *thread_table_find(struct thread_table *table, pid_t tid)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->threads[i].tid == tid && table->threads[i].alive)
			return &table->threads[i];
	return NULL;
}

/* A slot of a thread that ended is used again: only the living count against the bound. */
static struct known_thread *free_slot(struct thread_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (!table->threads[i].alive)
			return &table->threads[i];
	if (grow_array((void **)&table->threads, &table->capacity, table->count + 1,
		       sizeof(*table->threads), THREAD_TABLE_MAX) < 0)
		return NULL;
	return &table->threads[table->count++];
}

struct known_thread *thread_table_add(struct thread_table *table, pid_t pid, pid_t tid)
{
	struct known_thread *thread = free_slot(table);

	if (!thread)
		return NULL;
	memset(thread, 0, sizeof(*thread));
	thread->tid = tid;
	thread->is_main = tid == pid;
	thread->prediction = mem_zalloc(1, sizeof(*thread->prediction));
	if (!thread->prediction)
		return NULL;
	thread->alive = true;
	thread->times_open = thread_times_open(&thread->times, pid, tid, NULL) == 0;
	if (thread->times_open)
		thread_times_schedstat(&thread->times, &thread->first);
	thread->last = thread->first;
	return thread;
}

uint8_t known_thread_runnable_state(struct known_thread *thread, const struct thread_schedstat *now,
				    bool exact, uint64_t own_hold_ns)
{
	double ran = (double)now->on_cpu_ns - (double)thread->last.on_cpu_ns;
	double waited = (double)now->runqueue_ns - (double)thread->last.runqueue_ns;

	waited -= (double)thread->own_delay_ns;
	thread->own_delay_ns = own_hold_ns ? own_hold_ns + own_hold_ns / 2 + SWITCH_NS : 0;
	if (ran <= 0 && exact)
		return STATE_RUNQUEUE; /* it has not run since the last look */
	if (ran <= 0)		       /* its time may be a tick old: nothing new is known */
		return thread->state == STATE_RUNQUEUE ? STATE_RUNQUEUE : STATE_ON_CPU;
	/* The part of its runnable time since then that it ran; what rounding one sample leaves is
	 * carried to the next. */
	thread->on_cpu_owed += waited > 0 ? ran / (ran + waited) : 1.0;
	if (thread->on_cpu_owed < 0.5)
		return STATE_RUNQUEUE;
	thread->on_cpu_owed -= 1.0;
	return STATE_ON_CPU;
}

bool known_thread_was_runnable(struct known_thread *thread, const struct thread_schedstat *now,
			       uint64_t now_ns)
{
	double ran = (double)now->on_cpu_ns - (double)thread->last.on_cpu_ns;
	double waited = (double)now->runqueue_ns - (double)thread->last.runqueue_ns;
	double part;

	if (thread->last_ns == 0 || now_ns <= thread->last_ns)
		return true;
	/* The kernel adds a wait when it ends, perhaps some looks later: hence the sums. */
	thread->recent_ran_ns += ran;
	thread->recent_had_ns += (double)(now_ns - thread->last_ns) - waited;
	part = thread->recent_had_ns > thread->recent_ran_ns
		   ? thread->recent_ran_ns / thread->recent_had_ns
		   : 1.0;
	if (thread->recent_had_ns > RECENT_NS) {
		thread->recent_ran_ns /= 2;
		thread->recent_had_ns /= 2;
	}
	thread->runnable_owed += part;
	if (thread->runnable_owed < 0.5)
		return false;
	thread->runnable_owed -= 1.0;
	return true;
}
