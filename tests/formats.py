"""Formats of audio files as parameters of tests: two by default, all of them with `-m slow`."""

from __future__ import annotations

import pytest

from .audio import FORMATS

DEFAULT_FORMATS = ("mp3", "m4a")  # a tag before the audio, and a tree of boxes around it
EACH_FORMAT = [
    pytest.param(form, marks=[] if form in DEFAULT_FORMATS else [pytest.mark.slow])
    for form in FORMATS
]
