"""gate: budgets over results whose numbers are known, so every verdict has its truth."""

import json
import os
import re
import subprocess
import sys
import urllib.parse

import pytest

import cli_support as cli

PASS, FAIL, CANNOT_TELL, NOT_MEASURED, USAGE = 0, 1, 9, 10, 2


def benchmark(name, values, runs=8, unit="s", scatter=0.001, failure=None, cpu_s=0.5, peak=50 << 20, at=0):
    """A benchmark of `runs` processes; process i is slower by i·scatter."""
    made = []
    for i in range(runs):
        made.append({"seed": i + 1, "loops": 1, "start_s": 1e9 + at + 10 * i, "warmups": [],
                     "values": [value * (1 + scatter * i) for value in values],
                     "counters": {"cpu_s": cpu_s * (1 + scatter * i), "peak_rss_bytes": peak + i}})
    return {"name": name, "unit": unit, "kind": "time" if unit == "s" else "track", "params": [], "runs": made,
            "failure": failure}


def results(path, *benchmarks, python="3.12.1"):
    path.write_text(json.dumps({"schema_version": 1, "tool": "pyrometer", "tool_version": "0", "created_s": 1e9,
                                "environment": {"python": python, "implementation": "CPython"},
                                "benchmarks": list(benchmarks)}))
    return path


TENTHS = [0.010 + 0.00001 * i for i in range(100)]  # 10 to 11 ms


