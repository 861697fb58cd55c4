/* The page of `compare`: see compare_view.h. JSON is in compare_json.c. */
#include "report/compare_view.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "report/bench_numbers.h"
#include "report/page.h"

#define COLUMNS_WANTED 80
#define CHANGE_COLUMNS 12
#define INTERVAL_COLUMNS 20
#define PAIRS_COLUMNS 7
#define VERDICT_COLUMNS 14
#define NAME_COLUMNS_MIN 12

static const struct {
	const char *word;
	enum style style;
} verdict_words[] = {
    [VERDICT_PASS] = {"pass", STYLE_GREEN},
    [VERDICT_REGRESSION] = {"regression", STYLE_RED},
    [VERDICT_IMPROVEMENT] = {"improvement", STYLE_GREEN},
    [VERDICT_CANNOT_TELL] = {"cannot tell", STYLE_YELLOW},
    [VERDICT_NOT_MEASURED] = {"not measured", STYLE_RED},
};

enum verdict comparison_verdict(const struct comparison *comparison)
{
	enum verdict verdict = VERDICT_PASS;

	if (comparison->row_count == 0)
		return VERDICT_NOT_MEASURED;
	for (size_t i = 0; i < comparison->row_count; i++)
		verdict = verdict_worse(verdict, comparison->rows[i].verdict);
	return verdict;
}

/* ---- The sentence of one benchmark ---- */

/* "+4.2" of a log ratio in percent; from a doubling on the factor. */
static void signed_text(char *text, size_t size, double log_ratio, bool percent_sign)
{
	double percent = expm1(log_ratio) * 100;

	if (!isfinite(log_ratio))
		snprintf(text, size, "unknown");
	else if (percent >= 99.95)
		snprintf(text, size, "x%.2f", exp(log_ratio));
	else
		snprintf(text, size, "%+.*f%s", fabs(percent) < 0.995 ? 2 : 1, percent,
			 percent_sign ? " %" : "");
}

static const struct benchmark *measured(const struct comparison_row *row)
{
	const struct bench_results *results = row->result->a;

	return results != NULL && results->benchmark_count > 0 ? &results->benchmarks[0] : NULL;
}

/* What B does with more or less of it: time is taken, memory needed, a tracked number given. */
static void change_words(const struct comparison_row *row, bool more, const char **ret_verb,
			 const char **ret_end)
{
	const struct benchmark *benchmark = measured(row);
	enum bench_kind kind = benchmark != NULL ? benchmark->kind : BENCH_TIME;

	*ret_verb = kind == BENCH_PEAK_MEMORY ? "needs" : kind == BENCH_TRACK ? "gives" : "takes";
	*ret_end = kind == BENCH_PEAK_MEMORY ? (more ? "more memory" : "less memory")
		   : kind == BENCH_TRACK     ? (more ? "more" : "less")
		   : more		     ? "longer"
					     : "less time";
}

static void change_sentence(const struct comparison_row *row, char *text, size_t size)
{
	const struct sequential_state *state = &row->result->state;
	char change[BENCH_NUMBER_MAX], low[BENCH_NUMBER_MAX], high[BENCH_NUMBER_MAX];
	const char *verb, *end;

	change_words(row, state->location > 0, &verb, &end);
	if (row->result->exact) {
		snprintf(text, size, "B %s %s %s, the same each time", verb,
			 ratio_text(change, sizeof(change), state->location), end);
		return;
	}
	/* A factor, where it is one, speaks of the same direction as the sentence. */
	ratio_text(change, sizeof(change), state->location);
	if (state->location > 0 && expm1(state->location) < 0.9995) {
		snprintf(text, size, "B %s %s %s (%.1f to %.1f)", verb, change, end,
			 expm1(state->low) * 100, expm1(state->high) * 100);
	} else if (state->location > 0) {
		snprintf(text, size, "B %s %.2f times as %s (%.2f to %.2f)", verb,
			 exp(state->location), strcmp(end, "longer") == 0 ? "long" : "much",
			 exp(state->low), exp(state->high));
	} else {
		snprintf(low, sizeof(low), "%.1f", -expm1(state->high) * 100);
		snprintf(high, sizeof(high), "%.1f", -expm1(state->low) * 100);
		snprintf(text, size, "B %s %s %s (%s to %s)", verb, change, end, low, high);
	}
}

