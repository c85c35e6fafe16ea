"""Resampling between voxels and the pixels of patches, such that a sum keeps its area.

A patch lies along the image's own axes, so that each axis is resampled by itself, by a small
matrix; the same matrix serves every patch, as patches are centred on voxels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a patch about a voxel.

    Attributes
    ----------
    offsets
        Voxels of the window that the patch reads, from the voxel in its middle (W,).
    gather
        (P, W): pixels from voxels; each row adds up to 1. Linear between voxels that are larger
        than pixels, the mean over the pixel where they are smaller.
    spread
        (W, P): voxels from pixels, by the overlap of the two: a value of 1 all over gives 1, and
        Σ voxels × voxel size = Σ pixels × pixel size, whatever lies well inside the patch.
    """

    offsets: npt.NDArray[np.int64]
    gather: Float32Array
    spread: Float32Array


def patch_axis(n_pixels: int, pixel_mm: float, voxel_mm: float, middle_mm: float = 0.0) -> Axis:
    """Return the matrices of one axis.

    Parameters
    ----------
    n_pixels, pixel_mm
        Of the patch.
    voxel_mm
        Of the image.
    middle_mm
        Where the patch's middle lies, from the centre of the voxel.
    """
    reach_mm = n_pixels / 2 * pixel_mm + max(pixel_mm, voxel_mm) + abs(middle_mm)
    reach = int(np.ceil(reach_mm / voxel_mm))
    offsets = np.arange(-reach, reach + 1)
    pixels = (np.arange(n_pixels) - (n_pixels - 1) / 2) * pixel_mm + middle_mm
    apart = pixels[:, None] - offsets * voxel_mm
    gather = box_spline(apart, (voxel_mm, max(pixel_mm, voxel_mm))) * voxel_mm
    # pixels larger than voxels: one box more makes lines of their steps
    widths = (pixel_mm, voxel_mm, max(pixel_mm - voxel_mm, 0.0))
    spread = box_spline(apart.T, widths) * pixel_mm
    return Axis(offsets, gather.astype(np.float32), spread.astype(np.float32))


def box_spline(x: FloatArray, widths: tuple[float, ...]) -> FloatArray:
    """Convolution of boxes of area 1: with two, how much a pixel and a voxel overlap.

    Parameters
    ----------
    x
        Where to evaluate it, any shape; 0 is the middle.
    widths
        Of the boxes; one that is (nearly) 0 changes nothing and is left out.
    """
    kept = [width for width in widths if width > 1e-6]
    power = len(kept) - 1
    total = np.zeros_like(x)
    for signs in itertools.product((1, -1), repeat=len(kept)):
        shift = sum(sign * width / 2 for sign, width in zip(signs, kept, strict=True))
        total += np.prod(signs) * np.maximum(x + shift, 0) ** power
    # the boxes' derivatives are steps up and down: power-fold integral of their product
    factorial = float(np.prod(np.arange(1, power + 1)))
    result: FloatArray = np.maximum(total, 0) / (factorial * np.prod(kept))
    return result
