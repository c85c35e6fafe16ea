"""Image formation: from tissues on a fine grid to an image as a scanner would give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.image import Space
from spinetools.phantom import scanner
from spinetools.phantom.contrast import TissueTable, from_hounsfield
from spinetools.phantom.labels import LabelVolume
from spinetools.phantom.lattice import Float32Array, spread
from spinetools.phantom.signal import tissue_signal

__all__ = [
    "Acquisition",
    "block_mean",
    "centre_parts",
    "draw_acquisition",
    "fine_space",
    "simulate",
    "tissue_signal",
]

#: Voxels wider than this (mm) are divided, so that each image voxel averages what lies in it.
FINEST_MM = 2.0

#: Attenuation of metal, HU.
_METAL_HU = 3000.0


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
    band_mm
        A saturation band takes the signal of what lies this far in front of the cord; 0 for none.
    motion
        How far the patient moves between lines of k-space, mm.
    cross_talk, uneven
        Share of each thick slice that its neighbours have; how much darker every other one is.
    wrap_mm
        How much of what lies beyond the field of view folds over it, at each end of one in-plane
        axis; :func:`~spinetools.phantom.make_phantom` paints it.
    padding
        Share of the field of view, at one or both ends of an axis, that holds nothing but zeros.
    magnitude
        Whether noise is that of a magnitude image (MR), or added as it is (CT).
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
    band_mm: float = 0.0
    motion: float = 0.0
    cross_talk: float = 0.0
    uneven: float = 0.0
    wrap_mm: float = 0.0
    padding: float = 0.0
    magnitude: bool = True
    style: str | None = None
    fat_suppressed: bool | None = None


#: Noise is drawn about these (cord signal over noise), by contrast.
_SNR = {
    "t1": 14.0, "t2": 28.0, "t2s": 30.0, "mt": 30.0, "dwi": 14.0, "random": 20.0, "pd": 25.0,
    "stir": 15.0, "dixon": 25.0, "relax": 20.0, "ct": 45.0,
}  # fmt: skip

#: Share of images with a saturation band, and in which something goes wrong that usually does not.
_BAND_SHARE = 0.2
_MOTION_SHARE, _TALK_SHARE, _WRAP_SHARE, _PADDING_SHARE = 0.15, 0.3, 0.08, 0.1


def draw_acquisition(contrast: str, rng: np.random.Generator) -> Acquisition:
    """Draw the strength of everything that a scanner adds."""
    drawn = Acquisition(
        snr=_SNR[contrast] * float(np.exp(rng.normal(0, 0.3))),
        coil=float(rng.uniform(0, 1)),
        bias=float(rng.uniform(0.03, 0.2)),
        blur=tuple(rng.uniform(0.3, 0.55, 3)),
        gap=float(rng.choice([0.0, 0.1, 0.2])),
        ringing=float(rng.choice([0.0, 0.1, 0.2])),
        ghost=float(max(rng.normal(-0.01, 0.015), 0.0)),
        flow=float(rng.uniform(0, 0.6)) if contrast in ("t2", "stir", "pd") else 0.1,
    )
    if contrast == "ct":
        blur = (0.45 + 0.25 * rng.random(),) * 3
        return Acquisition(snr=drawn.snr, coil=0.0, bias=0.0, blur=blur, magnitude=False)
    return replace(
        drawn,
        band_mm=_now_and_then(rng, _BAND_SHARE, 38.0, 65.0),
        motion=_now_and_then(rng, _MOTION_SHARE, 0.3, 1.2),
        cross_talk=_now_and_then(rng, _TALK_SHARE, 0.02, 0.12),
        uneven=_now_and_then(rng, _TALK_SHARE, 0.02, 0.12),
        wrap_mm=_now_and_then(rng, _WRAP_SHARE, 10.0, 50.0),
        padding=_now_and_then(rng, _PADDING_SHARE, 0.01, 0.08),
    )


def _now_and_then(rng: np.random.Generator, share: float, low: float, high: float) -> float:
    """Draw a strength in a share of cases, 0 otherwise; always the same number of draws."""
    place, value = rng.random(), float(rng.uniform(low, high))
    return value if place < share else 0.0


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


def slice_weights(factor: int, gap: float) -> Float32Array:
    """Weights of the ``factor`` parts of a voxel; a share ``gap`` of its thickness is not seen."""
    edges = np.abs(np.arange(factor) - (factor - 1) / 2) * 2 / factor  # 0 centre … <1 edge
    covered = 1 - gap if factor > 2 else 1.0
    weights = np.clip((covered + 1 / factor - edges) * factor / 2, 0, 1)
    result: Float32Array = (weights / weights.sum()).astype(np.float32)
    return result


def block_mean(
    fine: npt.NDArray[np.float32], factors: tuple[int, int, int], gap: float = 0.0
) -> Float32Array:
    """Average the parts of each voxel; with a gap, the outer parts of thick slices count less."""
    result = fine
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        weights = slice_weights(factor, gap if factor == max(factors) else 0.0)
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
    margin: Sequence[int] = (0, 0, 0),
) -> Float32Array:
    """Form an image.

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
    margin
        Image voxels at each end of each axis that lie beyond the field of view, and fold over it.

    Returns
    -------
    array
        Float32, white matter about 1 where the coil is best.
    """
    signal = tissue_signal(labels, table, rng, acquisition.flow)
    image = block_mean(signal, factors, acquisition.gap)
    space = coarse_space(labels.space, factors)
    if any(acquisition.blur):
        # thick axes are already averaged: through the slice nothing else blurs
        sigmas = [0.0 if f > 2 else b for b, f in zip(acquisition.blur, factors, strict=True)]
        image = ndimage.gaussian_filter(image, sigmas, mode="nearest", truncate=3.0)
    if labels.implants:
        if acquisition.magnitude:
            image = scanner.metal(image, space, labels.implants, rng)
        else:
            bright = float(from_hounsfield(np.array([_METAL_HU], dtype=np.float32))[0])
            image = scanner.metal_ct(image, space, labels.implants, bright)
    coil = scanner.Coil(acquisition.coil, acquisition.bias, acquisition.band_mm)
    if coil.fall_off > 0 or coil.bias > 0 or coil.band_mm > 0:
        image *= spread(*scanner.sensitivity(coil, space, labels.cord_mm, rng)).clip(0.01, None)
    image = _disturb(scanner.fold(image, margin), space, acquisition, rng)
    sigma = np.float32(1 / acquisition.snr)
    real: Float32Array = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    if not acquisition.magnitude:
        return real
    imaginary = sigma * rng.standard_normal(image.shape, dtype=np.float32)
    result: Float32Array = np.hypot(real, imaginary)
    return result


def _disturb(
    image: Float32Array, space: Space, acquisition: Acquisition, rng: np.random.Generator
) -> Float32Array:
    """Apply what happens in k-space and between slices."""
    order = np.argsort(space.spacing, kind="stable")
    in_plane, through = order[:2], int(order[2])
    if acquisition.ringing > 0:
        for axis in in_plane:
            image = scanner.truncate(image, int(axis), acquisition.ringing)
    if acquisition.ghost > 0:
        axis = int(in_plane[rng.integers(2)])
        shift = image.shape[axis] // int(rng.integers(2, 5))
        image = image + np.float32(acquisition.ghost) * np.roll(image, shift, axis=axis)
    if acquisition.motion > 0:
        axis = int(in_plane[rng.integers(2)])
        lines = scanner.draw_displacement(
            image.shape[axis], acquisition.motion, space.spacing[axis], rng
        )
        image = scanner.move(image, axis, lines)
    if (acquisition.cross_talk > 0 or acquisition.uneven > 0) and space.spacing[
        through
    ] > FINEST_MM:
        image = scanner.cross_talk(image, through, acquisition.cross_talk, acquisition.uneven)
    return image


def coarse_space(fine: Space, factors: tuple[int, int, int]) -> Space:
    """Undo :func:`fine_space`: the grid whose voxels are made of so many fine ones."""
    join = np.diag([*(float(f) for f in factors), 1.0])
    join[:3, 3] = [(f - 1) / 2 for f in factors]
    shape = tuple(n // f for n, f in zip(fine.shape, factors, strict=True))
    return Space((shape[0], shape[1], shape[2]), fine.affine @ join)
