/* Counters that are the same each time: a probe runs each side twice with one seed, in processes
 * of their own. Those that are equal twice are exact, and are compared exactly; the others say
 * nothing. */
#ifndef BENCH_COUNTERS_PROBE_H
#define BENCH_COUNTERS_PROBE_H

#include "bench/pairing.h"

struct counters_probe {
	struct bench_counters a, b;
	uint32_t exact, differ; /* enum pair_counter bits */
};

/* Never fails as such: what can't be counted is not exact. */
void counters_probe_run(const struct worker_spec *a, const struct worker_spec *b, uint64_t seed,
			struct counters_probe *ret_probe);

/* Pure: from two counts of each side. */
void counters_probe_judge(const struct bench_counters a[2], const struct bench_counters b[2],
			  struct counters_probe *ret_probe);

#endif
