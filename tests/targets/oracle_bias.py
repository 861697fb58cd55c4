"""Programs whose time is spread in a known way, to compare a profile's shares with the truth.

    oracle_bias.py PROGRAM [SECONDS]

add0 add1 add4 add16 add64   two functions in turn, each with that many additions in its body
loops generators calls       many lines of one kind, for ever
phases                       loops, calls, generators, builtins in phases of a few milliseconds, drawn
                             at random; each phase's CPU time is taken by time.thread_time_ns

Prints READY and, before it, for add*: CALIBRATION and JSON: the CPU time of the empty loop, of f alone
and of g alone (per turn, without the loop). Runs until a line (or the end) comes on stdin; then, for
phases: STAMPS and JSON: [[phase, monotonic_ns, thread_time_ns] …] at each start of a phase, the last
one the end, and the difference of the clocks realtime - monotonic.
"""

import gc
import itertools
import json
import random
import select
import sys
import time

ALTERNATE = """
def f(x):
{body}

def g(x):
{body}

for _ in turns:
    f(0)
    g(0)
"""
ONE = "for _ in repeat(None, n):\n    {}\n"
CALIBRATION_TURNS = 5000
CALIBRATION_ROUNDS = 40


def body(additions):
    return "\n".join(["    x + 1"] * additions) or "    pass"


def calibrate(program):
    """CPU ns per turn of the empty loop, f and g, from interleaved blocks."""
    blocks = {
        name: compile(ONE.format(text), "calibration", "exec")
        for name, text in (("loop", "pass"), ("f", "f(0)"), ("g", "g(0)"))
    }
    scope = dict(program, n=CALIBRATION_TURNS)
    costs = {name: [] for name in blocks}
    for turn in range(CALIBRATION_ROUNDS + 2):
        for name, code in blocks.items():
            start = time.thread_time_ns()
            exec(code, scope)
            if turn >= 2:  # the first turns warm up
                costs[name].append((time.thread_time_ns() - start) / CALIBRATION_TURNS)
    # The median: on a shared machine some blocks are disturbed.
    middle = {name: sorted(values)[len(values) // 2] for name, values in costs.items()}
    return {
        "loop": middle["loop"],
        "f": middle["f"] - middle["loop"],
        "g": middle["g"] - middle["loop"],
    }


def alternate(additions):
    program = {"__name__": "alternate", "repeat": itertools.repeat, "turns": ()}
    code = compile(ALTERNATE.format(body=body(additions)), "alternate.py", "exec")
    exec(code, program)
    print("CALIBRATION " + json.dumps(calibrate(program)))
    program["turns"] = itertools.repeat(None)
    ready()
    exec(code, program)


# --- programs of one kind -----------------------------------------------------


def sum_up(n):
    total = 0
    for i in range(n):
        total += i
    return total


def bits(n):
    count = 0
    while n:
        count += n & 1
        n >>= 1
    return count


def mix(n):
    x = n
    for i in range(n):
        x = (x * 31 + i) & 0xFFFF
        if x & 1:
            x ^= i
    return x


def loops():
    while True:
        sum_up(60)
        mix(50)
        bits(1 << 40)
        for i in range(20):
            i * i


def numbers(n):
    for i in range(n):
        yield i


def evens(source):
    for i in source:
        if not i & 1:
            yield i


def scaled(source):
    for i in source:
        yield i * 3


def generators():
    while True:
        for item in scaled(evens(numbers(40))):
            item + 1
        total = 0
        for item in evens(numbers(30)):
            total += item


def add(a, b):
    return a + b


def twice(a):
    return add(a, a)


def square_sum(a, b):
    return add(a * a, twice(b))


class Counter:
    def __init__(self):
        self.value = 0

    def step(self, by):
        self.value += by
        return self

    def get(self):
        return self.value


def calls():
    counter = Counter()
    while True:
        add(1, 2)
        twice(3)
        square_sum(4, 5)
        counter.step(1)
        counter.get()


# --- phases -------------------------------------------------------------------


def phase_loop(n):
    total = 0
    for i in range(n * 25):
        total += i & 7
    return total


def phase_calls(n):
    for _ in range(n):
        square_sum(1, 2)


def phase_generator(n):
    for item in scaled(evens(numbers(n * 4))):
        pass


def phase_builtins(n):
    values = list(range(100, 0, -1))
    for _ in range(n // 4):
        sorted(values)


PHASES = (phase_loop, phase_calls, phase_generator, phase_builtins)


def phases(seconds):
    stamps = []
    draw = random.Random(7)
    end = time.monotonic() + seconds
    ready()
    while time.monotonic() < end and not select.select([sys.stdin], [], [], 0)[0]:
        phase = draw.randrange(len(PHASES))
        n = draw.randrange(200, 3000)
        stamps.append((phase, time.monotonic_ns(), time.thread_time_ns()))
        PHASES[phase](n)
    stamps.append((-1, time.monotonic_ns(), time.thread_time_ns()))
    offset = time.time_ns() - time.monotonic_ns()
    print("STAMPS " + json.dumps({"stamps": stamps, "realtime_minus_monotonic": offset}))
    sys.stdout.flush()


def ready():
    gc.disable()
    print("READY")
    sys.stdout.flush()


def main(name, seconds=600.0):
    if name.startswith("add"):
        alternate(int(name[3:]))
    elif name == "phases":
        phases(float(seconds))
    else:
        ready()
        {"loops": loops, "generators": generators, "calls": calls}[name]()


if __name__ == "__main__":
    main(*sys.argv[1:])
