"""What every test shares: the CPython interpreters of this machine, targets to
measure, and the program under test.

Fixtures
  interpreter    one found interpreter (tests that take it run once for each)
  interpreters   all that were found, as a list
  spawn_target   spawn_target(interpreter, script, args=()) -> Target, ready to be measured
  pyrometer      pyrometer(*args) -> Result(rc, stdout, stderr)

Environment
  PYROMETER           the program under test; default build/pyrometer
  PYROMETER_PYTHONS   more interpreters, paths with colons between; they come first
  PYROMETER_SID       a debootstrapped root with Debian sid's python3.14 and python3.15;
                      default $XDG_CACHE_HOME/pyrometer/sid (made by ./dev matrix)
  PYROMETER_SANITIZED set when the program is a sanitizer build: tests of cost and speed skip
"""

import collections
import glob
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGETS = os.path.join(REPOSITORY, "tests", "targets")
SUPPORTED = [(3, minor) for minor in range(8, 16)]
PROBE = (
    "import sys, platform, sysconfig; print('|'.join([platform.python_implementation(),"
    " platform.python_version(), str(sysconfig.get_config_var('Py_GIL_DISABLED') or 0),"
    " sys.executable]))"
)
READY_DEADLINE_S = 30
END_DEADLINE_S = 5


# --- interpreters -----------------------------------------------------------


class Interpreter:
    """One CPython build. `root` is None, or the folder that it runs in by chroot."""

    def __init__(self, path, version, origin, root=None):
        self.path = path  # as seen inside `root`
        self.version_text = version  # "3.11.7", "3.15.0b2"
        self.version = tuple(int(part) for part in version.split(".")[:2])
        self.origin = origin  # "pyenv", "system", "sid", "path", "given"
        self.root = root
        self.id = "%d.%d" % self.version

    def __repr__(self):
        return "<CPython %s %s %s>" % (self.version_text, self.origin, self.path)

    @property
    def minor(self):
        return self.version[1]

    @property
    def host_path(self):
        """The executable as this machine's file system sees it."""
        return self.root + self.path if self.root else self.path

    def place(self, path):
        """Makes a file of ours visible to the interpreter; returns the path it has there."""
        path = os.path.abspath(str(path))
        if not self.root:
            return path
        inside = os.path.join("/tmp", "pyrometer-tests-%d" % os.getpid())
        os.makedirs(self.root + inside, exist_ok=True)
        copy = os.path.join(inside, os.path.basename(path))
        if os.path.isdir(path):
            shutil.copytree(path, self.root + copy, dirs_exist_ok=True)
        else:
            shutil.copy(path, self.root + copy)
        return copy

    def argv(self, *args):
        """The command that runs this interpreter with these arguments (no file is copied)."""
        prefix = ["chroot", self.root] if self.root else []
        return prefix + [self.path] + [str(arg) for arg in args]

    def command(self, script, *args):
        """The command that runs a script of ours, copied into the root where there is one."""
        return self.argv(self.place(script), *args)

    def run(self, *args, **options):
        """Runs the interpreter to its end; subprocess.run's result, text, output captured."""
        options.setdefault("timeout", 60)
        return subprocess.run(
            self.argv(*args),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            **options
        )


def probe(path, origin, root=None):
    """The Interpreter at `path`, or None where it is not a CPython with a GIL that we support."""
    command = (["chroot", root] if root else []) + [path, "-c", PROBE]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = answer.stdout.decode(errors="replace").strip().split("|")
    if answer.returncode != 0 or len(fields) != 4:
        return None
    implementation, version, free_threaded, executable = fields
    if implementation != "CPython" or free_threaded != "0":
        return None
    found = Interpreter(executable or path, version, origin, root)
    return found if found.version in SUPPORTED else None


def sid_root():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("PYROMETER_SID") or os.path.join(cache, "pyrometer", "sid")


