/* See schema.h. Tables are made in this order, so that their first pages open
 * the file: of a file cut short the dictionaries' early rows are still there. */
#include "recording/schema.h"

const struct recording_table_text recording_tables[TABLE_COUNT] = {
    [TABLE_META] = {"meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID"},
    [TABLE_STRING] = {"string", "CREATE TABLE string(id INTEGER PRIMARY KEY, text TEXT NOT NULL)"},
    [TABLE_FUNCTION] = {"function", "CREATE TABLE function(id INTEGER PRIMARY KEY, name INTEGER, "
				    "file INTEGER, first_line INTEGER)"},
    [TABLE_FRAME] = {"frame", "CREATE TABLE frame(id INTEGER PRIMARY KEY, function INTEGER, "
			      "line INTEGER, end_line INTEGER, "
			      "start_column INTEGER, end_column INTEGER, "
			      "kind INTEGER)"},
    [TABLE_STACK] = {"stack", "CREATE TABLE stack(id INTEGER PRIMARY KEY, parent INTEGER, "
			      "frame INTEGER)"},
    [TABLE_PROCESS] = {"process", "CREATE TABLE process(id INTEGER PRIMARY KEY, pid INTEGER, "
				  "parent_pid INTEGER, command INTEGER, "
				  "python INTEGER, start_ns INTEGER, "
				  "end_ns INTEGER, cpu_ns INTEGER, peak_rss_bytes INTEGER)"},
    [TABLE_THREAD] = {"thread", "CREATE TABLE thread(id INTEGER PRIMARY KEY, process INTEGER, "
				"tid INTEGER, name INTEGER, is_main INTEGER, "
				"start_ns INTEGER, end_ns INTEGER, on_cpu_ns INTEGER, "
				"runqueue_ns INTEGER)"},
    [TABLE_MARKER] = {"marker", "CREATE TABLE marker(id INTEGER PRIMARY KEY, start_ns INTEGER, "
				"end_ns INTEGER, thread INTEGER, name INTEGER, "
				"data INTEGER)"},
    [TABLE_AGGREGATE] = {"aggregate", "CREATE TABLE aggregate(thread INTEGER, stack INTEGER, "
				      "state INTEGER, flags INTEGER, count INTEGER, "
				      "weight_ns INTEGER, "
				      "PRIMARY KEY(thread, stack, state, flags)) WITHOUT ROWID"},
    [TABLE_SAMPLE_BLOCK] = {"sample_block", "CREATE TABLE sample_block(id INTEGER PRIMARY KEY, "
					    "start_ns INTEGER, end_ns INTEGER, "
					    "sample_count INTEGER, data BLOB NOT NULL)"},
};

/* Shares are of the weight of all threads. In a total a function or line that is
 * on a stack more than once (recursion) counts once: hence the inner GROUP BY.
 * Short on purpose: tables and views together fit the file's first page, so that a
 * file cut short, however small, still has its schema (a test holds this). */
const char recording_views[] =
    "CREATE VIEW leaf AS SELECT stack, sum(weight_ns) AS weight FROM aggregate GROUP BY stack;\n"
    "CREATE VIEW leaf_frame AS WITH RECURSIVE up(leaf, weight, at) AS (\n"
    "SELECT stack, weight, stack FROM leaf WHERE stack <> 0 UNION ALL\n"
    "SELECT leaf, weight, parent FROM up JOIN stack ON id = at WHERE parent <> 0)\n"
    "SELECT leaf, weight, leaf = at AS top, line, fn.*\n"
    "FROM up JOIN stack s ON s.id = at JOIN frame f ON f.id = s.frame\n"
    "JOIN function fn ON fn.id = f.function;\n"
    "CREATE VIEW hot_functions AS SELECT t.id AS function, n.text AS name,\n"
    "coalesce(p.text, '') AS file, first_line, self_ns, total_ns,\n"
    "1.0 * self_ns / everything AS self, 1.0 * total_ns / everything AS total\n"
    "FROM (SELECT *, sum(weight * top) AS self_ns, sum(weight) AS total_ns FROM\n"
    "(SELECT id, name, file, first_line, weight, max(top) AS top FROM leaf_frame\n"
    "GROUP BY leaf, id) GROUP BY id) t\n"
    "JOIN (SELECT sum(weight) AS everything FROM leaf)\n"
    "LEFT JOIN string n ON n.id = t.name LEFT JOIN string p ON p.id = t.file\n"
    "ORDER BY self_ns DESC, total_ns DESC, t.id;\n"
    "CREATE VIEW hot_lines AS SELECT coalesce(p.text, '') AS file, line, self_ns, total_ns,\n"
    "1.0 * self_ns / everything AS self, 1.0 * total_ns / everything AS total\n"
    "FROM (SELECT *, sum(weight * top) AS self_ns, sum(weight) AS total_ns FROM\n"
    "(SELECT file, line, weight, max(top) AS top FROM leaf_frame GROUP BY leaf, file, line)\n"
    "GROUP BY file, line) t JOIN (SELECT sum(weight) AS everything FROM leaf)\n"
    "LEFT JOIN string p ON p.id = t.file ORDER BY self_ns DESC, total_ns DESC;\n"
    "CREATE VIEW stack_text AS WITH RECURSIVE up(stack, at, text) AS (\n"
    "SELECT DISTINCT stack, stack, NULL FROM aggregate WHERE stack <> 0 UNION ALL\n"
    "SELECT up.stack, s.parent, coalesce(n.text, '?') || coalesce(';' || up.text, '')\n"
    "FROM up JOIN stack s ON s.id = up.at JOIN frame f ON f.id = s.frame\n"
    "JOIN function fn ON fn.id = f.function LEFT JOIN string n ON n.id = fn.name)\n"
    "SELECT stack, text FROM up WHERE at = 0;\n";
