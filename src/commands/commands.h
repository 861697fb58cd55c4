/* The commands of the program, in the order of --help. A new command: one file cmd_NAME.c that
 * defines `const struct command command_NAME`, one line here, one in commands.c. */
#ifndef COMMANDS_COMMANDS_H
#define COMMANDS_COMMANDS_H

#include "base/options.h"

extern const struct command command_run;
extern const struct command command_record;
extern const struct command command_report;
extern const struct command command_export;
extern const struct command command_diff;
extern const struct command command_bench;
extern const struct command command_compare;
extern const struct command command_gate;
extern const struct command command_imports;
extern const struct command command_ledger;
extern const struct command command_dump;
extern const struct command command_doctor;
extern const struct command command_config;
extern const struct command command_help;
extern const struct command command_completions;
extern const struct command command_man;

extern const struct program pyrometer_program; /* base/program.h; its .commands ends with NULL */

#endif
