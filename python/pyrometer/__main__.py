"""`python -m pyrometer …` and the `pyrometer` command: becomes the program itself.

By exec, so that the process, its signals, its terminal and its exit status are the program's."""

import os
import sys

from pyrometer import program_path

OWN_FAILURE = 125


def main():
    try:
        path = program_path()
        os.execv(path, [path] + sys.argv[1:])
    except OSError as error:
        print("pyrometer: cannot start the program: %s" % error, file=sys.stderr)
        return OWN_FAILURE


if __name__ == "__main__":
    sys.exit(main())
