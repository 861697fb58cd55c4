/* The distribution of one benchmark and the sentences beneath it: see bench_view_internal.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "report/bench_numbers.h"
#include "report/bench_view_internal.h"

#define BINS_MAX 10
#define BAR_COLUMNS 36
#define LABEL_COLUMNS 12
#define COUNT_COLUMNS 10
#define INDENT 4
#define OUTLIERS_SHOWN 4

int bench_row_init(struct bench_row *row, const struct benchmark *benchmark)
{
	size_t size = 0;
	char *text = NULL;
	FILE *stream = open_memstream(&text, &size);

	*row = (struct bench_row){.benchmark = benchmark};
	if (stream == NULL)
		return -ERR_MEMORY;
	fputs(benchmark->name, stream);
	for (size_t i = 0; i < benchmark->param_count; i++)
		fprintf(stream, "%s%s=%s", i == 0 ? "[" : ",", benchmark->params[i].name,
			benchmark->params[i].value);
	if (benchmark->param_count > 0)
		fputc(']', stream);
	if (fclose(stream) == 0)
		row->name = mem_copy_text(text);
	free(text);
	if (row->name == NULL || benchmark_values(benchmark, &row->values, &row->count) < 0 ||
	    summary_of(row->values, row->count, &row->summary) == -ERR_MEMORY) {
		bench_row_release(row);
		return -ERR_MEMORY;
	}
	return 0;
}

void bench_row_release(struct bench_row *row)
{
	mem_free(row->name);
	mem_free(row->values);
	*row = (struct bench_row){0};
}

double bench_outlier_limit(const struct summary *summary)
{
	if (summary->n < BENCH_OUTLIER_VALUES_MIN || !(summary->q3 > summary->q1))
		return INFINITY;
	return summary->q3 + 3 * (summary->q3 - summary->q1);
}

/* ---- Bars ---- */

struct bins {
	double low, width;
	size_t counts[BINS_MAX + 1]; /* the last one: beyond the limit */
	size_t count, most, beyond;
};

static void fill(struct bins *bins, const struct bench_row *row)
{
	const struct summary *summary = &row->summary;
	double limit = bench_outlier_limit(summary), top = summary->min;

	*bins = (struct bins){.low = summary->min};
	for (size_t i = 0; i < row->count; i++)
		top = row->values[i] <= limit && row->values[i] > top ? row->values[i] : top;
	/* As many bars as n bears (Sturges), and no more than fit. */
	bins->count = (size_t)ceil(log2((double)row->count)) + 1;
	bins->count = bins->count > BINS_MAX ? BINS_MAX : bins->count;
	bins->width = (top - summary->min) / (double)bins->count;
	if (!(bins->width > 0)) {
		bins->count = 1;
		bins->width = 0;
	}
	for (size_t i = 0; i < row->count; i++) {
		double place = bins->width > 0 ? (row->values[i] - bins->low) / bins->width : 0;
		size_t at = place >= (double)bins->count ? bins->count - 1 : (size_t)place;

		if (row->values[i] > limit)
			bins->beyond++;
		else if (++bins->counts[at] > bins->most)
			bins->most = bins->counts[at];
	}
}

/* Eighths of a column where there are signs for them. */
static void write_bar(const struct page *page, size_t count, size_t most)
{
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	size_t room = page->columns - INDENT - LABEL_COLUMNS - 2 - COUNT_COLUMNS;
	size_t columns = room < BAR_COLUMNS ? room : BAR_COLUMNS;
	size_t parts = most > 0 ? (count * columns * 8 + most - 1) / most : 0;

	fputs(style_on(page->terminal, STYLE_CYAN), page->stream);
	for (size_t i = 0; i < parts / 8; i++)
		fputs(page->terminal->utf8 ? "█" : "#", page->stream);
	if (page->terminal->utf8)
		fputs(eighths[parts % 8], page->stream);
	else if (parts % 8 >= 4 || parts < 8)
		fputs(count > 0 ? "#" : "", page->stream);
	fputs(style_off(page->terminal), page->stream);
}

static void write_line(const struct page *page, const char *label, size_t count, size_t most)
{
	fprintf(page->stream, "%*s", INDENT, "");
	page_cell(page, label, LABEL_COLUMNS, CUT_END, true, STYLE_DIM);
	fputs("  ", page->stream);
	write_bar(page, count, most);
	fprintf(page->stream, "%s%zu\n", count > 0 ? " " : "", count);
}

void bench_view_histogram(const struct page *page, const struct bench_row *row)
{
	const char *unit = row->benchmark->unit;
	char text[BENCH_NUMBER_MAX], label[BENCH_NUMBER_MAX + 8];
	bool utf8 = page->terminal->utf8;
	struct bins bins;

	if (row->summary.n < 2)
		return;
	fill(&bins, row);
	if (bins.most < bins.beyond)
		bins.most = bins.beyond;
	for (size_t i = 0; i < bins.count; i++) {
		bench_number_text(text, sizeof(text), bins.low + bins.width * (double)i, unit,
				  utf8);
		write_line(page, text, bins.counts[i], bins.most);
	}
	if (bins.beyond == 0)
		return;
	snprintf(
	    label, sizeof(label), "> %s",
	    bench_number_text(text, sizeof(text), bench_outlier_limit(&row->summary), unit, utf8));
	write_line(page, label, bins.beyond, bins.most);
}

