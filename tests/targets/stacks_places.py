"""Comes to many places in a program, and says of each where it is, by itself.

stacks_places.py               one thread a place: each stands still there, waiting for a lock
stacks_places.py spin SECONDS  one thread comes to each again and again, spinning there

Each place ends in stand(), which keeps what sys._getframe() tells of its stack. Standing, it prints
READY, then FACTS and one JSON list, and ends when its stdin does:
  {"place", "tid", "thread", "longest_table", "frames"}
"frames" has the leaf first: [name, file, line, first_line, column, end_line, end_column], where the
name is co_qualname if there is one and the last three are null where the version has no columns.
"longest_table" is the size of the longest line table on the stack, in bytes.
Spinning, it prints READY, spins for so many seconds of CPU time, and then FACTS and a JSON object:
place to list of the different "frames" above spin(), which is stand()'s leaf then.
"""

import asyncio
import contextlib
import functools
import itertools
import json
import re
import sys
import threading
import time
import weakref

PLACES = {}
FACTS = []
SPINNING = sys.argv[1:2] == ["spin"]
SPUN = {}
SPIN_S = 0.008
PLACE = [None]
GATE = threading.Lock()
GATE.acquire()


def place(function):
    PLACES[function.__name__] = function
    return function


def columns_of(code, instruction):
    """[column, end_line, end_column], counted from 1, of an instruction."""
    if not hasattr(code, "co_positions"):
        return [None, None, None]
    position = next(itertools.islice(code.co_positions(), instruction // 2, None))
    _, end_line, column, end_column = position
    if column is None:
        return [None, None, None]
    return [column + 1, end_line, end_column + 1]


def chain_of(frame):
    frames = []
    known = {}
    while frame is not None:
        code = frame.f_code
        key = code, frame.f_lasti
        if key not in known:
            name = getattr(code, "co_qualname", code.co_name)
            place = [name, code.co_filename, frame.f_lineno, code.co_firstlineno]
            known[key] = place + columns_of(code, frame.f_lasti)
        frames.append(known[key])
        frame = frame.f_back
    return frames


def line_table_size(frame):
    code = frame.f_code
    return len(code.co_linetable if hasattr(code, "co_linetable") else code.co_lnotab)


def longest_table(frame):
    size = 0
    while frame is not None:
        size = max(size, line_table_size(frame))
        frame = frame.f_back
    return size


def fact(frame):
    thread = threading.current_thread()
    return {
        "place": getattr(thread, "place", thread.name),
        "tid": threading.get_native_id(),
        "thread": thread.name,
        "longest_table": longest_table(frame),
        "frames": chain_of(frame),
    }


def stand(*_):
    if SPINNING:
        return spin()
    FACTS.append(fact(sys._getframe())) or GATE.acquire()
    return 0


def spin():
    chain = chain_of(sys._getframe(1))
    if chain not in SPUN[PLACE[0]]:
        SPUN[PLACE[0]].append(chain)
    end = time.thread_time() + SPIN_S
    while time.thread_time() < end:
        pass
    return 0


def execute(source, name="<generated>", **names):
    names.update(stand=stand, sys=sys)
    exec(compiled(source, name), names)
    return names


LONG = {}


def compiled(source, name):
    """Compiled each time, so that addresses are used again; what takes long only once."""
    if len(source) < 100000:
        return compile(source, name, "exec")
    if name not in LONG:
        LONG[name] = compile(source, name, "exec")
    return LONG[name]


# --- functions, methods, classes ------------------------------------------------


@place
def nested_functions():
    def outer():
        def inner():
            stand()

        inner()

    outer()


class Shape:
    class Corner:
        def turn(self):
            return stand()

        @staticmethod
        def measure():
            return stand()

        @classmethod
        def make(cls):
            return stand()

        @property
        def angle(self):
            return stand()

        def __add__(self, other):
            return stand()

        def __getattr__(self, name):
            return stand()

        def __iter__(self):
            stand()
            return iter(())

        def __call__(self):
            return stand()

        def __enter__(self):
            stand()

        def __exit__(self, *_):
            stand()

        def __del__(self):
            if getattr(self, "stands", False) is True:
                stand()


@place
def method():
    Shape.Corner().turn()


@place
def static_method():
    Shape.Corner.measure()


@place
def class_method():
    Shape.Corner.make()


@place
def property_of_object():
    return Shape.Corner().angle


@place
def operator():
    return Shape.Corner() + 1


@place
def attribute_lookup():
    return Shape.Corner().missing


@place
def iteration():
    return list(Shape.Corner())


@place
def instance_call():
    Shape.Corner()()


@place
def with_enter():
    with Shape.Corner():
        pass


@place
def finalizer():
    corner = Shape.Corner()
    corner.stands = True
    del corner


@place
def class_body():
    class Temporary:
        class Inside:
            stand()


@place
def metaclass_call():
    class Meta(type):
        def __call__(cls):
            return stand()

    class Made(metaclass=Meta):
        pass

    Made()


# --- generators and comprehensions ------------------------------------------------


def counting():
    for number in range(3):
        yield number
        stand()


def delegating():
    yield 0
    yield from counting()


@place
def generator():
    for _ in counting():
        pass


@place
def generator_delegating():
    for _ in delegating():
        pass


@place
def generator_resumed_elsewhere():
    started = delegating()
    next(started)
    next(started)

    def elsewhere():
        started.send(None)

    elsewhere()


def guarded():
    try:
        yield 1
    except KeyError:
        stand()
    finally:
        stand()


@place
def generator_thrown_into():
    started = guarded()
    next(started)
    with contextlib.suppress(StopIteration):
        started.throw(KeyError("x"))


@place
def generator_closed():
    started = guarded()
    next(started)
    started.close()


@place
def generator_expression():
    return sum(stand() for _ in range(2))


@place
def list_comprehension():
    return [stand() for _ in range(2)]


@place
def nested_comprehension():
    return {a: {stand() for _ in range(2)} for a in range(2)}


@place
def comprehension_with_lambda():
    return [(lambda value: stand(value))(value) for value in range(2)]


@contextlib.contextmanager
def managed():
    yield 1
    stand()


@place
def context_manager():
    with managed():
        pass


# --- coroutines -----------------------------------------------------------------------


class Awaitable:
    def __await__(self):
        stand()
        yield from asyncio.sleep(0).__await__()


async def deepest():
    await asyncio.sleep(0)
    stand()


async def middle():
    return await deepest()


async def numbers():
    for number in range(2):
        await asyncio.sleep(0)
        yield number
        stand()


@place
def coroutine():
    asyncio.run(middle())


@place
def coroutine_without_loop():
    async def immediate():
        stand()

    async def caller():
        await immediate()

    with contextlib.suppress(StopIteration):
        caller().send(None)


@place
def coroutine_in_task():
    async def start():
        await asyncio.gather(asyncio.sleep(0), asyncio.ensure_future(middle()))

    asyncio.run(start())


@place
def awaitable_object():
    async def start():
        await Awaitable()

    asyncio.run(start())


@place
def async_generator():
    async def start():
        async for _ in numbers():
            pass

    asyncio.run(start())


@place
def async_comprehension():
    async def start():
        return [stand() async for _ in numbers()]

    asyncio.run(start())


@place
def async_generator_expression():
    async def start():
        return [value async for value in (stand() async for _ in numbers())]

    asyncio.run(start())


@place
def async_with():
    class Manager:
        async def __aenter__(self):
            await asyncio.sleep(0)
            stand()

        async def __aexit__(self, *_):
            pass

    async def start():
        async with Manager():
            pass

    asyncio.run(start())


# --- lambdas, exec, decorators, callbacks from C ----------------------------------------


@place
def lambda_():
    (lambda: stand())()


@place
def executed_code():
    execute("\n\ndef made():\n    x = 1\n    stand()\n\nmade()\n")


@place
def evaluated_expression():
    eval(compile("(lambda n: stand(n))(\n 1)", "<expression>", "eval"))


def before_replacement():
    before_replacement.__code__ = after_replacement.__code__
    stand()


def after_replacement():
    pass


ORIGINAL = before_replacement.__code__


@place
def code_replaced_while_it_runs():
    before_replacement.__code__ = ORIGINAL
    before_replacement()


@place
def imported_module():
    import importlib.abc
    import importlib.machinery

    class Loader(importlib.abc.Loader):
        def exec_module(self, module):
            exec(compile("x = 1\nstand()\n", "<module of no file>", "exec"), {"stand": stand})

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == "module_of_no_file":
                return importlib.machinery.ModuleSpec(name, Loader())
            return None

    sys.meta_path.insert(0, Finder())
    import module_of_no_file  # noqa: F401


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@logged
@logged
def decorated():
    stand()


@place
def decorators():
    decorated()


@place
def cached():
    @functools.lru_cache()
    def compute(n):
        return stand(n)

    compute(1)


@place
def sorted_key():
    sorted([3, 1, 2], key=lambda value: stand(value))


@place
def reduced():
    functools.reduce(lambda a, b: stand(a, b), [1, 2, 3])


@place
def mapped():
    list(map(stand, [1, 2]))


@place
def filtered():
    def wanted(value):
        return stand(value)

    list(filter(wanted, [1, 2]))


@place
def partial_call():
    functools.partial(stand, 1)()


@place
def substitution():
    re.sub("a", lambda match: str(stand(match)), "xax")


@place
def weak_reference_callback():
    class Thing:
        pass

    thing = Thing()
    reference = weakref.ref(thing, lambda _: stand())
    del thing
    return reference


@place
def callbacks_in_callbacks():
    def compare(a, b):
        return max([a, b], key=lambda value: functools.reduce(lambda x, y: stand(), [value, 1]))

    sorted([2, 1], key=functools.cmp_to_key(compare))


@place
def traced():
    def tracer(frame, event, argument):
        return tracer

    def watched():
        value = 1
        stand(value)

    sys.settrace(tracer)
    watched()


# --- exceptions in flight -----------------------------------------------------------------


def failing():
    raise ValueError("on purpose")


@place
def in_except():
    try:
        failing()
    except ValueError as error:
        str(error)
        stand()


@place
def in_finally():
    with contextlib.suppress(ValueError):
        try:
            failing()
        finally:
            stand()


@place
def in_nested_except():
    try:
        try:
            failing()
        except ValueError as error:
            raise KeyError("second") from error
    except KeyError:
        try:
            failing()
        except ValueError:
            stand()


@place
def in_exit_of_with():
    class Exit:
        def __enter__(self):
            pass

        def __exit__(self, *_):
            return not stand()

    with Exit():
        failing()


@place
def in_exception_group():
    if sys.version_info < (3, 11):
        return stand()  # no such syntax before
    source = """
def grouped():
    try:
        raise ExceptionGroup("two", [ValueError(1), KeyError(2)])
    except* ValueError:
        pass
    except* KeyError as group:
        str(group)
        stand()

grouped()
"""
    return execute(source, "<group>")


# --- names, lines, columns ------------------------------------------------------------------


@place
def names_outside_ascii():
    def größe_überprüfen():  # a byte a character
        class Πρώτη:  # two bytes
            def 方法(self):
                def 𠀀𠀁():  # four bytes
                    stand()

                𠀀𠀁()

        Πρώτη().方法()

    größe_überprüfen()


@place
def file_names_outside_ascii():
    source = "def f():\n    stand()\nf()\n"
    stand_deeper = execute("def g(f):\n    f()\n", "/tmp/größe/πρώτη.py")["g"]
    stand_deeper(lambda: execute(source, "/tmp/文件/\U0001f600 a b;c.py"))


@place
def expression_over_lines():
    return max(
        len("one"),
        abs(
            -2
        ), stand(
            1,
            2
        ) + len(
            "three"
        ),
    )


@place
def call_chain_over_lines():
    class Query:
        def where(self, value):
            return self

        def run(self):
            return stand()

    return (
        Query()
        .where(
            1
        )
        .run()
    )


@place
def columns_after_wide_characters():
    return ("größe 文件 😀", stand())


@place
def column_beyond_a_byte():
    return execute("def f(x):\n    return (%s, stand())\nf(1)\n" % ", ".join(["x"] * 120))


def long_source(lines, wait_at):
    body = ["    n = n + 1"] * lines
    body[wait_at] = "    stand()"
    return "def long_function(n):\n%s\n    return n\n\nlong_function(0)\n" % "\n".join(body)


@place
def long_line_table():
    source = long_source(24000, 12345)
    names = execute(source, "<long>")
    return names


MIDDLE_LINE = 12348


@place
def long_line_table_spinning():
    body = ["    n = n + 1"] * 24000
    body[MIDDLE_LINE - 3] = "    stand()"
    body[MIDDLE_LINE - 2] = "    while clock() < end: n = n + 1"
    source = "def long_middle(n, clock, end):\n%s\n" % "\n".join(body)
    function = execute(source, "<long middle>")["long_middle"]
    function(0, time.thread_time, SPINNING and time.thread_time() + 8 * SPIN_S)


@place
def lines_far_apart():
    return execute("def far():\n    x = 1\n%s    stand()\n%sfar()\n" % ("\n" * 5000, "\n" * 70000))


# --- depth -------------------------------------------------------------------------------------


def descend(depth):
    if depth == 0:
        return stand()
    return descend(depth - 1)


@place
def recursion_of_10000():
    descend(10000)


def descend_through_c(depth):
    if depth == 0:
        return stand()
    return sum(map(descend_through_c, [depth - 1]))


@place
def recursion_through_c():
    descend_through_c(200)


def wide(depth):
    a = b = c = d = e = f = g = h = i = j = depth
    if depth == 0:
        stand()
    else:
        wide(depth - 1)
    return a, b, c, d, e, f, g, h, i, j


@place
def several_chunks():
    wide(600)


# --- threads ---------------------------------------------------------------------------------------


@place
def thread_renamed():
    threading.current_thread().name = "später umbenannt"
    stand()


@place
def thread_with_a_long_name():
    threading.current_thread().name = "工" * 100
    stand()


class Worker(threading.Thread):
    def run(self):
        PLACES[self.place]()


def stand_in_all():
    for name in PLACES:
        worker = Worker(name="%s ß→%s" % (name, len(FACTS)), daemon=True)
        worker.place = name
        worker.start()
        deadline = time.monotonic() + 20
        while all(known["place"] != name for known in FACTS):
            if not worker.is_alive() or time.monotonic() > deadline:
                sys.exit("%s never stood" % name)
            time.sleep(0.001)
    print("READY", flush=True)
    print("FACTS " + json.dumps(FACTS), flush=True)
    sys.stdin.readline()


def spin_in_all(seconds):
    end = time.thread_time() + seconds
    rounds = 0
    print("READY", flush=True)
    while time.thread_time() < end or rounds < 3:
        rounds += 1
        for name, go_there in PLACES.items():
            if not name.startswith("thread_"):
                PLACE[0] = name
                SPUN.setdefault(name, [])
                go_there()
                sys.settrace(None)
    print("FACTS " + json.dumps(SPUN), flush=True)


def main():
    sys.setrecursionlimit(30000)
    threading.stack_size(256 << 20)
    if not SPINNING:
        return stand_in_all()
    worker = threading.Thread(target=spin_in_all, args=[float(sys.argv[2])])
    worker.start()
    worker.join()


main()
