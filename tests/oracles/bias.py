"""One process, recorded by turns with each reader; its shares against stopped sampling and against
the process's own clocks. Used by test_bias.py (short) and benchmarks/accuracy/bias.py (whole)."""

import collections
import json
import os

import support
from recording_text import GC, ON_CPU, RUNQUEUE, Recording
from shares import Comparison, on_cpu, self_counts

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(os.path.dirname(HERE), "targets", "oracle_bias.py")
PROGRAMS = ["add0", "add1", "add4", "add16", "add64", "loops", "generators", "calls", "phases"]
READERS = {"stop": ["--stop", "-r", "2000"], "same": ["-r", "5000"], "other": ["-r", "max"]}

# f timed alone and f between calls of g differ by some ns (branch prediction, overlap): up to 3
# points where a turn takes 0.1 to 0.5 us, and stopped sampling strays from the clock by as much.
# There stopped sampling is the truth; the clock's figures are printed beside it and not judged.
NOT_ADDITIVE = ("add0", "add1", "add4", "add16")

Row = collections.namedtuple("Row", "reader truth comparison torn judged")


class Trial:
    def __init__(
        self, interpreter, program, folder, readers=("stop", "same", "other"), keep_core=False
    ):
        self.keep_core = keep_core  # see undisturbed(); needs root, disturbs others
        self.interpreter, self.program, self.folder = interpreter, program, folder
        self.recordings = {reader: [] for reader in readers}
        self.calibration = self.stamps = None
        self.counts = collections.Counter()

    def run(self, samples, seconds, rounds_max=60):
        target = support.Target(
            self.interpreter.argv("-u", self.interpreter.place(TARGET), self.program)
        )
        try:
            self._ready(target)
            for _ in range(rounds_max):
                lacking = [reader for reader in self.recordings if self.size(reader) < samples]
                if not lacking:
                    break
                for reader in lacking:
                    self._record(target, reader, seconds)
            if self.program == "phases":
                target.write_line()
                self.stamps = json.loads(target.wait_for("STAMPS", 60).split(" ", 1)[1])
        finally:
            target.end()

    def _ready(self, target):
        while True:
            word, _, rest = target.read_line(120).partition(" ")
            if word == "CALIBRATION":
                self.calibration = json.loads(rest)
            elif word == "READY":
                return

    def _record(self, target, reader, seconds):
        path = os.path.join(self.folder, "bias.pyro")
        if self.keep_core:
            undisturbed(target.pid, reader == "other")
        done = support.run_pyrometer(
            "record", *READERS[reader], "-d", str(seconds), "-o", path, "-p", target.pid,
            timeout=seconds + 60)
        if done.rc != 0:
            raise AssertionError("record ended with %d:\n%s" % (done.rc, done.stderr))
        self.recordings[reader].append(Recording(path))
        os.unlink(path)

    def size(self, reader):
        return sum(row.count for r in self.recordings[reader] for row in r.sums if on_cpu(row))

    def waited(self, reader):
        """The part of its runnable time in which the program waited for a CPU."""
        states = collections.Counter()
        for recording in self.recordings[reader]:
            for row in recording.sums:
                states[row.state] += row.count
        runnable = states[ON_CPU] + states[RUNQUEUE] + states[GC]
        return states[RUNQUEUE] / max(1, runnable)

    # --- what the recordings say ------------------------------------------------

    def by_category(self, reader, category):
        counts = collections.Counter()
        for recording in self.recordings[reader]:
            for row in filter(on_cpu, recording.sums):
                counts[category(row.stack)] += row.count
        return counts

    def rows(self):
        """Comparisons with every truth that this program has."""
        for reader in self.recordings:
            if reader != "stop" and "stop" in self.recordings:
                for row in self._against_stopped(reader):
                    yield row
            truth = self.clock_truth(reader)
            if truth:
                comparison = Comparison(self.by_category(reader, self.category), truth)
                judged = self._judged(reader) and self.program not in NOT_ADDITIVE
                yield Row(reader, "clock", comparison, 0.0, judged)

    def _judged(self, reader):
        return reader == "same" or self.program != "add0"

    def _against_stopped(self, reader):
        truth, _ = self_counts(self.recordings["stop"])
        for label, share_torn in (("stop", True), ("stop, torn apart", False)):
            counts, torn = self_counts(self.recordings[reader], share_torn)
            comparison = Comparison(counts, truth, sum(truth.values()))
            if share_torn or torn:
                yield Row(reader, label, comparison, torn, share_torn and self._judged(reader))

    def category(self, stack):
        """The line of the turns' loop (add*), or the phase (phases)."""
        for frame in reversed(stack):
            if self.program == "phases":
                if frame.name.startswith("phase_"):
                    return frame.name
            elif os.path.basename(frame.file) == "alternate.py" and frame.name == "<module>":
                return LINES.get(frame.line - self._loop_line(), "elsewhere")
        return "elsewhere"

    def _loop_line(self):
        return 2 * max(1, int(self.program[3:])) + 6

    # --- what the process says --------------------------------------------------

    def clock_truth(self, reader):
        if self.calibration:
            return self.calibration
        return self._realised(reader) if self.stamps else None

    def _realised(self, reader):
        """CPU time by phase while this reader's recordings were on, by the program's stamps."""
        spans = [span(recording) for recording in self.recordings[reader]]
        offset = self.stamps["realtime_minus_monotonic"]
        cpu = collections.Counter()
        stamps = self.stamps["stamps"]
        for (phase, start, cpu_start), (_, end, cpu_end) in zip(stamps, stamps[1:]):
            for low, high in spans:
                part = min(end + offset, high) - max(start + offset, low)
                if part > 0:
                    cpu[NAMES[phase]] += (cpu_end - cpu_start) * part / (end - start)
        return cpu


def undisturbed(pid, wanted):
    """Lets the program keep its core on a shared machine while it is read from another core: while
    it waits for a CPU its stack stands still, and 100,000 equal samples a second of one stack are
    one sample. Needs root; else the machine must be quiet."""
    try:
        policy = os.SCHED_FIFO if wanted else os.SCHED_OTHER
        os.sched_setscheduler(pid, policy, os.sched_param(1 if wanted else 0))
    except OSError:
        pass


LINES = {0: "loop", 1: "f", 2: "g"}
NAMES = ["phase_loop", "phase_calls", "phase_generator", "phase_builtins"]


def span(recording):
    """From the first sample to the last, by the machine's clock."""
    started = recording.meta["started_unix_ns"]
    return started + recording.first_ns, started + recording.last_ns
