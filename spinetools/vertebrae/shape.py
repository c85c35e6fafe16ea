"""What vertebrae look like, by number: size of body, disc, canal and cord, reach of the processes.

Everything is measured between two neighbouring discs, in a frame that stands on them, so that no
name is needed. Each row belongs to the vertebra below a disc, or to that disc itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from spinetools.vertebrae.canal import FloatArray, Line
from spinetools.vertebrae.discs import DiscSeen

Bools = npt.NDArray[np.bool_]

#: What is measured, in the order of the columns. Lengths in mm, areas in mm², all as logarithms:
#: distance to the disc below, height of the disc above, depth and width of the body, reach of the
#: processes to the side and of the spinous process behind the canal, area and width of the canal,
#: area of the cord. Then two angles, in radians: how far the spinous process hangs, and how the
#: disc above leans forward.
MEASURES = (
    "pitch", "disc", "depth", "width", "aside", "behind", "canal", "canal_width", "cord",
    "hang", "lean",
)  # fmt: skip

#: The frame is looked up this finely, mm, and this far to the side, in front and behind.
_STEP_MM, _SIDE_MM, _FRONT_MM, _BACK_MM = 1.0, 58, 34, 92
#: Heights, as shares of the vertebra's, at which its body and its canal are looked at.
_MIDDLE = (-0.2, -0.1, 0.0, 0.1, 0.2)
#: Pitches beyond which two discs are no neighbours, mm.
_MOST_PITCH_MM = 60.0
#: Where the canal's line is shorter than this share of the way between two discs' middles, the
#: spine bends so sharply that nothing between them is measured as elsewhere.
_LEAST_ALONG = 0.72
#: A cord thinner than this is its tip, mm².
_LEAST_CORD_MM2 = 20.0
#: Fewer lines of sight than this through a body measure nothing.
_LEAST_LINES = 4
#: Slopes that a spinous process may hang down by (tangent).
_SLOPES = np.arange(-0.2, 2.01, 0.1)


@dataclass(frozen=True, eq=False)
class Masks:
    """What the networks see, on one isotropic grid: bone, canal with its cord, cord."""

    bone: Bools
    canal: Bools
    cord: Bools


def measure(
    discs: Sequence[DiscSeen], masks: Masks, line: Line, spacing: float, axes: FloatArray
) -> FloatArray:
    """Measure each disc and the vertebra below it.

    Parameters
    ----------
    discs
        From the top.
    masks
        On the working grid.
    line
        The canal's line.
    spacing
        Of the grid, mm.
    axes
        (3, 3) columns are the grid's axes (right, front, up) in the scanner, unit vectors.

    Returns
    -------
    ndarray
        (N, measures) as :data:`MEASURES`; NaN where the image does not show it.
    """
    result = np.full((len(discs), len(MEASURES)), np.nan)
    column = {name: k for k, name in enumerate(MEASURES)}
    for i, disc in enumerate(discs):
        if np.isfinite(disc.height) and disc.height > 0:
            result[i, column["disc"]] = np.log(disc.height)
        up = axes @ disc.normal
        result[i, column["lean"]] = np.arctan2(up[1], max(float(up[2]), 1e-3))
    for i, (upper, lower) in enumerate(pairwise(discs)):
        pitch = lower.s - upper.s
        if not 5.0 < pitch < _MOST_PITCH_MM:
            continue
        result[i, column["pitch"]] = np.log(pitch)
        frame = Frame.between(upper, lower, line, spacing)
        if pitch < _LEAST_ALONG * frame.span:
            continue
        for name, value in _of_body(frame, masks).items():
            if np.isfinite(value):
                result[i, column[name]] = value if name == "hang" else np.log(max(value, 1e-3))
    return result


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of its own on a part of the spine.

    Attributes
    ----------
    origin, axes
        In mm on the grid; rows are right, front and up.
    span
        Length of the part, mm.
    spacing
        Of the grid, mm.
    """

    origin: FloatArray
    axes: FloatArray
    span: float
    spacing: float

    @classmethod
    def on(
        cls, origin: FloatArray, up: FloatArray, line: Line, spacing: float, span: float = 1.0
    ) -> Frame:
        """Stand a frame on a place, its right as near to that of the canal's line as can be."""
        right = line.right[int(line.nearest(origin))]
        right = right - (right @ up) * up
        right = right / np.linalg.norm(right)
        return cls(origin, np.stack([right, np.cross(up, right), up]), span, spacing)

    @classmethod
    def between(cls, upper: DiscSeen, lower: DiscSeen, line: Line, spacing: float) -> Frame:
        """Stand a frame on the vertebra between two discs."""
        up = upper.centre - lower.centre
        span = float(np.linalg.norm(up))
        return cls.on((upper.centre + lower.centre) / 2, up / span, line, spacing, span)

    def look_up(self, mask: Bools, x: FloatArray, y: FloatArray, z: FloatArray) -> Bools:
        """Return the mask at (x, y, z) mm: True or False within the image, False beyond."""
        index = self._index(x, y, z)
        inside = self._inside(index, mask.shape)
        result = np.zeros((len(x), len(y), len(z)), bool)
        result[inside] = mask[tuple(index[inside].T)]
        return result

    def shows(self, shape: tuple[int, ...], x: float, y: float, z: float) -> bool:
        """Whether a place lies within the image."""
        index = self._index(np.array([x]), np.array([y]), np.array([z]))
        return bool(self._inside(index, shape).all())

    def _index(self, x: FloatArray, y: FloatArray, z: FloatArray) -> npt.NDArray[np.intp]:
        right, front, up = self.axes
        place = (
            self.origin
            + x[:, None, None, None] * right
            + y[:, None, None] * front
            + z[:, None] * up
        )
        index: npt.NDArray[np.intp] = np.rint(place / self.spacing).astype(np.intp)
        return index

    @staticmethod
    def _inside(index: npt.NDArray[np.intp], shape: tuple[int, ...]) -> Bools:
        within = (index >= 0) & (index < np.array(shape))
        result: Bools = np.all(within, axis=-1)
        return result


