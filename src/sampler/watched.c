/* See watched.h. */
#include "sampler/watched.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/threads.h"

int watched_threads_init(struct watched_threads *watched, const struct remote_memory *memory,
			 const struct layout *layout, pid_t pid)
{
	*watched = (struct watched_threads){.memory = memory, .layout = layout, .pid = pid};
	watched->other_pid_namespace = python_in_other_pid_namespace(pid);
	watched->entries = mem_zalloc(WATCHED_MAX, sizeof(*watched->entries));
	return watched->entries ? 0 : -ERR_MEMORY;
}

static void forget_identity(struct watched_thread *thread)
{
	if (thread->times_open)
		thread_times_release(&thread->times);
	thread->times_open = false;
	thread->tid = 0;
	thread->word = thread->root = 0;
}

void watched_threads_release(struct watched_threads *watched)
{
	for (uint32_t i = 0; i < watched->count; i++)
		forget_identity(&watched->entries[i]);
	mem_free(watched->entries);
	watched->entries = NULL;
	watched->count = 0;
}

struct watched_thread *watched_thread_for(struct watched_threads *watched, uint64_t tstate)
{
	struct watched_thread *oldest = &watched->entries[0];

	for (uint32_t i = 0; i < watched->count; i++) {
		struct watched_thread *entry = &watched->entries[i];

		if (entry->tstate == tstate) {
			entry->last_used = ++watched->clock;
			return entry;
		}
		if (entry->last_used < oldest->last_used)
			oldest = entry;
	}
	if (watched->count < WATCHED_MAX)
		oldest = &watched->entries[watched->count++];
	forget_identity(oldest);
	oldest->prediction.count = oldest->prediction.top_count = 0;
	oldest->prediction.cframe = 0;
	oldest->tstate = tstate;
	oldest->last_used = ++watched->clock;
	return oldest;
}

void watched_thread_identify(struct watched_threads *watched, struct watched_thread *thread,
			     uint64_t word)
{
	uint32_t tid;

	if (thread->word == word && thread->times_open)
		return;
	forget_identity(thread);
	thread->word = word;
	if (watched->layout->at.tstate_native_thread_id >= 0)
		tid = (uint32_t)word;
	else
		tid = python_thread_id_of_pthread(watched->memory, word);
	if (!tid || tid > INT32_MAX)
		return;
	if (watched->other_pid_namespace)
		tid = (uint32_t)python_thread_id_outside(watched->pid, (pid_t)tid);
	if (!tid)
		return;
	if (thread_times_open(&thread->times, watched->pid, (pid_t)tid, NULL) < 0)
		return;
	thread->tid = (pid_t)tid;
	thread->times_open = true;
}
