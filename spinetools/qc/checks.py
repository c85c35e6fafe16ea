"""Flags and measures that follow from any result, whichever command made it.

Thresholds were set on the manual cord masks of the public training cases and on the simulated
spine, so that none of those is flagged; testing/benchmark/flags.py measures how often they are,
and how many spoilt ones are found.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.qc.cuts import Extent
from spinetools.qc.entry import Flag, Mark
from spinetools.qc.geometry import Frame
from spinetools.qc.levels import level_of_label

#: The area beside a slice is the median over this length, and over at least so many slices.
BESIDE_MM, BESIDE_SLICES = 12.0, 3
#: A cord's area does not change by this factor from one such piece to the next, …
JUMP_RATIO = 1.6
#: … nor does one slice differ from those around it by this one; smaller changes than this many
#: mm² are the edge's voxels.
SPIKE_RATIO, LEAST_MM2 = 1.55, 15.0
#: The ends taper: the conus, and a mask that fades out.
ENDS_MM = 30.0
#: Share of the cord's area in a slice outside the canal that is more than two edges' inaccuracy.
OUTSIDE_SHARE, OUTSIDE_MM2 = 0.12, 5.0
#: So many labels of discs or vertebrae are meant to be all of them; fewer are landmarks.
LEAST_LABELS = 4
#: What reaches this near to the image's end is cut off by it.
END_MM = 2.0
#: A confidence, and the mean value of a soft mask inside its edge, below which a person looks.
LEAST_CONFIDENCE, LEAST_SOFT = 0.5, 0.7
#: The ends of a soft mask fade out.
SOFT_ENDS_MM = 5.0


def gaps(frame: Frame, extent: Extent) -> tuple[int, ...]:
    """Return native indices of empty slices between the first and the last that is not empty."""
    filled = extent.filled
    if len(filled) < 2:
        return ()
    inner = np.arange(filled[0], filled[-1])
    missing = inner[extent.counts[inner] == 0]
    return tuple(sorted(int(frame.native(2, s)) for s in missing))


def mask_flags(name: str, frame: Frame, extent: Extent, cropped: tuple[int, ...]) -> list[Flag]:
    """Return what is wrong with a mask at first sight.

    Parameters
    ----------
    name
        Of the mask.
    frame
        The axial frame.
    extent
        Of the mask, in the frame.
    cropped
        Native slices where the mask reaches beyond its picture.
    """
    if not len(extent.filled):
        return [Flag("empty", f"{name} has no voxel in this image")]
    flags = []
    missing = gaps(frame, extent)
    if missing:
        flags.append(Flag("gap", f"{name} has no voxel, but has some above and below", missing))
    if cropped:
        flags.append(Flag("cut off", f"{name} reaches beyond the picture", cropped))
    return flags


def areas(frame: Frame, data: npt.NDArray[Any], extent: Extent) -> dict[int, float]:
    """Return a mask's area in each slice (mm²) by native index; a soft mask's values are summed.

    It is the area in the plane of the slice: where the cord runs obliquely through the slice it is
    larger than the cross-sectional area.
    """
    pixel_mm2 = frame.spacing[0] * frame.spacing[1]
    top = float(data.max()) if data.size else 0.0
    soft = data.dtype.kind == "f" and 0 < top <= 1
    sums = frame.array(data).sum(axis=(0, 1), dtype=np.float64) if soft else extent.counts
    return {int(frame.native(2, s)): float(sums[s] * pixel_mm2) for s in extent.filled.tolist()}


def is_cord(name: str) -> bool:
    """Whether a mask is one of the cord, by its name: any that names no other structure."""
    return not re.search(
        r"canal|csf|gm|grey|gray|lesion|tumou?r|disc|vert|bone|level|brain|wm|white", name.lower()
    )


def area_jumps(name: str, frame: Frame, extent: Extent) -> list[Flag]:
    """Flag slices where a cord's area jumps, as it does where a mask leaks or loses the cord.

    Parameters
    ----------
    name
        Of the mask.
    frame
        Axial.
    extent
        Of the mask, in the frame.
    """
    mm = frame.spacing[2]
    ends = max(2, round(ENDS_MM / mm))
    filled = extent.filled[ends:-ends] if len(extent.filled) > 2 * ends else extent.filled[:0]
    if len(filled) < 2 * BESIDE_SLICES + 1:
        return []
    area = extent.counts * (frame.spacing[0] * frame.spacing[1])
    near = max(BESIDE_SLICES, round(BESIDE_MM / mm))
    found: dict[int, tuple[float, float]] = {}
    for s in filled.tolist():
        above, below = _median(area[s - near : s]), _median(area[s : s + near])
        around = _median(area[s - near : s + near + 1])
        if _differ(above, below, JUMP_RATIO):
            found[s] = (above, below)
        elif _differ(around, float(area[s]), SPIKE_RATIO):
            found[s] = (around, float(area[s]))
    if not found:
        return []
    worst = max(found, key=lambda s: abs(np.log(found[s][0] / found[s][1])))
    before, after = found[worst]
    slices = tuple(sorted(int(frame.native(2, s)) for s in found))
    reason = (
        f"the area of {name} changes from {before:.0f} to {after:.0f} mm² at once "
        f"(slice {int(frame.native(2, worst))})"
    )
    return [Flag("area jump", reason, slices)]


def _median(values: npt.NDArray[Any]) -> float:
    inside = values[values > 0]
    return float(np.median(inside)) if len(inside) >= BESIDE_SLICES else 0.0


def _differ(one: float, other: float, ratio: float) -> bool:
    if one <= 0 or other <= 0:
        return False
    return max(one / other, other / one) > ratio and abs(one - other) > LEAST_MM2


def outside_canal(
    frame: Frame, cord: npt.NDArray[np.bool_], canal: npt.NDArray[np.bool_]
) -> list[Flag]:
    """Flag slices where the cord reaches out of the canal's convex outline.

    Parameters
    ----------
    frame
        Axial.
    cord, canal
        On the frame's grid, in its native axis order. A canal that leaves out the cord is as good.
    """
    pixel_mm2 = frame.spacing[0] * frame.spacing[1]
    cords, canals = frame.array(cord), frame.array(canal)
    both = np.flatnonzero(cords.any(axis=(0, 1)) & (canals.sum(axis=(0, 1)) > 2))
    slices = []
    for s in both.tolist():
        inside, hull = cords[..., s], _hull(canals[..., s])
        outside_mm2 = float((inside & ~hull).sum() * pixel_mm2)
        share = outside_mm2 / float(inside.sum() * pixel_mm2)
        if share > OUTSIDE_SHARE and outside_mm2 > OUTSIDE_MM2:
            slices.append(int(frame.native(2, s)))
    if not slices:
        return []
    return [Flag("outside canal", "the cord reaches out of the canal", tuple(sorted(slices)))]


def _hull(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the voxels inside the convex outline of a slice's mask."""
    from skimage.morphology import convex_hull_image

    hull: npt.NDArray[np.bool_] = convex_hull_image(mask)  # type: ignore[no-untyped-call]
    return hull


