/* What an operand of `compare` names. Pure, but for the look whether a file is there. */
#ifndef COMMANDS_COMPARE_OPERAND_H
#define COMMANDS_COMPARE_OPERAND_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/worker.h"

struct arena;
struct err;

enum operand_kind {
	/* Surroundings, in which the same benchmarks are measured: the operands behind them. */
	OPERAND_REVISION,    /* rev:REV */
	OPERAND_PYTHON,	     /* python:VERSION or path */
	OPERAND_ENVIRONMENT, /* env:NAME=VALUE; env: alone: nothing added */
	OPERAND_RESULTS,     /* a file of results */
	OPERAND_TARGET	     /* something to measure */
};

struct operand {
	enum operand_kind kind;
	const char *text;	 /* without the prefix; of a file without ::NAME */
	enum target_kind target; /* OPERAND_TARGET */
	const char *name;	 /* FILE.py::NAME; NULL all of the file */
};

/* How operands without a prefix are to be read. */
struct operand_reading {
	bool statements, commands;
};

/* The texts are the operand's own, or copies in the arena. NULL arena is not allowed. */
int operand_parse(const char *text, const struct operand_reading *reading, struct arena *arena,
		  struct operand *ret_operand, struct err *err);

/* Words as a shell splits them: blanks, quotes, backslashes; nothing else is done: no variables,
 * no pipes. NULL-terminated, in the arena. -ERR_USAGE: an open quote, no word. */
int words_split(const char *text, struct arena *arena, char ***ret_words, struct err *err);

#endif
