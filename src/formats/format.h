/* Profiles out to other tools' formats: one file each, listed in formats.c.
 * A writer gets a read-only profile and a selection and writes to a stream. */
#ifndef FORMATS_FORMAT_H
#define FORMATS_FORMAT_H

#include <stdio.h>
#include "profile/profile.h"

struct err;

struct format_filter { /* which samples: decided by the caller, sample by sample */
	bool (*keep)(const void *context, const struct profile *, const struct profile_sample *);
	const void *context;
};

struct format {
	const char *name; /* "collapsed", "speedscope", "pprof", "firefox" */
	const char *summary;
	const char *extension; /* ".txt", ".speedscope.json", ".pb.gz", ".json" */
	const char *opened_by; /* one line: what reads it */
	bool needs_timeline;   /* wants RECORDING_TIMELINE */
	bool binary;
	int (*write)(const struct profile *, const struct format_filter *, FILE *, struct err *);
};

extern const struct format *const formats[]; /* NULL-terminated */
const struct format *format_find(const char *name);

#endif
