"""Benchmark files of other tools, with the tools themselves: what a tool wrote we read, and what we
write the tool reads. A tool that isn't here is skipped by its name; the files in
tests/corpus/bench_results (hyperfine's and pytest-benchmark's own) are always read.

PYROMETER_BENCH_PYTHONS names interpreters that have pyperf, pytest-benchmark or asv (colons
between); after those come the benchmarks' environment, this python and the system's."""

import functools
import json
import os
import shutil
import subprocess
import sys

import pytest

from support import REPOSITORY

CORPUS = os.path.join(REPOSITORY, "tests", "corpus", "bench_results")
CORPUS_FILES = {
    "pyperf.json": 2,
    "pytest_benchmark.json": 3,
    "pytest_benchmark_summary.json": 3,
    "hyperfine.json": 2,
    "asv.json": 8,
}
TIMEOUT_S = 120


def convert(pyrometer, path, folder, to="pyrometer"):
    """The file as another format has it, by `bench FILE --export`."""
    out = os.path.join(str(folder), "converted-%s.json" % to)
    ended = pyrometer("bench", path, "--export", to, "-o", out)
    assert ended.rc == 0, ended
    with open(out, encoding="utf-8") as file:
        return out, json.load(file)


def own(pyrometer, path, folder):
    return convert(pyrometer, path, folder)[1]["benchmarks"]


MODULES = ("pytest_benchmark.plugin", "pyperf", "asv.results")
PROBE = """
import importlib.util
def has(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False
print(*[name for name in %r if has(name)])
""" % (
    MODULES,
)


