/* What an open-loop load says: whether the target kept up with it. Pure; the load itself is run by
 * plan.c (plan_case.h: load_process). */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>

/* Requests that were done a second, from the first planned start to the end of the last done:
 * latencies count from planned starts that lie 1 / rate_hz apart. NaN for none. */
double load_achieved_hz(double rate_hz, const double *latencies_s, size_t n);

#endif
