/* Chooses the verdict: what takes a large part of the time as a state wins over
 * the hottest line unless the line takes clearly more; see causes[]. */
#include "report/verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/filter.h"
#include "base/hash_map.h"
#include "report/answer.h"
#include "report/header_view.h"
#include "report/page.h"

/* From which share on a place is worth the sentence. */
#define PLACE_SHARE_MIN 0.15
/* The hottest line speaks for its function when it has this part of it. */
#define LINE_OF_FUNCTION_MIN 0.5
#define UNSEEN_SHARE_MIN 0.5
#define THIN_FUNCTIONS 10

struct cause {
	enum verdict_kind kind;
	double share_min;
	const char *sentence; /* after "62 % of the run " */
};

static const struct cause causes[] = {
    {VERDICT_WAITING, 0.50, "is spent waiting"},
    {VERDICT_RUNQUEUE, 0.20,
     "is spent ready to run but waiting for a CPU (the machine had too few)"},
    {VERDICT_GIL, 0.20, "is spent waiting for the interpreter lock, held by other threads"},
    {VERDICT_GC, 0.20, "goes into garbage collection"},
    {VERDICT_IMPORTS, 0.40, "goes into importing modules"},
};
#define CAUSE_COUNT (sizeof(causes) / sizeof(causes[0]))

static bool is_state(enum verdict_kind kind)
{
	return kind == VERDICT_WAITING || kind == VERDICT_RUNQUEUE || kind == VERDICT_GIL;
}

static double cause_share(const struct shares *shares, enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_WAITING:
		return shares->state[STATE_BLOCKED];
	case VERDICT_RUNQUEUE:
		return shares->state[STATE_RUNQUEUE];
	case VERDICT_GIL:
		return shares->state[STATE_GIL_WAIT];
	case VERDICT_GC:
		return shares->state[STATE_GC];
	case VERDICT_IMPORTS:
		return isnan(shares->import_total) ? 0 : shares->import_total;
	default:
		return 0;
	}
}

void scope_write(const struct selection *selection, char *text, size_t size)
{
	bool cpu = selection->basis == BASIS_CPU;
	const char *time = cpu ? "CPU time" : "time", *selected = "";
	char process[32] = "", name[NAME_TEXT_MAX];

	if (selection->pid != 0)
		snprintf(process, sizeof(process), " of process %u", selection->pid);
	if (selection->module != NULL || selection->text != NULL || selection->to_ns != 0 ||
	    selection->from_ns != 0)
		selected = "selected ";
	if (selection->thread != NULL)
		snprintf(text, size, "the %s%s of thread %s%s", selected, time,
			 text_name(name, sizeof(name), selection->thread), process);
	else if (selection->all_threads)
		snprintf(text, size, "the %s%s of all threads%s", selected, time, process);
	else if (cpu || *selected != '\0')
		snprintf(text, size, "the %s%s%s", selected, time, process);
	else
		snprintf(text, size, "the run%s", process);
}

/* "31 %", or "About 31 %" where the interval is wide. */
static void share_phrase(char *text, size_t size, double share, double effective_n)
{
	double n = effective_n > 0 ? effective_n : 1;
	double half = 1.96 * sqrt(share * (1 - share) / n);

	snprintf(text, size, "%s%.0f %%", half >= 0.05 ? "About " : "", share * 100);
}

static bool is_unknown(const struct profile *profile, struct function_id id)
{
	const char *name = profile_string(profile, profile->functions[id.v].name);

	return strcmp(name, "<torn>") == 0 || strcmp(name, "<truncated>") == 0;
}

/* The first row that names a real function, or NULL. */
static const struct share_row *first_known(const struct profile *profile,
					   const struct share_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i].function.v < profile->function_count &&
		    !is_unknown(profile, rows[i].function))
			return &rows[i];
	}
	return NULL;
}

static const char *row_file(const struct profile *profile, const struct share_row *row)
{
	return profile_string(profile, profile->functions[row->function.v].file);
}

/* "orders.py:44 (match)" for a line, "match (orders.py:41)" for a function
 * (line 0), or only the name where there is no file. */
