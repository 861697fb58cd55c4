"""At a terminal: Ctrl-C, Ctrl-Z, Ctrl-\\, typed input; colour and width."""

import os
import signal

import pytest

import cli_support as cli

SIGNALS = cli.target("cli_signals.py")
INTERRUPT, QUIT, STOP = "\x03", "\x1c", "\x1a"


def test_ctrl_c_ends_the_program_not_the_answer(terminal, python, tmp_path):
    run = terminal([cli.PROGRAM, "run", "--", python, "-u", SIGNALS, "default"], cwd=str(tmp_path))
    run.expect("SPUN")
    run.send(INTERRUPT)
    status, text = run.end()
    assert status == 130 and "KeyboardInterrupt" in text
    assert "cli_signals.py" in text and "pyrometer report" in text
    assert (tmp_path / "cli_signals.pyro").exists()


@pytest.mark.parametrize("how, status", [("ignore", 7), ("handle", 5)])
def test_ctrl_c_belongs_to_the_program(terminal, python, tmp_path, how, status):
    run = terminal([cli.PROGRAM, "run", "--", python, "-u", SIGNALS, how], cwd=str(tmp_path))
    run.expect("SPUN")
    run.send(INTERRUPT)
    if how == "ignore":
        run.send(INTERRUPT)
        run.send("go on\n")
        run.expect("LINE go on")
    else:
        run.expect("GOT SIGINT")
    end, text = run.end()
    assert end == status and "pyrometer report" in text


def test_ctrl_backslash_ends_the_program_not_the_answer(terminal, python, tmp_path):
    run = terminal([cli.PROGRAM, "run", "--", python, "-u", SIGNALS, "default"], cwd=str(tmp_path))
    run.expect("SPUN")
    run.send(QUIT)
    status, text = run.end()
    assert status == 128 + signal.SIGQUIT and "pyrometer report" in text


def test_ctrl_z_stops_both_and_fg_goes_on(terminal, python, tmp_path):
    shell = terminal(
        ["bash", "--norc", "--noprofile", "-i"],
        env=cli.environment(TERM="xterm", PS1="prompt> ", HISTFILE=""),
        cwd=str(tmp_path),
    )
    shell.expect("prompt> ")
    shell.send("'%s' run -- '%s' -u '%s' count\n" % (cli.PROGRAM, python, SIGNALS))
    shell.expect("READY")
    pid = int(shell.expect("\n").split()[0])
    shell.expect("SPUN")
    shell.send(STOP)
    shell.expect("Stopped")
    shell.expect("prompt> ")
    cli.wait_until("the program's stop", lambda: state(pid) == "T")
    shell.send("fg\n")
    shell.expect("GOT SIGCONT")
    shell.send("hello\n")
    shell.expect("LINE hello")
    shell.send("end\n")
    shell.expect("pyrometer report")
    shell.send("echo status=$?\n")
    shell.expect("status=0")
    shell.send("exit\n")
    shell.end()


def state(pid):
    with open("/proc/%d/stat" % pid) as stream:
        return stream.read().rsplit(")", 1)[1].split()[0]


def test_what_is_typed_goes_to_the_program(terminal, python, tmp_path):
    code = "import getpass; print('name', input('who? ')); print('secret', len(getpass.getpass()))"
    run = terminal([cli.PROGRAM, "run", "--", python, "-c", code], cwd=str(tmp_path))
    run.expect("who? ")
    run.send("Ada\n")
    run.expect("name Ada")
    run.expect("Password:")
    run.send("hidden\n")
    assert "hidden" not in run.expect("secret 6")
    assert run.end()[0] == 0


def test_ctrl_c_ends_the_recording_of_a_process_not_the_process(terminal, spawn, tmp_path):
    target = spawn("cli_busy.py", 60)
    run = terminal(
        [cli.PROGRAM, "record", "-o", "x.pyro", "-p", str(target.pid)], cwd=str(tmp_path)
    )
    cli.wait_until("the recording", lambda: (tmp_path / "x.pyro").exists())
    cli.wait_until("samples", lambda: (tmp_path / "x.pyro").stat().st_size > 0)
    run.read(1.2)
    run.send(INTERRUPT)
    status, text = run.end()
    assert status == 0 and "samples" in text and "pyrometer report x.pyro" in text
    assert cli.is_alive(target.pid)


