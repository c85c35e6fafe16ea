"""Step 2's second channel in training: the odd discs, drawn as roughly as step 1 draws them.

With exact discs the network would learn to copy their outline instead of seeing it in the image.
Here only their place and their count are to be relied on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Bools = npt.NDArray[np.bool_]

#: How often odd and even change places in second channel and target: step 1 may have counted wrong.
FLIPPED = 0.3
#: How often a disc is missing, as one that step 1 does not see.
_MISSING = 0.1
#: Outlines: width (σ, voxels) of the smoothing, strength of a noise with bumps of so many voxels,
#: the share at which the edge lies then, and the largest shift (voxels) along each axis.
_SMOOTHING, _NOISE, _BUMP, _EDGE, _SHIFT = (0.6, 1.4), 0.25, 6, (0.33, 0.6), 1.0
#: Room round the discs for all this, voxels.
_ROOM = 4


def flipped(rng: np.random.Generator) -> bool:
    """Draw whether odd and even change places."""
    return bool(rng.random() < FLIPPED)


def as_step1_draws(mask: Bools, rng: np.random.Generator) -> Bools:
    """Draw discs with other outlines, a little aside, and sometimes without one of them.

    Parameters
    ----------
    mask
        3D.
    rng
        Whence all is drawn.

    Returns
    -------
    ndarray of bool
        Of the same shape.
    """
    result = np.zeros_like(mask)
    found, count = ndimage.label(mask)
    if count and rng.random() < _MISSING:
        mask = mask & (found != rng.integers(1, count + 1))
    if not mask.any():
        return result
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    room = tuple(
        slice(max(0, side.start - _ROOM), side.stop + _ROOM) for side in box if side is not None
    )
    part = mask[room].astype(np.float32)
    smooth = ndimage.gaussian_filter(part, rng.uniform(*_SMOOTHING), mode="nearest")
    smooth = ndimage.shift(smooth, rng.uniform(-_SHIFT, _SHIFT, 3), order=1, mode="nearest")
    coarse = rng.standard_normal([-(-n // _BUMP) + 1 for n in part.shape]).astype(np.float32)
    factors = [n / m for n, m in zip(part.shape, coarse.shape, strict=True)]
    noise = ndimage.zoom(coarse, factors, order=1)
    # noise moves edges, but makes no discs where none are
    near = smooth > _NOISE / 5
    edge = rng.uniform(*_EDGE) + rng.uniform(0, _NOISE) * noise
    result[room] = near & (smooth > np.maximum(edge, 0.1))
    return result
