"""What happens to a recording: ends of every kind, bounds, damage, names."""

import glob
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

import cli_support as cli

BUSY = cli.target("cli_busy.py")
# "Until a second before", and what a loaded machine may add to it.
LOST_AT_MOST_S = 1.6


def digest(path):
    with open(str(path), "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def read_json(pyrometer, *args, **options):
    result = pyrometer("report", "--json", *args, **options)
    assert result.rc == 0, result.stderr
    return json.loads(result.stdout)


def sampled_s(path):
    """How far the samples of a recording reach that is being written; -1 where there are none."""
    try:
        database = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=5)
    except sqlite3.Error:
        return -1
    try:
        row = database.execute("SELECT max(end_ns) FROM sample_block").fetchone()
        return -1 if row[0] is None else row[0] / 1e9
    except sqlite3.Error:
        return -1
    finally:
        database.close()


def wait_for_samples(path, seconds=0.0):
    cli.wait_until("samples of %s s" % seconds, lambda: sampled_s(path) >= seconds)


# --- ends -----------------------------------------------------------------------


def test_kill_9_of_pyrometer_loses_at_most_the_last_second(start, pyrometer, spawn, tmp_path):
    target = spawn("cli_busy.py", 60)
    path = tmp_path / "x.pyro"
    recorder = start("record", "-o", path, "-p", target.pid)
    wait_for_samples(path)
    begun = time.monotonic()
    time.sleep(2.5)  # what is recorded in it is the test
    recorder.kill()
    elapsed = time.monotonic() - begun
    recorder.wait()
    assert cli.is_alive(target.pid)
    document = read_json(pyrometer, path)
    assert document["wall_s"] > elapsed - LOST_AT_MOST_S
    assert document["complete"] is False
    assert "heavy" in {row["name"] for row in document["functions"]}
    page = pyrometer("report", path)
    assert "heavy" in page.stdout and "was not finished" in page.stdout.replace("\n  ", " ")


def test_kill_9_of_pyrometer_leaves_the_program_that_it_started(start, pyrometer, python, tmp_path):
    path = tmp_path / "x.pyro"
    run = start("run", "-o", path, "--", python, BUSY, 30)
    pid = int(run.stdout.readline().split()[1])
    try:
        wait_for_samples(path, 0.5)
        run.kill()
        run.wait()
        assert cli.is_alive(pid)
        assert read_json(pyrometer, path)["functions"]
    finally:
        os.kill(pid, signal.SIGKILL)


def test_kill_9_of_the_program_ends_the_recording(start, pyrometer, python, tmp_path):
    path = tmp_path / "x.pyro"
    run = start("run", "-o", path, "--", python, BUSY, 30)
    pid = int(run.stdout.readline().split()[1])
    wait_for_samples(path, 0.8)
    os.kill(pid, signal.SIGKILL)
    rc, _, stderr = cli.finish(run)
    assert rc == 137 and "heavy" in stderr and "137" in stderr
    document = read_json(pyrometer, path)
    assert document["complete"] and document["exit_status"] == 137


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_recording_of_a_process_and_keeps_it(
    start, pyrometer, spawn, tmp_path, name
):
    target = spawn("cli_busy.py", 60)
    path = tmp_path / "x.pyro"
    recorder = start("record", "-o", path, "-p", target.pid)
    wait_for_samples(path, 0.5)
    recorder.send_signal(getattr(signal, name))
    rc, stdout, stderr = cli.finish(recorder)
    assert (rc, stdout) == (0, "") and "pyrometer report" in stderr
    assert cli.is_alive(target.pid)
    assert read_json(pyrometer, path)["complete"]


def test_duration_ends_the_recording_not_the_program(pyrometer, python, spawn, tmp_path):
    target = spawn("cli_busy.py", 60)
    begun = time.monotonic()
    path = tmp_path / "x.pyro"
    result = pyrometer("record", "-o", path, "-p", target.pid, "-d", "700ms")
    assert result.rc == 0 and time.monotonic() - begun < 20
    assert 0.5 < read_json(pyrometer, path)["wall_s"] < 3
    assert cli.is_alive(target.pid)
    result = pyrometer("run", "-o", path, "-d", "0.5", "--", python, BUSY, 2.5, timeout=30)
    assert result.rc == 0 and "TURNS some" in result.stdout
    assert 0.3 < read_json(pyrometer, path)["wall_s"] < 2.2  # not to its end


def test_time_limit_ends_the_program(pyrometer, python, tmp_path):
    begun = time.monotonic()
    result = pyrometer(
        "run", "-o", "x.pyro", "--time-limit", "1s", "--", python, BUSY, 60, cwd=str(tmp_path)
    )
    assert result.rc == 143 and "heavy" in result.stderr, result.stderr
    assert 0.9 < time.monotonic() - begun < 15


