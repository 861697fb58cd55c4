/* Rows of functions and lines with their intervals, from the sums by stack. */
#include "analysis/shares.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stack_weights.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "stats/interval.h"

#define SHARE_CONFIDENCE 0.95

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Is there a directory "pythonX.Y" under a "lib", "lib64" or "Lib" of its own? */
static bool in_standard_library(const char *file)
{
	static const char *const parents[] = {"lib/python", "lib64/python"};

	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		for (const char *at = file; (at = strstr(at, parents[i])) != NULL; at++) {
			const char *version = at + strlen(parents[i]);
			if (at != file && at[-1] != '/')
				continue;
			while (is_digit(*version) || *version == '.')
				version++;
			/* "python3.13t/" is the free-threaded build's, "python312.zip/" zipped. */
			if (*version == 't')
				version++;
			if (strncmp(version, "zip", 3) == 0)
				version += 3;
			if (is_digit(at[strlen(parents[i])]) && *version == '/')
				return true;
		}
	}
	return false;
}

bool file_is_library(const char *file)
{
	return strncmp(file, "<frozen ", 8) == 0 || strstr(file, "/site-packages/") != NULL ||
	       strstr(file, "/dist-packages/") != NULL || in_standard_library(file);
}

/* A fraction of the selection, whatever floating point did to the last digit. */
static double fraction(double part, double whole)
{
	double f = whole > 0 ? part / whole : 0;

	return f < 0 ? 0 : f > 1 ? 1 : f;
}

static void fill_row(struct share_row *row, const struct group_sums *sums, double weight_ns,
		     double effective_n)
{
	row->self_ns = sums->self_ns;
	row->total_ns = fmax(sums->total_ns, sums->self_ns);
	row->self_count = sums->self_count;
	row->total_count = sums->total_count;
	row->self = fraction(row->self_ns, weight_ns);
	row->total = fraction(row->total_ns, weight_ns);
	struct interval self =
	    wilson_interval(row->self * effective_n, effective_n, SHARE_CONFIDENCE);
	struct interval total =
	    wilson_interval(row->total * effective_n, effective_n, SHARE_CONFIDENCE);
	/* share × n / n can be a digit off the share, which must lie inside. */
	row->self_low = fmin(self.low, row->self);
	row->self_high = fmax(self.high, row->self);
	row->total_low = fmin(total.low, row->total);
	row->total_high = fmax(total.high, row->total);
}

/* One row for each group that has samples; `identity` fills function and line. */
static int rows_from_sums(const struct group_sums *sums, uint32_t group_count,
			  const struct share_row *identity, const struct shares *shares,
			  struct share_row **ret_rows, size_t *ret_count, struct err *err)
{
	struct share_row *rows;
	size_t count = 0;

	for (uint32_t i = 1; i < group_count; i++)
		count += sums[i].total_count > 0;
	rows = mem_zalloc(count > 0 ? count : 1, sizeof(*rows));
	if (!rows)
		return err_set(err, ERR_MEMORY, "no memory for %zu rows", count);
	*ret_rows = rows;
	*ret_count = count;
	for (uint32_t i = 1; i < group_count; i++) {
		if (sums[i].total_count == 0)
			continue;
		rows->function = identity ? identity[i].function : (struct function_id){i};
		rows->line = identity ? identity[i].line : 0;
		fill_row(rows++, &sums[i], shares->weight_ns, shares->effective_n);
	}
	return 0;
}

static int add_functions(struct shares *shares, const struct stack_weights *weights,
			 const struct profile *profile, struct err *err)
{
	size_t frames = (size_t)profile->frame_count + 1;
	uint32_t *group = mem_zalloc(frames, sizeof(*group));
	struct group_sums *sums = mem_zalloc((size_t)profile->function_count + 1, sizeof(*sums));
	int rc;

	if (!group || !sums) {
		rc = err_set(err, ERR_MEMORY, "no memory to sum %u functions",
			     profile->function_count);
		goto out;
	}
	for (uint32_t i = 1; i < profile->frame_count; i++)
		group[i] = profile->frames[i].function.v;
	rc = stack_weights_group(weights, profile, group, profile->function_count, sums, err);
	if (rc == 0)
		rc = rows_from_sums(sums, profile->function_count, NULL, shares, &shares->functions,
				    &shares->function_count, err);
out:
	mem_free(group);
	mem_free(sums);
	return rc;
}

/* Groups of frames by (function, line); a line that is not known has none. */
static int group_lines(const struct profile *profile, uint32_t *group, struct share_row *identity,
		       uint32_t *ret_count, struct err *err)
{
	struct u64_map known;
	uint32_t count = 1;
	int rc = 0;

	u64_map_init(&known, 0);
	for (uint32_t i = 1; i < profile->frame_count && rc == 0; i++) {
		const struct profile_frame *frame = &profile->frames[i];
		uint64_t key = (uint64_t)frame->function.v << 32 | frame->line, found;
		if (frame->line == 0 || frame->function.v == 0)
			continue;
		if (!u64_map_get(&known, key, &found)) {
			found = count++;
			identity[found].function = frame->function;
			identity[found].line = frame->line;
			rc = u64_map_put(&known, key, found);
		}
		group[i] = (uint32_t)found;
	}
	u64_map_release(&known);
	if (rc != 0)
		return err_set(err, ERR_MEMORY, "no memory to tell the lines apart");
	*ret_count = count;
	return 0;
}

