/* Header, states, samples and warnings of a report: see header_view.h. */
#include "report/header_view.h"

#include <math.h>
#include <string.h>

#include "analysis/filter.h"
#include "base/arena.h"
#include "report/answer.h"
#include "report/functions_view.h"

#define UNSEEN_SHARE_TO_MENTION 0.02
#define MISSED_SHARE_TO_WARN 0.05
#define STATES_DISAGREE_MIN 0.10 /* between samples and the kernel's clock */

double profile_wall_s(const struct profile *profile)
{
	struct profile_process process;

	if (profile_first_process_sum(profile, &process) && process.end_ns > process.start_ns)
		return (double)(process.end_ns - process.start_ns) / 1e9;
	return profile->meta.duration_ns > 0 ? (double)profile->meta.duration_ns / 1e9 : NAN;
}

/* The next blank-separated word of a command; its length, 0 at the end. */
static size_t next_word(const char **cursor)
{
	*cursor += strspn(*cursor, " ");
	return strcspn(*cursor, " ");
}

static void copy_base_name(char *text, size_t size, const char *word, size_t length)
{
	size_t start = length;

	while (start > 0 && word[start - 1] != '/')
		start--;
	snprintf(text, size, "%.*s", (int)(length - start), word + start);
}

char *program_name(char *text, size_t size, const char *command)
{
	const char *cursor = command == NULL ? "" : command;
	size_t length = next_word(&cursor);

	if (length == 0) {
		snprintf(text, size, "(command unknown)");
		return text;
	}
	copy_base_name(text, size, cursor, length);
	if (strncmp(text, "python", 6) != 0)
		return text;
	/* An interpreter: the script or module says more. */
	for (cursor += length; (length = next_word(&cursor)) > 0; cursor += length) {
		if (cursor[0] != '-') {
			copy_base_name(text, size, cursor, length);
			return text;
		}
		if (length == 2 && cursor[1] == 'm') {
			cursor += length;
			length = next_word(&cursor);
			if (length > 0)
				snprintf(text, size, "-m %.*s", (int)length, cursor);
			return text;
		}
		if (length == 2 && cursor[1] == 'c') {
			snprintf(text, size, "python -c");
			return text;
		}
		if (length == 2 && (cursor[1] == 'X' || cursor[1] == 'W')) {
			cursor += length; /* -X and -W take a value */
			length = next_word(&cursor);
		}
	}
	return text;
}

void header_write(const struct page *page, const struct profile *profile,
		  const struct selection *selection, const struct shares *shares)
{
	struct profile_process process;
	bool any = profile_first_process_sum(profile, &process);
	const struct profile_meta *meta = &profile->meta;
	char text[NAME_TEXT_MAX], number[NUMBER_TEXT_MAX];
	const char *python = meta->python;
	struct flow flow;

	if (python == NULL && any)
		python = profile_string(profile, process.python);
	flow_begin(&flow, page, 0, 2, "  ");
	flow_item(&flow, STYLE_BOLD, "%s", program_name(text, sizeof(text), meta->command));
	if (python != NULL && *python != '\0')
		flow_item(&flow, STYLE_PLAIN, "CPython %s", python);
	flow_item(&flow, STYLE_PLAIN, "%s wall",
		  text_seconds(number, sizeof(number), profile_wall_s(profile)));
	if (any && process.cpu_ns != UINT64_MAX)
		flow_item(&flow, STYLE_PLAIN, "%s CPU",
			  text_seconds(number, sizeof(number), (double)process.cpu_ns / 1e9));
	if (any && process.peak_rss_bytes != UINT64_MAX)
		flow_item(&flow, STYLE_PLAIN, "peak memory %s",
			  text_bytes(number, sizeof(number), process.peak_rss_bytes));
	if (selection->basis == BASIS_WALL && !selection->all_threads && shares->sample_count > 0 &&
	    !isnan(shares->import_total) && shares->import_total >= 0.005)
		flow_item(&flow, STYLE_PLAIN, "imports %s",
			  text_seconds(number, sizeof(number),
				       shares->import_total * shares->weight_ns / 1e9));
	if (meta->exit_status > 0)
		flow_item(&flow, STYLE_YELLOW, "exit status %d", (int)meta->exit_status);
	flow_end(&flow);
}

