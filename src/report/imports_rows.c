/* See imports_rows.h. */
#include "report/imports_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/imports.h"
#include "report/imports_view.h"
#include "report/page.h"

#define TIME_COLUMNS 9
#define MEMORY_COLUMNS 9
#define NAME_COLUMNS_MIN 16
#define NAME_COLUMNS_MAX 44
#define PLACE_COLUMNS_MIN 12
#define INDENT_MAX 20 /* levels of the tree that are still shown by indenting */
/* In a tree or on a time line: imports that take less are counted, not shown. */
#define SHOWN_SHARE 0.005
#define BAR_COLUMNS_MIN 10

static double seconds_of(uint64_t ns)
{
	return (double)ns / 1e9;
}

char *imports_place_text(const struct imports_page *self, const struct imports_record *record,
			 char *text, size_t size)
{
	char place[PLACE_TEXT_MAX];

	if (!record->by_file) {
		snprintf(text, size, "(interpreter)");
		return text;
	}
	text_place(place, sizeof(place), &self->paths, record->by_file, record->by_line);
	if (record->by_function && record->by_function[0] != '<')
		snprintf(text, size, "%s in %s", place, record->by_function);
	else
		snprintf(text, size, "%s", place);
	return text;
}

/* --- one row -------------------------------------------------------------------------------- */

static size_t numbers_width(const struct page *page)
{
	size_t width = (size_t)TIME_COLUMNS * 2;

	return page->columns < 70 ? width : width + MEMORY_COLUMNS;
}

static size_t name_width(const struct page *page)
{
	size_t others = 2 + numbers_width(page) + 2 + PLACE_COLUMNS_MIN, width;

	width = page->columns > others ? page->columns - others : NAME_COLUMNS_MIN;
	if (page->columns >= 70 && width > 26)
		width = 26 + (width - 26) / 2;
	return width > NAME_COLUMNS_MAX	  ? NAME_COLUMNS_MAX
	       : width < NAME_COLUMNS_MIN ? NAME_COLUMNS_MIN
					  : width;
}

static void write_time(const struct page *page, uint64_t ns, enum style style)
{
	char text[NUMBER_TEXT_MAX];

	text_seconds(text, sizeof(text), seconds_of(ns));
	page_cell(page, text, TIME_COLUMNS, CUT_END, true, style);
}

/* What it gained in memory, or the files that it opened where they are sorted by that. */
static void write_amount(const struct imports_page *self, const struct imports_record *record)
{
	int64_t bytes = record->memory_bytes;
	const struct page *page = self->page;
	char text[NUMBER_TEXT_MAX] = "";

	if (self->view->sort == IMPORTS_BY_FILES)
		text_count(text, sizeof(text), record->files);
	else if (bytes == IMPORTS_UNKNOWN)
		snprintf(text, sizeof(text), "unknown");
	else if (bytes >= 1024)
		text_bytes(text, sizeof(text), (uint64_t)bytes);
	else
		snprintf(text, sizeof(text), "0");
	page_cell(page, text, MEMORY_COLUMNS, CUT_END, true, STYLE_PLAIN);
}

