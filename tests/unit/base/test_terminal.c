/* Terminal: widths, cells, safe text, the environment. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"

#define E_ACUTE "e\xCC\x81"	 /* e and a combining accent: one column */
#define SNAKE "\xF0\x9F\x90\x8D" /* two columns */
#define ELLIPSIS "\xE2\x80\xA6"

static void widths_are_columns_not_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t width;
	} rows[] = {{"", 0},	     {"abc", 3},  {"\xC3\xBC", 1},
		    {E_ACUTE, 1},    {SNAKE, 2},  {"\xE6\xBC\xA2", 2},
		    {"\xFF\xFE", 2}, {"a\tb", 3}, {"\x1B[1m", 4}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(text_display_width(rows[i].text), rows[i].width);
	}
}

static void cells_are_exactly_as_wide_as_asked(void **state)
{
	static const struct {
		const char *text;
		size_t columns;
		enum text_cut cut;
		bool right;
		const char *wanted;
	} rows[] = {
	    {"abc", 5, CUT_END, false, "abc  "},
	    {"abc", 5, CUT_END, true, "  abc"},
	    {"abc", 3, CUT_END, false, "abc"},
	    {"abcdef", 4, CUT_END, false, "abc" ELLIPSIS},
	    {"abcdef", 4, CUT_START, false, ELLIPSIS "def"},
	    {"abcdef", 5, CUT_MIDDLE, false, "ab" ELLIPSIS "ef"},
	    {"abcdef", 4, CUT_MIDDLE, false, "ab" ELLIPSIS "f"},
	    {"abcdef", 1, CUT_END, false, ELLIPSIS},
	    {"abcdef", 0, CUT_END, false, ""},
	    {E_ACUTE E_ACUTE E_ACUTE, 2, CUT_END, false, E_ACUTE ELLIPSIS},
	    {SNAKE SNAKE SNAKE, 4, CUT_END, false, SNAKE ELLIPSIS " "},
	    {SNAKE SNAKE SNAKE, 4, CUT_START, false, ELLIPSIS SNAKE " "},
	    {"a\nb\x1B", 6, CUT_END, false, "a?b?  "},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *bytes = NULL;
		size_t length = 0;
		FILE *stream = open_memstream(&bytes, &length);
		text_write_cell(stream, rows[i].text, rows[i].columns, rows[i].cut, rows[i].right);
		fclose(stream);
		assert_string_equal(bytes, rows[i].wanted);
		assert_int_equal(text_display_width(bytes), rows[i].columns);
		free(bytes);
	}
}

static void control_characters_never_reach_the_terminal(void **state)
{
	static const char hostile[] = "a\x1B]0;x\x07\xC2\x9B"
				      "31m\r\n\xE2\x80\xAE"
				      "b\xFF\xED\xA0\x80\x7F";
	char *bytes = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&bytes, &length);
	(void)state;
	text_write_safe(stream, hostile);
	fclose(stream);
	for (size_t i = 0; i < length; i++) {
		assert_in_range((unsigned char)bytes[i], 0x20, 0x7E);
	}
	assert_string_equal(bytes, "a?]0;x??31m???b?????");
	free(bytes);
}

static void words_are_filled_into_lines(void **state)
{
	static const struct {
		const char *text;
		size_t at, indent, columns;
		const char *wanted;
	} rows[] = {
	    {"one two three", 0, 0, 80, "one two three"},
	    {"one two three", 0, 2, 8, "one two\n  three"},
	    {"one\ntwo", 0, 0, 80, "one two"},
	    {"one\n\ntwo", 0, 2, 80, "one\n\n  two"},
	    {"one:\n  x y z w\n  b\ntwo", 0, 0, 8, "one:\n  x y z w\n  b\ntwo"},
	    {"averyverylongword b", 0, 0, 5, "averyverylongword\nb"},
	    {"tail:\n  verbatim", 0, 0, 80, "tail:\n  verbatim\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *bytes = NULL;
		size_t length = 0;
		FILE *stream = open_memstream(&bytes, &length);
		text_write_wrapped(stream, rows[i].text, rows[i].at, rows[i].indent,
				   rows[i].columns);
		fclose(stream);
		assert_string_equal(bytes, rows[i].wanted);
		free(bytes);
	}
}

static void set_variable(const char *name, const char *value)
{
	if (value != NULL) {
		setenv(name, value, 1);
	} else {
		unsetenv(name);
	}
}

static void the_environment_decides_colour_columns_and_encoding(void **state)
{
	static const struct {
		const char *no_color, *force_color, *columns, *lang;
		bool color;
		int wanted_columns;
		bool utf8;
	} rows[] = {
	    {NULL, NULL, NULL, "C", false, 80, false},
	    {NULL, "1", "100", "en_US.UTF-8", true, 100, true},
	    {"1", "1", "5", "de_DE.utf8", false, 20, true},
	    {"", "1", "-3", NULL, true, 80, false},
	    {NULL, "0", "99999999999", "C.UTF-8", false, 80, true},
	    {NULL, NULL, "12x", NULL, false, 80, false},
	};
	(void)state;
	FILE *stream = tmpfile();
	unsetenv("LC_ALL");
	unsetenv("LC_CTYPE");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct terminal terminal;
		set_variable("NO_COLOR", rows[i].no_color);
		set_variable("FORCE_COLOR", rows[i].force_color);
		set_variable("COLUMNS", rows[i].columns);
		set_variable("LANG", rows[i].lang);
		terminal_describe(&terminal, stream);
		assert_false(terminal.is_terminal);
		assert_int_equal(terminal.color, rows[i].color);
		assert_int_equal(terminal.columns, rows[i].wanted_columns);
		assert_int_equal(terminal.utf8, rows[i].utf8);
		assert_string_equal(style_on(&terminal, STYLE_RED),
				    rows[i].color ? "\033[31m" : "");
	}
	fclose(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(widths_are_columns_not_bytes),
	    cmocka_unit_test(cells_are_exactly_as_wide_as_asked),
	    cmocka_unit_test(control_characters_never_reach_the_terminal),
	    cmocka_unit_test(words_are_filled_into_lines),
	    cmocka_unit_test(the_environment_decides_colour_columns_and_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
