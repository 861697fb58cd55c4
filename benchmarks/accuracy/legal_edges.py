#!/usr/bin/env python3
"""Counts impossible stacks in a program whose legal call edges are known from its bytecode.

    benchmarks/accuracy/legal_edges.py [--samples N] [--reader same|other|stop] [--interpreter 3.13]

Prints a row for each interpreter found; ends with 1 where a bar is missed: same core and stopped 0,
other core 1 in 10,000. N counts samples with a stack (default 1,000,000).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests", "oracles")]

import support  # noqa: E402
from edges import TARGET, Judgement, LegalEdges  # noqa: E402
from recording_text import Recording  # noqa: E402

READERS = {"same": ["-r", "5000"], "other": ["-r", "max"], "stop": ["--stop", "-r", "2000"]}


def measure(interpreter, reader, wanted, seconds):
    judgement = Judgement(LegalEdges(interpreter))
    target = support.Target(interpreter.argv("-u", interpreter.place(TARGET)))
    taken = missed = failed = 0
    try:
        target.wait_for("READY")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "edges.pyro")
            while judgement.samples < wanted:
                done = support.run_pyrometer(
                    "record", *READERS[reader], "-d", str(seconds), "-o", path, "-p", target.pid,
                    timeout=seconds + 60)
                if done.rc != 0:
                    sys.exit("record ended with %d:\n%s" % (done.rc, done.stderr))
                recording = Recording(path)
                os.unlink(path)
                judgement.add(recording)
                taken += recording.taken
                missed += recording.meta["counts.missed"]
                failed += recording.meta["counts.failed"]
    finally:
        target.end()
    return judgement, missed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1000000)
    parser.add_argument("--reader", choices=sorted(READERS), default="same")
    parser.add_argument("--interpreter", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=20, help="of one recording")
    options = parser.parse_args()
    bad = 0
    for interpreter in support.found_interpreters():
        if options.interpreter and interpreter.id not in options.interpreter:
            continue
        judgement, missed, failed = measure(
            interpreter, options.reader, options.samples, options.seconds)
        allowed = judgement.samples // 10000 if options.reader == "other" else 0
        verdict = "ok" if judgement.impossible <= allowed else "OVER THE BAR (%d)" % allowed
        bad += judgement.impossible > allowed
        print("%-11s %-5s %s; %d missed, %d failed: %s" % (
            interpreter.id, options.reader, judgement, missed, failed, verdict), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
