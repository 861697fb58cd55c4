/* See sample_block.h; the format to the byte is in docs/recording.md.
 *
 * Why columns: one instant samples every thread, so its time is written once, and
 * the threads, predicted from the instant before, become zeros. What is left is
 * the choice of stack, which is written as byte planes of an index into the
 * block's own stacks: zstd's Huffman coder then comes near its entropy.
 */
#include "recording/sample_block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/err.h"

#define SECTIONS_FROM_BYTES 2000
#define PLANES_MAX 3 /* 65,536 stacks of a block need 2 bytes; the bound is checked */

struct cursor {
	const uint8_t *at, *end;
};

void sample_block_init(struct sample_block_codec *codec)
{
	memset(codec, 0, sizeof(*codec));
	buffer_init(&codec->raw, SAMPLE_BLOCK_RAW_MAX);
}

void sample_block_release(struct sample_block_codec *codec)
{
	mem_free(codec->samples);
	mem_free(codec->stacks);
	mem_free(codec->packed);
	buffer_release(&codec->raw);
	ZSTD_freeCCtx(codec->compressor);
	ZSTD_freeDCtx(codec->decompressor);
	sample_block_init(codec);
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "no memory for a block of samples");
}

static int damaged(const char *what, struct err *err)
{
	return err_set(err, ERR_FILE, "a block of samples is damaged: %s", what);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* Bytes that an index below `count` takes. */
static unsigned plane_count(size_t count)
{
	unsigned planes = 0;

	for (size_t largest = count - 1; largest; largest >>= 8)
		planes++;
	return planes;
}

/* What follows is compressed with a Huffman table of its own: columns differ. */
static void end_section(struct sample_block_codec *codec)
{
	assert(codec->section_count < SAMPLE_BLOCK_SECTIONS_MAX);
	codec->sections[codec->section_count++] = codec->raw.size;
}

static void encode_times(struct buffer *raw, const struct profile_sample *samples, size_t count)
{
	size_t instants = 1, length = 0;

	for (size_t i = 1; i < count; i++)
		instants += samples[i].time_ns != samples[i - 1].time_ns;
	buffer_varint(raw, count);
	buffer_varint(raw, instants);
	buffer_varint(raw, samples[0].time_ns);
	for (size_t i = 1; i < count; i++) {
		if (samples[i].time_ns != samples[i - 1].time_ns)
			buffer_varint(raw, samples[i].time_ns - samples[i - 1].time_ns);
	}
	for (size_t i = 0; i < count; i++) {
		length++;
		if (i + 1 == count || samples[i + 1].time_ns != samples[i].time_ns) {
			buffer_varint(raw, length);
			length = 0;
		}
	}
}

/* Where the thread of sample i is predicted from: the same place of the instant
 * before, else the sample before. */
static int64_t predicted_thread(const struct profile_sample *samples, size_t i, size_t start,
				size_t previous_start)
{
	if (previous_start + (i - start) < start)
		return samples[previous_start + (i - start)].thread.v;
	return i ? (int64_t)samples[i - 1].thread.v + 1 : 1;
}

static void encode_threads(struct buffer *raw, const struct profile_sample *samples, size_t count)
{
	size_t start = 0, previous_start = 0;

	for (size_t i = 0; i < count; i++) {
		if (i && samples[i].time_ns != samples[i - 1].time_ns) {
			previous_start = start;
			start = i;
		}
		buffer_zigzag(raw, (int64_t)samples[i].thread.v -
				       predicted_thread(samples, i, start, previous_start));
	}
}

static int encode_stacks(struct sample_block_codec *codec, const struct profile_sample *samples,
			 size_t count)
{
	void *items = codec->stacks;
	size_t distinct = 0;
	unsigned planes;
	int code = grow_array(&items, &codec->stack_capacity, count, sizeof(*codec->stacks),
			      SAMPLE_BLOCK_SAMPLES_MAX);

	codec->stacks = items;
	if (code < 0)
		return code;
	for (size_t i = 0; i < count; i++)
		codec->stacks[i] = samples[i].stack.v;
	qsort(codec->stacks, count, sizeof(*codec->stacks), by_value);
	for (size_t i = 0; i < count; i++) {
		if (!distinct || codec->stacks[i] != codec->stacks[distinct - 1])
			codec->stacks[distinct++] = codec->stacks[i];
	}
	buffer_varint(&codec->raw, distinct);
	for (size_t i = 0; i < distinct; i++)
		buffer_varint(&codec->raw,
			      i ? codec->stacks[i] - codec->stacks[i - 1] - 1 : codec->stacks[0]);
	planes = plane_count(distinct);
	for (unsigned plane = 0; plane < planes; plane++) {
		end_section(codec);
		for (size_t i = 0; i < count; i++) {
			const uint32_t *found = bsearch(&samples[i].stack.v, codec->stacks,
							distinct, sizeof(*found), by_value);
			uint8_t byte = (uint8_t)((size_t)(found - codec->stacks) >> (8 * plane));

			buffer_append(&codec->raw, &byte, 1);
		}
	}
	return 0;
}

enum run_column { RUN_COUNT, RUN_WEIGHT };

static uint64_t run_value(const struct profile_sample *sample, enum run_column column)
{
	return column == RUN_COUNT ? sample->count : sample->weight_ns;
}

static void encode_runs(struct buffer *raw, const struct profile_sample *samples, size_t count,
			enum run_column column)
{
	size_t run;

	for (size_t i = 0; i < count; i += run) {
		uint64_t value = run_value(&samples[i], column);

		for (run = 1; i + run < count && run_value(&samples[i + run], column) == value;)
			run++;
		buffer_varint(raw, value);
		buffer_varint(raw, run);
	}
}

/* Runs are found, chance repetitions of a few bytes are not: in columns that are
 * random they cost more than Huffman codes do. */
static ZSTD_CCtx *new_compressor(void)
{
	ZSTD_CCtx *compressor = ZSTD_createCCtx();

	if (compressor) {
		ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, 1);
		ZSTD_CCtx_setParameter(compressor, ZSTD_c_minMatch, 7);
	}
	return compressor;
}

