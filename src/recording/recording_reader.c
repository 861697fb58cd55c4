/* Reads a .pyro file: see recording_reader.h. All in the file may be hostile: no
 * view, trigger or SQL of the file is run (a table must have the very text of
 * schema.c), every value's type and range is checked, rows refer only to earlier
 * ones, and ids must rise, so that a tree with a cycle ends. What does not hold is
 * left out, counted and said.
 */
#include "recording/recording_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "recording/recording_bytes.h"
#include "recording/recording_reading.h"

static int user_version(struct reading *reading)
{
	sqlite3_stmt *row = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(reading->source.db, "PRAGMA user_version", -1, &row, NULL) ==
		SQLITE_OK &&
	    sqlite3_step(row) == SQLITE_ROW)
		version = sqlite3_column_int(row, 0);
	sqlite3_finalize(row);
	return version;
}

/* The version of Pyrometer that wrote the file, as far as it can be read. */
static void find_writer(struct reading *reading, char *text, size_t size)
{
	sqlite3_stmt *row = NULL;
	char *version = NULL;

	snprintf(text, size, "an unknown version");
	if (reading->present[TABLE_META] &&
	    sqlite3_prepare_v2(reading->source.db,
			       "SELECT value FROM meta WHERE key = 'pyrometer_version'", -1, &row,
			       NULL) == SQLITE_OK &&
	    sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) == SQLITE_TEXT)
		version = row_get_text(row, 0);
	if (version)
		snprintf(text, size, "Pyrometer %.40s", version);
	mem_free(version);
	sqlite3_finalize(row);
}

/* Which tables are there with the very text of the schema. */
static void find_tables(struct reading *reading)
{
	sqlite3_stmt *row = NULL;

	memset(reading->present, 0, sizeof(reading->present));
	for (int i = 0; i < TABLE_COUNT; i++) {
		if (sqlite3_prepare_v2(reading->source.db,
				       "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND "
				       "name = ?1 AND tbl_name = ?1 AND sql = ?2 AND rootpage > 1",
				       -1, &row, NULL) == SQLITE_OK) {
			sqlite3_bind_text(row, 1, recording_tables[i].name, -1, SQLITE_STATIC);
			sqlite3_bind_text(row, 2, recording_tables[i].create, -1, SQLITE_STATIC);
			reading->present[i] = sqlite3_step(row) == SQLITE_ROW;
		}
		sqlite3_finalize(row);
		row = NULL;
	}
}

static int check_schema(struct reading *reading, const char *path, struct err *err)
{
	int version = user_version(reading);
	char writer[64];

	find_tables(reading);
	if (version > RECORDING_USER_VERSION) {
		find_writer(reading, writer, sizeof(writer));
		err_set(err, ERR_FILE, "can't read %s: a newer version of Pyrometer wrote it",
			path);
		err_why(
		    err,
		    "its schema is %d, written by %s; this is Pyrometer %s, which reads up to %d",
		    version, writer, PYROMETER_VERSION, RECORDING_USER_VERSION);
		err_next(err, "upgrade: pip install --upgrade pyrometer");
		return -ERR_FILE;
	}
	if (version < 1 || !reading->present[TABLE_META]) {
		err_set(err, ERR_FILE, "can't read %s as a recording", path);
		err_why(err,
			version < 1 ? "its schema is %d, which never was"
				    : "schema %d, but its table meta is not a recording's",
			version);
		err_next(err, "record again; the file is left as it was");
		return -ERR_FILE;
	}
	for (int i = 0; i < TABLE_COUNT; i++) {
		if (!reading->present[i])
			reading_say(reading, "the table %s is missing or not a recording's",
				    recording_tables[i].name);
	}
	return 0;
}

