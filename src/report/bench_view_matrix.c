/* Several interpreters side by side: see bench_view_internal.h. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "report/bench_numbers.h"
#include "report/bench_view_internal.h"

#define AXIS "python"
#define COLUMNS_MAX 12 /* interpreters; more would not be read side by side */
#define CELL_COLUMNS 15
#define NAME_COLUMNS 18

static const char *axis_of(const struct benchmark *benchmark)
{
	for (size_t i = 0; i < benchmark->param_count; i++) {
		if (strcmp(benchmark->params[i].name, AXIS) == 0)
			return benchmark->params[i].value;
	}
	return NULL;
}

/* The same but for the interpreter. */
static bool same_but_axis(const struct benchmark *a, const struct benchmark *b)
{
	if (strcmp(a->name, b->name) != 0 || a->param_count != b->param_count)
		return false;
	for (size_t i = 0; i < a->param_count; i++) {
		if (strcmp(a->params[i].name, b->params[i].name) != 0)
			return false;
		if (strcmp(a->params[i].name, AXIS) != 0 &&
		    strcmp(a->params[i].value, b->params[i].value) != 0)
			return false;
	}
	return true;
}

static void write_name(const struct page *page, const struct benchmark *benchmark)
{
	char text[512];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", benchmark->name);
	const char *before = "[";

	for (size_t i = 0; i < benchmark->param_count && used < sizeof(text) - 1; i++) {
		const struct bench_param *param = &benchmark->params[i];

		if (strcmp(param->name, AXIS) == 0)
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s=%s", before,
					 param->name, param->value);
		before = ",";
	}
	if (*before == ',' && used < sizeof(text) - 1)
		snprintf(text + used, sizeof(text) - used, "]");
	page_cell(page, text, NAME_COLUMNS, CUT_MIDDLE, false, STYLE_PLAIN);
}

struct matrix {
	const struct page *page;
	const struct bench_row *rows;
	size_t count;
	const char *axis[COLUMNS_MAX];
	size_t axis_count;
};

static const struct bench_row *find(const struct matrix *matrix, const struct benchmark *like,
				    const char *axis)
{
	for (size_t i = 0; i < matrix->count; i++) {
		const char *value = axis_of(matrix->rows[i].benchmark);

		if (value != NULL && strcmp(value, axis) == 0 &&
		    same_but_axis(matrix->rows[i].benchmark, like))
			return &matrix->rows[i];
	}
	return NULL;
}

/* "1.024 ms  1.31x": the median, and that of the first interpreter as a multiple of it. */
static void write_cell(const struct matrix *matrix, const struct bench_row *row, double first)
{
	char text[BENCH_NUMBER_MAX + 32], number[BENCH_NUMBER_MAX];
	double median = row != NULL ? row->summary.median : NAN;

	if (row == NULL || row->summary.n == 0)
		snprintf(text, sizeof(text), row == NULL ? "-" : "not measured");
	else if (isfinite(first) && median > 0)
		snprintf(text, sizeof(text), "%s %.2fx",
			 bench_number_text(number, sizeof(number), median, row->benchmark->unit,
					   matrix->page->terminal->utf8),
			 first / median);
	else
		bench_number_text(text, sizeof(text), median, row->benchmark->unit,
				  matrix->page->terminal->utf8);
	fputc(' ', matrix->page->stream);
	page_cell(matrix->page, text, CELL_COLUMNS - 1, CUT_END, true, STYLE_PLAIN);
}

static void write_line(const struct matrix *matrix, const struct benchmark *benchmark, size_t from,
		       size_t to)
{
	const struct bench_row *first = find(matrix, benchmark, matrix->axis[0]);
	double reference = first != NULL && first->summary.n > 0 ? first->summary.median : NAN;

	fputs("  ", matrix->page->stream);
	write_name(matrix->page, benchmark);
	for (size_t i = from; i < to; i++)
		write_cell(matrix, find(matrix, benchmark, matrix->axis[i]),
			   i == 0 ? NAN : reference);
	fputc('\n', matrix->page->stream);
}

static bool is_first_of_kind(const struct matrix *matrix, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (axis_of(matrix->rows[i].benchmark) != NULL &&
		    same_but_axis(matrix->rows[i].benchmark, matrix->rows[at].benchmark))
			return false;
	}
	return true;
}

static void write_block(const struct matrix *matrix, size_t from, size_t to)
{
	char text[BENCH_NUMBER_MAX];

	fputs("  ", matrix->page->stream);
	page_cell(matrix->page, "median", NAME_COLUMNS, CUT_END, false, STYLE_DIM);
	for (size_t i = from; i < to; i++) {
		snprintf(text, sizeof(text), "%.40s", matrix->axis[i]);
		page_cell(matrix->page, text, CELL_COLUMNS, CUT_END, true, STYLE_DIM);
	}
	fputc('\n', matrix->page->stream);
	for (size_t i = 0; i < matrix->count; i++) {
		if (axis_of(matrix->rows[i].benchmark) != NULL && is_first_of_kind(matrix, i))
			write_line(matrix, matrix->rows[i].benchmark, from, to);
	}
}

int bench_view_matrix(const struct page *page, const struct bench_row *rows, size_t count,
		      bool *ret_shown)
{
	struct matrix matrix = {.page = page, .rows = rows, .count = count};
	size_t fitting = (page->columns - 2 - NAME_COLUMNS) / CELL_COLUMNS;

	for (size_t i = 0; i < count; i++) {
		const char *value = axis_of(rows[i].benchmark);
		bool known = value == NULL;

		for (size_t k = 0; k < matrix.axis_count && !known; k++)
			known = strcmp(matrix.axis[k], value) == 0;
		if (!known && matrix.axis_count < COLUMNS_MAX)
			matrix.axis[matrix.axis_count++] = value;
	}
	if (matrix.axis_count < 2)
		return 0;
	if (fitting < 1)
		fitting = 1;
	for (size_t from = 0; from < matrix.axis_count; from += fitting) {
		size_t to = from + fitting < matrix.axis_count ? from + fitting : matrix.axis_count;

		write_block(&matrix, from, to);
	}
	page_sentence(page, 2, STYLE_DIM,
		      "x: how many times as fast as the first interpreter; side by side, not "
		      "compared in pairs.");
	*ret_shown = true;
	return 0;
}
