/* gzip into a stream: see gzip_stream.h. */
#include "formats/gzip_stream.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

#define GZIP_WINDOW_BITS (15 + 16) /* 16 asks zlib for gzip's header and trailer */
#define GZIP_MEMORY_LEVEL 8

int gzip_stream_init(struct gzip_stream *gzip, FILE *stream)
{
	memset(gzip, 0, sizeof(*gzip));
	gzip->stream = stream;
	int rc = deflateInit2(&gzip->zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
			      GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
	return rc == Z_OK ? 0 : -ERR_MEMORY;
}

static void run_zlib(struct gzip_stream *gzip, int flush)
{
	uint8_t out[16384];
	int rc;

	do {
		gzip->zlib.next_out = out;
		gzip->zlib.avail_out = sizeof(out);
		rc = deflate(&gzip->zlib, flush);
		if (rc == Z_STREAM_ERROR) {
			gzip->failed = true;
			return;
		}
		fwrite(out, 1, sizeof(out) - gzip->zlib.avail_out, gzip->stream);
	} while (gzip->zlib.avail_out == 0);
}

void gzip_stream_write(struct gzip_stream *gzip, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size > 0 && !gzip->failed) {
		uInt piece = size > UINT_MAX ? UINT_MAX : (uInt)size;
		/* zlib reads only; its older headers lack the const. */
		gzip->zlib.next_in = (uint8_t *)(uintptr_t)at;
		gzip->zlib.avail_in = piece;
		run_zlib(gzip, Z_NO_FLUSH);
		at += piece;
		size -= piece;
	}
}

int gzip_stream_finish(struct gzip_stream *gzip)
{
	gzip->zlib.next_in = NULL;
	gzip->zlib.avail_in = 0;
	if (!gzip->failed)
		run_zlib(gzip, Z_FINISH);
	deflateEnd(&gzip->zlib);
	return gzip->failed ? -ERR_MEMORY : 0;
}
