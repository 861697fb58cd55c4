"""The probe of `pyrometer imports`: runs a program in its own interpreter and writes down what it
imports, what each import costs, and what of it is used.

Built into the program as text (src/bench/embedded.h) and run by `python -c`; not part of the
package's interface. The text is compiled under importlib's own file name, so that the interpreter
leaves our frames out of tracebacks as it does importlib's. It imports nothing that was not there,
puts nothing into sys.modules, builtins, sys.meta_path or the environment, and works on CPython 3.8
to 3.15 and PyPy.

What it hooks: importlib._bootstrap._find_and_load, through which every module passes that is not in
sys.modules yet; importlib._bootstrap._call_with_frames_removed, which runs a module's body and its
compilation; the name `_os` of importlib._bootstrap_external, to count its stats; and an audit hook
for files opened and for side effects while a module is being imported.

The clock stops while the probe itself works: each thread keeps the time that the probe took, and
every interval has it taken off.

What is written: one line a record, fields with tabs between them, as src/bench/imports_events.h
says.
"""

import sys

before = frozenset(sys.modules)
posix = sys.modules["posix"]
bootstrap = sys.modules["_frozen_importlib"]
external = sys.modules["_frozen_importlib_external"]
get_ident = sys.modules["_thread"].get_ident
time = __import__("time")
clock = time.monotonic_ns
thread_clock = getattr(time, "thread_time_ns", None)
modules = sys.modules
getframe = sys._getframe
real_find_and_load = bootstrap._find_and_load
real_call = bootstrap._call_with_frames_removed
run_code = exec
compile_code = compile
loaders_of_code = {bootstrap._imp.create_dynamic, bootstrap._imp.exec_dynamic}

CO_OPTIMIZED = 1  # set for functions, not for the bodies of modules and classes
WORK_PER_MODULE_MAX = 20
TEXT_MAX = 1000
OWN_CALLS_MAX = 50
LINES_PER_MODULE_MAX = 200
# Audit events that a module's body causes by doing work, and what of the arguments is told: none
# of the values that may hold a secret.
WORK = {
    "open": 0,
    "os.listdir": 0,
    "os.scandir": 0,
    "os.system": None,
    "os.exec": 0,
    "os.posix_spawn": 0,
    "os.fork": None,
    "subprocess.Popen": 0,
    "socket.connect": 1,
    "socket.bind": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "sqlite3.connect": 0,
    "ctypes.dlopen": 0,
    "mmap.__new__": None,
    "time.sleep": 0,
    "_thread.start_new_thread": None,
    "glob.glob": 0,
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rename": 0,
    "tempfile.mkstemp": 0,
    "tempfile.mkdtemp": 0,
}


class Thread:
    """One thread's imports in progress, and the time that the probe took in it."""

    __slots__ = ("stack", "taken", "number")

    def __init__(self, number):
        self.stack = []
        self.taken = 0
        self.number = number


class Record:
    """One import: times in ns, without what the probe took."""

    __slots__ = (
        "number parent name top start taken_at_start total children body body_children compile"
        " cpu rss_before rss_after stats files opened work work_count place module_level lazy how"
        " error running code lines thread compiled"
    ).split()


def taken_from(waiting):
    """All items of a list to which other threads append."""
    taken = []
    while waiting:
        try:
            taken.append(waiting.pop())
        except IndexError:
            break
    taken.reverse()
    return taken


class Out:
    """Where records go: a descriptor that is ours as long as it is the same file."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.identity = posix.fstat(descriptor)[1:3]
        self.waiting = []
        posix.set_inheritable(descriptor, False)

    def line(self, *fields):
        self.waiting.append("\t".join(map(quoted, fields)))

    def flush(self):
        lines = taken_from(self.waiting)
        if not lines or self.descriptor < 0:
            return
        data = ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
        try:
            # The program may have closed every descriptor and opened its own under our number.
            if posix.fstat(self.descriptor)[1:3] != self.identity:
                raise OSError
            while data:
                data = data[posix.write(self.descriptor, data) :]
        except (OSError, UnicodeError):
            self.descriptor = -1

    def close_in_child(self):
        """A forked child goes its own way: what it imports is not this program's."""
        self.descriptor = -1


