"""The interpreter is found in every kind of build and place: its stack is then what the program
itself says. One program, stacks_where.py, started in many ways."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

from namespaces import UNSHARE, child_of, end, namespaces_refused
from support import TARGETS, Target

WHERE = os.path.join(TARGETS, "stacks_where.py")
BUILD = (
    "import sys, sysconfig, json; v = sysconfig.get_config_var; print(json.dumps({"
    "'prefix': sys.base_prefix, 'shared': bool(v('Py_ENABLE_SHARED')), 'soname': v('INSTSONAME'),"
    " 'library_folders': [v('LIBDIR'), '%s/%s' % (v('LIBDIR'), v('MULTIARCH'))]}))"
)


class Place:
    """A folder of ours that the interpreter sees too, and how to start programs in its root."""

    def __init__(self, interpreter):
        self.interpreter = interpreter
        self.root = interpreter.root or ""
        self.folder = tempfile.mkdtemp(prefix="pyrometer-found-", dir=self.root + "/tmp")
        self.build = json.loads(interpreter.run("-c", BUILD).stdout)
        self.started = []

    def inside(self, path):
        return path[len(self.root) :]

    def new(self, name):
        return os.path.join(self.folder, name)

    def where(self):
        return self.inside(shutil.copy(WHERE, self.folder))

    def library(self):
        """libpython's file as this machine sees it, or None."""
        for folder in self.build["library_folders"]:
            path = "%s%s/%s" % (self.root, folder, self.build["soname"])
            if ".so" in self.build["soname"] and os.path.exists(path):
                return path
        return None

    def start(self, *command, **environment):
        env = dict(os.environ, **environment)
        prefix = ["chroot", self.root] if self.root else []
        target = Target(prefix + [str(part) for part in command], env)
        self.started.append(target)
        return target

    def end(self):
        for target in self.started:
            target.end()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def place(interpreter):
    place = Place(interpreter)
    yield place
    place.end()


@pytest.fixture
def found_right(pyrometer):
    """Checks dump and doctor of a started stacks_where.py; returns doctor's sentence."""

    def check(target, version_text, pid=None, ready=None):
        expected = json.loads((ready or target.wait_for("READY")).split(" ", 1)[1])
        pid = pid or target.pid
        dump = pyrometer("dump", "-p", pid, "--json")
        assert dump.rc == 0, dump.stderr
        told = json.loads(dump.stdout)
        assert told["python"] == version_text
        assert [thread["tid"] for thread in told["threads"]] == [pid]
        frames = told["threads"][0]["frames"]
        assert [[frame["function"], frame["line"]] for frame in frames] == expected
        doctor = pyrometer("doctor", "--json", pid)
        assert doctor.rc == 0, doctor.stdout
        checks = {check["name"]: check for check in json.loads(doctor.stdout)["checks"]}
        assert checks["interpreter"]["grade"] == "ok"
        return checks["interpreter"]["text"]

    return check


def copy_of_build(place, name, change=None):
    """Copies the interpreter's file, and its library's, under another name; `change` (path) is
    applied to both. Returns (path inside the root, environment)."""
    program = shutil.copy(place.root + os.path.realpath(place.interpreter.path), place.new(name))
    files = [program]
    if place.interpreter.root:  # realpath above looked into our root, not into its own
        real = os.path.basename(os.path.realpath(place.interpreter.host_path))
        program = shutil.copy(
            os.path.join(os.path.dirname(place.interpreter.host_path), real), place.new(name)
        )
    environment = {"PYTHONHOME": place.build["prefix"]}
    if place.library() and place.build["shared"]:
        files.append(shutil.copy(place.library(), place.folder))
        environment["LD_LIBRARY_PATH"] = place.inside(place.folder)
    for path in files:
        os.chmod(path, 0o755)
        if change:
            change(path)
    return place.inside(program), environment


def test_as_it_is_installed(place, found_right):
    target = place.start(place.interpreter.path, "-u", place.where())
    text = found_right(target, place.interpreter.version_text)
    with open("/proc/%d/maps" % target.pid) as maps:
        shared = "/libpython3" in maps.read()
    assert ("(shared library)" in text, "(in the executable)" in text) == (shared, not shared)
    has_section = place.interpreter.version >= (3, 10)
    assert ("found by the section .PyRuntime" in text) == has_section, text
    has_offsets = place.interpreter.version >= (3, 13)
    assert ("field offsets from the process itself" in text) == has_offsets, text


