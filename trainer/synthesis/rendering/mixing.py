"""Processing of a synthesised clip's sound: tone, room, dynamics, noise, voices and codecs.

Audio is (n_samples,) mono at `SR`. No function here moves an onset by more than about a
millisecond.
"""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.signal

SR = 22050  # [Hz] of the rendered clips

Rng = np.random.Generator


def _decibel(value: float) -> float:
    """The factor of the amplitude for a level [dB]."""
    return float(10 ** (value / 20))


def _coloured(n: int, exponent: float, rng: Rng) -> np.ndarray:
    """Noise (n,) of unit deviation whose power is proportional to frequency ** -`exponent`."""
    spectrum = np.fft.rfft(rng.normal(size=n).astype(np.float32))
    spectrum *= np.maximum(1.0, np.arange(spectrum.size)) ** (-exponent / 2)
    noise = np.fft.irfft(spectrum, n)
    return noise / (np.std(noise) + 1e-9)


# --- tone and dynamics ----------------------------------------------------------------------------


def equalise(audio: np.ndarray, depth: float, rng: Rng) -> np.ndarray:
    """Audio with a smooth random equalisation of at most +-`depth` dB over the octaves."""
    spectrum = np.fft.rfft(audio)
    frequency = np.log2(np.maximum(20.0, np.fft.rfftfreq(audio.size, 1 / SR)))
    knots = np.linspace(np.log2(20), np.log2(SR / 2), 6)
    curve = np.interp(frequency, knots, rng.uniform(-depth, depth, 6))
    return np.fft.irfft(spectrum * 10 ** (curve / 20), audio.size)


def band(audio: np.ndarray, low: float, high: float) -> np.ndarray:
    """Audio through a band pass from `low` to `high` [Hz], as of a small loudspeaker."""
    return scipy.signal.sosfilt(
        scipy.signal.butter(2, [low, high], "bandpass", fs=SR, output="sos"), audio
    )


def reverberate(audio: np.ndarray, seconds: float, share: float, rng: Rng) -> np.ndarray:
    """Audio with the reverberation of a room.

    Parameters
    ----------
    seconds
        Time [s] in which the reverberation, exponentially decaying noise, falls by 60 dB.
    share
        Its level, relative to the audio.
    """
    t = np.arange(int(seconds * SR)) / SR
    room = rng.normal(size=t.size) * np.exp(-6.9 * t / seconds)
    wet = scipy.signal.fftconvolve(audio, room)[: audio.size]
    return audio + share * wet * np.std(audio) / (np.std(wet) + 1e-9)


_GAIN_FRAME = 64  # [samples] resolution of the gain in `compress`, 3 ms


