/* What the parts of reading a recording share; not for others: recording_reader.c (the file
 * as a whole), recording_walk.c (over one
 * table), recording_rows.c (dictionaries, threads, markers), recording_samples.c. */
#ifndef RECORDING_READING_H
#define RECORDING_READING_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/builder.h"
#include "recording/recording_reader.h"
#include "recording/recording_source.h"
#include "recording/sample_block.h"
#include "recording/schema.h"

/* The id in the builder of each id of the file; 0 = not there. */
struct id_map {
	uint32_t *ids;
	size_t count, capacity;
};

struct reading {
	struct recording_source source;
	struct profile_builder *builder;
	struct recording_damage *damage;
	bool present[TABLE_COUNT];
	struct id_map strings, functions, frames, stacks, processes, threads;
	uint64_t rows_dropped;	  /* dictionary rows, threads, markers that can't be */
	uint64_t samples_dropped; /* their stack or thread is missing */
	uint64_t blocks_dropped;
	uint64_t timeline_count, aggregate_count; /* samples found in each */
	bool timeline_whole, aggregate_whole;
	bool corrupt; /* SQLite met a damaged page */
	struct profile_sample *sums;
	size_t sum_count, sum_capacity;
	struct sample_block_codec codec;
};

/* One row. 0, or -ERR_FILE for a row that can't be (it is left out), or
 * -ERR_MEMORY, which ends the reading. */
typedef int row_fn(struct reading *, sqlite3_stmt *row, struct err *);

/* The end of a walk by id: it can begin anywhere, hence after a damaged page too. */
#define READING_BY_ID "WHERE id >= ?1 ORDER BY id"

struct table_walk {
	enum recording_table table;
	const char *sql;
	bool by_id; /* column 0 is a rising id, and the text ends with READING_BY_ID */
	row_fn *take;
};

/* Adds a part to what is said of the damage. */
void reading_say(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

int reading_no_memory(struct err *err);

/* A value of a row, of the right type and within its range; false: *ret_value is untouched. */
bool row_get_count(sqlite3_stmt *row, int column, uint64_t maximum, uint64_t *ret_value);
bool row_get_u32(sqlite3_stmt *row, int column, uint32_t maximum, uint32_t *ret_value);
/* Text made safe: valid UTF-8, no control characters; NULL on no memory. The caller frees it. */
char *row_get_text(sqlite3_stmt *row, int column);

/* All rows that are readable, those by id also after a damaged page; *ret_whole: nothing was
 * missing. */
int reading_walk(struct reading *reading, const struct table_walk *walk, bool *ret_whole,
		 struct err *err);

/* Everything but samples, as far as `detail` asks for it. */
int reading_dictionary(struct reading *reading, enum recording_detail detail, struct err *err);

/* Samples one by one, into the builder. */
int reading_timeline(struct reading *reading, struct err *err);
/* Sums: from the table, or from the time line when that has kept more. */
int reading_aggregated(struct reading *reading, struct err *err);
/* Only how many the sums count: to say what a damaged time line has lost. */
int reading_count_aggregates(struct reading *reading, struct err *err);

#endif