static void place_phrase(const struct profile *profile, const struct share_row *row, char *text,
			 size_t size)
{
	char place[PLACE_TEXT_MAX], cut[NAME_TEXT_MAX];
	const char *name = text_name(cut, sizeof(cut), function_shown(profile, row->function));
	const char *file = row_file(profile, row);
	bool bare = *name != '('; /* "(module level)" has its brackets already */

	if (*file == '\0') {
		snprintf(text, size, "%s", name);
	} else if (row->line == 0) {
		text_place(place, sizeof(place), profile, file,
			   profile->functions[row->function.v].first_line);
		snprintf(text, size, "%s (%s)", name, place);
	} else {
		text_place(place, sizeof(place), profile, file, row->line);
		snprintf(text, size, "%s %s%s%s", place, bare ? "(" : "", name, bare ? ")" : "");
	}
}

/* The frame to blame for a wait: the nearest that is the program's own, as the
 * line to look at is not in the library that waits; without one, the innermost. */
static const struct profile_frame *own_frame(const struct profile *profile, struct stack_id stack,
					     bool *ret_innermost)
{
	const struct profile_frame *innermost = NULL;

	for (; stack.v != 0; stack = profile->stacks[stack.v].parent) {
		const struct profile_frame *frame =
		    &profile->frames[profile->stacks[stack.v].frame.v];
		const char *file =
		    profile_string(profile, profile->functions[frame->function.v].file);

		*ret_innermost = innermost == NULL;
		if (innermost == NULL)
			innermost = frame;
		if (*file != '\0' && !file_is_library(file))
			return frame;
	}
	*ret_innermost = true;
	return innermost;
}

/* Adds up the time blocked by (function, line) of own_frame; the heaviest. */
static int heaviest_wait(const struct profile *profile, const struct sample_filter *filter,
			 struct u64_map *sums, struct share_row *ret_row, bool *ret_innermost)
{
	uint64_t best_ns = 0, blocked_ns = 0;

	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		const struct profile_frame *frame;
		bool innermost;
		uint64_t key, sum = 0;

		if (sample->state != STATE_BLOCKED || !sample_filter_keep(filter, profile, sample))
			continue;
		blocked_ns += sample->weight_ns;
		frame = own_frame(profile, sample->stack, &innermost);
		if (frame == NULL)
			continue;
		key = (uint64_t)frame->function.v << 32 | frame->line;
		(void)u64_map_get(sums, key, &sum);
		sum += sample->weight_ns;
		if (u64_map_put(sums, key, sum) < 0)
			return -1;
		if (sum > best_ns) {
			best_ns = sum;
			*ret_row =
			    (struct share_row){.function = frame->function, .line = frame->line};
			*ret_innermost = innermost;
		}
	}
	return best_ns > 0 && best_ns >= blocked_ns / 2 ? 0 : -1;
}

/* ", most of it at …" when one place has at least half of the waiting; else "". */
static void waiting_place(const struct profile *profile, const struct selection *selection,
			  char *text, size_t size)
{
	char place[PLACE_TEXT_MAX + NAME_TEXT_MAX + 8];
	struct sample_filter filter;
	struct share_row row;
	struct u64_map sums;
	bool innermost = true;

	*text = '\0';
	if (sample_filter_init(&filter, profile, selection, NULL) < 0)
		return; /* the sentence is true without the place */
	u64_map_init(&sums, 0);
	if (heaviest_wait(profile, &filter, &sums, &row, &innermost) == 0 &&
	    !is_unknown(profile, row.function)) {
		place_phrase(profile, &row, place, sizeof(place));
		snprintf(text, size, ", most of it %s %s", innermost ? "at" : "called from", place);
	}
	u64_map_release(&sums);
	sample_filter_release(&filter);
}

/* "; the hottest line is …": where to look besides the cause; else "". */
static void hottest_place(const struct profile *profile, const struct shares *shares, char *text,
			  size_t size)
{
	const struct share_row *line = first_known(profile, shares->lines, shares->line_count);
	char place[PLACE_TEXT_MAX + NAME_TEXT_MAX + 8];

	*text = '\0';
	if (line == NULL || line->self < PLACE_SHARE_MIN)
		return;
	place_phrase(profile, line, place, sizeof(place));
	snprintf(text, size, "; the hottest line is %s", place);
}

static const struct cause *strongest_cause(const struct shares *shares)
{
	const struct cause *best = NULL;
	double best_share = 0;

	for (size_t i = 0; i < CAUSE_COUNT; i++) {
		double share = cause_share(shares, causes[i].kind);

		if (share >= causes[i].share_min && share > best_share) {
			best = &causes[i];
			best_share = share;
		}
	}
	return best;
}

