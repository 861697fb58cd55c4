"""`pyrometer imports`: the program's own behaviour is untouched, and what is told of its imports is
true. The truth is that of tests/targets/imports_app, and for the module set that of -X importtime."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import cli_support as cli
import pytest

from support import TARGETS, plain_environment

APP = os.path.join(TARGETS, "imports_app")
SOME_MODULES = "import json, email.mime.text, xml.dom.minidom, concurrent.futures"


@pytest.fixture
def app(interpreter, tmp_path_factory):
    """The folder of the program, with the path that it has for the interpreter."""
    name = "imports-%s" % interpreter.id
    copy = str(tmp_path_factory.mktemp("app") / name)
    shutil.copytree(APP, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return interpreter.place(copy)


def run_plain(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=60,
                          env=plain_environment())


def measure(pyrometer, tmp_path, options, command, status=0):
    """(the program's stdout, the JSON) of `imports` over a command."""
    path = str(tmp_path / "imports.json")
    result = pyrometer("imports", "--json", "-o", path, *options, "--", *command)
    assert result.rc == status, result
    with open(path, encoding="utf-8") as file:
        return result, json.load(file)


def by_name(answer):
    """Imports that loaded something, by name; each of these names was imported once."""
    found = {}
    for row in answer["imports"]:
        if row["error"] is None and not row["loaded_inside"]:
            assert row["name"] not in found, row
            found[row["name"]] = row
    return found


def chain(answer, row):
    names = []
    while row["parent"] is not None:
        row = answer["imports"][row["parent"]]
        names.append(row["name"])
    return names


# --- the program's own behaviour ------------------------------------------------------------------

SEEN = [
    ["seen.py", "a", "b c"],
    ["-I", "-S", "-W", "ignore", "seen.py"],
    ["-m", "seen", "exit"],
    ["-c", "import seen; print(__name__)", "status"],
    ["seen.py", "fail"],
]


@pytest.mark.parametrize("words", SEEN, ids=[" ".join(words)[:20] for words in SEEN])
def test_the_program_sees_no_difference(interpreter, app, words):
    # env: a folder that is the interpreter's own, and not ours.
    command = interpreter.argv()[:-1] + ["env", "-C", app, interpreter.path] + words
    plain = run_plain(command)
    probed = run_plain([cli.PROGRAM, "imports", "--json", "-o", os.devnull, "--"] + command)
    assert probed.stdout == plain.stdout
    assert probed.returncode == plain.returncode
    # A second traceback line tells how long a path is; that is the same too.
    assert probed.stderr == plain.stderr


def python_command(*words):
    return [sys.executable] + list(words)


ENDS = [
    ("import sys; sys.exit(3)", 3),
    ("raise SystemExit", 0),
    ("1/0", 1),
    ("import os; os._exit(4)", 4),
    ("import os, signal; os.kill(os.getpid(), signal.SIGTERM); signal.pause()", 128 + 15),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL); signal.pause()", 128 + 9),
    ("raise KeyboardInterrupt", 128 + 2),
]


@pytest.mark.parametrize("code, status", ENDS)
def test_exit_status_is_the_programs(code, status, tmp_path):
    result = cli.finish(cli.start("imports", "-o", str(tmp_path / "out"), "--python",
                                  sys.executable, "-c", code))
    assert result[0] == status


def test_input_and_output_are_the_programs(tmp_path):
    code = "import sys; sys.stdout.write(sys.stdin.read()); sys.stderr.write('to stderr')"
    process = cli.start("imports", "-o", str(tmp_path / "out"), "--python", sys.executable, "-c",
                        code)
    assert cli.finish(process, "through") == (0, "through", "to stderr")


def test_own_excepthook_gets_the_programs_traceback_only(tmp_path):
    code = ("import sys, traceback\n"
            "sys.excepthook = lambda *e: print([f.name for f in traceback.extract_tb(e[2])])\n"
            "def inner(): 1/0\n"
            "inner()\n")
    script = tmp_path / "hooked.py"
    script.write_text(code)
    result = cli.finish(cli.start("imports", "--json", "-o", os.devnull, "--python",
                                  sys.executable, script))
    assert result == (1, "['<module>', 'inner']\n", "")


