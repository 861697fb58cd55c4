/* Sums samples of one thread, stack, state and flags; their times are forgotten. */
#ifndef RECORDING_SAMPLE_SUM_H
#define RECORDING_SAMPLE_SUM_H

#include <stddef.h>

#include "profile/profile.h"

/* Sorts by key and sums, in place; returns how many are left. A count that would
 * pass 32 bits stays a row of its own; weights stay below 2^63. */
size_t sample_sum(struct profile_sample *samples, size_t count);

#endif
