"""Which tiles an entry shows: around the segmentation, following the cord."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spinetools.image.orientation import reorient_array
from spinetools.image.space import Space
from spinetools.qc.geometry import Cut, Frame

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

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


def extent_of(frame: Frame, mask: BoolArray) -> Extent:
    """Measure a mask slice by slice.

    Parameters
    ----------
    frame
        Axial.
    mask
        On the frame's grid, in its native axis order.
    """
    slices = frame.shape[2]
    counts = np.zeros(slices, dtype=np.intp)
    centres = np.full((slices, 2), np.nan)
    low, high = centres.copy(), centres.copy()
    if not mask.any():
        return Extent(centres, low, high, counts)
    # only the mask's box is turned to the frame: strided sums over a whole volume take seconds
    box = box_of(mask)
    inner = reorient_array(mask[box], frame.space.nib_codes, frame.codes)
    starts = [
        frame.shape[which] - box[axis].stop if frame.flipped[which] else box[axis].start
        for which, axis in enumerate(frame.axes)
    ]
    profiles = [inner.sum(axis=other, dtype=np.intp) for other in (1, 0)]
    inner_counts = profiles[0].sum(axis=0)
    filled = np.flatnonzero(inner_counts)
    places = filled + starts[2]
    counts[places] = inner_counts[filled]
    for side, profile in enumerate(profiles):
        n = profile.shape[0]
        weights = np.arange(n) @ profile
        centres[places, side] = starts[side] + weights[filled] / inner_counts[filled]
        low[places, side] = starts[side] + np.argmax(profile > 0, axis=0)[filled]
        high[places, side] = starts[side] + n - 1 - np.argmax(profile[::-1] > 0, axis=0)[filled]
    return Extent(centres, low, high, counts)


def box_of(mask: BoolArray) -> tuple[slice, slice, slice]:
    """Return the smallest box that holds all voxels of a mask that is not empty."""
    flat = np.any(mask, axis=2)
    lines = (np.any(flat, axis=1), np.any(flat, axis=0), np.any(np.any(mask, axis=0), axis=0))
    a, b, c = (np.flatnonzero(line)[[0, -1]].tolist() for line in lines)
    return slice(a[0], a[1] + 1), slice(b[0], b[1] + 1), slice(c[0], c[1] + 1)


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


def sagittal_cut(middle: Cut, extent: Extent, most: int) -> Cut:
    """Add the grid's own sagittal slices through a segmentation to the one that follows the cord.

    Parameters
    ----------
    middle
        From :func:`midsagittal_cut`.
    extent
        Of the segmentation in the axial frame, whose columns are the sagittal frame's slices.
    most
        Most tiles; beyond it every n-th slice is taken.
    """
    first, last = 0, middle.frame.shape[2] - 1
    if len(extent.filled):
        beside = max(1, round(SAGITTAL_BESIDE_MM / middle.frame.spacing[2]))
        first = max(first, int(np.nanmin(extent.low[:, 1])) - beside)
        last = min(last, int(np.nanmax(extent.high[:, 1])) + beside)
    every = -(-(last + 1 - first) // (most - 1))
    slices = (-1, *range(first, last + 1, every))
    return replace(
        middle,
        slices=slices,
        tops=middle.tops * len(slices),
        lefts=middle.lefts * len(slices),
        every=every,
    )
