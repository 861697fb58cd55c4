/* Threads of a recording: see threads_view.h. */
#include "report/threads_view.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "report/functions_view.h"

#define TID_COLUMNS 9
#define SHARE_COLUMNS 9
#define SECONDS_COLUMNS 10
#define SAMPLES_COLUMNS 9
#define NAME_COLUMNS_MAX 20
#define NAME_COLUMNS_MIN 10
#define ALL_COLUMNS_FROM 72 /* narrower pages leave waiting and samples out */

struct thread_row {
	const struct profile_thread *thread;
	uint64_t samples;
};

static int by_samples(const void *a, const void *b)
{
	const struct thread_row *left = a, *right = b;

	if (left->samples != right->samples)
		return left->samples < right->samples ? 1 : -1;
	return left->thread < right->thread ? -1 : left->thread > right->thread;
}

static const char *thread_name(const struct profile *profile, const struct profile_thread *thread)
{
	const char *name = profile_string(profile, thread->name);

	return *name != '\0' ? name : thread->is_main ? "(main)" : "(unnamed)";
}

static bool is_narrow(const struct page *page)
{
	return page->columns < ALL_COLUMNS_FROM;
}

/* Columns up to the last, "mostly in". */
static size_t columns_used(const struct page *page, size_t name_width)
{
	size_t used = 2 + name_width + TID_COLUMNS + SECONDS_COLUMNS + SHARE_COLUMNS + 2;

	return is_narrow(page) ? used : used + SHARE_COLUMNS + SAMPLES_COLUMNS;
}

/* The widest name that leaves room for the numbers, and for some of the function's name. */
static size_t name_columns_max(const struct page *page)
{
	size_t others = columns_used(page, 0) + strlen("mostly in");

	if (page->columns >= others + NAME_COLUMNS_MAX)
		return NAME_COLUMNS_MAX;
	return page->columns > others + NAME_COLUMNS_MIN ? page->columns - others
							 : NAME_COLUMNS_MIN;
}

static void write_heading(const struct page *page, size_t name_width)
{
	fputs("  ", page->stream);
	page_cell(page, "thread", name_width, CUT_END, false, STYLE_DIM);
	page_cell(page, "tid", TID_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(page, "CPU", SECONDS_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(page, "on CPU", SHARE_COLUMNS, CUT_END, true, STYLE_DIM);
	if (!is_narrow(page)) {
		page_cell(page, "waiting", SHARE_COLUMNS, CUT_END, true, STYLE_DIM);
		page_cell(page, "samples", SAMPLES_COLUMNS, CUT_END, true, STYLE_DIM);
	}
	if (page->columns >= columns_used(page, name_width) + strlen("mostly in")) {
		fputs("  ", page->stream);
		page_cell(page, "mostly in", strlen("mostly in"), CUT_END, false, STYLE_DIM);
	}
	fputc('\n', page->stream);
}

static void write_share(const struct page *page, const struct shares *shares, double share)
{
	char text[NUMBER_TEXT_MAX] = "";

	if (shares->sample_count > 0)
		text_percent(text, sizeof(text), share, shares_decimals(shares));
	page_cell(page, text, SHARE_COLUMNS, CUT_END, true, STYLE_PLAIN);
}

static void write_row(const struct page *page, const struct profile *profile,
		      const struct thread_row *row, const struct shares *shares, size_t name_width)
{
	const double *state = shares->state;
	char text[NUMBER_TEXT_MAX] = "unknown";
	size_t used = columns_used(page, name_width);

	fputs("  ", page->stream);
	page_cell(page, thread_name(profile, row->thread), name_width, CUT_MIDDLE, false,
		  row->thread->is_main ? STYLE_BOLD : STYLE_PLAIN);
	fprintf(page->stream, "%*llu", TID_COLUMNS, (unsigned long long)row->thread->tid);
	if (row->thread->on_cpu_ns != UINT64_MAX)
		text_seconds(text, sizeof(text), (double)row->thread->on_cpu_ns / 1e9);
	page_cell(page, text, SECONDS_COLUMNS, CUT_END, true, STYLE_PLAIN);
	write_share(page, shares, state[STATE_ON_CPU] + state[STATE_GC]);
	if (!is_narrow(page)) {
		write_share(page, shares,
			    state[STATE_BLOCKED] + state[STATE_RUNQUEUE] + state[STATE_GIL_WAIT]);
		page_cell(page, text_count(text, sizeof(text), row->samples), SAMPLES_COLUMNS,
			  CUT_END, true, STYLE_PLAIN);
	}
	if (shares->function_count > 0 && page->columns > used) {
		const char *name = function_shown(profile, shares->functions[0].function);
		size_t width = text_display_width(name);

		fputs("  ", page->stream);
		if (width > page->columns - used)
			width = page->columns - used;
		page_cell(page, name, width, CUT_MIDDLE, false, STYLE_PLAIN);
	}
	fputc('\n', page->stream);
}

/* The shares of one thread alone, found by its tid within its process. */
static int thread_shares(const struct profile *profile, const struct selection *selection,
			 const struct profile_thread *thread, struct shares *ret_shares,
			 struct err *err)
{
	struct selection one = *selection;
	char tid[24];

	snprintf(tid, sizeof(tid), "%llu", (unsigned long long)thread->tid);
	one.thread = tid;
	one.all_threads = true;
	one.pid = profile->processes[thread->process.v].pid;
	return shares_compute(profile, &one, ret_shares, err);
}

static struct thread_row *collect(const struct profile *profile, const struct selection *selection,
				  size_t *ret_count)
{
	struct thread_row *rows = mem_zalloc((size_t)profile->thread_count + 1, sizeof(*rows));
	size_t count = 0;

	if (rows == NULL)
		return NULL;
	for (uint32_t i = 0; i < profile->thread_count; i++)
		rows[i].thread = &profile->threads[i];
	for (size_t i = 0; i < profile->sample_count; i++)
		rows[profile->samples[i].thread.v].samples += profile->samples[i].count;
	for (uint32_t i = 1; i < profile->thread_count; i++) {
		uint32_t pid = profile->processes[profile->threads[i].process.v].pid;

		if (selection->pid == 0 || pid == selection->pid)
			rows[count++] = rows[i];
	}
	qsort(rows, count, sizeof(*rows), by_samples);
	*ret_count = count;
	return rows;
}

int threads_view_write(const struct page *page, const struct profile *profile,
		       const struct selection *selection, size_t limit, struct err *err)
{
	size_t count = 0, name_width = strlen("thread"), name_max = name_columns_max(page);
	struct thread_row *rows = collect(profile, selection, &count);
	int r = 0;

	if (rows == NULL)
		return err_set(err, ERR_MEMORY, "no memory for %u threads", profile->thread_count);
	for (size_t i = 0; i < count && i < limit; i++) {
		size_t width = text_display_width(thread_name(profile, rows[i].thread));

		if (width > name_width)
			name_width = width < name_max ? width : name_max;
	}
	if (count > 0)
		write_heading(page, name_width);
	for (size_t i = 0; i < count && i < limit && r == 0; i++) {
		struct shares shares;

		r = thread_shares(profile, selection, rows[i].thread, &shares, err);
		if (r < 0)
			break;
		write_row(page, profile, &rows[i], &shares, name_width);
		shares_release(&shares);
	}
	if (r == 0 && count > limit) {
		char text[96];

		snprintf(text, sizeof(text), "and %zu more threads: --limit N", count - limit);
		page_sentence(page, 2, STYLE_DIM, text);
	}
	mem_free(rows);
	return r;
}
