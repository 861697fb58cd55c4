"""Writes a C file that holds text files: embed_texts.py OUTPUT.c FILE…

Each FILE `…/_name.py` becomes `const char embedded_name[]` (with a NUL behind it) and
`const size_t embedded_name_size` (without it), as src/bench/embedded.h declares them."""

import os
import sys

BYTES_A_LINE = 24


def definition(path):
    with open(path, "rb") as source:
        text = source.read()
    name = os.path.splitext(os.path.basename(path))[0].lstrip("_")
    if b"\0" in text:
        sys.exit("%s: holds a NUL byte" % path)
    lines = ["const char embedded_%s[] = {" % name]
    for start in range(0, len(text), BYTES_A_LINE):
        # A char may be signed: bytes of UTF-8 above 127 are written as the negative number.
        row = (byte - 256 if byte > 127 else byte for byte in text[start : start + BYTES_A_LINE])
        lines.append("\t" + ",".join(map(str, row)) + ",")
    lines += ["\t0};", "const size_t embedded_%s_size = sizeof(embedded_%s) - 1;" % (name, name)]
    return "\n".join(lines)


def main(output, *paths):
    parts = ["/* Made by tools/build/embed_texts.py from python/pyrometer/_*.py. */"]
    parts.append('#include "bench/embedded.h"')
    parts += map(definition, paths)
    with open(output, "w") as target:
        target.write("\n\n".join(parts) + "\n")


main(*sys.argv[1:])