def cut_above(frame: Frame, labels: npt.NDArray[Any]) -> set[int]:
    """Return which labels reach the image's upper end, where part of them may be missing.

    Parameters
    ----------
    frame
        Axial.
    labels
        On the frame's grid. Labels of a single slice are points, which are all there.
    """
    data = np.rint(frame.array(labels))
    at_end = max(1, round(END_MM / frame.spacing[2]))
    found = set(np.unique(data[..., :at_end]).astype(int).tolist()) - {0}
    return {v for v in found if (data == v).any(axis=(0, 1)).sum() > 1}


def label_order(
    frame: Frame, marks: Sequence[Mark], cut: Mapping[str, Collection[int]] | None = None
) -> list[Flag]:
    """Flag labels of discs and vertebrae that are not in order from head to foot, or have gaps.

    Parameters
    ----------
    frame
        Axial.
    marks
        All labels of the entry.
    cut
        Labels by layer that the image's upper end cuts. Vertebrae among them are left out: where
        one's body is seen in part, and of the one above only a spinous process that hangs beside
        it, their middles tell no order.
    """
    flags, cut = [], cut or {}
    for layer in dict.fromkeys(mark.layer for mark in marks):
        known, left_out = [], set()
        for mark in marks:
            level = level_of_label(mark.value, mark.name, layer) if mark.layer == layer else None
            if level is None:
                continue
            if level % 1 and mark.value in cut.get(layer, ()):
                left_out.add(level)
                continue
            known.append((float(frame.native(2, mark.centre[frame.axes[2]])), level, mark))
        known.sort(key=lambda item: item[0])
        # discs (3.0) and vertebrae (3.5) apart: a spinous process reaches below the next disc
        for half in (0.0, 0.5):
            of_kind = [item for item in known if item[1] % 1 == half]
            flags += _order(frame, of_kind, [level for level in left_out if level % 1 == half])
    kinds = dict.fromkeys(flag.kind for flag in flags)
    return [next(flag for flag in flags if flag.kind == kind) for kind in kinds]


