"""Code objects made and dropped in a loop, their addresses used again by others: no sample may give
a function a line that it hasn't, nor put one function's module under another's."""

import pytest

from recorded import FLAG_TORN, Recording
from support import TARGETS

FILE = "<churn>"
UNKNOWN = ("<unknown>", None, 0)  # dropped before its name was read: said, and rare


def base(number):
    return 1 + (number % 499) * 11


def number_of(frame):
    return int(frame.name[len("f_") :])


@pytest.fixture(scope="module")
def churned(interpreter, pyrometer, tmp_path_factory):
    path = tmp_path_factory.mktemp("churned") / "churned.pyro"
    script = interpreter.place(TARGETS + "/stacks_churn.py")
    result = pyrometer(
        "record", "-o", path, "-r", 1000, "--", *interpreter.argv("-u", script, "1.5")
    )
    assert result.rc == 0, result.stderr
    return Recording(path)


def pairs(recording):
    """(function's frame, its caller's frame, sample) of every sample in the made code."""
    for sample in recording.samples:
        if sample.flags & FLAG_TORN:
            continue
        for index, frame in enumerate(sample.frames[:-1]):
            if frame.file == FILE and frame.name != "<module>":
                yield frame, sample.frames[index + 1], sample


def test_lines_are_those_of_the_function(churned):
    wrong = []
    right = 0
    for frame, caller, sample in pairs(churned):
        start = base(number_of(frame))
        ok = start <= frame.line <= start + 6 and frame.first_line == start
        ok = ok and caller[:3] in [("<module>", FILE, start + 7), UNKNOWN]
        right += sample.count if ok else 0
        if not ok:
            wrong.append((sample.count, sample.flags, frame[:4], caller[:4]))
    assert right > 100
    assert wrong == [], "%d right" % right


def test_modules_of_dropped_code_lie_where_they_were_executed(churned):
    for sample in churned.samples:
        for frame, caller in zip(sample.frames, sample.frames[1:]):
            if frame.file == FILE and frame.name == "<module>":
                assert caller.name == "run"


def test_unknown_names_are_rare(churned):
    everything = churned.total(lambda sample: sample.frames)
    unknown = churned.total(
        lambda sample: any(frame.name in (None, "<unknown>") for frame in sample.frames)
    )
    assert unknown <= 0.03 * everything, (unknown, everything)


def test_many_functions_were_told_apart(churned):
    assert len({frame.name for frame, _, _ in pairs(churned)}) > 50
