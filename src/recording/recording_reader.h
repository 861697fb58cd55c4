/* Reads a .pyro file into a profile. The file is never changed, not even by
 * recovery: a damaged one is read from a private copy as far as it goes.
 */
#ifndef RECORDING_RECORDING_READER_H
#define RECORDING_RECORDING_READER_H

#include "profile/profile.h"

struct err;

enum recording_detail {
	RECORDING_META,	      /* meta, processes and threads only */
	RECORDING_AGGREGATED, /* samples summed over time: small, whatever the length */
	RECORDING_TIMELINE,   /* every sample with its time */
};

/* What could not be read, for one sentence to the user; text empty = nothing. */
struct recording_damage {
	char text[512];
	uint64_t samples_lost; /* UINT64_MAX unknown */
};

/* -ERR_FILE: no such file, not a recording (named by what it is), a newer
 * schema (refused by name), nothing readable. A damaged file that still gives
 * something returns 0 with ret_damage filled. */
int recording_read(const char *path, enum recording_detail, struct profile **ret_profile,
		   struct recording_damage *ret_damage, struct err *);

#endif
