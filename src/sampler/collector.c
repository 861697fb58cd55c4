/* See collector.h. */
#include "sampler/collector.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cpython/walk/threads.h"
#include "sampler/interpreter_words.h"
#include "sampler/name_table.h"
#include "sampler/thread_table.h"

#define OTHERS_EVERY_INSTANT 48.0
#define DRAIN_MAX 16384u
#define LOOKS_MAX 4 /* at a thread that keeps waking up under them */
#define OTHERS_PERIOD_NS 500000.0

struct collector {
	struct profile_builder *builder;
	struct process_id process;
	pid_t pid;
	struct runtime runtime;
	struct remote_memory memory;
	struct sampling_reader *reader;
	struct collector_sink sink;
	uint64_t origin_ns;

	struct name_table reader_names; /* keys of the sampling thread */
	struct name_table own_names;	/* keys of our own looks at other threads */
	struct stack_source own_source;
	struct stack_reader own_stacks;
	struct interpreter_words words;
	struct raw_frame *frames;
	struct thread_table threads;
	struct random_state random;
	size_t living;
	bool refresh_wanted;
	struct err failure;
	int failed;
};

static bool own_code(void *context, const struct code_announcement *announcement)
{
	struct collector *collector = context;

	return name_table_code(&collector->own_names, announcement, NULL) == 0;
}

static bool own_stack(void *context, uint32_t key, const struct keyed_frame *frames, uint32_t depth,
		      uint32_t flags)
{
	struct collector *collector = context;

	return name_table_stack(&collector->own_names, key, frames, depth, flags, NULL) == 0;
}

int collector_new(struct profile_builder *builder, struct process_id process, pid_t pid,
		  const struct runtime *runtime, struct sampling_reader *reader,
		  const struct collector_sink *sink, uint64_t origin_ns,
		  struct collector **ret_collector, struct err *err)
{
	struct collector *collector = mem_zalloc(1, sizeof(*collector));
	struct stack_sink own = {own_code, own_stack, collector};

	if (!collector)
		return err_set(err, ERR_MEMORY, "no memory for a collector");
	collector->builder = builder;
	collector->process = process;
	collector->pid = pid;
	collector->runtime = *runtime;
	collector->reader = reader;
	collector->sink = *sink;
	collector->origin_ns = origin_ns;
	remote_memory_init_live(&collector->memory, pid);
	name_table_init(&collector->reader_names, builder, &collector->memory,
			&collector->runtime.layout);
	name_table_init(&collector->own_names, builder, &collector->memory,
			&collector->runtime.layout);
	thread_table_init(&collector->threads);
	random_seed(&collector->random, origin_ns ^ (uint64_t)pid);
	collector->frames = mem_alloc(FRAMES_DEPTH_MAX * sizeof(*collector->frames));
	if (!collector->frames ||
	    stack_reader_init(&collector->own_stacks, &collector->memory,
			      &collector->runtime.layout) < 0 ||
	    stack_source_init(&collector->own_source, &collector->memory,
			      &collector->runtime.layout, &own, origin_ns) < 0) {
		collector_free(collector);
		return err_set(err, ERR_MEMORY, "no memory for a collector");
	}
	collector->own_source.resolve_now = true;
	interpreter_words_find(&collector->words, &collector->memory, runtime);
	collector_refresh(collector, 0);
	*ret_collector = collector;
	return 0;
}

void collector_free(struct collector *collector)
{
	if (!collector)
		return;
	stack_source_release(&collector->own_source);
	stack_reader_release(&collector->own_stacks);
	name_table_release(&collector->reader_names);
	name_table_release(&collector->own_names);
	thread_table_release(&collector->threads);
	mem_free(collector->frames);
	mem_free(collector);
}

/* --- threads ----------------------------------------------------------------------------- */

