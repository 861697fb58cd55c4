/* The schedule is a Poisson process, with fixed seeds: mean, variance, the law of its gaps; missed
 * instants are counted, not caught up with; the rate finds what the budget pays for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "sampler/schedule.h"

#define GAPS 20000
#define START 1000000000000ull

static const uint64_t seeds[] = {0, 1, 42, 0xdeadbeefull, UINT64_MAX};
#define SEEDS (sizeof(seeds) / sizeof(seeds[0]))

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void units_are_uniform(void **state)
{
	(void)state;
	for (size_t s = 0; s < SEEDS; s++) {
		struct random_state random;
		double sum = 0, squares = 0;

		random_seed(&random, seeds[s]);
		for (int i = 0; i < GAPS; i++) {
			double u = random_unit(&random);
			assert_true(u > 0 && u <= 1);
			sum += u;
			squares += u * u;
		}
		/* Five standard errors. */
		assert_true(fabs(sum / GAPS - 0.5) < 5 * sqrt(1 / 12.0 / GAPS));
		assert_true(fabs(squares / GAPS - 1 / 3.0) < 5 * sqrt(4 / 45.0 / GAPS));
	}
}

/* Kolmogorov–Smirnov against the exponential law; 1.95 / √n is its 0.1 % point. */
static void gaps_are_exponential(void **state)
{
	static const double rates[] = {20, 200, 1000};
	double *gaps = malloc(GAPS * sizeof(*gaps));

	(void)state;
	assert_non_null(gaps);
	for (size_t s = 0; s < SEEDS; s++) {
		double period = 1e9 / rates[s % 3], sum = 0, squares = 0, distance = 0;
		struct schedule schedule;
		uint64_t last;

		schedule_start(&schedule, rates[s % 3], START, seeds[s]);
		assert_true(schedule.next_ns >= START);
		last = schedule.next_ns;
		for (int i = 0; i < GAPS; i++) {
			assert_int_equal((uint64_t)period, schedule.next_weight_ns);
			schedule_advance(&schedule);
			gaps[i] = (double)(schedule.next_ns - last) / period;
			last = schedule.next_ns;
			sum += gaps[i];
			squares += gaps[i] * gaps[i];
		}
		/* Mean 1 (standard error 1/√n); second moment 2 (√(20/n)). */
		assert_true(fabs(sum / GAPS - 1) < 5 / sqrt(GAPS));
		assert_true(fabs(squares / GAPS - 2) < 5 * sqrt(20.0 / GAPS));
		qsort(gaps, GAPS, sizeof(*gaps), by_size);
		for (int i = 0; i < GAPS; i++) {
			double law = 1 - exp(-gaps[i]);
			distance = fmax(distance, fabs(law - (double)i / GAPS));
			distance = fmax(distance, fabs(law - (double)(i + 1) / GAPS));
		}
		assert_true(distance < 1.95 / sqrt(GAPS));
	}
	free(gaps);
}

/* Counts in windows of one second: Poisson, so variance equals mean; and gaps know nothing of the
 * gap before. */
static void counts_are_poisson_and_gaps_independent(void **state)
{
	(void)state;
	for (size_t s = 0; s < SEEDS; s++) {
		const int windows = 400;
		const double rate = 100;
		double sum = 0, squares = 0, product = 0, previous = 0;
		struct schedule schedule;
		uint64_t end = START;
		int pairs = 0;

		schedule_start(&schedule, rate, START, seeds[s]);
		for (int w = 0; w < windows; w++) {
			int count = 0;

			end += 1000000000ull;
			while (schedule.next_ns < end) {
				uint64_t at = schedule.next_ns;
				double gap;

				schedule_advance(&schedule);
				gap = (double)(schedule.next_ns - at) * rate / 1e9;
				product += (gap - 1) * previous;
				previous = gap - 1;
				pairs++;
				count++;
			}
			sum += count;
			squares += (double)count * count;
		}
		assert_true(fabs(sum / windows - rate) < 5 * sqrt(rate / windows));
		assert_true(fabs(squares / windows - sum / windows * (sum / windows) - rate) <
			    5 * rate * sqrt(2.0 / windows));
		assert_true(fabs(product / pairs) < 5 / sqrt(pairs));
	}
}

static void the_same_seed_gives_the_same_instants(void **state)
{
	struct schedule a, b, c;

	(void)state;
	schedule_start(&a, 200, START, 7);
	schedule_start(&b, 200, START, 7);
	schedule_start(&c, 200, START, 8);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(a.next_ns, b.next_ns);
		schedule_advance(&a);
		schedule_advance(&b);
		schedule_advance(&c);
	}
	assert_int_not_equal(a.next_ns, c.next_ns);
}

