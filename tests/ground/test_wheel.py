"""`pip install .` gives a wheel that holds the program and runs on any Python from 3.8."""

import glob
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from support import REPOSITORY, found_interpreters, plain_environment

COPIED = ["src", "python", "tools", "meson.build", "meson_options.txt", "pyproject.toml",
          "README.md", "LICENSE"]


def run(command, **options):
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, universal_newlines=True, timeout=600,
                           env=plain_environment(), **options)
    assert ended.returncode == 0, ended.stdout[-4000:]
    return ended.stdout


def can_make_environments(interpreter):
    return (not interpreter.root
            and interpreter.run("-c", "import venv, ensurepip").returncode == 0)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built as pip builds it, by the backend that pyproject.toml names, in a copy of the tree."""
    source = tmp_path_factory.mktemp("source")
    for name in COPIED:
        path = os.path.join(REPOSITORY, name)
        if os.path.isdir(path):
            shutil.copytree(path, str(source / name))
        else:
            shutil.copy(path, str(source / name))
    out = tmp_path_factory.mktemp("wheel")
    code = "import wheel_backend, sys; print(wheel_backend.build_wheel(sys.argv[1]))"
    run([sys.executable, "-c", code, str(out)], cwd=str(source / "tools" / "wheel"))
    (path,) = glob.glob(str(out / "*.whl"))
    return path


def test_the_wheel_serves_every_python_and_says_which_glibc(wheel):
    name = os.path.basename(wheel)
    assert re.match(r"pyrometer-[\d.]+-py3-none-(manylinux_2_\d+|linux)_x86_64\.whl$", name), name
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        entry = archive.getinfo("pyrometer/bin/pyrometer")
        assert (entry.external_attr >> 16) & 0o111 == 0o111
        record = archive.read([n for n in archive.namelist() if n.endswith("/RECORD")][0]).decode()
        listed = {line.split(",")[0] for line in record.splitlines()}
        assert listed == set(archive.namelist())


@pytest.mark.parametrize("which", ["oldest", "newest"])
def test_the_wheel_installs_and_the_program_answers(wheel, which, tmp_path):
    able = [found for found in found_interpreters() if can_make_environments(found)]
    if not able:
        pytest.skip("no interpreter here has venv and ensurepip")
    interpreter = able[0 if which == "oldest" else -1]
    # A packaged Python may lack the wheels that `venv --copies` wants: plain venv is enough.
    run(interpreter.argv("-m", "venv", str(tmp_path / "venv")))
    python = str(tmp_path / "venv/bin/python")
    run([python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel])
    version = re.search(r"version: '([^']+)'",
                        open(os.path.join(REPOSITORY, "meson.build")).read()).group(1)
    command = str(tmp_path / "venv/bin/pyrometer")
    for start in ([command], [python, "-m", "pyrometer"]):
        assert version in run(start + ["--version"])
    ended = subprocess.run([command, "no-such-command"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert ended.returncode == 2