static int pack(struct sample_block_codec *codec, struct err *err)
{
	void *packed = codec->packed;
	/* A small block is one frame: heads would weigh more than tables save. */
	size_t sections = codec->raw.size < SECTIONS_FROM_BYTES ? 1 : codec->section_count;
	size_t bound = ZSTD_compressBound(codec->raw.size) + sections * ZSTD_compressBound(0);
	size_t from = 0;
	struct buffer head;
	int code;

	if (!codec->compressor)
		codec->compressor = new_compressor();
	if (!codec->compressor)
		return no_memory(err);
	buffer_init(&head, 16);
	buffer_append(&head, &(uint8_t){SAMPLE_BLOCK_FORMAT}, 1);
	buffer_varint(&head, codec->raw.size);
	code = grow_array(&packed, &codec->packed_capacity, bound + 16, 1, SIZE_MAX / 2);
	codec->packed = packed;
	if (head.failed || code < 0) {
		buffer_release(&head);
		return no_memory(err);
	}
	memcpy(codec->packed, head.bytes, head.size);
	codec->packed_size = head.size;
	buffer_release(&head);
	for (size_t i = 0; i < sections; i++) {
		size_t end = i + 1 == sections ? codec->raw.size : codec->sections[i];
		size_t size = ZSTD_compress2(codec->compressor, codec->packed + codec->packed_size,
					     codec->packed_capacity - codec->packed_size,
					     codec->raw.bytes + from, end - from);

		if (ZSTD_isError(size))
			return no_memory(err);
		codec->packed_size += size;
		from = end;
	}
	return 0;
}

