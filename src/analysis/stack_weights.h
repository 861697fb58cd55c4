/* What lies on each stack: the samples of a selection summed by stack once, and
 * carried up the stack tree. Shares, trees and diffs are read off these sums, so
 * their cost does not grow with the samples any more. Inside analysis/ only. */
#ifndef ANALYSIS_STACK_WEIGHTS_H
#define ANALYSIS_STACK_WEIGHTS_H

#include "analysis/shares.h"

/* All arrays are by stack id, row 0 being "no stack". With fold_library a stack
 * that ends in library code called by the user's own has the own caller's stack
 * as its base; its weight lies there and it is no node itself (base != id). */
struct stack_weights {
	uint32_t stack_count;
	double *self_ns, *subtree_ns; /* on this very stack; on it and those below */
	uint64_t *self_count, *subtree_count;
	uint32_t *base;			      /* NULL: every stack is its own */
	uint32_t *first_child, *next_sibling; /* nodes with weight only; 0 ends */
	double weight_ns, square_sum;	      /* Σw and Σw² of the selection */
	uint64_t sample_count, torn_count, no_stack_count;
	double state_ns[STATE_COUNT];
	double torn_shared_ns; /* torn parts given to the callees seen under the same caller */
	double import_ns;      /* under importlib's _find_and_load */
};

int stack_weights_compute(struct stack_weights *ret, const struct profile *,
			  const struct selection *, struct err *);
void stack_weights_release(struct stack_weights *);
/* (Σw)²/Σw²; 0 for an empty selection. */
double stack_weights_effective_n(const struct stack_weights *);
/* The node that calls this node: 0 at the root. */
uint32_t stack_weights_parent(const struct stack_weights *, const struct profile *, uint32_t stack);

/* Sums by group: `group[frame]` < group_count for every frame id, 0 = no group.
 * Self is what lies on stacks that end in the group; total what lies on stacks
 * that hold it, each stack once however often it recurs. */
struct group_sums {
	double self_ns, total_ns;
	uint64_t self_count, total_count;
};
int stack_weights_group(const struct stack_weights *, const struct profile *, const uint32_t *group,
			uint32_t group_count, struct group_sums *ret_sums, struct err *);

#endif