@pytest.fixture
def gate(pyrometer, tmp_path):
    """gate(budgets, *args) writes pyproject.toml and runs gate there."""

    def run(budgets, *args, env=None):
        (tmp_path / "pyproject.toml").write_text(budgets)
        own = {"PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(tmp_path / "cache"), "GITHUB_STEP_SUMMARY": ""}
        own.update(env or {})
        return pyrometer("gate", *args, cwd=str(tmp_path), env=own, timeout=400)

    return run


def rows(result):
    document = json.loads(result.stdout)
    assert document["exit_code"] == result.rc
    return document["budgets"]


def one(result):
    (row,) = rows(result)
    return row


def table(name, **limits):
    lines = ["[tool.pyrometer.budgets.%s]" % json.dumps(name)]
    return "\n".join(lines + ["%s = %s" % (json.dumps(key.replace("_", "-")), json.dumps(value)) for key, value in limits.items()]) + "\n"


# --- absolute -------------------------------------------------------------------


@pytest.mark.parametrize("limits, status", [
    ({"p95": "12ms"}, PASS),
    ({"p95": "9ms"}, FAIL),
    ({"p95": 0.012}, PASS),
    ({"p95": 0.009}, FAIL),
    ({"median": "10.6 ms"}, PASS),
    ({"median": "10.52ms"}, CANNOT_TELL),
    ({"median": "10400us"}, FAIL),
    ({"mean": "11ms"}, PASS),
    ({"mean": "1ms"}, FAIL),
    ({"min": "9ms"}, FAIL),
    ({"max": "11.2ms"}, PASS),
    ({"max": "10.9ms"}, FAIL),
    ({"p99.9": "12ms"}, PASS),
    ({"throughput": "90/s"}, PASS),
    ({"throughput": 100}, FAIL),
    ({"cpu": "600ms"}, PASS),
    ({"cpu": "400ms"}, FAIL),
    ({"peak_memory": "51MiB"}, PASS),
    ({"peak_memory": "50MB"}, FAIL),
    ({"p95": "12ms", "max": "1ms"}, FAIL),
])
def test_a_limit_is_held_or_not(gate, tmp_path, limits, status):
    file = results(tmp_path / "r.json", benchmark("b.py::bench_x", TENTHS))
    result = gate(table("b.py::bench_x", **limits), "--results", file, "--json")
    assert result.rc == status, result.stdout + result.stderr
    assert len(rows(result)) == len(limits)


def test_the_page_says_what_was_measured_and_the_limit(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("b.py::bench_x", TENTHS))
    result = gate(table("b.py::bench_x", p95="9ms"), "--results", file)
    assert result.rc == FAIL and result.stderr == ""
    assert result.stdout.startswith("1 of 1 budgets is not met.")
    assert re.search(r"fail +b\.py::bench_x\n +p95 10\.9\d* ms .*at most 9ms", result.stdout)
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_a_pattern_holds_every_benchmark_and_the_last_table_decides(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("b.py::one", TENTHS), benchmark("b.py::two", TENTHS))
    budgets = table("b.py::*", p95="1ms", max="20ms") + table("b.py::two", p95="20ms")
    result = gate(budgets, "--results", file, "--json")
    assert result.rc == FAIL
    assert {(row["benchmark"], row["budget"]): row["verdict"] for row in rows(result)} == {
        ("b.py::one", "p95"): "fail", ("b.py::one", "max"): "pass",
        ("b.py::two", "p95"): "pass", ("b.py::two", "max"): "pass"}


def test_few_processes_can_only_tell_what_is_far_from_the_limit(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("x", TENTHS, runs=1))
    for limit, status in (("12ms", CANNOT_TELL), ("9ms", CANNOT_TELL), ("20ms", PASS), ("5ms", FAIL)):
        result = gate(table("x", p95=limit), "--results", file, "--json")
        assert result.rc == status, limit


def test_a_limit_of_another_unit_is_not_measured(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("x", [5.0], unit="items"))
    assert gate(table("x", max=6), "--results", file).rc == PASS
    result = gate(table("x", max="6ms"), "--results", file)
    assert result.rc == NOT_MEASURED and "another unit" in result.stdout


# --- never green ------------------------------------------------------------------


def test_a_vanished_benchmark_is_not_measured(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("other", TENTHS))
    result = gate(table("gone", p95="1s"), "--results", file)
    assert result.rc == NOT_MEASURED and "no such benchmark" in result.stdout
    result = gate(table("gone_*", p95="1s"), "--results", file)
    assert result.rc == NOT_MEASURED and "no benchmark fits" in result.stdout
    before = results(tmp_path / "before.json", benchmark("other", TENTHS), benchmark("old", TENTHS))
    result = gate(table("*", p95="1s"), "--results", file, "--baseline", before, "--json")
    assert result.rc == NOT_MEASURED
    assert [row["benchmark"] for row in rows(result) if row["verdict"] == "not-measured"] == ["old"]


def test_a_failed_benchmark_is_not_measured(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("x", TENTHS, failure="ValueError: no such thing (b.py:3)"))
    result = gate(table("x", p95="1s"), "--results", file)
    assert result.rc == NOT_MEASURED and "ValueError" in result.stdout


def test_missing_files_are_not_measured(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("x", TENTHS))
    result = gate(table("x", p95="1s"), "--results", "none.json")
    assert result.rc == NOT_MEASURED and "none.json" in result.stderr and result.stdout == ""
    result = gate(table("x", slower="5%"), "--results", file, "--baseline", "none.json")
    assert result.rc == NOT_MEASURED and "none.json" in result.stderr
    result = gate(table("x", slower="5%"), "--results", file)
    assert result.rc == NOT_MEASURED and "no baseline" in result.stdout
    (tmp_path / "broken.json").write_text("{")
    assert gate(table("x", p95="1s"), "--results", "broken.json").rc == NOT_MEASURED
    result = gate(table("x", p95="1s"))
    assert result.rc == NOT_MEASURED and "nothing" in result.stderr


def test_another_interpreter_is_no_baseline(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("x", TENTHS))
    before = results(tmp_path / "before.json", benchmark("x", TENTHS), python="3.11.7")
    result = gate(table("x", slower="5%"), "--results", file, "--baseline", before, "--drift", "1")
    assert result.rc == NOT_MEASURED and "interpreter changed: 3.12.1" in result.stdout
    budgets = '[tool.pyrometer.budgets]\npython = "3.13"\n' + table("x", p95="1s")
    result = gate(budgets, "--results", file)
    assert result.rc == NOT_MEASURED and "for Python 3.13" in result.stdout
    assert gate(budgets.replace("3.13", "3.12"), "--results", file).rc == PASS


def test_a_benchmark_that_the_baseline_lacks_is_not_measured(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("x", TENTHS))
    before = results(tmp_path / "before.json", benchmark("x", TENTHS, failure="it raised"))
    result = gate(table("x", slower="5%"), "--results", file, "--baseline", before)
    assert result.rc == NOT_MEASURED and "it raised" in result.stdout
    before = results(tmp_path / "before.json")
    result = gate(table("x", slower="5%"), "--results", file, "--baseline", before)
    assert result.rc == NOT_MEASURED and "baseline doesn't have it" in result.stdout


# --- against a baseline --------------------------------------------------------------


def pair_of_files(tmp_path, factor, **more):
    """As measured at two times, unless at=0.1: then in pairs."""
    at = more.pop("at", 5000)
    before = results(tmp_path / "before.json", benchmark("x", TENTHS, **more))
    more["peak"] = int(more.get("peak", 50 << 20) * factor)
    after = results(tmp_path / "after.json", benchmark("x", [value * factor for value in TENTHS], at=at,
                                                       cpu_s=0.5 * factor, **more))
    return "--results", after, "--baseline", before


@pytest.mark.parametrize("factor, limit, status", [
    (1.00, "5%", PASS), (1.03, "5%", PASS), (1.20, "5%", FAIL), (0.80, "5%", PASS), (1.05, "5%", CANNOT_TELL)])
@pytest.mark.parametrize("key", ["slower", "more_cpu"])
def test_time_against_a_file_needs_the_drift(gate, tmp_path, key, factor, limit, status):
    files = pair_of_files(tmp_path, factor)
    result = gate(table("x", **{key: limit}), *files, "--json", "--drift", "1")
    assert result.rc == status, result.stdout
    assert abs(one(result)["value"] - (factor - 1)) < 0.01
    result = gate(table("x", **{key: limit}), *files)
    assert result.rc == CANNOT_TELL and "different times" in result.stdout


@pytest.mark.parametrize("factor, status", [(1.0, PASS), (1.2, FAIL)])
def test_memory_needs_no_drift(gate, tmp_path, factor, status):
    assert gate(table("x", more_memory="10%"), *pair_of_files(tmp_path, factor)).rc == status


@pytest.mark.parametrize("factor, status", [(1.0, PASS), (1.12, FAIL), (0.9, PASS)])
def test_the_two_sides_of_one_comparison_are_pairs(gate, tmp_path, factor, status):
    result = gate(table("x", slower="5%"), *pair_of_files(tmp_path, factor, at=0.1, runs=20))
    assert result.rc == status, result.stdout


# --- the noise floor --------------------------------------------------------------------


def noise_file(path, floor, host="somewhere"):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps({"schema_version": 1, "host": host, "noise_floor": floor, "created_s": 1e9}))
    return path


