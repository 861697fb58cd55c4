/* Who used the time: shares of functions and lines over a selection of a
 * profile, with 95 % intervals for this run's share (Wilson; Poisson schedule
 * with equal weights, n_eff = (Σw)²/Σw² under an adaptive rate). Recursion is
 * counted once. Samples whose stack is unknown stay in the denominator. */
#ifndef ANALYSIS_SHARES_H
#define ANALYSIS_SHARES_H

#include "profile/profile.h"

struct err;

enum share_basis { BASIS_WALL, BASIS_CPU }; /* CPU: only samples in STATE_ON_CPU and STATE_GC */

struct selection {
	bool all_threads; /* default: the main thread of the first Python process, or of `pid` */
	enum share_basis basis;
	uint32_t pid;	    /* 0 any */
	const char *thread; /* name or tid to keep, of any process unless pid is set; NULL any */
	const char *module; /* keep samples with a frame whose file contains it, NULL any */
	const char *text;   /* keep samples with a function or file that contains it, NULL any */
	bool fold_library; /* library frames (site-packages, lib/pythonX.Y, <frozen …>) are folded
			      into the nearest caller that is the user's own; with no such
			      caller (start-up code under the program) they stay */
	uint64_t from_ns, to_ns; /* time window; 0, 0 = all */
};

struct share_row {
	struct function_id function;
	uint32_t line;			  /* 0 in rows of functions */
	double self, self_low, self_high; /* fractions of the selection */
	double total, total_low, total_high;
	double self_ns, total_ns; /* weights */
	uint64_t self_count, total_count;
	uint32_t hottest_line; /* of self, functions only; 0 none */
	double hottest_line_self;
};

struct shares {
	struct share_row *functions;
	size_t function_count; /* sorted by self, descending */
	struct share_row *lines;
	size_t line_count;	   /* (function, line), likewise; unknown lines have no row */
	double state[STATE_COUNT]; /* fractions of the selection */
	double import_total;	   /* share under importlib's _find_and_load; NAN unknown */
	double weight_ns;	   /* of the selection */
	uint64_t sample_count;
	double effective_n;
	uint64_t torn_count, no_stack_count;
};

int shares_compute(const struct profile *, const struct selection *, struct shares *ret_shares,
		   struct err *);
void shares_release(struct shares *);
enum share_sort { SORT_SELF, SORT_TOTAL };
void shares_sort(struct shares *, enum share_sort);

/* Is this file a library's (standard library, site-packages, frozen) rather than the program's own?
 */
bool file_is_library(const char *file);

/* One side of tree: a call tree (children by frame function, or by line), for --tree and exports.
 */
struct tree_node {
	struct function_id function;
	uint32_t parent, first_child, next_sibling; /* indexes; 0 is the root, 0 also "none" */
	double self_ns, total_ns;
	uint64_t count; /* samples at and below it */
};
/* Callers come before what they call; siblings by falling total. The root's self is what has no
 * stack. */
struct call_tree {
	struct tree_node *nodes;
	size_t node_count;
	double weight_ns;
	double effective_n;
};
int call_tree_build(const struct profile *, const struct selection *, struct call_tree *ret,
		    struct err *);
void call_tree_release(struct call_tree *);

#endif
