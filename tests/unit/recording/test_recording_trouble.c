/* A recording is not lost: full disks, killed writers, journals left behind, readers in the way. */
#include <stdlib.h>
#include <signal.h>
#include <sys/wait.h>

#include "recording_fixture.h"

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

/* The rows that the reader says are missing from the blocks, 0 when it says none. */
static unsigned blocks_missing(const struct recording_damage *damage)
{
	const char *end = strstr(damage->text, " rows of the table sample_block are missing");
	const char *at = end;

	while (at && at > damage->text && at[-1] >= '0' && at[-1] <= '9')
		at--;
	return end ? (unsigned)strtoul(at, NULL, 10) : 0;
}

/* Each page in turn is zeros, as a bad sector leaves it. Of the time line all is read but the
 * blocks on that page, 40 samples each: those after it too. */
static void a_damaged_page_costs_what_lies_on_it(void **state)
{
	const size_t page_bytes = 4096, first_data_page = 11;
	size_t size, total, in_the_middle = 0;
	uint8_t *bytes, *damaged;

	(void)state;
	total = write_small(100, 10);
	assert_int_equal(total, 100 * 40);
	bytes = read_file(&size);
	damaged = malloc(size);
	for (size_t page = first_data_page; page < size / page_bytes; page++) {
		struct recording_damage damage;
		struct profile *profile;
		unsigned missing;

		memcpy(damaged, bytes, size);
		memset(damaged + page * page_bytes, 0, page_bytes);
		write_file(damaged, size);
		if (recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL) < 0)
			continue;
		check_profile(profile);
		assert_true(profile->sample_count == total || damage.text[0]);
		missing = blocks_missing(&damage);
		if (missing) {
			assert_int_equal(profile->sample_count, total - 40 * missing);
			assert_true(missing < 50);
			in_the_middle++;
		}
		profile_free(profile);
	}
	assert_true(in_the_middle >= 1);
	free(bytes);
	free(damaged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_full_disk_loses_no_sample),
	    TEST(a_killed_writer_leaves_its_appends),
	    TEST(a_hot_journal_is_rolled_back_elsewhere),
	    TEST(a_reader_in_the_way_costs_no_sample),
	    TEST(a_damaged_page_costs_what_lies_on_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
