"""Generated music of exactly known tempo, and audio files of it in every format.

The tests, the demo and the benchmarks use it, so that none of them needs a recording. Audio is an
array of floats from -1 to 1, shaped (n_samples,) if mono. All randomness comes from the parameter
`rng`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

Audio = NDArray[np.float32]

FORMATS = ("mp3", "flac", "ogg", "opus", "m4a", "wav", "aiff", "wma")


def click_track(bpm: float, duration: float, sr: int = 22050) -> Audio:
    """Audio with a short decaying click of 1 kHz on every beat, the first at time 0.

    Parameters
    ----------
    bpm
        Clicks per minute.
    duration
        Length [s].
    sr
        Sample rate [Hz].
    """
    audio = np.zeros(round(duration * sr), np.float32)
    t = np.arange(round(0.05 * sr)) / sr
    click = 0.8 * np.sin(2 * np.pi * 1000 * t) * np.exp(-t / 0.01)
    for beat in np.arange(0, duration, 60 / bpm):
        _mix(audio, click, round(beat * sr))
    return audio


def _mix(audio: Audio, sound: NDArray[Any], start: int) -> None:
    """Add a sound to the audio in place, from a sample on; parts outside the audio are cut off."""
    if start < 0:
        sound, start = sound[-start:], 0
    end = min(len(audio), start + len(sound))
    if end > start:
        audio[start:end] += sound[: end - start]


def _kick(sr: int, rng: np.random.Generator) -> NDArray[Any]:
    """Sound of a bass drum, (n_samples,)."""
    t = np.arange(round(0.25 * sr)) / sr
    # The pitch falls from 160 to 48 Hz: integrate it to get the phase.
    phase = 2 * np.pi * np.cumsum(48 + 112 * np.exp(-t / 0.03)) / sr
    beater = 0.3 * rng.standard_normal(len(t)) * np.exp(-t / 0.003)
    return np.sin(phase) * np.exp(-t / 0.09) + beater


def _snare(sr: int, rng: np.random.Generator) -> NDArray[Any]:
    """Sound of a snare drum, (n_samples,)."""
    t = np.arange(round(0.22 * sr)) / sr
    drum = 0.5 * np.sin(2 * np.pi * 185 * t) * np.exp(-t / 0.04)
    return drum + 0.45 * rng.standard_normal(len(t)) * np.exp(-t / 0.06)


def _hat(sr: int, rng: np.random.Generator, decay: float = 0.02) -> NDArray[Any]:
    """Sound of a hi-hat, (n_samples,); it decays in `decay` [s]."""
    t = np.arange(round(6 * decay * sr)) / sr
    noise = rng.standard_normal(len(t) + 2)
    # The second difference is a simple high-pass filter, 12 dB per octave.
    return 0.25 * np.diff(noise, 2) * np.exp(-t / decay)


def _note(midi: float, seconds: float, sr: int, brightness: float, decay: float) -> NDArray[Any]:
    """Sound of a plucked note, (n_samples,).

    Parameters
    ----------
    midi
        Pitch as a MIDI note number.
    seconds
        Length [s].
    sr
        Sample rate [Hz].
    brightness
        Ratio of the amplitudes of successive harmonics, 0 to 1.
    decay
        Time in which the amplitude falls to 1/e [s].
    """
    t = np.arange(round(seconds * sr)) / sr
    f0 = 440 * 2 ** ((midi - 69) / 12)
    n_harmonics = max(1, min(8, int(0.45 * sr / f0)))
    tone = sum(
        brightness ** (k - 1) * np.sin(2 * np.pi * k * f0 * t) for k in range(1, n_harmonics + 1)
    )
    # Faded in and out over 5 ms, so that notes start and end without a click.
    edge = np.minimum(1, np.minimum(t, seconds - t) / 0.005)
    return np.asarray(tone) * np.exp(-t / decay) * edge * (1 - brightness)


@dataclass(frozen=True)
class Style:
    """Style of a generated band: one bar of each instrument as text.

    Every sign is a step: a digit is a note with this loudness (9 is the loudest), a dot is a rest.
    The steps of a line are spread evenly over the bar, so in 4/4, 16 signs are sixteenths and 12
    signs are triplets. `beats` is the number of beats in a bar, and `timing_ms` the standard
    deviation of the players' timing [ms].
    """

    beats: int
    kick: str
    snare: str
    hat: str
    open_hat: str
    bass: str
    chords: str
    progression: tuple[tuple[int, ...], ...]  # semitones above the root, one chord a bar
    brightness: float
    chord_decay: float  # [s]
    timing_ms: float


_MINOR_LOOP = ((0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5))
_MAJOR_LOOP = ((0, 4, 7), (7, 11, 14), (-3, 0, 4), (5, 9, 12))

STYLES = {
    "house": Style(
        beats=4,
        kick="9...9...9...9...",
        snare="....8.......8...",
        hat="4.2.4.2.4.2.4.23",
        open_hat="..7...7...7...7.",
        bass="..8...8...8...88",
        chords="..7..6....7...6.",
        progression=_MINOR_LOOP,
        brightness=0.6,
        chord_decay=0.15,
        timing_ms=0,
    ),
    "rock": Style(
        beats=4,
        kick="9.......9.7.....",
        snare="....9.......9...",
        hat="7.4.6.4.7.4.6.4.",
        open_hat="..............5.",
        bass="9.6.7.6.8.6.7.6.",
        chords="9...7...8...7.6.",
        progression=_MAJOR_LOOP,
        brightness=0.8,
        chord_decay=0.6,
        timing_ms=3,
    ),
    "ballad": Style(
        beats=4,
        kick="9.......8.......",
        snare="....8.......8...",
        hat="5...4...5...4...",
        open_hat="................",
        bass="9.......7.......",
        chords="9...6...7...6...",
        progression=_MAJOR_LOOP,
        brightness=0.5,
        chord_decay=1.2,
        timing_ms=4,
    ),
    "dnb": Style(
        beats=4,
        kick="9.........9.....",
        snare="....9..2.2..9..2",
        hat="6.5.6.5.6.5.6.5.",
        open_hat="..............4.",
        bass="9.....6...8.....",
        chords="7...............",
        progression=_MINOR_LOOP,
        brightness=0.55,
        chord_decay=1.5,
        timing_ms=0,
    ),
    "shuffle": Style(
        beats=4,
        kick="9.....8.....",
        snare="...9.....9..",
        hat="7.57.57.57.5",
        open_hat="............",
        bass="9..7.58..7.5",
        chords="..6.....6...",
        progression=((0, 4, 10), (0, 4, 10), (5, 9, 15), (0, 4, 10)),
        brightness=0.65,
        chord_decay=0.3,
        timing_ms=3,
    ),
    "waltz": Style(
        beats=3,
        kick="9.....",
        snare="..5.5.",
        hat="4.4.4.",
        open_hat="......",
        bass="9.....",
        chords="..7.7.",
        progression=_MAJOR_LOOP,
        brightness=0.55,
        chord_decay=0.4,
        timing_ms=3,
    ),
}


def drum_pattern(
    bpm: float, duration: float, sr: int, style: str, rng: np.random.Generator
) -> Audio:
    """Audio of a band that plays one of `STYLES` at a constant tempo, the first beat at time 0.

    The root note, the loudness and, except in the electronic styles, the timing by a few
    milliseconds vary with `rng`; the average tempo is exactly `bpm`.

    Parameters
    ----------
    bpm
        Tempo in quarter notes per minute [BPM].
    duration
        Length [s].
    sr
        Sample rate [Hz].
    style
        A key of `STYLES`.
    rng
        Source of everything random.

    Returns
    -------
    audio
        (n_samples,), peak 0.8.
    """
    s = STYLES[style]
    bar = s.beats * 60 / bpm
    audio = np.zeros(round(duration * sr), np.float32)
    root = 36 + int(rng.integers(0, 12))

    def play(pattern: str, sound: Callable[[int], NDArray[Any]], gain: float) -> None:
        step = bar / len(pattern)
        for i in range(int(np.ceil(duration / bar))):
            for j, sign in enumerate(pattern):
                if sign == ".":
                    continue
                late = 1e-3 * s.timing_ms * rng.standard_normal() if s.timing_ms else 0.0
                loud = gain * int(sign) / 9 * rng.uniform(0.85, 1.0)
                _mix(audio, loud * sound(i), round((i * bar + j * step + late) * sr))

    def one_shot(sound: NDArray[Any]) -> Callable[[int], NDArray[Any]]:
        return lambda _bar: sound

    step = bar / len(s.bass)
    basses, chords = [], []
    for notes in s.progression:
        basses.append(_note(root + notes[0], 2 * step, sr, 0.5, 0.5))
        length = min(4 * bar / s.beats, 2.5 * s.chord_decay)
        voices = [_note(root + 24 + n, length, sr, s.brightness, s.chord_decay) for n in notes]
        chords.append(np.sum(voices, axis=0))

    play(s.kick, one_shot(_kick(sr, rng)), 1.0)
    play(s.snare, one_shot(_snare(sr, rng)), 0.8)
    play(s.hat, one_shot(_hat(sr, rng)), 0.5)
    play(s.open_hat, one_shot(_hat(sr, rng, decay=0.07)), 0.5)
    play(s.bass, lambda i: basses[i % len(basses)], 0.9)
    play(s.chords, lambda i: chords[i % len(chords)], 0.35)
    return np.asarray(0.8 * audio / np.abs(audio).max(), np.float32)


Cadence = tuple[tuple[int, int], ...]  # root above the tonic [semitones], 1 for a minor chord


def chord_song(
    tonic: int,
    minor: bool,
    duration: float,
    sr: int,
    cents: float = 0.0,
    cadence: Cadence | None = None,
) -> Audio:
    """Chords with a bass of six partials each, in a key, `cents` above A 440.

    Parameters
    ----------
    tonic
        0 for C to 11 for B.
    cadence
        The chords, a bar each; by default those of a pop song in the key.
    """
    # (root above the tonic, whether the chord is minor): a cadence of the pop song kind.
    major_cadence = ((0, 0), (5, 0), (7, 0), (0, 0), (9, 1), (5, 0), (7, 0), (0, 0))
    minor_cadence = ((0, 1), (5, 1), (7, 0), (0, 1), (8, 0), (3, 0), (7, 0), (0, 1))
    time = np.arange(2 * sr) / sr
    chords = []
    for root, is_minor in cadence or (minor_cadence if minor else major_cadence):
        lowest = 48 + (tonic + root) % 12
        chord = np.zeros(len(time))
        for midi in (lowest - 12, lowest, lowest + (3 if is_minor else 4), lowest + 7):
            pitch = 440 * 2 ** ((midi - 69 + cents / 100) / 12)
            for number in range(1, 7):
                if pitch * number < sr / 2:
                    chord += number**-1.3 * np.sin(2 * np.pi * pitch * number * time)
        chords.append(chord * np.exp(-time / 1.5))
    song = np.concatenate(chords)
    song = np.tile(song, int(duration * sr / len(song)) + 1)[: int(duration * sr)]
    return np.asarray(0.5 * song / np.abs(song).max(), np.float32)


def warped(audio: Audio, tempo: NDArray[Any]) -> Audio:
    """Play a track at a relative tempo that is given for every sample of the result."""
    position = np.cumsum(tempo)
    position = position[position < len(audio) - 1]
    return np.interp(position, np.arange(len(audio)), audio).astype(np.float32)


def speech(duration: float, sr: int, rng: np.random.Generator) -> Audio:
    """Audio similar to speech: syllables of uneven length with formants, and pauses.

    Parameters
    ----------
    duration
        Length [s].
    sr
        Sample rate [Hz].
    rng
        Source of everything random.

    Returns
    -------
    audio
        (n_samples,), peak 0.4.
    """
    audio = np.zeros(round(duration * sr), np.float32)
    ringing = np.arange(round(0.03 * sr)) / sr
    time = 0.0
    while time < duration:
        length = rng.uniform(0.09, 0.28)
        if rng.random() < 0.15:
            time += rng.uniform(0.25, 0.8)
        n = round(length * sr)
        pitch = rng.uniform(90, 180) * np.linspace(1, rng.uniform(0.85, 1.1), n)
        voice = np.diff(np.floor(np.cumsum(pitch) / sr), prepend=0.0)
        breath = rng.standard_normal(n) * (0.3 if rng.random() < 0.25 else 0.02)
        formants = np.sum([
            np.sin(2 * np.pi * f * ringing) * np.exp(-ringing / 0.005)
            for f in (rng.uniform(300, 800), rng.uniform(900, 2200), rng.uniform(2300, 3200))
        ], axis=0)  # fmt: skip
        edge = np.minimum(1, np.minimum(np.arange(n), n - np.arange(n)) / (0.02 * sr))
        sound = np.convolve(voice + breath, formants)[:n] * edge
        _mix(audio, rng.uniform(0.5, 1) * sound, round(time * sr))
        time += length * rng.uniform(0.85, 1.2)
    return np.asarray(0.4 * audio / np.abs(audio).max(), np.float32)


def applause(duration: float, sr: int, rng: np.random.Generator) -> Audio:
    """Audio of applause, 180 random claps a second; parameters and result are those of `speech`."""
    audio = np.zeros(round(duration * sr), np.float32)
    t = np.arange(round(0.02 * sr)) / sr
    for start in rng.integers(0, len(audio), round(180 * duration)):
        clap = rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(0.002, 0.006))
        _mix(audio, rng.uniform(0.2, 1) * clap, int(start))
    return np.asarray(0.4 * audio / np.abs(audio).max(), np.float32)


# Container, encoder and bit rate [bit/s] of formats that are written with libav.
_AV_FORMATS = {
    ".mp3": ("mp3", "libmp3lame", 128_000),
    ".opus": ("opus", "libopus", 96_000),
    ".m4a": ("ipod", "aac", 128_000),
    ".wma": ("asf", "wmav2", 128_000),
}
_QUICK = {".mp3": {"compression_level": "7"}, ".m4a": {"aac_coder": "fast"}}
_SOUNDFILE_FORMATS = {
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".wav": ("WAV", "PCM_16"),
    ".aiff": ("AIFF", "PCM_16"),
}
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def write_audio(
    path: Path, samples: NDArray[Any], sr: int, *, subtype: str | None = None, quick: bool = False
) -> Path:
    """Write an audio file in one of `FORMATS`, given by the extension of the path.

    Parameters
    ----------
    path
        File to write; an existing file is replaced.
    samples
        (n_samples,) or (n_samples, n_channels).
    sr
        Sample rate [Hz]. For a lossy encoder without this rate, the next higher one that it has.
    subtype
        libsndfile's name of the sample format of wav, aiff and flac, None for 16-bit integers;
        "FLOAT" keeps NaN, infinity and values beyond full scale.
    quick
        Encode in the quickest way that the encoder has, which sounds a little worse.

    Returns
    -------
    path
        The same path.
    """
    suffix = path.suffix.lower()
    samples = np.asarray(samples, np.float32)
    if samples.ndim == 1:
        samples = samples[:, None]
    if suffix in _AV_FORMATS:
        tuning = _QUICK.get(suffix) if quick else None
        write_encoded(path, samples, sr, *_AV_FORMATS[suffix], tuning=tuning)
    elif suffix in _SOUNDFILE_FORMATS:
        container, default = _SOUNDFILE_FORMATS[suffix]
        with soundfile.SoundFile(
            str(path), "w", sr, samples.shape[1], subtype or default, format=container
        ) as f:
            # libsndfile's Vorbis encoder overflows the stack if it gets minutes of audio at once.
            for start in range(0, len(samples), sr):
                f.write(samples[start : start + sr])
    else:
        raise ValueError(f"{path}: no encoder for {suffix!r}, only for {FORMATS}")
    return path


def write_encoded(
    path: Path,
    samples: NDArray[Any],
    sr: int,
    container: str,
    encoder: str,
    bit_rate: int | None = None,
    *,
    options: dict[str, str] | None = None,
    tuning: dict[str, str] | None = None,
    copies: int = 1,
) -> Path:
    """Write an audio file with libav, in any container and codec that it supports.

    Parameters
    ----------
    path
        File to write.
    samples
        (n_samples, n_channels).
    sr
        Sample rate [Hz].
    container, encoder
        Names in libav.
    bit_rate
        Bit rate [bit/s]; None for the default of the encoder.
    options
        Options of the container.
    tuning
        Options of the encoder.
    copies
        Number of audio streams with these samples.

    Returns
    -------
    path
        The same path.
    """
    rates = sorted(av.codec.Codec(encoder, "w").audio_rates or [sr])
    rate = next((r for r in rates if r >= sr), rates[-1])
    layout = _LAYOUTS[samples.shape[1]]
    with av.open(str(path), "w", format=container, options=options or {}) as output:
        streams: list[Any] = [
            output.add_stream(encoder, rate=rate, options=tuning or {}) for _ in range(copies)
        ]
        for stream in streams:
            stream.layout = layout
            if bit_rate:
                stream.bit_rate = bit_rate
        stream = streams[0]
        resampler = av.AudioResampler(stream.format, layout, rate)
        clipped = np.clip(samples, -1, 1)
        for start in range(0, len(clipped), sr):
            chunk = np.ascontiguousarray(clipped[start : start + sr].reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(chunk, "flt", layout)
            frame.sample_rate = sr
            frame.pts = start
            frame.time_base = Fraction(1, sr)
            for resampled in resampler.resample(frame):
                for stream in streams:
                    output.mux(stream.encode(resampled))
        for resampled in resampler.resample(None):
            for stream in streams:
                output.mux(stream.encode(resampled))
        for stream in streams:
            output.mux(stream.encode(None))
    return path


def write_bad_files(folder: Path) -> dict[str, Path]:
    """Write one file for each way in which a path may not be music; the paths by the kind of fault.

    An estimator must raise an `AudioError` for each of them. The paths "missing" and "dangling" do
    not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    sr = 22050
    music = drum_pattern(120, 8, sr, "house", rng)
    bad = {
        "missing": folder / "missing.mp3",
        "dangling": folder / "dangling.mp3",
        "folder": folder / "folder.mp3",
        "empty": folder / "empty.mp3",
        "text": folder / "text.mp3",
        "noise bytes": folder / "noise.flac",
        "header only": folder / "header.mp3",
        "no samples": folder / "no-samples.wav",
        "too short": folder / "short.wav",
        "silent": folder / "silent.flac",
        "all NaN": folder / "nan.wav",
        "no audio stream": folder / "picture.mp4",
    }
    bad["dangling"].symlink_to(folder / "nowhere.mp3")
    bad["folder"].mkdir()
    bad["empty"].touch()
    bad["text"].write_text("This is not music.\n" * 100)
    bad["noise bytes"].write_bytes(rng.bytes(20_000))
    write_audio(bad["header only"], music, sr)
    bad["header only"].write_bytes(bad["header only"].read_bytes()[:150])
    write_audio(bad["no samples"], music[:0], sr)
    write_audio(bad["too short"], music[: sr // 20], sr)
    write_audio(bad["silent"], np.zeros(10 * sr), sr)
    write_audio(bad["all NaN"], np.full(10 * sr, np.nan), sr, subtype="FLOAT")
    with av.open(str(bad["no audio stream"]), "w") as output:
        video: Any = output.add_stream("mpeg4", rate=10)
        video.width = video.height = 16
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return bad