def test_a_budget_below_the_floor_is_refused_with_the_figure(gate, tmp_path):
    files = pair_of_files(tmp_path, 1.0)
    floor = noise_file(tmp_path / "noise.json", 0.034)
    result = gate(table("x", slower="2%"), *files, "--drift", "0.1", "--noise", floor, "--json")
    assert result.rc == CANNOT_TELL
    assert one(result)["verdict"] == "refused" and "3.4 %" in one(result)["reason"]
    assert gate(table("x", slower="5%"), *files, "--drift", "0.1", "--noise", floor).rc == PASS
    nothing = noise_file(tmp_path / "noise.json", None)
    assert gate(table("x", slower="500%"), *files, "--drift", "0.1", "--noise", nothing).rc == CANNOT_TELL


def test_another_machines_floor_is_not_ours(gate, tmp_path):
    files = pair_of_files(tmp_path, 1.0)
    noise_file(tmp_path / "cache" / "pyrometer" / "noise.json", 0.5)
    assert gate(table("x", slower="5%"), *files, "--drift", "0.1").rc == PASS
    noise_file(tmp_path / "cache" / "pyrometer" / "noise.json", 0.5, os.uname().nodename)
    assert gate(table("x", slower="5%"), *files, "--drift", "0.1").rc == CANNOT_TELL


def test_a_broken_noise_file_is_said(gate, tmp_path):
    files = pair_of_files(tmp_path, 1.0)
    (tmp_path / "n.json").write_text('{"schema_version": 1}')
    result = gate(table("x", slower="5%"), *files, "--noise", "n.json")
    assert result.rc == USAGE and "doctor --noise" in result.stderr


# --- waivers ---------------------------------------------------------------------------------


def waiver(name, **keys):
    return "[tool.pyrometer.waivers.%s]\n" % json.dumps(name) + "".join(
        "%s = %s\n" % (key, json.dumps(value)) for key, value in keys.items())


def test_waivers_hold_until_their_day(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("x", TENTHS))
    missed = table("x", p95="1ms")

    def verdict(text):
        result = gate(missed + text, "--results", file, "--json")
        return result.rc, one(result)

    status, row = verdict(waiver("x", reason="the new parser", until="2999-12-31"))
    assert status == PASS and row["verdict"] == "waived"
    assert row["waiver"] == {"reason": "the new parser", "until": "2999-12-31"}
    status, row = verdict(waiver("x", reason="was due", until="2020-01-31"))
    assert status == FAIL and "expired on 2020-01-31" in row["reason"]
    assert verdict(waiver("x", reason="r", until="2999-12-31", budgets=["max"]))[0] == FAIL
    assert verdict(waiver("*", reason="r", until="2999-12-31", budgets=["p95"]))[0] == PASS


