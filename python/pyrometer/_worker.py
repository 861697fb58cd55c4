"""Runs inside the user's interpreter: loads what is measured and runs blocks of it when asked.

One file without dependencies, for CPython 3.8 to 3.15 and PyPy. src/bench/worker.c starts an
interpreter with this text and asks over two pipes; `pyrometer.bench` uses the same classes in its
own process. A benchmark may print, read or close the standard streams: they are not ours.

One request is one line, and so is its reply; texts are in hexadecimal, so that no byte of them
can end a line. Times are whole nanoseconds.

  load KIND TEXT SETUP NAME GC   -> k VERSION IMPLEMENTATION OVERHEAD KIND UNIT
  list TEXT                      -> one `i NAME KIND UNIT PARAMS` for each, then `I COUNT`
  b LOOPS                        -> b WALL CPU CAUSES VALUE      (a block; VALUE "-": none)
  o RATE COUNT                   -> lines `l LATENCY...`, then `L COUNT`   (an open-loop load)
  c                              -> c CALLS BYTECODES MODULES    (one call, counted; -1 unknown)
  p                              -> p                            (nothing: what asking costs)
  q                              -> q MODULES COLLECTIONS        (after the teardown)

Instead of a reply: `e PHASE MESSAGE` (it raised). Before one: `n NOTE` (it moved the directory,
it forked and its child came back).
"""

import gc
import os
import sys
import time
from itertools import repeat

try:
    from resource import RUSAGE_SELF, getrusage
except ImportError:  # a build without it: the causes stay unknown
    getrusage = None

SWITCHED, COLLECTED, FAULTED = 2, 4, 8  # enum bench_cause; the program itself sees steal
MINOR_FAULTS_MANY = 2000  # in one block: 8 MiB that the kernel had to give
OVERHEAD_LOOPS, OVERHEAD_TURNS = 10000, 30
COUNT_SLOWEST_S = 0.5  # a longer call is not run under a callback for each bytecode
CHILD_CAME_BACK_S, CHILD_LOOK_S = 5.0, 0.01
SPIN_S = 0.0002  # a sleep ends this much early, the rest is waited for awake
LATENCIES_A_LINE = 200
ONLY_AST, TOP_LEVEL_AWAIT, IS_COROUTINE = 0x400, 0x2000, 0x80
STATEMENT_FILE = "<statement>"
OWN_FILE = (lambda: 0).__code__.co_filename

# The loop: the frame lives as long as the process, so the setup runs once and the statement's
# names are local variables, as fast as in a function.
LOOP = """
%sdef blocks(_fn, _args, _timer):
    SETUP
    _repeated = yield
    while True:
        _began = _timer()
        for _ in _repeated:
            STATEMENT
        _ended = _timer()
        _repeated = yield _ended - _began
"""
KINDS = ("time", "peakmem", "track")


class Failed(Exception):
    """What was measured raised. `phase`: load, setup, run, teardown."""

    def __init__(self, phase, message):
        Exception.__init__(self, message)
        self.phase, self.message = phase, message


def describe(error):
    """The exception's last line and the innermost place that isn't ours."""
    try:
        text = str(error)
    except Exception:
        text = "(its text raised too)"
    name = type(error).__name__
    if isinstance(error, SystemExit):
        name, text = "it called sys.exit", repr(error.code)
    lines = text.strip().splitlines()
    message = name + (": " + lines[0] if lines else "")
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename != OWN_FILE:
            place = "%s:%d" % (code.co_filename, trace.tb_lineno)
            if code.co_name not in ("blocks", "<module>"):
                place += " in " + code.co_name
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        place = "%s:%s" % (error.filename, error.lineno)
    return message + (" (%s)" % place if place else "")


def guarded(phase, function, *args):
    """Calls it; whatever it raises, an exit too, becomes Failed."""
    try:
        return function(*args)
    except Failed:
        raise
    except BaseException as error:
        raise Failed(phase, describe(error))


# --- the loop -----------------------------------------------------------------


def parsed(text, filename):
    """(statements, whether they await). What could not stand in a function is refused here."""
    try:
        code = compile(text, filename, "exec", TOP_LEVEL_AWAIT)
    except ValueError:  # an interpreter without that flag
        code = compile(text, filename, "exec")
    return compile(text, filename, "exec", ONLY_AST).body, bool(code.co_flags & IS_COROUTINE)


