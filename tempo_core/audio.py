"""Decoding of audio, for all of the project: any file to mono float32 at one sample rate.

PyAV has its own codecs (mp3, flac, vorbis, opus, aac/alac in m4a, wav, aiff, wma, ape, …), so that
nothing else has to be installed, and it seeks, downmixes and resamples in C.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import av
import numpy as np

from .background import check_wanted
from .errors import AudioError, reason
from .excerpts import (
    LOUDNESS_BLOCK,
    MIN_DURATION,
    QUIET_SHARE,
    SILENT_PEAK,
    Excerpt,
    block_swings,
)
from .opening import Music, open_container
from .resampling import MOST_MIXED_CHANNELS, NOT_FINITE, Resampler, mix

# libav would print every complaint about a damaged file to stderr, and its log callback takes the
# GIL from decoding threads. A file that cannot be read is reported once, as `AudioError`.
av.logging.set_level(None)

MAX_DURATION = 3600.0  # [s] that are read of a file at once: a day of audio would fill the memory
LONGEST_PAUSE = 1.0  # [s] of silence within one run; a longer one separates two runs
# [s] decoded before the wanted position. The first output of a decoder is not right, because it
# depends on earlier packets (the bit reservoir of mp3, the overlap of transform codecs).
PREROLL = 0.25
LOOKAHEAD = 0.05  # [s] decoded after the wanted end, longer than the resampler's filter
HIGHEST_RATE = 10_000_000  # [Hz] of audio in memory
LOUDEST_PEAK = 16.0  # peak amplitude, 1 is full scale; louder excerpts are scaled down to 1

Run = tuple[float, float]  # (begin, end) [s] of a stretch of a recording


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


class AudioSource(Protocol):
    """Audio that can be listened to, in a file or in memory; `AudioFile` describes the methods."""

    @property
    def duration(self) -> float | None: ...
    def read(self, sr: int, spans: Sequence[tuple[float, float]]) -> list[Excerpt]: ...
    def stream(self, sr: int, duration: float) -> Iterator[Excerpt]: ...
    def goes_on(self, time: float) -> bool: ...
    def packet_runs(self) -> list[Run]: ...
    def sounding_runs(self) -> list[Run]: ...


class AudioFile:
    """An open audio file that excerpts can be read from, in any order.

    Use it as a context manager. All of its methods raise `AudioError` for a file that cannot be
    decoded.
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
        if stream.duration is not None and stream.time_base:
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
        excerpts = (self._read_span(sr, start, duration) for start, duration in spans)
        return [_finite(excerpt) for excerpt in excerpts if excerpt.audio.size]

    def stream(self, sr: int, duration: float) -> Iterator[Excerpt]:
        """The whole file in one pass, in excerpts of `duration` [s], the last one shorter.

        They follow each other without a gap. An excerpt ends early where the time stamps jump by
        more than `LONGEST_PAUSE`.
        """
        resampler: Resampler | None = None
        size = round(duration * sr)
        begin = end = 0.0  # [s] place in the file of the audio in the resampler
        for time, frame in self._frames_from(0.0):
            if resampler is not None and abs(time - end) > LONGEST_PAUSE:
                yield from _in_pieces(resampler.end(), begin, size, sr)
                resampler = None
            if resampler is None:
                resampler, begin = Resampler(sr), time
                end = time
            resampler.push(frame)
            end += frame.samples / frame.sample_rate
            # Audio before time 0 is the delay of an encoder, not part of the music.
            if begin < 0 and resampler.n_ready >= -begin * sr:
                resampler.take(round(-begin * sr))
                begin = 0.0
            while resampler.n_ready >= size:
                yield _finite(Excerpt(resampler.take(size), begin))
                begin += size / sr
        if resampler is not None:
            yield from _in_pieces(resampler.end(), begin, size, sr)

    def goes_on(self, time: float) -> bool:
        """Whether there is audio at `time` [s] or later."""
        return next(self._frames_from(time), None) is not None

    def packet_runs(self) -> list[Run]:
        """Stretches of the file in which there are packets of audio, in order; nothing is decoded.

        Takes one pass over the file. Packets whose times go back, as in joined files, are left out.
        """
        runs: list[Run] = []
        for time, packet in self._packets_from(0.0):
            length = float((packet.duration or 0) * (packet.time_base or 0))
            _extend(runs, time, time + length)
        return runs

    def sounding_runs(self) -> list[Run]:
        """Stretches of the file that sound, in order, by decoding all of it piece by piece.

        A frame sounds if it reaches both `SILENT_PEAK` and `QUIET_SHARE` of the loudest frame. A
        constant offset is no sound. Runs shorter than `MIN_DURATION` are left out.
        """
        levels = [
            (time, time + frame.samples / frame.sample_rate, _swing(frame))
            for time, frame in self._frames_from(0.0)
        ]
        loudest = max((level for _, _, level in levels), default=0.0)
        runs: list[Run] = []
        for begin, end, level in levels:
            if level >= max(SILENT_PEAK, QUIET_SHARE * loudest):
                _extend(runs, begin, end)
        return [(begin, end) for begin, end in runs if end - begin >= MIN_DURATION]

    def _read_span(self, sr: int, start: float, duration: float) -> Excerpt:
        """Excerpt of a span [s]; empty if the file ends before it."""
        # Resampling is a filter with a memory: a fresh one for each contiguous run of frames.
        resampler = Resampler(sr)
        begin = None  # [s] place in the file of the first decoded sample
        n_seconds = 0.0  # of audio decoded so far
        for time, frame in self._frames_from(max(0.0, start - PREROLL)):
            if time >= start + duration + LOOKAHEAD:
                break
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
        return Excerpt(mix(resampler.end()[:, first:last], sr), max(start, begin))

    def _frames_from(self, start: float) -> Iterator[tuple[float, av.AudioFrame]]:
        """Decoded frames with their time [s], beginning with the one that holds `start`."""
        time_base, origin = self._clock
        time = 0.0
        n_bad = n_frames = 0
        try:
            for _, packet in self._packets_from(start):
                try:
                    frames: list[Any] = packet.decode()
                except av.error.FFmpegError:
                    # A damaged packet is skipped: the rest of the file may be fine. Decoders report
                    # it by several errors, "operation not permitted" among them.
                    n_bad += 1
                    if n_bad > 100 and n_frames == 0:
                        raise
                    continue
                for frame in frames:
                    n_frames += 1
                    if frame.pts is not None:
                        time = frame.pts * time_base - origin
                    length = frame.samples / frame.sample_rate
                    if time + length > start:
                        yield time, frame
                    time += length
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise _undecodable(error) from error

    def _packets_from(self, start: float) -> Iterator[tuple[float, av.Packet]]:
        """Packets of the stream with their time [s], from `start` or somewhat earlier on.

        The last packet is empty: it makes a decoder give the frames that it has held back.
        """
        time_base, origin = self._clock
        time = 0.0
        has_come = False
        try:
            if start > 0 or self._started:
                target = int((origin + start) / time_base)
                try:
                    self._container.seek(target, stream=self._stream, backward=True)
                except av.error.FFmpegError:
                    # Not every demuxer can seek (raw streams): read up to the position instead.
                    self._container.seek(0)
            self._started = True
            packets = self._container.demux(self._stream)
            while True:
                try:
                    packet = next(packets)
                except StopIteration:
                    self._file.check()
                    break
                except av.error.InvalidDataError:
                    continue
                except av.error.FFmpegError:
                    # The rest of the file is of another kind, as in an Ogg file of one channel
                    # joined with one of two. If something was read before, the audio ends here.
                    self._file.check()
                    if not has_come and start <= 0:
                        raise
                    break
                has_come = True
                check_wanted()
                self._file.packet_came()
                if packet.pts is not None:
                    time = packet.pts * time_base - origin
                yield time, packet
                time += (packet.duration or 0) * time_base
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise _undecodable(error) from error

    @property
    def _clock(self) -> tuple[float, float]:
        """Unit of the time stamps, and time stamp of the beginning of the stream, both [s]."""
        time_base = float(self._stream.time_base or 1 / 1e6)
        return time_base, (self._stream.start_time or 0) * time_base

    _started = False