static struct known_thread *thread_for(struct collector *collector, pid_t tid, uint64_t time_ns)
{
	struct known_thread *thread = thread_table_find(&collector->threads, tid);
	struct profile_thread row = {.process = collector->process,
				     .tid = (uint64_t)tid,
				     .is_main = tid == collector->pid,
				     .start_ns = time_ns,
				     .end_ns = time_ns,
				     .on_cpu_ns = UINT64_MAX,
				     .runqueue_ns = UINT64_MAX};

	if (thread)
		return thread;
	thread = thread_table_add(&collector->threads, collector->pid, tid);
	if (!thread)
		return NULL;
	if (profile_builder_add_thread(collector->builder, &row, &thread->id, NULL) < 0) {
		thread_table_end(thread);
		return NULL;
	}
	collector->living++;
	collector->refresh_wanted = true;
	return thread;
}

static void write_times(struct collector *collector, struct known_thread *thread, uint64_t time_ns)
{
	struct profile_thread *row = profile_builder_thread(collector->builder, thread->id);
	struct thread_schedstat now;

	if (time_ns > row->end_ns)
		row->end_ns = time_ns;
	if (!thread->times_open || thread_times_schedstat(&thread->times, &now) < 0)
		return;
	row->on_cpu_ns = now.on_cpu_ns - thread->first.on_cpu_ns;
	row->runqueue_ns = now.runqueue_ns - thread->first.runqueue_ns;
}

static void name_thread(void *context, uint64_t ident, const char *name)
{
	struct collector *collector = context;

	for (size_t i = 0; i < collector->threads.count; i++) {
		struct known_thread *thread = &collector->threads.threads[i];

		if (!thread->alive || thread->ident != ident)
			continue;
		if (profile_builder_string(
			collector->builder, name, strlen(name),
			&profile_builder_thread(collector->builder, thread->id)->name, NULL) == 0)
			thread->named = true;
	}
}

