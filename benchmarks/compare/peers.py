"""The tools that judge a pair of programs, each by its own rule and its defaults.

A tool's judge(folder, a, b, limit_s) is given the texts of A and B and returns a dictionary with
"flag": "slower", "faster", "same", "unknown" or "failed", and what else is worth keeping.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pyrometer")
VENV = os.path.join(CACHE, "bench-venv")
PYROMETER = os.path.abspath(
    os.environ.get("PYROMETER") or os.path.join(HERE, "..", "..", "build", "pyrometer")
)
GATE = 0.05  # of the tools whose rule is a threshold


class Missing(Exception):
    pass


def venv_python(package):
    """The Python that has the package: the peers' environment, or the system's."""
    for python in (os.path.join(VENV, "bin", "python"), "/usr/bin/python3", sys.executable):
        if not os.access(python, os.X_OK):
            continue
        found = subprocess.run([python, "-c", "import " + package], stderr=subprocess.DEVNULL)
        if found.returncode == 0:
            return python
    raise Missing("%s is not installed" % package)


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as stream:
        stream.write(text)
    return path


def run(command, folder, timeout=600, ok=(0,)):
    ended = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=timeout,
    )  # fmt: skip
    if ended.returncode not in ok:
        raise RuntimeError("%s: %d: %s" % (command[0], ended.returncode, ended.stderr[-300:]))
    return ended.stdout


def by_ratio(ratio, gate=GATE):
    flag = "slower" if ratio > 1 + gate else "faster" if ratio < 1 / (1 + gate) else "same"
    return {"flag": flag, "ratio": ratio}


def pyrometer(folder, a, b, limit_s):
    """Its verdict."""
    bench = "\n\ndef bench_work():\n    work()\n"
    paths = [write(folder, "bench_%s.py" % side, text + bench) for side, text in (("a", a), ("b", b))]
    command = [PYROMETER, "compare", "--json", "--time-limit", "%gs" % limit_s] + paths
    answer = json.loads(run(command, folder, ok=(0, 1, 9, 10)))
    row = answer["benchmarks"][0]
    flags = {"regression": "slower", "improvement": "faster", "pass": "same"}
    return {
        "flag": flags.get(row["verdict"], "unknown" if row["verdict"] == "cannot-tell" else "failed"),
        "ratio": row["ratio"], "low": row["low"], "high": row["high"], "pairs": row["pairs"],
        "detectable": row["detectable"],
    }  # fmt: skip


def pytest_benchmark(folder, a, b, limit_s):
    """Two runs, compared as --benchmark-compare-fail=median:5% does."""
    python, medians = venv_python("pytest_benchmark"), []
    for side, text in (("a", a), ("b", b)):
        path = write(folder, "test_%s.py" % side, text + "\n\ndef test_work(benchmark):\n    benchmark(work)\n")
        out = os.path.join(folder, side + ".json")
        run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-json", out, path], folder)
        with open(out) as stream:
            medians.append(json.load(stream)["benchmarks"][0]["stats"]["median"])
    return by_ratio(medians[1] / medians[0])


def pyperf(folder, a, b, limit_s):
    """--fast for each, and what compare_to says of the two."""
    python = venv_python("pyperf")
    for side, text in (("a", a), ("b", b)):
        main = "\n\nimport pyperf\npyperf.Runner().bench_func('work', work)\n"
        path = write(folder, "perf_%s.py" % side, text + main)
        run([python, path, "--fast", "-q", "-o", os.path.join(folder, side + ".json")], folder)
    text = run([python, "-m", "pyperf", "compare_to", "a.json", "b.json"], folder)
    faster, slower = re.search(r"\bfaster\b", text), re.search(r"\bslower\b", text)
    flag = "slower" if slower else "faster" if faster else "same"
    return {"flag": flag, "said": text.strip()[-160:]}


def hyperfine(folder, a, b, limit_s):
    """Its ratio and the ± that it prints with it: slower where the ratio is above 1 by more."""
    if shutil.which("hyperfine") is None:
        raise Missing("hyperfine is not installed")
    commands = []
    for side, text in (("a", a), ("b", b)):
        again = "\n\nfor _ in range(50):\n    work()\n"
        commands.append("%s %s" % (sys.executable, write(folder, "main_%s.py" % side, text + again)))
    run(["hyperfine", "-N", "--warmup", "1", "--export-json", "h.json"] + commands, folder)
    with open(os.path.join(folder, "h.json")) as stream:
        one, other = json.load(stream)["results"]
    ratio = other["mean"] / one["mean"]
    error = ratio * ((one["stddev"] / one["mean"]) ** 2 + (other["stddev"] / other["mean"]) ** 2) ** 0.5
    flag = "slower" if ratio - error > 1 else "faster" if ratio + error < 1 else "same"
    return {"flag": flag, "ratio": ratio, "error": error}


def asv(folder, a, b, limit_s):
    """A result for each of two commits, in this interpreter; `asv compare` at a factor of 1.05."""
    python = venv_python("asv")
    for command in (["git", "init", "-q"], ["git", "config", "user.email", "x@localhost"],
                    ["git", "config", "user.name", "x"]):  # fmt: skip
        run(command, folder)
    os.makedirs(os.path.join(folder, "benchmarks"), exist_ok=True)
    write(folder, "benchmarks/__init__.py", "")
    write(folder, "asv.conf.json", json.dumps({
        "version": 1, "project": "x", "repo": ".", "branches": ["HEAD"],
        "environment_type": "existing", "benchmark_dir": "benchmarks"}))  # fmt: skip
    run([python, "-m", "asv", "machine", "--yes"], folder)
    commits = []
    for text in (a, b):
        write(folder, "benchmarks/bench.py", text + "\n\ndef time_work():\n    work()\n")
        write(folder, "revision", str(len(commits)))
        run(["git", "add", "-A"], folder)
        run(["git", "commit", "-q", "-m", "x"], folder)
        commits.append(run(["git", "rev-parse", "HEAD"], folder).strip())
        run([python, "-m", "asv", "run", "-E", "existing:" + python, "--set-commit-hash", commits[-1]],
            folder)  # fmt: skip
    text = run([python, "-m", "asv", "compare", "--factor", "1.05", *commits], folder)
    row = next((line for line in text.splitlines() if "time_work" in line), "")
    flag = "slower" if "+" in row.split("time_work")[0] else "same"
    flag = "faster" if row.lstrip(" |").startswith("-") else flag
    return {"flag": flag, "said": row.strip()}


TOOLS = {
    "pyrometer": pyrometer,
    "pytest-benchmark": pytest_benchmark,
    "pyperf": pyperf,
    "hyperfine": hyperfine,
    "asv": asv,
}


def judge(tool, folder, a, b, limit_s):
    """The dictionary; statistics of a failure too. Missing: the tool is not here."""
    try:
        return TOOLS[tool](folder, a, b, limit_s)
    except (RuntimeError, subprocess.TimeoutExpired, KeyError, ValueError, OSError,
            statistics.StatisticsError) as error:  # fmt: skip
        return {"flag": "failed", "said": str(error)[-300:]}
