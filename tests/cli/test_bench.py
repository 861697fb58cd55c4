"""`pyrometer bench`: every kind of thing that is measured, against what is known of it; every way
in which it can go wrong, named while the rest goes on; what is told, written and read back."""

import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys

import pytest

import cli_support as cli
import support

QUICK = ("--processes", "2", "--values", "3", "--value-time", "1ms", "--no-counters")


@pytest.fixture(scope="module")
def pyrometer():
    """It starts many processes, and the machine may be busy."""
    if not os.access(support.program_path(), os.X_OK):
        pytest.fail("no program at %s; ./dev build makes it" % support.program_path())
    return lambda *args, **options: support.run_pyrometer(*args, timeout=300, **options)


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return str(path)


def measured(result):
    """The benchmarks of `bench --json`, by name (the parameters in it, as on the page)."""
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    named = {}
    for each in document["benchmarks"]:
        params = ["%(name)s=%(value)s" % param for param in each["params"]]
        named[each["name"] + ("[%s]" % ",".join(params) if params else "")] = each
    return named


def as_program(interpreter, folder):
    """A path that starts the interpreter, wherever its root is."""
    if not interpreter.root:
        return interpreter.path
    line = " ".join(shlex.quote(word) for word in interpreter.argv())
    path = write(folder, "python-" + interpreter.id, '#!/bin/sh\nexec %s "$@"\n' % line)
    os.chmod(path, stat.S_IRWXU)
    return path


# --- on every interpreter -------------------------------------------------------


def test_every_interpreter(pyrometer, interpreter, tmp_path):
    python = as_program(interpreter, tmp_path)
    result = pyrometer(
        "bench", "--json", *QUICK[:-1], "--python", python, "-s", "x = [3, 1, 2]", "sorted(x)"
    )
    assert result.rc == 0, result.stdout + result.stderr
    (each,) = measured(result).values()
    assert each["n"] >= 6 and len(each["runs"]) == 2
    assert 1e-9 < each["min"] <= each["median"] <= each["p95"] <= each["p99"] <= each["max"]
    counters = each["runs"][-1]["counters"]
    assert counters["peak_rss_bytes"] > 2**20 and counters["cpu_s"] > 0
    assert counters["calls"] == 1
    assert (counters["bytecodes"] is not None) == (interpreter.version >= (3, 12))
    document = json.loads(result.stdout)
    assert document["environment"]["python"] == interpreter.version_text
    assert document["environment"]["implementation"] == "CPython"


def test_pypy_where_it_is(pyrometer):
    if not shutil.which("pypy3"):
        pytest.skip("no pypy3 in PATH")
    result = pyrometer("bench", "--json", *QUICK, "--python", "pypy3", "-s", "x = 1", "x + 1")
    assert result.rc == 0, result.stderr
    assert json.loads(result.stdout)["environment"]["implementation"] == "PyPy"


def test_a_python_too_old_says_so(pyrometer, tmp_path):
    """Every version before ours understands the beginning, as this one does."""
    old = write(tmp_path, "python", "#!/bin/sh\necho 'import sys; sys.version_info = (3, 7, 9)'"
                " > $0.py\necho \"$2\" | tail -n +2 >> $0.py\nexec %s $0.py\n" % sys.executable)
    os.chmod(old, stat.S_IRWXU)
    result = pyrometer("bench", "--json", *QUICK, "--python", old, "json:JSONDecoder")
    (each,) = measured(result).values()
    assert result.rc == 10 and "need Python 3.8 or later, this is 3.7" in each["failure"]


# --- what is measured -------------------------------------------------------------

SUITE = '''
import asyncio, os, time

ran = open(os.environ["RAN"], "a", 1)

def bench_sleeps():
    time.sleep(0.004)

async def bench_awaits():
    await asyncio.sleep(0.004)

class Suite:
    params = [[10, 20], ["a"]]
    param_names = ["n", "kind"]

    def setup(self, n, kind):
        self.x = list(range(n))
        ran.write("setup %d %s\\n" % (n, kind))

    def teardown(self, n, kind):
        ran.write("teardown %d %s\\n" % (n, kind))

    def time_sum(self, n, kind):
        sum(self.x)

    def track_len(self, n, kind):
        return len(self.x) + (kind == "a")

    track_len.unit = "items"

    def peakmem_block(self, n, kind):
        return bytearray(n << 20)

def not_a_benchmark():
    raise SystemExit("it was run")
'''


