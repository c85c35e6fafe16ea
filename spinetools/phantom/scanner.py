"""What a scanner and a moving patient do to an image: coil, motion, fold-over, slices, metal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spinetools.image import Space
from spinetools.phantom.lattice import Float32Array, FloatArray, interpolation
from spinetools.phantom.subject import Implant

#: Width of a saturation band's edge, mm, and share of the signal left inside.
_BAND_EDGE_MM, _BAND_LEFT = 4.0, (0.05, 0.3)


@dataclass(frozen=True)
class Coil:
    """How uneven the sensitivity is.

    ``fall_off``: 0 even, 1 the full fall-off of a surface coil behind the spine; ``bias``: standard
    deviation of the logarithm of a smooth random field on top; ``band_mm``: a saturation band takes
    the signal of what lies this far in front of the cord (0 for none).
    """

    fall_off: float
    bias: float
    band_mm: float = 0.0


def sensitivity(
    coil: Coil, space: Space, cord_mm: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, tuple[Float32Array, ...]]:
    """Coil elements behind the spine times a smooth random field.

    Parameters
    ----------
    coil
        How uneven.
    space
        The image's grid.
    cord_mm
        (N, 3) points along the cord, world mm.
    rng
        Source of randomness.

    Returns
    -------
    field, weights
        On a lattice, and the weights that :func:`~spinetools.phantom.lattice.spread` takes.
    """
    pairs = [interpolation(n, d, 12.0) for n, d in zip(space.shape, space.spacing, strict=True)]
    lattice = np.stack(np.meshgrid(*(p for p, _ in pairs), indexing="ij"), axis=-1)
    world = space.to_world(lattice)
    log = np.zeros(lattice.shape[:3])
    if coil.fall_off > 0:
        log += coil.fall_off * np.log(_loops(cord_mm, world, rng))
    if coil.bias > 0:
        extent = world.reshape(-1, 3)
        low, high = extent.min(axis=0), extent.max(axis=0)
        place = (world - low) / np.maximum(high - low, 1.0)
        for _ in range(4):
            wave = rng.normal(size=3) * 2.0
            log += coil.bias * np.cos(place @ wave + rng.uniform(0, 2 * np.pi)) / np.sqrt(2)
    if coil.band_mm > 0:
        order = np.argsort(cord_mm[:, 2])
        front = np.interp(world[..., 2], cord_mm[order, 2], cord_mm[order, 1])
        inside = (world[..., 1] - front - coil.band_mm) / _BAND_EDGE_MM
        log += np.log(rng.uniform(*_BAND_LEFT)) / (1 + np.exp(-np.clip(inside, -30, 30)))
    return np.exp(log), tuple(w for _, w in pairs)


def _loops(cord_mm: FloatArray, world: FloatArray, rng: np.random.Generator) -> FloatArray:
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


def truncate(image: Float32Array, axis: int, share: float) -> Float32Array:
    """Cut off the outer part of k-space along an axis: Gibbs ringing, and a little blur."""
    spectrum = np.fft.rfft(image, axis=axis)
    keep = int(np.ceil(spectrum.shape[axis] * (1 - share)))
    cut = [slice(None)] * 3
    cut[axis] = slice(keep, None)
    spectrum[tuple(cut)] = 0
    result = np.fft.irfft(spectrum, n=image.shape[axis], axis=axis)
    return np.maximum(result, 0).astype(np.float32)


def draw_displacement(
    n: int, strength_mm: float, spacing_mm: float, rng: np.random.Generator
) -> FloatArray:
    """Shift along the phase axis (voxels) while each of ``n`` lines of k-space is taken.

    Breathing and swallowing: a slow wave, a drift and a few jumps, zero at the middle of k-space,
    which decides where the image lies.
    """
    time = np.arange(n) / n
    wave = np.sin(2 * np.pi * (rng.uniform(3, 30) * time + rng.uniform()))
    jumps = np.zeros(n)
    for _ in range(int(rng.integers(0, 3))):
        jumps += rng.normal() * (time > rng.uniform())
    shift = 0.5 * wave + 0.7 * jumps + rng.normal() * (time - 0.5)
    shift -= shift[n // 2]
    result: FloatArray = strength_mm / spacing_mm * shift
    return result


def move(image: Float32Array, axis: int, displacement: FloatArray) -> Float32Array:
    """Take each line of k-space along an axis while the patient is displaced (voxels, centred)."""
    n = image.shape[axis]
    frequency = np.fft.fftfreq(n)
    phase = np.exp(-2j * np.pi * frequency * np.fft.ifftshift(displacement)).astype(np.complex64)
    shape = tuple(n if a == axis else 1 for a in range(image.ndim))
    spectrum = np.fft.fft(image, axis=axis) * phase.reshape(shape)
    return np.abs(np.fft.ifft(spectrum, axis=axis)).astype(np.float32)


def cross_talk(image: Float32Array, axis: int, share: float, uneven: float) -> Float32Array:
    """Mix each slice with its neighbours; slices taken second are darker by ``uneven``."""
    along = np.moveaxis(image, axis, 0)
    padded = np.concatenate([along[:1], along, along[-1:]])
    mixed = (1 - 2 * share) * along + share * (padded[:-2] + padded[2:])
    mixed[1::2] *= np.float32(1 - uneven)
    result: Float32Array = np.moveaxis(mixed, 0, axis).astype(np.float32)
    return result


def fold(image: Float32Array, margin: Sequence[int]) -> Float32Array:
    """Fold what lies beyond the field of view over its other end.

    Parameters
    ----------
    image
        Larger than the field of view by ``margin`` voxels at both ends of each axis.
    margin
        At most the field of view's length along each axis.
    """
    for axis, m in enumerate(margin):
        if not m:
            continue
        along = np.moveaxis(image, axis, 0)
        core = along[m:-m].copy()
        core[-m:] += along[:m]
        core[:m] += along[-m:]
        image = np.moveaxis(core, 0, axis)
    return np.ascontiguousarray(image)


#: Metal dephases what is near, pulls signal along the readout axis and piles it up at a bright rim:
#: radius of the void beyond the metal, strength of the shift and its reach, mm, and how much
#: brighter the rim is (as seen at 1.5 and 3 T).
_VOID_MM, _SHIFT_MM, _REACH_MM, _PILE_UP = (1.5, 5.0), (2.0, 6.0), 22.0, (0.3, 1.2)


def metal(
    image: Float32Array, space: Space, implants: Sequence[Implant], rng: np.random.Generator
) -> Float32Array:
    """Show implants as MR does: voids with bright rims, and distortion about them."""
    void, shift = rng.uniform(*_VOID_MM), rng.uniform(*_SHIFT_MM)
    readout = int(np.argsort(space.spacing, kind="stable")[:2][rng.integers(2)])
    found = _metal_distance(space, implants)
    if found is None:
        return image
    box, distance, steepness = found
    near = np.clip(distance, 0, None)
    # the field of a rod falls with the square of the distance and changes sign round it
    core = void + 3
    displacement = shift * (core / (core + near)) ** 2 * steepness
    displacement *= np.clip(1 - near / _REACH_MM, 0, 1)
    displacement /= space.spacing[readout]
    part = image[box]
    lines = (np.arange(n, dtype=np.float32) for n in part.shape)
    places = list(np.meshgrid(*lines, indexing="ij"))
    places[readout] = places[readout] + displacement
    pulled = ndimage.map_coordinates(part, places, order=1, mode="nearest")
    if part.shape[readout] > 1:
        pulled *= np.clip(1 + np.gradient(displacement, axis=readout), 0.0, 3.0)
    pulled *= 1 / (1 + np.exp(-np.clip(distance - void, -20, 20) / 0.5))
    pile = rng.uniform(*_PILE_UP) * np.clip(np.abs(steepness), 0.2, 1)
    pulled *= 1 + pile * np.exp(-(((distance - void - 1.2) / 1.2) ** 2))
    result = image.copy()
    result[box] = pulled
    return result


def metal_ct(
    image: Float32Array, space: Space, implants: Sequence[Implant], signal: float
) -> Float32Array:
    """Show implants as CT does: as bright as metal."""
    found = _metal_distance(space, implants)
    if found is None:
        return image
    box, distance, _ = found
    share = np.clip(0.5 - distance / float(np.mean(space.spacing)), 0, 1)
    result = image.copy()
    result[box] = image[box] * (1 - share) + np.float32(signal) * share
    return result


def _metal_distance(
    space: Space, implants: Sequence[Implant]
) -> tuple[tuple[slice, slice, slice], Float32Array, Float32Array] | None:
    """Box near the implants; there, distance to metal (mm) and (3 cos² − 1) / 2 to the field."""
    ends = np.array([end for implant in implants for end in (implant.start, implant.end)])
    if not len(ends):
        return None
    voxels = space.to_voxel(ends)
    reach = np.array([_REACH_MM / d for d in space.spacing])
    low = np.clip(np.floor(voxels.min(axis=0) - reach), 0, space.shape).astype(int)
    high = np.clip(np.ceil(voxels.max(axis=0) + reach) + 1, 0, space.shape).astype(int)
    if (high <= low).any():
        return None
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    grid = np.stack(np.meshgrid(*(np.arange(p.start, p.stop) for p in box), indexing="ij"), -1)
    world = space.to_world(grid).astype(np.float32)
    nearest = np.full(world.shape[:3], np.inf, dtype=np.float32)
    steepness = np.zeros(world.shape[:3], dtype=np.float32)
    for implant in implants:
        start = implant.start.astype(np.float32)
        along = (implant.end - implant.start).astype(np.float32)
        offset = world - start
        t = np.clip((offset @ along) / max(float(along @ along), 1e-6), 0, 1)
        offset -= t[..., None] * along
        length = np.sqrt((offset**2).sum(-1))
        closer = length - implant.radius < nearest
        nearest[closer] = (length - np.float32(implant.radius))[closer]
        cosine2 = (offset[..., 2] / np.maximum(length, 1e-3)) ** 2
        steepness[closer] = ((3 * cosine2 - 1) / 2)[closer]
    return box, nearest, steepness
