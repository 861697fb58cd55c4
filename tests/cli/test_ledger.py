"""pyrometer ledger: add, show, history, as a user and a repository see them."""

import json
import os
import subprocess

import pytest

COMPARISON = {
    "schema_version": 1,
    "a": {"label": "rev:main", "revision": "0" * 40, "subject": "old", "python": "CPython 3.12.1"},
    "b": {"label": ".", "revision": "1" * 40, "subject": None, "python": "CPython 3.12.1"},
    "benchmarks": [
        {
            "name": "app:parse",
            "ratio": 0.9,
            "low": 0.88,
            "high": 0.92,
            "verdict": "improvement",
            "pairs": 12,
            "detectable": 0.021,
        }
    ],
}


def git(folder, *args):
    env = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null")
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    ended = subprocess.run(
        ["git"] + who + list(args),
        cwd=str(folder),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "comparison.json").write_text(json.dumps(COMPARISON))
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.fixture
def add(pyrometer, repository):
    def add(hypothesis, **options):
        ended = pyrometer(
            *("ledger", "add", "--hypothesis", hypothesis, "--decision", "kept"),
            *("--reason", "10 % of the run", repository / "comparison.json"),
            cwd=options.pop("cwd", repository),
            **options
        )
        return ended

    return add


def entries(pyrometer, folder, wanted_rc=0):
    ended = pyrometer("ledger", "show", "--json", cwd=folder)
    assert ended.rc == wanted_rc, ended
    return json.loads(ended.stdout)


def test_an_entry_is_one_new_file_in_the_repository(pyrometer, repository, add):
    ended = add("a set beside the list", cwd=repository / "sub")
    assert ended.rc == 0 and ended.stderr == ""
    path = ended.stdout.strip()
    assert os.path.dirname(path) == str(repository / "performance" / "ledger")
    text = open(path, encoding="utf-8").read()
    assert text.startswith("# a set beside the list\n")
    for part in ("0" * 40, "1" * 40, "-10.00 %", "0.88000", "0.92000", "kept", "10 % of the run"):
        assert part in text
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]

    shown = entries(pyrometer, repository)
    assert shown["schema_version"] == 1 and shown["problems"] == 0
    (entry,) = shown["entries"]
    assert entry["hypothesis"] == "a set beside the list"
    assert entry["a"]["revision"] == "0" * 40
    assert entry["benchmarks"] == COMPARISON["benchmarks"]


def test_two_branches_merge_without_a_conflict(pyrometer, repository, add):
    add("first")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "first")
    git(repository, "checkout", "-q", "-b", "other")
    add("on the branch")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "branch")
    git(repository, "checkout", "-q", "main")
    add("on main")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "main")
    git(repository, "merge", "-q", "--no-edit", "other")
    assert add("after the merge").rc == 0
    shown = entries(pyrometer, repository)
    assert shown["problems"] == 0
    by_name = {entry["hypothesis"]: entry for entry in shown["entries"]}
    assert set(by_name) == {"first", "on the branch", "on main", "after the merge"}
    heads = {by_name["on the branch"]["id"], by_name["on main"]["id"]}
    assert set(by_name["after the merge"]["parents"]) == heads
    assert by_name["on main"]["parents"] == [by_name["first"]["id"]]


def test_a_changed_entry_is_shown_as_such_and_not_built_on(pyrometer, repository, add):
    path = add("first").stdout.strip()
    add("second")
    text = open(path, encoding="utf-8").read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("improvement", "regression"))
    for form in ((), ("--json",), ("--markdown",)):
        ended = pyrometer("ledger", "show", *form, cwd=repository)
        assert ended.rc == 1
        assert "changed after it was written" in " ".join(ended.stdout.split())
        assert ended.stderr.count("\n") == 3 and os.path.basename(path) in ended.stderr
    refused = add("third")
    assert refused.rc == 1 and len(refused.stderr.splitlines()) == 3
    assert len(entries(pyrometer, repository, 1)["entries"]) == 2


def test_the_page_and_markdown_say_all(pyrometer, repository, add):
    add("a | set <b>beside</b> the list")
    for form in ((), ("--markdown",)):
        page = pyrometer("ledger", "show", *form, cwd=repository).stdout
        for part in ("rev:main", "-10.0 % (-12.0 to -8.0)", "improvement", "kept"):
            assert part in page
    assert "\\<b>" in page
    page = pyrometer("ledger", "show", cwd=repository).stdout
    assert max(len(line) for line in page.replace(str(repository), "").splitlines()) <= 80


def test_without_a_repository_it_lies_beside(pyrometer, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(COMPARISON))
    args = ("--hypothesis", "h", "--decision", "d", "--reason", "r", "c.json")
    ended = pyrometer("ledger", "--ledger", "my/notes", "add", *args, cwd=tmp_path)
    assert ended.rc == 0, ended
    assert len(list((tmp_path / "my" / "notes").iterdir())) == 1


