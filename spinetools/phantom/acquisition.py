"""Image formation: from tissues on a fine grid to an image as a scanner would give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.image import Space
from spinetools.phantom.contrast import TissueTable
from spinetools.phantom.labels import LabelVolume
from spinetools.phantom.lattice import Float32Array, FloatArray, interpolation, spread
from spinetools.phantom.tissues import Tissue

#: Voxels wider than this (mm) are divided, so that each image voxel averages what lies in it.
FINEST_MM = 2.0


@dataclass(frozen=True)
class Acquisition:
    """How an image is taken.

    Attributes
    ----------
    snr
        Signal of the cord over the noise's standard deviation.
    coil
        0 even, 1 the full fall-off of a surface coil behind the spine.
    bias
        Strength of a smooth random field on top (standard deviation of its logarithm).
    blur
        Standard deviation of the point-spread function in voxels, each axis.
    gap
        Share of the slice spacing that no slice covers (thickest axis only).
    ringing
        Share of k-space that is cut off along each in-plane axis.
    ghost
        Signal of a motion ghost over the image's.
    flow
        How much of CSF's signal flowing takes away, at most.
    style, fat_suppressed
        See :func:`~spinetools.phantom.contrast.draw_table`; None draws them.
    """

    snr: float = 25.0
    coil: float = 0.6
    bias: float = 0.12
    blur: tuple[float, float, float] = (0.4, 0.4, 0.4)
    gap: float = 0.0
    ringing: float = 0.0
    ghost: float = 0.0
    flow: float = 0.0
    style: str | None = None
    fat_suppressed: bool | None = None


#: Noise is drawn about these (cord signal over noise), by contrast.
_SNR = {"t1": 14.0, "t2": 28.0, "t2s": 30.0, "mt": 30.0, "dwi": 14.0, "random": 20.0}


def draw_acquisition(contrast: str, rng: np.random.Generator) -> Acquisition:
    """Draw the strength of everything that a scanner adds."""
    return Acquisition(
        snr=_SNR[contrast] * float(np.exp(rng.normal(0, 0.3))),
        coil=float(rng.uniform(0, 1)),
        bias=float(rng.uniform(0.03, 0.2)),
        blur=tuple(rng.uniform(0.3, 0.55, 3)),
        gap=float(rng.choice([0.0, 0.1, 0.2])),
        ringing=float(rng.choice([0.0, 0.1, 0.2])),
        ghost=float(max(rng.normal(-0.01, 0.015), 0.0)),
        flow=float(rng.uniform(0, 0.6)) if contrast == "t2" else 0.1,
    )


def fine_space(space: Space) -> tuple[Space, tuple[int, int, int]]:
    """Divide a grid's thick voxels; returns the fine grid and the odd number of parts an axis."""
    factors = []
    for spacing in space.spacing:
        parts = int(np.ceil(spacing / FINEST_MM - 1e-6))
        factors.append(parts + 1 - parts % 2)  # odd: a part lies in the middle of the voxel
    divide = np.diag([*(1 / f for f in factors), 1.0])
    divide[:3, 3] = [(1 / f - 1) / 2 for f in factors]
    shape = tuple(n * f for n, f in zip(space.shape, factors, strict=True))
    fine = Space((shape[0], shape[1], shape[2]), space.affine @ divide)
    return fine, (factors[0], factors[1], factors[2])


def block_mean(
    fine: npt.NDArray[np.float32], factors: tuple[int, int, int], gap: float = 0.0
) -> Float32Array:
    """Average the parts of each voxel; with a gap, the outer parts of thick slices count less."""
    result = fine
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        edges = np.abs(np.arange(factor) - (factor - 1) / 2) * 2 / factor  # 0 centre … <1 edge
        covered = 1 - gap if factor == max(factors) and factor > 2 else 1.0
        weights = np.clip((covered + 1 / factor - edges) * factor / 2, 0, 1)
        weights = (weights / weights.sum()).astype(np.float32)
        shape = (*result.shape[:axis], -1, factor, *result.shape[axis + 1 :])
        result = np.moveaxis(result.reshape(shape), axis + 1, -1) @ weights
    return np.ascontiguousarray(result, dtype=np.float32)


