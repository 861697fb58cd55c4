/* Deciding while pairs come in, with the error held over all looks (alpha spending or an
 * always-valid interval: see sequential.c and docs/decisions). A repeated run adds pairs to the
 * same test, never starts it anew. */
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
	double tolerance;    /* |log ratio| within which B counts as equal */
	double power;	     /* of the detectable effect that is told; 0.9 */
	size_t pairs_min;    /* no decision before; at least 3 */
	size_t pairs_max;
	uint64_t seed;
};

struct sequential_state {
	enum sequential_decision decision;
	size_t pairs;
	double location, low, high; /* log ratios; covers ≥ 95 % at the stopping time */
	double p;		    /* of "no difference", for Holm; valid at the stopping time */
	double detectable;	    /* |log ratio| that these pairs would have found */
	size_t pairs_needed;	    /* to decide about `tolerance`, as far as can be told now */
};

/* Called after each new pair with all pairs so far. */
int sequential_look(const struct sequential_plan *plan, const double *log_ratios, size_t n,
		    struct sequential_state *ret_state, struct err *err);

/* Holm (1979): rejected[i] for p[i] at family level alpha. */
void holm(const double *p, size_t n, double alpha, bool *rejected);

#endif
