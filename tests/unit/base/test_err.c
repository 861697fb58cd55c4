/* Errors: filling, cutting, mapping. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

static void set_fills_and_clears_what_was_before(void **state)
{
	struct err err;
	(void)state;
	memset(&err, 'x', sizeof err);
	assert_int_equal(err_set(&err, ERR_FILE, "no %s", "disk"), -ERR_FILE);
	assert_int_equal(err.code, ERR_FILE);
	assert_string_equal(err.what, "no disk");
	assert_string_equal(err.why, "");
	assert_string_equal(err.next, "");
	err_why(&err, "%d", 5);
	err_next(&err, "run %s", "x");
	assert_string_equal(err.why, "5");
	assert_string_equal(err.next, "run x");
	assert_int_equal(err_set(NULL, ERR_USAGE, "x"), -ERR_USAGE);
	err_why(NULL, "x");
	err_next(NULL, "x");
}

static void an_error_may_be_wrapped_in_itself(void **state)
{
	struct err err;
	(void)state;
	err_set(&err, ERR_FILE, "inner");
	err_set(&err, ERR_FILE, "outer: %s", err.what);
	assert_string_equal(err.what, "outer: inner");
}

static void long_text_is_cut_between_characters(void **state)
{
	static const char *const characters[] = {"a", "\xC3\xA9", "\xE2\x82\xAC",
						 "\xF0\x9F\x90\x8D"};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (size_t lead = 0; lead < 5; lead++) {
			char text[2048];
			struct err err;
			size_t used = lead;
			memset(text, '.', lead);
			while (used < 1024) {
				memcpy(text + used, characters[i], strlen(characters[i]));
				used += strlen(characters[i]);
			}
			text[used] = '\0';
			err_set(&err, ERR_FILE, "%s", text);
			size_t size = strlen(err.what);
			assert_true(size >= sizeof err.what - 4);
			for (size_t at = 0; at < size;) {
				uint32_t character;
				at += utf8_decode((const uint8_t *)err.what + at, size - at,
						  &character);
				assert_true(character != UTF8_INVALID);
			}
		}
	}
}

static void errno_decides_permission_and_no_process(void **state)
{
	static const struct {
		int errno_value, code;
	} rows[] = {{EPERM, ERR_PERMISSION},
		    {EACCES, ERR_PERMISSION},
		    {ESRCH, ERR_NO_PROCESS},
		    {ENOSPC, ERR_FILE}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err;
		assert_int_equal(err_set_errno(&err, ERR_FILE, rows[i].errno_value, "x"),
				 -rows[i].code);
		assert_int_equal(err.code, rows[i].code);
		assert_non_null(strstr(err.why, strerror(rows[i].errno_value)));
	}
}

static void internal_codes_become_exit_statuses(void **state)
{
	static const struct {
		int code, status;
	} rows[] = {{0, 0},	      {-ERR_USAGE, 2}, {ERR_USAGE, 2},
		    {-ERR_FILE, 8},   {-ERR_TORN, 7},  {-ERR_UNREADABLE, 4},
		    {-ERR_MEMORY, 8}, {-ERR_LIMIT, 8}, {-ERR_INTERNAL, 125},
		    {INT_MIN, 125},   {100000, 125}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(err_exit_status(rows[i].code), rows[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(set_fills_and_clears_what_was_before),
	    cmocka_unit_test(an_error_may_be_wrapped_in_itself),
	    cmocka_unit_test(long_text_is_cut_between_characters),
	    cmocka_unit_test(errno_decides_permission_and_no_process),
	    cmocka_unit_test(internal_codes_become_exit_statuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