def quoted(value):
    """A field: no tab and no end of line in it; None is a lone '-', absent."""
    if value is None:
        return "-"
    text = str.__str__(value) if isinstance(value, str) else repr(value)
    text = text[:TEXT_MAX]
    if "\t" in text or "\n" in text or "%" in text or "\r" in text or text == "-":
        for character, code in (("%", "%25"), ("\t", "%09"), ("\n", "%0A"), ("\r", "%0D")):
            text = text.replace(character, code)
        if text == "-":
            text = "%2D"
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeError:
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def plain(value):
    """What may be told of an argument: never a repr of somebody else's class."""
    if type(value) in (str, int, float):
        return str(value)
    if type(value) is bytes:
        return value.decode("utf-8", "replace")
    if type(value) is tuple:
        return ":".join(plain(part) for part in value[:2])
    return "?"


def open_at(path, wanted):
    """A descriptor to read from: out of the way of a program that counts on the numbers of its
    own, where that number is free."""
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        posix.fstat(wanted)
    except OSError:
        try:
            posix.dup2(descriptor, wanted, False)
        except OSError:
            return descriptor
        posix.close(descriptor)
        return wanted
    return descriptor


# --- memory -------------------------------------------------------------------------------------


class Memory:
    """The process's resident memory, from /proc/self/statm kept open."""

    def __init__(self, wanted_descriptor):
        self.descriptor = -1
        try:
            self.page = posix.sysconf("SC_PAGE_SIZE")
            self.descriptor = open_at("/proc/self/statm", wanted_descriptor)
        except OSError:
            pass

    def resident(self):
        if self.descriptor < 0:
            return None
        try:
            return int(posix.pread(self.descriptor, 128, 0).split()[1]) * self.page
        except (OSError, ValueError, IndexError):
            self.descriptor = -1  # closed, or somebody else's by now
            return None


# --- what of a module ran after its import ------------------------------------------------------


def functions_in(code):
    """The code objects of functions anywhere in a module's body; not the bodies of classes, and not
    comprehensions, which run where they stand."""
    found, todo = [], [code]
    while todo:
        for constant in todo.pop().co_consts:
            if type(constant) is type(code):
                todo.append(constant)
                name = constant.co_name
                if constant.co_flags & CO_OPTIMIZED and (name[0] != "<" or name == "<lambda>"):
                    found.append(constant)
    return found


class Nothing:
    """No way to know."""

    method = "unknown"

    def body_begins(self, record):
        pass

    def package_done(self, top):
        pass

    def used(self):
        return {}


class Monitoring(Nothing):
    """CPython 3.12+: sys.monitoring tells the first start of each function, then is silent."""

    method = "sys.monitoring"

    def __init__(self):
        self.monitoring = sys.monitoring
        self.tool = [i for i in (4, 3) if self.monitoring.get_tool(i) is None][0]
        self.monitoring.use_tool_id(self.tool, "pyrometer")
        self.file_of = {}  # co_filename → (module, its top package)
        self.watched = {}  # module → has functions at all
        self.ran = set()
        self.own_calls = {}
        self.packages_to_restart = set()
        start = self.monitoring.events.PY_START
        self.monitoring.register_callback(self.tool, start, self.started)
        self.monitoring.set_events(self.tool, start)

    def started(self, code, _offset):
        disable = self.monitoring.DISABLE
        owner = self.file_of.get(code.co_filename)
        if owner is None or owner[0] in self.ran or not code.co_flags & CO_OPTIMIZED:
            return disable
        if owner[1] in in_progress:
            # Its package is being imported: a call now is no use yet, but a later one is.
            calls = self.own_calls.get(id(code), 0) + 1
            self.own_calls[id(code)] = calls
            if calls < OWN_CALLS_MAX:
                return None
            self.packages_to_restart.add(owner[1])
            return disable
        self.ran.add(owner[0])
        return disable

    def body_begins(self, record):
        self.file_of[record.code.co_filename] = (record.name, record.top)
        self.watched[record.name] = bool(functions_in(record.code))

    def package_done(self, top):
        if top in self.packages_to_restart:
            self.packages_to_restart.discard(top)
            self.monitoring.restart_events()

    def used(self):
        return {
            name: "yes" if name in self.ran else "no" if has_functions else "unknown"
            for name, has_functions in self.watched.items()
        }


