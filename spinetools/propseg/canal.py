"""The CSF round the cord: from the cord's surface out to the canal's wall."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.propseg.edges import closed_path, score_scale
from spinetools.propseg.params import PropsegParams
from spinetools.propseg.profiles import RADIUS_STEP_MM, radii_axis
from spinetools.propseg.propagate import Scene
from spinetools.propseg.tube import Tube

#: Usual thickness of the CSF: canal 12.8 × 21 mm about a cord of 7.6 × 12.9 mm (C4).
USUAL_THICKNESS_MM = 3.0
#: The thinnest ring that is looked for.
LEAST_THICKNESS_MM = 0.6


def csf_mask(
    scene: Scene, tube: Tube, cord: npt.NDArray[np.uint8], params: PropsegParams
) -> npt.NDArray[np.uint8]:
    """Segment the ring between the cord's surface and the next edge of the other sign.

    Parameters
    ----------
    scene
        Image, spacing and polarity.
    tube
        The cord's surface.
    cord
        The cord's mask (X, Y, Z); taken out of the result.
    params
        ``alpha`` and ``distance_weight`` as for the cord.

    Returns
    -------
    mask
        (X, Y, Z), uint8.
    """
    radii = radii_axis()
    step_mm = float(scene.spacing[2])
    profiles = scene.rays(tube.centres_mm, tube.slices, tube.n_rays)
    sigma = 2.0 / step_mm
    smooth = ndimage.gaussian_filter(
        profiles, (sigma if sigma >= 0.3 else 0, 0, 1.5), mode="nearest"
    )
    fall = -np.gradient(smooth, RADIUS_STEP_MM, axis=-1)
    scale = score_scale(fall, radii, 5)[:, None, None]
    thickness = radii - tube.radii_mm[..., None]
    score = np.clip(fall / np.maximum(scale, 1.0), -1.5, 1.5)
    score = score - 0.003 * params.distance_weight * (thickness - USUAL_THICKNESS_MM) ** 2
    score[thickness < LEAST_THICKNESS_MM] = -100
    outer = radii[closed_path(score.astype(np.float32))]
    whole = tube.with_radii(outer).rasterise(cord.shape, scene.spacing) >= 0.5
    result: npt.NDArray[np.uint8] = (whole & (cord == 0)).astype(np.uint8)
    result[:, :, ~cord.any(axis=(0, 1))] = 0
    return result