# --- colour and width -------------------------------------------------------------


@pytest.mark.parametrize(
    "env, colour",
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
    ],
    ids=["xterm", "dumb", "NO_COLOR"],
)
def test_colour_on_a_terminal_unless_told_not_to(terminal, recordings, env, colour):
    run = terminal([cli.PROGRAM, "report", recordings["heavy"]], env=cli.environment(**env))
    status, text = run.end()
    assert status == 0 and ("\x1b[" in text) == colour


VIEWS = [[], ["--tree"], ["--lines"], ["--threads", "list"], ["--threads", "all"], ["--processes"]]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: " ".join(view) or "functions")
def test_no_colour_in_a_pipe_unless_forced(pyrometer, recordings, view):
    plain = pyrometer("report", *view, recordings["heavy"])
    forced = pyrometer("report", *view, recordings["heavy"], env={"FORCE_COLOR": "1"})
    neither = pyrometer("report", *view, recordings["heavy"], env={"NO_COLOR": "1"})
    assert "\x1b" not in plain.stdout + neither.stdout
    assert cli.ESCAPE.sub("", forced.stdout) == plain.stdout == neither.stdout
    if view != ["--processes"]:
        assert "\x1b[" in forced.stdout


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: " ".join(view) or "functions")
def test_no_line_is_wider_than_the_terminal(pyrometer, recordings, view, columns):
    result = pyrometer("report", *view, recordings["heavy"], env={"COLUMNS": str(columns)})
    assert result.rc == 0 and cli.too_wide(result.stdout, columns) == []


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_diff_and_help_keep_to_the_width(pyrometer, recordings, columns):
    env = {"COLUMNS": str(columns)}
    pages = [["diff", recordings["heavy"], recordings["light"]], ["--help"]]
    pages += [[command, "--help"] for command in cli.COMMANDS]
    for args in pages:
        result = pyrometer(*args, env=env)
        usage = [line for line in cli.too_wide(result.stdout, columns) if "Usage:" not in line]
        assert result.rc == 0 and usage == [], args


@pytest.mark.parametrize("columns", [60, 80])
def test_long_names_are_cut_not_wrapped(pyrometer, python, tmp_path, columns):
    folder = tmp_path / ("very_long_folder_name_" * 4)
    folder.mkdir()
    name = "a_function_with_a_name_that_nobody_would_type_" * 3
    (folder / ("module_" * 12 + ".py")).write_text(
        "import time\ndef %s():\n    end = time.monotonic() + 0.7\n"
        "    while time.monotonic() < end: sum(range(99))\n%s()\n" % (name, name)
    )
    (script,) = folder.iterdir()
    env = {"COLUMNS": str(columns)}
    result = pyrometer("run", "-o", "x.pyro", "--", python, script, cwd=str(tmp_path), env=env)
    assert result.rc == 0 and "a_func" in result.stderr
    assert cli.too_wide(result.stderr, columns) == []
    for view in VIEWS:
        page = pyrometer("report", *view, "x.pyro", cwd=str(tmp_path), env=env)
        assert page.rc == 0 and cli.too_wide(page.stdout, columns) == [], view


def test_a_reader_that_goes_away_is_no_error(recordings):
    collapsed = ["export", "-f", "collapsed", "-o", "-"]
    for words in (["report", "--json"], ["report"], ["man", "run"], collapsed):
        recording = [] if words[0] == "man" else [recordings["heavy"]]
        process = cli.start(*words, *recording)
        process.stdin.close()
        process.stdout.close()
        stderr = process.stderr.read()
        process.stderr.close()
        assert process.wait(cli.DEADLINE_S) in (0, -signal.SIGPIPE)
        assert stderr == "", words
