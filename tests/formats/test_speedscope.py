"""speedscope files: their structure always; speedscope's own schema where npm can give it
(SPEEDSCOPE_SCHEMA names a file that is there already)."""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import schema

SCHEMA_IN_PACKAGE = "package/dist/release/file-format-schema.json"
MS = 1_000_000


@pytest.fixture(scope="session")
def speedscope_schema(tmp_path_factory):
    given = os.environ.get("SPEEDSCOPE_SCHEMA")
    if given:
        return json.loads(Path(given).read_text())
    if not shutil.which("npm"):
        pytest.skip("no SPEEDSCOPE_SCHEMA and no npm: checked by structure only")
    folder = tmp_path_factory.mktemp("speedscope")
    try:
        done = subprocess.run(["npm", "pack", "speedscope@1.25.0"], cwd=folder, capture_output=True,
                              text=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("npm gave no speedscope within 60 s: checked by structure only")
    if done.returncode != 0:
        pytest.skip("npm has no speedscope here: checked by structure only")
    with tarfile.open(next(folder.glob("speedscope-*.tgz"))) as package:
        return json.load(package.extractfile(SCHEMA_IN_PACKAGE))


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def check_structure(document):
    frames = document["shared"]["frames"]
    assert document["profiles"]
    for profile in document["profiles"]:
        assert profile["type"] == "sampled" and profile["unit"] == "nanoseconds"
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])
        for stack in profile["samples"]:
            assert stack and all(0 <= index < len(frames) for index in stack)
    return frames


@pytest.mark.parametrize("source", ["fixture_files", "recorded_files"])
def test_structure(source, request):
    check_structure(load(request.getfixturevalue(source)["speedscope"]))


@pytest.mark.parametrize("source", ["fixture_files", "recorded_files"])
def test_speedscopes_own_schema(source, request, speedscope_schema):
    schema.check(load(request.getfixturevalue(source)["speedscope"]), speedscope_schema, speedscope_schema)


def test_the_schema_check_can_fail(fixture_files, speedscope_schema):
    document = load(fixture_files["speedscope"])
    document["profiles"][0]["weights"][0] = "heavy"
    with pytest.raises(AssertionError):
        schema.check(document, speedscope_schema, speedscope_schema)


def test_threads_are_in_order_of_time(fixture_files):
    document = load(fixture_files["speedscope"])
    frames = check_structure(document)
    worker = document["profiles"][1]
    assert worker["name"] == 'wörker; "1" (process 10, thread 11)'
    leaves = [frames[stack[-1]]["name"] for stack in worker["samples"]]
    assert leaves == ["C.recv", "rec", "<no Python stack>"]
    assert worker["weights"] == [4 * MS, 3 * MS, MS]
    assert frames[worker["samples"][1][0]] == {"name": "rec", "file": "/src/ü.py", "line": 30}


def test_a_recording_has_its_threads(recorded_files):
    document = load(recorded_files["speedscope"])
    names = " ".join(profile["name"] for profile in document["profiles"])
    assert "MainThread" in names and "waiter" in names
