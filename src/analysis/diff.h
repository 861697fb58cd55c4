/* Two profiles against each other, function by function, with significance.
 * Functions are matched by (qualified name, file's last two parts). What is
 * tested is the self share; `significant` speaks of these two runs, not of what
 * a third run would do: a program that varies from run to run needs `compare`.
 * A verdict other than DIFF_SAME_WITHIN_NOISE is always significant. */
#ifndef ANALYSIS_DIFF_H
#define ANALYSIS_DIFF_H

#include "analysis/shares.h"

enum diff_verdict { DIFF_SAME_WITHIN_NOISE, DIFF_MORE, DIFF_LESS, DIFF_NEW, DIFF_GONE };

struct diff_row {
	char *name, *file;
	double share_a, share_b;     /* self, fractions; 0 when absent */
	double seconds_a, seconds_b; /* self weight */
	double total_a, total_b;
	double change, change_low, change_high; /* share_b − share_a, 95 % (Newcombe) */
	bool significant; /* after Holm over the rows, at 5 % for all together */
	enum diff_verdict verdict;
};
struct profile_diff {
	struct diff_row *rows;
	size_t row_count; /* by |change|, significant first */
	double wall_a_s, wall_b_s;
};
/* Refuses what does not compare (-ERR_USAGE with the reason): other mode or clock.
 * -ERR_TOO_LITTLE when the selection holds no sample of one of them. */
int profile_diff_compute(const struct profile *a, const struct profile *b, const struct selection *,
			 struct profile_diff *ret, struct err *);
void profile_diff_release(struct profile_diff *);

#endif
