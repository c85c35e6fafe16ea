"""Resampling between grids, with scipy's splines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.image.image import Image
from spinetools.image.space import Space

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]

Interpolation = Literal["nn", "linear", "spline"]
_ORDER = {"nn": 0, "linear": 1, "spline": 3}


def resample_to(image: Image, space: Space, interpolation: Interpolation = "linear") -> Image:
    """Resample a 3D or 4D image onto another grid.

    Where the new grid is coarser, the image is first smoothed along the old axes by a Gaussian as
    wide as the new voxels ask for (not for ``nn``), so that nothing aliases. Beyond the old grid
    the nearest voxel is repeated up to half a voxel, then zero.

    Parameters
    ----------
    image
        What to resample.
    space
        The new grid.
    interpolation
        ``nn`` for labels, ``linear``, or ``spline`` (cubic, clipped to the input's range).

    Returns
    -------
    Image
        On ``space``; float32, or the input's type for ``nn``.
    """
    order = _ORDER[interpolation]
    turned = image.reorient(space.nib_codes)  # where only axes differ, the rest is a plain zoom
    move = _moves(turned.space, space)
    covered = inside(turned.space, space)
    if image.data.ndim == 3:
        array = _resampled(turned.data, space, move, order)
        array *= covered
        return image.on(space, array)
    volumes = [
        _resampled(turned.data[..., index], space, move, order) * covered
        for index in range(image.n_volumes)
    ]
    return image.on(space, np.stack(volumes, axis=-1))


def resample_to_spacing(
    image: Image, spacing: Sequence[float], interpolation: Interpolation = "linear"
) -> Image:
    """Resample to a voxel size in mm along each axis; the outer box stays the same."""
    return resample_to(image, image.space.resampled(spacing), interpolation)


def inside(old: Space, new: Space) -> Mask:
    """Mark the voxels of ``new`` whose centres lie in the box of ``old``; shape of ``new``."""
    move = _moves(old, new)
    grids = np.ogrid[: new.shape[0], : new.shape[1], : new.shape[2]]
    covered = np.ones(new.shape, dtype=bool)
    for axis in range(3):
        # terms of zero are left out: on parallel axes this stays one line, not a volume
        position = move[axis, 3] + sum(
            factor * grid for factor, grid in zip(move[axis, :3], grids, strict=True) if factor
        )
        covered &= (position > -0.5 - 1e-4) & (position < old.shape[axis] - 0.5 + 1e-4)
    return covered


def _resampled(volume: Array, new: Space, move: Matrix, order: int) -> Array:
    """Resample one volume; voxels beyond the old grid get the value of its border."""
    if order:
        volume = _smoothed(volume.astype(np.float32), move)
    linear: Matrix = move[:3, :3]
    # scipy takes the diagonal alone for a zoom, which it does several times faster
    zoom = np.diag(linear) if np.count_nonzero(linear - np.diag(np.diag(linear))) == 0 else linear
    array: Array = ndimage.affine_transform(
        volume, zoom, move[:3, 3], output_shape=new.shape, order=order,
        mode="nearest", output=volume.dtype,
    )  # fmt: skip
    if order == 3:
        np.clip(array, volume.min(), volume.max(), out=array)
    return array


def _moves(old: Space, new: Space) -> Matrix:
    """Return the 4 × 4 from voxels of the new grid to the old one, free of rounding noise."""
    move = np.linalg.inv(old.affine) @ new.affine
    # a term that moves nothing by more than 1e-4 voxels over the whole grid is rounding
    reach = np.abs(move[:3, :3]) * new.shape
    linear = np.where(reach < 1e-4, 0, move[:3, :3])
    move[:3, :3] = linear
    return move


def _smoothed(volume: Array, move: Matrix) -> Array:
    """Low-pass along the old axes where new voxels are larger than old ones."""
    # how many old voxels one step of the new grid covers along each old axis
    steps = np.abs(move[:3, :3]).max(axis=1)
    sigmas = np.where(steps > 1.01, np.sqrt(np.maximum(steps**2 - 1, 0)) / 2.355, 0)
    if not sigmas.any():
        return volume
    smooth: Array = ndimage.gaussian_filter(volume, sigmas, mode="nearest")
    return smooth
