/* One entry of the ledger as text, and back: see ledger.h. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/ledger.h"
#include "bench/ledger_hash.h"

#define FOOTER "<!-- pyrometer ledger 1; parents:"
#define HASH_MARK "; sha256: "
#define FOOTER_END " -->\n"
#define LINE_MAX_BYTES 8192

static void side_release(struct ledger_side *side)
{
	mem_free(side->label);
	mem_free(side->revision);
	mem_free(side->subject);
	mem_free(side->python);
}

void ledger_entry_release(struct ledger_entry *entry)
{
	for (size_t i = 0; i < entry->row_count; i++) {
		mem_free(entry->rows[i].name);
		mem_free(entry->rows[i].verdict);
	}
	mem_free(entry->rows);
	mem_free(entry->parents);
	mem_free(entry->file);
	mem_free(entry->hypothesis);
	mem_free(entry->decision);
	mem_free(entry->reason);
	mem_free(entry->problem);
	side_release(&entry->a);
	side_release(&entry->b);
	*entry = (struct ledger_entry){0};
}

/* ---- Writing ---- */

/* One line, without what would open a comment in Markdown. */
static void write_line(FILE *stream, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (strncmp(c, "<!--", 4) == 0) {
			fputs("<! --", stream);
			c += 3;
		} else {
			fputc((unsigned char)*c < 0x20 || *c == 0x7F ? ' ' : *c, stream);
		}
	}
}

/* A text from elsewhere: as code, so that nothing in it is Markdown. */
static void write_code(FILE *stream, const char *text)
{
	fputc('`', stream);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '|')
			fputs("\\|", stream);
		else
			fputc((unsigned char)*c < 0x20 || *c == 0x7F ? ' '
			      : *c == '`'			     ? '\''
								     : *c,
			      stream);
	}
	fputc('`', stream);
}

static void write_side(FILE *stream, const char *key, const struct ledger_side *side)
{
	fprintf(stream, "- %s: ", key);
	write_code(stream, side->label != NULL ? side->label : "unknown");
	fputs("\n  - revision: ", stream);
	write_code(stream, side->revision != NULL ? side->revision : "unknown");
	if (side->subject != NULL) {
		fputs("\n  - subject: ", stream);
		write_code(stream, side->subject);
	}
	if (side->python != NULL) {
		fputs("\n  - python: ", stream);
		write_code(stream, side->python);
	}
	fputc('\n', stream);
}

static void write_number(FILE *stream, const char *format, double value)
{
	if (isfinite(value))
		fprintf(stream, format, value);
	else
		fputs("unknown", stream);
}

static void write_row(FILE *stream, const struct ledger_row *row)
{
	fputs("| ", stream);
	write_code(stream, row->name);
	fputs(" | ", stream);
	write_number(stream, "%+.2f %%", (row->ratio - 1) * 100);
	fputs(" | ", stream);
	write_number(stream, "%.5f", row->ratio);
	fputs(" | ", stream);
	write_number(stream, "%.5f", row->low);
	fputs(" | ", stream);
	write_number(stream, "%.5f", row->high);
	fprintf(stream, " | %s | %llu | ", row->verdict, (unsigned long long)row->pairs);
	write_number(stream, "%.5f", row->detectable);
	fputs(" |\n", stream);
}

