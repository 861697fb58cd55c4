"""Valid samples a second and CPU per valid sample, everyone at its highest rate

The recursive program at depths 10, 100 and 500, on a processor of its own; the profilers have the
others. A tool's valid samples are those that it calls so (Pyrometer: counts.valid of the recording,
neither torn nor failed), less those whose stack this program can never have ("impossible"; not
checked for Austin, whose output is converted by a slow program). CPU: of the profiler with all its
threads and children, start and end included, by wait4.
"""

import statistics

import support
from support import Austin, Pyrometer, PySpy, Tachyon

GROUPS = (
    ("3.13", (PySpy("py-spy --nonblocking", "--nonblocking", "-r", "100000"),
              PySpy("py-spy", "-r", "10000"))),
    ("3.14", (Austin("Austin -i 1us", "-i", "1us"),)),
    ("3.15", (Tachyon("profiling.sampling", "-r", "1000khz"),
              Tachyon("profiling.sampling --blocking", "-r", "1000khz", "--blocking"))),
)  # fmt: skip
DEPTHS = (10, 100, 500)
AWAKE = 0.8  # below, another program had the processor, and nothing is judged
LEAVES = ("first_sum", "second_sum")


def possible(stack, depth):
    """Whether this program can ever have this stack (function names, root first; what stands
    above <module> are a tool's own rows, what stands at the end may be a builtin)."""
    ours = [name for name in stack if name in ("main", "descend", *LEAVES)]
    if not ours:
        return True
    levels = ours.count("descend")
    full = ["main"] + ["descend"] * levels
    if ours == full:
        return levels <= depth + 1
    return levels == depth + 1 and ours[:-1] == full and ours[-1] in LEAVES


def one_run(place, tool, python, depth, seconds):
    target_cpus, tool_cpus = support.processors()
    with support.Target(place, python, "recursion.py", depth, cpus=target_cpus) as target:
        cpu, began = target.cpu_s(), support.time.monotonic()
        measured = tool.run(place, target, seconds, tool_cpus)
        awake = (target.cpu_s() - cpu) / (support.time.monotonic() - began)
    count = tool.count(measured)
    impossible = None
    if not isinstance(tool, Austin):
        impossible = sum(n for stack, n in tool.stacks() if not possible(stack, depth))
        count.valid = max(0, count.valid - impossible)
    return {
        "valid_per_s": count.valid / (count.seconds or seconds),
        "cpu_us": measured.cpu_s / max(1, count.valid) * 1e6,
        "failed": count.failed / max(1, count.failed + count.valid),
        "impossible": impossible,
        "target_awake": awake,
    }


def measure(place, quick):
    seconds, repetitions = (1, 1) if quick else (2, 3)
    rows, results, bars = [], [], []
    for minor, peers in GROUPS:
        try:
            python = support.interpreter(minor)
        except support.Missing as missing:
            print("  not run: %s" % missing)
            bars.append({"text": "raw speed on %s: %s" % (minor, missing), "met": None})
            continue
        for depth in (10,) if quick else DEPTHS:
            runs = repeat(place, python, depth, peers, seconds, repetitions)
            compare(runs, python, depth, rows, results, bars)
    support.table(
        ("tool", "version", "interpreter", "depth", "valid/s", "(lowest-highest)", "x best peer",
         "CPU us", "of best peer", "lost %", "impossible", "target awake %"), rows)  # fmt: skip
    return {"rows": results, "bars": bars}


def repeat(place, python, depth, peers, seconds, repetitions):
    """{tool: [one_run…]}, interleaved: every repetition has each tool once."""
    pyrometer = Pyrometer("pyrometer --rate max", "--rate", "max")
    pyrometer.states = "0, 1, 2, 3, 4, 5"
    tools = (pyrometer, *peers)
    runs = {tool: [] for tool in tools}
    for i in range(repetitions):
        for tool in tools if i % 2 == 0 else tools[::-1]:
            support.progress("%s on %s, depth %d" % (tool.label, python.version, depth))
            try:
                runs[tool].append(one_run(place, tool, python, depth, seconds))
            except (support.Missing, RuntimeError, OSError) as failure:
                print("  not run: %s: %s" % (tool.label, failure))
    support.progress("")
    return {tool: found for tool, found in runs.items() if found}


def compare(runs, python, depth, rows, results, bars):
    median = {
        tool: {key: statistics.median(run[key] for run in found) for key in ("valid_per_s", "cpu_us")}
        for tool, found in runs.items()
    }
    peers = [tool for tool in runs if not isinstance(tool, Pyrometer)]
    fastest = max((median[tool]["valid_per_s"] for tool in peers), default=None)
    cheapest = min((median[tool]["cpu_us"] for tool in peers), default=None)
    for tool, found in runs.items():
        speed, low, high = support.spread([run["valid_per_s"] for run in found])
        cpu = median[tool]["cpu_us"]
        wrong = None if found[0]["impossible"] is None else sum(run["impossible"] for run in found)
        row = {
            "tool": tool.label, "version": tool.version(), "interpreter": python.version,
            "depth": depth, "valid_per_s": speed, "lowest": low, "highest": high,
            "ratio": speed / fastest if fastest else None, "cpu_us": cpu,
            "cpu_ratio": cpu / cheapest if cheapest else None,
            "lost": statistics.median(run["failed"] for run in found), "impossible": wrong,
            "target_awake": statistics.median(run["target_awake"] for run in found),
            "runs": found,
        }  # fmt: skip
        results.append(row)
        rows.append((
            row["tool"], row["version"], row["interpreter"], depth, "%.0f" % speed,
            "%.0f-%.0f" % (low, high), "%.2f" % row["ratio"] if fastest else "?", "%.1f" % cpu,
            "%.2f" % row["cpu_ratio"] if cheapest else "?", "%.2f" % (100 * row["lost"]),
            "not checked" if wrong is None else wrong, "%.0f" % (100 * row["target_awake"])))
        if isinstance(tool, Pyrometer) and fastest:
            judge(bars, "depth %d on %s" % (depth, python.version), row, awake_of(runs, median, fastest))


def awake_of(runs, median, fastest):
    """The least of its processor that the target had, under Pyrometer and under the best peer."""
    return min(
        statistics.median(run["target_awake"] for run in found)
        for tool, found in runs.items()
        if isinstance(tool, Pyrometer) or median[tool]["valid_per_s"] == fastest
    )


def judge(bars, where, row, awake):
    busy = awake < AWAKE
    note = "" if not busy else "; the target had %.0f %% of its processor" % (100 * awake)
    bars.append({"text": "valid samples/s, %s: %.2f x the best peer (bar 3, aim 5)%s"
                 % (where, row["ratio"], note), "met": None if busy else row["ratio"] >= 3})
    bars.append({"text": "CPU per valid sample, %s: %.2f of the best peer's (bar 0.33)%s"
                 % (where, row["cpu_ratio"], note),
                 "met": None if busy else row["cpu_ratio"] <= 1 / 3})  # fmt: skip