/* How many more pairs, and how long they take, would tell the tolerance. */
static void more_pairs(const struct comparison *comparison, const struct comparison_row *row,
		       char *text, size_t size)
{
	const struct pairing_result *result = row->result;
	double cost = result->pair_cost_s;
	char tolerance[BENCH_NUMBER_MAX], seconds[NUMBER_TEXT_MAX];
	size_t more;

	*text = '\0';
	if (result->state.pairs_needed == SIZE_MAX ||
	    result->state.pairs_needed <= result->pair_count)
		return;
	if (!(cost > 0) && result->pair_count > 0)
		cost = result->elapsed_s / (double)result->pair_count;
	more = result->state.pairs_needed - result->pair_count;
	ratio_text(tolerance, sizeof(tolerance), comparison->tolerance);
	if (cost > 0)
		snprintf(text, size, "; %zu more pair%s (%s) would tell %s", more,
			 more == 1 ? "" : "s",
			 text_seconds(seconds, sizeof(seconds), cost * (double)more), tolerance);
	else
		snprintf(text, size, "; %zu more pair%s would tell %s", more, more == 1 ? "" : "s",
			 tolerance);
}

static void cannot_tell_sentence(const struct comparison *comparison,
				 const struct comparison_row *row, char *text, size_t size)
{
	const struct sequential_state *state = &row->result->state;
	char seen[BENCH_NUMBER_MAX], more[160];

	more_pairs(comparison, row, more, sizeof(more));
	if (!isfinite(state->detectable))
		snprintf(text, size, "cannot tell: %zu pair%s tell%s nothing of a difference yet%s",
			 row->result->pair_count, row->result->pair_count == 1 ? "" : "s",
			 row->result->pair_count == 1 ? "s" : "", more);
	else
		snprintf(text, size, "cannot tell: a difference of %s would have been seen%s",
			 ratio_text(seen, sizeof(seen), state->detectable), more);
}

static void pass_sentence(const struct comparison *comparison, const struct comparison_row *row,
			  char *text, size_t size)
{
	const struct sequential_state *state = &row->result->state;
	char tolerance[BENCH_NUMBER_MAX], low[BENCH_NUMBER_MAX], high[BENCH_NUMBER_MAX];

	if (row->result->exact) {
		snprintf(text, size, "no difference: A and B give the same value each time");
		return;
	}
	signed_text(low, sizeof(low), state->low, false);
	signed_text(high, sizeof(high), state->high, true);
	snprintf(text, size, "no difference beyond %s (B against A: %s to %s)",
		 ratio_text(tolerance, sizeof(tolerance), comparison->tolerance), low, high);
}

char *comparison_sentence(const struct comparison *comparison, const struct comparison_row *row,
			  char *text, size_t size)
{
	switch (row->verdict) {
	case VERDICT_PASS:
		pass_sentence(comparison, row, text, size);
		break;
	case VERDICT_REGRESSION:
	case VERDICT_IMPROVEMENT:
		change_sentence(row, text, size);
		break;
	case VERDICT_CANNOT_TELL:
		cannot_tell_sentence(comparison, row, text, size);
		break;
	case VERDICT_NOT_MEASURED:
		snprintf(text, size, "not measured: %s",
			 row->result->failure != NULL ? row->result->failure : "no reason known");
		break;
	}
	return text;
}

/* ---- The verdict over all ---- */

static void write_counts(const struct page *page, const struct comparison *comparison)
{
	size_t counts[VERDICT_NOT_MEASURED + 1] = {0};
	struct flow flow;

	for (size_t i = 0; i < comparison->row_count; i++)
		counts[comparison->rows[i].verdict]++;
	flow_begin(&flow, page, 0, 2, ", ");
	flow_item(&flow, STYLE_BOLD, "%zu benchmarks", comparison->row_count);
	for (int verdict = VERDICT_PASS; verdict <= VERDICT_NOT_MEASURED; verdict++) {
		if (counts[verdict] > 0)
			flow_item(&flow, verdict_words[verdict].style, "%zu %s", counts[verdict],
				  verdict_words[verdict].word);
	}
	flow_end(&flow);
}

static const struct comparison_row *worst_row(const struct comparison *comparison)
{
	const struct comparison_row *worst = NULL;
	enum verdict verdict = comparison_verdict(comparison);

	for (size_t i = 0; i < comparison->row_count; i++) {
		const struct comparison_row *row = &comparison->rows[i];

		if (row->verdict == verdict &&
		    (worst == NULL ||
		     fabs(row->result->state.location) > fabs(worst->result->state.location)))
			worst = row;
	}
	return worst;
}

static void write_verdict(const struct page *page, const struct comparison *comparison)
{
	char text[COMPARISON_TEXT_MAX + NAME_TEXT_MAX + 8], sentence[COMPARISON_TEXT_MAX];
	const struct comparison_row *row = worst_row(comparison);
	char name[NAME_TEXT_MAX];

	if (row == NULL) {
		page_sentence(page, 0, STYLE_BOLD, "not measured: there is no benchmark");
		return;
	}
	comparison_sentence(comparison, row, sentence, sizeof(sentence));
	if (comparison->row_count == 1)
		snprintf(text, sizeof(text), "%s.", sentence);
	else
		snprintf(text, sizeof(text), "%s: %s.", text_name(name, sizeof(name), row->name),
			 sentence);
	page_sentence(page, 0, STYLE_BOLD, text);
	if (comparison->row_count > 1)
		write_counts(page, comparison);
}