@pytest.mark.parametrize("how", ["--symlinks", "--copies"])
def test_virtual_environment(place, found_right, how):
    venv = place.inside(place.new("venv"))
    made = place.interpreter.run("-m", "venv", "--without-pip", how, venv)
    assert made.returncode == 0, made.stderr
    found_right(
        place.start(venv + "/bin/python", "-u", place.where()), place.interpreter.version_text
    )


def test_renamed_binary(place, found_right):
    program, environment = copy_of_build(place, "accounting")
    target = place.start(program, "-u", place.where(), **environment)
    found_right(target, place.interpreter.version_text)


def strip(path):
    subprocess.run(["strip", "--strip-all", path], check=True)


def forget_sections(path):
    """No section headers: e_shoff, e_shnum and e_shstrndx become 0, as in a packed program."""
    with open(path, "r+b") as file:
        file.seek(40)
        file.write(bytes(8))
        file.seek(60)
        file.write(bytes(4))


@pytest.mark.parametrize("change", [strip, forget_sections])
def test_renamed_and_changed_binary(place, found_right, change):
    if change is strip and not shutil.which("strip"):
        pytest.skip("missing: strip (binutils)")
    program, environment = copy_of_build(place, "accounting", change)
    target = place.start(program, "-u", place.where(), **environment)
    found_right(target, place.interpreter.version_text)


def rename_runtime(path):
    """Neither section nor symbol, static or dynamic, is called after the runtime any more. The new
    name is as long and has the same hash (33 * 'P' + 'y' == 33 * 'Q' + 'X'), so that libpython's
    own references to it still find it."""
    with open(path, "rb") as file:
        content = file.read()
    for name in (b".PyRuntime\0", b"_PyRuntime\0"):
        content = content.replace(name, name.replace(b"Py", b"QX"))
    with open(path, "wb") as file:
        file.write(content)


def test_found_by_a_scan_where_no_name_tells(place, found_right):
    program, environment = copy_of_build(place, "accounting", rename_runtime)
    target = place.start(program, "-u", place.where(), **environment)
    text = found_right(target, place.interpreter.version_text)
    assert "found by a scan of its data segments" in text


def test_binary_deleted_while_it_runs(place, found_right):
    program, environment = copy_of_build(place, "upgraded")
    target = place.start(program, "-u", place.where(), **environment)
    ready = target.wait_for("READY")
    for name in os.listdir(place.folder):
        os.unlink(place.new(name))
    found_right(target, place.interpreter.version_text, ready=ready)


def compile_embedder(place, *options):
    if not shutil.which("gcc"):
        pytest.skip("missing: gcc")
    if not place.library():
        pytest.skip("missing: libpython of %s" % place.interpreter)
    program = place.new("accounting")
    source = os.path.join(TARGETS, "stacks_embed.c")
    subprocess.run(["gcc", "-o", program, source] + list(options), check=True)
    return place.inside(program)


def test_embedded_in_a_program_linked_to_it(place, found_right):
    library = place.library() or ""
    rpath = "-Wl,-rpath," + place.inside(os.path.dirname(library))
    program = compile_embedder(place, library, rpath, "-Wl,--allow-shlib-undefined")
    target = place.start(program, place.where(), PYTHONHOME=place.build["prefix"])
    found_right(target, place.interpreter.version_text)


def test_embedded_in_a_program_that_loads_it(place, found_right):
    program = compile_embedder(place, "-DDLOPEN", "-ldl")
    library = place.inside(place.library())
    target = place.start(program, library, place.where(), PYTHONHOME=place.build["prefix"])
    found_right(target, place.interpreter.version_text)


# --- containers -------------------------------------------------------------------


def test_in_a_container(place, found_right):
    """Files that are only in its mount namespace, and pids that are its own."""
    refused = namespaces_refused()
    if refused:
        pytest.skip(refused)
    script = place.where()
    if place.interpreter.root:
        run = 'exec chroot "$1" "$2" -u "$3"'
        words = [place.interpreter.root, place.interpreter.path, script]
    else:
        hidden = place.new("hidden")
        os.mkdir(hidden)
        program = os.path.relpath(os.path.realpath(place.interpreter.path), place.build["prefix"])
        run = 'mount --bind "$1" "$2" && mount -t proc proc /proc && exec "$2/$3" -u "$4"'
        words = [place.build["prefix"], hidden, program, script]
    command = UNSHARE + ["sh", "-c", run, "sh"] + words
    target = Target(command)
    place.started.append(target)
    ready = target.wait_for("READY")
    pid = child_of(target.pid)
    if not place.interpreter.root:
        assert os.listdir(place.new("hidden")) == []
    found_right(target, place.interpreter.version_text, pid, ready)
    end(target)
