/* A diff as text and as JSON: see diff_view.h. Every verdict is a word and a
 * sign; colour only repeats it. */
#include "report/diff_view.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/json_write.h"
#include "report/page.h"
#include "report/verdict.h"

#define SHARE_COLUMNS 10
#define CHANGE_COLUMNS 15
#define SECONDS_COLUMNS 21
#define VERDICT_COLUMNS 7
#define NAME_COLUMNS_MIN 14
#define GAP 2
#define WIDE_COLUMNS 100 /* from here on the seconds have room */

static const struct {
	const char *word, *key;
	enum style style;
} verdicts[] = {
    [DIFF_SAME_WITHIN_NOISE] = {"noise", "same-within-noise", STYLE_DIM},
    [DIFF_MORE] = {"more", "more", STYLE_RED},
    [DIFF_LESS] = {"less", "less", STYLE_GREEN},
    [DIFF_NEW] = {"new", "new", STYLE_RED},
    [DIFF_GONE] = {"gone", "gone", STYLE_GREEN},
};

static const char *row_name(const struct diff_row *row)
{
	return strcmp(row->name, "<module>") == 0 ? "(module level)"
	       : *row->name == '\0'		  ? "(unnamed)"
						  : row->name;
}

static size_t count_significant(const struct profile_diff *diff)
{
	size_t count = 0;

	for (size_t i = 0; i < diff->row_count; i++)
		count += diff->rows[i].significant;
	return count;
}

static char *change_text(char *text, size_t size, const struct page *page,
			 const struct diff_row *row)
{
	double half = (row->change_high - row->change_low) / 2 * 100;

	snprintf(text, size, "%s%.1f %s %.1f", row->change < 0 ? page_minus(page) : "+",
		 fabs(row->change) * 100, page_plus_minus(page), ceil(half * 10 - 1e-9) / 10);
	return text;
}

static void write_verdict(const struct diff_view *view, const struct page *page)
{
	const struct diff_row *row = view->diff->row_count > 0 ? &view->diff->rows[0] : NULL;
	char text[512], scope[160], change[NUMBER_TEXT_MAX], name[NAME_TEXT_MAX];

	scope_write(view->selection, scope, sizeof(scope));
	if (row == NULL || !row->significant) {
		page_sentence(page, 0, STYLE_BOLD, "No function's share changed beyond chance.");
		return;
	}
	snprintf(text, sizeof(text), "%s takes %s of %s: %.1f %% before, %.1f %% now (%s points).",
		 text_name(name, sizeof(name), row_name(row)), row->change > 0 ? "more" : "less",
		 scope, row->share_a * 100, row->share_b * 100,
		 change_text(change, sizeof(change), page, row));
	page_sentence(page, 0, STYLE_BOLD, text);
}

static uint64_t profile_samples(const struct profile *profile)
{
	return profile->meta.counts.valid + profile->meta.counts.torn;
}

static void write_side(const struct page *page, const char *side, const char *path,
		       const struct profile *profile, double wall_s)
{
	char text[NUMBER_TEXT_MAX];
	struct flow flow;

	flow_begin(&flow, page, 2, 4, "  ");
	flow_item(&flow, STYLE_BOLD, "%s", side);
	flow_item(&flow, STYLE_PLAIN, "%s", path);
	flow_item(&flow, STYLE_PLAIN, "%s wall", text_seconds(text, sizeof(text), wall_s));
	if (profile->meta.python != NULL)
		flow_item(&flow, STYLE_PLAIN, "CPython %s", profile->meta.python);
	flow_item(&flow, STYLE_PLAIN, "%s samples",
		  text_count(text, sizeof(text), profile_samples(profile)));
	flow_end(&flow);
}

struct diff_columns {
	size_t name, place; /* place 0 = not shown */
	bool seconds;
};

