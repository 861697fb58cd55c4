/* Samples of the time line in columns, compressed: the blob of one sample_block
 * row (docs/recording.md has the format to the byte). Pure: no file, no ids
 * checked. The decoder takes hostile bytes: every length is bounded first.
 */
#ifndef RECORDING_SAMPLE_BLOCK_H
#define RECORDING_SAMPLE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "profile/profile.h"

#define SAMPLE_BLOCK_FORMAT 1
#define SAMPLE_BLOCK_SAMPLES_MAX 65536u
/* Decompressed. A sample takes at most 10 (time) + 10 (instant's size) + 10
 * (thread) + 10 + 2 (stack) + 2 (state, flags) + 20 + 20 (runs) bytes. */
#define SAMPLE_BLOCK_RAW_MAX (8u << 20)
#define SAMPLE_BLOCK_SECTIONS_MAX 8

struct err;

/* Reused from block to block; zero it first. */
struct sample_block_codec {
	struct profile_sample *samples; /* the decoded ones */
	size_t sample_count, sample_capacity;
	uint32_t *stacks; /* scratch: the block's stack ids, ascending */
	size_t stack_capacity;
	struct buffer raw;
	size_t sections[SAMPLE_BLOCK_SECTIONS_MAX]; /* ends in raw: a zstd frame each */
	size_t section_count;
	uint8_t *packed; /* the encoded blob */
	size_t packed_size, packed_capacity;
	void *compressor, *decompressor; /* zstd contexts */
};

void sample_block_init(struct sample_block_codec *);
void sample_block_release(struct sample_block_codec *);

/* `samples`: 1 … SAMPLE_BLOCK_SAMPLES_MAX, in order of time. The blob goes to
 * codec->packed. -ERR_MEMORY, -ERR_LIMIT. */
int sample_block_encode(struct sample_block_codec *, const struct profile_sample *samples,
			size_t count, struct err *);

/* The samples go to codec->samples; their ids are whatever the bytes say, their
 * states and counts possible ones. -ERR_FILE for bytes that are no block. */
int sample_block_decode(struct sample_block_codec *, const void *bytes, size_t size, struct err *);

/* The same of the decompressed form (for tests and fuzzing). */
int sample_block_decode_raw(struct sample_block_codec *, const void *bytes, size_t size,
			    struct err *);

#endif