def compile_loop(statement, setup, is_async, filename):
    """The function `blocks` and whether it is asynchronous."""
    setup_body, setup_awaits = parsed(setup, "<setup>")
    body, awaits = parsed(statement, filename)
    is_async = is_async or setup_awaits or awaits
    tree = compile(LOOP % ("async " if is_async else ""), OWN_FILE, "exec", ONLY_AST)
    function = tree.body[0]
    loop = function.body[2].body[1]
    if body:
        loop.body[:] = body
    function.body[0:1] = setup_body
    namespace = {"__name__": "__pyrometer__"}
    exec(compile(tree, filename, "exec"), namespace)
    return namespace["blocks"], is_async


class Loop:
    """Runs a statement, or a function with arguments, a given number of times."""

    def __init__(self, statement, setup="", function=None, args=(), is_async=False):
        filename = OWN_FILE if function else STATEMENT_FILE
        make, self.is_async = guarded(
            "load", compile_loop, statement, setup, is_async, filename
        )
        generator = make(function, args, time.perf_counter_ns)
        if self.is_async:
            import asyncio

            self.loop = asyncio.new_event_loop()

            async def step(repeated):
                return await generator.asend(repeated)

            self.send = lambda repeated: self.loop.run_until_complete(step(repeated))
        else:
            self.send = generator.send
        guarded("setup", self.send, None)
        self.generator = generator

    def close(self):
        """Ends the frame, and the event loop where there is one."""
        if self.is_async:
            if not self.loop.is_closed():
                self.loop.run_until_complete(self.generator.aclose())
                self.loop.close()
        else:
            self.generator.close()

    @classmethod
    def of(cls, function, args):
        names = ["_args[%d]" % i for i in range(len(args))]
        locals_ = ["_a%d" % i for i in range(len(args))]
        setup = "; ".join("%s = %s" % pair for pair in zip(locals_, names))
        is_async = is_coroutine(function)
        call = "%s_fn(%s)" % ("await " if is_async else "", ", ".join(locals_))
        return cls(call, setup, function, args, is_async)


def is_coroutine(function):
    function = getattr(function, "func", function)  # functools.partial
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(getattr(type(function), "__call__", None), "__code__", None)
    return bool(code is not None and code.co_flags & IS_COROUTINE)


# --- what is measured -----------------------------------------------------------


