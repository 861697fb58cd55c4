/* Writes a .pyro file: see recording_writer.h, and docs/recording.md for why the
 * file is written as it is. In short: a rollback journal, so that one file holds
 * everything between two appends; no fsync until the end, because the page cache
 * outlives this process (a kill -9 loses nothing that was appended; a loss of
 * power may). A reader in the way, or a full disk, costs no sample: they wait in
 * memory up to WAITING_SAMPLES_MAX, then as sums up to SUMS_MAX.
 */
#include "recording/recording_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "recording/recording_file.h"
#include "recording/sample_block.h"
#include "recording/sample_sum.h"
#include "recording/schema.h"

#define WAITING_SAMPLES_MAX ((size_t)131072) /* 4 MiB */
#define SUMS_MAX ((size_t)262144)	     /* 8 MiB */
#define BUSY_TIMEOUT_MS 10
#define FINISH_BUSY_TIMEOUT_MS 5000
#define PAGE_CACHE_KIB 4096

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

static const char *const statement_texts[STATEMENT_COUNT] = {
    [INSERT_STRING] = "INSERT OR IGNORE INTO string VALUES(?,?)",
    [INSERT_FUNCTION] = "INSERT INTO function VALUES(?,?,?,?)",
    [INSERT_FRAME] = "INSERT INTO frame VALUES(?,?,?,?,?,?,?)",
    [INSERT_STACK] = "INSERT INTO stack VALUES(?,?,?)",
    [INSERT_PROCESS] = "INSERT OR REPLACE INTO process VALUES(?,?,?,?,?,?,?,?,?)",
    [INSERT_THREAD] = "INSERT OR REPLACE INTO thread VALUES(?,?,?,?,?,?,?,?,?)",
    [INSERT_MARKER] = "INSERT INTO marker VALUES(?,?,?,?,?,?)",
    [INSERT_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
    [INSERT_BLOCK] = "INSERT INTO sample_block VALUES(NULL,?,?,?,?)",
    [ADD_AGGREGATE] = "INSERT INTO aggregate VALUES(?,?,?,?,?,?) "
		      "ON CONFLICT(thread, stack, state, flags) DO UPDATE SET "
		      "count = count + excluded.count, weight_ns = weight_ns + excluded.weight_ns",
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

static int64_t clamp(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static void bind(sqlite3_stmt *statement, int column, uint64_t value)
{
	sqlite3_bind_int64(statement, column, clamp(value));
}

static void bind_unless_unknown(sqlite3_stmt *statement, int column, uint64_t value)
{
	if (value == UINT64_MAX)
		sqlite3_bind_null(statement, column);
	else
		bind(statement, column, value);
}

static bool step(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	return code == SQLITE_DONE;
}

/* ---- opening ---- */

static int refuse_existing(const char *path, bool overwrite, struct err *err)
{
	uint8_t head[RECORDING_HEAD_BYTES];
	struct stat status;
	const char *kind = NULL;
	ssize_t size;
	int fd;

	if (lstat(path, &status) < 0)
		return errno == ENOENT
			   ? 0
			   : err_set_errno(err, ERR_FILE, errno, "can't look at %s", path);
	if (!S_ISREG(status.st_mode)) {
		err_set(err, ERR_FILE, "will not replace %s", path);
		err_why(err, "it is %s",
			S_ISDIR(status.st_mode) ? "a directory" : "not a plain file");
		err_next(err, "record elsewhere with -o FILE");
		return -ERR_FILE;
	}
	if (overwrite && status.st_size == 0)
		return 1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set_errno(err, ERR_FILE, errno, "can't read %s", path);
	size = pread(fd, head, sizeof(head), 0);
	close(fd);
	kind = recording_other_kind(head, size < 0 ? 0 : (size_t)size);
	if (!kind && overwrite)
		return 1;
	err_set(err, ERR_FILE, "will not replace %s", path);
	err_why(err, "it is %s", kind ? kind : "a recording, and replacing was not asked for");
	err_next(err, "record elsewhere with -o FILE");
	return -ERR_FILE;
}

/* SQLite would take a journal that lies beside a new file for that file's own. */
static int remove_old(const char *path, bool exists, struct err *err)
{
	static const char *const suffixes[] = {"-journal", "-wal", "-shm", ""};
	size_t size = strlen(path) + sizeof("-journal");
	char *name = mem_alloc(size);
	int code = 0;

	if (!name)
		return err_set(err, ERR_MEMORY, "no memory to open %s", path);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && !code; i++) {
		if (!suffixes[i][0] && !exists)
			continue;
		snprintf(name, size, "%s%s", path, suffixes[i]);
		if (unlink(name) < 0 && errno != ENOENT)
			code = err_set_errno(err, ERR_FILE, errno, "can't replace %s", name);
	}
	mem_free(name);
	return code;
}

/* By ourselves, because of SQLite's errno: it tells a folder that may not be written as "no such
 * file". */
static int create_file(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	int code;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	code = err_set_errno(err, ERR_FILE, errno, "can't create the recording %s", path);
	err_next(err, "record elsewhere with -o FILE");
	return code;
}

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

static bool prepare(struct recording_writer *writer)
{
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		if (sqlite3_prepare_v3(writer->db, statement_texts[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &writer->statements[i],
				       NULL) != SQLITE_OK)
			return false;
	}
	return true;
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
	int code = refuse_existing(path, options->overwrite, err);

	if (code < 0)
		return code;
	code = remove_old(path, code > 0, err);
	if (code == 0)
		code = create_file(path, err);
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
	    !make_schema(writer) || !prepare(writer) || !note_size(writer)) {
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

static int by_time(const void *a, const void *b)
{
	const struct profile_sample *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->thread.v < y->thread.v ? -1 : x->thread.v > y->thread.v;
}

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

static bool write_dictionary(struct recording_writer *writer, const struct profile *view)
{
	sqlite3_stmt *statement = writer->statements[INSERT_STRING];
	bool good = true;

	if (writer->fullness == FULL_STACKS)
		return true;
	for (uint32_t id = writer->written.strings; good && id < view->string_count; id++) {
		bind(statement, 1, id);
		sqlite3_bind_text(statement, 2, view->strings[id], -1, SQLITE_STATIC);
		good = step(statement);
	}
	statement = writer->statements[INSERT_FUNCTION];
	for (uint32_t id = writer->written.functions; good && id < view->function_count; id++) {
		const struct profile_function *row = &view->functions[id];

		bind(statement, 1, id);
		bind(statement, 2, row->name.v);
		bind(statement, 3, row->file.v);
		bind(statement, 4, row->first_line);
		good = step(statement);
	}
	statement = writer->statements[INSERT_FRAME];
	for (uint32_t id = writer->written.frames; good && id < view->frame_count; id++) {
		const struct profile_frame *row = &view->frames[id];

		bind(statement, 1, id);
		bind(statement, 2, row->function.v);
		bind(statement, 3, row->line);
		bind(statement, 4, row->end_line);
		bind(statement, 5, row->column);
		bind(statement, 6, row->end_column);
		bind(statement, 7, row->kind);
		good = step(statement);
	}
	statement = writer->statements[INSERT_STACK];
	for (uint32_t id = writer->written.stacks; good && id < view->stack_count; id++) {
		bind(statement, 1, id);
		bind(statement, 2, view->stacks[id].parent.v);
		bind(statement, 3, view->stacks[id].frame.v);
		good = step(statement);
	}
	return good;
}

static bool same_process(const struct profile_process *a, const struct profile_process *b)
{
	return a->pid == b->pid && a->parent_pid == b->parent_pid && a->command.v == b->command.v &&
	       a->python.v == b->python.v && a->start_ns == b->start_ns && a->end_ns == b->end_ns &&
	       a->cpu_ns == b->cpu_ns && a->peak_rss_bytes == b->peak_rss_bytes;
}

static bool same_thread(const struct profile_thread *a, const struct profile_thread *b)
{
	return a->process.v == b->process.v && a->tid == b->tid && a->name.v == b->name.v &&
	       a->is_main == b->is_main && a->start_ns == b->start_ns && a->end_ns == b->end_ns &&
	       a->on_cpu_ns == b->on_cpu_ns && a->runqueue_ns == b->runqueue_ns;
}

/* A string that a process or a thread names, where the dictionary is closed. */
static bool write_string(struct recording_writer *writer, const struct profile *view, uint32_t id)
{
	sqlite3_stmt *statement = writer->statements[INSERT_STRING];

	if (writer->fullness != FULL_STACKS || id < writer->written.strings)
		return true;
	bind(statement, 1, id);
	sqlite3_bind_text(statement, 2, view->strings[id], -1, SQLITE_STATIC);
	return step(statement);
}

static bool write_processes(struct recording_writer *writer, const struct profile *view)
{
	sqlite3_stmt *statement = writer->statements[INSERT_PROCESS];
	bool good = true;

	for (uint32_t id = 1; good && id < view->process_count; id++) {
		const struct profile_process *row = &view->processes[id];

		if (id < writer->written.processes && same_process(row, &writer->processes[id]))
			continue;
		good = write_string(writer, view, row->command.v) &&
		       write_string(writer, view, row->python.v);
		if (!good)
			break;
		bind(statement, 1, id);
		bind(statement, 2, row->pid);
		bind(statement, 3, row->parent_pid);
		bind(statement, 4, row->command.v);
		bind(statement, 5, row->python.v);
		bind(statement, 6, row->start_ns);
		bind(statement, 7, row->end_ns);
		bind_unless_unknown(statement, 8, row->cpu_ns);
		bind_unless_unknown(statement, 9, row->peak_rss_bytes);
		good = step(statement);
	}
	statement = writer->statements[INSERT_THREAD];
	for (uint32_t id = 1; good && id < view->thread_count; id++) {
		const struct profile_thread *row = &view->threads[id];

		if (id < writer->written.threads && same_thread(row, &writer->threads[id]))
			continue;
		good = write_string(writer, view, row->name.v);
		if (!good)
			break;
		bind(statement, 1, id);
		bind(statement, 2, row->process.v);
		bind(statement, 3, row->tid);
		bind(statement, 4, row->name.v);
		bind(statement, 5, row->is_main);
		bind(statement, 6, row->start_ns);
		bind(statement, 7, row->end_ns);
		bind_unless_unknown(statement, 8, row->on_cpu_ns);
		bind_unless_unknown(statement, 9, row->runqueue_ns);
		good = step(statement);
	}
	return good;
}

static bool write_markers(struct recording_writer *writer, const struct profile *view)
{
	sqlite3_stmt *statement = writer->statements[INSERT_MARKER];
	bool good = true;

	if (writer->fullness == FULL_STACKS)
		return true;
	for (size_t i = writer->written.markers; good && i < view->marker_count; i++) {
		const struct profile_marker *row = &view->markers[i];

		bind(statement, 1, i + 1);
		bind(statement, 2, row->start_ns);
		bind(statement, 3, row->end_ns);
		bind(statement, 4, row->thread.v);
		bind(statement, 5, row->name.v);
		bind(statement, 6, row->data.v);
		good = step(statement);
	}
	return good;
}

static bool write_meta(struct recording_writer *writer, const struct profile_meta *view,
		       bool complete)
{
	sqlite3_stmt *statement = writer->statements[INSERT_META];
	struct profile_meta meta = *view;
	bool good = true;

	meta.complete = complete && view->complete;
	meta.timeline_dropped += writer->timeline_dropped;
#define META_KEY(field)                                                                            \
	if (good) {                                                                                \
		sqlite3_clear_bindings(statement);                                                 \
		sqlite3_bind_text(statement, 1, #field, -1, SQLITE_STATIC);
#define META_END                                                                                   \
	good = step(statement);                                                                    \
	}
#define META_TEXT(field)                                                                           \
	META_KEY(field) sqlite3_bind_text(statement, 2, meta.field, -1, SQLITE_STATIC);            \
	META_END
#define META_COUNT(field)                                                                          \
	META_KEY(field) bind_unless_unknown(statement, 2, meta.field);                             \
	META_END
#define META_NUMBER(field)                                                                         \
	META_KEY(field) sqlite3_bind_double(statement, 2, meta.field);                             \
	META_END
#define META_SMALL(field, type, minimum, maximum)                                                  \
	META_KEY(field) sqlite3_bind_int64(statement, 2, meta.field);                              \
	META_END
#include "recording/meta_fields.def"
#undef META_KEY
#undef META_END
#undef META_TEXT
#undef META_COUNT
#undef META_NUMBER
#undef META_SMALL
	sqlite3_clear_bindings(statement);
	return good;
}

/* False on failure; a codec without memory counts as one (*ret_code says so). */
static bool write_timeline(struct recording_writer *writer, int *ret_code, struct err *err)
{
	sqlite3_stmt *statement = writer->statements[INSERT_BLOCK];
	struct profile_sample *samples = writer->waiting;
	size_t count = writer->waiting_count;
	bool good = true;

	for (size_t i = 1; i < count; i++) {
		if (samples[i].time_ns < samples[i - 1].time_ns) {
			qsort(samples, count, sizeof(*samples), by_time);
			break;
		}
	}
	for (size_t done = 0; good && done < count;) {
		size_t part = count - done < SAMPLE_BLOCK_SAMPLES_MAX ? count - done
								      : SAMPLE_BLOCK_SAMPLES_MAX;

		*ret_code = sample_block_encode(&writer->codec, samples + done, part, err);
		if (*ret_code < 0)
			return false;
		bind(statement, 1, samples[done].time_ns);
		bind(statement, 2, samples[done + part - 1].time_ns);
		bind(statement, 3, part);
		sqlite3_bind_blob(statement, 4, writer->codec.packed,
				  (int)writer->codec.packed_size, SQLITE_STATIC);
		good = step(statement);
		done += part;
	}
	return good;
}

static bool write_aggregates(struct recording_writer *writer)
{
	sqlite3_stmt *statement = writer->statements[ADD_AGGREGATE];
	size_t count = writer->waiting_count;
	bool good = true;

	if (count)
		memcpy(writer->scratch, writer->waiting, count * sizeof(*writer->scratch));
	if (writer->sum_count)
		memcpy(writer->scratch + count, writer->sums,
		       writer->sum_count * sizeof(*writer->scratch));
	for (size_t i = 0; writer->fullness == FULL_STACKS && i < count + writer->sum_count; i++) {
		if (writer->scratch[i].stack.v < writer->written.stacks)
			continue;
		writer->scratch[i].stack.v = 0;
		writer->scratch[i].flags |= SAMPLE_NO_STACK;
	}
	count = sample_sum(writer->scratch, count + writer->sum_count);
	for (size_t i = 0; good && i < count; i++) {
		const struct profile_sample *sum = &writer->scratch[i];

		bind(statement, 1, sum->thread.v);
		bind(statement, 2, sum->stack.v);
		bind(statement, 3, sum->state);
		bind(statement, 4, sum->flags);
		bind(statement, 5, sum->count);
		bind(statement, 6, sum->weight_ns);
		good = step(statement);
	}
	return good;
}

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

static bool write_rows(struct recording_writer *writer, const struct profile *view, bool finish,
		       int *ret_code, struct err *err)
{
	return write_dictionary(writer, view) && write_processes(writer, view) &&
	       write_markers(writer, view) && write_meta(writer, &view->meta, finish) &&
	       (writer->fullness != FULL_NOTHING || write_timeline(writer, ret_code, err)) &&
	       write_aggregates(writer);
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
		good = write_rows(writer, view, finish, &code, err);
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
