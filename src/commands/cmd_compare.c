/* pyrometer compare: A against B, measured in turn. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/compare_run.h"
#include "commands/compare_save.h"
#include "commands/report_input.h"
#include "report/compare_view.h"

struct compare_options {
	struct compare_arguments what;
	struct compare_settings how;
	const char *output;
	bool json;
};

static const char *const counter_choices[] = {"auto", "never", NULL};

static const struct compare_options compare_defaults = {
    .what = {.request_limit_s = 60},
    .how = {.tolerance_percent = 2, .alpha = 0.002, .on_cpu = -1, .counters = "auto"},
};

#define WHAT(member) .offset = offsetof(struct compare_options, what.member)
#define HOW(member) .offset = offsetof(struct compare_options, how.member)
#define NO_SET .set_offset = OPTION_NO_SET

static const struct option compare_options[] = {
    {.name = "setup",
     .letter = 's',
     .type = OPTION_TEXT,
     WHAT(setup),
     NO_SET,
     .value_name = "CODE",
     .no_config = true,
     .help = "Operands are statements; this runs once before them."},
    {.name = "statement",
     .type = OPTION_FLAG,
     WHAT(statements),
     NO_SET,
     .no_config = true,
     .help = "Operands are Python statements."},
    {.name = "command",
     .type = OPTION_FLAG,
     WHAT(commands),
     NO_SET,
     .no_config = true,
     .help = "Operands are commands, even where they look like files or functions."},
    {.name = "select",
     .letter = 'k',
     .type = OPTION_TEXT,
     WHAT(select),
     NO_SET,
     .value_name = "PATTERN",
     .help = "Only benchmarks whose name fits (`*sort*`)."},
    {.name = "python",
     .type = OPTION_TEXT,
     WHAT(python),
     NO_SET,
     .value_name = "PYTHON",
     .help = "The interpreter of both sides: a version, a name or a path; by default python3 of "
	     "PATH."},
    {.name = "env",
     .type = OPTION_TEXTS,
     WHAT(environment),
     NO_SET,
     .value_name = "NAME=VALUE",
     .help = "Set in both sides; may be given several times."},
    {.name = "path",
     .type = OPTION_TEXTS,
     WHAT(path),
     NO_SET,
     .value_name = "DIR",
     .help = "Where Python looks for modules, from each side's own folder; by default, of "
	     "revisions, their `src` and their root."},
    {.name = "prepare",
     .type = OPTION_TEXT,
     WHAT(prepare),
     NO_SET,
     .value_name = "COMMAND",
     .help = "Run by sh in each revision's folder before it is measured (a build)."},
    {.name = "time-limit",
     .type = OPTION_DURATION,
     HOW(time_limit_s),
     .set_offset = offsetof(struct compare_options, how.time_limit_set),
     .value_name = "TIME",
     .minimum = 0.1,
     .maximum = 1e6,
     .help = "Of the whole comparison; by default 90 s for each benchmark. An easy verdict comes "
	     "sooner."},
    {.name = "timeout",
     .type = OPTION_DURATION,
     WHAT(request_limit_s),
     NO_SET,
     .value_name = "TIME",
     .minimum = 0.1,
     .maximum = 1e6,
     .help = "A single block or command that takes longer hangs; 60 s by default."},
    {.name = "tolerance",
     .type = OPTION_NUMBER,
     HOW(tolerance_percent),
     NO_SET,
     .value_name = "PERCENT",
     .minimum = 0.01,
     .maximum = 1000,
     .help = "B passes when it is surely within this of A; 2 by default."},
    {.name = "alpha",
     .type = OPTION_NUMBER,
     HOW(alpha),
     NO_SET,
     .value_name = "P",
     .minimum = 1e-6,
     .maximum = 0.2,
     .help = "How often, over all benchmarks and looks together, equal sides may be called "
	     "different; 0.002 by default."},
    {.name = "cpu",
     .type = OPTION_FLAG,
     HOW(cpu),
     NO_SET,
     .help = "Compare CPU time. By default that is done where neither side ever waits, and wall "
	     "time elsewhere."},
    {.name = "wall",
     .type = OPTION_FLAG,
     HOW(wall),
     NO_SET,
     .help = "Compare wall time, whatever else the machine does."},
    {.name = "counters",
     .type = OPTION_CHOICE,
     HOW(counters),
     NO_SET,
     .value_name = "WHEN",
     .choices = counter_choices,
     .help = "Whether calls, bytecodes, modules and system calls are counted too."},
    {.name = "no-gc",
     .type = OPTION_FLAG,
     WHAT(gc_disabled),
     NO_SET,
     .help = "Without garbage collection while a block runs."},
    {.name = "show-output",
     .type = OPTION_FLAG,
     WHAT(show_output),
     NO_SET,
     .help = "What the benchmarks print is shown."},
    {.name = "memory-limit",
     .type = OPTION_SIZE,
     WHAT(memory_limit),
     NO_SET,
     .value_name = "SIZE",
     .minimum = 1 << 20,
     .maximum = -1,
     .help = "Of address space, for each process."},
    {.name = "pin",
     .type = OPTION_INTEGER,
     HOW(on_cpu),
     NO_SET,
     .value_name = "CPU",
     .minimum = -1,
     .maximum = 8191,
     .help = "The CPU that both sides share; by default the one with least to do."},
    {.name = "pairs",
     .type = OPTION_INTEGER,
     HOW(pairs_max),
     NO_SET,
     .value_name = "N",
     .minimum = 8,
     .maximum = 2000,
     .help = "At most N pairs of processes for each benchmark; 400 by default."},
    {.name = "seed",
     .type = OPTION_INTEGER,
     HOW(seed),
     NO_SET,
     .value_name = "N",
     .no_config = true,
     .minimum = 0,
     .maximum = -1,
     .help = "For the same hash seeds and order again; by default from the clock."},
    {.name = "pair-time",
     .type = OPTION_DURATION,
     HOW(pair_s),
     NO_SET,
     .value_name = "TIME",
     .no_config = true,
     .hidden = true,
     .minimum = 0.05,
     .maximum = 10,
     .help = "Of one pair's blocks."},
    {.name = "block-time",
     .type = OPTION_DURATION,
     HOW(block_s),
     NO_SET,
     .value_name = "TIME",
     .no_config = true,
     .hidden = true,
     .minimum = 0.0005,
     .maximum = 1,
     .help = "Of one block."},
    {.name = "drift",
     .type = OPTION_NUMBER,
     HOW(drift_percent),
     .set_offset = offsetof(struct compare_options, how.drift_set),
     .value_name = "PERCENT",
     .minimum = 0,
     .maximum = 1000,
     .help = "For saved results: how far the machine itself may have moved between them. Without "
	     "it there is no verdict about time."},
    {.name = "save",
     .type = OPTION_TEXT,
     HOW(save),
     NO_SET,
     .value_name = "DIR",
     .no_config = true,
     .help = "Keep the raw values of both sides there, as a.json and b.json."},
    {.name = "json",
     .type = OPTION_FLAG,
     .offset = offsetof(struct compare_options, json),
     NO_SET,
     .no_config = true,
     .help = "The answer as JSON."},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .offset = offsetof(struct compare_options, output),
     NO_SET,
     .value_name = "FILE",
     .no_config = true,
     .help = "Write the answer to FILE instead of standard output."},
    {.name = NULL},
};

/* --- signals ---------------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;
static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNAL_COUNT (sizeof(ending_signals) / sizeof(ending_signals[0]))

static void note_signal(int number)
{
	stopped = number;
}

static void take_signals(struct sigaction before[SIGNAL_COUNT])
{
	struct sigaction action = {.sa_handler = note_signal}, present;

	stopped = 0;
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		sigaction(ending_signals[i], NULL, &present);
		before[i] = present;
		/* nohup: what we were told to ignore stays ignored. */
		if (present.sa_handler != SIG_IGN)
			sigaction(ending_signals[i], &action, NULL);
	}
}