def test_a_file_of_benchmarks(pyrometer, tmp_path):
    path, ran = write(tmp_path, "bench_all.py", SUITE), str(tmp_path / "ran")
    result = pyrometer("bench", "--json", *QUICK, "--env", "RAN=" + ran, path)
    assert result.rc == 0, result.stdout + result.stderr
    named = measured(result)
    assert set(named) == {
        "bench_all.py::bench_sleeps",
        "bench_all.py::bench_awaits",
        *(
            "bench_all.py::Suite.%s[n=%d,kind='a']" % (method, n)
            for method in ("time_sum", "track_len", "peakmem_block")
            for n in (10, 20)
        ),
    }
    for name in ("bench_sleeps", "bench_awaits"):
        assert named["bench_all.py::" + name]["min"] >= 0.0039
        cpu_s = sum(run["counters"]["cpu_s"] for run in named["bench_all.py::" + name]["runs"])
        assert 0 < cpu_s < 60
    for n in (10, 20):
        track = named["bench_all.py::Suite.track_len[n=%d,kind='a']" % n]
        assert track["values"] == [n + 1, n + 1] and track["unit"] == "items"
        peak = named["bench_all.py::Suite.peakmem_block[n=%d,kind='a']" % n]
        assert peak["unit"] == "bytes" and peak["min"] > n << 20
    with open(ran) as lines:
        lines = lines.read().split("\n")
    # One of each for each of three benchmarks in each of two processes.
    for n in (10, 20):
        assert lines.count("setup %d a" % n) == lines.count("teardown %d a" % n) == 6


def test_a_name_and_a_pattern_choose(pyrometer, tmp_path):
    path, ran = write(tmp_path, "bench_all.py", SUITE), str(tmp_path / "ran")
    common = ("--json", *QUICK, "--env", "RAN=" + ran)
    one = measured(pyrometer("bench", *common, path + "::bench_sleeps"))
    assert list(one) == ["bench_all.py::bench_sleeps"]
    some = measured(pyrometer("bench", *common, "-k", "track*n=20*", path))
    assert list(some) == ["bench_all.py::Suite.track_len[n=20,kind='a']"]
    none = pyrometer("bench", *common, "-k", "nosuch", path)
    assert none.rc == 10 and "nosuch" in none.stderr


def test_commands(pyrometer, tmp_path):
    script = write(tmp_path, "app.py", "import sys, time; time.sleep(float(sys.argv[1]))")
    command = shlex.join([sys.executable, "-S", script, "0.05"])
    result = pyrometer(
        "bench", "--json", "--processes", "1", "--values", "3", command, "sh -c 'exit 3'"
    )
    assert result.rc == 10
    good, bad = measured(result).values()
    assert good["name"] == command.replace("'", "") and good["min"] >= 0.05
    assert good["n"] + sum(len(run["warmups"]) for run in good["runs"]) == 3
    for run in good["runs"]:
        assert 2**20 < run["counters"]["peak_rss_bytes"] < 2**30
        assert 0 < run["counters"]["cpu_s"]
    # Where ptrace is allowed; an interpreter's start takes some hundred.
    counted = good["runs"][-1]["counters"]["syscalls"]
    assert counted is None or counted > 50
    assert bad["n"] == 0 and "status 3" in bad["failure"]


# --- what goes wrong -----------------------------------------------------------------

TROUBLE = '''
import os, sys, time

def bench_good_first():
    len("x")

def bench_raises():
    raise ValueError("no such order")

def bench_forks():
    os.fork()

def bench_prints():
    print("hello")

def bench_reads():
    sys.stdin.read()

def bench_closes():
    for fd in (0, 1, 2):
        try:
            os.close(fd)
        except OSError:
            pass

def bench_moves():
    os.chdir("/")

def bench_exhausts():
    kept = []
    while True:
        kept.append(bytearray(1 << 26))

def bench_leaves_at_once():
    os._exit(7)

def bench_leaves():
    sys.exit("goodbye")

def bench_dies():
    os.abort()

def bench_good_last():
    len("x")
'''
FAILURES = {
    "raises": "ValueError: no such order",
    "forks": "the child comes back",
    "exhausts": "MemoryError",
    "leaves_at_once": "ended itself with status 7",
    "leaves": "sys.exit: 'goodbye'",
    "dies": "signal 6",
}
NOTES = {"prints": "prints", "moves": "changes the working directory"}


