/* The Python worker, and the one interface over it and commands. See worker.h. */
#include "bench/worker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "bench/worker_internal.h"
#include "process/process.h"

#define CALIBRATE_LOOPS_MAX ((uint64_t)1 << 40)
#define CALIBRATE_TURNS 3
#define CALIBRATE_GROWTH_MAX 10.0
#define END_PATIENCE_S 2.0   /* for atexit functions and threads that are waited for */
#define QUIT_PATIENCE_S 10.0 /* for the teardown */

/* Any Python since 2 understands this much, and says why it won't do. */
static const char bootstrap[] =
    "import sys\n"
    "if sys.version_info < (3, 8):\n"
    "    sys.exit('benchmarks need Python 3.8 or later, this is %d.%d' % sys.version_info[:2])\n"
    "d = {'__name__': '_pyrometer_worker'}\n"
    "with open(200, 'rb') as f:\n"
    "    exec(compile(f.read(), '<pyrometer worker>', 'exec'), d)\n"
    "d['main'](201, 202)\n";

/* ---- What it is called, and what went wrong ---- */

const char *worker_name(const struct worker_spec *spec)
{
	if (spec->target.kind == TARGET_COMMAND)
		return spec->target.argv[0];
	return spec->target.name ? spec->target.name : spec->target.text;
}

static int refuse_failed(const struct worker *worker, const struct worker_reply *reply,
			 struct err *err)
{
	static const struct {
		const char *phase, *words;
	} phases[] = {{"load", "could not be loaded"},
		      {"setup", "could not be set up"},
		      {"teardown", "failed in its teardown"}};
	const char *words = "raised";
	int result;

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (strcmp(reply->texts[0], phases[i].phase) == 0)
			words = phases[i].words;
	result = err_set(err, ERR_TARGET, "%s %s", worker_name(&worker->spec), words);
	err_why(err, "%s", reply->texts[1]);
	err_next(err, "the interpreter was %s", worker->spec.python);
	return result;
}

/* Says whose process it was. */
int worker_explain(const struct worker *worker, int result, struct err *err)
{
	char why[sizeof(err->why)];

	if (!err)
		return result;
	snprintf(why, sizeof(why), "%s", err->why);
	if (result == -ERR_TIMEOUT && strcmp(err->what, "stopped") == 0)
		return result;
	if (result == -ERR_TIMEOUT) {
		err_set(err, ERR_TIMEOUT, "%s hangs", worker_name(&worker->spec));
		err_why(err, "it did not come back within %g s and was ended",
			worker->spec.time_limit_s);
		err_next(err, "--timeout SECONDS allows more");
	} else if (result == -ERR_TARGET) {
		err_set(err, ERR_TARGET, "%s: %s", worker_name(&worker->spec), err->what);
		err_why(err, "%s", why);
	}
	return result;
}

static void note(struct worker *worker, const char *text)
{
	for (size_t i = 0; i < worker->note_count; i++)
		if (strcmp(worker->notes[i], text) == 0)
			return;
	if (worker->note_count < NOTES_MAX)
		worker->notes[worker->note_count] = mem_copy_text(text);
	if (worker->note_count < NOTES_MAX && worker->notes[worker->note_count])
		worker->note_count++;
}

/* ---- Asking ---- */

int worker_ask(struct worker *worker, const char *request, size_t size, struct err *err)
{
	if (worker->failed)
		return err_set(err, ERR_TARGET, "%s has failed before", worker_name(&worker->spec));
	return worker_process_ask(&worker->process, request, size, err);
}