static void restore_signals(const struct sigaction before[SIGNAL_COUNT])
{
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		sigaction(ending_signals[i], &before[i], NULL);
}

/* --- the command ------------------------------------------------------------------------------ */

static int write_answer(const struct compare_options *options, const struct compare_plan *plan,
			const struct compare_answer *answer, struct err *err)
{
	const struct comparison comparison = {
	    .a = plan->sides[0],
	    .b = plan->sides[1],
	    .rows = answer->rows,
	    .row_count = answer->count,
	    .alpha = answer->alpha,
	    .tolerance = answer->tolerance,
	    .elapsed_s = answer->elapsed_s,
	    .created_s = (double)clock_ns(CLOCK_REALTIME) * 1e-9,
	};
	struct output output;
	int r = output_open(&output, options->output, err);

	if (r < 0)
		return r;
	r = options->json ? compare_json_write(output.stream, &comparison, err)
			  : compare_view_print(output.stream, &comparison, NULL, err);
	r = output_close(&output, r, err);
	return r < 0 ? r : verdict_exit_code(comparison_verdict(&comparison));
}

static int compare(const struct compare_options *options, struct compare_plan *plan,
		   int operand_count, char **operands, struct err *err)
{
	struct compare_answer answer = {.count = 0};
	int r = compare_plan_make(plan, &options->what, operand_count, operands, err);

	if (r < 0)
		return r;
	r = compare_plan_is_saved(plan) ? compare_saved(plan, &options->how, &answer, err)
					: compare_run(plan, &options->how, &answer, err);
	if (r == 0 && options->how.save != NULL)
		r = compare_save(&answer, options->how.save, err);
	if (r == 0 && stopped)
		fprintf(stderr, "interrupted: this is what was known by then\n");
	if (r == 0)
		r = write_answer(options, plan, &answer, err);
	compare_answer_release(&answer);
	return r;
}

