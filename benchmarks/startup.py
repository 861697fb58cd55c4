"""What it costs to start a program under a profiler: `python -c pass`

Wall time from start to end of the whole command, each repetition once plain, once under each tool,
in turning order. No bar: a figure to know before you profile short scripts.
"""

import os
import subprocess
import sys
import time

import support


def timed(argv, folder):
    started = time.perf_counter()
    ended = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder
    )
    took = time.perf_counter() - started
    if ended.returncode != 0:
        raise RuntimeError("%s: %s" % (argv[0], ended.stderr.decode(errors="replace")[-300:]))
    return took


def measure(place, quick):
    plain = [os.path.realpath(os.path.join(support.VENV, "bin", "python")), "-c", "pass"]
    version = "%d.%d.%d" % sys.version_info[:3]
    if not os.access(plain[0], os.X_OK):
        plain[0] = sys.executable
    record = os.path.join(place.folder, "startup.pyro")
    tools = {
        ("python", version): plain,
        ("pyrometer run", support.Pyrometer("").version()):
            [support.PYROMETER, "run", "-o", record, "--", *plain],
        ("pyrometer record", support.Pyrometer("").version()):
            [support.PYROMETER, "record", "-o", record, "--", *plain],
    }  # fmt: skip
    try:
        pyspy = [support.in_venv("py-spy"), "record", "-f", "raw", "-o", record + ".txt", "--"]
        tools[("py-spy record", support.installed("py_spy"))] = pyspy + plain
        module = [os.path.join(support.VENV, "bin", "python"), "-m", "pyinstrument", "-o",
                  record + ".html", "-r", "html", "-c", "pass"]  # fmt: skip
        tools[("pyinstrument", support.installed("pyinstrument"))] = module
    except support.Missing as missing:
        print("  not run: %s" % missing)
    taken = {name: [] for name in tools}
    repetitions = 3 if quick else 15
    for i in range(repetitions):
        for name in list(tools) if i % 2 == 0 else list(tools)[::-1]:
            try:
                taken[name].append(timed(tools[name], place.folder))
            except RuntimeError as failure:
                print("  %s" % failure)
    return report(taken, version)


def report(taken, version):
    rows, results = [], []
    medians = {name: support.spread(times) for name, times in taken.items() if times}
    base = medians[("python", version)][0]
    peers = [middle - base for name, (middle, _, _) in medians.items() if name[0][:2] == "py"
             and not name[0].startswith(("pyrometer", "python"))]  # fmt: skip
    for (tool, of_tool), (middle, low, high) in medians.items():
        added = middle - base
        row = {"tool": tool, "version": of_tool, "interpreter": version, "wall_ms": middle * 1e3,
               "lowest_ms": low * 1e3, "highest_ms": high * 1e3, "added_ms": added * 1e3,
               "ratio": added / min(peers) if peers and tool != "python" else None,
               "times_ms": [t * 1e3 for t in taken[(tool, of_tool)]]}  # fmt: skip
        results.append(row)
        rows.append((tool, of_tool, version, "%.1f" % row["wall_ms"],
                     "%.1f-%.1f" % (low * 1e3, high * 1e3), "%.1f" % row["added_ms"],
                     "-" if row["ratio"] is None else "%.2f" % row["ratio"]))  # fmt: skip
    support.table(("tool", "version", "interpreter", "wall ms", "(lowest-highest)", "added ms",
                   "x best peer"), rows)  # fmt: skip
    return {"rows": results, "bars": []}
