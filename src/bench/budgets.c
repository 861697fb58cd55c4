/* [tool.pyrometer.budgets]: keys by table, limits with their units. */
#include "bench/budgets.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/options.h"
#include "base/toml.h"

#define TEXTS_BYTES_MAX ((size_t)16 << 20)
#define KEYS_HELP "pyrometer gate --help"

static const char *const prefix[] = {"tool", "pyrometer", "budgets", NULL};

struct budget_key {
	const char *name;
	enum budget_metric metric;
	double quantile;
	unsigned units; /* bits of enum budget_unit; 0: takes texts */
	bool import;	/* only for import:MODULE */
};

#define U(unit) (1u << UNIT_##unit)
#define OF_VALUES (U(PLAIN) | U(SECONDS) | U(BYTES))

/* pNN stands for any percentile. */
static const struct budget_key keys[] = {
    {"min", BUDGET_QUANTILE, 0, OF_VALUES, false},
    {"median", BUDGET_QUANTILE, 0.5, OF_VALUES, false},
    {"p90", BUDGET_QUANTILE, 0.9, OF_VALUES, false},
    {"p95", BUDGET_QUANTILE, 0.95, OF_VALUES, false},
    {"p99", BUDGET_QUANTILE, 0.99, OF_VALUES, false},
    {"max", BUDGET_QUANTILE, 1, OF_VALUES, false},
    {"mean", BUDGET_MEAN, 0, OF_VALUES, false},
    {"throughput", BUDGET_THROUGHPUT, 0, U(PLAIN) | U(PER_SECOND), false},
    {"cpu", BUDGET_CPU, 0, U(PLAIN) | U(SECONDS), false},
    {"peak-memory", BUDGET_PEAK_MEMORY, 0, U(PLAIN) | U(BYTES), false},
    {"slower", BUDGET_SLOWER, 0, U(PART), false},
    {"more-cpu", BUDGET_MORE_CPU, 0, U(PART), false},
    {"more-memory", BUDGET_MORE_MEMORY, 0, U(PART), false},
    {"import-time", BUDGET_IMPORT_TIME, 0, U(PLAIN) | U(SECONDS), true},
    {"module-count", BUDGET_MODULE_COUNT, 0, U(PLAIN), true},
    {"modules", BUDGET_MODULES, 0, 0, true},
    {"banned", BUDGET_BANNED, 0, 0, true},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static const char *const settings[] = {"baseline", "results",	 "python",
				       "drift",	   "benchmarks", NULL};

void budgets_init(struct budgets *budgets)
{
	*budgets = (struct budgets){.drift = NAN};
	arena_init(&budgets->arena, TEXTS_BYTES_MAX);
}

void budgets_release(struct budgets *budgets)
{
	mem_free(budgets->items);
	arena_release(&budgets->arena);
	budgets_init(budgets);
}

/* --- limits ------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	double factor;
	enum budget_unit unit;
} suffixes[] = {
    {"", 1, UNIT_PLAIN},	 {"ns", 1e-9, UNIT_SECONDS},  {"us", 1e-6, UNIT_SECONDS},
    {"µs", 1e-6, UNIT_SECONDS},	 {"ms", 1e-3, UNIT_SECONDS},  {"s", 1, UNIT_SECONDS},
    {"min", 60, UNIT_SECONDS},	 {"B", 1, UNIT_BYTES},	      {"kB", 1e3, UNIT_BYTES},
    {"MB", 1e6, UNIT_BYTES},	 {"GB", 1e9, UNIT_BYTES},     {"KiB", 0x1p10, UNIT_BYTES},
    {"MiB", 0x1p20, UNIT_BYTES}, {"GiB", 0x1p30, UNIT_BYTES}, {"%", 0.01, UNIT_PART},
    {"/s", 1, UNIT_PER_SECOND},
};

int budget_limit_parse(const char *text, double *ret_limit, enum budget_unit *ret_unit,
		       struct err *err)
{
	char *end;
	double number;
	int r;

	errno = 0;
	number = strtod(text, &end);
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && end != text; i++)
		if (isdigit((unsigned char)text[0]) && isfinite(number) &&
		    strcmp(end, suffixes[i].name) == 0) {
			*ret_limit = number * suffixes[i].factor;
			*ret_unit = suffixes[i].unit;
			return 0;
		}
	r = err_set(err, ERR_USAGE, "'%s' is no limit", text);
	err_why(err,
		"a number, and perhaps a unit: ns us ms s min, B kB MB GB KiB MiB GiB, %%, /s");
	return r;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static int refuse(const struct budgets *budgets, int line, const char *key, const char *why,
		  struct err *err)
{
	int r = err_set(err, ERR_USAGE, "%s:%d: %s cannot be a budget", budgets->path, line, key);

	err_why(err, "%s", why);
	err_next(err, KEYS_HELP);
	return r;
}

static int unknown_key(const struct budgets *budgets, int line, const char *key,
		       const char *const *names, struct err *err)
{
	const char *near = options_did_you_mean(key, names);
	int r = err_set(err, ERR_USAGE, "%s:%d: unknown key '%s'", budgets->path, line, key);

	if (near != NULL)
		err_why(err, "did you mean '%s'?", near);
	else
		err_why(err, "no budget has that name");
	err_next(err, KEYS_HELP);
	return r;
}

static bool percentile(const char *key, double *ret_quantile)
{
	char *end;
	double percent;

	if (key[0] != 'p' || !isdigit((unsigned char)key[1]))
		return false;
	percent = strtod(key + 1, &end);
	if (*end != '\0' || !(percent >= 0 && percent <= 100))
		return false;
	*ret_quantile = percent / 100;
	return true;
}

/* '_' is as good as '-'. */
static bool same_key(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b))
			return false;
	return *a == *b;
}

