"""Arches whose bodies lie apart: in a few sagittal slices the pedicles are out of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from spinetools.morphology import components
from spinetools.vertebrae.anatomy import Anatomy
from spinetools.vertebrae.canal import FloatArray, Line, coordinates

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int16]
Landscape = npt.NDArray[np.uint8]

#: An arch without its body is named from this size, so near to the midline, and where its middle
#: lies within this share of a level of where it is expected.
_LEAST_ARCH_MM3, _ARCH_SIDE_MM, _MOST_ARCH = 60.0, 35.0, 0.8
#: Pieces of bone that reach over more levels than this hold several arches; each holds what is this
#: near to its level.
_SEVERAL, _LEVEL_WITH = 1.2, 0.25
#: A vertebra with less than this share of a piece of bone at its arch's height has lost it.
_ROBBED = 0.2
#: Smaller shares of what lies at an arch's height are a neighbour's facets.
_LEAST_PIECE = 0.25
#: Arches hang down: so many mm where they begin behind the canal's middle, and by this slope from
#: there on to where it ends (regressed on the digital spine).
_HANG = {"C": (2.8, 0.5), "T": (3.0, 1.0), "L": (9.5, 0.15), "S": (5.0, 0.25)}
_HANG_FROM_MM, _HANG_TO_MM = 8.0, 33.0
#: … and aside, where transverse processes are: the thoracic ones reach up and back.
_HANG_ASIDE = {**_HANG, "T": (-2.5, 0.0)}
_ASIDE_MM = 12.0
#: Cervical vertebrae lie above this level (0 is C1).
_CERVICAL = 6.5


@dataclass(frozen=True, eq=False)
class Heights:
    """Where the vertebrae lie along the canal, arches too.

    Attributes
    ----------
    places
        Length along the line at the middle of each vertebra, sacrum included, mm.
    anatomy, line, spacing
        As for :func:`~spinetools.vertebrae.bones.name_vertebrae`.
    """

    places: FloatArray
    anatomy: Anatomy
    line: Line
    spacing: float

    def levels(self, voxels: npt.NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return which vertebra voxels are level with (0 is C1), and how far right and in front."""
        s, right, front, _ = coordinates(self.line, voxels * self.spacing)
        aside = np.abs(right) > _ASIDE_MM
        regions = [name[0] for name in (*self.anatomy.vertebrae, "S")]
        first, slope = (
            np.where(
                aside,
                np.interp(s, self.places, [_HANG_ASIDE[region][k] for region in regions]),
                np.interp(s, self.places, [_HANG[region][k] for region in regions]),
            )
            for k in (0, 1)
        )
        behind = np.clip(-front, 0, _HANG_TO_MM)
        s -= first * np.minimum(behind / _HANG_FROM_MM, 1)
        s -= slope * np.maximum(behind - _HANG_FROM_MM, 0)
        return np.interp(s, self.places, np.arange(len(self.places))), right, front

    def hills(self, bone: Bools) -> Landscape:
        """Draw a landscape that is low at the height of each vertebra and high between them."""
        voxels = np.argwhere(bone)
        level, _, _ = self.levels(voxels)
        height = np.abs(level - np.rint(level))
        result = np.zeros(bone.shape, np.uint8)
        result[tuple(voxels.T)] = (200 * height).astype(np.uint8)
        return result