static void write_side(const struct page *page, const char *name,
		       const struct comparison_side *side)
{
	struct flow flow;

	flow_begin(&flow, page, 2, 4, "  ");
	flow_item(&flow, STYLE_BOLD, "%s", name);
	flow_item(&flow, STYLE_PLAIN, "%s", side->label != NULL ? side->label : "(unnamed)");
	if (side->revision != NULL)
		flow_item(&flow, STYLE_DIM, "%.12s", side->revision);
	if (side->python != NULL)
		flow_item(&flow, STYLE_PLAIN, "%s", side->python);
	if (side->subject != NULL)
		flow_item(&flow, STYLE_DIM, "%s", side->subject);
	flow_end(&flow);
}

/* ---- The table ---- */

static size_t name_columns(const struct page *page)
{
	size_t fixed = 2 + CHANGE_COLUMNS + INTERVAL_COLUMNS + PAIRS_COLUMNS + 2 + VERDICT_COLUMNS;

	return page->columns > fixed + NAME_COLUMNS_MIN ? page->columns - fixed : NAME_COLUMNS_MIN;
}

static bool interval_fits(const struct page *page)
{
	return page->columns >= 2 + NAME_COLUMNS_MIN + CHANGE_COLUMNS + INTERVAL_COLUMNS +
				    PAIRS_COLUMNS + 2 + VERDICT_COLUMNS;
}

static void write_row(const struct page *page, const struct comparison_row *row)
{
	const struct sequential_state *state = &row->result->state;
	char text[BENCH_NUMBER_MAX * 2 + 8], low[BENCH_NUMBER_MAX], high[BENCH_NUMBER_MAX];
	bool known = row->verdict != VERDICT_NOT_MEASURED && isfinite(state->location);

	fputs("  ", page->stream);
	page_cell(page, row->name, name_columns(page), CUT_MIDDLE, false, STYLE_PLAIN);
	signed_text(text, sizeof(text), known ? state->location : NAN, true);
	page_cell(page, known ? text : "-", CHANGE_COLUMNS, CUT_END, true,
		  known ? STYLE_BOLD : STYLE_PLAIN);
	if (interval_fits(page)) {
		signed_text(low, sizeof(low), state->low, false);
		signed_text(high, sizeof(high), state->high, false);
		snprintf(text, sizeof(text), "%s to %s", low, high);
		if (row->result->exact)
			snprintf(text, sizeof(text), "exact");
		page_cell(page, known && (row->result->exact || isfinite(state->low)) ? text : "-",
			  INTERVAL_COLUMNS, CUT_END, true, STYLE_PLAIN);
	}
	snprintf(text, sizeof(text), "%zu", row->result->pair_count);
	page_cell(page, text, PAIRS_COLUMNS, CUT_END, true, STYLE_PLAIN);
	fputs("  ", page->stream);
	page_cell(page, verdict_words[row->verdict].word, strlen(verdict_words[row->verdict].word),
		  CUT_END, false, verdict_words[row->verdict].style);
	fputc('\n', page->stream);
}