static int compare_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct compare_options *options = values;
	struct compare_plan plan = {.stop = &stopped};
	struct sigaction before[SIGNAL_COUNT];
	int r, removed;

	if (options->how.cpu && options->how.wall) {
		r = err_set(err, ERR_USAGE, "CPU time or wall time?");
		err_why(err, "--cpu and --wall were both given");
		err_next(err, "without either, CPU time is compared where neither side waits");
		return r;
	}
	take_signals(before);
	r = compare(options, &plan, operand_count, operands, err);
	removed = compare_plan_release(&plan, r < 0 ? NULL : err);
	restore_signals(before);
	return r < 0 || removed == 0 ? r : removed;
}

const struct command command_compare = {
    .name = "compare",
    .summary = "A against B: revisions, interpreters, commands, statements, results",
    .usage = "compare [options] A B [BENCHMARKS...]",
    .description =
	"Measures A and B in turn, in short blocks on one core, and says whether B takes longer, "
	"as long or less time, or that it cannot tell and what it could have seen. Pairs of fresh "
	"processes are made until the answer is sure or the time is over.\n"
	"\n"
	"A and B are two files of benchmarks (bench_* functions, asv classes), two functions "
	"(module:function), two quoted commands, with -s or --statement two statements, or two "
	"files of results. Or they are the surroundings in which the BENCHMARKS behind them are "
	"measured: two revisions (rev:REV; rev:. is the working tree), two interpreters "
	"(python:VERSION), two environments (env:NAME=VALUE; env: adds nothing).\n"
	"\n"
	"Exit status: 0 no difference or an improvement, 1 a regression, 9 cannot tell, 10 not "
	"measured.",
    .examples = "pyrometer compare rev:main rev:HEAD bench_orders.py\n"
		"pyrometer compare rev:HEAD rev:. bench_orders.py\n"
		"pyrometer compare python:3.11 python:3.13 -s 'd = dict.fromkeys(range(99))' "
		"'sorted(d)'\n"
		"pyrometer compare -s 'x = list(range(99))' 'x[:]' 'list(x)'\n"
		"pyrometer compare 'python old.py' 'python new.py'\n"
		"pyrometer compare env:PYTHONMALLOC=malloc env: bench_orders.py",
    .options = compare_options,
    .options_size = sizeof(struct compare_options),
    .defaults = &compare_defaults,
    .main = compare_main,
};