def _order(
    frame: Frame, known: Sequence[tuple[float, float, Mark]], left_out: Collection[float]
) -> list[Flag]:
    """Judge labels of one kind, sorted from head to foot: place, level, and label.

    Levels that were left out are not missing.
    """
    pairs = list(pairwise(known))
    wrong = [(upper[2], lower[2]) for upper, lower in pairs if lower[1] <= upper[1]]
    if wrong:
        first, second = wrong[0]
        reason = f"{second.name} lies below {first.name}, expected above"
        return [Flag("label order", reason, _slices(frame, [m for p in wrong for m in p]))]
    skipped = [
        (upper[2], lower[2])
        for upper, lower in pairs
        if lower[1] - upper[1] > 1 + sum(upper[1] < level < lower[1] for level in left_out)
    ]
    if skipped and len(known) >= LEAST_LABELS:
        first, second = skipped[0]
        reason = f"nothing between {first.name} and {second.name}, expected another label"
        return [Flag("label missing", reason, _slices(frame, [m for p in skipped for m in p]))]
    return []


def _slices(frame: Frame, marks: Sequence[Mark]) -> tuple[int, ...]:
    return tuple(sorted({round(mark.centre[frame.axes[2]]) for mark in marks}))


def low_confidence(
    frame: Frame, measures: Mapping[str, Mapping[int, float]], soft: npt.NDArray[Any] | None
) -> list[Flag]:
    """Flag slices that the method itself is not sure of.

    Parameters
    ----------
    frame
        Axial.
    measures
        Of the entry: a measure called ``confidence`` (0 to 1) counts.
    soft
        A mask with values from 0 to 1, or None.
    """
    given = measures.get("confidence", {})
    low = {index for index, value in given.items() if value < LEAST_CONFIDENCE}
    lowest = min(given.values(), default=1.0)
    if soft is not None:
        values = frame.array(soft)
        inside = values >= 0.5 * float(soft.max())
        counts = inside.sum(axis=(0, 1))
        filled = np.flatnonzero(counts)
        ends = max(1, round(SOFT_ENDS_MM / frame.spacing[2]))  # where it fades out
        filled = filled[ends:-ends]
        means = np.where(inside, values, 0).sum(axis=(0, 1))[filled] / counts[filled]
        low |= {int(frame.native(2, s)) for s in filled[means < LEAST_SOFT].tolist()}
        lowest = min(lowest, float(means.min(initial=1.0)))
    if not low:
        return []
    reason = f"the method is not sure of these slices (lowest {lowest:.2f} of 1)"
    return [Flag("low confidence", reason, tuple(sorted(low)))]
