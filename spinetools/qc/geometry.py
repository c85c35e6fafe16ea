"""Which voxels a picture shows: planes, cuts that follow the cord, and native indices.

Everything here is index arithmetic on views of the array; no voxel is interpolated, so that a
pixel of an overlay is a voxel, and the slice index on the page is the one that viewers show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from spinetools.image.orientation import flips_and_axes, reorient_array
from spinetools.image.space import Space

Scalar = TypeVar("Scalar", bound=np.generic)
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

#: Directions (nibabel letters) in which rows, columns and slices of a picture grow. Axial as
#: radiologists look: from the feet, patient's right on the left. Slices run from the head down.
#: Sagittal: head up, face to the left, slices from the patient's right to the left.
DISPLAY_CODES = {"axial": ("P", "L", "I"), "sagittal": ("I", "P", "L")}
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "S": "I", "I": "S"}

#: Side of an axial tile. A cord is some 13 mm wide and a canal 25 mm: this leaves room around.
MIN_BOX_MM, MAX_BOX_MM = 42.0, 64.0
#: Anatomy shown around a segmentation that needs more than the smallest box.
MARGIN_MM = 8.0
#: Slices shown beyond the ends of a segmentation, to see whether it ends where it should.
BEYOND_MM = 10.0
#: What a sagittal tile shows in front of and behind the cord.
SAGITTAL_MARGIN_MM = 32.0
#: Sagittal slices shown on either side of the segmentation.
SAGITTAL_BESIDE_MM = 4.0
#: The centre of the tiles is averaged over this length, so that scrolling does not jump.
FOLLOW_MM = 8.0
#: … after a running median over this one.
MEDIAN_MM = 20.0


@dataclass(frozen=True)
class Frame:
    """A grid as a plane shows it: rows downwards, columns to the right, slices in reading order.

    Parameters
    ----------
    space
        The image's grid.
    plane
        ``axial`` or ``sagittal``.
    """

    space: Space
    plane: str

    @property
    def codes(self) -> tuple[str, str, str]:
        """Directions in which rows, columns and slices grow (nibabel letters)."""
        return DISPLAY_CODES[self.plane]

    @property
    def axes(self) -> tuple[int, int, int]:
        """The grid's axis behind rows, columns and slices."""
        return flips_and_axes(self.space.nib_codes, self.codes)[0]

    @property
    def flipped(self) -> tuple[bool, bool, bool]:
        """Whether rows, columns and slices run against the grid's axis."""
        flips = flips_and_axes(self.space.nib_codes, self.codes)[1]
        a, b, c = (flips[axis] for axis in self.axes)
        return a, b, c

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of rows, columns and slices."""
        a, b, c = (self.space.shape[axis] for axis in self.axes)
        return a, b, c

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Size of a voxel downwards, to the right, and through (mm)."""
        a, b, c = (self.space.spacing[axis] for axis in self.axes)
        return a, b, c

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """The patient's side at the top, right, bottom and left of a picture."""
        down, right, _ = self.codes
        return _OPPOSITE[down], right, down, _OPPOSITE[right]

    def array(self, data: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Return a view of the image's voxels as (rows, columns, slices)."""
        return reorient_array(data, self.space.nib_codes, self.codes)

    def native(self, which: int, index: Any) -> Any:
        """Translate an index along rows (0), columns (1) or slices (2) to the grid's own, or back.

        Indices outside the grid go on counting.
        """
        return self.shape[which] - 1 - index if self.flipped[which] else index


@dataclass(frozen=True)
class Cut:
    """Tiles cut from a frame.

    Attributes
    ----------
    frame
        What the tiles are cut from.
    slices
        The frame's slice of each tile; -1 for the tile that follows the cord.
    tops, lefts
        First row and column of each tile; may lie outside of the grid.
    size
        Rows and columns of a tile.
    curve
        Slice of each of the frame's rows, for the tile that follows the cord.
    every
        Every n-th slice is in ``slices``.
    gutter
        Voxels around each tile, on every side.
    """

    frame: Frame
    slices: tuple[int, ...]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    size: tuple[int, int]
    curve: tuple[int, ...] = ()
    every: int = 1
    gutter: int = 1

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of a tile without its gutter."""
        return self.size[0] * self.frame.spacing[0], self.size[1] * self.frame.spacing[1]

    def tiles(self, data: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Cut the tiles from an image's voxels.

        Parameters
        ----------
        data
            Three-dimensional, on the frame's grid, in its native axis order.

        Returns
        -------
        array
            (tiles, rows, columns) with gutter; zero beyond the grid.
        """
        array = self.frame.array(data)
        rows, columns = (n + 2 * self.gutter for n in self.size)
        result = np.zeros((len(self.slices), rows, columns), dtype=array.dtype)
        for tile, (position, top, left) in enumerate(
            zip(self.slices, self.tops, self.lefts, strict=True)
        ):
            top, left = top - self.gutter, left - self.gutter
            r0, r1 = max(top, 0), min(top + rows, array.shape[0])
            c0, c1 = max(left, 0), min(left + columns, array.shape[1])
            if r0 >= r1 or c0 >= c1:
                continue
            if position < 0:
                curve = np.asarray(self.curve)
                block = array[np.arange(r0, r1), c0:c1, curve[r0:r1]]
            else:
                block = array[r0:r1, c0:c1, position]
            result[tile, r0 - top : r1 - top, c0 - left : c1 - left] = block
        return result

    def native_slices(self) -> tuple[int | None, ...]:
        """Return the native slice index of each tile; None for the one that follows the cord."""
        return tuple(None if s < 0 else int(self.frame.native(2, s)) for s in self.slices)

    def native_origins(self) -> tuple[tuple[int, int], ...]:
        """Return the native (row, column) index of each tile's first voxel, without gutter."""
        return tuple(
            (int(self.frame.native(0, top)), int(self.frame.native(1, left)))
            for top, left in zip(self.tops, self.lefts, strict=True)
        )

    def native_curve(self) -> tuple[int, ...]:
        """Return the native slice index of each row shown by the tile that follows the cord."""
        if not self.curve:
            return ()
        top = self.tops[self.slices.index(-1)]
        rows = range(top, top + self.size[0])
        last = len(self.curve) - 1
        return tuple(int(self.frame.native(2, self.curve[min(max(r, 0), last)])) for r in rows)


@dataclass(frozen=True)
class Extent:
    """Where a mask lies in each slice of an axial frame; NaN where a slice is empty.

    Attributes
    ----------
    centres
        (slices, 2): centre of mass, row and column.
    low, high
        (slices, 2): first and last row and column.
    counts
        (slices,): voxels.
    """

    centres: FloatArray
    low: FloatArray
    high: FloatArray
    counts: IntArray

    @property
    def filled(self) -> IntArray:
        """Slices that have any voxel."""
        return np.flatnonzero(self.counts)


def extent_of(mask: BoolArray) -> Extent:
    """Measure a mask of shape (rows, columns, slices) slice by slice."""
    slices = mask.shape[2]
    by_row = mask.sum(axis=1, dtype=np.intp)
    by_column = mask.sum(axis=0, dtype=np.intp)
    counts = by_row.sum(axis=0)
    centres = np.full((slices, 2), np.nan)
    low, high = centres.copy(), centres.copy()
    filled = counts > 0
    for side, profile in enumerate((by_row, by_column)):
        n = profile.shape[0]
        weights = np.arange(n) @ profile
        centres[filled, side] = weights[filled] / counts[filled]
        low[filled, side] = np.argmax(profile > 0, axis=0)[filled]
        high[filled, side] = (n - 1 - np.argmax(profile[::-1] > 0, axis=0))[filled]
    return Extent(centres, low, high, counts)


def follow(extent: Extent, shape: tuple[int, int, int], thickness_mm: float) -> FloatArray:
    """Return a centre for every slice: interpolated in gaps, held beyond the ends, smoothed.

    A running median comes before the running mean, so that a leak of a few slices does not pull
    the pictures off the cord.

    Parameters
    ----------
    extent
        Of the mask; where it has no voxel at all, the centre of the slices is taken.
    shape
        Rows, columns and slices.
    thickness_mm
        Distance between slices.

    Returns
    -------
    array
        (slices, 2): row and column, not rounded.
    """
    filled = extent.filled
    if not len(filled):
        return np.tile([(shape[0] - 1) / 2, (shape[1] - 1) / 2], (shape[2], 1))
    everywhere = np.arange(shape[2])
    result = np.empty((shape[2], 2))
    for side in range(2):
        line = np.interp(everywhere, filled, extent.centres[filled, side])
        line = np.median(_windows(line, MEDIAN_MM / thickness_mm), axis=1)
        result[:, side] = _windows(line, FOLLOW_MM / thickness_mm).mean(axis=1)
    return result


def _windows(line: FloatArray, width: float) -> FloatArray:
    """Return for each value those around it; straight on beyond the ends."""
    half = int(width / 2)
    padded = np.pad(line, half, mode="reflect", reflect_type="odd") if len(line) > half else line
    if len(padded) == len(line):
        return line[:, None]
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)


