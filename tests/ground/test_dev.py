"""./dev by itself: says what it knows, refuses what it doesn't, and its scripts are whole."""

import os
import subprocess

import pytest

from support import REPOSITORY


def dev(*args):
    return subprocess.run([os.path.join(REPOSITORY, "dev")] + list(args), cwd="/",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=60)


def test_help_names_each_command():
    ended = dev("help")
    assert ended.returncode == 0
    for command in ("build", "demo", "test", "check", "matrix", "bench"):
        assert "./dev %s " % command in ended.stdout


def test_an_unknown_command_is_refused():
    ended = dev("biuld")
    assert ended.returncode == 1
    assert "no such command: biuld" in ended.stderr


@pytest.mark.parametrize("script", ["dev", ".ci/run", "tools/build/list_fuzz.sh",
                                    "tools/build/install_generated.sh"])
def test_scripts_can_be_run(script):
    path = os.path.join(REPOSITORY, script)
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", path]).returncode == 0
