/* What the two parts of the writer share; not for others: recording_writer.c (the file, what waits
 * in memory, transactions and bounds) and recording_writer_rows.c (what one transaction writes). */
#ifndef RECORDING_WRITER_ROWS_H
#define RECORDING_WRITER_ROWS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"
#include "recording/recording_writer.h"
#include "recording/sample_block.h"

enum statement {
	INSERT_STRING,
	INSERT_FUNCTION,
	INSERT_FRAME,
	INSERT_STACK,
	INSERT_PROCESS,
	INSERT_THREAD,
	INSERT_MARKER,
	INSERT_META,
	INSERT_BLOCK,
	ADD_AGGREGATE,
	STATEMENT_COUNT
};

/* Rows of the view that are in the file (row 0 is never written). */
struct written {
	uint32_t strings, functions, frames, stacks, processes, threads;
	size_t markers;
};

/* What the bound on the size has ended so far. */
enum fullness {
	FULL_NOTHING,
	FULL_TIMELINE, /* no more blocks; dictionaries and sums go on */
	FULL_STACKS, /* no more dictionaries: a stack that is not in the file by now is forgotten */
};

struct recording_writer {
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct recording_writer_options options;
	struct written written;
	struct profile_process *processes; /* as written, to see what changed */
	struct profile_thread *threads;
	size_t process_capacity, thread_capacity;
	struct profile_sample *waiting; /* for the next append, whole */
	size_t waiting_count, waiting_capacity;
	struct profile_sample *sums; /* for the next append, without times */
	size_t sum_count, sum_capacity;
	struct profile_sample *scratch;
	size_t scratch_capacity;
	uint64_t timeline_dropped;
	uint64_t size_bytes;
	uint64_t page_size;
	enum fullness fullness;
	struct sample_block_codec codec;
};

/* Prepares the statements; false: SQLite's error is in writer->db. They are finalized by the owner.
 */
bool recording_writer_prepare(struct recording_writer *writer);

/* Within a transaction: everything of the view and of the waiting samples that is not in the file,
 * as far as writer->fullness allows. writer->scratch has room for waiting samples and sums. False
 * on failure: *ret_code is the code where SQLite is not the cause, else it is left alone. */
bool recording_writer_rows(struct recording_writer *writer, const struct profile *view, bool finish,
			   int *ret_code, struct err *err);

#endif
