/* Two profiles, function by function. Functions are grouped by their key first,
 * so that one that moved by a line, or exists several times under one name, is
 * one row, and its recursion is counted once like anywhere else. */
#include "analysis/diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stack_weights.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "stats/interval.h"

#define DIFF_ALPHA 0.05

static const char *diff_file_key(const char *file)
{
	const char *at = file + strlen(file);

	for (int slashes = 0; at > file; at--) {
		if (at[-1] == '/' && ++slashes == 2)
			break;
	}
	return at;
}

/* One side: sums by group, and what the shares are of. */
struct side {
	const struct profile *profile;
	struct stack_weights weights;
	uint32_t *group_of_function;
	struct group_sums *sums;
	double effective_n;
	double seconds_per_ns; /* of weight: instants that were missed stand for time too */
};

/* Groups of both sides together; 0 is none. The texts belong to the profiles. */
struct key {
	const char *name, *file;
};
struct keys {
	struct key *items;
	uint32_t count;
	struct intern_map map;
};

static bool key_equal(const void *context, uint32_t value, const void *wanted)
{
	const struct keys *keys = context;
	const struct key *a = &keys->items[value], *b = wanted;

	return strcmp(a->name, b->name) == 0 &&
	       strcmp(diff_file_key(a->file), diff_file_key(b->file)) == 0;
}

static int assign_groups(struct keys *keys, struct side *side)
{
	const struct profile *profile = side->profile;

	for (uint32_t i = 1; i < profile->function_count; i++) {
		const struct profile_function *function = &profile->functions[i];
		struct key key = {profile_string(profile, function->name),
				  profile_string(profile, function->file)};
		const char *tail = diff_file_key(key.file);
		uint64_t hash = hash_bytes(key.name, strlen(key.name), 1);
		hash = hash_bytes(tail, strlen(tail), hash);
		uint32_t group = intern_map_find(&keys->map, hash, key_equal, keys, &key);
		if (group == 0) {
			group = keys->count;
			int rc = intern_map_insert(&keys->map, hash, group);
			if (rc != 0)
				return rc;
			keys->items[keys->count++] = key;
		}
		side->group_of_function[i] = group;
	}
	return 0;
}

static int sum_side(struct side *side, uint32_t group_count, struct err *err)
{
	const struct profile *profile = side->profile;
	uint32_t *group = mem_zalloc((size_t)profile->frame_count + 1, sizeof(*group));
	int rc;

	side->sums = mem_zalloc((size_t)group_count + 1, sizeof(*side->sums));
	if (!group || !side->sums) {
		mem_free(group);
		return err_set(err, ERR_MEMORY, "no memory to sum %u functions", group_count);
	}
	for (uint32_t i = 1; i < profile->frame_count; i++)
		group[i] = side->group_of_function[profile->frames[i].function.v];
	rc = stack_weights_group(&side->weights, profile, group, group_count, side->sums, err);
	mem_free(group);
	return rc;
}

/* Missed instants are part of the run, and no reading of a sample says where they fell: they count
 * as the taken ones do. */
static double seconds_per_ns(const struct sample_counts *counts)
{
	uint64_t taken = counts->scheduled - counts->missed;

	if (counts->missed >= counts->scheduled)
		return 1e-9;
	return 1e-9 * (double)counts->scheduled / (double)taken;
}

static int open_side(struct side *side, const struct profile *profile,
		     const struct selection *selection, const char *which, struct err *err)
{
	int rc = stack_weights_compute(&side->weights, profile, selection, err);

	if (rc != 0)
		return rc;
	side->profile = profile;
	side->effective_n = stack_weights_effective_n(&side->weights);
	side->seconds_per_ns = seconds_per_ns(&profile->meta.counts);
	side->group_of_function = mem_zalloc((size_t)profile->function_count + 1, sizeof(uint32_t));
	if (!side->group_of_function)
		return err_set(err, ERR_MEMORY, "no memory to compare");
	if (!(side->effective_n > 0)) {
		rc = err_set(err, ERR_TOO_LITTLE, "the %s recording has nothing to compare", which);
		err_why(err, "no sample of it is in the selection (it has %zu in all)",
			profile->sample_count);
		err_next(err, "record for longer, or select all threads");
		return rc;
	}
	return 0;
}

