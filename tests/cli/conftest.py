"""Fixtures of the command line's tests: one interpreter, recordings with known shares, terminals.

The interpreters' own suite runs over every version; here one is enough: the newest that needs no
root folder of its own."""

import os
import shutil
import subprocess
import tempfile

import pytest

import cli_support as cli


@pytest.fixture(scope="session")
def chosen(interpreters):
    here = [found for found in interpreters if not found.root]
    if not here:
        pytest.skip("no interpreter outside of a root folder")
    return here[-1]


@pytest.fixture(scope="session")
def python(chosen):
    """The path of the interpreter that the targets of this suite run under."""
    return chosen.path


@pytest.fixture
def spawn(spawn_target, chosen):
    """spawn(script, *args) -> Target, at READY."""
    return lambda script, *args, **options: spawn_target(chosen, script, args, **options)


@pytest.fixture
def start():
    """The program in the background (cli_support.start); ended when the test ends."""
    started = []

    def begin(*args, **options):
        started.append(cli.start(*args, **options))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def terminal():
    """terminal(argv, columns=80) -> cli_support.Terminal."""
    opened = []

    def begin(*args, **options):
        opened.append(cli.Terminal(*args, **options))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def folder():
    """A folder that every user may read."""
    path = tempfile.mkdtemp(prefix="pyrometer-cli-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def record(path, python, *words):
    subprocess.run(
        [cli.PROGRAM, "record", "-o", path, "--", python] + [str(word) for word in words],
        env=cli.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=cli.DEADLINE_S,
        check=True,
    )
    return path


@pytest.fixture(scope="session")
def recordings(folder, python):
    """Paths by name: `heavy` (most of it in heavy()), `light` (the other way round), `again` (as
    heavy)."""
    busy = cli.target("cli_busy.py")
    paths = {name: os.path.join(folder, name + ".pyro") for name in ("heavy", "light", "again")}
    record(paths["heavy"], python, busy, 2, 60000, 20000, 1)
    record(paths["light"], python, busy, 2, 20000, 60000, 1)
    record(paths["again"], python, busy, 2, 60000, 20000, 1)
    return paths


@pytest.fixture(scope="session")
def nobody(folder):
    """A copy of the program that another user may start, and how to become that user."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    program = os.path.join(folder, "pyrometer")
    shutil.copy(cli.PROGRAM, program)
    os.chmod(program, 0o755)

    def drop():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    def run(*args, **options):
        ended = subprocess.run(
            [program] + [str(arg) for arg in args],
            preexec_fn=drop,
            env=cli.environment(HOME="/nonexistent"),
            cwd=options.pop("cwd", "/"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=cli.DEADLINE_S,
        )
        return ended.returncode, ended.stdout, ended.stderr

    return run