CLOSING = {
    # A daemon does: what the probe would write must not end up in the program's file.
    "and reuses them": "fds = [os.open(own, os.O_RDWR | os.O_CREAT) for _ in range(900)]\n",
    "and imports on": "import wave, xml.dom.minidom\n",
    "and ends": "",
}


@pytest.mark.parametrize("what", CLOSING)
def test_program_that_closes_every_descriptor(interpreter, pyrometer, tmp_path, what):
    own = tmp_path / "own"
    code = ("import os, json\nown = %r\nos.closerange(3, 2000)\n" % str(own)) + CLOSING[what]
    if "reuses" in what:
        code += "import wave, xml.dom.minidom\nassert os.path.getsize(own) == 0\n"
        code += "os.unlink(own)\n"
    code += "print('well')\n"
    if interpreter.root:
        code = code.replace(str(own), "/tmp/imports-%d" % os.getpid())
    result, answer = measure(pyrometer, tmp_path, [], interpreter.argv("-c", code))
    assert (result.stdout, result.stderr) == ("well\n", "")
    assert not answer["complete"] and answer["modules"] == []
    assert "json" in by_name(answer)


def cli_pyrometer(*words):
    ended = subprocess.run([cli.PROGRAM] + [str(word) for word in words], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                           universal_newlines=True, env=plain_environment())
    from support import Result
    return Result(ended.returncode, ended.stdout, ended.stderr)


def test_forked_children_are_not_the_program(tmp_path):
    code = ("import os\n"
            "if os.fork() == 0:\n"
            "    import wave\n"
            "    os._exit(0)\n"
            "os.wait()\n"
            "import colorsys\n")
    script = tmp_path / "forking.py"
    script.write_text(code)
    _, answer = measure(cli_pyrometer, tmp_path, [], python_command(str(script)))
    assert "colorsys" in by_name(answer) and "wave" not in by_name(answer)
    assert "wave" not in answer["modules"]


# --- the truth ------------------------------------------------------------------------------------


def test_modules_and_their_tree_are_those_of_importtime(interpreter, pyrometer, tmp_path):
    command = interpreter.argv("-c", SOME_MODULES)
    _, answer = measure(pyrometer, tmp_path, [], command)
    told = run_plain(interpreter.argv("-X", "importtime", "-c", SOME_MODULES)).stderr
    theirs, above = {}, []
    # Children come before what imports them, and are indented by two more.
    for line in reversed(re.findall(r"^import time: +\d+ \| +\d+ \| (.*)$", told, re.M)):
        depth = (len(line) - len(line.lstrip())) // 2
        theirs[line.strip()] = above[depth - 1] if depth else None
        above[depth:] = [line.strip()]
    before = {row["name"] for row in answer["before"]}
    mine = by_name(answer)
    assert {"json", "xml.dom.minidom", "email.mime.text"} <= set(mine)
    assert set(mine) == {name for name in theirs if name in answer["modules"]} - before
    for name, row in mine.items():
        assert (chain(answer, row) or [None])[0] == theirs[name], name
    assert set(answer["modules"]) >= before | set(mine)
    for row in answer["before"]:
        assert row["total_s"] is None or 0 <= row["self_s"] <= row["total_s"]
    timed = [row["name"] for row in answer["before"] if row["total_s"] is not None]
    assert "encodings" in timed


