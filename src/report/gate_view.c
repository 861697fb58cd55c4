/* The page of `gate`, its sentences, Markdown and annotations. JSON and SARIF: gate_json.c. */
#include "report/gate_view.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "bench/gate.h"
#include "report/bench_numbers.h"
#include "report/page.h"

#define VERDICT_COLUMNS 14
#define INDENT 2
#define DIRECTORY_MAX 4096

static const struct {
	const char *word;
	enum style style;
	const char *annotation; /* NULL: none */
} verdict_words[] = {
    [GATE_PASS] = {"pass", STYLE_GREEN, NULL},
    [GATE_WAIVED] = {"waived", STYLE_YELLOW, "notice"},
    [GATE_CANNOT_TELL] = {"cannot tell", STYLE_YELLOW, "warning"},
    [GATE_REFUSED] = {"refused", STYLE_YELLOW, "warning"},
    [GATE_NOT_MEASURED] = {"not measured", STYLE_RED, "error"},
    [GATE_FAIL] = {"fail", STYLE_RED, "error"},
};

const char *gate_file(const struct gate *gate)
{
	const char *path = gate->budgets->path != NULL ? gate->budgets->path : "";
	char here[DIRECTORY_MAX];
	size_t length;

	if (getcwd(here, sizeof(here)) == NULL)
		return path;
	length = strlen(here);
	return strncmp(path, here, length) == 0 && path[length] == '/' ? path + length + 1 : path;
}

/* --- sentences
 * ------------------------------------------------------------------------------------- */

static void number(const struct gate_row *row, double value, char *text, size_t size)
{
	if (isnan(value))
		snprintf(text, size, "unknown");
	else if (strcmp(row->unit, "%") == 0)
		snprintf(text, size, "%+.1f %%", value * 100);
	else if (strcmp(row->unit, "/s") == 0)
		snprintf(text, size, "%.4g/s", value);
	else if (row->unit[0] == '\0')
		snprintf(text, size, "%.0f", value);
	else
		bench_number_text(text, size, value, row->unit, false);
}

static const char *limit_words(const struct budget *budget)
{
	return budget->metric == BUDGET_THROUGHPUT ? "at least" : "at most";
}

char *gate_sentence(const struct gate_row *row, char *text, size_t size)
{
	const struct budget *budget = row->budget;
	char value[BENCH_NUMBER_MAX], low[BENCH_NUMBER_MAX], high[BENCH_NUMBER_MAX];
	size_t used;

	snprintf(text, size, "%s", budget->key);
	used = strlen(text);
	if (!isnan(row->value)) {
		number(row, row->value, value, sizeof(value));
		number(row, row->low, low, sizeof(low));
		number(row, row->high, high, sizeof(high));
		if (isfinite(row->low) && isfinite(row->high) && row->low < row->high)
			snprintf(text + used, size - used, " %s (%s to %s)", value, low, high);
		else
			snprintf(text + used, size - used, " %s", value);
		used = strlen(text);
	}
	if (budget->text[0] != '\0')
		snprintf(text + used, size - used, ", %s %s", limit_words(budget), budget->text);
	used = strlen(text);
	if (row->reason != NULL)
		snprintf(text + used, size - used, ": %s", row->reason);
	used = strlen(text);
	if (row->waiver != NULL)
		snprintf(text + used, size - used, "; waived until %s: %s", row->waiver->until,
			 row->waiver->reason);
	return text;
}

char *gate_headline(const struct gate *gate, char *text, size_t size)
{
	size_t counts[GATE_FAIL + 1] = {0}, used;

	for (size_t i = 0; i < gate->count; i++)
		counts[gate->rows[i].verdict]++;
	if (counts[GATE_FAIL] > 0)
		snprintf(text, size, "%zu of %zu budgets %s not met", counts[GATE_FAIL],
			 gate->count, counts[GATE_FAIL] == 1 ? "is" : "are");
	else if (counts[GATE_NOT_MEASURED] > 0)
		snprintf(text, size, "%zu of %zu budgets %s not measured",
			 counts[GATE_NOT_MEASURED], gate->count,
			 counts[GATE_NOT_MEASURED] == 1 ? "was" : "were");
	else if (counts[GATE_CANNOT_TELL] + counts[GATE_REFUSED] > 0)
		snprintf(text, size, "%zu of %zu budgets can't be told",
			 counts[GATE_CANNOT_TELL] + counts[GATE_REFUSED], gate->count);
	else if (gate->count == 0)
		snprintf(text, size, "No budget was judged");
	else
		snprintf(text, size, "%s %zu budget%s met",
			 counts[GATE_WAIVED] > 0 ? "Met or waived: all" : "All", gate->count,
			 gate->count == 1 ? " is" : "s are");
	used = strlen(text);
	if (counts[GATE_FAIL] > 0 && counts[GATE_NOT_MEASURED] > 0)
		snprintf(text + used, size - used, ", %zu not measured", counts[GATE_NOT_MEASURED]);
	return text;
}

/* --- for people
 * ---------------------------------------------------------------------------------------- */