def test_a_waiver_never_covers_what_was_not_measured(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("other", TENTHS))
    text = table("x", p95="1ms") + waiver("x", reason="r", until="2999-12-31")
    assert gate(text, "--results", file).rc == NOT_MEASURED


def test_a_waiver_that_nothing_needs_is_told(gate, tmp_path):
    file = results(tmp_path / "r.json", benchmark("x", TENTHS))
    result = gate(table("x", p95="1s") + waiver("x", reason="r", until="2999-12-31"), "--results", file)
    assert result.rc == PASS and "nothing needs the waiver for x" in result.stdout


@pytest.mark.parametrize("text, says", [
    (waiver("x", until="2999-12-31"), "without a reason"),
    (waiver("x", reason="r"), "without an end"),
    (waiver("x", reason="r", until="2999-02-29"), "no such day"),
    (waiver("x", reason="r", until="soon"), "no such day"),
    (waiver("x", reason="r", until="2999-12-31", who="me"), "no waiver has that"),
])
def test_a_waiver_without_reason_or_end_is_refused(gate, tmp_path, text, says):
    file = results(tmp_path / "r.json", benchmark("x", TENTHS))
    result = gate(table("x", p95="1s") + text, "--results", file)
    assert result.rc == USAGE and says in result.stderr


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text, says", [
    ("", "no budgets"),
    ("[tool.pyrometer.budgets]\n", "no budgets"),
    (table("x", p96x="1s"), "did you mean 'p9"),
    (table("x", slow="5%"), "slower"),
    (table("x", p95="fast"), "no limit"),
    (table("x", p95="-1s"), "no limit"),
    (table("x", p95="1e999"), "no limit"),
    (table("x", slower="5"), "part"),
    (table("x", p95="5%"), "unit"),
    (table("x", p95=["1s"]), "number"),
    (table("x", import_time="1s"), "import:MODULE"),
    (table("import:x", p95="1s"), "import-time"),
    ('[tool.pyrometer.budgets]\nbase = "x"\n', "baseline"),
    ("[tool.pyrometer.budgets.a.b]\np95 = 1\n", "quotes"),
])
def test_what_cannot_be_a_budget_is_refused_with_the_line(gate, text, says):
    result = gate(text, "--results", "r.json")
    assert result.rc == USAGE and says in result.stderr, result.stderr


def test_other_commands_leave_budgets_alone(pyrometer, tmp_path):
    (tmp_path / "pyproject.toml").write_text(table("a b.py::x", p95="1s") + waiver("x", reason="r", until="2999-12-31"))
    result = pyrometer("config", cwd=str(tmp_path))
    assert result.rc == 0 and "budgets" not in result.stderr and "unknown" not in result.stderr


def test_the_file_may_name_results_and_baseline(gate, tmp_path):
    pair_of_files(tmp_path, 1.2)
    text = '[tool.pyrometer.budgets]\nresults = "after.json"\nbaseline = "before.json"\ndrift = "1%"\n'
    assert gate(text + table("x", slower="5%")).rc == FAIL
    assert gate(text + table("x", slower="30%")).rc == PASS


# --- outputs -----------------------------------------------------------------------------------------


HOSTILE = "b|<img>`%0A::error::\x1b[31m\n, x"


@pytest.fixture
def mixed(gate, tmp_path):
    """mixed(*args, env) judges one budget of each verdict, of a benchmark with a hostile name."""
    file = results(tmp_path / "r.json", benchmark("bad", TENTHS), benchmark("good", TENTHS), benchmark("waived", TENTHS),
                   benchmark(HOSTILE, TENTHS))
    text = (table("bad", p95="1ms") + table("good", p95="1s") + table("near", p95="1s") + table("waived", p95="1ms") +
            table("b|*", p95="1ms") + waiver("waived", reason="later", until="2999-12-31"))
    return lambda *args, **more: gate(text, "--results", file, *args, **more)


