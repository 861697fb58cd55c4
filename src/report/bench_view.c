/* The page of `bench`: see bench_view.h. */
#include "report/bench_view.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "report/bench_numbers.h"
#include "report/bench_view_internal.h"

#define COLUMNS_WANTED 80
#define NUMBER_COLUMNS 10
#define COUNT_COLUMNS 6
#define TABLE_NUMBERS 5
#define NAME_COLUMNS_MIN 12

/* ---- The table over all ---- */

struct named_number {
	const char *name;
	double value;
};

/* On a narrow page the last columns are left out. */
static size_t table_numbers(const struct page *page)
{
	size_t fixed = 2 + NAME_COLUMNS_MIN + COUNT_COLUMNS;
	size_t fitting = page->columns > fixed ? (page->columns - fixed) / NUMBER_COLUMNS : 0;

	return fitting < 1 ? 1 : fitting < TABLE_NUMBERS ? fitting : TABLE_NUMBERS;
}

static void write_table_heading(const struct page *page, size_t name_columns)
{
	static const char *const names[] = {"median", "min", "p95", "p99", "max"};

	fputs("  ", page->stream);
	page_cell(page, "benchmark", name_columns, CUT_END, false, STYLE_DIM);
	page_cell(page, "n", COUNT_COLUMNS, CUT_END, true, STYLE_DIM);
	for (size_t i = 0; i < table_numbers(page); i++)
		page_cell(page, names[i], NUMBER_COLUMNS, CUT_END, true, STYLE_DIM);
	fputc('\n', page->stream);
}

static void write_table_row(const struct page *page, const struct bench_row *row,
			    size_t name_columns)
{
	const struct summary *summary = &row->summary;
	const double numbers[TABLE_NUMBERS] = {summary->median, summary->min, summary->p95,
					       summary->p99, summary->max};
	char text[BENCH_NUMBER_MAX];

	fputs("  ", page->stream);
	page_cell(page, row->name, name_columns, CUT_MIDDLE, false, STYLE_PLAIN);
	snprintf(text, sizeof(text), "%zu", row->count);
	page_cell(page, text, COUNT_COLUMNS, CUT_END, true, STYLE_PLAIN);
	if (summary->n == 0)
		page_cell(page, row->count == 0 ? "  not measured" : "  not finite", 14, CUT_END,
			  false, STYLE_RED);
	for (size_t i = 0; i < table_numbers(page) && summary->n > 0; i++) {
		bench_number_text(text, sizeof(text), numbers[i], row->benchmark->unit,
				  page->terminal->utf8);
		fputc(' ', page->stream);
		page_cell(page, text, NUMBER_COLUMNS - 1, CUT_END, true,
			  i == 0 ? STYLE_BOLD : STYLE_PLAIN);
	}
	fputc('\n', page->stream);
}

static void write_table(const struct page *page, const struct bench_row *rows, size_t count)
{
	size_t fixed = 2 + COUNT_COLUMNS + table_numbers(page) * NUMBER_COLUMNS;
	size_t name_columns =
	    page->columns > fixed + NAME_COLUMNS_MIN ? page->columns - fixed : NAME_COLUMNS_MIN;

	write_table_heading(page, name_columns);
	for (size_t i = 0; i < count; i++)
		write_table_row(page, &rows[i], name_columns);
}

/* ---- One benchmark ---- */

struct totals {
	double cpu_s, energy_j, steal_s; /* NaN: not known of every process */
	uint64_t peak_rss_bytes;
	struct bench_counters most;
};

static uint64_t larger_known(uint64_t a, uint64_t b)
{
	return a == UINT64_MAX ? b : b == UINT64_MAX || a > b ? a : b;
}

