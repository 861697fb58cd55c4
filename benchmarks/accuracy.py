"""Shares that the profilers report, against shares that are known

Two kinds of program. (a) Four phases drawn at random (a plain loop, small calls, a generator,
builtins), each timed inside by the thread's own CPU clock; the profiler attaches for some seconds, the
truth is what the phases took between its start and its end. Error: of the worst phase, in points; with
the noise that chance alone would give at that number of samples (the expected worst of four).
(b) Two functions f and g of the same body, called in turn: loop / f / g by self time. f and g are
equal in truth (f of f + g is 0.5); the loop's share is held against stopped sampling (Pyrometer --stop).
Error: the worst of the three, in points. What chance leaves at so few samples stands beside it;
accuracy/bias.py takes 50,000 for each figure.
"""

import os
import statistics
import subprocess
import sys
import time

import support
from support import Austin, Pyrometer, PySpy, Tachyon

PHASES = ("plain_loop", "small_calls", "a_generator", "builtins")
DEFAULT = Pyrometer("pyrometer (default)")
PAIR = ("loop", "f", "g")
STOPPED = Pyrometer("pyrometer --stop 1 kHz", "--stop", "-r", "1000")


def tools_of(minor):
    ours = [DEFAULT, Pyrometer("pyrometer 1 kHz", "-r", "1000"),
            Pyrometer("pyrometer --other-core 1 kHz", "--other-core", "-r", "1000")]  # fmt: skip
    if minor == "3.13":
        return ours + [PySpy("py-spy 100 Hz (default)"), PySpy("py-spy 1 kHz", "-r", "1000"),
                       PySpy("py-spy 1 kHz --nonblocking", "-r", "1000", "--nonblocking")]  # fmt: skip
    if minor == "3.14":
        return ours[:1] + [Austin("Austin 10 kHz (default)"), Austin("Austin 1 kHz", "-i", "1ms")]
    return ours[:1] + [Tachyon("profiling.sampling 1 kHz (default)"),
                       Tachyon("profiling.sampling 1 kHz --blocking", "--blocking")]  # fmt: skip


# --- (a) four phases ----------------------------------------------------------


def phase_shares(stacks):
    """({phase: share}, samples or their weight)."""
    counts = dict.fromkeys(PHASES, 0)
    for stack, weight in stacks:
        phase = next((name for name in stack if name in counts), None)
        if phase:
            counts[phase] += weight
    total = sum(counts.values())
    if not total:
        raise RuntimeError("no phase is in any stack")
    return {phase: count / total for phase, count in counts.items()}, total


def chance(truth, samples):
    """About the expected worst error of the shares of so many independent samples."""
    return 1.2 * max((share * (1 - share) / samples) ** 0.5 for share in truth.values())


def place_of(tool, tool_cpus):
    """Kept away from the target's processor, but for who means to share it."""
    return None if isinstance(tool, Pyrometer) and tool.shares_a_core() else tool_cpus


def four_phases(place, tool, python, seconds):
    numbers = support.Numbers(place, python.root, len(PHASES))
    target_cpus, tool_cpus = support.processors()
    with support.Target(place, python, "shares.py", numbers.path, cpus=target_cpus) as target:
        time.sleep(0.3)
        before = list(numbers.values)
        measured = tool.run(place, target, seconds, place_of(tool, tool_cpus))
        after = list(numbers.values)
    taken = [b - a for a, b in zip(before, after)]
    truth = {phase: t / sum(taken) for phase, t in zip(PHASES, taken)}
    found, counted = phase_shares(tool.stacks())
    # Of Austin only weights are known here, so what it says that it took.
    samples = tool.count(measured).valid if isinstance(tool, Austin) else counted
    return {
        "truth": truth, "found": found, "samples": samples,
        "error": max(abs(found[p] - truth[p]) for p in PHASES),
        "chance": chance(truth, max(1, samples)),
    }  # fmt: skip


