#include "bench/pairing_pair.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "process/proc_text.h"
#include "process/process.h"
#include "stats/paired.h"
#include "stats/summary.h"
#include "system/thread_times.h"

#define WARM_UP_SHARE 0.1 /* of a pair's time */
#define BLOCKS_MIN 2	  /* of each side, without the warm-up: A B B A */
#define CALIBRATIONS 2	  /* of each side; the largest counts */
/* A worker waits once for each request. More waits than this were the target's own. */
#define OWN_WAITS_SHARE 0.05
#define OWN_WAITS_MIN 3
#define OFF_CPU_SHARE 0.05 /* of the wall time, neither on a CPU nor waiting for one */
#define STATUS_SIZE_MAX 8192

double pair_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

uint64_t pair_random(uint64_t *state)
{
	*state += 0x9E3779B97F4A7C15u;
	return hash_u64(*state);
}

static bool is_command(const struct pair_plan *plan)
{
	return plan->specs[0]->target.kind == TARGET_COMMAND ||
	       plan->specs[1]->target.kind == TARGET_COMMAND;
}

static bool must_stop(const struct pair_plan *plan)
{
	return (plan->options->stop != NULL && *plan->options->stop) ||
	       pair_now_s() > plan->deadline_s;
}

static void copy_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text != NULL ? text : "");
}

/* spec: filled here, to live as long as the worker. */
static int start_side(const struct pair_plan *plan, int side, struct worker_spec *spec,
		      struct worker **ret_worker, struct pair_side *measured, struct err *err)
{
	int r;

	*spec = *plan->specs[side];
	spec->seed = plan->seed;
	spec->cpu = plan->cpu;
	spec->stop = plan->options->stop;
	r = worker_start(spec, ret_worker, err);
	if (r < 0)
		return r;
	copy_text(measured->python_version, sizeof(measured->python_version),
		  worker_python_version(*ret_worker));
	copy_text(measured->implementation, sizeof(measured->implementation),
		  worker_implementation(*ret_worker));
	return 0;
}

static int calibrate(const struct pair_plan *plan, struct worker *worker, uint64_t *ret_loops,
		     struct err *err)
{
	*ret_loops = 1;
	/* Whatever disturbs it makes it smaller. */
	for (int turn = 0; turn < CALIBRATIONS && !is_command(plan); turn++) {
		uint64_t loops = 1;
		int r = worker_calibrate(worker, plan->options->block_s, &loops, err);

		if (r < 0)
			return r;
		if (loops > *ret_loops)
			*ret_loops = loops;
	}
	return 0;
}

/* The loops of a block: the slower side's, for both. What comes once a block (its first loop finds
 * the caches cold) must weigh the same on either side: 4 loops against 10 of equal code have been
 * seen to differ by 2 %. */
static int find_loops(const struct pair_plan *plan, struct worker *const workers[2],
		      struct pair_measured *pair, int *ret_failed, struct err *err)
{
	uint64_t loops = plan->loops;

	for (int side = 0; side < 2 && plan->loops == 0; side++) {
		uint64_t own = 1;
		int r = 0;

		*ret_failed = side;
		if (plan->options->kind == BENCH_TIME)
			r = calibrate(plan, workers[side], &own, err);
		if (r < 0)
			return r;
		if (loops == 0 || own < loops)
			loops = own;
	}
	pair->loops = loops;
	return 0;
}

static int run_block(const struct pair_plan *plan, struct worker *worker, uint64_t loops,
		     struct pair_side *side, size_t at, struct err *err)
{
	struct block block = {0};
	int r = worker_block(worker, loops, &block, err);

	if (r < 0)
		return r;
	if (block.loops == 0)
		block.loops = loops;
	side->wall[at] = block.wall_s / (double)block.loops;
	side->cpu[at] = block.cpu_s / (double)block.loops;
	side->value[at] = block.value;
	side->causes[at] = block.causes;
	if (steal_look(plan->steal))
		side->causes[at] |= CAUSE_STEAL;
	return 0;
}

/* Both sides once. Every second turn is the mirror of the one before (A B B A or B A A B), so that
 * drift and who comes first cancel within the pair; which of the two it is, chance decides. */
