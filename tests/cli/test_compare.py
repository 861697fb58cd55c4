"""pyrometer compare, with differences that are known: so many times the work, a sleep, a value.

Each verdict here is about a factor of two or more, or about values that never change: no load of the
machine makes another of it. Equal programs are held against a chance of one in a million."""

import json
import os
import signal
import subprocess

import pytest

import cli_support as cli

DEADLINE_S = 900  # of one comparison, whatever else the machine does
QUICK = ("--pair-time", "50ms", "--time-limit", "14m")
LINE = "for _ in range(%d): pass"

BENCH = """
import os
TIMES = %d

def bench_loop():
    for _ in range(1000 * TIMES):
        pass

def bench_%s():
    pass

class Values:
    def track_same(self):
        return 7

    def track_more(self):
        return TIMES
"""


def compare(*args, **options):
    process = cli.start("compare", *args, stdin=subprocess.DEVNULL, **options)
    try:
        stdout, stderr = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    return process.returncode, stdout, stderr


def answer(*args, **options):
    """(status, benchmarks by name, all of the JSON, stderr)"""
    status, stdout, stderr = compare("--json", *QUICK, *args, **options)
    assert stdout, stderr
    page = json.loads(stdout)
    return status, {row["name"]: row for row in page["benchmarks"]}, page, stderr


def write(path, text):
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def two_files(tmp_path_factory, python):
    """A and B of one suite, compared once; B does three times the work."""
    folder = tmp_path_factory.mktemp("two")
    a = write(folder / "a.py", BENCH % (1, "gone"))
    b = write(folder / "b.py", BENCH % (3, "new"))
    saved = folder / "saved"
    result = answer("--python", python, "--save", saved, "-k", "*[!w]", a, b)
    return folder, result


def test_each_benchmark_of_two_files_has_its_verdict(two_files):
    _, (status, rows, page, _) = two_files
    assert status == 1
    assert page["schema_version"] == 1
    assert page["verdict"] == "regression"
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "bench_loop": "regression",
        "bench_gone": "not-measured",
        "Values.track_same": "pass",
        "Values.track_more": "regression",
    }
    loop = rows["bench_loop"]
    assert 2 < loop["ratio"] < 4
    assert loop["low"] <= loop["ratio"] <= loop["high"]
    assert loop["pairs"] >= 8
    assert loop["detectable"] > 0


def test_values_that_never_change_are_exact(two_files):
    _, (_, rows, _, _) = two_files
    assert rows["Values.track_same"]["ratio"] == 1
    assert rows["Values.track_more"]["ratio"] == pytest.approx(3)
    assert rows["Values.track_more"]["exact"] is True


def test_the_saved_sides_of_a_comparison_are_pairs_still(two_files):
    folder, (_, before, _, _) = two_files
    _, rows, _, _ = answer(folder / "saved/a.json", folder / "saved/b.json")
    assert rows["bench_loop"]["verdict"] == "regression"
    assert rows["bench_loop"]["ratio"] == pytest.approx(before["bench_loop"]["ratio"], rel=0.3)
    assert rows["bench_loop"]["pairs"] == before["bench_loop"]["pairs"]


def loop_alone(path, target, later_s=0, runs=None):
    """bench_loop of a file, as if it had been measured later: then its runs are nobody's pairs."""
    page = json.loads(path.read_text())
    page["benchmarks"] = [one for one in page["benchmarks"] if one["name"] == "bench_loop"]
    (benchmark,) = page["benchmarks"]
    benchmark["runs"] = benchmark["runs"][:runs]
    for run in benchmark["runs"]:
        run["start_s"] += later_s
        run["seed"] += 1 if later_s else 0
    target.write_text(json.dumps(page))
    return target


def test_results_of_two_times_carry_no_verdict_by_themselves(two_files, tmp_path):
    saved = two_files[0] / "saved"
    a = loop_alone(saved / "a.json", tmp_path / "a.json")
    b = loop_alone(saved / "b.json", tmp_path / "b.json", 3600)
    status, rows, _, stderr = answer(a, b)
    assert (status, rows["bench_loop"]["verdict"]) == (9, "cannot-tell")
    assert rows["bench_loop"]["ratio"] > 2
    assert "different times" in stderr
    # What the user knows of the machine makes it one.
    status, rows, _, _ = answer("--drift", "20", a, b)
    assert (status, rows["bench_loop"]["verdict"]) == (1, "regression")
    # One process each says nothing of how processes vary, whatever the machine does.
    one = loop_alone(saved / "b.json", tmp_path / "one.json", 3600, 1)
    status, rows, _, stderr = answer("--drift", "0", a, one)
    assert (status, rows["bench_loop"]["verdict"]) == (9, "cannot-tell")
    assert "processes vary" in stderr


