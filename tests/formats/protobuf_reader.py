"""Reads pprof files by the wire format and profile.proto alone: an independent decode, sharing
nothing with the writer."""

import gzip


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        assert shift < 70, "a varint over 64 bits"


def fields(data):
    """{field number: [values]}: ints for varints, bytes for the rest."""
    found, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            assert at + size <= len(data), "a field that runs over its message's end"
            value, at = data[at : at + size], at + size
        else:
            raise AssertionError(f"wire type {tag & 7} is not in profile.proto")
        found.setdefault(tag >> 3, []).append(value)
    return found


def packed(values):
    numbers = []
    for value in values:
        if isinstance(value, int):
            numbers.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            numbers.append(number)
    return numbers


def one(message, number, default=0):
    return message.get(number, [default])[-1]


def read_pprof(path):
    """Every reference is followed; a wrong one raises."""
    top = fields(gzip.open(path, "rb").read())
    strings = [text.decode("utf-8") for text in top[6]]
    assert strings[0] == ""
    functions = {}
    for raw in top[5]:
        row = fields(raw)
        assert one(row, 1) != 0 and one(row, 1) not in functions
        functions[one(row, 1)] = (strings[one(row, 2)], strings[one(row, 4)], one(row, 5))
    locations = {}
    for raw in top[4]:
        row = fields(raw)
        assert one(row, 1) != 0 and one(row, 1) not in locations
        line = fields(one(row, 4, b""))
        locations[one(row, 1)] = (*functions[one(line, 1)], one(line, 2))
    samples = []
    for raw in top.get(2, []):
        row = fields(raw)
        labels = {}
        for label in map(fields, row.get(3, [])):
            labels[strings[one(label, 1)]] = strings[one(label, 2)] or one(label, 3)
        stack = [locations[i] for i in packed(row[1])][::-1]
        values = packed(row[2])
        assert len(values) == len(top[1])
        samples.append((stack, values, labels))
    types = [(strings[one(t, 1)], strings[one(t, 2)]) for t in map(fields, top[1])]
    return {"types": types, "samples": samples, "functions": functions, "period": one(top, 12),
            "time_nanos": one(top, 9), "duration_nanos": one(top, 10),
            "default": strings[one(top, 14)], "comments": [strings[i] for i in packed(top[13])]}
