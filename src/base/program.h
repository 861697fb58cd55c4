/* From argv to an exit status: finds the command, reads configuration and options, prints help,
 * version and errors. Knows no command. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdio.h>

struct command;
struct err;

struct program {
	const char *name, *version;
	const char *summary;		       /* one line */
	const char *description;	       /* paragraphs, as of struct command */
	const char *examples;		       /* lines */
	const struct command *const *commands; /* ends with NULL */
};

/* Runs the command that argv names and returns the exit status. Data goes to stdout, errors to
 * stderr. argv must end with NULL; its cells are moved. */
int program_main(const struct program *, int argc, char **argv);

/* The command that the one operand names. -ERR_USAGE with "did you mean". */
int program_find_command(const struct program *, int operand_count, char **operands,
			 const struct command **ret_command, struct err *);

/* Three lines: what; why; what next. Where the error leaves one open, its code has a sentence. */
void program_print_error(const struct program *, const struct command *, const struct err *,
			 FILE *);

#endif