def axial_cut(frame: Frame, extent: Extent, centres: FloatArray, most: int) -> Cut:
    """Cut axial tiles around the segmentation, from a little above to a little below it.

    Parameters
    ----------
    frame
        Axial.
    extent, centres
        Of the segmentation, in the frame.
    most
        Most tiles; beyond it every n-th slice is taken.
    """
    n = frame.shape[2]
    filled = extent.filled
    beyond = max(1, round(BEYOND_MM / frame.spacing[2]))
    first = max(0, int(filled[0]) - beyond) if len(filled) else 0
    last = min(n - 1, int(filled[-1]) + beyond) if len(filled) else n - 1
    every = -(-(last + 1 - first) // most)
    slices = range(first, last + 1, every)
    sides = []
    for side in range(2):
        reach = np.maximum(
            extent.high[:, side] - centres[:, side], centres[:, side] - extent.low[:, side]
        )
        # one slice that leaks far must not make every tile small
        reach_mm = np.percentile(reach[filled], 95) * frame.spacing[side] if len(filled) else 0.0
        box = min(max(2 * (float(reach_mm) + MARGIN_MM), MIN_BOX_MM), MAX_BOX_MM)
        sides.append(box)
    box = max(sides)
    height, width = (max(1, round(box / frame.spacing[side])) for side in range(2))
    corner = np.rint(centres - (np.array([height, width]) - 1) / 2).astype(int)
    return Cut(
        frame,
        slices=tuple(slices),
        tops=tuple(int(corner[s, 0]) for s in slices),
        lefts=tuple(int(corner[s, 1]) for s in slices),
        size=(height, width),
        every=every,
    )


def cropped_slices(cut: Cut, extent: Extent) -> tuple[int, ...]:
    """Return native indices of slices whose segmentation reaches beyond its tile."""
    found = []
    for position, top, left in zip(cut.slices, cut.tops, cut.lefts, strict=True):
        if position < 0 or not extent.counts[position]:
            continue
        inside = (
            extent.low[position, 0] >= top
            and extent.low[position, 1] >= left
            and extent.high[position, 0] < top + cut.size[0]
            and extent.high[position, 1] < left + cut.size[1]
        )
        if not inside:
            found.append(int(cut.frame.native(2, position)))
    return tuple(sorted(found))


def midsagittal_cut(space: Space, extent: Extent, centres: FloatArray) -> Cut:
    """Cut one sagittal picture of all rows that follows the cord to the left and right.

    Parameters
    ----------
    space
        The grid.
    extent
        Of the segmentation in the grid's axial frame: all of it is shown.
    centres
        The cord's centre in every slice of the axial frame: row (front to back) and column (right
        to left).
    """
    frame = Frame(space, "sagittal")
    # both frames run from the head down, from front to back, and from right to left
    curve = np.clip(np.rint(centres[:, 1]), 0, frame.shape[2] - 1).astype(int)
    around, beside = (mm / frame.spacing[1] for mm in (SAGITTAL_MARGIN_MM, MARGIN_MM))
    left, right = centres[:, 0].min() - around, centres[:, 0].max() + around
    if len(extent.filled):
        left = min(left, np.nanmin(extent.low[:, 0]) - beside)
        right = max(right, np.nanmax(extent.high[:, 0]) + beside)
    left, right = max(0, int(left)), min(frame.shape[1], int(right) + 2)
    return Cut(
        frame,
        slices=(-1,),
        tops=(0,),
        lefts=(left,),
        size=(frame.shape[0], right - left),
        curve=tuple(int(c) for c in curve),
    )


def sagittal_cut(middle: Cut, mask: BoolArray, most: int) -> Cut:
    """Add the grid's own sagittal slices through a segmentation to the one that follows the cord.

    Parameters
    ----------
    middle
        From :func:`midsagittal_cut`.
    mask
        The segmentation in the sagittal frame: (rows, columns, slices).
    most
        Most tiles; beyond it every n-th slice is taken.
    """
    n = middle.frame.shape[2]
    filled = np.flatnonzero(mask.any(axis=(0, 1)))
    beside = max(1, round(SAGITTAL_BESIDE_MM / middle.frame.spacing[2]))
    first = max(0, int(filled[0]) - beside) if len(filled) else 0
    last = min(n - 1, int(filled[-1]) + beside) if len(filled) else n - 1
    every = -(-(last + 1 - first) // (most - 1))
    slices = (-1, *range(first, last + 1, every))
    return replace(
        middle,
        slices=slices,
        tops=middle.tops * len(slices),
        lefts=middle.lefts * len(slices),
        every=every,
    )
