/* Two saved results, judged as what they are. The two sides of one comparison (the same seeds at
 * the same times) are pairs still. Anything else was measured at two times, and what the machine
 * did between them is in neither file: the difference and how processes vary are told, but no
 * verdict is made of it unless the caller says how far the machine itself may have moved. */
#ifndef BENCH_PAIRING_SAVED_H
#define BENCH_PAIRING_SAVED_H

#include "bench/pairing.h"

struct saved_options {
	struct sequential_plan plan;
	double drift; /* |log ratio| that may be the machine's own; NaN: not known */
};

/* 0 and a result without raw values; *ret_reason (static text, NULL): why it cannot tell. */
int pairing_saved(const struct benchmark *a, const struct benchmark *b,
		  const struct saved_options *options, struct pairing_result *ret_result,
		  const char **ret_reason, struct err *err);

/* What differs between the surroundings, such that a difference is not the program's alone:
 * "python 3.11.7 and 3.13.0"; false: nothing known. */
bool saved_surroundings_differ(const struct bench_results *a, const struct bench_results *b,
			       char *text, size_t size);

#endif
