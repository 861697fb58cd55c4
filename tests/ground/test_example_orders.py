"""The example of ./dev demo: the same answer everywhere, and the profile names its true problem.

The truth is known without a profiler: the time that the program no longer takes with a set in
place of its list, as examples/orders/README.md says."""

import json
import os
import re
import subprocess
import time

from support import REPOSITORY

ORDERS = os.path.join(REPOSITORY, "examples", "orders", "orders.py")
COUNT = 18000  # enough that the line is most of the run, in 2-3 s
LIST_LINE = 'if order["id"] in seen:'
WITHIN = 0.08  # of the run: two runs on a busy machine differ by some points


def line_of(text):
    with open(ORDERS, encoding="utf-8") as file:
        (number,) = [n for n, line in enumerate(file, 1) if text in line]
    return number


def seconds_of(argv):
    started = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=120)
    return time.monotonic() - started


def test_every_version_gives_the_same_answer(interpreter):
    ended = interpreter.run(interpreter.place(ORDERS), "300")
    assert ended.stdout == (
        "270 orders, 155921.17 in all, the largest 1557.90\n20 of 20 batches are in stock\n")


def test_readme_names_the_line():
    with open(os.path.join(REPOSITORY, "examples/orders/README.md"), encoding="utf-8") as file:
        assert re.findall(r"line (\d+)", file.read()) == [str(line_of(LIST_LINE))] * 2


def test_the_profile_tells_the_truth(interpreters, pyrometer, sanitized, tmp_path):
    interpreter = [found for found in interpreters if not found.root][-1]
    with open(ORDERS, encoding="utf-8") as file:
        text = file.read()
    fixed = tmp_path / "orders_fixed.py"
    fixed.write_text(text.replace("seen = []", "seen = set()").replace("seen.append", "seen.add"))
    recording = tmp_path / "orders.pyro"
    slow = seconds_of(interpreter.argv(ORDERS, COUNT))
    fast = seconds_of(interpreter.argv(fixed, COUNT))
    truth = 1 - fast / slow

    ended = pyrometer("run", "-o", recording, "--", *interpreter.argv(ORDERS, COUNT), timeout=120)
    assert ended.rc == 0, ended.stderr
    assert "20 of 20 batches are in stock" in ended.stdout  # the program's own output, untouched
    report = json.loads(pyrometer("report", "--json", recording).stdout)
    shares = {(os.path.basename(line["file"] or ""), line["line"]): line["self"]
              for line in report["lines"]}
    assert max(shares, key=shares.get) == ("orders.py", line_of(LIST_LINE))
    assert abs(shares["orders.py", line_of(LIST_LINE)] - truth) < WITHIN, (truth, shares)
    assert report["functions"][0]["name"] == "match"