static void write_body(FILE *stream, const struct ledger_entry *entry)
{
	bool dated = entry->created_s >= 0 && entry->created_s < 253402300800.0;
	time_t seconds = dated ? (time_t)entry->created_s : 0;
	char date[40] = "unknown";
	struct tm tm;

	if (dated && gmtime_r(&seconds, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fputs("# ", stream);
	write_line(stream, entry->hypothesis);
	fputs("\n\n- decision: ", stream);
	write_line(stream, entry->decision);
	fputs("\n- reason: ", stream);
	write_line(stream, entry->reason);
	fprintf(stream, "\n- date: %s\n", date);
	write_side(stream, "A, before", &entry->a);
	write_side(stream, "B, after", &entry->b);
	fputs("\n| benchmark | B against A | B/A | low | high | verdict | pairs | "
	      "would have been seen |\n"
	      "|---|---:|---:|---:|---:|---|---:|---:|\n",
	      stream);
	for (size_t i = 0; i < entry->row_count; i++)
		write_row(stream, &entry->rows[i]);
	fputs("\n" FOOTER, stream);
	for (size_t i = 0; i < entry->parent_count; i++)
		fprintf(stream, " %s", entry->parents[i]);
	fputs(entry->parent_count == 0 ? " none" HASH_MARK : HASH_MARK, stream);
}

int ledger_entry_write(struct ledger_entry *entry, char **ret_text, struct err *err)
{
	char hash[LEDGER_HASH_TEXT], *text = NULL, *copy;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (stream == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the entry of the ledger");
	write_body(stream, entry);
	if (fclose(stream) != 0) {
		free(text);
		return err_set(err, ERR_MEMORY, "no memory for the entry of the ledger");
	}
	ledger_hash(text, size, hash);
	copy = mem_alloc(size + LEDGER_HASH_TEXT + sizeof(FOOTER_END));
	if (copy != NULL) {
		memcpy(copy, text, size);
		snprintf(copy + size, LEDGER_HASH_TEXT + sizeof(FOOTER_END), "%s" FOOTER_END, hash);
	}
	free(text);
	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the entry of the ledger");
	memcpy(entry->id, hash, LEDGER_ID_TEXT - 1);
	entry->id[LEDGER_ID_TEXT - 1] = '\0';
	*ret_text = copy;
	return 0;
}

/* ---- Reading ---- */

static int set_problem(struct ledger_entry *entry, const char *problem)
{
	if (entry->problem != NULL)
		return 0; /* the first one says most */
	entry->problem = mem_copy_text(problem);
	return entry->problem == NULL ? -ERR_MEMORY : 0;
}

static bool is_id(const char *text, const char *end)
{
	for (size_t i = 0; i < LEDGER_ID_TEXT - 1; i++) {
		if (text + i >= end || strchr("0123456789abcdef", text[i]) == NULL ||
		    text[i] == '\0')
			return false;
	}
	return true;
}

/* "<!-- pyrometer ledger 1; parents: ID ID; sha256: HASH -->" at the end of the file. */
static int parse_footer(const char *bytes, size_t size, struct ledger_entry *entry)
{
	static const char unlike[] = "it doesn't end as an entry of a ledger does";
	const size_t tail = LEDGER_HASH_TEXT - 1 + strlen(FOOTER_END);
	char hash[LEDGER_HASH_TEXT];
	const char *at, *end;

	if (size < tail + strlen(HASH_MARK))
		return set_problem(entry, unlike);
	end = bytes + size - tail;
	at = memrchr(bytes, '\n', (size_t)(end - bytes));
	at = at != NULL ? at + 1 : bytes;
	if ((size_t)(end - at) < strlen(FOOTER) + strlen(HASH_MARK) ||
	    memcmp(at, FOOTER, strlen(FOOTER)) != 0 ||
	    memcmp(end - strlen(HASH_MARK), HASH_MARK, strlen(HASH_MARK)) != 0 ||
	    memcmp(bytes + size - strlen(FOOTER_END), FOOTER_END, strlen(FOOTER_END)) != 0)
		return set_problem(entry, unlike);
	ledger_hash(bytes, (size_t)(end - bytes), hash);
	memcpy(entry->id, hash, LEDGER_ID_TEXT - 1);
	if (memcmp(end, hash, LEDGER_HASH_TEXT - 1) != 0 &&
	    set_problem(entry, "its text was changed after it was written") < 0)
		return -ERR_MEMORY;
	entry->parents = mem_zalloc(LEDGER_PARENTS_MAX, sizeof(*entry->parents));
	if (entry->parents == NULL)
		return -ERR_MEMORY;
	for (at += strlen(FOOTER); *at == ' ' && is_id(at + 1, end); at += LEDGER_ID_TEXT) {
		if (entry->parent_count == LEDGER_PARENTS_MAX)
			return set_problem(entry, "it follows more entries than any can");
		memcpy(entry->parents[entry->parent_count++], at + 1, LEDGER_ID_TEXT - 1);
	}
	return 0;
}

/* Without the backquotes of a code span; "\|" is "|". In place. */
static char *plain(char *text)
{
	size_t length = strlen(text), used = 0;

	if (length >= 2 && text[0] == '`' && text[length - 1] == '`') {
		text[length - 1] = '\0';
		text++;
	}
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '\\' && text[i + 1] == '|')
			i++;
		text[used++] = text[i];
	}
	text[used] = '\0';
	return text;
}

static int keep(char **field, char *value)
{
	const char *text = plain(value);

	if (*field != NULL || strcmp(text, "unknown") == 0)
		return 0;
	*field = mem_copy_text(text);
	return *field == NULL ? -ERR_MEMORY : 0;
}

static int keep_line(char **field, const char *value)
{
	if (*field != NULL)
		return 0;
	*field = mem_copy_text(value);
	return *field == NULL ? -ERR_MEMORY : 0;
}

static int parse_item(struct ledger_entry *entry, struct ledger_side **side, char *line)
{
	struct tm tm = {0};
	bool inner = strncmp(line, "  - ", 4) == 0;
	char *key = line + (inner ? 4 : 2), *value = strstr(key, ": ");

	if (value == NULL)
		return 0;
	*value = '\0';
	value += 2;
	if (inner && *side != NULL)
		return strcmp(key, "revision") == 0  ? keep(&(*side)->revision, value)
		       : strcmp(key, "subject") == 0 ? keep(&(*side)->subject, value)
		       : strcmp(key, "python") == 0  ? keep(&(*side)->python, value)
						     : 0;
	*side = strcmp(key, "A, before") == 0  ? &entry->a
		: strcmp(key, "B, after") == 0 ? &entry->b
					       : NULL;
	if (*side != NULL)
		return keep(&(*side)->label, value);
	if (strcmp(key, "date") == 0 && strptime(value, "%Y-%m-%dT%H:%M:%SZ", &tm) != NULL)
		entry->created_s = (double)timegm(&tm);
	return strcmp(key, "decision") == 0 ? keep_line(&entry->decision, value)
	       : strcmp(key, "reason") == 0 ? keep_line(&entry->reason, value)
					    : 0;
}

#define CELLS 8

/* Cells of "| a | b |"; false for a line of another shape. */
static bool split_row(char *line, char *cells[CELLS])
{
	size_t count = 0;

	for (char *c = line; *c != '\0'; c++) {
		if (*c != '|' || (c > line && c[-1] == '\\'))
			continue;
		*c = '\0';
		if (c > line && c[-1] == ' ')
			c[-1] = '\0';
		if (count < CELLS) {
			if (c[1] != ' ')
				return false;
			cells[count] = c + 2;
		}
		count++;
	}
	return count == CELLS + 1;
}

static double number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	return end == text ? NAN : value;
}

