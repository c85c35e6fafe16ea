"""How well a mask's edge lies on an edge of the image, without a reference.

Voxels are sorted by their distance from the mask's edge, in eight directions from the cord's
centre and over some mm along it, and the image is averaged at each distance. Where this profile is
steepest is where the image has its edge; how far that is from the mask's own edge says how much
the mask is too large, too small or beside the cord. It is a measure of the image and the mask
alone, the same for every method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Directions from the centre, and the length of cord over which voxels are taken together.
SECTORS, ALONG_MM = 8, 5.0
#: How far from the mask's edge the image's edge is looked for: half a cord's radius, so that
#: grey matter inside and bone outside are not taken for it.
REACH_MM = 2.0
#: Step of the profile; voxels as large as this, or larger, set it.
STEP_MM = 0.5


@dataclass(frozen=True, eq=False)
class Edges:
    """Where the image's edge lies, a row a slice; NaN in slices without mask.

    Attributes
    ----------
    offset_mm
        Mean over directions of the distance from the mask's edge to the image's, weighted by how
        steep that is: positive where the cord's edge lies outside the mask.
    error_mm
        The same of absolute distances.
    share
        The image's slope at the mask's edge, over its steepest: 1 where the mask lies on it.
    """

    offset_mm: FloatArray
    error_mm: FloatArray
    share: FloatArray


def edge_distance(mask: BoolArray, spacing: Sequence[float]) -> FloatArray:
    """Return the distance of each pixel's centre from the mask's edge in its slice, in mm.

    Parameters
    ----------
    mask
        (X, Y, Z), slices along the last axis.
    spacing
        Pixel size in mm along the first two axes.

    Returns
    -------
    ndarray
        Negative inside; infinite in slices without mask.
    """
    half = float(np.mean(spacing[:2])) / 2
    distance = np.full(mask.shape, np.inf)
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        inside = np.pad(mask[:, :, k], 1)
        inwards = ndimage.distance_transform_edt(inside, sampling=spacing[:2])[1:-1, 1:-1]
        outwards = ndimage.distance_transform_edt(~mask[:, :, k], sampling=spacing[:2])
        distance[:, :, k] = np.where(mask[:, :, k], half - inwards, outwards - half)
    return distance


def polarity_of(
    image: npt.NDArray[Any], masks: Sequence[BoolArray], spacing: Sequence[float]
) -> int:
    """Return +1 where it gets brighter from the cord outwards, −1 where it gets darker.

    All masks vote, so that every method is judged by one and the same rule.

    Parameters
    ----------
    image
        (X, Y, Z).
    masks
        Cord masks of the same shape, not empty.
    spacing
        Voxel size in mm.
    """
    rises = []
    for mask in masks:
        distance = edge_distance(mask, spacing)
        for k in np.flatnonzero(mask.any(axis=(0, 1))):
            slab, away = image[:, :, k], distance[:, :, k]
            inner, outer = (away < 0) & (away > -REACH_MM), (away > 0) & (away < REACH_MM)
            if inner.any() and outer.any():
                rises.append(float(np.median(slab[outer]) - np.median(slab[inner])))
    return -1 if rises and np.median(rises) < 0 else 1


def find_edges(
    image: npt.NDArray[Any], mask: BoolArray, spacing: Sequence[float], polarity: int
) -> Edges:
    """Compare a mask's edge with the image's, slice by slice.

    Parameters
    ----------
    image
        (X, Y, Z), slices along the last axis.
    mask
        Cord mask, the same shape.
    spacing
        Voxel size in mm along the three axes.
    polarity
        See :func:`polarity_of`.

    Returns
    -------
    Edges
        Arrays of shape (Z,).
    """
    step = max(STEP_MM, float(np.mean(spacing[:2])))
    # one bin more at each end than the edge may be in: slopes need neighbours
    most = int(np.ceil(REACH_MM / step)) + 1
    sums, counts = _profiles(image, mask, spacing, step, most)
    near = max(0, round(ALONG_MM / spacing[2]))
    window = np.ones(2 * near + 1)
    sums, counts = (
        ndimage.convolve1d(values, window, axis=0, mode="constant") for values in (sums, counts)
    )
    slices = np.flatnonzero(mask.any(axis=(0, 1)))
    result = np.full((3, mask.shape[2]), np.nan)
    centres: FloatArray = (np.arange(2.0 * most) - most + 0.5) * step
    for k in slices:
        result[:, k] = _offsets(sums[k], counts[k], centres, polarity)
    return Edges(*result)


def _profiles(
    image: npt.NDArray[Any], mask: BoolArray, spacing: Sequence[float], step: float, most: int
) -> tuple[FloatArray, FloatArray]:
    """Sum of the image and number of voxels by slice, direction and distance from the edge."""
    distance = edge_distance(mask, spacing)
    shape = (mask.shape[2], SECTORS, 2 * most)
    sums, counts = np.zeros(shape), np.zeros(shape)
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        away = distance[:, :, k]
        where = np.nonzero(np.abs(away) < most * step)
        centre = np.argwhere(mask[:, :, k]).mean(axis=0)
        x, y = ((where[a] - centre[a]) * spacing[a] for a in (0, 1))
        sector = (np.arctan2(y, x) / (2 * np.pi) * SECTORS).astype(int) % SECTORS
        place = np.floor(away[where] / step).astype(int) + most
        np.add.at(sums[k], (sector, place), image[:, :, k][where])
        np.add.at(counts[k], (sector, place), 1)
    return sums, counts


def _offsets(
    sums: FloatArray, counts: FloatArray, centres: FloatArray, polarity: int
) -> tuple[float, float, float]:
    """Offset, error and share of one slice, from its profiles (directions × distances)."""
    found, steep, here = [], [], []
    for total, count in zip(sums, counts, strict=True):
        known = count > 0
        if known.sum() < 4:
            continue
        profile = np.interp(centres, centres[known], total[known] / count[known])
        slope = polarity * np.diff(profile)
        between = (centres[1:] + centres[:-1]) / 2
        inside = (np.abs(between) <= REACH_MM + 1e-6) & (between > centres[known][0])
        inside &= between < centres[known][-1]
        if not inside.any():
            continue
        best = int(np.argmax(np.where(inside, slope, -np.inf)))
        found.append(_peak(slope, between, best))
        steep.append(max(float(slope[best]), 0.0))
        here.append(float(np.interp(0.0, between, slope)))
    weights, offsets = np.array(steep), np.array(found)
    if weights.sum() <= 0:
        return 0.0, REACH_MM, 0.0  # no edge anywhere near: as wrong as can be measured
    share = float(np.clip(np.sum(here) / weights.sum(), 0, 1))
    return (
        float(np.average(offsets, weights=weights)),
        float(np.average(np.abs(offsets), weights=weights)),
        share,
    )


def _peak(slope: FloatArray, between: FloatArray, best: int) -> float:
    """Place of the steepest slope, by a parabola through its neighbours."""
    if not 0 < best < len(slope) - 1:
        return float(between[best])
    left, middle, right = slope[best - 1 : best + 2]
    bend = left - 2 * middle + right
    shift = 0.0 if bend >= 0 else float(np.clip((left - right) / (2 * bend), -0.5, 0.5))
    return float(between[best] + shift * (between[1] - between[0]))
