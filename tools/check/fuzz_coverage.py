#!/usr/bin/env python3
"""How much of what a fuzz target is for its corpus reaches: the figures of docs/fuzzing.md.

    CC=clang meson setup build-cov -Dwerror=false \\
        -Dc_args='-fprofile-instr-generate -fcoverage-mapping' \\
        -Dc_link_args=-fprofile-instr-generate
    ninja -C build-cov && tools/check/fuzz_coverage.py build-cov [FOUND]

Replays tests/corpus/NAME, and FOUND/NAME where there is one, and prints for each target: inputs,
lines reached of those of its sources, and the sources. Needs llvm-profdata and llvm-cov.
"""

import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What each target is for; a target without a line here is an error, so that the table stays whole.
SOURCES = {
    "code": "cpython/walk/code.c",
    "config": "base/config.c base/toml.c base/toml_text.c",
    "debug_offsets": "cpython/layout/layout_debug_offsets.c",
    "elf": "process/elf_file.c process/elf_symbols.c",
    "frames": "cpython/walk/frames.c cpython/walk/stack_windows.c",
    "line_table": "cpython/walk/line_table.c",
    "maps": "process/maps.c",
    "object": "cpython/walk/object.c cpython/walk/object_dict.c",
    "proc_text": "process/proc_text.c",
    "profile_analysis": "analysis formats",
    "recording": "recording/recording_reader.c recording/recording_rows.c"
    " recording/recording_samples.c recording/recording_source.c recording/recording_walk.c",
    "ring": "sampler/ring.c",
    "sample_block": "recording/sample_block.c",
    "stack_source": "sampler/stack_source.c",
    "threads": "cpython/walk/threads.c",
}


def lines_reached(program, folders, sources, scratch):
    """(inputs, lines reached, lines) of one target."""
    raw, merged = os.path.join(scratch, "raw"), os.path.join(scratch, "merged")
    environment = dict(os.environ, LLVM_PROFILE_FILE=raw)
    subprocess.run([program] + folders, check=True, env=environment, cwd=ROOT,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["llvm-profdata", "merge", "-o", merged, raw], check=True)
    told = subprocess.run(["llvm-cov", "export", "-summary-only", "-instr-profile", merged, program],
                          check=True, stdout=subprocess.PIPE).stdout
    wanted = ["/src/" + source for source in sources.split()]
    covered = count = 0
    for file in json.loads(told.decode())["data"][0]["files"]:
        if any(file["filename"].endswith(end) or end + "/" in file["filename"] for end in wanted):
            covered += file["summary"]["lines"]["covered"]
            count += file["summary"]["lines"]["count"]
    assert count, "no line of %s is in %s" % (sources, program)
    inputs = sum(len(os.listdir(folder)) for folder in folders)
    return inputs, covered, count


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__)
    build, found = arguments[0], arguments[1] if len(arguments) == 2 else None
    names = sorted(name[5:-2] for name in os.listdir(os.path.join(ROOT, "tests/fuzz"))
                   if name.startswith("fuzz_") and name.endswith(".c"))
    for name in names:
        if name not in SOURCES:
            print("%-18s no sources are listed for it in %s" % (name, os.path.basename(__file__)))
            continue
        folders = [os.path.join(ROOT, "tests/corpus", name)]
        if found and os.path.isdir(os.path.join(found, name)):
            folders.append(os.path.abspath(os.path.join(found, name)))
        with tempfile.TemporaryDirectory() as scratch:
            inputs, covered, count = lines_reached(
                os.path.abspath(os.path.join(build, "replay_fuzz_" + name)), folders,
                SOURCES[name], scratch)
        print("%-18s %5d inputs  %5d of %5d lines  %5.1f %%  %s" % (
            name, inputs, covered, count, 100.0 * covered / count, SOURCES[name]))


if __name__ == "__main__":
    main(sys.argv[1:])
