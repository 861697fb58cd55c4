"""Recursion to a given depth, at whose bottom two functions run a small summing loop in turn.

    recursion.py DEPTH

Prints READY when it runs; ends when its standard input ends or by a signal.
"""

import sys


def first_sum(n):
    total = 0
    for i in range(n):
        total += i
    return total


def second_sum(n):
    total = 0
    for i in range(n):
        total += i
    return total


def descend(depth):
    if depth > 0:
        return descend(depth - 1)
    return first_sum(100) + second_sum(100)


def main():
    depth = int(sys.argv[1])
    sys.setrecursionlimit(depth + 100)
    print("READY", flush=True)
    while True:
        descend(depth)


if __name__ == "__main__":
    main()