static bool find_key(const char *name, struct budget_key *ret_key)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (same_key(keys[i].name, name)) {
			*ret_key = keys[i];
			return true;
		}
	*ret_key = (struct budget_key){"pNN", BUDGET_QUANTILE, 0, OF_VALUES, false};
	return percentile(name, &ret_key->quantile);
}

static int no_memory(const struct budgets *budgets, struct err *err)
{
	return err_set(err, ERR_MEMORY, "%s: no memory to read it", budgets->path);
}

static const char *keep(struct budgets *budgets, const char *text)
{
	return arena_copy_text(&budgets->arena, text, strlen(text));
}

/* "text" or an array of texts. */
static int take_texts(struct budgets *budgets, const struct toml_value *value, const char *key,
		      const char *const **ret_texts, size_t *ret_count, struct err *err)
{
	size_t count = value->kind == TOML_ARRAY ? value->item_count : 1;
	const struct toml_value *items = value->kind == TOML_ARRAY ? value->items : value;
	const char **texts = arena_alloc(&budgets->arena, (count + 1) * sizeof(*texts));

	if (texts == NULL)
		return no_memory(budgets, err);
	for (size_t i = 0; i < count; i++) {
		if (items[i].kind != TOML_TEXT)
			return refuse(budgets, value->line, key, "it takes texts", err);
		texts[i] = items[i].text;
	}
	texts[count] = NULL;
	*ret_texts = texts;
	*ret_count = count;
	return 0;
}

static int take_limit(struct budgets *budgets, const struct budget_key *key,
		      const struct toml_value *value, struct budget *budget, struct err *err)
{
	int r;

	if (value->kind != TOML_TEXT && value->kind != TOML_INTEGER && value->kind != TOML_NUMBER)
		return refuse(budgets, value->line, budget->key,
			      "it takes a number, or \"text\" with a unit", err);
	budget->text = value->text;
	r = budget_limit_parse(value->text, &budget->limit, &budget->unit, err);
	if (r < 0) {
		err_next(err, "correct line %d of %s", value->line, budgets->path);
		return r;
	}
	if ((key->units & 1u << budget->unit) == 0)
		return refuse(
		    budgets, value->line, budget->key,
		    key->units == U(PART) ? "it takes a part: \"5%\"" : "its unit is another", err);
	return 0;
}

static int take_modules(struct budgets *budgets, const struct toml_value *value,
			struct budget *budget, struct err *err)
{
	int r = take_texts(budgets, value, budget->key, &budget->texts, &budget->text_count, err);

	budget->text = "";
	if (r == 0 && budget->metric == BUDGET_MODULES && value->kind == TOML_TEXT)
		budget->file = budget->texts[0]; /* a file that lists them */
	return r;
}

static int add_budget(struct budgets *budgets, const char *table, const char *name,
		      const struct toml_value *value, struct err *err)
{
	const char *names[KEY_COUNT + 1];
	struct budget_key key;
	struct budget budget = {.line = value->line};
	int r;

	if (!find_key(name, &key)) {
		for (size_t i = 0; i < KEY_COUNT; i++)
			names[i] = keys[i].name;
		names[KEY_COUNT] = NULL;
		return unknown_key(budgets, value->line, name, names, err);
	}
	budget.name = keep(budgets, table);
	budget.key = keep(budgets, name);
	if (budget.name == NULL || budget.key == NULL)
		return no_memory(budgets, err);
	budget.metric = key.metric;
	budget.quantile = key.quantile;
	if (key.import != budget_is_import(&budget))
		return refuse(budgets, value->line, name,
			      key.import
				  ? "it belongs into a table \"" BUDGET_IMPORT_PREFIX "MODULE\""
				  : "a table \"" BUDGET_IMPORT_PREFIX
				    "MODULE\" has import-time, module-count, modules, banned",
			      err);
	r = key.units != 0 ? take_limit(budgets, &key, value, &budget, err)
			   : take_modules(budgets, value, &budget, err);
	if (r < 0)
		return r;
	r = grow_array((void **)&budgets->items, &budgets->capacity, budgets->count + 1,
		       sizeof(*budgets->items), BUDGETS_MAX);
	if (r == -ERR_LIMIT)
		return refuse(budgets, value->line, name, "there are 2,000 already", err);
	if (r < 0)
		return no_memory(budgets, err);
	budgets->items[budgets->count++] = budget;
	return 0;
}