def test_json(mixed):
    document = json.loads(mixed("--json").stdout)
    assert document["schema_version"] == 1 and document["verdict"] == "fail" and document["exit_code"] == FAIL
    assert document["file"] == "pyproject.toml"
    assert {row["benchmark"]: row["verdict"] for row in document["budgets"]} == {
        "bad": "fail", "good": "pass", "near": "not-measured", "waived": "waived", HOSTILE: "fail"}
    row = document["budgets"][0]
    assert row["low"] <= row["value"] <= row["high"] and row["limit"] == 0.001 and row["limit_text"] == "1ms"
    assert row["line"] == 2


def test_markdown_holds_hostile_names(mixed):
    text = mixed("--markdown").stdout
    assert text.startswith("### Budgets: 2 of 5 budgets are not met")
    lines = [line for line in text.splitlines() if line.startswith("| **")]
    assert len(lines) == 5 and all(line.count("|") == 4 for line in lines)
    assert "<img>" not in text and "\x1b" not in text
    assert "| **fail** | bad |" in text


def annotations(text):
    for line in text.splitlines():
        kind, properties, message = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()
        unescaped = {}
        for item in properties.split(","):
            key, value = item.split("=", 1)
            unescaped[key] = urllib.parse.unquote(value)
        yield kind, unescaped, urllib.parse.unquote(message)


def test_github_annotates_and_appends_the_summary(mixed, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    result = mixed("--github", env={"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"})
    assert result.rc == FAIL
    found = list(annotations(result.stdout))
    assert [kind for kind, _, _ in found] == ["error", "error", "notice", "error"]
    assert found[0][1] == {"file": "pyproject.toml", "line": "2", "title": "fail: bad"}
    assert "at most 1ms" in found[0][2]
    assert len(result.stdout.splitlines()) == 4, "a name must not make a line of its own"
    assert summary.read_text().startswith("before\n### Budgets: 2 of 5")
    assert "2 of 5 budgets are not met" in result.stderr


def test_sarif(mixed):
    document = json.loads(mixed("--sarif").stdout)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(run["results"]) == 5
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error") and result["message"]["text"]
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "pyproject.toml"
        assert place["physicalLocation"]["region"]["startLine"] > 0
    (waived,) = [result for result in run["results"] if "suppressions" in result]
    assert waived["suppressions"] == [{"kind": "external", "justification": "later"}]


def test_output_goes_to_a_file(mixed, tmp_path):
    result = mixed("--json", "-o", "answer.json")
    assert result.rc == FAIL and result.stdout == ""
    assert json.loads((tmp_path / "answer.json").read_text())["verdict"] == "fail"


# --- measuring ---------------------------------------------------------------------------------------------


BENCH = """
import time
def bench_quick():
    return sum(range(200))
def bench_raises():
    raise ValueError("not today")
"""


def test_benchmarks_are_measured_and_held(gate, tmp_path):
    (tmp_path / "bench_it.py").write_text(BENCH)
    text = ('[tool.pyrometer.budgets]\nbenchmarks = ["bench_it.py"]\n' + table("bench_it.py::bench_quick", median="1s") +
            table("bench_it.py::bench_raises", median="1s"))
    result = gate(text, "--time-limit", "2", "--json", "--python", sys.executable)
    found = {row["benchmark"]: row for row in rows(result)}
    assert result.rc == NOT_MEASURED, result.stdout + result.stderr
    assert found["bench_it.py::bench_quick"]["verdict"] == "pass"
    assert found["bench_it.py::bench_raises"]["verdict"] == "not-measured"
    assert "not today" in found["bench_it.py::bench_raises"]["reason"]


def test_imports_are_held(gate, tmp_path):
    (tmp_path / "shop.py").write_text("import json\n")
    (tmp_path / "broken.py").write_text("import no_such_module_here\n")
    (tmp_path / "modules.txt").write_text("# what shop may import\njson\n")
    text = (table("import:shop", import_time="60s", module_count=5000, banned=["decimal"]) +
            table("import:broken", module_count=5000))
    result = gate(text, "--json", "--python", sys.executable, env={"PYTHONPATH": str(tmp_path)})
    found = {(row["benchmark"], row["budget"]): row for row in rows(result)}
    assert result.rc == NOT_MEASURED, result.stdout
    assert all(found["import:shop", key]["verdict"] == "pass" for key in ("import-time", "module-count", "banned"))
    assert found["import:shop", "import-time"]["low"] > 0
    assert found["import:broken", "module-count"]["verdict"] == "not-measured"
    text = table("import:shop", import_time="1ns", module_count=3, banned=["json"], modules="modules.txt")
    result = gate(text, "--json", "--python", sys.executable, env={"PYTHONPATH": str(tmp_path)})
    assert result.rc == FAIL
    found = {row["budget"]: row for row in rows(result)}
    assert all(row["verdict"] == "fail" for row in found.values())
    assert "json" in found["banned"]["reason"] and "new: " in found["modules"]["reason"]


def git(folder, *args):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", *args],
                   cwd=str(folder), check=True, stdout=subprocess.DEVNULL)


