"""What can't be read is refused by name: exit code 5 and three lines, what, why and what next.

Where no real one is at hand the thing refused is imitated: a CPython whose own table of offsets was
changed to say free-threaded or a version to come, a program that has loaded a libpypy."""

import glob
import json
import os
import shutil
import subprocess

import pytest

from support import Target, found_interpreters

SLEEP = "import sys; sys.stdout.write('READY\\n'); sys.stdout.flush(); sys.stdin.readline()"
VERSION_AT, FREE_THREADED_AT = 8, 16  # in _Py_DebugOffsets, from its cookie on


@pytest.fixture
def start():
    started = []

    def start_one(*command, **environment):
        target = Target([str(part) for part in command], dict(os.environ, **environment))
        started.append(target)
        return target

    yield start_one
    for target in started:
        target.end()


@pytest.fixture
def refused(pyrometer, tmp_path):
    """Checks that dump, record and doctor refuse this process by these words."""

    def check(target, what, next_step):
        recording = tmp_path / "refused.pyro"
        for command in (
            ("dump", "-p", target.pid),
            ("record", "-o", recording, "-d", "0.2", "-p", target.pid),
        ):
            result = pyrometer(*command)
            assert result.rc == 5, result.stderr
            lines = result.stderr.strip().split("\n")
            assert len(lines) == 3, result.stderr
            assert lines[0].startswith("pyrometer: ") and what in lines[0], result.stderr
            assert lines[1].startswith("  why: ")
            assert lines[2].startswith("  next: ") and next_step in lines[2], result.stderr
            assert result.stdout == ""
        assert not recording.exists()
        doctor = pyrometer("doctor", "--json", target.pid)
        assert doctor.rc == 5
        checks = {check["name"]: check for check in json.loads(doctor.stdout)["checks"]}
        assert checks["interpreter"]["grade"] == "fail", doctor.stdout
        assert what in checks["interpreter"]["text"]
        assert next_step in checks["interpreter"]["next"]
        assert target.process.poll() is None  # none of this hurt it

    return check


def pyenv(pattern):
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    found = sorted(glob.glob("%s/versions/%s/bin/python" % (root, pattern)))
    if not found:
        pytest.skip("missing: a CPython %s in %s" % (pattern, root))
    return found[-1]


def test_program_that_is_not_python(start, refused):
    target = start("cat")
    refused(target, "process %d (cat) is not a Python program" % target.pid, "pgrep -af python")


@pytest.mark.parametrize("pattern", ["2.7.*", "3.7.*"])
def test_version_before_3_8(start, refused, pattern):
    python = pyenv(pattern)
    target = start(python, "-c", SLEEP)
    target.wait_for("READY")
    version = os.path.basename(os.path.dirname(os.path.dirname(python)))
    refused(target, "CPython %s is not supported" % version, "CPython 3.8 to 3.15")


def table_in(data):
    """Where _Py_DebugOffsets lies in a file: its cookie, then a version 3.x (the same eight bytes
    also stand in the code that writes them)."""
    at = data.find(b"xdebugpy")
    while at >= 0:
        if data[at + 11] == 3 and not any(data[at + 12 : at + 24]):
            return at
        at = data.find(b"xdebugpy", at + 1)
    return None


def changed_copy(tmp_path, changes):
    """A copy of a CPython 3.13+ that says of itself what `changes` {offset: bytes} say. Returns
    (command, environment)."""
    usable = [found for found in found_interpreters() if found.version >= (3, 13)]
    if not usable:
        pytest.skip("missing: a CPython 3.13 or later to change a copy of")
    chosen = usable[0]
    facts = json.loads(
        chosen.run(
            "-c",
            "import json, os, sys; print(json.dumps([sys.base_prefix, os.path.realpath("
            "sys.executable), [l.split()[-1] for l in open('/proc/self/maps') if '/libpython3' in l]]))",
        ).stdout
    )
    prefix, program, libraries = facts
    root = chosen.root or ""
    folder = tmp_path
    if root:
        folder = os.path.join(root, "tmp", "pyrometer-tests-%d" % os.getpid(), "changed")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    changed = 0
    copies = []
    for path in [program] + libraries[:1]:
        name = path[len(root) :] if root and path.startswith(root) else path
        copy = os.path.join(str(folder), os.path.basename(name))
        with open(root + name, "rb") as source:
            data = bytearray(source.read())
        at = table_in(data)
        if at is not None:
            changed += 1
            for offset, value in changes.items():
                data[at + offset : at + offset + len(value)] = value
        with open(copy, "wb") as file:
            file.write(data)
        os.chmod(copy, 0o755)
        copies.append(copy[len(root) :])
    assert changed == 1
    command = (["chroot", root] if root else []) + [copies[0], "-c", SLEEP]
    environment = {"PYTHONHOME": prefix, "LD_LIBRARY_PATH": os.path.dirname(copies[0])}
    return command, environment


def test_free_threaded_build(start, refused, tmp_path):
    changes = {FREE_THREADED_AT: (1).to_bytes(8, "little")}
    command, environment = changed_copy(tmp_path, changes)
    target = start(*command, **environment)
    target.wait_for("READY")
    refused(target, "a free-threaded CPython 3.", "the ordinary build")


def test_version_to_come(start, refused, tmp_path):
    command, environment = changed_copy(tmp_path, {VERSION_AT: (0x031000F0).to_bytes(8, "little")})
    target = start(*command, **environment)
    target.wait_for("READY")
    refused(target, "CPython 3.16.0 is not supported", "newer Pyrometer")


def test_pre_release(start, refused, tmp_path):
    command, environment = changed_copy(tmp_path, {VERSION_AT: (0x030F00A3).to_bytes(8, "little")})
    target = start(*command, **environment)
    target.wait_for("READY")
    refused(target, "CPython 3.15.0a3 is not supported: a pre-release", "release")


def test_offsets_that_are_nonsense(start, refused, tmp_path):
    changes = {24: b"\xff" * 64}
    command, environment = changed_copy(tmp_path, changes)
    target = start(*command, **environment)
    target.wait_for("READY")
    refused(target, "the interpreter's own table of offsets is not valid", "another build")


def test_pypy(start, refused):
    pypy = shutil.which("pypy3")
    if not pypy:
        pytest.skip("missing: pypy3 (an imitation is tested beside)")
    target = start(pypy, "-c", SLEEP)
    target.wait_for("READY")
    refused(target, "runs PyPy, which is not supported", "CPython 3.8 to 3.15")


def test_program_that_has_loaded_a_pypy(start, refused, tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("missing: gcc")
    (tmp_path / "lib.c").write_text("int pypy_execute_source(void) { return 0; }\n")
    (tmp_path / "main.c").write_text(
        "#include <stdio.h>\nint pypy_execute_source(void);\n"
        'int main(void) { pypy_execute_source(); puts("READY"); fflush(stdout);\n'
        "\treturn getchar(); }\n"
    )
    library = tmp_path / "libpypy3-c.so"
    subprocess.run(["gcc", "-shared", "-o", library, tmp_path / "lib.c"], check=True)
    program = tmp_path / "python3"
    subprocess.run(
        ["gcc", "-o", program, tmp_path / "main.c", library, "-Wl,-rpath,%s" % tmp_path],
        check=True,
    )
    target = start(program)
    target.wait_for("READY")
    refused(target, "runs PyPy, which is not supported", "CPython 3.8 to 3.15")