def pyinstrument_phases(place, seconds):
    """It runs inside the program, so the truth is that of the program that it slowed down, and
    beside it stands the share of the loop in a run without it."""
    numbers = support.Numbers(place, None, len(PHASES))
    out = os.path.join(place.folder, "pyinstrument.json")
    python = os.path.join(support.VENV, "bin", "python")
    if not os.access(python, os.X_OK):
        raise support.Missing("no environment of the peers")
    argv = [python, "-m", "pyinstrument", "-r", "json", "-o", out,
            os.path.join(support.TARGETS, "shares.py"), numbers.path]  # fmt: skip
    measured = support.Running(argv).wait(seconds + 0.5)
    if not os.path.exists(out):
        raise RuntimeError("pyinstrument wrote nothing: " + measured.output[-300:])
    taken = list(numbers.values)
    truth = {phase: t / sum(taken) for phase, t in zip(PHASES, taken)}
    with open(out) as file:
        session = support.json.load(file)
    counts = dict.fromkeys(PHASES, 0.0)

    def visit(frame):
        if frame.get("function") in counts:
            counts[frame["function"]] += frame["time"]
        else:
            for child in frame.get("children", []):
                visit(child)

    visit(session["root_frame"])
    found = {phase: time_s / sum(counts.values()) for phase, time_s in counts.items()}
    samples = session.get("sample_count", 1)
    return {"truth": truth, "found": found, "samples": samples,
            "error": max(abs(found[p] - truth[p]) for p in PHASES),
            "chance": chance(truth, samples)}  # fmt: skip


# --- (b) the alternating pair ---------------------------------------------------


def pair_shares(stacks):
    counts = dict.fromkeys(PAIR, 0)
    for stack, weight in stacks:
        if stack and stack[-1] in counts:
            counts[stack[-1]] += weight
    total = sum(counts.values())
    if not total:
        raise RuntimeError("neither loop, f nor g is at the top of any stack")
    return [counts[name] / total for name in PAIR]


def alternating(place, tools, python, additions, seconds):
    """[(tool, (loop, f, g), samples)] over one process, one tool after another."""
    target_cpus, tool_cpus = support.processors()
    found = []
    with support.Target(place, python, "pair.py", additions, cpus=target_cpus) as target:
        for tool in tools:
            support.progress("%d additions: %s" % (additions, tool.label))
            try:
                length = seconds * (2 if tool is STOPPED else 1)
                measured = tool.run(place, target, length, place_of(tool, tool_cpus))
                found.append((tool, pair_shares(tool.stacks()), tool.count(measured).valid))
            except (support.Missing, RuntimeError, OSError) as failure:
                print("  not run: %s: %s" % (tool.label, failure))
    return found


# --- both -------------------------------------------------------------------


def measure(place, quick):
    results = {"phases": [], "pair": [], "bars": []}
    phases_of_all(place, quick, results)
    pairs_of_all(place, quick, results)
    return results


def phases_of_all(place, quick, results):
    seconds, runs = (2, 1) if quick else (4, 1)
    found = {}
    for minor in ("3.13", "3.14", "3.15"):
        try:
            python = support.interpreter(minor)
        except support.Missing as missing:
            print("  not run: %s" % missing)
            continue
        for tool in tools_of(minor):
            for _ in range(runs):
                support.progress("four phases: %s on %s" % (tool.label, python.version))
                try:
                    one = four_phases(place, tool, python, seconds)
                except (support.Missing, RuntimeError, OSError) as failure:
                    print("  not run: %s: %s" % (tool.label, failure))
                    continue
                found.setdefault((tool.label, tool.version(), python.version), []).append(one)
    try:
        one = pyinstrument_phases(place, seconds)
        version = "%d.%d.%d" % sys.version_info[:3]
        found[("pyinstrument 1 kHz (default)", support.installed("pyinstrument"), version)] = [one]
    except (support.Missing, RuntimeError, OSError, subprocess.SubprocessError) as failure:
        print("  not run: pyinstrument: %s" % failure)
    support.progress("")
    show_phases(found, results)