# Where CPython keeps how often a code object ran, in x86-64 release builds: offset in PyCodeObject,
# size, and the value at which it stands still.
COUNTERS = {
    (3, 8): (168, 4, 1024),  # co_opcache_flag
    (3, 9): (168, 4, 1024),
    (3, 10): (168, 4, 1024),
    (3, 11): (52, 2, 0),  # co_warmup, from −8 up to 0
}


class Counters(Nothing):
    """CPython 3.8 to 3.11: the interpreter's own run counters, read from our own memory. They cost
    the program nothing. Tried out before they are trusted."""

    method = "run counters"

    def __init__(self, wanted_descriptor):
        self.offset, self.size, self.full = COUNTERS[sys.version_info[:2]]
        self.memory = open_at("/proc/self/mem", wanted_descriptor)
        self.waiting = {}  # top package → [(module, code)]
        self.before = []  # (module, code, value when its package's import was done)

        def tried():
            return None

        values = [self.read(tried.__code__)]
        for _ in range(3):
            tried()
            values.append(self.read(tried.__code__))
        if None in values or [value - values[0] for value in values] != [0, 1, 2, 3]:
            raise ValueError("not the counters that we know")
        self.tried = tried

    def read(self, code):
        """None: the program has closed our descriptor, or the like."""
        try:
            data = posix.pread(self.memory, self.size, id(code) + self.offset)
        except OSError:
            return None
        return int.from_bytes(data, "little", signed=True) if len(data) == self.size else None

    def is_sound(self):
        """The descriptor may be somebody else's file by now: is the known count still there?"""
        before = self.read(self.tried.__code__)
        self.tried()
        after = self.read(self.tried.__code__)
        return None not in (before, after) and after == min(before + 1, self.full)

    def body_begins(self, record):
        found = functions_in(record.code)
        waiting = self.waiting.setdefault(record.top, [])
        waiting += [(record.name, code) for code in found] or [(record.name, None)]

    def package_done(self, top):
        for name, code in self.waiting.pop(top, ()):
            self.before.append((name, code, None if code is None else self.read(code)))

    def used(self):
        if not self.is_sound():
            return {}
        for top in list(self.waiting):
            self.package_done(top)
        result = {}
        for name, code, before in self.before:
            known = result.setdefault(name, "no")
            if code is None or before is None or before == self.full:
                if known == "no":
                    result[name] = "unknown"
            elif self.read(code) != before:
                result[name] = "yes"
        return result


def watcher(wanted_descriptor):
    try:
        if sys.implementation.name != "cpython":
            return Nothing()
        if hasattr(sys, "monitoring"):
            return Monitoring()
        return Counters(wanted_descriptor)
    except (OSError, ValueError, KeyError, IndexError, AttributeError):
        return Nothing()


# --- slow lines of a body -----------------------------------------------------------------------


class Lines:
    """Times each line of a module's body: sys.monitoring where there is one, sys.settrace before.
    The time of nested imports is theirs, not the line's."""

    def __init__(self):
        self.tool = None
        if hasattr(sys, "monitoring"):
            self.tool = [i for i in (4, 3) if sys.monitoring.get_tool(i) in (None, "pyrometer")][0]
            if sys.monitoring.get_tool(self.tool) is None:
                sys.monitoring.use_tool_id(self.tool, "pyrometer")
            line = sys.monitoring.events.LINE
            sys.monitoring.register_callback(self.tool, line, self.on_line)
        self.bodies = {}  # id of a code object → its record

    def begin(self, record):
        record.lines = {}
        self.bodies[id(record.code)] = record
        record.running = [None, 0, 0, 0]
        if self.tool is not None:
            sys.monitoring.set_local_events(
                self.tool, record.code, sys.monitoring.events.LINE
            )
        elif sys.gettrace() is None:
            sys.settrace(self.on_call)

    def end(self, record, now):
        self.charge(record, None, now)
        del self.bodies[id(record.code)]
        if self.tool is not None:
            sys.monitoring.set_local_events(self.tool, record.code, 0)
        elif not self.bodies and sys.gettrace() == self.on_call:
            sys.settrace(None)

    def charge(self, record, line, now):
        thread = threads[record.thread]
        last, since, children, taken = record.running
        if last is not None:
            spent = now - since - (record.children - children) - (thread.taken - taken)
            row = record.lines.setdefault(last, [0, 0])
            row[0] += spent
            row[1] += 1
        ended = clock()
        if line is not None:
            thread.taken += ended - now
        record.running = [line, ended, record.children, thread.taken]

    def on_line(self, code, line):
        record = self.bodies.get(id(code))
        if record is not None:
            self.charge(record, line, clock())

    def on_call(self, frame, event, _argument):
        return self.on_trace if id(frame.f_code) in self.bodies else None

    def on_trace(self, frame, event, _argument):
        record = self.bodies.get(id(frame.f_code))
        if record is not None and event == "line":
            self.charge(record, frame.f_lineno, clock())
        return self.on_trace


