"""Mutation tests: some twenty lines are broken, one after another, to see whether the tests fail.

    python benchmarks/mutations.py [--only WORD]

Each mutation changes a line in a copy of the repository and runs the tests for it until one fails.
The exit status is 1 if no test notices a mutation, or if a line to change does not exist any more.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mutation:
    """A line to break.

    Attributes
    ----------
    promise
        Behaviour that the line is for.
    path
        File of the line.
    before, after
        The text to replace and its replacement.
    tests
        Arguments of pytest that select the tests of the promise.
    """

    promise: str
    path: str
    before: str
    after: str
    tests: str


MUTATIONS = (
    Mutation(
        "4 % is the same tempo", "tempo_core/levels.py",
        "TOLERANCE = 0.04", "TOLERANCE = 0.06", "tests/tempo_core/test_levels.py tests/trainer",
    ),
    Mutation(
        "the tempo is read between two bins", "tempo_core/tasks/tempo/decode.py",
        "offset = 0.5 * (left - right) / curvature", "offset = 0.5 * (right - left) / curvature",
        "tests/tempo_core/tasks tests/tempo_core/test_estimate.py",
    ),
    Mutation(
        "NumPy computes what torch does", "tempo_core/network/numpy_ops.py",
        "EPSILON = 1e-5", "EPSILON = 1e-2", "tests/tempo_core/network",
    ),
    Mutation(
        "a model file is what its name says", "tempo_core/checkpoint.py",
        'if digest != match["hash"]:', "if False:", "tests/tempo_core/test_checkpoint.py",
    ),
    Mutation(
        "a file is written in one step", "tempo_core/files.py",
        "        part.replace(path)", "        path.write_bytes(data)",
        "tests/tempo_core/test_files.py",
    ),
    Mutation(
        "half a beat rounds up", "tempo_core/tempi.py",
        "return math.floor(tempo + 0.5)", "return round(tempo)",
        "tests/tempo_core tests/beetsplug/test_applying.py",
    ),
    Mutation(
        "8A is A minor", "tempo_core/keys.py",
        "(self._fifths + 7) % 12 + 1", "(self._fifths + 8) % 12 + 1",
        "tests/tempo_core/test_keys.py",
    ),
    Mutation(
        "robots.txt is obeyed", "tempo_core/labels/http/session.py",
        "if not self._robots[origin].can_fetch(url, PRODUCT):", "if False:",
        "tests/tempo_core/labels/test_http.py",
    ),
    Mutation(
        "Retry-After is honoured", "tempo_core/labels/http/session.py",
        "delay = retry_after(response.headers) or delay", "delay = delay",
        "tests/tempo_core/labels/test_http.py",
    ),
    Mutation(
        "no message shows a password", "tempo_core/labels/http/addresses.py",
        'head, at, tail = url.partition("?")[0].rpartition("@")', 'head, at, tail = "", "", url',
        "tests/tempo_core/labels/test_http.py",
    ),
    Mutation(
        "a remix is another recording", "tempo_core/labels/matching.py",
        "(version_gate, numeral_gate, artist_gate, duration_gate)",
        "(numeral_gate, artist_gate, duration_gate)", "tests/tempo_core/labels/test_matching.py",
    ),
    Mutation(
        "media in MP4 files are found after a tag has grown", "tempo_core/tagging/mp4.py",
        '(b"co64", "Q")', '(b"co65", "Q")', "tests/tempo_core tests/beetsplug/test_tag_matrix.py",
    ),
    Mutation(
        "other tags stay as they are", "beetsplug/tempo/writing.py",
        'raise LayoutError("other tags would not stay as they are")', "pass",
        "tests/beetsplug/test_writing.py",
    ),
    Mutation(
        "what is to be written is noted before it is", "beetsplug/tempo/keeping.py",
        "        announce(item, names)\n    store(item, stopped)",
        "        store(item, stopped)\n    announce(item, names)",
        "tests/beetsplug/test_interruption.py",
    ),
    Mutation(
        "a person's tempo is the person's", "beetsplug/tempo/origin.py",
        "    if source == MANUAL:\n        return source\n", "", "tests/beetsplug/test_whose.py",
    ),
    Mutation(
        "-w and -W contradict each other", "beetsplug/tempo/options.py",
        "if len(set(given)) > 1:", "if False:", "tests/beetsplug/test_options.py",
    ),
    Mutation(
        "a tag with decimals is not cut off", "beetsplug/tempo/tempo_tags.py",
        "super().__get__(media, owner) if bpm is None else round_half_up(bpm)",
        "super().__get__(media, owner)", "tests/beetsplug/test_decimals.py",
    ),
    Mutation(
        "a comment behind a Camelot code stays", "beetsplug/tempo/camelot_tags.py",
        'return f"{code}{SEPARATOR}{bare}" if bare else code', "return code",
        "tests/beetsplug/test_camelot_tags.py",
    ),
    Mutation(
        "a stated pace is not estimated away", "beetsplug/tempo/stated.py",
        "        return [(tempo, 1.0) for tempo in stated]", "        pass",
        "tests/beetsplug/test_stated.py",
    ),
    Mutation(
        "an artist is on one side of a split", "trainer/trainingset/split.py",
        "        ties.tie(own)\n", "        pass\n", "tests/trainer/trainingset/test_split.py",
    ),
    Mutation(
        "a model that has unlearned other music is not installed", "trainer/learning/compare.py",
        "return self.better and all(guard.kept for guard in self.guards)", "return self.better",
        "tests/trainer/learning",
    ),
    Mutation(
        "Accuracy 2 knows thirds", "tempo_core/levels.py",
        "ACCURACY_2 = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)", "ACCURACY_2 = (1 / 2, 1.0, 2.0)",
        "tests/trainer/evaluation/test_metrics.py",
    ),
)  # fmt: skip


def copy_repository(target: Path) -> None:
    """Copy all files of the repository that git tracks or does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def is_noticed(mutation: Mutation, copy: Path) -> bool | None:
    """Whether a test fails with the mutation; None if its line does not exist."""
    path = copy / mutation.path
    text = path.read_text(encoding="utf-8")
    if mutation.before not in text:
        return None
    path.write_text(text.replace(mutation.before, mutation.after, 1), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-n", "auto", *mutation.tests.split()],
            cwd=copy, env=environment, capture_output=True, text=True,
        )  # fmt: skip
    finally:
        path.write_text(text, encoding="utf-8")
    if done.returncode not in (0, 1, 2):
        raise SystemExit(done.stdout + done.stderr)
    return done.returncode != 0


def main() -> None:
    """Try every mutation and print whether it was noticed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="WORD", help="those whose promise has it")
    chosen = [m for m in MUTATIONS if parser.parse_args().only in m.promise]
    n_unnoticed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copy_repository(copy)
        for mutation in chosen:
            began = time.monotonic()
            noticed = is_noticed(mutation, copy)
            told = {True: "noticed", False: "NOT NOTICED", None: "NO SUCH LINE"}[noticed]
            n_unnoticed += noticed is not True
            print(f"{told:<12} {time.monotonic() - began:5.0f} s  {mutation.promise}", flush=True)
    print(f"{len(chosen) - n_unnoticed} of {len(chosen)} noticed")
    sys.exit(n_unnoticed > 0)


if __name__ == "__main__":
    main()