void collector_refresh(struct collector *collector, uint64_t now_ns)
{
	struct python_thread *list;
	size_t count;

	for (size_t i = 0; i < collector->threads.count; i++) {
		struct known_thread *thread = &collector->threads.threads[i];
		struct thread_schedstat now;

		if (!thread->alive)
			continue;
		write_times(collector, thread, now_ns);
		if (thread->times_open && thread_times_schedstat(&thread->times, &now) < 0) {
			thread_table_end(thread);
			collector->living--;
		}
	}
	if (python_threads_list(&collector->memory, &collector->runtime, &list, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct known_thread *thread;

		if (!list[i].native_id || list[i].native_id > INT32_MAX)
			continue;
		thread = thread_for(collector, (pid_t)list[i].native_id, now_ns);
		if (!thread)
			continue;
		thread->tstate = list[i].tstate.v;
		thread->ident = list[i].ident;
	}
	mem_free(list);
	python_thread_names(&collector->memory, &collector->runtime, name_thread, collector, NULL);
	collector->refresh_wanted = false;
	sampling_reader_wake_each(collector->reader, collector->living > 1);
}

/* --- samples ----------------------------------------------------------------------------- */

static void emit(struct collector *collector, const struct known_thread *thread, uint64_t time_ns,
		 uint64_t weight_ns)
{
	struct profile_sample sample = {.time_ns = time_ns,
					.weight_ns = weight_ns,
					.count = 1,
					.thread = thread->id,
					.stack = thread->stack,
					.state = thread->state,
					.flags = thread->flags};
	int result = collector->sink.sample(collector->sink.context, &sample, &collector->failure);

	if (result < 0)
		collector->failed = result;
}

/* What a thread that does not hold the lock is doing, from its system call. */
static uint8_t blocked_state(const struct collector *collector, const struct known_thread *thread)
{
	struct thread_syscall call;

	if (thread_times_syscall(&thread->times, &call) < 0)
		return STATE_BLOCKED;
	if (call.number < 0 && thread->looked && thread->state == STATE_GIL_WAIT)
		return STATE_GIL_WAIT; /* on its way back into the call that our stop broke off */
	return interpreter_words_waits_for_gil(&collector->words, &call) ? STATE_GIL_WAIT
									 : STATE_BLOCKED;
}

/* The stack of a thread other than the sampled one; it does not change while the thread does not
 * run and while it does not hold the lock: look_at sees to that. */
static void read_other(struct collector *collector, struct known_thread *thread)
{
	struct remote_range ranges[INTERPRETER_RANGES_MAX];
	size_t count = interpreter_words_ranges(&collector->words, ranges);
	uint32_t flags = 0, key;
	int depth;

	thread->stack.v = 0;
	thread->flags = SAMPLE_NO_STACK;
	thread->stack_known = false;
	if (stack_reader_fetch(&collector->own_stacks, thread->tstate, thread->prediction, ranges,
			       count) < (int)count)
		return;
	depth = stack_reader_walk(&collector->own_stacks, thread->prediction, collector->frames,
				  FRAMES_DEPTH_MAX, &flags);
	thread->stack_known = depth == 0;
	if (depth <= 0)
		return;
	if (stack_source_intern(&collector->own_source, collector->frames, (uint32_t)depth, flags,
				interpreter_words_generation(&collector->words), &key) < 0)
		return;
	thread->stack = name_table_stack_id(&collector->own_names, key);
	thread->stack_known = !(flags & STACK_TORN);
	thread->flags = flags & STACK_TORN ? SAMPLE_TORN : 0;
	if (interpreter_words_holder(&collector->words) == thread->tstate)
		thread->flags |= SAMPLE_OTHER_CORE;
}

/* Did it take the lock, or run at all, while its stack was read? What was read is then of several
 * instants; with the frames of 3.8–3.10, which threads hand on to one another, even of several
 * threads. */
static bool moved_meanwhile(struct collector *collector, const struct known_thread *thread,
			    const struct thread_stat *stat, const struct thread_schedstat *before,
			    struct thread_schedstat *ret_after)
{
	struct remote_range ranges[INTERPRETER_RANGES_MAX];
	size_t count = interpreter_words_ranges(&collector->words, ranges);
	bool held = interpreter_words_holder(&collector->words) == thread->tstate;

	if (thread_times_schedstat(&thread->times, ret_after) < 0)
		return true;
	if (before->slices != ret_after->slices)
		return true;
	if (stat->state != 'R')
		return false;
	remote_read_ranges(&collector->memory, ranges, count);
	return held || interpreter_words_holder(&collector->words) == thread->tstate;
}

static uint8_t other_state(struct collector *collector, struct known_thread *thread, char os_state,
			   const struct thread_schedstat *now, bool stopping)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC) - collector->origin_ns;
	bool runnable = os_state == 'R';

	if (stopping && (runnable || os_state == 't'))
		runnable = known_thread_was_runnable(thread, now, now_ns);
	thread->last_ns = now_ns;
	return runnable ? known_thread_runnable_state(thread, now, false, 0)
			: blocked_state(collector, thread);
}

/* Look at one thread; what has not run since the last look is as it was. */
static void look_at(struct collector *collector, struct known_thread *thread, bool stopping)
{
	struct thread_schedstat now, after;
	struct thread_stat stat;
	bool moved;

	if (!thread->times_open || thread_times_schedstat(&thread->times, &now) < 0) {
		collector->refresh_wanted = true;
		return;
	}
	if (thread->looked && thread->stack_known && now.slices == thread->last.slices &&
	    now.on_cpu_ns == thread->last.on_cpu_ns &&
	    (thread->state == STATE_BLOCKED || thread->state == STATE_GIL_WAIT))
		return;
	/* One that woke up in between is looked at anew: the later instant is the sample. */
	for (int looks = 0; looks < LOOKS_MAX; looks++) {
		if (thread_times_stat(&thread->times, &stat) < 0)
			return;
		if (thread->tstate)
			read_other(collector, thread);
		moved = moved_meanwhile(collector, thread, &stat, &now, &after);
		now = after;
		if (!moved)
			break;
	}
	if (moved && thread->stack.v) {
		thread->stack.v = 0;
		thread->flags = SAMPLE_NO_STACK | SAMPLE_OTHER_CORE;
		thread->stack_known = false;
	}
	thread->state = other_state(collector, thread, stat.state, &now, stopping);
	thread->last = now;
	thread->looked = true;
}

