/* pyrometer bench: functions, statements, commands and files of benchmarks, measured. */
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/terminal.h"
#include "bench/plan.h"
#include "commands/bench_request.h"
#include "commands/commands.h"
#include "commands/report_input.h"
#include "report/bench_view.h"
#include "report/page.h"

struct bench_options {
	struct bench_arguments what;
	const char *load, *export, *output, *currency;
	double price_per_core_hour;
	bool json, brief;
};

static const char *const export_choices[] = {"pyrometer", "pyperf", "pytest-benchmark",
					     "hyperfine", "asv",    NULL};
static const char *const gc_choices[] = {"on", "off", NULL};

static const struct bench_options bench_defaults = {
    .what = {.gc = "on", .pin = -1, .seed = -1, .timeout_s = 60, .load_s = 10},
};

#define WHAT(member) .offset = offsetof(struct bench_options, what.member), NO_SET
#define OWN(member) .offset = offsetof(struct bench_options, member), NO_SET
#define NO_SET .set_offset = OPTION_NO_SET

static const struct option bench_options[] = {
    {.name = "setup",
     .letter = 's',
     .type = OPTION_TEXT,
     WHAT(setup),
     .value_name = "CODE",
     .no_config = true,
     .help = "Operands are statements; this runs once before them."},
    {.name = "statement",
     .type = OPTION_FLAG,
     WHAT(statements),
     .no_config = true,
     .help = "Operands are Python statements."},
    {.name = "command",
     .type = OPTION_FLAG,
     WHAT(commands),
     .no_config = true,
     .help = "Operands are commands, even where they look like files or functions."},
    {.name = "select",
     .letter = 'k',
     .type = OPTION_TEXT,
     WHAT(select),
     .value_name = "PATTERN",
     .no_config = true,
     .help = "Only benchmarks whose name has this in it, or fits it (`*sort*`)."},
    {.name = "python",
     .type = OPTION_TEXTS,
     WHAT(pythons),
     .value_name = "PYTHON",
     .help = "A version (3.13), a name (pypy3) or a path; given several times, all are measured "
	     "side by side. By default python3 of PATH."},
    {.name = "processes",
     .type = OPTION_INTEGER,
     WHAT(processes),
     .value_name = "N",
     .minimum = 1,
     .maximum = 10000,
     .help = "For each benchmark; 8 by default, 1 for a load."},
    {.name = "values",
     .type = OPTION_INTEGER,
     WHAT(values),
     .value_name = "N",
     .minimum = 1,
     .maximum = 20000,
     .help = "Of each process, its warm-up not counted; 10 by default. Commands: N times the "
	     "processes are started."},
    {.name = "value-time",
     .type = OPTION_DURATION,
     WHAT(value_s),
     .value_name = "SECONDS",
     .minimum = 0.0001,
     .maximum = 3600,
     .help = "What is shorter is repeated for this long to give one value; 50 ms by default."},
    {.name = "time-limit",
     .type = OPTION_DURATION,
     WHAT(time_limit_s),
     .value_name = "SECONDS",
     .minimum = 0.01,
     .maximum = 1e7,
     .help = "For everything together; each benchmark gets one process all the same. By default "
	     "20 s for each benchmark."},
    {.name = "timeout",
     .type = OPTION_DURATION,
     WHAT(timeout_s),
     .value_name = "SECONDS",
     .minimum = 0.01,
     .maximum = 1e7,
     .help = "What takes longer for a single value hangs, and is ended; 60 s by default."},
    {.name = "load",
     .type = OPTION_TEXT,
     OWN(load),
     .value_name = "RATE",
     .no_config = true,
     .help = "Requests at this rate (200/s), whether those before are done or not; the latency of "
	     "each counts from when it was planned."},
    {.name = "duration",
     .letter = 'd',
     .type = OPTION_DURATION,
     WHAT(load_s),
     .value_name = "SECONDS",
     .minimum = 0.01,
     .maximum = 86400,
     .help = "Of a load; 10 s by default."},
    {.name = "gc",
     .type = OPTION_CHOICE,
     WHAT(gc),
     .value_name = "POLICY",
     .choices = gc_choices,
     .help = "Garbage collection while a value is measured: on, as in any program, or off."},
    {.name = "pin",
     .type = OPTION_INTEGER,
     WHAT(pin),
     .value_name = "CPU",
     .minimum = 0,
     .maximum = 8191,
     .help = "Run on this CPU alone."},
    {.name = "seed",
     .type = OPTION_INTEGER,
     WHAT(seed),
     .value_name = "N",
     .minimum = 0,
     .maximum = 1e15,
     .help = "For the same hash seeds again; by default from the clock."},
    {.name = "env",
     .type = OPTION_TEXTS,
     WHAT(environment),
     .value_name = "NAME=VALUE",
     .help = "Added to the small, fixed environment of what is measured; several times."},
    {.name = "directory",
     .letter = 'C',
     .type = OPTION_TEXT,
     WHAT(directory),
     .value_name = "FOLDER",
     .help = "Run there, and look for modules there first."},
    {.name = "memory-limit",
     .type = OPTION_SIZE,
     WHAT(memory_limit),
     .value_name = "SIZE",
     .help = "Of address space, for each process."},
    {.name = "show-output",
     .type = OPTION_FLAG,
     WHAT(show_output),
     .help = "What the benchmarks print is shown."},
    {.name = "no-counters",
     .type = OPTION_FLAG,
     WHAT(no_counters),
     .help = "Without the process that counts calls and system calls."},
    {.name = "brief", .type = OPTION_FLAG, OWN(brief), .help = "One line for each benchmark."},
    {.name = "price-per-core-hour",
     .type = OPTION_NUMBER,
     OWN(price_per_core_hour),
     .value_name = "PRICE",
     .config_key = "price_per_core_hour",
     .minimum = 0,
     .maximum = 1e9,
     .help = "What an hour of one core costs you: money is told by it, and only by it."},
    {.name = "currency",
     .type = OPTION_TEXT,
     OWN(currency),
     .value_name = "NAME",
     .help = "Of that price (EUR)."},
    {.name = "json", .type = OPTION_FLAG, OWN(json), .no_config = true, .help = "As JSON."},
    {.name = "export",
     .type = OPTION_CHOICE,
     OWN(export),
     .value_name = "FORMAT",
     .choices = export_choices,
     .no_config = true,
     .help = "Write the results as that tool's file, to the file of -o or standard output."},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     OWN(output),
     .value_name = "FILE",
     .no_config = true,
     .help = "Keep the results there: Pyrometer's JSON unless --export says another. `compare` "
	     "and `bench` read it."},
    {.name = NULL},
};

