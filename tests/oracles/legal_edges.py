"""Prints, as JSON, the legal call edges of a target program that states what its names reach.

Runs in the TARGET's interpreter, since the edges come from that version's bytecode:

    python3.X legal_edges.py oracle_edges.py

A line of a code object may call if an instruction on it can run Python code. What it may call are
the functions that its names reach (by REACHES of the program, or by their own name) and the code
objects that it holds as constants (lambdas, comprehensions). Functions are named by their first
line, which the program keeps unique.

Output: {"functions": {first_line: {name, lines}}, "edges": [[caller, line, callee] …]}
"""

import dis
import json
import sys
import types

# Instructions that can enter a Python function, by what their names begin with: calls, iteration,
# delegation to generators, operators and attributes with methods behind them.
CALLING = (
    "CALL",
    "PRECALL",
    "FOR_ITER",
    "SEND",
    "YIELD_FROM",
    "GET_ITER",
    "GET_YIELD_FROM_ITER",
    "BINARY_",
    "UNARY_",
    "COMPARE_OP",
    "LIST_EXTEND",
    "UNPACK",
)
NAMES = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FAST", "LOAD_DEREF", "LOAD_ATTR", "LOAD_METHOD")


def codes_of(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            for inner in codes_of(constant):
                yield inner


def lines_of(code):
    """(line, instruction) for each instruction; line 0 where the compiler gave it none."""
    if hasattr(code, "co_lines"):
        line_at = {}
        for start, end, line in code.co_lines():
            for offset in range(start, end, 2):
                line_at[offset] = line or 0
        for instruction in dis.get_instructions(code):
            yield line_at.get(instruction.offset, 0), instruction
        return
    line = code.co_firstlineno
    for instruction in dis.get_instructions(code):
        line = instruction.starts_line or line
        yield line, instruction


def names_in(instruction):
    """The variables and attributes that it puts on the stack; 3.13 loads two at once."""
    if not instruction.opname.startswith(NAMES):
        return []
    value = instruction.argval
    return list(value) if isinstance(value, tuple) else [value]


def edges_of(code, functions, reaches):
    """(line, first line of the callee) of every legal call of this code object."""
    edges = set()
    on_line = {}
    for line, instruction in lines_of(code):
        on_line.setdefault(line, []).append(instruction)
    deferred = deferred_bodies(on_line)

    def reached(instructions):
        for instruction in instructions:
            for name in names_in(instruction):
                for target in reaches.get(name, [name]):
                    if target in functions:
                        yield functions[target]
                if name in deferred:
                    yield deferred[name]
            if isinstance(instruction.argval, types.CodeType):
                yield instruction.argval.co_firstlineno

    # What a loop calls was made on the line before GET_ITER, which may have another line itself.
    iterator_line = made_line = code.co_firstlineno
    for line, instruction in lines_of(code):
        if instruction.opname == "GET_ITER":
            iterator_line = made_line
        elif instruction.argval == ".0":
            iterator_line = line
        made_line = line
        if instruction.opname == "FOR_ITER":
            edges.update((line, callee) for callee in reached(on_line[iterator_line]))
        elif instruction.opname.startswith(CALLING):
            edges.update((line, callee) for callee in reached(on_line[line]))
    return edges


def deferred_bodies(on_line):
    """Lambdas and generator expressions kept in variables: name -> first line of the body."""
    bodies = {}
    for instructions in on_line.values():
        for instruction in instructions:
            if (
                isinstance(instruction.argval, types.CodeType)
                and instruction.argval.co_name in ("<lambda>", "<genexpr>")
            ):
                for other in instructions:
                    if other.opname.startswith("STORE_"):
                        names = other.argval if isinstance(other.argval, tuple) else [other.argval]
                        for name in names:
                            bodies[name] = instruction.argval.co_firstlineno
    return bodies


def main(path):
    with open(path, "rb") as source:
        module = compile(source.read(), path, "exec")
    program = {"__name__": "oracle"}
    exec(module, program)
    reaches = program["REACHES"]
    functions = {}
    described = {}
    codes = list(codes_of(module))

    def qualify(code, prefix):
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                name = prefix + constant.co_name
                functions.setdefault(name, constant.co_firstlineno)
                qualify(constant, name + "." if is_class(constant) else name + ".<locals>.")

    def is_class(code):
        return not code.co_flags & 2  # CO_NEWLOCALS: functions have it, class bodies do not

    qualify(module, "")
    edges = []
    for code in codes:
        key = code.co_firstlineno if code is not module else 0
        assert key not in described, "two code objects start on line %d" % key
        # A frame that has not begun yet is on its function's first line.
        lines = sorted({line for line, _ in lines_of(code)} | {code.co_firstlineno})
        described[key] = {"name": code.co_name, "lines": lines}
        for line, callee in sorted(edges_of(code, functions, reaches)):
            edges.append([key, line, callee])
    json.dump({"functions": described, "edges": edges}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