static void write_heading(const struct imports_page *self, const char *title)
{
	const struct page *page = self->page;
	size_t width = name_width(page);

	fputs("  ", page->stream);
	page_cell(page, title, width, CUT_END, false, STYLE_DIM);
	page_cell(page, "self", TIME_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(page, "total", TIME_COLUMNS, CUT_END, true, STYLE_DIM);
	if (page->columns >= 70)
		page_cell(page, self->view->sort == IMPORTS_BY_FILES ? "files" : "memory",
			  MEMORY_COLUMNS, CUT_END, true, STYLE_DIM);
	if (page->columns >= 2 + width + numbers_width(page) + 2 + strlen("imported by")) {
		fputs("  ", page->stream);
		page_cell(page, "imported by", strlen("imported by"), CUT_END, false, STYLE_DIM);
	}
	fputc('\n', page->stream);
}

static void write_row(const struct imports_page *self, const struct imports_record *record,
		      size_t indent)
{
	const struct page *page = self->page;
	size_t width = name_width(page), used = 2 + width + numbers_width(page) + 2;
	char place[PLACE_TEXT_MAX + 64];
	size_t place_width;

	imports_place_text(self, record, place, sizeof(place));
	fprintf(page->stream, "%*s", (int)(2 + indent), "");
	page_cell(page, record->name, width - indent, CUT_MIDDLE, false,
		  record->error ? STYLE_DIM : STYLE_PLAIN);
	write_time(page, record->self_ns, STYLE_PLAIN);
	write_time(page, record->total_ns, STYLE_PLAIN);
	if (page->columns >= 70)
		write_amount(self, record);
	place_width = text_display_width(place);
	if (page->columns > used + NAME_COLUMNS_MIN / 2) {
		fputs("  ", page->stream);
		if (place_width > page->columns - used)
			place_width = page->columns - used;
		page_cell(page, place, place_width, CUT_START, false, STYLE_PLAIN);
	}
	fputc('\n', page->stream);
}

static void write_rest(const struct page *page, size_t count, const char *how)
{
	char text[128], number[NUMBER_TEXT_MAX];

	if (count == 0)
		return;
	snprintf(text, sizeof(text), "and %s more: %s", text_count(number, sizeof(number), count),
		 how);
	page_sentence(page, 2, STYLE_DIM, text);
}

/* --- the list ------------------------------------------------------------------------------- */

struct row {
	const struct imports_record *record;
	double key;
};

static int by_key(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->key != right->key)
		return left->key > right->key ? -1 : 1;
	return left->record < right->record ? -1 : left->record > right->record;
}

static double key_of(const struct imports_record *record, enum imports_sort sort)
{
	switch (sort) {
	case IMPORTS_BY_SELF:
		return (double)record->self_ns;
	case IMPORTS_BY_MEMORY:
		return (double)record->memory_bytes;
	case IMPORTS_BY_FILES:
		return (double)record->files;
	case IMPORTS_BY_START:
		return -(double)record->start_ns;
	case IMPORTS_BY_TOTAL:
		break;
	}
	return (double)record->total_ns;
}

int imports_list_write(const struct imports_page *self, bool at_start, struct err *err)
{
	const struct imports_result *result = self->view->result;
	struct row *rows = mem_zalloc(result->record_count + 1, sizeof(*rows));
	size_t count = 0, limit = self->view->limit;

	if (!rows)
		return err_set(err, ERR_MEMORY, "no memory for the list of imports");
	for (size_t i = 0; i < result->record_count; i++) {
		const struct imports_record *record = &result->records[i];

		/* Of those at first use only what was asked for: the rest hangs on it. */
		if (record->error || record->shell || record->at_start != at_start ||
		    (!at_start && record->parent != IMPORTS_NONE))
			continue;
		rows[count++] = (struct row){record, key_of(record, self->view->sort)};
	}
	qsort(rows, count, sizeof(*rows), by_key);
	if (count > 0)
		write_heading(self, at_start ? "imported at the start" : "at first use");
	for (size_t i = 0; i < count && (limit == 0 || i < limit); i++)
		write_row(self, rows[i].record, 0);
	if (limit && count > limit)
		write_rest(self->page, count - limit, "--top N, or all of them with --tree");
	mem_free(rows);
	return 0;
}

/* --- the tree ------------------------------------------------------------------------------- */

/* Records come parents first, children before the next one: an index of depths is enough. */
static uint16_t *depths_of(const struct imports_result *result)
{
	uint16_t *depths = mem_zalloc(result->record_count + 1, sizeof(*depths));

	for (size_t i = 0; depths && i < result->record_count; i++) {
		uint32_t parent = result->records[i].parent;

		if (parent != IMPORTS_NONE)
			depths[i] = depths[parent] < UINT16_MAX ? depths[parent] + 1 : UINT16_MAX;
	}
	return depths;
}

static bool is_shown(const struct imports_page *self, const struct imports_record *record)
{
	double total = (double)self->view->result->total_ns;

	return self->view->limit == 0 || (double)record->total_ns >= SHOWN_SHARE * total;
}

