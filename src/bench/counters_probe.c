#include "bench/counters_probe.h"

#include <string.h>

#include "base/err.h"

#define COUNT_TIME_LIMIT_S 10.0 /* of one request while counting */

static const enum pair_counter counters[] = {PAIR_CALLS,    PAIR_BYTECODES,    PAIR_MODULES,
					     PAIR_SYSCALLS, PAIR_INSTRUCTIONS, PAIR_ALLOCATIONS};

void counters_probe_judge(const struct bench_counters a[2], const struct bench_counters b[2],
			  struct counters_probe *ret_probe)
{
	*ret_probe = (struct counters_probe){.a = a[0], .b = b[0]};
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		uint64_t of_a = pair_counter_of(&a[0], counters[i]);
		uint64_t of_b = pair_counter_of(&b[0], counters[i]);

		if (of_a == UINT64_MAX || of_b == UINT64_MAX ||
		    of_a != pair_counter_of(&a[1], counters[i]) ||
		    of_b != pair_counter_of(&b[1], counters[i]))
			continue;
		ret_probe->exact |= counters[i];
		if (of_a != of_b)
			ret_probe->differ |= counters[i];
	}
}

static int count_once(const struct worker_spec *spec, uint64_t seed,
		      struct bench_counters *ret_counters)
{
	struct worker_spec counted = *spec;
	struct worker *worker;
	int r;

	counted.seed = seed;
	if (!(counted.time_limit_s > 0) || counted.time_limit_s > COUNT_TIME_LIMIT_S)
		counted.time_limit_s = COUNT_TIME_LIMIT_S;
	bench_counters_clear(ret_counters);
	r = worker_start(&counted, &worker, NULL);
	if (r < 0)
		return r;
	r = worker_count(worker, ret_counters, NULL);
	worker_end(worker, NULL, NULL);
	return r;
}

void counters_probe_run(const struct worker_spec *a, const struct worker_spec *b, uint64_t seed,
			struct counters_probe *ret_probe)
{
	struct bench_counters counted_a[2], counted_b[2];

	for (size_t i = 0; i < 2; i++) {
		bench_counters_clear(&counted_a[i]);
		bench_counters_clear(&counted_b[i]);
	}
	for (size_t i = 0; i < 2; i++)
		if (count_once(a, seed, &counted_a[i]) < 0 ||
		    count_once(b, seed, &counted_b[i]) < 0)
			break;
	counters_probe_judge(counted_a, counted_b, ret_probe);
}
