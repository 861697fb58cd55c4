"""report, export, diff: on recordings whose truth is known (heavy() has three times light())."""

import gzip
import json
import os
import re

import pytest

import cli_support as cli

# What PRODUCT promises of `report --json`; None stands for a number.
TOP = (
    "command python wall_s cpu_s peak_rss_bytes samples self_cpu_s states functions lines findings"
)
SAMPLES = "scheduled taken valid torn failed missed rate_hz"
STATES = "python builtin native waiting gil_wait gc runqueue"
FUNCTION = "name file line self self_low self_high total"
LINE = "file line self total"


@pytest.fixture(scope="module")
def document(pyrometer, recordings):
    result = pyrometer("report", "--json", recordings["heavy"])
    assert (result.rc, result.stderr) == (0, "")
    return json.loads(result.stdout)


def function(document, name):
    return next(row for row in document["functions"] if row["name"] == name)


# --- JSON -----------------------------------------------------------------------


def test_json_has_every_promised_key(document):
    assert document["schema_version"] == 1
    for keys, row in (
        (TOP, document),
        (SAMPLES, document["samples"]),
        (STATES, document["states"]),
        (FUNCTION, document["functions"][0]),
        (LINE, document["lines"][0]),
    ):
        assert set(keys.split()) <= set(row), set(keys.split()) - set(row)
    assert isinstance(document["findings"], list)


def test_json_counts_add_up(document):
    samples = document["samples"]
    assert samples["scheduled"] == sum(samples[k] for k in ("valid", "torn", "failed", "missed"))
    assert samples["taken"] == samples["valid"] + samples["torn"] > 50
    assert 0 < samples["rate_hz"] < 100000
    assert 1.9 < document["wall_s"] < 10 and 0 < document["cpu_s"] < document["wall_s"] * 1.5
    assert document["peak_rss_bytes"] > 1 << 20 and document["self_cpu_s"] > 0
    assert re.match(r"3\.\d+\.\d+", document["python"])
    assert document["complete"] is True and document["damage"] is None
    assert document["exit_status"] == 0 and "cli_busy.py" in document["command"]


def test_json_shares_are_fractions_or_null(document):
    states = [value for value in document["states"].values() if value is not None]
    assert states and all(0 <= value <= 1 for value in states)
    assert document["states"]["python"] is None  # not known yet: null, never 0
    for row in document["functions"] + document["lines"]:
        for key in ("self", "total"):
            assert 0 <= row[key] <= 1 and row[key + "_low"] <= row[key] <= row[key + "_high"]
        assert row["self"] <= row["total"] + 1e-9
    assert sum(row["self"] for row in document["functions"]) <= 1 + 1e-6
    assert sum(row["self"] for row in document["lines"]) <= 1 + 1e-6


def test_json_tells_the_truth(document):
    heavy, light = function(document, "heavy"), function(document, "light")
    assert 1.8 < heavy["self"] / light["self"] < 5  # three rounds to one
    assert heavy["file"].endswith("tests/targets/cli_busy.py") and heavy["line"] == 13
    assert function(document, "turn")["total"] > heavy["total"] + light["total"] - 0.05
    lines = {row["line"]: row["self"] for row in document["lines"] if row["file"] == heavy["file"]}
    assert lines[15] + lines[16] > 0.9 * heavy["self"]
    assert heavy["hottest_line"] in (15, 16)
    names = {row["name"] for row in document["threads"]}
    assert {"MainThread", "first waiter", "zweiter Wärter"} <= names


def test_json_sorts_and_limits(pyrometer, recordings):
    for sort in ("self", "total"):
        args = ["report", "--json", "--sort", sort, "--limit", "3", recordings["heavy"]]
        shares = [row[sort] for row in json.loads(pyrometer(*args).stdout)["functions"]]
        assert len(shares) == 3 and shares == sorted(shares, reverse=True)


# --- pages ----------------------------------------------------------------------


