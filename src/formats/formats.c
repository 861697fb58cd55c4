/* The list of formats. One line and one file each: docs/howto/add-a-format.md. */
#include "formats/format.h"

#include <string.h>

extern const struct format format_collapsed, format_speedscope, format_pprof, format_firefox;

const struct format *const formats[] = {
    &format_collapsed, &format_speedscope, &format_pprof, &format_firefox, NULL,
};

const struct format *format_find(const char *name)
{
	for (size_t i = 0; formats[i]; i++) {
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	}
	return NULL;
}
