/* An open-loop load: requests begin when they were planned, not when the one before was done, and
 * each latency counts from the planned start. A target that stalls for a second makes every
 * request that was planned in that second slow, as it would for those who sent them. */
#include "bench/load.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/plan_case.h"

#define KEPT_UP 0.97 /* of the planned rate: less is told */

double load_achieved_hz(double rate_hz, const double *latencies_s, size_t n)
{
	double end_s = 0;

	for (size_t i = 0; i < n; i++)
		end_s = fmax(end_s, (double)i / rate_hz + latencies_s[i]);
	return end_s > 0 ? (double)n / end_s : NAN;
}

static int tell_rate(const struct bench_plan *plan, struct bench_case *one,
		     struct bench_results *results, const double *latencies_s, size_t n,
		     struct err *err)
{
	double done_hz = load_achieved_hz(plan->load_rate_hz, latencies_s, n);
	char text[128];

	if (done_hz >= KEPT_UP * plan->load_rate_hz)
		return 0;
	snprintf(text, sizeof(text), "did not keep up: %.4g requests a second planned, %.4g done",
		 plan->load_rate_hz, done_hz);
	return plan_note(one, results, text, err);
}

static int write_latencies(struct benchmark *benchmark, uint64_t seed, double start_s,
			   const double *latencies_s, size_t n, struct err *err)
{
	struct bench_run *run = benchmark_add_run(benchmark);
	int result = run ? 0 : -ERR_MEMORY;

	if (run) {
		run->seed = seed;
		run->start_s = start_s;
		run->loops = 1;
	}
	for (size_t i = 0; result == 0 && i < n; i++)
		result = bench_run_add(run, latencies_s[i], false, 0);
	return result < 0 ? err_set(err, ERR_MEMORY, "no memory for latencies") : 0;
}

int load_process(const struct bench_plan *plan, struct bench_case *one,
		 struct bench_results *results, uint64_t seed, struct err *err)
{
	struct benchmark *benchmark = &results->benchmarks[one->benchmark];
	double *latencies_s = NULL, wanted = ceil(plan->load_rate_hz * plan->load_s);
	size_t n = wanted < 1 ? 1 : wanted > LOAD_REQUESTS_MAX ? LOAD_REQUESTS_MAX : (size_t)wanted;
	struct bench_counters counters;
	struct err failure = {.code = 0};
	struct timespec now;
	struct worker *worker;
	int result = 0, failed = worker_start(&one->spec, &worker, &failure);

	if (failed < 0)
		return plan_failed(one, results, &failure, err);
	clock_gettime(CLOCK_REALTIME, &now);
	failed = worker_load(worker, plan->load_rate_hz, n, &latencies_s, &failure);
	if (failed < 0)
		result = plan_failed(one, results, &failure, err);
	else
		result = write_latencies(benchmark, seed, (double)now.tv_sec, latencies_s, n, err);
	if (result == 0 && failed == 0)
		result = tell_rate(plan, one, results, latencies_s, n, err);
	mem_free(latencies_s);
	int left = plan_take_leave(worker, one, results, &counters, err);
	if (result == 0 && failed == 0)
		benchmark->runs[benchmark->run_count - 1].counters = counters;
	return result < 0 ? result : left;
}
