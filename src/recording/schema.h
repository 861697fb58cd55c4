/* The tables and views of a .pyro file, schema 1 (docs/recording.md). The reader
 * compares each table's text in the file with the text here, so that a file can
 * bring no view, virtual table, computed column or trigger in a table's place.
 */
#ifndef RECORDING_SCHEMA_H
#define RECORDING_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#define RECORDING_APPLICATION_ID 0x5059524fu /* "PYRO" */
#define RECORDING_USER_VERSION 1

enum recording_table {
	TABLE_META,
	TABLE_STRING,
	TABLE_FUNCTION,
	TABLE_FRAME,
	TABLE_STACK,
	TABLE_PROCESS,
	TABLE_THREAD,
	TABLE_MARKER,
	TABLE_AGGREGATE,
	TABLE_SAMPLE_BLOCK,
	TABLE_COUNT
};

struct recording_table_text {
	const char *name;
	const char *create; /* as sqlite_schema holds it */
};

extern const struct recording_table_text recording_tables[TABLE_COUNT];
extern const char recording_views[]; /* several statements */

#endif