class Target:
    """Something loaded, with its loop. kind: one of KINDS."""

    def __init__(self, loop, kind="time", unit="s", teardown=None, function=None, args=()):
        self.loop, self.kind, self.unit, self.teardown = loop, kind, unit, teardown
        self.function, self.args = function, args
        self.gc_disabled = False
        self.value = None
        thresholds = gc.get_threshold() if hasattr(gc, "get_threshold") else ()
        # Incremental collectors (3.14) work in the middle generation; elsewhere only a full
        # collection lasts long enough to be seen in a value.
        self.heavy = 1 if len(thresholds) == 3 and thresholds[2] == 0 else 2
        self.overhead_ns, self.overhead_cpu_ns = measured_overhead(loop.is_async)

    def run(self, loops):
        """(wall, cpu, causes) of one block: ns, the loop's own share taken off."""
        if self.kind == "track":
            return self.run_track(loops)
        enable = self.gc_disabled and gc.isenabled()
        if enable:
            gc.disable()
        send, repeated = self.loop.send, repeat(None, loops)
        collected = self.collections()
        used = getrusage(RUSAGE_SELF) if getrusage else None
        began = time.process_time_ns()
        wall = send(repeated)
        cpu = time.process_time_ns() - began
        causes = 0
        if used is not None:
            after = getrusage(RUSAGE_SELF)
            if after.ru_nivcsw != used.ru_nivcsw:
                causes |= SWITCHED
            if after.ru_majflt != used.ru_majflt or (
                after.ru_minflt - used.ru_minflt > MINOR_FAULTS_MANY
            ):
                causes |= FAULTED
        if self.collections() != collected:
            causes |= COLLECTED
        if enable:
            gc.enable()
        wall -= int(loops * self.overhead_ns)
        cpu -= int(loops * self.overhead_ns) + self.overhead_cpu_ns
        return max(wall, 1), max(cpu, 0), causes

    def run_track(self, loops):
        began, began_cpu = time.perf_counter_ns(), time.process_time_ns()
        for _ in range(loops):
            self.value = self.function(*self.args)
        wall = time.perf_counter_ns() - began
        if is_coroutine(self.function):
            raise Failed("run", "a track_ benchmark can't be a coroutine function")
        try:
            self.value = float(self.value)
        except (TypeError, ValueError):
            raise Failed("run", "it returned %.60r, which is no number" % (self.value,))
        return max(wall, 1), time.process_time_ns() - began_cpu, 0

    def collections(self):
        """How many that could be felt there were so far."""
        if not hasattr(gc, "get_stats") or not self.heavy:
            return 0
        stats = gc.get_stats()
        try:
            return sum(stats[i]["collections"] for i in range(self.heavy, len(stats)))
        except (TypeError, KeyError):  # PyPy's are something else
            self.heavy = 0
            return 0

    def count(self):
        """(calls, bytecodes) of one call; -1 where that can't be known."""
        began = time.perf_counter()
        self.call_once()
        lasted = time.perf_counter() - began
        was_enabled = gc.isenabled()
        gc.collect()
        gc.disable()  # a collection would come at another moment each time
        try:
            empty = Loop("pass", is_async=self.loop.is_async) if self.loop else None
            calls = counted_calls(self.call_once) - counted_calls(
                (lambda: empty.send(repeat(None, 1))) if empty else (lambda: None)
            )
            bytecodes = -1
            if lasted < COUNT_SLOWEST_S and hasattr(sys, "monitoring"):
                bytecodes = counted_bytecodes(self.call_once)
        finally:
            if was_enabled:
                gc.enable()
        return max(calls, 0), bytecodes

    def call_once(self):
        if self.kind == "track":
            self.function(*self.args)
        else:
            self.loop.send(repeat(None, 1))


class opened:
    """A function as a target for as long as a with block lasts, in a process that is not ours."""

    def __init__(self, function, args):
        self.target = Target(Loop.of(function, args), function=function, args=args)

    def __enter__(self):
        return self.target

    def __exit__(self, *raised):
        self.target.loop.close()


def measured_overhead(is_async):
    """(ns a loop, CPU ns a block) of a loop that does nothing: the least of many turns."""
    empty = Loop("pass", is_async=is_async)
    least = least_cpu = None
    for _ in range(OVERHEAD_TURNS):
        wall = empty.send(repeat(None, OVERHEAD_LOOPS))
        least = wall if least is None or wall < least else least
        began = time.process_time_ns()
        empty.send(repeat(None, 0))
        cpu = time.process_time_ns() - began
        least_cpu = cpu if least_cpu is None or cpu < least_cpu else least_cpu
    empty.close()
    return least / OVERHEAD_LOOPS, least_cpu


def counted_calls(function):
    count = [0]

    def profiler(frame, event, arg):
        if event == "call" or event == "c_call":
            count[0] += 1

    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count[0]


def counted_bytecodes(function):
    """Bytecodes of Python code other than this file's, of all threads."""
    monitoring = sys.monitoring
    tool = next((i for i in (4, 3, 5, 2, 1, 0) if monitoring.get_tool(i) is None), None)
    if tool is None:
        return -1
    count = [0]

    def seen(code, offset):
        if code.co_filename == OWN_FILE and code.co_name != "blocks":
            return monitoring.DISABLE
        count[0] += 1

    monitoring.use_tool_id(tool, "pyrometer")
    try:
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, seen)
        monitoring.restart_events()
        monitoring.set_events(tool, monitoring.events.INSTRUCTION)
        function()
    finally:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, None)
        monitoring.free_tool_id(tool)
    return count[0]


# --- loading --------------------------------------------------------------------