static void close_side(struct side *side)
{
	stack_weights_release(&side->weights);
	mem_free(side->group_of_function);
	mem_free(side->sums);
}

static int refuse_other(const char *a, const char *b, const char *what, struct err *err)
{
	int rc;

	if ((!a && !b) || (a && b && strcmp(a, b) == 0))
		return 0;
	rc = err_set(err, ERR_USAGE, "the two recordings don't compare: other %s", what);
	err_why(err, "the first has %s \"%s\", the second \"%s\"", what, a ? a : "unknown",
		b ? b : "unknown");
	err_next(err, "record both the same way");
	return rc;
}

static double share_of(double part, double whole)
{
	return whole > 0 ? fmin(fmax(part / whole, 0), 1) : 0;
}

static struct interval change_of(const struct diff_row *row, const struct side *a,
				 const struct side *b, double confidence)
{
	return newcombe_difference(row->share_b * b->effective_n, b->effective_n,
				   row->share_a * a->effective_n, a->effective_n, confidence);
}

static int fill_row(struct diff_row *row, const struct key *key, const struct side *a,
		    const struct side *b, uint32_t group)
{
	const struct group_sums *from = &a->sums[group], *to = &b->sums[group];

	row->name = mem_copy_text(key->name);
	row->file = mem_copy_text(key->file);
	if (!row->name || !row->file)
		return -ERR_MEMORY;
	row->seconds_a = from->self_ns * a->seconds_per_ns;
	row->seconds_b = to->self_ns * b->seconds_per_ns;
	row->share_a = share_of(from->self_ns, a->weights.weight_ns);
	row->share_b = share_of(to->self_ns, b->weights.weight_ns);
	row->total_a = share_of(from->total_ns, a->weights.weight_ns);
	row->total_b = share_of(to->total_ns, b->weights.weight_ns);
	row->change = row->share_b - row->share_a;
	struct interval change = change_of(row, a, b, 1 - DIFF_ALPHA);
	row->change_low = change.low;
	row->change_high = change.high;
	/* Provisional: who is there at all. judge() leaves it to the significant. */
	if (from->total_count == 0)
		row->verdict = DIFF_NEW;
	else if (to->total_count == 0)
		row->verdict = DIFF_GONE;
	else
		row->verdict = row->change > 0 ? DIFF_MORE : DIFF_LESS;
	return 0;
}

/* How far the difference lies from none, in its own standard errors (pooled
 * score): the order in which Holm's procedure tests. */
static double evidence(const struct diff_row *row, const struct side *a, const struct side *b)
{
	double na = a->effective_n, nb = b->effective_n;
	double pooled = (row->share_a * na + row->share_b * nb) / (na + nb);
	double variance = pooled * (1 - pooled) * (1 / na + 1 / nb);

	return variance > 0 ? fabs(row->change) / sqrt(variance) : 0;
}

struct ranked_row {
	double evidence;
	size_t row;
};

