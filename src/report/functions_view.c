/* The table of functions. Column widths follow the rows: names and places share
 * what the numbers leave of the page. */
#include "report/functions_view.h"

#include <math.h>
#include <string.h>

#define GAP 2
#define NAME_MIN 10
#define HOT_COLUMNS_MIN 72   /* narrower pages have no hottest line */
#define PLACE_COLUMNS_MIN 60 /* and narrower ones no place either */

struct table {
	const struct page *page;
	const struct profile *profile;
	int decimals;
	size_t rank, name, place, self, total, hot; /* widths; place, hot 0 = not shown */
	size_t interval;			    /* of self: " ± 1.2" */
};

int shares_decimals(const struct shares *shares)
{
	/* The widest interval is that of a share of one half. */
	return percent_decimals(shares->effective_n > 0 ? 0.98 / sqrt(shares->effective_n) : 1);
}

static const char *row_place(const struct table *table, const struct share_row *row, char *text,
			     size_t size)
{
	const struct profile_function *function = &table->profile->functions[row->function.v];
	const char *file = profile_string(table->profile, function->file);

	if (*file == '\0')
		return "";
	return text_place(text, size, table->profile, file, function->first_line);
}

static const char *row_self(const struct table *table, const struct share_row *row, char *text,
			    size_t size)
{
	return text_interval(text, size, table->page, row->self, row->self_low, row->self_high,
			     table->decimals);
}

static const char *row_hot(const struct table *table, const struct share_row *row, char *text,
			   size_t size)
{
	char share[NUMBER_TEXT_MAX];

	if (row->hottest_line == 0 || row->hottest_line_self <= 0)
		return "";
	text_percent(share, sizeof(share), row->hottest_line_self, table->decimals);
	snprintf(text, size, "%u: %s", row->hottest_line, share);
	return text;
}

static void widen(size_t *width, const char *text)
{
	size_t needed = text_display_width(text);

	if (needed > *width)
		*width = needed;
}

static void measure(struct table *table, const struct share_row *rows, size_t count,
		    const char *title)
{
	char text[PLACE_TEXT_MAX];
	size_t fixed, room, half;

	table->rank = (size_t)snprintf(text, sizeof(text), "%zu", count);
	table->name = table->place = table->hot = table->interval = 0;
	table->self = strlen("self");
	table->total = strlen("total");
	for (size_t i = 0; i < count; i++) {
		widen(&table->name, function_shown(table->profile, rows[i].function));
		widen(&table->place, row_place(table, &rows[i], text, sizeof(text)));
		widen(&table->self, row_self(table, &rows[i], text, sizeof(text)));
		widen(&table->interval, strchr(text, '%') + 1);
		text_percent(text, sizeof(text), rows[i].total, table->decimals);
		widen(&table->total, text);
		widen(&table->hot, row_hot(table, &rows[i], text, sizeof(text)));
	}
	if (table->hot > 0)
		widen(&table->hot, "hottest line");
	if (table->page->columns < HOT_COLUMNS_MIN)
		table->hot = 0;
	fixed = table->rank + 1 + GAP + table->self + GAP + table->total;
	if (table->page->columns < PLACE_COLUMNS_MIN) {
		table->place = 0;
		if (table->name > table->page->columns - fixed)
			table->name = table->page->columns - fixed;
		return;
	}
	fixed += GAP;
	if (table->hot > 0)
		fixed += GAP + table->hot;
	room = table->page->columns > fixed + 2 * NAME_MIN ? table->page->columns - fixed
							   : 2 * NAME_MIN;
	half = room / 2;
	if (table->name + table->place > room) {
		if (table->place <= half)
			table->name = room - table->place;
		else if (table->name <= half)
			table->place = room - table->name;
		else
			table->name = half, table->place = room - half;
	}
	/* The title stands over names and places. */
	if (table->name + GAP + table->place < strlen(title) && strlen(title) < room)
		table->place = strlen(title) - table->name - GAP;
}

static void write_gap(const struct table *table)
{
	fprintf(table->page->stream, "%*s", GAP, "");
}

