"""What goes wrong around a recording: two recorders, foreign names, full disks, programs that are
no Python, second signals."""

import errno
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest

import cli_support as cli

BUSY = cli.target("cli_busy.py")
NAP = "import sys, time; time.sleep(0.3); sys.exit(%d)"


def digests(folder):
    found = {}
    for name in sorted(os.listdir(str(folder))):
        with open(os.path.join(str(folder), name), "rb") as stream:
            found[name] = hashlib.sha256(stream.read()).hexdigest()
    return found


def report(pyrometer, path):
    result = pyrometer("report", "--json", path)
    assert result.rc == 0, result.stderr
    return json.loads(result.stdout)


def wait_for_samples(path):
    def has_samples():
        try:
            with sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=5) as database:
                return database.execute("SELECT count(*) FROM sample_block").fetchone()[0]
        except sqlite3.Error:
            return 0

    cli.wait_until("samples in %s" % path, has_samples)


# --- names ------------------------------------------------------------------------


def test_a_second_recorder_in_the_same_folder_takes_a_free_name(start, pyrometer, python, tmp_path):
    command = ["run", "--", python, BUSY]
    first = start(*command, 2.2, cwd=str(tmp_path))
    wait_for_samples(tmp_path / "cli_busy.pyro")
    second = start(*command, 0.7, cwd=str(tmp_path))
    ends = [cli.finish(second), cli.finish(first)]
    assert [rc for rc, _, _ in ends] == [0, 0], ends
    assert sorted(digests(tmp_path)) == ["cli_busy-2.pyro", "cli_busy.pyro"]
    for (_, _, stderr), name in zip(ends, ["cli_busy-2.pyro", "cli_busy.pyro"]):
        assert name in stderr
        assert report(pyrometer, tmp_path / name)["complete"]


def test_a_name_that_was_given_is_refused_while_another_writes_it(
    start, pyrometer, python, tmp_path
):
    command = ["record", "-o", "x.pyro", "--", python, BUSY]
    first = start(*command, 1.5, cwd=str(tmp_path))
    wait_for_samples(tmp_path / "x.pyro")
    what, _, next_line = cli.assert_error(pyrometer(*command, 0.5, cwd=str(tmp_path)), 125)
    assert "x.pyro is in use by another Pyrometer" in what and "-o" in next_line
    assert cli.finish(first)[0] == 0
    assert list(digests(tmp_path)) == ["x.pyro"]
    assert report(pyrometer, tmp_path / "x.pyro")["complete"]


def test_recorders_that_start_at_once_lose_nothing(start, pyrometer, python, tmp_path):
    started = [start("record", "--", python, BUSY, 0.6, cwd=str(tmp_path)) for _ in range(4)]
    ends = [cli.finish(process) for process in started]
    assert [rc for rc, _, _ in ends] == [0] * 4, ends
    names = {stderr.split("recording ", 1)[1].split(":")[0] for _, _, stderr in ends}
    kept = [name for name in digests(tmp_path) if report(pyrometer, tmp_path / name)["complete"]]
    # One that had ended before another began is that one's recording of before.
    assert len(kept) == 4 and names <= set(kept)


def test_a_recorder_that_was_killed_holds_its_name_no_longer(start, pyrometer, spawn, tmp_path):
    target = spawn("cli_busy.py", 60)
    command = ["record", "-o", "x.pyro", "-p", target.pid]
    first = start(*command, cwd=str(tmp_path))
    wait_for_samples(tmp_path / "x.pyro")
    first.kill()
    first.wait()
    result = pyrometer(*command, "-d", "0.5", cwd=str(tmp_path))
    assert result.rc == 0, result.stderr
    assert list(digests(tmp_path)) == ["x.previous.pyro", "x.pyro"]


def test_a_foreign_file_under_the_previous_name_stops_the_start(pyrometer, python, tmp_path):
    command = ["run", "-o", "x.pyro", "--", python, "-c"]
    assert pyrometer(*command, NAP % 0, cwd=str(tmp_path)).rc == 0
    (tmp_path / "x.previous.pyro").write_text("my notes\n")
    before = digests(tmp_path)
    cli.assert_error(
        pyrometer(*command, "open('ran', 'w')", cwd=str(tmp_path)), 125, r"x\.previous\.pyro"
    )
    assert digests(tmp_path) == before


