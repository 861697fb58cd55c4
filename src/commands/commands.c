/* The table that main runs, and that help, man pages and completions are printed from. */
#include "commands/commands.h"

#include <stddef.h>

#include "base/program.h"

static const struct command *const commands[] = {
    &command_run,
    &command_record,
    &command_report,
    &command_export,
    &command_diff,
    &command_bench,
    &command_compare,
    &command_gate,
    &command_imports,
    &command_ledger,
    &command_dump,
    &command_doctor,
    &command_config,
    &command_help,
    &command_completions,
    &command_man,
    NULL,
};

const struct program pyrometer_program = {
    .name = "pyrometer",
    .version = PYROMETER_VERSION,
    .summary = "Says where a Python program spends its time, from outside it",
    .description =
	"Pyrometer measures any unmodified CPython program, 3.8 to 3.15, by reading its memory "
	"from outside: it changes nothing in it, and needs no package beside it.\n"
	"\n"
	"stdout is data, stderr is for people. NO_COLOR and FORCE_COLOR are honoured.",
    .examples = "pyrometer run app.py\n"
		"pyrometer record -o app.pyro -p 4711 -d 30\n"
		"pyrometer report app.pyro",
    .commands = commands,
};
