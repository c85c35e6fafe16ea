"""Random changes to training samples, in two or three dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


#: Width (σ) of what counts as the cord's surroundings.
RING_VOXELS = 2.0


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes to a sample; all are drawn uniformly unless said.

    Attributes
    ----------
    patch
        Voxels along each side of a sample, one number an axis.
    spacing_mm
        Voxel size of a sample.
    rotation_deg
        Half width about no rotation, in the axial plane; a third of it about the other axes.
    log_scale, log_stretch
        Half widths about scale 1: of the whole, and of each axis on top.
    shift_mm
        Half width of the sample's place about the cord, in the axial plane.
    anywhere
        Probability of a place that has nothing to do with the cord.
    blur
        Largest standard deviation of a blur, voxels.
    noise
        Largest standard deviation of the noise over the sample's range.
    invert
        Probability of turning bright and dark round, where intensities are remapped.
    repaint
        Probability of fading everything and brightening or darkening the cord alone, from where it
        hardly differs to where nothing else is seen (diffusion).
    blend
        Probability of bringing the cord's level towards that of its surroundings, up to where only
        the grey matter tells them apart (as in T2*w images of some sites).
    crop
        Probability of a small field of view, whose border is repeated beyond it.
    smallest_crop
        Share of the patch that a small field of view keeps at least.
    """

    patch: tuple[int, ...] = (96, 96)
    spacing_mm: tuple[float, ...] = (1.0, 1.0)
    rotation_deg: float = 15.0
    log_scale: float = 0.25
    log_stretch: float = 0.0
    shift_mm: float = 36.0
    anywhere: float = 0.25
    blur: float = 1.0
    noise: float = 0.07
    invert: float = 0.3
    repaint: float = 0.2
    blend: float = 0.0
    crop: float = 0.3
    smallest_crop: float = 0.31


def placed(
    arrays: tuple[Float32Array, ...],
    spacing_mm: tuple[float, ...],
    centre: FloatArray,
    rng: np.random.Generator,
    settings: Augmentation,
) -> tuple[tuple[Float32Array, ...], BoolArray]:
    """Cut randomly turned, scaled and mirrored patches about a place.

    Parameters
    ----------
    arrays
        The image first, then fractions between 0 and 1, all of one shape, axes R and A (and S).
    spacing_mm
        Their voxel size.
    centre
        Voxel that comes to lie in the patch's middle.
    rng
        Source of randomness.
    settings
        Ranges.

    Returns
    -------
    patches
        Each of shape ``settings.patch``; beyond the image the border is repeated.
    inside
        Where in the patch the image is.
    """
    turn = _turn(len(spacing_mm), rng, settings)
    matrix = turn * np.asarray(settings.spacing_mm) / np.asarray(spacing_mm)[:, None]
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    offset = centre - matrix @ ((np.asarray(settings.patch) - 1) / 2)
    patches = tuple(
        ndimage.affine_transform(array, matrix, offset, settings.patch, order=1, mode="nearest")
        for array in arrays
    )
    everywhere = np.ones(arrays[0].shape, dtype=np.uint8)
    inside = ndimage.affine_transform(everywhere, matrix, offset, settings.patch, order=0)
    return patches, inside.astype(bool)


def _turn(n_axes: int, rng: np.random.Generator, settings: Augmentation) -> FloatArray:
    """Rotation, scale and stretch (mm to mm)."""
    turn = np.eye(n_axes)
    planes = [(0, 1)] if n_axes == 2 else [(0, 1), (1, 2), (0, 2)]
    for number, (a, b) in enumerate(planes):
        limit = settings.rotation_deg / (3 if number else 1)
        angle = np.deg2rad(rng.uniform(-1, 1) * limit)
        one = np.eye(n_axes)
        one[a, a] = one[b, b] = np.cos(angle)
        one[a, b], one[b, a] = -np.sin(angle), np.sin(angle)
        turn = turn @ one
    zoom = np.exp(rng.uniform(-1, 1) * settings.log_scale)
    stretch = np.exp(rng.uniform(-1, 1, n_axes) * settings.log_stretch)
    result: FloatArray = turn * (zoom * stretch)
    return result


