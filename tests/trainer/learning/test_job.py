"""Tests of what all learning methods share."""

from __future__ import annotations

import time
from pathlib import Path

from tempo_core import methods
from tempo_core.errors import AudioError
from trainer.learning.job import Job, and_why, hear_all
from trainer.learning.options import LearnOptions

JOB = Job(methods.of_task("notes")[0], LearnOptions("notes", jobs=2, quiet=True), lambda: False)


def test_what_is_heard_and_what_fails_is_in_the_order_of_the_paths() -> None:
    """Whichever thread is ready first."""
    paths = [Path(f"{k}.wav") for k in range(4)]

    def hear(k: int) -> int:
        time.sleep(0.3 if k == 0 else 0.0)
        if k % 3 == 0:
            raise AudioError(f"{paths[k]}: broken")
        return k

    heard, failed = hear_all(paths, hear, JOB)
    assert list(heard.items()) == [(1, 1), (2, 2)]
    assert [path for path, _ in failed] == [paths[0], paths[3]]
    assert and_why(failed) == " (2 others could not be used; the first: 0.wav: broken)"
    assert and_why([]) == ""
