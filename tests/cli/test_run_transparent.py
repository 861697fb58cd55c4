"""A program under `run` sees what it sees without: arguments, terminal, descriptors, signals."""

import json
import os
import signal
import subprocess

import pytest

import cli_support as cli

CONTEXT = cli.target("cli_context.py")


def in_plain(command, **options):
    return subprocess.run(
        command, env=cli.environment(**options.pop("env", {})), timeout=cli.DEADLINE_S, **options
    )


def both(python, tmp_path, args=(), via=("run",), make_options=dict, **env):
    """The target's context, plain and under Pyrometer."""
    seen = []
    for prefix in ([], [cli.PROGRAM, *via, "-o", str(tmp_path / "x.pyro"), "--"]):
        path = str(tmp_path / "context.json")
        if os.path.exists(path):
            os.unlink(path)
        ended = in_plain(
            prefix + [python, CONTEXT, *args],
            cwd=str(tmp_path),
            env=dict(env, CONTEXT_FILE=path),
            **make_options()
        )
        with open(path) as stream:
            seen.append((ended.returncode, json.load(stream)))
    return seen


def captured():
    return {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }


@pytest.mark.parametrize("via", [("run",), ("record",), ("run", "--rate", "max")], ids=" ".join)
def test_the_program_sees_what_it_sees_without(python, tmp_path, via):
    plain, under = both(python, tmp_path, ["3"], via, captured)
    assert under == plain and plain[0] == 3


def test_inherited_descriptors_stay_and_none_of_ours_is_added(python, tmp_path):
    with open(str(tmp_path / "inherited"), "w") as stream:
        make = lambda: dict(captured(), pass_fds=[stream.fileno()])  # noqa: E731
        plain, under = both(python, tmp_path, make_options=make)
        assert str(stream.fileno()) in plain[1]["descriptors"]
    assert under == plain


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_standard_descriptors_stay_closed(python, tmp_path, closed):
    make = lambda: dict(captured(), preexec_fn=lambda: os.close(closed))  # noqa: E731
    plain, under = both(python, tmp_path, make_options=make)
    assert under == plain


def block_and_ignore():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
    os.umask(0o27)
    os.nice(3)
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


def test_signals_mask_umask_nice_and_affinity_are_inherited(python, tmp_path):
    make = lambda: dict(captured(), preexec_fn=block_and_ignore)  # noqa: E731
    plain, under = both(python, tmp_path, make_options=make)
    assert int(plain[1]["status"]["SigIgn"], 16) & 1 << signal.SIGHUP - 1
    assert under == plain


def test_sigpipe_as_a_shell_leaves_it(python, tmp_path):
    make = lambda: dict(captured(), restore_signals=False)  # noqa: E731
    plain, under = both(python, tmp_path, make_options=make)
    assert under == plain


def test_in_a_session_and_a_group_of_its_own(python, tmp_path):
    plain, under = both(
        python, tmp_path, make_options=lambda: dict(captured(), start_new_session=True)
    )
    for _, context in (plain, under):
        context["group"] = context["group"] == context["session"]
        del context["session"]
    # The session's first process is Pyrometer itself: the program is a member, as under a shell.
    assert under == plain


def test_a_terminal_stays_the_programs(python, tmp_path, terminal):
    seen = []
    for prefix in ([], [cli.PROGRAM, "run", "-o", str(tmp_path / "x.pyro"), "--"]):
        path = str(tmp_path / ("context-%d.json" % len(seen)))
        line = cli.environment(CONTEXT_FILE=path, TERM="xterm")
        shell = ["sh", "-c", '"$@"; echo status $?', "sh"]  # both are a shell's children
        end = terminal(shell + prefix + [python, CONTEXT, "4"], env=line, cwd=str(tmp_path)).end()
        assert "status 4" in end[1]
        with open(path) as stream:
            context = json.load(stream)
        for key in ("group", "session"):
            del context[key]
        context["environment"].pop("CONTEXT_FILE")
        context["descriptors"] = {
            number: "terminal" if "/pts/" in place else place
            for number, place in context["descriptors"].items()
        }
        seen.append(context)
    assert seen[0]["terminal"]["isatty"] == [True, True, True]
    assert seen[0]["terminal"]["foreground"]
    assert seen[1] == seen[0]


def test_stdin_stdout_and_stderr_are_the_programs(pyrometer, python, tmp_path):
    text = "".join("line %d\n" % number for number in range(20000))
    code = "import sys; d = sys.stdin.read(); print(len(d)); print('mine', file=sys.stderr)"
    result = pyrometer("run", "--", python, "-c", code, input=text, cwd=str(tmp_path))
    assert (result.rc, result.stdout) == (0, "%d\n" % len(text))
    assert result.stderr.startswith("mine\n") and len(result.stderr.splitlines()) > 3


def test_every_byte_and_every_argument_arrives(pyrometer, python, tmp_path):
    words = ["", "a b", "--rate", "-p", "--", "*", "$HOME", "größer", "new\nline", "'\""]
    script = cli.target("cli_quotes.py")
    for form in (["--", python, script], ["--python", python, script]):
        result = pyrometer("record", *form, *words, text=False, cwd=str(tmp_path))
        assert result.rc == 0
        assert result.stdout == bytes(range(256)) * 4096
        assert result.stderr.startswith("\n".join(words) + "\n")