def test_whatever_a_benchmark_does_is_named_and_the_rest_goes_on(pyrometer, tmp_path):
    path = write(tmp_path, "bench_trouble.py", TROUBLE)
    common = ("--processes", "1", "--values", "2", "--value-time", "1ms", "--no-counters")
    limits = ("--memory-limit", "500M")
    kept = str(tmp_path / "kept.json")
    result = pyrometer("bench", *common, *limits, "-o", kept, path)
    assert result.rc == 10, result.stderr
    with open(kept) as file:
        document = json.load(file)
    named = {each["name"].split("::bench_")[1]: each for each in document["benchmarks"]}
    assert set(named) == set(re.findall(r"def bench_(\w+)", TROUBLE))
    page = " ".join(result.stdout.split())
    for name, each in named.items():
        if name in FAILURES:
            assert FAILURES[name] in each["failure"] and each["n"] == 0, each["failure"]
            assert FAILURES[name] in page
        else:
            assert each["failure"] is None and each["n"] >= 2
        note = document["environment"].get("note of bench_trouble.py::bench_" + name)
        assert (note is not None) == (name in NOTES), (name, note)
        if name in NOTES:
            assert NOTES[name] in note and NOTES[name] in page
    assert "hello" not in result.stdout


def test_what_hangs_is_ended_and_the_rest_goes_on(pyrometer, tmp_path):
    hangs = write(tmp_path, "bench_hangs.py", "import time\ndef bench_x(): time.sleep(3600)\n")
    limit = ("--timeout", "4s")
    result = pyrometer("bench", "--json", *QUICK, *limit, hangs, "sleep 3600", "true")
    function, command, quick = json.loads(result.stdout)["benchmarks"]
    assert result.rc == 10
    for each in (function, command):
        assert each["n"] == 0 and "hangs" in each["failure"]
    assert quick["n"] > 0


def test_a_file_that_cannot_be_loaded_is_named_and_the_rest_goes_on(pyrometer, tmp_path):
    bad = write(tmp_path, "bench_bad.py", "import no_such_module\n")
    good = write(tmp_path, "bench_good.py", "def bench_x(): pass\n")
    result = pyrometer("bench", "--json", *QUICK, bad, good)
    assert result.rc == 10
    named = measured(result)
    assert "no_such_module" in named["bench_bad.py"]["failure"]
    assert named["bench_good.py::bench_x"]["failure"] is None


def test_ctrl_c_ends_the_measuring_and_not_the_answer(tmp_path):
    # It says when it is being measured; what lasts is the second benchmark.
    began = str(tmp_path / "began")
    path = write(
        tmp_path,
        "bench_long.py",
        "import time\n\ndef bench_short():\n    pass\n\n\n"
        "def bench_long():\n    open(%r, 'w').close()\n    time.sleep(3600)\n" % began,
    )
    process = cli.start("bench", "--json", "--no-counters", "--value-time", "1ms", path)
    cli.wait_until("the long benchmark runs", lambda: os.path.exists(began))
    process.send_signal(signal.SIGINT)
    status, stdout, stderr = cli.finish(process)
    short, long = json.loads(stdout)["benchmarks"]
    assert short["n"] > 0 and long["n"] == 0
    assert "stopped" in long["failure"] and "interrupted" in stderr
    assert status == 10


def test_usage(pyrometer, tmp_path):
    for words, expected in (
        ((), "nothing to measure"),
        (("--load", "fast", "json:dumps"), "no rate"),
        (("--load", "9/s", "--command", "true"), "does not take a command"),
        (("--load", "9999/s", "-d", "1h", "json:dumps"), "too many requests"),
        (("--python", "9.9", "json:dumps"), "no Python interpreter `9.9`"),
        (("--env", "NOVALUE", "json:dumps"), "sets no variable"),
        (("rev:HEAD",), "compare"),
    ):
        result = pyrometer("bench", *words, cwd=str(tmp_path))
        assert result.rc in (2, 8) and not result.stdout
        assert expected in result.stderr, result.stderr


# --- a load ---------------------------------------------------------------------------

STALL = '''
import time
calls = 0

def handle():
    global calls
    calls += 1
    if calls == 100:
        time.sleep(1)
'''


def test_a_stall_makes_every_request_slow_that_was_planned_in_it(pyrometer, tmp_path):
    """No coordinated omission: a target that stalls once for 1 s at 200 requests a second has
    about 200 slow ones, not one. A busy machine can add slow ones, never take them away."""
    write(tmp_path, "server.py", STALL)
    result = pyrometer(
        "bench", "--json", "--load", "200/s", "-d", "2", "server:handle", cwd=str(tmp_path)
    )
    assert result.rc == 0, result.stderr
    (each,) = measured(result).values()
    assert each["kind"] == "latency" and each["n"] == 400
    latencies = each["values"]
    # Planned 5 ms apart: of the stall's second, the first waited all of it, the last nothing.
    for i in range(190):
        assert latencies[99 + i] >= 1 - 0.005 * i - 1e-4
    slow = sum(value > 0.05 for value in latencies)
    assert slow >= 190
    assert each["p99"] > 0.9


