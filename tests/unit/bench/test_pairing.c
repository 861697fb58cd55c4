/* Comparisons of workers that are made up here: what each block takes is known, and so is what the
 * comparison must find. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/counters_probe.h"
#include "bench/pairing.h"
#include "bench/steal.h"

/* --- the workers: these take the place of bench/worker.c ----------------------------------------
 */

#define BLOCKS_NOTED 20000
#define STARTS_NOTED 1000
#define SLEEPS 6 /* in a block; one is as if it waited for its request */

struct side_model {
	double block_s;	    /* per loop */
	double noise;	    /* relative, of a block */
	double process;	    /* relative, of a process */
	double drift;	    /* relative, more with each block of the process */
	double wall_factor; /* wall time over CPU time, in some blocks */
	double value, value_noise;
	uint64_t calibrated;
	bool sleeps;
	int fails_at_block, fails_at_start; /* from 1; 0: never */
};

struct worker {
	int side, blocks;
	double process;
};

static struct {
	struct side_model sides[2];
	double second_costs; /* relative, for whoever runs second in a turn */
	uint64_t random;
	int blocks[2], starts[2];
	int turn_first, in_turn;
	uint8_t order[BLOCKS_NOTED];
	size_t order_count;
	uint64_t seeds[2][STARTS_NOTED], loops[2];
	int cpu;
	volatile sig_atomic_t stop;
	int stops_at_block;
} world;

static double noise(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++) {
		world.random = world.random * 6364136223846793005u + 1442695040888963407u;
		sum += (double)(world.random >> 11) / (double)(1ull << 53);
	}
	return sum;
}

int worker_start(const struct worker_spec *spec, struct worker **ret_worker, struct err *err)
{
	int side = spec->target.text[0] == 'b';
	struct worker *worker;
	int start = world.starts[side]++;

	if (world.sides[side].fails_at_start == start + 1) {
		err_set(err, ERR_TARGET, "the setup raised");
		err_why(err, "ValueError: no such thing");
		return -ERR_TARGET;
	}
	if (start < STARTS_NOTED)
		world.seeds[side][start] = spec->seed;
	world.cpu = spec->cpu;
	worker = calloc(1, sizeof(*worker));
	assert_non_null(worker);
	worker->side = side;
	worker->process = 1 + world.sides[side].process * noise();
	*ret_worker = worker;
	return 0;
}

int worker_end(struct worker *worker, struct bench_counters *ret_counters, struct err *err)
{
	(void)err;
	if (ret_counters != NULL)
		bench_counters_clear(ret_counters);
	free(worker);
	return 0;
}

int worker_block(struct worker *worker, uint64_t loops, struct block *ret_block, struct err *err)
{
	const struct side_model *model = &world.sides[worker->side];
	double factor =
	    worker->process * (1 + model->noise * noise()) * (1 + model->drift * worker->blocks++);

	world.loops[worker->side] = loops;
	if (++world.blocks[worker->side] == model->fails_at_block)
		return err_set(err, ERR_TARGET, "it raised");
	if (world.stops_at_block > 0 && world.blocks[0] + world.blocks[1] == world.stops_at_block)
		world.stop = 1;
	if (world.in_turn == 0 && world.order_count < BLOCKS_NOTED)
		world.order[world.order_count++] = (uint8_t)worker->side;
	if (world.in_turn == 1)
		factor *= 1 + world.second_costs;
	world.in_turn = !world.in_turn;
	for (int i = 0; model->sleeps && i < SLEEPS; i++)
		nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
	*ret_block = (struct block){.loops = loops,
				    .cpu_s = model->block_s * factor * (double)loops,
				    .value = model->value * (1 + model->value_noise * noise())};
	ret_block->wall_s = ret_block->cpu_s;
	if (model->wall_factor > 0)
		ret_block->wall_s *= 1 + model->wall_factor * fabs(noise());
	return 0;
}

int worker_calibrate(struct worker *worker, double seconds, uint64_t *ret_loops, struct err *err)
{
	(void)err;
	(void)seconds;
	*ret_loops = world.sides[worker->side].calibrated;
	return 0;
}

