"""Meets signals: cli_signals.py HOW, where HOW says what is done with SIGINT and SIGTERM.

default   nothing special: SIGINT is KeyboardInterrupt, SIGTERM ends it
ignore    both are ignored; ends at a line on stdin, with status 7
handle    both are written down; the first ends it with status 5
count     says each SIGINT, SIGCONT that arrives; ends at the word `end` on stdin, with status 0
"""

import os
import signal
import sys
import time


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(200))


def on_signal(number, _):
    print("GOT", signal.Signals(number).name, flush=True)
    if HOW == "handle":
        sys.exit(5)


HOW = sys.argv[1]
if HOW == "ignore":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
elif HOW != "default":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        signal.signal(number, on_signal)
print("READY", os.getpid(), flush=True)
spin(0.3)
print("SPUN", flush=True)
if HOW == "default":
    spin(60)
elif HOW == "handle":
    while True:
        time.sleep(0.05)
else:
    for line in sys.stdin:
        print("LINE", line.strip(), flush=True)
        if HOW == "ignore" or line.strip() == "end":
            sys.exit(7 if HOW == "ignore" else 0)
