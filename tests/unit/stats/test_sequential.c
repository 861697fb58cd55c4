/* When the sequential test decides, and when it must not. How often it errs: tests/model. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "stats/sequential.h"
#include "stats/signed_rank.h"

static const struct sequential_plan plan = {
    .alpha = 0.002, .tolerance = 0.02, .power = 0.9, .pairs_max = 60};

#define PAIRS 60

/* Pairs around `location` that stray by up to `width`, in no order. */
static void make_pairs(double *ratios, double location, double width)
{
	for (size_t i = 0; i < PAIRS; i++)
		ratios[i] = location + width * ((double)(i * 37 % 61) / 30 - 1);
}

static struct sequential_state look(const struct sequential_plan *p, const double *ratios, size_t n)
{
	struct sequential_state state;

	assert_int_equal(sequential_look(p, ratios, n, &state, NULL), 0);
	return state;
}

/* The pairs at which the decision falls, and which. */
static enum sequential_decision decision(const struct sequential_plan *p, const double *ratios,
					 size_t *ret_pairs)
{
	for (size_t n = 1; n <= PAIRS; n++) {
		struct sequential_state state = look(p, ratios, n);

		*ret_pairs = n;
		if (state.decision != SEQUENTIAL_CONTINUE)
			return state.decision;
	}
	fail_msg("it must end at pairs_max");
	return SEQUENTIAL_CONTINUE;
}

static void decisions_fall_when_the_pairs_bear_them(void **state)
{
	(void)state;
	static const struct {
		double location, width;
		enum sequential_decision decision;
		size_t at_most;
	} rows[] = {
	    {0.7, 0.02, SEQUENTIAL_GREATER, 8}, {-0.7, 0.02, SEQUENTIAL_LESS, 8},
	    {0.1, 0.02, SEQUENTIAL_GREATER, 8}, {0.05, 0.04, SEQUENTIAL_GREATER, 20},
	    {-0.05, 0.04, SEQUENTIAL_LESS, 20}, {0, 0.01, SEQUENTIAL_EQUAL, 10},
	    {0, 0.03, SEQUENTIAL_EQUAL, 50},	{0.02, 0.1, SEQUENTIAL_UNKNOWN, 60},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double ratios[PAIRS];
		size_t pairs;

		make_pairs(ratios, rows[i].location, rows[i].width);
		assert_int_equal(decision(&plan, ratios, &pairs), rows[i].decision);
		assert_in_range(pairs, 8, rows[i].at_most);
	}
}

static void too_few_pairs_never_decide(void **state)
{
	(void)state;
	double ratios[PAIRS];
	struct sequential_plan later = plan;

	make_pairs(ratios, 5, 0);
	for (size_t n = 1; n < 8; n++) {
		struct sequential_state got = look(&plan, ratios, n);

		assert_int_equal(got.decision, SEQUENTIAL_CONTINUE);
		assert_true(isinf(got.low) && isinf(got.high) && got.p == 1 &&
			    isinf(got.detectable));
		assert_true(got.location == 5 && got.pairs == n);
	}
	assert_int_equal(look(&plan, ratios, 8).decision, SEQUENTIAL_GREATER);
	later.pairs_min = 15;
	for (size_t n = 1; n < 15; n++)
		assert_int_equal(look(&later, ratios, n).decision, SEQUENTIAL_CONTINUE);
	assert_int_equal(look(&later, ratios, 15).decision, SEQUENTIAL_GREATER);
	/* A stricter level asks for more pairs, and ends unknown where there are none. */
	later = plan;
	later.alpha = 1e-4;
	assert_int_equal(look(&later, ratios, 8).decision, SEQUENTIAL_CONTINUE);
	assert_int_equal(look(&later, ratios, 14).decision, SEQUENTIAL_GREATER);
	later.pairs_max = 1;
	assert_int_equal(look(&later, ratios, 1).decision, SEQUENTIAL_UNKNOWN);
}

static void equal_values_give_only_what_they_bear(void **state)
{
	(void)state;
	double ratios[PAIRS];
	struct sequential_plan none = plan;
	size_t pairs;

	make_pairs(ratios, 0, 0);
	assert_int_equal(decision(&plan, ratios, &pairs), SEQUENTIAL_EQUAL);
	none.tolerance = 0;
	assert_int_equal(decision(&none, ratios, &pairs), SEQUENTIAL_UNKNOWN);
	assert_true(look(&none, ratios, PAIRS).p == 1);
	/* Two modes: three quarters of equal programs' pairs at 0, the rest at one. */
	for (size_t i = 0; i < PAIRS; i++)
		ratios[i] = i % 4 == 3 ? (i % 8 == 3 ? 0.1 : -0.1) : 0;
	assert_int_equal(decision(&none, ratios, &pairs), SEQUENTIAL_UNKNOWN);
	for (size_t i = 0; i < PAIRS; i++)
		ratios[i] = i % 2 == 0 ? 0.1 : -0.1;
	assert_int_equal(decision(&none, ratios, &pairs), SEQUENTIAL_UNKNOWN);
}

static void pairs_between_looks_decide_nothing(void **state)
{
	(void)state;
	double ratios[PAIRS];

	make_pairs(ratios, 0.04, 0.06);
	for (size_t n = 8; n < PAIRS; n++) {
		struct sequential_state at, after;

		if (sequential_next_look(&plan, n) == n)
			continue;
		at = look(&plan, ratios, n - 1);
		after = look(&plan, ratios, n);
		assert_true(at.p == after.p && at.low == after.low && at.high == after.high);
		assert_int_equal(at.decision, after.decision);
		assert_true(after.low <= after.location && after.location <= after.high);
	}
}

