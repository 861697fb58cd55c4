"""Stands in a sub-interpreter in a thread, while the main thread stands in the main interpreter.

stacks_subinterpreter.py [spin]: with "spin" the sub-interpreter's function spins until its stdin
closes. Prints READY, then FACTS and a JSON object: "main" and "sub", each [[name, line], ...], leaf
first, as each interpreter knows them, and "tid", the thread in which the sub-interpreter runs."""

import json
import os
import sys
import threading

QUALIFIED = sys.version_info >= (3, 11)
SOURCE = '''
import json, os, sys, time

def chain_of(frame):
    frames = []
    while frame is not None:
        code = frame.f_code
        frames.append([getattr(code, "co_qualname", code.co_name), frame.f_lineno])
        frame = frame.f_back
    return frames

def inner_of_sub():
    os.write(TOLD, json.dumps(chain_of(sys._getframe())).encode()); SPIN or os.read(GATE, 1)
    end = time.monotonic() + 60
    while SPIN and time.monotonic() < end and not os.path.exists(STOP):
        for _ in range(1000):
            pass

def outer_of_sub():
    inner_of_sub()

outer_of_sub()
'''


def interpreters():
    """(create, run) of whatever this version calls the module."""
    try:
        import _interpreters as module  # 3.13+
    except ImportError:
        import _xxsubinterpreters as module
    run = getattr(module, "run_string", None) or module.exec
    return module.create, run


def chain_of(frame):
    frames = []
    while frame is not None:
        code = frame.f_code
        frames.append([getattr(code, "co_qualname", code.co_name), frame.f_lineno])
        frame = frame.f_back
    return frames


def in_sub(source, started):
    started.append(threading.get_native_id())
    create, run = interpreters()
    error = run(create(), source)
    if error is not None:
        sys.exit("sub-interpreter: %s" % (error,))


def main():
    told, tell = os.pipe()
    gate, open_gate = os.pipe()
    spin = sys.argv[1:2] == ["spin"]
    stop = "/tmp/pyrometer-stop-%d" % os.getpid()
    values = "TOLD = %d\nGATE = %d\nSPIN = %r\nSTOP = %r\n" % (tell, gate, spin, stop)
    started = []
    thread = threading.Thread(
        target=in_sub, args=[values + SOURCE, started], name="with a sub-interpreter"
    )
    thread.start()
    facts = {"sub": json.loads(os.read(told, 65536)), "tid": started[0]}

    def wait():
        tell = "READY\nFACTS %s"  # told and waited for in one line, by C functions alone
        line = sys._getframe().f_lineno + 2
        facts["main"] = [["main.<locals>." * QUALIFIED + "wait", line]] + chain_of(sys._getframe(1))
        print(tell % json.dumps(facts), flush=True); sys.stdin.readline()  # noqa: E702

    wait()
    with open(stop, "w"):
        os.write(open_gate, b"x")
        thread.join()
    os.unlink(stop)


main()