static void add_up(const struct benchmark *benchmark, struct totals *totals)
{
	*totals = (struct totals){.peak_rss_bytes = UINT64_MAX};
	bench_counters_clear(&totals->most);
	for (size_t i = 0; i < benchmark->run_count; i++) {
		const struct bench_counters *run = &benchmark->runs[i].counters;
		struct bench_counters *most = &totals->most;

		totals->cpu_s += run->cpu_s;
		totals->energy_j += run->energy_j;
		totals->steal_s += run->steal_s;
		totals->peak_rss_bytes = larger_known(totals->peak_rss_bytes, run->peak_rss_bytes);
		most->modules = larger_known(most->modules, run->modules);
		most->syscalls = larger_known(most->syscalls, run->syscalls);
		most->voluntary_switches =
		    larger_known(most->voluntary_switches, run->voluntary_switches);
		most->involuntary_switches =
		    larger_known(most->involuntary_switches, run->involuntary_switches);
		most->major_faults = larger_known(most->major_faults, run->major_faults);
		most->gc_collections = larger_known(most->gc_collections, run->gc_collections);
	}
	if (benchmark->run_count == 0)
		totals->cpu_s = totals->energy_j = totals->steal_s = NAN;
}

static void write_numbers(const struct page *page, const struct bench_row *row)
{
	const struct summary *summary = &row->summary;
	const struct named_number numbers[] = {
	    {"median", summary->median}, {"min", summary->min}, {"mean", summary->mean},
	    {"p95", summary->p95},	 {"p99", summary->p99}, {"max", summary->max},
	};
	char text[BENCH_NUMBER_MAX];
	struct flow flow;

	flow_begin(&flow, page, 4, 4, "   ");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		flow_item(&flow, i == 0 ? STYLE_BOLD : STYLE_PLAIN, "%s %s", numbers[i].name,
			  bench_number_text(text, sizeof(text), numbers[i].value,
					    row->benchmark->unit, page->terminal->utf8));
	if (row->benchmark->kind == BENCH_TIME && strcmp(row->benchmark->unit, "s") == 0 &&
	    summary->mean > 0) {
		bench_number_text(text, sizeof(text), floor(1 / summary->mean * 100 + 0.5) / 100,
				  "/s", false);
		flow_item(&flow, STYLE_PLAIN, "throughput %s", text);
	}
	flow_end(&flow);
}

static void write_cost(struct flow *flow, double cpu_s, const struct bench_view_options *options)
{
	char text[BENCH_NUMBER_MAX];
	double core_hours = cpu_s / 3600;

	if (!isfinite(cpu_s))
		return;
	flow_item(flow, STYLE_PLAIN, "CPU %s", text_seconds(text, sizeof(text), cpu_s));
	flow_item(flow, STYLE_PLAIN, "%.3g core-hours", core_hours);
	if (options->core_hour_price > 0)
		flow_item(flow, STYLE_PLAIN, "%.3g %s at %g an hour",
			  core_hours * options->core_hour_price,
			  options->currency != NULL ? options->currency : "(your price)",
			  options->core_hour_price);
}

static void write_counters(const struct page *page, const struct bench_row *row,
			   const struct bench_view_options *options)
{
	struct totals totals;
	char text[BENCH_NUMBER_MAX];
	struct flow flow;

	add_up(row->benchmark, &totals);
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
	    {"modules", totals.most.modules},
	    {"system calls", totals.most.syscalls},
	    {"context switches", totals.most.involuntary_switches},
	    {"waits", totals.most.voluntary_switches},
	    {"major faults", totals.most.major_faults},
	    {"collections", totals.most.gc_collections},
	};

	if (!isfinite(totals.cpu_s) && totals.peak_rss_bytes == UINT64_MAX)
		return;
	flow_begin(&flow, page, 4, 4, "   ");
	write_cost(&flow, totals.cpu_s, options);
	if (totals.steal_s > 0)
		flow_item(&flow, STYLE_YELLOW, "steal %s",
			  text_seconds(text, sizeof(text), totals.steal_s));
	if (isfinite(totals.energy_j))
		flow_item(&flow, STYLE_PLAIN, "energy %.3g J (measured)", totals.energy_j);
	else
		flow_item(&flow, STYLE_DIM, "energy not available here");
	flow_end(&flow);
	flow_begin(&flow, page, 4, 6, "   ");
	flow_item(&flow, STYLE_DIM, "each process at most:");
	if (totals.peak_rss_bytes != UINT64_MAX)
		flow_item(&flow, STYLE_PLAIN, "peak memory %s",
			  text_bytes(text, sizeof(text), totals.peak_rss_bytes));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i].value != UINT64_MAX)
			flow_item(&flow, STYLE_PLAIN, "%s %s", counts[i].name,
				  text_count(text, sizeof(text), counts[i].value));
	}
	flow_end(&flow);
}

