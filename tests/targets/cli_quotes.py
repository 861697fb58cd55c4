"""Writes bytes of every value to stdout, and its arguments, one a line, to stderr."""

import sys

sys.stdout.buffer.write(bytes(range(256)) * 4096)
sys.stdout.flush()
print("\n".join(sys.argv[1:]), file=sys.stderr)
