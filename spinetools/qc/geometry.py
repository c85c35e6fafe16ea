"""Planes of a grid, tiles cut from them, and their native indices.

Everything here is index arithmetic on views of the array; no voxel is interpolated, so that a
pixel of an overlay is a voxel, and the slice index on the page is the one that viewers show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from spinetools.image.orientation import flips_and_axes, reorient_array
from spinetools.image.space import Space

Scalar = TypeVar("Scalar", bound=np.generic)

#: Directions (nibabel letters) in which rows, columns and slices of a picture grow. Axial as
#: radiologists look: from the feet, patient's right on the left. Slices run from the head down.
#: Sagittal: head up, face to the left, slices from the patient's right to the left.
DISPLAY_CODES = {"axial": ("P", "L", "I"), "sagittal": ("I", "P", "L")}
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "S": "I", "I": "S"}


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
