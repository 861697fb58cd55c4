"""Each exit code of the program, by the circumstance that gives it; an error is three lines."""

import os
import signal
import sqlite3
import subprocess
import time

import pytest

import cli_support as cli

NO_SUCH_PID = 4194301  # below the kernel's highest, never given out on a machine of a test


# --- 2: the command line --------------------------------------------------------

TYPOS = [
    (["rnu", "app.py"], "did you mean 'run'"),
    (["reprot"], "did you mean 'report'"),
    (["run", "--rat", "5", "app.py"], "did you mean '--rate'"),
    (["report", "--treee", "app.pyro"], "did you mean '--tree'"),
    (["report", "--sort", "slef", "app.pyro"], "did you mean 'self'"),
    (["export", "--format", "speedscop", "app.pyro"], "did you mean speedscope"),
    (["help", "reprot"], "did you mean 'report'"),
    (["man", "recrod"], "did you mean 'record'"),
    (["completions", "bsh"], "did you mean 'bash'"),
]
USAGE = [
    (["run"], "nothing to run"),
    (["record"], "nothing to run"),
    (["run", "--rate", "fast", "app.py"], "fast"),
    (["run", "--rate", "-5", "app.py"], "-5"),
    (["run", "--rate"], "--rate"),
    (["run", "--max-size", "1", "app.py"], "max-size"),
    (["run", "--budget", "0", "app.py"], "budget"),
    (["record", "-p", "zero"], "zero"),
    (["record", "-p", "-1"], "-1"),
    (["record", "-d", "soon", "-p", "1"], "soon"),
    (["record", "-p", "1", "app.py"], "leave out one"),
    (["dump"], "which process"),
    (["dump", "this"], "this"),
    (["doctor", "this"], "this"),
    (["doctor", "1", "2"], "process"),
    (["diff", "one.pyro"], "two recordings"),
    (["diff", "1.pyro", "2.pyro", "3.pyro"], "two recordings"),
    (["report", "1.pyro", "2.pyro"], "one recording"),
    (["report", "--tree", "--lines", "1.pyro"], "one view"),
    (["export", "1.pyro"], "which format"),
    (["completions"], "bash"),
    (["config", "run"], "run"),
    (["--frobnicate"], "--frobnicate"),
]


@pytest.mark.parametrize("args, pattern", TYPOS, ids=lambda value: " ".join(value)[:40])
def test_a_typo_gets_a_suggestion(pyrometer, tmp_path, args, pattern):
    cli.assert_error(pyrometer(*args, cwd=str(tmp_path)), 2, pattern)


@pytest.mark.parametrize("args, pattern", USAGE, ids=lambda value: " ".join(value)[:40])
def test_a_wrong_command_line_is_2(pyrometer, tmp_path, args, pattern):
    cli.assert_error(pyrometer(*args, cwd=str(tmp_path)), 2, pattern)
    assert os.listdir(str(tmp_path)) == []


def test_without_a_command_the_help_comes_on_stderr(pyrometer):
    result = pyrometer()
    assert (result.rc, result.stdout) == (2, "")
    assert "Usage: pyrometer" in result.stderr


def test_a_file_instead_of_a_command_is_told_how_to_run_it(pyrometer, tmp_path):
    (tmp_path / "app.py").write_text("print('no')\n")
    _, _, next_line = cli.assert_error(pyrometer("app.py", cwd=str(tmp_path)), 2)
    assert next_line == "pyrometer run app.py"


# --- 3: permission --------------------------------------------------------------


@pytest.mark.parametrize("command", ["record", "dump"])
def test_another_users_process_is_3(nobody, spawn, command, tmp_path_factory):
    pid = spawn("ready_then_wait.py").pid
    args = ["-o", "/tmp/pyrometer-nobody-%d.pyro" % pid] if command == "record" else []
    what, why, _ = cli.assert_error(nobody(command, *args, "-p", pid), 3, str(pid))
    assert "may not" in what.lower() and "user 0" in why and "user 65534" in why
    assert not os.path.exists("/tmp/pyrometer-nobody-%d.pyro" % pid)


