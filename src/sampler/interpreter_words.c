/* See interpreter_words.h. */
#include "sampler/interpreter_words.h"

#include <string.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "system/thread_times.h"

static int find_gil(struct interpreter_words *words, const struct remote_memory *memory,
		    const struct runtime *runtime)
{
	const struct layout_offsets *at = &runtime->layout.at;
	uint64_t locked, holder, low, high, gil = 0;

	if (runtime->layout.gil_in_runtime) {
		if (at->runtime_gil_struct >= 0)
			gil = runtime->address.v + (uint64_t)at->runtime_gil_struct;
		locked = runtime->address.v + (uint64_t)at->runtime_gil_locked;
		holder = runtime->address.v + (uint64_t)at->runtime_gil_last_holder;
	} else {
		if (remote_read_u64(memory,
				    (struct raddr){words->interp + (uint64_t)at->interp_gil_ptr},
				    &gil) < 0 ||
		    !gil)
			return -ERR_TOO_LITTLE;
		locked = gil + (uint64_t)at->gil_locked;
		holder = gil + (uint64_t)at->gil_last_holder;
	}
	low = locked < holder ? locked : holder;
	high = locked < holder ? holder + 8 : (locked + 4 > holder + 8 ? locked + 4 : holder + 8);
	if (high - low > sizeof(words->gil_bytes))
		return -ERR_INTERNAL;
	words->gil_low = gil;
	words->gil_high = gil && at->gil_size > 0 ? gil + (uint64_t)at->gil_size : gil;
	words->gil_address = low;
	words->gil_span = (uint32_t)(high - low);
	words->locked_at = (int32_t)(locked - low);
	words->holder_at = (int32_t)(holder - low);
	return 0;
}

int interpreter_words_find(struct interpreter_words *words, const struct remote_memory *memory,
			   const struct runtime *runtime)
{
	const struct layout_offsets *at = &runtime->layout.at;

	memset(words, 0, sizeof(*words));
	words->layout = &runtime->layout;
	if (remote_read_u64(
		memory,
		(struct raddr){runtime->address.v + (uint64_t)at->runtime_interpreters_main},
		&words->interp) < 0 ||
	    !words->interp)
		return -ERR_TOO_LITTLE;
	if (runtime->layout.gc_in_runtime)
		words->gc_address = runtime->address.v + (uint64_t)at->runtime_gc_collecting;
	else if (at->interp_gc_collecting >= 0)
		words->gc_address = words->interp + (uint64_t)at->interp_gc_collecting;
	if (at->interp_code_generation >= 0)
		words->generation_address = words->interp + (uint64_t)at->interp_code_generation;
	return find_gil(words, memory, runtime);
}

size_t interpreter_words_ranges(struct interpreter_words *words,
				struct remote_range ranges[INTERPRETER_RANGES_MAX])
{
	size_t count = 0;

	ranges[count++] =
	    (struct remote_range){{words->gil_address}, words->gil_bytes, words->gil_span};
	if (words->gc_address)
		ranges[count++] = (struct remote_range){
		    {words->gc_address}, &words->gc_collecting, sizeof(words->gc_collecting)};
	if (words->generation_address)
		ranges[count++] = (struct remote_range){
		    {words->generation_address}, &words->generation, sizeof(words->generation)};
	return count;
}

uint64_t interpreter_words_holder(const struct interpreter_words *words)
{
	int32_t locked;
	uint64_t holder;

	memcpy(&locked, words->gil_bytes + words->locked_at, sizeof(locked));
	memcpy(&holder, words->gil_bytes + words->holder_at, sizeof(holder));
	/* −1 before the lock is made. */
	return locked == 1 && !(holder & 7) ? holder : 0;
}

bool interpreter_words_waits_for_gil(const struct interpreter_words *words,
				     const struct thread_syscall *call)
{
	return call->number == SYS_futex && call->arguments[0] >= words->gil_low &&
	       call->arguments[0] < words->gil_high;
}

uint64_t interpreter_words_generation(const struct interpreter_words *words)
{
	return words->generation_address ? words->generation : UINT64_MAX;
}
