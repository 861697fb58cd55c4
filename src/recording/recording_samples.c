/* The samples of a recording: blocks of the time line, or sums. A sample whose stack or thread is
 * missing is left out and counted. */
#include "base/arena.h"
#include "base/err.h"
#include "recording/recording_reading.h"
#include "recording/sample_sum.h"

#define SUMS_BEFORE_SUMMING ((size_t)1 << 18)
#define SUMS_MAX ((size_t)1 << 24)
#define SAMPLES_MAX ((uint64_t)1 << 27)

static int keep_sum(struct reading *reading, const struct profile_sample *sample)
{
	void *items = reading->sums;
	int code;

	if (reading->sum_count >= SUMS_BEFORE_SUMMING &&
	    reading->sum_count >= reading->sum_capacity)
		reading->sum_count = sample_sum(reading->sums, reading->sum_count);
	code = grow_array(&items, &reading->sum_capacity, reading->sum_count + 1,
			  sizeof(*reading->sums), SUMS_MAX);
	reading->sums = items;
	if (code == 0)
		reading->sums[reading->sum_count++] = *sample;
	return code;
}

/* Ids of the file to ids of the builder; false when they are not there. */
static bool translate(const struct reading *reading, struct profile_sample *sample)
{
	if (sample->thread.v >= reading->threads.count || !reading->threads.ids[sample->thread.v])
		return false;
	sample->thread.v = reading->threads.ids[sample->thread.v];
	if (sample->stack.v == 0)
		return true;
	if (sample->stack.v >= reading->stacks.count || !reading->stacks.ids[sample->stack.v])
		return false;
	sample->stack.v = reading->stacks.ids[sample->stack.v];
	return true;
}

static int take_aggregate(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	struct profile_sample sample = {0};
	uint64_t count;
	uint32_t state, flags;

	(void)err;
	if (!row_get_u32(row, 0, UINT32_MAX, &sample.thread.v) ||
	    !row_get_u32(row, 1, UINT32_MAX, &sample.stack.v) ||
	    !row_get_u32(row, 2, STATE_COUNT - 1, &state) ||
	    !row_get_u32(row, 3, UINT8_MAX, &flags) || !row_get_count(row, 4, INT64_MAX, &count) ||
	    count == 0 || !row_get_count(row, 5, INT64_MAX, &sample.weight_ns))
		return -ERR_FILE;
	sample.state = (uint8_t)state;
	sample.flags = (uint8_t)flags;
	sample.count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
	if (!translate(reading, &sample)) {
		reading->samples_dropped += sample.count;
		return 0;
	}
	reading->aggregate_count += sample.count;
	return keep_sum(reading, &sample);
}

enum block_use { BLOCKS_TO_TIMELINE, BLOCKS_TO_SUMS };

static int take_block(struct reading *reading, sqlite3_stmt *row, enum block_use use)
{
	const void *data = sqlite3_column_blob(row, 1);
	size_t size = (size_t)sqlite3_column_bytes(row, 1);
	int code;

	if (sqlite3_column_type(row, 1) != SQLITE_BLOB || !data)
		code = -ERR_FILE;
	else
		code = sample_block_decode(&reading->codec, data, size, NULL);
	if (code == -ERR_MEMORY)
		return code;
	if (code < 0) {
		reading->blocks_dropped++;
		return 0;
	}
	for (size_t i = 0; i < reading->codec.sample_count; i++) {
		struct profile_sample sample = reading->codec.samples[i];

		if (!translate(reading, &sample)) {
			reading->samples_dropped += sample.count;
			continue;
		}
		if (reading->timeline_count >= SAMPLES_MAX)
			return -ERR_FILE;
		reading->timeline_count += sample.count;
		code = use == BLOCKS_TO_SUMS
			   ? keep_sum(reading, &sample)
			   : profile_builder_add_sample(reading->builder, &sample, NULL);
		if (code < 0)
			return code;
	}
	return 0;
}

static int take_block_to_timeline(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	(void)err;
	return take_block(reading, row, BLOCKS_TO_TIMELINE);
}

static int take_block_to_sums(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	(void)err;
	return take_block(reading, row, BLOCKS_TO_SUMS);
}

static const struct table_walk blocks_to_timeline = {
    TABLE_SAMPLE_BLOCK, "SELECT id, data FROM sample_block " READING_BY_ID, true,
    take_block_to_timeline};

static const struct table_walk blocks_to_sums = {TABLE_SAMPLE_BLOCK,
						 "SELECT id, data FROM sample_block " READING_BY_ID,
						 true, take_block_to_sums};

static const struct table_walk aggregates = {
    TABLE_AGGREGATE, "SELECT thread, stack, state, flags, count, weight_ns FROM aggregate", false,
    take_aggregate};

static int count_aggregate(struct reading *reading, sqlite3_stmt *row, struct err *err)
{
	uint64_t count;

	(void)err;
	if (!row_get_count(row, 0, UINT32_MAX, &count))
		return -ERR_FILE;
	reading->aggregate_count += count;
	return 0;
}

static const struct table_walk aggregate_counts = {TABLE_AGGREGATE, "SELECT count FROM aggregate",
						   false, count_aggregate};

static int flush_sums(struct reading *reading, struct err *err)
{
	reading->sum_count = sample_sum(reading->sums, reading->sum_count);
	for (size_t i = 0; i < reading->sum_count; i++) {
		int code = profile_builder_add_sample(reading->builder, &reading->sums[i], err);

		if (code < 0)
			return code;
	}
	return 0;
}

int reading_aggregated(struct reading *reading, struct err *err)
{
	uint64_t dropped = reading->samples_dropped;
	int code = reading_walk(reading, &aggregates, &reading->aggregate_whole, err);

	profile_builder_meta(reading->builder)->aggregated = true;
	if (code == 0 && !reading->aggregate_whole) {
		struct profile_sample *kept = reading->sums;
		size_t kept_count = reading->sum_count, kept_capacity = reading->sum_capacity;

		reading->sums = NULL;
		reading->sum_count = reading->sum_capacity = 0;
		reading->samples_dropped = 0;
		code = reading_walk(reading, &blocks_to_sums, &reading->timeline_whole, err);
		if (reading->timeline_count < reading->aggregate_count) {
			mem_free(reading->sums);
			reading->sums = kept;
			reading->sum_count = kept_count;
			reading->sum_capacity = kept_capacity;
			reading->samples_dropped = dropped;
		} else {
			mem_free(kept);
			reading_say(reading, "sums were made from the time line");
		}
	}
	return code < 0 ? code : flush_sums(reading, err);
}

int reading_timeline(struct reading *reading, struct err *err)
{
	return reading_walk(reading, &blocks_to_timeline, &reading->timeline_whole, err);
}

int reading_count_aggregates(struct reading *reading, struct err *err)
{
	return reading_walk(reading, &aggregate_counts, &reading->aggregate_whole, err);
}
