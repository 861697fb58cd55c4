/* For the tests of whole recordings: a folder for each test, profiles made at random and written in
 * appends with their samples kept to compare, and what must hold of any profile that is read. */
#ifndef RECORDING_FIXTURE_H
#define RECORDING_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "made_profile.h"
#include "recording/recording_bytes.h"
#include "recording/recording_writer.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

static char folder[64];
static char path[128];
static const struct recording_writer_options plain = {.overwrite = true};

static inline int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_recording_XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/a.pyro", folder);
	return 0;
}

static inline int remove_folder(void **state)
{
	char journal[160];

	(void)state;
	snprintf(journal, sizeof(journal), "%s-journal", path);
	unlink(journal);
	unlink(path);
	return rmdir(folder);
}

struct written {
	struct made made;
	struct profile_sample *samples;
	size_t count;
};

static inline void made_start(struct written *written, uint64_t seed, uint32_t stacks,
			      uint32_t threads)
{
	memset(written, 0, sizeof(*written));
	written->made.builder = profile_builder_new();
	written->made.seed = seed;
	written->samples = calloc(200000, sizeof(*written->samples));
	made_grow(&written->made, stacks, threads);
}

static inline int append(struct written *written, struct recording_writer *writer, int instants)
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

static inline void made_end(struct written *written)
{
	profile_builder_free(written->made.builder);
	free(written->samples);
}

static inline int by_all(const void *a, const void *b)
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

static inline size_t sum(struct profile_sample *samples, size_t count)
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

static inline void assert_samples(const struct profile *got, struct profile_sample *want,
				  size_t count)
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

static inline void write_file(const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

static inline uint8_t *read_file(size_t *ret_size)
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

static inline void change(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A small recording at `path`; how many samples. */
static inline size_t write_small(int appends, int instants)
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

static inline void check_profile(const struct profile *profile)
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

#endif
