/* The page and the JSON of compare, for each verdict. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "report/compare_view.h"

static const struct terminal plain = {.columns = 80, .utf8 = true};
static const struct terminal ascii = {.columns = 80};

/* Twelve pairs of 9 s that give a ratio and its interval. */
static struct pairing_result pairs(double ratio, double low, double high)
{
	struct pairing_result result = {
	    .pair_count = 12,
	    .elapsed_s = 9,
	    .pair_cost_s = 0.75,
	    .state = {.pairs = 12,
		      .location = log(ratio),
		      .low = log(low),
		      .high = log(high),
		      .p = 0.0001,
		      .detectable = log(1.021),
		      .pairs_needed = 52},
	};

	bench_counters_clear(&result.counters_a);
	bench_counters_clear(&result.counters_b);
	return result;
}

static struct comparison compare(const struct comparison_row *rows, size_t count)
{
	return (struct comparison){
	    .a = {.label = "rev:main",
		  .revision = "0123456789abcdef0123456789abcdef01234567",
		  .subject = "the old way",
		  .python = "CPython 3.12.1"},
	    .b = {.label = ".", .python = "CPython 3.12.1"},
	    .rows = rows,
	    .row_count = count,
	    .alpha = 0.002,
	    .tolerance = log(1.01),
	    .elapsed_s = 9,
	    .created_s = 1767225600,
	};
}

static char *print(const struct comparison *comparison, const struct terminal *terminal)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	assert_int_equal(compare_view_print(stream, comparison, terminal, NULL), 0);
	fclose(stream);
	if (getenv("SHOW_REPORT") != NULL)
		printf("%s----\n", text);
	for (const char *line = text; *line != '\0';) {
		size_t length = strcspn(line, "\n");

		assert_true(text_display_width_n(line, length) <= 80);
		line += length + (line[length] == '\n');
	}
	return text;
}

/* Whether the page says it, wherever its lines break. */
static bool says(const char *text, const char *wanted)
{
	size_t used = 0;
	char *joined = strdup(text);
	bool found;

	assert_non_null(joined);
	for (const char *c = text; *c != '\0'; c++) {
		bool blank = *c == ' ' || *c == '\n';

		if (!blank || used == 0 || joined[used - 1] != ' ')
			joined[used++] = blank ? ' ' : *c;
	}
	joined[used] = '\0';
	found = strstr(joined, wanted) != NULL;
	free(joined);
	return found;
}