class Recorded:
    """Audio in memory, as an `AudioSource`.

    Parameters
    ----------
    audio
        (n_samples,) or (n_channels, n_samples); 1 is full scale.
    sr
        Sample rate [Hz].

    Raises
    ------
    AudioError
        If the audio has another shape or no numbers, or a sample is not finite; or if the sample
        rate is not in 1..`HIGHEST_RATE`.
    """

    def __init__(self, audio: np.ndarray, sr: int):
        try:
            with np.errstate(over="ignore"):  # too large numbers become infinite, and are refused
                channels = np.atleast_2d(np.asarray(audio).astype(np.float32, casting="same_kind"))
        except (TypeError, ValueError) as error:
            raise AudioError(f"this is no audio ({error})") from error
        if (
            channels.ndim != 2
            or not 0 < len(channels) <= MOST_MIXED_CHANNELS
            or not 1 <= sr <= HIGHEST_RATE
        ):
            raise AudioError(
                f"audio of the shape {np.shape(audio)} at {sr} Hz; give (n_samples,) or "
                f"(n_channels, n_samples) with at most {MOST_MIXED_CHANNELS} channels, and the "
                "rate in Hz"
            )
        if not np.isfinite(channels).all():
            raise AudioError(NOT_FINITE)
        self._channels, self._sr = np.ascontiguousarray(channels), int(sr)
        self._resampled: dict[int, np.ndarray] = {}  # mono, by sample rate

    @property
    def duration(self) -> float | None:
        """Length [s]; None if there are no samples."""
        return self._channels.shape[1] / self._sr or None

    def read(self, sr: int, spans: Sequence[tuple[float, float]]) -> list[Excerpt]:
        """See `AudioFile.read`."""
        whole = self._at(sr)
        found = []
        for start, duration in spans:
            audio = whole[max(0, round(start * sr)) : round((start + duration) * sr)]
            if audio.size:
                found.append(Excerpt(audio, start))
        return found

    def stream(self, sr: int, duration: float) -> Iterator[Excerpt]:
        """See `AudioFile.stream`."""
        size = round(duration * sr)
        whole = self._at(sr)
        for first in range(0, whole.size, size):
            yield Excerpt(whole[first : first + size], first / sr)

    def goes_on(self, time: float) -> bool:
        """See `AudioFile.goes_on`."""
        return time < (self.duration or 0.0)

    def packet_runs(self) -> list[Run]:
        """The whole audio as one stretch: there are no packets in memory."""
        return [(0.0, self.duration or 0.0)]

    def sounding_runs(self) -> list[Run]:
        """See `AudioFile.sounding_runs`."""
        size = max(1, round(LOUDNESS_BLOCK * self._sr))
        swings = np.max([block_swings(channel, size) for channel in self._channels], axis=0)
        loudest = float(swings.max(initial=0.0))
        runs: list[Run] = []
        for k in np.flatnonzero(swings >= max(SILENT_PEAK, QUIET_SHARE * loudest)).tolist():
            _extend(runs, k * size / self._sr, (k + 1) * size / self._sr)
        return [(begin, end) for begin, end in runs if end - begin >= MIN_DURATION]

    def _at(self, sr: int) -> np.ndarray:
        """(n_samples,) the audio as mono at a sample rate [Hz], resampled once."""
        if sr not in self._resampled:
            layout = "mono" if len(self._channels) == 1 else f"{len(self._channels)}c"
            if len(self._channels) == 2:
                layout = "stereo"
            resampler = Resampler(sr)
            step = 1 << 20  # samples of a frame: libav counts its bytes in 32 bits
            for first in range(0, self._channels.shape[1], step):
                # Samples of all channels interleaved: PyAV makes no frame of eight planes.
                piece = self._channels[:, first : first + step].T.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(piece, "flt", layout)
                frame.sample_rate = self._sr
                resampler.push(frame)
            self._resampled[sr] = _finite(Excerpt(mix(resampler.end(), sr), 0.0)).audio
        return self._resampled[sr]


