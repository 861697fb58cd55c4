/* Two profiles against each other, function by function, with significance.
 * Functions are matched by (qualified name, file's last two parts). */
#ifndef ANALYSIS_DIFF_H
#define ANALYSIS_DIFF_H

#include "analysis/shares.h"

enum diff_verdict { DIFF_SAME_WITHIN_NOISE, DIFF_MORE, DIFF_LESS, DIFF_NEW, DIFF_GONE };

struct diff_row {
	char *name, *file;
	double share_a, share_b;          /* self, fractions; 0 when absent */
	double seconds_a, seconds_b;      /* self weight */
	double total_a, total_b;
	double change, change_low, change_high; /* share_b − share_a, 95 % (Newcombe), Holm over the rows */
	bool significant;
	enum diff_verdict verdict;
};
struct profile_diff {
	struct diff_row *rows; size_t row_count; /* by |change|, significant first */
	double wall_a_s, wall_b_s;
};
/* Refuses what does not compare (-ERR_USAGE with the reason): other mode, clock or basis. */
int profile_diff_compute(const struct profile *a, const struct profile *b, const struct selection *,
			 struct profile_diff *ret, struct err *);
void profile_diff_release(struct profile_diff *);

#endif
