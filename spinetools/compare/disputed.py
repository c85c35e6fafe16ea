"""What the image says of voxels that one method counts as cord and another does not.

Most of such voxels lie on the cord's edge, where noise and partial volume decide; they speak
against both methods alike. So what is left over counts: where one method is wrong much more often
than the other, it leaks, or it has lost the cord. A voxel looks like the cord if its intensity is
nearer to that of the voxels around which are cord by both methods than to their surroundings.
Brighter and darker surroundings count alike, because beside a cord lie CSF and bone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: The cord's intensity is taken over this length on either side of a slice.
ALONG_MM = 5.0
#: Its surroundings are this near to what both methods have, …
AROUND_MM = 2.5
#: … and their contrast is this percentile of the difference: not all around is CSF.
CONTRAST_PERCENTILE = 75


def contradicted(
    image: npt.NDArray[Any], masks: Mapping[str, BoolArray], spacing: Sequence[float]
) -> dict[str, float]:
    """Return how much more often the image contradicts each method than the others.

    Parameters
    ----------
    image
        (X, Y, Z), slices along the last axis.
    masks
        By method, the same shape.
    spacing
        Voxel size in mm.

    Returns
    -------
    dict
        By method: voxels on which it is wrong and another method is right, less those on which it
        is the other way round, as a share of its own volume; at least 0, and the mean over the
        other methods. Slices where one of the two has no mask are left out.
    """
    against: dict[str, list[float]] = {name: [] for name in masks}
    for first, second in combinations(masks, 2):
        a, b = masks[first], masks[second]
        both = a & b
        slices = np.flatnonzero(both.any(axis=(0, 1)))
        if not len(slices):
            continue
        cord = _looks_like_cord(image, both, slices, spacing)
        wrong = [int(((mask != cord) & (a != b))[..., slices].sum()) for mask in (a, b)]
        for name, mask, more in ((first, a, wrong[0] - wrong[1]), (second, b, wrong[1] - wrong[0])):
            against[name].append(max(0, more) / int(mask[..., slices].sum()))
    return {name: float(np.mean(shares)) if shares else 0.0 for name, shares in against.items()}


def _looks_like_cord(
    image: npt.NDArray[Any], both: BoolArray, slices: npt.NDArray[np.intp], spacing: Sequence[float]
) -> BoolArray:
    """Tell which voxels look like those in ``both``, in the slices that have some."""
    near = max(0, round(ALONG_MM / spacing[2]))
    inner = np.full(both.shape[2], np.nan)
    contrasts = []
    for k in slices:
        piece = slice(max(0, k - near), k + near + 1)
        inner[k] = np.median(image[..., piece][both[..., piece]])
        away = ndimage.distance_transform_edt(~both[..., k], sampling=spacing[:2])
        around = image[..., k][(away > 0) & (away < AROUND_MM)]
        if around.size:
            contrasts.append(np.percentile(np.abs(around - inner[k]), CONTRAST_PERCENTILE))
    contrast = float(np.median(contrasts)) if contrasts else 0.0
    # NaN, in all other slices, is like nothing
    result: BoolArray = np.abs(image - inner) < contrast / 2
    return result
