#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "made_profile.h"
#include "recording/recording_bytes.h"
#include "recording/recording_writer.h"

static char folder[64];
static char path[128];
static const struct recording_writer_options plain = {.overwrite = true};

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_recording_XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/a.pyro", folder);
	return 0;
}

static int remove_folder(void **state)
{
	char journal[160];

	(void)state;
	snprintf(journal, sizeof(journal), "%s-journal", path);
	unlink(journal);
	unlink(path);
	return rmdir(folder);
}

/* ---- a profile written in several appends, its samples kept to compare ---- */

struct written {
	struct made made;
	struct profile_sample *samples;
	size_t count;
};

static void made_start(struct written *written, uint64_t seed, uint32_t stacks, uint32_t threads)
{
	memset(written, 0, sizeof(*written));
	written->made.builder = profile_builder_new();
	written->made.seed = seed;
	written->samples = calloc(200000, sizeof(*written->samples));
	made_grow(&written->made, stacks, threads);
}

static int append(struct written *written, struct recording_writer *writer, int instants)
{
	struct profile_sample *samples = written->samples + written->count;
	size_t count = 0;

	for (int i = 0; i < instants; i++)
		count += made_instant(&written->made, samples + count, 0);
	written->count += count;
	assert_true(written->count < 190000);
	return recording_writer_append(writer, profile_builder_view(written->made.builder), samples,
				       count, NULL);
}

static void made_end(struct written *written)
{
	profile_builder_free(written->made.builder);
	free(written->samples);
}

static int by_all(const void *a, const void *b)
{
	const struct profile_sample *x = a, *y = b;

#define ORDER(field)                                                                               \
	if (x->field != y->field)                                                                  \
	return x->field < y->field ? -1 : 1
	ORDER(time_ns);
	ORDER(thread.v);
	ORDER(stack.v);
	ORDER(state);
	ORDER(flags);
#undef ORDER
	return 0;
}

static size_t sum(struct profile_sample *samples, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		samples[i].time_ns = 0;
	qsort(samples, count, sizeof(*samples), by_all);
	for (size_t i = 0; i < count; i++) {
		if (kept && by_all(&samples[kept - 1], &samples[i]) == 0) {
			samples[kept - 1].count += samples[i].count;
			samples[kept - 1].weight_ns += samples[i].weight_ns;
		} else {
			samples[kept++] = samples[i];
		}
	}
	return kept;
}

static void assert_samples(const struct profile *got, struct profile_sample *want, size_t count)
{
	struct profile_sample *sorted = calloc(got->sample_count + 1, sizeof(*sorted));

	assert_int_equal(got->sample_count, count);
	if (count)
		memcpy(sorted, got->samples, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_all);
	qsort(want, count, sizeof(*want), by_all);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(by_all(&sorted[i], &want[i]), 0);
		assert_true(sorted[i].count == want[i].count &&
			    sorted[i].weight_ns == want[i].weight_ns);
	}
	free(sorted);
}

static void assert_tables(const struct profile *a, const struct profile *b)
{
	assert_int_equal(a->string_count, b->string_count);
	for (uint32_t i = 0; i < a->string_count; i++)
		assert_string_equal(a->strings[i], b->strings[i]);
	assert_int_equal(a->function_count, b->function_count);
	assert_memory_equal(a->functions, b->functions, a->function_count * sizeof(*a->functions));
	assert_int_equal(a->frame_count, b->frame_count);
	for (uint32_t i = 0; i < a->frame_count; i++) {
		assert_int_equal(a->frames[i].function.v, b->frames[i].function.v);
		assert_int_equal(a->frames[i].line, b->frames[i].line);
		assert_int_equal(a->frames[i].column, b->frames[i].column);
		assert_int_equal(a->frames[i].kind, b->frames[i].kind);
	}
	assert_int_equal(a->stack_count, b->stack_count);
	assert_memory_equal(a->stacks, b->stacks, a->stack_count * sizeof(*a->stacks));
	assert_int_equal(a->process_count, b->process_count);
	assert_int_equal(a->thread_count, b->thread_count);
	for (uint32_t i = 1; i < a->thread_count; i++) {
		assert_int_equal(a->threads[i].tid, b->threads[i].tid);
		assert_int_equal(a->threads[i].name.v, b->threads[i].name.v);
		assert_int_equal(a->threads[i].is_main, b->threads[i].is_main);
		assert_true(a->threads[i].on_cpu_ns == b->threads[i].on_cpu_ns);
	}
	for (uint32_t i = 1; i < a->process_count; i++) {
		assert_int_equal(a->processes[i].pid, b->processes[i].pid);
		assert_true(a->processes[i].cpu_ns == b->processes[i].cpu_ns);
		assert_true(a->processes[i].end_ns == b->processes[i].end_ns);
	}
	assert_int_equal(a->marker_count, b->marker_count);
	assert_string_equal(a->meta.command, b->meta.command);
	assert_true(a->meta.rate_hz == b->meta.rate_hz);
	assert_true(a->meta.stolen_ns == b->meta.stolen_ns);
	assert_true(a->meta.counts.scheduled == b->meta.counts.scheduled);
	assert_null(a->meta.host);
}