def test_a_full_disk_is_said_and_what_fits_is_kept(pyrometer, python, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(disk)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no mount here")
    try:
        stacks = cli.target("cli_many_stacks.py")
        args = ["record", "--rate", "2000", "-o", disk / "x.pyro", "--", python, stacks, 6]
        result = pyrometer(*args, cwd=str(tmp_path))
        assert result.rc in (0, 125), result
        said = result.stderr[result.stderr.index("pyrometer: ") :].splitlines()[:3]
        what, why, _ = cli.error_lines("\n".join(said) + "\n")
        assert "x.pyro" in what and "full" in why
        assert result.rc == 0 and "pyrometer report" in result.stderr  # it is the program's own
        page = pyrometer("report", disk / "x.pyro", cwd=str(tmp_path))
        assert page.rc == 0 and "cli_many_stacks" in page.stdout, page
        assert read_json(pyrometer, disk / "x.pyro")["wall_s"] > 0.2
    finally:
        subprocess.run(["umount", "-l", str(disk)])


@pytest.mark.parametrize("size, limit", [("100KiB", 100 * 1024), ("0.25M", 250 * 1000)])
def test_max_size_is_kept(pyrometer, python, tmp_path, size, limit):
    path = tmp_path / "x.pyro"
    stacks = cli.target("cli_many_stacks.py")
    result = pyrometer(
        "record", "-o", path, "--max-size", size, "--rate", "3000", "--", python, stacks, 2.5
    )
    assert result.rc == 0, result.stderr
    assert path.stat().st_size <= limit
    page = pyrometer("report", path, env={"COLUMNS": "1000"})
    assert page.rc == 0 and "size" in page.stdout, page.stdout


# --- damage -----------------------------------------------------------------------


@pytest.mark.parametrize("part", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("command", ["report", "report --json", "export -f collapsed -o -"])
def test_a_recording_that_was_cut_is_reported_as_far_as_it_goes(
    pyrometer, python, recordings, tmp_path, command, part
):
    whole = open(recordings["heavy"], "rb").read()
    path = tmp_path / "cut.pyro"
    path.write_bytes(whole[: int(len(whole) * part)])
    before = digest(path)
    result = pyrometer(*command.split(), path)
    assert digest(path) == before and os.listdir(str(tmp_path)) == ["cut.pyro"]
    if result.rc == 0:
        assert "heavy" in result.stdout
        if command == "report --json":
            document = json.loads(result.stdout)
            assert document["damage"] and document["complete"] is False
        else:
            text = result.stdout if command == "report" else result.stderr
            assert re.search(r"last\s+\d+\s+bytes\s+are\s+missing", text), result
    else:
        cli.assert_error(result, result.rc, "cut.pyro|bytes are missing")
        assert result.rc in (7, 8)


def test_most_of_a_recording_is_readable(pyrometer, python, tmp_path):
    """A larger recording: what is there must be more than an error, as long as a sample is."""
    path = tmp_path / "x.pyro"
    stacks = cli.target("cli_many_stacks.py")
    assert pyrometer("record", "-o", path, "--rate", "2000", "--", python, stacks, 2).rc == 0
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 4 // 5])
    before = digest(path)
    result = pyrometer("report", "--threads", "all", path, env={"COLUMNS": "1000"})
    assert result.rc == 0 and "cli_many_stacks" in result.stdout, result
    assert re.search(r"last \d+ bytes are missing", result.stdout), result.stdout
    assert digest(path) == before
    path.write_bytes(whole[: len(whole) // 5])
    result = pyrometer("report", "--threads", "all", path)
    if result.rc != 0:
        cli.assert_error(result, result.rc, "bytes are missing")


def test_bytes_turned_over_anywhere_never_crash(pyrometer, recordings, tmp_path):
    whole = open(recordings["heavy"], "rb").read()
    path = tmp_path / "bent.pyro"
    for step in range(24):
        bent = bytearray(whole)
        at = step * len(whole) // 24 + 17
        bent[at : at + 32] = bytes(255 - byte for byte in bent[at : at + 32])
        path.write_bytes(bent)
        result = pyrometer("report", path)
        assert result.rc in (0, 7, 8), result
        if result.rc:
            cli.assert_error(result, result.rc)
        assert path.read_bytes() == bent


# --- names ------------------------------------------------------------------------


def test_the_previous_recording_is_kept_and_compared(pyrometer, python, tmp_path):
    command = ["run", "--", python, BUSY, 0.8]
    first = pyrometer(*command, cwd=str(tmp_path))
    assert first.rc == 0 and "since the last recording" not in first.stderr
    kept = digest(tmp_path / "cli_busy.pyro")
    second = pyrometer(*command, cwd=str(tmp_path))
    assert second.rc == 0 and "since the last recording" in second.stderr, second.stderr
    assert digest(tmp_path / "cli_busy.previous.pyro") == kept
    assert sorted(os.listdir(str(tmp_path))) == ["cli_busy.previous.pyro", "cli_busy.pyro"]


def test_another_commands_recording_is_not_compared(pyrometer, python, tmp_path):
    for seconds in (0.6, 0.7):
        result = pyrometer("run", "--", python, BUSY, seconds, cwd=str(tmp_path))
        assert "since the last recording" not in result.stderr


def test_a_difference_since_the_last_recording_is_named(pyrometer, python, tmp_path):
    """The same command, another shape: the program reads its rounds from a file."""
    (tmp_path / "app.py").write_text(
        "import sys\nsys.path.insert(0, %r)\nimport cli_busy\n"
        "cli_busy.main(1.2, *map(int, open('rounds').read().split()))\n" % cli.TARGETS
    )
    for rounds in ("30000 3000", "3000 30000"):
        (tmp_path / "rounds").write_text(rounds)
        result = pyrometer("run", "--python", python, "app.py", cwd=str(tmp_path))
    text = result.stderr[result.stderr.index("since the last recording") :]
    assert "heavy" in text and "light" in text, result.stderr


FOREIGN = {"text": b"my notes\n", "empty": b"", "a database": None}


@pytest.mark.parametrize("kind", sorted(FOREIGN))
@pytest.mark.parametrize("command", ["run", "record"])
def test_a_foreign_file_is_never_replaced(pyrometer, python, tmp_path, command, kind):
    path = tmp_path / "x.pyro"
    if FOREIGN[kind] is None:
        database = sqlite3.connect(str(path))
        database.execute("CREATE TABLE orders (id INTEGER)")
        database.commit()
        database.close()
    else:
        path.write_bytes(FOREIGN[kind])
    before = digest(path)
    result = pyrometer(command, "-o", "x.pyro", "--", python, "-c", "print(1)", cwd=str(tmp_path))
    cli.assert_error(result, 125, "x.pyro")
    assert digest(path) == before and os.listdir(str(tmp_path)) == ["x.pyro"]


def test_a_foreign_file_under_the_previous_name_is_never_replaced(pyrometer, python, tmp_path):
    path = tmp_path / "x.previous.pyro"
    command = ["run", "-o", "x.pyro", "--", python, "-c", "import time; time.sleep(0.2)"]
    assert pyrometer(*command, cwd=str(tmp_path)).rc == 0
    path.write_text("my notes\n")
    pyrometer(*command, cwd=str(tmp_path))
    assert path.read_text() == "my notes\n"


def test_a_link_to_a_foreign_file_is_not_written_through(pyrometer, python, tmp_path):
    (tmp_path / "notes").write_text("mine\n")
    (tmp_path / "x.pyro").symlink_to("notes")
    result = pyrometer("run", "-o", "x.pyro", "--", python, "-c", "print(1)", cwd=str(tmp_path))
    cli.assert_error(result, 125)
    assert (tmp_path / "notes").read_text() == "mine\n"


def test_a_failed_start_leaves_the_recording_of_before(pyrometer, python, tmp_path):
    command = ["run", "-o", "x.pyro", "--"]
    code = "import time; time.sleep(0.3)"
    assert pyrometer(*command, python, "-c", code, cwd=str(tmp_path)).rc == 0
    before = digest(tmp_path / "x.pyro")
    for _ in range(2):
        assert pyrometer(*command, "no-such-program-here", cwd=str(tmp_path)).rc == 125
    assert digest(tmp_path / "x.pyro") == before
    assert os.listdir(str(tmp_path)) == ["x.pyro"]


def test_two_recorders_of_one_name_keep_both(start, pyrometer, python, tmp_path):
    command = ["record", "-o", "x.pyro", "--", python, BUSY]
    first = start(*command, 2.2, cwd=str(tmp_path))
    wait_for_samples(tmp_path / "x.pyro")
    second = start(*command, 0.7, cwd=str(tmp_path))
    ends = [cli.finish(second), cli.finish(first)]
    names = glob.glob(str(tmp_path / "*.pyro"))
    good = [name for name in names if pyrometer("report", name).rc == 0]
    # Either the second is refused, or both are whole.
    assert [rc for rc, _, _ in ends].count(0) == len(good) >= 1, (ends, names)
    for name in good:
        assert read_json(pyrometer, name)["complete"], name


def test_secrets_of_the_environment_are_not_in_the_file(pyrometer, python, tmp_path):
    secret = "TOKEN-5f1c9a7e-secret"
    env = {"API_TOKEN": secret, "AWS_SECRET_ACCESS_KEY": secret}
    command = ["record", "-o", "x.pyro", "--", python, BUSY, 0.5]
    assert pyrometer(*command, cwd=str(tmp_path), env=env).rc == 0
    assert secret.encode() not in (tmp_path / "x.pyro").read_bytes()


def test_the_schema_lies_on_the_first_page(recordings):
    """A small recording that was cut would lose all with the schema's last page."""
    database = sqlite3.connect("file:%s?mode=ro" % recordings["heavy"], uri=True)
    (used,) = database.execute(
        "SELECT sum(length(type) + length(name) + length(tbl_name) + length(sql) + 24)"
        " FROM sqlite_schema"
    ).fetchone()
    database.close()
    assert used < 4096 - 108


def test_the_schema_is_as_its_page_says(recordings):
    database = sqlite3.connect("file:%s?mode=ro" % recordings["heavy"], uri=True)
    assert database.execute("PRAGMA application_id").fetchone() == (0x5059524F,)
    name, self_share = database.execute("SELECT name, self FROM hot_functions LIMIT 1").fetchone()
    assert 0 < self_share <= 1 and name
    database.close()