def _of_body(frame: Frame, masks: Masks) -> dict[str, float]:
    """Measure one vertebra; lengths and areas as they are."""
    heights = np.array(_MIDDLE) * frame.span
    x = np.arange(-_SIDE_MM, _SIDE_MM + 0.5, _STEP_MM)
    y = np.arange(-_BACK_MM, _FRONT_MM + 0.5, _STEP_MM)
    near_x = x[np.abs(x) <= 26]
    bone = frame.look_up(masks.bone, near_x, y[y >= -36], heights)
    found: dict[str, float] = {}
    middle = np.abs(near_x) <= 4
    found["depth"] = _run_length(bone[middle].transpose(0, 2, 1), y[y >= -36], 0.0)
    beside = (y[y >= -36] >= -3) & (y[y >= -36] <= 5)
    found["width"] = _run_length(bone[:, beside].transpose(1, 2, 0), near_x, 0.0)
    if not _shows_sides(frame, masks.bone.shape, 26.0):
        found["width"] = np.nan
    found |= _of_canal(frame, masks, near_x, y, heights)
    found |= _of_processes(frame, masks, x, y)
    return found


def _shows_sides(frame: Frame, shape: tuple[int, ...], reach: float) -> bool:
    return all(frame.shows(shape, side * reach, 0.0, 0.0) for side in (-1, 1))