static enum verdict_kind write_place(const struct profile *profile, const struct shares *shares,
				     const char *scope, char *text, size_t size)
{
	const struct share_row *line = first_known(profile, shares->lines, shares->line_count);
	const struct share_row *function =
	    first_known(profile, shares->functions, shares->function_count);
	char share[32], place[PLACE_TEXT_MAX + NAME_TEXT_MAX + 8];
	double together = 0;

	if (function == NULL) {
		snprintf(text, size, "No Python function was seen in %s.", scope);
		return VERDICT_UNSEEN;
	}
	if (line != NULL && line->self >= PLACE_SHARE_MIN &&
	    line->self >= LINE_OF_FUNCTION_MIN * function->self) {
		share_phrase(share, sizeof(share), line->self, shares->effective_n);
		place_phrase(profile, line, place, sizeof(place));
		snprintf(text, size, "%s of %s goes into %s.", share, scope, place);
		return VERDICT_LINE;
	}
	place_phrase(profile, function, place, sizeof(place));
	share_phrase(share, sizeof(share), function->self, shares->effective_n);
	if (function->self >= PLACE_SHARE_MIN) {
		snprintf(text, size, "%s of %s goes into %s, spread over its lines.", share, scope,
			 place);
		return VERDICT_FUNCTION;
	}
	for (size_t i = 0; i < shares->function_count && i < THIN_FUNCTIONS; i++)
		together += shares->functions[i].self;
	snprintf(text, size,
		 "The time is spread thin: the hottest function, %s, has %.0f %% of %s, "
		 "the first %zu together %.0f %%.",
		 place, function->self * 100, scope,
		 shares->function_count < THIN_FUNCTIONS ? shares->function_count
							 : (size_t)THIN_FUNCTIONS,
		 together * 100);
	return VERDICT_THIN;
}

static enum verdict_kind write_too_few(const struct shares *shares, const char *scope, char *text,
				       size_t size)
{
	char seconds[NUMBER_TEXT_MAX];

	if (shares->sample_count == 0) {
		snprintf(text, size, "Nothing to tell: no sample of %s was taken.", scope);
		return VERDICT_NOTHING;
	}
	snprintf(text, size, "Too few samples to tell: only %llu, standing for %s of %s.",
		 (unsigned long long)shares->sample_count,
		 text_seconds(seconds, sizeof(seconds), shares->weight_ns / 1e9), scope);
	return VERDICT_TOO_FEW;
}

enum verdict_kind verdict_write(const struct profile *profile, const struct selection *selection,
				const struct shares *shares, char *text, size_t size)
{
	const struct cause *cause = strongest_cause(shares);
	double line_share = shares->line_count > 0 ? shares->lines[0].self : 0;
	char scope[160], share[32], place[PLACE_TEXT_MAX + NAME_TEXT_MAX + 40] = "";
	double unseen, exact;

	/* What the kernel's clock contradicts is no verdict. */
	if (cause != NULL && is_state(cause->kind) &&
	    states_contradicted(profile, selection, shares, &exact))
		cause = NULL;
	scope_write(selection, scope, sizeof(scope));
	if (shares->sample_count < ANSWER_SAMPLES_MIN)
		return write_too_few(shares, scope, text, size);
	unseen = (double)shares->no_stack_count / (double)shares->sample_count;
	/* A line that takes clearly more than the cause says more than the cause. */
	if (cause != NULL && cause_share(shares, cause->kind) >= 0.8 * line_share) {
		share_phrase(share, sizeof(share), cause_share(shares, cause->kind),
			     shares->effective_n);
		if (cause->kind == VERDICT_WAITING)
			waiting_place(profile, selection, place, sizeof(place));
		else if (cause->kind != VERDICT_IMPORTS) /* it need not lie under an import */
			hottest_place(profile, shares, place, sizeof(place));
		snprintf(text, size, "%s of %s %s%s.", share, scope, cause->sentence, place);
		return cause->kind;
	}
	if (unseen >= UNSEEN_SHARE_MIN) {
		share_phrase(share, sizeof(share), unseen, shares->effective_n);
		snprintf(text, size, "%s of %s had no Python stack to read.", share, scope);
		return VERDICT_UNSEEN;
	}
	return write_place(profile, shares, scope, text, size);
}
