/* What the terminal can do: width, colour (NO_COLOR, FORCE_COLOR, TERM=dumb),
 * UTF-8; display width of UTF-8 text, cutting in the middle or at the end; clean-up of
 * untrusted text (control characters never reach the terminal). */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct terminal {
	int columns;
	bool is_terminal, color, utf8;
};
void terminal_describe(struct terminal *, FILE *stream); /* columns: COLUMNS, TIOCGWINSZ, else 80 */

size_t text_display_width(const char *utf8);
size_t text_display_width_n(const char *utf8, size_t size);
/* Fills words into lines of `columns`. The first begins at column `at`, the others at `indent`.
 * Empty lines and lines that begin with a space stay as they are. No newline at the end. */
void text_write_wrapped(FILE *, const char *utf8, size_t at, size_t indent, size_t columns);
/* Writes text padded or cut to exactly `columns`; cut at the end with "…", or in the middle. */
enum text_cut { CUT_END, CUT_START, CUT_MIDDLE };
void text_write_cell(FILE *, const char *utf8, size_t columns, enum text_cut cut,
		     bool right_aligned);
void text_write_safe(FILE *, const char *utf8); /* control characters and bad UTF-8 as '?' */

enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_RED,
	STYLE_GREEN,
	STYLE_YELLOW,
	STYLE_BLUE,
	STYLE_MAGENTA,
	STYLE_CYAN
};
const char *style_on(const struct terminal *, enum style); /* "" without colour */
const char *style_off(const struct terminal *);

#endif
