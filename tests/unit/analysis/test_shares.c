/* Shares, call trees and filters over small profiles whose answer is known by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "small_profile.h"

#include "analysis/filter.h"
#include "analysis/shares.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "stats/interval.h"

#define MS 1000000u
#define ASSERT_NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-12)

static const struct selection all_wall = {.all_threads = true};

static const struct share_row *function_row(const struct profile *profile,
					    const struct shares *shares, const char *name)
{
	for (size_t i = 0; i < shares->function_count; i++) {
		struct function_id id = shares->functions[i].function;
		if (strcmp(profile_string(profile, profile->functions[id.v].name), name) == 0)
			return &shares->functions[i];
	}
	return NULL;
}

static const struct share_row *line_row(const struct profile *profile, const struct shares *shares,
					const char *name, uint32_t line)
{
	for (size_t i = 0; i < shares->line_count; i++) {
		struct function_id id = shares->lines[i].function;
		if (shares->lines[i].line == line &&
		    strcmp(profile_string(profile, profile->functions[id.v].name), name) == 0)
			return &shares->lines[i];
	}
	return NULL;
}

static void self_and_total_of_functions_and_lines(void **state)
{
	(void)state;
	struct small small = small_new();
	struct thread_id main_thread = small_main_thread(&small);
	small_samples(&small, main_thread, "main@a.py:11;work@a.py:21", STATE_ON_CPU, 6, MS);
	small_samples(&small, main_thread, "main@a.py:11;work@a.py:22", STATE_ON_CPU, 1, MS);
	small_samples(&small, main_thread, "main@a.py:12", STATE_BLOCKED, 2, MS);
	small_samples(&small, main_thread, "", STATE_UNKNOWN, 1, MS);
	struct profile *profile = small_finish(&small);
	struct shares shares;
	assert_int_equal(shares_compute(profile, &all_wall, &shares, NULL), 0);

	assert_int_equal(shares.function_count, 2);
	const struct share_row *work = function_row(profile, &shares, "work");
	const struct share_row *main_row = function_row(profile, &shares, "main");
	assert_ptr_equal(work, &shares.functions[0]);
	ASSERT_NEAR(work->self, 0.7);
	ASSERT_NEAR(work->total, 0.7);
	ASSERT_NEAR(main_row->self, 0.2);
	ASSERT_NEAR(main_row->total, 0.9);
	assert_int_equal(work->hottest_line, 21);
	ASSERT_NEAR(work->hottest_line_self, 0.6);
	assert_int_equal(work->self_count, 7);
	assert_int_equal(main_row->total_count, 9);
	assert_int_equal(shares.line_count, 4);
	ASSERT_NEAR(line_row(profile, &shares, "main", 11)->total, 0.7);
	ASSERT_NEAR(line_row(profile, &shares, "main", 11)->self, 0);
	ASSERT_NEAR(line_row(profile, &shares, "work", 22)->self, 0.1);
	assert_int_equal(shares.no_stack_count, 1);
	assert_int_equal(shares.sample_count, 10);
	ASSERT_NEAR(shares.state[STATE_BLOCKED], 0.2);
	ASSERT_NEAR(shares.effective_n, 10);
	struct interval expected = wilson_interval(7, 10, 0.95);
	ASSERT_NEAR(work->self_low, expected.low);
	ASSERT_NEAR(work->self_high, expected.high);
	shares_sort(&shares, SORT_TOTAL);
	ASSERT_NEAR(shares.functions[0].total, 0.9);
	shares_release(&shares);
	profile_free(profile);
}

static void recursion_is_counted_once_by_function_and_by_line(void **state)
{
	(void)state;
	struct small small = small_new();
	struct thread_id main_thread = small_main_thread(&small);
	small_samples(&small, main_thread, "f@a.py:12;g@a.py:21;f@a.py:12;g@a.py:22;f@a.py:13",
		      STATE_ON_CPU, 3, MS);
	small_samples(&small, main_thread, "f@a.py:12;g@a.py:21;f@a.py:13", STATE_ON_CPU, 1, MS);
	struct profile *profile = small_finish(&small);
	struct shares shares;
	assert_int_equal(shares_compute(profile, &all_wall, &shares, NULL), 0);
	static const struct {
		const char *name;
		uint32_t line;
		double self, total;
	} rows[] = {
	    {"f", 0, 1, 1},  {"g", 0, 0, 1},  {"f", 12, 0, 1},
	    {"f", 13, 1, 1}, {"g", 21, 0, 1}, {"g", 22, 0, 0.75},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct share_row *row =
		    rows[i].line ? line_row(profile, &shares, rows[i].name, rows[i].line)
				 : function_row(profile, &shares, rows[i].name);
		assert_non_null(row);
		ASSERT_NEAR(row->self, rows[i].self);
		ASSERT_NEAR(row->total, rows[i].total);
	}
	assert_int_equal(shares.function_count, 2);
	assert_int_equal(shares.line_count, 4);
	shares_release(&shares);
	profile_free(profile);
}

/* n_eff = (Σw)²/Σw²: 100 of weight 1 and 10 of weight 10 → 200²/1100. */
static void unequal_weights_shrink_the_effective_n(void **state)
{
	(void)state;
	for (int aggregated = 0; aggregated < 2; aggregated++) {
		struct small small = small_new();
		struct thread_id main_thread = small_main_thread(&small);
		if (aggregated) {
			struct profile_sample sums[] = {
			    {.weight_ns = 100 * MS, .count = 100},
			    {.weight_ns = 100 * MS, .count = 10},
			};
			for (int i = 0; i < 2; i++) {
				sums[i].thread = main_thread;
				sums[i].state = STATE_ON_CPU;
				sums[i].stack = small_stack(&small, i ? "g@a.py:21" : "f@a.py:11");
				assert_int_equal(
				    profile_builder_add_sample(small.builder, &sums[i], NULL), 0);
			}
			profile_builder_meta(small.builder)->aggregated = true;
		} else {
			small_samples(&small, main_thread, "f@a.py:11", STATE_ON_CPU, 100, MS);
			small_samples(&small, main_thread, "g@a.py:21", STATE_ON_CPU, 10, 10 * MS);
		}
		struct profile *profile = small_finish(&small);
		struct shares shares;
		assert_int_equal(shares_compute(profile, &all_wall, &shares, NULL), 0);
		assert_true(fabs(shares.effective_n - 40000.0 / 1100) < 1e-9);
		ASSERT_NEAR(function_row(profile, &shares, "f")->self, 0.5);
		ASSERT_NEAR(function_row(profile, &shares, "g")->self, 0.5);
		shares_release(&shares);
		profile_free(profile);
	}
}

