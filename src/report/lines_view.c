/* Lines with source and heat: see lines_view.h. */
#include "report/lines_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "report/functions_view.h"
#include "report/source_file.h"

#define CONTEXT_LINES 2
#define FILES_MAX 5
/* Lines with less are not worth a place of their own; beside others they have their number. */
#define HOT_SHARE_MIN 0.005
#define NUMBER_COLUMNS 8
#define HEAT_COLUMNS 5
#define LINE_COLUMNS 6
/* Tabs of the source become this many blanks. */
#define TAB_COLUMNS 4
#define SOURCE_TEXT_MAX 1024

struct file_heat {
	struct string_id file;
	size_t first, count; /* its rows in `lines` */
	double self;
};

struct lines_view {
	const struct page *page;
	const struct profile *profile;
	struct file_line *lines;
	struct file_heat *files;
	size_t line_count, file_count;
	double hottest, least; /* self: of the hottest line; lines under this are not hot */
	int decimals;
};

static int by_file_and_line(const void *a, const void *b)
{
	const struct file_line *left = a, *right = b;

	if (left->file.v != right->file.v)
		return left->file.v < right->file.v ? -1 : 1;
	return left->line < right->line ? -1 : left->line > right->line;
}

int file_lines_collect(const struct shares *shares, const struct profile *profile,
		       struct file_line **ret_lines, size_t *ret_count, struct err *err)
{
	struct file_line *lines = mem_alloc((shares->line_count + 1) * sizeof(*lines));
	size_t count = 0;

	if (lines == NULL)
		return err_set(err, ERR_MEMORY, "no memory for %zu lines", shares->line_count);
	for (size_t i = 0; i < shares->line_count; i++) {
		const struct share_row *row = &shares->lines[i];

		lines[i] = (struct file_line){.file = profile->functions[row->function.v].file,
					      .line = row->line,
					      .function = row->function,
					      .self = row->self,
					      .total = row->total,
					      .function_self = row->self};
	}
	qsort(lines, shares->line_count, sizeof(*lines), by_file_and_line);
	for (size_t i = 0; i < shares->line_count; i++) {
		if (count > 0 && by_file_and_line(&lines[count - 1], &lines[i]) == 0) {
			lines[count - 1].self += lines[i].self;
			if (lines[i].function_self > lines[count - 1].function_self) {
				lines[count - 1].function = lines[i].function;
				lines[count - 1].function_self = lines[i].function_self;
			}
			if (lines[i].total > lines[count - 1].total)
				lines[count - 1].total = lines[i].total;
		} else {
			lines[count++] = lines[i];
		}
	}
	*ret_lines = lines;
	*ret_count = count;
	return 0;
}

static int by_self(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? 1 : left > right ? -1 : 0;
}

static int file_by_self(const void *a, const void *b)
{
	const struct file_heat *left = a, *right = b;

	if (left->self != right->self)
		return left->self < right->self ? 1 : -1;
	return left->file.v < right->file.v ? -1 : left->file.v > right->file.v;
}

/* The threshold that leaves `limit` hot lines, and the hottest. */
static int find_heat(struct lines_view *view, size_t limit)
{
	double *selfs = mem_alloc((view->line_count + 1) * sizeof(*selfs));
	if (selfs == NULL)
		return -ERR_MEMORY;
	for (size_t i = 0; i < view->line_count; i++)
		selfs[i] = view->lines[i].self;
	qsort(selfs, view->line_count, sizeof(*selfs), by_self);
	view->hottest = view->line_count > 0 ? selfs[0] : 0;
	view->least = view->line_count > limit && limit > 0 ? selfs[limit - 1] : HOT_SHARE_MIN;
	if (view->least < HOT_SHARE_MIN)
		view->least = HOT_SHARE_MIN;
	mem_free(selfs);
	return 0;
}