def centre_parts(
    fine: npt.NDArray[np.uint8], factors: tuple[int, int, int]
) -> npt.NDArray[np.uint8]:
    """Take the part in the middle of each voxel."""
    a, b, c = (slice(f // 2, None, f) for f in factors)
    return np.ascontiguousarray(fine[a, b, c])


def simulate(
    labels: LabelVolume,
    table: TissueTable,
    acquisition: Acquisition,
    rng: np.random.Generator,
    factors: tuple[int, int, int] = (1, 1, 1),
) -> Float32Array:
    """Form a magnitude image.

    Parameters
    ----------
    labels
        Tissues on the fine grid.
    table
        Signal of the tissues.
    acquisition
        What the scanner does.
    rng
        Source of randomness.
    factors
        Fine voxels an image voxel, each axis (:func:`fine_space`).

    Returns
    -------
    array
        Float32, white matter about 1 where the coil is best.
    """
    signal = tissue_signal(labels, table, rng, acquisition.flow)
    image = block_mean(signal, factors, acquisition.gap)
    spacing = np.asarray(labels.space.spacing) * factors
    if any(acquisition.blur):
        # thick axes are already averaged: through the slice nothing else blurs
        sigmas = [0.0 if f > 2 else b for b, f in zip(acquisition.blur, factors, strict=True)]
        image = ndimage.gaussian_filter(image, sigmas, mode="nearest", truncate=3.0)
    image *= _sensitivity(labels, image.shape, spacing, factors, acquisition, rng)
    in_plane = np.argsort(spacing, kind="stable")[:2]
    if acquisition.ringing > 0:
        for axis in in_plane:
            image = _truncate(image, int(axis), acquisition.ringing)
    if acquisition.ghost > 0:
        axis = int(in_plane[rng.integers(2)])
        shift = image.shape[axis] // int(rng.integers(2, 5))
        image = image + np.float32(acquisition.ghost) * np.roll(image, shift, axis=axis)
    sigma = np.float32(1 / acquisition.snr)
    real = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = sigma * rng.standard_normal(image.shape, dtype=np.float32)
    result: Float32Array = np.hypot(real, imaginary)
    return result


def tissue_signal(
    labels: LabelVolume, table: TissueTable, rng: np.random.Generator, flow: float = 0.0
) -> Float32Array:
    """Signal on the fine grid, without scanner: means, texture, partial volume."""
    texture = _texture(labels.space, rng, ((1.3, 0.5), (3.5, 0.5), (11.0, 0.7)))
    gains = np.exp(rng.normal(0, 0.07, 256)).astype(np.float32)
    gains[0] = 1.0
    mean, rough = table.mean, table.texture

    def signal(tissue: npt.NDArray[np.uint8]) -> Float32Array:
        value: Float32Array = rough[tissue] * texture
        value += 1
        value *= mean[tissue]
        return value

    image = signal(labels.top)
    image *= gains[np.where(labels.structure >= 200, 0, labels.structure)]
    edge = np.nonzero(labels.share < 1)
    share = labels.share[edge]
    other = mean[labels.under[edge]] * (1 + rough[labels.under[edge]] * texture[edge])
    image[edge] = image[edge] * share + other * (1 - share)
    inside = np.nonzero(labels.sac > 0)
    sac, cord = labels.sac[inside], np.minimum(labels.cord[inside], labels.sac[inside])
    grey, root = labels.grey[inside], labels.root[inside]
    local = texture[inside]
    moving: Float32Array | float = 1.0
    if flow > 0:  # jets take signal away in some places, none in others
        jets = _texture(labels.space, rng, ((9.0, 0.5), (25.0, 0.9)))[inside]
        moving = 1 - np.float32(flow) * np.clip(jets, 0, 1)

    def of(tissue: Tissue) -> Float32Array:
        value: Float32Array = mean[tissue] * (1 + rough[tissue] * local)
        return value

    image[inside] = (
        image[inside] * (1 - sac)
        + of(Tissue.CSF) * moving * np.maximum(sac - cord - root, 0)
        + of(Tissue.WHITE_MATTER) * (cord - grey)
        + of(Tissue.GREY_MATTER) * grey
        + of(Tissue.ROOT) * root
    )
    return np.maximum(image, 0, out=image)


def _texture(
    space: Space, rng: np.random.Generator, scales: Sequence[tuple[float, float]]
) -> Float32Array:
    """Smooth noise of about unit variance: (scale in mm, weight) pairs."""
    total = np.zeros(space.shape, dtype=np.float32)
    for scale_mm, weight in scales:
        pairs = [
            interpolation(n, d, scale_mm) for n, d in zip(space.shape, space.spacing, strict=True)
        ]
        noise = rng.standard_normal(tuple(len(p) for p, _ in pairs))
        total += np.float32(weight * 1.4) * spread(noise, tuple(w for _, w in pairs))
    return np.clip(total, -2.5, 2.5, out=total)


def _sensitivity(
    labels: LabelVolume,
    shape: tuple[int, ...],
    spacing: FloatArray,
    factors: tuple[int, int, int],
    acquisition: Acquisition,
    rng: np.random.Generator,
) -> Float32Array:
    """Coil elements behind the spine, and a smooth random field, on the image's grid."""
    pairs = [interpolation(n, float(d), 12.0) for n, d in zip(shape, spacing, strict=True)]
    lattice = np.stack(np.meshgrid(*(p for p, _ in pairs), indexing="ij"), axis=-1)
    # voxel positions of the image in the fine grid
    world = labels.space.to_world((lattice + 0.5) * factors - 0.5)
    log = np.zeros(lattice.shape[:3])
    if acquisition.coil > 0:
        log += acquisition.coil * np.log(_coil(labels.cord_mm, world, rng))
    if acquisition.bias > 0:
        extent = world.reshape(-1, 3)
        low, high = extent.min(axis=0), extent.max(axis=0)
        place = (world - low) / np.maximum(high - low, 1.0)
        for _ in range(4):
            wave = rng.normal(size=3) * 2.0
            log += acquisition.bias * np.cos(place @ wave + rng.uniform(0, 2 * np.pi)) / np.sqrt(2)
    return spread(np.exp(log), tuple(w for _, w in pairs)).clip(0.01, None)


def _coil(cord_mm: FloatArray, world: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Root sum of squares of loops about 70 mm behind the cord; 1 at their best cord position."""
    behind, radius = rng.uniform(55, 85), rng.uniform(55, 90)
    low, high = world.reshape(-1, 3).min(axis=0), world.reshape(-1, 3).max(axis=0)
    near = (cord_mm[:, 2] > low[2] - 20) & (cord_mm[:, 2] < high[2] + 20)
    line = cord_mm[near] if near.any() else cord_mm
    step = max(int(rng.uniform(5, 9)), 1)
    loops = line[int(rng.integers(step)) % len(line) :: step] - np.array([0, behind, 0])

    def strength(points: FloatArray) -> FloatArray:
        total = np.zeros(points.shape[:-1])
        for loop in loops:
            distance2 = ((points - loop) ** 2).sum(-1)
            total += (1 + distance2 / radius**2) ** -3
        return np.sqrt(total)

    result: FloatArray = strength(world) / strength(line).max()
    return np.maximum(result, 0.01)


def _truncate(image: Float32Array, axis: int, share: float) -> Float32Array:
    """Cut off the outer part of k-space along an axis: Gibbs ringing, and a little blur."""
    spectrum = np.fft.rfft(image, axis=axis)
    keep = int(np.ceil(spectrum.shape[axis] * (1 - share)))
    cut = [slice(None)] * 3
    cut[axis] = slice(keep, None)
    spectrum[tuple(cut)] = 0
    result = np.fft.irfft(spectrum, n=image.shape[axis], axis=axis)
    return np.maximum(result, 0).astype(np.float32)
