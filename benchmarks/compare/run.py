#!/usr/bin/env python3
"""False alarms and power of `pyrometer compare`, beside the usual tools, on this machine.

    benchmarks/compare/run.py [--only CONDITION]... [--tool TOOL]... [--runs N] [--load]
                              [--runs-file FILE] [--report] [--save]

Conditions
  aa       the same program twice: anything but "same" or "unknown" is a false alarm     300 runs
  slow10   10 % more units of work in B, found within 20 s                               100 runs
  slow5    5 %, within 30 s                                                              100 runs
  slow2    2 %, within 90 s                                                              100 runs

Each run is one line of FILE (default benchmarks/results/compare_runs.jsonl), appended when it is
complete: a run that was broken off goes on where it ended, with the same command. `--runs` is how
many there shall be in all of each condition, tool and load. --load keeps every processor busy by
load.py meanwhile. --report prints the table of what is there; --save writes it to
benchmarks/results/compare.json too. Status 1: a bar of Pyrometer was missed (--report, --save).
"""

import argparse
import json
import math
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import peers
import workloads

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "..", "results")
CONDITIONS = {  # slower by, time limit, runs, bar
    "aa": (0.0, 30, 300, "at most 3 of 300"),
    "slow10": (0.10, 20, 100, "found ≥ 99 %"),
    "slow5": (0.05, 30, 100, "found ≥ 95 %"),
    "slow2": (0.02, 90, 100, "found ≥ 90 %"),
}
BARS = {"slow10": 0.99, "slow5": 0.95, "slow2": 0.90}
FALSE_ALARMS_BAR = 0.01
DESIGNED = 0.002
JUDGED_FROM = 30  # runs


def beta_bound(k, n, confidence=0.95):
    """The upper end of the one-sided Clopper-Pearson interval of k in n, by bisection."""
    if n == 0 or k >= n:
        return 1.0
    low, high = k / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        tail = sum(math.comb(n, i) * middle**i * (1 - middle) ** (n - i) for i in range(k + 1))
        low, high = (middle, high) if tail > 1 - confidence else (low, middle)
    return high


def read_runs(path):
    if not os.path.exists(path):
        return []
    with open(path) as stream:
        return [json.loads(line) for line in stream if line.endswith("\n")]


