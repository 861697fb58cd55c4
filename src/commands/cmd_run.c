/* pyrometer run: the main job. Runs a program as always, then says on stderr where
 * its time went. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/recorder.h"
#include "profile/builder.h"
#include "recording/recording_reader.h"
#include "report/answer.h"
#include "report/json_view.h"

struct run_options {
	struct record_arguments record;
	const char *threads;
	bool cpu, json;
};

static const struct run_options run_defaults = {.record = {.budget_percent = 1.0},
						.threads = "main"};
static const char *const thread_choices[] = {"main", "all", NULL};

#define RECORD_IN(field) offsetof(struct run_options, record.field)
#define FIELD(member) .offset = offsetof(struct run_options, member), .set_offset = OPTION_NO_SET

static const struct option run_options[] = {
#include "commands/record_options.def"
    {.name = "threads",
     .type = OPTION_CHOICE,
     FIELD(threads),
     .value_name = "WHICH",
     .choices = thread_choices,
     .help = "Shares of the main thread, or of all threads."},
    {.name = "cpu",
     .type = OPTION_FLAG,
     FIELD(cpu),
     .help = "Shares of CPU time instead of wall time."},
    {.name = "json",
     .type = OPTION_FLAG,
     FIELD(json),
     .no_config = true,
     .help = "The answer as JSON on standard output, after the program's own."},
    {.name = NULL},
};

/* The recording before this one, when it is of the same command; else NULL. */
static struct profile *read_previous(const struct recorded *recorded, const struct profile *now)
{
	struct recording_damage damage;
	struct profile *previous = NULL;

	if (!recorded->place.previous_path[0] ||
	    recording_read(recorded->place.previous_path, RECORDING_AGGREGATED, &previous, &damage,
			   NULL) < 0)
		return NULL;
	if (previous->meta.command && now->meta.command &&
	    strcmp(previous->meta.command, now->meta.command) == 0)
		return previous;
	profile_free(previous);
	return NULL;
}

static int answer(const struct run_options *options, const struct recorded *recorded,
		  struct err *err)
{
	struct selection selection = {.all_threads = strcmp(options->threads, "all") == 0,
				      .basis = options->cpu ? BASIS_CPU : BASIS_WALL};
	struct recording_damage damage = {.text = ""};
	struct profile *profile, *previous;
	struct answer_options answer_options = {
	    .selection = &selection, .recording_path = recorded->place.path, .damage = damage.text};
	struct terminal terminal;
	int result =
	    recording_read(recorded->place.path, RECORDING_AGGREGATED, &profile, &damage, err);

	if (result < 0)
		return result;
	previous = read_previous(recorded, profile);
	answer_options.previous = previous;
	terminal_describe(&terminal, stderr);
	if (options->json)
		result =
		    report_json_write(profile, &selection, SORT_SELF, 0, damage.text, stdout, err);
	else
		result = report_answer(profile, &answer_options, stderr, &terminal, err);
	profile_free(previous);
	profile_free(profile);
	return result;
}

static int run_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct run_options *options = values;
	struct recorded recorded;
	int result = recorder_run(&options->record, operand_count, operands, &recorded, err);

	if (result == 0 && !recorded.empty)
		result = answer(options, &recorded, err);
	return result < 0 ? result : recorded.exit_status;
}

const struct command command_run = {
    .name = "run",
    .summary = "Run a program as always, then say where its time went",
    .usage = "run [options] [--] PROGRAM [ARGS...]\n"
	     "run [options] -m MODULE [ARGS...]",
    .description =
	"The program runs as always: its terminal, its output and its exit status are its own. "
	"Then the answer is printed on standard error: what took the time, with the uncertainty of "
	"every share, and what changed since the last recording of the same command. The recording "
	"is kept beside it; the one before is kept as NAME.previous.pyro.\n"
	"\n"
	"Shares are of the wall time of the main thread unless --threads all or --cpu say "
	"otherwise. Where --duration ends the recording first, the answer still comes when the "
	"program "
	"has ended. The exit status is the program's; 125 when Pyrometer itself failed.",
    .examples = "pyrometer run app.py\n"
		"pyrometer run -m mypackage --verbose\n"
		"pyrometer run -- python3.12 -O app.py\n"
		"pyrometer run --rate max --threads all app.py",
    .options = run_options,
    .options_size = sizeof(struct run_options),
    .defaults = &run_defaults,
    .stops_at_operand = true,
    .own_failure_status = ERR_INTERNAL,
    .main = run_main,
};