void states_write(const struct page *page, const struct shares *shares)
{
	static const struct {
		enum sample_state state;
		const char *name;
	} rows[] = {
	    {STATE_ON_CPU, "on CPU"},
	    {STATE_BLOCKED, "waiting"},
	    {STATE_RUNQUEUE, "waiting for a CPU"},
	    {STATE_GIL_WAIT, "waiting for the GIL"},
	    {STATE_GC, "garbage collection"},
	    {STATE_UNKNOWN, "state unknown"},
	};
	int decimals = shares_decimals(shares);
	double shown_min = decimals == 1 ? 0.0005 : 0.005;
	struct flow flow;
	bool any = false;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char share[NUMBER_TEXT_MAX];

		if (shares->state[rows[i].state] < shown_min)
			continue;
		if (!any)
			flow_begin(&flow, page, 2, 2, "   ");
		any = true;
		flow_item(
		    &flow, STYLE_PLAIN, "%s %s", rows[i].name,
		    text_percent(share, sizeof(share), shares->state[rows[i].state], decimals));
	}
	if (any)
		flow_end(&flow);
}

static const char *reader_phrase(const struct sample_counts *counts)
{
	if (counts->same_core >= counts->other_core && counts->same_core >= counts->stopped)
		return counts->same_core > 0 ? "read on its own core" : NULL;
	return counts->other_core >= counts->stopped ? "read from another core"
						     : "read while it was stopped";
}

static void count_item(struct flow *flow, uint64_t count, const char *what)
{
	char number[NUMBER_TEXT_MAX];

	if (count > 0)
		flow_item(flow, STYLE_DIM, "%s %s", text_count(number, sizeof(number), count),
			  what);
}

void samples_write(const struct page *page, const struct profile *profile,
		   const struct shares *shares)
{
	const struct profile_meta *meta = &profile->meta;
	const struct sample_counts *counts = &meta->counts;
	const char *reader = reader_phrase(counts);
	uint64_t taken = counts->valid + counts->torn;
	char number[NUMBER_TEXT_MAX];
	double duration_ns = (double)meta->duration_ns;
	struct flow flow;

	flow_begin(&flow, page, 2, 2, ", ");
	flow_item(&flow, STYLE_DIM, "%s sample%s", text_count(number, sizeof(number), taken),
		  taken == 1 ? "" : "s");
	if (shares->sample_count < taken)
		flow_item(&flow, STYLE_DIM, "%s of them in this selection",
			  text_count(number, sizeof(number), shares->sample_count));
	count_item(&flow, counts->torn, "torn");
	count_item(&flow, counts->failed, "failed");
	count_item(&flow, counts->missed, "missed");
	if (isfinite(meta->rate_hz) && meta->rate_hz > 0)
		flow_item(&flow, STYLE_DIM, "%s a second%s",
			  text_count(number, sizeof(number), (uint64_t)(meta->rate_hz + 0.5)),
			  meta->budget > 0 ? "" : " as asked");
	if (reader != NULL)
		flow_item(&flow, STYLE_DIM, "%s", reader);
	flow_end(&flow);
	if (duration_ns <= 0)
		return;
	flow_begin(&flow, page, 2, 2, " ");
	flow_item(&flow, STYLE_DIM, "Pyrometer used %.1f %% of a core",
		  (double)meta->self_cpu_ns / duration_ns * 100);
	if (meta->stolen_ns != UINT64_MAX)
		flow_item(&flow, STYLE_DIM, "and took %.1f %% of the program's time",
			  (double)meta->stolen_ns / duration_ns * 100);
	flow_end(&flow);
}

static void warn(const struct page *page, const char *text)
{
	char sentence[1024];

	snprintf(sentence, sizeof(sentence), "note: %s", text);
	page_sentence(page, 2, STYLE_YELLOW, sentence);
}

/* The main thread's share on the CPU by the kernel's own clock; NAN when the
 * selection is another, or it is not known. */
