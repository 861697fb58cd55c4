"""A program of known shares: four phases drawn at random, each timed by the thread's own CPU clock.

    shares.py FILE

FILE is made by the caller: 8-byte numbers; the target adds to number k the thread_time_ns that
phase k has taken, so that a profiler's shares can be held against them. Prints READY.
"""

import mmap
import random
import sys
from time import thread_time_ns


def step(value):
    return value + 1


def numbers(count):
    for value in range(count):
        yield value


def plain_loop(count):
    total = 0
    for value in range(count * 20):
        total += value & 3
    return total


def small_calls(count):
    total = 0
    for _ in range(count * 8):
        total = step(total)
    return total


def a_generator(count):
    total = 0
    for value in numbers(count * 8):
        total += value
    return total


def builtins(count):
    total = 0
    for value in range(count):
        total += len(sorted((value, 3, 1, 2))) + sum((1, 2, 3)) + max(value, 7)
    return total


PHASES = (plain_loop, small_calls, a_generator, builtins)


def main():
    with open(sys.argv[1], "r+b") as file:
        taken = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
    draw = random.Random()
    print("READY", flush=True)
    while True:
        k = draw.choice((0, 0, 1, 1, 2, 3))
        count = int(draw.expovariate(1 / 600)) + 100
        before = thread_time_ns()
        PHASES[k](count)
        taken[k] += thread_time_ns() - before


if __name__ == "__main__":
    main()
