"""Works for a moment, then becomes another program: cli_exec.py PROGRAM [ARGS...]"""

import os
import sys
import time


def before_exec(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(200))


print("READY", os.getpid(), flush=True)
before_exec(0.8)
os.execvp(sys.argv[1], sys.argv[1:])
