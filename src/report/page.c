/* Pages of text: see page.h. */
#include "report/page.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/err.h"

#define COLUMNS_MIN 40
#define COLUMNS_MAX 200
#define ITEM_MAX 4200

int stream_finish(FILE *stream, const char *what, struct err *err)
{
	int r;

	errno = 0;
	if (fflush(stream) == 0 && !ferror(stream))
		return 0;
	r = err_set(err, ERR_FILE, "%s could not be written", what);
	err_why(err, "%s",
		errno != 0 ? strerror(errno) : "the output refused an earlier part of it");
	err_next(err, "free some space or choose another place for the output");
	return r;
}

void page_init(struct page *page, FILE *stream, const struct terminal *terminal)
{
	size_t columns = terminal->columns > 0 ? (size_t)terminal->columns : 80;

	page->stream = stream;
	page->terminal = terminal;
	page->columns = columns < COLUMNS_MIN	? COLUMNS_MIN
			: columns > COLUMNS_MAX ? COLUMNS_MAX
						: columns;
}

static void write_spaces(FILE *stream, size_t count)
{
	if (count > 0)
		fprintf(stream, "%*s", (int)count, "");
}

void flow_begin(struct flow *flow, const struct page *page, size_t first_indent, size_t indent,
		const char *gap)
{
	*flow = (struct flow){.page = page, .gap = gap, .indent = indent, .used = first_indent};
	write_spaces(page->stream, first_indent);
}

static void flow_text(struct flow *flow, enum style style, const char *text)
{
	const struct page *page = flow->page;
	size_t width = text_display_width(text);
	size_t gap = flow->has_item ? text_display_width(flow->gap) : 0;
	size_t room = page->columns - flow->indent;

	if (width > room)
		width = room;
	if (flow->has_item && flow->used + gap + width > page->columns) {
		fputc('\n', page->stream);
		write_spaces(page->stream, flow->indent);
		flow->used = flow->indent;
		gap = 0;
	}
	if (gap > 0)
		fputs(flow->gap, page->stream);
	page_cell(page, text, width, CUT_MIDDLE, false, style);
	flow->used += gap + width;
	flow->has_item = true;
}

void flow_item(struct flow *flow, enum style style, const char *fmt, ...)
{
	char text[ITEM_MAX];
	va_list arguments;

	va_start(arguments, fmt);
	vsnprintf(text, sizeof(text), fmt, arguments);
	va_end(arguments);
	flow_text(flow, style, text);
}

void flow_end(struct flow *flow)
{
	fputc('\n', flow->page->stream);
}

void page_sentence(const struct page *page, size_t indent, enum style style, const char *text)
{
	struct flow flow;
	char word[ITEM_MAX];

	flow_begin(&flow, page, indent, indent, " ");
	fputs(style_on(page->terminal, style), page->stream);
	while (*text != '\0') {
		size_t length = strcspn(text, " ");
		size_t kept = length < sizeof(word) - 1 ? length : sizeof(word) - 1;

		memcpy(word, text, kept);
		word[kept] = '\0';
		if (kept > 0)
			flow_text(&flow, STYLE_PLAIN, word);
		text += length;
		text += strspn(text, " ");
	}
	if (style != STYLE_PLAIN)
		fputs(style_off(page->terminal), page->stream);
	flow_end(&flow);
}

void page_blank(const struct page *page)
{
	fputc('\n', page->stream);
}

static bool needs_quotes(const char *argument)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_@%+=:,./-";

	return *argument == '\0' || argument[strspn(argument, plain)] != '\0';
}

void page_command(const struct page *page, size_t indent, const char *command, const char *argument)
{
	FILE *out = page->stream;

	write_spaces(out, indent);
	text_write_safe(out, command);
	if (argument == NULL) {
		fputc('\n', out);
		return;
	}
	fputc(' ', out);
	if (!needs_quotes(argument)) {
		text_write_safe(out, argument);
	} else {
		char piece[ITEM_MAX];

		fputc('\'', out);
		for (;;) {
			size_t length = strcspn(argument, "'");

			snprintf(piece, sizeof(piece), "%.*s", (int)length, argument);
			text_write_safe(out, piece);
			if (argument[length] == '\0')
				break;
			fputs("'\\''", out);
			argument += length + 1;
		}
		fputc('\'', out);
	}
	fputc('\n', out);
}

void page_cell(const struct page *page, const char *text, size_t width, enum text_cut cut,
	       bool right_aligned, enum style style)
{
	if (style != STYLE_PLAIN)
		fputs(style_on(page->terminal, style), page->stream);
	text_write_cell(page->stream, text, width, cut, right_aligned);
	if (style != STYLE_PLAIN)
		fputs(style_off(page->terminal), page->stream);
}