def mount_proc(root):
    """A profiler's target wants /proc. Left mounted: other runs may be using the same root."""
    if not os.path.exists(os.path.join(root, "proc", "self")):
        subprocess.run(
            ["mount", "-t", "proc", "proc", os.path.join(root, "proc")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def candidates():
    """(path, origin, root) of everything that may be an interpreter, preferred first."""
    for path in filter(None, os.environ.get("PYROMETER_PYTHONS", "").split(":")):
        yield path, "given", None
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for _, minor in SUPPORTED:
        for folder in sorted(glob.glob("%s/versions/3.%d.*" % (pyenv, minor)), reverse=True):
            yield folder + "/bin/python", "pyenv", None
    for _, minor in SUPPORTED:
        pattern = "~/.local/share/uv/python/cpython-3.%d.*/bin/python3.%d" % (minor, minor)
        for path in sorted(glob.glob(os.path.expanduser(pattern)), reverse=True):
            yield path, "uv", None
    for _, minor in SUPPORTED:
        for folder in os.environ.get("PATH", "").split(":"):
            path = os.path.join(folder, "python3.%d" % minor)
            shim = os.path.basename(os.path.dirname(path)) == "shims"
            if folder not in ("", "/usr/bin", "/bin") and not shim and os.access(path, os.X_OK):
                yield path, "path", None
    for _, minor in SUPPORTED:
        if os.access("/usr/bin/python3.%d" % minor, os.X_OK):
            yield "/usr/bin/python3.%d" % minor, "system", None
    root = sid_root()
    if os.geteuid() == 0 and os.path.isdir(root):
        mount_proc(root)
        for _, minor in SUPPORTED:
            if os.access("%s/usr/bin/python3.%d" % (root, minor), os.X_OK):
                yield "/usr/bin/python3.%d" % minor, "sid", root


def discover():
    """One interpreter a minor version, the distribution's own as a second build of its version."""
    chosen = []
    seen = set()
    for path, origin, root in candidates():
        key = (root, os.path.realpath(path) if not root else path)
        if key in seen:
            continue
        seen.add(key)
        found = probe(path, origin, root)
        if found is None:
            continue
        if any(other.version == found.version for other in chosen):
            if origin != "system":
                continue
            found.id += "-system"
        chosen.append(found)
    return sorted(chosen, key=lambda found: (found.version, found.id))


_found = None


def found_interpreters():
    global _found
    if _found is None:
        _found = discover()
    return _found


def missing_versions():
    found = {interpreter.version for interpreter in found_interpreters()}
    return ["%d.%d" % version for version in SUPPORTED if version not in found]


def selected_interpreters(config):
    wanted = config.getoption("--interpreter")
    return [
        found
        for found in found_interpreters()
        if not wanted or found.id in wanted or "%d.%d" % found.version in wanted
    ]


def pytest_addoption(parser):
    parser.addoption(
        "--interpreter",
        action="append",
        default=[],
        metavar="VERSION",
        help="only this CPython (3.11; may be given several times); default: all found",
    )


def pytest_configure(config):
    """Tests over no interpreter would pass without having looked at anything."""
    if config.getoption("--interpreter") and not selected_interpreters(config):
        raise pytest.UsageError(
            "no such CPython here: %s" % ", ".join(config.getoption("--interpreter"))
        )
    if not found_interpreters():
        raise pytest.UsageError("no CPython 3.8 to 3.15 found; name one in PYROMETER_PYTHONS")


def pytest_report_header(config):
    names = ["%s=%s (%s)" % (i.id, i.version_text, i.origin) for i in found_interpreters()]
    return [
        "interpreters found: " + (", ".join(names) or "none"),
        "interpreters missing: " + (", ".join(missing_versions()) or "none"),
        "program: " + program_path(),
    ]


def pytest_generate_tests(metafunc):
    if "interpreter" in metafunc.fixturenames:
        chosen = selected_interpreters(metafunc.config)
        metafunc.parametrize("interpreter", chosen, ids=[i.id for i in chosen], scope="session")


def pytest_sessionfinish(session, exitstatus):
    for root in {i.root for i in (_found or []) if i.root}:
        shutil.rmtree(root + "/tmp/pyrometer-tests-%d" % os.getpid(), ignore_errors=True)


@pytest.fixture(scope="session")
def interpreters(request):
    return selected_interpreters(request.config)


# --- targets ----------------------------------------------------------------


class Target:
    """A process that was started to be measured; `pid` is the interpreter itself."""

    def __init__(self, argv, env=None, cwd=None):
        self._stderr = tempfile.TemporaryFile()
        self.argv = argv
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=env,
            cwd=cwd,
        )
        self.pid = self.process.pid
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self):
        for line in self.process.stdout:
            self._lines.put(line.decode(errors="replace").rstrip("\n"))
        self._lines.put(None)

    @property
    def stderr(self):
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    def read_line(self, timeout_s=READY_DEADLINE_S):
        """The next line of its stdout; fails the test at the deadline or the end of output."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            pytest.fail("%s wrote no line in %s s" % (" ".join(self.argv), timeout_s))
        if line is None:
            self.process.wait(END_DEADLINE_S)
            pytest.fail(
                "%s ended with status %s before the line expected:\n%s"
                % (" ".join(self.argv), self.process.returncode, self.stderr)
            )
        return line

    def wait_for(self, word, timeout_s=READY_DEADLINE_S):
        """Skips lines until one starts with `word`; returns that line."""
        deadline = time.monotonic() + timeout_s
        while True:
            line = self.read_line(max(0.01, deadline - time.monotonic()))
            if line.split(" ")[0] == word:
                return line

    def write_line(self, text=""):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, timeout_s=READY_DEADLINE_S):
        """Its exit status, within the deadline."""
        return self.process.wait(timeout_s)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(END_DEADLINE_S)
        self._reader.join(END_DEADLINE_S)
        for stream in (self.process.stdin, self.process.stdout, self._stderr):
            try:
                stream.close()
            except OSError:
                pass


def spawning():
    """Yields the function of the two fixtures below, then ends all that it started."""
    started = []

    def spawn(interpreter, script, args=(), env=None, ready=True, options=("-u",), cwd=None):
        path = str(script)
        if not os.path.exists(path):
            path = os.path.join(TARGETS, path)
        argv = interpreter.argv(*options, interpreter.place(path), *args)
        target = Target(argv, env, cwd)
        started.append(target)
        if ready:
            target.wait_for("READY")
        return target

    yield spawn
    for target in started:
        target.end()


@pytest.fixture
def spawn_target():
    """spawn_target(interpreter, script, args=(), env=None, ready=True) -> Target.

    `script` is a path, or a name in tests/targets. Returns when the target has written a line
    that starts with READY. All that it started are ended when the test ends, and nothing else."""
    yield from spawning()


@pytest.fixture(scope="module")
def spawn_target_for_module():
    """spawn_target, but what it starts lives as long as the tests of one file need it."""
    yield from spawning()


# --- the program ------------------------------------------------------------

Result = collections.namedtuple("Result", "rc stdout stderr")


def program_path():
    path = os.environ.get("PYROMETER") or os.path.join(REPOSITORY, "build", "pyrometer")
    return os.path.abspath(path)


def plain_environment():
    """The environment without what would change the program's output or configuration."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYROMETER")}
    for key in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONPATH", "PYTHONHOME"):
        env.pop(key, None)
    return env