# --- imports ------------------------------------------------------------------------------------

threads = {}
in_progress = {}  # top package → imports of it that are in progress
importing = {}  # module → thread that imports it
finished = []  # records that wait to be written
count = 0
ours = set()  # what we had to import into sys.modules
running = False  # the program itself has begun
IMPORT_NAME = None
lazy_at_start = set(getattr(sys, "lazy_modules", ()))


def find_import_opcode():
    """Which opcode an eager import has: to tell it from the use of a lazy one."""
    found = []

    def look(*_arguments):
        frame = getframe(1)
        found.append(frame.f_code.co_code[frame.f_lasti])

    exec("import x", {"__builtins__": {"__import__": look}})
    return found[0]


def thread_now():
    ident = get_ident()
    thread = threads.get(ident)
    if thread is None:
        thread = threads[ident] = Thread(len(threads))
    return thread, ident


def importer(frame):
    """(file, line, function, at module level?, how, frame) of who imports."""
    how = "import"
    while frame is not None:
        name = frame.f_code.co_filename
        if "frozen importlib" in name:
            pass
        elif name.endswith("importlib/__init__.py"):
            how = "import_module"
        else:
            break
        frame = frame.f_back
    if frame is None or frame is base or not running:
        return (None, None, None, True, "interpreter", frame)
    if frame.f_globals.get("__name__") == "runpy":
        return (None, None, None, True, "-m", frame)
    code = frame.f_code
    level = not code.co_flags & CO_OPTIMIZED
    return (code.co_filename, frame.f_lineno, code.co_name, level, how, frame)


def begin(name, thread, ident, frame):
    global count
    record = Record()
    count += 1
    record.number = count
    record.parent = thread.stack[-1] if thread.stack else None
    record.name = name
    record.top = name.partition(".")[0]
    record.thread = ident
    record.children = record.body = record.body_children = record.compile = record.stats = 0
    record.total = record.work_count = 0
    record.files, record.work = [], []
    record.code = record.lines = record.error = record.running = None
    record.compiled = record.lazy = False
    place = importer(frame)
    record.place, record.module_level, record.how = place[:3], place[3], place[4]
    if IMPORT_NAME is not None and record.how == "import" and name in sys.lazy_modules:
        caller = place[5]
        record.lazy = caller.f_code.co_code[caller.f_lasti] != IMPORT_NAME
    in_progress[record.top] = in_progress.get(record.top, 0) + 1
    importing[name] = ident
    thread.stack.append(record)
    record.rss_before = memory.resident()
    record.cpu = thread_clock() if thread_clock else None
    return record


def end(record, thread):
    """The clock has stopped: record.total is set."""
    if thread_clock:
        record.cpu = thread_clock() - record.cpu
    record.rss_after = memory.resident()
    importing.pop(record.name, None)
    thread.stack.pop()
    if record.parent is not None:
        record.parent.children += record.total
    left = in_progress[record.top] - 1
    if left:
        in_progress[record.top] = left
    else:
        del in_progress[record.top]
        watch.package_done(record.top)
    finished.append((record, describe(record)))
    record.code = None
    if not thread.stack:
        write_finished()


def _find_and_load(*arguments, **named):
    name = arguments[0]
    if name in modules or importing.get(name, get_ident()) != get_ident():
        # Nothing to load, or another thread is at it: what this one waits for is not its cost.
        return real_find_and_load(*arguments, **named)
    entered = clock()
    thread, ident = thread_now()
    taken = thread.taken
    try:
        record = begin(name, thread, ident, getframe(1))
    except Exception:
        give_up()
        return real_find_and_load(*arguments, **named)
    record.start = start = clock()
    thread.taken = taken_at_start = taken + start - entered
    try:
        return real_find_and_load(*arguments, **named)
    except BaseException as error:
        record.error = describe_error(error)
        raise
    finally:
        stopped = clock()
        record.total = stopped - start - (thread.taken - taken_at_start)
        try:
            end(record, thread)
        except Exception:
            give_up()
        thread.taken += clock() - stopped


