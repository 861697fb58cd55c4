"""tools/check/sum_results.py never turns a run that failed, or never was, into a success."""

import subprocess
import sys

import pytest

from support import REPOSITORY

CASES = {
    "all passed": ({"a.json": '{"result": "OK"}\n{"result": "OK"}\n'}, "2 passed, 0 failed", 0),
    "skips are told": (
        {"a.json": '{"result": "OK"}\n{"result": "SKIP"}\n'}, "1 passed, 0 failed, 1 skipped", 0),
    "a timeout fails": ({"a.json": '{"result": "OK"}\n{"result": "TIMEOUT"}\n'},
                        "1 passed, 1 failed", 1),
    "an unknown word fails": ({"a.json": '{"result": "NEW"}\n'}, "0 passed, 1 failed", 1),
    "junit": ({"a.xml": "<testsuites><testsuite><testcase/><testcase><skipped/></testcase>"
                        "<testcase><failure/></testcase><testcase><error/></testcase>"
                        "</testsuite></testsuites>"}, "1 passed, 2 failed, 1 skipped", 1),
    "sums over files": ({"a.json": '{"result": "OK"}\n',
                         "b.xml": "<testsuite><testcase/></testsuite>"}, "2 passed, 0 failed", 0),
    "a missing file": ({"a.json": '{"result": "OK"}\n', "b.xml": None}, "1 passed, 1 failed", 1),
    "a torn file": ({"a.xml": "<testsuites><testsuite>"}, "0 passed, 1 failed", 1),
    "an empty file": ({"a.json": ""}, "0 passed, 1 failed", 1),
    "only skips prove nothing": ({"a.json": '{"result": "SKIP"}\n'},
                                 "0 passed, 0 failed, 1 skipped", 1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_sum(tmp_path, name):
    files, last_line, status = CASES[name]
    for file, text in files.items():
        if text is not None:
            (tmp_path / file).write_text(text)
    ended = subprocess.run(
        [sys.executable, REPOSITORY + "/tools/check/sum_results.py"]
        + [str(tmp_path / file) for file in files],
        stdout=subprocess.PIPE, universal_newlines=True)
    assert ended.stdout.splitlines()[-1] == last_line
    assert ended.returncode == status
