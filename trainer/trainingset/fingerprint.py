"""Audio fingerprints, which tell the files that hold the same recording.

Format, level, tags and silence at the start do not matter. A fingerprint is one 32-bit number for
every 46 ms. Bit `m` says whether the level difference between the mel bands `m` and `m + 1` rises
(Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002). Levels are means
over 0.37 s, so that it hardly matters where exactly the frames of a copy lie. Copies differ in at
most a tenth of the bits, different recordings in about half of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Fingerprint = NDArray[np.uint32]  # (n_frames,)

FIRST_BAND, N_BITS = 2, 32  # mel bands of about 80 Hz to 4 kHz, which every codec keeps
SMOOTHING_FRAMES = 32  # [frames of the features] 0.37 s
PRINT_HOP = 4  # [frames of the features] 46 ms
RISE_LAG = 4  # [frames of the fingerprint] between the two level differences that are compared
LONGEST_PRINT = 120.0  # [s] of a recording that a fingerprint covers
# Greatest share of differing bits in two copies. Copies through a lossy codec are below 0.1,
# different songs above 0.45.
SAME_BITS = 0.25
SHORTEST_OVERLAP = 4.0  # [s] that two fingerprints have to overlap to be compared
LEAST_COVERED = 0.5  # share of the shorter fingerprint that has to lie in the overlap
# Equal numbers at one distance in time that two recordings need to have to be compared.
LEAST_EQUAL_NUMBERS = 3
N_PARTS = 16  # parts into which all numbers are divided; one is sorted at a time, to save memory
COMMON_NUMBER = 40  # recordings that share a number, from which on it is too common to compare by


def fingerprint(features: NDArray[np.float32], fps: float) -> Fingerprint:
    """The fingerprint of features (n_mels, n_frames), from the first to the last sound.

    Parameters
    ----------
    fps
        Frames per second of the features.
    """
    energy = np.square(features[FIRST_BAND : FIRST_BAND + N_BITS + 1].astype(np.float64))
    loud = np.flatnonzero(energy.sum(axis=0) > 1e-6 * energy.sum(axis=0).max(initial=0))
    if loud.size == 0:
        return np.zeros(0, np.uint32)
    last = min(int(loud[-1]) + 1, int(loud[0]) + round(LONGEST_PRINT * fps))
    total = np.cumsum(np.pad(energy[:, loud[0] : last], ((0, 0), (1, 0))), axis=1)
    level = np.log(
        total[:, SMOOTHING_FRAMES::PRINT_HOP] - total[:, :-SMOOTHING_FRAMES:PRINT_HOP] + 1e-9
    )
    difference = level[:-1] - level[1:]
    rises = difference[:, RISE_LAG:] > difference[:, :-RISE_LAG]
    packed = np.packbits(rises.T, axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u4").astype(np.uint32).ravel()


def distance(a: Fingerprint, b: Fingerprint, offset: int, fps: float) -> float:
    """Share of bits, 0..1, that differ between two fingerprints.

    The result is 1 if they overlap too little to be compared.

    Parameters
    ----------
    offset
        Shift [frames of the fingerprint]: frame `i` of `a` is compared to frame `i - offset` of
        `b`.
    fps
        Frames per second of the features that the fingerprints were made of.
    """
    first, second = a[max(0, offset) :], b[max(0, -offset) :]
    n = min(len(first), len(second))
    if n * PRINT_HOP < SHORTEST_OVERLAP * fps or n < LEAST_COVERED * min(len(a), len(b)):
        return 1.0
    differing = np.unpackbits((first[:n] ^ second[:n]).view(np.uint8))
    return float(differing.mean())


def same_recordings(prints: Sequence[Fingerprint], fps: float) -> Iterator[tuple[int, int]]:
    """Pairs of indices (i, j), i < j, of fingerprints of one recording.

    Two fingerprints are only compared if they share some numbers at one distance in time. So the
    work grows with the number of recordings, not with the number of pairs.

    Parameters
    ----------
    fps
        Frames per second of the features that the fingerprints were made of.
    """
    for (i, j), offsets in _shared(prints).items():
        times, counts = np.unique(offsets, return_counts=True)
        likely = [int(times[k]) for k in np.argsort(-counts, kind="stable")[:3]]
        if counts.max() < LEAST_EQUAL_NUMBERS:
            continue
        if min(distance(prints[i], prints[j], offset, fps) for offset in likely) <= SAME_BITS:
            yield i, j


def _shared(prints: Sequence[Fingerprint]) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Distances in time (n_matches,) of equal numbers [frames], by the pair of fingerprints (i, j).

    Pairs with fewer than `LEAST_EQUAL_NUMBERS` matches are left out.
    """
    values, owners, times = [], [], []
    for owner, numbers in enumerate(prints):
        # Each number counts once per recording, however long it lasts.
        distinct, first = np.unique(numbers, return_index=True)
        values.append(distinct)
        owners.append(np.full(len(distinct), owner, np.int32))
        times.append(first.astype(np.int32))
    if not values:
        return {}
    value, who, time = np.concatenate(values), np.concatenate(owners), np.concatenate(times)
    share = (value * np.uint32(2654435761)) % N_PARTS  # a hash that makes parts of equal size
    found = [
        _matches(value[chosen], who[chosen], time[chosen], len(prints))
        for chosen in (share == k for k in range(N_PARTS))
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
        if len(group) >= LEAST_EQUAL_NUMBERS
    }


def _matches(
    value: NDArray[np.uint32], who: NDArray[np.int32], time: NDArray[np.int32], n_prints: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of fingerprints with equal values, and the distances in time of these values.

    Parameters
    ----------
    value, who, time
        (n,) numbers of all fingerprints, the index of the fingerprint of each, and its frame.
    n_prints
        Number of fingerprints.

    Returns
    -------
    (n_matches,) pairs, encoded as `i * n_prints + j`, and (n_matches,) distances [frames].
    """
    order = np.lexsort((who, value))
    value, who, time = value[order], who[order].astype(np.int64), time[order].astype(np.int64)
    size = np.diff(
        np.append(np.flatnonzero(np.diff(value.astype(np.int64), prepend=-1)), len(value))
    )
    end = np.repeat(np.cumsum(size), size)
    useful = (size > 1) & (size < COMMON_NUMBER)
    counted = np.repeat(useful, size)
    pairs, offsets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    # Sorted, equal values are adjacent: pair each with those 1, 2, 3, … places after it.
    for step in range(1, int(size[useful].max(initial=1))):
        k = np.flatnonzero(counted[:-step] & (np.arange(step, len(value)) < end[:-step]))
        pairs.append(who[k] * n_prints + who[k + step])
        offsets.append(time[k] - time[k + step])
    return np.concatenate(pairs), np.concatenate(offsets)