static void print_row(const struct page *page, const struct gate_row *row)
{
	char sentence[GATE_SENTENCE_MAX];
	size_t room = page->columns - INDENT - VERDICT_COLUMNS;

	fprintf(page->stream, "%*s", INDENT, "");
	page_cell(page, verdict_words[row->verdict].word, VERDICT_COLUMNS, CUT_END, false,
		  verdict_words[row->verdict].style);
	if (text_display_width(row->name) > room)
		text_write_cell(page->stream, row->name, room, CUT_MIDDLE, false);
	else
		text_write_safe(page->stream, row->name);
	fputc('\n', page->stream);
	page_sentence(page, INDENT + VERDICT_COLUMNS, STYLE_PLAIN,
		      gate_sentence(row, sentence, sizeof(sentence)));
}

static void print_waivers(const struct page *page, const struct gate *gate)
{
	char text[GATE_SENTENCE_MAX];

	for (size_t i = 0; i < gate->waivers->count; i++) {
		const struct waiver *waiver = &gate->waivers->items[i];

		if (waiver->used)
			continue;
		snprintf(text, sizeof(text), "nothing needs the waiver for %.200s (line %d) now",
			 waiver->name, waiver->line);
		page_sentence(page, INDENT, STYLE_DIM, text);
	}
}

int gate_view_print(FILE *out, const struct gate *gate, const struct terminal *terminal,
		    struct err *err)
{
	struct terminal described;
	struct page page;
	char text[GATE_SENTENCE_MAX];

	if (terminal == NULL) {
		terminal_describe(&described, out);
		terminal = &described;
	}
	page_init(&page, out, terminal);
	gate_headline(gate, text, sizeof(text) - 1);
	strcat(text, ".");
	page_sentence(&page, 0, STYLE_BOLD, text);
	if (gate->count > 0)
		page_blank(&page);
	/* The worst first. */
	for (int verdict = GATE_FAIL; verdict >= GATE_PASS; verdict--)
		for (size_t i = 0; i < gate->count; i++)
			if ((int)gate->rows[i].verdict == verdict)
				print_row(&page, &gate->rows[i]);
	print_waivers(&page, gate);
	return stream_finish(out, "the budgets", err);
}

/* --- Markdown
 * --------------------------------------------------------------------------------------------- */

/* Names come from files: nothing in them may end a cell, open a tag or a link. */
static void markdown_text(FILE *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			fputc(' ', out);
		else if (*c == '<')
			fputs("&lt;", out);
		else if (*c == '&')
			fputs("&amp;", out);
		else if (strchr("|`*_[]\\!#~@", *c) != NULL)
			fprintf(out, "&#%d;", *c);
		else
			fputc(*c, out);
	}
}

int gate_markdown_write(FILE *out, const struct gate *gate, struct err *err)
{
	char text[GATE_SENTENCE_MAX];

	fprintf(out, "### Budgets: %s\n\n", gate_headline(gate, text, sizeof(text)));
	if (gate->count > 0)
		fputs("| verdict | benchmark | budget |\n|---|---|---|\n", out);
	for (int verdict = GATE_FAIL; verdict >= GATE_PASS; verdict--)
		for (size_t i = 0; i < gate->count; i++) {
			const struct gate_row *row = &gate->rows[i];

			if ((int)row->verdict != verdict)
				continue;
			fprintf(out, "| **%s** | ", verdict_words[row->verdict].word);
			markdown_text(out, row->name);
			fputs(" | ", out);
			markdown_text(out, gate_sentence(row, text, sizeof(text)));
			fputs(" |\n", out);
		}
	return stream_finish(out, "the budgets", err);
}

/* --- GitHub
 * ---------------------------------------------------------------------------------------------------
 */

/* Workflow commands: % and line ends are escaped, in properties : and , too. */
static void annotation_text(FILE *out, const char *text, bool property)
{
	for (const char *c = text; *c != '\0'; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte == '%' || byte == '\r' || byte == '\n' ||
		    (property && (byte == ':' || byte == ',')))
			fprintf(out, "%%%02X", byte);
		else if (byte < ' ' || byte == 0x7f)
			fputc(' ', out);
		else
			fputc(byte, out);
	}
}

int gate_annotations_write(FILE *out, const struct gate *gate, struct err *err)
{
	char text[GATE_SENTENCE_MAX];

	for (size_t i = 0; i < gate->count; i++) {
		const struct gate_row *row = &gate->rows[i];
		const char *kind = verdict_words[row->verdict].annotation;

		if (kind == NULL)
			continue;
		fprintf(out, "::%s file=", kind);
		annotation_text(out, gate_file(gate), true);
		fprintf(out, ",line=%d,title=", row->budget->line);
		snprintf(text, sizeof(text), "%s: %s", verdict_words[row->verdict].word, row->name);
		annotation_text(out, text, true);
		fputs("::", out);
		annotation_text(out, gate_sentence(row, text, sizeof(text)), false);
		fputc('\n', out);
	}
	return stream_finish(out, "the annotations", err);
}
