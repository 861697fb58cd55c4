/* Levels whose changes are known are found, and where there are none, seldom any. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/change_points.h"

/* A number in [−1, 1) that looks random. */
static double scatter(uint64_t at)
{
	uint64_t z = at * UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (double)((z ^ (z >> 31)) >> 11) / 4503599627370496.0 - 1;
}

struct history {
	size_t n, changes;
	size_t at[3];
	double levels[4], width;
};

static void make(const struct history *history, uint64_t seed, double *values)
{
	size_t level = 0;

	for (size_t i = 0; i < history->n; i++) {
		if (level < history->changes && i == history->at[level])
			level++;
		values[i] = history->levels[level] + history->width * scatter(seed * 1000 + i);
	}
}

static void changes_are_found_where_they_are(void **state)
{
	(void)state;
	static const struct history rows[] = {
	    {30, 0, {0}, {5}, 0.1},
	    {30, 0, {0}, {5}, 0},
	    {5, 0, {0}, {5}, 0.1},
	    {0, 0, {0}, {5}, 0.1},
	    {40, 1, {20}, {1, 2}, 0.1},
	    {40, 1, {37}, {1, 2}, 0.1},
	    {40, 2, {15, 25}, {1, 3, 1}, 0.2},
	    {80, 3, {20, 40, 60}, {1, 2, 0.5, 3}, 0.2},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double values[100];
		struct change_point *points = NULL;
		size_t count = 99;

		make(&rows[i], i + 1, values);
		assert_int_equal(
		    change_points_find(values, rows[i].n, 0.01, 5, &points, &count, NULL), 0);
		assert_int_equal(count, rows[i].changes);
		for (size_t k = 0; k < count; k++) {
			assert_int_equal(points[k].at, rows[i].at[k]);
			assert_true(fabs(points[k].before - rows[i].levels[k]) <= rows[i].width);
			assert_true(fabs(points[k].after - rows[i].levels[k + 1]) <= rows[i].width);
			assert_true(points[k].p <= 0.01);
		}
		mem_free(points);
	}
}

static void noise_seldom_looks_like_a_change(void **state)
{
	(void)state;
	const struct history history = {24, 0, {0}, {5}, 1};
	size_t found = 0;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		double values[100];
		struct change_point *points;
		size_t count;

		make(&history, seed + 100, values);
		assert_int_equal(
		    change_points_find(values, history.n, 0.05, seed, &points, &count, NULL), 0);
		found += count > 0;
		mem_free(points);
	}
	/* Of 200 at 5 %: 10, and 22 with a chance of 1 in 2,000. The seeds are fixed. */
	assert_in_range(found, 0, 22);
}

static void the_same_seed_gives_the_same_answer(void **state)
{
	(void)state;
	const struct history history = {30, 1, {18}, {1, 1.6}, 1};
	struct change_point *one, *other;
	double values[100];
	size_t count, other_count;

	make(&history, 3, values);
	assert_int_equal(change_points_find(values, 30, 0.2, 9, &one, &count, NULL), 0);
	assert_int_equal(change_points_find(values, 30, 0.2, 9, &other, &other_count, NULL), 0);
	assert_int_equal(count, other_count);
	for (size_t i = 0; i < count; i++)
		assert_true(one[i].at == other[i].at && one[i].p == other[i].p);
	mem_free(one);
	mem_free(other);
}

static void input_that_cannot_be_is_refused(void **state)
{
	(void)state;
	static double values[CHANGE_VALUES_MAX + 1];
	struct change_point *points;
	struct err err = {0};
	size_t count;

	assert_int_equal(change_points_find(values, 9, 0, 1, &points, &count, &err), -ERR_USAGE);
	assert_int_equal(
	    change_points_find(values, CHANGE_VALUES_MAX + 1, 0.01, 1, &points, &count, &err),
	    -ERR_LIMIT);
	values[3] = INFINITY;
	assert_int_equal(change_points_find(values, 9, 0.01, 1, &points, &count, &err), -ERR_USAGE);
}

static void missing_memory_is_said(void **state)
{
	(void)state;
	const struct history history = {40, 2, {15, 25}, {1, 3, 1}, 0.2};
	double values[100];

	make(&history, 7, values);
	for (long n = 0; n < 100; n++) {
		struct change_point *points = NULL;
		size_t count;
		bool failed;
		int r;

		mem_fail_after(n);
		r = change_points_find(values, 40, 0.01, 5, &points, &count, NULL);
		failed = mem_failed();
		mem_fail_after(-1);
		mem_free(points);
		assert_int_equal(r, failed ? -ERR_MEMORY : 0);
		if (!failed)
			return;
	}
	fail();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes_are_found_where_they_are),
	    cmocka_unit_test(noise_seldom_looks_like_a_change),
	    cmocka_unit_test(the_same_seed_gives_the_same_answer),
	    cmocka_unit_test(input_that_cannot_be_is_refused),
	    cmocka_unit_test(missing_memory_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