/* Threads that do not hold the lock are looked at in at most so many instants a second, and so
 * many at a time: a random part of the instants, with weights to match. */
static double others_part(const struct collector *collector, const struct record_sample *record)
{
	double part = 1.0;

	if (collector->living > (size_t)OTHERS_EVERY_INSTANT)
		part = OTHERS_EVERY_INSTANT / (double)collector->living;
	if (record->weight_ns < OTHERS_PERIOD_NS)
		part *= (double)record->weight_ns / OTHERS_PERIOD_NS;
	return part;
}

static void look_at_others(struct collector *collector, const struct record_sample *record)
{
	double part = others_part(collector, record);
	uint64_t weight_ns = (uint64_t)((double)record->weight_ns / part);

	if (part < 1.0 && random_unit(&collector->random) > part)
		return;
	for (size_t i = 0; i < collector->threads.count; i++) {
		struct known_thread *thread = &collector->threads.threads[i];

		if (!thread->alive || thread->tid == record->tid)
			continue;
		look_at(collector, thread, record->reader == READER_STOPPING);
		if (thread->looked)
			emit(collector, thread, record->time_ns, weight_ns);
	}
}

static void count_sample(struct sample_counts *counts, const struct record_sample *record)
{
	counts->missed += record->missed_before;
	counts->failed += record->dropped_before;
	counts->dropped_ring += record->dropped_before;
	counts->scheduled += 1 + record->missed_before + record->dropped_before;
	counts->late_ns_total += record->late_ns;
	if (record->late_ns > counts->late_ns_max)
		counts->late_ns_max = record->late_ns;
	switch (record->outcome) {
	case OUTCOME_VALID:
		counts->valid++;
		break;
	case OUTCOME_TORN:
		counts->torn++;
		break;
	default:
		counts->failed++;
		counts->fail_unreadable += record->cause == CAUSE_UNREADABLE;
		counts->fail_inconsistent += record->cause == CAUSE_INCONSISTENT;
		counts->fail_no_interpreter += record->cause == CAUSE_NO_INTERPRETER;
		counts->fail_other += record->cause == CAUSE_OTHER;
		return;
	}
	counts->same_core += record->reader == READER_SAME_CORE;
	counts->other_core += record->reader == READER_OTHER_CORE;
	counts->stopped += record->reader == READER_STOPPING;
}

static uint8_t subject_state(struct collector *collector, struct known_thread *thread,
			     const struct record_sample *record)
{
	uint64_t hold_ns = record->reader == READER_SAME_CORE ? record->hold_ns : 0;
	uint8_t state;

	switch (record->os_state) {
	case 'R':
	case 't': /* stopped by us */
		state = STATE_ON_CPU;
		if (record->bits & RECORD_CLOCKED)
			state = record->bits & RECORD_RAN ? STATE_ON_CPU : STATE_RUNQUEUE;
		else if (record->times_known)
			state = known_thread_runnable_state(
			    thread, &record->times, record->reader != READER_OTHER_CORE, hold_ns);
		if (state == STATE_ON_CPU && (record->bits & RECORD_GC))
			state = STATE_GC;
		return state;
	case 0:
		return STATE_UNKNOWN;
	default:
		return record->bits & RECORD_HOLDS_GIL ? STATE_BLOCKED
						       : blocked_state(collector, thread);
	}
}

