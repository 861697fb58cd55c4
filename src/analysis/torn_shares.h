/* Shares out what was torn. From another core the depth of a stack and its caller
 * are known while its callee sometimes is not: the sample then ends in "<torn>"
 * under the caller. What is missing is missing at random with respect to which
 * callee it was (the reader was late by the same half microsecond in all of
 * them), so a caller's torn weight belongs to the callees that were seen under
 * that caller, in proportion. Dropping it instead would favour code that makes
 * no calls; giving it to the caller would do so too. Inside analysis/ only. */
#ifndef ANALYSIS_TORN_SHARES_H
#define ANALYSIS_TORN_SHARES_H

#include "analysis/stack_weights.h"

/* Changes self sums (before they are carried up). A caller under which nothing was ever told
 * keeps its torn part. Adds to weights->torn_shared_ns. 0 or -ERR_MEMORY. */
int torn_shares_apply(struct stack_weights *weights, const struct profile *profile,
		      struct err *err);

#endif
