"""How often comparisons are wrong, where the truth is known by construction.

The bars are issue-wide: a null of any shape gives a verdict at most 1 % of the time (alpha is
0.2 %), 95 % intervals cover 93-97 % at a fixed number of pairs and at least 95 % where the test
stopped, and real slowdowns are found. The controls are wrong methods: they must fall through, which
shows that the simulation can tell. PYROMETER_MODEL_RUNS multiplies the runs."""

import math
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["src/stats/paired.c", "src/stats/sequential.c", "src/stats/signed_rank.c", "src/stats/summary.c",
           "src/stats/interval.c", "src/base/arena.c", "src/base/err.c"]
TIMES = int(os.environ.get("PYROMETER_MODEL_RUNS", "1"))
SEED = "20300"
NULLS = ["iid", "heavy_tail", "drift", "step_in_mid_run", "two_modes", "two_exact_modes", "ar1",
         "between_processes", "unequal_n", "zero_variance", "one_block", "ties", "second_is_slower",
         "calm_and_stormy"]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "comparing"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT / 'src'}",
                    str(ROOT / "tests/model/comparing.c"), *(str(ROOT / name) for name in SOURCES), "-o",
                    str(path), "-lm"], check=True)
    return path


def figures(program, part, runs):
    done = subprocess.run([program, part, str(runs * TIMES), SEED], capture_output=True, text=True, check=True)
    rows = {}
    for line in done.stdout.splitlines():
        name, count, *rest = line.split()
        rows[name] = {key: float(value) for key, value in (item.split("=") for item in rest)}
        rows[name]["runs"] = int(count)
    return rows


def test_equal_programs_give_no_verdict(program):
    rows = figures(program, "nulls", 1000)
    assert set(rows) == set(NULLS)
    for name, row in rows.items():
        assert row["runs"] >= 1000
        assert row["wrong"] <= 0.01 * row["runs"], name
    # The design: 0.2 %. 14 shapes together stray from it by less than four standard errors.
    runs = sum(row["runs"] for row in rows.values())
    assert sum(row["wrong"] for row in rows.values()) <= 0.002 * runs + 4 * math.sqrt(0.002 * runs)


def test_a_test_without_spending_is_caught(program):
    """Looking again and again with a test made for one look (5 %) cries wolf: the simulation shows it."""
    row = figures(program, "peeking", 300)["peeking"]
    assert row["wrong"] > 0.15 * row["runs"]


def test_intervals_cover_at_a_fixed_number_of_pairs(program):
    rows = figures(program, "fixed", 2000)
    assert len(rows) == 25
    for name, row in rows.items():
        assert row["runs"] >= 2000
        # Coverage is exact at the number of pairs; four standard errors are 1.9 points.
        assert 0.93 <= row["covered"] / row["runs"] <= 0.98, name
        assert row["control_half_as_wide"] < 0.9 * row["runs"], name
    covered = sum(row["covered"] for row in rows.values()) / sum(row["runs"] for row in rows.values())
    assert 0.94 <= covered <= 0.97


def test_intervals_cover_where_the_test_stopped(program):
    rows = figures(program, "stopped", 2000)
    assert len(rows) == 6
    for name, row in rows.items():
        assert row["runs"] >= 2000
        assert row["covered"] >= 0.95 * row["runs"], name
        assert row["control_peeking"] < 0.9 * row["of"], name


@pytest.fixture(scope="module")
def power(program):
    return figures(program, "power", 1000)


@pytest.mark.parametrize("ratio, pairs, part", [("2", 8, 0.99), ("1.1", 20, 0.99), ("1.05", 30, 0.95), ("1.02", 90, 0.9)])
@pytest.mark.parametrize("machine", ["quiet", "busy"])
def test_slowdowns_are_found(power, machine, ratio, pairs, part):
    row = power[f"power_{machine}_{ratio}"]
    assert row["limit"] == pairs
    assert row["found"] >= part * row["runs"]
    assert row["wrong_sign"] == 0


@pytest.mark.parametrize("machine", ["quiet", "busy"])
def test_what_is_the_same_is_called_equal(power, machine):
    row = power[f"power_{machine}_1"]
    assert row["equal"] >= 0.9 * row["runs"]
    assert row["found"] + row["wrong_sign"] <= 0.01 * row["runs"]


def test_what_is_said_to_be_detectable_is_found(power):
    """The figure is told with power 0.9. Of 8 to 14 pairs on a busy machine it promises too much
    (most have one that was disturbed): three quarters."""
    rows = {name: row for name, row in power.items() if name.startswith("detectable")}
    assert len(rows) == 10
    for name, row in rows.items():
        few = name.startswith("detectable_busy") and row["pairs"] < 17
        assert row["found"] >= (0.65 if few else 0.8) * row["runs"], name


def test_swapping_negates_exactly(program):
    assert figures(program, "swaps", 200)["swap"]["differ"] == 0
