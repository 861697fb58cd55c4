/* See reader.h: the sampling thread, from its start to its end; one_sample.c has what it does at
 * each instant. Hot path after start. */
#include "sampler/reader.h"

#include <math.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "process/process.h"
#include "sampler/reader_internal.h"

#define RING_BYTES (8u << 20)
#define SLEEP_SLICE_NS 50000000ull /* so that stopping is prompt at low rates */
#define SHORT_SLICE_NS 100000ull
#define SAMPLER_NICE (-10)
#define PAUSE_LONG_EVERY 32u /* power of two */
#define ROOM_EVERY 8u	     /* samples: the deepest new stacks (160 KB) fill what is free then */

/* --- what goes into the ring ------------------------------------------------------------- */

static bool put_code(void *context, const struct code_announcement *announcement)
{
	struct sampling_reader *reader = context;
	struct record_code record = {.kind = RECORD_CODE, .code = *announcement};

	return ring_put(&reader->ring, &record, sizeof(record), NULL, 0);
}

static bool put_stack(void *context, uint32_t stack_key, const struct keyed_frame *frames,
		      uint32_t depth, uint32_t flags)
{
	struct sampling_reader *reader = context;
	struct record_stack record = {RECORD_STACK, stack_key, depth, flags};

	return ring_put(&reader->ring, &record, sizeof(record), frames, depth * sizeof(*frames));
}

/* --- the thread -------------------------------------------------------------------------- */

static bool sleep_until(struct sampling_reader *reader, uint64_t instant_ns)
{
	for (;;) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC), until = instant_ns;
		struct timespec ts;

		if (atomic_load_explicit(&reader->stop, memory_order_relaxed))
			return false;
		if (now >= instant_ns)
			return true;
		if (until - now > SLEEP_SLICE_NS)
			until = now + SLEEP_SLICE_NS;
		ts = (struct timespec){(time_t)(until / 1000000000ull),
				       (long)(until % 1000000000ull)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		if (until == instant_ns)
			return !atomic_load_explicit(&reader->stop, memory_order_relaxed);
	}
}

static void run_scheduled(struct sampling_reader *reader)
{
	while (!atomic_load(&reader->ended)) {
		if (!sleep_until(reader, reader->schedule.next_ns))
			return;
		sampling_reader_sample(reader, reader->schedule.next_ns,
				       reader->schedule.next_weight_ns);
		schedule_advance(&reader->schedule);
		reader->missed +=
		    schedule_skip_missed(&reader->schedule, clock_ns(CLOCK_MONOTONIC));
	}
}

/* A short random pause between samples keeps step with no loop of the target. Most are very short,
 * one in PAUSE_LONG_EVERY is long: together they cost less than middling ones, and lead further
 * away from any step. */
static void pause_briefly(struct sampling_reader *reader)
{
	uint64_t draw = random_next(&reader->schedule.random);
	uint32_t pause = (uint32_t)(draw >> 32) & 7;

	if ((draw & (PAUSE_LONG_EVERY - 1)) == 0)
		pause = (uint32_t)(draw >> 32) & 127;
	while (pause--)
		__builtin_ia32_pause();
}

/* Now and then; the ring holds far more than what comes in between. */
static void wait_for_room(struct sampling_reader *reader)
{
	/* No room: wait for the collector rather than lose what was read. */
	if (ring_fill(&reader->ring) > 0.75) {
		struct timespec brief = {0, 200000};
		nanosleep(&brief, NULL);
	}
}

/* As fast as it goes: equal weights, the mean period of the last thousand. */
static void run_fastest(struct sampling_reader *reader)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC), batch = before;
	uint32_t taken = 0;

	reader->fast_period_ns = 10000;
	while (!atomic_load_explicit(&reader->stop, memory_order_relaxed) &&
	       !atomic_load_explicit(&reader->ended, memory_order_relaxed)) {
		pause_briefly(reader);
		if (taken % ROOM_EVERY == 0)
			wait_for_room(reader);
		sampling_reader_sample(reader, 0, (uint64_t)reader->fast_period_ns);
		if (++taken == 1000) {
			uint64_t now = clock_ns(CLOCK_MONOTONIC);

			reader->fast_period_ns = (double)(now - batch) / taken;
			batch = now;
			taken = 0;
			atomic_store_explicit(&reader->rate_mhz,
					      (uint64_t)(1e12 / reader->fast_period_ns),
					      memory_order_relaxed);
			atomic_store_explicit(&reader->cpu_ns, cpu_thread_time_ns(),
					      memory_order_relaxed);
		}
	}
}

static void *sampling_main(void *argument)
{
	struct sampling_reader *reader = argument;

	prctl(PR_SET_NAME, "pyro-sampler");
	prctl(PR_SET_TIMERSLACK, 1UL);
	cpu_allowed(0, &reader->allowed, NULL);
	/* Where we may: be woken on time on a busy machine too. Never when we spin: the scheduler
	 * would take it from the target's own group. */
	if (!reader->fastest)
		setpriority(PRIO_PROCESS, (id_t)gettid(), SAMPLER_NICE);
	if (reader->options.reader == READER_SAME_CORE) {
		struct process_stat stat;

		cpu_short_slice(SHORT_SLICE_NS);
		/* Be on the main thread's core for the first sample already. */
		if (process_stat_read(reader->pid, &stat, NULL) == 0 && stat.cpu >= 0 &&
		    cpu_bind(stat.cpu, NULL) == 0)
			reader->bound_cpu = stat.cpu;
	}
	if (reader->options.reader == READER_STOPPING &&
	    stopper_start(&reader->stopper, reader->pid) < 0)
		atomic_store(&reader->ended, true);
	if (reader->fastest)
		run_fastest(reader);
	else
		run_scheduled(reader);
	if (reader->options.reader == READER_STOPPING)
		stopper_finish(&reader->stopper);
	atomic_store(&reader->cpu_ns, cpu_thread_time_ns());
	if (reader->failures_in_row)
		atomic_store(&reader->ended, true);
	return NULL;
}