static int run_turn(const struct pair_plan *plan, struct worker *const workers[2],
		    struct pair_measured *pair, uint64_t *random, int *ret_failed, struct err *err)
{
	size_t at = pair->blocks, counted = at - pair->warmups;
	bool mirrored = at > pair->warmups && counted % 2 == 1;
	int first = mirrored ? !pair->order[at - 1] : (int)(pair_random(random) & 1);

	pair->order[at] = (uint8_t)first;
	for (int turn = 0; turn < 2; turn++) {
		int side = turn == 0 ? first : !first, r;

		*ret_failed = side;
		r = run_block(plan, workers[side], pair->loops, &pair->sides[side], at, err);
		if (r < 0)
			return r;
	}
	pair->blocks++;
	return 0;
}

static int warm_up(const struct pair_plan *plan, struct worker *const workers[2],
		   struct pair_measured *pair, uint64_t *random, int *ret_failed, struct err *err)
{
	double end_s = pair_now_s() + WARM_UP_SHARE * plan->options->pair_s;
	int r = 0;

	/* What gives a value gives it once a process. */
	if (plan->options->kind != BENCH_TIME || (is_command(plan) && !plan->first))
		return 0;
	do {
		r = run_turn(plan, workers, pair, random, ret_failed, err);
		pair->warmups = pair->blocks;
	} while (r == 0 && !is_command(plan) && pair_now_s() < end_s &&
		 pair->blocks < PAIR_BLOCKS_MAX / 2 && !must_stop(plan));
	return r;
}

/* What the kernel counts of a worker's main thread. */
struct waits {
	uint64_t voluntary;   /* how often it gave up the CPU by itself */
	uint64_t runqueue_ns; /* how long it waited for one */
	bool known;
};

static void read_waits(const struct worker *worker, struct waits *ret_waits)
{
	struct thread_schedstat schedule;
	struct thread_times times;
	char text[STATUS_SIZE_MAX];
	size_t size;
	pid_t pid = worker_pid(worker);

	ret_waits->known = false;
	if (proc_read(pid, "status", text, sizeof(text), &size, NULL) < 0 ||
	    !proc_find_number(text, size, "voluntary_ctxt_switches", 10, &ret_waits->voluntary) ||
	    thread_times_open(&times, pid, pid, NULL) < 0)
		return;
	ret_waits->known = thread_times_schedstat(&times, &schedule) == 0;
	ret_waits->runqueue_ns = schedule.runqueue_ns;
	thread_times_release(&times);
}

static int run_blocks(const struct pair_plan *plan, struct worker *const workers[2],
		      struct pair_measured *pair, uint64_t *random, enum pair_outcome *ret_outcome,
		      int *ret_failed, struct err *err)
{
	double end_s = pair_now_s() + plan->options->pair_s;
	bool timed = plan->options->kind == BENCH_TIME;

	for (;;) {
		size_t counted = pair->blocks - pair->warmups;
		bool mirrored = counted % 2 == 0;
		int r;

		if (timed ? counted >= BLOCKS_MIN && mirrored && pair_now_s() >= end_s
			  : counted == 1)
			break;
		if (pair->blocks >= PAIR_BLOCKS_MAX)
			break;
		if (must_stop(plan)) {
			*ret_outcome = PAIR_GIVEN_UP;
			return 0;
		}
		r = run_turn(plan, workers, pair, random, ret_failed, err);
		if (r < 0)
			return r;
	}
	*ret_outcome = PAIR_COMPLETE;
	return 0;
}

static double median_of(const double *values, size_t count)
{
	struct summary summary;

	if (count == 0 || summary_of(values, count, &summary) < 0)
		return NAN;
	return summary.median;
}

/* Whether the target itself gave up the CPU within the blocks. Many short blocks tell by the number
 * of waits; a few long ones by the time, of which the waits for requests are then little. */