def test_options_after_the_program_are_its_own(pyrometer, python, tmp_path):
    (tmp_path / "app.py").write_text("import sys; print(sys.argv[1:])\n")
    for form in (
        ["--python", python, "app.py"],
        ["--python", python, "-m", "app"],
        ["--", python, "-m", "app"],
    ):
        result = pyrometer("run", *form, "--rate", "x", "--help", "-d", cwd=str(tmp_path))
        assert (result.rc, result.stdout) == (0, "['--rate', 'x', '--help', '-d']\n"), result.stderr


def test_a_program_that_is_a_link_or_has_a_first_line(pyrometer, python, tmp_path):
    script = tmp_path / "tool"
    script.write_text("#!%s\nimport time\ntime.sleep(0.2)\nprint('from the tool')\n" % python)
    script.chmod(0o755)
    result = pyrometer("run", "./tool", cwd=str(tmp_path))
    assert (result.rc, result.stdout) == (0, "from the tool\n")
    assert (tmp_path / "tool.pyro").exists(), os.listdir(str(tmp_path))


def test_a_file_named_like_an_option(pyrometer, python, tmp_path):
    (tmp_path / "-x.py").write_text("print('odd')\n")
    result = pyrometer("run", "--python", python, "--", "./-x.py", cwd=str(tmp_path))
    assert (result.rc, result.stdout) == (0, "odd\n"), result.stderr


def test_a_reader_of_the_programs_output_that_goes_away_is_the_programs_matter(python, tmp_path):
    code = "import time; [print(n) or time.sleep(0.001) for n in range(9000)]"
    for prefix in ([], [cli.PROGRAM, "run", "-o", str(tmp_path / "x.pyro"), "--"]):
        words = prefix + [python, "-u", "-c", code]
        line = ["bash", "-c", '"$@" | head -n 1; exit "${PIPESTATUS[0]}"', "bash"] + words
        ended = subprocess.run(
            line, env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60
        )
        assert (ended.returncode, ended.stdout) == (1, b"0\n"), ended.stderr
        assert b"BrokenPipeError" in ended.stderr
    assert b"pyrometer report" in ended.stderr


# --- children -------------------------------------------------------------------


def test_a_shell_in_between_is_looked_through(pyrometer, python, tmp_path):
    line = "%s %s 1.2; exit 6" % (python, cli.target("cli_busy.py"))
    result = pyrometer("run", "-o", "x.pyro", "--", "sh", "-c", line, cwd=str(tmp_path))
    assert result.rc == 6 and "heavy" in result.stderr, result.stderr
    assert "TURNS some" in result.stdout


def test_children_are_in_the_recording_unless_told_not_to(pyrometer, python, tmp_path):
    code = (
        "import subprocess, sys\n"
        "def parent_waits():\n"
        "    subprocess.run([sys.executable, sys.argv[1], '1.2'])\n"
        "parent_waits()\n"
    )
    busy = cli.target("cli_busy.py")
    for extra, there in (([], True), (["--no-children"], False)):
        run = ["record", "-o", "x.pyro", *extra, "--", python, "-c", code, busy]
        assert pyrometer(*run, cwd=str(tmp_path)).rc == 0
        report = pyrometer("report", "--json", "--threads", "all", "x.pyro", cwd=str(tmp_path))
        names = {row["name"] for row in json.loads(report.stdout)["functions"]}
        assert "parent_waits" in names, report.stdout
        assert ("heavy" in names) == there


def test_a_forked_child_is_in_the_recording(pyrometer, python, tmp_path):
    code = (
        "import os, time\n"
        "def only_in_child():\n"
        "    end = time.monotonic() + 1\n"
        "    while time.monotonic() < end: sum(range(100))\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    only_in_child()\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    assert pyrometer("record", "-o", "x.pyro", "--", python, "-c", code, cwd=str(tmp_path)).rc == 0
    report = pyrometer("report", "--json", "--threads", "all", "x.pyro", cwd=str(tmp_path))
    document = json.loads(report.stdout)
    assert "only_in_child" in {row["name"] for row in document["functions"]}
    assert len([row for row in document["processes"] if row["python"]]) == 2


# --- signals ----------------------------------------------------------------------


@pytest.mark.parametrize("how, status", [("default", 143), ("handle", 5)])
def test_sigterm_to_pyrometer_reaches_the_program(start, python, tmp_path, how, status):
    target = cli.target("cli_signals.py")
    process = start("run", "--", python, "-u", target, how, cwd=str(tmp_path))
    assert process.stdout.readline().startswith("READY")
    process.send_signal(signal.SIGTERM)
    rc, stdout, stderr = cli.finish(process)
    assert rc == status and ("GOT SIGTERM" in stdout) == (how == "handle"), stderr
    assert "cli_signals" in stderr and "pyrometer report" in stderr


def test_a_program_that_ignores_sigterm_goes_on(start, python, tmp_path):
    target = cli.target("cli_signals.py")
    process = start("run", "--", python, "-u", target, "ignore", cwd=str(tmp_path))
    assert process.stdout.readline().startswith("READY")
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "SPUN\n"
    rc, _, stderr = cli.finish(process, "on\n")
    assert rc == 7 and "cli_signals" in stderr
