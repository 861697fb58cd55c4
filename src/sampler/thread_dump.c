/* See thread_dump.h. */
#include "sampler/thread_dump.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpython/walk/frames.h"
#include "cpython/walk/threads.h"
#include "process/process.h"
#include "profile/profile.h"
#include "sampler/interpreter_words.h"
#include "system/thread_times.h"

#define READS_MAX 40

struct dumper {
	int pid;
	struct remote_memory memory;
	struct thread_dump *dump;
	struct stack_reader stacks;
	struct interpreter_words words;
	struct stack_prediction *prediction;
	struct raw_frame *frames, *again;
};

static int read_once(struct dumper *dumper, uint64_t tstate, struct raw_frame *frames,
		     uint32_t *flags)
{
	struct remote_range ranges[INTERPRETER_RANGES_MAX];
	size_t count = interpreter_words_ranges(&dumper->words, ranges);

	*flags = 0;
	if (stack_reader_fetch(&dumper->stacks, tstate, dumper->prediction, ranges, count) <
	    (int)count)
		return -ERR_UNREADABLE;
	return stack_reader_walk(&dumper->stacks, dumper->prediction, frames, FRAMES_DEPTH_MAX,
				 flags);
}

static bool same_stack(const struct raw_frame *a, const struct raw_frame *b, int depth)
{
	for (int i = 0; i < depth; i++)
		if (a[i].code != b[i].code || a[i].address != b[i].address ||
		    a[i].offset != b[i].offset)
			return false;
	return true;
}

/* Two readings in a row that agree; after READS_MAX the last one, said to be unstable. */
static int read_stable(struct dumper *dumper, uint64_t tstate, uint32_t *flags, bool *ret_stable)
{
	int depth = read_once(dumper, tstate, dumper->frames, flags);

	*ret_stable = false;
	for (int i = 0; i < READS_MAX; i++) {
		uint32_t flags_again;
		int depth_again = read_once(dumper, tstate, dumper->again, &flags_again);
		struct raw_frame *swap = dumper->frames;

		if (depth_again < 0 && depth < 0)
			return depth_again;
		if (depth_again == depth && flags_again == *flags &&
		    same_stack(dumper->frames, dumper->again, depth)) {
			*ret_stable = true;
			return depth;
		}
		dumper->frames = dumper->again;
		dumper->again = swap;
		depth = depth_again;
		*flags = flags_again;
	}
	return depth;
}

/* 1: a frame of the interpreter's own, not shown. */
static int name_frame(struct dumper *dumper, const struct raw_frame *raw, struct dump_frame *frame)
{
	struct code_info *info;
	int result;

	if (code_info_read(&dumper->memory, &dumper->dump->runtime.layout,
			   (struct raddr){raw->code}, &info, NULL) < 0) {
		frame->function = mem_copy_text("<unknown>");
		frame->file = mem_copy_text("");
		return frame->function && frame->file ? 0 : -ERR_MEMORY;
	}
	if (code_info_is_internal(info)) {
		code_info_free(info);
		return 1;
	}
	frame->function = mem_copy_text(info->name);
	frame->file = mem_copy_text(info->file);
	frame->first_line = info->first_line;
	code_location_at(info, dumper->dump->runtime.layout.line_table, raw->offset,
			 &frame->location);
	result = frame->function && frame->file ? 0 : -ERR_MEMORY;
	code_info_free(info);
	return result;
}

static uint8_t thread_state(struct dumper *dumper, struct dump_thread *thread)
{
	struct thread_times times;
	struct thread_stat stat = {0, -1};
	struct thread_syscall call = {.number = -1};
	uint8_t state = STATE_UNKNOWN;

	if (!thread->tid || thread_times_open(&times, dumper->pid, (pid_t)thread->tid, NULL) < 0)
		return STATE_UNKNOWN;
	if (thread_times_stat(&times, &stat) == 0) {
		state = stat.state == 'R' ? STATE_ON_CPU : STATE_BLOCKED;
		if (state == STATE_ON_CPU && thread->holds_gil && dumper->words.gc_collecting)
			state = STATE_GC;
		thread->stop = stat.state == 'T'   ? DUMP_STOPPED
			       : stat.state == 't' ? DUMP_TRACED
						   : DUMP_NOT_STOPPED;
		if (state == STATE_BLOCKED && !thread->stop &&
		    thread_times_syscall(&times, &call) == 0 &&
		    interpreter_words_waits_for_gil(&dumper->words, &call))
			state = STATE_GIL_WAIT;
	}
	thread_times_release(&times);
	return state;
}

