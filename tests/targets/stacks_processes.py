"""Becomes several processes, each spinning in a function of its own for a short while of CPU
time. The first argument says how:

fork            forks, twice deep: in_parent, in_child, in_grandchild
exec PROGRAM…   before_exec, then execs the command given
after           what a command runs: after_exec
spawn, forkserver, fork-pool
                multiprocessing's ways: in_parent and in_worker, two workers
threads-fork    forks while another thread runs: in_child has only its own thread then

Each process prints NAME PID for the function that it spins in."""

import multiprocessing
import os
import sys
import threading
import time

SPIN_S = 0.15


def spin():
    end = time.process_time() + SPIN_S
    while time.process_time() < end:
        pass


def say(name):
    os.write(1, ("%s %d\n" % (name, os.getpid())).encode())


def in_parent():
    say("in_parent")
    spin()


def in_child():
    say("in_child")
    spin()


def in_grandchild():
    say("in_grandchild")
    spin()


def in_worker(_):
    say("in_worker")
    spin()


def before_exec():
    say("before_exec")
    spin()


def after_exec():
    say("after_exec")
    spin()


def in_thread():
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        time.sleep(0.01)


def fork(child):
    pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(0)
    return pid


def fork_twice():
    def child():
        grandchild = fork(in_grandchild)
        in_child()
        os.waitpid(grandchild, 0)

    pid = fork(child)
    in_parent()
    os.waitpid(pid, 0)


def fork_with_threads():
    thread = threading.Thread(target=in_thread, name="stays in the parent")
    thread.start()
    pid = fork(in_child)
    in_parent()
    os.waitpid(pid, 0)
    thread.join()


def pool(method):
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=in_worker, args=[n], name="worker %d" % n) for n in range(2)]
    for worker in workers:
        worker.start()
    in_parent()
    for worker in workers:
        worker.join()


def main(how, *rest):
    if how == "fork":
        fork_twice()
    elif how == "exec":
        before_exec()
        os.execv(rest[0], list(rest))
    elif how == "after":
        after_exec()
    elif how == "threads-fork":
        fork_with_threads()
    else:
        pool({"fork-pool": "fork"}.get(how, how))


if __name__ == "__main__":
    main(*sys.argv[1:])
