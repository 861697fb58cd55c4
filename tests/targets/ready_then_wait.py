"""Says READY with its pid, then answers each line on stdin until it closes."""

import os
import sys

print("READY", os.getpid(), flush=True)
for line in sys.stdin:
    print("ECHO", line.strip(), flush=True)