/* One reply of `kind`, or of `other` (the same: no other). Notes are taken on the way. */
int worker_answer(struct worker *worker, double deadline_s, enum reply_kind kind,
		  enum reply_kind other, struct worker_reply *ret_reply, struct err *err)
{
	for (;;) {
		struct worker_reply reply;
		char *line;
		size_t size;
		int result = worker_process_line(&worker->process, deadline_s, worker->spec.stop,
						 &line, &size, err);

		if (result == 0)
			result = worker_reply_parse(line, size, &reply, err);
		if (result < 0) {
			worker->failed = true;
			return worker_explain(worker, result, err);
		}
		worker_process_take_line(&worker->process, size);
		if (reply.kind == kind || reply.kind == other) {
			*ret_reply = reply;
			return 0;
		}
		if (reply.kind == REPLY_NOTE) {
			note(worker, reply.texts[0]);
			worker_reply_release(&reply);
			continue;
		}
		worker->failed = true;
		if (reply.kind == REPLY_FAILED)
			result = refuse_failed(worker, &reply, err);
		else
			result =
			    err_set(err, ERR_TARGET, "%s: its process answered another question",
				    worker_name(&worker->spec));
		worker_reply_release(&reply);
		return result;
	}
}

int worker_converse(struct worker *worker, const char *request, size_t size, double patience_s,
		    enum reply_kind kind, struct worker_reply *ret_reply, struct err *err)
{
	double deadline_s = clock_now_s() + patience_s;
	int result = worker_ask(worker, request, size, err);

	return result < 0 ? result : worker_answer(worker, deadline_s, kind, kind, ret_reply, err);
}

static int need(const struct worker_reply *reply, size_t numbers, struct err *err)
{
	for (size_t i = 0; i < numbers; i++)
		if (reply->numbers[i] == UINT64_MAX)
			return err_set(err, ERR_TARGET, "a benchmark's process left a number out");
	return 0;
}

/* ---- Starting ---- */

int worker_start_python(struct worker *worker, struct err *err)
{
	char *argv[] = {(char *)(uintptr_t)worker->spec.python, (char *)(uintptr_t) "-c",
			(char *)(uintptr_t)bootstrap, NULL};

	return worker_process_start(&worker->spec, argv, true, false, &worker->process, err);
}

static int ask_to_load(struct worker *worker, struct err *err)
{
	static const char *const kinds[] = {[TARGET_FUNCTION] = "function",
					    [TARGET_STATEMENT] = "statement",
					    [TARGET_FILE] = "file"};
	const struct bench_target *target = &worker->spec.target;
	char *request = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&request, &size);
	int result;

	if (!stream)
		return err_set(err, ERR_MEMORY, "no memory for a request");
	fprintf(stream, "load %s ", kinds[target->kind]);
	worker_write_word(stream, target->text);
	fputc(' ', stream);
	worker_write_word(stream, target->setup);
	fputc(' ', stream);
	worker_write_word(stream, target->name);
	fprintf(stream, " %d\n", worker->spec.gc_disabled);
	if (fclose(stream) != 0) {
		free(request); /* the C library's, as open_memstream gives it */
		return err_set(err, ERR_MEMORY, "no memory for a request");
	}
	result = worker_ask(worker, request, size, err);
	free(request);
	return result;
}

enum bench_kind worker_kind_named(const char *name)
{
	if (strcmp(name, "peakmem") == 0)
		return BENCH_PEAK_MEMORY;
	return strcmp(name, "track") == 0 ? BENCH_TRACK : BENCH_TIME;
}

char *worker_take_text(struct worker_reply *reply, size_t i)
{
	char *text = reply->texts[i];

	reply->texts[i] = NULL;
	return text;
}

static int load(struct worker *worker, struct err *err)
{
	double deadline_s = clock_now_s() + worker->spec.time_limit_s;
	struct worker_reply reply;
	int result = ask_to_load(worker, err);

	if (result == 0)
		result = worker_answer(worker, deadline_s, REPLY_LOADED, REPLY_LOADED, &reply, err);
	if (result < 0)
		return result;
	worker->overhead_s = (double)reply.numbers[0] * 1e-12;
	worker->kind = worker_kind_named(reply.texts[2]);
	worker->version = worker_take_text(&reply, 0);
	worker->implementation = worker_take_text(&reply, 1);
	worker->unit = worker_take_text(&reply, 3);
	worker_reply_release(&reply);
	return 0;
}