def test_known_program(interpreter, app, pyrometer, tmp_path):
    command = interpreter.argv(app + "/app.py")
    result, answer = measure(pyrometer, tmp_path, [], command)
    assert result.stdout == "sold\n"
    assert answer["schema_version"] == 1 and answer["complete"] and answer["exit_status"] == 0
    assert answer["python"]["version"].startswith("%d.%d." % interpreter.version)
    rows = by_name(answer)

    # The tree, and who imports.
    assert chain(answer, rows["shop.stock"]) == ["shop"]
    assert chain(answer, rows["shop_unused_helper"]) == ["shop_unused"]
    assert rows["shop"]["imported_by"]["file"] == app + "/app.py"
    assert rows["shop"]["imported_by"]["line"] == 9
    assert rows["shop.stock"]["imported_by"] == {
        "file": app + "/shop/__init__.py", "line": 1, "function": "<module>"}

    # Times: the sleep is where it is, and nowhere else.
    stock = rows["shop.stock"]
    assert stock["self_s"] >= 0.05 and stock["body_s"] >= 0.05
    assert stock["total_s"] >= stock["self_s"] >= stock["body_s"]
    assert rows["shop"]["total_s"] >= stock["total_s"]
    for row in answer["imports"]:
        inside = sum(other["total_s"] for other in answer["imports"]
                     if other["parent"] == answer["imports"].index(row))
        assert abs(row["total_s"] - row["self_s"] - inside) < 1e-6, row["name"]
    tops = sum(row["total_s"] for row in answer["imports"] if row["parent"] is None)
    assert abs(answer["imports_s"] - tops) < 1e-6
    assert answer["imports_s"] <= answer["wall_s"]

    # When.
    assert rows["shop"]["when"] == "start" and rows["shop.stock"]["when"] == "start"
    assert rows["shop_later"]["when"] == "first-use"
    assert rows["shop_later"]["imported_by"]["function"] == "main"
    assert rows["shop_in_thread"]["when"] == "first-use" and rows["shop_in_thread"]["thread"] == 1
    assert rows["shop_by_name"]["how"] == "import_module"
    assert rows["shop_by_name"]["imported_by"]["file"] == app + "/app.py"
    assert rows["shop_plugin"]["how"] == "by hand"
    assert chain(answer, rows["shop_plugin_part"]) == ["shop_plugin"]
    starts = [row["start_s"] for row in answer["imports"]]
    assert starts == sorted(starts) and starts[0] >= answer["began_s"] > 0

    # Files, and work in a body.
    assert stock["files"] >= 2 and stock["bytes"] >= os.path.getsize(APP + "/shop/stock.py")
    assert stock["stats"] > 0
    work = [(item["event"], item["detail"]) for item in stock["work"]]
    assert ("open", app + "/shop/stock.py") in work
    assert rows["shop.prices"]["work"] == []
    if interpreter.version >= (3, 13):
        assert ("time.sleep", "0.05") in work

    # Failures.
    failed = {row["name"]: row["error"] for row in answer["imports"] if row["error"]}
    assert failed["shop_missing"]["type"] == "ModuleNotFoundError"
    assert failed["shop_missing"]["handled"]
    assert [(row["module"], row["missing"], row["evidence"]) for row in answer["fallbacks"]] == [
        ("shop.stock", "shop._stock", "_stock.c")]

    # Use.
    assert answer["probe"]["use_method"] == (
        "sys.monitoring" if interpreter.version >= (3, 12) else "run counters")
    used = {name: row["used"] for name, row in rows.items() if name.startswith("shop")}
    assert used == {
        "shop": "yes", "shop.stock": "no", "shop.stock_slow": "yes", "shop.prices": None,
        "shop_unused": "no", "shop_unused_helper": "yes", "shop_later": "yes",
        "shop_by_name": None, "shop_plugin": None, "shop_plugin_part": None,
        "shop_in_thread": None}
    unused = {row["name"]: row["avoidable_s"] for row in answer["unused"]}
    assert "shop_unused" in unused and "shop" not in unused
    assert unused["shop.stock"] >= 0.05


def test_without_compiled_files_the_compilation_is_told(interpreter, app, pyrometer, tmp_path):
    command = interpreter.argv("-B", "-c", "import sys; sys.path.insert(0, %r); import shop" % app)
    _, cold = measure(pyrometer, tmp_path, ["--lines"], command)
    stock = by_name(cold)["shop.stock"]
    assert 0 < stock["compile_s"] <= stock["self_s"]
    lines = {row["line"]: row for row in stock["lines"]}
    assert lines[10]["self_s"] >= 0.05 and lines[10]["hits"] == 1
    assert sum(row["self_s"] for row in stock["lines"]) <= stock["body_s"]
    assert set(lines) >= {1, 3, 4, 6, 8, 9, 10, 13}
    times = [row["self_s"] for row in stock["lines"]]
    assert times == sorted(times, reverse=True)


