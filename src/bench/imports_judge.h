/* What follows from the records of `imports`: sums, who went on after a failure, slow fallbacks,
 * modules of which nothing ran. Pure. */
#ifndef BENCH_IMPORTS_JUDGE_H
#define BENCH_IMPORTS_JUDGE_H

struct err;
struct imports_result;

/* Of a result as imports_events_read leaves it, with its exit status. -ERR_MEMORY. */
int imports_judge(struct imports_result *result, struct err *err);

#endif