def test_a_coroutine_takes_requests_side_by_side(pyrometer, tmp_path):
    write(
        tmp_path,
        "server.py",
        "import asyncio, time\nnow = most = 0\n\n"
        "async def handle():\n    global now, most\n    now += 1\n    most = max(most, now)\n"
        "    await asyncio.sleep(0.2)\n    now -= 1\n    open(%r, 'a').write('%%d\\n' %% most)\n\n"
        "def one_at_a_time():\n    time.sleep(0.02)\n" % str(tmp_path / "most"),
    )
    result = pyrometer(
        "bench", "--json", "--load", "100", "-d", "1", "server:handle", "server:one_at_a_time",
        cwd=str(tmp_path),
    )
    side_by_side, one = measured(result).values()
    assert side_by_side["n"] == one["n"] == 100
    assert max(map(int, (tmp_path / "most").read_text().split())) > 5
    assert side_by_side["min"] >= 0.19
    # 20 ms each, sent every 10 ms: the last has waited for all the others.
    assert one["values"][-1] >= 0.9
    notes = json.loads(result.stdout)["environment"]
    assert "did not keep up" in notes["note of server:one_at_a_time"]


# --- seeds, surroundings ---------------------------------------------------------------


def test_seeds_are_new_for_each_process_and_the_same_again_when_asked(pyrometer, tmp_path):
    path = write(
        tmp_path, "bench_seed.py", "def track_hash():\n    return hash('order') % 2**40\n"
        "def track_again():\n    return hash('order') % 2**40\n"
    )
    common = ("bench", "--json", "--processes", "3", "--no-counters", path)
    first, second = (measured(pyrometer(*common, "--seed", "5")) for _ in range(2))
    name = "bench_seed.py::track_hash"
    assert first[name]["values"] == second[name]["values"]
    assert first[name]["values"] == first["bench_seed.py::track_again"]["values"]
    assert len(set(first[name]["values"])) == 3


def test_what_is_around_is_the_same_and_small(pyrometer, tmp_path):
    path = write(
        tmp_path,
        "bench_around.py",
        "import gc, os, sys\n\n"
        "def track_secret():\n    return 'SECRET_TOKEN' in os.environ\n\n"
        "def track_given():\n    return int(os.environ['GIVEN'])\n\n"
        "def track_length():\n    return len(open('/proc/self/environ').read())\n\n"
        "def track_gc():\n    return gc.isenabled()\n\n"
        "def bench_gc():\n    assert not gc.isenabled()\n",
    )
    lengths = set()
    for more in ({"SECRET_TOKEN": "x" * 500}, {}):
        result = pyrometer(
            "bench", "--json", *QUICK, "--processes", "1", "--gc", "off", "--env", "GIVEN=7",
            path, env=more,
        )
        assert result.rc == 0, result.stdout
        named = measured(result)
        assert named["bench_around.py::track_secret"]["max"] == 0
        assert named["bench_around.py::track_given"]["min"] == 7
        lengths.update(named["bench_around.py::track_length"]["values"])
        environment = json.loads(result.stdout)["environment"]
        assert environment["gc"].startswith("off") and environment["python"]
        assert environment["system"].startswith("Linux")
    assert len(lengths) == 1


