"""Builds the wheel and the source archive (PEP 517), with nothing but meson and the standard library.

The wheel holds the program with its libraries linked in, so that it needs glibc alone, and is tagged
py3-none-PLATFORM: no extension module, hence one wheel for every Python from 3.8.
Why not a published backend: docs/decisions/0001-wheel.md.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE_FOLDERS = ("src", "python", "tools", "tests/unit", "tests/fuzz", "tests/corpus")
SOURCE_FILES = ("meson.build", "meson_options.txt", "pyproject.toml", "README.md", "LICENSE",
                "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "dev")
# What every manylinux platform has; a program that needs more is only good for this machine's like.
GLIBC_PARTS = re.compile(r"^(libc|libm|libdl|librt|libpthread|ld-linux-x86-64)\.so\.\d+$")
EPOCH = (2020, 1, 1, 0, 0, 0)  # one source gives one wheel, bit by bit


# --- what pyproject.toml and meson.build say ----------------------------------


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def project_version():
    return re.search(r"version: '([^']+)'", read("meson.build")).group(1)


def project_field(name):
    """A one-line text field of [project]; Python 3.8 has no TOML reader of its own."""
    table = read("pyproject.toml").split("[project]", 1)[1].split("\n[", 1)[0]
    return re.search(r'^%s = "([^"]*)"$' % name, table, re.M).group(1)


def project_list(name):
    table = read("pyproject.toml").split("[project]", 1)[1].split("\n[", 1)[0]
    inner = re.search(r"^%s = \[(.*?)\]" % name, table, re.M | re.S).group(1)
    return re.findall(r'"([^"]*)"', inner)


def metadata():
    lines = [
        "Metadata-Version: 2.1",
        "Name: " + project_field("name"),
        "Version: " + project_version(),
        "Summary: " + project_field("description"),
        "License: MIT",
        "Keywords: " + ",".join(project_list("keywords")),
        "Requires-Python: " + project_field("requires-python"),
        "Description-Content-Type: text/markdown",
    ]
    lines += ["Classifier: " + text for text in project_list("classifiers")]
    return "\n".join(lines) + "\n\n" + read("README.md")


# --- the program ---------------------------------------------------------------


def tool_environment():
    """Where meson is the system's own, pip's isolation (PYTHONPATH) must not reach it."""
    env = dict(os.environ)
    plain = {key: value for key, value in env.items() if not key.startswith("PYTHON")}
    works = subprocess.run(["meson", "--version"], env=plain, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL).returncode == 0
    return plain if works else env


def build_program(work):
    """Builds and installs into a folder below `work`; returns that folder's usr."""
    env = tool_environment()
    build = os.path.join(work, "build")
    installed = os.path.join(work, "installed")
    setup = ["meson", "setup", build, ROOT, "--prefix=/usr", "-Dbuildtype=release",
             "-Dwerror=false", "-Dstrip=true"]
    if subprocess.run(setup + ["-Dstatic_deps=true"], env=env).returncode != 0:
        print("not every library is here as a static one; linking them dynamically: "
              "the wheel will need them installed", file=sys.stderr)
        shutil.rmtree(build, ignore_errors=True)
        subprocess.run(setup, env=env, check=True)
    subprocess.run(["ninja", "-C", build, "pyrometer"], env=env, check=True)
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", installed],
                   env=env, check=True)
    return os.path.join(installed, "usr")


def platform_tag(program):
    """manylinux_2_N where the program needs only glibc, by the newest symbol version it asks for."""
    environment = dict(os.environ, LC_ALL="C")
    listed = subprocess.run(["readelf", "--dynamic", "--version-info", "--wide", program],
                            env=environment, stdout=subprocess.PIPE, check=True)
    text = listed.stdout.decode(errors="replace")
    needed = re.findall(r"\(NEEDED\).*\[([^\]]+)\]", text)
    versions = [int(minor) for minor in re.findall(r"Name: GLIBC_2\.(\d+)", text)]
    machine = os.uname().machine
    if not versions or not all(GLIBC_PARTS.match(name) for name in needed):
        return "linux_" + machine
    return "manylinux_2_%d_%s" % (max(versions), machine)


