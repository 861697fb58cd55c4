#include "commands/compare_save.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "commands/report_input.h"

static int copy_values(struct bench_run *to, const struct bench_run *from)
{
	int r = 0;

	to->seed = from->seed;
	to->loops = from->loops;
	to->start_s = from->start_s;
	to->counters = from->counters;
	for (size_t i = 0; i < from->warmup_count && r == 0; i++)
		r = bench_run_add(to, from->warmups[i], true, 0);
	for (size_t i = 0; i < from->value_count && r == 0; i++)
		r = bench_run_add(to, from->values[i], false,
				  from->causes != NULL ? from->causes[i] : 0);
	return r;
}

static int copy_benchmark(struct bench_results *to, const struct benchmark *from, const char *name)
{
	struct benchmark *copy = bench_results_add(to, name, from->unit, from->kind);
	int r = copy != NULL ? 0 : -ERR_MEMORY;

	for (size_t i = 0; i < from->run_count && r == 0; i++) {
		struct bench_run *run = benchmark_add_run(copy);

		r = run != NULL ? copy_values(run, &from->runs[i]) : -ERR_MEMORY;
	}
	return r;
}

/* What was not measured is not left out: it would look as if nobody had asked for it. */
static int add_failed(struct bench_results *to, const struct comparison_row *row)
{
	struct benchmark *copy = bench_results_add(to, row->name, "s", BENCH_TIME);

	if (copy == NULL)
		return -ERR_MEMORY;
	copy->failure = mem_copy_text(row->result->failure != NULL ? row->result->failure
								   : "it was not measured");
	return copy->failure != NULL ? 0 : -ERR_MEMORY;
}

/* All benchmarks of one side in one file, each by the clock that was compared. */
static int join_side(const struct compare_answer *answer, int side, struct bench_results *all)
{
	bool facts = false;
	int r = 0;

	for (size_t i = 0; i < answer->count && r == 0; i++) {
		const struct pairing_result *result = &answer->results[i];
		const struct bench_results *one = side == 0 ? result->a : result->b;
		size_t clock = result->metric == PAIR_CPU ? 1 : 0;

		if (one == NULL || result->failure != NULL || result->pair_count == 0 ||
		    one->benchmark_count <= clock) {
			r = add_failed(all, &answer->rows[i]);
			continue;
		}
		for (size_t at = 0; at < one->fact_count && r == 0 && !facts; at++)
			r = bench_results_fact(all, one->facts[at].name, one->facts[at].value);
		facts = true;
		if (r == 0)
			r = copy_benchmark(all, &one->benchmarks[clock], one->benchmarks[0].name);
	}
	return r;
}

static int save_side(const struct compare_answer *answer, const char *folder, int side,
		     struct err *err)
{
	struct bench_results *all = bench_results_new();
	char path[RECORDING_PATH_MAX];
	struct output output;
	int r;

	if (all == NULL || join_side(answer, side, all) < 0) {
		bench_results_free(all);
		return err_set(err, ERR_MEMORY, "No memory for the raw values");
	}
	all->created_s = (double)clock_ns(CLOCK_REALTIME) * 1e-9;
	snprintf(path, sizeof(path), "%s/%c.json", folder, 'a' + side);
	r = output_open(&output, path, err);
	if (r == 0)
		r = output_close(&output, bench_results_write(all, output.stream, err), err);
	bench_results_free(all);
	return r;
}

int compare_save(const struct compare_answer *answer, const char *folder, struct err *err)
{
	int r;

	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return err_set_errno(err, ERR_FILE, errno, "Can't make the folder %s", folder);
	r = save_side(answer, folder, 0, err);
	return r < 0 ? r : save_side(answer, folder, 1, err);
}