int imports_tree_write(const struct imports_page *self, struct err *err)
{
	const struct imports_result *result = self->view->result;
	uint16_t *depths = depths_of(result);
	size_t left = 0;

	if (!depths)
		return err_set(err, ERR_MEMORY, "no memory for the tree of imports");
	if (result->record_count)
		write_heading(self, "imports");
	for (size_t i = 0; i < result->record_count; i++) {
		size_t indent = depths[i] < INDENT_MAX ? depths[i] : INDENT_MAX;

		if (indent + NAME_COLUMNS_MIN / 2 > name_width(self->page))
			indent = name_width(self->page) - NAME_COLUMNS_MIN / 2;
		if (is_shown(self, &result->records[i]))
			write_row(self, &result->records[i], indent);
		else
			left++;
	}
	write_rest(self->page, left, "under 0.5 % each; --top 0 shows them");
	mem_free(depths);
	return 0;
}

/* --- the time line -------------------------------------------------------------------------- */

static void write_bar(const struct imports_page *self, const struct imports_record *record,
		      size_t width, double from_ns, double span_ns)
{
	FILE *stream = self->page->stream;
	double start = ((double)record->start_ns - from_ns) / span_ns;
	double share = (double)record->total_ns / span_ns;
	size_t before, length;

	start = start < 0 ? 0 : start > 1 ? 1 : start;
	before = (size_t)(start * (double)(width - 1));
	length = (size_t)(share * (double)width + 0.5);
	length = length < 1 ? 1 : length > width - before ? width - before : length;
	fprintf(stream, "%*s%s", (int)before, "",
		style_on(self->page->terminal, record->at_start ? STYLE_CYAN : STYLE_YELLOW));
	for (size_t i = 0; i < length; i++)
		fputs(self->page->terminal->utf8 ? "█" : "#", stream);
	fprintf(stream, "%s\n", style_off(self->page->terminal));
}

static void write_moment(const struct imports_page *self, const struct imports_record *record,
			 size_t indent, size_t bar, double span_ns)
{
	const struct page *page = self->page;
	char text[NUMBER_TEXT_MAX];

	fputs("  ", page->stream);
	text_seconds(text, sizeof(text), (double)record->start_ns / 1e9);
	page_cell(page, text, TIME_COLUMNS, CUT_END, true, STYLE_DIM);
	write_time(page, record->total_ns, STYLE_PLAIN);
	fprintf(page->stream, "  %*s", (int)indent, "");
	page_cell(page, record->name, name_width(page) - indent, CUT_MIDDLE, false, STYLE_PLAIN);
	fputc(' ', page->stream);
	write_bar(self, record, bar, (double)self->view->result->began_ns, span_ns);
}

int imports_timeline_write(const struct imports_page *self, struct err *err)
{
	const struct imports_result *result = self->view->result;
	const struct page *page = self->page;
	size_t used = 2 + (size_t)TIME_COLUMNS * 2 + 3 + name_width(page), left = 0;
	size_t bar =
	    page->columns > used + BAR_COLUMNS_MIN ? page->columns - used : BAR_COLUMNS_MIN;
	uint16_t *depths = depths_of(result);
	double end_ns = (double)result->began_ns + 1;

	if (!depths)
		return err_set(err, ERR_MEMORY, "no memory for the time line");
	for (size_t i = 0; i < result->record_count; i++) {
		double ended =
		    (double)result->records[i].start_ns + (double)result->records[i].total_ns;

		end_ns = ended > end_ns ? ended : end_ns;
	}
	fputs("  ", page->stream);
	page_cell(page, "at", TIME_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(page, "takes", TIME_COLUMNS, CUT_END, true, STYLE_DIM);
	fputs("\n", page->stream);
	for (size_t i = 0; i < result->record_count; i++) {
		size_t indent = depths[i] < 8 ? depths[i] : 8;

		if (is_shown(self, &result->records[i]))
			write_moment(self, &result->records[i], indent, bar,
				     end_ns - (double)result->began_ns);
		else
			left++;
	}
	write_rest(page, left, "under 0.5 % each; --top 0 shows them");
	mem_free(depths);
	return 0;
}
