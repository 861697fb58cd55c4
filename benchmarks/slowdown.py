"""What the default settings take from the target, sampler on and off within one process

A target repeats one unit of work and notes when each ended. A profiler attaches with its default
settings; when it has settled, it is let run (SIGCONT) and held (SIGSTOP, whole process) for blocks of
0.2 s, in pairs of random order. Of each pair: the logarithm of the ratio of the mean times of a unit.
Reported: the mean of these after leaving out a tenth at each end (a burst of noise hits either kind
of block alike), with a bootstrap 95 % interval over the pairs. The bar is on its upper end. Beside
it what Pyrometer itself says that it took (stolen_ns over the time that it was not held), and a
control: the same with a process that does nothing.
"""

import math
import os
import random
import signal
import sqlite3
import statistics
import time

import support
from support import Austin, Pyrometer, PySpy, Tool

BAR = 0.015
STAMPS = 1 << 20
SETTLE_S = 1.0
GUARD_S = 0.01  # between the signal and the block


class Starved(Exception):
    """The target had next to no processor: a block without figures."""


class Nothing(Tool):
    """The control: a process that sleeps. What this row shows is the error of the method."""

    def version(self):
        return "-"

    def command(self, place, target, seconds, out):
        return ["sleep", str(seconds)]


class Units:
    """The times at which the target's units ended."""

    def __init__(self, numbers):
        self.values = numbers.values

    def mean_ns(self, start_ns, end_ns):
        """Mean time of the units that lie whole in the interval."""
        count = self.values[0]
        first = self._search(start_ns, count)
        last = self._search(end_ns, count) - 1
        if last - first < 10:
            raise Starved("only %d units in a block" % (last - first))
        return (self.values[last] - self.values[first]) / (last - first)

    def _search(self, time_ns, count):
        """The first stamp at or after the time."""
        low, high = 1, count + 1
        while low < high:
            middle = (low + high) // 2
            if self.values[middle] < time_ns:
                low = middle + 1
            else:
                high = middle
        return low


def has_samples(path):
    try:
        with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as base:
            return base.execute("SELECT count(*) FROM aggregate").fetchone()[0] > 0
    except sqlite3.Error:
        return False


class Attached:
    """A profiler that is attached, and can be held (SIGSTOP) and let go (SIGCONT)."""

    def __init__(self, place, tool, target):
        self.tool, self.target = tool, target
        host, inside = place.within(tool.where(target))
        name = "%d%s" % (random.getrandbits(48), tool.output_suffix)
        self.path = os.path.join(host, name)
        argv = tool.command(place, target, 100000, os.path.join(inside, name))
        self.running = support.Running(argv)
        self.on_s = 0.0

    def wait_until_begun(self):
        deadline = time.monotonic() + 10
        while isinstance(self.tool, Pyrometer) and not has_samples(self.path):
            if time.monotonic() > deadline:
                raise RuntimeError("no samples: " + self.running.output()[-300:])
            time.sleep(0.02)
        time.sleep(SETTLE_S)
        if self.running.ended():
            raise RuntimeError("it ended: " + self.running.output()[-300:])
        self.on_s = time.monotonic() - self.running.started

    def hold(self):
        """Stops the profiler, not while it has the target stopped."""
        pid = self.running.process.pid
        for _ in range(200):
            self.running.process.send_signal(signal.SIGSTOP)
            if os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT) is None:
                continue
            with open("/proc/%d/stat" % self.target.pid) as file:
                if file.read().rpartition(") ")[2][0] not in "tT":
                    return
            self.let_go()
            time.sleep(0.001)
        raise RuntimeError("it always has the target stopped")

    def let_go(self):
        self.running.process.send_signal(signal.SIGCONT)

    def end(self):
        self.let_go()
        if not self.running.ended():
            self.running.process.send_signal(signal.SIGINT)
        measured = self.running.wait(limit_s=20)
        if not isinstance(self.tool, Pyrometer) or not os.path.exists(self.path):
            return {"cpu": measured.cpu_s / self.on_s}
        meta = support.recording_meta(self.path)
        return {
            "cpu": measured.cpu_s / self.on_s,
            "own_figure": int(meta["stolen_ns"]) / 1e9 / self.on_s,
            "rate_hz": float(meta["rate_hz"]),
            "same_core": int(meta["counts.same_core"]) / max(1, int(meta["counts.valid"])),
        }


def block_of(seconds):
    time.sleep(GUARD_S)
    start = time.monotonic_ns()
    time.sleep(seconds)
    return start, time.monotonic_ns()


