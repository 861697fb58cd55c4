"""Do 95 % intervals for this run's share cover this run's share?

One run of oracle_bias.py's phases, which stamps the monotonic clock and its CPU time at each change
of phase, is recorded and cut into windows. In each window the samples of the time line give a Wilson
interval for each phase's share of the wall time (or, of those on the CPU, of the CPU time), and the
stamps give the share that really was. Windows
where a phase hardly occurred, or nothing else did, are left out by the truth alone (no interval
says anything there), which does not touch the coverage of the others."""

import bisect
import json
import math
import os

Z = 1.959963984540054
SHARE_MIN = 0.05
CPU_CATEGORIES = ("On CPU", "Garbage collection")


def wilson(k, n):
    """Wilson (1927), 95 %."""
    p, z2 = k / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return middle - half, middle + half


class Timeline:
    """(time in ns since the recording began, functions on the stack) of the main thread's samples,
    from the export for the Firefox profiler. cpu: only those on the CPU."""

    def __init__(self, path, cpu):
        with open(path) as source:
            told = json.load(source)
        thread = [t for t in told["threads"] if t["isMainThread"]][0]
        names = thread["stringArray"]
        functions = [names[row] for row in thread["funcTable"]["name"]]
        frames = [functions[row] for row in thread["frameTable"]["func"]]
        table = thread["stackTable"]
        categories = [category["name"] for category in told["meta"]["categories"]]
        kept = [not cpu or categories[row] in CPU_CATEGORIES for row in table["category"]]
        stacks = []
        for prefix, frame in zip(table["prefix"], table["frame"]):
            stacks.append((stacks[prefix] if prefix is not None else frozenset()) | {frames[frame]})
        self.samples = [
            (round(time * 1e6), stacks[stack] if stack is not None else frozenset())
            for time, stack in zip(thread["samples"]["time"], thread["samples"]["stack"])
            if stack is None and not cpu or stack is not None and kept[stack]
        ]


class Stamps:
    """What the program says: share of each phase between two instants of the machine's clock, of the
    wall time or of the program's CPU time."""

    def __init__(self, told, names, cpu):
        self.offset = told["realtime_minus_monotonic"]
        self.starts = [start + self.offset for _, start, _ in told["stamps"]]
        self.phases = [phase for phase, _, _ in told["stamps"]]
        self.names = names
        clock = [row[2] if cpu else row[1] for row in told["stamps"]]
        # Sums up to each start, so that a window costs two look-ups.
        self.lengths = [end - start for start, end in zip(clock, clock[1:])] + [0]
        self.sums = {phase: [0] for phase in range(len(names))}
        for phase, length in zip(self.phases, self.lengths):
            for other, sums in self.sums.items():
                sums.append(sums[-1] + (length if other == phase else 0))

    def until(self, phase, instant):
        i = bisect.bisect_right(self.starts, instant) - 1
        if i < 0 or i + 1 >= len(self.starts) or self.phases[i] != phase:
            return self.sums[phase][max(0, i)]
        part = (instant - self.starts[i]) / (self.starts[i + 1] - self.starts[i])
        return self.sums[phase][i] + part * self.lengths[i]

    def share(self, phase, low, high):
        passed = {p: self.until(p, high) - self.until(p, low) for p in self.sums}
        return passed[phase] / max(1, sum(passed.values()))


class Coverage:
    """Intervals that cover, of all that were judged."""

    def __init__(self):
        self.covered = self.judged = self.samples = self.below = self.above = 0

    def add(self, timeline, started_ns, stamps, window_ns):
        times = [time for time, _ in timeline.samples]
        low = max(times[0], stamps.starts[0] - started_ns)
        last = min(times[-1], stamps.starts[-1] - started_ns)
        while low + window_ns <= last:
            first = bisect.bisect_left(times, low)
            end = bisect.bisect_left(times, low + window_ns)
            self._window(timeline.samples[first:end], started_ns + low, window_ns, stamps)
            low += window_ns

    def _window(self, samples, begin, window_ns, stamps):
        if len(samples) < 20:
            return
        self.samples += len(samples)
        for phase, name in enumerate(stamps.names):
            truth = stamps.share(phase, begin, begin + window_ns)
            if not SHARE_MIN <= truth <= 1 - SHARE_MIN:
                continue
            k = sum(name in functions for _, functions in samples)
            low, high = wilson(k, len(samples))
            self.judged += 1
            self.covered += low <= truth <= high
            self.below += truth > high
            self.above += truth < low

    @property
    def share(self):
        return self.covered / self.judged

    def __str__(self):
        return "%d of %d intervals cover: %.1f %% (%d too low, %d too high; %d samples)" % (
            self.covered, self.judged, 100 * self.share, self.below, self.above, self.samples)


def record_phases(target, pyrometer, folder, rate, seconds, cpu=False):
    """One recording of a phases target: (path of the recording, its time line)."""
    path = os.path.join(str(folder), "phases.pyro")
    exported = os.path.join(str(folder), "phases.json")
    result = pyrometer("record", "-r", rate, "-d", seconds, "-o", path, "-p", target.pid,
                       timeout=seconds + 60)
    assert result.rc == 0, result.stderr
    result = pyrometer("export", "--format", "firefox", "-o", exported, path)
    assert result.rc == 0, result.stderr
    return path, Timeline(exported, cpu)


def ask_stamps(target):
    """Ends the program; what it says of its phases."""
    target.write_line()
    return json.loads(target.wait_for("STAMPS", 60).split(" ", 1)[1])


def stamps_of(target, names, cpu=False):
    return Stamps(ask_stamps(target), names, cpu)
