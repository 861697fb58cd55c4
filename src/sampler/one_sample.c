/* One sample: which thread, its stack, what the scheduler says of it, and what of that is known for
 * sure. Hot path: no formatting, no locks; /proc is opened only when a thread is met for the first
 * time. */
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/threads.h"
#include "sampler/reader_internal.h"

/* Nothing could be read for so long, in so many samples: the process runs another program now (an
 * exec, perhaps of the same interpreter), or none. The session looks for it anew. */
#define FAILURES_MIN 8u
#define OWNER_TRIES 4
#define CODE_FLAGS_GENERATOR (0x20u | 0x80u | 0x200u) /* CO_GENERATOR, _COROUTINE, _ASYNC_... */
#define FAST_OWED_MAX 80			      /* looks: what 20 ms bring at most */
#define FAILING_NS 200000000ull
/* What a tick costs the target beyond our own CPU time: two switches, colder caches. Measured on a
 * virtual machine (benchmarks/slowdown.py: 64 µs a sample where 25 are our own); less on bare
 * metal. */
#define TICK_UNSEEN_NS 37000
#define FAST_LOOK_NS 250000ull /* fastest mode: the scheduler's view is this old at most */

struct tick {
	struct record_sample record;
	struct thread_schedstat before, after;
	struct thread_stat stat;
	bool before_known, after_known, stat_known;
	int32_t cpu_before;
	uint32_t depth, flags;
};

static void put_sample(struct sampling_reader *reader, struct record_sample *record)
{
	record->kind = RECORD_SAMPLE;
	record->missed_before = reader->missed;
	record->dropped_before = reader->dropped;
	if (ring_put(&reader->ring, record, sizeof(*record), NULL, 0))
		reader->missed = reader->dropped = 0;
	else
		reader->dropped++;
}

static void fail(struct tick *tick, enum sample_cause cause)
{
	tick->record.outcome = OUTCOME_FAILED;
	tick->record.cause = (uint8_t)cause;
}

/* Reads the interpreter's words and the subject's memory; a negative code ends the tick. */
static int fetch(struct sampling_reader *reader, struct watched_thread *thread)
{
	struct remote_range ranges[INTERPRETER_RANGES_MAX];
	size_t count = interpreter_words_ranges(&reader->words, ranges);
	int whole = stack_reader_fetch(&reader->stacks, thread ? thread->tstate : 0,
				       thread ? &thread->prediction : NULL, ranges, count);

	if (whole < 0)
		return whole;
	return (size_t)whole < count ? -ERR_UNREADABLE : 0;
}

/* No lock holder was ever seen: the main thread is the subject. */
static struct watched_thread *main_thread(struct sampling_reader *reader)
{
	struct python_thread *threads;
	size_t count;
	uint64_t best = 0;

