"""What a container is made of: mount and PID namespaces, by unshare (util-linux)."""

import shutil
import subprocess

UNSHARE = ["unshare", "--mount", "--pid", "--fork"]


def namespaces_refused():
    """None, or what is missing to make a container here."""
    if not shutil.which("unshare"):
        return "missing: unshare (util-linux)"
    if subprocess.run(UNSHARE + ["true"], stderr=subprocess.DEVNULL).returncode != 0:
        return "missing: the right to make mount and PID namespaces"
    return None


def child_of(pid):
    """The process that unshare started, by its number outside."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as children:
        return int(children.read().split()[0])


def end(target):
    """Ends what runs in it by closing its stdin: unshare itself heeds no SIGTERM."""
    target.process.stdin.close()
    target.wait()
