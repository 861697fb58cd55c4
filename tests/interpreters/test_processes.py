"""What a program becomes: forks, execs, shells, multiprocessing. Each process is in the one recording,
with its number, its version and the function that it was in, and no other process's."""

import collections

import pytest

from recorded import Recording
from support import TARGETS, found_interpreters

SCRIPT = TARGETS + "/stacks_processes.py"
FUNCTIONS = {"in_parent", "in_child", "in_grandchild", "in_worker", "before_exec", "after_exec"}


@pytest.fixture
def recorded(interpreter, pyrometer, tmp_path):
    """recorded(command) -> (Recording, [(function, pid)] as told by the processes)."""

    def record(command):
        path = tmp_path / "processes.pyro"
        result = pyrometer("record", "-o", path, "-r", 800, "--", *command)
        assert result.rc == 0, result.stderr
        told = [line.split() for line in result.stdout.split("\n") if line]
        return Recording(path), [(name, int(pid)) for name, pid in told]

    return record


def functions_of(recording):
    """(pid, function) to samples."""
    found = collections.Counter()
    for sample in recording.samples:
        for frame in sample.frames:
            if frame.name in FUNCTIONS:
                found[sample.pid, frame.name] += sample.count
    return found


def check(recording, told):
    """Each process was sampled in the function that it told, and in no other's."""
    found = functions_of(recording)
    assert set(found) == {(pid, name) for name, pid in told}, found
    assert min(found.values()) >= 2, found
    assert {process["pid"] for process in recording.processes} >= {pid for _, pid in told}


def test_fork_without_exec(interpreter, recorded):
    recording, told = recorded(interpreter.command(SCRIPT, "fork"))
    assert [name for name, _ in sorted(told)] == ["in_child", "in_grandchild", "in_parent"]
    check(recording, told)
    pids = dict(told)
    parents = {process["pid"]: process["parent_pid"] for process in recording.processes}
    assert parents[pids["in_child"]] == pids["in_parent"]
    assert parents[pids["in_grandchild"]] == pids["in_child"]
    versions = {process["python"] for process in recording.processes}
    assert versions <= {interpreter.version_text, None}


def test_fork_while_threads_run(interpreter, recorded):
    recording, told = recorded(interpreter.command(SCRIPT, "threads-fork"))
    check(recording, told)
    pids = dict(told)
    for sample in recording.samples:
        if sample.pid == pids["in_child"]:
            assert sample.thread != "stays in the parent"
            assert all(frame.name != "in_thread" for frame in sample.frames)


def others(interpreter):
    """Another version in the same root, if there is one; else the same again."""
    found = [
        other
        for other in found_interpreters()
        if other.root == interpreter.root and other.version != interpreter.version
    ]
    return found[(interpreter.minor * 3) % len(found)] if found else interpreter


def test_exec_into_another_version(interpreter, recorded):
    other = others(interpreter)
    script = interpreter.place(SCRIPT)
    recording, told = recorded(
        interpreter.argv(script, "exec", other.path, script, "after")
    )
    assert [name for name, _ in told] == ["before_exec", "after_exec"]
    assert told[0][1] == told[1][1]
    check(recording, told)
    process = [row for row in recording.processes if row["pid"] == told[0][1]]
    assert process[-1]["python"] == other.version_text


def test_shell_between(interpreter, recorded):
    script = interpreter.place(SCRIPT)
    line = "%s %s fork; echo >/dev/null; %s %s after" % (
        (interpreter.path, script) * 2
    )
    prefix = ["chroot", interpreter.root] if interpreter.root else []
    recording, told = recorded(prefix + ["sh", "-c", line])
    assert sorted(name for name, _ in told) == [
        "after_exec",
        "in_child",
        "in_grandchild",
        "in_parent",
    ]
    check(recording, told)


@pytest.mark.parametrize("how", ["spawn", "fork-pool", "forkserver"])
def test_multiprocessing(interpreter, recorded, how):
    recording, told = recorded(interpreter.command(SCRIPT, how))
    assert sorted(name for name, _ in told) == ["in_parent", "in_worker", "in_worker"]
    check(recording, told)


def test_children_are_left_out_when_asked(interpreter, pyrometer, tmp_path):
    path = tmp_path / "alone.pyro"
    command = interpreter.command(SCRIPT, "fork")
    result = pyrometer("record", "--no-children", "-o", path, "-r", 800, "--", *command)
    assert result.rc == 0, result.stderr
    found = functions_of(Recording(path))
    assert {name for _, name in found} == {"in_parent"}
