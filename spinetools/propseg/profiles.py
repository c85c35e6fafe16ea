"""Intensity profiles along rays from the cord's centre, slice by slice."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.floating[Any]]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

#: Sampling step along a ray; the published method uses the same (De Leener 2014).
RADIUS_STEP_MM = 0.2
#: Rays reach this far: beyond the canal's wall everywhere.
RADIUS_MAX_MM = 14.0
#: Width of the region about the centreline that sets the intensity window.
WINDOW_RADIUS_MM = 12.0


def radii_axis() -> FloatArray:
    """Return the radii at which rays are sampled, in mm."""
    return np.arange(0, RADIUS_MAX_MM + 1e-6, RADIUS_STEP_MM)


def ray_angles(n_rays: int) -> FloatArray:
    """Return the angles of the rays in radians, from patient right towards anterior."""
    return np.arange(n_rays) * (2 * np.pi / n_rays)


def window(
    volume: Float32Array, spacing: FloatArray, centres_mm: FloatArray, slices: IntArray
) -> Float32Array:
    """Scale intensities so that 0 to 1000 is the range round the cord, robustly.

    The range is that of the 1st to the 99th percentile within 12 mm of the centreline, so that
    neither bright fat far away nor the field of view matters. Values beyond it are kept.
    """
    half = np.maximum(1, np.round(WINDOW_RADIUS_MM / spacing[:2])).astype(int)
    samples = []
    for centre, k in zip(centres_mm, slices, strict=True):
        i, j = np.round(centre / spacing[:2]).astype(int)
        box = volume[max(i - half[0], 0) : i + half[0], max(j - half[1], 0) : j + half[1], k]
        samples.append(box[::2, ::2].ravel())
    low, high = np.percentile(np.concatenate(samples), [1, 99])
    if high <= low:
        low, high = float(volume.min()), float(volume.max())
    scaled: Float32Array = ((volume - low) * (1000 / (high - low))).astype(np.float32)
    return scaled


def spline_coefficients(volume: Float32Array) -> Float32Array:
    """Return cubic spline coefficients in the plane of each axial slice."""
    along_x = ndimage.spline_filter1d(volume, 3, axis=0, mode="mirror", output=np.float32)
    result: Float32Array = ndimage.spline_filter1d(
        along_x, 3, axis=1, mode="mirror", output=np.float32
    )
    return result


def sample_rays(
    coefficients: Float32Array,
    spacing: FloatArray,
    centres_mm: FloatArray,
    slices: IntArray,
    n_rays: int,
    radii_mm: FloatArray,
) -> Float32Array:
    """Sample the image along rays.

    Parameters
    ----------
    coefficients
        In-plane spline coefficients (X, Y, Z), see :func:`spline_coefficients`.
    spacing
        Voxel size in mm (3,).
    centres_mm
        Centre of each ring (K, 2), mm from the first voxel's centre.
    slices
        Slice of each ring (K,).
    n_rays
        Number of rays T.
    radii_mm
        Radii (N,).

    Returns
    -------
    profiles
        Intensities (K, T, N). Beyond the image the border is repeated.
    """
    angles = ray_angles(n_rays)
    x = np.outer(np.cos(angles), radii_mm)
    y = np.outer(np.sin(angles), radii_mm)
    profiles = np.empty((len(slices), n_rays, len(radii_mm)), dtype=np.float32)
    for ring, (centre, k) in enumerate(zip(centres_mm, slices, strict=True)):
        where = ((x + centre[0]) / spacing[0], (y + centre[1]) / spacing[1])
        profiles[ring] = ndimage.map_coordinates(
            coefficients[:, :, k], where, order=3, mode="nearest", prefilter=False
        )
    return profiles