static void what_is_written_in_appends_is_read_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct written written;
		struct recording_writer *writer;
		struct profile *profile;
		struct recording_damage damage;
		const struct profile *view;
		size_t sums;

		made_start(&written, seed, 1 + 40 * (uint32_t)seed, 1 + (uint32_t)seed % 5);
		view = profile_builder_view(written.made.builder);
		assert_int_equal(recording_writer_open(path, &plain, &writer, NULL), 0);
		for (int i = 0; i < 5; i++) {
			assert_int_equal(append(&written, writer, 1 + 30 * i), 0);
			made_grow(&written.made, 10, i % 2);
			profile_builder_process(written.made.builder, (struct process_id){1})
			    ->end_ns += 7;
		}
		assert_int_equal(recording_writer_finish(writer, view, NULL), 0);
		assert_true(recording_writer_size_bytes(writer) > 0);
		recording_writer_free(writer);

		assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL),
				 0);
		assert_string_equal(damage.text, "");
		assert_tables(profile, view);
		assert_true(profile->meta.complete);
		assert_samples(profile, written.samples, written.count);
		profile_free(profile);

		assert_int_equal(
		    recording_read(path, RECORDING_AGGREGATED, &profile, &damage, NULL), 0);
		assert_true(profile->meta.aggregated);
		sums = sum(written.samples, written.count);
		assert_samples(profile, written.samples, sums);
		profile_free(profile);

		assert_int_equal(recording_read(path, RECORDING_META, &profile, &damage, NULL), 0);
		assert_int_equal(profile->thread_count, view->thread_count);
		assert_int_equal(profile->sample_count, 0);
		profile_free(profile);
		made_end(&written);
	}
}

/* ---- files that are no recording ---- */

static void write_file(const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

static uint8_t *read_file(size_t *ret_size)
{
	int fd = open(path, O_RDONLY);
	struct stat status;
	uint8_t *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	bytes = malloc((size_t)status.st_size + 1);
	assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
	close(fd);
	*ret_size = (size_t)status.st_size;
	return bytes;
}

static void another_kind_of_file_is_named_and_not_replaced(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *name;
	} rows[] = {
	    {"", 0, "empty"},
	    {"{\"a\": 1}", 8, "JSON"},
	    {"\x1f\x8b\x08\0", 4, "gzip"},
	    {"hello\n", 6, "text"},
	    {"\x7f"
	     "ELF\2",
	     5, "ELF"},
	    {"SQLite format 3\0xx", 18, "cut within its header"},
	    {"\1\2\3", 3, "binary"},
	};
	struct recording_writer *writer;
	struct profile *profile;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(rows[i].bytes, rows[i].size);
		memset(&err, 0, sizeof(err));
		assert_int_equal(recording_read(path, RECORDING_META, &profile, NULL, &err),
				 -ERR_FILE);
		assert_non_null(strstr(err.why, rows[i].name));
		if (rows[i].size) {
			assert_int_equal(recording_writer_open(path, &plain, &writer, &err),
					 -ERR_FILE);
			assert_non_null(strstr(err.why, rows[i].name));
		}
	}
	assert_int_equal(recording_read(folder, RECORDING_META, &profile, NULL, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "a directory"));
	assert_int_equal(recording_writer_open(folder, &plain, &writer, &err), -ERR_FILE);
	unlink(path);
	assert_int_equal(recording_read(path, RECORDING_META, &profile, NULL, &err), -ERR_FILE);
	assert_non_null(strstr(err.what, path));
}

