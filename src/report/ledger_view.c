/* The ledger for people, as Markdown and as JSON: see ledger_view.h. */
#include "report/ledger_view.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/json_write.h"
#include "base/terminal.h"
#include "report/page.h"

#define LEDGER_SCHEMA_VERSION 1
#define COLUMNS_WANTED 80
#define ROWS_SHOWN 20

static const char *date_text(char *text, size_t size, double unix_s, const char *format)
{
	bool known = unix_s >= 0 && unix_s < 253402300800.0;
	time_t seconds = known ? (time_t)unix_s : 0;
	struct tm tm;

	if (!known || gmtime_r(&seconds, &tm) == NULL || strftime(text, size, format, &tm) == 0)
		snprintf(text, size, "undated");
	return text;
}

static void change_text(char *text, size_t size, const struct ledger_row *row)
{
	if (!isfinite(row->ratio))
		snprintf(text, size, "unknown");
	else if (isfinite(row->low) && isfinite(row->high))
		snprintf(text, size, "%+.1f %% (%+.1f to %+.1f)", (row->ratio - 1) * 100,
			 (row->low - 1) * 100, (row->high - 1) * 100);
	else
		snprintf(text, size, "%+.1f %%", (row->ratio - 1) * 100);
}

static const char *text_or(const char *text, const char *otherwise)
{
	return text != NULL ? text : otherwise;
}

/* ---- For people ---- */

static void print_side(const struct page *page, const char *name, const struct ledger_side *side)
{
	struct flow flow;

	flow_begin(&flow, page, 2, 4, "  ");
	flow_item(&flow, STYLE_BOLD, "%s", name);
	flow_item(&flow, STYLE_PLAIN, "%s", text_or(side->label, "unknown"));
	if (side->revision != NULL)
		flow_item(&flow, STYLE_DIM, "%.12s", side->revision);
	else
		flow_item(&flow, STYLE_DIM, "revision unknown");
	if (side->subject != NULL)
		flow_item(&flow, STYLE_DIM, "%s", side->subject);
	if (side->python != NULL)
		flow_item(&flow, STYLE_PLAIN, "%s", side->python);
	flow_end(&flow);
}

static void print_rows(const struct page *page, const struct ledger_entry *entry)
{
	size_t name_columns = page->columns > 60 ? page->columns - 50 : 16;
	char text[96];

	for (size_t i = 0; i < entry->row_count && i < ROWS_SHOWN; i++) {
		const struct ledger_row *row = &entry->rows[i];

		fputs("  ", page->stream);
		page_cell(page, row->name, name_columns, CUT_MIDDLE, false, STYLE_PLAIN);
		change_text(text, sizeof(text), row);
		page_cell(page, text, 30, CUT_END, true, STYLE_PLAIN);
		fputs("  ", page->stream);
		page_cell(page, row->verdict, 14, CUT_END, false, STYLE_PLAIN);
		fputc('\n', page->stream);
	}
	if (entry->row_count > ROWS_SHOWN)
		fprintf(page->stream, "  and %zu more\n", entry->row_count - ROWS_SHOWN);
}

static void print_labelled(const struct page *page, const char *label, const char *text)
{
	char line[4200];

	snprintf(line, sizeof(line), "%s: %s", label, text_or(text, "unknown"));
	page_sentence(page, 2, STYLE_PLAIN, line);
}

static void print_entry(const struct page *page, const struct ledger_entry *entry)
{
	char date[24], line[4200];

	snprintf(line, sizeof(line), "%s  %s",
		 date_text(date, sizeof(date), entry->created_s, "%Y-%m-%d"),
		 text_or(entry->hypothesis, entry->file));
	fputc('\n', page->stream);
	page_sentence(page, 0, STYLE_BOLD, line);
	if (entry->problem != NULL) {
		snprintf(line, sizeof(line), "Tampered with: %s (%s)", entry->problem, entry->file);
		page_sentence(page, 2, STYLE_RED, line);
	}
	print_labelled(page, "decision", entry->decision);
	print_labelled(page, "reason", entry->reason);
	print_side(page, "A", &entry->a);
	print_side(page, "B", &entry->b);
	print_rows(page, entry);
}

int ledger_view_print(FILE *out, const struct ledger *ledger, const char *folder,
		      const struct terminal *terminal, struct err *err)
{
	struct page page;
	char text[128];

	page_init(&page, out, terminal);
	page.columns = page.columns > COLUMNS_WANTED ? COLUMNS_WANTED : page.columns;
	snprintf(text, sizeof(text), "%zu %s, %s.", ledger->count,
		 ledger->count == 1 ? "entry" : "entries",
		 ledger->count == 0	 ? "no ledger yet"
		 : ledger->problems == 0 ? "none changed since it was written"
					 : "not all as they were written");
	page_sentence(&page, 0, ledger->problems == 0 ? STYLE_BOLD : STYLE_RED, text);
	page_sentence(&page, 2, STYLE_DIM, folder);
	for (size_t i = 0; i < ledger->count; i++)
		print_entry(&page, &ledger->entries[i]);
	return stream_finish(out, "the ledger", err);
}