static int collect_files(struct lines_view *view)
{
	view->files = mem_zalloc(view->line_count + 1, sizeof(*view->files));
	if (view->files == NULL)
		return -ERR_MEMORY;
	for (size_t i = 0; i < view->line_count; i++) {
		struct file_heat *file = &view->files[view->file_count];

		if (i == 0 || view->lines[i].file.v != view->lines[i - 1].file.v) {
			*file = (struct file_heat){.file = view->lines[i].file, .first = i};
			view->file_count++;
		} else {
			file--;
		}
		file->count++;
		file->self += view->lines[i].self;
	}
	qsort(view->files, view->file_count, sizeof(*view->files), file_by_self);
	return 0;
}

static void write_heat(const struct lines_view *view, double self)
{
	static const char *const blocks[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	const struct page *page = view->page;
	double cells = view->hottest > 0 ? self / view->hottest * HEAT_COLUMNS : 0;
	enum style style = self >= 0.5 * view->hottest	  ? STYLE_RED
			   : self >= 0.15 * view->hottest ? STYLE_YELLOW
							  : STYLE_PLAIN;
	size_t full = (size_t)cells, used = full;

	fputs(style_on(page->terminal, style), page->stream);
	for (size_t i = 0; i < full; i++)
		fputs(page->terminal->utf8 ? "█" : "#", page->stream);
	if (full < HEAT_COLUMNS && page->terminal->utf8) {
		size_t eighths = (size_t)((cells - (double)full) * 8);

		fputs(blocks[full == 0 && eighths == 0 && self > 0 ? 1 : eighths], page->stream);
		used++;
	} else if (full == 0 && self > 0) {
		fputc('.', page->stream);
		used++;
	}
	fputs(style_off(page->terminal), page->stream);
	if (used < HEAT_COLUMNS)
		fprintf(page->stream, "%*s", (int)(HEAT_COLUMNS - used), "");
}

/* What is left of the page right of the numbers. */
static size_t text_room(const struct lines_view *view)
{
	return view->page->columns - LINE_COLUMNS - 2 * NUMBER_COLUMNS - HEAT_COLUMNS - 4;
}

/* In place of source that cannot be shown. */
static void write_function(const struct lines_view *view, const struct file_line *row)
{
	const char *name = function_shown(view->profile, row->function);
	size_t width = text_display_width(name), room = text_room(view);

	page_cell(view->page, name, width < room ? width : room, CUT_MIDDLE, false, STYLE_DIM);
}

static void write_source(const struct lines_view *view, const char *source)
{
	char text[SOURCE_TEXT_MAX];
	size_t used = 0, room, width;

	for (; *source != '\0' && used + TAB_COLUMNS + 1 < sizeof(text); source++) {
		if (*source == '\t') {
			memset(text + used, ' ', TAB_COLUMNS);
			used += TAB_COLUMNS;
		} else {
			text[used++] = *source;
		}
	}
	text[used] = '\0';
	while (used > 0 && text[used - 1] == ' ')
		text[--used] = '\0';
	room = text_room(view);
	width = text_display_width(text);
	page_cell(view->page, text, width < room ? width : room, CUT_END, false, STYLE_PLAIN);
}

/* `row` NULL: a line around the hot ones, without samples of its own. */
static void write_line(const struct lines_view *view, uint32_t line, const struct file_line *row,
		       const char *source)
{
	const struct page *page = view->page;
	char text[NUMBER_TEXT_MAX];
	bool hot = row != NULL && row->self >= view->least;
	bool has_self = row != NULL && row->self >= (view->decimals == 1 ? 0.0005 : 0.005);
	bool passed = row != NULL && row->total > 0;

	snprintf(text, sizeof(text), "%u", line);
	page_cell(page, line == 0 ? "?" : text, LINE_COLUMNS, CUT_END, true,
		  hot ? STYLE_BOLD : STYLE_DIM);
	page_cell(page, has_self ? text_percent(text, sizeof(text), row->self, view->decimals) : "",
		  NUMBER_COLUMNS, CUT_END, true, STYLE_PLAIN);
	page_cell(page, passed ? text_percent(text, sizeof(text), row->total, view->decimals) : "",
		  NUMBER_COLUMNS, CUT_END, true, hot ? STYLE_PLAIN : STYLE_DIM);
	if (hot || (source != NULL && *source != '\0')) {
		fputs("  ", page->stream);
		write_heat(view, hot ? row->self : 0);
		fputs("  ", page->stream);
	}
	if (source != NULL)
		write_source(view, source);
	else if (row != NULL)
		write_function(view, row);
	fputc('\n', page->stream);
}

static const struct file_line *find_row(const struct lines_view *view, const struct file_heat *file,
					uint32_t line)
{
	struct file_line wanted = {.file = file->file, .line = line};

	return bsearch(&wanted, view->lines + file->first, file->count, sizeof(*view->lines),
		       by_file_and_line);
}

static void write_snippets(const struct lines_view *view, const struct file_heat *file,
			   const struct source_file *source)
{
	uint32_t shown_to = 0; /* the last line that is on the page */

	for (size_t i = file->first; i < file->first + file->count; i++) {
		const struct file_line *row = &view->lines[i];
		uint32_t from, to;

		if (row->self < view->least)
			continue;
		if (source_file_line(source, row->line) == NULL) {
			write_line(view, row->line, row, NULL);
			continue;
		}
		from = row->line > CONTEXT_LINES ? row->line - CONTEXT_LINES : 1;
		to = row->line + CONTEXT_LINES;
		if (shown_to > 0 && from > shown_to + 1)
			fputc('\n', view->page->stream);
		for (uint32_t line = from > shown_to ? from : shown_to + 1; line <= to; line++) {
			const char *text = source_file_line(source, line);

			if (text == NULL || (line > row->line && *text == '\0'))
				break;
			write_line(view, line, find_row(view, file, line), text);
			shown_to = line;
		}
	}
}

static bool has_hot_line(const struct lines_view *view, const struct file_heat *file)
{
	for (size_t i = file->first; i < file->first + file->count; i++) {
		if (view->lines[i].self >= view->least)
			return true;
	}
	return false;
}

static void write_file(const struct lines_view *view, const struct file_heat *file)
{
	const char *name = profile_string(view->profile, file->file);
	char place[PLACE_TEXT_MAX], share[NUMBER_TEXT_MAX];
	struct source_file source;
	struct flow flow;

	source_file_read(&source, view->profile, name);
	text_place(place, sizeof(place), view->profile, *name == '\0' ? "(no file)" : name, 0);
	flow_begin(&flow, view->page, 0, 2, "  ");
	flow_item(&flow, STYLE_BOLD, "%s", place);
	flow_item(&flow, STYLE_PLAIN, "%s self",
		  text_percent(share, sizeof(share), file->self, view->decimals));
	flow_end(&flow);
	if (source.why_not[0] != '\0')
		page_sentence(view->page, 2, STYLE_DIM, source.why_not);
	page_cell(view->page, "line", LINE_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(view->page, "self", NUMBER_COLUMNS, CUT_END, true, STYLE_DIM);
	page_cell(view->page, "total", NUMBER_COLUMNS, CUT_END, true, STYLE_DIM);
	fputc('\n', view->page->stream);
	write_snippets(view, file, &source);
	source_file_release(&source);
}

int lines_view_write(const struct page *page, const struct profile *profile,
		     const struct shares *shares, size_t limit, struct err *err)
{
	struct lines_view view = {
	    .page = page, .profile = profile, .decimals = shares_decimals(shares)};
	size_t shown = 0;
	int r = file_lines_collect(shares, profile, &view.lines, &view.line_count, err);

	if (r < 0)
		return r;
	if (find_heat(&view, limit) < 0 || collect_files(&view) < 0) {
		r = err_set(err, ERR_MEMORY, "no memory for %zu lines", view.line_count);
		goto out;
	}
	for (size_t i = 0; i < view.file_count && shown < FILES_MAX; i++) {
		if (!has_hot_line(&view, &view.files[i]))
			continue;
		if (shown > 0)
			page_blank(page);
		write_file(&view, &view.files[i]);
		shown++;
	}
out:
	mem_free(view.files);
	mem_free(view.lines);
	return r;
}
