/* Which samples a selection keeps. Threads and stacks are decided once, in one
 * pass over their tables, so that a sample costs two byte loads. */
#include "analysis/filter.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"

struct process_id profile_first_process(const struct profile *profile)
{
	/* A shell in front of the program is a process too, with no stack to show. */
	for (uint32_t i = 1; i < profile->process_count; i++) {
		if (profile->processes[i].python.v != 0)
			return (struct process_id){i};
	}
	return (struct process_id){profile->process_count > 1 ? 1 : 0};
}

static bool is_next_program(const struct profile_process *last, const struct profile_process *row)
{
	return last->end_ns != 0 && row->start_ns == last->end_ns && row->pid == last->pid;
}

uint8_t *profile_first_process_programs(const struct profile *profile)
{
	uint8_t *programs = mem_zalloc((size_t)profile->process_count + 1, 1);
	uint32_t last = profile_first_process(profile).v;

	if (!programs || last == 0)
		return programs;
	programs[last] = 1;
	for (uint32_t i = last + 1; i < profile->process_count; i++)
		if (is_next_program(&profile->processes[last], &profile->processes[i])) {
			programs[i] = 1;
			last = i;
		}
	return programs;
}

static void add_program(struct profile_process *sum, const struct profile_process *row)
{
	sum->end_ns = row->end_ns;
	if (row->cpu_ns == UINT64_MAX || sum->cpu_ns > UINT64_MAX - 1 - row->cpu_ns)
		sum->cpu_ns = UINT64_MAX;
	else
		sum->cpu_ns += row->cpu_ns;
	if (row->peak_rss_bytes != UINT64_MAX &&
	    (sum->peak_rss_bytes == UINT64_MAX || row->peak_rss_bytes > sum->peak_rss_bytes))
		sum->peak_rss_bytes = row->peak_rss_bytes;
}

bool profile_first_process_sum(const struct profile *profile, struct profile_process *ret_sum)
{
	uint32_t last = profile_first_process(profile).v;

	if (last == 0)
		return false;
	*ret_sum = profile->processes[last];
	for (uint32_t i = last + 1; i < profile->process_count; i++)
		if (is_next_program(&profile->processes[last], &profile->processes[i])) {
			add_program(ret_sum, &profile->processes[i]);
			last = i;
		}
	return true;
}

static bool thread_is_called(const struct profile *profile, const struct profile_thread *thread,
			     const char *wanted)
{
	char tid[24];

	snprintf(tid, sizeof(tid), "%llu", (unsigned long long)thread->tid);
	return strcmp(tid, wanted) == 0 ||
	       (thread->name.v != 0 && strcmp(profile_string(profile, thread->name), wanted) == 0);
}

static bool thread_is_kept(const struct profile *profile, const struct selection *selection,
			   const struct profile_thread *thread, const uint8_t *first)
{
	const struct profile_process *process = &profile->processes[thread->process.v];

	if (selection->pid != 0 && process->pid != selection->pid)
		return false;
	if (selection->thread)
		return thread_is_called(profile, thread, selection->thread);
	if (selection->all_threads)
		return true;
	return thread->is_main && (selection->pid != 0 || first[thread->process.v]);
}

static int refuse_threads(const struct profile *profile, const struct selection *selection,
			  struct err *err)
{
	int code;

	if (selection->thread) {
		code =
		    err_set(err, ERR_USAGE, "no thread \"%s\" in this profile", selection->thread);
	} else {
		code = err_set(err, ERR_USAGE, "no process %u in this profile", selection->pid);
	}
	if (profile->thread_count > 1) {
		const struct profile_thread *thread = &profile->threads[1];
		err_why(err, "it has %u threads of %u processes; the first is \"%s\", tid %llu",
			profile->thread_count - 1, profile->process_count - 1,
			profile_string(profile, thread->name), (unsigned long long)thread->tid);
	} else {
		err_why(err, "it has no threads");
	}
	err_next(err, "leave the option out, or see them all with --threads all");
	return code;
}

static int keep_threads(struct sample_filter *filter, const struct profile *profile,
			const struct selection *selection, struct err *err)
{
	uint8_t *first = profile_first_process_programs(profile);
	bool any = false;

	filter->keeps_thread = mem_zalloc((size_t)profile->thread_count + 1, 1);
	if (!filter->keeps_thread || !first) {
		mem_free(first);
		return err_set(err, ERR_MEMORY, "no memory to select threads");
	}
	filter->keeps_thread[0] =
	    selection->all_threads && selection->pid == 0 && !selection->thread;
	for (uint32_t i = 1; i < profile->thread_count; i++) {
		bool kept = thread_is_kept(profile, selection, &profile->threads[i], first);
		filter->keeps_thread[i] = kept;
		any = any || kept;
	}
	mem_free(first);
	/* A profile with no main thread is empty, not wrong; a name that fits none is. */
	if (!any && (selection->thread || selection->pid != 0))
		return refuse_threads(profile, selection, err);
	return 0;
}

