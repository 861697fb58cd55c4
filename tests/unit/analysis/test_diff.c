/* Diffs of small profiles: what is matched, what is refused, what is significant. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "small_profile.h"

#include "analysis/diff.h"
#include "base/arena.h"
#include "base/err.h"
#include "stats/interval.h"

#define MS 1000000u

struct part {
	const char *stack;
	int count;
};

static struct profile *make(const struct part *parts)
{
	struct small small = small_new();
	struct thread_id main_thread = small_main_thread(&small);
	for (; parts->stack; parts++)
		small_samples(&small, main_thread, parts->stack, STATE_ON_CPU, parts->count, MS);
	return small_finish(&small);
}

static const struct diff_row *find(const struct profile_diff *diff, const char *name)
{
	for (size_t i = 0; i < diff->row_count; i++) {
		if (strcmp(diff->rows[i].name, name) == 0)
			return &diff->rows[i];
	}
	return NULL;
}

static void changes_are_matched_by_name_and_files_end(void **state)
{
	(void)state;
	struct profile *a =
	    make((struct part[]){{"m@/old/src/pkg/a.py:11;f@/old/src/pkg/a.py:21", 800},
				 {"m@/old/src/pkg/a.py:11;g@/old/src/pkg/a.py:31", 150},
				 {"m@/old/src/pkg/a.py:12", 50},
				 {0}});
	struct profile *b = make((struct part[]){{"m@/new/pkg/a.py:14;f@/new/pkg/a.py:51", 400},
						 {"m@/new/pkg/a.py:14;g@/new/pkg/a.py:61", 145},
						 {"m@/new/pkg/a.py:14;h@/new/pkg/a.py:71", 400},
						 {"m@/new/pkg/a.py:12", 55},
						 {0}});
	struct profile_diff diff;
	assert_int_equal(profile_diff_compute(a, b, &(struct selection){0}, &diff, NULL), 0);
	assert_int_equal(diff.row_count, 4);
	const struct diff_row *f = find(&diff, "f"), *g = find(&diff, "g"), *h = find(&diff, "h");
	assert_true(fabs(f->change + 0.4) < 1e-12);
	assert_true(f->significant && f->verdict == DIFF_LESS);
	struct interval expected = newcombe_difference(400, 1000, 800, 1000, 0.95);
	assert_true(fabs(f->change_low - expected.low) < 1e-12);
	assert_true(fabs(f->change_high - expected.high) < 1e-12);
	assert_true(!g->significant && g->verdict == DIFF_SAME_WITHIN_NOISE);
	assert_true(h->significant && h->verdict == DIFF_NEW && h->share_a == 0);
	assert_true(fabs(h->seconds_b - 0.4) < 1e-9);
	assert_true(fabs(find(&diff, "m")->total_a - 1) < 1e-12);
	/* Significant rows first, the larger change first among them. */
	assert_true(diff.rows[0].significant && diff.rows[1].significant);
	assert_false(diff.rows[2].significant);
	profile_diff_release(&diff);

	assert_int_equal(profile_diff_compute(b, a, &(struct selection){0}, &diff, NULL), 0);
	assert_int_equal(find(&diff, "h")->verdict, DIFF_GONE);
	assert_int_equal(find(&diff, "f")->verdict, DIFF_MORE);
	profile_diff_release(&diff);
	profile_free(a);
	profile_free(b);
}

/* Functions of one name in one file (lambdas) are one row, and one that calls
 * the other is still counted once. */
static void namesakes_are_one_row_and_counted_once(void **state)
{
	(void)state;
	struct profile *a = make((struct part[]){
	    {"<lambda>@p/a.py:11;<lambda>@p/a.py:21", 10}, {"<lambda>@p/a.py:31", 10}, {0}});
	struct profile_diff diff;
	assert_int_equal(profile_diff_compute(a, a, &(struct selection){0}, &diff, NULL), 0);
	assert_int_equal(diff.row_count, 1);
	assert_true(diff.rows[0].total_a == 1 && diff.rows[0].share_a == 1);
	assert_false(diff.rows[0].significant);
	profile_diff_release(&diff);
	profile_free(a);
}

