/* See schema.h. Tables are made in this order, so that their first pages open
 * the file: of a file cut short the dictionaries' early rows are still there. */
#include "recording/schema.h"

const struct recording_table_text recording_tables[TABLE_COUNT] = {
    [TABLE_META] = {"meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID"},
    [TABLE_STRING] = {"string", "CREATE TABLE string(id INTEGER PRIMARY KEY, text TEXT NOT NULL)"},
    [TABLE_FUNCTION] = {"function",
			"CREATE TABLE function(id INTEGER PRIMARY KEY, name INTEGER NOT NULL, "
			"file INTEGER NOT NULL, first_line INTEGER NOT NULL)"},
    [TABLE_FRAME] = {"frame",
		     "CREATE TABLE frame(id INTEGER PRIMARY KEY, function INTEGER NOT NULL, "
		     "line INTEGER NOT NULL, end_line INTEGER NOT NULL, "
		     "start_column INTEGER NOT NULL, end_column INTEGER NOT NULL, "
		     "kind INTEGER NOT NULL)"},
    [TABLE_STACK] = {"stack", "CREATE TABLE stack(id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, "
			      "frame INTEGER NOT NULL)"},
    [TABLE_PROCESS] = {"process",
		       "CREATE TABLE process(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, "
		       "parent_pid INTEGER NOT NULL, command INTEGER NOT NULL, "
		       "python INTEGER NOT NULL, start_ns INTEGER NOT NULL, "
		       "end_ns INTEGER NOT NULL, cpu_ns INTEGER, peak_rss_bytes INTEGER)"},
    [TABLE_THREAD] = {"thread",
		      "CREATE TABLE thread(id INTEGER PRIMARY KEY, process INTEGER NOT NULL, "
		      "tid INTEGER NOT NULL, name INTEGER NOT NULL, is_main INTEGER NOT NULL, "
		      "start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, on_cpu_ns INTEGER, "
		      "runqueue_ns INTEGER)"},
    [TABLE_MARKER] = {"marker",
		      "CREATE TABLE marker(id INTEGER PRIMARY KEY, start_ns INTEGER NOT NULL, "
		      "end_ns INTEGER NOT NULL, thread INTEGER NOT NULL, name INTEGER NOT NULL, "
		      "data INTEGER NOT NULL)"},
    [TABLE_AGGREGATE] = {"aggregate",
			 "CREATE TABLE aggregate(thread INTEGER NOT NULL, stack INTEGER NOT NULL, "
			 "state INTEGER NOT NULL, flags INTEGER NOT NULL, count INTEGER NOT NULL, "
			 "weight_ns INTEGER NOT NULL, "
			 "PRIMARY KEY(thread, stack, state, flags)) WITHOUT ROWID"},
    [TABLE_SAMPLE_BLOCK] = {"sample_block", "CREATE TABLE sample_block(id INTEGER PRIMARY KEY, "
					    "start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, "
					    "sample_count INTEGER NOT NULL, data BLOB NOT NULL)"},
};

/* Shares are of the weight of all threads. In a total a function or line that is
 * on a stack more than once (recursion) counts once: hence the DISTINCT. */
const char recording_views[] =
    "CREATE VIEW hot_functions AS\n"
    "WITH RECURSIVE leaf(stack, weight) AS (\n"
    "  SELECT stack, sum(weight_ns) FROM aggregate GROUP BY stack),\n"
    "up(leaf, at) AS (\n"
    "  SELECT stack, stack FROM leaf WHERE stack <> 0\n"
    "  UNION ALL SELECT leaf, parent FROM up JOIN stack ON stack.id = at WHERE parent <> 0),\n"
    "seen AS (SELECT DISTINCT leaf, f.function AS function\n"
    "  FROM up JOIN stack s ON s.id = at JOIN frame f ON f.id = s.frame),\n"
    "total AS (SELECT function, sum(weight) AS weight\n"
    "  FROM seen JOIN leaf ON leaf.stack = seen.leaf GROUP BY function),\n"
    "self AS (SELECT f.function AS function, sum(weight) AS weight\n"
    "  FROM leaf JOIN stack s ON s.id = leaf.stack JOIN frame f ON f.id = s.frame\n"
    "  GROUP BY f.function),\n"
    "everything AS (SELECT sum(weight) AS weight FROM leaf)\n"
    "SELECT fn.id AS function, n.text AS name, coalesce(p.text, '') AS file, fn.first_line,\n"
    "  coalesce(self.weight, 0) AS self_ns, total.weight AS total_ns,\n"
    "  1.0 * coalesce(self.weight, 0) / everything.weight AS self,\n"
    "  1.0 * total.weight / everything.weight AS total\n"
    "FROM total CROSS JOIN everything JOIN function fn ON fn.id = total.function\n"
    "LEFT JOIN self ON self.function = total.function\n"
    "LEFT JOIN string n ON n.id = fn.name LEFT JOIN string p ON p.id = fn.file\n"
    "ORDER BY self_ns DESC, total_ns DESC, fn.id;\n"
    "CREATE VIEW hot_lines AS\n"
    "WITH RECURSIVE leaf(stack, weight) AS (\n"
    "  SELECT stack, sum(weight_ns) FROM aggregate GROUP BY stack),\n"
    "up(leaf, at) AS (\n"
    "  SELECT stack, stack FROM leaf WHERE stack <> 0\n"
    "  UNION ALL SELECT leaf, parent FROM up JOIN stack ON stack.id = at WHERE parent <> 0),\n"
    "place AS (SELECT f.id AS frame, fn.file AS file, f.line AS line\n"
    "  FROM frame f JOIN function fn ON fn.id = f.function),\n"
    "seen AS (SELECT DISTINCT leaf, file, line\n"
    "  FROM up JOIN stack s ON s.id = at JOIN place ON place.frame = s.frame),\n"
    "total AS (SELECT file, line, sum(weight) AS weight\n"
    "  FROM seen JOIN leaf ON leaf.stack = seen.leaf GROUP BY file, line),\n"
    "self AS (SELECT file, line, sum(weight) AS weight\n"
    "  FROM leaf JOIN stack s ON s.id = leaf.stack JOIN place ON place.frame = s.frame\n"
    "  GROUP BY file, line),\n"
    "everything AS (SELECT sum(weight) AS weight FROM leaf)\n"
    "SELECT coalesce(p.text, '') AS file, total.line AS line,\n"
    "  coalesce(self.weight, 0) AS self_ns, total.weight AS total_ns,\n"
    "  1.0 * coalesce(self.weight, 0) / everything.weight AS self,\n"
    "  1.0 * total.weight / everything.weight AS total\n"
    "FROM total CROSS JOIN everything\n"
    "LEFT JOIN self ON self.file = total.file AND self.line = total.line\n"
    "LEFT JOIN string p ON p.id = total.file\n"
    "ORDER BY self_ns DESC, total_ns DESC;\n"
    "CREATE VIEW stack_text AS\n"
    "WITH RECURSIVE up(stack, at, text) AS (\n"
    "  SELECT DISTINCT stack, stack, NULL FROM aggregate WHERE stack <> 0\n"
    "  UNION ALL\n"
    "  SELECT up.stack, s.parent, coalesce(n.text, '?') || coalesce(';' || up.text, '')\n"
    "  FROM up JOIN stack s ON s.id = up.at JOIN frame f ON f.id = s.frame\n"
    "  JOIN function fn ON fn.id = f.function LEFT JOIN string n ON n.id = fn.name)\n"
    "SELECT stack, text FROM up WHERE at = 0;\n";
