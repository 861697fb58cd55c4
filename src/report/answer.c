/* The answer, from the verdict down to how it was measured: see answer.h. */
#include "report/answer.h"

#include <math.h>
#include <string.h>

#include "analysis/diff.h"
#include "analysis/filter.h"
#include "base/arena.h"
#include "base/err.h"
#include "report/functions_view.h"
#include "report/header_view.h"
#include "report/page.h"
#include "report/processes_view.h"
#include "report/verdict.h"

#define FUNCTIONS_DEFAULT 10
#define PROCESSES_SHOWN 6
#define CHANGES_SHOWN 3
/* Other threads are mentioned when they used this part of the main thread's CPU time. */
#define THREADS_TO_MENTION 0.05

static void write_changes(const struct page *page, const struct profile *profile,
			  const struct answer_options *options, const struct selection *selection)
{
	struct profile_diff diff;
	struct flow flow;
	char before[NUMBER_TEXT_MAX], now[NUMBER_TEXT_MAX];
	size_t shown = 0;

	/* What does not compare is not worth a line here: `diff` says why. */
	if (options->previous == NULL ||
	    profile_diff_compute(options->previous, profile, selection, &diff, NULL) < 0)
		return;
	flow_begin(&flow, page, 2, 4, "  ");
	flow_item(&flow, STYLE_DIM, "since the last recording of this command:");
	for (size_t i = 0; i < diff.row_count && shown < CHANGES_SHOWN; i++) {
		const struct diff_row *row = &diff.rows[i];
		char name[NAME_TEXT_MAX];

		if (!row->significant)
			continue;
		flow_item(&flow, STYLE_PLAIN, "%s %s%.1f %s %.1f points",
			  text_name(name, sizeof(name), row->name),
			  row->change < 0 ? page_minus(page) : "+", fabs(row->change) * 100,
			  page_plus_minus(page), (row->change_high - row->change_low) / 2 * 100);
		shown++;
	}
	if (shown == 0)
		flow_item(&flow, STYLE_PLAIN, "no share changed beyond chance");
	if (isfinite(diff.wall_a_s) && isfinite(diff.wall_b_s))
		flow_item(&flow, STYLE_DIM, "(%s then, %s now: one run each)",
			  text_seconds(before, sizeof(before), diff.wall_a_s),
			  text_seconds(now, sizeof(now), diff.wall_b_s));
	flow_end(&flow);
	profile_diff_release(&diff);
}

/* Threads that the default selection leaves out, when they matter. */
static void write_other_threads(const struct page *page, const struct profile *profile,
				const struct selection *selection)
{
	double main_ns = 0, others_ns = 0;
	unsigned others = 0;
	uint8_t *first;
	char text[200], seconds[NUMBER_TEXT_MAX];

	if (selection->all_threads || selection->thread != NULL)
		return;
	first = profile_first_process_programs(profile);
	for (uint32_t i = 1; first && i < profile->thread_count; i++) {
		const struct profile_thread *thread = &profile->threads[i];

		if (thread->on_cpu_ns == UINT64_MAX || !first[thread->process.v])
			continue;
		if (thread->is_main) {
			main_ns += (double)thread->on_cpu_ns;
		} else {
			others_ns += (double)thread->on_cpu_ns;
			others++;
		}
	}
	mem_free(first);
	if (others == 0 || others_ns < THREADS_TO_MENTION * main_ns)
		return;
	snprintf(text, sizeof(text),
		 "this is the main thread; %u other thread%s used %s CPU: --threads all", others,
		 others == 1 ? "" : "s", text_seconds(seconds, sizeof(seconds), others_ns / 1e9));
	page_sentence(page, 2, STYLE_PLAIN, text);
}

static void write_next(const struct page *page, const struct answer_options *options)
{
	const char *path = options->recording_path;

	if (path == NULL)
		return;
	page_command(page, 2, "recording ", path);
	page_command(page, 2, "next       pyrometer report --lines", path);
	page_command(page, 2, "           pyrometer report --tree", path);
}

/* Too few samples: what would give more, as a command where it fits. */
static void write_too_few_advice(const struct page *page, const struct profile *profile)
{
	const char *command = profile->meta.command;
	char text[512];

	page_sentence(page, 2, STYLE_PLAIN,
		      "To see more, let the program do its work several times over, or sample it "
		      "as fast as it goes:");
	snprintf(text, sizeof(text), "pyrometer run --rate max -- %s",
		 command != NULL ? command : "PROGRAM");
	if (text_display_width(text) + 4 > page->columns)
		snprintf(text, sizeof(text), "pyrometer run --rate max -- ...");
	page_command(page, 4, text, NULL);
}

static void write_table_title(const struct selection *selection, enum share_sort sort, char *title,
			      size_t size)
{
	char scope[160];

	scope_write(selection, scope, sizeof(scope));
	if (strcmp(scope, "the run") == 0)
		snprintf(title, size, "where the time went");
	else
		snprintf(title, size, "shares of %.80s", scope);
	if (sort == SORT_TOTAL)
		strncat(title, ", by total", size - strlen(title) - 1);
}

static void write_body(const struct page *page, const struct profile *profile,
		       const struct answer_options *options, const struct selection *selection,
		       struct shares *shares, enum verdict_kind kind)
{
	size_t limit = options->limit > 0 ? options->limit : FUNCTIONS_DEFAULT;
	char title[128];

	if (kind == VERDICT_TOO_FEW || kind == VERDICT_NOTHING) {
		write_too_few_advice(page, profile);
		functions_view_write_counts(page, profile, shares, limit);
		return;
	}
	states_write(page, shares);
	write_table_title(selection, options->sort, title, sizeof(title));
	shares_sort(shares, options->sort);
	if (shares->function_count > 0) {
		page_blank(page);
		functions_view_write(page, profile, shares, title, limit);
	}
	page_blank(page);
	write_changes(page, profile, options, selection);
	write_other_threads(page, profile, selection);
}

int report_answer(const struct profile *profile, const struct answer_options *options, FILE *stream,
		  const struct terminal *terminal, struct err *err)
{
	static const struct selection everything = {0};
	const struct selection *selection =
	    options->selection != NULL ? options->selection : &everything;
	struct page page;
	struct shares shares;
	char verdict[VERDICT_TEXT_MAX];
	enum verdict_kind kind;
	int r = shares_compute(profile, selection, &shares, err);

	if (r < 0)
		return r;
	page_init(&page, stream, terminal);
	kind = verdict_write(profile, selection, &shares, verdict, sizeof(verdict));
	page_sentence(&page, 0, STYLE_BOLD, verdict);
	header_write(&page, profile, selection, &shares);
	write_body(&page, profile, options, selection, &shares, kind);
	if (processes_view_write(&page, profile, PROCESSES_SHOWN, true))
		page_blank(&page);
	warnings_write(&page, profile, selection, &shares, options->damage);
	write_next(&page, options);
	samples_write(&page, profile, &shares);
	shares_release(&shares);
	return stream_finish(stream, "the report", err);
}
