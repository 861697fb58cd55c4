"""What the tests of the command line share: starting the program, its environment, and what an
error and a page of text must look like."""

import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import time
import unicodedata

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = os.path.join(REPOSITORY, "tests", "targets")
PROGRAM = os.path.abspath(
    os.environ.get("PYROMETER") or os.path.join(REPOSITORY, "build", "pyrometer")
)
COMMANDS = (
    "run record report export diff bench compare gate imports ledger dump doctor config help "
    "completions man".split()
)
DEADLINE_S = 40
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def target(name):
    return os.path.join(TARGETS, name)


def environment(**more):
    """Ours without what would change the program's output or configuration."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYROMETER")}
    for key in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONPATH", "PYTHONHOME"):
        env.pop(key, None)
    env.update(more)
    return env


def start(*args, **options):
    """The program in the background, all three streams pipes unless said."""
    env = environment(**options.pop("env", {}))
    for stream in ("stdin", "stdout", "stderr"):
        options.setdefault(stream, subprocess.PIPE)
    options.setdefault("universal_newlines", True)
    return subprocess.Popen([PROGRAM] + [str(arg) for arg in args], env=env, **options)


def finish(process, data=None):
    """(status, stdout, stderr) of a program started by start(); -n from a signal."""
    try:
        stdout, stderr = process.communicate(data, timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        raise AssertionError("it did not end in %d s:\n%s\n%s" % (DEADLINE_S, stdout, stderr))
    return process.returncode, stdout, stderr


def wait_until(what, condition, deadline_s=DEADLINE_S):
    """Waits for the event; its value. The deadline is the test's failure."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not in %d s: %s" % (deadline_s, what))
        time.sleep(0.02)


def edited(source, path, statement):
    """A copy of the recording on which the SQL statement was run; its path."""
    if str(source) != str(path):
        shutil.copy(str(source), str(path))
    database = sqlite3.connect(str(path))
    database.execute(statement)
    database.commit()
    database.close()
    return path


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


# --- errors -------------------------------------------------------------------


def error_lines(stderr):
    """(what, why, next) of the one error in stderr."""
    match = re.search(
        r"^pyrometer: (?P<what>\S.*)\n  why: (?P<why>\S.*)\n  next: (?P<next>\S.*)\n", stderr, re.M
    )
    assert match, "not three lines (what, why, next):\n" + stderr
    assert len(re.findall("^pyrometer: ", stderr, re.M)) == 1, "more than one error:\n" + stderr
    return match.group("what"), match.group("why"), match.group("next")


def assert_error(result, status, pattern=""):
    """The error is all there is: three lines on stderr, nothing on stdout. Returns the lines."""
    rc, stdout, stderr = result
    assert rc == status, "status %s instead of %s:\n%s%s" % (rc, status, stdout, stderr)
    assert stdout in ("", b"")
    lines = error_lines(stderr)
    assert len(stderr.splitlines()) == 3, stderr
    assert re.search(pattern, stderr), "/%s/ is not in\n%s" % (pattern, stderr)
    return lines


# --- pages --------------------------------------------------------------------


def width(line):
    """Columns of a line on a terminal; colour takes none."""
    columns = 0
    for character in ESCAPE.sub("", line):
        if unicodedata.combining(character):
            continue
        columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def too_wide(text, columns):
    """Lines wider than that, but for those that hold a command to copy or the file's own source."""
    return [
        line
        for line in text.splitlines()
        if width(line) > columns and not re.search(r"(^|\s)(pyrometer|sudo) \w", line)
    ]


# --- terminals ----------------------------------------------------------------


class Terminal:
    """A program at the other end of a pseudo-terminal, as a person has it."""

    def __init__(self, argv, env=None, cwd=None, columns=80):
        self.text = ""
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(cwd or ".")
                os.environ["COLUMNS"] = ""
                os.execvpe(argv[0], [str(word) for word in argv], env or environment(TERM="xterm"))
            finally:
                os._exit(127)
        os.set_inheritable(self.fd, False)  # it is no other child's
        self.resize(columns)

    def resize(self, columns, rows=24):
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, timeout_s):
        """Takes in what comes within the time; False at the end of the terminal."""
        ready, _, _ = select.select([self.fd], [], [], timeout_s)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def expect(self, word, deadline_s=DEADLINE_S):
        """Waits until the word was written since the last expect; returns what came before."""
        end = time.monotonic() + deadline_s
        while word not in self.text:
            assert time.monotonic() < end, "no %r in %d s:\n%s" % (word, deadline_s, self.text)
            if not self.read(0.2):
                assert word in self.text, "it ended without %r:\n%s" % (word, self.text)
        before, self.text = self.text.split(word, 1)
        return before

    def send(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Reads to the end; (status as a shell gives it, the text since the last expect)."""
        end = time.monotonic() + DEADLINE_S
        while self.read(0.2):
            if time.monotonic() > end:
                self.kill()
                raise AssertionError("it did not end:\n" + self.text)
            if self.poll() and not self.read(0.05):
                break
        wait_until("the end of the program", self.poll)
        return self.status, self.text

    def poll(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == 0:
                return False
            code = os.WTERMSIG(status) + 128 if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            self.status = code
        return True

    def kill(self):
        if not self.poll():
            os.kill(self.pid, signal.SIGKILL)
            wait_until("the end of the program", self.poll)

    def close(self):
        self.kill()
        os.close(self.fd)