int sample_block_encode(struct sample_block_codec *codec, const struct profile_sample *samples,
			size_t count, struct err *err)
{
	struct buffer *raw = &codec->raw;

	if (count == 0 || count > SAMPLE_BLOCK_SAMPLES_MAX)
		return err_set(err, ERR_LIMIT, "%zu samples do not make a block", count);
	raw->size = 0;
	raw->failed = false;
	codec->section_count = 0;
	encode_times(raw, samples, count);
	end_section(codec);
	encode_threads(raw, samples, count);
	if (encode_stacks(codec, samples, count) < 0)
		return no_memory(err);
	end_section(codec);
	for (size_t i = 0; i < count; i++)
		buffer_append(raw, &samples[i].state, 1);
	end_section(codec);
	for (size_t i = 0; i < count; i++)
		buffer_append(raw, &samples[i].flags, 1);
	encode_runs(raw, samples, count, RUN_COUNT);
	encode_runs(raw, samples, count, RUN_WEIGHT);
	if (raw->failed)
		return no_memory(err);
	return pack(codec, err);
}

static bool decode_times(struct cursor *in, struct profile_sample *samples, size_t count,
			 size_t instants)
{
	struct cursor lengths = *in;
	uint64_t time, delta, length;
	size_t i = 0;

	if (!varint_read(&in->at, in->end, &time))
		return false;
	lengths = *in;
	for (size_t k = 1; k < instants; k++) {
		if (!varint_read(&lengths.at, lengths.end, &delta))
			return false;
	}
	for (size_t k = 0; k < instants; k++) {
		if (k) {
			if (!varint_read(&in->at, in->end, &delta) || delta == 0 ||
			    delta > INT64_MAX - time)
				return false;
			time += delta;
		}
		if (time > INT64_MAX || !varint_read(&lengths.at, lengths.end, &length) ||
		    length == 0 || length > count - i)
			return false;
		for (; length; length--)
			samples[i++].time_ns = time;
	}
	in->at = lengths.at;
	return i == count;
}

static bool decode_threads(struct cursor *in, struct profile_sample *samples, size_t count)
{
	size_t start = 0, previous_start = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t delta, thread;

		if (i && samples[i].time_ns != samples[i - 1].time_ns) {
			previous_start = start;
			start = i;
		}
		if (!zigzag_read(&in->at, in->end, &delta) || delta < -(int64_t)UINT32_MAX ||
		    delta > (int64_t)UINT32_MAX)
			return false;
		thread = predicted_thread(samples, i, start, previous_start) + delta;
		if (thread < 0 || thread > (int64_t)UINT32_MAX)
			return false;
		samples[i].thread.v = (uint32_t)thread;
	}
	return true;
}

static bool decode_stacks(struct sample_block_codec *codec, struct cursor *in, size_t count)
{
	void *items = codec->stacks;
	uint64_t distinct, value, last = 0;
	unsigned planes;

	if (!varint_read(&in->at, in->end, &distinct) || distinct == 0 || distinct > count)
		return false;
	if (grow_array(&items, &codec->stack_capacity, distinct, sizeof(*codec->stacks),
		       SAMPLE_BLOCK_SAMPLES_MAX) < 0)
		return false;
	codec->stacks = items;
	for (size_t i = 0; i < distinct; i++) {
		if (!varint_read(&in->at, in->end, &value) || value > UINT32_MAX)
			return false;
		last = i ? last + 1 + value : value;
		if (last > UINT32_MAX)
			return false;
		codec->stacks[i] = (uint32_t)last;
	}
	planes = plane_count(distinct);
	if (planes > PLANES_MAX || (size_t)(in->end - in->at) / (planes ? planes : 1) < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t index = 0;

		for (unsigned plane = 0; plane < planes; plane++)
			index |= (size_t)in->at[plane * count + i] << (8 * plane);
		if (index >= distinct)
			return false;
		codec->samples[i].stack.v = codec->stacks[index];
	}
	in->at += planes * count;
	return true;
}