static double exact_on_cpu(const struct profile *profile, const struct selection *selection)
{
	double on_cpu_ns = 0, alive_ns = 0;
	uint8_t *first;

	if (selection->all_threads || selection->basis != BASIS_WALL || selection->pid != 0 ||
	    selection->thread != NULL || selection->module != NULL || selection->text != NULL ||
	    selection->from_ns != 0 || selection->to_ns != 0)
		return NAN;
	first = profile_first_process_programs(profile);
	for (uint32_t i = 1; first && i < profile->thread_count; i++) {
		const struct profile_thread *thread = &profile->threads[i];

		if (!thread->is_main || !first[thread->process.v] ||
		    thread->on_cpu_ns == UINT64_MAX || thread->end_ns <= thread->start_ns)
			continue;
		on_cpu_ns += (double)thread->on_cpu_ns;
		alive_ns += (double)(thread->end_ns - thread->start_ns);
	}
	mem_free(first);
	return alive_ns > 0 ? on_cpu_ns / alive_ns : NAN;
}

bool states_contradicted(const struct profile *profile, const struct selection *selection,
			 const struct shares *shares, double *ret_exact)
{
	double exact = exact_on_cpu(profile, selection);
	double sampled = shares->state[STATE_ON_CPU] + shares->state[STATE_GC];

	*ret_exact = exact;
	return !isnan(exact) && shares->effective_n >= 100 &&
	       fabs(exact - sampled) >= STATES_DISAGREE_MIN;
}

static void warn_of_states(const struct page *page, const struct profile *profile,
			   const struct selection *selection, const struct shares *shares)
{
	char text[256];
	double exact;

	if (!states_contradicted(profile, selection, shares, &exact))
		return;
	snprintf(text, sizeof(text),
		 "the samples say %.0f %% on CPU, the kernel's clock %.0f %%: believe the kernel, "
		 "and the states above with care",
		 (shares->state[STATE_ON_CPU] + shares->state[STATE_GC]) * 100, exact * 100);
	warn(page, text);
}

void warnings_write(const struct page *page, const struct profile *profile,
		    const struct selection *selection, const struct shares *shares,
		    const char *damage)
{
	const struct profile_meta *meta = &profile->meta;
	const struct sample_counts *counts = &meta->counts;
	char text[1024], number[NUMBER_TEXT_MAX];
	double samples = (double)shares->sample_count;

	if (damage != NULL && *damage != '\0')
		warn(page, damage);
	else if (!meta->complete)
		warn(page, "the recording was not finished; up to its last second may be missing");
	warn_of_states(page, profile, selection, shares);
	if (counts->scheduled >= ANSWER_SAMPLES_MIN &&
	    (double)(counts->missed + counts->failed) >
		MISSED_SHARE_TO_WARN * (double)counts->scheduled) {
		snprintf(text, sizeof(text),
			 "%.0f %% of the planned samples were missed or failed; the shares are of "
			 "those that were taken",
			 (double)(counts->missed + counts->failed) / (double)counts->scheduled *
			     100);
		warn(page, text);
	}
	if (samples >= ANSWER_SAMPLES_MIN &&
	    (double)shares->no_stack_count > UNSEEN_SHARE_TO_MENTION * samples) {
		snprintf(text, sizeof(text),
			 "%.1f %% of the samples have no Python stack (start, end, %s)",
			 (double)shares->no_stack_count / samples * 100,
			 meta->timeline_dropped > 0 ? "no Python running, or no room: --max-size"
						    : "or no Python running");
		warn(page, text);
	}
	if (counts->stacks_truncated > 0) {
		snprintf(text, sizeof(text),
			 "%s stacks were deeper than what is read; their roots "
			 "are cut off",
			 text_count(number, sizeof(number), counts->stacks_truncated));
		warn(page, text);
	}
	if (meta->timeline_dropped > 0) {
		snprintf(text, sizeof(text),
			 "%s samples are in the sums only, not on the time "
			 "line (--max-size)",
			 text_count(number, sizeof(number), meta->timeline_dropped));
		warn(page, text);
	}
}
