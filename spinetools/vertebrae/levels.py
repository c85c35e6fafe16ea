"""Points at the discs, as SCT's scripts read them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spinetools.image import Image
from spinetools.labels import structures
from spinetools.vertebrae.result import SpineLabels

#: SCT's values above C2–C3: the top of C1, and the joint between C1 and C2.
_TOP_OF_C1, _TOP_OF_C2 = 1, 2
#: Less of C1 or C2 than this is not seen whole, mm.
_LEAST_SEEN_MM = 6.0


def disc_points(result: SpineLabels, iso: bool = False) -> Image:
    """Mark the posterior edge of each disc with one voxel of SCT's disc value (C2–C3 is 3).

    Discs that SCT has no value for (those of T13 and L6) are left out, and with them those below,
    whose values would be another level's.

    Parameters
    ----------
    result
        A labelled image.
    iso
        On the working grid instead of the input's.
    """
    values = {row.name: row.values["sct_disc"] for row in structures() if "sct_disc" in row.values}
    target = result.working if iso else result.image
    points = np.zeros(target.space.shape, np.uint8)
    for disc in result.discs:
        if disc.name not in values:
            break
        _put(points, target, disc.back, values[disc.name])
    for value, place in _above(result).items():
        _put(points, target, place, value)
    return target.like(points)


def points_table(points: Image) -> str:
    """Return the BIDS table of the points' values (``_dseg.tsv``)."""
    names = {row.values["sct_disc"]: row.name for row in structures() if "sct_disc" in row.values}
    names |= {_TOP_OF_C1: "top_of_C1", _TOP_OF_C2: "joint_C1_C2"}
    values = [int(value) for value in np.unique(points.data) if value]
    return "\n".join(["index\tname", *(f"{value}\t{names[value]}" for value in values)]) + "\n"


def _put(
    points: npt.NDArray[np.uint8], target: Image, world: npt.NDArray[np.float64], value: int
) -> None:
    voxel = np.rint(target.space.to_voxel(world)).astype(int)
    if (voxel >= 0).all() and (voxel < target.space.shape).all():
        points[tuple(voxel)] = value


def _above(result: SpineLabels) -> dict[int, npt.NDArray[np.float64]]:
    """Return the joint of C1 and C2, and the top of C1, on the canal, where both are seen whole."""
    if not result.discs or result.discs[0].name != "disc_C2_C3":
        return {}
    spacing = result.space.spacing[0]
    heights = {}
    for number in (1, 2):
        where = np.flatnonzero((result.numbers == number).any(axis=(0, 1)))
        if len(where) * spacing < _LEAST_SEEN_MM or where[-1] >= result.numbers.shape[2] - 2:
            return {}
        heights[number] = where
    # C1's ring from below to above, at the canal
    low, high = np.percentile(heights[1], (20, 95)) * spacing
    line = result.line.points
    steps = np.asarray(result.space.spacing)
    return {
        value: result.space.to_world(line[int(np.argmin(np.abs(line[:, 2] - z)))] / steps)
        for value, z in ((_TOP_OF_C2, low), (_TOP_OF_C1, high))
    }