def _call_with_frames_removed(f, *arguments, **named):
    if f is run_code and len(arguments) == 2:
        return run_body(f, arguments)
    if f is compile_code or f in loaders_of_code:
        thread = threads.get(get_ident())
        if thread is not None and thread.stack:
            return timed_part(f, arguments, named, thread, thread.stack[-1])
    return f(*arguments, **named)


def timed_part(f, arguments, named, thread, record):
    is_compile = f is compile_code
    children, taken = record.children, thread.taken
    start = clock()
    try:
        return f(*arguments, **named)
    finally:
        spent = clock() - start - (thread.taken - taken)
        if is_compile:
            record.compiled = True
            record.compile += spent
        else:
            record.body += spent
            record.body_children += record.children - children


def give_up():
    """A fault of ours is not to become the program's: it goes on without us, and what is missing
    at its end tells of it."""
    bootstrap._find_and_load = real_find_and_load
    bootstrap._call_with_frames_removed = real_call
    in_progress.clear()
    out.descriptor = -1


def body_begins(arguments, thread, ident):
    """(the record, whether it is only the body's); (None, False): not to be measured."""
    code, namespace = arguments
    name = namespace.get("__name__")
    record = thread.stack[-1] if thread.stack else None
    by_hand = type(name) is str and (
        record is None or record.name != name or record.code is not None
    )
    if by_hand:
        record = begin(name, thread, ident, getframe(3))
        record.how = "by hand"
    if record is None:
        return None, False
    record.code = code
    watch.body_begins(record)
    if lines is not None:
        lines.begin(record)
    return record, by_hand


def body_ends(record, by_hand, thread, stopped):
    if lines is not None:
        lines.end(record, stopped)
    if by_hand:
        record.total = record.body
        end(record, thread)


def run_body(f, arguments):
    """Runs the body of a module: of the import in progress, or of one that somebody loads by
    hand (importlib.util, reload), which then gets a record of its own."""
    entered = clock()
    thread, ident = thread_now()
    taken = thread.taken
    try:
        record, by_hand = body_begins(arguments, thread, ident)
    except Exception:
        give_up()
        record = None
    if record is None:
        return f(*arguments)
    children = record.children
    start = clock()
    if by_hand:
        record.start = start
    thread.taken = taken_at_start = taken + start - entered
    try:
        return f(*arguments)
    finally:
        stopped = clock()
        record.body += stopped - start - (thread.taken - taken_at_start)
        record.body_children += record.children - children
        try:
            body_ends(record, by_hand, thread, stopped)
        except Exception:
            give_up()
        thread.taken += clock() - stopped


# Names under which tracebacks leave importlib's frames out.
timed_part.__code__ = timed_part.__code__.replace(co_name="_call_with_frames_removed")
run_body.__code__ = run_body.__code__.replace(co_name="_call_with_frames_removed")


class CountingOs:
    """What importlib's finders take for the module `posix`: the same, with its stats counted."""

    def __init__(self):
        self.__dict__.update(external._os.__dict__)
        real_stat = posix.stat

        def stat(path):
            thread = threads.get(get_ident())
            if thread is not None and thread.stack:
                thread.stack[-1].stats += 1
            return real_stat(path)

        self.stat = stat


def on_audit(event, arguments):
    # Called for every event of the interpreter: the rest is for few of them.
    if event not in WORK or not in_progress:
        return
    thread = threads.get(get_ident())
    if thread is None or not thread.stack:
        return
    entered = clock()
    record = thread.stack[-1]
    index = WORK[event]
    if event == "open" and type(arguments[0]) is str:
        record.files.append(arguments[0])
    if record.code is not None:
        record.work_count += 1
        if len(record.work) < WORK_PER_MODULE_MAX:
            detail = None if index is None or index >= len(arguments) else arguments[index]
            record.work.append((event, None if detail is None else plain(detail)))
    thread.taken += clock() - entered


# --- what is written ----------------------------------------------------------------------------


def describe_error(error):
    text = ""
    if isinstance(error, ImportError):
        text = ImportError.__str__(error)
    missing = isinstance(error, ModuleNotFoundError)
    return (type(error).__name__, text, getattr(error, "name", None) if missing else None)


