"""Operations on masks: components and holes. Masks in, new boolean masks out."""

from __future__ import annotations

from typing import Any, Literal

import cc3d
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.errors import InputError

BoolArray = npt.NDArray[np.bool_]
Connectivity = Literal[6, 18, 26]


def components(
    mask: npt.NDArray[Any], connectivity: Connectivity = 26
) -> tuple[npt.NDArray[np.unsignedinteger[Any]], int]:
    """Give each component a number.

    Parameters
    ----------
    mask
        3D; what differs from zero is foreground.
    connectivity
        Voxels that share a face (6), an edge (18) or a corner (26) belong together.

    Returns
    -------
    labels
        Same shape: 1 for the component that comes first in the array, 0 for background.
    count
        How many there are.
    """
    # of booleans cc3d 4.1 keeps room for too few components where an array is thin (3 × 1 × 1)
    foreground = _foreground(mask).astype(np.uint8)
    labels, count = cc3d.connected_components(foreground, connectivity=connectivity, return_N=True)
    return labels, int(count)


def largest_component(mask: npt.NDArray[Any], connectivity: Connectivity = 26) -> BoolArray:
    """Keep the component with the most voxels.

    Parameters
    ----------
    mask
        3D; what differs from zero is foreground.
    connectivity
        As in :func:`components`.

    Returns
    -------
    ndarray of bool
        Same shape; of components of the same size, the one that comes first in the array. An
        empty mask stays empty.
    """
    foreground = _foreground(mask)
    labels, count = components(foreground, connectivity)
    if count <= 1:
        return foreground
    sizes = np.bincount(labels.ravel())
    kept: BoolArray = labels == 1 + int(np.argmax(sizes[1:]))
    return kept


def remove_small(
    mask: npt.NDArray[Any],
    minimum: float,
    voxel_volume_mm3: float | None = None,
    connectivity: Connectivity = 26,
) -> BoolArray:
    """Remove components smaller than a number of voxels, or of mm³.

    Parameters
    ----------
    mask
        3D; what differs from zero is foreground.
    minimum
        Smallest size that stays: mm³ where ``voxel_volume_mm3`` is given, voxels otherwise.
    voxel_volume_mm3
        Volume of a voxel (``Space.voxel_volume``).
    connectivity
        As in :func:`components`.

    Returns
    -------
    ndarray of bool
        Same shape.
    """
    foreground = _foreground(mask)
    labels, _ = components(foreground, connectivity)
    sizes = np.bincount(labels.ravel()) * (1.0 if voxel_volume_mm3 is None else voxel_volume_mm3)
    # a size that differs from the limit by rounding only reaches it
    stays = sizes >= minimum * (1 - 1e-9)
    stays[0] = False
    kept: BoolArray = stays[labels]
    return kept


def fill_holes(mask: npt.NDArray[Any], axis: int | None = 2) -> BoolArray:
    """Fill holes: background that cannot be left over faces.

    Parameters
    ----------
    mask
        3D; what differs from zero is foreground.
    axis
        Fill each slice across this axis by itself (a tube, open at its ends, has holes only so);
        None fills closed cavities in 3D.

    Returns
    -------
    ndarray of bool
        Same shape.
    """
    foreground = _foreground(mask)
    filled = foreground.copy()
    occupied = np.nonzero(foreground)
    if not len(occupied[0]):
        return filled
    # holes lie within the box around the foreground, and filling a small box is fast
    box = tuple(slice(int(places.min()), int(places.max()) + 1) for places in occupied)
    neighbours = ndimage.generate_binary_structure(3, 1)
    if axis is not None:
        ends = [slice(None)] * 3
        for end in (0, 2):
            ends[axis] = slice(end, end + 1)
            neighbours[tuple(ends)] = False
    filled[box] = ndimage.binary_fill_holes(foreground[box], structure=neighbours)
    return filled


def _foreground(mask: npt.NDArray[Any]) -> BoolArray:
    if mask.ndim != 3:
        raise InputError(f"a mask of shape {mask.shape}, expected three dimensions")
    return np.asarray(mask != 0)
