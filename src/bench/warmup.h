/* How many of a process's first values belong to its warm-up: caches, specialisation, a JIT.
 * Found from the values themselves, and told. Pure. */
#ifndef BENCH_WARMUP_H
#define BENCH_WARMUP_H

#include <stdbool.h>
#include <stddef.h>

/* Fewer values than this tell nothing: 0 is cut, and they count as settled. */
#define WARMUP_VALUES_MIN 6

/* The later half of the series says what it settles to (median) and how much it scatters (median
 * absolute deviation). The warm-up are the first values that are slower than that; it ends where
 * two values in a row aren't. It is never more than half of the series; *ret_settled is false where
 * that isn't enough, or where the later half still moves. ret_settled may be NULL. */
size_t warmup_count(const double *values, size_t n, bool *ret_settled);

#endif
