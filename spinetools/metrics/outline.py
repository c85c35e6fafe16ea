"""The outline of a mask in one slice, between the pixels, and what can be measured on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

FloatArray = npt.NDArray[np.float64]

#: How well the outline's area has to fit the mask's, as a fraction of it.
AREA_TOLERANCE = 1e-3
#: The outline stays between these values of the mask, whatever its area.
LOWEST_LEVEL, HIGHEST_LEVEL = 0.2, 0.8


@dataclass(frozen=True, eq=False)
class Outline:
    """The closed lines around what a slice of a mask holds; islands and holes are in it.

    Attributes
    ----------
    area
        Enclosed area in pixels, without holes.
    centre
        Centre of mass (2,) in pixel indices.
    covariance
        Second moments about the centre (2, 2), pixels²; of an ellipse, semi-axis² / 4.
    solidity
        Area over that of the convex hull.
    objects
        How many separate objects there are.
    """

    area: float
    centre: FloatArray
    covariance: FloatArray
    solidity: float
    objects: int


def trace(patch: FloatArray) -> Outline | None:
    """Find the outline that encloses as much area as the pixels have together.

    Between pixel centres the mask is interpolated linearly, and the outline is a line of equal
    value (marching squares). At 0.5 it cuts corners, and cuts off up to 3 % of a small cord; so
    its value is chosen such that the area fits, and what is measured on it neither shrinks nor
    grows with the pixels.

    Parameters
    ----------
    patch
        Fractions from 0 to 1 (a slice, or the part of one that holds the object).

    Returns
    -------
    Outline or None
        None where no pixel reaches one half: there is no inside then.
    """
    if patch.size == 0 or patch.max() < 0.5:
        return None
    padded = np.pad(np.asarray(patch, dtype=np.float64), 1)
    wanted = float(padded.sum())
    level, lines, sums = 0.5, *_lines_at(padded, 0.5)
    best = (abs(sums[:, 0].sum() - wanted), lines, sums)
    # a step of the outline by a hundredth of a pixel, to learn how the area follows the level
    other, (_, other_sums) = 0.49, _lines_at(padded, 0.49)
    slope = (other_sums[:, 0].sum() - sums[:, 0].sum()) / (other - level)
    for _ in range(4):
        missing = wanted - sums[:, 0].sum()
        if abs(missing) <= AREA_TOLERANCE * wanted or slope >= 0:
            break
        level = float(np.clip(level + missing / slope, LOWEST_LEVEL, HIGHEST_LEVEL))
        lines, sums = _lines_at(padded, level)
        off = abs(sums[:, 0].sum() - wanted)
        if off >= best[0]:
            break
        best = (off, lines, sums)
    return _outline(*best[1:])


def _lines_at(padded: FloatArray, level: float) -> tuple[list[FloatArray], FloatArray]:
    """Find the closed lines of one value, and their sums (a row a line, objects positive)."""
    found = find_contours(padded, level)  # type: ignore[no-untyped-call]
    lines = [line[:-1] - 1 for line in found]
    sums = np.array([_sums(line) for line in lines])
    return lines, sums * np.sign(sums[:, 0].sum())


def _outline(lines: list[FloatArray], sums: FloatArray) -> Outline:
    area, x, y, xx, xy, yy = sums.sum(axis=0)
    centre = np.array([x, y]) / area
    moments = np.array([[xx, xy], [xy, yy]]) / area
    hull = ConvexHull(np.concatenate(lines)).volume  # qhull's word for the area in 2D
    return Outline(
        area=float(area),
        centre=centre,
        covariance=moments - np.outer(centre, centre),
        solidity=float(area / hull),
        objects=int((sums[:, 0] > 0).sum()),
    )


def _sums(line: FloatArray) -> tuple[float, float, float, float, float, float]:
    """Integrals of 1, x, y, x², xy, y² over a polygon, by Green's theorem; signed."""
    x, y = line.T
    next_x, next_y = np.roll(line, -1, axis=0).T
    cross = x * next_y - next_x * y
    return (
        float(cross.sum() / 2),
        float(((x + next_x) * cross).sum() / 6),
        float(((y + next_y) * cross).sum() / 6),
        float(((x * x + x * next_x + next_x * next_x) * cross).sum() / 12),
        float(((x * next_y + 2 * x * y + 2 * next_x * next_y + next_x * y) * cross).sum() / 24),
        float(((y * y + y * next_y + next_y * next_y) * cross).sum() / 12),
    )
