"""Shares of CPU time are true: against stopped sampling of the same process, and against the
program's own clock.

The short form: bars are widened by what chance alone explains of samples so small (99.9 %). While a program waits for a CPU its stack stands still, and thousands of equal samples are
one: the reader that samples so densely is only judged where the programs had their core. The whole
run, 50,000 samples a program on four versions, is benchmarks/accuracy/bias.py."""

import random

import pytest
from bias import Trial
from shares import Comparison, expected_noise, multinomial, noise, self_counts, shares, tvd
from recording_text import FLAG_TORN, KIND_PYTHON, KIND_TORN, ON_CPU, Frame, Sum

VERSIONS = [(3, 8), (3, 13), (3, 15)]
PROGRAMS = ["add16", "generators", "calls"]
SAMPLES = 1200
SECONDS = 1
ROUNDS_MAX = 2


@pytest.fixture(scope="module")
def some(interpreters):
    return [i for i in interpreters if i.version in VERSIONS and "-" not in i.id]


@pytest.fixture(scope="module")
def trials(some, pyrometer, tmp_path_factory):
    """One program for each version: together the versions see each, alone they are quick."""
    ended = []
    for interpreter, program in zip(some, PROGRAMS):
        trial = Trial(interpreter, program, str(tmp_path_factory.mktemp("bias")))
        trial.run(SAMPLES, SECONDS, ROUNDS_MAX)
        ended.append(trial)
    return ended


WAITED_MAX = 0.1
OTHER_CORE_EVER = 0.35  # far from right: a reader that lost a function altogether is beyond


def check(trials, reader, bar):
    judged = [t for t in trials if reader != "other" or t.waited(reader) < WAITED_MAX]
    if not judged:
        pytest.skip("too busy a machine to judge the other core: the programs waited for a CPU")
    for trial in judged:
        for row in trial.rows():
            if row.reader != reader or not row.judged:
                continue
            print(trial.interpreter.id, trial.program, row.truth, row.comparison)
            allowed = bar + row.comparison.chance(0.999)
            assert row.comparison.tvd <= allowed, "%s %s %s: %s" % (
                trial.interpreter.id, trial.program, row.truth, row.comparison)


def test_same_core_is_unbiased(trials):
    check(trials, "same", 0.01)


def test_other_core_is_nearly_unbiased(trials):
    check(trials, "other", OTHER_CORE_EVER)
    try:
        check(trials, "other", 0.02)
    except AssertionError as missed:
        # Two words are read further apart than a short call lasts, and reading halts what writes
        # them: docs/decisions/0020 has the measurement (benchmarks/accuracy/two_words.c).
        pytest.xfail(f"over the bar of 2 points: {missed}")


def test_phases_against_the_programs_own_clock(interpreters, pyrometer, tmp_path):
    trial = Trial(interpreters[-1], "phases", str(tmp_path), readers=("same",))
    trial.run(SAMPLES, SECONDS, ROUNDS_MAX)
    check([trial], "same", 0.01)


# --- the yardstick itself --------------------------------------------------------


def test_expected_noise_is_what_draws_show():
    p = {"a": 0.6, "b": 0.3, "c": 0.1}
    for sizes in ([2000], [2000, 3000]):
        drawn = noise(p, sizes, runs=3000)
        mean = sum(drawn) / len(drawn)
        assert mean == pytest.approx(expected_noise(p, *sizes), rel=0.05)


def test_a_bias_of_three_points_is_seen():
    truth = {"f": 0.45, "g": 0.45, "loop": 0.10}
    biased = {"f": 0.48, "g": 0.42, "loop": 0.10}
    drawn = multinomial(biased, 50000, random.Random(3))
    comparison = Comparison({key: 50000 * share for key, share in drawn.items()}, truth)
    assert comparison.excess > 0.02
    assert comparison.tvd > 0.01 + comparison.chance(0.999)


def test_torn_leaves_are_shared_out_under_their_own_caller():
    def frame(name, line, kind=KIND_PYTHON):
        return Frame(name, "x.py", 1, line, kind)

    class Made:
        sums = [
            Sum(1, (frame("m", 1), frame("f", 9)), ON_CPU, 0, 60),
            Sum(1, (frame("m", 1), frame("k", 9)), ON_CPU, 0, 20),
            Sum(1, (frame("m", 2), frame("g", 9)), ON_CPU, 0, 100),
            Sum(1, (frame("m", 1), frame("<torn>", 0, KIND_TORN)), ON_CPU, FLAG_TORN, 20),
        ]

    counts, torn = self_counts([Made])
    assert counts == {"f": 75, "k": 25, "g": 100}
    assert torn == pytest.approx(0.1)
    apart, _ = self_counts([Made], share_torn=False)
    assert tvd(shares(apart), shares(counts)) == pytest.approx(0.1)
