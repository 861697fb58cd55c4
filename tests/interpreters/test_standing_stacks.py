"""`dump` against what the program itself says: in each of many places a thread stands still, and
every frame's name, file, line, first line and column must be those of sys._getframe()."""

import json
import os
import re

import pytest

TARGET = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "targets", "stacks_places.py"
)


def places():
    with open(TARGET, encoding="utf-8") as source:
        return re.findall(r"^@place\ndef (\w+)", source.read(), re.MULTILINE)


class Standing:
    def __init__(self, facts, dump):
        self.facts = {fact["place"]: fact for fact in facts}
        self.dump = dump
        self.threads = {thread["tid"]: thread for thread in dump["threads"]}

    def both(self, place):
        """What the program says of its stack in this place, and what the dump says."""
        fact = self.facts[place]
        thread = self.threads[fact["tid"]]
        expected = [tuple(frame[:5]) for frame in fact["frames"]]
        expected[0] = expected[0][:4] + (None,)
        actual = [
            (frame["function"], frame["file"], frame["line"], frame["first_line"], frame["column"])
            for frame in thread["frames"]
        ]
        # The leaf went on within its line: its column is not what it was when it told its facts.
        actual[:1] = [frame[:4] + (None,) for frame in actual[:1]]
        return expected, actual


@pytest.fixture(scope="module")
def standing(interpreter, spawn_target_for_module, pyrometer):
    target = spawn_target_for_module(interpreter, TARGET)
    facts = json.loads(target.wait_for("FACTS").split(" ", 1)[1])
    result = pyrometer("dump", "-p", target.pid, "--json")
    assert result.rc == 0, result.stderr
    return Standing(facts, json.loads(result.stdout))


@pytest.mark.parametrize("place", places())
def test_stack_is_what_the_program_says(standing, place):
    expected, actual = standing.both(place)
    assert len(expected) == len(actual)
    for wanted, got in zip(expected, actual):
        assert wanted == got


def test_every_place_was_reached(standing):
    assert sorted(standing.facts) == sorted(places())


def test_names_are_qualified_where_the_version_knows_them(standing, interpreter):
    names = [frame[0] for frame in standing.both("names_outside_ascii")[1]]
    innermost = "𠀀𠀁"
    if interpreter.version >= (3, 11):
        function = "names_outside_ascii.<locals>.größe_überprüfen.<locals>"
        assert names[1] == function + ".Πρώτη.方法.<locals>." + innermost
        assert names[2] == function + ".Πρώτη.方法"
    else:
        assert names[1:4] == [innermost, "方法", "größe_überprüfen"]


def test_columns_are_known_where_the_version_has_them(standing, interpreter):
    columns = [frame[4] for frame in standing.both("columns_after_wide_characters")[1][1:]]
    if interpreter.version >= (3, 11):
        assert columns[0] == len('    return ("größe 文件 😀", '.encode()) + 1
        assert all(columns)
    else:
        assert set(columns) == {None}


def test_recursion_is_whole_to_10000_frames(standing):
    expected, actual = standing.both("recursion_of_10000")
    assert sum(frame[0] == "descend" for frame in actual) == 10001
    thread = standing.threads[standing.facts["recursion_of_10000"]["tid"]]
    assert thread["complete"]


def test_long_line_table_is_longer_than_32_kib(standing):
    assert standing.facts["long_line_table"]["longest_table"] > 32 * 1024


def test_threads_carry_their_python_names(standing):
    said = {fact["tid"]: fact["thread"] for fact in standing.facts.values()}
    shown = {tid: thread["name"] for tid, thread in standing.threads.items() if tid in said}
    assert shown == said
    assert said[standing.facts["thread_renamed"]["tid"]] == "später umbenannt"
    assert standing.threads[standing.dump["pid"]]["name"] == "MainThread"


def test_standing_threads_are_blocked_and_stable(standing):
    for fact in standing.facts.values():
        thread = standing.threads[fact["tid"]]
        assert (thread["state"], thread["stable"], thread["holds_gil"]) == ("blocked", True, False)


def test_dump_says_the_version_and_no_thread_twice(standing, interpreter):
    assert standing.dump["python"] == interpreter.version_text
    assert len(standing.threads) == len(standing.dump["threads"]) == len(standing.facts) + 1
