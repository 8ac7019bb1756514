"""The only place that decodes audio: any file to mono float32 at one sample rate, whole or in part.

PyAV carries its own codecs (mp3, flac, vorbis, opus, aac/alac in m4a, wav, aiff, wma, ape, …), so
nothing has to be installed beside it, and it seeks, downmixes and resamples in C.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import av
import numpy as np

from .background import check_wanted
from .errors import AudioError
from .opening import Music, open_container, reason

# libav prints its complaints about damaged files straight to stderr, and its log callback takes
# the GIL from decoding threads. What is wrong with a file is said once, by our own AudioError.
av.logging.set_level(None)

MIN_DURATION = 1.0  # [s] below this there is no tempo to speak of
MAX_DURATION = (
    3600.0  # [s] of a file that is read whole: a whole-day stream must not fill the memory
)
SILENCE = 1e-4  # peak amplitude (-80 dB full scale) below which audio counts as silent
# Below this share of its peak (-50 dB) an excerpt holds silence, if that is at its ends.
QUIET = 10 ** (-50 / 20)
BLOCK = 0.05  # [s] in which loudness is looked at
# A decoder needs some packets before the wanted position until its output is right (the bit
# reservoir of mp3, the overlap of transform codecs).
PREROLL = 0.25  # [s]
LOOKAHEAD = 0.05  # [s] decoded beyond the end, more than the resampler's filter is long
BATCH = 0.4  # [s] of audio that is resampled in one go


@dataclass(frozen=True)
class Excerpt:
    """A contiguous piece of a recording.

    `audio` is (n_samples,) float32 mono; `start` is where it begins in the recording [s].
    """

    audio: np.ndarray
    start: float


def read_excerpts(
    path: str | bytes | os.PathLike[str], sr: int, spans: Sequence[tuple[float, float]] | None
) -> list[Excerpt]:
    """Decode parts of a file, or all of it, to mono at `sr`.

    Parameters
    ----------
    path
        Any audio file; the container and codec are recognised by content, not by extension.
    sr
        Sample rate of the result [Hz].
    spans
        (start, duration) of each part [s], in ascending order; None means the whole file.

    Returns
    -------
    One `Excerpt` per span that lies within the file, shorter than asked where the file ends.

    Raises
    ------
    AudioError
        If the file cannot be opened or decoded, or a sample is not a finite number.
    """
    with AudioFile(path) as file:
        return file.read_all(sr) if spans is None else file.read(sr, spans)


class AudioFile:
    """An open audio file that excerpts can be read from, in any order.

    Use it as a context manager. All failures are `AudioError`.
    """

    def __init__(self, path: str | bytes | os.PathLike[str]):
        self._opened = ExitStack()
        with self._opened:
            self._file = self._opened.enter_context(Music(path))
            self._container = self._opened.enter_context(open_container(self._file))
            self._opened = self._opened.pop_all()
        streams = self._container.streams.audio
        if not streams:
            self._opened.close()
            raise AudioError("there is no audio stream in this file")
        self._stream = streams[0]
        # One thread a file: the parallelism is over tracks.
        self._stream.codec_context.thread_type = "NONE"

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self._opened.close()

    @property
    def duration(self) -> float | None:
        """Length in seconds as the container states it; None if it does not."""
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif self._container.duration is not None:
            seconds = self._container.duration / av.time_base
        else:
            return None
        return seconds if math.isfinite(seconds) and seconds > 0 else None

    def read_all(self, sr: int) -> list[Excerpt]:
        """The whole file as one excerpt (at most `MAX_DURATION` of it)."""
        return self.read(sr, [(0.0, MAX_DURATION)])

    def read(self, sr: int, spans: Sequence[tuple[float, float]]) -> list[Excerpt]:
        """Excerpts at `spans`, see `read_excerpts`."""
        excerpts = []
        for start, duration in spans:
            excerpt = self._read_span(sr, start, duration)
            if excerpt.audio.size:
                if not np.isfinite(excerpt.audio).all():
                    raise AudioError("contains samples that are not finite numbers (NaN or Inf)")
                excerpts.append(excerpt)
        return excerpts

    def _read_span(self, sr: int, start: float, duration: float) -> Excerpt:
        # Resampling is a filter with a memory: a fresh one for each contiguous run of frames.
        resampler = _Resampler(sr)
        begin = None  # [s] position of the first decoded sample that is kept
        n_seconds = 0.0  # decoded so far
        for time, frame in self._frames_from(max(0.0, start - PREROLL)):
            if begin is None:
                begin = time
            resampler.push(frame)
            n_seconds += frame.samples / frame.sample_rate
            if n_seconds >= start + duration - begin + LOOKAHEAD:
                break
        if begin is None:
            return Excerpt(np.zeros(0, np.float32), start)
        first = max(0, round((start - begin) * sr))
        last = round((start + duration - begin) * sr)
        return Excerpt(np.ascontiguousarray(resampler.end()[first:last]), max(start, begin))

    def _frames_from(self, start: float) -> Iterator[tuple[float, av.AudioFrame]]:
        """Decoded frames with their time [s], beginning with the one that holds `start`."""
        stream = self._stream
        time_base = float(stream.time_base or 1 / 1e6)
        origin = (stream.start_time or 0) * time_base
        try:
            if start > 0 or self._started:
                target = int((origin + start) / time_base)
                try:
                    self._container.seek(target, stream=stream, backward=True)
                except av.error.FFmpegError:
                    # Not every demuxer can seek (raw streams): decode up to the position instead.
                    self._container.seek(0)
            self._started = True
            time = 0.0
            n_bad = 0
            packets = self._container.demux(stream)
            n_frames = 0
            while True:
                try:
                    packet = next(packets)
                    frames = packet.decode()
                except StopIteration:
                    break
                except av.error.InvalidDataError:
                    # One damaged packet in a file that is otherwise fine is nothing to give up for.
                    n_bad += 1
                    if n_bad > 100 and n_frames == 0:
                        raise
                    continue
                check_wanted()
                self._file.packet_came()
                for frame in frames:
                    n_frames += 1
                    if frame.pts is not None:
                        time = frame.pts * time_base - origin
                    length = frame.samples / frame.sample_rate
                    if time + length > start:
                        yield time, frame
                    time += length
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise AudioError(f"cannot be decoded ({reason(error)})") from error

    _started = False


class _Resampler:
    """Frames that follow each other, of any format, to mono at one rate.

    They pass the filter `BATCH` at a time, because a call costs more than the work on one frame of
    most codecs. Where the format changes in the middle (joined files do that) a new filter starts.
    """

    def __init__(self, sr: int):
        self._sr = sr
        self._format: tuple[str, str, int] | None = None
        self._filter: av.AudioResampler | None = None
        self._waiting: list[np.ndarray] = []
        self._n_waiting = 0
        self._chunks = [np.zeros(0, np.float32)]

    def push(self, frame: av.AudioFrame) -> None:
        """Take a frame; resample if that makes a batch."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._format:
            self._drain()
            self._format = form
            self._filter = av.AudioResampler(format="flt", layout="mono", rate=self._sr)
        if (
            frame.layout.nb_channels > 2
        ):  # arrays of frames with many channels are not to be relied on
            frame.pts = None  # let the resampler count samples; file timestamps may jitter
            self._filter_frame(frame)
            return
        self._waiting.append(frame.to_ndarray())
        self._n_waiting += frame.samples
        if self._n_waiting >= BATCH * frame.sample_rate:
            self._join()

    def end(self) -> np.ndarray:
        """(n_samples,) everything that was pushed."""
        self._drain()
        return np.concatenate(self._chunks)

    def _join(self) -> None:
        if not self._waiting or self._format is None:
            return
        name, layout, rate = self._format
        # Planar samples are (n_channels, n_samples), packed ones (1, n_samples * n_channels).
        joined = np.concatenate(self._waiting, axis=1)
        frame = av.AudioFrame.from_ndarray(joined, format=name, layout=layout)
        frame.sample_rate = rate
        self._filter_frame(frame)
        self._waiting.clear()
        self._n_waiting = 0

    def _filter_frame(self, frame: av.AudioFrame | None) -> None:
        if self._filter is not None:
            self._chunks += [part.to_ndarray()[0] for part in self._filter.resample(frame)]

    def _drain(self) -> None:
        self._join()
        self._filter_frame(None)


