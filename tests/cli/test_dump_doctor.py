"""dump and doctor on processes whose state is known."""

import json
import os
import re
import signal
import subprocess

import pytest

import cli_support as cli


@pytest.fixture
def busy(spawn):
    return spawn("cli_busy.py", 60)


def test_dump_shows_every_thread_with_its_stack(pyrometer, busy):
    result = pyrometer("dump", "-p", busy.pid)
    assert (result.rc, result.stderr) == (0, "")
    assert result.stdout.startswith("process %d, CPython " % busy.pid)
    threads = result.stdout.strip().split("\n\n")[1:]
    assert len(threads) == 3
    for name in ("MainThread", "first waiter", "zweiter Wärter"):
        assert '"%s"' % name in result.stdout
    for thread in threads:
        if "waiter" in thread or "Wärter" in thread:
            assert "wait_for_end" in thread and "waiting" in thread.splitlines()[0]
        else:
            assert "main" in thread and "cli_busy.py" in thread


def test_dump_takes_the_pid_as_a_word_too(pyrometer, busy):
    assert pyrometer("dump", busy.pid).stdout.startswith("process %d" % busy.pid)


def test_dump_as_json(pyrometer, busy):
    document = json.loads(pyrometer("dump", "--json", "-p", busy.pid).stdout)
    assert document["schema_version"] == 1 and document["pid"] == busy.pid
    threads = {thread["name"]: thread for thread in document["threads"]}
    assert set(threads) == {"MainThread", "first waiter", "zweiter Wärter"}
    waiter = threads["first waiter"]
    assert waiter["state"] == "blocked" and not waiter["holds_gil"] and waiter["complete"]
    names = [frame["function"] for frame in waiter["frames"]]
    assert "wait_for_end" in names and names.index("wait_for_end") > 0  # the innermost comes first
    frame = waiter["frames"][names.index("wait_for_end")]
    assert frame["line"] == 45 and frame["file"].endswith("cli_busy.py")
    assert threads["MainThread"]["tid"] == busy.pid


def test_dump_tells_a_process_that_a_signal_stopped(pyrometer, busy):
    os.kill(busy.pid, signal.SIGSTOP)
    try:
        cli.wait_until("all its threads stopped", lambda: states_of_threads(busy.pid) == {"T"})
        result = pyrometer("dump", "-p", busy.pid)
        document = json.loads(pyrometer("dump", "--json", "-p", busy.pid).stdout)
    finally:
        os.kill(busy.pid, signal.SIGCONT)
    assert result.stdout.count("  stopped by a signal") == 3
    assert {thread["state"] for thread in document["threads"]} == {"stopped"}
    cli.wait_until("it goes on", lambda: states_of_threads(busy.pid) != {"T"})
    assert "stopped" not in pyrometer("dump", "-p", busy.pid).stdout


def states_of_threads(pid):
    states = set()
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, tid)) as stream:
            states.add(stream.read().rpartition(")")[2].split()[0])
    return states


def test_dump_does_not_stop_the_process(pyrometer, busy):
    for _ in range(5):
        assert pyrometer("dump", "-p", busy.pid).rc == 0
    assert cli.is_alive(busy.pid)
    with open("/proc/%d/status" % busy.pid) as stream:
        assert re.search(r"^TracerPid:\s+0$", stream.read(), re.M)


def test_dump_keeps_control_characters_from_the_terminal(pyrometer, python, tmp_path):
    code = (
        "import threading, time\n"
        "t = threading.Thread(target=time.sleep, args=(60,), name='\\x1b[31mred\\x07')\n"
        "t.daemon = True\nt.start()\nprint('READY', flush=True)\ntime.sleep(60)\n"
    )
    child = subprocess.Popen([python, "-c", code], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"READY\n"
        result = pyrometer("dump", "-p", child.pid)
        assert result.rc == 0 and "red" in result.stdout
        assert "\x1b" not in result.stdout and "\x07" not in result.stdout
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_doctor_without_a_process(pyrometer):
    result = pyrometer("doctor")
    assert (result.rc, result.stderr) == (0, "")
    rows = result.stdout.splitlines()
    assert all(re.match(r"(ok  |note|FAIL)  \S|\s+next: | {25}\S", row) for row in rows), result.stdout
    assert any("reading memory" in row for row in rows)


def test_doctor_of_a_python_process(pyrometer, busy, chosen):
    result = pyrometer("doctor", busy.pid)
    assert (result.rc, result.stderr) == (0, "")
    assert "FAIL" not in result.stdout
    row = re.search("^ok +interpreter .*$", result.stdout, re.M).group()
    assert "CPython " + chosen.version_text in row and "found by" in row
    assert re.search("^ok +stacks +3 threads", result.stdout, re.M)
    assert pyrometer("doctor", "-p", busy.pid).rc == 0


def test_doctor_as_json(pyrometer, busy):
    document = json.loads(pyrometer("doctor", "--json", busy.pid).stdout)
    assert document["schema_version"] == 1
    for check in document["checks"]:
        assert set(check) == {"name", "grade", "text", "next"}
        assert check["grade"] in ("ok", "note", "fail")
    assert "interpreter" in {check["name"] for check in document["checks"]}


def test_doctor_gives_a_next_step_for_what_fails(pyrometer, tmp_path):
    child = subprocess.Popen(["sleep", "60"])
    try:
        document = json.loads(pyrometer("doctor", "--json", child.pid).stdout)
        failed = [check for check in document["checks"] if check["grade"] == "fail"]
        assert len(failed) == 1 and failed[0]["next"]
    finally:
        child.kill()
        child.wait()
    gone = json.loads(pyrometer("doctor", "--json", child.pid).stdout)["checks"]
    assert [check["next"] for check in gone if check["grade"] == "fail"] != [None]


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_doctor_keeps_to_the_width(pyrometer, busy, columns):
    result = pyrometer("doctor", "-p", busy.pid, env={"COLUMNS": str(columns)})
    assert result.rc == 0 and cli.too_wide(result.stdout, columns) == []


def test_a_running_program_is_recorded_by_its_number(pyrometer, busy, tmp_path):
    args = ["record", "-p", busy.pid, "-d", "0.8"]
    result = pyrometer(*args, cwd=str(tmp_path))
    assert (result.rc, result.stdout) == (0, "")
    (name,) = os.listdir(str(tmp_path))
    assert name == "pid-%d.pyro" % busy.pid and name in result.stderr
    document = json.loads(pyrometer("report", "--json", name, cwd=str(tmp_path)).stdout)
    assert document["functions"][0]["name"] == "heavy"
    assert document["exit_status"] is None


@pytest.mark.parametrize("how", [["--rate", "max"], ["--other-core"], ["--stop"], ["--rate", "50"]])
def test_each_way_of_reading_finds_the_same(pyrometer, busy, tmp_path, how):
    result = pyrometer(
        "record", "-o", "x.pyro", *how, "-p", busy.pid, "-d", "1", cwd=str(tmp_path)
    )
    assert result.rc == 0, result.stderr
    document = json.loads(pyrometer("report", "--json", "x.pyro", cwd=str(tmp_path)).stdout)
    assert document["functions"][0]["name"] == "heavy"
    assert document["samples"]["valid"] > 10
    if how == ["--rate", "50"]:
        assert 25 < document["samples"]["scheduled"] < 90
    assert cli.is_alive(busy.pid)
