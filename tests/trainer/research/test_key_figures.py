"""Measuring the key model: what a key out of tune is compared with, and what is made of songs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.keys import Key
from trainer.research.key_figures import as_it_sounds, with_another_end
from trainer.research.without_key import sounds

SR = 11025


@pytest.mark.parametrize(
    ("tuning", "found", "expected"),
    [
        (0.3, Key(0, False), Key(11, True)),
        (0.7, Key(0, True), Key(0, True)),
        (-0.6, None, Key(10, True)),
        # Halfway it is what was found, if that is one of both.
        (0.49, Key(0, True), Key(0, True)),
        (0.51, Key(11, True), Key(11, True)),
        (-0.5, Key(10, True), Key(10, True)),
    ],
)
def test_a_key_is_what_it_sounds_like(tuning: float, found: Key | None, expected: Key) -> None:
    assert as_it_sounds(Key(11, True), tuning, found) == expected


def test_the_last_third_is_another() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(9 * SR) / SR).astype(np.float32)
    changed = with_another_end(tone, 12)
    assert len(changed) == pytest.approx(7.5 * SR, abs=2)
    np.testing.assert_array_equal(changed[: 6 * SR], tone[: 6 * SR])
    spectrum = np.abs(np.fft.rfft(changed[-SR:]))
    assert int(spectrum.argmax()) == pytest.approx(880, abs=2)


@pytest.mark.slow
def test_sounds_without_a_key_are_as_long_as_they_say(tmp_path: Path) -> None:
    (tmp_path / "midi" / "groove").mkdir(parents=True)
    (tmp_path / "midi" / "groove" / "info.csv").write_text(
        "split,beat_type,duration,midi_filename\n"
    )
    made = list(sounds(tmp_path, SR))
    assert {"silence", "noise", "clicks", "applause"} <= {kind for kind, _, _ in made}
    for _, name, audio in made:
        assert len(audio) == pytest.approx(30 * SR, abs=1), name
        assert np.isfinite(audio).all()