static void change(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A small recording at `path`; how many samples. */
static size_t write_small(int appends, int instants)
{
	struct written written;
	struct recording_writer *writer;
	size_t count;

	made_start(&written, 3, 100, 4);
	assert_int_equal(recording_writer_open(path, &plain, &writer, NULL), 0);
	for (int i = 0; i < appends; i++)
		assert_int_equal(append(&written, writer, instants), 0);
	assert_int_equal(
	    recording_writer_finish(writer, profile_builder_view(written.made.builder), NULL), 0);
	recording_writer_free(writer);
	count = written.count;
	made_end(&written);
	return count;
}

static void a_newer_schema_and_another_program_are_refused_by_name(void **state)
{
	struct profile *profile;
	struct recording_writer *writer;
	struct err err;

	(void)state;
	write_small(1, 5);
	assert_int_equal(
	    recording_writer_open(path, &(struct recording_writer_options){0}, &writer, &err),
	    -ERR_FILE);
	change(
	    "UPDATE meta SET value='9.8.7' WHERE key='pyrometer_version'; PRAGMA user_version=2");
	assert_int_equal(recording_read(path, RECORDING_META, &profile, NULL, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "9.8.7"));
	assert_non_null(strstr(err.what, "newer"));
	change("PRAGMA application_id=7");
	assert_int_equal(recording_read(path, RECORDING_META, &profile, NULL, &err), -ERR_FILE);
	assert_non_null(strstr(err.why, "another program"));
}

/* ---- hostile files ---- */

static void check_profile(const struct profile *profile)
{
	for (uint32_t i = 1; i < profile->function_count; i++) {
		assert_true(profile->functions[i].name.v < profile->string_count);
		assert_true(profile->functions[i].file.v < profile->string_count);
	}
	for (uint32_t i = 1; i < profile->frame_count; i++)
		assert_in_range(profile->frames[i].function.v, 1, profile->function_count - 1);
	for (uint32_t i = 1; i < profile->stack_count; i++) {
		assert_true(profile->stacks[i].parent.v < i);
		assert_in_range(profile->stacks[i].frame.v, 1, profile->frame_count - 1);
		assert_int_equal(profile->stacks[i].depth,
				 profile->stacks[profile->stacks[i].parent.v].depth + 1);
	}
	for (uint32_t i = 1; i < profile->thread_count; i++)
		assert_in_range(profile->threads[i].process.v, 1, profile->process_count - 1);
	for (size_t i = 0; i < profile->sample_count; i++) {
		assert_in_range(profile->samples[i].thread.v, 1, profile->thread_count - 1);
		assert_true(profile->samples[i].stack.v < profile->stack_count);
		assert_true(profile->samples[i].state < STATE_COUNT &&
			    profile->samples[i].count > 0);
	}
}

static void hostile_tables_cost_what_they_hold_and_no_more(void **state)
{
	static const struct {
		const char *sql;
		const char *says;
	} rows[] = {
	    {"UPDATE stack SET parent = id WHERE id = 5", "left out"},
	    {"UPDATE stack SET parent = 4000000000 WHERE id = 5", "left out"},
	    {"UPDATE stack SET parent = -1", "left out"},
	    {"UPDATE frame SET kind = 77 WHERE id = 2", "left out"},
	    {"UPDATE frame SET line = 'x' WHERE id = 2", "left out"},
	    {"UPDATE function SET name = 999999", "left out"},
	    {"INSERT INTO string VALUES(9223372036854775807, 'far')", "string"},
	    {"UPDATE string SET text = x'ff00fe' WHERE id = 3", "left out"},
	    {"UPDATE string SET text = CAST(x'ff0afe1b' AS TEXT) WHERE id = 3", NULL},
	    {"UPDATE thread SET process = 9 WHERE id = 1", "left out"},
	    {"UPDATE aggregate SET state = 6 WHERE state = 1", NULL},
	    {"UPDATE aggregate SET count = 9223372036854775807", NULL},
	    {"UPDATE sample_block SET data = x'0105'", "blocks"},
	    {"UPDATE sample_block SET data = 'text'", "blocks"},
	    {"UPDATE meta SET value = x'00' WHERE key = 'rate_hz'", NULL},
	    {"UPDATE meta SET value = -5 WHERE key = 'duration_ns'", "left out"},
	    {"DROP TABLE stack; CREATE VIEW stack(id, parent, frame) AS WITH RECURSIVE c(x) AS "
	     "(SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, 0, 1 FROM c",
	     "stack is missing"},
	    {"DROP TABLE string; CREATE TABLE string(id INTEGER PRIMARY KEY, text TEXT, more)",
	     "string is missing"},
	    {"DROP TABLE sample_block", "sample_block is missing"},
	    {"CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END", NULL},
	};
	struct recording_damage damage;
	struct profile *profile;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_small(2, 20);
		change(rows[i].sql);
		assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL),
				 0);
		check_profile(profile);
		if (rows[i].says && !strstr(damage.text, rows[i].says))
			fail_msg("%s: says \"%s\"", rows[i].sql, damage.text);
		profile_free(profile);
		assert_int_equal(
		    recording_read(path, RECORDING_AGGREGATED, &profile, &damage, NULL), 0);
		check_profile(profile);
		profile_free(profile);
	}
}

