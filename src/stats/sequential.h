/* Deciding while pairs come in, with the error held over all looks: each look has its share of
 * alpha (sequential.c; docs/decisions/0030-comparing.md says why, with what it can do). A repeated
 * run adds pairs to the same test, never starts it anew. What it gives is that of the last look:
 * valid whenever and for whatever reason the pairs end. */
#ifndef STATS_SEQUENTIAL_H
#define STATS_SEQUENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum sequential_decision {
	SEQUENTIAL_CONTINUE,
	SEQUENTIAL_GREATER, /* B takes longer than A by more than the indifference */
	SEQUENTIAL_LESS,
	SEQUENTIAL_EQUAL,  /* the whole interval lies within ± tolerance */
	SEQUENTIAL_UNKNOWN /* pairs_max reached */
};

struct sequential_plan {
	double alpha;	     /* two-sided, over the whole test; 0.002 */
	double indifference; /* |log ratio| that no verdict is made of; 0 none */
	double tolerance;    /* |log ratio| within which B counts as equal; 0: never equal */
	double power;	     /* of the detectable effect that is told; 0.9 */
	size_t pairs_min;    /* no decision before; the first look is at 8 at least (alpha 0.002) */
	size_t pairs_max;
	uint64_t seed; /* not used: nothing here is random */
};

struct sequential_state {
	enum sequential_decision decision;
	size_t pairs;
	double location, low, high; /* log ratios; covers ≥ 95 % at the stopping time; before the
				       first look ±INFINITY */
	double p;		    /* of "no difference", for Holm; valid at the stopping time */
	double detectable;	    /* |log ratio| that these pairs would have found; INFINITY */
	size_t pairs_needed;	    /* to decide about `tolerance`, as far as can be told now;
				       SIZE_MAX: cannot be told */
};

/* Called after each new pair with all pairs so far. alpha in (0, 1), n ≥ 1, finite values:
 * -ERR_USAGE; -ERR_LIMIT above SIGNED_RANK_VALUES_MAX; -ERR_MEMORY. */
int sequential_look(const struct sequential_plan *plan, const double *log_ratios, size_t n,
		    struct sequential_state *ret_state, struct err *err);

/* The first n' ≥ n at which a look is taken: pairs in between decide nothing. */
size_t sequential_next_look(const struct sequential_plan *plan, size_t n);

/* Holm (1979): rejected[i] for p[i] at family level alpha. A p that is NaN counts as 1. */
void holm(const double *p, size_t n, double alpha, bool *rejected);

#endif
