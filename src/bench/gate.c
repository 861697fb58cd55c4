/* Rows of a gate: which budget is about what, verdicts, waivers, exit code. */
#include "bench/gate.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "bench/imports.h"
#include "bench/result.h"
#include "stats/paired.h"
#include "stats/sequential.h"

#define TEXTS_BYTES_MAX ((size_t)16 << 20)
#define ROWS_MAX 100000
#define TEXT_MAX 1024

void gate_init(struct gate *gate, const struct budgets *budgets, struct waivers *waivers,
	       double now_unix_s)
{
	*gate = (struct gate){.budgets = budgets, .waivers = waivers, .noise = NAN};
	arena_init(&gate->arena, TEXTS_BYTES_MAX);
	date_of(now_unix_s, gate->today);
}

void gate_release(struct gate *gate)
{
	mem_free(gate->rows);
	arena_release(&gate->arena);
	gate->rows = NULL;
	gate->count = gate->capacity = 0;
}

const char *gate_text(struct gate *gate, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	int length;

	va_start(arguments, fmt);
	length = vsnprintf(text, sizeof(text), fmt, arguments);
	va_end(arguments);
	if (length < 0)
		return NULL;
	return arena_copy_text(&gate->arena, text, strlen(text));
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "no memory to judge the budgets");
}

const char *gate_benchmark_name(struct gate *gate, const struct benchmark *benchmark)
{
	const char *name = arena_copy_text(&gate->arena, benchmark->name, strlen(benchmark->name));

	/* Our own names have their parameters in them. */
	if (strchr(benchmark->name, '(') != NULL)
		return name;
	for (size_t i = 0; i < benchmark->param_count && name != NULL; i++)
		name = gate_text(gate, "%s%s%s=%s%s", name, i == 0 ? "(" : ", ",
				 benchmark->params[i].name, benchmark->params[i].value,
				 i + 1 == benchmark->param_count ? ")" : "");
	return name;
}

bool gate_decides(const struct gate *gate, const struct budget *budget, const char *benchmark)
{
	const struct budgets *budgets = gate->budgets;

	for (size_t i = (size_t)(budget - budgets->items) + 1; i < budgets->count; i++)
		if (strcmp(budgets->items[i].key, budget->key) == 0 &&
		    budget_fits(&budgets->items[i], benchmark))
			return false;
	return budget_fits(budget, benchmark);
}

/* --- rows --------------------------------------------------------------------------------------
 */

/* The longest valid one counts; an expired one is only told of. */
static int apply_waivers(struct gate *gate, struct gate_row *row, struct err *err)
{
	const char *expired = NULL;

	if (row->verdict != GATE_FAIL && row->verdict != GATE_CANNOT_TELL)
		return 0;
	for (size_t i = 0; i < gate->waivers->count; i++) {
		struct waiver *waiver = &gate->waivers->items[i];

		if (!waiver_fits(waiver, row->name, row->budget->key))
			continue;
		waiver->used = true;
		if (waiver_expired(waiver, gate->today))
			expired = waiver->until;
		else if (row->waiver == NULL || strcmp(waiver->until, row->waiver->until) > 0)
			row->waiver = waiver;
	}
	if (row->waiver != NULL) {
		row->verdict = GATE_WAIVED;
	} else if (expired != NULL) {
		row->reason = gate_text(gate, "%s%sits waiver expired on %s",
					row->reason != NULL ? row->reason : "",
					row->reason != NULL ? "; " : "", expired);
		if (row->reason == NULL)
			return no_memory(err);
	}
	return 0;
}

int gate_add_row(struct gate *gate, const struct gate_row *given, struct err *err)
{
	struct gate_row row = *given;
	int r;

	if (row.name == NULL || row.unit == NULL)
		return no_memory(err);
	r = apply_waivers(gate, &row, err);
	if (r == 0 && grow_array((void **)&gate->rows, &gate->capacity, gate->count + 1,
				 sizeof(*gate->rows), ROWS_MAX) < 0)
		r = no_memory(err);
	if (r == 0)
		gate->rows[gate->count++] = row;
	return r;
}

enum gate_verdict gate_verdict(const struct gate *gate)
{
	enum gate_verdict verdict = GATE_PASS;

