"""95 % intervals for this run's share of CPU time cover it, on real runs. (Of wall time as well where
the machine lets the sampler in: instants that are missed while the program waits for a CPU are not
made up for.) Pure simulations of the same, over
thousands of intervals a case, are tests/model/test_coverage.py; the whole run over real windows is
benchmarks/accuracy/coverage.py."""

import json
import math
import os
import sqlite3

import pytest
import support
from bias import NAMES, TARGET
from run_coverage import Coverage, Stamps, Timeline, ask_stamps, record_phases, wilson

RATE_HZ = 4000
SECONDS = 4
WINDOW_NS = 40000000
MISSED_MAX = 0.25  # at this rate a tenth falls into the holds of other samples


@pytest.fixture(scope="module")
def coverage(pyrometer, interpreters, tmp_path_factory):
    """Windows of the newest interpreters' runs, pooled: CPU shares, wall shares, recordings."""
    pooled, wall, reported, missed = Coverage(), Coverage(), [], 0
    for interpreter in interpreters[-3:]:
        folder = tmp_path_factory.mktemp("coverage")
        target = support.Target(interpreter.argv("-u", interpreter.place(TARGET), "phases"))
        try:
            target.wait_for("READY")
            path, timeline = record_phases(target, pyrometer, folder, RATE_HZ, SECONDS)
            told = ask_stamps(target)
        finally:
            target.end()
        base = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        meta = dict(base.execute("SELECT key, value FROM meta"))
        base.close()
        started = meta["started_unix_ns"]
        pooled.add(cpu_timeline(path), started, Stamps(told, NAMES, True), WINDOW_NS)
        wall.add(timeline, started, Stamps(told, NAMES, False), WINDOW_NS)
        missed = max(missed, meta["counts.missed"] / max(1, meta["counts.scheduled"]))
        reported.append((path, timeline))
    return pooled, wall, missed, reported


def cpu_timeline(path):
    return Timeline(os.path.splitext(path)[0] + ".json", True)


def judge(pooled):
    """The bar is 93-97 %; so few intervals stray by themselves, and those of one window hang
    together (the phases' shares sum to 1), so a window counts as one."""
    windows = pooled.judged / len(NAMES)
    spread = 3 * math.sqrt(0.95 * 0.05 / windows)
    assert windows > 50
    assert 0.93 - spread <= pooled.share <= min(1, 0.97 + spread), str(pooled)


def test_intervals_cover_this_runs_share_of_cpu_time(coverage):
    pooled, _, _, _ = coverage
    print(pooled)
    judge(pooled)


def test_intervals_cover_this_runs_share_of_wall_time(coverage):
    _, wall, missed, _ = coverage
    print(wall)
    if missed > MISSED_MAX:
        pytest.skip("too busy a machine: %.0f %% of the instants were missed" % (100 * missed))
    judge(wall)


def test_report_prints_these_intervals(coverage, pyrometer):
    """What was judged is what report says of a window."""
    _, _, _, reported = coverage
    path, timeline = reported[0]
    result = pyrometer("report", "--json", "--limit", "1000", "--from", "1", "--to", "2", path)
    assert result.rc == 0, result.stderr
    told = {f["name"]: f for f in json.loads(result.stdout)["functions"]}
    samples = [functions for time, functions in timeline.samples if 1e9 <= time < 2e9]
    for name in NAMES:
        if name not in told:
            continue
        k = sum(name in functions for functions in samples)
        low, high = wilson(k, len(samples))
        assert told[name]["total"] == pytest.approx(k / len(samples), abs=2e-3)
        assert told[name]["total_low"] == pytest.approx(low, abs=2e-3)
        assert told[name]["total_high"] == pytest.approx(high, abs=2e-3)
    assert os.path.exists(path)