static int dump_thread(struct dumper *dumper, const struct python_thread *from,
		       struct dump_thread *to)
{
	uint32_t flags = 0;
	int depth;

	to->tid = from->native_id;
	to->ident = from->ident;
	to->interpreter = from->interp_id;
	dumper->prediction->count = dumper->prediction->top_count = 0;
	dumper->prediction->cframe = 0;
	depth = read_stable(dumper, from->tstate.v, &flags, &to->stable);
	to->holds_gil = interpreter_words_holder(&dumper->words) == from->tstate.v;
	to->state = thread_state(dumper, to);
	to->truncated = flags & STACK_TRUNCATED;
	to->torn = (flags & STACK_TORN) || depth < 0;
	if (depth <= 0)
		return 0;
	to->frames = mem_zalloc((size_t)depth, sizeof(*to->frames));
	if (!to->frames)
		return -ERR_MEMORY;
	for (int i = 0; i < depth; i++) {
		int result = name_frame(dumper, &dumper->frames[i], &to->frames[to->depth]);

		if (result == 1)
			continue;
		to->depth++;
		if (result < 0)
			return result;
	}
	return 0;
}

static void name_thread(void *context, uint64_t ident, const char *name)
{
	struct thread_dump *dump = context;

	for (size_t i = 0; i < dump->count; i++)
		if (dump->threads[i].ident == ident && !dump->threads[i].name)
			dump->threads[i].name = mem_copy_text(name);
}

static int take(struct dumper *dumper, struct err *err)
{
	struct thread_dump *dump = dumper->dump;
	struct python_thread *list = NULL;
	size_t count = 0;
	int result = -ERR_TORN;

	for (int tries = 0; tries < READS_MAX && result == -ERR_TORN; tries++)
		result = python_threads_list(&dumper->memory, &dump->runtime, &list, &count, err);
	if (result < 0)
		return result;
	dump->threads = mem_zalloc(count + 1, sizeof(*dump->threads));
	if (!dump->threads)
		result = -ERR_MEMORY;
	for (size_t i = 0; i < count && result == 0; i++) {
		dump->count = i + 1;
		result = dump_thread(dumper, &list[i], &dump->threads[i]);
	}
	mem_free(list);
	if (result == 0)
		python_thread_names(&dumper->memory, &dump->runtime, name_thread, dump, NULL);
	return result;
}

int thread_dump_take(int pid, struct thread_dump *ret_dump, struct err *err)
{
	struct dumper dumper = {.pid = pid, .dump = ret_dump};
	int result;

	memset(ret_dump, 0, sizeof(*ret_dump));
	remote_memory_init_live(&dumper.memory, pid);
	result = process_readable(pid, err);
	if (result == 0)
		result = runtime_find(pid, &dumper.memory, &ret_dump->runtime, err);
	if (result < 0)
		return result;
	result = interpreter_words_find(&dumper.words, &dumper.memory, &ret_dump->runtime);
	if (result < 0)
		return err_set(err, (enum err_code) - result,
			       "the interpreter of process %d is not ready", pid);
	dumper.frames = mem_alloc(FRAMES_DEPTH_MAX * sizeof(*dumper.frames));
	dumper.again = mem_alloc(FRAMES_DEPTH_MAX * sizeof(*dumper.again));
	dumper.prediction = mem_zalloc(1, sizeof(*dumper.prediction));
	if (!dumper.frames || !dumper.again || !dumper.prediction ||
	    stack_reader_init(&dumper.stacks, &dumper.memory, &ret_dump->runtime.layout) < 0) {
		result = err_set(err, ERR_MEMORY, "no memory to read the stacks");
	} else {
		result = take(&dumper, err);
		stack_reader_release(&dumper.stacks);
	}
	mem_free(dumper.frames);
	mem_free(dumper.again);
	mem_free(dumper.prediction);
	if (result < 0)
		thread_dump_release(ret_dump);
	return result;
}

void thread_dump_release(struct thread_dump *dump)
{
	for (size_t i = 0; i < dump->count; i++) {
		struct dump_thread *thread = &dump->threads[i];

		for (uint32_t k = 0; k < thread->depth; k++) {
			mem_free(thread->frames[k].function);
			mem_free(thread->frames[k].file);
		}
		mem_free(thread->frames);
		mem_free(thread->name);
	}
	mem_free(dump->threads);
	dump->threads = NULL;
	dump->count = 0;
}
