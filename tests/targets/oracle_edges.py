"""A program whose every call is known beforehand: short leaf calls, generators, exceptions,
comprehensions, methods, recursion and callbacks from C, in turn and for ever.

The rules that make it an oracle: every function starts on a line of its own; a line calls one
thing; what each name can reach is in REACHES (a name that isn't there reaches the function of that
name, or nothing of ours). tests/oracles/legal_edges.py derives the legal edges from the bytecode.
No threads, no finalisers, no signal handlers, no imports: they could run anywhere.
"""

import gc
import sys

# Names through which a line reaches a function of another name: variables, attributes, protocols.
REACHES = {
    "sorted": ["order_key"],
    "map": ["mapped"],
    "mapped_values": ["mapped"],
    "sum": ["stepped"],
    "handed": ["double"],
    "Point": ["Point.__init__"],
    "len": ["Point.__len__"],
    "indexed": ["Point.__getitem__"],
    "size": ["Point.size"],
    "closing": ["closed_generator"],
    "echo": ["echo_generator"],
    # What is only handed over on the line, and called elsewhere:
    "order_key": [],
    "mapped": [],
    "double": [],
    # The iterator of a comprehension that is a function (before 3.12).
    ".0": ["counting"],
}


def leaf_a(x):
    return x + 1


def leaf_b(x):
    return x + 2


def leaf_c(x):
    y = x + 3
    return y * 2


def leaf_empty(x):
    pass


def alternate(n):
    i = 0
    while i < n:
        leaf_a(i)
        leaf_b(i)
        leaf_empty(i)
        leaf_c(i)
        i += 1


def fails(x):
    raise ValueError(x)


def fails_below(x):
    y = x + 1
    fails(y)


def after_failure(x):
    return x - 1


def cleanup(x):
    return x ^ 1


def exceptions(n):
    i = 0
    while i < n:
        try:
            fails_below(i)
        except ValueError:
            after_failure(i)
        finally:
            cleanup(i)
        try:
            fails(i)
        except ValueError:
            leaf_a(i)
        i += 1


def counting(n):
    i = 0
    while i < n:
        yield i
        i += 1


def delegating(n):
    yield from counting(n)
    leaf_b(n)


def stepped(n):
    for item in counting(n):
        yield leaf_c(item)


def closed_generator():
    try:
        while True:
            yield 1
    finally:
        cleanup(1)


def echo_generator():
    got = 0
    while True:
        got = yield leaf_a(got)


def generators(n):
    for item in counting(n):
        leaf_a(item)
    for item in delegating(n):
        leaf_b(item)
    sum(stepped(n))
    closing = closed_generator()
    next(closing)
    closing.close()
    echo = echo_generator()
    next(echo)
    echo.send(4)
    echo.send(5)
    echo.close()


def element(x):
    return x + 5


def squares(n):
    return [
        element(x)
        for x in counting(n)
    ]


def comprehensions(n):
    squares(n)
    some = {leaf_a(x): leaf_a(x) for x in (1, 2, 3)}
    lazy = (leaf_b(x) for x in some)
    for item in lazy:
        leaf_c(item)


class Point:
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self.x + index

    def size(self):
        return leaf_a(self.x)


def methods(n):
    point = Point(n)
    len(point)
    indexed = point
    indexed[2]
    point.size()


def order_key(x):
    return -x


def mapped(x):
    return leaf_b(x)


def double(x):
    return 2 * x


def apply(handed, x):
    return handed(x)


VALUES = [5, 3, 9, 1]


def callbacks(n):
    sorted(VALUES, key=order_key)
    mapped_values = map(mapped, VALUES)
    for item in mapped_values:
        leaf_c(item)
    apply(double, n)
    identity = lambda x: x
    identity(n)


def recursive(n):
    if n > 0:
        return recursive(n - 1) + 1
    return leaf_c(n)


def even(n):
    if n > 0:
        return odd(n - 1)
    return leaf_a(n)


def odd(n):
    if n > 0:
        return even(n - 1)
    return leaf_b(n)


def turn():
    alternate(10)
    exceptions(3)
    generators(4)
    comprehensions(3)
    methods(2)
    callbacks(3)
    recursive(6)
    even(5)


if __name__ == "__main__":
    gc.disable()
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    while True:
        turn()
