/* Writes a .pyro file: see recording_writer.h, and docs/recording.md for why the
 * file is written as it is. In short: a rollback journal, so that one file holds
 * everything between two appends; no fsync until the end, because the page cache
 * outlives this process (a kill -9 loses nothing that was appended; a loss of
 * power may). A reader in the way, or a full disk, costs no sample: they wait in
 * memory up to WAITING_SAMPLES_MAX, then as sums up to SUMS_MAX.
 */
#include "recording/recording_writer.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "recording/recording_new_file.h"
#include "recording/recording_writer_rows.h"
#include "recording/sample_sum.h"
#include "recording/schema.h"

#define WAITING_SAMPLES_MAX ((size_t)131072) /* 4 MiB */
#define SUMS_MAX ((size_t)262144)	     /* 8 MiB */
#define BUSY_TIMEOUT_MS 10
#define FINISH_BUSY_TIMEOUT_MS 5000
#define PAGE_CACHE_KIB 4096

static int sqlite_failed(struct recording_writer *writer, const char *doing, struct err *err)
{
	int code = sqlite3_extended_errcode(writer->db), primary = code & 0xff;
	int error = sqlite3_system_errno(writer->db);

	if (primary == SQLITE_NOMEM)
		return err_set(err, ERR_MEMORY, "no memory %s %s", doing, writer->path);
	if (primary == SQLITE_PERM || primary == SQLITE_READONLY || error == EACCES)
		err_set(err, ERR_PERMISSION, "can't write the recording %s", writer->path);
	else
		err_set(err, ERR_FILE, "failed %s %s", doing, writer->path);
	if (error)
		err_why(err, "%s: %s (SQLite %d)", sqlite3_errmsg(writer->db), strerror(error),
			code);
	else
		err_why(err, "%s (SQLite %d)", sqlite3_errmsg(writer->db), code);
	if (primary == SQLITE_FULL || error == ENOSPC || error == EFBIG)
		err_next(err, "free some space, or record elsewhere with -o FILE");
	else
		err_next(err, "record elsewhere with -o FILE");
	return primary == SQLITE_PERM || primary == SQLITE_READONLY || error == EACCES
		   ? -ERR_PERMISSION
		   : -ERR_FILE;
}

