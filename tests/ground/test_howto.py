"""The code that docs/howto shows is code: it compiles against the headers as they are."""

import os
import re
import shutil
import subprocess

import pytest

from support import REPOSITORY

FLAGS = ["-fsyntax-only", "-std=gnu11", "-Wall", "-Wextra", "-Wno-missing-field-initializers",
         "-Werror", "-D_GNU_SOURCE", "-I", os.path.join(REPOSITORY, "src"), "-x", "c", "-"]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")
def test_the_command_of_add_a_command_compiles():
    with open(os.path.join(REPOSITORY, "docs/howto/add-a-command.md"), encoding="utf-8") as file:
        (code,) = re.findall(r"```c\n(.*?)```", file.read(), re.S)
    ended = subprocess.run(["gcc"] + FLAGS, input=code, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, universal_newlines=True)
    assert ended.returncode == 0, ended.stdout
