"""Files for the tests of real consumers: the known fixture, written by the formats' own code, and
an export of a real recording by the program itself.

PYROMETER names the program (default build/pyrometer); its build folder's library is what the
fixture's writer is linked with."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("PYROMETER", ROOT / "build" / "pyrometer")).resolve()
FORMATS = {"collapsed": ".txt", "speedscope": ".json", "pprof": ".pb.gz", "firefox": ".json"}
LIBRARIES = ["sqlite3", "libzstd", "zlib", "libelf", "jansson"]

WORKLOAD = """
import threading, time
def spin(seconds):
    end = time.perf_counter() + seconds
    total = 0
    while time.perf_counter() < end:
        total += sum(range(50))
    return total
def outer():
    return spin(0.8)
def wait():
    time.sleep(0.8)
worker = threading.Thread(target=wait, name="waiter")
worker.start()
outer()
worker.join()
"""


def build_writer(folder):
    library = PROGRAM.parent / "libpyrometer_core.a"
    if not library.exists():
        pytest.fail(f"{library} is missing: build first, or set PYROMETER to the program built")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *LIBRARIES], text=True,
                           capture_output=True, check=True).stdout
    writer = folder / "export_fixture"
    command = [os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", f"-I{ROOT / 'src'}",
               str(ROOT / "tests/formats/export_fixture.c"), str(library), "-o", str(writer),
               *shlex.split(flags), "-lm", "-lpthread",
               *shlex.split(os.environ.get("EXPORT_FIXTURE_CFLAGS", ""))]
    subprocess.run(command, check=True)
    return writer


@pytest.fixture(scope="session")
def fixture_files(tmp_path_factory):
    """{format: path}: the profile of tests/unit/formats/fixture.h."""
    folder = tmp_path_factory.mktemp("fixture")
    writer = build_writer(folder)
    files = {}
    for name, extension in FORMATS.items():
        files[name] = folder / f"{name}{extension}"
        with open(files[name], "wb") as stream:
            subprocess.run([writer, name], stdout=stream, check=True)
    return files


@pytest.fixture(scope="session")
def recorded_files(tmp_path_factory):
    """{format: path}: a real recording, exported by the program."""
    folder = tmp_path_factory.mktemp("recorded")
    script = folder / "workload.py"
    script.write_text(WORKLOAD)
    recording = folder / "workload.pyro"
    command = [PROGRAM, "record", "--rate", "500", "-o", recording, "--", sys.executable, script]
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM} is missing: build first, or set PYROMETER")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    files = {}
    for name, extension in FORMATS.items():
        files[name] = folder / f"{name}{extension}"
        done = subprocess.run([PROGRAM, "export", "--format", name, "--threads", "all", "-o", files[name],
                               recording], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    return files