static void each_verdict_has_its_sentence_first(void **state)
{
	static const struct {
		enum verdict verdict;
		double ratio, low, high;
		bool exact;
		const char *sentence;
	} rows[] = {
	    {VERDICT_REGRESSION, 1.042, 1.031, 1.053, false, "B takes 4.2 % longer (3.1 to 5.3)."},
	    {VERDICT_IMPROVEMENT, 0.9, 0.88, 0.92, false, "B takes 10 % less time (8.0 to 12.0)."},
	    {VERDICT_REGRESSION, 2.5, 2.4, 2.6, false,
	     "B takes 2.50 times as long (2.40 to 2.60)."},
	    {VERDICT_REGRESSION, 1.1, 1.1, 1.1, true, "B takes 10 % longer, the same each time."},
	    {VERDICT_PASS, 1.001, 0.995, 1.006, false,
	     "no difference beyond 1.0 % (B against A: -0.50 to +0.60 %)."},
	    {VERDICT_PASS, 1, 1, 1, true, "no difference: A and B give the same value each time."},
	    {VERDICT_CANNOT_TELL, 1.01, 0.98, 1.04, false,
	     "cannot tell: a difference of 2.1 % would have been seen; 40 more pairs (30.00 s) "
	     "would tell 1.0 %."},
	    {VERDICT_NOT_MEASURED, 1, 1, 1, false, "not measured: B raised ValueError: no."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pairing_result result = pairs(rows[i].ratio, rows[i].low, rows[i].high);
		struct comparison_row row = {"app:parse", &result, rows[i].verdict};
		struct comparison comparison = compare(&row, 1);
		char sentence[COMPARISON_TEXT_MAX];
		char *text;

		result.exact = rows[i].exact;
		result.failure = (char *)"B raised ValueError: no";
		text = print(&comparison, &plain);
		comparison_sentence(&comparison, &row, sentence, sizeof(sentence));
		assert_memory_equal(sentence, rows[i].sentence, strlen(sentence));
		assert_true(says(text, rows[i].sentence));
		/* First: before the sides are named. */
		assert_memory_equal(text, rows[i].sentence, 20);
		assert_true(says(text, "A rev:main 0123456789ab CPython 3.12.1 the old way"));
		free(text);
	}
}

static void too_few_pairs_claim_nothing(void **state)
{
	struct pairing_result result = pairs(1.2, 0.9, 1.5);
	struct comparison_row row = {"app:parse", &result, VERDICT_CANNOT_TELL};
	struct comparison comparison = compare(&row, 1);
	char *text;

	(void)state;
	result.pair_count = 2;
	result.state.low = -INFINITY;
	result.state.high = INFINITY;
	result.state.detectable = INFINITY;
	result.state.pairs_needed = SIZE_MAX;
	text = print(&comparison, &ascii);
	assert_true(says(text, "cannot tell: 2 pairs tell nothing of a difference yet."));
	assert_null(strstr(text, "inf"));
	assert_null(strstr(text, "nan"));
	for (const char *c = text; *c != '\0'; c++)
		assert_true((unsigned char)*c < 0x80);
	free(text);
}

static void the_worst_of_a_suite_comes_first(void **state)
{
	struct pairing_result results[] = {pairs(1.001, 0.995, 1.006), pairs(1.05, 1.03, 1.07),
					   pairs(1.3, 1.2, 1.4), pairs(1.01, 0.9, 1.2)};
	const struct comparison_row rows[] = {{"equal", &results[0], VERDICT_PASS},
					      {"slower", &results[1], VERDICT_REGRESSION},
					      {"slowest", &results[2], VERDICT_REGRESSION},
					      {"unknown", &results[3], VERDICT_CANNOT_TELL}};
	struct comparison comparison = compare(rows, 4);
	char *text;

	(void)state;
	results[1].counters_exact = PAIR_CALLS | PAIR_MODULES;
	results[1].counters_differ = PAIR_CALLS;
	results[1].counters_a.calls = 1000;
	results[1].counters_b.calls = 1100;
	results[1].counters_a.modules = results[1].counters_b.modules = 48;
	assert_int_equal(comparison_verdict(&comparison), VERDICT_REGRESSION);
	text = print(&comparison, &plain);
	assert_memory_equal(text, "slowest: B takes 30 % longer", 28);
	assert_true(says(text, "4 benchmarks, 1 pass, 2 regression, 1 cannot tell"));
	assert_true(says(text, "slower calls 1,000 → 1,100 modules 48, the same"));
	assert_true(says(text, "unknown: cannot tell: a difference of 2.1 %"));
	free(text);
}

static void nothing_compared_is_not_green(void **state)
{
	struct comparison comparison = compare(NULL, 0);
	char *text = print(&comparison, &plain);

	(void)state;
	assert_int_equal(comparison_verdict(&comparison), VERDICT_NOT_MEASURED);
	assert_memory_equal(text, "not measured", 12);
	free(text);
}

static double member(const json_t *object, const char *key)
{
	assert_true(json_is_number(json_object_get(object, key)));
	return json_number_value(json_object_get(object, key));
}

static void json_has_ratios_not_logarithms(void **state)
{
	double log_ratios[] = {0.04, 0.05};
	struct pairing_result results[] = {pairs(1.042, 1.031, 1.053), pairs(1, 1, 1)};
	const struct comparison_row rows[] = {{"app:parse", &results[0], VERDICT_REGRESSION},
					      {"app:gone", &results[1], VERDICT_NOT_MEASURED}};
	struct comparison comparison = compare(rows, 2);
	json_t *root, *first, *second;
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	results[0].log_ratios = log_ratios;
	results[0].pair_count = 2;
	results[1].failure = (char *)"gone in B";
	assert_int_equal(compare_json_write(stream, &comparison, NULL), 0);
	fclose(stream);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	first = json_array_get(json_object_get(root, "benchmarks"), 0);
	second = json_array_get(json_object_get(root, "benchmarks"), 1);
	assert_int_equal(member(root, "schema_version"), 1);
	assert_true(fabs(member(first, "ratio") - 1.042) < 1e-8);
	assert_true(fabs(member(first, "low") - 1.031) < 1e-8);
	assert_true(fabs(member(first, "high") - 1.053) < 1e-8);
	assert_true(fabs(member(first, "detectable") - 0.021) < 1e-8);
	assert_int_equal(member(first, "pairs"), 2);
	assert_int_equal(json_array_size(json_object_get(first, "log_ratios")), 2);
	assert_string_equal(json_string_value(json_object_get(first, "verdict")), "regression");
	assert_true(json_is_null(json_object_get(second, "ratio")));
	assert_string_equal(json_string_value(json_object_get(second, "failure")), "gone in B");
	assert_string_equal(json_string_value(json_object_get(root, "verdict")), "regression");
	json_decref(root);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_verdict_has_its_sentence_first),
	    cmocka_unit_test(too_few_pairs_claim_nothing),
	    cmocka_unit_test(the_worst_of_a_suite_comes_first),
	    cmocka_unit_test(nothing_compared_is_not_green),
	    cmocka_unit_test(json_has_ratios_not_logarithms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
