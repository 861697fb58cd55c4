"""The helpers of support.py keep their promises: the pid is the interpreter's own."""

import os

from support import SUPPORTED, missing_versions


def test_target_is_ready_and_its_pid_is_the_interpreter(interpreter, spawn_target):
    target = spawn_target(interpreter, "ready_then_wait.py", ready=False)
    assert target.wait_for("READY") == "READY %d" % target.pid
    executable = os.readlink("/proc/%d/exe" % target.pid)
    assert os.path.basename(executable).startswith("python3")
    target.write_line("x")
    assert target.read_line() == "ECHO x"
    target.end()
    assert not os.path.exists("/proc/%d" % target.pid)


def test_every_version_is_found_or_named_as_missing(interpreters, request):
    if request.config.getoption("--interpreter"):
        return
    found = {"%d.%d" % i.version for i in interpreters}
    assert found.isdisjoint(missing_versions())
    assert found | set(missing_versions()) == {"%d.%d" % version for version in SUPPORTED}
