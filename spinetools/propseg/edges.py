"""Finding the cord's edge along rays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.propseg.profiles import Float32Array, FloatArray, IntArray

#: The cord's radius is nowhere below this but in the conus' tip, where it cannot be seen.
MIN_RADIUS_MM = 1.2
_NEVER = np.float32(-1e9)


def edge_score(profiles: Float32Array, radii_mm: FloatArray, width_mm: float) -> Float32Array:
    """Score every point of every ray as the cord's edge.

    The score is the rise from the box of ``width_mm`` inside the point to the box outside it, but
    no more than the rise from the mean of *everything* inside the ring's disc: so an edge within
    the cord (grey against white matter) and the canal's far wall both score low, where a plain
    gradient would not tell them from the cord's edge.

    Parameters
    ----------
    profiles
        Intensities (K, T, N), with sign so that the cord is darker than its surroundings.
    radii_mm
        Radii (N,).
    width_mm
        Width of the two boxes.

    Returns
    -------
    score
        (K, T, N), in units of intensity.
    """
    n = len(radii_mm)
    width = max(1, round(width_mm / (radii_mm[1] - radii_mm[0])))
    total = np.zeros((*profiles.shape[:2], n + 1), dtype=np.float32)
    np.cumsum(profiles, axis=-1, out=total[..., 1:])
    here = np.arange(1, n + 1)  # a point counts to its own inside
    first_out, last_out = np.minimum(here, n - 1), np.minimum(here + width, n)
    outside = (total[..., last_out] - total[..., first_out]) / (last_out - first_out)
    first_in = np.maximum(here - width, 0)
    inside = (total[..., here] - total[..., first_in]) / (here - first_in)
    weighted = np.cumsum((profiles * radii_mm.astype(np.float32)).mean(axis=1), axis=-1)
    disc = weighted / np.maximum(np.cumsum(radii_mm), 1e-3)
    score: Float32Array = np.minimum(outside - inside, outside - disc[:, None, :]).astype(
        np.float32
    )
    return score


def score_scale(score: Float32Array, radii_mm: FloatArray, n_neighbours: int) -> Float32Array:
    """Return the typical strength of the edge in each ring (K,), robust over neighbouring rings."""
    near = (radii_mm > 2) & (radii_mm < 8)
    strength = np.median(score[..., near].max(axis=-1), axis=1)
    smooth: Float32Array = ndimage.median_filter(strength, size=n_neighbours, mode="nearest")
    return smooth


def closed_path(score: Float32Array, max_step: int = 2, bend: float = 0.03) -> IntArray:
    """Choose one radius a ray so that the closed ring's total score is largest.

    Vertices chosen one by one jump to whatever edge is near; a ring chosen as a whole does not.
    Dynamic programming goes round the ring twice, and the middle lap is kept, so that the path
    closes (exact but for the rare ring whose best path needs more than a lap to settle).

    Parameters
    ----------
    score
        (K, T, N).
    max_step
        Largest change of the radius index between neighbouring rays.
    bend
        Penalty on the squared change, in units of the score.

    Returns
    -------
    index
        Radius index (K, T).
    """
    n_rings, n_rays, n = score.shape
    steps = np.arange(-max_step, max_step + 1)
    penalty = (bend * steps**2).astype(np.float32)
    best = score[:, 0].copy()
    back: list[IntArray] = []
    for turn in range(1, 2 * n_rays + 1):
        padded = np.pad(best, ((0, 0), (max_step, max_step)), constant_values=_NEVER)
        candidates = np.stack(
            [
                padded[:, max_step + s : max_step + s + n] - p
                for s, p in zip(steps, penalty, strict=True)
            ]
        )
        back.append(candidates.argmax(axis=0) - max_step)
        best = candidates.max(axis=0) + score[:, turn % n_rays]
    rings = np.arange(n_rings)
    state = best.argmax(axis=1)
    path = np.empty((n_rings, n_rays), dtype=np.int64)
    first, last = n_rays // 2, n_rays // 2 + n_rays
    for turn in range(2 * n_rays, first, -1):
        if first < turn <= last:
            path[:, turn % n_rays] = state
        state = np.clip(state + back[turn - 1][rings, state], 0, n - 1)
    return path


def levels_beside(
    profiles: Float32Array, radii_mm: FloatArray, surface_mm: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the level just inside the surface, and the highest just outside it (K, T) each."""
    surface = np.maximum(surface_mm, 1.8)[..., None]
    distance = radii_mm - surface
    within = (distance >= -2.0) & (distance <= -0.8)
    inside = np.nanmedian(np.where(within, profiles, np.nan), axis=-1)
    beyond = (distance >= 0) & (distance <= 2.4)
    outside = np.where(beyond, profiles, -np.inf).max(axis=-1)
    return inside, outside


def crossing(
    profiles: Float32Array,
    radii_mm: FloatArray,
    surface_mm: FloatArray,
    level: FloatArray,
    search_mm: float = 1.0,
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Find where each ray rises through a level, nearest to the surface and between samples.

    Returns
    -------
    radius
        (K, T), mm; the surface itself where there is no crossing within ``search_mm``.
    found
        Whether there was one.
    """
    below = profiles < level[..., None]
    rises = below[..., :-1] & ~below[..., 1:]
    low, high = profiles[..., :-1], profiles[..., 1:]
    step = radii_mm[1] - radii_mm[0]
    fraction = (level[..., None] - low) / np.where(high > low, high - low, 1)
    position = radii_mm[:-1] + np.clip(fraction, 0, 1) * step
    distance = np.where(rises, np.abs(position - surface_mm[..., None]), np.inf)
    nearest = distance.argmin(axis=-1)[..., None]
    found = np.take_along_axis(distance, nearest, axis=-1)[..., 0] <= search_mm
    radius = np.take_along_axis(position, nearest, axis=-1)[..., 0]
    return np.where(found, radius, surface_mm), found