def test_what_was_not_measured_stays_so_in_what_is_saved(two_files):
    saved = two_files[0] / "saved"
    _, rows, _, _ = answer(saved / "a.json", saved / "b.json")
    assert rows["bench_gone"]["verdict"] == "not-measured"


def test_less_work_is_an_improvement_and_no_failure(python):
    args = ("--python", python, "-s", "n = 1000", LINE.replace("%d", "3 * n"), LINE.replace("%d", "n"))
    status, rows, page, _ = answer(*args)
    (row,) = rows.values()
    assert (status, row["verdict"], page["verdict"]) == (0, "improvement", "improvement")
    assert row["ratio"] < 0.5
    assert page["a"]["label"] == args[-2]


def test_the_same_twice_is_no_difference(python):
    status, rows, _, _ = answer("--python", python, "--alpha", "1e-6", "--pairs", "10",
                                "--statement", LINE % 2000, LINE % 2000)  # fmt: skip
    (row,) = rows.values()
    assert (status, row["verdict"]) in ((0, "pass"), (9, "cannot-tell"))
    counted = {counter["name"]: counter for counter in row["counters"]}
    assert counted["calls"]["a"] == counted["calls"]["b"]
    assert counted["calls"]["differs"] is False


def test_a_sleep_is_seen_though_it_takes_no_cpu(python):
    setup = "from time import sleep"
    status, rows, _, _ = answer("--python", python, "-s", setup, "sleep(0.001)", "sleep(0.008)")
    (row,) = rows.values()
    assert (status, row["verdict"], row["metric"]) == (1, "regression", "wall")
    assert row["off_cpu"] is True


def test_commands_take_turns(python):
    quick, slow = ("%s -c 'import time; time.sleep(%s)'" % (python, s) for s in ("0", "0.3"))
    status, rows, _, _ = answer(quick, slow)
    (row,) = rows.values()
    assert (status, row["verdict"]) == (1, "regression")
    assert row["ratio"] > 1.5


def test_environments_are_the_sides(python, tmp_path):
    bench = write(tmp_path / "bench_env.py", """
import os
def track_work():
    return int(os.environ.get("WORK", "1"))
""")  # fmt: skip
    status, rows, page, _ = answer("--python", python, "env:WORK=4", "env:", bench)
    assert rows["track_work"]["verdict"] == "improvement"
    assert rows["track_work"]["ratio"] == pytest.approx(0.25)
    assert page["b"]["label"] == "env:"


def test_interpreters_are_the_sides(interpreters, tmp_path):
    here = [found for found in interpreters if not found.root]
    if len(here) < 2:
        pytest.skip("one interpreter only")
    bench = write(tmp_path / "bench_version.py",
                  "import sys\ndef track_minor():\n    return sys.version_info[1]\n")  # fmt: skip
    status, rows, page, _ = answer("python:" + here[0].path, "python:" + here[-1].path, bench)
    assert rows["track_minor"]["ratio"] == pytest.approx(here[-1].minor / here[0].minor)
    assert page["a"]["python"] == "CPython " + here[0].version_text
    assert page["b"]["python"] == "CPython " + here[-1].version_text


@pytest.mark.parametrize(
    "statements, text",
    [
        (("1", "1 / 0"), "B: "),
        (("no_such_name", "1"), "A: "),
        (("import os; os._exit(3)", "1"), "A: "),
    ],
)
def test_what_fails_was_not_measured(python, statements, text):
    status, rows, _, _ = answer("--python", python, "--statement", *statements)
    (row,) = rows.values()
    assert (status, row["verdict"]) == (10, "not-measured")
    assert row["failure"].startswith(text)


def test_a_hanging_side_is_ended(python):
    status, rows, _, _ = answer("--python", python, "--timeout", "2s", "--statement", "1",
                                "import time; time.sleep(1000)")  # fmt: skip
    (row,) = rows.values()
    assert (status, row["verdict"]) == (10, "not-measured")


@pytest.mark.parametrize(
    "args, said",
    [
        ((), "nothing was given"),
        (("a.py",), "one was given"),
        (("a", "b", "c"), "more than two"),
        (("rev:HEAD", "python:3.11", "x.py"), "not of the other's kind"),
        (("rev:HEAD", "rev:HEAD"), "nothing was given to measure"),
        (("env:NAME", "env:", "x.py"), "no NAME=VALUE"),
        (("a.py", "python b.py"), "file of benchmarks"),
        (("--cpu", "--wall", "a.py", "b.py"), "--cpu and --wall"),
        (("'open", "b"), "quote is open"),
    ],
)
def test_what_is_no_comparison_is_refused(args, said, tmp_path):
    status, _, stderr = compare(*args, cwd=str(tmp_path))
    assert status == 2
    assert said in stderr
    assert len(stderr.strip().splitlines()) == 3


