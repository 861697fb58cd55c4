#!/usr/bin/env python3
"""Checks the shape of the tree: layers, file length, unique names, the table in ARCHITECTURE.md.

    tools/check/check_tree.py [ROOT]

Prints each fault as `file:line: what is wrong and what the rule is`; status 1 where there is one.
The rule of layers is data: tools/check/layers.txt.
"""

import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
LINES_MAX = 600
LENGTH_SUFFIXES = (".c", ".h")
# Written by a generator, which names itself in its first lines.
GENERATED = re.compile(r"\b[Gg]enerated\b")
TABLE_BEGIN = "<!-- layers: the same as tools/check/layers.txt -->"


class Layers:
    """The table: what each layer may include."""

    def __init__(self, text):
        self.beneath = {}
        self.only = {}
        for line in text.splitlines():
            line = line.split("#")[0].strip()
            if not line:
                continue
            name, _, rest = line.partition(":")
            words = rest.split()
            if words[:1] == ["only"]:
                self.only[name], words = set(words[1:]), []
            self.beneath[name] = words
        for name, words in self.beneath.items():
            for word in words:
                if word not in self.beneath:
                    raise ValueError("layers.txt: %s names %s, which has no line" % (name, word))

    def allowed(self, layer, path=()):
        """The layer and all that lie beneath it."""
        if layer in path:
            raise ValueError("layers.txt: a circle: " + " → ".join(path + (layer,)))
        result = {layer}
        for lower in self.beneath[layer]:
            result |= self.allowed(lower, path + (layer,))
        return result

    def of(self, path):
        """The layer of a file, by its path from src/: the longest folder that has a line."""
        folder = os.path.dirname(path)
        while folder:
            if folder in self.beneath:
                return folder
            folder = os.path.dirname(folder)
        return "main" if os.path.basename(path) == path else None


def files_under(root, *folders):
    for folder in folders:
        for where, names, files in os.walk(os.path.join(root, folder)):
            names.sort()
            for name in sorted(files):
                yield os.path.relpath(os.path.join(where, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read().split("\n")


def check_includes(root, layers):
    for path in files_under(root, "src"):
        if not path.endswith((".c", ".h", ".def", ".inc")):
            continue
        inner = os.path.relpath(path, "src")
        layer = layers.of(inner)
        if layer is None:
            yield "%s:1: its folder has no line in tools/check/layers.txt" % path
            continue
        for number, line in enumerate(read(root, path), 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            where = "%s:%d" % (path, number)
            name = match.group(1) or match.group(2)
            if name == "Python.h" and layer == "agent/inside":
                yield where + ": agent/inside never includes Python.h"
            if match.group(1) is None:
                continue
            if not os.path.exists(os.path.join(root, "src", name)):
                yield '%s: "%s" is no file of src/ (paths go from src/)' % (where, name)
                continue
            other = layers.of(name)
            if layer in layers.only:
                if other != layer and name not in layers.only[layer]:
                    yield '%s: %s may include only %s from outside itself, not "%s"' % (
                        where, layer, " ".join(sorted(layers.only[layer])), name)
            elif other not in layers.allowed(layer):
                yield '%s: %s may not include %s ("%s"); below %s are: %s' % (
                    where, layer, other, name, layer,
                    " ".join(sorted(layers.allowed(layer) - {layer})) or "none")


def check_lengths(root):
    for path in files_under(root, "src", "tests"):
        if path.endswith(LENGTH_SUFFIXES):
            lines = read(root, path)
            if len(lines) - 1 > LINES_MAX and not GENERATED.search("\n".join(lines[:8])):
                yield "%s:%d: longer than %d lines" % (path, LINES_MAX + 1, LINES_MAX)


def check_names(root):
    """A file is found by its name: no two files of src/ share one (a .c and its .h do)."""
    seen = {}
    for path in files_under(root, "src"):
        name = os.path.basename(path)
        if name in seen:
            yield "%s:1: its name is taken by %s" % (path, seen[name])
        seen.setdefault(name, path)


def check_page(root, text):
    """ARCHITECTURE.md shows the table as it is."""
    try:
        page = "\n".join(read(root, "ARCHITECTURE.md"))
    except OSError:
        yield "ARCHITECTURE.md:1: is missing"
        return
    table = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    wanted = "%s\n```\n%s\n```" % (TABLE_BEGIN, table)
    if wanted not in page:
        yield "ARCHITECTURE.md:1: the table of layers is not that of tools/check/layers.txt"


def faults_of(root):
    with open(os.path.join(root, "tools/check/layers.txt"), encoding="utf-8") as file:
        text = file.read()
    layers = Layers(text)
    faults = list(check_includes(root, layers))
    faults += check_lengths(root)
    faults += check_names(root)
    faults += check_page(root, text)
    return faults


def main(arguments):
    default = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    root = arguments[1] if len(arguments) > 1 else default
    faults = faults_of(root)
    for fault in faults:
        print(fault)
    if not faults:
        files = sum(1 for path in files_under(root, "src") if path.endswith((".c", ".h")))
        print("layers, lengths and names of %d files are right" % files)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
