/* From the operands of `compare` to what is measured: one item a benchmark, each with a worker for
 * A and one for B; the worktrees of revisions, and their end. */
#ifndef COMMANDS_COMPARE_PLAN_H
#define COMMANDS_COMPARE_PLAN_H

#include <signal.h>

#include "base/arena.h"
#include "base/options.h"
#include "bench/pairing.h"
#include "bench/revision.h"
#include "commands/compare_operand.h"
#include "report/compare_view.h"

struct err;

struct compare_arguments { /* of the option table, those that say what is measured */
	const char *setup, *python, *select, *prepare;
	bool statements, commands, gc_disabled, show_output;
	struct option_texts environment, path;
	double request_limit_s;
	uint64_t memory_limit;
};

struct compare_item {
	const char *name, *unit;
	enum bench_kind kind;
	struct worker_spec specs[2];
	const char *missing; /* why it can't be measured; NULL */
};

struct compare_plan {
	struct arena arena; /* of all texts */
	struct compare_item *items;
	size_t count, capacity;
	struct comparison_side sides[2];
	struct revisions revisions;
	struct operand operands[2];
	const struct revision_tree *trees[2]; /* NULL: not revisions */
	const volatile sig_atomic_t *stop;
};

/* Also after a failure: compare_plan_release, which removes the worktrees. Notes (uncommitted
 * changes, a benchmark that is itself another one) go to stderr at once. */
int compare_plan_make(struct compare_plan *plan, const struct compare_arguments *arguments,
		      int operand_count, char **operands, struct err *err);
int compare_plan_release(struct compare_plan *plan, struct err *err);

/* Both operands are files of results: nothing is measured. */
bool compare_plan_is_saved(const struct compare_plan *plan);

/* For compare_targets.c: an item more. A side that doesn't have it (NULL) is why it is missing. */
int compare_plan_add(struct compare_plan *plan, const char *name, const char *unit,
		     enum bench_kind kind, const struct worker_spec *a, const struct worker_spec *b,
		     const char *missing, struct err *err);
const char *compare_plan_text(struct compare_plan *plan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The items of one target, measured in both surroundings, or of two targets against each other.
 * targets and base (the surroundings) are two each, A and B. */
int compare_targets_add(struct compare_plan *plan, const struct compare_arguments *arguments,
			const struct operand *targets, const struct worker_spec *base,
			bool prefix_names, struct err *err);

#endif
