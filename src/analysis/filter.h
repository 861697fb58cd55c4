/* Which samples a selection keeps, decided sample by sample. The one answer to
 * that question: shares, trees, diffs and exports all ask here.
 * `sample_filter_keep` fits `struct format_filter.keep` with the filter as its
 * context. Folding of library code is not a matter of samples and not done here. */
#ifndef ANALYSIS_FILTER_H
#define ANALYSIS_FILTER_H

#include "analysis/shares.h"

/* Embedded. Holds no pointer into the selection after init; the profile must
 * outlive it. Read-only after init, so threads may share it. */
struct sample_filter {
	uint8_t *keeps_thread; /* by thread id; row 0: samples of an unknown thread */
	uint8_t *keeps_stack;  /* by stack id; NULL = every stack */
	uint64_t from_ns, to_ns;
	bool has_window, on_cpu_only;
};

/* 0; -ERR_USAGE when the selection names a process or thread that is not in the
 * profile, an empty window, or a window on a profile without times; -ERR_MEMORY. */
int sample_filter_init(struct sample_filter *, const struct profile *, const struct selection *,
		       struct err *);
void sample_filter_release(struct sample_filter *);
bool sample_filter_keep(const void *filter, const struct profile *, const struct profile_sample *);

/* The process whose main thread is meant when no thread is named: the first
 * Python process of the table, or its first row when none is Python. 0: no rows. */
struct process_id profile_first_process(const struct profile *);
/* A process that executes another program has a row for each: the next one begins in the instant
 * in which the last one ends. 1 for each row that is that first process, in any of its programs; by
 * id, the caller frees it with mem_free. NULL: no memory. */
uint8_t *profile_first_process_programs(const struct profile *);
/* The first process over all of its programs: from the first one's start to the last one's end (0:
 * not known), their CPU time together, the largest peak; names are the first one's. false: no
 * rows. */
bool profile_first_process_sum(const struct profile *, struct profile_process *ret_sum);

#endif
