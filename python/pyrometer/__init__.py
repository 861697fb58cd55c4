"""Pyrometer's program, installed as a Python package.

The program is a Linux executable and needs no Python; this package brings it along and says where
it lies. It adds nothing to a program that is measured. `bench` measures a function in the process
that calls it.
"""

import os

__all__ = ["bench", "program_path"]


def program_path():
    """The path of the executable that this package holds.

    PYROMETER, where set, names another one (a build folder's). FileNotFoundError where there is
    none: the package was copied without it, or is used from the source tree."""
    given = os.environ.get("PYROMETER")
    path = given or os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "pyrometer")
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(
            "no executable at %s (%s); `pip install --force-reinstall pyrometer` brings it back"
            % (path, "from PYROMETER" if given else "the package's own")
        )
    return path


def bench(fn, n=30, warmup=3, *args):
    """Measures `fn(*args)` here and now: what `pyrometer bench` does in processes of its own, by
    the same code in this one. Returns a Measured, which prints as a page.

    n values follow after `warmup` that are thrown away; each is a block of about 50 ms, or one call
    where that takes longer. A coroutine function is awaited. What fn raises comes through."""
    from pyrometer.measured import measure

    return measure(fn, n, warmup, args)
