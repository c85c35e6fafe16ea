"""Step three of PropSeg: the fine surface, fitted everywhere at once, below voxel size."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spinetools.propseg.edges import (
    MIN_RADIUS_MM,
    closed_path,
    crossing,
    edge_score,
    levels_beside,
    score_scale,
)
from spinetools.propseg.elastic import low_pass, relax
from spinetools.propseg.params import PropsegParams
from spinetools.propseg.profiles import FloatArray, radii_axis
from spinetools.propseg.propagate import Scene, in_units_of_edge, prefer
from spinetools.propseg.tube import Tube

#: Vertices in a ring of the fine surface: about 1 mm apart on a cervical cord.
FINE_RAYS = 32
#: Stiffness about the smoothed surface in the last step, at the default -alpha. Raised from 0.25
#: while the Dice on the training images rose.
SETTLE_STIFFNESS = 3.75
#: Passes of the fit: smoothing along the cord (mm), box width (mm), weight of the prior surface,
#: outward slope.
_PASSES = ((4.0, 1.6, 1.5, 0.25), (2.0, 1.2, 2.0, 0.2), (1.0, 0.8, 2.0, 0.1))


def refine(scene: Scene, tube: Tube, params: PropsegParams) -> Tube:
    """Fit the fine surface to the strongest closed edges, from the coarse tube.

    Returns
    -------
    Tube
        With :data:`FINE_RAYS` vertices a ring, centred on the cord.
    """
    tube = tube.resampled(FINE_RAYS)
    step_mm = scene.spacing[2]
    radii = radii_axis()
    stiffness = params.alpha / 50
    tube = tube.recentred(_smooth_along(tube.centroids_mm(), 3.0, step_mm))
    rows = tube.slices - scene.slices[0]
    for number, (smooth_mm, width_mm, strength, outward) in enumerate(_PASSES):
        prior = scene.bounded(tube.radii_mm, rows)
        profiles = scene.rays(tube.centres_mm, tube.slices, FINE_RAYS)
        profiles = ndimage.gaussian_filter1d(
            _smooth_along(profiles, smooth_mm, step_mm), 1.0, axis=-1
        )
        score = edge_score(profiles, radii, width_mm)
        typical = score_scale(score, radii, 9 if step_mm < 3 else 3)
        relative, trust = in_units_of_edge(score, typical, params)
        slope = outward * trust if scene.polarity > 0 else 0 * trust
        path = closed_path(prefer(relative, radii, prior, slope, strength, params))
        seen = np.take_along_axis(relative, path[..., None], axis=-1)[..., 0]
        target = radii[path]
        fitted = relax(
            target,
            np.clip(seen, 0, 1) ** 2 + 0.01,
            low_pass(_smooth_along(target, 2.0, step_mm), 4),
            stiffness,
            stiffness / step_mm,
        )
        tube = tube.with_radii(np.maximum(fitted, MIN_RADIUS_MM))
        if number < len(_PASSES) - 1:
            shift = tube.centroids_mm() - tube.centres_mm
            tube = tube.recentred(tube.centres_mm + _smooth_along(shift, 2.0, step_mm))
    return tube


def settle(scene: Scene, tube: Tube, fraction: float, params: PropsegParams) -> Tube:
    """Move the surface to where the image crosses the level between cord and surroundings.

    The maximum of the gradient, which the published method takes, depends on the blur and on what
    lies behind a thin layer of CSF. A level between the cord's and the surroundings' intensity
    does not: at one half of the way it is the true edge under any symmetric blur. ``fraction`` is
    where raters draw it (see :data:`spinetools.propseg.params.EDGE_FRACTION`).
    """
    step_mm = scene.spacing[2]
    radii = radii_axis()
    profiles = scene.rays(tube.centres_mm, tube.slices, tube.n_rays)
    profiles = ndimage.gaussian_filter1d(profiles, 0.5, axis=-1)
    if step_mm < 2:
        profiles = _smooth_along(profiles, 1.0, step_mm)
    stiffness = SETTLE_STIFFNESS * params.alpha / 25
    for _ in range(3):
        inside, outside = levels_beside(profiles, radii, tube.radii_mm)
        inside = 0.5 * inside + 0.5 * np.median(inside, axis=1, keepdims=True)
        # a thin layer of CSF does not reach its full brightness: half the weight on the ring's
        around = np.median(outside, axis=1, keepdims=True)
        if step_mm < 3:
            around = ndimage.median_filter(around, size=(5, 1), mode="nearest")
        contrast = outside - inside
        level = inside + fraction * (0.5 * (outside + around) - inside)
        level = np.clip(level, inside + 0.15 * contrast, inside + 0.85 * contrast)
        target, found = crossing(profiles, radii, tube.radii_mm, level)
        typical = np.median(contrast, axis=1, keepdims=True)
        weights = np.clip(contrast / np.maximum(typical, 1.0), 0, 1) * found + 1e-3
        # a crossing in an edge as faint as noise says little: stay where the fit put the surface
        trust = np.clip(typical / (2 * params.min_contrast), 0, 1)
        target = trust * target + (1 - trust) * tube.radii_mm
        template = low_pass(_smooth_along(tube.radii_mm, 2.0, step_mm), 4)
        fitted = relax(target, weights, template, stiffness, 4 * stiffness / step_mm)
        tube = tube.with_radii(np.maximum(fitted, MIN_RADIUS_MM))
    return tube


def edge_contrast(scene: Scene, tube: Tube) -> FloatArray:
    """Return the rise of intensity across the surface at each vertex (K, T)."""
    radii = radii_axis()
    profiles = scene.rays(tube.centres_mm, tube.slices, tube.n_rays)
    inside, outside = levels_beside(profiles, radii, tube.radii_mm)
    return outside - inside


def _smooth_along(values: FloatArray, sigma_mm: float, step_mm: float) -> FloatArray:
    """Gaussian along the cord; none where slices are far apart."""
    sigma = sigma_mm / step_mm
    if sigma < 0.3:
        return values
    smooth: FloatArray = ndimage.gaussian_filter1d(values, sigma, axis=0, mode="nearest")
    return smooth
