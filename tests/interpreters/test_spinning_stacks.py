"""Sampled stacks against what the program itself says: one thread comes to many places in turn and
spins in each. Above spin() every sample must be, frame by frame, a chain that the program told:
name, file, line, first line and, where the version has them, columns and end."""

import json
import os

import pytest

from recorded import FLAG_TORN, GC, PYTHON, Recording
from support import TARGETS

TARGET = os.path.join(TARGETS, "stacks_places.py")
SECONDS = 2


class Spun:
    def __init__(self, facts, path):
        self.facts = facts
        self.path = path
        self.recording = recording = Recording(path)
        self.place_of = {}  # chain as JSON to the place that told it
        for place, chains in facts.items():
            for chain in chains:
                self.place_of.setdefault(json.dumps(chain), set()).add(place)
        self.right = dict.fromkeys(facts, 0)  # place to samples
        self.wrong = []
        for sample in recording.samples:
            chain = callers_of_spin(sample)
            if chain is None or sample.flags & FLAG_TORN:
                continue
            places = self.place_of.get(json.dumps(chain))
            if places is None:
                self.wrong.append((sample, chain))
            for place in places or ():
                self.right[place] += sample.count

    def nearest(self, chain):
        """How the likest chain of the program differs from a wrong one: [(told, sampled)]."""
        told = [json.loads(text) for text in self.place_of]
        differences = [
            [(a, b) for a, b in zip(other, chain) if a != b]
            for other in told
            if len(other) == len(chain)
        ]
        return min(differences, key=len)[:3] if differences else "no chain of %d" % len(chain)


def callers_of_spin(sample):
    """What lies above the outermost spin(), in the words of the program; None: not in it."""
    at = [
        index
        for index, frame in enumerate(sample.frames)
        if frame.name == "spin" and frame.file.endswith("stacks_places.py")
    ]
    if not at:
        return None
    chain = [list(frame[:7]) for frame in sample.frames[at[-1] + 1 :]]
    for frame in chain:
        if frame[4] is None:
            frame[5:] = [None, None]
    return chain


@pytest.fixture(scope="module")
def spun(interpreter, pyrometer, tmp_path_factory):
    path = tmp_path_factory.mktemp("spun") / "spun.pyro"
    command = interpreter.argv("-u", interpreter.place(TARGET), "spin", SECONDS)
    result = pyrometer("record", "-o", path, "-r", 1000, "--", *command)
    assert result.rc == 0, result.stderr
    told = [line for line in result.stdout.split("\n") if line.startswith("FACTS ")]
    return Spun(json.loads(told[0].split(" ", 1)[1]), path)


def test_no_sample_says_what_the_program_does_not(spun):
    wrong = sum(sample.count for sample, _ in spun.wrong)
    assert sum(spun.right.values()) > 300
    assert wrong == 0, "%d wrong of %d, e.g. told and sampled: %s" % (
        wrong,
        wrong + sum(spun.right.values()),
        [spun.nearest(chain) for _, chain in spun.wrong[:3]],
    )


def test_every_place_is_sampled(spun):
    unseen = [place for place, samples in spun.right.items() if samples == 0 and spun.facts[place]]
    assert unseen == []


def test_spin_itself_is_in_its_own_lines(spun):
    with open(TARGET, encoding="utf-8") as source:
        lines = source.read().split("\n")
    first = lines.index("def spin():") + 1
    for frame in spun.recording.frames.values():
        if frame.name == "spin":
            assert frame.first_line == first
            if frame.line == 0:  # said to be unknown, in a torn sample
                continue
            # A call that has not begun yet, or is at its RESUME, stands on the line of its def.
            assert first <= frame.line <= first + 7, lines[frame.line - 1]


def test_line_in_the_middle_of_a_long_function(spun):
    """The leaf's own line, by a line table over 32 KiB."""
    lines = {}
    for sample in spun.recording.samples:
        leaf = sample.frames[0] if sample.frames else None
        if leaf and leaf.name == "long_middle" and not sample.flags & FLAG_TORN:
            lines[leaf.line] = lines.get(leaf.line, 0) + sample.count
    assert lines.pop(12348, 0) > 5
    assert all(1 <= line <= 24001 for line in lines)


def collapsed_frame(frame):
    return "%s (%s:%d)" % (frame[0], frame[1], frame[3])


def test_collapsed_stacks_are_those_of_the_program(spun, pyrometer):
    exported = pyrometer("export", "--format", "collapsed", "-o", "-", spun.path)
    assert exported.rc == 0, exported.stderr
    lines = exported.stdout.rstrip("\n").split("\n")
    assert all(line.rpartition(" ")[2].isdigit() for line in lines)
    for place in ("names_outside_ascii", "async_generator", "sorted_key", "in_exception_group"):
        chain = spun.facts[place][0]
        words = ";".join(collapsed_frame(frame) for frame in reversed(chain))
        assert any(words in line for line in lines), words


def test_report_counts_recursion_once(spun, pyrometer):
    report = pyrometer("report", "--json", "--threads", "all", spun.path)
    assert report.rc == 0, report.stderr
    functions = {row["name"]: row for row in json.loads(report.stdout)["functions"]}
    assert 0 < functions["descend"]["total"] < 1
    assert functions["spin_in_all"]["total"] >= functions["descend"]["total"]
    assert any(name.endswith("方法") for name in functions)


def test_frames_are_known(spun):
    """Unknown and torn frames stay rare; nothing is of a kind that this program hasn't."""
    recording = spun.recording
    everything = recording.total(lambda sample: sample.frames)
    unknown = recording.total(
        lambda sample: any(frame.kind not in (PYTHON, GC) for frame in sample.frames)
        or any(frame.name in (None, "<unknown>") for frame in sample.frames)
    )
    assert unknown <= 0.02 * everything, (unknown, everything)


def test_counts_add_up(spun):
    counts = spun.recording.counts
    fates = [counts[fate] for fate in ("valid", "torn", "failed", "missed")]
    assert counts["scheduled"] == sum(fates)
    assert counts["valid"] + counts["torn"] > 300
