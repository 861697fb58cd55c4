"""Threads that come and go beside threads that stay: names, functions and counts stay right."""

import json

import pytest

from namespaces import UNSHARE, child_of, end, namespaces_refused
from recorded import Recording
from support import TARGETS, Target

SCRIPT = TARGETS + "/stacks_threads.py"


@pytest.fixture(scope="module")
def threads(interpreter, pyrometer, tmp_path_factory):
    path = tmp_path_factory.mktemp("threads") / "threads.pyro"
    command = interpreter.argv("-u", interpreter.place(SCRIPT), "2")
    result = pyrometer("record", "-o", path, "-r", 500, "--", *command)
    assert result.rc == 0, result.stderr
    told = [line for line in result.stdout.split("\n") if line.startswith("FACTS ")]
    came, staying = json.loads(told[0].split(" ", 1)[1])
    assert came >= 200
    return path, Recording(path), staying


def test_threads_that_stay_are_in_their_own_function(threads):
    _, recording, staying = threads
    for number, name in enumerate(staying):
        mine = [sample for sample in recording.samples if sample.thread == name]
        assert sum(sample.count for sample in mine) > 10, name
        assert len({sample.tid for sample in mine}) == 1
        for sample in mine:
            names = {frame.name for frame in sample.frames}
            others = {"stay_%d" % other for other in range(3) if other != number}
            assert not names & (others | {"come_and_go", "main"}), names


def test_threads_that_come_and_go_are_in_theirs(threads):
    _, recording, staying = threads
    seen = set()
    for sample in recording.samples:
        names = {frame.name for frame in sample.frames}
        if "come_and_go" in names:
            assert not names & {"stay_0", "stay_1", "stay_2", "main"}, names
            assert sample.thread is None or sample.thread.startswith("comes "), sample.thread
            seen.add(sample.tid)
    assert seen, "none of the threads that came was sampled"


def test_main_thread_is_known(threads):
    _, recording, _ = threads
    samples = [sample for sample in recording.samples if sample.tid == sample.pid]
    assert {sample.thread for sample in samples} <= {"MainThread", None}
    assert any(frame.name == "main" for sample in samples for frame in sample.frames)


def test_counts_add_up(threads, pyrometer):
    path, recording, staying = threads
    counts = recording.counts
    assert counts["scheduled"] == sum(
        counts[fate] for fate in ("valid", "torn", "failed", "missed")
    )
    report = json.loads(pyrometer("report", "--json", "--threads", "all", path).stdout)
    samples = report["samples"]
    assert samples["taken"] == counts["valid"] + counts["torn"]
    named = {thread["name"] for thread in report["threads"]}
    assert set(staying) <= named


def test_threads_end_under_other_readers(interpreter, pyrometer, tmp_path):
    """Threads that end while they are read, by each of the three readers: no crash, no loss."""
    for number, options in enumerate((["--other-core", "-r", 1000], ["--stop", "-r", 200])):
        path = tmp_path / ("%d.pyro" % number)
        command = interpreter.argv("-u", interpreter.place(SCRIPT), "0.8")
        result = pyrometer("record", "-o", path, *options, "--", *command)
        assert result.rc == 0, result.stderr
        assert "FACTS" in result.stdout
        assert Recording(path).total(lambda sample: sample.frames) > 5


def test_threads_in_a_pid_namespace(interpreter, pyrometer, tmp_path):
    """As in a container: the ids that the interpreter keeps of its threads are not those that we
    see, and still each thread's samples are its own."""
    refused = namespaces_refused()
    if refused:
        pytest.skip(refused)
    run = 'mount -t proc proc "$1/proc" && shift && exec "$@"'
    command = UNSHARE + ["sh", "-c", run, "sh", interpreter.root or ""]
    target = Target(command + interpreter.argv("-u", interpreter.place(SCRIPT), "-"))
    try:
        target.wait_for("READY")
        pid = child_of(target.pid)
        path = tmp_path / "namespace.pyro"
        result = pyrometer("record", "-o", path, "-r", 400, "-d", 1, "-p", pid)
        assert result.rc == 0, result.stderr
    finally:
        end(target)
    recording = Recording(path)
    for sample in recording.samples:
        mine = {frame.name for frame in sample.frames} & {"main", "stay_0", "stay_1", "stay_2"}
        expected = "main" if sample.thread == "MainThread" else "stay_" + (sample.thread or "")[-1:]
        assert not mine or mine == {expected}, (sample.thread, sample.tid, mine)
    assert {sample.thread for sample in recording.samples} >= {
        "MainThread",
        "stays ß 0",
        "stays ß 1",
        "stays ß 2",
    }
