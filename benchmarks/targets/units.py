"""Does the same piece of work again and again and notes when each one ended.

    units.py FILE

FILE is made by the caller: 8-byte numbers, the first is how many follow; the target appends the
value of time.perf_counter_ns() after each unit. Prints READY; ends by a signal, or when FILE is full.
A unit is about 2 ms of calls, a loop, a generator, a dictionary and builtins.
"""

import mmap
import sys
from time import perf_counter_ns


def small_call(value):
    return value + 1


def generated(count):
    for value in range(count):
        yield value


def unit():
    total = 0
    for value in range(3000):
        total = small_call(total)
    for value in generated(3000):
        total += value
    counts = {}
    for value in range(3000):
        counts[value & 255] = value
    total += sum(sorted(counts.values(), reverse=True))
    for value in range(6000):
        total ^= value
    return total


def main():
    with open(sys.argv[1], "r+b") as file:
        stamps = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
    print("READY", flush=True)
    for i in range(1, len(stamps)):
        unit()
        stamps[i] = perf_counter_ns()
        stamps[0] = i


if __name__ == "__main__":
    main()
