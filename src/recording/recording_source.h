/* Opens a .pyro file for reading without ever changing it, hostile or damaged as
 * it may be: the healthy one in place, one with a hot journal from a private copy
 * where SQLite rolls back, a damaged one from memory. Used by the reader only.
 */
#ifndef RECORDING_RECORDING_SOURCE_H
#define RECORDING_RECORDING_SOURCE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

struct recording_source {
	sqlite3 *db; /* a read transaction is open */
	uint64_t size_bytes;
	uint8_t *memory;	/* what db reads, when it is not a file */
	char *copy_folder;	/* the private copy's, removed by release */
	uint64_t steps_left;	/* of SQLite's machine: bounds the time a hostile file takes */
	bool damaged;		/* cut short, or SQLite refused it: read from memory */
	uint64_t bytes_missing; /* of a file cut short; 0 none or not known */
};

/* -ERR_FILE: no such file, another kind of file, nothing readable. */
int recording_source_open(struct recording_source *, const char *path, struct err *);
/* The same of bytes in memory (copied). */
int recording_source_open_bytes(struct recording_source *, const void *bytes, uint64_t size,
				const char *path, struct err *);
/* Drops what was opened and reads the file again from memory, as damaged. */
int recording_source_reopen_damaged(struct recording_source *, const char *path, struct err *);
void recording_source_release(struct recording_source *);

#endif
