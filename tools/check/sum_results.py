#!/usr/bin/env python3
"""Adds up what test runs left behind: JUnit files of pytest, testlog*.json of meson.

    tools/check/sum_results.py [--last-line] FILE…

One line for each file, then `N passed, N failed, N skipped`. Status 1 where anything failed, where
nothing passed, or where a file is missing, torn or empty: a run that left no result is a failure.
"""

import json
import os
import sys
import xml.etree.ElementTree

MESON = {
    "OK": "passed",
    "EXPECTEDFAIL": "passed",
    "SKIP": "skipped",
    "IGNORED": "skipped",
}


def of_junit(path):
    """Counts of a JUnit file; an error (in setup, in collection) is a failure."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                counts["failed"] += 1
            elif "skipped" in kinds:
                counts["skipped"] += 1
            else:
                counts["passed"] += 1
    return counts


def of_meson(path):
    """Counts of a meson log: one JSON object a line, one a test program."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.strip():
                counts[MESON.get(json.loads(line)["result"], "failed")] += 1
    return counts


def counts_of(path):
    """(counts, remark) of a result file; one failure where it tells nothing."""
    try:
        counts = of_junit(path) if path.endswith(".xml") else of_meson(path)
    except (OSError, ValueError, KeyError, xml.etree.ElementTree.ParseError) as error:
        return {"passed": 0, "failed": 1, "skipped": 0}, "  (no result: %s)" % error
    if not sum(counts.values()):
        return {"passed": 0, "failed": 1, "skipped": 0}, "  (no test ran)"
    return counts, ""


def text_of(counts):
    text = "%d passed, %d failed" % (counts["passed"], counts["failed"])
    return text + (", %d skipped" % counts["skipped"] if counts["skipped"] else "")


def main(arguments):
    only_last = arguments[:1] == ["--last-line"]
    paths = arguments[1:] if only_last else arguments
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        counts, remark = counts_of(path)
        for key in total:
            total[key] += counts[key]
        if not only_last:
            name = os.path.splitext(os.path.basename(path))[0]
            print("%-20s %s%s" % (name, text_of(counts), remark))
    print(text_of(total))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
