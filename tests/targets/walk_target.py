"""Builds code objects, objects and threads, tells on stdout what a reader from outside must
find, then waits until its stdin ends. Runs on 3.8-3.15, from a file or by -c. Arguments: which
of "codes", "objects" and "threads" to tell; none = all. Lines, fields
separated by blanks, text as hexadecimal UTF-8 ("-" when empty):

    V minor                          R address of _PyRuntime (0: not known)
    C address first_line flags code_size stacksize name file
    L start end line end_line column end_column     of the last C; 0 none, columns from 1
    S address text                   a str          B address size     a bytes object
    I address value                  an int that fits in 64 bits
    Y address type_name
    D address size                   a dict; then its items: K key_address value_address
    A address attribute value_address               (0: none)
    P id                             an interpreter
    T ident native_id name           a Python thread of the main interpreter
    E                                the end
"""
import ctypes
import dis
import os
import sys
import threading
import types

out = sys.stdout
keep = []


def say(*fields):
    out.write(" ".join(str(f) for f in fields) + "\n")


def escaped(text):
    """What object.h promises for a str."""
    parts = []
    for character in text:
        n = ord(character)
        if n < 0x20 or n == 0x7F:
            parts.append("\\x%02x" % n)
        elif 0xDC80 <= n <= 0xDCFF:
            parts.append("\\x%02x" % (n - 0xDC00))
        elif 0x80 <= n < 0xA0 or 0xD800 <= n <= 0xDFFF:
            parts.append("\\u%04x" % n)
        else:
            parts.append(character)
    return "".join(parts)


def told(text):
    return escaped(text).encode("utf-8").hex() or "-"


# ---- code ----

MODULE = '''
import functools
def outer(a):
    def inner(b, *, c=1):
        x = (a +
             b)

        return [x
                for x in range(c)
                if x]
    async def generator(n):
        async for i in n:
            yield i
        async with n as m:
            await m
    return inner, generator, lambda q: (
        q * 2)
class Größe:
    """A doc string."""
    def método(self, π=3):
        try:
            return self.método(
                π
            )
        except (ValueError,
                KeyError) as e:
            raise RuntimeError("é" * 3, "日本", e) from e
        finally:
            for a in range(3):
                continue
            else:
                pass
    @property
    def 日本(self):
        while True:
            if self: break
        return {k: v for k, v in zip("ab", "cd")}, {1, 2}, "%s" % self, f"{self!r:>{10}}"
    class Inner:
        @functools.wraps(
            outer)
        def deep(self): return (yield), (yield from self)
def long_jump():
    x = 1
''' + "\n" * 700 + '''
    y = 2
    return x; z = 3
''' + "\n" * 70000 + '''
    return (x +
''' + "\n" * 300 + '''
    y)
def wide(x): return ''' + " " * 900 + '''x + "''' + "a" * 200 + '''"
def match_me(x):
    if not x and 1:
        del x
    assert x, "no"
    with open(x) as f, open(x) as g:
        return f
async def spin():
    return [i async for i in spin()]
'''


def expected_ranges(code):
    """(start, end, line, end_line, column, end_column), from what the interpreter itself says."""
    size = len(code.co_code)
    if hasattr(code, "co_positions"):
        rows = [(i * 2, i * 2 + 2) + tuple(p) for i, p in enumerate(code.co_positions())]
        rows = [(s, e, l or 0, (el or 0) if l else 0, (c + 1 if c is not None and l else 0),
                 (ec + 1 if ec is not None and l else 0)) for s, e, l, el, c, ec in rows]
    elif hasattr(code, "co_lines"):
        rows = [(s, e, l or 0, l or 0, 0, 0) for s, e, l in code.co_lines()]
    else:
        starts = list(dis.findlinestarts(code))
        ends = [s for s, _ in starts[1:]] + [size]
        rows = [(s, e, l, l, 0, 0) for (s, l), e in zip(starts, ends)]
    merged = []
    for row in rows:
        if row[0] == row[1]:
            continue
        if merged and merged[-1][1] == row[0] and merged[-1][2:] == row[2:]:
            merged[-1] = (merged[-1][0], row[1]) + row[2:]
        else:
            merged.append(row)
    return merged


