/* Text to an option's value and back. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/options.h"

#define TEXTS_MAX 4096

struct unit {
	const char *name;
	double factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit duration_units[] = {
    {"", 1},   {"s", 1},    {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9},
    {"m", 60}, {"min", 60}, {"h", 3600},  {"d", 86400}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"k", 1e3},
    {"K", 1e3},
    {"kB", 1e3},
    {"KB", 1e3},
    {"KiB", 1024},
    {"M", 1e6},
    {"MB", 1e6},
    {"MiB", 1048576},
    {"G", 1e9},
    {"GB", 1e9},
    {"GiB", 1073741824},
    {"T", 1e12},
    {"TB", 1e12},
    {"TiB", 1099511627776.0},
    {NULL, 0},
};
static const struct unit rate_units[] = {{"", 1}, {"Hz", 1}, {"kHz", 1e3}, {NULL, 0}};

/* What a value of the type is, for messages. */
static const char *const descriptions[] = {
    [OPTION_FLAG] = "true or false",
    [OPTION_TEXT] = "a text",
    [OPTION_INTEGER] = "a whole number",
    [OPTION_NUMBER] = "a number",
    [OPTION_DURATION] = "a time as 5, 1.5s, 200ms, 2m or 1h",
    [OPTION_SIZE] = "a size as 500k, 64MiB or 1G",
    [OPTION_RATE] = "a rate in Hz above 0, or max",
    [OPTION_CHOICE] = "one of the names",
    [OPTION_PID] = "a process id",
    [OPTION_TEXTS] = "a text",
};

static void *field_of(const struct option *option, void *values)
{
	return (char *)values + option->offset;
}

static const void *const_field_of(const struct option *option, const void *values)
{
	return (const char *)values + option->offset;
}

/* A decimal number and a unit of the table; nothing else: no "nan", no hexadecimal, no spaces. */
static bool parse_number(const char *text, const struct unit *units, double *ret_number)
{
	size_t digits = strspn(text, "+-0123456789.");
	if (text[digits] == 'e' || text[digits] == 'E') {
		digits += 1 + strspn(text + digits + 1, "+-0123456789");
	}
	if (strcspn(text, "0123456789") >= digits) {
		return false;
	}
	char *end;
	double number = strtod(text, &end);
	if (end != text + digits || !isfinite(number)) {
		return false;
	}
	for (const struct unit *unit = units; unit->name != NULL; unit++) {
		if (strcmp(end, unit->name) == 0) {
			number *= unit->factor;
			if (!isfinite(number)) {
				return false;
			}
			*ret_number = number;
			return true;
		}
	}
	return false;
}

static bool parse_integer(const char *text, int64_t *ret_integer)
{
	char *end;
	size_t sign = *text == '-' || *text == '+' ? 1 : 0;
	if (text[sign] < '0' || text[sign] > '9') {
		return false;
	}
	errno = 0;
	long long integer = strtoll(text, &end, 10);
	if (*end != '\0' || errno == ERANGE) {
		return false;
	}
	*ret_integer = integer;
	return true;
}

static int refuse(const struct option *option, const char *text, const char *where, struct err *err)
{
	int rc =
	    err_set(err, ERR_USAGE, "%s: '%s' is not %s", where, text, descriptions[option->type]);
	err_why(err, "%s takes %s", option->name, descriptions[option->type]);
	return rc;
}

static int check_bounds(const struct option *option, double number, const char *text,
			const char *where, struct err *err)
{
	bool has_bounds = option->minimum != 0 || option->maximum != 0;
	bool has_maximum = has_bounds && option->maximum >= option->minimum;
	if (!has_bounds ||
	    (number >= option->minimum && (!has_maximum || number <= option->maximum))) {
		return 0;
	}
	int rc = err_set(err, ERR_USAGE, "%s: %s is out of range", where, text);
	if (has_maximum) {
		err_why(err, "%s is at least %.10g and at most %.10g", option->name,
			option->minimum, option->maximum);
	} else {
		err_why(err, "%s is at least %.10g", option->name, option->minimum);
	}
	return rc;
}

static int set_integer(const struct option *option, void *values, const char *text,
		       const char *where, struct err *err)
{
	int64_t integer;
	if (!parse_integer(text, &integer) ||
	    (option->type == OPTION_PID && (integer < 1 || integer > INT32_MAX))) {
		return refuse(option, text, where, err);
	}
	int rc = check_bounds(option, (double)integer, text, where, err);
	if (rc < 0) {
		return rc;
	}
	if (option->type == OPTION_PID) {
		*(int32_t *)field_of(option, values) = (int32_t)integer;
	} else {
		*(int64_t *)field_of(option, values) = integer;
	}
	return 0;
}

static int set_number(const struct option *option, void *values, const char *text,
		      const char *where, struct err *err)
{
	const struct unit *units = option->type == OPTION_DURATION ? duration_units
				   : option->type == OPTION_SIZE   ? size_units
				   : option->type == OPTION_RATE   ? rate_units
								   : no_units;
	double number;
	if (option->type == OPTION_RATE && strcmp(text, "max") == 0) {
		*(double *)field_of(option, values) = (double)INFINITY;
		return 0;
	}
	if (!parse_number(text, units, &number) || (option->type != OPTION_NUMBER && number < 0) ||
	    (option->type == OPTION_RATE && number <= 0) ||
	    (option->type == OPTION_SIZE && number >= 0x1p63)) {
		return refuse(option, text, where, err);
	}
	int rc = check_bounds(option, number, text, where, err);
	if (rc < 0) {
		return rc;
	}
	if (option->type == OPTION_SIZE) {
		*(uint64_t *)field_of(option, values) = (uint64_t)number;
	} else {
		*(double *)field_of(option, values) = number;
	}
	return 0;
}

