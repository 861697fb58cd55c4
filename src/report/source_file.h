/* The source of a file that a recording names, for showing beside its lines:
 * read only when it is a regular file of a sane size that has not changed since
 * the recording began. */
#ifndef REPORT_SOURCE_FILE_H
#define REPORT_SOURCE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"

#define SOURCE_BYTES_MAX (16u << 20)

struct source_file {
	char *text;	    /* NUL bytes between lines */
	const char **lines; /* line N at [N - 1] */
	size_t line_count;
	char why_not[160]; /* when it could not be shown: half a sentence; else "" */
};

/* Always leaves a releasable object; without text, why_not says why. */
void source_file_read(struct source_file *, const struct profile *, const char *file);
void source_file_release(struct source_file *);
/* The line without its newline; NULL when the file has no such line. */
const char *source_file_line(const struct source_file *, uint32_t line);

#endif
