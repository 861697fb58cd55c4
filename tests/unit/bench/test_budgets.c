/* Budgets and waivers as they are written, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "bench/budgets.h"
#include "bench/waivers.h"

static void limits_are_read_with_their_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		double limit;
		enum budget_unit unit;
	} rows[] = {
	    {"12ms", 0.012, UNIT_SECONDS},
	    {"12 ms", 0.012, UNIT_SECONDS},
	    {"3", 3, UNIT_PLAIN},
	    {"1.5e3", 1500, UNIT_PLAIN},
	    {"2min", 120, UNIT_SECONDS},
	    {"5%", 0.05, UNIT_PART},
	    {"200MiB", 0xc8p20, UNIT_BYTES},
	    {"1 kB", 1000, UNIT_BYTES},
	    {"7µs", 7e-6, UNIT_SECONDS},
	    {"90/s", 90, UNIT_PER_SECOND},
	};
	static const char *const bad[] = {"",	   "ms",  "-1s", "1 s s", "nan", "inf",
					  "1e999", " 1s", "+1s", "1sec",  ".5s", "5 percent"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum budget_unit unit;
		double limit;

		assert_int_equal(budget_limit_parse(rows[i].text, &limit, &unit, NULL), 0);
		assert_true(fabs(limit - rows[i].limit) <= 1e-12 * rows[i].limit);
		assert_int_equal(unit, rows[i].unit);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum budget_unit unit;
		double limit = 99;

		assert_int_equal(budget_limit_parse(bad[i], &limit, &unit, NULL), -ERR_USAGE);
		assert_true(limit == 99);
	}
}

static void tables_become_budgets_in_their_order(void **state)
{
	(void)state;
	static const char text[] = "[tool.pyrometer.budgets]\n"
				   "baseline = \"rev:main\"\n"
				   "drift = \"3%\"\n"
				   "[tool.pyrometer.budgets.\"b.py::*\"]\n"
				   "p95 = \"12ms\"\n"
				   "peak_memory = \"1MiB\"\n"
				   "[tool.pyrometer.budgets.\"import:a.b\"]\n"
				   "banned = [\"x\", \"y\"]\n"
				   "modules = \"m.txt\"\n";
	struct budgets budgets;

	budgets_init(&budgets);
	assert_int_equal(budgets_parse(&budgets, "p.toml", text, strlen(text), NULL), 0);
	assert_int_equal(budgets.count, 4);
	assert_string_equal(budgets.baseline, "rev:main");
	assert_true(fabs(budgets.drift - 0.03) < 1e-12);
	assert_int_equal(budgets.items[0].metric, BUDGET_QUANTILE);
	assert_true(budgets.items[0].quantile == 0.95 && budgets.items[0].line == 5);
	assert_int_equal(budgets.items[1].metric, BUDGET_PEAK_MEMORY);
	assert_true(budget_fits(&budgets.items[0], "b.py::bench_x"));
	assert_false(budget_fits(&budgets.items[0], "c.py::bench_x"));
	assert_true(budget_is_import(&budgets.items[2]) && budgets.items[2].text_count == 2);
	assert_string_equal(budgets.items[3].file, "m.txt");
	budgets_release(&budgets);
}

static void errors_name_the_line(void **state)
{
	(void)state;
	static const char text[] = "[tool.pyrometer.budgets.x]\np95 = \"1s\"\nmedain = \"1s\"\n";
	struct budgets budgets;
	struct err err = {0};

	budgets_init(&budgets);
	assert_int_equal(budgets_parse(&budgets, "p.toml", text, strlen(text), &err), -ERR_USAGE);
	assert_non_null(strstr(err.what, "p.toml:3"));
	assert_non_null(strstr(err.why, "median"));
	budgets_release(&budgets);
}

static void only_a_pattern_fits_other_names(void **state)
{
	(void)state;
	const struct budget exact = {.name = "a(n=1)"}, pattern = {.name = "a(n=?)"};

	assert_true(budget_fits(&exact, "a(n=1)"));
	assert_false(budget_fits(&exact, "a(n=2)"));
	assert_true(budget_fits(&pattern, "a(n=2)"));
	assert_false(budget_fits(&pattern, "a(n=12)"));
}

static void waivers_end_with_their_day(void **state)
{
	(void)state;
	static const char text[] = "[tool.pyrometer.waivers.\"b*\"]\nreason = \"r\"\n"
				   "until = \"2026-02-28\"\nbudgets = [\"p95\"]\n";
	struct waivers waivers;

	waivers_init(&waivers);
	assert_int_equal(waivers_parse(&waivers, "p.toml", text, strlen(text), NULL), 0);
	assert_int_equal(waivers.count, 1);
	assert_true(waiver_fits(&waivers.items[0], "bench", "p95"));
	assert_false(waiver_fits(&waivers.items[0], "bench", "max"));
	assert_false(waiver_fits(&waivers.items[0], "a", "p95"));
	assert_false(waiver_expired(&waivers.items[0], "2026-02-28"));
	assert_true(waiver_expired(&waivers.items[0], "2026-03-01"));
	waivers_release(&waivers);
}

static void only_days_that_exist_are_taken(void **state)
{
	(void)state;
	static const struct {
		const char *day;
		bool exists;
	} rows[] = {{"2024-02-29", true},  {"2000-02-29", true},  {"2100-02-29", false},
		    {"2026-04-31", false}, {"2026-00-01", false}, {"2026-13-01", false},
		    {"2026-1-01", false},  {"26-01-01", false},	  {"2026-01-01x", false},
		    {"+026-01-01", false}, {"2026-01- 1", false}, {"2026-12-31", true}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct waivers waivers;
		char text[128];

		snprintf(text, sizeof(text),
			 "[tool.pyrometer.waivers.x]\nreason = \"r\"\nuntil = \"%s\"\n",
			 rows[i].day);
		waivers_init(&waivers);
		assert_int_equal(waivers_parse(&waivers, "p.toml", text, strlen(text), NULL),
				 rows[i].exists ? 0 : -ERR_USAGE);
		waivers_release(&waivers);
	}
}

static void a_day_is_that_of_utc(void **state)
{
	(void)state;
	char text[DATE_SIZE];

	date_of(0, text);
	assert_string_equal(text, "1970-01-01");
	date_of(951782400, text);
	assert_string_equal(text, "2000-02-29");
}

static void any_allocation_may_fail(void **state)
{
	(void)state;
	static const char text[] = "[tool.pyrometer.budgets.x]\np95 = \"1s\"\n"
				   "[tool.pyrometer.budgets.\"import:x\"]\nbanned = [\"y\"]\n"
				   "[tool.pyrometer.waivers.x]\nreason = \"r\"\n"
				   "until = \"2026-02-28\"\nbudgets = [\"p95\"]\n";

	for (long n = 0; n < 200; n++) {
		struct budgets budgets;
		struct waivers waivers;
		bool failed;
		int r;

		budgets_init(&budgets);
		waivers_init(&waivers);
		mem_fail_after(n);
		r = budgets_parse(&budgets, "p.toml", text, strlen(text), NULL);
		if (r == 0)
			r = waivers_parse(&waivers, "p.toml", text, strlen(text), NULL);
		failed = mem_failed();
		mem_fail_after(-1);
		budgets_release(&budgets);
		waivers_release(&waivers);
		assert_int_equal(r, failed ? -ERR_MEMORY : 0);
		if (!failed)
			return;
	}
	fail();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(limits_are_read_with_their_units),
	    cmocka_unit_test(tables_become_budgets_in_their_order),
	    cmocka_unit_test(errors_name_the_line),
	    cmocka_unit_test(only_a_pattern_fits_other_names),
	    cmocka_unit_test(waivers_end_with_their_day),
	    cmocka_unit_test(only_days_that_exist_are_taken),
	    cmocka_unit_test(a_day_is_that_of_utc),
	    cmocka_unit_test(any_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
