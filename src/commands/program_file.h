/* The file behind a command's first word: whether it can be Python at all. Asked only where no
 * interpreter was seen, to tell a program that is none from one that was too short. */
#ifndef COMMANDS_PROGRAM_FILE_H
#define COMMANDS_PROGRAM_FILE_H

#include <stdbool.h>
#include <sys/types.h>

enum program_kind {
	PROGRAM_UNKNOWN,      /* not found, or of a format that we do not know */
	PROGRAM_NOT_PYTHON,   /* its file names no interpreter */
	PROGRAM_MAYBE_PYTHON, /* its file names one: CPython, PyPy, a program that embeds it */
};

/* Found as execvp does; behind a script's first line, the interpreter that it names. */
enum program_kind program_file_kind(const char *word);

/* Of a process that ended and was not waited for yet: it was `word` to its end, and it waited for
 * no child. False also where that is not known. */
bool program_was_alone(pid_t pid, const char *word);

#endif
