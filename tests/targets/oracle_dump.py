"""Threads that stand still in known places, and what sys._current_frames() says of them.

Prints READY when every thread stands. Each line on stdin is answered by one line of JSON:
{thread ident: {"name": …, "frames": [{function, plain, file, line, first_line, column}, leaf first]}}
"""

import asyncio
import json
import queue
import socket
import sys
import threading
import time

FOREVER = 3600
DEADLINE_S = 20
LOCK = threading.Lock()
LOCK.acquire()
QUEUE = queue.Queue()
SOCKETS = socket.socketpair()
EVENT = threading.Event()
sys.setrecursionlimit(5000)


def blocks_on_lock():
    LOCK.acquire()


def blocks_on_queue():
    return QUEUE.get()


def blocks_in_sleep():
    time.sleep(FOREVER)


def blocks_on_socket():
    SOCKETS[0].recv(1)


def innermost():
    EVENT.wait()
    yield 1


def middle():
    yield from innermost()


def outer():
    for item in middle():
        yield item


def blocks_in_generators():
    for _ in outer():
        pass


async def inner_coroutine():
    time.sleep(FOREVER)  # on purpose: the whole chain of awaits is on the stack


async def middle_coroutine():
    await inner_coroutine()


async def async_items():
    await middle_coroutine()
    yield 1


async def outer_coroutine():
    async for _ in async_items():
        pass


async def waiting_coroutine():
    await asyncio.sleep(FOREVER)


def run_coroutine(function):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(function())


def blocks_in_coroutines():
    run_coroutine(outer_coroutine)


def blocks_in_event_loop():
    run_coroutine(waiting_coroutine)


def recurse(n):
    if n == 0:
        EVENT.wait()
        return 0
    return 1 + recurse(n - 1)


def blocks_in_recursion():
    recurse(500)


def blocks_in_executed_code():
    text = "def made_by_exec(event):\n    x = 1\n\n    event.wait()\nmade_by_exec(EVENT)\n"
    exec(compile(text, "<made up>", "exec"), {"EVENT": EVENT})


def größe_ermitteln_日本語():
    def ñandú(wert):
        wert.wait()

    # The columns of what follows are bytes of UTF-8: "ü€" stands before the call.
    "ü€", ñandú(EVENT)


def blocks_in_unnamed_file():
    exec(compile("EVENT.wait()", "módulo_ü.py", "exec"), {"EVENT": EVENT})


def wrapped(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


class Stands:
    def __init__(self):
        self.attribute

    @property
    def attribute(self):
        return self.chosen(EVENT)

    @staticmethod
    @wrapped
    def chosen(event):
        return sorted([2, 1], key=lambda item: [event.wait() for _ in (item,)])


def blocks_in_methods():
    Stands()


class Manager:
    def __enter__(self):
        return self

    def __exit__(self, *failure):
        EVENT.wait()


def blocks_in_exit():
    with Manager():
        raise ValueError(1)


def blocks_in_handler():
    try:
        {}["missing"]
    except KeyError:
        try:
            int("none")
        finally:
            EVENT.wait()


def blocks_in_long_line_table():
    lines = ["x = %d" % i for i in range(9000)] + ["EVENT.wait()"]
    exec(compile("\n".join(lines), "long.py", "exec"), {"EVENT": EVENT})


def blocks_over_lines():
    EVENT.wait(
        max(
            FOREVER,
            1,
        )
    )


def describe(frame):
    code = frame.f_code
    column = None
    if hasattr(code, "co_positions"):
        for place, (_, _, start, _) in enumerate(code.co_positions()):
            if place == frame.f_lasti // 2 and start is not None:
                column = start + 1
    return {
        "function": getattr(code, "co_qualname", None) or code.co_name,
        "plain": code.co_name,
        "file": code.co_filename,
        "line": frame.f_lineno,
        "first_line": code.co_firstlineno,
        "column": column,
    }


def all_frames():
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    told = {}
    for ident, frame in sys._current_frames().items():
        frames = []
        while frame:
            frames.append(describe(frame))
            frame = frame.f_back
        told[str(ident)] = {"name": names.get(ident), "frames": frames}
    return told


def others(told):
    return {ident: row for ident, row in told.items() if int(ident) != threading.get_ident()}


def wait_until_all_stand():
    """Every thread is in the function that it was made for, and twice at the same place."""
    deadline = time.monotonic() + DEADLINE_S
    before = None
    while time.monotonic() < deadline:
        now = others(all_frames())
        begun = all(
            any(frame["plain"] == row["name"].split(" ")[0] for frame in row["frames"])
            for row in now.values()
        )
        if begun and now == before:
            return
        before = now
        time.sleep(0.1)
    sys.exit("the threads did not come to rest")


PLACES = [
    value
    for name, value in sorted(globals().items())
    if name.startswith("blocks_") or name.startswith("größe")
]


def main():
    for place in PLACES:
        threading.Thread(target=place, name=place.__name__ + " ö", daemon=True).start()
    wait_until_all_stand()
    print("READY")
    sys.stdout.flush()
    while sys.stdin.readline():
        print(json.dumps(all_frames()))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
