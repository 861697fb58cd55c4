/* A page of text for people: wrapped sentences, cells, numbers as people read
 * them. Everything that came from a target or a file goes through here, so that
 * no control character reaches the terminal and no line is wider than it.
 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/terminal.h"
#include "profile/profile.h"

struct page {
	FILE *stream;
	const struct terminal *terminal;
	size_t columns; /* 40 … 200, whatever the terminal says */
};

struct err;

/* Flushes; 0 or -ERR_FILE with `what` ("the report") as the thing not written. */
int stream_finish(FILE *, const char *what, struct err *);

void page_init(struct page *, FILE *, const struct terminal *);

/* Items on one line, `gap` between them; an item that does not fit starts a new
 * line, indented. An item wider than the page is cut in the middle. */
struct flow {
	const struct page *page;
	const char *gap;
	size_t indent, used;
	bool has_item;
};
void flow_begin(struct flow *, const struct page *, size_t first_indent, size_t indent,
		const char *gap);
void flow_item(struct flow *, enum style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void flow_end(struct flow *);

/* A sentence, wrapped at blanks. */
void page_sentence(const struct page *, size_t indent, enum style, const char *text);
void page_blank(const struct page *);
/* A command to copy, with its last argument quoted for the shell; never cut. */
void page_command(const struct page *, size_t indent, const char *command, const char *argument);
/* One cell in a style. */
void page_cell(const struct page *, const char *text, size_t width, enum text_cut,
	       bool right_aligned, enum style);
const char *page_plus_minus(const struct page *); /* "±", or "+-" without UTF-8 */
const char *page_minus(const struct page *);	  /* "−", or "-" */

/* Numbers. Each writes at most `size` bytes with the NUL and returns `text`. */
#define NUMBER_TEXT_MAX 48
char *text_count(char *text, size_t size, uint64_t count);   /* 48,212 */
char *text_seconds(char *text, size_t size, double seconds); /* 8.42 s, 61 ms, 2 min 5 s */
char *text_bytes(char *text, size_t size, uint64_t bytes);   /* 212 MiB */
char *text_percent(char *text, size_t size, double share, int decimals); /* 38.2 % */
/* Decimals that a share known to ± half may show: 1 under 5 points, else 0. */
int percent_decimals(double half_width);
/* "38.2 % ± 1.2"; the half-width is rounded up. */
char *text_interval(char *text, size_t size, const struct page *, double share, double low,
		    double high, int decimals);

/* A copy of `name` that ends in "..." at a character boundary when it is longer
 * than the buffer: for names in sentences. */
#define NAME_TEXT_MAX 64
char *text_name(char *text, size_t size, const char *name);

/* Where: the file as the reader knows it (relative to the program's directory;
 * libraries from their package on), with ":line" when it is not 0. Long paths
 * lose their beginning. */
#define PLACE_TEXT_MAX 256
char *text_place(char *text, size_t size, const struct profile *, const char *file, uint32_t line);
/* The part of `file` that text_place shows. */
const char *file_shown(const struct profile *, const char *file);
/* The name of a function as shown: "(module level)" for "<module>", "(unnamed)" for "". */
const char *function_shown(const struct profile *, struct function_id);

#endif