static void write_failure(const struct page *page, const struct bench_row *row)
{
	char text[700];

	if (row->benchmark->failure == NULL)
		return;
	snprintf(text, sizeof(text), "%s: %.600s",
		 row->count == 0 ? "Not measured" : "Not wholly measured", row->benchmark->failure);
	page_sentence(page, 4, STYLE_RED, text);
}

static void write_benchmark(const struct page *page, const struct bench_row *row,
			    const struct bench_view_options *options)
{
	size_t processes = 0;
	char text[64];
	size_t room;

	for (size_t i = 0; i < row->benchmark->run_count; i++)
		processes += row->benchmark->runs[i].value_count > 0;
	snprintf(text, sizeof(text), "n %zu in %zu %s", row->count, processes,
		 processes == 1 ? "process" : "processes");
	room = page->columns - 2 - strlen(text) - 2;
	fputs("\n  ", page->stream);
	page_cell(page, row->name, room, CUT_MIDDLE, false, STYLE_BOLD);
	fprintf(page->stream, "  %s\n", text);
	write_failure(page, row);
	if (row->summary.n > 0) {
		write_numbers(page, row);
		write_counters(page, row, options);
		bench_view_histogram(page, row);
		bench_view_outliers(page, row);
		bench_view_processes(page, row);
	}
	bench_view_warmup(page, row);
}

/* ---- The page ---- */

/* The surroundings that a reader asks for first; all of them are in the JSON. */
static void write_heading(const struct page *page, const struct bench_results *results)
{
	static const char *const names[] = {"implementation", "python", "cpu_model", "commit"};
	char text[NUMBER_TEXT_MAX];
	struct flow flow;

	flow_begin(&flow, page, 0, 2, "  ");
	flow_item(&flow, STYLE_BOLD, "%s benchmark%s",
		  text_count(text, sizeof(text), results->benchmark_count),
		  results->benchmark_count == 1 ? "" : "s");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = bench_results_fact_of(results, names[i]);

		if (value != NULL)
			flow_item(&flow, STYLE_PLAIN, "%.*s", i == 3 ? 12 : 200, value);
	}
	if (results->tool != NULL && strcmp(results->tool, "pyrometer") != 0)
		flow_item(&flow, STYLE_DIM, "measured by %s", results->tool);
	flow_end(&flow);
}

static int write_page(const struct page *page, const struct bench_results *results,
		      const struct bench_row *rows, const struct bench_view_options *options)
{
	size_t count = results->benchmark_count;
	bool matrix = false;
	int r;

	write_heading(page, results);
	r = bench_view_matrix(page, rows, count, &matrix);
	if (r < 0)
		return r;
	if ((count > 1 && !matrix) || options->brief)
		write_table(page, rows, count);
	for (size_t i = 0; i < count; i++) {
		if (!options->brief)
			write_benchmark(page, &rows[i], options);
		else
			write_failure(page, &rows[i]);
	}
	return 0;
}

int bench_view_print(FILE *out, const struct bench_results *results,
		     const struct bench_view_options *options, struct err *err)
{
	static const struct bench_view_options none;
	struct terminal terminal;
	struct bench_row *rows;
	struct page page;
	size_t made = 0;
	int r = 0;

	options = options != NULL ? options : &none;
	if (options->terminal != NULL)
		terminal = *options->terminal;
	else
		terminal_describe(&terminal, out);
	page_init(&page, out, &terminal);
	page.columns = page.columns > COLUMNS_WANTED ? COLUMNS_WANTED : page.columns;
	rows = mem_zalloc(results->benchmark_count + 1, sizeof(*rows));
	if (rows == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the page of results");
	while (r == 0 && made < results->benchmark_count) {
		r = bench_row_init(&rows[made], &results->benchmarks[made]);
		made += r == 0;
	}
	if (r == 0)
		r = write_page(&page, results, rows, options);
	for (size_t i = 0; i < made; i++)
		bench_row_release(&rows[i]);
	mem_free(rows);
	if (r < 0)
		return err_set(err, ERR_MEMORY, "no memory for the page of results");
	return stream_finish(out, "the page of results", err);
}