static void evidence_never_gets_lost(void **state)
{
	(void)state;
	double ratios[PAIRS], p = 1;

	make_pairs(ratios, 0.01, 0.06);
	for (size_t n = 1; n <= PAIRS; n++) {
		double next = look(&plan, ratios, n).p;

		assert_true(next <= p);
		p = next;
	}
}

static void what_lies_within_the_indifference_is_no_verdict(void **state)
{
	(void)state;
	double ratios[PAIRS];
	struct sequential_plan indifferent = plan;
	size_t pairs;

	indifferent.tolerance = 0;
	make_pairs(ratios, 0.015, 0.01);
	assert_int_equal(decision(&indifferent, ratios, &pairs), SEQUENTIAL_GREATER);
	indifferent.indifference = 0.02;
	assert_int_equal(decision(&indifferent, ratios, &pairs), SEQUENTIAL_UNKNOWN);
	make_pairs(ratios, 0.05, 0.01);
	assert_int_equal(decision(&indifferent, ratios, &pairs), SEQUENTIAL_GREATER);
	make_pairs(ratios, -0.05, 0.01);
	assert_int_equal(decision(&indifferent, ratios, &pairs), SEQUENTIAL_LESS);
}

static void swapping_negates_to_the_last_bit(void **state)
{
	(void)state;
	double ratios[PAIRS], swapped[PAIRS];

	make_pairs(ratios, 0.013, 0.05);
	for (size_t i = 0; i < PAIRS; i++)
		swapped[i] = -ratios[i];
	for (size_t n = 1; n <= PAIRS; n++) {
		struct sequential_state one = look(&plan, ratios, n);
		struct sequential_state other = look(&plan, swapped, n);

		assert_true(one.location == -other.location && one.low == -other.high &&
			    one.high == -other.low && one.p == other.p &&
			    one.detectable == other.detectable &&
			    one.pairs_needed == other.pairs_needed);
	}
}

static void more_pairs_see_smaller_differences(void **state)
{
	(void)state;
	double ratios[PAIRS];
	struct sequential_state few, many;

	make_pairs(ratios, 0, 0.04);
	few = look(&plan, ratios, 17);
	many = look(&plan, ratios, 58);
	assert_true(many.detectable < few.detectable && many.detectable > 0);
	assert_true(many.pairs_needed >= 58 && many.pairs_needed < 200);
	make_pairs(ratios, 0, 4);
	assert_true(look(&plan, ratios, 58).pairs_needed > 1000);
}

static void input_that_cannot_be_is_refused(void **state)
{
	(void)state;
	static double ratios[SIGNED_RANK_VALUES_MAX + 1];
	const struct sequential_plan bad[] = {{.alpha = 0, .power = 0.9},
					      {.alpha = NAN, .power = 0.9},
					      {.alpha = 0.002, .power = 1},
					      {.alpha = 0.002, .power = 0.9, .tolerance = -1}};
	struct sequential_state got = {.pairs = 99};
	struct err err = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sequential_look(&bad[i], ratios, 9, &got, &err), -ERR_USAGE);
	assert_int_equal(sequential_look(&plan, ratios, SIGNED_RANK_VALUES_MAX + 1, &got, &err),
			 -ERR_LIMIT);
	ratios[4] = NAN;
	assert_int_equal(sequential_look(&plan, ratios, 9, &got, &err), -ERR_USAGE);
	assert_int_equal(got.pairs, 99);
	assert_int_equal(sequential_look(&plan, ratios, 4, &got, &err), 0);
}

static void missing_memory_is_said(void **state)
{
	(void)state;
	double ratios[PAIRS];

	make_pairs(ratios, 0.05, 0.04);
	for (long n = 0; n < 1000; n++) {
		struct sequential_state got;
		bool failed;
		int r;

		mem_fail_after(n);
		r = sequential_look(&plan, ratios, 30, &got, NULL);
		failed = mem_failed();
		mem_fail_after(-1);
		assert_int_equal(r, failed ? -ERR_MEMORY : 0);
		if (!failed)
			return;
	}
	fail();
}

static void holm_rejects_as_its_paper_says(void **state)
{
	(void)state;
	static const struct {
		double p[4];
		size_t n;
		bool rejected[4];
	} rows[] = {
	    {{0.01, 0.04, 0.03, 0.005}, 4, {true, false, false, true}},
	    {{0.0125, 0.0166, 0.025, 0.05}, 4, {true, true, true, true}},
	    {{0.02, 0.02, 0.02, 0.02}, 4, {false, false, false, false}},
	    {{0.05}, 1, {true}},
	    {{NAN, 0.001, 1, 0.9}, 4, {false, true, false, false}},
	};
	bool rejected[4];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		holm(rows[i].p, rows[i].n, 0.05, rejected);
		for (size_t k = 0; k < rows[i].n; k++)
			assert_int_equal(rejected[k], rows[i].rejected[k]);
	}
	holm(NULL, 0, 0.05, rejected);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decisions_fall_when_the_pairs_bear_them),
	    cmocka_unit_test(too_few_pairs_never_decide),
	    cmocka_unit_test(equal_values_give_only_what_they_bear),
	    cmocka_unit_test(pairs_between_looks_decide_nothing),
	    cmocka_unit_test(evidence_never_gets_lost),
	    cmocka_unit_test(what_lies_within_the_indifference_is_no_verdict),
	    cmocka_unit_test(swapping_negates_to_the_last_bit),
	    cmocka_unit_test(more_pairs_see_smaller_differences),
	    cmocka_unit_test(input_that_cannot_be_is_refused),
	    cmocka_unit_test(missing_memory_is_said),
	    cmocka_unit_test(holm_rejects_as_its_paper_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