def changed(
    image: Float32Array, targets: Float32Array, rng: np.random.Generator, settings: Augmentation,
    distort: bool, inside: BoolArray | None = None,
) -> tuple[Float32Array, Float32Array]:  # fmt: skip
    """Change a patch's intensities as another contrast, coil and scanner might.

    Parameters
    ----------
    image
        Patch.
    targets
        (C, patch): fraction of cord first, NaN where one is not known.
    rng
        Source of randomness.
    settings
        Ranges.
    distort
        Whether to remap intensities at random: for real images, whose few contrasts are to stand
        for all; the digital spine brings its own.
    inside
        Where in the patch the image is (default: everywhere).

    Returns
    -------
    image, targets
        The targets become NaN beyond the image and where the field of view is cut. A cord is seen
        to go on there, since the border is repeated: calling it background would teach the network
        to lose the first and last slices.
    """
    if distort:
        image = _recoloured(image, rng, settings.invert)
    if rng.random() < settings.repaint:
        image = _repainted(image, targets[0], rng)
    elif rng.random() < settings.blend:
        image = _blended(image, targets[0], rng)
    if rng.random() < 0.5:
        sigma = rng.uniform(0, settings.blur, size=image.ndim)
        if rng.random() < 0.25:
            sigma[0] = rng.uniform(1, 2) * settings.blur  # thick sagittal slices
        image = ndimage.gaussian_filter(image, sigma)
    image = image * _bias(image.shape, rng)
    spread = float(np.percentile(image, 99) - np.percentile(image, 1))
    level = rng.uniform(0, settings.noise) * max(spread, 1e-6)
    image = image + np.float32(level) * rng.standard_normal(image.shape, dtype=np.float32)
    if inside is not None:
        targets = np.where(inside, targets, np.float32(np.nan))
    if rng.random() < settings.crop:
        image, targets = _cropped(image, targets, rng, settings.smallest_crop)
    return image.astype(np.float32), targets.astype(np.float32)


def _recoloured(image: Float32Array, rng: np.random.Generator, invert: float) -> Float32Array:
    """Map intensities by a random monotone curve, or a falling one."""
    low, high = np.percentile(image, [0.5, 99.5])
    unit = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1)
    knots = np.linspace(0, 1, 6)
    rises = rng.gamma(1.5, 1.0, size=5) + 0.05
    values = np.concatenate([[0], np.cumsum(rises)]) / rises.sum()
    if rng.random() < invert:
        # air stays dark as in every MR image: the curve falls only after a first rise
        foot = rng.uniform(0.03, 0.15)
        values = (1 - 0.9 * values) * np.clip(knots / foot, 0, 1)
    result: Float32Array = np.interp(unit, knots, values).astype(np.float32)
    return result


def _repainted(image: Float32Array, cord: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Fade the image by a random amount and shift the cord's level against it."""
    low, high = np.percentile(image, [0.5, 99.5])
    unit = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1)
    fade = rng.uniform(0.05, 1.0)
    result: Float32Array = (fade * unit + rng.uniform(-0.3, 1.0) * cord).astype(np.float32)
    return result


def _blended(image: Float32Array, cord: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Shift the cord's level towards that of what surrounds it."""
    ring = (ndimage.gaussian_filter(cord, RING_VOXELS) > 0.1) & (cord < 0.05)
    inside = cord > 0.95
    if not ring.any() or not inside.any():
        return image
    gap = float(np.median(image[ring]) - np.median(image[inside]))
    result: Float32Array = image + np.float32(gap * rng.uniform(0.3, 1.05)) * cord
    return result


def _bias(shape: tuple[int, ...], rng: np.random.Generator) -> Float32Array:
    """Smooth field of a surface coil."""
    coarse = rng.normal(0, rng.uniform(0, 0.35), size=(4,) * len(shape)).astype(np.float32)
    for axis, n in enumerate(shape):  # one axis after the other: many times faster than at once
        factors = [n / 4 if a == axis else 1 for a in range(len(shape))]
        coarse = ndimage.zoom(coarse, factors, order=3)
    field: Float32Array = np.exp(coarse).astype(np.float32)
    return field


def _cropped(
    image: Float32Array, targets: Float32Array, rng: np.random.Generator, smallest: float
) -> tuple[Float32Array, Float32Array]:
    """Simulate a small field of view: beyond it the border is repeated, and nothing is known."""
    shape = np.array(image.shape)
    width = np.maximum(1, np.round(rng.uniform(smallest, 1, size=len(shape)) * shape)).astype(int)
    start = np.array([rng.integers(0, n - w + 1) for n, w in zip(shape, width, strict=True)])
    box = tuple(slice(s, s + w) for s, w in zip(start, width, strict=True))
    pad = [(int(s), int(n - s - w)) for s, n, w in zip(start, shape, width, strict=True)]
    return np.pad(image[box], pad, mode="edge"), np.pad(
        targets[(slice(None), *box)], [(0, 0), *pad], constant_values=np.nan
    )
