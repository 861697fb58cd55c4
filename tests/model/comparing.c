/* Simulates comparisons whose truth is known and prints how often the methods in src/stats are
 * wrong: comparing PART RUNS SEED, where PART is one of `parts` at the end. Each row: name,
 * runs, then figures as "key=value". Everything is drawn from the seed.
 *
 * A comparison is simulated from the block upwards: a pair has two processes with a level each
 * (layout, hash seed), the machine has a speed that both share and that changes with time, every
 * block has its own disturbance, and running second costs something. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stats/paired.h"
#include "stats/sequential.h"

#define BLOCKS_MAX 64
#define PAIRS_MAX 400

static uint64_t state;

static double uniform(void)
{
	uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static double student(double freedom)
{
	double squares = 0;

	for (int i = 0; i < (int)freedom; i++) {
		double z = normal();
		squares += z * z;
	}
	return normal() / sqrt(squares / freedom);
}

/* What a quiet and a busy machine gave: 1.3 %, and 2.8 % with a robust SD of 1.4 %. */
static double quiet(void)
{
	return 0.013 * normal();
}

static double busy(void)
{
	return uniform() < 0.12 ? 0.07 * normal() : 0.0132 * normal();
}

/* --- worlds: one pair's number ---------------------------------------------------------- */

struct world {
	const char *name;
	double block_sd;      /* log, of one block */
	double block_heavy;   /* chance of a block that something else disturbed */
	double process_sd;    /* between processes */
	double process_heavy; /* of the levels: Student's t with 2 degrees of freedom */
	double mode;	      /* log distance of two modes, even odds for each process */
	double drift;	      /* of the machine, over one pair */
	double step;	      /* of the machine, somewhere in the pair */
	double correlation;   /* AR(1) of the machine from block to block */
	double second;	      /* what running second costs */
	double tick;	      /* the clock's, as a part of a block; 0 none */
	int blocks_low, blocks_high;
	double pair_correlation; /* AR(1) of the pairs' spread: calm and stormy times */
};

static const struct world worlds[] = {
    {.name = "iid", .block_sd = 0.02},
    {.name = "heavy_tail", .block_sd = 0.02, .block_heavy = 0.2, .process_heavy = 0.01},
    {.name = "drift", .block_sd = 0.02, .process_sd = 0.005, .drift = 0.3},
    {.name = "step_in_mid_run", .block_sd = 0.02, .process_sd = 0.005, .step = 0.25},
    {.name = "two_modes", .block_sd = 0.003, .mode = 0.08},
    {.name = "two_exact_modes", .mode = 0.08},
    {.name = "ar1", .block_sd = 0.01, .correlation = 0.9, .process_sd = 0.005},
    {.name = "between_processes", .block_sd = 0.005, .process_sd = 0.05},
    {.name = "unequal_n", .block_sd = 0.03, .process_sd = 0.01, .blocks_low = 1, .blocks_high = 60},
    {.name = "zero_variance"},
    {.name = "one_block", .block_sd = 0.02, .process_sd = 0.01, .blocks_low = 1, .blocks_high = 1},
    {.name = "ties", .block_sd = 0.02, .tick = 0.02},
    {.name = "second_is_slower", .block_sd = 0.02, .process_sd = 0.005, .second = 0.1},
    {.name = "calm_and_stormy", .block_sd = 0.01, .process_sd = 0.01, .pair_correlation = 0.9},
};
#define WORLD_COUNT (sizeof(worlds) / sizeof(worlds[0]))

struct machine {
	double speed;  /* AR(1) */
	double spread; /* log */
};

static double process_level(const struct world *world)
{
	double level = world->process_sd * normal();

	if (world->process_heavy > 0)
		level += world->process_heavy * student(2);
	if (world->mode > 0 && uniform() < 0.5)
		level += world->mode;
	return level;
}

static double block_time(const struct world *world, double level, double spread)
{
	double log_time = level + spread * world->block_sd * normal(), time;

	if (uniform() < world->block_heavy)
		log_time += 0.5 * -log(uniform());
	time = exp(log_time);
	return world->tick > 0 ? round(time / world->tick) * world->tick : time;
}

