/* The rows that one transaction of the writer puts into the file: dictionaries from where the last
 * one ended, processes and threads that changed, a block of the time line, sums. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "recording/recording_writer_rows.h"
#include "recording/sample_sum.h"

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

static int64_t clamp(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static void bind_count(sqlite3_stmt *statement, int column, uint64_t value)
{
	sqlite3_bind_int64(statement, column, clamp(value));
}

static void bind_unless_unknown(sqlite3_stmt *statement, int column, uint64_t value)
{
	if (value == UINT64_MAX)
		sqlite3_bind_null(statement, column);
	else
		bind_count(statement, column, value);
}

static bool step(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	return code == SQLITE_DONE;
}

bool recording_writer_prepare(struct recording_writer *writer)
{
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		if (sqlite3_prepare_v3(writer->db, statement_texts[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &writer->statements[i],
				       NULL) != SQLITE_OK)
			return false;
	}
	return true;
}

static bool write_dictionary(struct recording_writer *writer, const struct profile *view)
{
	sqlite3_stmt *statement = writer->statements[INSERT_STRING];
	bool good = true;

	if (writer->fullness == FULL_STACKS)
		return true;
	for (uint32_t id = writer->written.strings; good && id < view->string_count; id++) {
		bind_count(statement, 1, id);
		sqlite3_bind_text(statement, 2, view->strings[id], -1, SQLITE_STATIC);
		good = step(statement);
	}
	statement = writer->statements[INSERT_FUNCTION];
	for (uint32_t id = writer->written.functions; good && id < view->function_count; id++) {
		const struct profile_function *row = &view->functions[id];

		bind_count(statement, 1, id);
		bind_count(statement, 2, row->name.v);
		bind_count(statement, 3, row->file.v);
		bind_count(statement, 4, row->first_line);
		good = step(statement);
	}
	statement = writer->statements[INSERT_FRAME];
	for (uint32_t id = writer->written.frames; good && id < view->frame_count; id++) {
		const struct profile_frame *row = &view->frames[id];

		bind_count(statement, 1, id);
		bind_count(statement, 2, row->function.v);
		bind_count(statement, 3, row->line);
		bind_count(statement, 4, row->end_line);
		bind_count(statement, 5, row->column);
		bind_count(statement, 6, row->end_column);
		bind_count(statement, 7, row->kind);
		good = step(statement);
	}
	statement = writer->statements[INSERT_STACK];
	for (uint32_t id = writer->written.stacks; good && id < view->stack_count; id++) {
		bind_count(statement, 1, id);
		bind_count(statement, 2, view->stacks[id].parent.v);
		bind_count(statement, 3, view->stacks[id].frame.v);
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
	bind_count(statement, 1, id);
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
		bind_count(statement, 1, id);
		bind_count(statement, 2, row->pid);
		bind_count(statement, 3, row->parent_pid);
		bind_count(statement, 4, row->command.v);
		bind_count(statement, 5, row->python.v);
		bind_count(statement, 6, row->start_ns);
		bind_count(statement, 7, row->end_ns);
		bind_unless_unknown(statement, 8, row->cpu_ns);
		bind_unless_unknown(statement, 9, row->peak_rss_bytes);
		good = step(statement);
	}
	return good;
}

static bool write_threads(struct recording_writer *writer, const struct profile *view)
{
	sqlite3_stmt *statement = writer->statements[INSERT_THREAD];
	bool good = true;

	for (uint32_t id = 1; good && id < view->thread_count; id++) {
		const struct profile_thread *row = &view->threads[id];

		if (id < writer->written.threads && same_thread(row, &writer->threads[id]))
			continue;
		good = write_string(writer, view, row->name.v);
		if (!good)
			break;
		bind_count(statement, 1, id);
		bind_count(statement, 2, row->process.v);
		bind_count(statement, 3, row->tid);
		bind_count(statement, 4, row->name.v);
		bind_count(statement, 5, row->is_main);
		bind_count(statement, 6, row->start_ns);
		bind_count(statement, 7, row->end_ns);
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

		bind_count(statement, 1, i + 1);
		bind_count(statement, 2, row->start_ns);
		bind_count(statement, 3, row->end_ns);
		bind_count(statement, 4, row->thread.v);
		bind_count(statement, 5, row->name.v);
		bind_count(statement, 6, row->data.v);
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

static int by_time(const void *a, const void *b)
{
	const struct profile_sample *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->thread.v < y->thread.v ? -1 : x->thread.v > y->thread.v;
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
		bind_count(statement, 1, samples[done].time_ns);
		bind_count(statement, 2, samples[done + part - 1].time_ns);
		bind_count(statement, 3, part);
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

		bind_count(statement, 1, sum->thread.v);
		bind_count(statement, 2, sum->stack.v);
		bind_count(statement, 3, sum->state);
		bind_count(statement, 4, sum->flags);
		bind_count(statement, 5, sum->count);
		bind_count(statement, 6, sum->weight_ns);
		good = step(statement);
	}
	return good;
}

bool recording_writer_rows(struct recording_writer *writer, const struct profile *view, bool finish,
			   int *ret_code, struct err *err)
{
	return write_dictionary(writer, view) && write_processes(writer, view) &&
	       write_threads(writer, view) && write_markers(writer, view) &&
	       write_meta(writer, &view->meta, finish) &&
	       (writer->fullness != FULL_NOTHING || write_timeline(writer, ret_code, err)) &&
	       write_aggregates(writer);
}