int worker_count(struct worker *worker, struct bench_counters *ret_counters, struct err *err)
{
	(void)worker;
	(void)err;
	bench_counters_clear(ret_counters);
	ret_counters->calls = 7;
	ret_counters->modules = world.random++; /* another one each time */
	return 0;
}

pid_t worker_pid(const struct worker *worker)
{
	(void)worker;
	return getpid();
}

const char *worker_python_version(const struct worker *worker)
{
	(void)worker;
	return "3.13.0";
}

const char *worker_implementation(const struct worker *worker)
{
	(void)worker;
	return "CPython";
}

/* --- the comparison ------------------------------------------------------------------------------
 */

static struct pairing_options options;
static struct pairing_result result;

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.random = 12345;
	for (int side = 0; side < 2; side++)
		world.sides[side] = (struct side_model){
		    .block_s = 1e-5, .noise = 0.01, .process = 0.01, .calibrated = 400};
	pairing_defaults(&options);
	options.pair_s = 0.0005;
	options.time_limit_s = 60;
	options.cpu = 0;
	options.count = false;
	options.seed = 99;
	options.stop = &world.stop;
	memset(&result, 0, sizeof(result));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pairing_result_release(&result);
	return 0;
}

static void run(void)
{
	const struct worker_spec a = {.target = {.kind = TARGET_STATEMENT, .text = "a"}};
	const struct worker_spec b = {.target = {.kind = TARGET_STATEMENT, .text = "b"}};
	struct err err = {0};

	if (pairing_run(&a, &b, &options, &result, &err) < 0)
		fail_msg("%s: %s", err.what, err.why);
}