static void write_table(const struct page *page, const struct comparison *comparison)
{
	fputs("\n  ", page->stream);
	page_cell(page, "benchmark", name_columns(page), CUT_END, false, STYLE_DIM);
	page_cell(page, "B against A", CHANGE_COLUMNS, CUT_END, true, STYLE_DIM);
	if (interval_fits(page))
		page_cell(page, "interval, %", INTERVAL_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(page, "pairs", PAIRS_COLUMNS, CUT_END, true, STYLE_DIM);
	fputs("  ", page->stream);
	page_cell(page, "verdict", VERDICT_COLUMNS, CUT_END, false, STYLE_DIM);
	fputc('\n', page->stream);
	for (size_t i = 0; i < comparison->row_count; i++)
		write_row(page, &comparison->rows[i]);
}

/* ---- What is said of single benchmarks beneath ---- */

static void write_counter(const struct page *page, const struct comparison_row *row,
			  enum pair_counter counter, struct flow *flow)
{
	const struct pairing_result *result = row->result;
	uint64_t a = pair_counter_of(&result->counters_a, counter);
	uint64_t b = pair_counter_of(&result->counters_b, counter);
	char before[NUMBER_TEXT_MAX], now[NUMBER_TEXT_MAX];
	bool differs = (result->counters_differ & counter) != 0;

	if ((result->counters_exact & counter) == 0)
		return;
	if (!differs)
		flow_item(flow, STYLE_PLAIN, "%s %s, the same", pair_counter_name(counter),
			  text_count(before, sizeof(before), a));
	else
		flow_item(flow, STYLE_BOLD, "%s %s %s %s", pair_counter_name(counter),
			  text_count(before, sizeof(before), a), page->terminal->utf8 ? "→" : "->",
			  text_count(now, sizeof(now), b));
}

static void write_counters(const struct page *page, const struct comparison *comparison)
{
	bool heading = false;

	for (size_t i = 0; i < comparison->row_count; i++) {
		const struct comparison_row *row = &comparison->rows[i];
		struct flow flow;

		if (row->result->counters_exact == 0)
			continue;
		if (!heading)
			fputs("\n  counted, exact\n", page->stream);
		heading = true;
		flow_begin(&flow, page, 4, 6, "   ");
		if (comparison->row_count > 1)
			flow_item(&flow, STYLE_PLAIN, "%s", row->name);
		for (int bit = PAIR_CALLS; bit <= PAIR_ALLOCATIONS; bit *= 2)
			write_counter(page, row, (enum pair_counter)bit, &flow);
		flow_end(&flow);
	}
}

/* Beneath the table: what each row that isn't settled would need, and what was in the way. */
static void write_notes(const struct page *page, const struct comparison *comparison)
{
	char text[COMPARISON_TEXT_MAX + NAME_TEXT_MAX + 8], sentence[COMPARISON_TEXT_MAX];
	const struct comparison_row *first = worst_row(comparison);
	char name[NAME_TEXT_MAX];
	double steal_s = 0;

	for (size_t i = 0; i < comparison->row_count; i++) {
		const struct comparison_row *row = &comparison->rows[i];

		steal_s += row->result->steal_s > 0 ? row->result->steal_s : 0;
		if (row == first ||
		    (row->verdict != VERDICT_CANNOT_TELL && row->verdict != VERDICT_NOT_MEASURED))
			continue;
		snprintf(text, sizeof(text), "%s: %s.", text_name(name, sizeof(name), row->name),
			 comparison_sentence(comparison, row, sentence, sizeof(sentence)));
		page_sentence(page, 2, STYLE_PLAIN, text);
	}
	for (size_t i = 0; i < comparison->row_count; i++) {
		if (comparison->rows[i].result->interrupted) {
			page_sentence(page, 2, STYLE_YELLOW,
				      "Interrupted: what was measured until then is told.");
			break;
		}
	}
	if (steal_s < 0.01)
		return;
	snprintf(text, sizeof(text), "Steal: the CPU was with other machines for %s meanwhile.",
		 text_seconds(name, sizeof(name), steal_s));
	page_sentence(page, 2, STYLE_YELLOW, text);
}

static void write_method(const struct page *page, const struct comparison *comparison)
{
	char text[256], seconds[NUMBER_TEXT_MAX], tolerance[BENCH_NUMBER_MAX];
	size_t cpu = 0, wall = 0;

	for (size_t i = 0; i < comparison->row_count; i++) {
		if (comparison->rows[i].verdict == VERDICT_NOT_MEASURED)
			continue;
		cpu += comparison->rows[i].result->metric == PAIR_CPU;
		wall += comparison->rows[i].result->metric != PAIR_CPU;
	}
	snprintf(text, sizeof(text), "%s; %s%s%sfalse alarms at most %.3g %% over all%s%s.",
		 text_seconds(seconds, sizeof(seconds), comparison->elapsed_s),
		 cpu > 0 ? "CPU time" : "", cpu > 0 && wall > 0 ? " and wall time" : "",
		 cpu > 0 ? "; " : "", comparison->alpha * 100,
		 comparison->tolerance > 0 ? "; equal within " : "",
		 comparison->tolerance > 0
		     ? ratio_text(tolerance, sizeof(tolerance), comparison->tolerance)
		     : "");
	page_sentence(page, 2, STYLE_DIM, text);
}

int compare_view_print(FILE *out, const struct comparison *comparison,
		       const struct terminal *terminal, struct err *err)
{
	struct terminal found;
	struct page page;

	if (terminal == NULL) {
		terminal_describe(&found, out);
		terminal = &found;
	}
	page_init(&page, out, terminal);
	page.columns = page.columns > COLUMNS_WANTED ? COLUMNS_WANTED : page.columns;
	write_verdict(&page, comparison);
	write_side(&page, "A", &comparison->a);
	write_side(&page, "B", &comparison->b);
	if (comparison->row_count > 0)
		write_table(&page, comparison);
	write_counters(&page, comparison);
	fputc('\n', out);
	write_notes(&page, comparison);
	write_method(&page, comparison);
	return stream_finish(out, "the comparison", err);
}
