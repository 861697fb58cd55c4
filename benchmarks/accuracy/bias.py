#!/usr/bin/env python3
"""Compares shares of CPU time with two truths: stopped sampling, and clocks inside the program.

    benchmarks/accuracy/bias.py [--samples N] [--program NAME]... [--interpreter 3.13]...

For each program one process is recorded by turns: stopped (truth 1), same core, other core, until
each reader has N samples on the CPU (default 50,000). Then total variation distances over the
functions by self time, less what chance explains (tests/oracles/shares.py has the formula):

  stop        against stopped sampling; torn leaves shared out over the callees of the same caller
  stop, torn apart   the same with <torn> as a category of its own
  clock       against the program's own time.thread_time_ns: by line of the loop (add*) or by
              phase (phases)

Bars: same core 1 point beyond noise, other core 2. add0 (empty functions) is printed and not judged
on the other core. Ends with 1 where a bar is missed.
"""

import argparse
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests", "oracles")]

import support  # noqa: E402
import bias  # noqa: E402

BARS = {"same": 0.01, "other": 0.02}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50000)
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("--interpreter", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=3, help="of one recording")
    parser.add_argument("--keep-core", action="store_true", help="real-time priority for the "
                        "program while it is read from another core (root, an otherwise idle core)")
    options = parser.parse_args()
    versions = options.interpreter or ["3.8", "3.11", "3.13", "3.15"]
    missed = 0
    for interpreter in support.found_interpreters():
        if interpreter.id not in versions:
            continue
        for program in options.program or bias.PROGRAMS:
            with tempfile.TemporaryDirectory() as folder:
                trial = bias.Trial(interpreter, program, folder, keep_core=options.keep_core)
                trial.run(options.samples, options.seconds)
            for row in trial.rows():
                bar = BARS.get(row.reader)
                judged = bar is not None and row.judged
                bad = judged and row.comparison.excess > bar
                missed += bad
                print("%-5s %-10s %-5s %-17s torn %4.1f %%  %s%s" % (
                    interpreter.id, program, row.reader, row.truth, 100 * row.torn,
                    row.comparison, "  OVER THE BAR" if bad else "" if judged else "  (not judged)"),
                    flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
