"""Firefox profiler files, by following every index of the processed format, version 48."""

import json

import pytest

COLUMNS = {
    "frameTable": ["address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol",
                   "innerWindowID", "implementation", "line", "column"],
    "funcTable": ["name", "isJS", "relevantForJS", "resource", "fileName", "lineNumber", "columnNumber"],
    "stackTable": ["prefix", "frame", "category", "subcategory"],
    "nativeSymbols": ["address", "functionSize", "libIndex", "name"],
    "resourceTable": ["lib", "name", "host", "type"],
    "samples": ["stack", "time", "weight"],
    "markers": ["name", "startTime", "endTime", "phase", "category", "data"],
}
COLORS = {"transparent", "purple", "green", "orange", "yellow", "lightblue", "blue", "brown", "magenta",
          "red", "lightred", "darkgrey", "grey"}


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def check_index(values, bound, nullable=False):
    for value in values:
        if value is None:
            assert nullable
        else:
            assert isinstance(value, int) and 0 <= value < bound


def check_thread(thread, categories):
    for table, columns in COLUMNS.items():
        for column in columns:
            assert len(thread[table][column]) == thread[table]["length"], f"{table}.{column}"
    strings, stacks = len(thread["stringArray"]), thread["stackTable"]
    assert all(isinstance(text, str) for text in thread["stringArray"])
    check_index(thread["samples"]["stack"], stacks["length"], nullable=True)
    check_index(stacks["frame"], thread["frameTable"]["length"])
    check_index(stacks["category"], len(categories))
    for row, prefix in enumerate(stacks["prefix"]):
        assert prefix is None or 0 <= prefix < row, "callers come first"
    check_index(thread["frameTable"]["func"], thread["funcTable"]["length"])
    check_index(thread["frameTable"]["category"], len(categories))
    check_index(thread["funcTable"]["name"], strings)
    check_index(thread["funcTable"]["fileName"], strings, nullable=True)
    check_index(thread["markers"]["name"], strings)
    times = thread["samples"]["time"]
    assert times == sorted(times) and all(t >= 0 for t in times)
    assert all(weight >= 0 for weight in thread["samples"]["weight"])
    assert isinstance(thread["pid"], str) and isinstance(thread["isMainThread"], bool)
    pairs = list(zip(stacks["prefix"], stacks["frame"], stacks["category"]))
    assert len(set(pairs)) == len(pairs), "each stack is there once"


def check(document):
    meta = document["meta"]
    assert meta["preprocessedProfileVersion"] == 48 and isinstance(meta["version"], int)
    assert meta["interval"] > 0 and isinstance(meta["startTime"], int)
    assert [c["color"] for c in meta["categories"]].count("grey") == 1, "the default category"
    for category in meta["categories"]:
        assert category["color"] in COLORS and category["subcategories"] == ["Other"]
    assert document["libs"] == [] and document["threads"]
    for thread in document["threads"]:
        check_thread(thread, meta["categories"])


@pytest.mark.parametrize("source", ["fixture_files", "recorded_files"])
def test_every_index_leads_somewhere(source, request):
    check(load(request.getfixturevalue(source)["firefox"]))


def stack_names(thread, stack):
    names = []
    while stack is not None:
        function = thread["frameTable"]["func"][thread["stackTable"]["frame"][stack]]
        names.append(thread["stringArray"][thread["funcTable"]["name"][function]])
        stack = thread["stackTable"]["prefix"][stack]
    return names[::-1]


def test_a_recording_shows_what_each_thread_did(recorded_files):
    document = load(recorded_files["firefox"])
    threads = {thread["name"]: thread for thread in document["threads"]}
    main, waiter = threads["MainThread"], threads["waiter"]
    assert main["isMainThread"] and not waiter["isMainThread"]
    stacks = [stack_names(main, s) for s in main["samples"]["stack"]]
    assert any(names[-3:-1] == ["outer", "spin"] or names[-2:] == ["outer", "spin"] for names in stacks)
    names = [category["name"] for category in document["meta"]["categories"]]
    states = [names[waiter["stackTable"]["category"][s]] for s in waiter["samples"]["stack"]]
    assert states.count("Blocked") > len(states) / 2


def test_the_check_can_fail(fixture_files):
    document = load(fixture_files["firefox"])
    document["threads"][0]["stackTable"]["frame"][0] = 999
    with pytest.raises(AssertionError):
        check(document)
