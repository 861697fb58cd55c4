"""A recording's samples as plain Python, by docs/recording.md's tables and nothing of Pyrometer's."""

import collections
import sqlite3

ON_CPU, RUNQUEUE, BLOCKED, GIL_WAIT, GC = 1, 2, 3, 4, 5
FLAG_TORN, FLAG_OTHER_CORE, FLAG_STOPPED, FLAG_NO_STACK = 1, 2, 4, 8
KIND_PYTHON, KIND_TORN, KIND_TRUNCATED = 1, 7, 8

Frame = collections.namedtuple("Frame", "name file first_line line kind")
Sum = collections.namedtuple("Sum", "thread stack state flags count")  # stack: Frames, root first


class Recording:
    """sums: every sample, summed; meta: how it was measured."""

    def __init__(self, path):
        base = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        self.meta = dict(base.execute("SELECT key, value FROM meta"))
        texts = dict(base.execute("SELECT id, text FROM string"))
        functions = {
            row: (texts.get(name, ""), texts.get(file, ""), first_line)
            for row, name, file, first_line in base.execute(
                "SELECT id, name, file, first_line FROM function"
            )
        }
        frames = {
            row: Frame(*functions[function], line, kind)
            for row, function, line, kind in base.execute(
                "SELECT id, function, line, kind FROM frame"
            )
        }
        self._parents = {
            row: (parent, frames[frame])
            for row, parent, frame in base.execute("SELECT id, parent, frame FROM stack")
        }
        self.sums = [
            Sum(thread, self.stack(stack), state, flags, count)
            for thread, stack, state, flags, count in base.execute(
                "SELECT thread, stack, state, flags, count FROM aggregate"
            )
        ]
        self.first_ns, self.last_ns = base.execute(
            "SELECT min(start_ns), max(end_ns) FROM sample_block"
        ).fetchone()
        base.close()

    def stack(self, row):
        """Frames, root first."""
        frames = []
        while row:
            row, frame = self._parents[row]
            frames.append(frame)
        return tuple(reversed(frames))

    @property
    def taken(self):
        return self.meta["counts.valid"] + self.meta["counts.torn"]