static double simulate_pair(const struct world *world, struct machine *machine, double effect)
{
	double a[BLOCKS_MAX], b[BLOCKS_MAX], level_a, level_b;
	uint8_t order[BLOCKS_MAX];
	int low = world->blocks_low ? world->blocks_low : 20,
	    high = world->blocks_high ? world->blocks_high : 20;
	int blocks = low + (int)(uniform() * (high - low + 1));
	double step_at = uniform() * blocks, spread;

	machine->spread = world->pair_correlation * machine->spread +
			  sqrt(1 - world->pair_correlation * world->pair_correlation) * normal();
	spread = world->pair_correlation > 0 ? exp(machine->spread) : 1;
	level_a = spread * process_level(world);
	level_b = effect + spread * process_level(world);
	for (int i = 0; i < blocks; i++) {
		double shared = world->drift * i / blocks + (i > step_at ? world->step : 0);

		machine->speed = world->correlation * machine->speed + 0.02 * normal();
		if (world->correlation > 0)
			shared += machine->speed;
		order[i] = uniform() < 0.5;
		a[i] = block_time(world, shared + level_a + (order[i] ? world->second : 0), spread);
		b[i] = block_time(world, shared + level_b + (order[i] ? 0 : world->second), spread);
	}
	return pair_log_ratio(a, b, order, (size_t)blocks);
}

/* --- parts ------------------------------------------------------------------------------- */

static void die(const struct err *err)
{
	fprintf(stderr, "%s\n", err->what);
	exit(1);
}

static struct sequential_state run_test(const struct sequential_plan *plan, const double *ratios,
					size_t *ret_pairs)
{
	struct sequential_state look;
	struct err err = {0};

	/* Pairs between looks decide nothing (test_sequential.c): leave them out. */
	for (size_t n = sequential_next_look(plan, 1);; n = sequential_next_look(plan, n + 1)) {
		if (n > plan->pairs_max)
			n = plan->pairs_max;
		if (sequential_look(plan, ratios, n, &look, &err) < 0)
			die(&err);
		*ret_pairs = n;
		if (look.decision != SEQUENTIAL_CONTINUE)
			return look;
	}
}

static void nulls(long runs)
{
	/* No tolerance: the test goes on to the end, and has every chance to be wrong. */
	const struct sequential_plan plan = {.alpha = 0.002, .power = 0.9, .pairs_max = 43};
	double ratios[PAIRS_MAX];
	size_t pairs;

	for (size_t w = 0; w < WORLD_COUNT; w++) {
		long wrong = 0, missed = 0;

		for (long run = 0; run < runs; run++) {
			struct machine machine = {0};
			struct sequential_state end;

			for (size_t i = 0; i < plan.pairs_max; i++)
				ratios[i] = simulate_pair(&worlds[w], &machine, 0);
			end = run_test(&plan, ratios, &pairs);
			wrong += end.decision != SEQUENTIAL_UNKNOWN;
			missed += end.low > 0 || end.high < 0;
		}
		printf("%s %ld wrong=%ld missed=%ld\n", worlds[w].name, runs, wrong, missed);
	}
}

/* The control: the 95 % interval for a fixed number of pairs, looked at after each. */
static void peeking(long runs)
{
	double ratios[PAIRS_MAX];
	struct paired_estimate estimate;
	struct err err = {0};
	long wrong = 0;

	for (long run = 0; run < runs; run++) {
		bool decided = false;

		for (size_t n = 0; n < 43; n++) {
			ratios[n] = quiet();
			if (n < 10 || decided)
				continue;
			if (paired_estimate_of(ratios, n + 1, 0.95, 1, &estimate, &err) < 0)
				die(&err);
			decided = estimate.low > 0 || estimate.high < 0;
		}
		wrong += decided;
	}
	printf("peeking %ld wrong=%ld\n", runs, wrong);
}

struct shape {
	const char *name;
	double (*draw)(void);
};