def pair(attached, units, seconds, draw):
    """The logarithm of (a unit's mean time with the profiler / without), of two neighbours."""
    blocks = {}
    for on in (True, False) if draw.random() < 0.5 else (False, True):
        if on:
            attached.let_go()
        else:
            attached.hold()
        blocks[on] = block_of(seconds)
    attached.on_s += seconds + GUARD_S
    return math.log(units.mean_ns(*blocks[True]) / units.mean_ns(*blocks[False]))


def measure(place, quick):
    python = support.interpreter("3.14")
    seconds = 0.2
    # A round is one attachment; the tools take turns. (tool, rounds, pairs in a round)
    plan = [(Pyrometer("pyrometer (default)"), 1 if quick else 5, 8 if quick else 60),
            (Nothing("nothing (control)"), 1 if quick else 2, 8 if quick else 30),
            (PySpy("py-spy 100 Hz (default)"), 1, 4 if quick else 20),
            (Austin("Austin 100 us (default)"), 1, 4 if quick else 20)]  # fmt: skip
    numbers = support.Numbers(place, python.root, STAMPS)
    units = Units(numbers)
    found = {tool: ([], []) for tool, _, _ in plan}
    order = [(tool, pairs) for tool, rounds, pairs in plan for _ in range(rounds)]
    draw = random.Random()
    draw.shuffle(order)
    with support.Target(place, python, "units.py", numbers.path) as target:
        time.sleep(1)
        for i, (tool, pairs) in enumerate(order):
            support.progress("round %d of %d: %s" % (i + 1, len(order), tool.label))
            try:
                one_round(place, tool, target, units, seconds, pairs, draw, found[tool])
            except (support.Missing, RuntimeError, OSError) as failure:
                print("  round lost: %s: %s" % (tool.label, failure))
    support.progress("")
    return report(found, python)


def one_round(place, tool, target, units, seconds, pairs, draw, found):
    ratios, own = found
    attached = Attached(place, tool, target)
    try:
        attached.wait_until_begun()
        for _ in range(pairs):
            try:
                ratios.append(pair(attached, units, seconds, draw))
            except Starved as reason:
                print("  pair lost: %s: %s" % (tool.label, reason))
    finally:
        own.append(attached.end())


def said_of(said, key, shape, factor):
    return shape % (factor * said[key]) if key in said else "-"


def report(found, python):
    rows, results, bars = [], [], []
    found = {tool: pairs for tool, pairs in found.items() if len(pairs[0]) > 1}
    centres = {tool: support.trimmed_mean(ratios) for tool, (ratios, _) in found.items()}
    peers = [tool for tool in found if not isinstance(tool, (Pyrometer, Nothing))]
    least = min((centres[tool] for tool in peers), default=None)
    for tool, (ratios, own) in found.items():
        low, high = support.bootstrap(ratios, support.trimmed_mean)
        centre, low, high = (math.expm1(value) for value in (centres[tool], low, high))
        said = {key: statistics.median(o[key] for o in own) for key in own[0]}
        row = {
            "tool": tool.label, "version": tool.version(), "interpreter": python.version,
            "pairs": len(ratios), "slowdown": centre, "low": low, "high": high,
            "median": math.expm1(statistics.median(ratios)),
            "ratio": centre / math.expm1(least) if least and least > 0 else None,
            "profiler": said, "log_ratios": ratios,
        }  # fmt: skip
        results.append(row)
        rows.append((
            row["tool"], row["version"], row["interpreter"], row["pairs"],
            "%.2f" % (100 * centre), "%.2f to %.2f" % (100 * low, 100 * high),
            "%.2f" % (100 * row["median"]), "?" if row["ratio"] is None else "%.2f" % row["ratio"],
            "%.1f" % (100 * said["cpu"]), said_of(said, "own_figure", "%.2f", 100),
            said_of(said, "rate_hz", "%.0f", 1), said_of(said, "same_core", "%.1f", 100)))  # fmt: skip
    support.table(
        ("tool", "version", "interpreter", "pairs", "slowdown %", "95 % interval", "median %",
         "x least peer", "profiler CPU %", "own figure %", "Hz", "same core %"), rows)  # fmt: skip
    judge(results, bars)
    return {"rows": results, "bars": bars}


def judge(results, bars):
    """Met, missed; not judged where it isn't met and the control can't resolve the bar either."""
    control = next((row for row in results if row["tool"].startswith("nothing")), None)
    for row in results:
        if not row["tool"].startswith("pyrometer"):
            continue
        text = "slowdown at the default settings: upper end %.2f %% (bar 1.5 %%)" % (100 * row["high"])
        met = row["high"] <= BAR
        if not met and row["low"] <= BAR and control and max(control["high"], -control["low"]) > BAR:
            met = None
            text += "; doing nothing gave %.1f to %.1f: too noisy" % (
                100 * control["low"], 100 * control["high"])  # fmt: skip
        bars.append({"text": text, "met": met})