def test_lazy_imports_are_told_at_their_first_use(interpreters, pyrometer, tmp_path):
    lazy = [found for found in interpreters if found.version >= (3, 15)]
    if not lazy:
        pytest.skip("no CPython 3.15 here")
    copy = str(tmp_path / "imports-lazy")
    shutil.copytree(APP, copy, ignore=shutil.ignore_patterns("__pycache__"))
    place = lazy[0].place(copy)
    result, answer = measure(pyrometer, tmp_path, [], lazy[0].argv(place + "/lazy.py"))
    assert result.stdout == "42 False\n"
    row = by_name(answer)["shop_later"]
    assert row["lazy"] and row["when"] == "first-use"
    assert row["imported_by"] == {"file": place + "/lazy.py", "line": 8, "function": "first_use"}
    assert answer["lazy_unused"] == ["shop_by_name"]
    assert not any(other["lazy"] for other in answer["imports"] if other["name"] != "shop_later")


def test_imports_in_many_threads_are_all_told(tmp_path):
    names = ["in_thread_%d" % i for i in range(48)]
    for name in names:
        (tmp_path / (name + ".py")).write_text("import time\ntime.sleep(0.001)\n")
    script = tmp_path / "threads.py"
    script.write_text("import threading\n"
                      "threads = [threading.Thread(target=__import__, args=(n,)) for n in %r * 2]\n"
                      "for thread in threads: thread.start()\n"
                      "for thread in threads: thread.join()\n" % names)
    _, answer = measure(cli_pyrometer, tmp_path, [], python_command(str(script)))
    rows = by_name(answer)
    assert set(names) <= set(rows)
    assert all(rows[name]["when"] == "first-use" for name in names)


def test_moving_an_import_moves_its_cost_and_no_more(tmp_path):
    """The same module, at the start and in a function: the sum of both is told."""
    (tmp_path / "slow_part.py").write_text("import time\ntime.sleep(0.05)\n")
    for text, at_start in (("import slow_part\n", True),
                           ("def use():\n    import slow_part\nuse()\n", False)):
        script = tmp_path / "moving.py"
        script.write_text(text)
        _, answer = measure(cli_pyrometer, tmp_path, [], python_command(str(script)))
        here, there = answer["start_imports_s"], answer["first_use_imports_s"]
        assert (here if at_start else there) >= 0.05
        assert answer["imports_s"] >= 0.05
        assert abs(answer["imports_s"] - here - there) < 1e-6


def test_pypy(pyrometer, tmp_path):
    pypy = shutil.which("pypy3")
    if pypy is None:
        pytest.skip("no PyPy here")
    result, answer = measure(pyrometer, tmp_path, [], [pypy, APP + "/app.py"])
    assert result.stdout == "sold\n"
    assert answer["python"]["implementation"] == "pypy"
    rows = by_name(answer)
    assert rows["shop.stock"]["self_s"] >= 0.05 and rows["shop_later"]["when"] == "first-use"
    assert answer["probe"]["use_method"] == "unknown" and answer["unused"] == []
    assert [row["missing"] for row in answer["fallbacks"]] == ["shop._stock"]


# --- the command ----------------------------------------------------------------------------------


def test_answer_goes_to_stderr_and_is_no_wider_than_the_page(tmp_path):
    for columns in (40, 80, 120):
        process = cli.start("imports", "--python", sys.executable, APP + "/app.py",
                            env={"COLUMNS": str(columns)})
        status, stdout, stderr = cli.finish(process)
        assert (status, stdout) == (0, "sold\n")
        assert stderr.startswith("Imports take ")
        assert cli.too_wide(stderr, columns) == []
        flat = " ".join(stderr.split())
        assert "shop.stock: none of its functions ran" in flat
        assert "shop.stock goes on without its compiled part shop._stock" in flat
        assert "shop.stock works while it is imported: open" in flat


