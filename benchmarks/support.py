"""What the benchmarks share: interpreters, targets, tools, processor placement, statistics, rows.

Standard library only (Python 3.11 or later). The peers live in a virtual environment of their own
(requirements.txt), CPython 3.14 and 3.15 in a debootstrapped root where the machine has none.
"""

import contextlib
import glob
import json
import mmap
import os
import platform
import random
import re
import selectors
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TARGETS = os.path.join(HERE, "targets")
CACHE = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pyrometer"
)
VENV = os.path.join(CACHE, "bench-venv")
SID = os.environ.get("PYROMETER_SID") or os.path.join(CACHE, "sid")
PYROMETER = os.path.abspath(
    os.environ.get("PYROMETER") or os.path.join(ROOT, "build", "pyrometer")
)
READY_S = 30
END_S = 20


class Missing(Exception):
    """What a row needs is not on this machine; the text says what."""


# --- interpreters -----------------------------------------------------------


class Interpreter:
    """One CPython; `root` is None or the folder that it runs in by chroot."""

    def __init__(self, path, root, version):
        self.path, self.root, self.version = path, root, version
        self.minor = ".".join(version.split(".")[:2])

    def argv(self, *arguments):
        return (["chroot", self.root] if self.root else []) + [self.path, *map(str, arguments)]


def _probe(path, root):
    command = (["chroot", root] if root else []) + [path, "-c"]
    command.append("import platform as p; print(p.python_implementation(), p.python_version())")
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd="/")
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = answer.stdout.split()
    if answer.returncode != 0 or fields[:1] != ["CPython"]:
        return None
    return Interpreter(path, root, fields[1])


def _candidates(minor):
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for folder in sorted(glob.glob("%s/versions/%s.*" % (pyenv, minor)), reverse=True):
        yield folder + "/bin/python", None
    yield "/usr/bin/python" + minor, None
    on_path = shutil.which("python" + minor)
    if on_path:
        yield on_path, None
    inside = "/usr/bin/python" + minor
    if os.geteuid() == 0 and os.access(SID + inside, os.X_OK):
        if not os.path.exists(SID + "/proc/self"):
            subprocess.run(["mount", "-t", "proc", "proc", SID + "/proc"], stderr=subprocess.DEVNULL)
        yield inside, SID


_found = {}


def interpreter(minor):
    """The CPython of that version; raises Missing with what to do."""
    if minor not in _found:
        probes = (_probe(path, root) for path, root in _candidates(minor))
        _found[minor] = next((found for found in probes if found), None)
    if _found[minor] is None:
        hint = " (./dev matrix makes %s)" % SID if minor in ("3.14", "3.15") else ""
        raise Missing("no CPython %s here%s" % (minor, hint))
    return _found[minor]


# --- places -----------------------------------------------------------------


class Workplace:
    """A scratch folder, and one inside the debootstrapped root for what runs there."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pyrometer-bench-")
        self._inside = {}
        self._count = 0

    def path(self, suffix):
        self._count += 1
        return os.path.join(self.folder, "%d%s" % (self._count, suffix))

    def within(self, root):
        """(folder on this machine, the same folder as the root sees it)."""
        if not root:
            return self.folder, self.folder
        if root not in self._inside:
            self._inside[root] = tempfile.mkdtemp(prefix="pyrometer-bench-", dir=root + "/tmp")
        host = self._inside[root]
        return host, host[len(root) :]

    def place(self, path, root):
        """Makes a file visible inside the root; returns its name there."""
        if not root:
            return path
        host, inside = self.within(root)
        shutil.copy(path, host)
        return os.path.join(inside, os.path.basename(path))

    def remove(self):
        for folder in [self.folder, *self._inside.values()]:
            shutil.rmtree(folder, ignore_errors=True)


def processors():
    """(those for the target, those for the profiler): apart where there are two or more."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        return {allowed[0]}, {allowed[0]}
    return {allowed[0]}, set(allowed[1:])


# --- targets ----------------------------------------------------------------