static double cauchy(void)
{
	return 0.01 * tan(M_PI * (uniform() - 0.5));
}

static double two_peaks(void)
{
	double modes = (uniform() < 0.5 ? 0.04 : 0) - (uniform() < 0.5 ? 0.04 : 0);

	return modes + 0.005 * normal();
}

static double box(void)
{
	return 0.03 * (uniform() - 0.5);
}

static const struct shape shapes[] = {
    {"quiet", quiet}, {"busy", busy}, {"cauchy", cauchy}, {"two_peaks", two_peaks}, {"box", box}};
#define SHAPE_COUNT (sizeof(shapes) / sizeof(shapes[0]))

static void fixed_coverage(long runs)
{
	static const size_t sizes[] = {6, 8, 12, 20, 40};
	double ratios[PAIRS_MAX];
	struct err err = {0};

	for (size_t s = 0; s < SHAPE_COUNT; s++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			long covered = 0, naive = 0;

			for (long run = 0; run < runs; run++) {
				struct paired_estimate estimate;
				double half;

				for (size_t i = 0; i < sizes[k]; i++)
					ratios[i] = 0.02 + shapes[s].draw();
				if (paired_estimate_of(ratios, sizes[k], 0.95, 1, &estimate, &err) <
				    0)
					die(&err);
				covered += estimate.low <= 0.02 && 0.02 <= estimate.high;
				half = 1.96 * estimate.spread / sqrt((double)sizes[k]) / 2;
				naive += fabs(estimate.location - 0.02) <= half;
			}
			printf("fixed_%s_%zu %ld covered=%ld control_half_as_wide=%ld\n",
			       shapes[s].name, sizes[k], runs, covered, naive);
		}
}