static int by_falling_evidence(const void *left, const void *right)
{
	const struct ranked_row *a = left, *b = right;

	if (a->evidence != b->evidence)
		return a->evidence > b->evidence ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

/* Holm (1979): the strongest of m at α/m, the next at α/(m − 1), until one
 * fails. A row passes when the Newcombe interval at that level leaves out 0, so
 * that what is called significant never disagrees with the interval printed. */
static int judge(struct profile_diff *diff, const struct side *a, const struct side *b)
{
	struct ranked_row *ranked = mem_zalloc(diff->row_count + 1, sizeof(*ranked));
	size_t tested = 0, i = 0;

	if (!ranked)
		return -ERR_MEMORY;
	for (size_t r = 0; r < diff->row_count; r++) {
		const struct diff_row *row = &diff->rows[r];
		if (row->share_a > 0 || row->share_b > 0)
			ranked[tested++] = (struct ranked_row){evidence(row, a, b), r};
	}
	qsort(ranked, tested, sizeof(*ranked), by_falling_evidence);
	for (; i < tested; i++) {
		struct diff_row *row = &diff->rows[ranked[i].row];
		double alpha = DIFF_ALPHA / (double)(tested - i);
		struct interval change = change_of(row, a, b, 1 - alpha);
		if (change.low <= 0 && change.high >= 0)
			break;
		row->significant = true;
	}
	for (size_t r = 0; r < diff->row_count; r++) {
		if (!diff->rows[r].significant)
			diff->rows[r].verdict = DIFF_SAME_WITHIN_NOISE;
	}
	mem_free(ranked);
	return 0;
}

static int by_change(const void *left, const void *right)
{
	const struct diff_row *a = left, *b = right;

	if (a->significant != b->significant)
		return a->significant ? -1 : 1;
	if (fabs(a->change) != fabs(b->change))
		return fabs(a->change) > fabs(b->change) ? -1 : 1;
	int order = strcmp(a->name, b->name);
	return order != 0 ? order : strcmp(a->file, b->file);
}

static int make_rows(struct profile_diff *diff, const struct keys *keys, const struct side *a,
		     const struct side *b)
{
	int rc = 0;

	diff->rows = mem_zalloc((size_t)keys->count + 1, sizeof(*diff->rows));
	if (!diff->rows)
		return -ERR_MEMORY;
	for (uint32_t i = 1; i < keys->count && rc == 0; i++) {
		if (a->sums[i].total_count == 0 && b->sums[i].total_count == 0)
			continue;
		rc = fill_row(&diff->rows[diff->row_count++], &keys->items[i], a, b, i);
	}
	if (rc == 0)
		rc = judge(diff, a, b);
	if (rc == 0)
		qsort(diff->rows, diff->row_count, sizeof(*diff->rows), by_change);
	return rc;
}

static int compare_sides(struct profile_diff *diff, struct side *a, struct side *b, struct err *err)
{
	size_t most = (size_t)a->profile->function_count + b->profile->function_count + 1;
	struct keys keys = {.count = 1};
	int rc;

	intern_map_init(&keys.map, 0);
	keys.items = mem_zalloc(most, sizeof(*keys.items));
	rc = keys.items ? assign_groups(&keys, a) : -ERR_MEMORY;
	if (rc == 0)
		rc = assign_groups(&keys, b);
	if (rc == 0)
		rc = sum_side(a, keys.count, err);
	if (rc == 0)
		rc = sum_side(b, keys.count, err);
	if (rc == 0)
		rc = make_rows(diff, &keys, a, b);
	intern_map_release(&keys.map);
	mem_free(keys.items);
	return rc == 0 ? 0 : err_set(err, ERR_MEMORY, "no memory to compare the recordings");
}

int profile_diff_compute(const struct profile *a, const struct profile *b,
			 const struct selection *selection, struct profile_diff *ret,
			 struct err *err)
{
	struct profile_diff diff = {0};
	struct side from = {0}, to = {0};
	int rc = refuse_other(a->meta.mode, b->meta.mode, "mode", err);

	if (rc == 0)
		rc = refuse_other(a->meta.clock, b->meta.clock, "clock", err);
	if (rc == 0)
		rc = open_side(&from, a, selection, "first", err);
	if (rc == 0)
		rc = open_side(&to, b, selection, "second", err);
	if (rc == 0)
		rc = compare_sides(&diff, &from, &to, err);
	if (rc == 0) {
		diff.wall_a_s = a->meta.duration_ns / 1e9;
		diff.wall_b_s = b->meta.duration_ns / 1e9;
		*ret = diff;
	} else {
		profile_diff_release(&diff);
	}
	close_side(&from);
	close_side(&to);
	return rc;
}

void profile_diff_release(struct profile_diff *diff)
{
	for (size_t i = 0; diff->rows && i < diff->row_count; i++) {
		mem_free(diff->rows[i].name);
		mem_free(diff->rows[i].file);
	}
	mem_free(diff->rows);
	diff->rows = NULL;
	diff->row_count = 0;
}
