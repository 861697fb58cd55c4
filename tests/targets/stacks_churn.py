"""Makes code objects and drops them, so that their addresses are used again, for SECONDS of CPU time.

Function f_K lies alone in its source, at lines base(K) to base(K) + 6, and so tells by its name and
line whether a sample is possible; <module> of that source only has line base(K) + 7 and, while the
function is made, base(K). Others are shallow and deep in the stack, and dropped while they run.
"""

import sys
import time

FILE = "<churn>"


def base(number):
    return 1 + (number % 499) * 11


SOURCE = """def f_{0}(spin, down):
    total = 0
    if down:
        total += down(spin)
    else:
        total += spin()
    return total + len('{0}')
f_{0}(spin, down)
"""


def spin():
    end = time.thread_time() + 0.0015
    while time.thread_time() < end:
        pass
    return 1


def run(number, down=None):
    source = "\n" * (base(number) - 1) + SOURCE.format(number)
    exec(compile(source, FILE, "exec"), {"spin": spin, "down": down})


def deeper(levels):
    """Calls that stand between a dropped function and the leaf."""

    def down(spin, levels=levels):
        return spin() if levels == 0 else down(spin, levels - 1)

    return down


def main():
    end = time.thread_time() + float(sys.argv[1])
    number = 0
    print("READY", flush=True)
    while time.thread_time() < end:
        run(number)
        run(number + 1, deeper(12))
        number += 2
    print("FACTS %d" % number, flush=True)


main()