	if (gate->count == 0)
		return GATE_NOT_MEASURED;
	for (size_t i = 0; i < gate->count; i++)
		if (gate->rows[i].verdict > verdict)
			verdict = gate->rows[i].verdict;
	return verdict;
}

static const struct {
	const char *name;
	int exit_code;
} verdicts[] = {
    [GATE_PASS] = {"pass", 0},
    [GATE_WAIVED] = {"waived", 0},
    [GATE_CANNOT_TELL] = {"cannot-tell", ERR_CANNOT_TELL},
    [GATE_REFUSED] = {"refused", ERR_CANNOT_TELL},
    [GATE_NOT_MEASURED] = {"not-measured", ERR_NOT_MEASURED},
    [GATE_FAIL] = {"fail", ERR_GATE},
};

const char *gate_verdict_name(enum gate_verdict verdict)
{
	return verdicts[verdict].name;
}

int gate_exit_code(enum gate_verdict verdict)
{
	return verdicts[verdict].exit_code;
}

/* --- in pairs
 * ------------------------------------------------------------------------------------- */

int gate_add_pairs(struct gate *gate, const struct budget *budget, const char *name,
		   const struct sequential_state *state, const char *failure, struct err *err)
{
	struct gate_row row = {.name = gate_text(gate, "%s", name),
			       .budget = budget,
			       .unit = "%",
			       .value = NAN,
			       .low = NAN,
			       .high = NAN,
			       .verdict = GATE_NOT_MEASURED};
	double limit = log1p(budget->limit);

	if (failure != NULL) {
		row.reason = gate_text(gate, "%s", failure);
		return row.reason != NULL ? gate_add_row(gate, &row, err) : no_memory(err);
	}
	if (gate_refuse_below_noise(gate, &row))
		return gate_add_row(gate, &row, err);
	row.value = expm1(state->location);
	row.low = expm1(state->low);
	row.high = expm1(state->high);
	row.verdict = state->decision == SEQUENTIAL_GREATER ? GATE_FAIL
		      : state->high <= limit		    ? GATE_PASS
							    : GATE_CANNOT_TELL;
	if (row.verdict == GATE_CANNOT_TELL && isfinite(state->detectable))
		row.reason = gate_text(gate, "%zu pairs would have shown %.1f %%", state->pairs,
				       expm1(state->detectable) * 100);
	else if (row.verdict == GATE_CANNOT_TELL)
		row.reason = gate_text(gate, "%zu pairs are too few", state->pairs);
	return gate_add_row(gate, &row, err);
}

/* --- imports
 * ---------------------------------------------------------------------------------------- */

/* Names of `these` that are not among `those`, up to three. Both are short enough to be searched
 * through: modules of one program. */
static size_t difference(const char *const *these, size_t count, const char *const *those,
			 size_t those_count, char *text, size_t size)
{
	size_t found = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		bool known = false;

		for (size_t k = 0; k < those_count && !known; k++)
			known = strcmp(these[i], those[k]) == 0;
		if (!known && found++ < 3)
			snprintf(text + strlen(text), size - strlen(text), "%s%.80s",
				 found > 1 ? ", " : "", these[i]);
	}
	if (found > 3)
		snprintf(text + strlen(text), size - strlen(text), " and %zu more", found - 3);
	return found;
}

/* Lines of a file of modules; empty ones and comments (#) are no modules. */
static int read_modules(struct gate *gate, const char *path, const char *const **ret_names,
			size_t *ret_count, struct err *err)
{
	char *bytes, *rest, *line;
	size_t size, count = 0, capacity = 1;
	const char **names;
	int r = budgets_read_file(path, &bytes, &size, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < size; i++)
		capacity += bytes[i] == '\n';
	names = arena_alloc(&gate->arena, (capacity + 1) * sizeof(*names));
	rest = bytes;
	while (names != NULL && count < capacity && (line = strsep(&rest, "\n")) != NULL) {
		line[strcspn(line, " \t\r#")] = '\0';
		if (line[0] != '\0')
			names[count++] = gate_text(gate, "%s", line);
		if (count > 0 && names[count - 1] == NULL)
			names = NULL;
	}
	mem_free(bytes);
	if (names == NULL)
		return no_memory(err);
	*ret_names = names;
	*ret_count = count;
	return 0;
}

