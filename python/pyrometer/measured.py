"""What `pyrometer.bench` gives: values of one function, taken in this process."""

import json
import math
import sys
import time

from pyrometer import _worker

VALUE_S = 0.05
CALIBRATE_PARTS = 5
GROWTH_MAX = 10
SCHEMA_VERSION = 1
CAUSES = ((_worker.SWITCHED, "context switch"), (_worker.COLLECTED, "garbage collection"),
          (_worker.FAULTED, "page faults"))


def measure(function, n, warmup, args):
    if not callable(function):
        raise TypeError("bench needs a function, not a %s" % type(function).__name__)
    if n < 1 or warmup < 0:
        raise ValueError("bench needs at least one value: n=%r, warmup=%r" % (n, warmup))
    started = time.time()
    began_cpu = time.process_time()
    with _worker.opened(function, tuple(args)) as target:
        loops = calibrate(target)
        warmups = [target.run(loops)[0] / loops / 1e9 for _ in range(warmup)]
        blocks = [target.run(loops) for _ in range(n)]
        overhead_s = target.overhead_ns / 1e9
    return Measured(
        name=name_of(function), values=[wall / loops / 1e9 for wall, _, _ in blocks],
        warmups=warmups, causes=[causes for _, _, causes in blocks], loops=loops,
        cpu_s=time.process_time() - began_cpu, overhead_s=overhead_s, started=started,
    )


def name_of(function):
    function = getattr(function, "func", function)
    name = getattr(function, "__qualname__", type(function).__name__)
    return "%s:%s" % (getattr(function, "__module__", None) or "?", name)


def calibrate(target):
    """How often in 50 ms, from what fits in a fifth of it."""
    wanted_ns = VALUE_S * 1e9 / CALIBRATE_PARTS
    loops = 1
    while True:
        wall = target.run(loops)[0]
        growth = wanted_ns / wall
        if growth < 1.5:
            break
        loops = math.ceil(loops * min(max(growth, 2), GROWTH_MAX))
    loops = max(1, int(loops * min(growth, 1)))
    return loops * CALIBRATE_PARTS if loops > 1 else 1


def quantile(ordered, p):
    """Between order statistics (Hyndman and Fan 1996, type 7), as the program has it."""
    at = (len(ordered) - 1) * p
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def peak_rss_bytes():
    """Of this process so far; None where the system doesn't tell."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def seconds(value):
    for unit, factor in (("s", 1), ("ms", 1e3), ("\u00b5s", 1e6)):
        if value * factor >= 1:
            return "%.4g %s" % (value * factor, unit)
    return "%.4g ns" % (value * 1e9)


class Measured:
    """Seconds. `values` are those behind the warm-up, in order; `causes` says of each what
    disturbed it, in words."""

    unit = "s"

    def __init__(self, name, values, warmups, causes, loops, cpu_s, overhead_s, started):
        ordered = sorted(values)
        self.name, self.n = name, len(values)
        self.values, self.warmups, self.loops = values, warmups, loops
        self._causes, self._started = causes, started
        self.causes = [[word for bit, word in CAUSES if cause & bit] for cause in causes]
        self.min, self.max = ordered[0], ordered[-1]
        self.q1, self.median, self.q3 = (quantile(ordered, p) for p in (0.25, 0.5, 0.75))
        self.p95, self.p99 = quantile(ordered, 0.95), quantile(ordered, 0.99)
        self.mean = math.fsum(values) / self.n
        self.sd = None
        if self.n > 1:
            self.sd = math.sqrt(math.fsum((v - self.mean) ** 2 for v in values) / (self.n - 1))
        self.throughput = 1 / self.mean if self.mean > 0 else None
        self.cpu_s, self.overhead_s = cpu_s, overhead_s
        self.core_hours = cpu_s / 3600
        self.peak_rss_bytes = peak_rss_bytes()

    def __repr__(self):
        return "<Measured %s: n %d, median %s>" % (self.name, self.n, seconds(self.median))

    def __str__(self):
        disturbed = sum(map(bool, self.causes))
        lines = ["%s  n %d in this process" % (self.name, self.n)]
        numbers = ["%s %s" % (word, seconds(getattr(self, word)))
                   for word in ("median", "min", "mean", "p95", "p99", "max")]
        lines.append("  " + "   ".join(numbers[:4]))
        lines.append("  " + "   ".join(numbers[4:] + ["throughput %.6g /s" % self.throughput]))
        last = ["CPU " + seconds(self.cpu_s), "%.3g core-hours" % self.core_hours]
        if self.peak_rss_bytes is not None:
            last.append("peak memory %.1f MiB (the process)" % (self.peak_rss_bytes / 2**20))
        lines.append("  " + "   ".join(last))
        if disturbed:
            lines.append("  %d of %d values were disturbed; .causes says by what"
                         % (disturbed, self.n))
        return "\n".join(lines)

    def document(self):
        """What `pyrometer bench --json` writes."""
        names = ("min", "q1", "median", "q3", "mean", "p95", "p99", "max", "sd", "throughput")
        benchmark = {
            "name": self.name, "unit": self.unit, "kind": "time", "params": [], "n": self.n,
            "values": self.values, "overhead_s": self.overhead_s, "failure": None,
            "runs": [{
                "seed": None, "loops": self.loops, "start_s": self._started,
                "warmups": self.warmups, "values": self.values, "causes": self._causes,
                "counters": {"cpu_s": self.cpu_s, "peak_rss_bytes": self.peak_rss_bytes},
            }],
        }
        benchmark.update((name, getattr(self, name)) for name in names)
        version, implementation = _worker.interpreter()
        return {
            "schema_version": SCHEMA_VERSION, "tool": "pyrometer", "tool_version": None,
            "created_s": self._started,
            "environment": {"python": version, "implementation": implementation,
                            "python_path": sys.executable},
            "benchmarks": [benchmark],
        }

    def save(self, path):
        """A file that `pyrometer bench` shows and `pyrometer compare` compares."""
        with open(path, "w") as file:
            json.dump(self.document(), file, indent=1)