void worker_free(struct worker *worker)
{
	if (!worker->is_command)
		worker_process_release(&worker->process);
	steal_end(&worker->steal);
	for (size_t i = 0; i < worker->note_count; i++)
		mem_free(worker->notes[i]);
	mem_free(worker->version);
	mem_free(worker->implementation);
	mem_free(worker->unit);
	mem_free(worker);
}

struct worker *worker_new(const struct worker_spec *spec)
{
	struct worker *worker = mem_zalloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	signal(SIGPIPE, SIG_IGN);
	worker->spec = *spec;
	if (!worker->spec.python)
		worker->spec.python = "python3";
	if (!(worker->spec.time_limit_s > 0))
		worker->spec.time_limit_s = 60;
	worker->is_command = spec->target.kind == TARGET_COMMAND;
	worker->overhead_s = NAN;
	worker->kind = BENCH_TIME;
	command_worker_init(&worker->command, &worker->spec);
	energy_read(&worker->energy);
	steal_start(&worker->steal, spec->cpu);
	return worker;
}

int worker_start(const struct worker_spec *spec, struct worker **ret_worker, struct err *err)
{
	struct worker *worker = worker_new(spec);
	int result = 0;

	if (!worker)
		return err_set(err, ERR_MEMORY, "no memory for a benchmark's process");
	if (!worker->is_command) {
		result = worker_start_python(worker, err);
		if (result == 0)
			result = load(worker, err);
	}
	if (result < 0) {
		worker_free(worker);
		return result;
	}
	*ret_worker = worker;
	return 0;
}

/* ---- Ending ---- */

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static void take_usage(struct worker *worker, struct bench_counters *counters)
{
	const struct rusage *usage = &worker->process.usage;

	if (!worker->process.ended)
		return;
	counters->cpu_s = seconds_of(usage->ru_utime) + seconds_of(usage->ru_stime);
	counters->voluntary_switches = (uint64_t)usage->ru_nvcsw;
	counters->involuntary_switches = (uint64_t)usage->ru_nivcsw;
	counters->minor_faults = (uint64_t)usage->ru_minflt;
	counters->major_faults = (uint64_t)usage->ru_majflt;
}

static int end_python(struct worker *worker, struct bench_counters *counters, struct err *err)
{
	struct worker_reply reply;
	double patience_s = worker->spec.time_limit_s < QUIT_PATIENCE_S ? worker->spec.time_limit_s
									: QUIT_PATIENCE_S;
	int result = 0;

	if (!worker->failed) {
		result = worker_converse(worker, "q\n", 2, patience_s, REPLY_QUIT, &reply, err);
		if (result == 0) {
			counters->modules = reply.numbers[0];
			counters->gc_collections = reply.numbers[1];
			worker_reply_release(&reply);
			/* While it waits for us: the kernel forgets this when it is gone. */
			process_peak_rss(worker->process.pid, &counters->peak_rss_bytes, NULL);
		}
	}
	worker_process_end(&worker->process, worker->failed ? 0 : END_PATIENCE_S);
	take_usage(worker, counters);
	return result;
}

int worker_end(struct worker *worker, struct bench_counters *ret_counters, struct err *err)
{
	struct bench_counters counters;
	struct energy_reading energy;
	int result = 0;

	bench_counters_clear(&counters);
	if (worker->is_command)
		command_worker_counters(&worker->command, &counters);
	else
		result = end_python(worker, &counters, err);
	energy_read(&energy);
	counters.energy_j = energy_between_j(&worker->energy, &energy);
	steal_look(&worker->steal);
	if (worker->steal.known)
		counters.steal_s = steal_seconds(&worker->steal);
	if (ret_counters)
		*ret_counters = counters;
	worker_free(worker);
	return result;
}

/* ---- Blocks ---- */

