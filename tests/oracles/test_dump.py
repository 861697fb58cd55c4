"""`dump` says what sys._current_frames() says, for threads that stand still in known places."""

import json
import os

DUMPS_MAX = 5
UTF8 = dict(os.environ, PYTHONUTF8="1")


def ask(target):
    target.write_line("frames")
    return json.loads(target.read_line())


def dump_of(target, pyrometer):
    """The dump, and the target's own answer that was the same before and after it."""
    for _ in range(DUMPS_MAX):
        before = ask(target)
        result = pyrometer("dump", "-p", target.pid, "--json")
        assert result.rc == 0, result.stderr
        after = ask(target)
        if before == after:
            return json.loads(result.stdout), before
    raise AssertionError("the target's threads moved in each of %d dumps" % DUMPS_MAX)


def frame_row(frame, interpreter):
    """What is compared of a frame. Before 3.11 code objects know no qualified name, no column."""
    function = frame["function"]
    if interpreter.version < (3, 11):
        return function.split(".")[-1], frame["file"], frame["line"], frame["first_line"]
    column = frame["column"]
    return function, frame["file"], frame["line"], frame["first_line"], column


def test_dump_equals_current_frames(interpreter, spawn_target, pyrometer):
    target = spawn_target(interpreter, "oracle_dump.py", env=UTF8)
    told, own = dump_of(target, pyrometer)
    threads = {str(thread["ident"]): thread for thread in told["threads"]}
    assert set(threads) == set(own)
    assert len(own) == 17  # 16 places and the main thread
    for ident, row in own.items():
        thread = threads[ident]
        assert thread["name"] == row["name"]
        assert thread["complete"]
        seen = [frame_row(frame, interpreter) for frame in thread["frames"]]
        expected = [frame_row(frame, interpreter) for frame in row["frames"]]
        if row["name"] == "MainThread":
            # It answers us: it stands in readline now, and stood in all_frames when it answered.
            assert thread["tid"] == target.pid
            assert [name for name, *_ in seen[-2:]] == ["main", "<module>"]
            assert seen[-1] == expected[-1]
        else:
            assert seen == expected, row["name"]
            assert thread["state"] == "blocked", row["name"]


def test_dump_of_a_deep_thread_has_every_frame(interpreter, spawn_target, pyrometer):
    target = spawn_target(interpreter, "oracle_dump.py", env=UTF8)
    told, _ = dump_of(target, pyrometer)
    deep = [t for t in told["threads"] if (t["name"] or "").startswith("blocks_in_recursion")]
    assert len(deep) == 1
    assert sum(frame["function"] == "recurse" for frame in deep[0]["frames"]) == 501
