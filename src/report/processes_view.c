/* Processes of a recording: see processes_view.h. */
#include "report/processes_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define PYTHON_COLUMNS 9
#define NUMBER_COLUMNS 11
#define COMMAND_COLUMNS_MIN 12
#define NOTABLE_CPU_SHARE 0.01
#define NOTABLE_CPU_NS 10e6

struct process_row {
	const struct profile_process *process;
	uint64_t samples;
	uint32_t id;
};

static double cpu_of(const struct profile_process *process)
{
	return process->cpu_ns == UINT64_MAX ? -1 : (double)process->cpu_ns;
}

static int by_cpu(const void *a, const void *b)
{
	const struct process_row *left = a, *right = b;
	double left_cpu = cpu_of(left->process), right_cpu = cpu_of(right->process);

	if (left_cpu != right_cpu)
		return left_cpu < right_cpu ? 1 : -1;
	return left->id < right->id ? -1 : left->id > right->id;
}

/* What a narrow page leaves out, the last first. */
struct columns {
	bool peak, samples, python;
	size_t command;
};

static struct columns choose_columns(const struct page *page)
{
	size_t room = page->columns - (2 + 8 + 2 + NUMBER_COLUMNS) - COMMAND_COLUMNS_MIN;
	struct columns columns = {.command = COMMAND_COLUMNS_MIN};

	columns.samples = room >= NUMBER_COLUMNS;
	room -= columns.samples ? NUMBER_COLUMNS : 0;
	columns.python = room >= 2 + PYTHON_COLUMNS;
	room -= columns.python ? 2 + PYTHON_COLUMNS : 0;
	columns.peak = room >= NUMBER_COLUMNS;
	room -= columns.peak ? NUMBER_COLUMNS : 0;
	columns.command += room;
	return columns;
}

static void write_heading(const struct page *page, const struct columns *columns)
{
	fputs("  ", page->stream);
	page_cell(page, "pid", 8, CUT_END, true, STYLE_DIM);
	fputs("  ", page->stream);
	page_cell(page, "process", columns->command, CUT_END, false, STYLE_DIM);
	if (columns->python) {
		fputs("  ", page->stream);
		page_cell(page, "CPython", PYTHON_COLUMNS, CUT_END, false, STYLE_DIM);
	}
	page_cell(page, "CPU", NUMBER_COLUMNS, CUT_END, true, STYLE_DIM);
	if (columns->peak)
		page_cell(page, "peak", NUMBER_COLUMNS, CUT_END, true, STYLE_DIM);
	if (columns->samples)
		page_cell(page, "samples", NUMBER_COLUMNS, CUT_END, true, STYLE_DIM);
	fputc('\n', page->stream);
}

static void write_row(const struct page *page, const struct profile *profile,
		      const struct process_row *row, const struct columns *columns)
{
	const struct profile_process *process = row->process;
	const char *command = profile_string(profile, process->command);
	const char *python = profile_string(profile, process->python);
	char text[NUMBER_TEXT_MAX] = "unknown";

	fprintf(page->stream, "  %8u  ", process->pid);
	page_cell(page, *command == '\0' ? "(unknown)" : command, columns->command, CUT_MIDDLE,
		  false, STYLE_PLAIN);
	if (columns->python) {
		fputs("  ", page->stream);
		page_cell(page, *python == '\0' ? "none" : python, PYTHON_COLUMNS, CUT_END, false,
			  STYLE_PLAIN);
	}
	if (process->cpu_ns != UINT64_MAX)
		text_seconds(text, sizeof(text), (double)process->cpu_ns / 1e9);
	page_cell(page, text, NUMBER_COLUMNS, CUT_END, true, STYLE_PLAIN);
	if (process->peak_rss_bytes != UINT64_MAX)
		text_bytes(text, sizeof(text), process->peak_rss_bytes);
	else
		snprintf(text, sizeof(text), "unknown");
	if (columns->peak)
		page_cell(page, text, NUMBER_COLUMNS, CUT_END, true, STYLE_PLAIN);
	if (columns->samples)
		page_cell(page, text_count(text, sizeof(text), row->samples), NUMBER_COLUMNS,
			  CUT_END, true, STYLE_PLAIN);
	fputc('\n', page->stream);
}

/* Moves the notable rows to the front, in their order; how many there are. */
static size_t move_notable(struct process_row *rows, size_t count)
{
	double least = NOTABLE_CPU_SHARE * cpu_of(rows[0].process);
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		double cpu = cpu_of(rows[i].process);

		if (i == 0 || rows[i].process->python.v != 0 ||
		    (cpu >= least && cpu >= NOTABLE_CPU_NS))
			rows[kept++] = rows[i];
	}
	return kept;
}

bool processes_view_write(const struct page *page, const struct profile *profile, size_t limit,
			  bool notable_only)
{
	size_t count = profile->process_count > 0 ? profile->process_count - 1 : 0;
	struct columns columns = choose_columns(page);
	struct process_row *rows;
	size_t shown;

	if (count == 0)
		return false;
	rows = mem_zalloc(count, sizeof(*rows));
	if (rows == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct process_row){&profile->processes[i + 1], 0, (uint32_t)i + 1};
	for (size_t i = 0; i < profile->sample_count; i++) {
		uint32_t process = profile->threads[profile->samples[i].thread.v].process.v;

		if (process > 0 && process <= count)
			rows[process - 1].samples += profile->samples[i].count;
	}
	/* The first is the command itself and stays first. */
	if (count > 2)
		qsort(rows + 1, count - 1, sizeof(*rows), by_cpu);
	shown = notable_only ? move_notable(rows, count) : count;
	if (notable_only && shown < 2) {
		mem_free(rows);
		return false;
	}
	if (shown > limit)
		shown = limit;
	write_heading(page, &columns);
	for (size_t i = 0; i < shown; i++)
		write_row(page, profile, &rows[i], &columns);
	if (count > shown) {
		char text[96];

		snprintf(text, sizeof(text), "and %zu more: --processes --limit N", count - shown);
		page_sentence(page, 12, STYLE_DIM, text);
	}
	mem_free(rows);
	return true;
}