static int parse_row(struct ledger_entry *entry, char *line)
{
	struct ledger_row row = {0};
	size_t capacity = entry->row_count;
	void *items = entry->rows;
	char *cells[CELLS];

	if (!split_row(line, cells))
		return 0;
	if (entry->row_count == LEDGER_ROWS_MAX)
		return set_problem(entry, "it has more rows than any can");
	if (grow_array(&items, &capacity, entry->row_count + 1, sizeof(row), 0) < 0)
		return -ERR_MEMORY;
	entry->rows = items;
	row.name = mem_copy_text(plain(cells[0]));
	row.verdict = mem_copy_text(cells[5]);
	if (row.name == NULL || row.verdict == NULL) {
		mem_free(row.name);
		mem_free(row.verdict);
		return -ERR_MEMORY;
	}
	row.ratio = number(cells[2]);
	row.low = number(cells[3]);
	row.high = number(cells[4]);
	row.pairs = strtoull(cells[6], NULL, 10);
	row.detectable = number(cells[7]);
	entry->rows[entry->row_count++] = row;
	return 0;
}

static int parse_line(struct ledger_entry *entry, struct ledger_side **side, char *line)
{
	if (strncmp(line, "# ", 2) == 0)
		return keep_line(&entry->hypothesis, line + 2);
	if (strncmp(line, "- ", 2) == 0 || strncmp(line, "  - ", 4) == 0)
		return parse_item(entry, side, line);
	if (strncmp(line, "| `", 3) == 0)
		return parse_row(entry, line);
	return 0;
}

int ledger_entry_parse(const char *file, const char *bytes, size_t size,
		       struct ledger_entry *ret_entry)
{
	struct ledger_entry entry = {.created_s = NAN};
	struct ledger_side *side = NULL;
	char line[LINE_MAX_BYTES];
	int r;

	entry.file = mem_copy_text(file);
	r = entry.file == NULL ? -ERR_MEMORY : parse_footer(bytes, size, &entry);
	for (size_t at = 0; r == 0 && at < size;) {
		const char *end = memchr(bytes + at, '\n', size - at);
		size_t length = end != NULL ? (size_t)(end - bytes) - at : size - at;
		size_t kept = length < sizeof(line) ? length : sizeof(line) - 1;

		memcpy(line, bytes + at, kept);
		line[kept] = '\0';
		r = parse_line(&entry, &side, line);
		at += length + 1;
	}
	if (r == 0 && (entry.hypothesis == NULL || entry.decision == NULL || entry.reason == NULL))
		r = set_problem(&entry, "it has no hypothesis, decision or reason");
	if (r == 0 && entry.id[0] != '\0' && strstr(file, entry.id) == NULL)
		r = set_problem(&entry, "its name isn't that of its text: one was changed");
	if (r < 0) {
		ledger_entry_release(&entry);
		return r;
	}
	*ret_entry = entry;
	return 0;
}
