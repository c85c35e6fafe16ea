"""Which vertebral level each axial slice belongs to. Levels have SCT's values: 1 is C1, 8 is T1."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.labels import find_scheme, numbering
from spinetools.metrics.shape import AXIAL, NEAR_ZERO, slice_frame

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Values that SCT gives to levels (C1 to S5) and to the discs above them.
LAST_LEVEL = 30
#: Its values of other landmarks (pontomedullary groove and junction, conus), left out here.
LANDMARKS = frozenset({49, 50, 60})

logger = logging.getLogger(__name__)


def levels_from_labels(labels: Image, mask: Image) -> IntArray:
    """Read the level of each slice from a label volume.

    In a slice where labels lie on the cord, the one with most voxels on it counts; elsewhere
    (labelled vertebrae) the one with most voxels in the slice.

    Parameters
    ----------
    labels
        Volume of level values, on the grid of ``mask`` (any orientation). SCT's, or those of
        another scheme of the label table that can be told from the values.
    mask
        Cord mask.

    Returns
    -------
    ndarray of int
        One value a slice, counted from the inferior end; 0 where there is none.

    Raises
    ------
    InputError
        When no voxel has the value of a level, or the levels are out of order.
    SpaceMismatch
        When the two are not on one grid.
    """
    axial, cord = _on_one_grid(labels, mask)
    values = _sct_values(axial, "vertebra")
    if not values.any():
        raise _no_values(labels, "levels (1 is C1, 8 is T1)")
    inside = np.where(cord.data > NEAR_ZERO, values, 0)
    levels = np.zeros(values.shape[2], dtype=np.int64)
    for index in np.flatnonzero(values.any(axis=(0, 1))):
        here = inside[:, :, index] if inside[:, :, index].any() else values[:, :, index]
        levels[index] = 1 + int(np.argmax(np.bincount(here.ravel())[1:]))
    present = np.unique(levels[levels > 0])
    heights = [np.flatnonzero(levels == level).mean() for level in present]
    if (np.diff(heights) >= 0).any():
        raise InputError(
            f"{labels.name}: the levels {spans(present)} do not follow each other downwards; SCT's "
            "values were expected (st_label_utils -remap sct translates other schemes)"
        )
    return levels


def levels_from_discs(discs: Image, mask: Image, centreline_mm: npt.ArrayLike) -> IntArray:
    """Find the level of each slice from single voxels at the discs.

    Each disc is projected to the nearest point of the centreline. Level v lies between disc v
    (above it: disc 3 is C2–C3) and disc v + 1; beyond the outermost discs, and next to one that
    is missing, the level is not known.

    Parameters
    ----------
    discs
        Volume of disc values, on the grid of ``mask`` (any orientation); several voxels of one
        value count as their centre. Schemes as in :func:`levels_from_labels`.
    mask
        Cord mask, for its grid.
    centreline_mm
        Points (M, 3) along the cord in the slice frame, close together.

    Returns
    -------
    ndarray of int
        One value a slice, counted from the inferior end; 0 where it is not known.

    Raises
    ------
    InputError
        When there are no two neighbouring discs, or a disc lies below a later one.
    SpaceMismatch
        When the two are not on one grid.
    """
    axial, _ = _on_one_grid(discs, mask)
    frame = slice_frame(axial.space)
    heights = _disc_heights(axial, frame, np.asarray(centreline_mm, dtype=np.float64))
    if not heights:
        raise _no_values(discs, "discs (3 is C2–C3, 8 is C7–T1)")
    values = sorted(heights)
    for above, below in itertools.pairwise(values):
        if heights[below] >= heights[above]:
            raise InputError(
                f"{discs.name}: disc {below} does not lie below disc {above} along the cord; "
                "check their values"
            )
    slices = np.arange(axial.shape[2]) * frame[2, 2]
    levels = np.zeros(axial.shape[2], dtype=np.int64)
    for value in values:
        if value + 1 in heights:
            levels[(slices < heights[value]) & (slices >= heights[value + 1])] = value
    if not levels.any():
        raise InputError(
            f"{discs.name} has only disc {spans(values)}, expected at least two neighbours with a "
            "slice between them"
        )
    missing = sorted(set(range(values[0], values[-1])) - set(values))
    if missing:
        logger.warning("%s has no disc %s: the levels next to it are not known",
                       discs.name, spans(missing))  # fmt: skip
    return levels


def spans(numbers: Iterable[int]) -> str:
    """Write whole numbers briefly: 2, 3, 4, 7 as ``2:4,7`` (as ``-z`` and ``-vert`` read them)."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ",".join(":".join(str(end) for end in part) for part in parts)


def _disc_heights(discs: Image, frame: FloatArray, centreline: FloatArray) -> dict[int, float]:
    """Height in mm along the slice normal of each disc's nearest point on the centreline."""
    values = _sct_values(discs, "disc")
    places = np.argwhere(values)
    found = values[tuple(places.T)]
    heights = {}
    for value in np.unique(found):
        centre = places[found == value].mean(axis=0) @ frame.T
        nearest = int(np.argmin(((centreline - centre) ** 2).sum(axis=1)))
        heights[int(value)] = float(centreline[nearest, 2])
    return heights


def _sct_values(labels: Image, kind: Literal["vertebra", "disc"]) -> IntArray:
    """Label values as SCT's of vertebrae or discs; 0 where a voxel is something else."""
    values = np.rint(labels.data).astype(np.int64)
    seen = set(np.unique(values[values != 0]).tolist()) - LANDMARKS
    lookup = {value: value for value in seen if 1 <= value <= LAST_LEVEL}
    if seen and max(seen) > LAST_LEVEL:
        scheme = find_scheme(seen)
        logger.info("%s has the label values of %s: read as such", labels.name, scheme)
        rows = numbering(scheme)
        lookup = {value: rows[value].value("sct") or 0 for value in seen
                  if rows[value].kind == kind}  # fmt: skip
    result = np.zeros_like(values)
    for value, new in lookup.items():
        result[values == value] = new
    return result


def _on_one_grid(labels: Image, mask: Image) -> tuple[Image, Image]:
    axial, cord = labels.reorient(AXIAL), mask.reorient(AXIAL)
    axial.space.check_same(cord.space, names=(labels.name, mask.name))
    return axial, cord


def _no_values(image: Image, expected: str) -> InputError:
    values = np.unique(image.data)
    seen = ", ".join(f"{value:g}" for value in values[values != 0][:6])
    return InputError(
        f"{image.name} has the values {seen or '0'}, expected SCT's for {expected}; "
        "st_label_utils -remap sct translates other schemes"
    )