#define ASSERT_NEAR(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static void what_is_slower_is_a_regression_and_what_is_faster_none(void **state)
{
	static const struct {
		double factor;
		enum verdict verdict;
	} rows[] = {
	    {1.05, VERDICT_REGRESSION},	 {1.3, VERDICT_REGRESSION},  {20, VERDICT_REGRESSION},
	    {0.95, VERDICT_IMPROVEMENT}, {0.1, VERDICT_IMPROVEMENT}, {1, VERDICT_PASS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(state);
		world.sides[1].block_s *= rows[i].factor;
		run();
		assert_int_equal(result.verdict, rows[i].verdict);
		assert_int_equal(result.metric, PAIR_CPU);
		ASSERT_NEAR(result.state.location, log(rows[i].factor), 0.02);
		assert_true(result.state.low <= log(rows[i].factor) + 0.01 &&
			    result.state.high >= log(rows[i].factor) - 0.01);
		assert_null(result.failure);
		assert_int_equal(result.state.pairs, result.pair_count);
		assert_int_equal(result.a->benchmarks[0].run_count, result.pair_count);
		pairing_result_release(&result);
	}
}

static void a_pair_shares_its_seed_with_no_other(void **state)
{
	(void)state;
	run();
	assert_true(result.pair_count >= 8);
	for (size_t i = 0; i < result.pair_count; i++) {
		assert_int_equal(world.seeds[0][i], world.seeds[1][i]);
		assert_int_equal(result.a->benchmarks[0].runs[i].seed,
				 result.b->benchmarks[0].runs[i].seed);
		assert_true(world.seeds[0][i] > 0 && world.seeds[0][i] <= UINT32_MAX);
		for (size_t other = 0; other < i; other++)
			assert_int_not_equal(world.seeds[0][i], world.seeds[0][other]);
	}
	assert_int_equal(world.cpu, 0);
}

static void chance_decides_who_is_first(void **state)
{
	size_t b_first = 0;

	(void)state;
	run();
	assert_true(world.order_count > 40);
	for (size_t i = 0; i < world.order_count; i++)
		b_first += world.order[i];
	assert_true(b_first > world.order_count / 4 && b_first < world.order_count * 3 / 4);
}

static void both_sides_run_the_same_number_of_loops(void **state)
{
	(void)state;
	world.sides[0].calibrated = 100; /* as when something disturbed it */
	run();
	assert_int_equal(world.loops[0], 100);
	assert_int_equal(world.loops[1], 100);
}

static void drift_and_order_are_no_difference(void **state)
{
	(void)state;
	world.sides[0].drift = world.sides[1].drift = 0.01;
	world.second_costs = 0.1;
	run();
	assert_int_equal(result.verdict, VERDICT_PASS);
}

static void what_fails_was_not_measured_and_is_named(void **state)
{
	static const struct {
		int side, start, block;
		const char *text;
	} rows[] = {
	    {0, 1, 0, "A: the setup raised: ValueError: no such thing"},
	    {1, 1, 0, "B: the setup raised: ValueError: no such thing"},
	    {1, 4, 0, "B failed in pair 4: the setup raised: ValueError: no such thing"},
	    {0, 0, 1, "A: it raised"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(state);
		world.sides[rows[i].side].fails_at_start = rows[i].start;
		world.sides[rows[i].side].fails_at_block = rows[i].block;
		run();
		assert_int_equal(result.verdict, VERDICT_NOT_MEASURED);
		assert_string_equal(result.failure, rows[i].text);
		pairing_result_release(&result);
	}
}

static void an_interrupted_comparison_says_what_it_knows(void **state)
{
	static const struct {
		int at;
		enum verdict verdict;
	} rows[] = {{1, VERDICT_NOT_MEASURED}, {4000, VERDICT_CANNOT_TELL}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(state);
		options.plan.tolerance = 0; /* never equal */
		options.plan.alpha = 1e-9;
		world.stops_at_block = rows[i].at;
		run();
		assert_true(result.interrupted);
		assert_int_equal(result.verdict, rows[i].verdict);
		assert_int_equal(result.pair_count > 0, rows[i].verdict == VERDICT_CANNOT_TELL);
		pairing_result_release(&result);
	}
}

static void without_time_nothing_is_measured(void **state)
{
	(void)state;
	options.time_limit_s = 0;
	run();
	assert_int_equal(result.verdict, VERDICT_NOT_MEASURED);
	assert_non_null(strstr(result.failure, "time limit"));
}

static void what_it_cannot_tell_comes_with_what_it_could(void **state)
{
	(void)state;
	world.sides[0].process = world.sides[1].process = 0.1;
	options.plan.pairs_max = 12;
	run();
	assert_int_equal(result.verdict, VERDICT_CANNOT_TELL);
	assert_true(isfinite(result.state.detectable) && result.state.detectable > 0.02);
	assert_true(result.state.pairs_needed > result.pair_count);
	assert_true(result.pair_cost_s > 0);
}

static void wall_time_counts_where_somebody_waits(void **state)
{
	(void)state;
	run();
	assert_int_equal(result.metric, PAIR_CPU);
	assert_false(result.off_cpu);
	assert_int_equal(result.verdict, VERDICT_PASS);
	pairing_result_release(&result);
	/* B's wall time is longer, and it waited for no CPU meanwhile. */
	set_up(state);
	world.sides[1].wall_factor = 1;
	run();
	assert_int_equal(result.metric, PAIR_WALL);
	assert_true(result.off_cpu);
	assert_int_equal(result.verdict, VERDICT_REGRESSION);
	pairing_result_release(&result);
	/* B waits by itself, for as long as it computes: no CPU time shows it. */
	set_up(state);
	world.sides[1].sleeps = true;
	world.sides[1].wall_factor = 1;
	run();
	assert_int_equal(result.metric, PAIR_WALL);
	assert_true(result.off_cpu);
	assert_int_equal(result.verdict, VERDICT_REGRESSION);
	pairing_result_release(&result);
	set_up(state);
	world.sides[1].wall_factor = 1;
	options.metric = PAIR_WALL;
	run();
	assert_int_equal(result.verdict, VERDICT_REGRESSION);
}

static void values_that_never_change_are_compared_as_they_are(void **state)
{
	static const struct {
		double a, b, noise;
		enum verdict verdict;
		bool exact;
	} rows[] = {
	    {1000, 1000, 0, VERDICT_PASS, true},
	    {1000, 1010, 0, VERDICT_PASS, true}, /* within the tolerance */
	    {1000, 1500, 0, VERDICT_REGRESSION, true},
	    {1000, 500, 0, VERDICT_IMPROVEMENT, true},
	    {0, 5, 0, VERDICT_REGRESSION, true},
	    {0, 0, 0, VERDICT_PASS, true},
	    {-1, -1, 0.5, VERDICT_NOT_MEASURED, false},
	    {1000, 1500, 0.01, VERDICT_REGRESSION, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(state);
		options.kind = BENCH_TRACK;
		world.sides[0].value = rows[i].a;
		world.sides[1].value = rows[i].b;
		world.sides[0].value_noise = world.sides[1].value_noise = rows[i].noise;
		run();
		assert_int_equal(result.verdict, rows[i].verdict);
		assert_int_equal(result.exact, rows[i].exact);
		pairing_result_release(&result);
	}
}

static void an_empty_loop_is_no_benchmark(void **state)
{
	(void)state;
	world.sides[1].block_s = 0;
	run();
	assert_int_equal(result.verdict, VERDICT_NOT_MEASURED);
	assert_non_null(strstr(result.failure, "empty loop"));
}

static void only_counters_that_repeat_are_exact(void **state)
{
	(void)state;
	options.count = true;
	run();
	assert_int_equal(result.counters_exact, PAIR_CALLS);
	assert_int_equal(result.counters_differ, 0);
	assert_int_equal(result.counters_a.calls, 7);
}

static void counters_differ_only_where_both_sides_repeat(void **state)
{
	struct bench_counters a[2], b[2];
	struct counters_probe probe;

	(void)state;
	for (int i = 0; i < 2; i++) {
		bench_counters_clear(&a[i]);
		bench_counters_clear(&b[i]);
		a[i].calls = b[i].calls = 5;
		a[i].modules = 10;
		b[i].modules = 11;
		a[i].syscalls = 100 + (uint64_t)i;
		b[i].syscalls = 7;
		a[i].instructions = 1; /* of B unknown */
	}
	counters_probe_judge(a, b, &probe);
	assert_int_equal(probe.exact, PAIR_CALLS | PAIR_MODULES);
	assert_int_equal(probe.differ, PAIR_MODULES);
}

/* --- verdicts
 * -------------------------------------------------------------------------------------- */

static void each_verdict_has_its_exit_code(void **state)
{
	static const struct {
		enum verdict verdict;
		const char *name;
		int code;
	} rows[] = {
	    {VERDICT_PASS, "pass", 0},
	    {VERDICT_IMPROVEMENT, "improvement", 0},
	    {VERDICT_REGRESSION, "regression", 1},
	    {VERDICT_CANNOT_TELL, "cannot-tell", 9},
	    {VERDICT_NOT_MEASURED, "not-measured", 10},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(verdict_name(rows[i].verdict), rows[i].name);
		assert_int_equal(verdict_exit_code(rows[i].verdict), rows[i].code);
	}
	assert_int_equal(verdict_worse(VERDICT_NOT_MEASURED, VERDICT_REGRESSION),
			 VERDICT_REGRESSION);
	assert_int_equal(verdict_worse(VERDICT_CANNOT_TELL, VERDICT_NOT_MEASURED),
			 VERDICT_NOT_MEASURED);
	assert_int_equal(verdict_worse(VERDICT_PASS, VERDICT_IMPROVEMENT), VERDICT_IMPROVEMENT);
}

static void a_suite_shares_its_error(void **state)
{
	/* Of four at 0.002 the smallest needs 0.0005, the next 0.002/3. */
	struct pairing_result rows[] = {
	    {.verdict = VERDICT_REGRESSION, .pair_count = 9, .state = {.p = 1e-4, .location = 0.1}},
	    {.verdict = VERDICT_REGRESSION,
	     .pair_count = 9,
	     .state = {.p = 0.001, .location = 0.1}},
	    {.verdict = VERDICT_CANNOT_TELL,
	     .pair_count = 9,
	     .state = {.p = 0.0006, .location = -0.1}},
	    {.verdict = VERDICT_PASS, .pair_count = 9, .state = {.p = 0.9}},
	    {.verdict = VERDICT_NOT_MEASURED, .state = {.p = 1}},
	    {.verdict = VERDICT_REGRESSION, .pair_count = 3, .exact = true, .state = {.p = 0}},
	};
	static const enum verdict wanted[] = {VERDICT_REGRESSION,   VERDICT_REGRESSION,
					      VERDICT_IMPROVEMENT,  VERDICT_PASS,
					      VERDICT_NOT_MEASURED, VERDICT_REGRESSION};
	struct pairing_result *list[6];

	(void)state;
	for (size_t i = 0; i < 6; i++)
		list[i] = &rows[i];
	assert_int_equal(pairing_holm(list, 6, 0.002, NULL), 0);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(rows[i].verdict, wanted[i]);
	/* The one that the third carried falls when the third does. */
	rows[2] = (struct pairing_result){
	    .verdict = VERDICT_CANNOT_TELL, .pair_count = 9, .state = {.p = 0.5}};
	rows[1].state.p = 0.0012;
	assert_int_equal(pairing_holm(list, 6, 0.002, NULL), 0);
	assert_int_equal(rows[1].verdict, VERDICT_CANNOT_TELL);
}

/* --- /proc/stat
 * --------------------------------------------------------------------------------------- */

static void steal_is_read_per_cpu(void **state)
{
	static const char text[] = "cpu  10 0 20 300 5 0 1 42 0 0\n"
				   "cpu0 5 0 10 100 2 0 1 40 0 0\n"
				   "cpu1 5 0 10 200 3 0 0 2 0 0\n"
				   "cpu10 5 0 10 7 3 0 0 9 0 0\n"
				   "intr 5 4 3\n";
	static const struct {
		int cpu;
		bool known;
		uint64_t steal, idle;
	} rows[] = {{-1, true, 42, 305}, {0, true, 40, 102}, {1, true, 2, 203},
		    {10, true, 9, 10},	 {2, false, 0, 0},   {100, false, 0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t steal = 0, idle = 0;

		assert_int_equal(steal_parse(text, sizeof(text) - 1, rows[i].cpu, &steal, &idle),
				 rows[i].known);
		assert_int_equal(steal, rows[i].steal);
		assert_int_equal(idle, rows[i].idle);
	}
	for (size_t cut = 0; cut < strlen("cpu  10 0 20 300 5 0 1 42"); cut++) {
		uint64_t steal, idle;

		assert_false(steal_parse(text, cut, -1, &steal, &idle));
	}
	assert_false(steal_parse("cpu  1 2\n", 9, -1, &(uint64_t){0}, &(uint64_t){0}));
}

static void the_quietest_cpu_is_one_of_ours(void **state)
{
	int cpu = -1;

	(void)state;
	assert_int_equal(steal_quietest_cpu(&cpu, NULL), 0);
	assert_true(cpu >= 0 && cpu < sysconf(_SC_NPROCESSORS_CONF));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_is_slower_is_a_regression_and_what_is_faster_none),
	    CASE(a_pair_shares_its_seed_with_no_other),
	    CASE(chance_decides_who_is_first),
	    CASE(both_sides_run_the_same_number_of_loops),
	    CASE(drift_and_order_are_no_difference),
	    CASE(what_fails_was_not_measured_and_is_named),
	    CASE(an_interrupted_comparison_says_what_it_knows),
	    CASE(without_time_nothing_is_measured),
	    CASE(what_it_cannot_tell_comes_with_what_it_could),
	    CASE(wall_time_counts_where_somebody_waits),
	    CASE(values_that_never_change_are_compared_as_they_are),
	    CASE(an_empty_loop_is_no_benchmark),
	    CASE(only_counters_that_repeat_are_exact),
	    cmocka_unit_test(counters_differ_only_where_both_sides_repeat),
	    cmocka_unit_test(each_verdict_has_its_exit_code),
	    cmocka_unit_test(a_suite_shares_its_error),
	    cmocka_unit_test(steal_is_read_per_cpu),
	    cmocka_unit_test(the_quietest_cpu_is_one_of_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