@pytest.mark.parametrize("option, pattern", [
    ("--tree", r"(?m)^  shop  .*\n   shop\.stock .*shop/__init__\.py:1$"),
    ("--timeline", r"(?m)^ +\S+ \w+ +\S+ \w+ +shop\.stock +(#|█)+"),
    ("--lines", r"shop/stock\.py:10\n"),
    ("--sort=self", r"(?s)imported at the start.*?\n  shop\.stock "),
])
def test_views(option, pattern):
    status, _, stderr = cli.finish(cli.start(
        "imports", option, "--top", "0", "--python", sys.executable, APP + "/app.py",
        env={"COLUMNS": "140"}))
    assert status == 0
    assert re.search(pattern, stderr), stderr


def test_modules_are_the_exact_set():
    code = "import json.tool, sys; print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    status, stdout, stderr = cli.finish(cli.start("imports", "--modules", "--python",
                                                  sys.executable, "-c", code))
    assert status == 0 and stdout == stderr and "json.tool\n" in stdout


def test_repeated_runs_tell_the_probes_own_cost(tmp_path):
    counter = tmp_path / "runs"
    code = "import sys; open(%r, 'a').write('x'); print('out'); import wave" % str(counter)
    result, answer = measure(cli_pyrometer, tmp_path, ["--repeat", "3"], python_command("-c", code))
    assert result.stdout == "out\n", "repeated runs print nothing"
    assert counter.read_text() == "x" * 7
    probe = answer["probe"]
    assert probe["pairs"] == 3 and len(probe["plain_s"]) == len(probe["probed_s"]) == 3
    assert min(probe["plain_s"]) <= probe["plain_median_s"] <= max(probe["plain_s"])
    assert all(0 < imports < run for imports, run in zip(probe["imports_s"], probe["probed_s"]))


@pytest.mark.parametrize("words, status, pattern", [
    ([], 2, "nothing to run"),
    (["--", "python3"], 2, "no program for the interpreter"),
    (["--", "python3", "-"], 2, "no program for the interpreter"),
    (["--", "/bin/ls"], 2, "no Python in the command"),
    (["--tree", "--timeline", "app.py"], 2, "don't go together"),
    (["--json", "--modules", "app.py"], 2, "don't go together"),
    (["-o", "/nowhere/else", "-c", "pass"], 125, "/nowhere/else"),
    (["--python", "/nowhere/python3", "-c", "pass"], 125, "/nowhere/python3"),
    (["--python", "/bin/true", "-c", "pass"], 2, "no Python in the command"),
])
def test_refusals(words, status, pattern):
    ended = cli.finish(cli.start("imports", *words))
    assert ended[0] == status
    assert re.search(pattern, ended[2]), ended
    assert len(cli.error_lines(ended[2])) == 3


def test_script_with_an_interpreter_in_its_first_line(tmp_path):
    script = tmp_path / "tool"
    script.write_text("#!%s -s\nimport sys, wave\nprint(sys.argv[1:], sys.flags.no_user_site)\n"
                      % sys.executable)
    script.chmod(0o755)
    result, answer = measure(cli_pyrometer, tmp_path, [], [str(script), "one"])
    assert result.stdout == "['one'] 1\n" and "wave" in by_name(answer)


def test_interrupt_ends_the_program_and_the_answer_still_comes(tmp_path):
    code = "import wave, time; print('READY', flush=True); time.sleep(60)"
    process = cli.start("imports", "--python", sys.executable, "-c", code,
                        start_new_session=True)
    assert process.stdout.readline() == "READY\n"
    os.killpg(process.pid, signal.SIGINT)
    status, _, stderr = cli.finish(process)
    assert status == 130
    assert "KeyboardInterrupt" in stderr and "Imports take" in stderr
