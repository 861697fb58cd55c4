/* Numbers of benchmarks: see bench_numbers.h. */
#include "report/bench_numbers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/result.h"

#define UNIT_BYTES_MAX 12

/* Four digits that mean something, none behind the point beyond them. */
static int decimals_of(double value)
{
	double size = fabs(value);

	return size < 9.9995 ? 3 : size < 99.995 ? 2 : size < 999.95 ? 1 : 0;
}

static char *scaled(char *text, size_t size, double value, const char *unit)
{
	if (fabs(value) >= 1e7 || (value != 0 && fabs(value) < 1e-3))
		snprintf(text, size, "%.3e %s", value, unit);
	else
		snprintf(text, size, "%.*f %s", decimals_of(value), value, unit);
	return text;
}

static char *time_text(char *text, size_t size, double seconds, bool utf8)
{
	double magnitude = fabs(seconds);

	if (magnitude == 0)
		snprintf(text, size, "0 s");
	else if (magnitude < 0.99995e-6)
		scaled(text, size, seconds * 1e9, "ns");
	else if (magnitude < 0.99995e-3)
		scaled(text, size, seconds * 1e6, utf8 ? "µs" : "us");
	else if (magnitude < 0.99995)
		scaled(text, size, seconds * 1e3, "ms");
	else
		scaled(text, size, seconds, "s");
	return text;
}

static char *size_text(char *text, size_t size, double bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = bytes / 1024;
	size_t unit = 0;

	if (fabs(bytes) < 1024) {
		snprintf(text, size, "%.0f B", bytes);
		return text;
	}
	while (fabs(value) >= 1023.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	return scaled(text, size, value, units[unit]);
}

char *bench_number_text(char *text, size_t size, double value, const char *unit, bool utf8)
{
	char name[UNIT_BYTES_MAX + 1];
	size_t length = strlen(unit);

	if (!isfinite(value)) {
		snprintf(text, size, "unknown");
		return text;
	}
	if (strcmp(unit, "s") == 0)
		return time_text(text, size, value, utf8);
	if (strcmp(unit, "bytes") == 0)
		return size_text(text, size, value);
	if (length > UNIT_BYTES_MAX)
		length = UNIT_BYTES_MAX;
	while (length > 0 && ((unsigned char)unit[length] & 0xC0) == 0x80)
		length--;
	memcpy(name, unit, length);
	name[length] = '\0';
	if (value == floor(value) && fabs(value) < 1e15)
		snprintf(text, size, "%.0f %s", value, name);
	else
		scaled(text, size, value, name);
	return text;
}

char *ratio_text(char *text, size_t size, double log_ratio)
{
	/* B is longer by this, or shorter by that much of A. */
	double percent = fabs(expm1(log_ratio)) * 100;

	if (!isfinite(log_ratio))
		snprintf(text, size, "unknown");
	else if (percent >= 99.95)
		snprintf(text, size, "%.1f times", exp(log_ratio));
	else
		snprintf(text, size, "%.*f %%",
			 percent < 0.995  ? 2
			 : percent < 9.95 ? 1
					  : 0,
			 percent);
	return text;
}

char *causes_text(char *text, size_t size, uint8_t causes)
{
	static const struct {
		enum bench_cause cause;
		const char *name;
	} names[] = {
	    {CAUSE_STEAL, "steal"},
	    {CAUSE_SWITCHED, "context switch"},
	    {CAUSE_COLLECTED, "GC"},
	    {CAUSE_FAULTED, "page faults"},
	};
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && used < size; i++) {
		if (causes & names[i].cause)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 used > 0 ? ", " : "", names[i].name);
	}
	return text;
}