@functools.lru_cache(maxsize=None)
def modules_of(python):
    probe = subprocess.run(
        [python, "-c", PROBE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
        timeout=TIMEOUT_S,
    )
    return probe.stdout.split() if probe.returncode == 0 else []


def python_with(module):
    """An interpreter that has the module, or the test is skipped by its name."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    candidates = os.environ.get("PYROMETER_BENCH_PYTHONS", "").split(":")
    candidates += [os.path.join(cache, "pyrometer", "bench-venv", "bin", "python")]
    candidates += [sys.executable, "/usr/bin/python3"]
    for python in filter(None, candidates):
        if os.access(python, os.X_OK) and module in modules_of(python):
            return python
    pytest.skip("no interpreter here has " + module)


def run(*argv, **options):
    ended = subprocess.run(
        [str(arg) for arg in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=TIMEOUT_S,
        **options
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


# --- the committed files ------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CORPUS_FILES))
def test_a_committed_file_is_read(pyrometer, tmp_path, name):
    path = os.path.join(CORPUS, name)
    assert len(own(pyrometer, path, tmp_path)) == CORPUS_FILES[name]
    shown = pyrometer("bench", path)
    assert shown.rc == 0 and "benchmarks" in shown.stdout


def test_values_go_through_every_format_unchanged(pyrometer, tmp_path):
    """pyperf → ours → pytest-benchmark → ours → hyperfine → ours → asv → ours: seconds survive."""
    path = os.path.join(CORPUS, "pyperf.json")
    wanted = own(pyrometer, path, tmp_path)[0]["values"]
    assert wanted == [2e-05, 2.1e-05, 2.05e-05, 2.02e-05, 2.2e-05, 2.01e-05]
    for to in ("pytest-benchmark", "hyperfine", "asv", "pyperf", "pyrometer"):
        folder = tmp_path / to
        folder.mkdir()
        path, _ = convert(pyrometer, path, folder, to)
        (found,) = [b for b in own(pyrometer, path, folder) if "sort_small" in b["name"]]
        assert found["values"] == wanted, to


def test_a_pyperf_file_keeps_pyperf_s_rules(pyrometer, tmp_path):
    """What pyperf checks when it loads a file (its _bench.py and _metadata.py), checked here
    too, where it isn't installed."""
    for name in CORPUS_FILES:
        _, data = convert(pyrometer, os.path.join(CORPUS, name), tmp_path, "pyperf")
        assert data["version"] == "1.0" and data["benchmarks"]
        names = [benchmark["metadata"]["name"] for benchmark in data["benchmarks"]]
        assert len(names) == len(set(names))
        for benchmark in data["benchmarks"]:
            assert benchmark["metadata"]["unit"] in ("second", "byte", "integer")
            for one in benchmark["runs"]:
                assert one.get("values") or one.get("warmups")
                assert all(value > 0 for value in one.get("values", []))
                assert all(loops >= 1 and v >= 0 for loops, v in one.get("warmups", []))
                assert isinstance(one["metadata"]["loops"], int)
                for value in one["metadata"].values():
                    assert not isinstance(value, str) or (value.strip() and "\n" not in value)


# --- the tools ----------------------------------------------------------------


def test_hyperfine_s_file(pyrometer, tmp_path):
    if shutil.which("hyperfine") is None:
        pytest.skip("hyperfine is not on PATH")
    path = tmp_path / "hyperfine.json"
    run("hyperfine", "-N", "-r", "3", "-L", "n", "1,2", "true {n}", "--export-json", path)
    found = own(pyrometer, path, tmp_path)
    with open(str(path), encoding="utf-8") as file:
        theirs = json.load(file)["results"]
    assert [b["name"] for b in found] == [r["command"] for r in theirs]
    assert [b["values"] for b in found] == [r["times"] for r in theirs]
    assert [b["params"] for b in found] == [[{"name": "n", "value": n}] for n in "12"]
    for benchmark, result in zip(found, theirs):
        assert benchmark["median"] == pytest.approx(result["median"], rel=1e-6)


def test_hyperfine_s_failed_runs_are_no_clean_result(pyrometer, tmp_path):
    if shutil.which("hyperfine") is None:
        pytest.skip("hyperfine is not on PATH")
    path = tmp_path / "hyperfine.json"
    run("hyperfine", "-N", "-i", "-r", "3", "false", "--export-json", path)
    (found,) = own(pyrometer, path, tmp_path)
    assert "3 of 3 runs failed" in found["failure"] and "status 1" in found["failure"]


PYTEST_FILE = """
import pytest
def test_sum(benchmark):
    benchmark.pedantic(sum, args=([1] * 100,), rounds=5, iterations=10)
@pytest.mark.parametrize("n", [10, 20])
def test_list(benchmark, n):
    benchmark.pedantic(list, args=(range(n),), rounds=5, iterations=10)
"""


def test_pytest_benchmark_s_file(pyrometer, tmp_path):
    python = python_with("pytest_benchmark.plugin")
    (tmp_path / "test_b.py").write_text(PYTEST_FILE)
    path = tmp_path / "theirs.json"
    run(
        *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_b.py"),
        *("--benchmark-json", path, "--benchmark-save-data"),
        cwd=str(tmp_path)
    )
    found = own(pyrometer, path, tmp_path)
    with open(str(path), encoding="utf-8") as file:
        theirs = json.load(file)["benchmarks"]
    assert [b["values"] for b in found] == [t["stats"]["data"] for t in theirs]
    assert [b["name"] for b in found] == ["test_b.py::test_sum"] + 2 * ["test_b.py::test_list"]
    assert [b["params"] for b in found[1:]] == [[{"name": "n", "value": n}] for n in ("10", "20")]


def test_pytest_benchmark_reads_ours(pyrometer, tmp_path):
    python = python_with("pytest_benchmark.plugin")
    source = os.path.join(CORPUS, "pytest_benchmark.json")
    ours, data = convert(pyrometer, source, tmp_path, "pytest-benchmark")
    table = run(python, "-m", "pytest_benchmark", "compare", ours, cwd=str(tmp_path))
    for benchmark in data["benchmarks"]:
        assert benchmark["name"] in table
    assert "3 tests" in table
    # Its own summary of the same values and ours are the same numbers.
    with open(source, encoding="utf-8") as file:
        for theirs, mine in zip(json.load(file)["benchmarks"], data["benchmarks"]):
            for key in ("min", "max", "mean", "median", "stddev", "ops", "rounds", "iterations"):
                assert mine["stats"][key] == pytest.approx(theirs["stats"][key], rel=1e-9), key


def test_pyperf_s_file(pyrometer, tmp_path):
    python = python_with("pyperf")
    path = tmp_path / "theirs.json"
    run(
        *(python, "-m", "pyperf", "timeit", "-q", "--name", "adding", "-p", "2", "-n", "3"),
        *("-w", "1", "-l", "64", "1 + 1", "-o", path)
    )
    (found,) = own(pyrometer, path, tmp_path)
    assert found["name"] == "adding" and found["n"] == 6
    told = run(python, "-m", "pyperf", "dump", "-q", path)
    assert told.count("Run") >= 2


def test_pyperf_reads_ours(pyrometer, tmp_path):
    python = python_with("pyperf")
    ours, _ = convert(pyrometer, os.path.join(CORPUS, "pyperf.json"), tmp_path, "pyperf")
    told = run(python, "-m", "pyperf", "stats", ours)
    assert "sort_small" in told and "Number of run with values" in told
    run(python, "-m", "pyperf", "compare_to", ours, ours)


def test_asv_reads_ours(pyrometer, tmp_path):
    python = python_with("asv.results")
    ours, _ = convert(pyrometer, os.path.join(CORPUS, "asv.json"), tmp_path, "asv")
    code = (
        "import sys; from asv.results import Results; r = Results.load(sys.argv[1]);"
        "print(sorted(r.get_all_result_keys()));"
        "print(r.get_result_samples('suite.time_plain', []))"
    )
    told = run(python, "-c", code, ours)
    assert "suite.time_plain" in told and "0.25" in told


def test_asv_s_file(pyrometer, tmp_path):
    """As asv's own code writes it."""
    python = python_with("asv.results")
    code = (
        "import sys; from asv.results import Results\n"
        "from types import SimpleNamespace\n"
        "r = Results({'machine': 'm'}, {}, 'ab' * 20, 1769860800000, '3.12', 'env', {})\n"
        "b = {'name': 's.time_x', 'version': 'v', 'params': [['1', '2']]}\n"
        "r.add_result(b, SimpleNamespace(result=[1.0, 2.0], samples=[[1.0, 1.5], [2.0, 2.5]],"
        " number=[1, 1], errcode=0, stderr='', profile=None), record_samples=True)\n"
        "r.save(sys.argv[1])\n"
    )
    run(python, "-c", code, tmp_path)
    (path,) = (tmp_path / "m").glob("*.json")
    found = own(pyrometer, path, tmp_path)
    assert [b["values"] for b in found] == [[1.0, 1.5], [2.0, 2.5]]
    assert [b["params"][0]["value"] for b in found] == ["1", "2"]
