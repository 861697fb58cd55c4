"""A function that is on a stack many times counts once in its total."""

import collections
import json

import pytest
from edges import TARGET
from recording_text import Recording


@pytest.fixture
def recorded(interpreter, spawn_target, pyrometer, tmp_path):
    target = spawn_target(interpreter, TARGET)
    path = tmp_path / "recursion.pyro"
    result = pyrometer("record", "-r", "2000", "-d", "1", "-o", path, "-p", target.pid)
    assert result.rc == 0, result.stderr
    return path


def totals_of(recording):
    """Shares of the samples that have the function on their stack at all, by our own count."""
    counts, everything = collections.Counter(), 0
    for row in recording.sums:
        everything += row.count
        for function in {(frame.name, frame.first_line) for frame in row.stack}:
            counts[function] += row.count
    return {function: count / everything for function, count in counts.items()}


def test_totals_count_recursion_once(recorded, pyrometer):
    recording = Recording(recorded)
    expected = totals_of(recording)
    deepest = max(sum(f.name == "recursive" for f in row.stack) for row in recording.sums)
    assert deepest > 3, "the recursion was not seen"
    result = pyrometer("report", "--json", "--limit", "1000", recorded)
    assert result.rc == 0, result.stderr
    functions = json.loads(result.stdout)["functions"]
    told = {(f["name"], f["line"] or 0): f for f in functions}
    # What was torn (read before the reader was on the target's core) is shared out among the others.
    torn = sum(expected.pop(key) for key in list(expected) if key[0] == "<torn>")
    told = {key: f for key, f in told.items() if key[0] != "<torn>"}
    assert torn < 0.02
    assert set(told) == set(expected)
    for function, share in expected.items():
        assert told[function]["total"] <= 1 + 1e-9
        assert told[function]["total"] == pytest.approx(share, abs=1e-6 + torn), function
        assert told[function]["self"] <= told[function]["total"] + 1e-9