/* --- signals: what was measured by then is told ----------------------------------------------- */

static volatile sig_atomic_t stopped;
static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNAL_COUNT (sizeof(ending_signals) / sizeof(ending_signals[0]))

static void note_signal(int number)
{
	stopped = number;
}

static void take_signals(struct sigaction before[SIGNAL_COUNT])
{
	struct sigaction action = {.sa_handler = note_signal};

	stopped = 0;
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		sigaction(ending_signals[i], NULL, &before[i]);
		/* nohup: what we were told to ignore stays ignored. */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(ending_signals[i], &action, NULL);
	}
}

static void restore_signals(const struct sigaction before[SIGNAL_COUNT])
{
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaction(ending_signals[i], &before[i], NULL);
}

/* --- progress --------------------------------------------------------------------------------- */

#define PROGRESS_NAME_COLUMNS 36

static void show_progress(void *context, const struct plan_progress *progress)
{
	char left[64];

	(void)context;
	fprintf(stderr, "\r\033[K%zu of %zu processes", progress->done, progress->total);
	if (isfinite(progress->left_s) && progress->done > 0)
		fprintf(stderr, ", about %s left",
			text_seconds(left, sizeof(left), ceil(progress->left_s)));
	fputs("  ", stderr);
	text_write_cell(stderr, progress->name, PROGRESS_NAME_COLUMNS, CUT_MIDDLE, false);
	fflush(stderr);
}

static void end_progress(void)
{
	fputs("\r\033[K", stderr);
}

/* --- the answer ------------------------------------------------------------------------------- */

#define NOTE_PREFIX "note of "
#define NOTE_TEXT_MAX 2048
#define PAGE_COLUMNS_MAX 80
#define OVERHEADS_SAME_S 5e-11