def describe(record):
    """(kind, file) of the module that was loaded."""
    if record.how == "by hand":
        return ("by hand", record.code.co_filename)
    try:
        # Not getattr: a module that loads itself on first use would.
        space = object.__getattribute__(modules[record.name], "__dict__")
        spec = space.get("__spec__")
        loader = spec.loader
        kind = loader.__name__ if isinstance(loader, type) else type(loader).__name__
        origin = spec.origin
        if loader is None or "Namespace" in kind:
            kind, origin = "namespace", None
    except (KeyError, AttributeError, TypeError):
        return (None, None)
    return (kind, origin if type(origin) is str else None)


def siblings_of(name):
    """Files of the package that bear a missing module's name, as evidence of what is missing."""
    package, _, last = name.rpartition(".")
    try:
        space = object.__getattribute__(modules[package], "__dict__")
        folder = list(space["__path__"])[0]
        names = [entry for entry in posix.listdir(folder) if entry.startswith(last + ".")]
        return sorted(names)[:5]
    except (KeyError, AttributeError, TypeError, IndexError, OSError):
        return []


def size_of(path):
    try:
        return posix.stat(path).st_size
    except (OSError, ValueError):
        return 0


def write_record(record, kind, path):
    files = [name for name in record.files if not name.startswith(("/proc/", "/dev/"))]
    memory_known = record.rss_before is not None and record.rss_after is not None
    error = record.error or (None, None, None)
    out.line(
        "I",
        record.number,
        record.parent.number if record.parent else 0,
        threads[record.thread].number,
        record.name,
        kind,
        path,
        record.start,
        record.total,
        record.children,
        record.body - record.body_children if record.body else None,
        record.compile if record.compiled else None,
        record.cpu,
        record.rss_after - record.rss_before if memory_known else None,
        len(files),
        sum(map(size_of, set(files))),
        record.stats,
        record.place[0],
        record.place[1],
        record.place[2],
        int(record.module_level),
        record.how,
        int(bool(record.lazy)),
        record.work_count,
        *error
    )
    for event, detail in record.work:
        out.line("A", record.number, event, detail)
    if error[2] is not None:
        for entry in siblings_of(error[2]):
            out.line("E", record.number, entry)
    if record.lines:
        rows = sorted(record.lines.items(), key=lambda row: -row[1][0])
        for line, (spent, hits) in rows[:LINES_PER_MODULE_MAX]:
            out.line("L", record.number, line, spent, hits)


def write_finished():
    for record, (kind, path) in taken_from(finished):
        write_record(record, kind, path)
    out.flush()


