/* gzip into a stream, in pieces. The same input gives the same bytes (no time
 * and no name in the header). */
#ifndef FORMATS_GZIP_STREAM_H
#define FORMATS_GZIP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <zlib.h>

struct gzip_stream {
	z_stream zlib;
	FILE *stream;
	bool failed;
};
/* 0 or -ERR_MEMORY. What is written after a failure is dropped; the stream's own
 * error flag tells of a failed write. */
int gzip_stream_init(struct gzip_stream *, FILE *);
void gzip_stream_write(struct gzip_stream *, const void *bytes, size_t size);
/* Writes the end and releases it. 0, or -ERR_MEMORY when zlib failed. */
int gzip_stream_finish(struct gzip_stream *);

#endif