	if (python_threads_list(&reader->memory, &reader->runtime, &threads, &count, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (!best || threads[i].native_id == (uint64_t)reader->pid)
			best = threads[i].tstate.v;
	mem_free(threads);
	return best ? watched_thread_for(&reader->watched, best) : NULL;
}

static void look_before(struct sampling_reader *reader, struct tick *tick)
{
	if (reader->fastest || !reader->subject || !reader->subject->times_open)
		return;
	tick->before_known = thread_times_schedstat(&reader->subject->times, &tick->before) == 0;
}

/* Fetches the thread to sample: the one that holds the lock, else the last one that did. */
static int fetch_subject(struct sampling_reader *reader, struct tick *tick)
{
	struct watched_thread *subject = reader->subject;
	uint64_t holder;
	int result;

	look_before(reader, tick);
	result = fetch(reader, subject);
	if (result < 0)
		return result;
	holder = interpreter_words_holder(&reader->words);
	if (holder && (!subject || holder != subject->tstate))
		subject = watched_thread_for(&reader->watched, holder);
	else if (!holder && !subject)
		subject = main_thread(reader);
	if (subject != reader->subject) {
		reader->subject = subject;
		tick->before_known = false;
		look_before(reader, tick);
		result = fetch(reader, subject);
		if (result < 0)
			return result;
	}
	if (subject && interpreter_words_holder(&reader->words) == subject->tstate) {
		tick->record.bits |= RECORD_HOLDS_GIL;
		if (reader->words.gc_collecting)
			tick->record.bits |= RECORD_GC;
	}
	return 0;
}

/* Other core: was the process on a CPU since the last look? A running thread's schedstat does not
 * tell; the process's CPU clock does, a tick at a time. */
static void look_at_clock(struct sampling_reader *reader, uint64_t now_ns)
{
	struct timespec ts;
	uint64_t ran;
	double part;

	reader->fast_bits = 0;
	if (clock_gettime(reader->process_clock, &ts) != 0)
		return;
	ran = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
	reader->fast_bits = RECORD_CLOCKED;
	/* The part of the time since then that it ran. The kernel adds to another process's clock
	 * at its ticks: what a tick brings is spread over the looks that follow. */
	part = reader->fast_ran_ns ? (double)(ran - reader->fast_ran_ns) /
					 (double)(now_ns - reader->fast_look_ns + 1)
				   : 0;
	reader->fast_owed += part;
	if (reader->fast_owed > FAST_OWED_MAX)
		reader->fast_owed = FAST_OWED_MAX;
	if (reader->fast_owed >= 0.5) {
		reader->fast_bits |= RECORD_RAN;
		reader->fast_owed -= 1;
	}
	reader->fast_ran_ns = ran;
}

static void look_after(struct sampling_reader *reader, struct tick *tick, uint64_t now_ns)
{
	struct watched_thread *subject = reader->subject;

	if (!subject->times_open)
		return;
	if (reader->fastest && now_ns - reader->fast_look_ns < FAST_LOOK_NS) {
		tick->stat = reader->fast_stat;
		tick->after = reader->fast_times;
		tick->stat_known = tick->after_known = true;
		return;
	}
	tick->stat_known = thread_times_stat(&subject->times, &tick->stat) == 0;
	tick->after_known = thread_times_schedstat(&subject->times, &tick->after) == 0;
	if (!tick->stat_known || !tick->after_known) {
		/* The thread ended: its descriptors are stale. */
		subject->word = 0;
		tick->stat_known = tick->after_known = false;
		return;
	}
	if (reader->options.reader == READER_OTHER_CORE)
		look_at_clock(reader, now_ns);
	reader->fast_look_ns = now_ns;
	reader->fast_stat = tick->stat;
	reader->fast_times = tick->after;
}

/* Did the thread stand still while it was read? Not running (blocked, and not run since), or
 * runnable on the very CPU that we hold. */
static bool stood_still(const struct tick *tick)
{
	if (!tick->before_known || !tick->after_known || !tick->stat_known)
		return false;
	if (tick->before.slices != tick->after.slices ||
	    tick->before.on_cpu_ns != tick->after.on_cpu_ns)
		return false;
	if (tick->stat.state != 'R')
		return true;
	return tick->stat.cpu == tick->cpu_before && cpu_current() == tick->cpu_before;
}

static void classify(struct sampling_reader *reader, struct tick *tick)
{
	struct record_sample *record = &tick->record;

	if (reader->options.reader == READER_STOPPING && reader->stopper.stopped)
		record->reader = READER_STOPPING;
	else
		record->reader = stood_still(tick) ? READER_SAME_CORE : READER_OTHER_CORE;
	record->os_state = tick->stat_known ? tick->stat.state : 0;
	record->times_known = tick->after_known;
	record->times = tick->after;
	record->bits |= reader->fast_bits;
}

/* A generator is always resumed by somebody: as the outermost frame it is one whose link to its
 * caller was cleared while it was being suspended. */
static bool is_generator(struct sampling_reader *reader, uint64_t code)
{
	uint32_t flags;

	return code &&
	       remote_read_u32(
		   &reader->memory,
		   (struct raddr){code + (uint64_t)reader->runtime.layout.at.code_flags},
		   &flags) == 0 &&
	       flags & CODE_FLAGS_GENERATOR;
}

/* From another core a chain may end early, at a frame that was being left. A stack that ends at
 * another frame than the thread's last one is read again, and that reading is the sample: if it
 * ends there too, so it is. False: its lower part is not known. */
static bool check_root(struct sampling_reader *reader, struct tick *tick)
{
	struct watched_thread *subject = reader->subject;
	uint64_t root = reader->frames[tick->depth - 1].address;
	struct raw_frame *swap = reader->frames;
	int depth;

	if (tick->flags & (STACK_TORN | STACK_TRUNCATED))
		return false;
	if (root == subject->root)
		return true;
	if (is_generator(reader, reader->frames[tick->depth - 1].code)) {
		tick->flags |= STACK_TORN;
		return false;
	}
	if (fetch(reader, subject) < 0)
		return false;
	depth = stack_reader_walk(&reader->stacks, &subject->prediction, reader->again,
				  FRAMES_DEPTH_MAX, &tick->flags);
	if (depth > 0) {
		reader->frames = reader->again;
		reader->again = swap;
		tick->depth = (uint32_t)depth;
	}
	if (depth > 0 && reader->frames[depth - 1].address == root && !(tick->flags & STACK_TORN) &&
	    !is_generator(reader, reader->frames[depth - 1].code)) {
		subject->root = root;
		return true;
	}
	tick->flags |= STACK_TORN;
	return false;
}

/* 3.8–3.10: a function's frame goes from the thread that left it to the next one that calls it, so
 * that a chain read while the lock changed hands may lead into another thread's stack, and every
 * call on it is a possible one. Of a thread that may not have had the lock all the while, only a
 * chain whose leaf is still its leaf is its own; another is read again. False: nothing is known. */
static bool check_owner(struct sampling_reader *reader, struct tick *tick)
{
	struct watched_thread *subject = reader->subject;

	if (reader->runtime.layout.frame_link != FRAME_LINK_HEAP)
		return true;
	for (int tries = 0; tries < OWNER_TRIES; tries++) {
		struct remote_range ranges[INTERPRETER_RANGES_MAX + 1];
		size_t count = interpreter_words_ranges(&reader->words, ranges);
		bool held = interpreter_words_holder(&reader->words) == subject->tstate;
		uint64_t leaf = 0;
		int depth;

		ranges[count] = (struct remote_range){
		    {stack_reader_leaf_word(&reader->stacks)}, &leaf, sizeof(leaf)};
		if (remote_read_ranges(&reader->memory, ranges, count + 1) < 0)
			return false;
		if (held && interpreter_words_holder(&reader->words) == subject->tstate)
			return true;
		if (tick->depth && leaf == reader->frames[0].address)
			return true;
		if (fetch(reader, subject) < 0)
			return false;
		depth = stack_reader_walk(&reader->stacks, &subject->prediction, reader->frames,
					  FRAMES_DEPTH_MAX, &tick->flags);
		tick->depth = depth > 0 ? (uint32_t)depth : 0;
		if (!tick->depth)
			return false;
	}
	return false;
}

static void forget_stack(struct sampling_reader *reader, struct tick *tick)
{
	reader->frames[0] = (struct raw_frame){.offset = -1};
	tick->depth = 1;
	tick->flags |= STACK_TORN;
}

static void intern(struct sampling_reader *reader, struct tick *tick)
{
	struct record_sample *record = &tick->record;
	uint64_t generation = interpreter_words_generation(&reader->words);
	int result;

	if (record->reader == READER_OTHER_CORE && !check_owner(reader, tick)) {
		forget_stack(reader, tick);
		record->outcome = OUTCOME_TORN;
	} else if (record->reader == READER_OTHER_CORE) {
		bool told =
		    check_root(reader, tick) &&
		    live_top_settle(&reader->top, &reader->stacks, &reader->subject->prediction,
				    reader->frames, &tick->depth, FRAMES_DEPTH_MAX);

		if (call_sites_check(&reader->sites, reader->frames, &tick->depth,
				     stack_reader_leaf_word(&reader->stacks)) == CALL_TORN ||
		    !told)
			record->outcome = OUTCOME_TORN;
	} else if (tick->depth > 0) {
		reader->subject->root = reader->frames[tick->depth - 1].address;
	}
	tick->flags &= STACK_TRUNCATED | STACK_TORN;
	result = stack_source_intern(&reader->source, reader->frames, tick->depth, tick->flags,
				     generation, &record->stack_key);
	if (result == -ERR_LIMIT) {
		fail(tick, CAUSE_OTHER); /* counted by its own record */
	} else if (result < 0) {
		fail(tick, CAUSE_INCONSISTENT);
	}
	if ((tick->flags & STACK_TORN || reader->source.last_torn) &&
	    record->outcome == OUTCOME_VALID)
		record->outcome = OUTCOME_TORN;
}

/* Everything between wake-up and the record. */
static void read_target(struct sampling_reader *reader, struct tick *tick)
{
	struct record_sample *record = &tick->record;
	struct watched_thread *subject;
	int depth, result;

	tick->cpu_before = cpu_current();
	record->outcome = OUTCOME_VALID;
	result = fetch_subject(reader, tick);
	if (result < 0) {
		fail(tick, result == -ERR_NO_PROCESS ? CAUSE_NO_INTERPRETER : CAUSE_UNREADABLE);
		if (result == -ERR_NO_PROCESS)
			atomic_store(&reader->ended, true);
		return;
	}
	subject = reader->subject;
	if (!subject) {
		fail(tick, CAUSE_NO_INTERPRETER);
		return;
	}
	depth = stack_reader_walk(&reader->stacks, &subject->prediction, reader->frames,
				  FRAMES_DEPTH_MAX, &tick->flags);
	watched_thread_identify(&reader->watched, subject,
				stack_reader_thread_word(&reader->stacks));
	look_after(reader, tick, record->time_ns);
	classify(reader, tick);
	record->tstate = subject->tstate;
	record->tid = subject->tid;
	if (depth < 0) {
		/* The thread state itself is not readable: it went away with its thread. */
		fail(tick, depth == -ERR_UNREADABLE ? CAUSE_UNREADABLE : CAUSE_INCONSISTENT);
		reader->subject = NULL;
		return;
	}
	tick->depth = (uint32_t)depth;
	if (depth > 0)
		intern(reader, tick);
}

/* Follow the running thread: be on its core for the next instant (or off it, other core). */
static void follow(struct sampling_reader *reader, const struct tick *tick)
{
	int32_t cpu = tick->stat_known ? tick->stat.cpu : -1;

	if (cpu < 0 || cpu >= CPU_MAX || cpu == reader->bound_cpu ||
	    reader->options.reader == READER_STOPPING)
		return;
	if (reader->options.reader == READER_SAME_CORE) {
		if (cpu_bind(cpu, NULL) < 0)
			atomic_store(&reader->same_core_refused, true);
	} else {
		struct cpu_set others = reader->allowed;

		others.bits[cpu / 64] &= ~(1ull << (cpu % 64));
		if (cpu_set_count(&others) > 0)
			cpu_restore(&others, NULL);
	}
	reader->bound_cpu = cpu;
	atomic_store(&reader->cpu_now, cpu);
}

/* What this sample cost us and the target; the rate that adapts follows it. */
static void account(struct sampling_reader *reader, struct record_sample *record,
		    uint64_t cpu_before_ns, uint64_t now_ns)
{
	uint64_t total = cpu_thread_time_ns(), cost;

	/* From wake-up to here, plus about what falling asleep and waking cost: the rest of
	 * the thread's CPU time since the last tick. */
	cost = total - atomic_load_explicit(&reader->cpu_ns, memory_order_relaxed) + TICK_UNSEEN_NS;
	record->hold_ns = (uint32_t)(total - cpu_before_ns);
	atomic_store_explicit(&reader->cpu_ns, total, memory_order_relaxed);
	if (record->reader == READER_SAME_CORE && record->os_state == 'R')
		atomic_fetch_add_explicit(&reader->stolen_ns, cost, memory_order_relaxed);
	if (reader->options.rate_hz == 0) {
		double rate = rate_control_tick(&reader->control, cost, now_ns);
		schedule_set_rate(&reader->schedule, rate);
		atomic_store_explicit(&reader->rate_mhz, (uint64_t)(rate * 1000),
				      memory_order_relaxed);
	}
}

/* A target that can't be read any more has ended, for us. */
static void note_failure(struct sampling_reader *reader, bool failed, uint64_t now_ns)
{
	reader->failures_in_row = failed ? reader->failures_in_row + 1 : 0;
	if (!failed || !reader->worked_ns)
		reader->worked_ns = now_ns;
	else if (reader->failures_in_row >= FAILURES_MIN && now_ns - reader->worked_ns > FAILING_NS)
		atomic_store(&reader->ended, true);
}

void sampling_reader_sample(struct sampling_reader *reader, uint64_t instant_ns, uint64_t weight_ns)
{
	struct tick tick = {.record = {.weight_ns = weight_ns}};
	uint64_t now = clock_ns(CLOCK_MONOTONIC), cpu_before = 0;

	if (!reader->fastest)
		cpu_before = cpu_thread_time_ns();
	tick.record.time_ns = now - reader->options.origin_ns;
	tick.record.late_ns = instant_ns && now > instant_ns ? (uint32_t)(now - instant_ns) : 0;
	if (reader->options.reader == READER_STOPPING && stopper_stop(&reader->stopper) < 0) {
		fail(&tick, CAUSE_OTHER);
		atomic_store(&reader->ended, reader->stopper.gone);
	} else {
		read_target(reader, &tick);
	}
	if (reader->options.reader == READER_STOPPING)
		stopper_resume(&reader->stopper);
	note_failure(reader, tick.record.outcome == OUTCOME_FAILED, now);
	if (!reader->fastest)
		account(reader, &tick.record, cpu_before, now);
	put_sample(reader, &tick.record);
	if (atomic_load_explicit(&reader->wake_each, memory_order_relaxed))
		(void)!write(reader->options.wake_fd, &(uint64_t){1}, sizeof(uint64_t));
	follow(reader, &tick);
}
