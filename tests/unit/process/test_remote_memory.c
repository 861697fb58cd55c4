/* Live reads of a forked child and of image segments: the two must cut alike. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "process/remote_memory.h"

#define PAGE 4096

/* Three pages with a hole behind the second, filled with their own offsets. */
static uint8_t *pages;
static pid_t child;

static int start(void **state)
{
	(void)state;
	pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return -1;
	for (size_t i = 0; i < 4 * PAGE; i++)
		pages[i] = (uint8_t)(i * 7 + i / 256);
	child = fork();
	if (child == 0) {
		munmap(pages + 2 * PAGE, PAGE);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	int status;
	return waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(pages, 4 * PAGE);
	return 0;
}

static void open_both(struct remote_memory memories[2], struct remote_segment segments[2])
{
	uint64_t start_address = (uintptr_t)pages;

	segments[0] = (struct remote_segment){start_address, pages, 2 * PAGE};
	segments[1] = (struct remote_segment){start_address + 3 * PAGE, pages + 3 * PAGE, PAGE};
	remote_memory_init_live(&memories[0], child);
	remote_memory_init_image(&memories[1], segments, 2);
}

static const struct {
	const char *name;
	struct {
		size_t at, size;
	} ranges[3];
	size_t count;
	ssize_t wanted;
} cases[] = {
    {"no ranges", {{0, 0}}, 0, 0},
    {"one", {{16, 100}}, 1, 100},
    {"three", {{16, 100}, {8000, 10}, {3 * PAGE, 50}}, 3, 160},
    {"over a page", {{PAGE - 8, 16}}, 1, 16},
    {"empty in between", {{0, 8}, {2 * PAGE, 0}, {8, 8}}, 3, 16},
    {"cut at the hole", {{2 * PAGE - 8, 16}}, 1, 8},
    {"nothing behind a cut", {{0, 8}, {2 * PAGE - 8, 16}, {0, 8}}, 3, 16},
    {"starts in the hole", {{2 * PAGE, 8}}, 1, -ERR_UNREADABLE},
    {"ends before the hole", {{2 * PAGE - 8, 8}}, 1, 8},
    {"second in the hole", {{0, 8}, {2 * PAGE + 8, 8}, {16, 8}}, 3, 8},
    {"over the whole hole", {{PAGE, 3 * PAGE}}, 1, PAGE},
};

static void vectored_reads_cut_alike_live_and_in_an_image(void **state)
{
	struct remote_memory memories[2];
	struct remote_segment segments[2];

	(void)state;
	open_both(memories, segments);
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		for (int m = 0; m < 2; m++) {
			static uint8_t to[4 * PAGE];
			struct remote_range ranges[3];
			size_t filled = 0;

			memset(to, 0xEE, sizeof(to));
			for (size_t i = 0; i < cases[c].count; i++) {
				ranges[i] = (struct remote_range){
				    {(uintptr_t)pages + cases[c].ranges[i].at},
				    to + filled,
				    cases[c].ranges[i].size};
				filled += cases[c].ranges[i].size;
			}
			ssize_t got = remote_read_ranges(&memories[m], ranges, cases[c].count);
			if (got != cases[c].wanted)
				fail_msg("%s, back end %d: %zd", cases[c].name, m, got);
			size_t checked = 0;
			for (size_t i = 0; i < cases[c].count && got > 0; i++)
				for (size_t b = 0;
				     b < cases[c].ranges[i].size && checked < (size_t)got;
				     b++, checked++)
					assert_int_equal(to[checked],
							 pages[cases[c].ranges[i].at + b]);
			for (size_t i = checked; i < sizeof(to); i++)
				assert_int_equal(to[i], 0xEE); /* no zero fill */
		}
	}
}

static void a_short_read_is_an_error(void **state)
{
	struct remote_memory memories[2];
	struct remote_segment segments[2];
	uint8_t to[64];
	struct err err = {0};

	(void)state;
	open_both(memories, segments);
	for (int m = 0; m < 2; m++) {
		struct raddr near_end = {(uintptr_t)pages + 2 * PAGE - 8};
		assert_int_equal(remote_read(&memories[m], near_end, to, 8, NULL), 0);
		assert_int_equal(remote_read(&memories[m], near_end, to, 9, &err), -ERR_UNREADABLE);
		assert_non_null(strstr(err.why, "only 8"));
		assert_int_equal(remote_read(&memories[m], (struct raddr){0}, to, 1, NULL),
				 -ERR_UNREADABLE);
		assert_int_equal(remote_read(&memories[m], (struct raddr){UINT64_MAX}, to, 8, NULL),
				 -ERR_UNREADABLE);
	}
}

