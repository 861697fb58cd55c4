"""95 % intervals for this run's share cover it, on real runs. Pure simulations of the same, over
thousands of intervals a case, are tests/model/test_coverage.py; the whole run over real windows is
benchmarks/accuracy/coverage.py."""

import json
import math
import os
import sqlite3

import pytest
import support
from bias import NAMES, TARGET
from run_coverage import Coverage, record_phases, stamps_of, wilson

RATE_HZ = 4000
SECONDS = 4
WINDOW_NS = 40000000


@pytest.fixture(scope="module")
def coverage(pyrometer, interpreters, tmp_path_factory):
    """Windows of the newest interpreters' runs, pooled."""
    pooled, reported = Coverage(), []
    for interpreter in interpreters[-3:]:
        folder = tmp_path_factory.mktemp("coverage")
        target = support.Target(interpreter.argv("-u", interpreter.place(TARGET), "phases"))
        try:
            target.wait_for("READY")
            path, timeline = record_phases(target, pyrometer, folder, RATE_HZ, SECONDS)
            stamps = stamps_of(target, NAMES)
        finally:
            target.end()
        base = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        started, = base.execute("SELECT value FROM meta WHERE key='started_unix_ns'").fetchone()
        base.close()
        pooled.add(timeline, started, stamps, WINDOW_NS)
        reported.append((path, timeline))
    return pooled, reported


def test_intervals_cover_this_runs_share(coverage):
    pooled, _ = coverage
    print(pooled)
    # The bar is 93-97 %; so few intervals stray by themselves, and those of one window hang
    # together (the phases' shares sum to 1), so a window counts as one.
    windows = pooled.judged / len(NAMES)
    spread = 3 * math.sqrt(0.95 * 0.05 / windows)
    assert windows > 50
    assert 0.93 - spread <= pooled.share <= min(1, 0.97 + spread), str(pooled)


def test_report_prints_these_intervals(coverage, pyrometer):
    """What was judged is what report says of a window."""
    _, reported = coverage
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
