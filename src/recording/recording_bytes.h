/* Reads a recording that lies in memory, as recording_read does a file: for
 * tests and fuzzing. The bytes are not changed. */
#ifndef RECORDING_RECORDING_BYTES_H
#define RECORDING_RECORDING_BYTES_H

#include "recording/recording_reader.h"

int recording_read_bytes(const void *bytes, size_t size, enum recording_detail,
			 struct profile **ret_profile, struct recording_damage *ret_damage,
			 struct err *err);

#endif
