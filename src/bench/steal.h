/* What a CPU did meanwhile, as /proc/stat tells it: time that the hypervisor took from it, and
 * which CPU has least to do. In ticks of 10 ms: a block that saw one is marked, a share of a
 * block is not known. Linux. */
#ifndef BENCH_STEAL_H
#define BENCH_STEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct steal_meter {
	int fd;	 /* of /proc/stat; -1: unknown */
	int cpu; /* −1: the whole machine */
	uint64_t start_ticks, last_ticks;
	double cost_s; /* of one look, as last measured */
	double next_s; /* CLOCK_MONOTONIC: not before, so that looking stays cheap */
	bool known;
};

void steal_start(struct steal_meter *meter, int cpu);
/* Whether ticks were stolen since the last look. */
bool steal_look(struct steal_meter *meter);
/* Since the start, in seconds; 0 where nothing is known. */
double steal_seconds(const struct steal_meter *meter);
void steal_end(struct steal_meter *meter);

/* Pure: the steal ticks and the idle ones (idle + iowait) of a CPU (−1: the machine's line) in the
 * text of /proc/stat. */
bool steal_parse(const char *text, size_t size, int cpu, uint64_t *ret_steal, uint64_t *ret_idle);

/* The CPU, of those that we may use, that was idle most in the next 100 ms. */
int steal_quietest_cpu(int *ret_cpu, struct err *err);

#endif
