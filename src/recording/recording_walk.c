/* A walk over one table of a recording that may be damaged or hostile. A page that can't be read
 * costs the rows that lie on it: a walk by id looks for the first id after them that can be read
 * again, by steps that double and then by halves, and goes on from there. */
#include "base/err.h"
#include "recording/recording_reading.h"

#define GAPS_MAX 1000 /* in one table */

struct walking {
	struct reading *reading;
	const struct table_walk *walk;
	sqlite3_stmt *row;
	uint64_t last, missing; /* the last id; rows in gaps before it */
	int sqlite;		/* of the last step */
	bool impossible;	/* what was read can't be a recording's: no more of it */
};

/* The first row at or after `id`. */
static int begin_at(struct walking *walking, int64_t id)
{
	sqlite3_reset(walking->row);
	if (walking->walk->by_id)
		sqlite3_bind_int64(walking->row, 1, id);
	return sqlite3_step(walking->row) & 0xff;
}

/* Rows from the present one on, as far as they can be read. 0 or -ERR_MEMORY. */
static int take_rows(struct walking *walking)
{
	struct reading *reading = walking->reading;

	while (walking->sqlite == SQLITE_ROW) {
		int code;
		uint64_t id;

		if (walking->walk->by_id) {
			/* A row takes a byte of the file at the least. */
			if (!row_get_count(walking->row, 0, reading->source.size_bytes, &id) ||
			    id <= walking->last) {
				walking->impossible = true;
				return 0;
			}
			walking->last = id;
		}
		code = walking->walk->take(reading, walking->row, NULL);
		if (code == -ERR_MEMORY)
			return code;
		if (code < 0)
			reading->rows_dropped++;
		walking->sqlite = sqlite3_step(walking->row) & 0xff;
	}
	return 0;
}

static bool is_readable(int sqlite)
{
	return sqlite == SQLITE_ROW || sqlite == SQLITE_DONE;
}

/* Past the damage: true with the next readable row at hand. */
static bool skip_damage(struct walking *walking)
{
	uint64_t fails = walking->last, works = 0, step = 1;

	while (works == 0) {
		if (step > walking->reading->source.size_bytes)
			return false;
		walking->sqlite = begin_at(walking, (int64_t)(walking->last + step));
		if (is_readable(walking->sqlite))
			works = walking->last + step;
		else if (walking->sqlite == SQLITE_CORRUPT)
			fails = walking->last + step;
		else
			return false;
		step *= 2;
	}
	while (works - fails > 1) {
		uint64_t middle = fails + (works - fails) / 2;

		walking->sqlite = begin_at(walking, (int64_t)middle);
		if (is_readable(walking->sqlite))
			works = middle;
		else if (walking->sqlite == SQLITE_CORRUPT)
			fails = middle;
		else
			return false;
	}
	walking->sqlite = begin_at(walking, (int64_t)works);
	if (walking->sqlite != SQLITE_ROW) {
		walking->sqlite = SQLITE_CORRUPT; /* how many rows there were nobody can tell */
		return false;
	}
	works = (uint64_t)sqlite3_column_int64(walking->row, 0);
	walking->missing += works - walking->last - 1;
	return true;
}

static void say_what_is_missing(struct walking *walking, bool to_the_end)
{
	const char *name = recording_tables[walking->walk->table].name;

	walking->reading->corrupt = true;
	if (walking->missing)
		reading_say(walking->reading, "%llu rows of the table %s are missing",
			    (unsigned long long)walking->missing, name);
	if (to_the_end)
		return;
	if (walking->sqlite == SQLITE_INTERRUPT)
		reading_say(walking->reading, "the table %s takes too long to read", name);
	else
		reading_say(walking->reading, "the table %s is readable only up to row %llu", name,
			    (unsigned long long)walking->last);
}

int reading_walk(struct reading *reading, const struct table_walk *walk, bool *ret_whole,
		 struct err *err)
{
	struct walking walking = {.reading = reading, .walk = walk, .sqlite = SQLITE_CORRUPT};
	bool to_the_end;
	int code = 0;

	*ret_whole = false;
	if (!reading->present[walk->table])
		return 0;
	if (sqlite3_prepare_v2(reading->source.db, walk->sql, -1, &walking.row, NULL) ==
	    SQLITE_OK) {
		walking.sqlite = begin_at(&walking, INT64_MIN);
		code = take_rows(&walking);
		for (int gaps = 0; gaps < GAPS_MAX && code == 0 && walk->by_id &&
				   !walking.impossible && walking.sqlite == SQLITE_CORRUPT;
		     gaps++) {
			if (!skip_damage(&walking))
				break;
			code = take_rows(&walking);
		}
	}
	sqlite3_finalize(walking.row);
	if (code == -ERR_MEMORY || walking.sqlite == SQLITE_NOMEM)
		return reading_no_memory(err);
	to_the_end = walking.sqlite == SQLITE_DONE && !walking.impossible;
	*ret_whole = to_the_end && walking.missing == 0;
	if (!*ret_whole)
		say_what_is_missing(&walking, to_the_end);
	return 0;
}
