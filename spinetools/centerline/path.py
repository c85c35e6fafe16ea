"""The best path through a stack of score maps, exactly, by dynamic programming."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

#: The cord leans by less than this many mm sideways a mm along (about 56°).
MAX_SLOPE = 1.5


def best_path(
    scores: Sequence[Float32Array], step_mm: Sequence[float], smoothness: float
) -> IntArray:
    """Find the pixel in every slice whose path has the largest score and the least bending.

    Maximises Σ score − smoothness · Σ |Δxy|² / Δz over all paths through all slices whose slope is
    below :data:`MAX_SLOPE`, exactly: the squared distance separates into x and y, so that each
    slice is passed by two one-dimensional minimisations (the idea of OptiC, Gros 2018).

    Parameters
    ----------
    scores
        One map (X, Y) a slice, all of one shape, on square pixels of 1 mm.
    step_mm
        Distance from each slice to the next, one fewer than slices.
    smoothness
        Weight of the squared step, in units of score · mm.

    Returns
    -------
    path
        (K, 2) pixel indices.
    """
    total = scores[0].astype(np.float32)
    back: list[tuple[IntArray, IntArray]] = []
    for score, step in zip(scores[1:], step_mm, strict=True):
        reach = max(2, int(np.ceil(MAX_SLOPE * step)))
        total, from_x = _spread(total, smoothness / step, reach, axis=0)
        total, from_y = _spread(total, smoothness / step, reach, axis=1)
        total = total + score
        back.append((from_x, from_y))
    x, y = (int(n) for n in np.unravel_index(int(total.argmax()), total.shape))
    path = [(x, y)]
    for from_x, from_y in reversed(back):
        y += int(from_y[x, y])
        x += int(from_x[x, y])
        path.append((x, y))
    return np.array(path[::-1], dtype=np.int64)


def _spread(
    total: Float32Array, weight: float, reach: int, axis: int
) -> tuple[Float32Array, IntArray]:
    """Best predecessor along one axis: its total less the penalty, and how far away it lies."""
    n = total.shape[axis]
    reach = min(reach, n - 1)
    pad = [(0, 0), (0, 0)]
    pad[axis] = (reach, reach)
    padded = np.pad(total, pad, constant_values=-np.inf)
    best = np.full(total.shape, -np.inf, dtype=np.float32)
    where = np.zeros(total.shape, dtype=np.int64)
    for shift in range(-reach, reach + 1):
        box = [slice(None), slice(None)]
        box[axis] = slice(reach + shift, reach + shift + n)
        candidate = padded[tuple(box)] - np.float32(weight * shift**2)
        better = candidate > best
        best[better] = candidate[better]
        where[better] = shift
    return best, where
