/* Errors: filling the struct and mapping codes to exit statuses. Prints nothing. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Internal codes, and what each becomes where the program ends with it. */
static const struct {
	int code, status;
} exit_statuses[] = {
    {ERR_TORN, ERR_TOO_LITTLE},	  {ERR_UNREADABLE, ERR_NO_PROCESS}, {ERR_LIMIT, ERR_FILE},
    {ERR_MEMORY, ERR_FILE},	  {ERR_TARGET, ERR_NOT_MEASURED},   {ERR_TIMEOUT, ERR_NOT_MEASURED},
    {ERR_INTERNAL, ERR_INTERNAL},
};

/* Drops a UTF-8 character that the end of the buffer has cut in two. */
static void cut_at_character(char *text, size_t size)
{
	size_t at = size - 1; /* the terminating NUL of a full buffer */
	while (at > 0 && ((unsigned char)text[at - 1] & 0xC0) == 0x80) {
		at--;
	}
	if (at == 0) {
		return;
	}
	unsigned char lead = (unsigned char)text[at - 1];
	size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (at - 1 + wanted > size - 1) {
		text[at - 1] = '\0';
	}
}

static void format_text(char *text, size_t size, const char *fmt, va_list arguments)
{
	int wanted = vsnprintf(text, size, fmt, arguments);
	if (wanted < 0) {
		text[0] = '\0';
	} else if ((size_t)wanted >= size) {
		cut_at_character(text, size);
	}
}

int err_set(struct err *err, enum err_code code, const char *what_fmt, ...)
{
	if (err != NULL) {
		va_list arguments;
		/* Into a copy first: callers wrap an error in itself ("%s: …", err->what). */
		char what[sizeof err->what];
		va_start(arguments, what_fmt);
		format_text(what, sizeof what, what_fmt, arguments);
		va_end(arguments);
		memcpy(err->what, what, sizeof what);
		err->code = code;
		err->why[0] = '\0';
		err->next[0] = '\0';
	}
	return -(int)code;
}

void err_why(struct err *err, const char *fmt, ...)
{
	if (err != NULL) {
		va_list arguments;
		char why[sizeof err->why];
		va_start(arguments, fmt);
		format_text(why, sizeof why, fmt, arguments);
		va_end(arguments);
		memcpy(err->why, why, sizeof why);
	}
}

void err_next(struct err *err, const char *fmt, ...)
{
	if (err != NULL) {
		va_list arguments;
		char next[sizeof err->next];
		va_start(arguments, fmt);
		format_text(next, sizeof next, fmt, arguments);
		va_end(arguments);
		memcpy(err->next, next, sizeof next);
	}
}

int err_set_errno(struct err *err, enum err_code code, int errno_value, const char *what_fmt, ...)
{
	if (errno_value == EPERM || errno_value == EACCES) {
		code = ERR_PERMISSION;
	} else if (errno_value == ESRCH) {
		code = ERR_NO_PROCESS;
	}
	if (err != NULL) {
		va_list arguments;
		char what[sizeof err->what];
		va_start(arguments, what_fmt);
		format_text(what, sizeof what, what_fmt, arguments);
		va_end(arguments);
		memcpy(err->what, what, sizeof what);
		err->code = (int)code;
		err->next[0] = '\0';
		err_why(err, "%s (errno %d)", strerror(errno_value), errno_value);
	}
	return -(int)code;
}

int err_exit_status(int code)
{
	/* Through unsigned: -INT_MIN has no positive int. */
	unsigned status = code < 0 ? 0U - (unsigned)code : (unsigned)code;
	for (size_t i = 0; i < sizeof exit_statuses / sizeof exit_statuses[0]; i++) {
		if (status == (unsigned)exit_statuses[i].code) {
			return exit_statuses[i].status;
		}
	}
	return status > 255 ? ERR_INTERNAL : (int)status;
}
