/* Measures the items of a plan one after another, or judges two files of results, and gives the
 * verdict of each with the error held over all of them. */
#ifndef COMMANDS_COMPARE_RUN_H
#define COMMANDS_COMPARE_RUN_H

#include "commands/compare_plan.h"

struct compare_settings { /* of the option table, those that say how it is measured */
	double tolerance_percent, alpha, time_limit_s, drift_percent, pair_s,
	    block_s; /* the last two 0: as pairing_defaults has them */
	bool time_limit_set, drift_set, cpu, wall;
	int64_t on_cpu, seed, pairs_max;
	const char *counters; /* "auto", "never" */
	const char *save;     /* folder for the raw values */
};

struct compare_answer {
	struct pairing_result *results; /* one an item */
	struct comparison_row *rows;
	size_t count;
	struct arena arena; /* names of saved benchmarks, versions */
	double alpha, tolerance, elapsed_s;
};

int compare_run(struct compare_plan *plan, const struct compare_settings *settings,
		struct compare_answer *ret_answer, struct err *err);
int compare_saved(struct compare_plan *plan, const struct compare_settings *settings,
		  struct compare_answer *ret_answer, struct err *err);
void compare_answer_release(struct compare_answer *answer);

#endif
