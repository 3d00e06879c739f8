"""When the pictures of a video are shown, and which of them to choose."""

from __future__ import annotations

import heapq

import numpy as np

_ROUNDING = 1e-3  # seconds
_REORDERED = 4  # pictures that are decoded before another and shown after it
_JUMP = 10.0  # seconds; a longer step of a clock that may jump is no pause


def choose_frames(starts: np.ndarray, duration: float, count: int) -> np.ndarray:
    """Indices of the frames on show at the mid-points of `count` equal segments.

    Args:
        starts: times at which the frames are first shown, seconds from the first, increasing.
        duration: of the whole video, seconds.
        count: frames wanted.

    Returns:
        int [min(count, len(starts))], strictly increasing: where frames are shown so long that
        several mid-points fall on one, its neighbours fill up.
    """
    count = min(count, len(starts))
    order = np.arange(count)
    middles = (order + 0.5) * duration / count
    chosen = np.searchsorted(starts, middles + _ROUNDING, side="right") - 1
    chosen = np.maximum.accumulate(np.maximum(chosen, 0) - order) + order
    return np.minimum(chosen, len(starts) - count + order)


def typical_step(stamps: np.ndarray) -> float:
    """The median distance of what follows one another; 0 if nothing does."""
    steps = np.diff(np.sort(stamps))
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 0.0


def without_ties(shown: np.ndarray, rate: float) -> np.ndarray:
    """Times of pictures where several were given the same one.

    Evenly, where that is as long as told; else they share the time until the next.

    Args:
        shown: float [N], seconds, not decreasing.
        rate: pictures a second, as the stream says.
    """
    number = np.arange(len(shown))
    even = shown[0] + number / rate
    if abs(even[-1] - shown[-1]) <= 2 / rate:
        return even
    distinct, first = np.unique(shown, return_index=True)
    last = max(typical_step(distinct), 1 / rate)
    ends = (np.append(first, len(shown)), np.append(distinct, distinct[-1] + last))
    return np.interp(number, *ends)


def join_parts(shown: np.ndarray, decoded: np.ndarray, sound: np.ndarray | None) -> np.ndarray:
    """The times of a recording whose clock jumps, as one clock that does not.

    Recordings are joined by writing one file after another, and streams are cut and go on. A new
    part begins where the decoding clock runs back by more pictures than are reordered, or, if it
    may jump, steps forward by more than 10 s (as FFmpeg's own program takes it) with no sound in
    between, unless such steps are usual here, as in a slide show. Each part follows the one before
    at once.

    Args:
        shown: float [N], times at which pictures are shown, seconds, in the order of the file.
        decoded: float [N], times at which they are decoded.
        sound: float [M], times of the sound, in any order; None if the clock does not jump forward.

    Returns:
        float [N], for `shown`.
    """
    begins = _runs_back(decoded)
    if sound is not None:
        begins += _jumps(shown, decoded, np.sort(sound))
    if not begins:
        return shown
    parts, end = [], 0.0
    for part in np.split(shown, sorted(set(begins))):
        moved = part - part.min() + end
        parts.append(moved)
        end = moved.max() + (typical_step(part) or typical_step(shown))
    return np.concatenate(parts)


def _runs_back(decoded: np.ndarray) -> list[int]:
    """Where a picture and its follower come before more pictures of their part than may be.

    Counted, not measured, so that long pictures are no matter. A follower, so that one wrong stamp
    is none.
    """
    begins: list[int] = []
    largest: list[float] = []
    for number in range(len(decoded)):
        if len(largest) > _REORDERED and decoded[number : number + 2].max() < largest[0]:
            begins.append(number)
            largest = []
        if len(largest) <= _REORDERED:
            heapq.heappush(largest, decoded[number])
        else:
            heapq.heappushpop(largest, decoded[number])
    return begins


def _jumps(shown: np.ndarray, decoded: np.ndarray, sound: np.ndarray) -> list[int]:
    """Where the clock steps forward by more than a pause."""
    steps = np.diff(decoded)
    typical = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    long = max(_JUMP, 10 * typical)
    begins = []
    for number in np.flatnonzero((steps > long) | (np.diff(shown) > long)):
        before, after = decoded[number], max(decoded[number + 1], shown[number + 1])
        bridge = sound[(sound > before) & (sound < after)]
        if np.diff([before, *bridge, after]).max() > _JUMP:
            begins.append(int(number) + 1)
    return begins
