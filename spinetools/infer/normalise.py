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
