"""Prints, as JSON, all that a program can see of how it was started; ends with the status asked.

cli_context.py [STATUS]
"""

import json
import os
import resource
import sys

FIELDS = (
    "Umask SigBlk SigIgn SigCgt SigPnd ShdPnd NoNewPrivs Seccomp TracerPid Uid Gid Groups CapInh"
    " CapEff CapBnd CapAmb Cpus_allowed"
).split()


def read(path):
    with open(path) as stream:
        return stream.read()


def descriptors():
    """What each descriptor is. The folder that is listed has one itself, closed by now."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink("/proc/self/fd/" + name)
        except FileNotFoundError:
            pass
    return found


def status():
    lines = dict(line.split(":", 1) for line in read("/proc/self/status").splitlines())
    return {field: lines[field].strip() for field in FIELDS if field in lines}


def terminal():
    try:
        own = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return None
    try:
        size = os.get_terminal_size(own)
        return {
            "size": [size.columns, size.lines],
            "foreground": os.tcgetpgrp(own) == os.getpgrp(),
            "isatty": [os.isatty(fd) for fd in (0, 1, 2)],
        }
    finally:
        os.close(own)


def context():
    return {
        "argv": sys.argv,
        "executable": sys.executable,
        "directory": os.getcwd(),
        "environment": dict(os.environ),
        "descriptors": descriptors(),
        "group": os.getpgrp(),
        "session": os.getsid(0),
        "nice": os.nice(0),
        "scheduler": os.sched_getscheduler(0),
        "affinity": sorted(os.sched_getaffinity(0)),
        "limits": [resource.getrlimit(number) for number in range(16)],
        "oom_score_adj": read("/proc/self/oom_score_adj"),
        "timer_slack": read("/proc/self/timerslack_ns"),
        "personality": read("/proc/self/personality"),
        "status": status(),
        "terminal": terminal(),
        "stdin": None if 0 not in open_standard() or os.isatty(0) else sys.stdin.read(),
    }


def open_standard():
    found = []
    for number in (0, 1, 2):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            pass
    return found


if __name__ == "__main__":
    text = json.dumps(context(), sort_keys=True)
    if os.environ.get("CONTEXT_FILE"):
        with open(os.environ["CONTEXT_FILE"], "w") as stream:
            stream.write(text)
    else:
        print(text)
    if 2 in open_standard():
        print("to stderr", file=sys.stderr)
    sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
