/* Writes a .pyro file (SQLite; schema.sql and docs/recording.md). The file is
 * readable at any moment: dictionary rows, aggregates and samples of one append
 * land in one transaction, so a kill -9 loses at most what was not yet appended.
 */
#ifndef RECORDING_RECORDING_WRITER_H
#define RECORDING_RECORDING_WRITER_H

#include "profile/profile.h"

struct err;
struct recording_writer;

struct recording_writer_options {
	uint64_t
	    max_size_bytes; /* 0 = no bound. Near it the time line stops, the aggregates go on */
	bool overwrite;	    /* replace an existing recording (never another kind of file) */
};

int recording_writer_open(const char *path, const struct recording_writer_options *,
			  struct recording_writer **ret_writer, struct err *);

/* Append: rows of `view` that were not written yet (ids above the last ones),
 * changed rows of processes, threads and meta, then `samples` (time order not
 * required; ids refer to `view`). One transaction. On -ERR_FILE (disk full, …)
 * what was appended before stays whole and readable, the failed samples are
 * kept in memory as aggregates and tried again with the next append. */
int recording_writer_append(struct recording_writer *, const struct profile *view,
			    const struct profile_sample *samples, size_t sample_count,
			    struct err *);

/* Last append (meta.complete as the view says), indexes, checkpoint, close. */
int recording_writer_finish(struct recording_writer *, const struct profile *view, struct err *);
/* Close without finishing; the file stays as after the last append. NULL is fine. */
void recording_writer_free(struct recording_writer *);

uint64_t recording_writer_size_bytes(const struct recording_writer *);

#endif