def test_functions_say_the_verdict_first(pyrometer, recordings):
    result = pyrometer("report", recordings["heavy"])
    assert (result.rc, result.stderr) == (0, "")
    first = " ".join(result.stdout.split("\n\n")[0].splitlines())
    assert re.match(r"(About )?\d+(\.\d)? % of the run", first), first
    rows = re.findall(r"^ *(\d+) (\S+) .*?(\d+\.\d|\d+) % ± ([\d.]+)", result.stdout, re.M)
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1)) and len(rows) >= 3
    assert "heavy" in [row[1] for row in rows]
    assert "Pyrometer used" in result.stdout and "samples" in result.stdout


def test_the_tree_leads_from_the_module_to_the_leaves(pyrometer, recordings):
    text = pyrometer("report", "--tree", recordings["heavy"]).stdout
    depths = {}
    for line in text.splitlines():
        match = re.match(r"\s+[\d.]+ %\s+[\d.]+ %  ([ │├└]*)(\S+( level\))?)", line)
        if match:
            depths.setdefault(match.group(2), len(match.group(1)))
    order = ["(module level)", "main", "turn", "heavy"]
    assert [depths[name] for name in order] == sorted(depths[name] for name in order)
    assert depths["heavy"] == depths["light"]


def test_lines_show_the_source_with_its_heat(pyrometer, recordings):
    text = pyrometer("report", "--lines", recordings["heavy"], env={"COLUMNS": "120"}).stdout
    assert re.search(r"^ +16 +[\d.]+ % .*total \+= number % 7  # the hot line$", text, re.M), text
    assert re.search(r"^ +13 +def heavy\(rounds\):$", text, re.M)


def test_lines_of_a_changed_source_are_not_shown(pyrometer, python, tmp_path):
    script = tmp_path / "app.py"
    script.write_text("import time\nwhile time.process_time() < 0.4:\n    sum(range(50))\n")
    run = ["record", "-o", "x.pyro", "--", python, "app.py"]
    assert pyrometer(*run, cwd=str(tmp_path)).rc == 0
    assert "sum(range(50))" in pyrometer("report", "--lines", "x.pyro", cwd=str(tmp_path)).stdout
    script.write_text("# another\n# text\n# by\n# now\n")
    result = pyrometer("report", "--lines", "x.pyro", cwd=str(tmp_path))
    assert result.rc == 0 and "# now" not in result.stdout and "changed" in result.stdout


def test_threads_are_listed_by_name(pyrometer, recordings):
    text = pyrometer("report", "--threads", "list", recordings["heavy"]).stdout
    for name in ("MainThread", "first waiter", "zweiter Wärter"):
        assert re.search(r"^ *%s +\d+ " % name, text, re.M), text


def test_all_threads_wait_more_than_the_main_one(pyrometer, recordings):
    shares = {}
    for which in ("main", "all"):
        result = pyrometer("report", "--json", "--threads", which, recordings["heavy"])
        shares[which] = json.loads(result.stdout)["states"]["waiting"]
    assert shares["all"] > shares["main"] + 0.2


def test_a_thread_is_chosen_by_name_or_number(pyrometer, recordings, document):
    tid = next(row["tid"] for row in document["threads"] if row["name"] == "zweiter Wärter")
    for word in ("zweiter Wärter", tid):
        result = pyrometer("report", "--json", "--thread", word, recordings["heavy"])
        chosen = json.loads(result.stdout)
        assert chosen["states"]["waiting"] > 0.9
        assert "heavy" not in {row["name"] for row in chosen["functions"]}
    error = pyrometer("report", "--thread", "nobody", recordings["heavy"])
    cli.assert_error(error, 2, "nobody")


def test_filters_keep_what_they_name(pyrometer, recordings):
    for option, word, keeps in (
        ("--filter", "heavy", {"heavy"}),
        ("--module", "cli_busy", {"heavy", "light"}),
        ("--module", "threading", set()),
    ):
        args = ["report", "--json", "--threads", "all", option, word, recordings["heavy"]]
        names = {row["name"] for row in json.loads(pyrometer(*args).stdout)["functions"]}
        assert names & {"heavy", "light"} == keeps, (option, word)