@pytest.mark.parametrize(
    "args, rc, said",
    [
        (["add", "comparison.json"], 2, "--hypothesis is missing"),
        (["add", "--hypothesis", " ", "comparison.json"], 2, "--hypothesis is empty"),
        (["add", "--hypothesis", "h", "--decision", "d", "comparison.json"], 2, "--reason"),
        (["add"], 2, "0 were given"),
        (["shwo"], 2, 'did you mean "show"'),
        (["history"], 2, "none was given"),
        (["history", "none.json"], 8, "No such file"),
        (["history", "sub"], 7, "no *.json lies there"),
    ],
)
def test_an_error_is_three_lines(pyrometer, repository, args, rc, said):
    ended = pyrometer("ledger", *args, cwd=repository)
    assert ended.rc == rc, ended
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 3


@pytest.mark.parametrize(
    "change, said",
    [
        ({"benchmarks": []}, "benchmarks is a list of 0"),
        ({"benchmarks": [{"name": "x", "verdict": "great"}]}, "verdict"),
        ({"benchmarks": [{"verdict": "pass"}]}, "benchmarks[0].name is missing"),
        ({"a": 7}, "a is 7"),
        ({"benchmarks": [{"name": "x", "verdict": "pass", "ratio": "1"}]}, "benchmarks[0].ratio"),
    ],
)
def test_a_comparison_that_is_none_is_refused(pyrometer, repository, add, change, said):
    (repository / "comparison.json").write_text(json.dumps(dict(COMPARISON, **change)))
    ended = add("h")
    assert ended.rc == 8 and said in ended.stderr
    assert not (repository / "performance").exists()


def results(median, created_s, name="app:parse"):
    values = [median * (1 + i / 1000) for i in (-2, -1, 0, 1, 2)]
    return {
        "schema_version": 1,
        "tool": "pyrometer",
        "created_s": created_s,
        "environment": {"python": "3.12.1", "hostname": "builder"},
        "benchmarks": [{"name": name, "unit": "s", "runs": [{"values": values}]}],
    }


def write_history(folder, medians):
    for i, median in enumerate(medians):
        # Names in another order than time.
        path = folder / ("%02d.json" % (len(medians) - i))
        path.write_text(json.dumps(results(median, 1767225600 + 86400 * i)))


NOISE = [0.001, -0.002, 0.003, 0, -0.001, 0.002, -0.003, 0.001, 0.002, -0.001]


def test_a_change_of_level_is_found_where_it_is(pyrometer, tmp_path):
    before = [1e-3 * (1 + noise) for noise in NOISE]
    after = [1.2e-3 * (1 + noise) for noise in NOISE]
    write_history(tmp_path, before + after)
    (tmp_path / "other.json").write_text('{"nothing": "to see"}')
    ended = pyrometer("ledger", "history", tmp_path, "--json")
    assert ended.rc == 0, ended
    history = json.loads(ended.stdout)
    (series,) = history["series"]
    assert [round(point["median"], 9) for point in series["points"]] == [
        round(median, 9) for median in before + after
    ]
    (change,) = series["changes"]
    assert change["at"] == 10 and abs(change["ratio"] - 1.2) < 0.01
    assert change["since"]["created_s"] == 1767225600 + 864000
    assert history["skipped"] == 1

    page = pyrometer("ledger", "history", tmp_path).stdout
    assert page.startswith("1 change of level in 20 results.")
    assert "app:parse: 20.0 % more since 10.json (2026-01-11)" in " ".join(page.split())
    assert max(len(line) for line in page.splitlines()) <= 80
    plain = pyrometer("ledger", "history", tmp_path, env={"LC_ALL": "C", "TERM": "dumb"}).stdout
    assert plain.isascii()


def test_noise_alone_is_no_alert(pyrometer, tmp_path):
    write_history(tmp_path, [1e-3 * (1 + noise) for noise in NOISE + NOISE[::-1]])
    page = pyrometer("ledger", "history", tmp_path).stdout
    assert page.startswith("No change of level seen in 20 results of 1 benchmark.\n")


def test_a_short_history_is_not_said_to_be_even(pyrometer, tmp_path):
    write_history(tmp_path, [1e-3] * 11)
    page = " ".join(pyrometer("ledger", "history", tmp_path).stdout.split())
    assert "1 with fewer than 12 results: too few to tell." in page
    ended = pyrometer("ledger", "history", tmp_path, "--json")
    assert json.loads(ended.stdout)["series"][0]["enough"] is False


def test_other_machines_and_interpreters_are_other_series(pyrometer, tmp_path):
    for i, (python, host) in enumerate([("3.12.1", "a"), ("3.13.0", "a"), ("3.12.1", "b")]):
        data = results(1e-3, 1767225600 + i)
        data["environment"] = {"python": python, "hostname": host}
        (tmp_path / ("%d.json" % i)).write_text(json.dumps(data))
    ended = pyrometer("ledger", "history", tmp_path, "--json")
    assert len(json.loads(ended.stdout)["series"]) == 3