def load_function(text):
    module, _, name = text.partition(":")
    if not module or not name:
        raise Failed("load", "`%s` is not module:function" % text)
    found = guarded("load", __import__, module)
    found = sys.modules[module]
    for part in name.split("."):
        if not hasattr(found, part):
            raise Failed("load", "`%s` has no `%s`" % (getattr(found, "__name__", module), part))
        found = getattr(found, part)
    if not callable(found):
        raise Failed("load", "`%s` is a %s, not a function" % (text, type(found).__name__))
    return Target(Loop.of(found, ()), function=found)


def load_module(path):
    """A module from a file, known by the file's name, its folder first in sys.path."""
    folder, base = os.path.split(os.path.abspath(path))
    name = base[:-3] if base.endswith(".py") else base
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with open(path, "rb") as file:
        source = file.read()
    module = type(sys)(name)
    module.__file__ = os.path.join(folder, base)
    sys.modules[name] = module
    exec(compile(source, path, "exec"), module.__dict__)
    return module


class Found:
    """One benchmark of a file, with one combination of its params."""

    def __init__(self, name, kind, holder, function, params, names):
        self.base, self.kind, self.holder, self.function = name, kind, holder, function
        self.params, self.names = params, names
        text = ", ".join("%s=%s" % pair for pair in zip(names, map(shown, params)))
        self.name = "%s(%s)" % (name, text) if params else name


def shown(value):
    """A parameter as text; what has no text of its own that stays the same has its name."""
    name = getattr(value, "__qualname__", None)
    text = name if isinstance(name, str) else repr(value)
    return text if len(text) <= 200 else text[:199] + "\u2026"


def kind_of(name):
    for prefix, kind in (("time_", "time"), ("bench_", "time"), ("peakmem_", "peakmem"),
                         ("track_", "track")):
        if name.startswith(prefix):
            return kind
    return None


def combinations(*holders):
    """(names, every combination) of the first params there are, as asv has them."""
    params = next((h.params for h in holders if getattr(h, "params", None)), None)
    if not params:
        return [], [()]
    names = next((h.param_names for h in holders if getattr(h, "param_names", None)), [])
    if isinstance(params, dict):
        names, params = list(params), list(params.values())
    elif not isinstance(params[0], (tuple, list)):
        params = [params]
    names = list(names)[: len(params)]
    names += ["param%d" % (i + 1) for i in range(len(names), len(params))]
    found = [()]
    for values in params:
        found = [before + (value,) for before in found for value in values]
    return names, found


def found_in(module):
    """Every benchmark of a module, in the order of the file."""
    result = []
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, type) and not name.startswith("_"):
            for method in methods_of(value):
                function = getattr(value, method)
                names, all_params = combinations(function, value)
                result += [
                    Found("%s.%s" % (name, method), kind_of(method), value, method, p, names)
                    for p in all_params
                ]
        elif callable(value) and not isinstance(value, type) and kind_of(name):
            names, all_params = combinations(value)
            result += [Found(name, kind_of(name), None, value, p, names) for p in all_params]
    return result


def methods_of(holder):
    seen = []
    for parent in reversed(holder.__mro__):
        for name, value in vars(parent).items():
            if kind_of(name) and callable(getattr(holder, name, None)) and name not in seen:
                seen.append(name)
    return seen


def choose(path, name):
    module = guarded("load", load_module, path)
    found = guarded("load", found_in, module)
    for one in found:
        if one.name == name:
            return module, one
    raise Failed("load", "%s has no benchmark `%s`" % (path, name))


def load_file(path, name):
    module, one = choose(path, name)
    args, holders = one.params, [module]
    function = one.function
    if one.holder is not None:
        holder = guarded("setup", one.holder)
        function = getattr(holder, one.function)
        holders.append(holder)
    holders.append(function)
    for holder in holders:
        cache = getattr(holder, "setup_cache", None)
        if cache is not None:
            args = (guarded("setup", cache),) + args
            break
    for holder in holders:
        setup = getattr(holder, "setup", None)
        if callable(setup):
            try:
                setup(*accepted(setup, args))
            except NotImplementedError:
                raise Failed("setup", "left out: its setup raised NotImplementedError")
            except BaseException as error:
                raise Failed("setup", describe(error))
    unit = {"time": "s", "peakmem": "bytes"}.get(one.kind) or str(
        getattr(function, "unit", None) or getattr(holders[-2], "unit", None) or "unit"
    )
    teardowns = [getattr(h, "teardown", None) for h in reversed(holders)]

    def teardown():
        for each in filter(callable, teardowns):
            each(*accepted(each, args))

    loop = None if one.kind == "track" else Loop.of(function, args)
    return Target(loop or Loop("pass"), one.kind, unit, teardown, function, args)


