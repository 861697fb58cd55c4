/* Energy by RAPL, of the machine's packages: what is measured and all else that runs. Linux. */
#ifndef BENCH_WORKER_ENERGY_H
#define BENCH_WORKER_ENERGY_H

#include <stddef.h>
#include <stdint.h>

#define ENERGY_ZONES_MAX 16 /* packages */

struct energy_reading {
	size_t zone_count;
	uint64_t energy_uj[ENERGY_ZONES_MAX], range_uj[ENERGY_ZONES_MAX];
};

void energy_read(struct energy_reading *ret_reading);
/* Joules between two readings, each zone's counter having wrapped at most once; NaN: not available
 * here. Pure. */
double energy_between_j(const struct energy_reading *before, const struct energy_reading *after);

#endif
