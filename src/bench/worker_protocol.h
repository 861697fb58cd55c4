/* What python/pyrometer/_worker.py says, taken apart (its opening lists the lines). The text comes
 * from the process of a benchmark, which may write anything into our pipe: every word is checked,
 * nothing is trusted. Pure: no descriptors, no processes. */
#ifndef BENCH_WORKER_PROTOCOL_H
#define BENCH_WORKER_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;

#define REPLY_LINE_MAX ((size_t)1 << 20) /* bytes of one line */
#define REPLY_WORDS_MAX 4096

enum reply_kind {
	REPLY_LOADED,	 /* numbers: overhead ps; texts: version, implementation, kind, unit */
	REPLY_BLOCK,	 /* numbers: wall ns, CPU ns, causes; value */
	REPLY_COUNT,	 /* numbers: calls, bytecodes, modules */
	REPLY_ITEM,	 /* texts: name, kind, unit, then name and value of each param */
	REPLY_LISTED,	 /* numbers: count */
	REPLY_LATENCIES, /* numbers: ns each */
	REPLY_LOAD_DONE, /* numbers: count */
	REPLY_PING,
	REPLY_QUIT,  /* numbers: modules, collections */
	REPLY_NOTE,  /* texts: the note */
	REPLY_FAILED /* texts: phase, message */
};

struct worker_reply {
	enum reply_kind kind;
	uint64_t *numbers; /* UINT64_MAX where it said −1: not known */
	size_t number_count;
	char **texts; /* no NUL in them; perhaps no UTF-8 */
	size_t text_count;
	double value; /* NaN: none */
};

/* The line without its end. -ERR_TARGET: not what a worker says; -ERR_MEMORY. */
int worker_reply_parse(const char *line, size_t size, struct worker_reply *ret_reply,
		       struct err *err);
void worker_reply_release(struct worker_reply *reply);

/* A text as a word of a request: hexadecimal, "-" for none. */
void worker_write_word(FILE *stream, const char *text);

#endif
