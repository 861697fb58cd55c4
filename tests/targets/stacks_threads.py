"""Three threads that stay, with names, and many that come and go for SECONDS, a few at a time; with -
for SECONDS none come, and all goes on until stdin closes.

Each spins in a function of its own: stay_K in the thread "stays ß K", come_and_go in the others, whose
names say so too. Prints READY, then FACTS and [threads that came, names of those that stay]."""

import json
import sys
import threading
import time

STAYING = 3
AT_A_TIME = 4
OVER = threading.Event()


def pause(seconds):
    time.sleep(seconds)


def work(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def stay_0():
    while not OVER.is_set():
        work(0.005)
        pause(0.005)


def stay_1():
    while not OVER.is_set():
        work(0.005)
        pause(0.005)


def stay_2():
    OVER.wait()


def come_and_go(kind):
    if kind % 3 == 0:
        work(0.004)
    elif kind % 3 == 1:
        pause(0.004)


def main():
    until_stdin_closes = sys.argv[1] == "-"
    end = time.monotonic() + float(0 if until_stdin_closes else sys.argv[1])
    staying = [
        threading.Thread(target=function, name="stays ß %d" % number)
        for number, function in enumerate((stay_0, stay_1, stay_2))
    ]
    for thread in staying:
        thread.start()
    print("READY", flush=True)
    if until_stdin_closes:
        sys.stdin.readline()
    came = 0
    living = []
    while time.monotonic() < end or (came < 200 and not until_stdin_closes):
        for _ in range(AT_A_TIME):
            living.append(
                threading.Thread(target=come_and_go, args=[came], name="comes %d" % came)
            )
            living[-1].start()
            came += 1
        while len(living) > AT_A_TIME:
            living.pop(0).join()
    OVER.set()
    for thread in living + staying:
        thread.join()
    print("FACTS " + json.dumps([came, [thread.name for thread in staying]]), flush=True)


main()