GUIDE = os.path.join(cli.REPOSITORY, "docs", "guide", "ci")


@pytest.fixture
def project(tmp_path):
    """A repository whose working tree does three times the work of its revision: counted."""
    (tmp_path / "bench_it.py").write_text("import work\ndef bench_it():\n    return work.work()\n")
    (tmp_path / "work.py").write_text("def work():\n    return sum(i * i for i in range(3000))\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "bench_it.py", "work.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    (tmp_path / "work.py").write_text("def work():\n    return sum(i * i for i in range(9000))\n")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "pyrometer").symlink_to(cli.PROGRAM)
    (folder / "python3").symlink_to(sys.executable)
    return tmp_path


def in_project(project, *argv, **variables):
    env = cli.environment(PATH="%s:%s" % (project / "bin", os.environ["PATH"]), XDG_CACHE_HOME=str(project / "cache"),
                          **variables)
    return subprocess.run(argv, cwd=str(project), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=400)


def test_the_guides_workflow_holds_a_pull_request_to_its_base(project):
    """The workflow's own command, with the variables that GitHub would set."""
    with open(os.path.join(GUIDE, "performance.yml")) as file:
        command = re.findall(r"^ +run: (pyrometer gate .*)$", file.read(), re.M)[-1]
    (project / "pyproject.toml").write_text(
        '[tool.pyrometer.budgets]\nbenchmarks = ["bench_it.py"]\n' + table("bench_it.py::bench_it", slower="50%") +
        table("bench_it.py::gone", slower="50%"))
    base = subprocess.run(["git", "rev-parse", "HEAD"], cwd=str(project), stdout=subprocess.PIPE, check=True,
                          universal_newlines=True).stdout.strip()
    summary = project / "summary.md"
    ended = in_project(project, "bash", "-ec", command + " --time-limit 300", BASE=base,
                       GITHUB_STEP_SUMMARY=str(summary))
    assert ended.returncode == FAIL, ended.stdout + ended.stderr
    found = {properties["title"]: (kind, message) for kind, properties, message in annotations(ended.stdout)}
    kind, message = found["fail: bench_it.py::bench_it"]
    assert kind == "error" and 100 < float(re.search(r"slower \+([\d.]+) %", message).group(1)) < 400
    assert "neither side has such a benchmark" in found["not measured: bench_it.py::gone"][1]
    assert "1 of 2 budgets is not met, 1 not measured" in summary.read_text()


@pytest.mark.parametrize("name, limits, status", [
    ("import:work", {"banned": ["decimal"]}, 0),
    ("import:json", {"banned": ["re"]}, FAIL),
    ("import:no_such_module_here", {"banned": ["re"]}, 0),  # not measured: CI decides
    ("import:json", {"bans": ["re"]}, USAGE),
])
def test_the_guides_hook_holds_back_what_is_surely_over(project, name, limits, status):
    (project / "pyproject.toml").write_text(table(name, **limits))
    ended = in_project(project, os.path.join(GUIDE, "pre-commit.sh"), PYTHONPATH=str(project))
    assert ended.returncode == status, ended.stderr
    assert ended.stdout == "" and ("CI will decide" in ended.stderr) == ("no_such" in name)


def test_noise_is_told_and_kept(pyrometer, tmp_path):
    """Whatever the machine is like, the figures must fit one another and the file be gate's."""
    result = pyrometer("doctor", "--noise", "-d", "1", "--json", "-o", "n.json", "--python", sys.executable,
                       cwd=str(tmp_path), timeout=300)
    if result.rc == NOT_MEASURED:  # no pair within a second: that is said too
        assert "noise was not measured" in result.stderr and not (tmp_path / "n.json").exists()
        return
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "n.json").read_text())
    assert result.rc == (7 if document["noise_floor"] is None else 0), result.stderr
    assert document["equal"]["pairs"] >= 1 and document["host"] == os.uname().nodename