static void write_heading(const struct table *table, const char *title)
{
	const struct page *page = table->page;
	size_t interval = table->interval;
	size_t title_width = table->name + (table->place > 0 ? GAP + table->place : 0);

	fprintf(page->stream, "%*s", (int)table->rank + 1, "");
	page_cell(page, title, title_width, CUT_END, false, STYLE_DIM);
	write_gap(table);
	/* Over the share, not over its interval. */
	page_cell(page, "self", table->self > interval ? table->self - interval : table->self,
		  CUT_END, true, STYLE_DIM);
	fprintf(page->stream, "%*s", (int)(table->self > interval ? interval : 0), "");
	write_gap(table);
	page_cell(page, "total", table->total, CUT_END, true, STYLE_DIM);
	if (table->hot > 0) {
		write_gap(table);
		page_cell(page, "hottest line", strlen("hottest line"), CUT_END, false, STYLE_DIM);
	}
	fputc('\n', page->stream);
}

static void write_row(const struct table *table, const struct share_row *row, size_t rank)
{
	const struct page *page = table->page;
	char text[PLACE_TEXT_MAX];
	const char *hot;

	fprintf(page->stream, "%*zu ", (int)table->rank, rank);
	page_cell(page, function_shown(table->profile, row->function), table->name, CUT_MIDDLE,
		  false, rank == 1 ? STYLE_BOLD : STYLE_PLAIN);
	if (table->place > 0) {
		write_gap(table);
		page_cell(page, row_place(table, row, text, sizeof(text)), table->place, CUT_START,
			  false, STYLE_DIM);
	}
	write_gap(table);
	page_cell(page, row_self(table, row, text, sizeof(text)), table->self, CUT_END, true,
		  STYLE_PLAIN);
	write_gap(table);
	text_percent(text, sizeof(text), row->total, table->decimals);
	page_cell(page, text, table->total, CUT_END, true, STYLE_PLAIN);
	hot = table->hot > 0 ? row_hot(table, row, text, sizeof(text)) : "";
	if (*hot != '\0') {
		write_gap(table);
		page_cell(page, hot, text_display_width(hot), CUT_END, false, STYLE_PLAIN);
	}
	fputc('\n', page->stream);
}

void functions_view_write(const struct page *page, const struct profile *profile,
			  const struct shares *shares, const char *title, size_t limit)
{
	struct table table = {
	    .page = page, .profile = profile, .decimals = shares_decimals(shares)};
	size_t rows = shares->function_count, count = 0;
	double shown_min = table.decimals == 1 ? 0.0005 : 0.005;
	double rest = 0;

	/* By self, those that only call others are at the end: they are no answer. */
	while (rows > 0 && shares->functions[rows - 1].self_count == 0)
		rows--;
	/* Nor is a row that would say 0.0 % in both columns. */
	while (
	    count < rows && count < limit &&
	    (shares->functions[count].self >= shown_min || shares->functions[count].total >= 0.01))
		count++;
	if (count == 0)
		return;
	measure(&table, shares->functions, count, title);
	write_heading(&table, title);
	for (size_t i = 0; i < count; i++)
		write_row(&table, &shares->functions[i], i + 1);
	for (size_t i = count; i < rows; i++)
		rest += shares->functions[i].self;
	if (count < rows) {
		char text[128], share[NUMBER_TEXT_MAX];

		snprintf(text, sizeof(text), "and %zu more with %s self together", rows - count,
			 text_percent(share, sizeof(share), rest, table.decimals));
		page_sentence(page, table.rank + 1, STYLE_DIM, text);
	}
}

void functions_view_write_counts(const struct page *page, const struct profile *profile,
				 const struct shares *shares, size_t limit)
{
	struct flow flow;
	size_t count = shares->function_count < limit ? shares->function_count : limit;

	if (count == 0)
		return;
	flow_begin(&flow, page, 2, 4, "   ");
	flow_item(&flow, STYLE_DIM, "samples seen in:");
	for (size_t i = 0; i < count; i++) {
		const struct share_row *row = &shares->functions[i];
		const struct profile_function *function = &profile->functions[row->function.v];
		const char *file = profile_string(profile, function->file);
		char place[PLACE_TEXT_MAX], name[NAME_TEXT_MAX];

		if (row->self_count == 0)
			continue;
		text_place(place, sizeof(place), profile, file,
			   row->hottest_line != 0 ? row->hottest_line : function->first_line);
		flow_item(&flow, STYLE_PLAIN, "%s%s%s (%llu)",
			  text_name(name, sizeof(name), function_shown(profile, row->function)),
			  *file == '\0' ? "" : " ", *file == '\0' ? "" : place,
			  (unsigned long long)row->self_count);
	}
	flow_end(&flow);
}
