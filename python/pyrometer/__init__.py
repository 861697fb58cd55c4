"""Pyrometer's program, installed as a Python package.

The program is a Linux executable and needs no Python; this package only brings it along and says
where it lies. It adds nothing to a program that is measured.
"""

import os

__all__ = ["program_path"]


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