# --- archives --------------------------------------------------------------------


def files_under(folder):
    for where, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if name != "__pycache__")
        for name in sorted(files):
            path = os.path.join(where, name)
            yield path, os.path.relpath(path, folder)


class Wheel:
    def __init__(self, path, info):
        self.archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self.info = info
        self.record = []

    def add(self, name, data, executable=False):
        if isinstance(data, str):
            data = data.encode()
        entry = zipfile.ZipInfo(name, EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100755 if executable else 0o100644) << 16
        self.archive.writestr(entry, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.record.append("%s,sha256=%s,%d" % (name, digest, len(data)))

    def add_file(self, name, path, executable=False):
        with open(path, "rb") as file:
            self.add(name, file.read(), executable)

    def close(self):
        name = self.info + "/RECORD"
        self.record.append(name + ",,")
        self.archive.writestr(zipfile.ZipInfo(name, EPOCH), "\n".join(self.record) + "\n")
        self.archive.close()


def get_requires_for_build_wheel(config_settings=None):
    """meson and ninja from the index only where the machine has none; gcc is never fetched."""
    return [name for name in ("meson", "ninja") if shutil.which(name) is None]


def get_requires_for_build_sdist(config_settings=None):
    return []


def texts(tag):
    """The texts of .dist-info that need no program: (name, text)."""
    yield "METADATA", metadata()
    yield "LICENSE", read("LICENSE")
    yield "entry_points.txt", "[console_scripts]\npyrometer = pyrometer.__main__:main\n"
    yield "WHEEL", ("Wheel-Version: 1.0\nGenerator: pyrometer\nRoot-Is-Purelib: false\n"
                    "Tag: %s\n" % tag)


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """So that pip, which asks first what is going to be installed, doesn't build twice."""
    info = "%s-%s.dist-info" % (project_field("name"), project_version())
    os.makedirs(os.path.join(metadata_directory, info), exist_ok=True)
    for name, text in texts("py3-none-any"):
        with open(os.path.join(metadata_directory, info, name), "w", encoding="utf-8") as file:
            file.write(text)
    return info


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    base = "%s-%s" % (project_field("name"), project_version())
    with tempfile.TemporaryDirectory(prefix="pyrometer-wheel-") as work:
        usr = build_program(work)
        program = os.path.join(usr, "bin", "pyrometer")
        tag = "py3-none-" + platform_tag(program)
        filename = "%s-%s.whl" % (base, tag)
        wheel = Wheel(os.path.join(wheel_directory, filename), base + ".dist-info")
        for path, name in files_under(os.path.join(ROOT, "python/pyrometer")):
            if name.endswith(".py"):
                wheel.add_file("pyrometer/" + name, path)
        wheel.add_file("pyrometer/bin/pyrometer", program, executable=True)
        for path, name in files_under(os.path.join(usr, "share")):
            wheel.add_file("%s.data/data/share/%s" % (base, name), path)
        for name, text in texts(tag):
            wheel.add("%s/%s" % (wheel.info, name), text)
        wheel.close()
    return filename


def build_sdist(sdist_directory, config_settings=None):
    base = "%s-%s" % (project_field("name"), project_version())
    filename = base + ".tar.gz"
    with tarfile.open(os.path.join(sdist_directory, filename), "w:gz") as archive:
        for name in SOURCE_FILES:
            if os.path.exists(os.path.join(ROOT, name)):
                archive.add(os.path.join(ROOT, name), "%s/%s" % (base, name))
        for folder in SOURCE_FOLDERS:
            for path, name in files_under(os.path.join(ROOT, folder)):
                archive.add(path, "%s/%s/%s" % (base, folder, name))
        data = metadata().encode()
        entry = tarfile.TarInfo(base + "/PKG-INFO")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return filename
