"""A sub-interpreter that runs in a thread: its stacks and the main interpreter's, each its own."""

import json

from recorded import Recording

SCRIPT = "stacks_subinterpreter.py"


def test_dump_shows_both(interpreter, spawn_target, pyrometer):
    target = spawn_target(interpreter, SCRIPT)
    facts = json.loads(target.wait_for("FACTS").split(" ", 1)[1])
    result = pyrometer("dump", "-p", target.pid, "--json")
    assert result.rc == 0, result.stderr
    stacks = [
        (
            thread["interpreter"],
            thread["tid"],
            [[frame["function"], frame["line"]] for frame in thread["frames"]],
        )
        for thread in json.loads(result.stdout)["threads"]
    ]
    assert (0, target.pid, facts["main"]) in stacks
    subs = [(tid, frames) for number, tid, frames in stacks if number != 0 and frames]
    assert subs == [(facts["tid"], facts["sub"])], stacks


def test_recording_has_both(interpreter, spawn_target, pyrometer, tmp_path):
    target = spawn_target(interpreter, SCRIPT, ["spin"])
    facts = json.loads(target.wait_for("FACTS").split(" ", 1)[1])
    path = tmp_path / "sub.pyro"
    result = pyrometer("record", "-o", path, "-r", 400, "-d", 1, "-p", target.pid)
    assert result.rc == 0, result.stderr
    target.write_line()
    assert target.wait() == 0
    recording = Recording(path)
    in_sub = [
        sample
        for sample in recording.samples
        if any(frame.name == "inner_of_sub" for frame in sample.frames)
    ]
    assert sum(sample.count for sample in in_sub) > 5
    for sample in in_sub:
        names = [frame.name for frame in sample.frames if frame.file != "<frozen posixpath>"]
        at = names.index("inner_of_sub")
        # What called into the sub-interpreter may be shown below it, by the interpreter's choice.
        assert names[at : at + 3] == ["inner_of_sub", "outer_of_sub", "<module>"], names
        assert sample.tid == facts["tid"]
    assert any(
        sample.tid == sample.pid and any(frame.name.endswith("wait") for frame in sample.frames)
        for sample in recording.samples
    )