/* After a stall: those that passed are counted, once each, and none comes twice or at once. */
static void missed_instants_are_counted(void **state)
{
	struct schedule late, reference;
	uint64_t missed, stall = START + 3000000000ull, expected = 0;

	(void)state;
	schedule_start(&late, 200, START, 3);
	schedule_start(&reference, 200, START, 3);
	assert_int_equal(0, schedule_skip_missed(&late, START));
	missed = schedule_skip_missed(&late, stall);
	while (reference.next_ns < stall) {
		schedule_advance(&reference);
		expected++;
	}
	assert_int_equal(expected, missed);
	assert_true(missed > 500 && missed < 700);
	assert_int_equal(reference.next_ns, late.next_ns);
	assert_int_equal(0, schedule_skip_missed(&late, stall));
}

static void a_new_rate_weighs_the_instants_drawn_with_it(void **state)
{
	struct schedule schedule;

	(void)state;
	schedule_start(&schedule, 200, START, 1);
	schedule_set_rate(&schedule, 50);
	assert_int_equal(5000000, schedule.next_weight_ns); /* drawn at 200 Hz */
	schedule_advance(&schedule);
	assert_int_equal(20000000, schedule.next_weight_ns);
}

/* An absurd rate must not stand still in time. */
static void time_moves_on_at_any_rate(void **state)
{
	static const double rates[] = {1e9, 1e10, 1e15, 1e300};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct schedule schedule;

		schedule_start(&schedule, rates[i], START, 1);
		assert_true(schedule_skip_missed(&schedule, START + 100000) <= 100000);
		assert_true(schedule.next_weight_ns >= 1);
	}
}

/* --- the rate ----------------------------------------------------------------------------- */

/* Ten seconds of ticks that cost so much each; the rates on the way are in steps. */
static double settle(double budget, double (*cost_ns)(int tick), int *ret_changes)
{
	struct rate_control control;
	uint64_t now = START;
	double rate = RATE_FIRST_HZ;

	*ret_changes = 0;
	rate_control_start(&control, budget, now);
	for (int tick = 0; now < START + 10000000000ull; tick++) {
		double next;

		now += (uint64_t)(1e9 / rate);
		next = rate_control_tick(&control, (uint64_t)cost_ns(tick), now);
		assert_true(next >= RATE_FLOOR_HZ && next <= RATE_CEILING_HZ);
		if (next != rate) {
			assert_true(fabs(next - rate) >= 0.1 * rate);
			++*ret_changes;
		}
		rate = next;
	}
	return rate;
}

static double cost_40_us(int tick)
{
	(void)tick;
	return 40000;
}
static double cost_noisy(int tick)
{
	return tick % 10 == 0 ? 130000 : 30000; /* 40 µs on average */
}
static double cost_1_ms(int tick)
{
	(void)tick;
	return 1000000;
}
static double cost_nothing(int tick)
{
	(void)tick;
	return 0;
}

static void the_rate_is_what_the_budget_pays(void **state)
{
	static const struct {
		double budget, (*cost)(int), low, high;
	} cases[] = {
	    {0.01, cost_40_us, 225, 275},     {0.01, cost_noisy, 225, 275},
	    {0.02, cost_40_us, 450, 550},     {0.002, cost_40_us, 45, 55},
	    {0.01, cost_1_ms, 20, 20},	      {0.0, cost_40_us, 20, 20},
	    {0.01, cost_nothing, 1000, 1000}, {1.0, cost_40_us, 1000, 1000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int changes;
		double rate = settle(cases[i].budget, cases[i].cost, &changes);

		assert_true(rate >= cases[i].low && rate <= cases[i].high);
		assert_true(changes <= 3); /* it settles: weights stay equal */
	}
}

/* Within a tenth of the right one it stays: not even the first look changes it. */
static void a_rate_near_the_right_one_stays(void **state)
{
	struct rate_control control;
	uint64_t now = START;

	(void)state;
	rate_control_start(&control, 0.01, now);
	for (int i = 0; i < 4000; i++)
		assert_float_equal(
		    RATE_FIRST_HZ,
		    rate_control_tick(&control, 48000 + (uint64_t)(i % 2) * 3000, now += 5000000),
		    0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(units_are_uniform),
	    cmocka_unit_test(gaps_are_exponential),
	    cmocka_unit_test(counts_are_poisson_and_gaps_independent),
	    cmocka_unit_test(the_same_seed_gives_the_same_instants),
	    cmocka_unit_test(missed_instants_are_counted),
	    cmocka_unit_test(a_new_rate_weighs_the_instants_drawn_with_it),
	    cmocka_unit_test(time_moves_on_at_any_rate),
	    cmocka_unit_test(the_rate_is_what_the_budget_pays),
	    cmocka_unit_test(a_rate_near_the_right_one_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