static void sum_up_damage(struct reading *reading, enum recording_detail detail)
{
	struct recording_damage *damage = reading->damage;
	uint64_t dropped = profile_builder_meta(reading->builder)->timeline_dropped;
	char found[sizeof(damage->text)];

	if (reading->rows_dropped)
		reading_say(reading, "%llu rows can't be right and were left out",
			    (unsigned long long)reading->rows_dropped);
	if (reading->blocks_dropped)
		reading_say(reading, "%llu blocks of samples are damaged",
			    (unsigned long long)reading->blocks_dropped);
	if (reading->samples_dropped)
		reading_say(reading, "the stack or thread of %llu samples is missing",
			    (unsigned long long)reading->samples_dropped);
	if (reading->source.damaged) {
		memcpy(found, damage->text, sizeof(found));
		if (reading->source.bytes_missing)
			snprintf(damage->text, sizeof(damage->text),
				 "its last %llu bytes are missing%s%.400s",
				 (unsigned long long)reading->source.bytes_missing,
				 *found ? "; " : "", found);
		else if (!*found)
			reading_say(reading,
				    "it is damaged, but all that was asked for is readable");
	}
	if (!*damage->text)
		return;
	damage->samples_lost = UINT64_MAX;
	if (reading->samples_dropped && !reading->corrupt && !reading->blocks_dropped)
		damage->samples_lost = reading->samples_dropped;
	if (detail == RECORDING_AGGREGATED && reading->aggregate_whole)
		damage->samples_lost = reading->samples_dropped;
	if (detail == RECORDING_TIMELINE && reading->aggregate_whole &&
	    reading->aggregate_count >= reading->timeline_count + dropped)
		damage->samples_lost = reading->aggregate_count - reading->timeline_count - dropped;
}

static int read_all(struct reading *reading, const char *path, enum recording_detail detail,
		    struct err *err)
{
	int code = check_schema(reading, path, err);

	if (code == 0)
		code = reading_dictionary(reading, detail, err);
	if (code == 0 && detail == RECORDING_AGGREGATED)
		code = reading_aggregated(reading, err);
	if (code == 0 && detail == RECORDING_TIMELINE)
		code = reading_timeline(reading, err);
	if (code == 0 && detail == RECORDING_TIMELINE &&
	    (*reading->damage->text || reading->blocks_dropped || reading->samples_dropped ||
	     reading->source.damaged))
		code = reading_count_aggregates(reading, err);
	return code;
}

static int start(struct reading *reading)
{
	struct recording_source source = reading->source;
	struct recording_damage *damage = reading->damage;

	memset(reading, 0, sizeof(*reading));
	reading->source = source;
	reading->damage = damage;
	memset(damage, 0, sizeof(*damage));
	sample_block_init(&reading->codec);
	reading->builder = profile_builder_new();
	return reading->builder ? 0 : -ERR_MEMORY;
}

static void clear(struct reading *reading)
{
	mem_free(reading->strings.ids);
	mem_free(reading->functions.ids);
	mem_free(reading->frames.ids);
	mem_free(reading->stacks.ids);
	mem_free(reading->processes.ids);
	mem_free(reading->threads.ids);
	mem_free(reading->sums);
	sample_block_release(&reading->codec);
	profile_builder_free(reading->builder);
	reading->builder = NULL;
}

static int finish(struct reading *reading, enum recording_detail detail,
		  struct profile **ret_profile, struct err *err)
{
	struct profile *profile;

	sum_up_damage(reading, detail);
	profile = profile_builder_freeze(reading->builder);
	reading->builder = NULL;
	if (!profile)
		return reading_no_memory(err);
	*ret_profile = profile;
	return 0;
}

int recording_read(const char *path, enum recording_detail detail, struct profile **ret_profile,
		   struct recording_damage *ret_damage, struct err *err)
{
	struct recording_damage unused;
	struct reading reading = {.damage = ret_damage ? ret_damage : &unused};
	int code = recording_source_open(&reading.source, path, err);

	if (code < 0)
		return code;
	code = start(&reading) < 0 ? reading_no_memory(err) : read_all(&reading, path, detail, err);
	if (code == 0)
		code = finish(&reading, detail, ret_profile, err);
	clear(&reading);
	recording_source_release(&reading.source);
	return code;
}

int recording_read_bytes(const void *bytes, size_t size, enum recording_detail detail,
			 struct profile **ret_profile, struct recording_damage *ret_damage,
			 struct err *err)
{
	struct recording_damage unused;
	struct reading reading = {.damage = ret_damage ? ret_damage : &unused};
	int code = recording_source_open_bytes(&reading.source, bytes, size, "(memory)", err);

	if (code < 0)
		return code;
	code = start(&reading) < 0 ? reading_no_memory(err)
				   : read_all(&reading, "(memory)", detail, err);
	if (code == 0)
		code = finish(&reading, detail, ret_profile, err);
	clear(&reading);
	recording_source_release(&reading.source);
	return code;
}