static bool decode_states(struct cursor *in, struct profile_sample *samples, size_t count)
{
	if ((size_t)(in->end - in->at) / 2 < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (in->at[i] >= STATE_COUNT)
			return false;
		samples[i].state = in->at[i];
		samples[i].flags = in->at[count + i];
	}
	in->at += 2 * count;
	return true;
}

static bool decode_runs(struct cursor *in, struct profile_sample *samples, size_t count,
			enum run_column column)
{
	uint64_t value, run;

	for (size_t i = 0; i < count;) {
		if (!varint_read(&in->at, in->end, &value) ||
		    !varint_read(&in->at, in->end, &run) || run == 0 || run > count - i)
			return false;
		if (column == RUN_COUNT && (value == 0 || value > UINT32_MAX))
			return false;
		if (value > INT64_MAX)
			return false;
		for (; run; run--, i++) {
			if (column == RUN_COUNT)
				samples[i].count = (uint32_t)value;
			else
				samples[i].weight_ns = value;
		}
	}
	return true;
}

int sample_block_decode_raw(struct sample_block_codec *codec, const void *bytes, size_t size,
			    struct err *err)
{
	struct cursor in = {bytes, (const uint8_t *)bytes + size};
	uint64_t count, instants;
	void *items = codec->samples;

	codec->sample_count = 0;
	if (!varint_read(&in.at, in.end, &count) || !varint_read(&in.at, in.end, &instants))
		return damaged("its head is cut", err);
	/* Each sample takes two bytes at the least (state, flags): no small block makes a
	 * large array. */
	if (count == 0 || count > SAMPLE_BLOCK_SAMPLES_MAX || count > size / 2 || instants == 0 ||
	    instants > count)
		return damaged("its number of samples is not possible", err);
	if (grow_array(&items, &codec->sample_capacity, count, sizeof(*codec->samples),
		       SAMPLE_BLOCK_SAMPLES_MAX) < 0)
		return no_memory(err);
	codec->samples = items;
	memset(codec->samples, 0, count * sizeof(*codec->samples));
	if (!decode_times(&in, codec->samples, count, instants))
		return damaged("its times are not possible", err);
	if (!decode_threads(&in, codec->samples, count))
		return damaged("its threads are not possible", err);
	if (!decode_stacks(codec, &in, count))
		return damaged("its stacks are not possible", err);
	if (!decode_states(&in, codec->samples, count))
		return damaged("its states are not possible", err);
	if (!decode_runs(&in, codec->samples, count, RUN_COUNT) ||
	    !decode_runs(&in, codec->samples, count, RUN_WEIGHT))
		return damaged("its weights are not possible", err);
	if (in.at != in.end)
		return damaged("bytes follow its end", err);
	codec->sample_count = count;
	return 0;
}

int sample_block_decode(struct sample_block_codec *codec, const void *bytes, size_t size,
			struct err *err)
{
	const uint8_t *at = bytes, *end = at + size;
	uint64_t raw_size;
	size_t got;

	codec->sample_count = 0;
	if (size < 1 || *at++ != SAMPLE_BLOCK_FORMAT)
		return damaged("its format is not known", err);
	if (!varint_read(&at, end, &raw_size) || raw_size == 0 || raw_size > SAMPLE_BLOCK_RAW_MAX)
		return damaged("its size is not possible", err);
	if (!codec->decompressor)
		codec->decompressor = ZSTD_createDCtx();
	if (!codec->decompressor)
		return no_memory(err);
	void *items = codec->raw.bytes;
	if (grow_array(&items, &codec->raw.capacity, raw_size, 1, SAMPLE_BLOCK_RAW_MAX) < 0)
		return no_memory(err);
	codec->raw.bytes = items;
	got = ZSTD_decompressDCtx(codec->decompressor, codec->raw.bytes, raw_size, at,
				  (size_t)(end - at));
	if (ZSTD_isError(got) || got != raw_size)
		return damaged("it does not decompress", err);
	return sample_block_decode_raw(codec, codec->raw.bytes, raw_size, err);
}