def _undecodable(error: Exception) -> AudioError:
    """The error to raise for a file in which libav finds nothing, or that cannot be read."""
    # libav says -1 of damage of many kinds, which is the number of "operation not permitted". What
    # the system does not permit is an error of the file, which libav only passes on.
    damaged = isinstance(error, av.error.FFmpegError) and error.errno == errno.EPERM
    return AudioError(f"cannot be decoded ({'it is damaged' if damaged else reason(error)})")


def _finite(excerpt: Excerpt) -> Excerpt:
    """The excerpt, scaled to a peak of 1 if it is louder than `LOUDEST_PEAK`.

    Files with samples in floating point may have any level.

    Raises
    ------
    AudioError
        If a sample is not a finite number.
    """
    peak = float(np.abs(excerpt.audio).max(initial=0.0))
    if not math.isfinite(peak):
        raise AudioError(NOT_FINITE)
    return Excerpt(excerpt.audio / peak, excerpt.start) if peak > LOUDEST_PEAK else excerpt


def _in_pieces(channels: np.ndarray, begin: float, size: int, sr: int) -> Iterator[Excerpt]:
    """Excerpts of `size` samples, the last one shorter, of audio (n_channels, n_samples).

    The audio begins at `begin` in the file [s].
    """
    for first in range(0, channels.shape[1], size):
        piece = mix(channels[:, first : first + size], sr)
        yield _finite(Excerpt(piece, begin + first / sr))


def _extend(runs: list[Run], begin: float, end: float) -> None:
    """Add a stretch from `begin` to `end` [s] to runs in place.

    It extends the last run, or begins a new one after a gap longer than `LONGEST_PAUSE`.
    """
    if not runs:
        runs.append((begin, end))
        return
    first, last = runs[-1]
    if begin - last > LONGEST_PAUSE:
        runs.append((begin, end))
    elif end > last:
        runs[-1] = (first, end)


def _swing(frame: av.AudioFrame) -> float:
    """Half the distance from the lowest to the highest sample of a channel; 1 is full scale.

    Of several channels the largest counts.
    """
    samples = frame.to_ndarray()
    if samples.shape[0] == 1:  # packed: the samples of all channels are interleaved
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    swing = float((samples.max(axis=1).astype(float) - samples.min(axis=1)).max()) / 2
    kind = samples.dtype
    return swing / 2.0 ** (8 * kind.itemsize - 1) if kind.kind in "iu" else swing
