"""Fills a recording: ever new stacks and lines in several threads, for SECONDS of CPU time, so that
a busy machine gives no fewer."""

import os
import sys
import threading
import time

SOURCE = """def step_%d(depth, choice):
%s    return depth if depth <= 0 else CALL(depth - 1, choice * 31 + 7)
"""


def make(count):
    names = {}
    for number in range(count):
        body = "".join("    x%d = sum(range(30))\n" % line for line in range(number % 9))
        exec(compile(SOURCE % (number, body), "made_%d.py" % (number % 50), "exec"), names)
    names["CALL"] = lambda depth, choice: names["step_%d" % (choice % count)](depth, choice)
    return names["CALL"]


def work(call, seconds, choice):
    end = time.process_time() + seconds
    while time.process_time() < end:
        choice = choice * 1103515245 + 12345 & 0x7FFFFFFF
        call(choice % 40, choice)


if __name__ == "__main__":
    call = make(800)
    print("READY", os.getpid(), flush=True)
    seconds = float(sys.argv[1])
    threads = [threading.Thread(target=work, args=(call, seconds, seed)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