def sounding(excerpts: Sequence[Excerpt], sr: int) -> list[Excerpt]:
    """What sounds of excerpts: without the silence at their ends and without silent ones.

    Music that sets in is an onset louder than any of its beats. Excerpts of which less than
    `MIN_DURATION` is left are dropped.
    """
    found = []
    size = round(BLOCK * sr)
    for excerpt in excerpts:
        n_blocks = excerpt.audio.size // size
        if n_blocks == 0:
            continue
        peaks = np.abs(excerpt.audio[: n_blocks * size]).reshape(n_blocks, size).max(axis=1)
        loud = np.flatnonzero(peaks >= max(SILENCE, QUIET * peaks.max()))
        if loud.size == 0 or (loud[-1] + 1 - loud[0]) * size < MIN_DURATION * sr:
            continue
        first = int(loud[0]) * size
        last = (loud[-1] + 1) * size if loud[-1] + 1 < n_blocks else excerpt.audio.size
        found.append(Excerpt(excerpt.audio[first:last], excerpt.start + first / sr))
    return found


def check(excerpts: Sequence[Excerpt], sr: int) -> None:
    """Refuse what holds no music.

    Raises
    ------
    AudioError
        If all excerpts together are shorter than `MIN_DURATION` or none rises above `SILENCE`.
    """
    duration = sum(excerpt.audio.size for excerpt in excerpts) / sr
    if duration == 0:
        raise AudioError("no audio could be decoded")
    if duration < MIN_DURATION:
        raise AudioError(f"too short ({duration:.2f} s; at least {MIN_DURATION:g} s are needed)")
    if max(float(np.abs(excerpt.audio).max()) for excerpt in excerpts) < SILENCE:
        raise AudioError("silent (no sample above -80 dB)")