@pytest.mark.parametrize("target, status", [(["sleep", "60"], 5), (None, 4)])
def test_a_process_that_is_refused_moves_no_recording(
    pyrometer, python, tmp_path, target, status
):
    for _ in range(2):
        command = ["record", "-o", "x.pyro", "--", python, "-c", NAP % 0]
        assert pyrometer(*command, cwd=str(tmp_path)).rc == 0
    before = digests(tmp_path)
    assert list(before) == ["x.previous.pyro", "x.pyro"]
    child = subprocess.Popen(target) if target else None
    try:
        pid = child.pid if child else 4194301
        cli.assert_error(
            pyrometer("record", "-o", "x.pyro", "-p", pid, cwd=str(tmp_path)), status
        )
    finally:
        if child:
            child.kill()
            child.wait()
    assert digests(tmp_path) == before


# --- programs that are no Python, or hardly were ------------------------------------


@pytest.mark.parametrize("form", ["true", "shell", "script", "longer"])
def test_a_program_that_is_no_python_is_always_125(pyrometer, tmp_path, form):
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    words = {
        "true": ["true"],
        "shell": ["sh", "-c", "exit 7"],
        "script": ["./tool"],
        "longer": ["sleep", "0.4"],
    }[form]
    for _ in range(5 if form != "longer" else 1):
        result = pyrometer("run", "-o", "x.pyro", "--", *words, cwd=str(tmp_path))
        _, _, next_line = cli.assert_error(result, 125, "not a Python program")
        assert "pid" not in next_line
    assert os.listdir(str(tmp_path)) == ["tool"]


@pytest.mark.parametrize("line", ["sleep 0.1; exit 7", "sleep 0.4; exit 7", "/bin/true; exit 7"])
def test_where_python_may_have_been_missed_the_status_is_the_programs(
    pyrometer, python, tmp_path, line
):
    for _ in range(3):
        assert pyrometer("run", "-o", "x.pyro", "--", "sh", "-c", line, cwd=str(tmp_path)).rc == 7
    result = pyrometer("record", "-o", "x.pyro", "--", "sh", "-c", line, cwd=str(tmp_path))
    cli.assert_error(result, 7, "no Python process was seen")
    assert os.listdir(str(tmp_path)) == []


def test_the_recording_of_before_is_back_where_no_python_was_seen(pyrometer, python, tmp_path):
    command = ["run", "-o", "x.pyro", "--"]
    assert pyrometer(*command, python, "-c", NAP % 0, cwd=str(tmp_path)).rc == 0
    before = digests(tmp_path)
    assert pyrometer(*command, "true", cwd=str(tmp_path)).rc == 125
    assert pyrometer(*command, "sh", "-c", "sleep 0; exit 3", cwd=str(tmp_path)).rc == 3
    assert digests(tmp_path) == before


def test_a_script_that_is_too_short_keeps_its_status(pyrometer, python, tmp_path):
    """-S -E -I: as short as Python can be, so that it has often ended before the first look."""
    for status in (0, 6, 6, 6, 6, 6):
        code = "raise SystemExit(%d)" % status
        result = pyrometer("run", "--", python, "-I", "-S", "-c", code, cwd=str(tmp_path))
        assert result.rc == status, result.stderr
        assert "too few" in result.stderr.lower(), result.stderr


# --- the command as text ----------------------------------------------------------------


def test_the_command_that_is_shown_is_the_command_that_was_run(pyrometer, python, tmp_path):
    words = ["a'b", "$HOME", "two words", "", "größer", "*", "semi;colon", "tab\tnew\nline\\", "~", "#x"]
    command = [python, "-c", NAP % 0] + words
    assert pyrometer("record", "-o", "x.pyro", "--", *command, cwd=str(tmp_path)).rc == 0
    text = report(pyrometer, tmp_path / "x.pyro")["command"]
    assert "\n" not in text
    shown = subprocess.run(
        ["bash", "-c", "printf '%s\\0' " + text], stdout=subprocess.PIPE, check=True
    ).stdout
    assert shown.decode().split("\0")[:-1] == command


# --- a full disk ------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no mount here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)])