static void a_file_cut_anywhere_gives_its_readable_part(void **state)
{
	size_t size, all, count = write_small(250, 60), at_half = 0;
	uint8_t *bytes = read_file(&size);

	(void)state;
	for (size_t cut = 1; cut < size; cut += cut < 200 ? 1 : 2997) {
		for (enum recording_detail detail = RECORDING_META; detail <= RECORDING_TIMELINE;
		     detail++) {
			struct recording_damage damage;
			struct profile *profile;
			struct stat status;
			struct err err = {0};
			int code;

			if (detail == RECORDING_META && cut > 20000)
				continue;
			write_file(bytes, cut);
			code = recording_read(path, detail, &profile, &damage, &err);
			assert_int_equal(stat(path, &status), 0);
			assert_int_equal(status.st_size, cut);
			if (code < 0) {
				assert_int_equal(code, -ERR_FILE);
				assert_true(err.what[0] && err.why[0] && err.next[0]);
				assert_true(cut < 3 * size / 4);
				continue;
			}
			check_profile(profile);
			assert_true(damage.text[0]);
			all = 0;
			for (size_t i = 0; i < profile->sample_count; i++)
				all += profile->samples[i].count;
			assert_true(all <= count);
			if (cut >= size / 2 && !at_half && detail == RECORDING_TIMELINE) {
				at_half = all;
				print_message("cut in half: %zu of %zu samples; %s\n", all, count,
					      damage.text);
			}
			profile_free(profile);
		}
	}
	assert_true(at_half > count / 4);
	write_file(bytes, size);
	free(bytes);
}

static void bytes_changed_at_random_never_break_the_model(void **state)
{
	size_t size, good = 0;
	uint8_t *bytes;
	struct made made = {.seed = 5};

	(void)state;
	write_small(5, 30);
	bytes = read_file(&size);
	for (int round = 0; round < 1500; round++) {
		uint8_t *copy = malloc(size);
		struct profile *profile;
		struct recording_damage damage;

		memcpy(copy, bytes, size);
		for (uint32_t i = 0, changes = 1 + made_random(&made, 20); i < changes; i++)
			copy[100 + made_random(&made, (uint32_t)size - 100)] =
			    (uint8_t)made_random(&made, 256);
		if (recording_read_bytes(copy, size,
					 round % 2 ? RECORDING_TIMELINE : RECORDING_AGGREGATED,
					 &profile, &damage, NULL) == 0) {
			check_profile(profile);
			profile_free(profile);
			good++;
		}
		free(copy);
	}
	assert_true(good > 100);
	free(bytes);
}

/* ---- failing disks, killed writers, readers in the way ---- */

