/* pyrometer gate: holds a program to the budgets in its pyproject.toml. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "base/terminal.h"
#include "bench/gate.h"
#include "bench/noise.h"
#include "bench/result.h"
#include "commands/commands.h"
#include "commands/gate_measure.h"
#include "commands/report_input.h"
#include "report/gate_view.h"

#define STEP_SUMMARY "GITHUB_STEP_SUMMARY"
#define PATH_SIZE 4096

struct gate_options {
	const char *results, *baseline, *budgets, *noise, *python, *prepare, *output;
	double drift_percent, time_limit_s;
	bool drift_set, json, markdown, github, sarif;
};

static const struct gate_options gate_defaults = {0};

#define FIELD(member) .offset = offsetof(struct gate_options, member)
#define NO_SET .set_offset = OPTION_NO_SET

static const struct option gate_options[] = {
    {.name = "results",
     .type = OPTION_TEXT,
     FIELD(results),
     NO_SET,
     .value_name = "FILE",
     .no_config = true,
     .help = "Judge what was measured before (of bench, pyperf, pytest-benchmark, hyperfine, asv) "
	     "instead of measuring."},
    {.name = "baseline",
     .type = OPTION_TEXT,
     FIELD(baseline),
     NO_SET,
     .value_name = "FILE",
     .no_config = true,
     .help = "What relative budgets are against: rev:REVISION, measured now in turns with the "
	     "working tree, or a file of results."},
    {.name = "budgets",
     .type = OPTION_TEXT,
     FIELD(budgets),
     NO_SET,
     .value_name = "FILE",
     .no_config = true,
     .help = "The file with [tool.pyrometer.budgets]; by default the nearest pyproject.toml."},
    {.name = "drift",
     .type = OPTION_NUMBER,
     FIELD(drift_percent),
     .set_offset = offsetof(struct gate_options, drift_set),
     .value_name = "PERCENT",
     .no_config = true,
     .minimum = 0,
     .maximum = 1000,
     .help = "For a baseline file: how far the machine itself may have moved since. Without it "
	     "there is no verdict about time."},
    {.name = "noise",
     .type = OPTION_TEXT,
     FIELD(noise),
     NO_SET,
     .value_name = "FILE",
     .help = "What this machine can tell, of doctor --noise; by default where that keeps it."},
    {.name = "python",
     .type = OPTION_TEXT,
     FIELD(python),
     NO_SET,
     .value_name = "PYTHON",
     .help = "The interpreter to measure with: a version, a name or a path."},
    {.name = "prepare",
     .type = OPTION_TEXT,
     FIELD(prepare),
     NO_SET,
     .value_name = "COMMAND",
     .help = "Run by sh in each revision's folder before it is measured (a build)."},
    {.name = "time-limit",
     .type = OPTION_DURATION,
     FIELD(time_limit_s),
     NO_SET,
     .value_name = "TIME",
     .minimum = 0.1,
     .maximum = 1e6,
     .help = "Of measuring each benchmark; by default what bench and compare take."},
    {.name = "json",
     .type = OPTION_FLAG,
     FIELD(json),
     NO_SET,
     .no_config = true,
     .help = "The answer as JSON."},
    {.name = "markdown",
     .type = OPTION_FLAG,
     FIELD(markdown),
     NO_SET,
     .no_config = true,
     .help = "The answer as Markdown, for a pull request."},
    {.name = "github",
     .type = OPTION_FLAG,
     FIELD(github),
     NO_SET,
     .no_config = true,
     .help = "GitHub's annotations, and Markdown appended to the file that GITHUB_STEP_SUMMARY "
	     "names; the page goes to stderr."},
    {.name = "sarif",
     .type = OPTION_FLAG,
     FIELD(sarif),
     NO_SET,
     .no_config = true,
     .help = "The answer as SARIF 2.1.0, for code scanning."},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     FIELD(output),
     NO_SET,
     .value_name = "FILE",
     .no_config = true,
     .help = "Write the answer to FILE instead of standard output."},
    {.name = NULL},
};

/* --- what to hold it to ------------------------------------------------------------------------
 */

static int find_file(const struct gate_options *options, char *path, size_t size, struct err *err)
{
	struct config config;
	int r = 0;

	if (options->budgets != NULL) {
		snprintf(path, size, "%s", options->budgets);
		return 0;
	}
	config_init(&config);
	r = config_load(&config, NULL, err);
	if (r == 0 && config.path == NULL) {
		r = err_set(err, ERR_USAGE, "there are no budgets");
		err_why(err, "no pyproject.toml lies here or in a folder above");
		err_next(err, "see pyrometer gate --help for what to write into one");
	} else if (r == 0) {
		snprintf(path, size, "%s", config.path);
	}
	config_release(&config);
	return r;
}

