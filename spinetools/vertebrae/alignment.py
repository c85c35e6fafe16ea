"""How vertebrae stand on each other: endplates, curvature, slips.

Endplates are planes fitted to the upper and the lower surface of each disc: discs are compact,
while a vertebra's label also holds its arch. Angles are those between endplates, seen from the side
and from the front, as Cobb's method measures them on radiographs (Cobb 1948, Instructional Course
Lectures 5). Lying in a scanner, a spine is less curved than standing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from spinetools.vertebrae.canal import coordinates
from spinetools.vertebrae.result import FIRST_DISC, SpineLabels
from spinetools.vertebrae.statistics import axes_at, local_place, local_turn, places_of

FloatArray = npt.NDArray[np.float64]

#: The part of a disc's surface that a plane is fitted to, as a share of its depth and width: the
#: rim is round.
_INNER = 0.38
#: A surface needs this many lines of voxels …
_LEAST_LINES = 12
#: … and this width to tell how it leans to the side, mm.
_LEAST_WIDTH_MM = 15.0
#: Share of a surface's points that lie on the endplate at least; distance from a plane, in voxels,
#: from which some do not; slopes that it may have to the disc's plane (tangent).
_SHARE, _ROUGH, _SLOPES = 0.6, 1.3, np.tan(np.deg2rad(np.arange(-30, 30.1, 1.0)))
#: Half width of the strip about the midline, and height of the part of a body beside a disc, in
#: which the back walls of two neighbours are compared, mm.
_STRIP_MM, _BESIDE_MM = 5.0, 5.0

#: Curves by name: the endplate above, the endplate below (``L1+`` is L1's upper endplate, ``C2-``
#: C2's lower one), and whether lordosis counts positive. Levels are the usual ones.
CURVES = {
    "cervical_lordosis": ("C2-", "C7-", True),
    "thoracic_kyphosis": ("T4+", "T12-", False),
    "lumbar_lordosis": ("L1+", "S+", True),
}


@dataclass(frozen=True, eq=False)
class Endplate:
    """An endplate.

    Attributes
    ----------
    name
        ``L1+`` is the upper endplate of L1, ``L1-`` the lower one, ``S+`` the sacrum's.
    centre, normal
        World mm; the normal points upwards.
    lean_deg, tilt_deg
        Of the normal, forward (seen from the side) and to the right (from the front); the second
        is NaN where too little width is seen.
    """

    name: str
    centre: FloatArray
    normal: FloatArray
    lean_deg: float
    tilt_deg: float


@dataclass(frozen=True)
class Curve:
    """An angle between two endplates, degrees; NaN where one of them is not seen."""

    name: str
    upper: str
    lower: str
    angle_deg: float


@dataclass(frozen=True)
class Slip:
    """How far a vertebra stands in front of (positive) or behind the next one.

    Attributes
    ----------
    disc
        Name of the disc between them.
    mm
        Along the disc, between the back walls beside it.
    percent
        Of the disc's depth.
    """

    disc: str
    mm: float
    percent: float


def endplates(result: SpineLabels) -> dict[str, Endplate]:
    """Fit the endplates above and below each disc, from the top.

    Parameters
    ----------
    result
        A labelled spine with discs.
    """
    found: dict[str, Endplate] = {}
    anatomy = result.numbering.anatomy
    levels = [*anatomy.vertebrae[1:], "S"]
    numbers = {name: FIRST_DISC + i for i, name in enumerate(anatomy.disc_names)}
    for disc in result.discs:
        if not math.isfinite(disc.height):
            continue  # the image cuts it off: what looks like its surface is the image's edge
        index = anatomy.disc_names.index(disc.name)
        voxels = places_of(result, numbers[disc.name])
        centre = local_place(result, disc.centre)
        axes = axes_at(result, centre, local_turn(result, disc.normal))
        for sign, name in ((1, f"{levels[index]}-"), (-1, f"{levels[index + 1]}+")):
            fitted = _surface(voxels, axes, sign, result.space.spacing[0])
            if fitted is not None:
                found[name] = _endplate(result, name, *fitted, axes)
    return found


def _surface(
    voxels: FloatArray, axes: Sequence[FloatArray], sign: int, spacing: float
) -> tuple[FloatArray, float, float] | None:
    """Fit a disc's upper (1) or lower (−1) surface.

    Returns a point on it, and its slopes to the front and to the right (NaN: too narrow).
    """
    up, front, right = axes
    middle = voxels.mean(axis=0)
    away = voxels - middle
    height, ahead, aside = away @ up, away @ front, away @ right
    depth, width = (float(np.ptp(np.percentile(a, (2, 98)))) for a in (ahead, aside))
    inner = (np.abs(ahead) <= _INNER * depth) & (np.abs(aside) <= max(_INNER * width, spacing))
    if inner.sum() < _LEAST_LINES:
        return None
    cells = np.stack([np.floor(ahead[inner] / spacing), np.floor(aside[inner] / spacing)], axis=1)
    _, line = np.unique(cells.astype(int), axis=0, return_inverse=True)
    line = line.ravel()
    count = int(line.max()) + 1
    if count < _LEAST_LINES:
        return None
    top = np.full(count, -np.inf)
    np.maximum.at(top, line, sign * height[inner])
    weight = np.bincount(line)
    x, y = (np.bincount(line, values[inner]) / weight for values in (ahead, aside))
    wide = width >= _LEAST_WIDTH_MM
    columns = [np.ones(count), x] + ([y] if wide else [])
    design = np.stack(columns, axis=1)
    # voxels make steps of a smooth endplate: all points count, unless some are far off
    keep = np.ones(count, bool)
    first = np.linalg.lstsq(design, sign * top, rcond=None)[0]
    if np.percentile(np.abs(sign * top - design @ first), 90) > _ROUGH * spacing:
        keep = _core(x, sign * top, spacing)
    for _ in range(3):
        solved = np.linalg.lstsq(design[keep], sign * top[keep], rcond=None)[0]
        rest = np.abs(sign * top - design @ solved)
        keep = rest <= max(2.5 * float(np.median(rest[keep])), 1.5 * spacing)
    point = middle + solved[0] * up
    return point, float(solved[1]), float(solved[2]) if wide else math.nan


def _core(x: FloatArray, height: FloatArray, spacing: float) -> npt.NDArray[np.bool_]:
    """Find the points of the surface that lie on one slope to the front.

    A Schmorl's node, a lip, or the wing of the sacrum where it hides a part of its endplate, is
    no endplate: of all slopes, the one is taken on which :data:`_SHARE` of the points lie closest
    together (a least-quantile fit: Rousseeuw 1984, JASA 79).
    """
    count = int(np.ceil(_SHARE * len(x)))
    best, core = np.inf, np.ones(len(x), bool)
    for slope in _SLOPES:
        rest = height - slope * x
        order = np.sort(rest)
        widths = order[count - 1 :] - order[: len(order) - count + 1]
        first = int(np.argmin(widths))
        if widths[first] < best:
            best, low, high = widths[first], order[first], order[first + count - 1]
            core = (rest >= low - spacing) & (rest <= high + spacing)
    return core


def _endplate(
    result: SpineLabels, name: str, point: FloatArray, ahead: float, aside: float,
    axes: Sequence[FloatArray],
) -> Endplate:  # fmt: skip
    up, front, right = axes
    steps = np.asarray(result.space.spacing)
    slope = 0.0 if math.isnan(aside) else aside
    local = up - ahead * front - slope * right
    world = (result.space.affine[:3, :3] / steps) @ (local / np.linalg.norm(local))
    return Endplate(
        name=name,
        centre=result.space.to_world(point / steps),
        normal=world,
        lean_deg=math.degrees(math.atan2(world[1], world[2])),
        tilt_deg=math.nan if math.isnan(aside) else math.degrees(math.atan2(world[0], world[2])),
    )


def curves_of(plates: dict[str, Endplate]) -> list[Curve]:
    """Return lordosis and kyphosis, the sacral slope, and the largest angle seen from the front.

    The sacral slope is against the scanner's horizontal: it depends on how the person lies.
    """
    found = []
    for name, (upper, lower, lordotic) in CURVES.items():
        angle = math.nan
        if upper in plates and lower in plates:
            angle = plates[lower].lean_deg - plates[upper].lean_deg
            angle = angle if lordotic else -angle
        found.append(Curve(name, upper, lower, angle))
    slope = plates["S+"].lean_deg if "S+" in plates else math.nan
    found.append(Curve("sacral_slope", "S+", "", slope))
    found.append(coronal_cobb(plates))
    return found


def coronal_cobb(plates: dict[str, Endplate]) -> Curve:
    """Return the largest angle from the front of an upper endplate and a lower one below it."""
    seen = [plate for plate in plates.values() if math.isfinite(plate.tilt_deg)]
    best = Curve("coronal_cobb", "", "", math.nan)
    if len(seen) < 4:
        return best
    for upper, lower in combinations(seen, 2):
        if not (upper.name.endswith("+") and lower.name.endswith("-")):
            continue
        angle = abs(upper.tilt_deg - lower.tilt_deg)
        if not angle <= best.angle_deg:
            best = Curve("coronal_cobb", upper.name, lower.name, angle)
    return best


def slips_of(result: SpineLabels) -> list[Slip]:
    """Measure how each vertebra stands on the next one, from the top.

    The back walls of two bodies are compared beside the disc between them, in a strip about the
    midline, along the disc's own plane.

    Parameters
    ----------
    result
        A labelled spine with discs.
    """
    anatomy = result.numbering.anatomy
    numbers = {name: number for number, name in result.names.items()}
    levels = [*(f"vertebrae_{level}" for level in anatomy.vertebrae[1:]), "sacrum"]
    found = []
    for disc in result.discs:
        if not math.isfinite(disc.height):
            continue
        index = anatomy.disc_names.index(disc.name)
        centre = local_place(result, disc.centre)
        axes = axes_at(result, centre, local_turn(result, disc.normal))
        reach = _BESIDE_MM + disc.height / 2
        walls = [
            _back_wall(result, numbers[name], centre, axes, sign, reach)
            for name, sign in ((levels[index], 1), (levels[index + 1], -1))
        ]
        mm = walls[0] - walls[1]
        found.append(Slip(disc.name, mm, 100 * mm / disc.depth))
    return found


def _back_wall(
    result: SpineLabels, number: int, centre: FloatArray, axes: Sequence[FloatArray],
    sign: int, reach: float,
) -> float:  # fmt: skip
    """Place of a body's back wall beside a disc, mm to the front of the disc's middle."""
    up, front, right = axes
    voxels = places_of(result, number)
    away = voxels - centre
    beside = (sign * (away @ up) > 0) & (sign * (away @ up) <= reach)
    # the arch lies behind the canal's line
    near = beside & (np.abs(away @ right) <= _STRIP_MM)
    voxels, away = voxels[near], away[near]
    if len(voxels):
        before = coordinates(result.line, voxels)[2] > 0
        away = away[before]
    if len(away) < _LEAST_LINES:
        return math.nan
    columns = np.round(away @ right / result.space.spacing[0]).astype(int)
    backs = [float(np.percentile(away[columns == c] @ front, 3)) for c in np.unique(columns)]
    return float(np.median(backs))
