/* The terminal: what it can do, and text that is safe and as wide as asked. */
#include "base/terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_LEAST 20
#define COLUMNS_MOST 1000

struct character_range {
	uint32_t first, last;
};

/* Characters of no width: combining marks, joiners, variation selectors. Not complete; a mark that
 * is missing here shifts a column by one. */
static const struct character_range zero_width[] = {
    {0x0300, 0x036F},	{0x0483, 0x0489},   {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x06D6, 0x06DC},	{0x0900, 0x0902},   {0x093C, 0x093C}, {0x0941, 0x0948}, {0x0E31, 0x0E31},
    {0x0E34, 0x0E3A},	{0x0E47, 0x0E4E},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D},
    {0x20D0, 0x20FF},	{0x2060, 0x2060},   {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF},
    {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF},
};

/* Characters of two columns (East Asian Width W and F, and emoji). */
static const struct character_range double_width[] = {
    {0x1100, 0x115F},	{0x231A, 0x231B},   {0x2329, 0x232A},	{0x23E9, 0x23EC},
    {0x25FD, 0x25FE},	{0x2614, 0x2615},   {0x2648, 0x2653},	{0x26AA, 0x26AB},
    {0x26BD, 0x26BE},	{0x26C4, 0x26C5},   {0x2705, 0x2705},	{0x270A, 0x270B},
    {0x2728, 0x2728},	{0x274C, 0x274C},   {0x2753, 0x2755},	{0x2795, 0x2797},
    {0x2B50, 0x2B50},	{0x2E80, 0x303E},   {0x3041, 0x33FF},	{0x3400, 0x4DBF},
    {0x4E00, 0x9FFF},	{0xA000, 0xA4CF},   {0xA960, 0xA97F},	{0xAC00, 0xD7A3},
    {0xF900, 0xFAFF},	{0xFE30, 0xFE6F},   {0xFF00, 0xFF60},	{0xFFE0, 0xFFE6},
    {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A},
    {0x1F200, 0x1F265}, {0x1F300, 0x1F3FA}, {0x1F400, 0x1F64F}, {0x1F680, 0x1F6FF},
    {0x1F7E0, 0x1F7EB}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD},
};

/* Control characters and those that reorder or hide text (bidirectional overrides, line and
 * paragraph separators, tags): a name must not be able to draw something else than itself. */
static const struct character_range unsafe[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x061C, 0x061C},   {0x200E, 0x200F},
    {0x2028, 0x202E}, {0x2066, 0x2069}, {0xE0000, 0xE007F},
};

static bool in_ranges(const struct character_range *ranges, size_t count, uint32_t character)
{
	for (size_t i = 0; i < count && ranges[i].first <= character; i++) {
		if (character <= ranges[i].last) {
			return true;
		}
	}
	return false;
}
#define IN_RANGES(ranges, character)                                                               \
	in_ranges(ranges, sizeof(ranges) / sizeof((ranges)[0]), character)

static int environment_columns(void)
{
	const char *text = getenv("COLUMNS");
	if (text == NULL || *text < '0' || *text > '9') {
		return 0;
	}
	char *end;
	long columns = strtol(text, &end, 10);
	return *end == '\0' && columns > 0 && columns <= COLUMNS_MOST ? (int)columns : 0;
}

static bool environment_color(bool is_terminal)
{
	const char *no_color = getenv("NO_COLOR");
	if (no_color != NULL && *no_color != '\0') {
		return false;
	}
	const char *force_color = getenv("FORCE_COLOR");
	if (force_color != NULL && *force_color != '\0') {
		return strcmp(force_color, "0") != 0;
	}
	const char *term = getenv("TERM");
	return is_terminal && term != NULL && strcmp(term, "dumb") != 0;
}

/* From the environment, not setlocale: numbers stay as C prints them. */
static bool environment_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = getenv(names[i]);
		if (value != NULL && *value != '\0') {
			return strcasestr(value, "utf-8") != NULL ||
			       strcasestr(value, "utf8") != NULL;
		}
	}
	return false;
}

void terminal_describe(struct terminal *terminal, FILE *stream)
{
	int fd = fileno(stream);
	struct winsize size;
	*terminal = (struct terminal){.is_terminal = fd >= 0 && isatty(fd) == 1};
	terminal->columns = environment_columns();
	if (terminal->columns == 0 && fd >= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0) {
		terminal->columns = size.ws_col;
	}
	if (terminal->columns <= 0) {
		terminal->columns = COLUMNS_DEFAULT;
	} else if (terminal->columns < COLUMNS_LEAST) {
		terminal->columns = COLUMNS_LEAST;
	} else if (terminal->columns > COLUMNS_MOST) {
		terminal->columns = COLUMNS_MOST;
	}
	terminal->color = environment_color(terminal->is_terminal);
	terminal->utf8 = environment_utf8();
}

/* One character as it will be written: '?' for what isn't safe to show. */
struct shown {
	uint32_t character;
	size_t length; /* bytes in the text */
	size_t width;
};