/* ---- Sentences ---- */

struct outlier {
	double value;
	size_t run;
	uint8_t causes;
};

static int by_value_down(const void *a, const void *b)
{
	double x = ((const struct outlier *)a)->value, y = ((const struct outlier *)b)->value;

	return x > y ? -1 : x < y;
}

/* The largest ones, in order; how many there are in all. */
static size_t find_outliers(const struct bench_row *row, struct outlier *found, size_t *ret_named)
{
	double limit = bench_outlier_limit(&row->summary);
	size_t count = 0, kept = 0, named = 0;

	for (size_t r = 0; r < row->benchmark->run_count; r++) {
		const struct bench_run *run = &row->benchmark->runs[r];

		for (size_t i = 0; i < run->value_count; i++) {
			struct outlier one = {run->values[i], r,
					      run->causes != NULL ? run->causes[i] : 0};

			if (!(one.value > limit))
				continue;
			count++;
			named += one.causes != 0;
			if (kept < OUTLIERS_SHOWN)
				found[kept++] = one;
			else if (one.value > found[kept - 1].value)
				found[kept - 1] = one;
			qsort(found, kept, sizeof(*found), by_value_down);
		}
	}
	*ret_named = named;
	return count;
}

void bench_view_outliers(const struct page *page, const struct bench_row *row)
{
	struct outlier found[OUTLIERS_SHOWN];
	char text[600], number[BENCH_NUMBER_MAX], causes[64];
	size_t named, count = find_outliers(row, found, &named), used;
	size_t shown = count < OUTLIERS_SHOWN ? count : OUTLIERS_SHOWN;

	if (count == 0)
		return;
	used = (size_t)snprintf(text, sizeof(text), "%zu %s far off: ", count,
				count == 1 ? "value lies" : "values lie");
	for (size_t i = 0; i < shown; i++) {
		causes_text(causes, sizeof(causes), found[i].causes);
		bench_number_text(number, sizeof(number), found[i].value, row->benchmark->unit,
				  page->terminal->utf8);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s (%s)",
					 i > 0 ? ", " : "", number,
					 *causes != '\0' ? causes : "cause unknown");
	}
	if (count > shown)
		snprintf(text + used, sizeof(text) - used,
			 " and %zu more; a likely cause is known of %zu in all.", count - shown,
			 named);
	else
		snprintf(text + used, sizeof(text) - used, ".");
	page_sentence(page, INDENT, STYLE_DIM, text);
}

void bench_view_warmup(const struct page *page, const struct bench_row *row)
{
	const struct benchmark *benchmark = row->benchmark;
	size_t total = 0, least = SIZE_MAX, most = 0;
	double first = 0;
	size_t firsts = 0;
	char text[200], number[BENCH_NUMBER_MAX];

	for (size_t i = 0; i < benchmark->run_count; i++) {
		const struct bench_run *run = &benchmark->runs[i];

		total += run->warmup_count;
		least = run->warmup_count < least ? run->warmup_count : least;
		most = run->warmup_count > most ? run->warmup_count : most;
		if (run->warmup_count > 0) {
			first += run->warmups[0];
			firsts++;
		}
	}
	if (total == 0)
		return;
	bench_number_text(number, sizeof(number), first / (double)firsts, benchmark->unit,
			  page->terminal->utf8);
	if (least == most)
		snprintf(text, sizeof(text),
			 "Warm-up: %zu %s cut off in each process; the first took %s on average.",
			 most, most == 1 ? "value was" : "values were", number);
	else
		snprintf(text, sizeof(text),
			 "Warm-up: %zu to %zu values were cut off in each process; the first took "
			 "%s on average.",
			 least, most, number);
	page_sentence(page, INDENT, STYLE_DIM, text);
}

/* The means of processes differ by more than their values explain: then more processes tell more
 * than more values. One-way analysis of variance. */
void bench_view_processes(const struct page *page, const struct bench_row *row)
{
	const struct benchmark *benchmark = row->benchmark;
	double between = 0, within = 0, grand = row->summary.mean, share;
	size_t groups = 0;
	char text[200];

	for (size_t i = 0; i < benchmark->run_count; i++) {
		const struct bench_run *run = &benchmark->runs[i];
		double mean = 0;

		if (run->value_count == 0)
			continue;
		groups++;
		for (size_t k = 0; k < run->value_count; k++)
			mean += run->values[k] / (double)run->value_count;
		between += (double)run->value_count * (mean - grand) * (mean - grand);
		for (size_t k = 0; k < run->value_count; k++)
			within += (run->values[k] - mean) * (run->values[k] - mean);
	}
	if (groups < 3 || row->count < 3 * groups || !(between + within > 0))
		return;
	share = between / (between + within);
	if (share < 0.5)
		return;
	snprintf(text, sizeof(text),
		 "%.0f %% of the variance lies between the processes, not within them: more "
		 "processes tell more than more values.",
		 share * 100);
	page_sentence(page, INDENT, STYLE_DIM, text);
}