static bool file_contains(const struct profile *profile, const struct profile_function *function,
			  const char *text)
{
	return strstr(profile_string(profile, function->file), text) != NULL;
}

static bool function_contains(const struct profile *profile,
			      const struct profile_function *function, const char *text)
{
	return strstr(profile_string(profile, function->name), text) ||
	       file_contains(profile, function, text);
}

enum { MATCH_MODULE = 1, MATCH_TEXT = 2, MATCH_BOTH = 3 };

/* A stack matches when one of its frames does, module and text each for itself.
 * Parents have smaller ids, so one pass upwards does. */
static int keep_stacks(struct sample_filter *filter, const struct profile *profile,
		       const struct selection *selection, struct err *err)
{
	uint8_t *functions, *stacks;

	functions = mem_zalloc((size_t)profile->function_count + 1, 1);
	stacks = filter->keeps_stack = mem_zalloc((size_t)profile->stack_count + 1, 1);
	if (!functions || !stacks) {
		mem_free(functions);
		return err_set(err, ERR_MEMORY, "no memory to select stacks");
	}
	for (uint32_t i = 1; i < profile->function_count; i++) {
		const struct profile_function *function = &profile->functions[i];
		if (selection->module && file_contains(profile, function, selection->module))
			functions[i] |= MATCH_MODULE;
		if (selection->text && function_contains(profile, function, selection->text))
			functions[i] |= MATCH_TEXT;
	}
	stacks[0] = (selection->module ? 0 : MATCH_MODULE) | (selection->text ? 0 : MATCH_TEXT);
	for (uint32_t i = 1; i < profile->stack_count; i++) {
		const struct profile_stack *stack = &profile->stacks[i];
		uint32_t function = profile->frames[stack->frame.v].function.v;
		stacks[i] = stacks[stack->parent.v] | functions[function];
	}
	for (uint32_t i = 0; i < profile->stack_count || i == 0; i++)
		stacks[i] = stacks[i] == MATCH_BOTH;
	mem_free(functions);
	return 0;
}

int sample_filter_init(struct sample_filter *filter, const struct profile *profile,
		       const struct selection *selection, struct err *err)
{
	int rc;

	memset(filter, 0, sizeof(*filter));
	filter->on_cpu_only = selection->basis == BASIS_CPU;
	filter->has_window = selection->from_ns != 0 || selection->to_ns != 0;
	filter->from_ns = selection->from_ns;
	filter->to_ns = selection->to_ns != 0 ? selection->to_ns : UINT64_MAX;
	if (filter->has_window && filter->from_ns >= filter->to_ns) {
		rc = err_set(err, ERR_USAGE, "the time window is empty");
		err_why(err, "it starts at %.3f s and ends at %.3f s", filter->from_ns / 1e9,
			filter->to_ns / 1e9);
		err_next(err, "give an end that lies after the start");
		return rc;
	}
	if (filter->has_window && profile->meta.aggregated) {
		rc = err_set(err, ERR_USAGE, "no time window can be taken from sums");
		err_why(err, "this profile was read without the times of its samples");
		err_next(err, "read the recording with its time line");
		return rc;
	}
	rc = keep_threads(filter, profile, selection, err);
	if (rc == 0 && (selection->module || selection->text))
		rc = keep_stacks(filter, profile, selection, err);
	if (rc != 0)
		sample_filter_release(filter);
	return rc;
}

void sample_filter_release(struct sample_filter *filter)
{
	mem_free(filter->keeps_thread);
	mem_free(filter->keeps_stack);
	filter->keeps_thread = filter->keeps_stack = NULL;
}

bool sample_filter_keep(const void *context, const struct profile *profile,
			const struct profile_sample *sample)
{
	const struct sample_filter *filter = context;

	(void)profile;
	if (!filter->keeps_thread[sample->thread.v])
		return false;
	if (filter->on_cpu_only && sample->state != STATE_ON_CPU && sample->state != STATE_GC)
		return false;
	if (filter->has_window &&
	    (sample->time_ns < filter->from_ns || sample->time_ns >= filter->to_ns))
		return false;
	return !filter->keeps_stack || filter->keeps_stack[sample->stack.v];
}