def _run_length(lines: Bools, places: FloatArray, middle: float) -> float:
    """Typical length of the runs of bone, along the last axis, that hold a place; NaN for few."""
    at = int(np.argmin(np.abs(places - middle)))
    rows = lines.reshape(-1, lines.shape[-1])
    rows = rows[rows[:, at]]
    if len(rows) < _LEAST_LINES:
        return float("nan")
    gaps = ~rows
    before = at - np.argmax(gaps[:, at::-1], axis=1)
    after = at + np.argmax(gaps[:, at:], axis=1)
    whole = gaps[:, :at].any(axis=1) & gaps[:, at:].any(axis=1)
    if whole.sum() < _LEAST_LINES:
        return float("nan")
    lengths = np.sort((after - before - 1)[whole])
    # the middle half: a mean is finer than the voxels, and a hole does not count
    quarter = len(lengths) // 4
    return float(lengths[quarter : len(lengths) - quarter].mean()) * _STEP_MM


def _of_canal(
    frame: Frame, masks: Masks, x: FloatArray, y: FloatArray, heights: FloatArray
) -> dict[str, float]:
    """Areas of canal and cord across the frame, and the canal's width."""
    behind = y[(y >= -52) & (y <= 4)]
    canal = frame.look_up(masks.canal, x[np.abs(x) <= 20], behind, heights)
    counts = canal.sum(axis=(0, 1)) * _STEP_MM**2
    if np.median(counts) < 30 or not frame.shows(masks.canal.shape, 0.0, -40.0, 0.0):
        return {}
    wide = canal.sum(axis=0).max(axis=0) * _STEP_MM  # of the widest line at each height
    cord = frame.look_up(masks.cord, x[np.abs(x) <= 20], behind, heights)
    area = float(np.median(cord.sum(axis=(0, 1)))) * _STEP_MM**2
    return {
        "canal": float(np.mean(counts)),
        "canal_width": float(np.mean(wide)),
        "cord": area if area >= _LEAST_CORD_MM2 else np.nan,
    }


def _of_processes(frame: Frame, masks: Masks, x: FloatArray, y: FloatArray) -> dict[str, float]:
    """Reach of the processes to the side and behind, and how the spinous one hangs down."""
    found: dict[str, float] = {}
    across = frame.look_up(masks.bone, x, y[y <= 0], np.linspace(-0.45, 0.45, 7) * frame.span)
    if _shows_sides(frame, masks.bone.shape, 44.0):
        counts = across.sum(axis=(1, 2))
        reach = [np.abs(x[side & (counts >= 3)]) for side in (x < 0, x > 0)]
        if all(len(part) for part in reach):
            found["aside"] = float(np.mean([part.max() for part in reach]))
    canal = frame.look_up(masks.canal, x[np.abs(x) <= 3], y, np.array(_MIDDLE) * frame.span)
    walls = np.flatnonzero(canal.any(axis=(0, 2)))
    if not len(walls) or not frame.shows(masks.bone.shape, 0.0, y[walls[0]] - 45.0, 0.0):
        return found
    wall = float(y[walls[0]])
    z = np.arange(-1.1 * frame.span, 0.8 * frame.span, _STEP_MM)
    spine = frame.look_up(masks.bone, x[np.abs(x) <= 3], y[y <= wall - 3], z).mean(axis=0)
    level = np.abs(z) <= 0.5 * frame.span
    deep = np.flatnonzero((spine[:, level] >= 0.5).sum(axis=1) >= 2)
    if not len(deep):
        return found
    found["behind"] = wall - float(y[y <= wall - 3][deep[0]])
    found["hang"] = _slope(spine[::-1][2:24], z)
    return found


def _slope(sheet: FloatArray, z: FloatArray) -> float:
    """Find the slope down which a sheet (depth behind the canal, height) varies the least."""
    if sheet.shape[0] < 12 or sheet.sum() < 20:
        return float("nan")
    depth = np.arange(len(sheet)) * _STEP_MM
    sharp = []
    for slope in _SLOPES:
        moved = [np.interp(z - slope * d, z, row) for d, row in zip(depth, sheet, strict=True)]
        profile = np.mean(moved, axis=0)
        sharp.append(float(np.var(profile[len(z) // 4 :])))
    return float(np.arctan(_SLOPES[int(np.argmax(sharp))]))
