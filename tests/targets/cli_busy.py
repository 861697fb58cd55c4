"""Work with known shares, until the time is over: cli_busy.py SECONDS [HEAVY LIGHT [NAP_MS]]

HEAVY and LIGHT are the rounds of one turn in two functions; then comes a nap, if there is one.
Two threads with names wait beside it. Says READY with its pid, at the end whether it turned.
"""

import os
import sys
import threading
import time


def heavy(rounds):
    total = 0
    for number in range(rounds):
        total += number % 7  # the hot line
    return total


def light(rounds):
    total = 0
    for number in range(rounds):
        total += number % 7
    return total


def nap(seconds):
    time.sleep(seconds)


def turn(rounds_heavy, rounds_light, nap_s):
    heavy(rounds_heavy)
    light(rounds_light)
    if nap_s:
        nap(nap_s)


def is_over(elapsed, seconds):
    """On a loaded machine a little later: something must have been done."""
    done = time.process_time() > 0.3 * min(seconds, 2)
    return elapsed > seconds and (done or elapsed > 5 * seconds)


def wait_for_end(event):
    event.wait()


def main(seconds, rounds_heavy=30000, rounds_light=10000, nap_ms=0):
    event = threading.Event()
    waiters = [
        threading.Thread(target=wait_for_end, args=(event,), name=name)
        for name in ("first waiter", "zweiter Wärter")
    ]
    for waiter in waiters:
        waiter.start()
    print("READY", os.getpid(), flush=True)
    start = time.monotonic()
    turns = 0
    while not is_over(time.monotonic() - start, seconds):
        turn(rounds_heavy, rounds_light, nap_ms / 1e3)
        turns += 1
    event.set()
    print("TURNS", "some" if turns else "none", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), *(int(word) for word in sys.argv[2:]))