static int read_budgets(const struct gate_options *options, struct budgets *budgets,
			struct waivers *waivers, struct err *err)
{
	char path[PATH_SIZE], *bytes = NULL;
	size_t size;
	int r = find_file(options, path, sizeof(path), err);

	if (r == 0)
		r = budgets_read_file(path, &bytes, &size, err);
	if (r == 0)
		r = budgets_parse(budgets, path, bytes, size, err);
	if (r == 0)
		r = waivers_parse(waivers, path, bytes, size, err);
	mem_free(bytes);
	if (r == 0 && budgets->count == 0) {
		r = err_set(err, ERR_USAGE, "there are no budgets");
		err_why(err, "%s has no [tool.pyrometer.budgets.\"NAME\"] with a limit", path);
		err_next(err, "[tool.pyrometer.budgets.\"bench_orders.py::*\"] p95 = \"10ms\"");
	}
	if (r == 0 && options->drift_set)
		budgets->drift = options->drift_percent / 100;
	return r;
}

/* What this machine can tell, where that is known. A file that was named must be there. */
static int read_noise(const struct gate_options *options, struct gate *gate, struct err *err)
{
	char path[PATH_SIZE];
	struct noise noise;
	char host[128];
	struct stat status;
	int r;

	if (options->noise != NULL)
		snprintf(path, sizeof(path), "%s", options->noise);
	else if (!noise_default_path(path, sizeof(path)) || stat(path, &status) < 0)
		return 0;
	r = noise_read(path, &noise, err);
	if (r < 0)
		return options->noise != NULL ? r : 0;
	noise_host(host, sizeof(host));
	if (options->noise == NULL && strcmp(noise.host, host) != 0)
		return 0; /* a cache shared by machines */
	gate->noise = log1p(noise.floor);
	gate->noise_of = gate_text(gate, "%s", path);
	return gate->noise_of != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for a path");
}

/* --- results -------------------------------------------------------------------------------------
 */

static int read_results(const char *what, const char *path, struct bench_results **ret_results,
			struct err *err)
{
	struct err failure = {0};
	int r = bench_results_read(path, ret_results, NULL, &failure);

	if (r == 0)
		return 0;
	/* Not as any file: whoever asks for the exit status asks whether it was measured. */
	r = err_set(err, ERR_NOT_MEASURED, "the %s can't be judged: %s", what, failure.what);
	err_why(err, "%s", failure.why);
	err_next(err, "pyrometer bench -o %s BENCHMARKS", path);
	return r;
}

static bool is_revision(const char *baseline)
{
	return baseline != NULL && strncmp(baseline, "rev:", 4) == 0;
}

/* Whether something is asked of benchmarks that pairs don't answer. */
static bool asks_results(const struct gate *gate)
{
	for (size_t i = 0; i < gate->budgets->count; i++) {
		const struct budget *budget = &gate->budgets->items[i];

		if (!budget_is_import(budget) &&
		    !(budget_is_relative(budget) && gate->relative_in_pairs))
			return true;
	}
	return false;
}

static bool asks_pairs(const struct gate *gate)
{
	for (size_t i = 0; i < gate->budgets->count; i++)
		if (budget_is_relative(&gate->budgets->items[i]))
			return gate->relative_in_pairs;
	return false;
}

static int nothing_to_judge(const char *path, struct err *err)
{
	int r = err_set(err, ERR_NOT_MEASURED, "there is nothing to hold to the budgets");

	err_why(err, "neither results nor benchmarks were named, here or in %s", path);
	err_next(err, "pyrometer gate bench_orders.py, or pyrometer gate --results FILE");
	return r;
}

static int judge_benchmarks(const struct gate_options *options,
			    const struct gate_measuring *measuring, struct gate *gate,
			    struct err *err)
{
	const char *saved = options->results != NULL	      ? options->results
			    : measuring->benchmark_count == 0 ? gate->budgets->results
							      : NULL;
	const char *against =
	    options->baseline != NULL ? options->baseline : gate->budgets->baseline;
	struct bench_results *results = NULL, *baseline = NULL;
	int r = 0;

	if (saved == NULL && measuring->benchmark_count == 0)
		return nothing_to_judge(gate->budgets->path, err);
	if (saved != NULL)
		r = read_results("result", saved, &results, err);
	else
		r = gate_measure_benchmarks(measuring, &results, err);
	if (r == 0 && against != NULL && !is_revision(against))
		r = read_results("baseline", against, &baseline, err);
	if (r == 0)
		r = gate_judge_results(gate, results, baseline, err);
	bench_results_free(results);
	bench_results_free(baseline);
	return r;
}

static int judge_pairs(const struct gate_options *options, const struct gate_measuring *measuring,
		       struct gate *gate, struct err *err)
{
	const char *against =
	    options->baseline != NULL ? options->baseline : gate->budgets->baseline;

