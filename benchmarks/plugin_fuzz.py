"""Hostile blocks for the plugin under AddressSanitizer and UndefinedBehaviorSanitizer.

    python benchmarks/plugin_fuzz.py replay [COUNT [FIRST]]     changed golden blocks, of fuzz.py
    python benchmarks/plugin_fuzz.py run [SECONDS [WORKERS]]    libFuzzer, from sound blocks
    python benchmarks/plugin_fuzz.py compare [COUNT]            plugin and Python, same inputs

`run` needs clang. Its corpus and what it finds lie in plugin/build/; it may be run again, and goes
on. `compare` decodes with two FFmpegs: of damaged video they may make different pixels, or none.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import fuzz

import h5vidstack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from native import SOURCES, Native, make

BUILD = SOURCES / "build"
LARGEST = 1 << 16


def record(values, data, *, sealed=True):
    """An input of plugin_fuzz.c; `sealed`: length and CRC are made right."""
    values = [*values, *[0] * (8 - len(values))]
    values[1] = int(sealed)
    return b"".join(value.to_bytes(4, "little") for value in values) + data


def replay(count=1_000_000, first=0):
    """Inputs of fuzz.py, a third of them changed bytes under a CRC that is wrong."""
    make(BUILD, "replay")
    made, number = fuzz.Fuzz(), first
    child = subprocess.Popen([BUILD / "replay"], stdin=subprocess.PIPE)
    try:
        for number in range(first, first + count):
            data = made.make(number)
            if data is not None:
                whole = record(made.base(number).values, data, sealed=False)
                child.stdin.write(len(whole).to_bytes(4, "little") + whole)
        child.stdin.close()
    except BrokenPipeError:
        print(f"FINDING: at or soon before input {number}")
    return child.wait()


def run(seconds=600, workers=2):
    """Run libFuzzer. While it merges corpora, it passes over what crashes, but keeps it."""
    make(BUILD, "fuzz")
    for old in BUILD.glob("finding-*"):
        old.unlink()
    corpus = BUILD / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, base in enumerate(fuzz.bases()):
        whole = record(base.values, base.data)
        if len(whole) <= LARGEST:
            (corpus / f"sound{number}").write_bytes(whole)
    done = subprocess.run(
        [
            BUILD / "fuzz", corpus, f"-max_total_time={seconds}", f"-fork={workers}", "-timeout=20",
            "-rss_limit_mb=2048", f"-max_len={LARGEST}", f"-artifact_prefix={BUILD}/finding-",
            "-ignore_ooms=0", "-ignore_timeouts=0",
        ],
        check=False,
    )  # fmt: skip
    findings = list(BUILD.glob("finding-*"))
    print(f"{len(findings)} findings", *findings)
    return done.returncode or bool(findings)


def compare(count=100_000):
    """Decode the same inputs by both; what only one takes, or takes otherwise, is counted."""
    native, made, outcomes = Native(make(BUILD)), fuzz.Fuzz(), Counter()
    for base in made.bases:
        if native.run(base.values, base.data) != base.pixels:
            print(f"FINDING: a sound block of {base.dtype} {base.chunk}")
            return 1
    for number in random.Random(0).sample(range(10 * count), count):
        data, base = made.make(number), made.base(number)
        if data is None:
            continue
        try:
            expected = fuzz.decode(base, data)
        except h5vidstack.Error:
            expected = None
        found = native.run(base.values, data)
        codecs = "+".join(sorted({stream.codec.name for stream in base.block.streams}))
        if found == expected:
            outcomes["both refuse" if found is None else "same pixels"] += 1
        elif found is None or expected is None:
            outcomes[f"only {'Python' if found is None else 'the plugin'} takes it: {codecs}"] += 1
        else:
            outcomes[f"other pixels: {codecs}"] += 1
    for outcome, times in outcomes.most_common():
        print(f"{times:8} {outcome}")
    return 0


def main():
    """Fuzz."""
    commands = {"replay": replay, "run": run, "compare": compare}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]](*map(int, sys.argv[2:])))


if __name__ == "__main__":
    main()