def test_a_window_of_time_keeps_its_samples(pyrometer, recordings, document):
    args = ["report", "--json", "--from", "0.5s", "--to", "1500ms", recordings["heavy"]]
    window = json.loads(pyrometer(*args).stdout)
    share = window["samples"]["selected"] / document["samples"]["selected"]
    assert 0.25 < share < 0.75
    cli.assert_error(pyrometer("report", "--from", "2", "--to", "1", recordings["heavy"]), 2)


def test_library_code_folds_into_its_caller(pyrometer, python, tmp_path):
    (tmp_path / "app.py").write_text(
        "import json, time\n"
        "def own():\n"
        "    while time.process_time() < 0.7:\n"
        "        json.dumps({'a': [{'b': n} for n in range(60)]}, indent=1)\n"
        "own()\n"
    )
    run = ["record", "-o", "x.pyro", "--", python, "app.py"]
    assert pyrometer(*run, cwd=str(tmp_path)).rc == 0
    shares = {}
    for fold in ([], ["--fold-library"]):
        result = pyrometer("report", "--json", "--cpu", *fold, "x.pyro", cwd=str(tmp_path))
        rows = json.loads(result.stdout)["functions"]
        shares[bool(fold)] = {row["name"]: row["self"] for row in rows}
        files = {row["file"] for row in rows if row["file"]}  # null: not known
        assert any("json" in name for name in files) == (not fold)
    assert shares[True]["own"] > shares[False]["own"] + 0.3


def test_cpu_time_leaves_the_naps_out(pyrometer, recordings):
    rows = {}
    for option in ([], ["--cpu"]):
        text = pyrometer("report", "--json", *option, recordings["heavy"]).stdout
        rows[bool(option)] = {row["name"]: row["self"] for row in json.loads(text)["functions"]}
    assert rows[True].get("nap", 0) < rows[False]["nap"] / 2


def test_processes_are_listed(pyrometer, recordings, document):
    text = pyrometer("report", "--processes", recordings["heavy"]).stdout
    assert str(document["processes"][0]["pid"]) in text and document["python"] in text


def test_without_a_name_the_newest_recording_is_read(pyrometer, recordings, tmp_path):
    for age, name in ((100, "old.pyro"), (0, "new.pyro")):
        (tmp_path / name).write_bytes(open(recordings["heavy"], "rb").read())
        stamp = os.stat(str(tmp_path / name)).st_mtime - age
        os.utime(str(tmp_path / name), (stamp, stamp))
    result = pyrometer("report", cwd=str(tmp_path))
    assert result.rc == 0 and "new.pyro" in result.stderr and "heavy" in result.stdout


def test_output_goes_to_a_file_that_is_whole(pyrometer, recordings, tmp_path):
    result = pyrometer("report", "--json", "-o", tmp_path / "x.json", recordings["heavy"])
    assert (result.rc, result.stdout) == (0, "")
    assert json.loads((tmp_path / "x.json").read_text())["functions"]
    assert os.listdir(str(tmp_path)) == ["x.json"]


def test_reading_leaves_the_recording_as_it_was(pyrometer, recordings):
    before = open(recordings["heavy"], "rb").read()
    for args in (["report"], ["report", "--lines"], ["export", "-f", "pprof", "-o", "/dev/null"]):
        assert pyrometer(*args, recordings["heavy"]).rc == 0
    assert open(recordings["heavy"], "rb").read() == before
    assert not os.path.exists(recordings["heavy"] + "-journal")


def test_run_prints_the_answer_as_json_after_the_programs_output(pyrometer, python, tmp_path):
    busy = cli.target("cli_busy.py")
    result = pyrometer("run", "--json", "-o", "x.pyro", "--", python, busy, 0.8, cwd=str(tmp_path))
    own, _, text = result.stdout.partition("{")
    assert result.rc == 0 and own.startswith("READY") and "TURNS some" in own
    answer = json.loads("{" + text)
    again = json.loads(pyrometer("report", "--json", "x.pyro", cwd=str(tmp_path)).stdout)
    assert answer == again


