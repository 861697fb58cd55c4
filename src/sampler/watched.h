/* The thread states that one sampling thread has met: which kernel thread each is,
 * its kept /proc descriptors, and what its last stack needed. Addresses of thread
 * states are used again by new threads: an entry holds only while the identity
 * word read with the sample is the same. Opens files when a thread is new. */
#ifndef SAMPLER_WATCHED_H
#define SAMPLER_WATCHED_H

#include "cpython/walk/frames.h"
#include "system/thread_times.h"

#define WATCHED_MAX 64

struct watched_thread {
	uint64_t tstate, word; /* word: stack_reader_thread_word */
	pid_t tid;	       /* 0 unknown */
	struct thread_times times;
	bool times_open;
	uint64_t last_used, root; /* root: address of the outermost frame when last told */
	struct stack_prediction prediction;
};

struct watched_threads {
	const struct remote_memory *memory;
	const struct layout *layout;
	pid_t pid;
	bool other_pid_namespace; /* its thread ids are not ours */
	struct watched_thread *entries;
	uint32_t count;
	uint64_t clock;
};

int watched_threads_init(struct watched_threads *watched, const struct remote_memory *memory,
			 const struct layout *layout, pid_t pid);
void watched_threads_release(struct watched_threads *watched);
/* The entry of `tstate`, a new one when there is none (the least recently used goes). */
struct watched_thread *watched_thread_for(struct watched_threads *watched, uint64_t tstate);
/* The identity that was read with the sample: (re)opens what belongs to the thread when it is
 * not the one of before. */
void watched_thread_identify(struct watched_threads *watched, struct watched_thread *thread,
			     uint64_t word);

#endif
