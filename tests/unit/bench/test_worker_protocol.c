/* The lines of a worker: what each kind means, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/worker_protocol.h"

static void accepted_lines_have_their_words(void **state)
{
	static const struct {
		const char *line;
		enum reply_kind kind;
		size_t numbers, texts;
		const char *first_text;
	} rows[] = {
	    {"k 332e31 43 4680 time 73", REPLY_LOADED, 1, 4, "3.1"},
	    {"b 12 13 2 -", REPLY_BLOCK, 3, 0, NULL},
	    {"c 5 -1 0", REPLY_COUNT, 3, 0, NULL},
	    {"i 61 time 73", REPLY_ITEM, 0, 3, "a"},
	    {"i 61 time 73 6e 3130", REPLY_ITEM, 0, 5, "a"},
	    {"I 2", REPLY_LISTED, 1, 0, NULL},
	    {"l 1 2 3", REPLY_LATENCIES, 3, 0, NULL},
	    {"l", REPLY_LATENCIES, 0, 0, NULL},
	    {"L 3", REPLY_LOAD_DONE, 1, 0, NULL},
	    {"p", REPLY_PING, 0, 0, NULL},
	    {"q 3 -1", REPLY_QUIT, 2, 0, NULL},
	    {"n 6d6f766564", REPLY_NOTE, 0, 1, "moved"},
	    {"n -", REPLY_NOTE, 0, 1, ""},
	    {"e run 6e6f", REPLY_FAILED, 0, 2, "run"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct worker_reply reply;
		struct err err = {0};

		if (worker_reply_parse(rows[i].line, strlen(rows[i].line), &reply, &err) < 0)
			fail_msg("%s: %s", rows[i].line, err.why);
		assert_int_equal(reply.kind, rows[i].kind);
		assert_int_equal(reply.number_count, rows[i].numbers);
		assert_int_equal(reply.text_count, rows[i].texts);
		if (rows[i].first_text)
			assert_string_equal(reply.texts[0], rows[i].first_text);
		worker_reply_release(&reply);
	}
}

static void numbers_and_values_are_read(void **state)
{
	struct worker_reply reply;

	(void)state;
	assert_int_equal(worker_reply_parse("b 12 -1 2 -", 11, &reply, NULL), 0);
	assert_int_equal(reply.numbers[0], 12);
	assert_true(reply.numbers[1] == UINT64_MAX);
	assert_true(isnan(reply.value));
	worker_reply_release(&reply);
	assert_int_equal(worker_reply_parse("b 1 1 0 -2.5e3", 14, &reply, NULL), 0);
	assert_true(reply.value == -2500);
	worker_reply_release(&reply);
}

static void what_no_worker_says_is_refused(void **state)
{
	static const char *const lines[] = {
	    "",
	    "x",
	    "b",
	    "b 1 2",
	    "b 1 2 3",
	    "b 1 2 3 4 5",
	    "b 1 2 x -",
	    "b 1  2 3",
	    "b 1 2 3 0x12",
	    "p ",
	    "p 1",
	    "q 1",
	    "k 33",
	    "n 6",
	    "n 6g",
	    "n 00",
	    "n 6D",
	    "I -",
	    "I +1",
	    "i 61 time",
	    "b 1 2 3 system",
	    "L 99999999999999999999",
	    "e run",
	    "hello\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct worker_reply reply;
		struct err err = {0};

		if (worker_reply_parse(lines[i], strlen(lines[i]), &reply, &err) == 0)
			fail_msg("`%s` was accepted", lines[i]);
		assert_int_equal(err.code, ERR_TARGET);
	}
}

static void a_line_of_too_many_words_is_refused(void **state)
{
	size_t size = 1 + 2 * (REPLY_WORDS_MAX + 1);
	char *line = malloc(size);
	struct worker_reply reply;

	(void)state;
	assert_non_null(line);
	line[0] = 'l';
	for (size_t i = 1; i < size; i++)
		line[i] = i % 2 ? ' ' : '1';
	assert_int_equal(worker_reply_parse(line, size, &reply, NULL), -ERR_TARGET);
	free(line);
}

static void every_failed_allocation_is_an_error(void **state)
{
	static const char line[] = "i 61 time 73 6e 3130";

	(void)state;
	for (long n = 0;; n++) {
		struct worker_reply reply;

		mem_fail_after(n);
		int result = worker_reply_parse(line, sizeof(line) - 1, &reply, NULL);
		if (result == 0)
			worker_reply_release(&reply);
		bool failed = mem_failed();
		mem_fail_after(-1);
		if (!failed) {
			assert_int_equal(result, 0);
			assert_true(n > 3);
			return;
		}
		assert_true(result < 0);
	}
}

static void words_come_back_as_they_went(void **state)
{
	static const char *const texts[] = {"", "x = 1\nprint('a b')", "\xc3\xa4\x01\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct worker_reply reply;
		char *line = NULL;
		size_t size;
		FILE *stream = open_memstream(&line, &size);

		assert_non_null(stream);
		fputs("n ", stream);
		worker_write_word(stream, texts[i]);
		assert_int_equal(fclose(stream), 0);
		assert_int_equal(worker_reply_parse(line, size, &reply, NULL), 0);
		assert_string_equal(reply.texts[0], texts[i]);
		worker_reply_release(&reply);
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(accepted_lines_have_their_words),
	    cmocka_unit_test(numbers_and_values_are_read),
	    cmocka_unit_test(what_no_worker_says_is_refused),
	    cmocka_unit_test(a_line_of_too_many_words_is_refused),
	    cmocka_unit_test(every_failed_allocation_is_an_error),
	    cmocka_unit_test(words_come_back_as_they_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
