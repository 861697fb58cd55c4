"""A recording's stacks by plain SQL, as docs/recording.md says: no code of ours reads it here."""

import collections
import sqlite3

PYTHON, BUILTIN, NATIVE, WAITING, GC, TASK, TORN, TRUNCATED = range(1, 9)
FLAG_TORN, FLAG_OTHER_CORE, FLAG_STOPPED, FLAG_NO_STACK = 1, 2, 4, 8

Frame = collections.namedtuple(
    "Frame", "name file line first_line column end_line end_column kind"
)
Sample = collections.namedtuple(
    "Sample", "pid python tid thread frames state flags count weight_ns"
)


class Recording:
    """samples: one Sample for each different (thread, stack, state, flags), its frames leaf first,
    with `count`; counts: the fate of every scheduled sample; processes: rows as dicts."""

    def __init__(self, path):
        database = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        database.row_factory = sqlite3.Row
        self.text = dict(database.execute("SELECT id, text FROM string").fetchall())
        self.text[0] = None
        self.meta = dict(database.execute("SELECT key, value FROM meta").fetchall())
        self.frames = self._frames(database)
        self.stacks = {
            row["id"]: (row["parent"], row["frame"])
            for row in database.execute("SELECT * FROM stack")
        }
        self.processes = [
            dict(row, command=self.text[row["command"]], python=self.text[row["python"]])
            for row in database.execute("SELECT * FROM process")
        ]
        self.samples = self._samples(database)
        database.close()

    def _frames(self, database):
        functions = {
            row["id"]: (self.text[row["name"]], self.text[row["file"]], row["first_line"])
            for row in database.execute("SELECT * FROM function")
        }
        frames = {}
        for row in database.execute("SELECT * FROM frame"):
            name, file, first_line = functions[row["function"]]
            frames[row["id"]] = Frame(
                name,
                file,
                row["line"],
                first_line,
                row["start_column"] or None,
                row["end_line"] or None,
                row["end_column"] or None,
                row["kind"],
            )
        return frames

    def stack(self, stack):
        frames = []
        while stack:
            stack, frame = self.stacks[stack]
            frames.append(self.frames[frame])
        return frames

    def _samples(self, database):
        processes = {row["id"]: row for row in self.processes}
        threads = {row["id"]: row for row in database.execute("SELECT * FROM thread")}
        samples = []
        for row in database.execute("SELECT * FROM aggregate"):
            thread = threads[row["thread"]]
            process = processes[thread["process"]]
            samples.append(
                Sample(
                    process["pid"],
                    process["python"],
                    thread["tid"],
                    self.text[thread["name"]],
                    self.stack(row["stack"]),
                    row["state"],
                    row["flags"],
                    row["count"],
                    row["weight_ns"],
                )
            )
        return samples

    @property
    def counts(self):
        return {
            key[len("counts.") :]: value
            for key, value in self.meta.items()
            if key.startswith("counts.")
        }

    def total(self, wanted):
        """How many samples there are for which wanted(sample)."""
        return sum(sample.count for sample in self.samples if wanted(sample))