def one_run(tool, condition, loaded, number):
    slower, limit_s = CONDITIONS[condition][:2]
    workload = workloads.NAMES[number % len(workloads.NAMES)]
    a, b = workloads.pair(workload, slower)
    folder = tempfile.mkdtemp(prefix="compare-")
    before, started = os.getloadavg()[0], time.monotonic()
    try:
        answer = peers.judge(tool, folder, a, b, limit_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    head = {
        "tool": tool, "condition": condition, "loaded": loaded, "number": number,
        "workload": workload, "seconds": round(time.monotonic() - started, 2),
        "load_before": round(before, 2), "at": round(time.time()),
    }  # fmt: skip
    return head | answer


def do_runs(tool, condition, options):
    done = sum(
        (row["tool"], row["condition"], row["loaded"]) == (tool, condition, options.load)
        for row in read_runs(options.runs_file)
    )
    wanted = CONDITIONS[condition][2] if options.runs is None else options.runs
    for number in range(done, wanted):
        row = one_run(tool, condition, options.load, number)
        with open(options.runs_file, "a") as stream:
            stream.write(json.dumps(row) + "\n")
        print(
            "%s %s%s %d/%d %s: %s %.1f s" % (
                tool, condition, " loaded" if options.load else "", number + 1, wanted,
                row["workload"], row["flag"], row["seconds"],
            ),
            flush=True,
        )  # fmt: skip


def is_false_alarm(row):
    return row["flag"] in ("slower", "faster")


def summary(rows, condition):
    """What the runs of one tool, condition and load say."""
    judged = [row for row in rows if row["flag"] != "failed"]
    n, seconds = len(judged), sorted(row["seconds"] for row in judged)
    found = {
        "runs": n, "failed": len(rows) - n,
        "median_s": seconds[n // 2] if n else None, "longest_s": seconds[-1] if n else None,
        "unknown": sum(row["flag"] == "unknown" for row in judged),
    }  # fmt: skip
    if condition == "aa":
        found["false_alarms"] = sum(map(is_false_alarm, judged))
        found["upper_bound"] = beta_bound(found["false_alarms"], n)
        covered = [row["low"] <= 1 <= row["high"] for row in judged if row.get("low") and row.get("high")]
        found["intervals"] = len(covered)
        found["intervals_with_1"] = sum(covered)
    else:
        found["found"] = sum(row["flag"] == "slower" for row in judged)
        found["wrong_way"] = sum(row["flag"] == "faster" for row in judged)
        found["lower_bound"] = 1 - beta_bound(n - found["found"], n)
    return found


def bar_met(condition, found):
    if found["runs"] < JUDGED_FROM:
        return None  # too few to say
    if condition == "aa":
        return found["false_alarms"] <= FALSE_ALARMS_BAR * max(found["runs"], 300)
    return found["found"] >= BARS[condition] * found["runs"]


def tables(rows):
    result = []
    for loaded in (False, True):
        for condition in CONDITIONS:
            for tool in peers.TOOLS:
                chosen = [
                    row for row in rows
                    if (row["tool"], row["condition"], row["loaded"]) == (tool, condition, loaded)
                ]  # fmt: skip
                if chosen:
                    found = summary(chosen, condition)
                    head = {"loaded": loaded, "condition": condition, "tool": tool}
                    met = bar_met(condition, found) if tool == "pyrometer" else None
                    result.append(head | found | {"bar_met": met})
    return result


def print_tables(table):
    print("%-7s %-7s %-17s %5s  %-42s %8s" % ("", "", "", "runs", "", "median"))
    for row in table:
        if row["condition"] == "aa":
            text = "%d false alarms (≤ %.1f %% with 95 %%)" % (
                row["false_alarms"], 100 * row["upper_bound"])  # fmt: skip
        else:
            text = "%d found (≥ %.0f %% with 95 %%)" % (row["found"], 100 * row["lower_bound"])
        text += ", %d cannot tell" % row["unknown"] if row["unknown"] else ""
        text += ", %d failed" % row["failed"] if row["failed"] else ""
        met = {None: "", True: "  bar met", False: "  BAR MISSED"}[row["bar_met"]]
        print(
            "%-7s %-7s %-17s %5d  %-42s %6.1f s%s" % (
                "loaded" if row["loaded"] else "quiet", row["condition"], row["tool"], row["runs"],
                text, row["median_s"] or 0, met,
            )
        )  # fmt: skip


def report(options):
    table = tables(read_runs(options.runs_file))
    print_tables(table)
    if options.save:
        head = {
            "benchmark": "compare", "command": "benchmarks/compare/run.py --save",
            "host": "%s, %d processors" % (platform.platform(), os.cpu_count()),
            "designed_false_alarms": DESIGNED, "rows": table,
        }  # fmt: skip
        with open(os.path.join(RESULTS, "compare.json"), "w") as stream:
            json.dump(head, stream, indent=1)
            stream.write("\n")
    return int(any(row["bar_met"] is False for row in table))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=CONDITIONS, help="this condition")
    parser.add_argument("--tool", action="append", choices=peers.TOOLS, help="this tool")
    parser.add_argument("--runs", type=int, help="of each condition, tool and load, in all")
    parser.add_argument("--load", action="store_true", help="with every processor kept busy")
    parser.add_argument("--runs-file", default=os.path.join(RESULTS, "compare_runs.jsonl"))
    parser.add_argument("--report", action="store_true", help="only print what is there")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/compare.json")
    options = parser.parse_args()
    if options.report or options.save:
        return report(options)
    if not os.access(peers.PYROMETER, os.X_OK):
        parser.error("no program at %s; ./dev build makes it" % peers.PYROMETER)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the load ends too
    load = None
    if options.load:
        load = subprocess.Popen([sys.executable, os.path.join(HERE, "load.py")])
    try:
        for condition in options.only or CONDITIONS:
            for tool in options.tool or peers.TOOLS:
                try:
                    do_runs(tool, condition, options)
                except peers.Missing as error:
                    print("%s %s: left out: %s" % (tool, condition, error), flush=True)
    finally:
        if load is not None:
            load.terminate()
            load.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