/* ---- Markdown ---- */

static void write_cell(FILE *out, const char *text)
{
	fputs(" `", out);
	for (; *text != '\0'; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc((unsigned char)*text < 0x20 ? ' ' : *text == '`' ? '\'' : *text, out);
	}
	fputs("` |", out);
}

static void write_plain(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '<' || *text == '|')
			fputc('\\', out);
		fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
	}
}

static void write_entry(FILE *out, const struct ledger_entry *entry)
{
	char text[96];

	fprintf(out, "\n## %s ", date_text(text, sizeof(text), entry->created_s, "%Y-%m-%d"));
	write_plain(out, text_or(entry->hypothesis, entry->file));
	fputs("\n\n", out);
	if (entry->problem != NULL) {
		fputs("**Tampered with: ", out);
		write_plain(out, entry->problem);
		fputs(".**\n\n", out);
	}
	fputs("**", out);
	write_plain(out, text_or(entry->decision, "decision unknown"));
	fputs("**: ", out);
	write_plain(out, text_or(entry->reason, "reason unknown"));
	fputs("\n\n| | what | revision | Python |\n|---|---|---|---|\n", out);
	for (int i = 0; i < 2; i++) {
		const struct ledger_side *side = i == 0 ? &entry->a : &entry->b;

		fprintf(out, "| %s |", i == 0 ? "A" : "B");
		write_cell(out, text_or(side->label, "unknown"));
		write_cell(out, text_or(side->revision, "unknown"));
		write_cell(out, text_or(side->python, "unknown"));
		fputc('\n', out);
	}
	fputs("\n| benchmark | B against A | verdict | pairs |\n|---|---:|---|---:|\n", out);
	for (size_t i = 0; i < entry->row_count; i++) {
		fputc('|', out);
		write_cell(out, entry->rows[i].name);
		change_text(text, sizeof(text), &entry->rows[i]);
		fprintf(out, " %s | ", text);
		write_plain(out, entry->rows[i].verdict);
		fprintf(out, " | %llu |\n", (unsigned long long)entry->rows[i].pairs);
	}
}

int ledger_markdown_write(FILE *out, const struct ledger *ledger, struct err *err)
{
	fputs("# Performance ledger\n", out);
	for (size_t i = 0; i < ledger->count; i++)
		write_entry(out, &ledger->entries[i]);
	return stream_finish(out, "the ledger", err);
}

/* ---- JSON ---- */

static void json_pair(struct json_writer *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text);
}

static void json_side(struct json_writer *json, const char *key, const struct ledger_side *side)
{
	json_key(json, key);
	json_object_begin(json);
	json_pair(json, "label", side->label);
	json_pair(json, "revision", side->revision);
	json_pair(json, "subject", side->subject);
	json_pair(json, "python", side->python);
	json_object_end(json);
}

static void json_row(struct json_writer *json, const struct ledger_row *row)
{
	const struct {
		const char *key;
		double value;
	} numbers[] = {{"ratio", row->ratio},
		       {"low", row->low},
		       {"high", row->high},
		       {"detectable", row->detectable}};

	json_object_begin(json);
	json_pair(json, "name", row->name);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		json_key(json, numbers[i].key);
		json_number(json, numbers[i].value);
	}
	json_pair(json, "verdict", row->verdict);
	json_key(json, "pairs");
	json_unsigned(json, row->pairs);
	json_object_end(json);
}

static void json_entry(struct json_writer *json, const struct ledger_entry *entry)
{
	char date[40];

	json_object_begin(json);
	json_pair(json, "id", entry->id);
	json_pair(json, "file", entry->file);
	json_pair(json, "date",
		  isnan(entry->created_s)
		      ? NULL
		      : date_text(date, sizeof(date), entry->created_s, "%Y-%m-%dT%H:%M:%SZ"));
	json_pair(json, "hypothesis", entry->hypothesis);
	json_pair(json, "decision", entry->decision);
	json_pair(json, "reason", entry->reason);
	json_pair(json, "problem", entry->problem);
	json_side(json, "a", &entry->a);
	json_side(json, "b", &entry->b);
	json_key(json, "parents");
	json_array_begin(json);
	for (size_t i = 0; i < entry->parent_count; i++)
		json_text(json, entry->parents[i]);
	json_array_end(json);
	json_key(json, "benchmarks");
	json_array_begin(json);
	for (size_t i = 0; i < entry->row_count; i++)
		json_row(json, &entry->rows[i]);
	json_array_end(json);
	json_object_end(json);
}

int ledger_json_write(FILE *out, const struct ledger *ledger, struct err *err)
{
	struct json_writer json;

	json_start(&json, out, true);
	json_object_begin(&json);
	json_key(&json, "schema_version");
	json_signed(&json, LEDGER_SCHEMA_VERSION);
	json_key(&json, "problems");
	json_unsigned(&json, ledger->problems);
	json_key(&json, "entries");
	json_array_begin(&json);
	for (size_t i = 0; i < ledger->count; i++)
		json_entry(&json, &ledger->entries[i]);
	json_array_end(&json);
	json_object_end(&json);
	return stream_finish(out, "the ledger", err);
}