const char *page_plus_minus(const struct page *page)
{
	return page->terminal->utf8 ? "±" : "+-";
}

const char *page_minus(const struct page *page)
{
	return page->terminal->utf8 ? "−" : "-";
}

char *text_count(char *text, size_t size, uint64_t count)
{
	char digits[24];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
	size_t used = 0;

	for (size_t i = 0; i < length && used + 2 < size; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

char *text_seconds(char *text, size_t size, double seconds)
{
	if (!isfinite(seconds))
		snprintf(text, size, "unknown");
	else if (seconds <= 0)
		snprintf(text, size, "0 s");
	else if (seconds < 0.0095)
		snprintf(text, size, "%.1f ms", seconds * 1e3);
	else if (seconds < 0.9995)
		snprintf(text, size, "%.0f ms", seconds * 1e3);
	else if (seconds < 99.995)
		snprintf(text, size, "%.2f s", seconds);
	else if (seconds < 3600)
		snprintf(text, size, "%d min %d s", (int)(seconds / 60), (int)fmod(seconds, 60));
	else
		snprintf(text, size, "%.0f h %d min", floor(seconds / 3600),
			 (int)(fmod(seconds, 3600) / 60));
	return text;
}

char *text_bytes(char *text, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	while (value >= 1023.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(text, size, value < 9.95 && unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

char *text_percent(char *text, size_t size, double share, int decimals)
{
	snprintf(text, size, "%.*f %%", decimals, share * 100);
	return text;
}

int percent_decimals(double half_width)
{
	return half_width < 0.05 ? 1 : 0;
}

char *text_interval(char *text, size_t size, const struct page *page, double share, double low,
		    double high, int decimals)
{
	double unit = decimals == 1 ? 10 : 1;
	double half = ceil((high - low) / 2 * 100 * unit - 1e-9) / unit;

	snprintf(text, size, "%.*f %% %s %.*f", decimals, share * 100, page_plus_minus(page),
		 decimals, half);
	return text;
}

char *text_name(char *text, size_t size, const char *name)
{
	size_t length = strlen(name);

	if (length < size) {
		memcpy(text, name, length + 1);
		return text;
	}
	length = size - 4;
	while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80)
		length--;
	memcpy(text, name, length);
	memcpy(text + length, "...", 4);
	return text;
}

/* What follows the last "site-packages/", "dist-packages/" or "lib/pythonX.Y/". */
static const char *library_part(const char *file)
{
	static const char *const marks[] = {"/site-packages/", "/dist-packages/"};
	const char *found;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		found = strstr(file, marks[i]);
		if (found != NULL)
			return found + strlen(marks[i]);
	}
	found = strstr(file, "/lib/python");
	if (found == NULL)
		return NULL;
	found = strchr(found + strlen("/lib/python"), '/');
	return found == NULL ? NULL : found + 1;
}

const char *file_shown(const struct profile *profile, const char *file)
{
	const char *directory = profile->meta.directory;
	const char *part = library_part(file);
	size_t length = directory == NULL ? 0 : strlen(directory);

	if (part != NULL && *part != '\0')
		return part;
	while (length > 1 && directory[length - 1] == '/')
		length--;
	if (length > 1 && strncmp(file, directory, length) == 0 && file[length] == '/' &&
	    file[length + 1] != '\0')
		return file + length + 1;
	if (strncmp(file, "./", 2) == 0 && file[2] != '\0')
		return file + 2;
	return file;
}

char *text_place(char *text, size_t size, const struct profile *profile, const char *file,
		 uint32_t line)
{
	char suffix[16] = "";
	const char *shown = file_shown(profile, file);
	size_t length = strlen(shown);
	size_t room;

	if (line != 0)
		snprintf(suffix, sizeof(suffix), ":%u", line);
	room = size - 1 - strlen(suffix);
	if (length > room) { /* keep the end, from a character's first byte on */
		shown += length - room;
		while (((unsigned char)*shown & 0xC0) == 0x80)
			shown++;
	}
	snprintf(text, size, "%s%s", shown, suffix);
	return text;
}

const char *function_shown(const struct profile *profile, struct function_id id)
{
	const char *name;

	if (id.v == 0 || id.v >= profile->function_count)
		return "(unknown)";
	name = profile_string(profile, profile->functions[id.v].name);
	if (strcmp(name, "<module>") == 0)
		return "(module level)";
	return *name == '\0' ? "(unnamed)" : name;
}