static struct shown next_shown(const char *text, size_t size)
{
	struct shown shown;
	shown.length = utf8_decode((const uint8_t *)text, size, &shown.character);
	if (shown.character == UTF8_INVALID || IN_RANGES(unsafe, shown.character)) {
		shown.character = '?';
		shown.width = 1;
	} else if (shown.character < 0x300) {
		shown.width = 1;
	} else if (IN_RANGES(zero_width, shown.character)) {
		shown.width = 0;
	} else {
		shown.width = IN_RANGES(double_width, shown.character) ? 2 : 1;
	}
	return shown;
}

static void put_character(FILE *stream, uint32_t character)
{
	uint8_t bytes[4];
	size_t size = utf8_put(character, bytes);
	fwrite(bytes, 1, size, stream);
}

size_t text_display_width(const char *utf8)
{
	return text_display_width_n(utf8, strlen(utf8));
}

size_t text_display_width_n(const char *utf8, size_t size)
{
	size_t width = 0;
	for (size_t at = 0; at < size;) {
		struct shown shown = next_shown(utf8 + at, size - at);
		width += shown.width;
		at += shown.length;
	}
	return width;
}

/* Writes those characters that lie wholly in columns [from, to) of the text; the columns written.
 */
static size_t write_columns(FILE *stream, const char *utf8, size_t from, size_t to)
{
	size_t size = strlen(utf8);
	size_t column = 0, written = 0;
	for (size_t at = 0; at < size && column <= to;) {
		struct shown shown = next_shown(utf8 + at, size - at);
		/* A mark of no width goes with the character before it. */
		bool fits = shown.width > 0 ? column >= from && column + shown.width <= to
					    : column > from && column <= to;
		if (fits) {
			put_character(stream, shown.character);
			written += shown.width;
		}
		column += shown.width;
		at += shown.length;
	}
	return written;
}

static void pad(FILE *stream, size_t columns)
{
	for (size_t i = 0; i < columns; i++) {
		putc(' ', stream);
	}
}

static void write_ellipsis(FILE *stream)
{
	fputs("\xE2\x80\xA6", stream);
}

void text_write_cell(FILE *stream, const char *utf8, size_t columns, enum text_cut cut,
		     bool right_aligned)
{
	size_t width = text_display_width(utf8);
	if (width <= columns) {
		pad(stream, right_aligned ? columns - width : 0);
		write_columns(stream, utf8, 0, width);
		pad(stream, right_aligned ? 0 : columns - width);
		return;
	}
	if (columns == 0) {
		return;
	}
	size_t kept = columns - 1;
	size_t head = cut == CUT_END ? kept : cut == CUT_START ? 0 : (kept + 1) / 2;
	size_t tail = kept - head;
	size_t written = 1;
	if (head > 0) {
		written += write_columns(stream, utf8, 0, head);
	}
	write_ellipsis(stream);
	if (tail > 0) {
		written += write_columns(stream, utf8, width - tail, width);
	}
	pad(stream, columns - written); /* a character of two columns may not have fitted */
}

static void new_line(FILE *stream, size_t indent)
{
	putc('\n', stream);
	pad(stream, indent);
}

void text_write_wrapped(FILE *stream, const char *utf8, size_t at, size_t indent, size_t columns)
{
	size_t column = at;
	bool is_line_empty = true; /* nothing but indent is written on it */
	for (const char *line = utf8; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		bool is_verbatim = length == 0 || *line == ' ';
		if (is_verbatim && !is_line_empty) {
			new_line(stream, length > 0 ? indent : 0);
		}
		if (is_verbatim) {
			fwrite(line, 1, length, stream);
			new_line(stream,
				 line[length] != '\0' && line[length + 1] != '\n' ? indent : 0);
			column = indent;
			is_line_empty = true;
		}
		for (size_t i = 0; !is_verbatim && i < length;) {
			size_t word = strcspn(line + i, " \n");
			size_t width = text_display_width_n(line + i, word);
			if (!is_line_empty && column + 1 + width > columns) {
				new_line(stream, indent);
				column = indent;
			} else if (!is_line_empty) {
				putc(' ', stream);
				column++;
			}
			fwrite(line + i, 1, word, stream);
			column += width;
			is_line_empty = false;
			i += word + strspn(line + i + word, " ");
		}
		line += length + (line[length] == '\n');
	}
}

void text_write_safe(FILE *stream, const char *utf8)
{
	size_t size = strlen(utf8);
	for (size_t at = 0; at < size;) {
		struct shown shown = next_shown(utf8 + at, size - at);
		put_character(stream, shown.character);
		at += shown.length;
	}
}

static const char *const style_codes[] = {
    [STYLE_PLAIN] = "",	       [STYLE_BOLD] = "\033[1m",     [STYLE_DIM] = "\033[2m",
    [STYLE_RED] = "\033[31m",  [STYLE_GREEN] = "\033[32m",   [STYLE_YELLOW] = "\033[33m",
    [STYLE_BLUE] = "\033[34m", [STYLE_MAGENTA] = "\033[35m", [STYLE_CYAN] = "\033[36m",
};

const char *style_on(const struct terminal *terminal, enum style style)
{
	return terminal->color ? style_codes[style] : "";
}

const char *style_off(const struct terminal *terminal)
{
	return terminal->color ? "\033[0m" : "";
}
