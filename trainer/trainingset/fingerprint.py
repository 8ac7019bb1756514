"""Which files hold the same recording, whatever their format, level, tags and silence at the start.

A fingerprint is one 32-bit number every 46 ms. Bit `m` says whether the level difference between
the mel bands `m` and `m + 1` rises (Haitsma and Kalker, "A highly robust audio fingerprinting
system", ISMIR 2002). Levels are means over 0.37 s, so that it hardly matters where exactly the
frames of a copy lie. Copies differ in a tenth of the bits at most, other music in half of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Fingerprint = NDArray[np.uint32]  # (n_frames,)

FIRST_BAND, N_BITS = 2, 32  # about 80 Hz to 4 kHz: what every codec keeps
SMOOTHING = 32  # [frames of the features] 0.37 s
HOP = 4  # [frames of the features] 46 ms
LAG = 4  # [frames of the fingerprint] between which a rise is looked for
LONGEST_PRINT = 120.0  # [s] of a recording that are looked at
# Share of bits in which two copies differ. Copies through a lossy codec are below 0.1, different
# songs above 0.45.
SAME_BITS = 0.25
SHORTEST_OVERLAP = 4.0  # [s] that have to be compared
COVERED = 0.5  # share of the shorter fingerprint that has to be compared
SHARED = 3  # equal numbers at one distance in time, from which on two recordings are compared
N_SHARES = 16  # of the numbers, one of which is sorted at a time
COMMON = 40  # recordings with one number, from which on it says nothing


def fingerprint(features: NDArray[np.float32], fps: float) -> Fingerprint:
    """The fingerprint of features (n_mels, n_frames), from the first sound on."""
    energy = np.square(features[FIRST_BAND : FIRST_BAND + N_BITS + 1].astype(np.float64))
    loud = np.flatnonzero(energy.sum(axis=0) > 1e-6 * energy.sum(axis=0).max(initial=0))
    if loud.size == 0:
        return np.zeros(0, np.uint32)
    last = min(int(loud[-1]) + 1, int(loud[0]) + round(LONGEST_PRINT * fps))
    total = np.cumsum(np.pad(energy[:, loud[0] : last], ((0, 0), (1, 0))), axis=1)
    level = np.log(total[:, SMOOTHING::HOP] - total[:, :-SMOOTHING:HOP] + 1e-9)
    difference = level[:-1] - level[1:]
    rises = difference[:, LAG:] > difference[:, :-LAG]
    packed = np.packbits(rises.T, axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u4").astype(np.uint32).ravel()


def distance(a: Fingerprint, b: Fingerprint, offset: int, fps: float) -> float:
    """Share of the bits that differ where frame `i` of `a` is frame `i - offset` of `b`; 0..1.

    1 if they overlap too little to say.
    """
    first, second = a[max(0, offset) :], b[max(0, -offset) :]
    n = min(len(first), len(second))
    if n * HOP < SHORTEST_OVERLAP * fps or n < COVERED * min(len(a), len(b)):
        return 1.0
    differing = np.unpackbits((first[:n] ^ second[:n]).view(np.uint8))
    return float(differing.mean())


def same_recordings(prints: Sequence[Fingerprint], fps: float) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, of fingerprints of one recording.

    Only those are compared that share some numbers at one distance in time, so the work grows with
    the number of recordings and not with that of their pairs.
    """
    for (i, j), offsets in _shared(prints).items():
        times, counts = np.unique(offsets, return_counts=True)
        likely = [int(times[k]) for k in np.argsort(-counts, kind="stable")[:3]]
        if counts.max() < SHARED:
            continue
        if min(distance(prints[i], prints[j], offset, fps) for offset in likely) <= SAME_BITS:
            yield i, j


def _shared(prints: Sequence[Fingerprint]) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Distances in time of equal numbers, by the pair of fingerprints that have them."""
    values, owners, times = [], [], []
    for owner, numbers in enumerate(prints):
        # Once a recording: a number that lasts says no more than one that does not.
        distinct, first = np.unique(numbers, return_index=True)
        values.append(distinct)
        owners.append(np.full(len(distinct), owner, np.int32))
        times.append(first.astype(np.int32))
    if not values:
        return {}
    value, who, time = np.concatenate(values), np.concatenate(owners), np.concatenate(times)
    share = (value * np.uint32(2654435761)) % N_SHARES  # for the memory's sake
    found = [
        _matches(value[chosen], who[chosen], time[chosen], len(prints))
        for chosen in (share == k for k in range(N_SHARES))
    ]
    pair = np.concatenate([pairs for pairs, _ in found])
    offset = np.concatenate([offsets for _, offsets in found])
    if not len(pair):
        return {}
    order = np.argsort(pair, kind="stable")
    pair, offset = pair[order], offset[order]
    codes, begin = np.unique(pair, return_index=True)
    groups = np.split(offset, begin[1:])
    return {
        divmod(int(code), len(prints)): group
        for code, group in zip(codes, groups, strict=True)
        if len(group) >= SHARED
    }


def _matches(
    value: NDArray[np.uint32], who: NDArray[np.int32], time: NDArray[np.int32], n_prints: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (as i * n_prints + j) and distances in time of every two equal values."""
    order = np.lexsort((who, value))
    value, who, time = value[order], who[order].astype(np.int64), time[order].astype(np.int64)
    size = np.diff(
        np.append(np.flatnonzero(np.diff(value.astype(np.int64), prepend=-1)), len(value))
    )
    end = np.repeat(np.cumsum(size), size)
    useful = (size > 1) & (size < COMMON)
    counted = np.repeat(useful, size)
    pairs, offsets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    # Equal values stand together: pair each with those 1, 2, 3, … places after it.
    for step in range(1, int(size[useful].max(initial=1))):
        k = np.flatnonzero(counted[:-step] & (np.arange(step, len(value)) < end[:-step]))
        pairs.append(who[k] * n_prints + who[k + step])
        offsets.append(time[k] - time[k + step])
    return np.concatenate(pairs), np.concatenate(offsets)
