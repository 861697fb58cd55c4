#include "bench/command_worker.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/err.h"
#include "bench/worker_process.h"
#include "bench/worker_trace.h"

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

void command_worker_init(struct command_worker *worker, const struct worker_spec *spec)
{
	*worker = (struct command_worker){.spec = spec};
	worker->sum.peak_rss_bytes = UINT64_MAX;
}

static int refuse_status(const struct command_worker *worker, const struct worker_process *process,
			 struct err *err)
{
	char text[128], last[256];
	int result;

	worker_process_status_text(process, text, sizeof(text));
	worker_process_last_line(process, last, sizeof(last));
	result = err_set(err, ERR_TARGET, "`%s` %s", worker->spec->target.argv[0], text);
	err_why(err, "%s%s", *last ? "its last line: " : "it said nothing", last);
	err_next(err,
		 "a command that fails takes another time than one that works: run it by hand");
	return result;
}

static int refuse_hang(const struct command_worker *worker, struct err *err)
{
	int result = err_set(err, ERR_TIMEOUT, "`%s` hangs: it ran for %g s and was ended",
			     worker->spec->target.argv[0], worker->spec->time_limit_s);

	err_why(err, "one execution may take %g s", worker->spec->time_limit_s);
	err_next(err, "--timeout SECONDS allows more");
	return result;
}

static void add_usage(struct command_worker *worker, const struct worker_process *process,
		      const struct worker_trace *trace)
{
	struct bench_counters *sum = &worker->sum;
	const struct rusage *usage = &process->usage;

	sum->cpu_s += seconds_of(usage->ru_utime) + seconds_of(usage->ru_stime);
	sum->voluntary_switches += (uint64_t)usage->ru_nvcsw;
	sum->involuntary_switches += (uint64_t)usage->ru_nivcsw;
	sum->minor_faults += (uint64_t)usage->ru_minflt;
	sum->major_faults += (uint64_t)usage->ru_majflt;
	if (trace->peak_bytes != UINT64_MAX &&
	    (sum->peak_rss_bytes == UINT64_MAX || trace->peak_bytes > sum->peak_rss_bytes))
		sum->peak_rss_bytes = trace->peak_bytes;
	worker->executions++;
	worker->output_bytes += process->output_total;
}

/* Runs it once; the process is ended and released by the caller. */
static int execute(struct command_worker *worker, struct worker_process *process,
		   struct worker_trace *trace, bool syscalls, double *ret_wall_s, struct err *err)
{
	const struct worker_spec *spec = worker->spec;
	double began_s;
	int result = worker_process_start(spec, spec->target.argv, false, true, process, err);

	if (result < 0)
		return result;
	worker_trace_start(process, syscalls, trace);
	began_s = clock_now_s();
	worker_process_let_go(process);
	if (!syscalls) /* else it stands, and the exec happens in worker_trace_run */
		result = worker_process_go(process, spec->target.argv[0], err);
	if (result == 0)
		result = worker_trace_run(process, trace, false, began_s + spec->time_limit_s,
					  spec->stop, err);
	if (result == 0 && syscalls)
		result = worker_process_go(process, spec->target.argv[0], err);
	*ret_wall_s = clock_now_s() - began_s - trace->stopped_s;
	if (result == -ERR_TIMEOUT && !(spec->stop && *spec->stop))
		refuse_hang(worker, err);
	if (result == 0 && (!WIFEXITED(process->status) || WEXITSTATUS(process->status) != 0))
		result = refuse_status(worker, process, err);
	return result;
}

static int run_once(struct command_worker *worker, struct block *block, struct err *err)
{
	struct worker_process process;
	struct worker_trace trace;
	double wall_s;
	int result = execute(worker, &process, &trace, false, &wall_s, err);

	if (result == 0) {
		block->wall_s += wall_s;
		block->cpu_s +=
		    seconds_of(process.usage.ru_utime) + seconds_of(process.usage.ru_stime);
		if (process.usage.ru_nivcsw)
			block->causes |= CAUSE_SWITCHED;
		if (process.usage.ru_majflt)
			block->causes |= CAUSE_FAULTED;
		add_usage(worker, &process, &trace);
	}
	worker_process_release(&process);
	return result;
}

int command_worker_block(struct command_worker *worker, uint64_t loops, struct block *ret_block,
			 struct err *err)
{
	struct block block = {.loops = loops, .value = NAN};
	int result = 0;

	for (uint64_t i = 0; result == 0 && i < loops; i++)
		result = run_once(worker, &block, err);
	if (result == 0)
		*ret_block = block;
	return result;
}

int command_worker_count(struct command_worker *worker, struct bench_counters *ret_counters,
			 struct err *err)
{
	struct worker_process process;
	struct worker_trace trace;
	double wall_s;
	int result = execute(worker, &process, &trace, true, &wall_s, err);

	if (result == 0) {
		bench_counters_clear(ret_counters);
		if (trace.count && !trace.unreadable)
			ret_counters->syscalls = trace.count;
	}
	worker_process_release(&process);
	return result;
}

void command_worker_counters(const struct command_worker *worker,
			     struct bench_counters *ret_counters)
{
	size_t n = worker->executions;

	bench_counters_clear(ret_counters);
	if (n == 0)
		return;
	ret_counters->cpu_s = worker->sum.cpu_s / (double)n;
	ret_counters->peak_rss_bytes = worker->sum.peak_rss_bytes;
	ret_counters->voluntary_switches = worker->sum.voluntary_switches / n;
	ret_counters->involuntary_switches = worker->sum.involuntary_switches / n;
	ret_counters->minor_faults = worker->sum.minor_faults / n;
	ret_counters->major_faults = worker->sum.major_faults / n;
}
