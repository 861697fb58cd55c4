"""Configuration, help, man pages, completions: from the one option table."""

import json
import os
import re
import shutil
import subprocess

import pytest

import cli_support as cli


def write(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(text)
    return str(folder)


CONFIG = """[project]
name = "shop"

[tool.pyrometer]
threads = "all"
rate = 200

[tool.pyrometer.run]
rate = 300
cpu = true

[tool.pyrometer.report]
limit = 2
"""


def values(pyrometer, folder, *args):
    result = pyrometer("config", "--json", *args, cwd=folder)
    assert result.rc == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    return {(row["command"], row["key"]): row for row in document["options"]}


def test_config_shows_where_each_value_comes_from(pyrometer, tmp_path):
    folder = write(tmp_path / "shop", CONFIG)
    rows = values(pyrometer, folder)
    for command, key, value, line in (
        ("record", "rate", "200", 6),
        ("run", "rate", "300", 9),
        ("run", "cpu", "true", 10),
        ("run", "threads", '"all"', 5),
        ("report", "limit", "2", 13),
        ("report", "sort", '"self"', None),
    ):
        row = rows[command, key]
        assert (row["value"], row["line"]) == (value, line), row
        assert (row["file"] or "").endswith("shop/pyproject.toml") == (line is not None)
    text = pyrometer("config", cwd=folder).stdout
    assert re.search(r"^run\.rate +300 .*pyproject\.toml:9$", text, re.M), text
    assert "report.sort" not in text
    everything = pyrometer("config", "--all", cwd=folder).stdout
    assert re.search(r"^report\.sort .*default$", everything, re.M)


def test_the_nearest_file_upwards_counts(pyrometer, tmp_path):
    folder = tmp_path / "shop"
    write(folder, CONFIG)
    (folder / "src" / "deep").mkdir(parents=True)
    deep = str(folder / "src" / "deep")
    assert values(pyrometer, deep)["run", "rate"]["file"].endswith("shop/pyproject.toml")
    write(folder / "src", "[tool.pyrometer]\nrate = 77\n")
    assert values(pyrometer, deep)["run", "rate"]["value"] == "77"


def test_configuration_is_used_and_the_command_line_wins(pyrometer, recordings, tmp_path):
    folder = write(tmp_path / "shop", "[tool.pyrometer.report]\nlimit = 2\n")
    for args, count in (([], 2), (["--limit", "1"], 1)):
        text = pyrometer("report", "--json", *args, recordings["heavy"], cwd=folder).stdout
        assert len(json.loads(text)["functions"]) == count


def test_a_flag_of_the_configuration_is_turned_off(pyrometer, recordings, tmp_path):
    folder = write(tmp_path / "shop", "[tool.pyrometer]\ncpu = true\n")
    shares = [
        json.loads(pyrometer("report", "--json", *args, recordings["heavy"], cwd=folder).stdout)
        for args in ([], ["--no-cpu"])
    ]
    assert shares[0]["share_of"] != shares[1]["share_of"] == "the run"


@pytest.mark.parametrize(
    "text, pattern",
    [
        ("[tool.pyrometer]\nrtae = 5\n", r"did you mean 'rate'(.|\n)*"),
        ("[tool.pyrometer.rnu]\nrate = 5\n", "did you mean 'run'"),
        ("[tool.pyrometer]\nrate = 'fast'\n", "fast"),
        ("[tool.pyrometer]\nthreads = 'sme'\n", "sme"),
        ("[tool.pyrometer]\npid = 5\n", "pid"),
        ("[tool.pyrometer\n", "pyproject.toml:1"),
    ],
    ids=["key", "command", "number", "choice", "never", "syntax"],
)
@pytest.mark.parametrize(
    "command", [["config"], ["report", "x.pyro"], ["run", "app.py"]], ids=" ".join
)
def test_a_wrong_configuration_is_2_and_names_the_line(pyrometer, tmp_path, command, text, pattern):
    if command[0] == "report" and "fast" in text:
        pytest.skip("report has no rate")
    folder = write(tmp_path / "shop", text)
    result = pyrometer(*command, cwd=folder)
    _, why, _ = cli.assert_error(result, 2, pattern)
    assert re.search(r"pyproject\.toml:\d", result.stderr), result.stderr
    assert pyrometer(command[0], "--help", cwd=folder).rc == 0


def test_a_configuration_of_others_is_no_matter(pyrometer, tmp_path):
    folder = write(tmp_path / "shop", "[tool.black]\nrate = 'x'\n[build-system]\nrequires = []\n")
    result = pyrometer("config", cwd=folder)
    assert (result.rc, result.stdout) == (0, "") and "--all" in result.stderr


# --- help, man pages, completions ----------------------------------------------------


def test_help_names_every_command(pyrometer):
    result = pyrometer("--help")
    assert (result.rc, result.stderr) == (0, "")
    named = [name for name in cli.COMMANDS if re.search(r"^  %s " % name, result.stdout, re.M)]
    assert named == cli.COMMANDS
    assert re.match(r"pyrometer \d+\.\d+\.\d+\n$", pyrometer("--version").stdout)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_each_command_has_help_man_and_examples(pyrometer, command):
    page = pyrometer(command, "--help")
    assert (page.rc, page.stderr) == (0, "")
    assert page.stdout == pyrometer("help", command).stdout == pyrometer(command, "-h").stdout
    assert page.stdout.startswith("Usage: pyrometer " + command) and "Examples:" in page.stdout
    man = pyrometer("man", command)
    assert (man.rc, man.stderr) == (0, "")
    for option in re.findall(r"^ +(?:-\w, )?--([\w-]+)", page.stdout, re.M):
        assert "--" + option in man.stdout.replace("\\-", "-"), option


@pytest.mark.parametrize("command", [""] + cli.COMMANDS)
def test_man_pages_are_clean_roff(pyrometer, command):
    if not shutil.which("groff"):
        pytest.skip("no groff")
    page = pyrometer(*["man"] + ([command] if command else []))
    assert page.rc == 0
    groff = subprocess.run(
        ["groff", "-ww", "-man", "-Tutf8", "-Kutf8"],
        input=page.stdout.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=30,
    )
    assert (groff.returncode, groff.stderr) == (0, b"")
    text = re.sub(b".\x08", b"", groff.stdout)
    assert b"SYNOPSIS" in text and b"pyrometer" in text


CHECKS = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "-n"]}