static struct profile *threads_profile(void)
{
	struct small small = small_new();
	struct process_id shell = small_process(&small, 9, "");
	struct process_id first = small_process(&small, 10, "3.12.1");
	struct process_id child = small_process(&small, 20, "3.8.18");
	struct thread_id shell_thread = small_thread(&small, shell, 9, "", true);
	struct thread_id main_thread = small_thread(&small, first, 10, "MainThread", true);
	struct thread_id worker = small_thread(&small, first, 11, "worker", false);
	struct thread_id child_main = small_thread(&small, child, 20, "MainThread", true);
	small_samples(&small, shell_thread, "", STATE_BLOCKED, 50, MS);
	small_samples(&small, main_thread, "m@a.py:11", STATE_ON_CPU, 1, MS);
	small_samples(&small, main_thread, "m@a.py:11;read@b.py:11", STATE_BLOCKED, 1, MS);
	small_samples(&small, main_thread, "m@a.py:11", STATE_GC, 1, MS);
	small_samples(&small, worker, "w@b.py:11", STATE_GIL_WAIT, 4, MS);
	small_samples(&small, child_main, "c@c.py:11", STATE_ON_CPU, 8, MS);
	return small_finish(&small);
}

static void a_selection_keeps_what_it_names(void **state)
{
	(void)state;
	static const struct {
		struct selection selection;
		uint64_t expected;
	} rows[] = {
	    {{0}, 3}, /* main thread of the first Python process, not of the shell */
	    {{.all_threads = true}, 65},
	    {{.basis = BASIS_CPU}, 2},
	    {{.all_threads = true, .basis = BASIS_CPU}, 10},
	    {{.pid = 20}, 8},
	    {{.pid = 10, .all_threads = true}, 7},
	    {{.thread = "worker"}, 4},
	    {{.thread = "11"}, 4},
	    {{.thread = "MainThread"}, 11},
	    {{.thread = "MainThread", .pid = 20}, 8},
	    {{.module = "b.py"}, 1},
	    {{.module = "b.py", .all_threads = true}, 5},
	    {{.text = "read"}, 1},
	    {{.text = "a.py", .all_threads = true}, 3},
	    {{.text = "m", .module = "b.py"}, 1}, /* met by different frames of one stack */
	    {{.text = "nowhere"}, 0},
	    {{.all_threads = true, .from_ns = 50 * MS, .to_ns = 52 * MS}, 2},
	    {{.all_threads = true, .from_ns = 57 * MS}, 8},
	};
	struct profile *profile = threads_profile();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shares shares;
		assert_int_equal(shares_compute(profile, &rows[i].selection, &shares, NULL), 0);
		if (shares.sample_count != rows[i].expected)
			fail_msg("row %zu: %llu samples, expected %llu", i,
				 (unsigned long long)shares.sample_count,
				 (unsigned long long)rows[i].expected);
		shares_release(&shares);
	}
	profile_free(profile);
}