/* SQLite has a set of methods for files that it locks and one for journals; they write alike. */
#define METHOD_SETS_MAX 4
static const sqlite3_io_methods *real_methods[METHOD_SETS_MAX];
static sqlite3_io_methods failing_methods[METHOD_SETS_MAX];
static int (*real_open)(sqlite3_vfs *, sqlite3_filename, sqlite3_file *, int, int *);
static long writes_left = -1;

static int failing_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
	if (writes_left == 0)
		return SQLITE_FULL;
	if (writes_left > 0)
		writes_left--;
	return real_methods[0]->xWrite(file, bytes, size, offset);
}

static int failing_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
			int *ret_flags)
{
	int code = real_open(vfs, name, file, flags, ret_flags);

	if (code == SQLITE_OK && file->pMethods) {
		int set = 0;

		while (real_methods[set] && real_methods[set] != file->pMethods)
			assert_true(++set < METHOD_SETS_MAX);
		real_methods[set] = file->pMethods;
		failing_methods[set] = *real_methods[set];
		failing_methods[set].xWrite = failing_write;
		assert_ptr_equal(real_methods[set]->xWrite, real_methods[0]->xWrite);
		file->pMethods = &failing_methods[set];
	}
	return code;
}

static void install_failing_disk(sqlite3_vfs *shim)
{
	*shim = *sqlite3_vfs_find(NULL);
	real_open = shim->xOpen;
	shim->xOpen = failing_open;
	shim->zName = "failing";
	assert_int_equal(sqlite3_vfs_register(shim, 1), SQLITE_OK);
}

/* The disk is full from the n-th write on, for every n; then there is room again. */
static void a_full_disk_loses_no_sample(void **state)
{
	static sqlite3_vfs shim;
	bool failed = true;

	(void)state;
	install_failing_disk(&shim);
	for (long n = 0; failed; n++) {
		struct written written;
		struct recording_writer *writer;
		struct profile *profile;
		struct recording_damage damage;
		struct err err = {0};
		size_t before, samples = 0;
		int code;

		made_start(&written, 9, 60, 3);
		assert_int_equal(recording_writer_open(path, &plain, &writer, NULL), 0);
		assert_int_equal(append(&written, writer, 40), 0);
		before = written.count;
		made_grow(&written.made, 300, 1);
		writes_left = n;
		code = append(&written, writer, 40);
		failed = code < 0;
		writes_left = -1;
		if (failed) {
			assert_int_equal(code, -ERR_FILE);
			recording_read(path, RECORDING_AGGREGATED, &profile, &damage, &err);
			for (size_t i = 0; i < profile->sample_count; i++)
				samples += profile->samples[i].count;
			assert_int_equal(samples, before);
			assert_string_equal(damage.text, "");
			profile_free(profile);
		}
		writes_left = -1;
		assert_int_equal(recording_writer_finish(
				     writer, profile_builder_view(written.made.builder), NULL),
				 0);
		recording_writer_free(writer);
		assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL),
				 0);
		assert_samples(profile, written.samples, written.count);
		profile_free(profile);
		made_end(&written);
		assert_true(n < 1000);
	}
	sqlite3_vfs_unregister(&shim);
}

static void a_killed_writer_leaves_its_appends(void **state)
{
	(void)state;
	for (int round = 0; round < 12; round++) {
		struct recording_damage damage;
		struct profile *profile;
		size_t size, after_size;
		uint8_t *bytes, *after;
		int appended = 0, said, channel[2];
		pid_t child;

		assert_int_equal(pipe(channel), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			struct written written;
			struct recording_writer *writer;

			made_start(&written, 4, 300, 4);
			if (recording_writer_open(path, &plain, &writer, NULL) < 0)
				_exit(1);
			for (int i = 0; i < 1000; i++) {
				if (append(&written, writer, 10) < 0 ||
				    write(channel[1], "x", 1) != 1)
					_exit(1);
			}
			_exit(0);
		}
		close(channel[1]);
		while (appended < 3 + round && read(channel[0], &said, 1) == 1)
			appended++;
		usleep((useconds_t)(round * 137)); /* anywhere within an append */
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(channel[0], &said, 1) == 1)
			appended++;
		close(channel[0]);
		bytes = read_file(&size);
		assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL),
				 0);
		after = read_file(&after_size);
		assert_int_equal(size, after_size);
		assert_memory_equal(bytes, after, size);
		assert_string_equal(damage.text, "");
		assert_false(profile->meta.complete);
		assert_in_range(profile->sample_count, (size_t)appended * 40,
				((size_t)appended + 1) * 40);
		check_profile(profile);
		profile_free(profile);
		free(bytes);
		free(after);
	}
}