/* Whose sample it is. Of a thread that was ending or starting only the thread state is known, and
 * perhaps not whose that is: such stacks are of thread 0, never of another thread. What has no
 * stack is the main thread's. */
static struct known_thread *subject_of(struct collector *collector,
				       const struct record_sample *record)
{
	const struct known_thread *first;

	if (record->tid || !record->tstate || record->outcome == OUTCOME_FAILED)
		return thread_for(collector, record->tid ? record->tid : collector->pid,
				  record->time_ns);
	for (size_t i = 0; i < collector->threads.count; i++) {
		struct known_thread *thread = &collector->threads.threads[i];

		if (thread->alive && thread->tstate == record->tstate)
			return thread;
	}
	first = thread_table_find(&collector->threads, collector->pid);
	return thread_for(collector, first && first->tstate ? 0 : collector->pid, record->time_ns);
}

static void handle_sample(struct collector *collector, const struct record_sample *record,
			  struct sample_counts *counts)
{
	struct known_thread *thread;

	count_sample(counts, record);
	thread = subject_of(collector, record);
	if (!thread)
		return;
	if (record->tid && record->tstate)
		thread->tstate = record->tstate;
	thread->flags = 0;
	if (record->outcome == OUTCOME_FAILED) {
		thread->stack.v = 0;
		thread->flags = SAMPLE_NO_STACK;
		thread->state = STATE_UNKNOWN;
	} else {
		thread->stack = name_table_stack_id(&collector->reader_names, record->stack_key);
		if (!thread->stack.v)
			thread->flags |= SAMPLE_NO_STACK;
		thread->state = subject_state(collector, thread, record);
	}
	if (record->outcome == OUTCOME_TORN)
		thread->flags |= SAMPLE_TORN;
	if (record->reader == READER_OTHER_CORE)
		thread->flags |= SAMPLE_OTHER_CORE;
	if (record->reader == READER_STOPPING)
		thread->flags |= SAMPLE_STOPPED;
	thread->looked = record->times_known;
	/* A thread that waits keeps its stack until it runs again: not one that is torn. */
	thread->stack_known = record->outcome == OUTCOME_VALID;
	thread->last = record->times;
	thread->last_ns = record->times_known ? record->time_ns : 0;
	emit(collector, thread, record->time_ns, record->weight_ns);
	if (collector->living > 1)
		look_at_others(collector, record);
}

static void handle_code(struct collector *collector, const struct record_code *record)
{
	/* What fails here leaves its frames torn. */
	name_table_code(&collector->reader_names, &record->code, &collector->failure);
}

int collector_drain(struct collector *collector, struct sample_counts *counts, struct err *err)
{
	struct ring *ring = sampling_reader_ring(collector->reader);
	const void *bytes;
	size_t size;

	/* Bounded: a sampling thread at full speed must not keep us from everything else. */
	for (uint32_t n = 0; n < DRAIN_MAX && (bytes = ring_peek(ring, &size)) != NULL; n++) {
		uint32_t kind;

		memcpy(&kind, bytes, sizeof(kind));
		if (kind == RECORD_SAMPLE) {
			handle_sample(collector, bytes, counts);
		} else if (kind == RECORD_CODE) {
			handle_code(collector, bytes);
		} else {
			const struct record_stack *stack = bytes;

			/* Full tables leave the key unknown: its samples have no stack, and are
			 * counted. */
			name_table_stack(&collector->reader_names, stack->stack_key,
					 (const struct keyed_frame *)(stack + 1), stack->depth,
					 stack->flags, NULL);
		}
		ring_drop(ring);
		if (collector->failed) {
			if (err)
				*err = collector->failure;
			return collector->failed;
		}
	}
	counts->stacks_truncated = collector->reader_names.stacks_truncated;
	if (collector->refresh_wanted)
		collector_refresh(collector, clock_ns(CLOCK_MONOTONIC) - collector->origin_ns);
	return 0;
}