/* Twenty functions, one of which differs so little that it would pass a single
 * test at 5 % but not one among twenty. */
static void holm_guards_against_many_rows(void **state)
{
	(void)state;
	struct part a_parts[22] = {{0}}, b_parts[22] = {{0}};
	char names[21][32];
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d@a.py:%d", i, i * 10 + 1);
		a_parts[i] = (struct part){names[i], 100};
		b_parts[i] = (struct part){names[i], i == 0 ? 130 : i == 1 ? 70 : 100};
	}
	struct profile *a = make(a_parts), *b = make(b_parts);
	struct profile_diff diff;
	assert_int_equal(profile_diff_compute(a, b, &(struct selection){0}, &diff, NULL), 0);
	const struct diff_row *f0 = find(&diff, "f0");
	assert_true(f0->change_low > 0); /* alone it would be significant */
	for (size_t i = 0; i < diff.row_count; i++)
		assert_false(diff.rows[i].significant);
	profile_diff_release(&diff);
	profile_free(a);
	profile_free(b);
}

static void other_mode_or_clock_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *mode, *clock, *word;
	} rows[] = {{"trace", "wall", "mode"}, {"samples", "cpu", "clock"}, {NULL, "wall", "mode"}};
	struct profile *a = make((struct part[]){{"f@a.py:11", 5}, {0}});
	for (size_t i = 0; i < 3; i++) {
		struct small small = small_new();
		struct profile_meta *meta = profile_builder_meta(small.builder);
		profile_meta_set_text(&meta->mode, rows[i].mode);
		profile_meta_set_text(&meta->clock, rows[i].clock);
		small_samples(&small, small_main_thread(&small), "f@a.py:11", STATE_ON_CPU, 5, MS);
		struct profile *b = small_finish(&small);
		struct profile_diff diff;
		struct err err = {0};
		assert_int_equal(profile_diff_compute(a, b, &(struct selection){0}, &diff, &err),
				 -ERR_USAGE);
		assert_non_null(strstr(err.what, rows[i].word));
		profile_free(b);
	}
	profile_free(a);
}

static void nothing_to_compare_is_too_little(void **state)
{
	(void)state;
	struct profile *a = make((struct part[]){{"f@a.py:11", 5}, {0}});
	struct profile *b = make((struct part[]){{0}});
	struct profile_diff diff;
	struct err err = {0};
	assert_int_equal(profile_diff_compute(a, b, &(struct selection){0}, &diff, &err),
			 -ERR_TOO_LITTLE);
	assert_non_null(strstr(err.what, "second"));
	profile_free(a);
	profile_free(b);
}

static void every_failed_allocation_is_an_error_and_no_leak(void **state)
{
	(void)state;
	struct profile *a = make((struct part[]){{"f@a.py:11;g@b.py:3", 5}, {"f@a.py:12", 5}, {0}});
	int failures = 0;
	for (long n = 0;; n++) {
		struct profile_diff diff;
		mem_fail_after(n);
		int rc = profile_diff_compute(a, a, &(struct selection){.fold_library = true},
					      &diff, NULL);
		mem_fail_after(-1);
		if (rc == 0) {
			profile_diff_release(&diff);
			break;
		}
		assert_int_equal(rc, -ERR_MEMORY);
		failures++;
	}
	assert_true(failures > 20);
	profile_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes_are_matched_by_name_and_files_end),
	    cmocka_unit_test(namesakes_are_one_row_and_counted_once),
	    cmocka_unit_test(holm_guards_against_many_rows),
	    cmocka_unit_test(other_mode_or_clock_is_refused),
	    cmocka_unit_test(nothing_to_compare_is_too_little),
	    cmocka_unit_test(every_failed_allocation_is_an_error_and_no_leak),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