def test_doctor_says_that_the_permission_is_missing_and_what_to_do(nobody, spawn):
    pid = spawn("ready_then_wait.py").pid
    rc, stdout, stderr = nobody("doctor", pid)
    assert (rc, stderr) == (3, "")
    row = stdout[stdout.index("FAIL") :]
    assert row.startswith("FAIL  permission") and "next:" in row and "sudo" in row


def test_ptrace_scope_is_named(nobody, python):
    """Yama lets a user read only what descends from the reader."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as stream:
            scope = int(stream.read())
    except OSError:
        pytest.skip("this kernel has no Yama")
    if scope == 0:
        pytest.skip("ptrace_scope is 0 here")
    rc, stdout, _ = nobody("doctor")
    assert rc == 0 and "ptrace_scope is %d" % scope in stdout and "sysctl" in stdout


def test_a_folder_of_somebody_elses_is_3_for_a_file_to_write(nobody, recordings, folder):
    args = ["export", "--format", "collapsed", "-o", folder + "/out.txt", recordings["heavy"]]
    cli.assert_error(nobody(*args), 3, "out.txt")


def test_a_folder_that_may_not_be_written_is_told_as_such(nobody, folder):
    for command in (["run"], ["record"]):
        result = nobody(*command, "--", "sleep", "1", cwd=folder)
        cli.assert_error(result, 125, r"sleep\.pyro(.|\n)*Permission denied")
    assert not os.path.exists(os.path.join(folder, "sleep.pyro"))


def test_somebody_elses_recording_is_3(nobody, recordings, folder):
    path = os.path.join(folder, "secret.pyro")
    with open(recordings["heavy"], "rb") as source, open(path, "wb") as copy:
        copy.write(source.read())
    os.chmod(path, 0o600)
    cli.assert_error(nobody("report", path), 3, "secret.pyro")


# --- 4: no such process -----------------------------------------------------------


@pytest.mark.parametrize("command", ["record", "dump"])
def test_no_such_process_is_4(pyrometer, tmp_path, command):
    result = pyrometer(command, "-p", NO_SUCH_PID, cwd=str(tmp_path))
    what, why, next_line = cli.assert_error(result, 4, str(NO_SUCH_PID))
    assert "no process" in what.lower(), what
    assert os.listdir(str(tmp_path)) == []


def test_doctor_of_no_such_process_is_4(pyrometer):
    result = pyrometer("doctor", NO_SUCH_PID)
    assert (result.rc, result.stderr) == (4, "")
    assert "FAIL" in result.stdout and str(NO_SUCH_PID) in result.stdout


@pytest.mark.parametrize("command", ["record", "dump"])
def test_a_process_that_has_ended_but_lies_there_is_4(pyrometer, tmp_path, command):
    child = subprocess.Popen(["true"])
    cli.wait_until("its end", lambda: not cli.is_alive(child.pid))
    try:
        cli.assert_error(pyrometer(command, "-p", child.pid, cwd=str(tmp_path)), 4)
    finally:
        child.wait()


def test_a_process_that_ends_in_mid_recording_is_reported(start, pyrometer, spawn, tmp_path):
    target = spawn("cli_busy.py", 60)
    recorder = start("record", "-o", "x.pyro", "-p", target.pid, cwd=str(tmp_path))
    cli.wait_until("the recording", (tmp_path / "x.pyro").exists)
    time.sleep(1.5)  # what is to be recorded
    target.process.kill()
    rc, stdout, stderr = cli.finish(recorder)
    assert (rc, stdout) == (0, ""), stderr
    assert "x.pyro" in stderr and "samples" in stderr
    report = pyrometer("report", "x.pyro", cwd=str(tmp_path))
    assert report.rc == 0 and "heavy" in report.stdout


@pytest.mark.parametrize("command", ["dump", "doctor"])
def test_a_process_that_ends_while_it_is_looked_at_is_an_answer_or_4(pyrometer, python, command):
    """Whenever it ends: never a crash, never another code."""
    seen = set()
    for pause in (0.0, 0.005, 0.01, 0.02, 0.03, 0.05):
        child = subprocess.Popen([python, "-c", "import time; time.sleep(%f)" % pause])
        try:
            for _ in range(2):
                result = pyrometer(command, "-p", child.pid)
                seen.add(result.rc)
                assert result.rc in (0, 4, 5, 7), result  # 7: Python has not started yet
                if result.rc and command == "dump":
                    cli.assert_error(result, result.rc)
        finally:
            child.wait()
    assert seen


# --- 5: not Python ------------------------------------------------------------------


@pytest.mark.parametrize("command", ["record", "dump"])
def test_a_process_that_is_not_python_is_5(pyrometer, tmp_path, command):
    child = subprocess.Popen(["sleep", "60"])
    try:
        result = pyrometer(command, "-p", child.pid, cwd=str(tmp_path))
        what, why, _ = cli.assert_error(result, 5, "not a Python program")
        assert "sleep" in what + why
        doctor = pyrometer("doctor", child.pid)
        assert doctor.rc == 5 and "not a Python program" in doctor.stdout
    finally:
        child.kill()
        child.wait()
    assert os.listdir(str(tmp_path)) == []


# --- 7: too little data ---------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ["report", "--filter", "no such function"],
        ["report", "--json", "--module", "no such file"],
        ["report", "--tree", "--from", "1h"],
        ["export", "--format", "collapsed", "-o", "-", "--filter", "no such function"],
        ["diff", "--filter", "no such function", "RECORDING"],
    ],
    ids=" ".join,
)
def test_a_selection_without_a_sample_is_7(pyrometer, recordings, args):
    args = [recordings["light"] if word == "RECORDING" else word for word in args]
    cli.assert_error(pyrometer(*args, recordings["heavy"]), 7)


def test_a_recording_without_a_sample_is_7(pyrometer, recordings, tmp_path):
    path = cli.edited(recordings["heavy"], tmp_path / "x.pyro", "DELETE FROM aggregate")
    cli.edited(path, path, "DELETE FROM sample_block")
    for view in ([], ["--json"], ["--tree"], ["--lines"]):
        cli.assert_error(pyrometer("report", *view, path), 7, "--rate max")


# --- 8: files -------------------------------------------------------------------------


def not_a_recording(kind, path):
    if kind == "folder":
        path.mkdir()
    elif kind == "database":
        with sqlite3.connect(str(path)) as database:
            database.execute("CREATE TABLE orders (id INTEGER)")
        database.close()
    elif kind == "pipe":
        os.mkfifo(str(path))
    elif kind != "missing":
        contents = {"empty": b"", "text": b"a,b\n1,2\n", "zeros": bytes(8192)}
        contents["half a header"] = b"SQLite format 3\0" + bytes(20)
        path.write_bytes(contents[kind])


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "text", "zeros", "half a header", "database", "folder", "pipe"]
)
@pytest.mark.parametrize("command", ["report", "export --format collapsed -o -", "diff REC"])
def test_what_is_not_a_recording_is_8(pyrometer, recordings, tmp_path, kind, command):
    path = tmp_path / "odd.pyro"
    not_a_recording(kind, path)
    args = [recordings["heavy"] if word == "REC" else word for word in command.split()]
    cli.assert_error(pyrometer(*args, path, cwd=str(tmp_path)), 8, "odd.pyro")


def test_no_recording_in_the_folder_is_8(pyrometer, tmp_path):
    cli.assert_error(pyrometer("report", cwd=str(tmp_path)), 8, "no recording")


@pytest.mark.parametrize(
    "args",
    [
        ["export", "--format", "speedscope", "-o", "no/such/folder/x.json"],
        ["report", "-o", "no/such/folder/x.txt"],
        ["report", "--json", "-o", "/dev/full"],
        ["report", "-o", "/proc/x.txt"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_written_is_8(pyrometer, recordings, tmp_path, args):
    cli.assert_error(pyrometer(*args, recordings["heavy"], cwd=str(tmp_path)), 8)


def test_a_full_stdout_is_8(recordings, start):
    with open("/dev/full", "w") as full:
        process = start("report", "--json", recordings["heavy"], stdout=full)
        rc, _, stderr = cli.finish(process)
    assert rc == 8
    cli.error_lines(stderr)


def test_a_newer_recording_is_refused_by_name(pyrometer, recordings, tmp_path):
    path = tmp_path / "newer.pyro"
    cli.edited(recordings["heavy"], path, "PRAGMA user_version = 77")
    before = path.read_bytes()
    for args in (["report"], ["export", "--format", "pprof"], ["diff", recordings["heavy"]]):
        cli.assert_error(pyrometer(*args, path, cwd=str(tmp_path)), 8, r"newer\.pyro(.|\n)*77")
    assert path.read_bytes() == before


# --- 125, the program's own status, 128 + n -----------------------------------------------

OWN_FAILURES = [
    (["missing.py"], "missing.py"),
    (["--", "no-such-program-anywhere"], "no-such-program-anywhere"),
    (["--", "./no-such-program"], "no-such-program"),
    (["--", "./not-executable"], "not-executable"),
    (["-o", "no/such/folder/x.pyro", "--", "true"], "no/such/folder"),
    (["-o", "foreign.txt", "--", "true"], "foreign.txt"),
    (["-o", ".", "--", "true"], ""),
    (["--python", "no-such-python", "app.py"], "no-such-python"),
]


@pytest.mark.parametrize("command", ["run", "record"])
@pytest.mark.parametrize("args, pattern", OWN_FAILURES, ids=lambda value: " ".join(value)[:40])
def test_our_own_failure_is_125_where_a_program_was_to_run(
    pyrometer, tmp_path, command, args, pattern
):
    (tmp_path / "foreign.txt").write_text("not ours\n")
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    (tmp_path / "app.py").write_text("print(1)\n")
    before = sorted(os.listdir(str(tmp_path)))
    cli.assert_error(pyrometer(command, *args, cwd=str(tmp_path)), 125, pattern)
    assert sorted(os.listdir(str(tmp_path))) == before
    assert (tmp_path / "foreign.txt").read_text() == "not ours\n"


def test_a_program_that_never_was_python_is_said_to_be_none(pyrometer, tmp_path):
    result = pyrometer("run", "--", "sleep", "0.6", cwd=str(tmp_path))
    cli.assert_error(result, 125, "not a Python program")
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("command", ["run", "record"])
@pytest.mark.parametrize("status", [0, 1, 3, 42, 255])
def test_the_status_is_the_programs_own(pyrometer, python, tmp_path, command, status):
    code = "import sys, time; time.sleep(0.1); sys.exit(%d)" % status
    result = pyrometer(command, "--", python, "-c", code, cwd=str(tmp_path))
    assert (result.rc, result.stdout) == (status, ""), result.stderr


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT", "SIGINT"])
def test_a_program_that_a_signal_ends_is_128_and_the_signal(pyrometer, python, tmp_path, name):
    number = int(getattr(signal, name))
    code = "import os, signal as s\nif %d != 9: s.signal(%d, s.SIG_DFL)\nos.kill(os.getpid(), %d)"
    code %= number, number, number
    result = pyrometer("run", "--", python, "-c", code, cwd=str(tmp_path))
    assert result.rc == 128 + number, result.stderr


# --- short programs, programs that become others ----------------------------------------------


def test_a_script_of_5_ms_has_its_sentence(pyrometer, python, tmp_path):
    (tmp_path / "brief.py").write_text("print('done')\n")
    result = pyrometer("run", "--python", python, "brief.py", cwd=str(tmp_path))
    assert (result.rc, result.stdout) == (0, "done\n")
    assert "brief.py" in result.stderr and "too few" in result.stderr.lower(), result.stderr
    assert "--rate max" in result.stderr and "%" not in result.stderr.splitlines()[0]


@pytest.mark.parametrize("then", ["sleep 0.3", "sh -c 'exit 9'", "PYTHON -c 'print(1)'"])
def test_a_program_that_becomes_another_keeps_what_was_before(
    pyrometer, python, tmp_path, then
):
    import shlex

    words = [python if word == "PYTHON" else word for word in shlex.split(then)]
    target = cli.target("cli_exec.py")
    result = pyrometer("run", "-o", "x.pyro", "--", python, target, *words, cwd=str(tmp_path))
    assert result.rc == (9 if "exit 9" in then else 0), result.stderr
    assert result.stdout.startswith("READY")
    report = pyrometer("report", "--json", "x.pyro", cwd=str(tmp_path))
    assert report.rc == 0 and "before_exec" in report.stdout, report
