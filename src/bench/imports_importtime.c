/* Times of the modules that an interpreter has before its program begins, as -X importtime tells
 * them: imports_importtime_read of imports_events.h. */
#include <stdlib.h>
#include <string.h>

#include "bench/imports.h"
#include "bench/imports_events.h"

/* "import time:       123 |        456 |   name" */
static bool read_importtime_line(const char *line, const char *end, struct imports_before *ret)
{
	static const char mark[] = "import time:";
	char *rest;
	size_t length;

	if ((size_t)(end - line) < sizeof(mark) || memcmp(line, mark, sizeof(mark) - 1) != 0)
		return false;
	ret->self_ns = strtoull(line + sizeof(mark) - 1, &rest, 10) * 1000;
	if (rest + 2 >= end || strncmp(rest, " |", 2) != 0)
		return false;
	ret->total_ns = strtoull(rest + 2, &rest, 10) * 1000;
	if (rest + 2 >= end || strncmp(rest, " |", 2) != 0)
		return false;
	ret->name = rest + 2 + strspn(rest + 2, " ");
	length = (size_t)(end - ret->name);
	return ret->name < end && length < 1024;
}

void imports_importtime_read(struct imports_result *result, const char *bytes, size_t size)
{
	const char *line = bytes, *end;
	struct imports_before row = {0};

	for (; (end = memchr(line, '\n', size - (size_t)(line - bytes))) != NULL; line = end + 1) {
		size_t length;

		if (!read_importtime_line(line, end, &row))
			continue;
		length = (size_t)(end - row.name);
		for (size_t i = 0; i < result->before_count; i++)
			if (result->before[i].name && strlen(result->before[i].name) == length &&
			    memcmp(result->before[i].name, row.name, length) == 0) {
				result->before[i].self_ns = row.self_ns;
				result->before[i].total_ns = row.total_ns;
			}
	}
}
