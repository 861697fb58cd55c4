/* JSON from a hostile file: what a member must be, and the sentence where it isn't. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_write.h"
#include "bench/result_internal.h"

#define SHOWN_TEXT_MAX 40 /* of a wrong value, in a message */

static void describe(const json_t *value, char *text, size_t size)
{
	char number[40];

	switch (value != NULL ? json_typeof(value) : JSON_NULL) {
	case JSON_OBJECT:
		snprintf(text, size, "an object");
		return;
	case JSON_ARRAY:
		snprintf(text, size, "a list of %zu", json_array_size(value));
		return;
	case JSON_STRING:
		if (bench_json_is_nan(value))
			snprintf(text, size, "%s", json_string_value(value));
		else
			snprintf(text, size, "the text \"%.*s\"", SHOWN_TEXT_MAX,
				 json_string_value(value));
		return;
	case JSON_NULL:
		snprintf(text, size, value != NULL ? "null" : "missing");
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(text, size, json_is_true(value) ? "true" : "false");
		return;
	default:
		snprintf(text, size, "%s", bench_scalar_text(value, number, sizeof(number)));
	}
}

int bench_wrong(const struct bench_reading *reading, const json_t *value, const char *wanted,
		const char *where_fmt, ...)
{
	char where[160], observed[160];
	va_list arguments;
	int r;

	va_start(arguments, where_fmt);
	vsnprintf(where, sizeof(where), where_fmt, arguments);
	va_end(arguments);
	describe(value, observed, sizeof(observed));
	r = err_set(reading->err, ERR_FILE, "%s is no %s file that can be read", reading->path,
		    reading->format);
	err_why(reading->err, "%s is %s; it should be %s", where, observed, wanted);
	err_next(reading->err, "have %s write the file again, or leave that entry out",
		 reading->format);
	return r;
}

int bench_no_memory(const struct bench_reading *reading)
{
	return err_set(reading->err, ERR_MEMORY, "no memory to read %s", reading->path);
}

static const char *const not_finite[] = {"NaN", "Infinity", "-Infinity"};

bool bench_json_is_nan(const json_t *value)
{
	if (!json_is_string(value))
		return false;
	for (size_t i = 0; i < sizeof(not_finite) / sizeof(not_finite[0]); i++) {
		if (strcmp(json_string_value(value), not_finite[i]) == 0)
			return true;
	}
	return false;
}

bool bench_json_number(const json_t *value, double *ret_number)
{
	if (!json_is_number(value) || !isfinite(json_number_value(value)))
		return false;
	*ret_number = json_number_value(value);
	return true;
}

bool bench_json_count(const json_t *value, uint64_t *ret_count)
{
	double real;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*ret_count = (uint64_t)json_integer_value(value);
		return true;
	}
	if (!json_is_real(value))
		return false;
	real = json_real_value(value);
	/* Above 2^53 a double is no exact count. */
	if (!(real >= 0) || real > 9007199254740992.0 || real != floor(real))
		return false;
	*ret_count = (uint64_t)real;
	return true;
}

bool bench_json_text(const json_t *value, const char **ret_text)
{
	if (!json_is_string(value) || json_string_length(value) > BENCH_TEXT_MAX)
		return false;
	*ret_text = json_string_value(value);
	return true;
}

const json_t *bench_json_member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

char *bench_scalar_text(const json_t *value, char *text, size_t size)
{
	if (json_is_string(value) && json_string_length(value) <= BENCH_TEXT_MAX)
		return (char *)json_string_value(value);
	if (json_is_integer(value))
		snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(text, size, "%.17g", json_real_value(value));
	else
		snprintf(text, size, "%s",
			 json_is_true(value)	? "true"
			 : json_is_false(value) ? "false"
			 : json_is_null(value)	? "null"
						: "(not a plain value)");
	return text;
}

/* The shortest that comes back the same: 0.1 stays 0.1. The writer has no such
 * number, so its separators are kept by hand: as an element it is announced by an empty text. */
void bench_json_exact(struct json_writer *json, double number)
{
	char text[40];

	if (!isfinite(number)) {
		json_absent(json);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	if (json->after_key) {
		json->after_key = false;
	} else if (json->depth > 0) {
		if (json->has_item[json->depth - 1])
			putc(',', json->stream);
		json->has_item[json->depth - 1] = true;
	}
	fputs(text, json->stream);
}

/* ---- Time ---- */

double bench_time_of(const char *text)
{
	struct tm tm = {0};
	double fraction = 0;
	const char *rest;
	char *end;
	int hours, minutes, used = 0;
	char sign;

	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL)
		rest = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (rest == NULL)
		return NAN;
	if (*rest == '.') {
		fraction = strtod(rest, &end);
		rest = end;
	}
	if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) == 3 &&
	    (sign == '+' || sign == '-') && hours >= 0 && hours < 24 && minutes >= 0 &&
	    minutes < 60)
		fraction -= (sign == '+' ? 60 : -60) * (hours * 60.0 + minutes);
	return (double)timegm(&tm) + fraction;
}

char *bench_time_text(char *text, size_t size, double unix_s)
{
	time_t seconds;
	struct tm tm;
	size_t used;

	*text = '\0';
	/* Years that people write with four digits. */
	if (!(unix_s >= 0 && unix_s < 253402300800.0))
		return text;
	seconds = (time_t)unix_s;
	if (gmtime_r(&seconds, &tm) == NULL)
		return text;
	used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + used, size - used, ".%06d+00:00",
		 (int)((unix_s - (double)seconds) * 1000000));
	return text;
}

/* ---- What several formats say of a benchmark ---- */

char *benchmark_full_name(const struct benchmark *benchmark)
{
	char *text = NULL, *copy;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (stream == NULL)
		return NULL;
	fputs(benchmark->name, stream);
	for (size_t i = 0; i < benchmark->param_count; i++)
		fprintf(stream, "%s%s=%s", i == 0 ? "[" : ",", benchmark->params[i].name,
			benchmark->params[i].value);
	if (benchmark->param_count > 0)
		putc(']', stream);
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}
	copy = mem_copy_text(text);
	free(text);
	return copy;
}

int benchmark_summary(const struct benchmark *benchmark, struct summary *ret_summary)
{
	double *values = NULL;
	size_t count = 0;
	int r = benchmark_values(benchmark, &values, &count);

	if (r == 0)
		r = summary_of(values, count, ret_summary);
	mem_free(values);
	if (r == -ERR_USAGE) /* a value that is none: nothing can be said of them together */
		return summary_of(NULL, 0, ret_summary);
	return r;
}
