"""The canal's line: the coordinate along which everything is put in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import make_smoothing_spline
from scipy.spatial import cKDTree

from spinetools.errors import NoSpineError

FloatArray = npt.NDArray[np.float64]

#: Distance between points of the line, mm.
STEP_MM = 1.0
#: Where the canal is not seen, the line goes on straight; its direction comes from this much of it.
_END_MM = 25.0
#: A line needs this much of a canal to be one.
_LEAST_MM = 8.0
#: A piece of the canal has at least this share of the largest one's voxels, and lies beside larger
#: ones in at most this share of its slices.
_LEAST_PIECE, _MOST_BESIDE = 0.15, 0.3
#: How stiff the line is: the penalty on its bending, against the scatter of centres that lie a mm
#: apart, mm⁴.
_STIFFNESS_MM4 = 3000.0
#: Where no canal is seen at all, the line runs this far behind the bones' and discs' middle, mm.
_BEHIND_MM = 22.0


@dataclass(frozen=True, eq=False)
class Line:
    """A curve from the top of the image to its bottom.

    Coordinates are mm along the axes of a grid that runs right, front and up; ``s`` is the length
    from the curve's upper end.

    Attributes
    ----------
    points
        (N, 3), from the top.
    s
        (N,) length along the curve, mm.
    up, front, right
        (N, 3) unit vectors: along the curve upwards, and across it.
    seen
        ``s`` between which the canal was seen.
    """

    points: FloatArray
    s: FloatArray
    up: FloatArray
    front: FloatArray
    right: FloatArray
    seen: tuple[float, float]

    def nearest(self, places: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Return the number of the curve's point that is nearest to each place (…, 3)."""
        tree = cKDTree(self.points)
        indices: npt.NDArray[np.intp] = tree.query(np.asarray(places, dtype=float))[1]
        return indices

    def at(self, s: npt.ArrayLike) -> FloatArray:
        """Return the points (…, 3) at lengths ``s``; the ends go on straight."""
        wanted = np.asarray(s, dtype=float)
        inner = np.clip(wanted, self.s[0], self.s[-1])
        place = np.stack([np.interp(inner, self.s, self.points[:, a]) for a in range(3)], axis=-1)
        beyond = wanted - inner
        ends = np.where(beyond[..., None] < 0, self.up[0], self.up[-1])
        result: FloatArray = place - beyond[..., None] * ends
        return result


def find_line(canal: npt.NDArray[np.bool_], bones: npt.NDArray[np.bool_], spacing: float) -> Line:
    """Draw the line through the middle of the canal.

    Parameters
    ----------
    canal
        Canal and cord, on a grid that runs right, front and up.
    bones
        Vertebrae and discs: where no canal is seen, the line runs behind them.
    spacing
        Of the isotropic grid, mm.

    Raises
    ------
    NoSpineError
        When there is neither a canal nor a bone.
    """
    z, centres, weights = _slice_centres(canal)
    if len(z) * spacing < _LEAST_MM:
        z, centres, weights = _slice_centres(bones)
        if len(z) * spacing < _LEAST_MM:
            raise NoSpineError("no spine was found in the image: neither canal nor vertebrae")
        centres = centres - np.array([0.0, _BEHIND_MM / spacing])
    height: FloatArray = z * spacing
    stiffness = _STIFFNESS_MM4 / spacing  # finer slices have more centres in a mm
    curve = np.stack(
        [_smooth(height, centres[:, a] * spacing, weights, stiffness) for a in (0, 1)], axis=1
    )
    all_z = np.arange(canal.shape[2]) * spacing
    inner = np.clip(all_z, height[0], height[-1])
    fine = np.stack([np.interp(inner, height, curve[:, a]) for a in (0, 1)], axis=1)
    for end, sign in ((0, -1.0), (-1, 1.0)):
        near = np.abs(height - height[end]) <= _END_MM
        slope = np.polyfit(height[near], curve[near], 1)[0] if near.sum() > 2 else np.zeros(2)
        beyond = np.clip(sign * (all_z - height[end]), 0, None)
        fine += sign * beyond[:, None] * np.clip(slope, -1.5, 1.5)
    points = np.column_stack([fine, all_z])[::-1]
    return _with_frames(points, (float(height[-1]), float(height[0])))


def _slice_centres(mask: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the slices of the largest piece (and of those above or below it), centres, weights."""
    labels, count = ndimage.label(mask)
    if count > 1:
        mask = np.isin(labels, _one_above_another(labels))
    area = mask.sum(axis=(0, 1)).astype(float)
    z = np.flatnonzero(area)
    x = (mask.sum(axis=1) * np.arange(mask.shape[0])[:, None]).sum(axis=0)[z] / area[z]
    y = (mask.sum(axis=0) * np.arange(mask.shape[1])[:, None]).sum(axis=0)[z] / area[z]
    return z.astype(float), np.stack([x, y], axis=1), np.sqrt(area[z])


def _one_above_another(labels: npt.NDArray[np.int32]) -> list[int]:
    """Choose pieces from the largest down, without those that lie beside a larger one.

    A canal has one place in a slice: what lies beside it is something else (in the noise of the air
    in front of the body a network may see a whole spine).
    """
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    taken = np.zeros(labels.shape[2], dtype=bool)
    chosen = []
    for piece in np.argsort(sizes)[::-1]:
        if sizes[piece] < _LEAST_PIECE * sizes.max():
            break
        rows = (labels == piece).any(axis=(0, 1))
        if (rows & taken).sum() <= _MOST_BESIDE * rows.sum():
            chosen.append(int(piece))
            taken |= rows
    return chosen


def _smooth(
    height: FloatArray, values: FloatArray, weights: FloatArray, stiffness: float
) -> FloatArray:
    if len(height) < 5:
        return np.full_like(values, np.average(values, weights=weights))
    spline = make_smoothing_spline(height, values, w=weights / weights.mean(), lam=stiffness)
    result: FloatArray = spline(height)
    return result


def _with_frames(points: FloatArray, seen_z: tuple[float, float]) -> Line:
    # evenly spaced along the curve
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    s = np.arange(0.0, length[-1] + 1e-9, STEP_MM)
    even = np.stack([np.interp(s, length, points[:, a]) for a in range(3)], axis=1)
    up = -np.gradient(ndimage.gaussian_filter1d(even, 4.0, axis=0, mode="nearest"), axis=0)
    up[:, 2] = np.maximum(up[:, 2], 1e-3)
    up = _unit(up)
    front = np.array([0.0, 1.0, 0.0]) - up * up[:, 1:2]
    front = _unit(front)
    right = np.cross(front, up)
    ends = np.interp([-seen_z[0], -seen_z[1]], -even[:, 2], s)
    return Line(even, s, up, front, right, (float(ends[0]), float(ends[1])))


def _unit(vectors: FloatArray) -> FloatArray:
    result: FloatArray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return result


def coordinates(
    line: Line, places: npt.NDArray[Any]
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.intp]]:
    """Return length along the line, and mm to the right and to the front of it, of places (N, 3).

    The last value is the number of the nearest point of the line.
    """
    index = line.nearest(places)
    away = places - line.points[index]
    along = -(away * line.up[index]).sum(axis=1)
    return (
        line.s[index] + along,
        (away * line.right[index]).sum(axis=1),
        (away * line.front[index]).sum(axis=1),
        index,
    )