def accepted(function, args):
    """A module's setup may take no params where its benchmarks have some."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None or code.co_flags & 4:
        return args
    return args[: code.co_argcount - (1 if hasattr(function, "__self__") else 0)]


# --- the open-loop load -----------------------------------------------------------


def planned_starts(rate, count):
    return [int(i * 1e9 / rate) for i in range(count)]


def run_load(target, rate, count):
    """Latencies in ns, each from the start that was planned: a request that had to wait because
    an earlier one stalled has waited, and that is part of what its user sees. A coroutine
    function is started at its time whatever the others do; anything else is one server."""
    if target.kind != "time":
        raise Failed("run", "a load needs something that takes time, not a %s_" % target.kind)
    if target.function is not None and is_coroutine(target.function):
        return target.loop.loop.run_until_complete(run_load_async(target, rate, count))
    once = target.loop.send
    latencies = []
    clock, began = time.perf_counter_ns, time.perf_counter_ns() + 10**6
    for start in planned_starts(rate, count):
        wait_until(began + start)
        once(repeat(None, 1))
        latencies.append(clock() - began - start)
    return latencies


def wait_until(instant_ns):
    left = (instant_ns - time.perf_counter_ns()) / 1e9
    if left > SPIN_S:
        time.sleep(left - SPIN_S)
    while time.perf_counter_ns() < instant_ns:
        pass


async def run_load_async(target, rate, count):
    import asyncio

    clock, began = time.perf_counter_ns, time.perf_counter_ns() + 10**6
    latencies = [0] * count

    async def one(i, start):
        await target.function(*target.args)
        latencies[i] = clock() - began - start

    tasks = []
    for i, start in enumerate(planned_starts(rate, count)):
        left = (began + start - clock()) / 1e9
        # Behind the plan the others still get their turn.
        await asyncio.sleep(left if left > 0 else 0)
        tasks.append(asyncio.ensure_future(one(i, start)))
    for task in tasks:
        await task
    return latencies


def interpreter():
    """("3.13.0", "CPython")"""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[3] != "final":
        version += {"alpha": "a", "beta": "b", "candidate": "rc"}[sys.version_info[3]]
        version += str(sys.version_info[4])
    names = {"cpython": "CPython", "pypy": "PyPy"}
    return version, names.get(sys.implementation.name, sys.implementation.name)


# --- the conversation ---------------------------------------------------------------


def to_hex(text):
    return text.encode("utf-8", "backslashreplace").hex() or "-"


def from_hex(word):
    return "" if word == "-" else bytes.fromhex(word).decode("utf-8", "surrogateescape")


def has_children():
    if not hasattr(os, "waitid"):  # PyPy: nobody but the benchmark itself can know
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


class Conversation:
    def __init__(self, request_fd, reply_fd):
        self.request_fd, self.reply_fd = request_fd, reply_fd
        os.set_inheritable(request_fd, False)
        os.set_inheritable(reply_fd, False)
        self.received = b""
        self.pid = os.getpid()
        self.folder = os.getcwd()
        self.modules = set(sys.modules)
        self.target = None
        self.reserve = bytearray(1 << 20)  # given back to tell of a MemoryError
        self.forked = False
        self.came_back, self.child_end = os.pipe()
        os.register_at_fork(after_in_parent=self.note_fork)
        self.noted = set()
        self.requests = {
            "load": self.load, "list": self.list, "b": self.block, "o": self.load_test,
            "c": self.count, "p": self.ping, "q": self.quit,
        }

    def note_fork(self):
        self.forked = True

    def write(self, text):
        data = memoryview(text.encode() + b"\n")
        while len(data):
            data = data[os.write(self.reply_fd, data):]

    def note(self, text):
        if text not in self.noted:
            self.noted.add(text)
            self.write("n " + to_hex(text))

    def serve(self):
        while True:
            while b"\n" not in self.received:
                got = os.read(self.request_fd, 65536)
                if not got:
                    return
                self.received += got
            line, _, self.received = self.received.partition(b"\n")
            words = line.decode().split(" ")
            try:
                reply = self.requests[words[0]](*words[1:])
                self.after()
            except Failed as failed:
                self.after()
                reply = "e %s %s" % (failed.phase, to_hex(failed.message))
            except BaseException as error:
                del self.reserve
                self.after()
                reply = "e run " + to_hex(describe(error))
                self.reserve = b""
            self.write(reply)

    def after(self):
        """What the benchmark did to its process, put right and told."""
        if os.getpid() != self.pid:
            os.write(self.child_end, b"!")
            os._exit(0)
        if self.forked:
            self.look_for_children()
        try:
            moved = os.getcwd() != self.folder
        except OSError:
            moved = True
        if moved:
            os.chdir(self.folder)
            self.note("changes the working directory (put back after each block)")

    def look_for_children(self):
        """A child that returns from what is measured would measure on, beside us. Once, there is
        time for it to come; a benchmark that has waited for its children need not wait again."""
        import select

        self.forked = False
        deadline = 0.0
        if "forks" not in self.noted:
            self.noted.add("forks")
            deadline = time.monotonic() + CHILD_CAME_BACK_S
        while True:
            if select.select([self.came_back], [], [], CHILD_LOOK_S if deadline else 0)[0]:
                raise Failed(
                    "run", "it forks, and the child comes back from it (os._exit is missing)"
                )
            if time.monotonic() >= deadline or not has_children():
                return

    def load(self, kind, text, setup, name, gc_disabled):
        text, setup, name = from_hex(text), from_hex(setup), from_hex(name)
        if kind == "function":
            self.target = load_function(text)
        elif kind == "statement":
            self.target = Target(Loop(text, setup))
        else:
            self.target = load_file(text, name)
        self.target.gc_disabled = gc_disabled == "1"
        self.forked = False  # a setup may start its helpers
        version, implementation = interpreter()
        return "k %s %s %d %s %s" % (
            to_hex(version), to_hex(implementation), self.target.overhead_ns * 1000,
            self.target.kind, to_hex(self.target.unit),
        )

    def list(self, text):
        path = from_hex(text)
        module = guarded("load", load_module, path)
        found = guarded("load", found_in, module)
        for one in found:
            unit = {"time": "s", "peakmem": "bytes"}.get(one.kind)
            function = getattr(one.holder, one.function) if one.holder else one.function
            unit = unit or str(
                getattr(function, "unit", None) or getattr(one.holder, "unit", None) or "unit"
            )
            words = [to_hex(one.name), one.kind, to_hex(unit)]
            for name, value in zip(one.names, one.params):
                words += [to_hex(str(name)), to_hex(shown(value))]
            self.write("i " + " ".join(words))
        return "I %d" % len(found)

    def block(self, loops):
        target = self.target
        wall, cpu, causes = target.run(int(loops))
        value = "-" if target.value is None else repr(target.value)
        return "b %d %d %d %s" % (wall, cpu, causes, value)

    def load_test(self, rate, count):
        latencies = guarded("run", run_load, self.target, float(rate), int(count))
        for i in range(0, len(latencies), LATENCIES_A_LINE):
            self.write("l " + " ".join(map(str, latencies[i : i + LATENCIES_A_LINE])))
        return "L %d" % len(latencies)

    def count(self):
        calls, bytecodes = guarded("run", self.target.count)
        return "c %d %d %d" % (calls, bytecodes, len(set(sys.modules) - self.modules))

    def ping(self):
        return "p"

    def quit(self):
        modules = len(set(sys.modules) - self.modules)
        if self.target is not None and self.target.teardown is not None:
            guarded("teardown", self.target.teardown)
        collections = -1
        if hasattr(gc, "get_stats"):
            try:
                collections = sum(each["collections"] for each in gc.get_stats())
            except (TypeError, KeyError):
                pass
        return "q %d %d" % (modules, collections)


def main(request_fd, reply_fd):
    sys.argv[:] = ["-c"]
    if sys.path and sys.path[0] == "":
        sys.path[0] = os.getcwd()
    Conversation(request_fd, reply_fd).serve()