def compress(
    audio: np.ndarray, threshold: float, ratio: float, attack: float, release: float
) -> np.ndarray:
    """Audio through a feed-forward compressor.

    Parameters
    ----------
    threshold
        Level above which it acts [dB relative to the audio's deviation].
    ratio
        Ratio of input to output level above the threshold.
    attack, release
        Time constants [s] with which the gain falls and recovers.
    """
    n_frames = -(-audio.size // _GAIN_FRAME)
    frames = np.pad(audio, (0, n_frames * _GAIN_FRAME - audio.size)).reshape(n_frames, _GAIN_FRAME)
    level = 10 * np.log10(np.mean(frames**2, axis=1) / (np.var(audio) + 1e-12) + 1e-9)
    wanted = np.maximum(0.0, level - threshold) * (1.0 - 1.0 / ratio)  # [dB] of reduction
    fall, recover = (float(np.exp(-_GAIN_FRAME / SR / t)) for t in (attack, release))
    reduction, current = np.empty(n_frames), 0.0
    for i, target in enumerate(wanted.tolist()):
        keep = fall if target > current else recover
        current = keep * current + (1.0 - keep) * target
        reduction[i] = current
    centres = (np.arange(n_frames) + 0.5) * _GAIN_FRAME
    return audio * 10 ** (-np.interp(np.arange(audio.size), centres, reduction) / 20)


def limit(audio: np.ndarray, ceiling: float, release: float = 0.05) -> np.ndarray:
    """Audio through a limiter, with all peaks below `ceiling`.

    The gain falls 2 ms before a peak and recovers with the time constant `release` [s].
    """
    peak = scipy.ndimage.maximum_filter1d(np.abs(audio), 2 * int(0.002 * SR) + 1)
    reduction = -np.log(np.minimum(1.0, ceiling / np.maximum(peak, 1e-9)))
    # The reduction decays exponentially: it is a running maximum of reduction / decay, computed in
    # blocks, because the decay over a whole clip would underflow.
    block = int(SR * release)
    decay = np.exp(-np.arange(block + 1) / (SR * release))
    held = np.empty_like(reduction)
    last = 0.0
    for begin in range(0, audio.size, block):
        part = reduction[begin : begin + block]
        fall = decay[: part.size]
        held[begin : begin + block] = fall * np.maximum(
            np.maximum.accumulate(part / fall), last * decay[1]
        )
        last = float(held[begin + part.size - 1])
    return audio * np.exp(-held)


def duck(audio: np.ndarray, bpm: float, n_start: float, rng: Rng) -> np.ndarray:
    """Audio with side-chain pumping: the level dips on every beat and recovers within it.

    Parameters
    ----------
    n_start
        Time of a beat [s].
    """
    beat = ((np.arange(audio.size) / SR - n_start) * bpm / 60.0) % 1.0
    return audio * (
        1.0 - rng.uniform(0.4, 0.9) * np.clip(1.0 - beat / rng.uniform(0.3, 0.8), 0, 1)
    ).astype(np.float32)


# --- voices ---------------------------------------------------------------------------------------

# Formants of vowels [Hz] and their levels.
_VOWELS = (
    ((800, 1150, 2900), (1.0, 0.6, 0.25)),  # a
    ((350, 2000, 2800), (1.0, 0.4, 0.25)),  # e
    ((270, 2140, 2950), (1.0, 0.3, 0.2)),  # i
    ((450, 800, 2830), (1.0, 0.5, 0.1)),  # o
    ((325, 700, 2700), (1.0, 0.4, 0.05)),  # u
)


def sing(
    syllables: list[tuple[float, float, float]], n_samples: int, vibrato: float, rng: Rng
) -> np.ndarray:
    """A synthetic voice: a sawtooth filtered by changing vowels, with consonants and breath.

    Parameters
    ----------
    syllables
        (start [s], end [s], pitch [Hz]) of each, in order of time; a later one ends an earlier one.
    n_samples
        Length of the result, (n_samples,) at `SR`.
    vibrato
        Depth of the vibrato [semitones].
    """
    pitch = np.zeros(n_samples, np.float32)
    loudness = np.zeros(n_samples, np.float32)
    vowels = np.zeros((len(_VOWELS), n_samples), np.float32)
    breath = np.zeros(n_samples, np.float32)
    noise = rng.normal(size=n_samples).astype(np.float32)
    for start, end, frequency in syllables:
        i, j = max(0, int(start * SR)), min(n_samples, int(end * SR))
        if j - i < SR // 50:
            continue
        pitch[i:] = frequency
        vowels[:, i:j] = 0.0
        vowels[rng.integers(len(_VOWELS)), i:j] = 1.0
        loudness[i:j] = rng.uniform(0.6, 1.0)
        if rng.random() < 0.5:  # a consonant closes the voice and hisses
            closed = min(j, i + int(rng.uniform(0.02, 0.07) * SR))
            loudness[i:closed] = 0.0
            breath[i:closed] = rng.uniform(0.05, 0.4)
    if not loudness.any():
        return np.zeros(n_samples, np.float32)
    pitch[pitch == 0] = pitch[pitch > 0][0]

    def smooth(signal: np.ndarray, seconds: float) -> np.ndarray:
        keep = np.exp(-1 / (SR * seconds))
        return scipy.signal.lfilter([1 - keep], [1, -keep], signal)

    t = np.arange(n_samples) / SR
    wobble = vibrato * np.sin(2 * np.pi * rng.uniform(4.8, 6.5) * t)
    octaves = smooth(np.log2(pitch) - np.log2(pitch[0]), 0.015) + np.log2(pitch[0])
    phase = np.cumsum(2.0 ** (octaves + wobble / 12)) / SR
    source = (2 * (phase % 1.0) - 1) + 0.03 * noise
    voice = np.zeros(n_samples)
    scale = rng.uniform(0.9, 1.25)  # the length of the throat
    for (formants, levels), weight in zip(_VOWELS, vowels, strict=True):
        if weight.any():
            # Filtering a gated source for each vowel is faster than a filter that changes in time.
            gated = source * smooth(weight, 0.01)
            for formant, level in zip(formants, levels, strict=True):
                b, a = scipy.signal.iirpeak(formant * scale, Q=6.0, fs=SR)
                voice += level * scipy.signal.lfilter(b, a, gated)
    voice = voice * smooth(loudness, 0.012)
    hiss = scipy.signal.sosfilt(
        scipy.signal.butter(2, 3000, "highpass", fs=SR, output="sos"), noise
    )
    voice += hiss * smooth(breath, 0.004)
    return (voice / (np.abs(voice).max() + 1e-9)).astype(np.float32)


def speak(seconds: float, rng: Rng) -> np.ndarray:
    """Speech-like sound (n_samples,): syllables without a beat, and pauses between phrases."""
    base = rng.uniform(95, 220)  # [Hz]
    syllables, now = [], rng.uniform(0.0, 0.3)
    while now < seconds:
        length = rng.uniform(0.09, 0.32)
        syllables.append((now, now + length, base * 2 ** rng.normal(0, 0.16)))
        now += length + (rng.uniform(0.25, 0.7) if rng.random() < 0.15 else rng.uniform(0, 0.06))
    return sing(syllables, round(seconds * SR), 0.0, rng)


# --- noise, edges, codecs -------------------------------------------------------------------------


def noise_like(kind: str, n: int, rng: Rng) -> np.ndarray:
    """Noise (n,) of unit deviation: `white`, `pink`, `crackle` of a record, or a `crowd`."""
    if kind == "white":
        return rng.normal(size=n)
    if kind == "pink":
        return _coloured(n, 1.0, rng)
    clicks = np.zeros(n)
    if kind == "crackle":
        count = rng.poisson(rng.uniform(5, 40) * n / SR)
        clicks[rng.integers(0, n, count)] = rng.normal(size=count) * rng.exponential(1.0, count)
        noise = band(clicks, 800, 6000)
        return noise / (np.std(noise) + 1e-9) + 0.2 * _coloured(n, 1.0, rng)
    # A crowd: clapping of many hands without a common beat, and a murmur, both slowly swelling.
    count = rng.poisson(rng.uniform(100, 800) * n / SR)
    clicks[rng.integers(0, n, count)] = rng.normal(size=count)
    decay = rng.normal(size=200) * np.exp(-np.arange(200) / 60)
    hands = band(scipy.signal.fftconvolve(clicks, decay)[:n], 700, 3500)
    murmur = band(_coloured(n, 1.0, rng), 200, 1200)
    swell = np.interp(np.arange(n), np.linspace(0, n, 8), rng.uniform(0.2, 1.0, 8))
    noise = hands / (np.std(hands) + 1e-9) + rng.uniform(0, 1) * murmur / (np.std(murmur) + 1e-9)
    noise = noise * swell
    return noise / (np.std(noise) + 1e-9)


# (encoder, container, sample rate of the encoder [Hz], range of bit rates for mono [kbit/s]).
CODECS: tuple[tuple[str, str, int, tuple[int, int]], ...] = (
    ("libmp3lame", "mp3", SR, (24, 128)),
    ("aac", "adts", SR, (24, 96)),
    ("libopus", "ogg", 24000, (16, 96)),
)


def transcode(
    audio: np.ndarray, encoder: str, container: str, rate: int, bit_rate: int
) -> np.ndarray:
    """Audio after lossy encoding and decoding, (n_samples,) like the input and at the same times.

    Encoders put a delay before the sound, which not every container states. It is found by
    comparison with the input, and removed.

    Parameters
    ----------
    encoder, container
        Names that ffmpeg knows.
    rate
        Sample rate of the encoder [Hz].
    bit_rate
        [bit/s]
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(encoder, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(
            audio.astype(np.float32)[None, :], format="fltp", layout="mono"
        )
        frame.sample_rate = SR
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    buffer.seek(0)
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SR)
    with av.open(buffer) as source:
        chunks = []
        for decoded in source.decode(audio=0):
            decoded.pts = None
            chunks += [f.to_ndarray()[0] for f in resampler.resample(decoded)]
        chunks += [f.to_ndarray()[0] for f in resampler.resample(None)]
    result = np.concatenate(chunks)
    delay = _delay(audio, result)
    result = result[delay:] if delay >= 0 else np.pad(result, (-delay, 0))
    return np.pad(result, (0, max(0, audio.size - result.size)))[: audio.size]


def _delay(reference: np.ndarray, late: np.ndarray, most: float = 0.2) -> int:
    """Number of samples by which `late` lags behind `reference`; `most` is the greatest lag [s].

    It is negative if `late` is early.
    """
    size = scipy.fft.next_fast_len(max(reference.size, late.size) + int(most * SR) + 1, real=True)
    product = np.fft.rfft(late, size) * np.conj(np.fft.rfft(reference, size))
    match = np.fft.irfft(product, size)
    lags = np.arange(-int(most * SR), int(most * SR) + 1)
    return int(lags[np.argmax(match[lags])])


def master(audio: np.ndarray, rng: Rng) -> np.ndarray:
    """A finished recording: audio with random room, tone, dynamics, noise, edges and codec."""
    if rng.random() < 0.4:
        audio = reverberate(audio, rng.uniform(0.2, 1.6), rng.uniform(0.05, 0.4), rng)
    if rng.random() < 0.7:
        audio = equalise(audio, 8.0, rng)
    if rng.random() < 0.12:  # lo-fi
        audio = band(audio, rng.uniform(60, 300), rng.uniform(2500, 6000))
    if rng.random() < 0.6:
        audio = compress(
            audio, rng.uniform(-12, 3), rng.choice([2, 3, 4, 8]), rng.uniform(0.001, 0.04),
            rng.uniform(0.05, 0.4),
        )  # fmt: skip
    audio = audio / (np.abs(audio).max() + 1e-9)
    loud = rng.random()  # the kind of loudness: distorted, limited or neither
    if loud < 0.3:
        drive = rng.uniform(1.5, 6.0)
        audio = np.tanh(drive * audio) / np.tanh(drive)
    elif loud < 0.7:
        audio = limit(audio, _decibel(rng.uniform(-14, -3)), rng.uniform(0.02, 0.2))
    audio = audio / (np.abs(audio).max() + 1e-9)
    if rng.random() < 0.35:
        kind = str(rng.choice(["white", "pink", "crackle", "crowd"]))
        level = _decibel(rng.uniform(-50, -14)) * np.std(audio)
        audio = audio + level * noise_like(kind, audio.size, rng)
    audio = _edges(audio, rng)
    audio = 0.9 * audio / (np.abs(audio).max() + 1e-9)
    if rng.random() < 0.6:
        encoder, container, rate, (low, high) = CODECS[rng.integers(len(CODECS))]
        bit_rate = 1000 * int(np.exp(rng.uniform(np.log(low), np.log(high))))
        audio = transcode(audio, encoder, container, rate, bit_rate)
    return np.clip(audio, -1.0, 1.0).astype(np.float32)


def _edges(audio: np.ndarray, rng: Rng) -> np.ndarray:
    """Audio with random fades, silence at its ends, and talk over its beginning."""
    audio = audio.copy()

    def up_to(seconds: float) -> int:
        return min(audio.size // 5, int(rng.uniform(0.3, seconds) * SR))

    if rng.random() < 0.08:
        n = up_to(6.0)
        audio[:n] *= np.linspace(0, 1, n) ** rng.uniform(0.5, 2)
    if rng.random() < 0.08:
        n = up_to(6.0)
        audio[-n:] *= np.linspace(1, 0, n) ** rng.uniform(0.5, 2)
    if rng.random() < 0.05:
        audio[: up_to(3.0)] = 0.0
    if rng.random() < 0.05:
        audio[-up_to(3.0) :] = 0.0
    if rng.random() < 0.04:
        n = up_to(5.0)
        under = rng.choice([0.0, 0.15])
        audio[:n] *= under
        audio[:n] += 0.3 * speak(n / SR, rng)[:n]
    return audio
