"""Normalisations that training and inference share; a model card names the one it needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

#: Width (σ) of the neighbourhood of :func:`local_contrast`.
LOCAL_SIGMA_MM = 12.0
#: Standard deviations below this share of the slice's range are not amplified.
LOCAL_FLOOR = 0.04


def local_contrast(image: npt.NDArray[np.float32], spacing_mm: float) -> npt.NDArray[np.float32]:
    """Subtract the local mean of a slice and divide by its local standard deviation.

    The result does not depend on the contrast's scale, the coil's fall-off or the field of view,
    so that a crop looks like the same place in a full image.

    Parameters
    ----------
    image
        2D slice (X, Y).
    spacing_mm
        Pixel size.

    Returns
    -------
    normalised
        (X, Y), clipped to ±4.
    """
    sigma = LOCAL_SIGMA_MM / spacing_mm
    low, high = np.percentile(image, [1, 99.5])
    scale = max(float(high - low), 1e-6)
    unit = np.clip((image - low) / scale, 0, 1.5).astype(np.float32)
    mean = ndimage.gaussian_filter(unit, sigma, mode="nearest", truncate=2.5)
    variance = ndimage.gaussian_filter((unit - mean) ** 2, sigma, mode="nearest", truncate=2.5)
    result: npt.NDArray[np.float32] = np.clip(
        (unit - mean) / np.sqrt(variance + LOCAL_FLOOR**2), -4, 4
    )
    return result


def patch_contrast(patch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bring a patch about the cord to zero mean and unit standard deviation.

    Done patch by patch, so that neither the coil's fall-off nor the scale of the image is left.
    The brightest and darkest hundredths are clipped first: vessels and fat say little of the cord.

    Parameters
    ----------
    patch
        2D or 3D.

    Returns
    -------
    normalised
        Same shape, clipped to ±5.
    """
    low, high = np.percentile(patch, [1, 99])
    clipped = np.clip(patch, low, high)
    spread = max(float(clipped.std()), 1e-3 * max(abs(float(low)), abs(float(high))), 1e-12)
    result: npt.NDArray[np.float32] = np.clip((clipped - clipped.mean()) / spread, -5, 5)
    return result.astype(np.float32)