def fill(disk):
    with open(str(disk / "filler"), "wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


def assert_cut_short(pyrometer, path, stderr):
    """Said once, then the answer; the file holds what was there before."""
    what, why, _ = cli.error_lines(stderr)
    assert path.name in what and "full" in why
    assert "pyrometer report" in stderr[stderr.index("next:") :]
    document = report(pyrometer, path)
    assert document["functions"] and document["complete"] is False


@pytest.mark.parametrize("command", ["run", "record"])
def test_on_a_full_disk_the_status_is_the_programs_and_it_is_said_once(
    start, pyrometer, python, small_disk, command
):
    path = small_disk / "x.pyro"
    line = '"$0" "$@"; read line; exit 9'
    args = ["-o", path, "--", "sh", "-c", line, python, BUSY, 1.5]
    recorder = start(command, *args)
    wait_for_samples(path)
    fill(small_disk)
    rc, _, stderr = cli.finish(recorder, "on\n")
    assert rc == 9, stderr
    assert_cut_short(pyrometer, path, stderr)


def test_on_a_full_disk_the_recording_of_a_process_is_reported_and_fails(
    start, pyrometer, spawn, small_disk
):
    path = small_disk / "x.pyro"
    recorder = start("record", "-o", path, "-p", spawn("cli_busy.py", 60).pid)
    wait_for_samples(path)
    fill(small_disk)
    time.sleep(1)  # in which nothing can be written
    recorder.send_signal(signal.SIGINT)
    rc, _, stderr = cli.finish(recorder)
    assert rc == 8, stderr
    assert_cut_short(pyrometer, path, stderr)


def test_room_that_comes_back_costs_nothing(start, pyrometer, spawn, small_disk):
    path = small_disk / "x.pyro"
    recorder = start("record", "-o", path, "-p", spawn("cli_busy.py", 60).pid)
    wait_for_samples(path)
    fill(small_disk)
    said = recorder.stderr.readline()
    assert said.startswith("pyrometer: ")
    os.unlink(str(small_disk / "filler"))
    recorder.send_signal(signal.SIGINT)
    rc, _, stderr = cli.finish(recorder)
    assert rc == 0 and "pyrometer: " not in stderr, stderr
    assert report(pyrometer, path)["complete"]


# --- the end of a recording -----------------------------------------------------------


def test_a_second_signal_does_not_cost_the_recording(start, pyrometer, spawn, tmp_path):
    target = spawn("cli_busy.py", 60)
    path = tmp_path / "x.pyro"
    recorder = start("record", "-o", path, "-p", target.pid)
    wait_for_samples(path)
    recorder.send_signal(signal.SIGINT)
    recorder.send_signal(signal.SIGTERM)
    rc, _, stderr = cli.finish(recorder)
    assert rc == 0 and "pyrometer report" in stderr
    assert report(pyrometer, path)["complete"]


def test_under_nohup_a_hangup_does_not_end_the_recording(start, pyrometer, spawn, tmp_path):
    target = spawn("cli_busy.py", 60)
    path = tmp_path / "x.pyro"
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    recorder = start("record", "-o", path, "-p", target.pid, preexec_fn=ignore)
    wait_for_samples(path)
    recorder.send_signal(signal.SIGHUP)
    time.sleep(0.7)  # that it goes on is the test
    assert recorder.poll() is None
    recorder.send_signal(signal.SIGINT)
    assert cli.finish(recorder)[0] == 0
    assert report(pyrometer, path)["wall_s"] > 0.6


def test_a_recording_that_ends_before_the_program_is_complete_at_once(
    terminal, pyrometer, python, tmp_path
):
    path = tmp_path / "x.pyro"
    code = "import time\nwhile True: time.sleep(0.01)"
    words = ["record", "-d", "0.6", "-o", path, "--", python, "-c", code]
    screen = terminal([cli.PROGRAM] + words, columns=200)
    screen.expect("the recording has ended, the program runs on")
    document = report(pyrometer, path)
    assert document["complete"] and document["exit_status"] is None
    assert not screen.poll()
    command = ["record", "-o", path, "--", python, "-c", NAP % 0]
    cli.assert_error(pyrometer(*command), 125, "in use")  # it is reported at the end
    screen.send("\x03")
    status, text = screen.end()
    assert status == 130, text
