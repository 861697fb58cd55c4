#include "bench/worker_protocol.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"

#define VALUE_TEXT_MAX 64

/* One letter a word: t text in hexadecimal, w a plain word, d a number, v a value; a '*' before
 * the last one: any number of them. */
static const struct {
	char mark;
	const char *words;
} forms[] = {
    [REPLY_LOADED] = {'k', "ttdwt"}, [REPLY_BLOCK] = {'b', "dddv"}, [REPLY_COUNT] = {'c', "ddd"},
    [REPLY_ITEM] = {'i', "twt*t"},   [REPLY_LISTED] = {'I', "d"},   [REPLY_LATENCIES] = {'l', "*d"},
    [REPLY_LOAD_DONE] = {'L', "d"},  [REPLY_PING] = {'p', ""},	    [REPLY_QUIT] = {'q', "dd"},
    [REPLY_NOTE] = {'n', "t"},	     [REPLY_FAILED] = {'e', "wt"},
};
#define FORM_COUNT (sizeof(forms) / sizeof(forms[0]))

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Owned text, or NULL: not hexadecimal, a NUL in it, no memory. */
static char *take_hex(const char *word, size_t size)
{
	char *text;

	if (size == 1 && word[0] == '-')
		return mem_copy_text("");
	if (size % 2)
		return NULL;
	text = mem_alloc(size / 2 + 1);
	for (size_t i = 0; text && i < size; i += 2) {
		int high = hex_digit(word[i]), low = hex_digit(word[i + 1]);

		if (high < 0 || low < 0 || high + low == 0) {
			mem_free(text);
			return NULL;
		}
		text[i / 2] = (char)(high * 16 + low);
	}
	if (text)
		text[size / 2] = 0;
	return text;
}

static char *take_word(const char *word, size_t size)
{
	char *text = mem_alloc(size + 1);

	if (text) {
		memcpy(text, word, size);
		text[size] = 0;
	}
	return text;
}

static bool take_number(const char *word, size_t size, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (size == 2 && memcmp(word, "-1", 2) == 0) {
		*ret_number = UINT64_MAX;
		return true;
	}
	for (size_t i = 0; i < size; i++) {
		if (word[i] < '0' || word[i] > '9' || number > UINT64_MAX / 10 - 10)
			return false;
		number = number * 10 + (uint64_t)(word[i] - '0');
	}
	*ret_number = number;
	return size > 0;
}

static bool take_value(const char *word, size_t size, double *ret_value)
{
	char text[VALUE_TEXT_MAX], *end;

	if (size == 1 && word[0] == '-') {
		*ret_value = NAN;
		return true;
	}
	if (size == 0 || size >= sizeof(text))
		return false;
	memcpy(text, word, size);
	text[size] = 0;
	/* Python's repr of a float; strtod would take blanks and hexadecimal too. */
	if (strspn(text, "+-.0123456789einfa") != size)
		return false;
	*ret_value = strtod(text, &end);
	return *end == 0;
}

static bool take(struct worker_reply *reply, char form, const char *word, size_t size)
{
	char **text = &reply->texts[reply->text_count];

	switch (form) {
	case 't':
	case 'w':
		*text = form == 't' ? take_hex(word, size) : take_word(word, size);
		reply->text_count += *text != NULL;
		return *text != NULL;
	case 'd':
		return take_number(word, size, &reply->numbers[reply->number_count++]);
	default:
		return take_value(word, size, &reply->value);
	}
}

/* Words behind the mark, each after one blank. */
static bool take_all(struct worker_reply *reply, const char *form, const char *at, const char *end)
{
	bool repeated = false;

	for (; at < end; form += !repeated) {
		const char *stop;

		if (*form == '*') {
			repeated = true;
			form++;
		}
		if (*at != ' ' || !*form)
			return false;
		at++;
		stop = memchr(at, ' ', (size_t)(end - at));
		if (!stop)
			stop = end;
		if (!take(reply, *form, at, (size_t)(stop - at)))
			return false;
		at = stop;
	}
	return repeated || !*form || *form == '*';
}

static int refuse(const char *line, size_t size, struct err *err)
{
	int result = err_set(err, ERR_TARGET, "the benchmark's process said what no worker says");

	err_why(err, "%zu bytes that begin with \"%.*s\"", size, (int)(size < 40 ? size : 40),
		line);
	err_next(err, "does what is measured write into descriptors that it didn't open?");
	return result;
}

int worker_reply_parse(const char *line, size_t size, struct worker_reply *ret_reply,
		       struct err *err)
{
	struct worker_reply reply = {.value = NAN};
	size_t words = 1, kind = 0;

	while (size && kind < FORM_COUNT && forms[kind].mark != line[0])
		kind++;
	for (size_t i = 0; i < size; i++)
		words += line[i] == ' ';
	if (!size || kind == FORM_COUNT || words > REPLY_WORDS_MAX)
		return refuse(line, size, err);
	reply.kind = (enum reply_kind)kind;
	reply.numbers = mem_zalloc(words, sizeof(*reply.numbers));
	reply.texts = mem_zalloc(words, sizeof(*reply.texts));
	if (!reply.numbers || !reply.texts) {
		worker_reply_release(&reply);
		return err_set(err, ERR_MEMORY, "no memory for what the worker said");
	}
	if (!take_all(&reply, forms[kind].words, line + 1, line + size)) {
		worker_reply_release(&reply);
		return refuse(line, size, err);
	}
	*ret_reply = reply;
	return 0;
}

void worker_reply_release(struct worker_reply *reply)
{
	for (size_t i = 0; i < reply->text_count; i++)
		mem_free(reply->texts[i]);
	mem_free(reply->texts);
	mem_free(reply->numbers);
	*reply = (struct worker_reply){.value = NAN};
}

void worker_write_word(FILE *stream, const char *text)
{
	if (!text || !*text)
		fputc('-', stream);
	for (; text && *text; text++)
		fprintf(stream, "%02x", (unsigned)(unsigned char)*text);
}