/* What was done for the numbers to mean something. */
static void write_method(const struct page *page, const struct bench_results *results)
{
	const char *gc = bench_results_fact_of(results, "gc");
	const char *seed = bench_results_fact_of(results, "seed");
	double low_s = INFINITY, high_s = -INFINITY;
	char text[NOTE_TEXT_MAX], range[64];

	for (size_t i = 0; i < results->benchmark_count; i++) {
		low_s = fmin(low_s, results->benchmarks[i].overhead_s);
		high_s = fmax(high_s, results->benchmarks[i].overhead_s);
	}
	if (!gc || !seed || !isfinite(low_s))
		return;
	if (high_s - low_s < OVERHEADS_SAME_S)
		snprintf(range, sizeof(range), "%.3g", low_s * 1e9);
	else
		snprintf(range, sizeof(range), "%.3g to %.3g", low_s * 1e9, high_s * 1e9);
	snprintf(text, sizeof(text),
		 "The loop's own %s ns a turn are taken off. Garbage collection %s. Hash seeds "
		 "from %s.",
		 range, gc, seed);
	fputc('\n', page->stream);
	page_sentence(page, 2, STYLE_DIM, text);
}

static void write_notes(const struct page *page, const struct bench_results *results)
{
	const char *formula = bench_results_fact_of(results, "cost");
	char text[NOTE_TEXT_MAX];

	if (formula) {
		snprintf(text, sizeof(text), "cost = %s", formula);
		page_sentence(page, 2, STYLE_PLAIN, text);
	}
	for (size_t i = 0; i < results->fact_count; i++) {
		const struct bench_fact *fact = &results->facts[i];

		if (strncmp(fact->name, NOTE_PREFIX, strlen(NOTE_PREFIX)) != 0)
			continue;
		snprintf(text, sizeof(text), "%s %s", fact->name + strlen(NOTE_PREFIX),
			 fact->value);
		page_sentence(page, 2, STYLE_YELLOW, text);
	}
}

static int write_page(FILE *stream, const struct bench_options *options,
		      const struct bench_results *results, struct err *err)
{
	const struct bench_view_options view = {.brief = options->brief,
						.core_hour_price = options->price_per_core_hour,
						.currency = options->currency};
	struct terminal terminal;
	struct page page;
	int r = bench_view_print(stream, results, &view, err);

	if (r < 0)
		return r;
	terminal_describe(&terminal, stream);
	page_init(&page, stream, &terminal);
	page.columns = page.columns > PAGE_COLUMNS_MAX ? PAGE_COLUMNS_MAX : page.columns;
	if (!options->brief)
		write_method(&page, results);
	write_notes(&page, results);
	return stream_finish(stream, "the page of results", err);
}

static int write_file(const struct bench_options *options, const struct bench_results *results,
		      struct err *err)
{
	struct output output;
	int format = bench_format_named(options->export ? options->export : "pyrometer");
	int r = output_open(&output, options->output, err);

	if (r < 0)
		return r;
	r = format == BENCH_PYROMETER
		? bench_results_write(results, output.stream, err)
		: bench_results_export(results, (enum bench_format)format, output.stream, err);
	return output_close(&output, r, err);
}

/* 0, or the status that says that something was not measured. */
static int status_of(const struct bench_results *results)
{
	for (size_t i = 0; i < results->benchmark_count; i++)
		if (results->benchmarks[i].failure)
			return ERR_NOT_MEASURED;
	return 0;
}

static int write_answer(const struct bench_options *options, const struct bench_results *results,
			bool measured, struct err *err)
{
	int r = 0;

	if (options->output || options->export)
		r = write_file(options, results, err);
	if (r == 0 && options->json)
		r = bench_results_write(results, stdout, err);
	else if (r == 0 && !(options->export && !options->output))
		r = write_page(stdout, options, results, err);
	return r < 0 || !measured ? r : status_of(results);
}

/* --- the command ------------------------------------------------------------------------------ */

static int price_facts(const struct bench_options *options, struct bench_results *results)
{
	const char *currency = options->currency ? options->currency : "";
	time_t now = (time_t)results->created_s;
	struct tm date;
	char text[256], day[32];

	if (!(options->price_per_core_hour > 0))
		return 0;
	gmtime_r(&now, &date);
	strftime(day, sizeof(day), "%Y-%m-%d", &date);
	snprintf(text, sizeof(text),
		 "CPU seconds / 3600 x %g%s%s (your price_per_core_hour as of %s)",
		 options->price_per_core_hour, *currency ? " " : "", currency, day);
	if (bench_results_fact(results, "cost", text) < 0)
		return -ERR_MEMORY;
	snprintf(text, sizeof(text), "%.9g", options->price_per_core_hour);
	return bench_results_fact(results, "price_per_core_hour", text);
}

