"""Resampling between grids, with scipy's splines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import ndimage

from spinetools.image.image import Image
from spinetools.image.space import Space

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
    move = np.linalg.inv(image.space.affine) @ space.affine
    volumes = image.data if image.data.ndim == 4 else image.data[..., None]
    order = _ORDER[interpolation]
    out_type = volumes.dtype if order == 0 else np.dtype(np.float32)
    result = np.empty((*space.shape, volumes.shape[3]), dtype=out_type)
    covered = inside(image.space, space)
    for index in range(volumes.shape[3]):
        volume = volumes[..., index]
        if order:
            volume = _smoothed(volume.astype(np.float32), image.space, space, move)
        moved = ndimage.affine_transform(
            volume, move[:3, :3], move[:3, 3], output_shape=space.shape, order=order,
            mode="nearest", output=out_type,
        )  # fmt: skip
        if order == 3:
            np.clip(moved, volume.min(), volume.max(), out=moved)
        result[..., index] = moved * covered
    return image.on(space, result if image.data.ndim == 4 else result[..., 0])


def resample_to_spacing(
    image: Image, spacing: Sequence[float], interpolation: Interpolation = "linear"
) -> Image:
    """Resample to a voxel size in mm along each axis; the outer box stays the same."""
    return resample_to(image, image.space.resampled(spacing), interpolation)


def _smoothed(
    volume: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    old: Space,
    new: Space,
    move: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Low-pass along the old axes where new voxels are larger than old ones."""
    # how many old voxels one step of the new grid covers along each old axis
    steps = np.abs(move[:3, :3]).max(axis=1)
    sigmas = np.where(steps > 1.01, np.sqrt(np.maximum(steps**2 - 1, 0)) / 2.355, 0)
    if not sigmas.any():
        return volume
    smooth: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = ndimage.gaussian_filter(
        volume, sigmas, mode="nearest"
    )
    return smooth


def inside(old: Space, new: Space) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Mark the voxels of ``new`` whose centres lie in the box of ``old``; shape of ``new``."""
    move = np.linalg.inv(old.affine) @ new.affine
    i, j, k = np.ogrid[: new.shape[0], : new.shape[1], : new.shape[2]]
    covered = np.ones(new.shape, dtype=bool)
    for axis in range(3):
        position = move[axis, 0] * i + move[axis, 1] * j + move[axis, 2] * k + move[axis, 3]
        covered &= (position > -0.5 - 1e-4) & (position < old.shape[axis] - 0.5 + 1e-4)
    return covered