static int judge_modules(struct gate *gate, const struct imports_result *result,
			 struct gate_row *row, struct err *err)
{
	const struct budget *budget = row->budget;
	const char *const *names = budget->texts;
	size_t count = budget->text_count, more, less;
	char added[320], gone[320];
	int r = budget->file != NULL ? read_modules(gate, budget->file, &names, &count, err) : 0;

	if (r < 0) {
		row->verdict = GATE_NOT_MEASURED;
		row->reason =
		    gate_text(gate, "the set of modules: %s", err != NULL ? err->what : "");
		if (err != NULL)
			err->code = 0;
		return r == -ERR_MEMORY ? r : 0;
	}
	more =
	    difference(result->modules, result->module_count, names, count, added, sizeof(added));
	less = difference(names, count, result->modules, result->module_count, gone, sizeof(gone));
	row->verdict = more + less > 0 ? GATE_FAIL : GATE_PASS;
	if (more + less > 0)
		row->reason =
		    gate_text(gate, "%s%s%s%s%s", more > 0 ? "new: " : "", added,
			      more > 0 && less > 0 ? "; " : "", less > 0 ? "gone: " : "", gone);
	return 0;
}

static void judge_banned(struct gate *gate, const struct imports_result *result,
			 struct gate_row *row)
{
	char text[320] = "";
	size_t found = 0;

	for (size_t i = 0; i < row->budget->text_count; i++) {
		const char *banned = row->budget->texts[i];
		size_t length = strlen(banned);
		bool there = false;

		/* With a package its modules are banned. */
		for (size_t k = 0; k < result->module_count && !there; k++)
			there = strncmp(result->modules[k], banned, length) == 0 &&
				(result->modules[k][length] == '\0' ||
				 result->modules[k][length] == '.');
		if (there && found++ < 3)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.80s",
				 found > 1 ? ", " : "", banned);
	}
	row->value = (double)found;
	row->verdict = found > 0 ? GATE_FAIL : GATE_PASS;
	if (found > 0)
		row->reason = gate_text(gate, "imported: %s%s", text, found > 3 ? " and more" : "");
}

static int judge_import_time(struct gate *gate, const struct imports_result *result,
			     struct gate_row *row, struct err *err)
{
	struct paired_estimate estimate;
	int r;

	row->unit = "s";
	if (result->pair_count == 0 || result->probed_imports_s == NULL) {
		row->reason = "it was not repeated";
		return 0;
	}
	r = paired_estimate_of(result->probed_imports_s, result->pair_count, 0.95, 0, &estimate,
			       err);
	if (r < 0)
		return r;
	row->value = estimate.location;
	row->low = estimate.low;
	row->high = estimate.high;
	gate_judge_limit(gate, row, false);
	return 0;
}

static int judge_one_import(struct gate *gate, const struct budget *budget,
			    const struct imports_result *result, const char *failure,
			    struct err *err)
{
	struct gate_row row = {.name = budget->name,
			       .budget = budget,
			       .unit = "",
			       .value = NAN,
			       .low = NAN,
			       .high = NAN,
			       .verdict = GATE_NOT_MEASURED};
	int r = 0;

	if (failure != NULL) {
		row.reason = gate_text(gate, "%s", failure);
	} else if (budget->metric == BUDGET_MODULES) {
		row.value = (double)result->module_count;
		r = judge_modules(gate, result, &row, err);
	} else if (budget->metric == BUDGET_BANNED) {
		judge_banned(gate, result, &row);
	} else if (budget->metric == BUDGET_MODULE_COUNT) {
		row.value = (double)result->module_count;
		row.verdict = row.value > budget->limit ? GATE_FAIL : GATE_PASS;
	} else {
		r = judge_import_time(gate, result, &row, err);
	}
	return r == 0 ? gate_add_row(gate, &row, err) : r;
}

int gate_judge_import(struct gate *gate, const char *table, const struct imports_result *result,
		      const char *failure, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < gate->budgets->count && r == 0; i++)
		if (strcmp(gate->budgets->items[i].name, table) == 0)
			r = judge_one_import(gate, &gate->budgets->items[i], result, failure, err);
	return r;
}