# --- revisions -----------------------------------------------------------------------------------


def git(folder, *args):
    ended = subprocess.run(
        ("git", "-C", str(folder)) + args, check=True, universal_newlines=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    return ended.stdout


@pytest.fixture
def repository(tmp_path):
    """Two commits, the second with three times the work, and work that is not committed."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "config", "user.email", "test@localhost")
    git(folder, "config", "user.name", "test")
    for times in (1, 3):
        write(folder / "orders.py", "def work():\n    %s\n" % (LINE % (1000 * times)))
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "%d times" % times)
    write(folder / "orders.py", "def work():\n    pass  # not committed\n")
    write(folder / "bench_orders.py", "import orders\ndef bench_work():\n    orders.work()\n")
    return folder


def state(folder):
    return (
        git(folder, "status", "--porcelain"), git(folder, "worktree", "list").count("\n"),
        git(folder, "branch", "-a"), git(folder, "stash", "list"),
        (folder / "orders.py").read_text(),
    )  # fmt: skip


def test_revisions_are_compared_and_the_tree_stays_as_it_was(repository, python, tmp_path):
    before = state(repository)
    (tmp_path / "t").mkdir()
    status, rows, page, stderr = answer(
        "--python", python, "rev:HEAD~1", "rev:HEAD", "bench_orders.py",
        cwd=str(repository), env={"TMPDIR": str(tmp_path / "t")},
    )  # fmt: skip
    assert (status, rows["bench_work"]["verdict"]) == (1, "regression")
    assert page["a"]["revision"] == git(repository, "rev-parse", "HEAD~1").strip()
    assert page["b"]["subject"] == "3 times"
    assert "uncommitted changes in 1 file are on neither side" in stderr
    assert "bench_orders.py is not in A" in stderr  # not committed: the tree's own serves both
    assert state(repository) == before
    assert os.listdir(str(tmp_path / "t")) == []


def test_the_working_tree_is_a_side_too(repository, python):
    before = state(repository)
    status, rows, page, _ = answer("--python", python, "rev:HEAD", "rev:.", "bench_orders.py",
                                   cwd=str(repository))  # fmt: skip
    assert (status, rows["bench_work"]["verdict"]) == (0, "improvement")
    assert state(repository) == before


def test_each_revision_loads_its_own_modules_wherever_one_stands(repository, python):
    """Not those of the working tree, though PYTHONPATH names them; src/ and the root are found."""
    git(repository, "checkout", "-q", "--", "orders.py")
    (repository / "src").mkdir()
    (repository / "sub").mkdir()
    for number in (5, 10):
        write(repository / "src" / "inner.py", "NUMBER = %d\n" % number)
        write(repository / "sub" / "bench_sub.py",
              "import inner, orders\ndef track_number():\n    orders.work()\n"
              "    return inner.NUMBER\n")  # fmt: skip
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", str(number))
    status, rows, _, _ = answer(
        "--python", python, "rev:HEAD~1", "rev:HEAD", "bench_sub.py",
        cwd=str(repository / "sub"), env={"PYTHONPATH": str(repository / "src")},
    )  # fmt: skip
    assert (status, rows["track_number"]["verdict"]) == (1, "regression")
    assert rows["track_number"]["ratio"] == pytest.approx(2)


def test_ctrl_c_leaves_no_worktree(repository, python, tmp_path):
    before = state(repository)
    (tmp_path / "t").mkdir()
    write(repository / "bench_orders.py", "def bench_forever():\n    import time; time.sleep(0.01)\n")
    before = state(repository)
    process = cli.start(
        "compare", "--json", "--python", python, "--alpha", "1e-6", "--tolerance", "0.01",
        "rev:HEAD~1", "rev:HEAD", "bench_orders.py", cwd=str(repository),
        env={"TMPDIR": str(tmp_path / "t")}, start_new_session=True,
    )  # fmt: skip
    cli.wait_until("the worktrees", lambda: state(repository)[1] == 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    status, stdout, stderr = cli.finish(process)
    assert status in (9, 10), stderr
    assert state(repository) == before
    assert os.listdir(str(tmp_path / "t")) == []


def test_a_revision_that_is_none_is_refused(repository):
    status, _, stderr = compare("rev:nothing", "rev:HEAD", "bench_orders.py", cwd=str(repository))
    assert status == 2
    assert "nothing" in stderr
    assert state(repository)[1] == 1


# --- a terminal ------------------------------------------------------------------------------------


def test_a_terminal_is_told_how_long_it_takes(terminal, python):
    shown = terminal([cli.PROGRAM, "compare", *QUICK, "--python", python, "--statement",
                      LINE % 1000, LINE % 3000])  # fmt: skip
    shown.expect("s left", DEADLINE_S)
    shown.expect("B takes", DEADLINE_S)