/* A journal that has to be rolled back: SQLite must do it in a copy. */
static void a_hot_journal_is_rolled_back_elsewhere(void **state)
{
	struct recording_damage damage;
	struct profile *profile;
	char journal[160];
	size_t size, after_size, count = write_small(2, 20);
	uint8_t *bytes, *after;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		sqlite3 *db;

		sqlite3_open(path, &db);
		sqlite3_exec(
		    db,
		    "PRAGMA cache_size=2; BEGIN; DELETE FROM sample_block; DELETE FROM string;"
		    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5000) "
		    "INSERT INTO string SELECT x, 'wrong ' || x FROM c",
		    NULL, NULL, NULL);
		_exit(0); /* with the transaction open and pages in the file */
	}
	waitpid(child, NULL, 0);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	assert_int_equal(access(journal, F_OK), 0);
	bytes = read_file(&size);
	assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL), 0);
	assert_string_equal(damage.text, "");
	assert_int_equal(profile->sample_count, count);
	profile_free(profile);
	after = read_file(&after_size);
	assert_int_equal(size, after_size);
	assert_memory_equal(bytes, after, size);
	assert_int_equal(access(journal, F_OK), 0);
	free(bytes);
	free(after);
}

static void a_reader_in_the_way_costs_no_sample(void **state)
{
	struct written written;
	struct recording_writer *writer;
	struct recording_damage damage;
	struct profile *profile;
	sqlite3 *db;

	(void)state;
	made_start(&written, 8, 50, 3);
	assert_int_equal(recording_writer_open(path, &plain, &writer, NULL), 0);
	assert_int_equal(append(&written, writer, 10), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM stack", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(append(&written, writer, 10), 0);
	made_grow(&written.made, 20, 0);
	assert_int_equal(append(&written, writer, 10), 0);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(append(&written, writer, 10), 0);
	sqlite3_close(db);
	/* Killed here, in effect. */
	recording_writer_free(writer);
	assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL), 0);
	assert_samples(profile, written.samples, written.count);
	profile_free(profile);
	made_end(&written);
}

static void near_its_bound_the_time_line_stops_and_the_sums_go_on(void **state)
{
	struct recording_writer_options options = {.overwrite = true, .max_size_bytes = 200000};
	struct written written;
	struct recording_writer *writer;
	struct recording_damage damage;
	struct profile *profile;
	size_t sums;

	(void)state;
	made_start(&written, 8, 50, 10);
	assert_int_equal(recording_writer_open(path, &options, &writer, NULL), 0);
	for (int i = 0; i < 150; i++)
		assert_int_equal(append(&written, writer, 100), 0);
	assert_int_equal(
	    recording_writer_finish(writer, profile_builder_view(written.made.builder), NULL), 0);
	assert_in_range(recording_writer_size_bytes(writer), 100000, 200000);
	recording_writer_free(writer);
	assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL), 0);
	assert_string_equal(damage.text, "");
	assert_in_range(profile->sample_count, 1000, written.count - 1000);
	assert_int_equal(profile->sample_count + profile->meta.timeline_dropped, written.count);
	profile_free(profile);
	assert_int_equal(recording_read(path, RECORDING_AGGREGATED, &profile, &damage, NULL), 0);
	sums = sum(written.samples, written.count);
	assert_samples(profile, written.samples, sums);
	profile_free(profile);
	made_end(&written);
}