def run_pyrometer(*args, **options):
    """run_pyrometer(*args, timeout=60, env=None, cwd=None, input=None, text=True) -> Result.

    `env` is added to the plain environment. stdout is bytes where text=False."""
    env = plain_environment()
    env.update(options.pop("env", None) or {})
    text = options.pop("text", True)
    data = options.pop("input", None)
    if isinstance(data, str):
        data = data.encode()
    options.setdefault("timeout", 60)
    if data is None:
        options.setdefault("stdin", subprocess.DEVNULL)
    else:
        options["input"] = data
    ended = subprocess.run(
        [program_path()] + [str(arg) for arg in args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        **options
    )
    stdout = ended.stdout.decode(errors="replace") if text else ended.stdout
    return Result(ended.returncode, stdout, ended.stderr.decode(errors="replace"))


@pytest.fixture(scope="session")
def pyrometer():
    if not os.access(program_path(), os.X_OK):
        pytest.fail("no program at %s; ./dev build makes it" % program_path())
    return run_pyrometer


@pytest.fixture(scope="session")
def sanitized():
    """True where the program under test is a sanitizer build: don't judge its speed."""
    return bool(os.environ.get("PYROMETER_SANITIZED"))


# --- by hand: which interpreters are here -------------------------------------


def main(arguments):
    """`support.py` lists what was found and what is missing; `support.py 3.11` gives one row."""
    shown = [i for i in found_interpreters() if not arguments or "%d.%d" % i.version in arguments]
    for found in shown[:1] if arguments else shown:
        print("%-11s %-9s %-6s" % (found.id, found.version_text, found.origin))
    if not arguments:
        print("missing: " + (", ".join(missing_versions()) or "none"))


if __name__ == "__main__":
    main(sys.argv[1:])