static int reader_prepare(struct sampling_reader *reader)
{
	struct stack_sink sink = {.code = put_code, .stack = put_stack, .context = reader};
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	double rate = reader->options.rate_hz;
	int result;

	result = interpreter_words_find(&reader->words, &reader->memory, &reader->runtime);
	if (result < 0)
		return result;
	live_top_init(&reader->top, &reader->memory, &reader->runtime.layout);
	reader->frames = mem_alloc(FRAMES_DEPTH_MAX * sizeof(*reader->frames));
	reader->again = mem_alloc(FRAMES_DEPTH_MAX * sizeof(*reader->again));
	if (!reader->frames || !reader->again || ring_init(&reader->ring, RING_BYTES) < 0 ||
	    stack_reader_init(&reader->stacks, &reader->memory, &reader->runtime.layout) < 0 ||
	    stack_source_init(&reader->source, &reader->memory, &reader->runtime.layout, &sink,
			      reader->options.seed) < 0 ||
	    call_sites_init(&reader->sites, &reader->memory, &reader->runtime.layout,
			    &reader->top) < 0 ||
	    watched_threads_init(&reader->watched, &reader->memory, &reader->runtime.layout,
				 reader->pid) < 0)
		return -ERR_MEMORY;
	reader->fastest = isinf(rate);
	if (reader->fastest && reader->options.reader == READER_SAME_CORE)
		reader->options.reader = READER_OTHER_CORE;
	if (rate == 0 || reader->fastest)
		rate = RATE_FIRST_HZ;
	if (clock_getcpuclockid(reader->pid, &reader->process_clock) != 0)
		reader->process_clock = CLOCK_PROCESS_CPUTIME_ID;
	rate_control_start(&reader->control, reader->options.budget, now);
	schedule_start(&reader->schedule, rate, now, reader->options.seed ^ 0x5851f42d4c957f2dull);
	atomic_store(&reader->rate_mhz, (uint64_t)(rate * 1000));
	/* Code of modules and of exec is often gone before the collector could name it. */
	reader->source.resolve_now = true;
	reader->source.sparse = reader->fastest;
	reader->stacks.target_runs = reader->options.reader == READER_OTHER_CORE;
	return 0;
}

int sampling_reader_start(const struct runtime *runtime, pid_t pid,
			  const struct sampling_options *options,
			  struct sampling_reader **ret_reader, struct err *err)
{
	struct sampling_reader *reader = mem_zalloc(1, sizeof(*reader));
	int result;

	if (!reader)
		return err_set(err, ERR_MEMORY, "no memory for a sampling thread");
	reader->options = *options;
	reader->runtime = *runtime;
	reader->pid = pid;
	reader->bound_cpu = -1;
	atomic_store(&reader->cpu_now, -1);
	remote_memory_init_live(&reader->memory, pid);
	result = reader_prepare(reader);
	if (result == 0) {
		int failed = pthread_create(&reader->thread, NULL, sampling_main, reader);

		if (failed)
			result = err_set_errno(err, ERR_INTERNAL, failed,
					       "cannot start a sampling thread");
		else
			reader->thread_started = true;
	} else {
		err_set(err, (enum err_code) - result, "cannot sample process %d", (int)pid);
	}
	if (result < 0) {
		sampling_reader_free(reader);
		return result;
	}
	*ret_reader = reader;
	return 0;
}

void sampling_reader_stop(struct sampling_reader *reader)
{
	atomic_store(&reader->stop, true);
	if (reader->thread_started)
		pthread_join(reader->thread, NULL);
	reader->thread_started = false;
}

void sampling_reader_free(struct sampling_reader *reader)
{
	if (!reader)
		return;
	sampling_reader_stop(reader);
	stack_reader_release(&reader->stacks);
	stack_source_release(&reader->source);
	call_sites_release(&reader->sites);
	live_top_release(&reader->top);
	watched_threads_release(&reader->watched);
	ring_release(&reader->ring);
	mem_free(reader->frames);
	mem_free(reader->again);
	mem_free(reader);
}

struct ring *sampling_reader_ring(struct sampling_reader *reader)
{
	return &reader->ring;
}

void sampling_reader_status(const struct sampling_reader *reader,
			    struct sampling_reader_status *ret)
{
	ret->cpu_ns = atomic_load(&reader->cpu_ns);
	ret->stolen_ns = atomic_load(&reader->stolen_ns);
	ret->rate_hz = (double)atomic_load(&reader->rate_mhz) / 1000;
	ret->ended = atomic_load(&reader->ended);
	ret->same_core_refused = atomic_load(&reader->same_core_refused);
	ret->cpu = atomic_load(&reader->cpu_now);
}

void sampling_reader_wake_each(struct sampling_reader *reader, bool wake)
{
	atomic_store(&reader->wake_each, wake);
}