def return_arches(here: Ints, heights: Heights, hills: Landscape) -> None:
    """Give arches that a neighbour's name has flowed into back to their vertebrae; in place.

    Where the image cuts the pedicles off, an arch may touch its neighbour's only.

    Parameters
    ----------
    here
        The vertebra's number in each voxel of bone.
    heights
        Where the vertebrae lie.
    hills
        From :meth:`Heights.hills`, for this bone or more.
    """
    voxels = np.argwhere(here)
    level, right, front = heights.levels(voxels)
    aside = np.abs(right)
    # beside cervical bodies stand pillars, which transverse foramina part from them
    pillar = (level < _CERVICAL) & (aside > _ASIDE_MM) & (front < _HANG_FROM_MM)
    behind = pillar | ((front < -_HANG_FROM_MM) & (aside < _ARCH_SIDE_MM))
    voxels, level = voxels[behind], level[behind]
    region, seeds = np.zeros(here.shape, bool), np.zeros(here.shape, np.int16)
    region[tuple(voxels.T)] = True
    sure = np.abs(level - np.rint(level)) < _LEVEL_WITH
    seeds[tuple(voxels[sure].T)] = np.rint(level[sure]).astype(np.int16) + 1
    arches = flow(region, seeds, hills)
    known = np.unique(here[here > 0])
    totals = np.bincount(arches.ravel(), minlength=len(heights.places) + 1)
    pieces, count = cc3d.connected_components(arches.astype(np.uint16), return_N=True)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    kept = np.bincount(pieces[(here == arches) & (arches > 0)], minlength=count + 1)
    for piece, box in enumerate(ndimage.find_objects(pieces), start=1):
        inside = pieces[box] == piece
        number = int(arches[box][inside][0])
        large = max(_LEAST_ARCH_MM3 / heights.spacing**3, _LEAST_PIECE * totals[number])
        if number in known and sizes[piece] >= large and kept[piece] < _ROBBED * sizes[piece]:
            here[box][inside] = number


def name_orphans(
    here: Ints,
    mask: Bools,
    owned: npt.NDArray[np.intp],
    heights: Heights,
    hills: Landscape | None,
) -> None:
    """Name the pieces of a mask behind the canal that no body reaches, by their height; in place.

    In a few sagittal slices, and at the image's upper end, an arch is seen without its body.

    Parameters
    ----------
    here
        The vertebra's number in each voxel of the mask that has one.
    mask
        Bone of odd or of even vertebrae (or of one only), or of all of them.
    owned
        Numbers of the vertebrae whose bodies the mask holds; the next ones that it may hold, above
        and below, count too.
    heights
        Where the vertebrae lie.
    hills
        From :meth:`Heights.hills` where the mask holds all vertebrae, else None.
    """
    if not len(owned):
        return
    step = 1 if hills is not None else 2
    wanted = set(owned.tolist())
    if step == 1 or len(owned) > 1:
        wanted |= {int(owned[0]) - step, int(owned[-1]) + step}
    # the sacrum, the last, has a mask of its own wherever it is seen
    free = {n for n in wanted if 1 <= n < len(heights.places)}
    numbers = np.array(sorted(free | set(owned.tolist())))
    parts, _ = components(mask & (here == 0))
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        if box is None:
            continue
        piece = parts[box] == number
        if piece.sum() * heights.spacing**3 < _LEAST_ARCH_MM3:
            continue
        voxels = np.argwhere(piece) + [side.start for side in box]
        level, right, front = heights.levels(voxels)
        if front.mean() > 0 or abs(right.mean()) > _ARCH_SIDE_MM:
            continue
        low, high = np.quantile(level, (0.05, 0.95))
        if hills is not None and high - low > _SEVERAL:
            named = np.rint(level).astype(np.int16) + 1
            named[np.abs(level - np.rint(level)) > _LEVEL_WITH] = 0
            named[~np.isin(named, numbers)] = 0
            seeds = np.zeros(piece.shape, np.int16)
            seeds[piece] = named
            here[box] += flow(piece, seeds, hills[box])
            continue
        nearest = numbers[np.argmin(np.abs(numbers - 1 - level.mean()))]
        if abs(nearest - 1 - level.mean()) < _MOST_ARCH:
            here[box][piece] = nearest


def flow(mask: Bools, seeds: Ints, hills: Landscape | None = None) -> Ints:
    """Let names spread within a mask, each as fast as the other, from low to high ground.

    Parameters
    ----------
    mask
        Where they may spread.
    seeds
        Numbers where they are known, 0 elsewhere; those outside the mask do not count.
    hills
        The ground; None for even ground.

    Returns
    -------
    ndarray of int16
        0 where no name has come.
    """
    inside = np.where(mask, seeds, 0)
    if not inside.any():
        return inside.astype(np.int16)
    spread: Any = watershed  # untyped
    ground = np.zeros(mask.shape, np.uint8) if hills is None else hills
    result: Ints = spread(ground, inside, mask=mask).astype(np.int16)
    return result