@pytest.mark.parametrize("shell", sorted(CHECKS))
def test_completions_are_good_shell_and_name_everything(pyrometer, tmp_path, shell):
    result = pyrometer("completions", shell)
    assert (result.rc, result.stderr) == (0, "")
    assert [name for name in cli.COMMANDS if name not in result.stdout] == []
    assert "max-size" in result.stdout and "fold-library" in result.stdout
    if not shutil.which(shell):
        pytest.skip("no %s to check the syntax" % shell)
    (tmp_path / "completions").write_text(result.stdout)
    check = subprocess.run(
        CHECKS[shell] + [str(tmp_path / "completions")],
        stderr=subprocess.PIPE,
        env=cli.environment(HOME=str(tmp_path)),
        timeout=30,
    )
    assert (check.returncode, check.stderr) == (0, b"")


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("pyrometer re", {"record", "report"}),
        ("pyrometer report --tr", {"--tree"}),
        ("pyrometer report --sort ", {"self", "total"}),
        ("pyrometer help exp", {"export"}),
        ("pyrometer completions ", {"bash", "zsh", "fish"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bash_completes(pyrometer, tmp_path, line, wanted):
    if not shutil.which("bash"):
        pytest.skip("no bash")
    (tmp_path / "completions").write_text(pyrometer("completions", "bash").stdout)
    words = line.split(" ")
    script = (
        "source completions; COMP_LINE=\"$1\"; shift; COMP_POINT=${#COMP_LINE};"
        " COMP_WORDS=(\"$@\");"
        " COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); name=$(complete -p pyrometer |"
        " sed 's/.*-F \\([^ ]*\\).*/\\1/'); $name pyrometer \"${COMP_WORDS[COMP_CWORD]}\""
        " \"${COMP_WORDS[COMP_CWORD-1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    ended = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", line] + words,
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=30,
    )
    assert {word.strip() for word in ended.stdout.split()} == wanted, ended.stderr


def test_every_command_has_its_page(pyrometer):
    """docs/commands/NAME.md names each option that the command has; help, man and completions
    explain themselves."""
    for command in cli.COMMANDS:
        path = os.path.join(cli.REPOSITORY, "docs", "commands", command + ".md")
        if command in ("help", "man", "completions"):
            continue
        with open(path) as stream:
            page = stream.read()
        assert page.startswith("# pyrometer %s\n" % command)
        assert "pyrometer %s" % command in page[20:]
