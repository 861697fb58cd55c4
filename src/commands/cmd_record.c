/* pyrometer record: sample a command or a running process into a recording. */
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/recorder.h"
#include "profile/builder.h"
#include "recording/recording_reader.h"

struct record_options {
	struct record_arguments record;
};

static const struct record_options record_defaults = {.record = {.budget_percent = 1.0}};

#define RECORD_IN(field) offsetof(struct record_options, record.field)

static const struct option record_options[] = {
#include "commands/record_options.def"
    {.name = NULL},
};

static int print_result(const struct recorded *recorded, struct err *err)
{
	struct recording_damage damage;
	struct profile *profile;
	int result = recording_read(recorded->place.path, RECORDING_META, &profile, &damage, err);

	if (result < 0)
		return result;
	fprintf(stderr,
		"recording %s: %.1f s, %llu samples (%llu torn, %llu failed, %llu missed)\n",
		recorded->place.path, (double)profile->meta.duration_ns / 1e9,
		(unsigned long long)(profile->meta.counts.valid + profile->meta.counts.torn),
		(unsigned long long)profile->meta.counts.torn,
		(unsigned long long)profile->meta.counts.failed,
		(unsigned long long)profile->meta.counts.missed);
	fprintf(stderr, "  pyrometer report %s\n", recorded->place.path);
	profile_free(profile);
	return 0;
}

static int record_main(const void *values, int operand_count, char **operands, struct err *err)
{
	const struct record_options *options = values;
	struct recorded recorded;
	int result = recorder_run(&options->record, operand_count, operands, &recorded, err);

	if (result == 0 && !recorded.empty)
		result = print_result(&recorded, err);
	return result < 0 ? result : recorded.exit_status;
}

const struct command command_record = {
    .name = "record",
    .summary = "Sample a command or a running process into a recording",
    .usage = "record [options] [--] PROGRAM [ARGS...]\n"
	     "record [options] -p PID",
    .description =
	"Samples the program and every process that it starts into one recording, from outside: "
	"nothing is written to them, they are not stopped. Ctrl-C ends the recording of a running "
	"process; what was recorded is kept. A recording that --duration ends is complete at once, "
	"and "
	"the program that was started runs on to its end. The exit status is the program's own; "
	"125 when "
	"Pyrometer itself failed.\n"
	"\n"
	"The rate follows a budget of 1 % of the program's time unless --rate or --budget say "
	"otherwise.",
    .examples = "pyrometer record -o app.pyro -- python app.py\n"
		"pyrometer record -p 4711 -d 30s\n"
		"pyrometer record --rate max -m mypackage.cli",
    .options = record_options,
    .options_size = sizeof(struct record_options),
    .defaults = &record_defaults,
    .stops_at_operand = true,
    .own_failure_status = ERR_INTERNAL,
    .main = record_main,
};
