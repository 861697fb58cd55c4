#!/usr/bin/env python3
"""Keeps every processor busy, as other programs would: the loaded condition of run.py.

    load.py [SECONDS]

One process a processor. Each goes through bursts of arithmetic, of copying memory and of short
pauses, of random length (the seed is fixed), at normal priority. Ends after SECONDS, on SIGTERM,
or when its parent is gone.
"""

import os
import random
import signal
import sys
import time

BURST_S = (0.02, 0.5)
PAUSE_S = (0.001, 0.02)
COPY_BYTES = 16 << 20


def compute(until):
    value = 1
    while time.monotonic() < until:
        for _ in range(2000):
            value = value * 1103515245 + 12345 & 0x7FFFFFFF


def copy(until, block=bytearray(COPY_BYTES)):
    while time.monotonic() < until:
        bytes(block)


def pause(until):
    while time.monotonic() < until:
        time.sleep(0.0005)


def work(number, parent, end):
    chance = random.Random(number)
    while time.monotonic() < end and os.getppid() == parent:
        kind = chance.choice((compute, compute, copy, copy, pause))
        kind(time.monotonic() + chance.uniform(*(PAUSE_S if kind is pause else BURST_S)))


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1e9
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    end, parent, ours = time.monotonic() + seconds, os.getpid(), os.getppid()
    children = []
    for number in range(len(os.sched_getaffinity(0))):
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            work(number, parent, end)
            os._exit(0)
        children.append(child)
    try:
        while time.monotonic() < end and os.getppid() == ours:
            time.sleep(0.2)
    finally:
        for child in children:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main()
