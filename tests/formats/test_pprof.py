"""pprof files: by an independent decode always, by Go's own pprof where Go is installed."""

import re
import shutil
import subprocess

import pytest
from protobuf_reader import read_pprof

MS = 1_000_000


def by_name(stack):
    return ";".join(frame[0] for frame in stack)


def test_the_fixture_decodes(fixture_files):
    profile = read_pprof(fixture_files["pprof"])
    assert profile["types"] == [("samples", "count"), ("cpu", "nanoseconds"), ("wall", "nanoseconds")]
    assert profile["default"] == "wall" and profile["period"] == MS
    assert profile["duration_nanos"] == 2_000 * MS
    assert profile["time_nanos"] == 1700000000123456789
    found = {(by_name(s), tuple(f[3] for f in s), labels["thread"], labels["state"], labels["pid"]): values
             for s, values, labels in profile["samples"]}
    assert found == {
        ("m;work", (11, 21), "MainThread", "on-cpu", 10): [5, 5 * MS, 5 * MS],
        ("m;work", (12, 22), "MainThread", "on-cpu", 10): [2, 2 * MS, 2 * MS],
        ("m;work", (12, 22), "MainThread", "runqueue", 10): [1, 0, MS],
        ("m;<torn>", (12, 0), "MainThread", "on-cpu", 10): [1, MS, MS],
        ("m", (12,), "MainThread", "gc", 10): [2, 2 * MS, 2 * MS],
        ("rec;rec;rec", (31, 31, 32), 'wörker; "1"', "gil-wait", 10): [3, 0, 3 * MS],
        ("<no Python stack>", (0,), 'wörker; "1"', "unknown", 10): [1, 0, MS],
        ("read;C.recv", (41, 0), 'wörker; "1"', "blocked", 10): [4, 0, 4 * MS],
        ("m", (11,), "thread 20", "on-cpu", 20): [6, 6 * MS, 6 * MS],
    }
    assert ("work", "/src/a.py", 20) in profile["functions"].values()


def test_a_recording_decodes(recorded_files):
    profile = read_pprof(recorded_files["pprof"])
    wall = sum(values[2] for _, values, _ in profile["samples"])
    assert wall > 0
    assert any("outer;spin" in by_name(stack) for stack, _, _ in profile["samples"])
    assert {"MainThread", "waiter"} <= {labels["thread"] for _, _, labels in profile["samples"]}
    for _, (count, cpu, wall), _ in profile["samples"]:
        assert count > 0 and cpu in (0, wall)


def go_pprof(*arguments):
    go = shutil.which("go")
    if not go:
        pytest.skip("go is not installed: pprof files were checked by the independent decode only")
    done = subprocess.run([go, "tool", "pprof", *map(str, arguments)], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_go_reads_the_fixture(fixture_files):
    raw = go_pprof("-raw", fixture_files["pprof"])
    assert "samples/count cpu/nanoseconds wall/nanoseconds" in raw
    assert re.search(r"thread:\[MainThread\]", raw) and re.search(r"pid:\[20\]", raw)
    top = go_pprof("-top", "-sample_index=wall", fixture_files["pprof"])
    assert "25ms" in top
    rows = {line.split(None, 5)[5]: line.split() for line in top.splitlines() if "ms" in line and "%" in line
            and len(line.split(None, 5)) == 6 and not line.startswith("Showing")}
    # flat, flat%, sum%, cum, cum%: recursion counted once is pprof's own affair, and it is.
    assert rows["work"][0] == "8ms" and rows["work"][3] == "8ms"
    assert rows["m"][0] == "8ms" and rows["m"][3] == "17ms"
    assert rows["rec"][0] == "3ms" and rows["rec"][3] == "3ms"


def test_go_focuses_by_label(fixture_files):
    top = go_pprof("-top", "-sample_index=samples", "-tagfocus=state=blocked", fixture_files["pprof"])
    assert "C.recv" in top and "work" not in top


def test_go_reads_a_recording(recorded_files):
    assert "spin" in go_pprof("-top", recorded_files["pprof"])