class Target:
    """A running Python program, in a session of its own; `pid` is the interpreter itself."""

    def __init__(self, place, python, script, *arguments, cpus=None):
        path = place.place(os.path.join(TARGETS, script), python.root)
        self.python = python
        self.process = subprocess.Popen(
            python.argv("-u", path, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
        )
        self.pid = self.process.pid
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(READY_S) or self.process.stdout.readline().strip() != b"READY":
                self.end()
                raise RuntimeError("%s did not get ready" % script)

    def cpu_s(self):
        """CPU time of its main thread, from the scheduler."""
        with open("/proc/%d/schedstat" % self.pid) as file:
            return int(file.read().split()[0]) / 1e9

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Numbers:
    """A file of 8-byte numbers that a target writes and we read while it runs."""

    def __init__(self, place, root, count):
        host, inside = place.within(root)
        descriptor, self.host_path = tempfile.mkstemp(dir=host, suffix=".numbers")
        os.ftruncate(descriptor, 8 * count)
        self.path = os.path.join(inside, os.path.basename(self.host_path))
        self.values = memoryview(mmap.mmap(descriptor, 8 * count)).cast("Q")
        os.close(descriptor)


# --- tools ------------------------------------------------------------------


class Measured:
    """What a profiler did: its output, its CPU (all threads, all children waited for)."""

    def __init__(self, status, output, cpu_s, wall_s):
        self.status, self.output, self.cpu_s, self.wall_s = status, output, cpu_s, wall_s


class Running:
    """A profiler at work; its stdout and stderr go to a file."""

    def __init__(self, argv, cpus=None):
        self._output = tempfile.TemporaryFile()
        self.argv = argv
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            cwd="/",
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
        )

    def output(self):
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def ended(self):
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def wait(self, stop_after_s=None, limit_s=60):
        """Waits; sends SIGINT after stop_after_s, SIGKILL limit_s later."""
        interrupt = None if stop_after_s is None else self.started + stop_after_s
        kill = (interrupt or self.started) + limit_s
        while not self.ended():
            now = time.monotonic()
            if interrupt and now >= interrupt:
                self.process.send_signal(signal.SIGINT)
                interrupt = None
            elif now >= kill:
                self.process.kill()
            time.sleep(0.01)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        measured = Measured(
            self.process.returncode,
            re.sub(r"\x1b\[[0-9;]*m", "", self.output()),
            usage.ru_utime + usage.ru_stime,
            time.monotonic() - self.started,
        )
        self._output.close()
        return measured


def in_venv(name):
    path = os.path.join(VENV, "bin", name)
    if not os.access(path, os.X_OK):
        raise Missing("%s is not in %s" % (name, VENV))
    return path


def installed(package):
    for folder in glob.glob("%s/lib/python3*/site-packages/%s-*.dist-info" % (VENV, package)):
        return os.path.basename(folder).split("-")[1].removesuffix(".dist")
    return "unknown"


class Count:
    """What a tool says that it took."""

    def __init__(self, valid, failed, seconds):
        self.valid, self.failed, self.seconds = valid, failed, seconds


class Tool:
    """One way to attach one profiler. `command` returns argv; the tool ends by itself after
    `seconds`, or by SIGINT where `interrupt` says so. `stacks` yields (frames root first, weight)
    with function names only."""

    interrupt = False
    output_suffix = ".txt"

    def __init__(self, label, *options):
        self.label, self.options = label, list(options)

    def version(self):
        return installed(self.package)

    def where(self, target):
        """The root that the tool itself runs in, None for this machine's."""
        return None

    def run(self, place, target, seconds, cpus=None):
        root = self.where(target)
        host, inside = place.within(root)
        name = "%d%s" % (random.getrandbits(48), self.output_suffix)
        self.file = os.path.join(host, name)
        argv = self.command(place, target, seconds, os.path.join(inside, name))
        running = Running(argv, cpus)
        measured = running.wait(seconds + 0.2 if self.interrupt else None)
        if not os.path.exists(self.file):
            raise RuntimeError("%s wrote nothing: %s" % (self.label, measured.output[-400:]))
        return measured

    def command(self, place, target, seconds, out):
        raise NotImplementedError

    def count(self, measured):
        raise NotImplementedError

    def stacks(self):
        with open(self.file, errors="replace") as file:
            for line in file:
                text, _, weight = line.rpartition(" ")
                if text and not text.startswith("#"):
                    yield [self.function_of(part) for part in text.split(";")], int(weight)

    def function_of(self, part):
        return part.split(" (")[0].split(":")[0]


class Pyrometer(Tool):
    output_suffix = ".pyro"
    states = "0, 1, 5"  # of docs/recording.md: on the CPU, not known

    def shares_a_core(self):
        """Whether it reads from the target's own core, and so must be allowed there."""
        return not {"--other-core", "max", "--stop"} & set(self.options)

    def version(self):
        answer = subprocess.run([PYROMETER, "--version"], capture_output=True, text=True)
        return answer.stdout.split()[-1] if answer.stdout else "unknown"

    def command(self, place, target, seconds, out):
        return [PYROMETER, "record", *self.options, "-p", str(target.pid), "-d",
                "%dms" % (seconds * 1000), "-o", out]  # fmt: skip

    def meta(self):
        return recording_meta(self.file)

    def count(self, measured):
        meta = self.meta()
        return Count(
            int(meta["counts.valid"]),
            int(meta["counts.torn"]) + int(meta["counts.failed"]),
            int(meta["duration_ns"]) / 1e9,
        )

    def stacks(self):
        """Of the time on the CPU: waiting threads are no part of what the peers count either.
        Without torn ones."""
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % self.file, uri=True)) as base:
            names = dict(base.execute(
                "SELECT frame.id, text FROM frame JOIN function ON function.id = frame.function"
                " JOIN string ON string.id = function.name"))  # fmt: skip
            stacks = {row[0]: row[1:] for row in base.execute("SELECT id, parent, frame FROM stack")}
            rows = base.execute(
                "SELECT stack, sum(count) FROM aggregate"
                " WHERE state IN (%s) AND flags & 1 = 0 GROUP BY stack" % self.states
            ).fetchall()
        for stack, count in rows:
            frames = []
            while stack:
                stack, frame = stacks[stack]
                frames.append(names.get(frame, "?"))
            yield frames[::-1], count