/* a (self 10) calls b, which calls itself (self 30): totals count recursion once. */
static void the_views_count_recursion_once(void **state)
{
	struct profile_builder *builder = profile_builder_new();
	struct recording_writer *writer;
	struct profile_sample samples[2] = {0};
	struct stack_id stack = {0};
	struct process_id process;
	sqlite3_stmt *row;
	sqlite3 *db;
	static const char names[] = "abb";

	(void)state;
	profile_builder_add_process(builder, &(struct profile_process){.pid = 1}, &process, NULL);
	profile_builder_add_thread(builder, &(struct profile_thread){.process = process},
				   &samples[0].thread, NULL);
	for (int i = 0; i < 3; i++) {
		struct profile_function function = {0};
		struct profile_frame frame = {.line = (uint32_t)(names[i] - 'a') + 5,
					      .kind = FRAME_PYTHON};
		struct frame_id frame_id;

		profile_builder_string(builder, &names[i], 1, &function.name, NULL);
		profile_builder_string(builder, "x.py", 4, &function.file, NULL);
		profile_builder_function(builder, &function, &frame.function, NULL);
		profile_builder_frame(builder, &frame, &frame_id, NULL);
		profile_builder_stack(builder, stack, frame_id, &stack, NULL);
	}
	samples[0].count = 1;
	samples[0].weight_ns = 10;
	samples[0].stack.v = 1;
	samples[1] = samples[0];
	samples[1].weight_ns = 30;
	samples[1].stack = stack;
	assert_int_equal(recording_writer_open(path, &plain, &writer, NULL), 0);
	assert_int_equal(
	    recording_writer_append(writer, profile_builder_view(builder), samples, 2, NULL), 0);
	recording_writer_free(writer);
	profile_builder_free(builder);

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_prepare_v2(
	    db, "SELECT group_concat(name || ' ' || self || ' ' || total, ', ') FROM hot_functions",
	    -1, &row, NULL);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(row, 0), "b 0.75 0.75, a 0.25 1.0");
	sqlite3_finalize(row);
	sqlite3_prepare_v2(db,
			   "SELECT group_concat(file || ':' || line || ' ' || self || ' ' || "
			   "total, ', ') FROM hot_lines",
			   -1, &row, NULL);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(row, 0),
			    "x.py:6 0.75 0.75, x.py:5 0.25 1.0");
	sqlite3_finalize(row);
	sqlite3_prepare_v2(
	    db, "SELECT group_concat(text, ' ') FROM (SELECT text FROM stack_text ORDER BY stack)",
	    -1, &row, NULL);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(row, 0), "a a;b;b");
	sqlite3_finalize(row);
	sqlite3_close(db);
}

static void every_allocation_may_fail(void **state)
{
	struct written written;
	struct profile *profile;
	struct recording_writer *writer;
	int code = -1;

	(void)state;
	made_start(&written, 2, 30, 2);
	for (long n = 0; code != 0; n++) {
		writer = NULL;
		mem_fail_after(n);
		code = recording_writer_open(path, &plain, &writer, NULL);
		if (code == 0)
			code = append(&written, writer, 5);
		mem_fail_after(-1);
		recording_writer_free(writer);
		assert_true(code == 0 || code == -ERR_MEMORY);
		assert_true(n < 1000);
	}
	code = -1;
	for (long n = 0; code != 0; n++) {
		mem_fail_after(n);
		code = recording_read(path, n % 2 ? RECORDING_TIMELINE : RECORDING_AGGREGATED,
				      &profile, NULL, NULL);
		mem_fail_after(-1);
		assert_true(code == 0 || code == -ERR_MEMORY);
		assert_true(n < 3000);
	}
	profile_free(profile);
	made_end(&written);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
	    TEST(what_is_written_in_appends_is_read_back),
	    TEST(another_kind_of_file_is_named_and_not_replaced),
	    TEST(a_newer_schema_and_another_program_are_refused_by_name),
	    TEST(hostile_tables_cost_what_they_hold_and_no_more),
	    TEST(a_file_cut_anywhere_gives_its_readable_part),
	    TEST(bytes_changed_at_random_never_break_the_model),
	    TEST(a_full_disk_loses_no_sample),
	    TEST(a_killed_writer_leaves_its_appends),
	    TEST(a_hot_journal_is_rolled_back_elsewhere),
	    TEST(a_reader_in_the_way_costs_no_sample),
	    TEST(near_its_bound_the_time_line_stops_and_the_sums_go_on),
	    TEST(the_views_count_recursion_once),
	    TEST(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