/* A launcher that executes the program, the program, what that executes; between them a process of
 * the same number that began later, and a child. */
static void a_process_is_one_through_the_programs_that_it_executes(void **state)
{
	static const struct {
		uint32_t pid;
		uint64_t start_ns, end_ns, cpu_ns, peak;
		bool python, of_first;
	} rows[] = {
	    {9, 0, 5, 1, 1, false, false}, /* no Python: not the first */
	    {10, 0, 100, 30, 500, true, true},
	    {11, 50, 100, 7, 900, true, false},
	    {10, 100, 400, 200, 300, true, true},
	    {10, 399, 500, 7, 900, true, false},
	    {10, 400, 450, 3, UINT64_MAX, false, true},
	    {10, 0, 0, 7, 900, true, false},
	};
	struct small small = small_new();
	struct profile_process sum;
	struct profile *profile;
	struct shares shares;
	uint8_t *programs;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct process_id id =
		    small_process(&small, rows[i].pid, rows[i].python ? "3" : "");
		struct profile_process *row = profile_builder_process(small.builder, id);

		row->start_ns = rows[i].start_ns;
		row->end_ns = rows[i].end_ns;
		row->cpu_ns = rows[i].cpu_ns;
		row->peak_rss_bytes = rows[i].peak;
		small_samples(&small, small_thread(&small, id, rows[i].pid, "MainThread", true),
			      "f@a.py:1", STATE_ON_CPU, 1 << i, MS);
	}
	profile = profile_builder_freeze(small.builder);
	programs = profile_first_process_programs(profile);
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(programs[i + 1], rows[i].of_first);
	assert_true(profile_first_process_sum(profile, &sum));
	assert_int_equal(sum.start_ns, 0);
	assert_int_equal(sum.end_ns, 450);
	assert_int_equal(sum.cpu_ns, 233);
	assert_int_equal(sum.peak_rss_bytes, 500);
	assert_int_equal(shares_compute(profile, &(struct selection){0}, &shares, NULL), 0);
	assert_int_equal(shares.sample_count, 1 << 1 | 1 << 3 | 1 << 5);
	shares_release(&shares);
	mem_free(programs);
	profile_free(profile);
}

static void a_selection_that_fits_nothing_is_refused_by_name(void **state)
{
	(void)state;
	static const struct {
		struct selection selection;
		const char *what;
	} rows[] = {
	    {{.thread = "nobody"}, "nobody"},
	    {{.pid = 77}, "77"},
	    {{.from_ns = 5, .to_ns = 5}, "window"},
	    {{.from_ns = 9, .to_ns = 5}, "window"},
	};
	struct profile *profile = threads_profile();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shares shares = {.sample_count = 42};
		struct err err = {0};
		assert_int_equal(shares_compute(profile, &rows[i].selection, &shares, &err),
				 -ERR_USAGE);
		assert_non_null(strstr(err.what, rows[i].what));
		assert_true(err.why[0] && err.next[0]);
		assert_int_equal(shares.sample_count, 42); /* results are untouched on failure */
	}
	profile_free(profile);

	struct small small = small_new();
	small_samples(&small, small_main_thread(&small), "f@a.py:1", STATE_ON_CPU, 1, MS);
	profile_builder_meta(small.builder)->aggregated = true;
	profile = small_finish(&small);
	struct selection window = {.to_ns = 5};
	struct shares shares;
	assert_int_equal(shares_compute(profile, &window, &shares, NULL), -ERR_USAGE);
	profile_free(profile);
}