class PySpy(Tool):
    package = "py_spy"
    interrupt = True  # its -d counts samples, not seconds: at a high rate it never ends

    def command(self, place, target, seconds, out):
        return [in_venv("py-spy"), "record", *self.options, "-p", str(target.pid), "-f", "raw",
                "-d", "100000", "-o", out]  # fmt: skip

    def count(self, measured):
        found = re.search(r"Samples: (\d+) Errors: (\d+)", measured.output)
        if not found:
            raise RuntimeError("py-spy said: " + measured.output[-300:])
        return Count(int(found[1]), int(found[2]), None)


class Austin(Tool):
    package = "austin_dist"
    output_suffix = ".mojo"

    def where(self, target):
        return target.python.root

    def command(self, place, target, seconds, out):
        root = self.where(target)
        binary = place.place(in_venv("austin"), root)
        prefix = ["chroot", root] if root else []
        return [*prefix, binary, *self.options, "-x", "%d" % max(1, round(seconds)), "-o", out,
                "-p", str(target.pid)]  # fmt: skip

    def count(self, measured):
        failed, taken = map(int, re.search(r"Error rate.*?(\d+)/(\d+)", measured.output).groups())
        seconds = float(re.search(r"Total duration.*?([\d.]+)s", measured.output)[1])
        return Count(taken - failed, failed, seconds)

    def stacks(self):
        text = self.file + ".txt"
        subprocess.run([in_venv("mojo2austin"), self.file, text], check=True, capture_output=True)
        with open(text, errors="replace") as file:
            for line in file:
                stack, _, weight = line.rpartition(" ")
                if stack and not stack.startswith("#"):
                    yield [part.split(":")[-2] for part in stack.split(";")[2:]], int(weight)


class Tachyon(Tool):
    """CPython 3.15's own sampler; it runs on 3.15 and reads 3.15."""

    def version(self):
        return interpreter("3.15").version

    def where(self, target):
        return target.python.root

    def command(self, place, target, seconds, out):
        return target.python.argv("-m", "profiling.sampling", "attach", *self.options, "-d",
                                  "%g" % seconds, "--collapsed", "-o", out, target.pid)  # fmt: skip

    def count(self, measured):
        taken = int(re.search(r"Captured (\d+) samples?", measured.output)[1])
        seconds = float(re.search(r"in ([\d.]+) seconds", measured.output)[1])
        failed = round(taken * float(re.search(r"Error rate: ([\d.]+)", measured.output)[1]) / 100)
        return Count(taken - failed, failed, seconds)

    def function_of(self, part):
        return part.split(":")[-2] if part.count(":") >= 2 else part


def recording_meta(path):
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as base:
        return dict(base.execute("SELECT key, value FROM meta"))


# --- statistics ---------------------------------------------------------------


def spread(values):
    """(median, lowest, highest)."""
    return statistics.median(values), min(values), max(values)


def trimmed_mean(values, part=0.1):
    cut = int(len(values) * part)
    kept = sorted(values)[cut : len(values) - cut]
    return sum(kept) / len(kept)


def bootstrap(values, statistic, draws=4000, level=0.95, seed=1):
    """Percentile interval of a statistic of independent values."""
    draw = random.Random(seed)
    found = sorted(statistic(draw.choices(values, k=len(values))) for _ in range(draws))
    low = int(draws * (1 - level) / 2)
    return found[low], found[draws - 1 - low]


# --- rows -------------------------------------------------------------------


def host():
    """One line about the machine, as each result carries it."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    virtual = os.path.exists("/sys/hypervisor") or "hypervisor" in open("/proc/cpuinfo").read()
    return "Linux %s %s, %s, %d CPUs%s, load %.2f before" % (
        platform.release(), platform.machine(), model, len(os.sched_getaffinity(0)),
        ", virtual machine" if virtual else "", os.getloadavg()[0])  # fmt: skip


def table(headings, rows):
    """Prints rows of text, first columns left, figures right."""
    widths = [max(len(str(row[i])) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, *rows]:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths)):
            cells.append(str(cell).ljust(width) if i < 3 else str(cell).rjust(width))
        print("  " + "  ".join(cells).rstrip())
    print(flush=True)


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def verdict(met):
    return {True: "met", False: "MISSED", None: "not judged"}[met]


def save(name, result):
    folder = os.path.join(HERE, "results")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".json")
    text = json.dumps(result, indent="\t")
    # Numbers of one list on one line.
    text = re.sub(r"\[\s+([-\d.e,\s]+?)\s+\]", lambda m: "[%s]" % " ".join(m[1].split()), text)
    with open(path, "w") as file:
        file.write(text + "\n")
    print("  saved: " + os.path.relpath(path, ROOT))