static void typed_reads_want_alignment(void **state)
{
	struct remote_memory memories[2];
	struct remote_segment segments[2];

	(void)state;
	open_both(memories, segments);
	for (int m = 0; m < 2; m++) {
		uint64_t value = 1, wanted;
		uint32_t small, wanted_small;
		struct raddr pointer;
		struct raddr at = {(uintptr_t)pages + 16};

		memcpy(&wanted, pages + 16, 8);
		memcpy(&wanted_small, pages + 20, 4);
		assert_int_equal(remote_read_u64(&memories[m], at, &value), 0);
		assert_true(value == wanted);
		assert_int_equal(remote_read_raddr(&memories[m], at, &pointer), 0);
		assert_true(pointer.v == wanted);
		at.v += 4;
		assert_int_equal(remote_read_u32(&memories[m], at, &small), 0);
		assert_int_equal(small, wanted_small);
		value = 99;
		assert_int_equal(remote_read_u64(&memories[m], at, &value), -ERR_TORN);
		at.v += 1;
		assert_int_equal(remote_read_u32(&memories[m], at, &small), -ERR_TORN);
		assert_true(value == 99);
	}
}

static void an_image_may_touch_and_reach_the_top(void **state)
{
	static const uint8_t low[4] = {1, 2, 3, 4}, high[4] = {5, 6, 7, 8};
	struct remote_segment segments[] = {
	    {0x1000, low, 4},
	    {0x1004, high, 4},
	    {UINT64_MAX - 3, low, 4},
	};
	struct remote_memory memory;
	uint8_t to[8];

	(void)state;
	remote_memory_init_image(&memory, segments, 3);
	assert_int_equal(remote_read(&memory, (struct raddr){0x1002}, to, 5, NULL), 0);
	assert_memory_equal(to, ((uint8_t[]){3, 4, 5, 6, 7}), 5);
	assert_int_equal(remote_read(&memory, (struct raddr){UINT64_MAX - 3}, to, 4, NULL), 0);
	assert_int_equal(remote_read(&memory, (struct raddr){UINT64_MAX - 3}, to, 5, NULL),
			 -ERR_UNREADABLE);
	assert_int_equal(remote_read(&memory, (struct raddr){0xFFF}, to, 1, NULL), -ERR_UNREADABLE);
	remote_memory_init_image(&memory, NULL, 0);
	assert_int_equal(remote_read(&memory, (struct raddr){0x1000}, to, 1, NULL),
			 -ERR_UNREADABLE);
}

static void too_many_ranges_and_no_process_are_errors(void **state)
{
	struct remote_range ranges[REMOTE_RANGES_MAX + 1] = {0};
	struct remote_memory memory;
	struct err err = {0};
	uint8_t to;

	(void)state;
	remote_memory_init_live(&memory, child);
	assert_int_equal(remote_read_ranges(&memory, ranges, REMOTE_RANGES_MAX + 1), -ERR_LIMIT);
	pid_t ended = fork();
	if (ended == 0)
		_exit(0);
	assert_int_equal(waitpid(ended, NULL, 0), ended);
	remote_memory_init_live(&memory, ended);
	assert_int_equal(remote_read(&memory, (struct raddr){(uintptr_t)pages}, &to, 1, &err),
			 -ERR_NO_PROCESS);
	assert_int_equal(err.code, ERR_NO_PROCESS);
	ranges[0] = (struct remote_range){{(uintptr_t)pages}, &to, 1};
	assert_int_equal(remote_read_ranges(&memory, ranges, 1), -ERR_NO_PROCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectored_reads_cut_alike_live_and_in_an_image),
	    cmocka_unit_test(a_short_read_is_an_error),
	    cmocka_unit_test(typed_reads_want_alignment),
	    cmocka_unit_test(an_image_may_touch_and_reach_the_top),
	    cmocka_unit_test(too_many_ranges_and_no_process_are_errors),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
