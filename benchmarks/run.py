#!/usr/bin/env python3
"""Pyrometer beside its peers, on this machine, in one run.

    benchmarks/run.py [NAME...] [--quick] [--save] [--list]

Called by ./dev bench. Without names all are run, one after another. --quick: a few seconds each, to
see that it works, nothing to quote. --save: results go to benchmarks/results/NAME.json.
Ends with 1 when a bar was missed (not with --quick), 0 otherwise.
"""

import argparse
import filecmp
import importlib
import os
import shutil
import subprocess
import sys
import time

import support

NAMES = ("raw_speed", "slowdown", "accuracy", "recording_size", "startup")


def prepare_peers():
    """The private environment of the peers, as requirements.txt names them."""
    wanted = os.path.join(support.HERE, "requirements.txt")
    have = os.path.join(support.VENV, "requirements.txt")
    if os.path.exists(have) and filecmp.cmp(wanted, have, shallow=False):
        return
    python = os.path.join(support.VENV, "bin", "python")
    for command in (
        [sys.executable, "-m", "venv", support.VENV],
        [python, "-m", "pip", "install", "-q", "-r", wanted],
    ):
        if command[0] == sys.executable and os.access(python, os.X_OK):
            continue
        print("+ " + " ".join(command), flush=True)
        if subprocess.run(command).returncode != 0:
            print("peers could not be installed: their rows will be missing")
            return
    shutil.copy(wanted, have)


def run_one(name, options):
    module = importlib.import_module(name)
    place = support.Workplace()
    started = time.monotonic()
    machine = support.host()
    print("%s: %s" % (name, module.__doc__.strip().splitlines()[0]), flush=True)
    try:
        result = module.measure(place, options.quick)
    finally:
        place.remove()
    took = time.monotonic() - started
    print("  %s\n  took %.0f s" % (machine, took))
    if options.save and not options.quick:
        command = "./dev bench %s --save" % name
        head = {"benchmark": name, "command": command, "host": machine,
                "seconds": round(took)}  # fmt: skip
        support.save(name, head | result)
    print(flush=True)
    return result["bars"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="seconds, nothing to quote")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/NAME.json")
    parser.add_argument("--list", action="store_true", help="names and what they measure")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error("no such benchmark: %s; there are %s" % (unknown[0], ", ".join(NAMES)))
    if options.list:
        for name in NAMES:
            print("%-15s %s" % (name, importlib.import_module(name).__doc__.splitlines()[0]))
        return 0
    if not os.access(support.PYROMETER, os.X_OK):
        parser.error("no program at %s; ./dev build makes it" % support.PYROMETER)
    if options.quick and options.save:
        print("--save is ignored with --quick: such figures are nothing to keep")
    prepare_peers()
    bars = []
    for name in options.names or NAMES:
        bars += run_one(name, options)
    for bar in bars:
        print("%-12s %s" % (support.verdict(bar["met"]), bar["text"]))
    if options.quick:
        print("--quick: nothing of this is to be quoted")
    return int(not options.quick and any(bar["met"] is False for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
