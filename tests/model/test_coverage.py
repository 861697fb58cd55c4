"""95 % intervals for this run's share cover it 93-97 % of the time, over 4,000 intervals a case.

With 4,000 intervals a perfect method strays from 95 % by 0.35 points (one standard error); leaving
93-97 % by chance would take more than five of them. The controls must leave it: they show that the
test can fail, and why samples under an adapted rate are weighted and their n is corrected."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNS = 4000
SEED = 20240
RIGHT = ["phases_1_3_ms", "phases_20_60_ms", "phases_100_300_ms", "rare_2_percent", "two_rates_even",
         "two_rates_uneven"]
CONTROLS = ["control_plain_n", "control_plain_count"]


@pytest.fixture(scope="module")
def coverage(tmp_path_factory):
    program = tmp_path_factory.mktemp("model") / "share_coverage"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT / 'src'}",
                    str(ROOT / "tests/model/share_coverage.c"), str(ROOT / "src/stats/interval.c"), "-o",
                    str(program), "-lm"], check=True)
    done = subprocess.run([program, str(RUNS), str(SEED)], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert all(int(row[2]) >= 2000 for row in rows)
    return {row[0]: float(row[1]) for row in rows}


@pytest.mark.parametrize("case", RIGHT)
def test_intervals_cover_this_runs_share(coverage, case):
    assert 0.93 <= coverage[case] <= 0.97


@pytest.mark.parametrize("case", CONTROLS)
def test_a_wrong_estimate_is_caught(coverage, case):
    assert coverage[case] < 0.90


def test_every_case_is_judged(coverage):
    assert set(coverage) == set(RIGHT) | set(CONTROLS)
