"""Tests that values derived from a track are computed once, and their memory is limited."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_core.config import FrontEnd, Windows
from tempo_core.excerpts import Excerpt
from tempo_core.heard import KEPT_WINDOWS, MOST_WINDOWS, Heard, Kept, Sound, Window, thinned
from tempo_core.spectrum import Mel
from tempo_core.windows import window_spans
from tests.models import filterbank

FRONT_END, PLAN = FrontEnd(), Windows(duration=2.0, hop=1.0)
SR, FPS = FRONT_END.sr, FRONT_END.fps
CALLS: Counter[str] = Counter()


class Counted(Mel):
    """A front end that counts how often it is used."""

    def features(self, audio: np.ndarray) -> np.ndarray:
        CALLS["features"] += 1
        return super().features(audio)


def weigh(sound: Sound, plan: Windows) -> np.ndarray:
    CALLS["weigh"] += 1
    assert plan == PLAN
    return np.linspace(0.5, 1.0, len(window_spans(sound.features.shape[-1], sound.fps, plan)))


def loudest(sound: Sound) -> float:
    CALLS["loudest"] += 1
    return float(sound.features.max())


@pytest.fixture
def spectrum() -> Counted:
    CALLS.clear()
    return Counted(FRONT_END, filterbank())


def excerpts(*durations: float) -> list[Excerpt]:
    rng = np.random.default_rng(0)
    return [
        Excerpt(rng.standard_normal(round(duration * SR)).astype(np.float32), 10.0 * k)
        for k, duration in enumerate(durations)
    ]


def test_each_thing_is_computed_once_and_only_when_it_is_wanted(spectrum: Counted) -> None:
    heard = Heard(excerpts(3.0, 5.0), SR, 60.0)
    assert heard.n_seconds == pytest.approx(8)
    assert not CALLS
    sounds = heard.sounds(spectrum)
    assert [(s.start, s.fps) for s in sounds] == [(0.0, FPS), (10.0, FPS)]
    assert CALLS == {"features": 2}
    for _ in range(3):
        heard.sounds(Counted(FRONT_END, filterbank().copy()))  # one of the same key
        heard.windows(spectrum, PLAN, weigh)
        heard.each(spectrum, loudest)
        sounds[0].once(loudest)
    assert CALLS == {"features": 2, "weigh": 2, "loudest": 2}


def test_another_front_end_has_features_of_its_own(spectrum: Counted) -> None:
    heard = Heard(excerpts(3.0), SR)
    other = Counted(FrontEnd(hop_length=256), filterbank())
    assert heard.sounds(spectrum)[0].features.shape[1] > 250
    assert heard.sounds(other)[0].features.shape[1] < 140
    assert CALLS == {"features": 2}


def test_windows_are_those_of_every_excerpt(spectrum: Counted) -> None:
    heard = Heard(excerpts(3.0, 5.0, 1.0), SR)
    windows = heard.windows(spectrum, PLAN, weigh)
    long, short = round(np.ceil(2 * FPS)), int(FPS) + 1
    assert [w.features.shape[1] for w in windows] == [long] * 6 + [short]
    np.testing.assert_array_equal(windows[0].features, heard.sounds(spectrum)[0].features[:, :long])
    assert [w.weight for w in windows] == pytest.approx([0.5, 1, *np.linspace(0.5, 1, 4), 0.5])


def test_what_is_settled_has_no_audio_and_all_that_was_asked(spectrum: Counted) -> None:
    heard = Heard(excerpts(3.0, 5.0), SR, 60.0)
    windows, peaks = heard.windows(spectrum, PLAN, weigh), heard.each(spectrum, loudest)
    settled = heard.settled()
    before = CALLS.copy()
    for a, b in zip(settled.windows(spectrum, PLAN, weigh), windows, strict=True):
        np.testing.assert_array_equal(a.features, b.features)
        assert (a.weight, a.start) == (b.weight, b.start)
        assert a.features.base is None  # nothing else of the track stays in memory for it
    assert settled.each(spectrum, loudest) == peaks
    assert (settled.n_seconds, settled.duration, settled.sr) == (heard.n_seconds, 60.0, SR)
    assert before == CALLS
    for ask in (
        lambda: settled.sounds(spectrum),
        lambda: settled.windows(spectrum, Windows(), weigh),
        lambda: settled.each(spectrum, id),
    ):
        with pytest.raises(LookupError, match="no audio"):  # not a track without anything in it
            ask()
    assert len(heard.sounds(spectrum)) == 2  # still there


def test_two_settled_are_all_that_was_heard(spectrum: Counted) -> None:
    parts = excerpts(3.0, 5.0, 4.0)
    found = []
    for some in (parts, parts[:1], parts[1:]):
        heard = Heard(some, SR, 60.0)
        heard.windows(spectrum, PLAN, weigh)
        heard.each(spectrum, loudest)
        found.append(heard.settled())
    whole, together = found[0], found[1] + found[2]
    assert together.n_seconds == pytest.approx(whole.n_seconds)
    assert together.duration == 60.0
    assert together.each(spectrum, loudest) == whole.each(spectrum, loudest)
    both = (heard.windows(spectrum, PLAN, weigh) for heard in (together, whole))
    for a, b in zip(*both, strict=True):
        np.testing.assert_array_equal(a.features, b.features)
        assert a.weight == b.weight


def test_features_that_are_known_need_no_audio(spectrum: Counted) -> None:
    pieces = [np.full((40, n), k, np.float32) for k, n in enumerate((100, 300))]
    heard = Heard.of_features(pieces, spectrum)
    assert heard.sr == SR
    assert heard.n_seconds == pytest.approx(400 / FPS)
    assert [s.start for s in heard.sounds(spectrum)] == pytest.approx([0, 100 / FPS])
    assert len(heard.windows(spectrum, PLAN, weigh)) == 1 + 3
    assert CALLS == {"weigh": 2}


def numbered(first: int, n: int) -> list[Window]:
    """Windows whose weights are their numbers in the track."""
    return [Window(np.empty((0, 0), np.float32), float(k)) for k in range(first, first + n)]


rounds = st.lists(st.integers(0, 400), min_size=1, max_size=40)


@given(rounds)
@settings(deadline=None)
def test_what_is_kept_is_spread_evenly_and_bounded(sizes: list[int]) -> None:
    kept, n = Kept(numbered(0, sizes[0])), sizes[0]
    for size in sizes[1:]:
        kept, n = kept.and_then(numbered(n, size)), n + size
        assert len(kept.windows) <= max(MOST_WINDOWS, sizes[0])
    which = [int(window.weight) for window in kept.windows]
    assert which == list(range(0, n, kept.stride))  # every so-manieth, from the first on
    if n <= MOST_WINDOWS:
        assert which == list(range(n))  # an ordinary track is kept as a whole
    elif len(sizes) > 1:
        assert len(which) >= MOST_WINDOWS // 2
    looked_at = [int(window.weight) for window in thinned(kept.windows)]
    assert len(looked_at) <= KEPT_WINDOWS
    if n >= KEPT_WINDOWS:
        assert len(looked_at) == KEPT_WINDOWS
        steps = np.diff([*looked_at, n])
        assert steps.max() <= 1.5 * n / KEPT_WINDOWS + 2 * kept.stride
    else:
        assert looked_at == which


@given(rounds, rounds)
@settings(deadline=None, max_examples=30)
def test_it_does_not_matter_how_it_was_cut_into_rounds(one: list[int], other: list[int]) -> None:
    n = min(sum(one), sum(other))

    def keep(sizes: list[int]) -> Kept:
        kept, first = Kept([]), 0
        for size in sizes:
            kept, first = kept.and_then(numbered(first, min(size, n - first))), first + size
            if first >= n:
                break
        return kept

    a, b = keep(one), keep(other)
    assert [w.weight for w in a.windows] == [w.weight for w in b.windows]
    assert (a.stride, a.n_heard or 0) == (b.stride, b.n_heard or 0) or n == 0


def test_keeping_leaves_what_was_there_alone() -> None:
    kept = Kept(numbered(0, MOST_WINDOWS))
    later = kept.and_then(numbered(MOST_WINDOWS, 5))
    assert len(kept.windows) == MOST_WINDOWS
    assert later.stride == 2
