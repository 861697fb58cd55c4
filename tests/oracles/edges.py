"""Judges recordings of oracle_edges.py: is every sampled stack a path that the program can take?"""

import collections
import json
import os

from recording_text import FLAG_NO_STACK, FLAG_OTHER_CORE, KIND_TORN

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(os.path.dirname(HERE), "targets", "oracle_edges.py")


class LegalEdges:
    """What the program can do, by its own bytecode on this interpreter."""

    def __init__(self, interpreter):
        script = interpreter.place(os.path.join(HERE, "legal_edges.py"))
        answer = interpreter.run(script, interpreter.place(TARGET))
        assert answer.returncode == 0, answer.stderr
        told = json.loads(answer.stdout)
        self.lines = {int(key): set(row["lines"]) for key, row in told["functions"].items()}
        self.names = {int(key): row["name"] for key, row in told["functions"].items()}
        self.edges = {(caller, line, callee) for caller, line, callee in told["edges"]}
        self.pairs = {(caller, callee) for caller, _, callee in self.edges}
        self.calls = {(caller, line) for caller, line, _ in self.edges}

    def key(self, frame):
        return 0 if frame.name == "<module>" else frame.first_line

    def fault(self, stack, other_core=False):
        """Why these frames (root first) cannot be a stack of the program; None where they can.

        What a sample itself says to be unknown is not a fault: a torn frame (its neighbours are
        judged by themselves) and, read from another core, a line 0."""
        if not stack:
            return "no frame"
        if stack[0].name != "<module>" and stack[0].kind != KIND_TORN:
            return "does not begin at the module: %s" % (stack[0],)
        for caller, frame in zip((None,) + stack, stack):
            why = self._fault_of_frame(frame, other_core) or self._fault_of_call(caller, frame)
            if why:
                return why
        return None

    def _fault_of_frame(self, frame, other_core):
        if frame.kind == KIND_TORN:
            return None
        if os.path.basename(frame.file) != os.path.basename(TARGET):
            return "a file that is not the program's: %s" % (frame,)
        key = self.key(frame)
        if key not in self.names:
            return "no function begins at %s" % (frame,)
        if frame.name.split(".")[-1] != self.names[key]:
            return "named %s, not %s" % (frame.name, self.names[key])
        if frame.line not in self.lines[key] and not (other_core and frame.line == 0):
            return "line %d is not in %s" % (frame.line, frame.name)
        return None

    def _fault_of_call(self, caller, frame):
        if caller is None or caller.kind == KIND_TORN:
            return None
        key = self.key(caller)
        line_known = caller.line != 0
        if frame.kind == KIND_TORN:
            if line_known and (key, caller.line) not in self.calls:
                return "torn above %s:%d, which calls nothing" % (caller.name, caller.line)
            return None
        callee = self.key(frame)
        if line_known:
            legal = (key, caller.line, callee) in self.edges
        else:
            legal = (key, callee) in self.pairs
        return None if legal else "%s:%d cannot call %s" % (caller.name, caller.line, frame.name)

    def edges_in(self, stack):
        for caller, frame in zip(stack, stack[1:]):
            if KIND_TORN not in (caller.kind, frame.kind):
                yield self.key(caller), caller.line, self.key(frame)


class Judgement:
    """Counts over one or more recordings."""

    def __init__(self, legal):
        self.legal = legal
        self.samples = self.torn = self.rootless = self.other_core = self.no_stack = self.impossible = 0
        self.impossible_same_core = self.torn_same_core = 0
        self.seen = set()
        self.faults = collections.Counter()

    def add(self, recording):
        for row in recording.sums:
            if row.flags & FLAG_NO_STACK:
                self.no_stack += row.count
                continue
            self.samples += row.count
            if row.flags & FLAG_OTHER_CORE:
                self.other_core += row.count
            elif row.stack and KIND_TORN in (row.stack[0].kind, row.stack[-1].kind):
                self.torn_same_core += row.count
            if row.stack and row.stack[0].kind == KIND_TORN:
                self.rootless += row.count
            elif row.stack and row.stack[-1].kind == KIND_TORN:
                self.torn += row.count
            fault = self.legal.fault(row.stack, bool(row.flags & FLAG_OTHER_CORE))
            if fault:
                self.impossible += row.count
                if not row.flags & FLAG_OTHER_CORE:
                    self.impossible_same_core += row.count
                self.faults[fault] += row.count
            else:
                self.seen.update(self.legal.edges_in(row.stack))

    @property
    def coverage(self):
        """The part of the legal edges that was seen at all."""
        return len(self.seen & self.legal.edges) / len(self.legal.edges)

    def __str__(self):
        text = "%d samples, %d impossible, %d with a torn leaf, %d with a torn root, %d other core, %d without a stack, %d/%d edges" % (
            self.samples,
            self.impossible,
            self.torn,
            self.rootless,
            self.other_core,
            self.no_stack,
            len(self.seen & self.legal.edges),
            len(self.legal.edges),
        )
        return text + "".join("\n    %6d  %s" % (n, why) for why, n in self.faults.most_common(8))