static int python_block(struct worker *worker, uint64_t loops, struct block *block, struct err *err)
{
	struct worker_reply reply;
	char request[32];
	int size = snprintf(request, sizeof(request), "b %llu\n", (unsigned long long)loops);
	uint64_t bytes;
	int result = worker_converse(worker, request, (size_t)size, worker->spec.time_limit_s,
				     REPLY_BLOCK, &reply, err);

	if (result < 0)
		return result;
	result = need(&reply, 3, err);
	*block =
	    (struct block){.loops = loops,
			   .wall_s = (double)reply.numbers[0] * 1e-9,
			   .cpu_s = (double)reply.numbers[1] * 1e-9,
			   .value = reply.value,
			   .causes = (uint8_t)(reply.numbers[2] &
					       (CAUSE_SWITCHED | CAUSE_COLLECTED | CAUSE_FAULTED))};
	worker_reply_release(&reply);
	if (result == 0 && worker->kind == BENCH_PEAK_MEMORY) {
		result = process_peak_rss(worker->process.pid, &bytes, err);
		if (result == 0)
			block->value = (double)bytes;
	}
	return result;
}

int worker_block(struct worker *worker, uint64_t loops, struct block *ret_block, struct err *err)
{
	struct block block;
	int result = worker->is_command ? command_worker_block(&worker->command, loops, &block, err)
					: python_block(worker, loops, &block, err);

	if (result < 0)
		return result;
	if (steal_look(&worker->steal))
		block.causes |= CAUSE_STEAL;
	*ret_block = block;
	return 0;
}

int worker_calibrate(struct worker *worker, double seconds, uint64_t *ret_loops, struct err *err)
{
	uint64_t loops = 1;
	struct block block;

	if (worker->is_command || worker->kind != BENCH_TIME) {
		*ret_loops = 1;
		return 0;
	}
	for (;;) {
		int result = worker_block(worker, loops, &block, err);
		double growth = result < 0 ? 0 : seconds / block.wall_s;

		if (result < 0)
			return result;
		if (growth < 1.5 || loops >= CALIBRATE_LOOPS_MAX)
			break;
		/* One block may be slow by chance, the first one is by nature: in steps. */
		if (growth > CALIBRATE_GROWTH_MAX)
			growth = CALIBRATE_GROWTH_MAX;
		loops = (uint64_t)ceil((double)loops * (growth > 2 ? growth : 2));
	}
	/* Down again to what the least disturbed of a few says. */
	double least_s = block.wall_s;
	for (int i = 1; i < CALIBRATE_TURNS && loops > 1; i++) {
		int result = worker_block(worker, loops, &block, err);

		if (result < 0)
			return result;
		least_s = fmin(least_s, block.wall_s);
	}
	double wanted = (double)loops * seconds / least_s;
	*ret_loops = wanted < 1 ? 1 : wanted > (double)loops ? loops : (uint64_t)wanted;
	return 0;
}

/* ---- What is known of it ---- */

double worker_overhead(const struct worker *worker)
{
	return worker->overhead_s;
}

pid_t worker_pid(const struct worker *worker)
{
	return worker->is_command ? -1 : worker->process.pid;
}

const char *worker_python_version(const struct worker *worker)
{
	return worker->version ? worker->version : "";
}

const char *worker_implementation(const struct worker *worker)
{
	return worker->implementation ? worker->implementation : "";
}

const char *worker_unit(const struct worker *worker)
{
	return worker->unit ? worker->unit : "s";
}

enum bench_kind worker_kind(const struct worker *worker)
{
	return worker->kind;
}

const char *worker_note(const struct worker *worker, size_t i)
{
	return i < worker->note_count ? worker->notes[i] : NULL;
}

uint64_t worker_output_bytes(struct worker *worker)
{
	if (worker->is_command)
		return worker->command.output_bytes;
	worker_process_drain(&worker->process);
	return worker->process.output_total;
}