static void stopped_coverage(long runs)
{
	static const double effects[] = {0, 0.02};
	static const struct shape *const stopped[] = {&shapes[0], &shapes[1], &shapes[3]};
	const struct sequential_plan plan = {
	    .alpha = 0.002, .power = 0.9, .tolerance = 0.02, .pairs_max = 50};
	double ratios[PAIRS_MAX];
	struct err err = {0};

	for (size_t s = 0; s < sizeof(stopped) / sizeof(stopped[0]); s++)
		for (size_t e = 0; e < sizeof(effects) / sizeof(effects[0]); e++) {
			long covered = 0, naive = 0;

			for (long run = 0; run < runs; run++) {
				struct paired_estimate estimate;
				struct sequential_state end;
				size_t n;

				for (size_t i = 0; i < plan.pairs_max; i++)
					ratios[i] = effects[e] + stopped[s]->draw();
				end = run_test(&plan, ratios, &n);
				covered += end.low <= effects[e] && effects[e] <= end.high;
				/* Peeking with an interval made for a fixed number. */
				for (n = 6; n <= plan.pairs_max; n++) {
					if (run >= runs / 40 ||
					    paired_estimate_of(ratios, n, 0.95, 1, &estimate,
							       &err) < 0)
						break;
					if (estimate.low > effects[e] || estimate.high < effects[e])
						break;
				}
				naive += run < runs / 40 && n > plan.pairs_max;
			}
			printf("stopped_%s_%g %ld covered=%ld control_peeking=%ld of=%ld\n",
			       stopped[s]->name, effects[e], runs, covered, naive, runs / 40);
		}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* limit: the pairs that there is time for, at a second each. */
static void power_row(const char *name, double (*draw)(void), double ratio, size_t limit, long runs)
{
	const struct sequential_plan plan = {
	    .alpha = 0.002, .power = 0.9, .tolerance = 0.01, .pairs_max = limit};
	double ratios[PAIRS_MAX], *taken = malloc((size_t)runs * sizeof(*taken));
	long found = 0, wrong_sign = 0, equal = 0;

	for (long run = 0; run < runs; run++) {
		struct sequential_state end;
		size_t pairs;

		for (size_t i = 0; i < limit; i++)
			ratios[i] = log(ratio) + draw();
		end = run_test(&plan, ratios, &pairs);
		found += end.decision == SEQUENTIAL_GREATER;
		wrong_sign += end.decision == SEQUENTIAL_LESS;
		equal += end.decision == SEQUENTIAL_EQUAL;
		taken[run] = (double)pairs;
	}
	qsort(taken, (size_t)runs, sizeof(*taken), by_value);
	printf("power_%s_%g %ld found=%ld wrong_sign=%ld equal=%ld limit=%zu median_pairs=%g "
	       "p90_pairs=%g\n",
	       name, ratio, runs, found, wrong_sign, equal, limit, taken[runs / 2],
	       taken[runs * 9 / 10]);
	free(taken);
}

/* What is said to be detectable is found about as often as said (0.9). */
static void detectable_row(const char *name, double (*draw)(void), size_t pairs, long runs)
{
	const struct sequential_plan plan = {.alpha = 0.002, .power = 0.9, .pairs_max = pairs};
	double ratios[PAIRS_MAX], *told = malloc((size_t)runs * sizeof(*told)), effect;
	struct sequential_state end;
	struct err err = {0};
	long found = 0;
	size_t n;

	for (long run = 0; run < runs; run++) {
		for (size_t i = 0; i < pairs; i++)
			ratios[i] = draw();
		if (sequential_look(&plan, ratios, pairs, &end, &err) < 0)
			die(&err);
		told[run] = end.detectable;
	}
	qsort(told, (size_t)runs, sizeof(*told), by_value);
	effect = told[runs / 2];
	for (long run = 0; run < runs; run++) {
		for (size_t i = 0; i < pairs; i++)
			ratios[i] = effect + draw();
		found += run_test(&plan, ratios, &n).decision == SEQUENTIAL_GREATER;
	}
	printf("detectable_%s_%zu %ld found=%ld pairs=%zu effect=%.4f\n", name, pairs, runs, found,
	       pairs, effect);
	free(told);
}

static void power(long runs)
{
	static const size_t sizes[] = {8, 12, 14, 20, 43};

	for (size_t s = 0; s < 2; s++) {
		power_row(shapes[s].name, shapes[s].draw, 2.0, 8, runs);
		power_row(shapes[s].name, shapes[s].draw, 1.10, 20, runs);
		power_row(shapes[s].name, shapes[s].draw, 1.05, 30, runs);
		power_row(shapes[s].name, shapes[s].draw, 1.02, 90, runs);
		power_row(shapes[s].name, shapes[s].draw, 1.0, 90, runs);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			detectable_row(shapes[s].name, shapes[s].draw, sizes[i], runs);
	}
}

/* Swapping A and B must negate everything to the last bit. */
static void swaps(long runs)
{
	const struct sequential_plan plan = {
	    .alpha = 0.002, .power = 0.9, .tolerance = 0.01, .pairs_max = 40};
	double ratios[PAIRS_MAX], swapped[PAIRS_MAX];
	long differ = 0;

	for (long run = 0; run < runs; run++) {
		struct sequential_state one, other;
		size_t n, m;

		for (size_t i = 0; i < plan.pairs_max; i++) {
			ratios[i] = 0.02 * uniform() + busy();
			swapped[i] = -ratios[i];
		}
		one = run_test(&plan, ratios, &n);
		other = run_test(&plan, swapped, &m);
		differ += n != m || one.location != -other.location || one.low != -other.high ||
			  one.high != -other.low || one.p != other.p ||
			  one.detectable != other.detectable;
	}
	printf("swap %ld differ=%ld\n", runs, differ);
}

static const struct {
	const char *name;
	void (*run)(long runs);
} parts[] = {{"nulls", nulls},		{"peeking", peeking},
	     {"fixed", fixed_coverage}, {"stopped", stopped_coverage},
	     {"power", power},		{"swaps", swaps}};

int main(int count, char **words)
{
	if (count != 4)
		return 2;
	state = strtoull(words[3], NULL, 10);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(words[1], parts[i].name)) {
			parts[i].run(atol(words[2]));
			return 0;
		}
	return 2;
}
