"""What an hour costs: the recording's size, and Pyrometer's own memory

(a) A real recording of 20 threads of 500 paths each, at the default rate: size after one minute and after
three, carried on to an hour by what each minute adds (the names and sums of the first minute are
counted once); peak memory (VmHWM) at one minute and at three. (b) The writer's worst case, by
tests/unit/recording/test_recording_size.c: an hour at 300 instants a second of 20 threads whose
stacks are drawn evenly from 500. Bars: under 50 MB an hour; memory under the sum
of its documented bounds at three minutes (new stacks are kept, so it still grows slowly then).
"""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import time

import support

BAR_MB = 50
# The writer's bounds (docs/recording.md, 24 MiB and a transaction), SQLite's cache, the sampler's ring
# of 8 MiB, and what is known of the target: code, stacks, names.
PEAK_MIB = 64
WORST_CASE = os.path.join(os.path.dirname(support.PYROMETER), "test_recording_size")


def peak_kib(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1])


def look(path, pid, seconds):
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as base:
        blocks, samples = base.execute(
            "SELECT count(*), coalesce(sum(sample_count), 0) FROM sample_block"
        ).fetchone()
        stacks = base.execute(
            "SELECT count(*) FROM (SELECT DISTINCT thread, stack FROM aggregate)"
        ).fetchone()[0]
    return {"seconds": seconds, "bytes": os.path.getsize(path), "samples": samples,
            "blocks": blocks, "thread_stacks": stacks, "peak_kib": peak_kib(pid)}  # fmt: skip


def real_recording(place, python, moments):
    path = os.path.join(place.folder, "size.pyro")
    looks = []
    with support.Target(place, python, "many_stacks.py") as target:
        running = support.Running([support.PYROMETER, "record", "-p", str(target.pid), "-o", path])
        try:
            for moment in moments:
                support.progress("a recording of 20 threads: until %d s" % moment)
                time.sleep(max(0, running.started + moment - time.monotonic()))
                if running.ended():
                    raise RuntimeError("it ended: " + running.output()[-300:])
                looks.append(look(path, running.process.pid, moment))
        finally:
            if not running.ended():
                running.process.send_signal(signal.SIGINT)
            measured = running.wait(limit_s=30)
    support.progress("")
    return looks, support.recording_meta(path), measured


def measure(place, quick):
    worst_case = WorstCase(30 if quick else 3600)
    try:
        result = measure_recording(place, quick)
        worst_case.result_to(result)
    finally:
        worst_case.end()
    return result


def measure_recording(place, quick):
    python = support.interpreter("3.13")
    looks, meta, measured = real_recording(place, python, (4, 8) if quick else (60, 180))
    first, last = looks
    slope = (last["bytes"] - first["bytes"]) / (last["seconds"] - first["seconds"])
    hour_mb = (last["bytes"] + slope * (3600 - last["seconds"])) / 1e6
    rate = float(meta["rate_hz"])
    version = support.Pyrometer("").version()
    rows = [("pyrometer record", version, python.version, one["seconds"],
             "%.2f" % (one["bytes"] / 1e6), one["samples"], one["thread_stacks"],
             "%.1f" % (one["peak_kib"] / 1024)) for one in looks]  # fmt: skip
    support.table(("tool", "version", "interpreter", "seconds", "MB", "samples in blocks",
                   "stacks by thread", "peak MiB"), rows)  # fmt: skip
    print("  an hour at this rate (%.0f Hz): %.1f MB\n" % (rate, hour_mb))
    result = {
        "version": version, "interpreter": python.version, "looks": looks, "hour_mb": hour_mb,
        "rate_hz": rate, "self_cpu": measured.cpu_s / measured.wall_s, "bars": [],
    }  # fmt: skip
    bars = result["bars"]
    if not quick:
        peak, stacks = last["peak_kib"] / 1024, last["thread_stacks"] - first["thread_stacks"]
        bars.append({"text": "memory: %.1f MiB at 1 minute, %.1f at 3, with %d more stacks (bar %d)" % (
            first["peak_kib"] / 1024, peak, stacks, PEAK_MIB), "met": peak <= PEAK_MIB})  # fmt: skip
    bars.append({"text": "recording: %.1f MB an hour, 20 threads, 500 paths each (bar 50)" % hour_mb,
                 "met": None if quick else hour_mb < BAR_MB})  # fmt: skip
    return result


class WorstCase:
    """The writer's test, run beside the recording: it takes a processor, not the one measured."""

    def __init__(self, seconds):
        self.seconds, self.process = seconds, None
        if not os.access(WORST_CASE, os.X_OK):
            print("  not run: %s (built where cmocka is installed)" % WORST_CASE)
            return
        self.process = subprocess.Popen(
            [WORST_CASE], env=os.environ | {"PYROMETER_SIZE_SECONDS": str(seconds)}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=support.ROOT,
        )  # fmt: skip

    def result_to(self, result):
        if not self.process:
            return
        support.progress("the writer's worst case, %d s of samples" % self.seconds)
        output, _ = self.process.communicate()
        support.progress("")
        found = re.search(r"(\d+) samples: ([\d.]+) MB, .*", output)
        if not found:
            raise RuntimeError("test_recording_size said: " + output[-300:])
        print("  worst case of the writer, %d s: %s\n" % (self.seconds, found[0]))
        result["worst_case"] = {"seconds": self.seconds, "text": found[0], "mb": float(found[2])}
        met = self.process.returncode == 0 and float(found[2]) < BAR_MB
        text = "recording, the writer's worst case: %s MB an hour (bar 50)" % found[2]
        result["bars"].append({"text": text, "met": met if self.seconds == 3600 else None})

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
