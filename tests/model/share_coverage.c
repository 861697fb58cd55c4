/* Simulates programs with phases under a Poisson sampler and counts how often
 * the 95 % interval of a share covers the share that the very run had. The
 * interval is the product's own (stats/interval.h). Prints one line a case:
 * NAME COVERAGE INTERVALS. Arguments: RUNS SEED. Judged by test_coverage.py. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats/interval.h"

/* xorshift64*: a run is repeatable on every machine. */
static uint64_t random_state;

static double uniform(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return ((random_state * 2685821657736338717u >> 11) + 0.5) / 9007199254740992.0;
}

static double exponential(double mean)
{
	return -mean * log(uniform());
}

enum estimator {
	ESTIMATE_COUNT,		   /* k of n: right under one rate */
	ESTIMATE_WEIGHTED,	   /* by 1/rate, with n_eff = (Σw)²/Σw²: what shares.c does */
	ESTIMATE_WEIGHTED_PLAIN_N, /* by 1/rate, as if all n counted: a control that must fail */
};

struct program {
	const char *name;
	double in_ms, out_ms;	      /* mean length of phases inside and outside the function */
	double out_late_ms;	      /* of phases outside in the second half; 0 = the same */
	double rate_hz, rate_late_hz; /* of the sampler, first and second half */
	double seconds;
	enum estimator estimator;
};

static const struct program programs[] = {
    {"phases_1_3_ms", 1, 3, 0, 200, 200, 4, ESTIMATE_COUNT},
    {"phases_20_60_ms", 20, 60, 0, 200, 200, 4, ESTIMATE_COUNT},
    {"phases_100_300_ms", 100, 300, 0, 200, 200, 4, ESTIMATE_COUNT},
    {"rare_2_percent", 2, 98, 0, 400, 400, 4, ESTIMATE_COUNT},
    {"two_rates_even", 20, 60, 0, 100, 700, 4, ESTIMATE_WEIGHTED},
    {"two_rates_uneven", 20, 60, 20, 100, 300, 4, ESTIMATE_WEIGHTED},
    {"control_plain_n", 20, 60, 0, 50, 950, 4, ESTIMATE_WEIGHTED_PLAIN_N},
    {"control_plain_count", 20, 60, 20, 100, 300, 4, ESTIMATE_COUNT},
};

struct sums {
	double weight, square, hit_weight, count, hit_count;
};

static void add_sample(struct sums *sums, double weight, int hit)
{
	sums->count++;
	sums->weight += weight;
	sums->square += weight * weight;
	if (hit) {
		sums->hit_count++;
		sums->hit_weight += weight;
	}
}

static struct interval estimate(const struct program *program, const struct sums *sums)
{
	if (program->estimator == ESTIMATE_COUNT)
		return wilson_interval(sums->hit_count, sums->count, 0.95);
	double n = program->estimator == ESTIMATE_WEIGHTED
		       ? sums->weight * sums->weight / sums->square
		       : sums->count;
	return wilson_interval(sums->hit_weight / sums->weight * n, n, 0.95);
}

/* One run: phases one after the other, samples at exponential gaps; at the half
 * the sampler starts anew at its second rate (the schedule has no memory). */
static int covers(const struct program *program)
{
	double end = program->seconds, half = end / 2, time = 0, inside_time = 0;
	double rate = program->rate_hz, next = exponential(1 / rate);
	struct sums sums = {0};
	int inside = uniform() < program->in_ms / (program->in_ms + program->out_ms);

	while (time < end) {
		double out_ms = time >= half && program->out_late_ms > 0 ? program->out_late_ms
									 : program->out_ms;
		double until = time + exponential((inside ? program->in_ms : out_ms) / 1000);
		if (time < half && until > half)
			until = half; /* phases have no memory either: the rest is drawn anew */
		else if (until > end)
			until = end;
		for (; next < until; next += exponential(1 / rate))
			add_sample(&sums, 1 / rate, inside);
		inside_time += inside ? until - time : 0;
		time = until;
		if (time == half) {
			rate = program->rate_late_hz;
			next = half + exponential(1 / rate);
		} else {
			inside = !inside;
		}
	}
	struct interval interval = estimate(program, &sums);
	double share = inside_time / end;
	return interval.low <= share && share <= interval.high;
}

int main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : 2000;

	random_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	if (runs < 1 || random_state == 0) {
		fprintf(stderr, "usage: share_coverage RUNS SEED\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		int covered = 0;
		for (int run = 0; run < runs; run++)
			covered += covers(&programs[i]);
		printf("%s %.5f %d\n", programs[i].name, (double)covered / runs, runs);
	}
	return 0;
}