static int set_head(const struct bench_options *options, const struct bench_plan *plan,
		    struct bench_results *results, struct err *err)
{
	results->tool = mem_copy_text("pyrometer");
	results->tool_version = mem_copy_text(PYROMETER_VERSION);
	results->created_s = (double)clock_ns(CLOCK_REALTIME) * 1e-9;
	if (!results->tool || !results->tool_version || bench_plan_facts(plan, results) < 0 ||
	    price_facts(options, results) < 0)
		return err_set(err, ERR_MEMORY, "no memory for results");
	return 0;
}

static int measure(const struct bench_options *options, struct bench_plan *plan, struct err *err)
{
	struct bench_results *results = bench_results_new();
	struct terminal terminal;
	int r;

	if (!results)
		return err_set(err, ERR_MEMORY, "no memory for results");
	terminal_describe(&terminal, stderr);
	if (terminal.is_terminal)
		plan->progress = show_progress;
	plan->base.stop = &stopped;
	r = set_head(options, plan, results, err);
	if (r == 0)
		r = bench_plan_run(plan, results, err);
	if (plan->progress)
		end_progress();
	if (r == 0 && stopped)
		fputs("interrupted: this is what was measured by then\n", stderr);
	if (r == 0)
		r = write_answer(options, results, true, err);
	bench_results_free(results);
	return r;
}

static int show_saved(const struct bench_options *options, const char *path, struct err *err)
{
	struct bench_results *results;
	int r = bench_results_read(path, &results, NULL, err);

	if (r < 0)
		return r;
	r = write_answer(options, results, false, err);
	bench_results_free(results);
	return r;
}

/* "200/s", "200", "12000/m". */
static int read_rate(const char *text, double *ret_rate_hz, struct err *err)
{
	char unit = 's', rest = 0;
	double rate;
	int fields = sscanf(text, "%lf/%c%c", &rate, &unit, &rest);

	if (fields >= 1 && fields <= 2 && isfinite(rate) && rate > 0 && rate <= 1e6 &&
	    (unit == 's' || unit == 'm') &&
	    (fields == 2 || text[strspn(text, "0123456789.")] == 0)) {
		*ret_rate_hz = unit == 'm' ? rate / 60 : rate;
		return 0;
	}
	err_set(err, ERR_USAGE, "`%s` is no rate", text);
	err_why(err, "--load takes requests a second, up to a million");
	err_next(err, "--load 200/s");
	return -ERR_USAGE;
}

static int bench_main(const void *values, int operand_count, char **operands, struct err *err)
{
	struct bench_options options = *(const struct bench_options *)values;
	struct sigaction before[SIGNAL_COUNT];
	struct bench_request request;
	int r = 0;

	if (options.load)
		r = read_rate(options.load, &options.what.load_rate_hz, err);
	if (r < 0)
		return r;
	r = bench_request_make(&request, &options.what, operand_count, operands, err);
	take_signals(before);
	if (r == 0 && request.saved)
		r = show_saved(&options, request.saved, err);
	else if (r == 0)
		r = measure(&options, &request.plan, err);
	restore_signals(before);
	bench_request_release(&request);
	return r;
}

const struct command command_bench = {
    .name = "bench",
    .summary = "Measures functions, statements, commands and files of benchmarks",
    .usage = "bench [options] BENCHMARK...",
    .description =
	"A BENCHMARK is module:function, a file of benchmarks, a quoted command, or with -s or "
	"--statement a Python statement. In a file, functions named bench_* are measured, and "
	"asv's "
	"time_*, peakmem_* and track_* with setup, teardown and params; FILE.py::NAME is one of "
	"them. Coroutine functions are awaited. A file of results is shown, or written in another "
	"format.\n"
	"\n"
	"Each benchmark runs in several processes with a hash seed each. The warm-up is found from "
	"the values and cut off; the page says how much. A benchmark that fails is named, and the "
	"others go on: the exit status is then 10.",
    .examples = "pyrometer bench shop.orders:match\n"
		"pyrometer bench -s 'x = list(range(1000))' 'sorted(x)'\n"
		"pyrometer bench --python 3.11 --python 3.13 --python pypy3 bench_orders.py\n"
		"pyrometer bench 'python app.py --once' -o before.json\n"
		"pyrometer bench --load 200/s -d 30 shop.api:handle\n"
		"pyrometer bench --export pyperf -o orders.pyperf.json bench_orders.py",
    .options = bench_options,
    .options_size = sizeof(struct bench_options),
    .defaults = &bench_defaults,
    .main = bench_main,
};