static void library_files_are_told_from_the_programs_own(void **state)
{
	(void)state;
	static const struct {
		const char *file;
		bool library;
	} rows[] = {
	    {"/usr/lib/python3.11/json/decoder.py", true},
	    {"/usr/lib/python3.13t/json/decoder.py", true},
	    {"/opt/py/lib/python312.zip/json/decoder.py", true},
	    {"/usr/lib64/python3.6/os.py", true},
	    {"lib/python3.12/os.py", true},
	    {"/usr/lib/python3/dist-packages/yaml/nodes.py", true},
	    {"/home/a/.venv/lib/python3.12/site-packages/x/y.py", true},
	    {"C/x/site-packages/y.py", true},
	    {"<frozen importlib._bootstrap>", true},
	    {"<string>", false},
	    {"<stdin>", false},
	    {"", false},
	    {"app.py", false},
	    {"/home/a/mylib/python3.12/x.py", false},
	    {"/home/a/lib/python/x.py", false},
	    {"/home/a/lib/pythonic/x.py", false},
	    {"/home/a/lib/python3.py", false},
	    {"/home/a/site-packages.py", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (file_is_library(rows[i].file) != rows[i].library)
			fail_msg("%s", rows[i].file);
	}
}

static void folding_gives_library_time_to_the_caller(void **state)
{
	(void)state;
	const char *lib = "/usr/lib/python3.11";
	char stack[512];
	struct small small = small_new();
	struct thread_id main_thread = small_main_thread(&small);
	/* Own code under library code under own code, with start-up code above all. */
	snprintf(stack, sizeof(stack),
		 "boot@<frozen runpy>:11;main@a.py:12;dumps@%s/json.py:31;C.encode@(builtin):0",
		 lib);
	small_samples(&small, main_thread, stack, STATE_ON_CPU, 4, MS);
	snprintf(stack, sizeof(stack),
		 "boot@<frozen runpy>:11;main@a.py:13;sort@%s/x.py:31;key@a.py:41", lib);
	small_samples(&small, main_thread, stack, STATE_ON_CPU, 3, MS);
	snprintf(stack, sizeof(stack),
		 "boot@<frozen runpy>:11;main@a.py:12;dumps@%s/json.py:31;<torn>", lib);
	small_samples(&small, main_thread, stack, STATE_ON_CPU, 2, MS);
	small_samples(&small, main_thread, "boot@<frozen runpy>:11", STATE_ON_CPU, 1, MS);
	struct profile *profile = small_finish(&small);
	struct selection selection = {.all_threads = true, .fold_library = true};
	struct shares shares;
	assert_int_equal(shares_compute(profile, &selection, &shares, NULL), 0);
	/* What was torn under dumps belongs to the one callee that was seen there. */
	ASSERT_NEAR(function_row(profile, &shares, "main")->self, 0.6);
	ASSERT_NEAR(function_row(profile, &shares, "main")->total, 0.9);
	ASSERT_NEAR(line_row(profile, &shares, "main", 12)->self, 0.6);
	ASSERT_NEAR(function_row(profile, &shares, "key")->self, 0.3);
	assert_null(function_row(profile, &shares, "<torn>"));
	ASSERT_NEAR(function_row(profile, &shares, "boot")->self, 0.1);
	assert_null(function_row(profile, &shares, "dumps"));
	assert_null(function_row(profile, &shares, "sort"));
	assert_null(function_row(profile, &shares, "C.encode"));
	assert_int_equal(shares.torn_count, 2);
	shares_release(&shares);
	profile_free(profile);
}

static void torn_samples_go_to_the_callees_seen_under_their_caller(void **state)
{
	(void)state;
	struct small small = small_new();
	struct thread_id main_thread = small_main_thread(&small);
	small_samples(&small, main_thread, "main@a.py:11;a@a.py:21", STATE_ON_CPU, 2, MS);
	small_samples(&small, main_thread, "main@a.py:11;a@a.py:21;c@a.py:41", STATE_ON_CPU, 1, MS);
	small_samples(&small, main_thread, "main@a.py:12;b@a.py:31", STATE_ON_CPU, 1, MS);
	small_samples(&small, main_thread, "main@a.py:13;<torn>", STATE_ON_CPU, 4, MS);
	/* Here no callee was ever seen: what is not known stays so. */
	small_samples(&small, main_thread, "other@a.py:51;<torn>", STATE_ON_CPU, 2, MS);
	struct profile *profile = small_finish(&small);
	struct shares shares;
	assert_int_equal(shares_compute(profile, &all_wall, &shares, NULL), 0);
	ASSERT_NEAR(function_row(profile, &shares, "a")->self, 0.4);
	ASSERT_NEAR(function_row(profile, &shares, "a")->total, 0.6);
	ASSERT_NEAR(function_row(profile, &shares, "c")->self, 0.2);
	ASSERT_NEAR(function_row(profile, &shares, "b")->self, 0.2);
	ASSERT_NEAR(function_row(profile, &shares, "<torn>")->self, 0.2);
	ASSERT_NEAR(function_row(profile, &shares, "main")->total, 0.8);
	assert_int_equal(shares.torn_count, 6);
	shares_release(&shares);
	profile_free(profile);
}

static void imports_are_what_lies_under_find_and_load(void **state)
{
	(void)state;
	struct small small = small_new();
	struct thread_id main_thread = small_main_thread(&small);
	const char *import = "m@a.py:11;_find_and_load@<frozen importlib._bootstrap>:11;"
			     "mod@b.py:1;_find_and_load@<frozen importlib._bootstrap>:11;x@c.py:1";
	small_samples(&small, main_thread, import, STATE_ON_CPU, 3, MS);
	small_samples(&small, main_thread, "m@a.py:12;_find_and_load@a.py:20", STATE_ON_CPU, 7, MS);
	struct profile *profile = small_finish(&small);
	for (int fold = 0; fold < 2; fold++) {
		struct selection selection = {.all_threads = true, .fold_library = fold};
		struct shares shares;
		assert_int_equal(shares_compute(profile, &selection, &shares, NULL), 0);
		ASSERT_NEAR(shares.import_total, 0.3);
		shares_release(&shares);
	}
	profile_free(profile);
}

static void an_empty_profile_has_no_rows_and_unknowns(void **state)
{
	(void)state;
	struct small small = small_new();
	struct profile *profile = small_finish(&small);
	struct shares shares;
	struct call_tree tree;
	assert_int_equal(shares_compute(profile, &(struct selection){0}, &shares, NULL), 0);
	assert_int_equal(shares.function_count + shares.line_count, 0);
	assert_true(isnan(shares.import_total));
	assert_true(shares.effective_n == 0);
	shares_release(&shares);
	assert_int_equal(call_tree_build(profile, &(struct selection){0}, &tree, NULL), 0);
	assert_int_equal(tree.node_count, 1);
	call_tree_release(&tree);
	profile_free(profile);
}

static void the_tree_merges_lines_and_sorts_children(void **state)
{
	(void)state;
	struct small small = small_new();
	struct thread_id main_thread = small_main_thread(&small);
	small_samples(&small, main_thread, "m@a.py:11;b@a.py:21", STATE_ON_CPU, 2, MS);
	small_samples(&small, main_thread, "m@a.py:12;c@a.py:31", STATE_ON_CPU, 5, MS);
	small_samples(&small, main_thread, "m@a.py:13;b@a.py:22", STATE_ON_CPU, 1, MS);
	small_samples(&small, main_thread, "m@a.py:13", STATE_ON_CPU, 1, MS);
	small_samples(&small, main_thread, "", STATE_BLOCKED, 1, MS);
	struct profile *profile = small_finish(&small);
	struct call_tree tree;
	assert_int_equal(call_tree_build(profile, &all_wall, &tree, NULL), 0);
	assert_int_equal(tree.node_count, 4);
	ASSERT_NEAR(tree.nodes[0].total_ns, 10.0 * MS);
	ASSERT_NEAR(tree.nodes[0].self_ns, 1.0 * MS);
	assert_int_equal(tree.nodes[0].count, 10);
	const struct tree_node *m = &tree.nodes[tree.nodes[0].first_child];
	assert_int_equal(m->next_sibling, 0);
	ASSERT_NEAR(m->total_ns, 9.0 * MS);
	ASSERT_NEAR(m->self_ns, 1.0 * MS);
	const struct tree_node *c = &tree.nodes[m->first_child];
	ASSERT_NEAR(c->total_ns, 5.0 * MS);
	const struct tree_node *b = &tree.nodes[c->next_sibling];
	ASSERT_NEAR(b->total_ns, 3.0 * MS);
	assert_int_equal(b->next_sibling, 0);
	assert_int_equal(b->first_child, 0);
	assert_ptr_equal(&tree.nodes[b->parent], m);
	call_tree_release(&tree);
	profile_free(profile);
}

static void every_failed_allocation_is_an_error_and_no_leak(void **state)
{
	(void)state;
	struct profile *profile = threads_profile();
	struct selection selection = {.all_threads = true, .fold_library = true, .text = "a.py"};
	int failures = 0;
	for (long n = 0;; n++) {
		struct shares shares;
		struct call_tree tree;
		mem_fail_after(n);
		int rc = shares_compute(profile, &selection, &shares, NULL);
		if (rc == 0) {
			shares_release(&shares);
			rc = call_tree_build(profile, &selection, &tree, NULL);
			if (rc == 0)
				call_tree_release(&tree);
		}
		mem_fail_after(-1);
		if (rc == 0)
			break;
		assert_int_equal(rc, -ERR_MEMORY);
		failures++;
	}
	assert_true(failures > 20);
	profile_free(profile);
}

/* 10⁶ samples over 10⁵ stacks, some hundreds deep: a cost that grows with samples
 * times depth, or with the square of anything, takes far longer than a second. */
static void a_million_samples_take_under_a_second(void **state)
{
	(void)state;
	struct small small = small_new();
	struct thread_id main_thread = small_main_thread(&small);
	struct stack_id stacks[1000];
	struct profile_sample sample = {
	    .weight_ns = MS, .count = 1, .thread = main_thread, .state = STATE_ON_CPU};
	char text[64];
	struct frame_id frames[1000];
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "f%d@a.py:%d", i % 200, i + 1);
		stacks[i] = small_stack(&small, text);
		frames[i] = profile_builder_view(small.builder)->stacks[stacks[i].v].frame;
	}
	for (uint32_t i = 0; i < 1000000; i++) {
		uint64_t mixed = hash_u64(i % 100000);
		struct stack_id *slot = &stacks[mixed % 1000];
		/* Grow chains, so that some are hundreds deep. */
		if (i < 100000)
			assert_int_equal(profile_builder_stack(small.builder, *slot,
							       frames[(mixed >> 20) % 1000], slot,
							       NULL),
					 0);
		sample.stack = *slot;
		sample.time_ns = i;
		assert_int_equal(profile_builder_add_sample(small.builder, &sample, NULL), 0);
	}
	struct profile *profile = small_finish(&small);
	struct timespec from, to;
	struct shares shares;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assert_int_equal(shares_compute(profile, &all_wall, &shares, NULL), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	double took = (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) / 1e9;
	print_message("1,000,000 samples, %u stacks: %.3f s of CPU\n", profile->stack_count, took);
	assert_true(profile->stack_count > 90000);
	assert_int_equal(shares.sample_count, 1000000);
	assert_true(took < 1);
	shares_release(&shares);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(self_and_total_of_functions_and_lines),
	    cmocka_unit_test(recursion_is_counted_once_by_function_and_by_line),
	    cmocka_unit_test(unequal_weights_shrink_the_effective_n),
	    cmocka_unit_test(a_selection_keeps_what_it_names),
	    cmocka_unit_test(a_process_is_one_through_the_programs_that_it_executes),
	    cmocka_unit_test(a_selection_that_fits_nothing_is_refused_by_name),
	    cmocka_unit_test(library_files_are_told_from_the_programs_own),
	    cmocka_unit_test(folding_gives_library_time_to_the_caller),
	    cmocka_unit_test(torn_samples_go_to_the_callees_seen_under_their_caller),
	    cmocka_unit_test(imports_are_what_lies_under_find_and_load),
	    cmocka_unit_test(an_empty_profile_has_no_rows_and_unknowns),
	    cmocka_unit_test(the_tree_merges_lines_and_sorts_children),
	    cmocka_unit_test(every_failed_allocation_is_an_error_and_no_leak),
	    cmocka_unit_test(a_million_samples_take_under_a_second),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