static void join(const char *const *names, char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; names[i] != NULL; i++) {
		int length =
		    snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", names[i]);
		if (length < 0 || (size_t)length >= size - used) {
			return;
		}
		used += (size_t)length;
	}
}

static int set_choice(const struct option *option, void *values, const char *text,
		      const char *where, struct err *err)
{
	for (size_t i = 0; option->choices[i] != NULL; i++) {
		if (strcmp(option->choices[i], text) == 0) {
			*(const char **)field_of(option, values) = option->choices[i];
			return 0;
		}
	}
	char names[256];
	join(option->choices, names, sizeof names);
	const char *near = options_did_you_mean(text, option->choices);
	int rc;
	if (near != NULL) {
		rc = err_set(err, ERR_USAGE, "%s: '%s' is unknown; did you mean '%s'?", where, text,
			     near);
	} else {
		rc = err_set(err, ERR_USAGE, "%s: '%s' is unknown", where, text);
	}
	err_why(err, "%s is one of: %s", option->name, names);
	return rc;
}

static int add_text(const struct option *option, void *values, const char *text, const char *where,
		    struct err *err)
{
	struct option_texts *texts = field_of(option, values);
	if (texts->count >= TEXTS_MAX) {
		int rc = err_set(err, ERR_USAGE, "%s: given too often", where);
		err_why(err, "%s takes at most %d texts", option->name, TEXTS_MAX);
		return rc;
	}
	const char **items = mem_realloc(texts->items, (texts->count + 1) * sizeof *items);
	if (items == NULL) {
		return err_set(err, ERR_MEMORY, "%s: no memory for its value", where);
	}
	items[texts->count++] = text;
	texts->items = items;
	return 0;
}

static int set_flag(const struct option *option, void *values, const char *text, const char *where,
		    struct err *err)
{
	bool is_true = strcmp(text, "true") == 0;
	if (!is_true && strcmp(text, "false") != 0) {
		return refuse(option, text, where, err);
	}
	*(bool *)field_of(option, values) = is_true;
	return 0;
}

static int set_plain_text(const struct option *option, void *values, const char *text,
			  const char *where, struct err *err)
{
	(void)where;
	(void)err;
	*(const char **)field_of(option, values) = text;
	return 0;
}

static int (*const setters[])(const struct option *, void *, const char *, const char *,
			      struct err *) = {
    [OPTION_FLAG] = set_flag,	  [OPTION_TEXT] = set_plain_text, [OPTION_INTEGER] = set_integer,
    [OPTION_NUMBER] = set_number, [OPTION_DURATION] = set_number, [OPTION_SIZE] = set_number,
    [OPTION_RATE] = set_number,	  [OPTION_CHOICE] = set_choice,	  [OPTION_PID] = set_integer,
    [OPTION_TEXTS] = add_text,
};

int option_set(const struct option *option, void *values, const char *text, const char *where,
	       struct err *err)
{
	int rc = setters[option->type](option, values, text, where, err);
	if (rc == 0 && option->set_offset != OPTION_NO_SET) {
		*(bool *)((char *)values + option->set_offset) = true;
	}
	return rc;
}

static void format_texts(const struct option_texts *texts, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "[");
	for (size_t i = 0; i < texts->count; i++) {
		int length = snprintf(text + used, size - used, "%s\"%s\"", i > 0 ? ", " : "",
				      texts->items[i]);
		if (length < 0 || (size_t)length >= size - used) {
			return;
		}
		used += (size_t)length;
	}
	snprintf(text + used, size - used, "]");
}

static void format_plain_text(const char *value, char *text, size_t size)
{
	if (value != NULL) {
		snprintf(text, size, "\"%s\"", value);
	}
}

void option_format(const struct option *option, const void *values, char *text, size_t size)
{
	const void *field = const_field_of(option, values);
	text[0] = '\0';
	switch (option->type) {
	case OPTION_FLAG:
		snprintf(text, size, "%s", *(const bool *)field ? "true" : "false");
		break;
	case OPTION_TEXT:
	case OPTION_CHOICE:
		format_plain_text(*(const char *const *)field, text, size);
		break;
	case OPTION_INTEGER:
		snprintf(text, size, "%" PRId64, *(const int64_t *)field);
		break;
	case OPTION_PID:
		snprintf(text, size, "%" PRId32, *(const int32_t *)field);
		break;
	case OPTION_SIZE:
		snprintf(text, size, "%" PRIu64, *(const uint64_t *)field);
		break;
	case OPTION_NUMBER:
	case OPTION_DURATION:
	case OPTION_RATE:
		if (isinf(*(const double *)field)) {
			snprintf(text, size, "\"max\"");
		} else if (!isnan(*(const double *)field)) {
			snprintf(text, size, "%.10g", *(const double *)field);
		}
		break;
	case OPTION_TEXTS:
		format_texts(field, text, size);
		break;
	}
}
