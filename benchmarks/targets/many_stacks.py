"""Twenty threads, each of which walks through 500 stacks of its own.

    many_stacks.py [THREADS [STACKS]]

A stack is a path of nine calls of `left` or `right` from its thread's own function. Prints READY.
"""

import random
import sys
import threading
import time

LEVELS = 9


def work():
    total = 0
    for value in range(400):
        total += value
    return total


def left(path, level):
    return work() if level == 0 else turn(path, level - 1)


def right(path, level):
    return work() if level == 0 else turn(path, level - 1)


def turn(path, level):
    if path >> level & 1:
        return left(path, level)
    return right(path, level)


def walk(stacks, first):
    order = list(range(stacks))
    random.Random(first).shuffle(order)
    while True:
        for path in order:
            for _ in range(20):
                turn(path, LEVELS)
            time.sleep(0.002)


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    stacks = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    for i in range(threads):
        names = {"walk": walk}
        exec("def walker_%d(stacks):\n walk(stacks, %d)" % (i, i), names)
        threading.Thread(target=names["walker_%d" % i], args=(stacks,), daemon=True).start()
    print("READY", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