static int add_lines(struct shares *shares, const struct stack_weights *weights,
		     const struct profile *profile, struct err *err)
{
	size_t frames = (size_t)profile->frame_count + 1;
	uint32_t *group = mem_zalloc(frames, sizeof(*group)), count = 0;
	struct share_row *identity = mem_zalloc(frames, sizeof(*identity));
	struct group_sums *sums = mem_zalloc(frames, sizeof(*sums));
	int rc;

	if (!group || !identity || !sums) {
		rc = err_set(err, ERR_MEMORY, "no memory to sum %zu lines", frames);
		goto out;
	}
	rc = group_lines(profile, group, identity, &count, err);
	if (rc == 0)
		rc = stack_weights_group(weights, profile, group, count, sums, err);
	if (rc == 0)
		rc = rows_from_sums(sums, count, identity, shares, &shares->lines,
				    &shares->line_count, err);
out:
	mem_free(group);
	mem_free(identity);
	mem_free(sums);
	return rc;
}

static int add_hottest_lines(struct shares *shares, uint32_t function_count, struct err *err)
{
	struct share_row **by_function =
	    mem_zalloc((size_t)function_count + 1, sizeof(*by_function));

	if (!by_function)
		return err_set(err, ERR_MEMORY, "no memory to find the hottest lines");
	for (size_t i = 0; i < shares->function_count; i++)
		by_function[shares->functions[i].function.v] = &shares->functions[i];
	for (size_t i = 0; i < shares->line_count; i++) {
		const struct share_row *line = &shares->lines[i];
		struct share_row *function = by_function[line->function.v];
		if (line->self > function->hottest_line_self) {
			function->hottest_line_self = line->self;
			function->hottest_line = line->line;
		}
	}
	mem_free(by_function);
	return 0;
}

int shares_compute(const struct profile *profile, const struct selection *selection,
		   struct shares *ret_shares, struct err *err)
{
	struct shares shares = {0};
	struct stack_weights weights;
	int rc = stack_weights_compute(&weights, profile, selection, err);

	if (rc != 0)
		return rc;
	shares.weight_ns = weights.weight_ns;
	shares.sample_count = weights.sample_count;
	shares.effective_n = stack_weights_effective_n(&weights);
	shares.torn_count = weights.torn_count;
	shares.no_stack_count = weights.no_stack_count;
	for (int i = 0; i < STATE_COUNT; i++)
		shares.state[i] = fraction(weights.state_ns[i], weights.weight_ns);
	shares.import_total =
	    weights.weight_ns > 0 ? fraction(weights.import_ns, weights.weight_ns) : NAN;
	rc = add_functions(&shares, &weights, profile, err);
	if (rc == 0)
		rc = add_lines(&shares, &weights, profile, err);
	if (rc == 0)
		rc = add_hottest_lines(&shares, profile->function_count, err);
	stack_weights_release(&weights);
	if (rc != 0) {
		shares_release(&shares);
		return rc;
	}
	shares_sort(&shares, SORT_SELF);
	*ret_shares = shares;
	return 0;
}

void shares_release(struct shares *shares)
{
	mem_free(shares->functions);
	mem_free(shares->lines);
	shares->functions = shares->lines = NULL;
	shares->function_count = shares->line_count = 0;
}

static int compare_numbers(double a, double b)
{
	return (a < b) - (a > b);
}

/* Ties go by id: the same profile gives the same order every time. */
static int compare_identity(const struct share_row *a, const struct share_row *b)
{
	if (a->function.v != b->function.v)
		return a->function.v < b->function.v ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

static int compare_self(const void *left, const void *right)
{
	const struct share_row *a = left, *b = right;
	int order = compare_numbers(a->self_ns, b->self_ns);

	if (order == 0)
		order = compare_numbers(a->total_ns, b->total_ns);
	return order != 0 ? order : compare_identity(a, b);
}

static int compare_total(const void *left, const void *right)
{
	const struct share_row *a = left, *b = right;
	int order = compare_numbers(a->total_ns, b->total_ns);

	if (order == 0)
		order = compare_numbers(a->self_ns, b->self_ns);
	return order != 0 ? order : compare_identity(a, b);
}

void shares_sort(struct shares *shares, enum share_sort sort)
{
	int (*compare)(const void *, const void *) =
	    sort == SORT_TOTAL ? compare_total : compare_self;

	if (shares->function_count > 1)
		qsort(shares->functions, shares->function_count, sizeof(*shares->functions),
		      compare);
	if (shares->line_count > 1)
		qsort(shares->lines, shares->line_count, sizeof(*shares->lines), compare);
}
