/* The history of results for people and as JSON: see ledger_view.h. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/json_write.h"
#include "base/terminal.h"
#include "report/bench_numbers.h"
#include "report/ledger_view.h"
#include "report/page.h"

#define HISTORY_SCHEMA_VERSION 1
#define COLUMNS_WANTED 80
#define SPARK_COLUMNS 24
#define NUMBER_COLUMNS 11
#define COUNT_COLUMNS 5

static const char *day_text(char *text, size_t size, double unix_s)
{
	bool known = unix_s >= 0 && unix_s < 253402300800.0;
	time_t seconds = known ? (time_t)unix_s : 0;
	struct tm tm;

	if (!known || gmtime_r(&seconds, &tm) == NULL || strftime(text, size, "%Y-%m-%d", &tm) == 0)
		snprintf(text, size, "undated");
	return text;
}

/* The last ones, each as high as it is long. */
static void write_spark(const struct page *page, const struct history_series *series)
{
	static const char *const signs[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const plain[] = {"_", "_", ".", ".", "-", "-", "^", "^"};
	size_t from = series->count > SPARK_COLUMNS ? series->count - SPARK_COLUMNS : 0;
	double low = INFINITY, high = -INFINITY;

	for (size_t i = from; i < series->count; i++) {
		low = fmin(low, series->points[i].median);
		high = fmax(high, series->points[i].median);
	}
	for (size_t i = from; i < series->count; i++) {
		double part = high > low ? (series->points[i].median - low) / (high - low) : 0;
		size_t sign = (size_t)(part * 7 + 0.5);

		fputs(page->terminal->utf8 ? signs[sign] : plain[sign], page->stream);
	}
}

static void write_row(const struct page *page, const struct history_series *series)
{
	size_t fixed = 2 + COUNT_COLUMNS + NUMBER_COLUMNS + 2 + SPARK_COLUMNS;
	size_t name_columns = page->columns > fixed + 16 ? page->columns - fixed : 16;
	char text[BENCH_NUMBER_MAX], name[512];

	snprintf(name, sizeof(name), "%s%s%s", series->name, *series->python != '\0' ? " py" : "",
		 series->python);
	fputs("  ", page->stream);
	page_cell(page, name, name_columns, CUT_MIDDLE, false, STYLE_PLAIN);
	snprintf(text, sizeof(text), "%zu", series->count);
	page_cell(page, text, COUNT_COLUMNS, CUT_END, true, STYLE_PLAIN);
	bench_number_text(text, sizeof(text), series->points[series->count - 1].median,
			  series->unit, page->terminal->utf8);
	fputc(' ', page->stream);
	page_cell(page, text, NUMBER_COLUMNS - 1, CUT_END, true, STYLE_BOLD);
	fputs("  ", page->stream);
	if (page->columns >= fixed + 16)
		write_spark(page, series);
	fputc('\n', page->stream);
}

static double change_size(const struct change_point *change)
{
	return change->before > 0 && change->after > 0 ? log(change->after / change->before) : NAN;
}

static void write_alert(const struct page *page, const struct history *history,
			const struct history_series *series, const struct change_point *change)
{
	const struct history_file *file = &history->files[series->points[change->at].file];
	char text[700], before[BENCH_NUMBER_MAX], after[BENCH_NUMBER_MAX], by[BENCH_NUMBER_MAX];
	char day[24], name[NAME_TEXT_MAX], label[NAME_TEXT_MAX];
	double size = change_size(change);
	bool utf8 = page->terminal->utf8;

	if (isfinite(size) && expm1(size) >= 0.9995)
		snprintf(by, sizeof(by), "%.1f times as much", exp(size));
	else if (isfinite(size))
		snprintf(by, sizeof(by), "%.1f %% %s", fabs(expm1(size)) * 100,
			 size > 0 ? "more" : "less");
	else
		snprintf(by, sizeof(by), "another level");
	snprintf(text, sizeof(text), "%s: %s since %s (%s): %s %s %s.",
		 text_name(name, sizeof(name), series->name), by,
		 text_name(label, sizeof(label), file->label),
		 day_text(day, sizeof(day), file->created_s),
		 bench_number_text(before, sizeof(before), change->before, series->unit, utf8),
		 utf8 ? "→" : "->",
		 bench_number_text(after, sizeof(after), change->after, series->unit, utf8));
	page_sentence(page, 2, isfinite(size) && size < 0 ? STYLE_GREEN : STYLE_YELLOW, text);
}

static size_t count_changes(const struct history *history)
{
	size_t count = 0;

	for (size_t i = 0; i < history->series_count; i++)
		count += history->series[i].change_count;
	return count;
}

static size_t count_short(const struct history *history)
{
	size_t count = 0;

	for (size_t i = 0; i < history->series_count; i++)
		count += history->series[i].count < HISTORY_TELLS_MIN;
	return count;
}

static void write_heading(const struct page *page, const struct history *history)
{
	size_t changes = count_changes(history), too_short = count_short(history);
	char text[256], more[128] = "";

	if (too_short > 0)
		snprintf(more, sizeof(more), " %zu with fewer than %d results: too few to tell.",
			 too_short, HISTORY_TELLS_MIN);
	if (changes == 0)
		snprintf(text, sizeof(text),
			 "No change of level seen in %zu results of %zu benchmark%s.%s",
			 history->file_count, history->series_count,
			 history->series_count == 1 ? "" : "s", more);
	else
		snprintf(text, sizeof(text), "%zu change%s of level in %zu results.%s", changes,
			 changes == 1 ? "" : "s", history->file_count, more);
	page_sentence(page, 0, STYLE_BOLD, text);
	for (size_t i = 0; i < history->series_count; i++) {
		for (size_t k = 0; k < history->series[i].change_count; k++)
			write_alert(page, history, &history->series[i],
				    &history->series[i].changes[k]);
	}
}

int history_view_print(FILE *out, const struct history *history, const struct terminal *terminal,
		       struct err *err)
{
	struct page page;
	char text[900];

	page_init(&page, out, terminal);
	page.columns = page.columns > COLUMNS_WANTED ? COLUMNS_WANTED : page.columns;
	write_heading(&page, history);
	fputc('\n', out);
	for (size_t i = 0; i < history->series_count; i++)
		write_row(&page, &history->series[i]);
	fputc('\n', out);
	page_sentence(&page, 2, STYLE_DIM,
		      "Medians, the newest one last. Results of different days say what the "
		      "machine did too: a change is a place to look, and pyrometer compare tells "
		      "whether it is the program's.");
	if (history->skipped > 0) {
		snprintf(text, sizeof(text), "%zu other file%s left out. The first: %s.",
			 history->skipped, history->skipped == 1 ? " was" : "s were",
			 history->skipped_text);
		page_sentence(&page, 2, STYLE_DIM, text);
	}
	return stream_finish(out, "the history", err);
}

/* ---- JSON ---- */

/* Whole seconds: a number with nine digits would lose some. */
static void json_time(struct json_writer *json, double unix_s)
{
	json_key(json, "created_s");
	if (unix_s >= 0 && unix_s < 253402300800.0)
		json_signed(json, (int64_t)unix_s);
	else
		json_absent(json);
}

static void json_file(struct json_writer *json, const char *key, const struct history_file *file)
{
	json_key(json, key);
	json_object_begin(json);
	json_key(json, "path");
	json_text(json, file->path);
	json_key(json, "label");
	json_text(json, file->label);
	json_time(json, file->created_s);
	json_object_end(json);
}

static void json_change(struct json_writer *json, const struct history *history,
			const struct history_series *series, const struct change_point *change)
{
	json_object_begin(json);
	json_key(json, "at");
	json_unsigned(json, change->at);
	json_file(json, "since", &history->files[series->points[change->at].file]);
	json_key(json, "before");
	json_number(json, change->before);
	json_key(json, "after");
	json_number(json, change->after);
	json_key(json, "ratio");
	json_number(json, change->before != 0 ? change->after / change->before : NAN);
	json_key(json, "p");
	json_number(json, change->p);
	json_object_end(json);
}

static void json_series(struct json_writer *json, const struct history *history,
			const struct history_series *series)
{
	json_object_begin(json);
	json_key(json, "name");
	json_text(json, series->name);
	json_key(json, "unit");
	json_text(json, series->unit);
	json_key(json, "python");
	json_text(json, *series->python != '\0' ? series->python : NULL);
	json_key(json, "machine");
	json_text(json, *series->machine != '\0' ? series->machine : NULL);
	json_key(json, "enough");
	json_bool(json, series->count >= HISTORY_TELLS_MIN);
	json_key(json, "points");
	json_array_begin(json);
	for (size_t i = 0; i < series->count; i++) {
		const struct history_file *file = &history->files[series->points[i].file];

		json_object_begin(json);
		json_key(json, "label");
		json_text(json, file->label);
		json_time(json, file->created_s);
		json_key(json, "median");
		json_number(json, series->points[i].median);
		json_object_end(json);
	}
	json_array_end(json);
	json_key(json, "changes");
	json_array_begin(json);
	for (size_t i = 0; i < series->change_count; i++)
		json_change(json, history, series, &series->changes[i]);
	json_array_end(json);
	json_object_end(json);
}

int history_json_write(FILE *out, const struct history *history, struct err *err)
{
	struct json_writer json;

	json_start(&json, out, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_signed(&json, HISTORY_SCHEMA_VERSION);
	json_key(&json, "files");
	json_unsigned(&json, history->file_count);
	json_key(&json, "skipped");
	json_unsigned(&json, history->skipped);
	json_key(&json, "series");
	json_array_begin(&json);
	for (size_t i = 0; i < history->series_count; i++)
		json_series(&json, history, &history->series[i]);
	json_array_end(&json);
	json_object_end(&json);
	return stream_finish(out, "the history", err);
}