static void judge_waits(struct pair_measured *pair, struct pair_side *side,
			const struct waits *before, const struct waits *after)
{
	double shares[PAIR_BLOCKS_MAX], wall_s = 0, cpu_s = 0, own, off_s;
	double blocks = (double)(pair->blocks - pair->warmups);
	size_t count = 0;

	for (size_t i = pair->warmups; i < pair->blocks; i++) {
		wall_s += side->wall[i] * (double)pair->loops;
		cpu_s += side->cpu[i] * (double)pair->loops;
		if (side->wall[i] > 0)
			shares[count++] = 1 - side->cpu[i] / side->wall[i];
	}
	side->off_share = median_of(shares, count);
	side->gave_up_cpu = true;
	if (!before->known || !after->known)
		return; /* wall time is never wrong, only noisy */
	pair->starved_s += (double)(after->runqueue_ns - before->runqueue_ns) * 1e-9;
	pair->ran_s += cpu_s;
	own = (double)(after->voluntary - before->voluntary) - blocks;
	off_s = wall_s - cpu_s - (double)(after->runqueue_ns - before->runqueue_ns) * 1e-9;
	side->gave_up_cpu = own > OWN_WAITS_MIN + OWN_WAITS_SHARE * blocks ||
			    (own > 0 && own >= blocks) || off_s > OFF_CPU_SHARE * wall_s;
}

static int run_workers(const struct pair_plan *plan, struct worker *const workers[2],
		       struct pair_measured *pair, uint64_t *random, enum pair_outcome *ret_outcome,
		       int *ret_failed, struct err *err)
{
	struct waits before[2] = {{.known = false}}, after[2] = {{.known = false}};
	int r = find_loops(plan, workers, pair, ret_failed, err);

	if (r == 0)
		r = warm_up(plan, workers, pair, random, ret_failed, err);
	if (r < 0)
		return r;
	/* A command's processes are gone by then. */
	for (int side = 0; side < 2 && !is_command(plan); side++)
		read_waits(workers[side], &before[side]);
	r = run_blocks(plan, workers, pair, random, ret_outcome, ret_failed, err);
	if (r < 0)
		return r;
	for (int side = 0; side < 2; side++) {
		if (!is_command(plan))
			read_waits(workers[side], &after[side]);
		judge_waits(pair, &pair->sides[side], &before[side], &after[side]);
	}
	return 0;
}

int pair_measure(const struct pair_plan *plan, uint64_t *random, struct pair_measured *ret_pair,
		 enum pair_outcome *ret_outcome, int *ret_failed, struct err *err)
{
	struct worker *workers[2] = {NULL, NULL};
	struct worker_spec specs[2];
	int first = (int)(pair_random(random) & 1), r = 0;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memset(ret_pair, 0, sizeof(*ret_pair));
	ret_pair->start_s = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
	bench_counters_clear(&ret_pair->sides[0].counters);
	bench_counters_clear(&ret_pair->sides[1].counters);
	for (int turn = 0; turn < 2 && r == 0; turn++) {
		int side = turn == 0 ? first : !first;

		*ret_failed = side;
		r = start_side(plan, side, &specs[side], &workers[side], &ret_pair->sides[side],
			       err);
	}
	if (r == 0)
		r = run_workers(plan, workers, ret_pair, random, ret_outcome, ret_failed, err);
	for (int side = 0; side < 2; side++) {
		int ended = 0;

		if (workers[side] != NULL)
			ended = worker_end(workers[side], &ret_pair->sides[side].counters,
					   r == 0 ? err : NULL);
		if (ended < 0 && r == 0) {
			*ret_failed = side;
			r = ended;
		}
	}
	return r;
}

double pair_ratio(const struct pair_measured *pair, enum pair_metric metric)
{
	const double *a = metric == PAIR_CPU ? pair->sides[0].cpu : pair->sides[0].wall;
	const double *b = metric == PAIR_CPU ? pair->sides[1].cpu : pair->sides[1].wall;
	double kept_a[PAIR_BLOCKS_MAX], kept_b[PAIR_BLOCKS_MAX];
	uint8_t order[PAIR_BLOCKS_MAX];
	size_t count = 0, counted = pair->blocks - pair->warmups;

	for (size_t i = pair->warmups; i < pair->blocks; i++) {
		if (!(a[i] > 0) || !(b[i] > 0) || !isfinite(a[i]) || !isfinite(b[i]))
			continue;
		kept_a[count] = a[i];
		kept_b[count] = b[i];
		order[count++] = pair->order[i];
	}
	if (count == 0 || count * 2 < counted)
		return NAN;
	return pair_log_ratio(kept_a, kept_b, order, count);
}

double pair_value(const struct pair_measured *pair, int side)
{
	return median_of(pair->sides[side].value + pair->warmups, pair->blocks - pair->warmups);
}
