/* The budget of the file: an hour at 300 instants a second, 20 threads, 500
 * stacks, each sample's stack drawn evenly (the worst case), in under 50 MB.
 * Here a part of it; the whole hour is run by
 *	PYROMETER_SIZE_SECONDS=3600 build/test_recording_size
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "made_profile.h"
#include "recording/recording_reader.h"
#include "recording/recording_writer.h"

#define INSTANTS_PER_APPEND 150 /* half a second */
#define THREADS 20
#define STACKS 500

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void an_hour_of_20_threads_and_500_stacks_fits_50_mb(void **state)
{
	const char *asked = getenv("PYROMETER_SIZE_SECONDS");
	int seconds = asked ? atoi(asked) : 30, appends = seconds * 2;
	struct recording_writer_options options = {.overwrite = true};
	static struct profile_sample samples[INSTANTS_PER_APPEND * THREADS];
	struct made made = {.builder = profile_builder_new(), .seed = 1};
	double *took = calloc((size_t)appends, sizeof(*took)), start;
	struct recording_writer *writer;
	struct recording_damage damage;
	struct profile *profile;
	char path[] = "/tmp/test_size_XXXXXX";
	struct rusage usage;
	struct stat status;
	uint64_t count = 0;
	double hour_mb;

	(void)state;
	close(mkstemp(path));
	made_grow(&made, 10 * STACKS, THREADS); /* the last 500 of 5,000 are sampled */
	assert_int_equal(recording_writer_open(path, &options, &writer, NULL), 0);
	for (int i = 0; i < appends; i++) {
		size_t size = 0;

		for (int k = 0; k < INSTANTS_PER_APPEND; k++)
			size += made_instant(&made, samples + size, 9 * STACKS + 1);
		count += size;
		start = now_ms();
		assert_int_equal(recording_writer_append(writer, profile_builder_view(made.builder),
							 samples, size, NULL),
				 0);
		took[i] = now_ms() - start;
	}
	assert_int_equal(recording_writer_finish(writer, profile_builder_view(made.builder), NULL),
			 0);
	recording_writer_free(writer);
	assert_int_equal(stat(path, &status), 0);
	getrusage(RUSAGE_SELF, &usage);
	qsort(took, (size_t)appends, sizeof(*took), by_size);
	hour_mb = (double)status.st_size / 1e6 * 3600 / seconds;
	print_message(
	    "%llu samples: %.2f MB, %.2f bytes a sample, %.1f MB an hour; append of %d samples: "
	    "median %.1f ms, 99 %% %.1f ms, worst %.1f ms; peak memory %ld KiB\n",
	    (unsigned long long)count, (double)status.st_size / 1e6,
	    (double)status.st_size / (double)count, hour_mb, INSTANTS_PER_APPEND * THREADS,
	    took[appends / 2], took[appends * 99 / 100], took[appends - 1], usage.ru_maxrss);
	start = now_ms();
	assert_int_equal(recording_read(path, RECORDING_AGGREGATED, &profile, &damage, NULL), 0);
	print_message("read as sums in %.0f ms\n", now_ms() - start);
	profile_free(profile);
	assert_int_equal(recording_read(path, RECORDING_TIMELINE, &profile, &damage, NULL), 0);
	assert_int_equal(profile->sample_count, count);
	profile_free(profile);
	/* A short one is mostly dictionary and sums, which stop growing: at most 20 * 500 * 6
	 * sums of 25 bytes, 0.5 MB for the rest. What grows is under 2.1 bytes a sample. */
	assert_true((double)status.st_size < 2e6 + 2.1 * (double)count);
	if (seconds >= 3600)
		assert_true(hour_mb < 50);
	unlink(path);
	free(took);
	profile_builder_free(made.builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_hour_of_20_threads_and_500_stacks_fits_50_mb),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