def test_a_folder_to_run_in(pyrometer, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    write(inner, "shop.py", "def match():\n    open('stock.txt').close()\n")
    write(inner, "stock.txt", "")
    result = pyrometer("bench", "--json", *QUICK, "-C", str(inner), "shop:match",
                       cwd=str(tmp_path))
    assert result.rc == 0, result.stdout


def test_little_time_is_kept_to(pyrometer):
    result = pyrometer(
        "bench", "--json", "--no-counters", "--time-limit", "100ms", "-s", "import time",
        "time.sleep(0.01)", "time.sleep(0.02)",
    )
    assert result.rc == 0
    for each in measured(result).values():
        assert len(each["runs"]) == 1 and 1 <= each["n"] <= 10


# --- what is told ----------------------------------------------------------------------


def test_several_interpreters_side_by_side(pyrometer, interpreters, tmp_path):
    chosen = [i for i in interpreters if not i.root][:2]
    if len(chosen) < 2:
        pytest.skip("one interpreter is not side by side")
    words = [word for i in chosen for word in ("--python", i.path)]
    kept = str(tmp_path / "kept.json")
    result = pyrometer("bench", *QUICK, *words, "-o", kept, "-s", "x = 1", "x + 1")
    assert result.rc == 0, result.stderr
    with open(kept) as file:
        params = [each["params"] for each in json.load(file)["benchmarks"]]
    assert params == [[{"name": "python", "value": i.version_text}] for i in chosen]
    for interpreter in chosen:
        assert interpreter.version_text in result.stdout


@pytest.fixture(scope="module")
def results_file(pyrometer, tmp_path_factory):
    kept = str(tmp_path_factory.mktemp("results") / "kept.json")
    made = pyrometer("bench", *QUICK, "-o", kept, "json:JSONDecoder")
    assert made.rc == 0, made.stderr
    return kept


@pytest.mark.parametrize("name", ["pyrometer", "pyperf", "pytest-benchmark", "hyperfine", "asv"])
def test_files_of_others_are_written_and_read_back(pyrometer, tmp_path, results_file, name):
    kept = str(tmp_path / "kept.json")
    made = pyrometer("bench", "--brief", "--export", name, "-o", kept, results_file)
    assert made.rc == 0 and "median" in made.stdout, made.stderr
    shown = pyrometer("bench", "--json", kept)
    assert shown.rc == 0, shown.stderr
    (each,) = measured(shown).values()
    assert "JSONDecoder" in each["name"] and each["n"] >= 1 and each["unit"] == "s"
    to_stdout = pyrometer("bench", "--export", name, kept)
    assert to_stdout.rc == 0 and json.loads(to_stdout.stdout)


def test_money_is_by_the_users_own_price(pyrometer, tmp_path):
    text = ("bench", *QUICK, "--processes", "1", "json:JSONDecoder")
    assert "cost" not in pyrometer(*text, cwd=str(tmp_path)).stdout
    write(
        tmp_path, "pyproject.toml",
        '[tool.pyrometer]\nprice_per_core_hour = 12.5\n[tool.pyrometer.bench]\ncurrency = "EUR"\n',
    )
    page = pyrometer(*text, cwd=str(tmp_path)).stdout
    assert "EUR at 12.5 an hour" in page
    page = " ".join(page.split())
    assert re.search(r"cost = CPU seconds / 3600 x 12.5 EUR \(.* as of \d{4}-\d\d-\d\d\)", page)
    document = json.loads(pyrometer(*text, "--json", cwd=str(tmp_path)).stdout)
    assert document["environment"]["price_per_core_hour"] == "12.5"


def test_the_page_fits_80_columns(pyrometer, tmp_path):
    path = write(tmp_path, "bench_%s.py" % ("long" * 20), "def bench_x():\n    print('x')\n")
    page = pyrometer("bench", *QUICK, path, "json:JSONDecoder", env={"COLUMNS": "200"}).stdout
    assert "median" in page and "throughput" in page and "prints" in page
    assert not [line for line in page.split("\n") if cli.width(line) > 80]


# --- from Python -------------------------------------------------------------------------

CALL = '''
import sys, time
import pyrometer

result = pyrometer.bench(time.sleep, 5, 2, 0.06)
assert result.n == len(result.values) == 5 and len(result.warmups) == 2
assert 0.06 <= result.min <= result.median <= result.p95 <= result.p99 <= result.max
assert abs(result.mean - sum(result.values) / 5) < 1e-12
assert result.throughput <= 1 / 0.06 and result.peak_rss_bytes > 2**20
assert "median" in str(result)
result.save(sys.argv[1])

async def wait(seconds):
    import asyncio
    await asyncio.sleep(seconds)

assert pyrometer.bench(wait, 2, 0, 0.06).min >= 0.059
try:
    pyrometer.bench(int, 2, 0, "x")
except ValueError as error:
    assert "invalid literal" in str(error)
else:
    raise SystemExit("what it raises does not come through")
print("done")
'''


def test_as_a_python_call(pyrometer, interpreter, tmp_path):
    script = write(tmp_path, "call.py", CALL)
    if interpreter.root:
        pytest.skip("the package is outside of its root")
    kept = str(tmp_path / "kept.json")
    ended = interpreter.run(
        script, kept, env=dict(os.environ, PYTHONPATH=os.path.join(cli.REPOSITORY, "python"))
    )
    assert ended.stdout == "done\n", ended.stderr
    (each,) = measured(pyrometer("bench", "--json", kept)).values()
    with open(kept) as file:
        told = json.load(file)["benchmarks"][0]
    for key in ("n", "min", "q1", "median", "q3", "mean", "p95", "p99", "max", "sd", "values"):
        assert each[key] == pytest.approx(told[key], rel=1e-8), key
