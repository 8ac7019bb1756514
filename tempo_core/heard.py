"""What was heard of a track: its excerpts and what is computed from them, once and on demand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .config import Windows
from .excerpts import Excerpt
from .spectrum import Spectrum
from .windows import window_spans

T = TypeVar("T")
KEPT_WINDOWS = 48  # of a track that `thinned` leaves, evenly spread
# Windows of a track whose features stay in memory; where there are more, every second is dropped.
MOST_WINDOWS = 8 * KEPT_WINDOWS


@dataclass(frozen=True)
class Sound:
    """Features of one excerpt, and what was computed from them.

    `features` are (n_bands, n_frames) at `fps` frames a second; the excerpt begins at `start` in
    the track [s]. `known` are results of `once` by their functions.
    """

    features: NDArray[np.float32]
    start: float
    fps: float
    known: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, make: Callable[[Sound], T]) -> T:
        """Result of a function of this sound, computed at the first call and kept."""
        if make not in self.known:
            self.known[make] = make(self)
        found: T = self.known[make]
        return found


@dataclass(frozen=True)
class Window:
    """Features (n_bands, n_frames) of one window, and its weight in 0..1.

    The window begins at `start` in the track [s].
    """

    features: NDArray[np.float32]
    weight: float
    start: float = 0.0


@dataclass(frozen=True)
class Kept:
    """Windows of a track that are kept: every `stride`-th of those that were heard.

    `n_heard` windows were heard; None stands for as many as are kept.
    """

    windows: list[Window]
    stride: int = 1
    n_heard: int | None = None

    def and_then(self, later: Sequence[Window]) -> Kept:
        """The kept windows of this and of windows that were heard after it."""
        n_before = len(self.windows) if self.n_heard is None else self.n_heard
        stride = self.stride
        windows = [*self.windows, *later[-n_before % stride :: stride]]
        while len(windows) > MOST_WINDOWS:
            windows, stride = windows[::2], 2 * stride
        return Kept(windows, stride, n_before + len(later))

    def alone(self) -> Kept:
        """The same windows as copies, so that the features they were cut from can be freed."""
        copies = [replace(w, features=w.features.copy()) for w in self.windows]
        return replace(self, windows=copies)


# (sound, plan) → weights of its windows (n_windows,), in 0..1.
Weigh = Callable[[Sound, Windows], NDArray[np.float64]]


class Heard:
    """Excerpts of one track, with their features and what tasks compute from them.

    Parameters
    ----------
    excerpts
        What sounds of the track, in the order in which it was listened to.
    sr
        Sample rate of the excerpts [Hz].
    duration
        Length of the track [s]; None if all of it was listened to, or its length is unknown.
    genres
        What is known of its genre, see `tempo_core.genres.names_of`.
    """

    def __init__(
        self,
        excerpts: Sequence[Excerpt],
        sr: int,
        duration: float | None = None,
        genres: Sequence[str] = (),
    ):
        self.sr, self.duration, self.genres = sr, duration, tuple(genres)
        self.n_seconds = sum(excerpt.audio.size for excerpt in excerpts) / sr
        self._excerpts = tuple(excerpts)
        self._each: dict[tuple[Hashable, ...], list[Any]] = {}
        self._windows: dict[Hashable, Kept] = {}

    @classmethod
    def of_features(cls, features: Sequence[NDArray[np.float32]], spectrum: Spectrum) -> Heard:
        """What was heard, from features (n_bands, n_frames) of pieces that follow each other."""
        made, begin = cls((), spectrum.sr), 0.0
        sounds = []
        for piece in features:
            sounds.append(Sound(piece, begin, spectrum.fps))
            begin += piece.shape[-1] / spectrum.fps
        made.n_seconds = begin
        made._each["sounds", spectrum.key] = sounds
        return made

    def sounds(self, spectrum: Spectrum) -> list[Sound]:
        """Features of every excerpt.

        Raises
        ------
        LookupError
            If they were not computed before, and the audio is gone (see `settled`).
        """

        def make() -> list[Sound]:
            if not self._excerpts:
                raise LookupError("there is no audio to look at; a task says what is to be kept")
            return [
                Sound(spectrum.features(excerpt.audio), excerpt.start, spectrum.fps)
                for excerpt in self._excerpts
            ]

        return self._once(("sounds", spectrum.key), make)

    def each(self, spectrum: Spectrum, make: Callable[[Sound], T]) -> list[T]:
        """Results of a function of the features of every excerpt.

        They are kept until the end of the track, so they should be small.
        """
        return self._once(
            (spectrum.key, make), lambda: [s.once(make) for s in self.sounds(spectrum)]
        )

    def windows(self, spectrum: Spectrum, plan: Windows, weigh: Weigh) -> list[Window]:
        """Windows of all excerpts; of a long track that is `settled` some, spread over it."""
        key: Hashable = (spectrum.key, plan, weigh)
        if key not in self._windows:
            sounds = self.sounds(spectrum)
            self._windows[key] = Kept(list(chain(*(_cut(sound, plan, weigh) for sound in sounds))))
        return self._windows[key].windows

    def settled(self, windows: bool = True) -> Heard:
        """The same without the audio and its features.

        The features of windows stay if `windows` is True.
        """
        rest = Heard((), self.sr, self.duration, self.genres)
        rest.n_seconds = self.n_seconds
        rest._each = {key: of for key, of in self._each.items() if key[0] != "sounds"}
        rest._windows = {key: kept.alone() for key, kept in self._windows.items() if windows}
        return rest

    def __add__(self, later: Heard) -> Heard:
        """What was heard of a track in two parts that are both `settled`.

        Only what was computed for both parts is known of the whole.
        """
        both = Heard((), self.sr, self.duration, self.genres)
        both.n_seconds = self.n_seconds + later.n_seconds
        for key in self._each.keys() & later._each.keys():
            both._each[key] = self._each[key] + later._each[key]
        for plan in self._windows.keys() & later._windows.keys():
            both._windows[plan] = self._windows[plan].and_then(later._windows[plan].windows)
        return both

    def _once(self, key: tuple[Hashable, ...], make: Callable[[], list[T]]) -> list[T]:
        if key not in self._each:
            self._each[key] = make()
        return self._each[key]


def _cut(sound: Sound, plan: Windows, weigh: Weigh) -> list[Window]:
    """Sliding windows of one excerpt, with their weights."""
    spans = window_spans(sound.features.shape[-1], sound.fps, plan)
    weights = weigh(sound, plan).tolist()
    return [
        Window(sound.features[:, first:last], weight, sound.start + first / sound.fps)
        for (first, last), weight in zip(spans, weights, strict=True)
    ]


def thinned(windows: Sequence[Window]) -> list[Window]:
    """At most `KEPT_WINDOWS` of the windows, evenly spread."""
    if len(windows) <= KEPT_WINDOWS:
        return list(windows)
    step = len(windows) / KEPT_WINDOWS
    return [windows[int(k * step)] for k in range(KEPT_WINDOWS)]