static int add_setting(struct budgets *budgets, const char *name, const struct toml_value *value,
		       struct err *err)
{
	enum budget_unit unit;
	int r;

	if (strcmp(name, "benchmarks") == 0)
		return take_texts(budgets, value, name, &budgets->benchmarks,
				  &budgets->benchmark_count, err);
	if (value->kind != TOML_TEXT)
		return refuse(budgets, value->line, name, "it takes a text", err);
	if (strcmp(name, "baseline") == 0) {
		budgets->baseline = value->text;
	} else if (strcmp(name, "results") == 0) {
		budgets->results = value->text;
	} else if (strcmp(name, "python") == 0) {
		budgets->python = value->text;
	} else if (strcmp(name, "drift") == 0) {
		r = budget_limit_parse(value->text, &budgets->drift, &unit, err);
		if (r < 0 || unit != UNIT_PART)
			return refuse(budgets, value->line, name, "it takes a part: \"3%\"", err);
	} else {
		return unknown_key(budgets, value->line, name, settings, err);
	}
	return 0;
}

static int on_entry(void *context, const char *const *path, size_t depth,
		    const struct toml_value *value, struct err *err)
{
	struct budgets *budgets = context;

	if (value->kind == TOML_TABLE)
		return 0;
	if (depth == 1)
		return add_setting(budgets, path[0], value, err);
	if (depth == 2)
		return add_budget(budgets, path[0], path[1], value, err);
	return refuse(budgets, value->line, depth > 0 ? path[depth - 1] : "budgets",
		      "a name with dots is written in quotes: [tool.pyrometer.budgets.\"a.b\"]",
		      err);
}

int budgets_parse(struct budgets *budgets, const char *path, const char *bytes, size_t size,
		  struct err *err)
{
	budgets->path = keep(budgets, path);
	if (budgets->path == NULL)
		return err_set(err, ERR_MEMORY, "%s: no memory to read it", path);
	return toml_parse(budgets->path, bytes, size, prefix, &budgets->arena, on_entry, budgets,
			  err);
}

/* --- what a budget is about
 * ------------------------------------------------------------------------ */

bool budget_is_import(const struct budget *budget)
{
	return strncmp(budget->name, BUDGET_IMPORT_PREFIX, strlen(BUDGET_IMPORT_PREFIX)) == 0;
}

bool budget_is_pattern(const struct budget *budget)
{
	return strpbrk(budget->name, "*?[") != NULL;
}

bool budget_is_relative(const struct budget *budget)
{
	return budget->metric == BUDGET_SLOWER || budget->metric == BUDGET_MORE_CPU ||
	       budget->metric == BUDGET_MORE_MEMORY;
}

bool budget_fits(const struct budget *budget, const char *benchmark)
{
	return strcmp(budget->name, benchmark) == 0 ||
	       (budget_is_pattern(budget) && fnmatch(budget->name, benchmark, 0) == 0);
}

/* --- the file
 * ---------------------------------------------------------------------------------------- */

int budgets_read_file(const char *path, char **ret_bytes, size_t *ret_size, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r = 0;
	struct stat status;
	size_t size = 0;
	ssize_t got;
	char *bytes = NULL;

	if (fd < 0 || fstat(fd, &status) < 0) {
		r = err_set_errno(err, ERR_FILE, errno, "cannot read %s", path);
	} else if (!S_ISREG(status.st_mode) || status.st_size > (off_t)TOML_FILE_BYTES_MAX) {
		r = err_set(err, ERR_FILE, "cannot read %s", path);
		err_why(err, "it is no regular file of up to 4 MiB");
	} else {
		bytes = mem_alloc((size_t)status.st_size + 1);
		r = bytes != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory to read %s", path);
	}
	while (r == 0 && size < (size_t)status.st_size) {
		got = read(fd, bytes + size, (size_t)status.st_size - size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = err_set_errno(err, ERR_FILE, errno, "cannot read %s", path);
		if (got <= 0)
			break;
		size += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		mem_free(bytes);
		return r;
	}
	bytes[size] = '\0';
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}
