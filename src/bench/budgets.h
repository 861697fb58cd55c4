/* What a program may cost: [tool.pyrometer.budgets] of pyproject.toml, one table for each benchmark
 * or pattern (docs/commands/gate.md). Pure but for reading the file, which is untrusted. Texts live
 * in the budgets' arena. */
#ifndef BENCH_BUDGETS_H
#define BENCH_BUDGETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct err;

#define BUDGETS_MAX 2000
#define BUDGET_IMPORT_PREFIX "import:" /* of a table that is about importing a module */

enum budget_metric {
	/* Of a benchmark's values. */
	BUDGET_QUANTILE, /* min, median, p95, max … */
	BUDGET_MEAN,
	BUDGET_THROUGHPUT, /* iterations a second, by the mean: at least */
	/* Of its processes. */
	BUDGET_CPU,
	BUDGET_PEAK_MEMORY,
	/* Against the baseline: at most so much more. */
	BUDGET_SLOWER,
	BUDGET_MORE_CPU,
	BUDGET_MORE_MEMORY,
	/* Of importing. */
	BUDGET_IMPORT_TIME,
	BUDGET_MODULE_COUNT,
	BUDGET_MODULES, /* exactly these */
	BUDGET_BANNED	/* none of these */
};

enum budget_unit { UNIT_PLAIN, UNIT_SECONDS, UNIT_BYTES, UNIT_PART, UNIT_PER_SECOND };

struct budget {
	const char *name; /* of the table: a benchmark, a pattern (fnmatch), import:MODULE */
	const char *key;  /* "p95", "slower" … */
	int line;
	enum budget_metric metric;
	double quantile;
	double limit; /* seconds, bytes, a part of 1, per second; plain: the benchmark's own unit */
	enum budget_unit unit;
	const char *text;	  /* the limit as written */
	const char *const *texts; /* modules */
	size_t text_count;
	const char *file; /* modules: of a file, one a line; NULL */
};

struct budgets {
	struct arena arena;
	const char *path; /* of the file, for messages; NULL: none was found */
	struct budget *items;
	size_t count, capacity;
	/* Keys of [tool.pyrometer.budgets] itself; NULL, NaN, 0: not set. */
	const char *baseline, *results, *python;
	const char *const *benchmarks;
	size_t benchmark_count;
	double drift; /* part of 1 */
};

void budgets_init(struct budgets *);
void budgets_release(struct budgets *);

/* Parses bytes as the file `path`. -ERR_USAGE with path, line and "did you mean". */
int budgets_parse(struct budgets *, const char *path, const char *bytes, size_t size, struct err *);

/* "12ms", "200 MiB", "5%", "1000/s", "3": -ERR_USAGE. */
int budget_limit_parse(const char *text, double *ret_limit, enum budget_unit *ret_unit,
		       struct err *err);

/* Whether the budget is about this benchmark: the name itself, or a pattern that fits it. */
bool budget_fits(const struct budget *, const char *benchmark);
bool budget_is_pattern(const struct budget *);
bool budget_is_relative(const struct budget *);
bool budget_is_import(const struct budget *);

/* Bytes of a regular file of up to 4 MiB; mem_free. -ERR_FILE, -ERR_PERMISSION. */
int budgets_read_file(const char *path, char **ret_bytes, size_t *ret_size, struct err *err);

#endif
