"""Collapsed stacks as an independent reader sees them."""

import collections

FRAME_M = "m (/src/a.py:10)"


def read(path):
    stacks = collections.Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, number = line.rsplit(" ", 1)
        assert int(number) > 0
        stacks[tuple(stack.split(";"))] += int(number)
    return stacks


def test_the_fixture_reads_back(fixture_files):
    stacks = read(fixture_files["collapsed"])
    assert stacks[(FRAME_M, "work (/src/a.py:20)")] == 8
    assert stacks[(FRAME_M, "<torn>")] == 1
    assert stacks[("rec (/src/ü.py:30)",) * 3] == 3
    assert sum(stacks.values()) == 25


def test_a_recording_has_its_hot_path(recorded_files):
    stacks = read(recorded_files["collapsed"])
    hot = sum(n for stack, n in stacks.items() if any(f.startswith("spin ") for f in stack))
    assert hot > 0.3 * sum(stacks.values())
    for stack in stacks:
        names = [frame.split(" ")[0] for frame in stack]
        if "spin" in names:
            assert names[names.index("spin") - 1] == "outer"
