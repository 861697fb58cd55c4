"""Valid samples a second and CPU per valid sample, everyone at its highest rate

The recursive program at depths 10, 100 and 500, on a processor of its own; the profilers have the
others. A tool's valid samples are those that it calls so (Pyrometer: counts.valid of the recording,
neither torn nor failed), less those whose stack this program can never have ("impossible"; not
checked for Austin, whose output is converted by a slow program). CPU: of the profiler with all its
threads and children, start and end included, by wait4.

"kernel us" is the floor: the profiler's own reads (process_vm_readv, the same ranges in the same order, of
the running target) made again in a loop with nothing between them, CPU time a sample. It comes from
a run of its own (raw_speed_tap.c), not from the timed ones. What a tool's CPU is beyond it is its own doing; a
lower floor than another's is too, as each chooses what it reads.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess

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


def build_tap(place):
    """The library that makes a profiler's reads again; None without a C compiler."""
    compiler, path = shutil.which("cc"), place.path(".so")
    source = os.path.join(support.HERE, "raw_speed_tap.c")
    command = [compiler, "-O2", "-shared", "-fPIC", "-pthread", "-o", path, source]
    return path if compiler and subprocess.run(command).returncode == 0 else None


@contextlib.contextmanager
def environment(**values):
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def attach(place, tool, python, depth, seconds, **variables):
    """(what the tool did, what it counted, the part of its processor that the target had)."""
    target_cpus, tool_cpus = support.processors()
    with support.Target(place, python, "recursion.py", depth, cpus=target_cpus) as target:
        cpu, began = target.cpu_s(), support.time.monotonic()
        with environment(**variables):
            measured = tool.run(place, target, seconds, tool_cpus)
        awake = (target.cpu_s() - cpu) / (support.time.monotonic() - began)
    return measured, tool.count(measured), awake


def one_run(place, tool, python, depth, seconds):
    measured, count, awake = attach(place, tool, python, depth, seconds)
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


def floor_of(place, tap, tool, python, depth):
    """{calls, us_a_call, …, us_a_sample} of a tool's reads, None where they can't be told."""
    # A tool that runs in the target's root finds library and file there.
    root = None if isinstance(tool, (Pyrometer, PySpy)) else python.root
    host, inside = place.within(root)
    name = os.path.basename(place.path(".tap"))
    try:
        _, count, _ = attach(place, tool, python, depth, 1, LD_PRELOAD=place.place(tap, root),
                             READ_TAP=os.path.join(inside, name))  # fmt: skip
        with open(os.path.join(host, name)) as file:
            found = json.load(file)
    except (support.Missing, RuntimeError, OSError, ValueError):
        return None
    taken = max(1, count.valid + count.failed)
    return found | {"us_a_sample": found["us_a_call"] * found["calls"] / taken}


def measure(place, quick):
    seconds, repetitions = (1, 1) if quick else (2, 3)
    rows, results, bars = [], [], []
    tap = build_tap(place)
    for minor, peers in GROUPS:
        try:
            python = support.interpreter(minor)
        except support.Missing as missing:
            print("  not run: %s" % missing)
            bars.append({"text": "raw speed on %s: %s" % (minor, missing), "met": None})
            continue
        for depth in (10,) if quick else DEPTHS:
            runs = repeat(place, python, depth, peers, seconds, repetitions)
            floors = {tool: floor_of(place, tap, tool, python, depth) for tool in runs if tap}
            compare(runs, floors, python, depth, rows, results, bars)
    support.table(
        ("tool", "version", "interpreter", "depth", "valid/s", "(lowest-highest)", "x best peer",
         "CPU us", "of best peer", "kernel us", "lost %", "impossible", "target awake %"), rows)  # fmt: skip
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


def compare(runs, floors, python, depth, rows, results, bars):
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
        floor = floors.get(tool)
        wrong = None if found[0]["impossible"] is None else sum(run["impossible"] for run in found)
        row = {
            "tool": tool.label, "version": tool.version(), "interpreter": python.version,
            "depth": depth, "valid_per_s": speed, "lowest": low, "highest": high,
            "ratio": speed / fastest if fastest else None, "cpu_us": cpu,
            "cpu_ratio": cpu / cheapest if cheapest else None,
            "kernel_us": floor and floor["us_a_sample"], "reads": floor,
            "lost": statistics.median(run["failed"] for run in found), "impossible": wrong,
            "target_awake": statistics.median(run["target_awake"] for run in found),
            "runs": found,
        }  # fmt: skip
        results.append(row)
        rows.append((
            row["tool"], row["version"], row["interpreter"], depth, "%.0f" % speed,
            "%.0f-%.0f" % (low, high), "%.2f" % row["ratio"] if fastest else "?", "%.1f" % cpu,
            "%.2f" % row["cpu_ratio"] if cheapest else "?",
            "%.1f" % row["kernel_us"] if floor else "not known", "%.2f" % (100 * row["lost"]),
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
