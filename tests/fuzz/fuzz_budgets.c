/* Budgets and waivers from memory: whatever the bytes, they are limits and days that hold, or an
 * error with its line. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "bench/budgets.h"
#include "bench/waivers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_budget(const struct budget *budget)
{
	if (budget->name == NULL || budget->key == NULL || budget->text == NULL ||
	    budget->line < 1 || !(budget->limit >= 0) || !isfinite(budget->limit) ||
	    !(budget->quantile >= 0 && budget->quantile <= 1) ||
	    (budget->text_count > 0 && budget->texts == NULL))
		abort();
	budget_fits(budget, "bench_orders.py::bench_match");
}

static void check_waiver(const struct waiver *waiver)
{
	if (waiver->name == NULL || waiver->reason == NULL || strlen(waiver->until) != 10)
		abort();
	waiver_fits(waiver, "bench_orders.py::bench_match", "p95");
	waiver_expired(waiver, "2026-01-01");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct budgets budgets;
	struct waivers waivers;
	struct err err = {.code = 0};
	int r;

	budgets_init(&budgets);
	r = budgets_parse(&budgets, "pyproject.toml", (const char *)data, size, &err);
	if (r != (err.code == 0 ? 0 : -err.code) || budgets.count > BUDGETS_MAX)
		abort();
	for (size_t i = 0; i < budgets.count; i++)
		check_budget(&budgets.items[i]);
	budgets_release(&budgets);

	err.code = 0;
	waivers_init(&waivers);
	r = waivers_parse(&waivers, "pyproject.toml", (const char *)data, size, &err);
	if (r != (err.code == 0 ? 0 : -err.code) || waivers.count > WAIVERS_MAX)
		abort();
	for (size_t i = 0; i < waivers.count && r == 0; i++)
		check_waiver(&waivers.items[i]);
	waivers_release(&waivers);
	return 0;
}