# --- export ---------------------------------------------------------------------

FORMATS = ["collapsed", "speedscope", "pprof", "firefox"]


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_written_and_holds_the_function(pyrometer, recordings, tmp_path, name):
    result = pyrometer("export", "--format", name, recordings["heavy"], cwd=str(tmp_path))
    assert (result.rc, result.stdout) == (0, ""), result.stderr
    (written,) = os.listdir(str(tmp_path))
    assert written.startswith("heavy.") and "wrote " + written in result.stderr
    data = (tmp_path / written).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if name in ("speedscope", "firefox"):
        json.loads(data.decode())
    assert b"heavy" in data and b"cli_busy" in data


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_to_stdout_is_data_alone(pyrometer, recordings, name):
    args = ["export", "--format", name, "-o", "-", recordings["heavy"]]
    result = pyrometer(*args, text=False)
    assert result.rc == 0 and len(result.stdout) > 200 and result.stderr == ""


def test_the_list_names_each_format(pyrometer):
    result = pyrometer("export", "--list")
    assert result.rc == 0
    assert [name for name in FORMATS if not re.search("^" + name, result.stdout, re.M)] == []


def test_a_binary_format_is_not_for_a_terminal(terminal, recordings):
    run = terminal([cli.PROGRAM, "export", "-f", "pprof", "-o", "-", recordings["heavy"]])
    status, text = run.end()
    assert status == 2 and "terminal" in cli.error_lines(text)[1]


def test_an_export_never_replaces_the_recording(pyrometer, recordings):
    args = ["export", "-f", "collapsed", "-o", recordings["heavy"], recordings["heavy"]]
    cli.assert_error(pyrometer(*args), 2, "replace the recording")


# --- diff -----------------------------------------------------------------------


def test_diff_names_what_changed(pyrometer, recordings):
    result = pyrometer("diff", recordings["heavy"], recordings["light"])
    assert (result.rc, result.stderr) == (0, "")
    assert re.search(r"^ *heavy .*less$", result.stdout, re.M), result.stdout
    assert re.search(r"^ *light .*more$", result.stdout, re.M)


def test_diff_as_json(pyrometer, recordings):
    result = pyrometer("diff", "--json", recordings["heavy"], recordings["light"])
    document = json.loads(result.stdout)
    rows = {row["name"]: row for row in document["functions"]}
    assert document["schema_version"] == 1 and document["significant"] >= 2
    assert rows["heavy"]["verdict"] == "less" and rows["light"]["verdict"] == "more"
    for row in rows.values():
        assert row["change_low"] <= row["change"] <= row["change_high"]
        assert row["verdict"] in "same-within-noise more less new gone".split()


def test_diff_of_a_recording_with_itself_is_noise(pyrometer, recordings):
    result = pyrometer("diff", "--json", recordings["heavy"], recordings["heavy"])
    assert json.loads(result.stdout)["significant"] == 0
    rows = json.loads(result.stdout)["functions"]
    assert {row["verdict"] for row in rows} == {"same-within-noise"}


def test_fail_on_a_regression_is_1(pyrometer, recordings):
    args = ["diff", "--fail-on", "5", recordings["heavy"], recordings["light"]]
    result = pyrometer(*args)
    assert result.rc == 1 and "light" in cli.error_lines(result.stderr)[0]
    assert "light" in result.stdout
    assert pyrometer("diff", "--fail-on", "90", *args[3:]).rc == 0
    assert pyrometer("diff", "--fail-on", "0.1", recordings["heavy"], recordings["heavy"]).rc == 0


@pytest.mark.parametrize("key, value", [("mode", "allocations"), ("clock", "cpu")])
def test_recordings_that_do_not_compare_are_refused(pyrometer, recordings, tmp_path, key, value):
    statement = "UPDATE meta SET value = '%s' WHERE key = '%s'" % (value, key)
    other = cli.edited(recordings["again"], tmp_path / "other.pyro", statement)
    cli.assert_error(pyrometer("diff", recordings["heavy"], other), 2, value)