def check_against_addr2line(code, rows):
    """A second witness: the function that tracebacks use."""
    addr2line = ctypes.pythonapi.PyCode_Addr2Line
    addr2line.argtypes, addr2line.restype = [ctypes.py_object, ctypes.c_int], ctypes.c_int
    for start, end, line in [r[:3] for r in rows][:: max(1, len(rows) // 500)]:
        for offset in (start, end - 2):
            assert max(0, addr2line(code, offset)) == line, (code, offset, line)


def tell_code(code):
    keep.append(code)
    rows = expected_ranges(code)
    check_against_addr2line(code, rows)
    name = getattr(code, "co_qualname", code.co_name)
    say("C", id(code), code.co_firstlineno, code.co_flags, len(code.co_code), code.co_stacksize,
        told(name), told(code.co_filename))
    for row in rows:
        say("L", *row)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            tell_code(const)


def generated(count):
    """A module whose line table has more than 32 KiB, with long statements here and there."""
    lines = []
    for i in range(count):
        lines.append("x%d = f(%d,\n  y[%d]) if z else -%d" % (i % 90, i, i, i) + "\n" * (i % 7))
    return "\n".join(lines) + "\n"


def tell_codes():
    tell_code(compile(MODULE, "/tmp/módulo_\udc80\udcff日.py", "exec"))
    tell_code(compile(generated(6000), "<generated>", "exec"))
    tell_code(compile("1", "", "eval"))
    tell_code(compile("def " + "n" * 50000 + "():\n  pass\n", "/" + "d" * 3000, "exec"))
    tell_code(compile("def " + "é" * 70000 + "():\n  pass\n", "tab\tnew\nline", "exec"))
    for function in (threading.Thread.run, os.walk, dis.findlinestarts, tell_code):
        tell_code(function.__code__)
    if hasattr(types.CodeType, "replace"):
        tell_code(compile("x = 1\ny = 2\n", "late", "exec").replace(co_firstlineno=2000000000))


# ---- objects ----

class Text(str):
    pass


class Plain:
    pass


class Slotted:
    __slots__ = ("a", "__dict__")


class LongTuple(tuple):
    pass


class Number(int):
    pass


def tell_strings():
    for text in ("", "a", "plain ASCII", "lätin-1 ÿ", "\x00\x01\x1f\x7f\x80\x9f\xa0", "日本語", "€" * 1000,
                 "\U0001f600 smile", "mixed é 日 \U0001f600", "\udc80\udcff lone \ud800 \udbff",
                 "b" * 5000, "\uffff\ufffe", "\U0010ffff", "back\\slash"):
        text = (text + "!")[:-1]
        keep.append(text)
        say("S", id(text), told(text))


def tell_values():
    for value in (0, 1, -1, 5, 256, 257, -255, 2**30 - 1, 2**30, -2**30, 2**31, 2**60 - 1, 2**60, 2**62,
                  2**63 - 1, -2**63, -2**63 + 1, True, False, Number(77), Number(-2**40)):
        keep.append(value)
        say("I", id(value), int(value))
    for size in (0, 1, 7, 8, 1000, 70000):
        value = bytes(range(256)) * (size // 256 + 1)
        value = value[:size]
        keep.append(value)
        say("B", id(value), len(value))
    for value in (1, "s", b"b", [], {}, (), set(), Plain(), Slotted(), Text("x"), threading, None, tell_values,
                  type, object(), compile("1", "", "eval"), threading.Lock(), type("T" * 200, (), {})()):
        keep.append(value)
        say("Y", id(value), type(value).__name__ if type(value).__module__ != "_thread"
            else type(value).__module__ + "." + type(value).__name__)


def tell_dict(d):
    keep.append(d)
    items = list(d.items())
    keep.append(items)
    say("D", id(d), len(d))
    for key, value in items:
        say("K", id(key), id(value))


def tell_dicts():
    tell_dict({})
    tell_dict({"a": 1})
    tell_dict({1: "one", "two": 2, (3,): 3})
    tell_dict({"k%d" % i: i for i in range(100)})
    tell_dict({i: "v" for i in range(300)})
    tell_dict({"k%d" % i: i for i in range(70000)})
    holes = {"k%d" % i: i for i in range(1000)}
    for i in range(0, 1000, 3):
        del holes["k%d" % i]
    tell_dict(holes)
    split = Plain()
    split.a, split.b, split.c = object(), object(), object()
    keep.append(split)
    del split.b
    tell_dict(split.__dict__)
    tell_dict(sys.modules)


def tell_attributes_of(value, names):
    """id() of what getattr gives; asked for last, since asking may make a dict of the values."""
    keep.append(value)
    rows = []
    for name in names:
        found = getattr(value, name, None)
        rows.append((name, id(found) if found is not None else 0))
        keep.append(found)
    for name, address in rows:
        say("A", id(value), name, address)


def tell_attributes():
    few = Plain()
    few.first, few.second = object(), object()
    tell_attributes_of(few, ["first", "second", "third"])
    with_dict = Plain()
    with_dict.first, with_dict.other = object(), object()
    with_dict.__dict__["added"] = object()
    tell_attributes_of(with_dict, ["first", "other", "added", "absent"])
    many = Plain()
    for i in range(60):
        setattr(many, "m%d" % i, object())
    tell_attributes_of(many, ["m%d" % i for i in range(60)])
    slotted = Slotted()
    slotted.x = object()
    tell_attributes_of(slotted, ["x", "y"])
    replaced = Plain()
    replaced.first = object()
    replaced.__dict__ = {"z": object(), "first": object()}
    tell_attributes_of(replaced, ["z", "first"])
    empty = Plain()
    tell_attributes_of(empty, ["first"])
    long_tuple = LongTuple((1, 2, 3))
    long_tuple.tag = object()
    tell_attributes_of(long_tuple, ["tag", "no"])
    error = ValueError("x")
    error.note = object()
    tell_attributes_of(error, ["note"])
    text = Text("é")
    text.mark = object()
    tell_attributes_of(text, ["mark"])
    tell_attributes_of(threading, ["_active", "Thread", "current_thread"])
    tell_attributes_of(tell_attributes, ["nothing"])
    for thread in threading.enumerate():
        tell_attributes_of(thread, ["_name"])


# ---- threads and interpreters ----

def start_threads(names, wait):
    ready = threading.Semaphore(0)

    def body():
        ready.release()
        wait()

    threads = [threading.Thread(target=body, name=name, daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for _ in threads:
        ready.acquire()


def sub_interpreters():
    try:
        import _interpreters as module
    except ImportError:
        try:
            import _xxsubinterpreters as module
        except ImportError:
            return None
    return module


def tell_interpreters():
    module = sub_interpreters()
    if not module:
        say("P", 0)
        return
    keep.append([module.create(), module.create()])
    module.run_string(keep[-1][0], "import threading\nthreading.current_thread()\n")
    for item in module.list_all():
        say("P", int(item[0]) if isinstance(item, tuple) else int(item))


def tell_threads():
    for thread in threading.enumerate():
        say("T", thread.ident, getattr(thread, "native_id", 0) or 0, told(thread.name))


def main():
    say("V", sys.version_info[1])
    try:
        runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    except (ValueError, AttributeError):
        runtime = 0
    say("R", runtime)
    block = threading.Lock()
    block.acquire()
    start_threads(["worker-%d" % i for i in range(5)] + ["größe 日本", "tab\there", "x" * 300],
                  block.acquire)
    wanted = sys.argv[1:] or ["codes", "objects", "threads"]
    if "codes" in wanted:
        tell_codes()
    if "objects" in wanted:
        tell_strings()
        tell_values()
        tell_dicts()
        tell_attributes()
    if "threads" in wanted:
        tell_interpreters()
        tell_threads()
    say("E")
    out.flush()
    os.read(0, 1)
    os._exit(0)


main()