	if (!asks_pairs(gate))
		return 0;
	if (measuring->benchmark_count == 0)
		return nothing_to_judge(gate->budgets->path, err);
	return gate_measure_pairs(measuring, gate, against, err);
}

/* --- the answer ----------------------------------------------------------------------------------
 */

static int append_summary(const struct gate *gate, struct err *err)
{
	const char *path = getenv(STEP_SUMMARY);
	FILE *file;
	int r;

	if (path == NULL || path[0] == '\0')
		return 0;
	file = fopen(path, "ae");
	if (file == NULL)
		return err_set_errno(err, ERR_FILE, errno, "cannot write %s", path);
	r = gate_markdown_write(file, gate, err);
	if (fclose(file) != 0 && r == 0)
		r = err_set_errno(err, ERR_FILE, errno, "cannot write %s", path);
	return r;
}

static int write_answer(const struct gate_options *options, const struct gate *gate,
			struct err *err)
{
	struct output output;
	int r;

	if (options->github) {
		r = gate_view_print(stderr, gate, NULL, err);
		if (r == 0)
			r = append_summary(gate, err);
		if (r < 0)
			return r;
	}
	r = output_open(&output, options->output, err);
	if (r < 0)
		return r;
	r = options->json	? gate_json_write(output.stream, gate, err)
	    : options->sarif	? gate_sarif_write(output.stream, gate, err)
	    : options->markdown ? gate_markdown_write(output.stream, gate, err)
	    : options->github	? gate_annotations_write(output.stream, gate, err)
				: gate_view_print(output.stream, gate, NULL, err);
	r = output_close(&output, r, err);
	return r < 0 ? r : gate_exit_code(gate_verdict(gate));
}

/* --- the command
 * ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;

static void note_signal(int number)
{
	stopped = number;
}

static void take_signals(bool take)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = take ? note_signal : SIG_DFL}, present;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaction(numbers[i], NULL, &present);
		/* nohup: what we were told to ignore stays ignored. */
		if (present.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
}

static int judge_all(const struct gate_options *options, struct gate_measuring *measuring,
		     struct gate *gate, struct err *err)
{
	const char *against =
	    options->baseline != NULL ? options->baseline : gate->budgets->baseline;
	int r = read_noise(options, gate, err);

	gate->relative_in_pairs = is_revision(against);
	if (measuring->benchmark_count == 0 && options->results == NULL) {
		measuring->benchmarks = (char **)(void *)gate->budgets->benchmarks;
		measuring->benchmark_count = (int)gate->budgets->benchmark_count;
	}
	if (r == 0 && asks_results(gate))
		r = judge_benchmarks(options, measuring, gate, err);
	if (r == 0)
		r = judge_pairs(options, measuring, gate, err);
	if (r == 0)
		r = gate_measure_imports(measuring, gate, err);
	return r;
}

static int gate_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct gate_options *options = values;
	struct gate_measuring measuring = {.benchmarks = operands,
					   .benchmark_count = operand_count,
					   .python = options->python,
					   .time_limit_s = options->time_limit_s,
					   .prepare = options->prepare,
					   .stop = &stopped};
	struct budgets budgets;
	struct waivers waivers;
	struct gate gate;
	int r;

	budgets_init(&budgets);
	waivers_init(&waivers);
	r = read_budgets(options, &budgets, &waivers, err);
	gate_init(&gate, &budgets, &waivers, (double)clock_ns(CLOCK_REALTIME) * 1e-9);
	stopped = 0;
	take_signals(true);
	if (r == 0)
		r = judge_all(options, &measuring, &gate, err);
	take_signals(false);
	if (r == 0)
		r = write_answer(options, &gate, err);
	gate_release(&gate);
	waivers_release(&waivers);
	budgets_release(&budgets);
	return r;
}

const struct command command_gate = {
    .name = "gate",
    .summary = "Budgets from pyproject.toml, for CI",
    .usage = "gate [options] [BENCHMARKS...]",
    .description =
	"Holds benchmarks and imports to the budgets of [tool.pyrometer.budgets]: latency "
	"percentiles, throughput, CPU, peak memory, import time and modules, absolute or against "
	"a baseline. Measures the BENCHMARKS (or those that the budgets name), or judges results "
	"that were measured before.\n"
	"\n"
	"What was not measured is never green: a benchmark that vanished or failed, a missing "
	"baseline, another interpreter.\n"
	"\n"
	"Exit status: 0 all met (or waived), 1 a budget is not met, 9 cannot tell, 10 not "
	"measured.",
    .examples = "pyrometer gate\n"
		"pyrometer gate --baseline rev:origin/main bench_orders.py\n"
		"pyrometer gate --results new.json --baseline old.json --drift 3\n"
		"pyrometer gate --github",
    .options = gate_options,
    .options_size = sizeof(struct gate_options),
    .defaults = &gate_defaults,
    .main = gate_main,
};