static bool run_sql(struct recording_writer *writer, const char *sql)
{
	return sqlite3_exec(writer->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* ---- opening ---- */

static bool make_schema(struct recording_writer *writer)
{
	char pragmas[256];

	snprintf(pragmas, sizeof(pragmas),
		 "PRAGMA page_size=4096; PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF;"
		 "PRAGMA cache_size=-%d; PRAGMA cache_spill=OFF; PRAGMA temp_store=MEMORY;"
		 "PRAGMA application_id=%u; PRAGMA user_version=%d",
		 PAGE_CACHE_KIB, RECORDING_APPLICATION_ID, RECORDING_USER_VERSION);
	if (!run_sql(writer, "PRAGMA encoding='UTF-8'; BEGIN IMMEDIATE; COMMIT") ||
	    !run_sql(writer, pragmas) || !run_sql(writer, "BEGIN IMMEDIATE"))
		return false;
	for (int i = 0; i < TABLE_COUNT; i++) {
		if (!run_sql(writer, recording_tables[i].create))
			return false;
	}
	return run_sql(writer, recording_views) && run_sql(writer, "COMMIT");
}

static bool note_size(struct recording_writer *writer)
{
	sqlite3_stmt *statement = NULL;
	uint64_t pages = 0;

	if (sqlite3_prepare_v2(writer->db,
			       "SELECT page_count, page_size FROM "
			       "pragma_page_count, pragma_page_size",
			       -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW) {
		pages = (uint64_t)sqlite3_column_int64(statement, 0);
		writer->page_size = (uint64_t)sqlite3_column_int64(statement, 1);
	}
	sqlite3_finalize(statement);
	writer->size_bytes = pages * writer->page_size;
	return pages > 0;
}

int recording_writer_open(const char *path, const struct recording_writer_options *options,
			  struct recording_writer **ret_writer, struct err *err)
{
	struct recording_writer *writer;
	int code = recording_new_file(path, options->overwrite, err);

	if (code < 0)
		return code;
	writer = mem_zalloc(1, sizeof(*writer));
	if (!writer) {
		unlink(path);
		return err_set(err, ERR_MEMORY, "no memory to open %s", path);
	}
	writer->options = *options;
	sample_block_init(&writer->codec);
	writer->written = (struct written){1, 1, 1, 1, 1, 1, 0};
	writer->path = mem_copy_text(path);
	if (!writer->path) {
		code = err_set(err, ERR_MEMORY, "no memory to open %s", path);
		goto fail;
	}
	if (sqlite3_open_v2(path, &writer->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
			    NULL) != SQLITE_OK ||
	    !make_schema(writer) || !recording_writer_prepare(writer) || !note_size(writer)) {
		code = sqlite_failed(writer, "creating the recording", err);
		goto fail;
	}
	sqlite3_busy_timeout(writer->db, BUSY_TIMEOUT_MS);
	*ret_writer = writer;
	return 0;
fail:
	recording_writer_free(writer);
	unlink(path);
	return code;
}

void recording_writer_free(struct recording_writer *writer)
{
	if (!writer)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(writer->statements[i]);
	sqlite3_close(writer->db);
	sample_block_release(&writer->codec);
	mem_free(writer->processes);
	mem_free(writer->threads);
	mem_free(writer->waiting);
	mem_free(writer->sums);
	mem_free(writer->scratch);
	mem_free(writer->path);
	mem_free(writer);
}

uint64_t recording_writer_size_bytes(const struct recording_writer *writer)
{
	return writer->size_bytes;
}

/* ---- samples in memory ---- */

static int grow_samples(struct profile_sample **samples, size_t *capacity, size_t wanted,
			size_t maximum)
{
	void *items = *samples;
	int code = grow_array(&items, capacity, wanted, sizeof(**samples), maximum);

	*samples = items;
	return code;
}

/* Adds samples to the sums. Beyond SUMS_MAX distinct ones their stacks are
 * forgotten: the time and the thread stay true. */
static int fold(struct recording_writer *writer, const struct profile_sample *samples, size_t count,
		struct err *err)
{
	while (count) {
		size_t part = count < WAITING_SAMPLES_MAX ? count : WAITING_SAMPLES_MAX;
		size_t total = writer->sum_count + part;

		if (grow_samples(&writer->sums, &writer->sum_capacity, total,
				 SUMS_MAX + WAITING_SAMPLES_MAX) < 0)
			return err_set(err, ERR_MEMORY, "no memory to keep samples of %s",
				       writer->path);
		memcpy(writer->sums + writer->sum_count, samples, part * sizeof(*samples));
		total = sample_sum(writer->sums, total);
		for (size_t i = 0; total > SUMS_MAX && i < total; i++) {
			writer->sums[i].stack.v = 0;
			writer->sums[i].flags |= SAMPLE_NO_STACK;
		}
		if (total > SUMS_MAX)
			total = sample_sum(writer->sums, total);
		writer->sum_count = total;
		samples += part;
		count -= part;
	}
	return 0;
}

/* Takes samples in: whole while there is room, else as sums. */
static int take(struct recording_writer *writer, const struct profile_sample *samples, size_t count,
		struct err *err)
{
	size_t total = writer->waiting_count + count;
	int code;

	if (count == 0)
		return 0;
	if (total <= WAITING_SAMPLES_MAX &&
	    grow_samples(&writer->waiting, &writer->waiting_capacity, total, WAITING_SAMPLES_MAX) ==
		0) {
		memcpy(writer->waiting + writer->waiting_count, samples, count * sizeof(*samples));
		writer->waiting_count = total;
		return 0;
	}
	code = fold(writer, writer->waiting, writer->waiting_count, err);
	if (code < 0)
		return code;
	writer->timeline_dropped += writer->waiting_count;
	writer->waiting_count = 0;
	code = fold(writer, samples, count, err);
	if (code == 0)
		writer->timeline_dropped += count;
	return code;
}

/* ---- one append ---- */

/* Room that the time line leaves for what comes after it stopped. */
static bool timeline_is_full(const struct recording_writer *writer)
{
	uint64_t bound = writer->options.max_size_bytes;
	/* A sample takes under 4 bytes in a block; each append may split a few pages. */
	uint64_t coming = writer->waiting_count * 4 + 8 * writer->page_size;

	return bound && writer->size_bytes + coming > bound - bound / 8;
}

/* After the commit: what is in the file. */
static int note_written(struct recording_writer *writer, const struct profile *view,
			struct err *err)
{
	void *processes = writer->processes, *threads = writer->threads;
	bool room = grow_array(&processes, &writer->process_capacity, view->process_count,
			       sizeof(*writer->processes), SIZE_MAX / 64) == 0;

	writer->processes = processes;
	room = room && grow_array(&threads, &writer->thread_capacity, view->thread_count,
				  sizeof(*writer->threads), SIZE_MAX / 64) == 0;
	writer->threads = threads;
	writer->waiting_count = writer->sum_count = 0;
	if (writer->fullness != FULL_STACKS) {
		writer->written.strings = view->string_count;
		writer->written.functions = view->function_count;
		writer->written.frames = view->frame_count;
		writer->written.stacks = view->stack_count;
		writer->written.markers = view->marker_count;
	}
	if (!room) /* they are written again by the next append */
		return err_set(err, ERR_MEMORY, "no memory to keep the threads of %s",
			       writer->path);
	memcpy(writer->processes, view->processes, view->process_count * sizeof(*view->processes));
	memcpy(writer->threads, view->threads, view->thread_count * sizeof(*view->threads));
	writer->written.processes = view->process_count;
	writer->written.threads = view->thread_count;
	return 0;
}

static bool is_over_bound(struct recording_writer *writer)
{
	return writer->options.max_size_bytes && note_size(writer) &&
	       writer->size_bytes > writer->options.max_size_bytes;
}

static int write_failed(struct recording_writer *writer, bool finish, struct err *err)
{
	/* Somebody else writes or holds the file: it can wait. */
	if ((sqlite3_errcode(writer->db) & 0xff) == SQLITE_BUSY && !finish)
		return 0;
	return sqlite_failed(writer, "writing the recording", err);
}

/* One transaction over everything that is not in the file. Where it would pass the bound it is
 * taken back and done again with less. */
static int write_all(struct recording_writer *writer, const struct profile *view, bool finish,
		     struct err *err)
{
	uint64_t dropped_before = writer->timeline_dropped;
	enum fullness full_before = writer->fullness;
	bool good, again;
	int code = 0;

	if (grow_samples(&writer->scratch, &writer->scratch_capacity,
			 writer->waiting_count + writer->sum_count,
			 WAITING_SAMPLES_MAX * 2 + SUMS_MAX) < 0)
		return err_set(err, ERR_MEMORY, "no memory to write %s", writer->path);
	if (writer->fullness == FULL_NOTHING && timeline_is_full(writer))
		writer->fullness = FULL_TIMELINE;
	do {
		if (!run_sql(writer, "BEGIN IMMEDIATE")) {
			writer->fullness = full_before;
			return write_failed(writer, finish, err);
		}
		writer->timeline_dropped =
		    dropped_before + (writer->fullness != FULL_NOTHING ? writer->waiting_count : 0);
		good = recording_writer_rows(writer, view, finish, &code, err);
		again = good && writer->fullness != FULL_STACKS && is_over_bound(writer);
		if (again)
			good = run_sql(writer, "ROLLBACK");
		if (again && good)
			writer->fullness++;
	} while (again && good);
	if (good && run_sql(writer, "COMMIT")) {
		note_size(writer);
		return note_written(writer, view, err);
	}
	if (code == 0)
		code = write_failed(writer, finish, err);
	if (!sqlite3_get_autocommit(writer->db))
		run_sql(writer, "ROLLBACK");
	writer->fullness = full_before;
	writer->timeline_dropped = dropped_before;
	return code;
}

int recording_writer_append(struct recording_writer *writer, const struct profile *view,
			    const struct profile_sample *samples, size_t sample_count,
			    struct err *err)
{
	int code = take(writer, samples, sample_count, err);

	return code < 0 ? code : write_all(writer, view, false, err);
}

int recording_writer_finish(struct recording_writer *writer, const struct profile *view,
			    struct err *err)
{
	sqlite3_busy_timeout(writer->db, FINISH_BUSY_TIMEOUT_MS);
	/* The one transaction that waits for the disk: it carries all before it. */
	run_sql(writer, "PRAGMA synchronous=FULL");
	return write_all(writer, view, true, err);
}