static void write_heading(const struct page *page, const struct diff_columns *columns)
{
	size_t names = columns->name + (columns->place > 0 ? GAP + columns->place : 0);

	fputs("  ", page->stream);
	page_cell(page, "function", names, CUT_END, false, STYLE_DIM);
	page_cell(page, "self in A", SHARE_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(page, "in B", SHARE_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(page, "points", CHANGE_COLUMNS, CUT_END, true, STYLE_DIM);
	if (columns->seconds)
		page_cell(page, "time in it", SECONDS_COLUMNS, CUT_END, true, STYLE_DIM);
	fputc('\n', page->stream);
}

static void write_share(const struct page *page, double share)
{
	char text[NUMBER_TEXT_MAX];

	text_percent(text, sizeof(text), share, 1);
	page_cell(page, share > 0 ? text : "none", SHARE_COLUMNS, CUT_END, true, STYLE_PLAIN);
}

static char *row_place(const struct diff_view *view, const struct diff_row *row, char *text,
		       size_t size)
{
	/* The file as B has it; one that is gone is only in A. */
	return text_place(text, size, row->share_b > 0 ? view->b : view->a, row->file, 0);
}

static void write_row(const struct diff_view *view, const struct page *page,
		      const struct diff_columns *columns, const struct diff_row *row)
{
	char text[PLACE_TEXT_MAX], before[NUMBER_TEXT_MAX], now[NUMBER_TEXT_MAX];
	enum diff_verdict verdict = row->verdict;

	fputs("  ", page->stream);
	page_cell(page, row_name(row), columns->name, CUT_MIDDLE, false,
		  row->significant ? STYLE_BOLD : STYLE_PLAIN);
	if (columns->place > 0) {
		fprintf(page->stream, "%*s", GAP, "");
		page_cell(page, row_place(view, row, text, sizeof(text)), columns->place, CUT_START,
			  false, STYLE_DIM);
	}
	write_share(page, row->share_a);
	write_share(page, row->share_b);
	page_cell(page, change_text(text, sizeof(text), page, row), CHANGE_COLUMNS, CUT_END, true,
		  STYLE_PLAIN);
	if (columns->seconds) {
		snprintf(text, sizeof(text), "%s %s %s",
			 text_seconds(before, sizeof(before), row->seconds_a),
			 page->terminal->utf8 ? "→" : "->",
			 text_seconds(now, sizeof(now), row->seconds_b));
		page_cell(page, text, SECONDS_COLUMNS, CUT_END, true, STYLE_PLAIN);
	}
	fputs("  ", page->stream);
	page_cell(page, verdicts[verdict].word, strlen(verdicts[verdict].word), CUT_END, false,
		  verdicts[verdict].style);
	fputc('\n', page->stream);
}

/* Functions that only call others in both have nothing to compare here. */
static bool is_shown(const struct diff_row *row)
{
	return row->share_a > 0 || row->share_b > 0;
}

static void measure(const struct diff_view *view, const struct page *page,
		    struct diff_columns *columns)
{
	size_t fixed = 2 + 2 * SHARE_COLUMNS + CHANGE_COLUMNS + 2 + VERDICT_COLUMNS;
	size_t room, half;
	char text[PLACE_TEXT_MAX];

	*columns = (struct diff_columns){.name = strlen("function"),
					 .seconds = page->columns >= WIDE_COLUMNS};
	if (columns->seconds)
		fixed += SECONDS_COLUMNS;
	for (size_t i = 0; i < view->diff->row_count; i++) {
		const struct diff_row *row = &view->diff->rows[i];
		size_t name = text_display_width(row_name(row));
		size_t place = text_display_width(row_place(view, row, text, sizeof(text)));

		if (!is_shown(row))
			continue;
		columns->name = name > columns->name ? name : columns->name;
		columns->place = place > columns->place ? place : columns->place;
	}
	room = page->columns > fixed + NAME_COLUMNS_MIN ? page->columns - fixed : NAME_COLUMNS_MIN;
	if (room < 2 * NAME_COLUMNS_MIN)
		columns->place = 0;
	if (columns->place == 0) {
		columns->name = columns->name < room ? columns->name : room;
		return;
	}
	room -= GAP;
	half = room / 2;
	if (columns->name + columns->place <= room)
		return;
	if (columns->place <= half)
		columns->name = room - columns->place;
	else if (columns->name > half)
		columns->name = half;
	columns->place = room - columns->name;
}

static void write_table(const struct diff_view *view, const struct page *page)
{
	struct diff_columns columns;
	size_t shown = 0, hidden = 0;
	char text[64];

	measure(view, page, &columns);
	write_heading(page, &columns);
	for (size_t i = 0; i < view->diff->row_count; i++) {
		if (!is_shown(&view->diff->rows[i]))
			continue;
		if (view->limit > 0 && shown >= view->limit) {
			hidden++;
			continue;
		}
		write_row(view, page, &columns, &view->diff->rows[i]);
		shown++;
	}
	if (hidden > 0) {
		snprintf(text, sizeof(text), "and %zu more: --limit N", hidden);
		page_sentence(page, 2, STYLE_DIM, text);
	}
}

int diff_view_write(const struct diff_view *view, FILE *stream, const struct terminal *terminal,
		    struct err *err)
{
	const struct profile_diff *diff = view->diff;
	size_t significant = count_significant(diff);
	struct page page;
	char text[256];

	page_init(&page, stream, terminal);
	write_verdict(view, &page);
	write_side(&page, "A", view->path_a, view->a, diff->wall_a_s);
	write_side(&page, "B", view->path_b, view->b, diff->wall_b_s);
	page_blank(&page);
	if (diff->row_count > 0) {
		write_table(view, &page);
		page_blank(&page);
	}
	snprintf(text, sizeof(text),
		 "%zu of %zu functions changed beyond chance (95 %%, corrected for their number).",
		 significant, diff->row_count);
	page_sentence(&page, 2, STYLE_PLAIN, text);
	page_sentence(&page, 2, STYLE_DIM,
		      "One run each: how runs vary from one to the next is not in these figures.");
	return stream_finish(stream, "the comparison", err);
}

static void json_side(struct json_writer *json, const char *key, const char *path,
		      const struct profile *profile, double wall_s)
{
	json_key(json, key);
	json_object_begin(json);
	json_key(json, "recording");
	json_text(json, path);
	json_key(json, "command");
	json_text(json, profile->meta.command);
	json_key(json, "python");
	json_text(json, profile->meta.python);
	json_key(json, "wall_s");
	json_number(json, wall_s);
	json_key(json, "samples");
	json_unsigned(json, profile_samples(profile));
	json_object_end(json);
}

static void json_row(struct json_writer *json, const struct diff_row *row)
{
	const struct {
		const char *key;
		double value;
	} numbers[] = {
	    {"self_a", row->share_a},	       {"self_b", row->share_b},
	    {"total_a", row->total_a},	       {"total_b", row->total_b},
	    {"seconds_a", row->seconds_a},     {"seconds_b", row->seconds_b},
	    {"change", row->change},	       {"change_low", row->change_low},
	    {"change_high", row->change_high},
	};

	json_object_begin(json);
	json_key(json, "name");
	json_text(json, row->name);
	json_key(json, "file");
	json_text(json, *row->file == '\0' ? NULL : row->file);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		json_key(json, numbers[i].key);
		json_number(json, numbers[i].value);
	}
	json_key(json, "significant");
	json_bool(json, row->significant);
	json_key(json, "verdict");
	json_text(json, verdicts[row->verdict].key);
	json_object_end(json);
}

int diff_json_write(const struct diff_view *view, FILE *stream, struct err *err)
{
	const struct profile_diff *diff = view->diff;
	struct json_writer json;
	char scope[160];

	scope_write(view->selection, scope, sizeof(scope));
	json_start(&json, stream, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_unsigned(&json, DIFF_SCHEMA_VERSION);
	json_key(&json, "share_of");
	json_text(&json, scope);
	json_side(&json, "a", view->path_a, view->a, diff->wall_a_s);
	json_side(&json, "b", view->path_b, view->b, diff->wall_b_s);
	json_key(&json, "significant");
	json_unsigned(&json, count_significant(diff));
	json_key(&json, "functions");
	json_array_begin(&json);
	for (size_t i = 0; i < diff->row_count && (view->limit == 0 || i < view->limit); i++)
		json_row(&json, &diff->rows[i]);
	json_array_end(&json);
	json_object_end(&json);
	fputc('\n', stream);
	return stream_finish(stream, "the comparison", err);
}