def show_phases(found, results):
    errors = {name: statistics.median(one["error"] for one in runs) for name, runs in found.items()}
    best = min((e for name, e in errors.items() if "pyrometer" not in name[0]), default=None)
    rows = []
    for (label, version, python), runs in found.items():
        name = (label, version, python)
        one = runs[0]
        rows.append((
            label, version, python, "%.0f" % one["samples"], "%.2f" % (100 * errors[name]),
            "%.2f" % (100 * one["chance"]), "%.2f" % (errors[name] / best) if best else "?",
            " ".join("%.1f/%.1f" % (100 * one["found"][p], 100 * one["truth"][p])
                     for p in PHASES)))  # fmt: skip
        results["phases"].append({"tool": label, "version": version, "interpreter": python,
                                  "worst_error": errors[name], "runs": runs,
                                  "ratio": errors[name] / best if best else None})  # fmt: skip
    support.table(("four phases", "version", "interpreter", "samples", "worst error, points",
                   "chance", "x best peer", "found/true: loop calls generator builtins"),
                  rows)  # fmt: skip
    for name, error in errors.items():
        if name[0] == DEFAULT.label:
            noise = found[name][0]["chance"]
            results["bars"].append({
                "text": "accuracy, four phases on %s: worst error %.2f points, chance %.2f (bar: 1 "
                "beyond twice chance)" % (name[2], 100 * error, 100 * noise),
                "met": error <= 0.01 + 2 * noise})  # fmt: skip


def pairs_of_all(place, quick, results):
    seconds = 1 if quick else 2
    rows = []
    try:
        python = support.interpreter("3.13")
    except support.Missing as missing:
        print("  not run: %s" % missing)
        return
    ours = Pyrometer("pyrometer 1 kHz", "-r", "1000")
    tools = [STOPPED, ours, Pyrometer("pyrometer --other-core 1 kHz", "--other-core", "-r", "1000"),
             PySpy("py-spy 1 kHz", "-r", "1000"),
             PySpy("py-spy 1 kHz --nonblocking", "-r", "1000", "--nonblocking")]  # fmt: skip
    for additions in (0, 16) if quick else (0, 1, 4, 16, 64):
        add_pair(alternating(place, tools, python, additions, seconds), additions, python, rows, results)
    try:
        python = support.interpreter("3.15")
        tools = [STOPPED, ours, Tachyon("profiling.sampling 1 kHz (default)")]
        for additions in (16,) if quick else (1, 16):
            add_pair(alternating(place, tools, python, additions, seconds), additions, python, rows,
                     results)  # fmt: skip
    except support.Missing as missing:
        print("  not run: %s" % missing)
    support.progress("")
    support.table(("alternating f, g", "version", "interpreter", "additions", "samples",
                   "loop / f / g", "f of f + g", "worst error, points", "standard error"), rows)  # fmt: skip


def add_pair(found, additions, python, rows, results):
    truth = None
    for tool, (loop, f, g), samples in found:
        if tool is STOPPED:
            truth = (loop, (1 - loop) / 2, (1 - loop) / 2)
        error = None
        if truth:
            error = max(abs(a - b) for a, b in zip((loop, f, g), truth))
        # The standard error of a share of one half.
        noise = 0.5 / max(1, samples) ** 0.5
        rows.append((tool.label, tool.version(), python.version, additions, samples,
                     "%.3f / %.3f / %.3f" % (loop, f, g), "%.3f" % (f / max(1e-9, f + g)),
                     "?" if error is None else "%.1f" % (100 * error), "%.1f" % (100 * noise)))  # fmt: skip
        results["pair"].append({"tool": tool.label, "version": tool.version(),
                                "interpreter": python.version, "additions": additions,
                                "samples": samples, "loop": loop, "f": f, "g": g,
                                "worst_error": error})  # fmt: skip