def peak():
    try:
        descriptor = posix.open("/proc/self/status", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            for line in posix.read(descriptor, 65536).decode("ascii", "replace").split("\n"):
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        finally:
            posix.close(descriptor)
    except (OSError, ValueError, IndexError):
        pass
    return None


def write_start(started):
    """`entered`: when our bootstrap began, which has put it beside these functions."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[3] != "final":
        version += sys.version_info[3][:1] + str(sys.version_info[4])
    name = sys.implementation.name
    out.line("P", 1, name, version, sys.executable, entered, started, watch.method)
    for name in sorted(before.intersection(modules)):
        space = getattr(modules[name], "__dict__", {})
        out.line("B", name, space.get("__file__") if type(space) is dict else None)
    out.flush()


def write_end():
    """At the program's end: what was used, and the exact set of modules."""
    try:
        write_all_ends()
    except Exception:
        give_up()


def write_all_ends():
    out.flush()
    if out.descriptor < 0:
        return
    write_finished()
    for name, state in watch.used().items():
        out.line("U", name, state)
    for name in sorted(name for name in modules if type(name) is str and name not in ours):
        out.line("M", name)
    for name in sorted(getattr(sys, "lazy_modules", ())):
        if name not in lazy_at_start and name not in modules:
            out.line("Y", name)
    taken = sum(thread.taken for thread in list(threads.values()))
    out.line("Z", main_ended, clock(), taken, peak())
    out.flush()


# --- the program --------------------------------------------------------------------------------


def real_folder(path):
    """As the interpreter computes sys.path[0] of a script, without importing os.path."""
    if "posixpath" in modules:
        real = modules["posixpath"].realpath(path)
    else:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            real = posix.readlink("/proc/self/fd/%d" % descriptor)
        finally:
            posix.close(descriptor)
    return real.rpartition("/")[0] or "/"


def set_path0(value):
    """`-c` has put '' there, unless told to leave sys.path alone."""
    if not sys.flags.isolated and not getattr(sys.flags, "safe_path", False):
        sys.path[0] = value


def run_script(path):
    if sys.version_info >= (3, 9) and not path.startswith("/"):
        path = posix.getcwd() + "/" + path
    if external.PathFinder._path_importer_cache(path) is not None:
        # A folder or a zip file with a __main__ in it.
        if sys.path and sys.path[0] == "":
            sys.path[0] = path
        else:
            sys.path.insert(0, path)
        __import__("runpy")._run_module_as_main("__main__", False)
        return
    try:
        set_path0(real_folder(path))
        with external._io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        text = "%s: can't open file %r: [Errno %d] %s\n"
        sys.stderr.write(text % (sys.executable, path, error.errno, error.strerror))
        raise SystemExit(2)
    space = modules["__main__"].__dict__
    space["__file__"] = path
    if sys.version_info < (3, 15):
        space["__cached__"] = None
    if path.endswith(".pyc"):
        space["__loader__"] = external.SourcelessFileLoader("__main__", path)
        code = __import__("marshal").loads(source[16:])
    else:
        space["__loader__"] = external.SourceFileLoader("__main__", path)
        code = compile_code(source, path, "exec", dont_inherit=True)
    exec(code, space)


def run_module(name):
    set_path0(posix.getcwd())
    __import__("runpy")._run_module_as_main(name)


def run_text(text):
    code = compile_code(text, "<string>", "exec", dont_inherit=True)
    if sys.version_info >= (3, 13) and "linecache" in modules:
        # The interpreter shows the program's lines in tracebacks, and knows ours under this name.
        key = "<string>" if sys.version_info < (3, 14) else code
        modules["linecache"]._register_code(key, text, "<string>")
    exec(code, modules["__main__"].__dict__)


def forget_command():
    """CPython 3.13+ imports linecache for `-c`, by a path that begins with the working folder."""
    if sys.version_info >= (3, 13):
        modules.pop("linecache", None)
        sys.path_importer_cache.pop(posix.getcwd(), None)


def set_arguments(mode, what):
    """sys.argv and sys.orig_argv as they would be without us."""
    sys.argv[:] = {"script": [what], "-m": ["-m"], "-c": ["-c"]}[mode] + sys.argv[2:]
    given = getattr(sys, "orig_argv", None)
    if given:
        at = len(given) - len(sys.argv) - 2
        given[at : at + 3] = [what] if mode == "script" else [mode, what]


def run_program(mode, what):
    global running, main_ended
    running = True
    try:
        {"script": run_script, "-m": run_module, "-c": run_text}[mode](what)
    except SystemExit:
        raise
    except BaseException as error:
        # As the interpreter prints it, but without our frames below the program's; then on as
        # ever: its exit status, or its death by SIGINT, come from the exception itself.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == our_file:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        sys.excepthook = lambda *_ignored: None
        raise
    finally:
        main_ended = clock()
        if "atexit" not in modules:
            ours.add("atexit")
        hooked, bootstrap._find_and_load = bootstrap._find_and_load, real_find_and_load
        __import__("atexit").register(write_end)
        bootstrap._find_and_load = hooked


def start(descriptor, with_lines):
    """Called by the bootstrap that pyrometer puts behind this text."""
    global out, memory, watch, lines, base, our_file, IMPORT_NAME, main_ended
    mode, what = sys.argv[1].split(":", 1)
    our_file = getframe().f_code.co_filename
    base = getframe()
    while base.f_back is not None:
        base = base.f_back
    out = Out(descriptor)
    memory = Memory(descriptor + 1)
    watch = watcher(descriptor + 2)
    lines = Lines() if with_lines else None
    if hasattr(sys, "lazy_modules"):
        IMPORT_NAME = find_import_opcode()
    set_arguments(mode, what)
    if mode != "-c":
        forget_command()
    posix.register_at_fork(after_in_child=out.close_in_child)
    external._os = CountingOs()
    bootstrap._call_with_frames_removed = _call_with_frames_removed
    bootstrap._find_and_load = _find_and_load
    sys.addaudithook(on_audit)
    write_start(clock())
    run_program(mode, what)

