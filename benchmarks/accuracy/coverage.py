#!/usr/bin/env python3
"""Do 95 % intervals for this run's share cover it? Real runs, cut into windows.

    benchmarks/accuracy/coverage.py [--intervals N] [--rate HZ] [--window-ms MS] [--interpreter 3.13]

Records a program that stamps the clock at each change of phase (tests/targets/oracle_bias.py), until
N intervals are judged for each interpreter (default 2,000). Ends with 1 where fewer than 93 % or
more than 97 % cover. How windows are judged: tests/oracles/run_coverage.py.
"""

import argparse
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests", "oracles")]

import support  # noqa: E402
from bias import NAMES, TARGET  # noqa: E402
from recording_text import Recording  # noqa: E402
from run_coverage import Coverage, record_phases, stamps_of  # noqa: E402


def measure(interpreter, options):
    coverage = Coverage()
    while coverage.judged < options.intervals:
        target = support.Target(interpreter.argv("-u", interpreter.place(TARGET), "phases"))
        try:
            target.wait_for("READY")
            with tempfile.TemporaryDirectory() as folder:
                path, timeline = record_phases(
                    target, support.run_pyrometer, folder, options.rate, options.seconds,
                    options.cpu)
                started = Recording(path).meta["started_unix_ns"]
            stamps = stamps_of(target, NAMES, options.cpu)
            coverage.add(timeline, started, stamps, int(options.window_ms * 1e6))
        finally:
            target.end()
    return coverage


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--intervals", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--window-ms", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=20, help="of one recording")
    parser.add_argument("--cpu", action="store_true", help="shares of CPU time, not of wall time")
    parser.add_argument("--interpreter", action="append", default=[])
    options = parser.parse_args()
    bad = 0
    for interpreter in support.found_interpreters():
        if options.interpreter and interpreter.id not in options.interpreter:
            continue
        coverage = measure(interpreter, options)
        right = 0.93 <= coverage.share <= 0.97
        bad += not right
        print("%-11s %s%s" % (interpreter.id, coverage, "" if right else "  OVER THE BAR"), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
