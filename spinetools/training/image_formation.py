"""Image formation of the digital spine on torch tensors, on the CPU or on CUDA.

The same steps as :func:`spinetools.phantom.simulate`, with the voxels on a device: labels are moved
there once, then imaged and cropped many times. What is small (coil elements, displacements of a
moving patient) is drawn by NumPy, what is large (texture, noise) by torch. Metal, which is rare, is
put in on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import torch

from spinetools.image import Space
from spinetools.phantom import scanner
from spinetools.phantom.acquisition import FINEST_MM, Acquisition, coarse_space, slice_weights
from spinetools.phantom.contrast import TissueTable, from_hounsfield
from spinetools.phantom.labels import LabelVolume
from spinetools.phantom.lattice import interpolation
from spinetools.phantom.signal import (
    JET_SCALES,
    MARBLED_ABOVE,
    TEXTURE_SCALES,
    draw_gains,
    marbling,
)
from spinetools.phantom.subject import Implant
from spinetools.phantom.tissues import Tissue

_METAL_HU = 3000.0


@dataclass(frozen=True, eq=False)
class DeviceLabels:
    """A :class:`~spinetools.phantom.LabelVolume` on a device; see there."""

    space: Space
    cord_mm: npt.NDArray[np.float64]
    implants: tuple[Implant, ...]
    top: torch.Tensor
    under: torch.Tensor
    share: torch.Tensor
    sac: torch.Tensor
    cord: torch.Tensor
    grey: torch.Tensor
    root: torch.Tensor
    structure: torch.Tensor

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.top.device

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> DeviceLabels:
        """Return the voxels from ``start`` to ``stop`` (exclusive)."""
        box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        parts = {name: getattr(self, name)[box] for name in _TENSORS}
        return replace(self, space=self.space.cropped(start, stop), **parts)


_TENSORS = tuple(f.name for f in fields(DeviceLabels))[3:]


def to_device(labels: LabelVolume, device: str | torch.device) -> DeviceLabels:
    """Move painted labels to a device."""
    parts = {name: torch.from_numpy(getattr(labels, name)).to(device) for name in _TENSORS}
    return DeviceLabels(labels.space, labels.cord_mm, labels.implants, **parts)


def simulate(
    labels: DeviceLabels,
    table: TissueTable,
    acquisition: Acquisition,
    rng: np.random.Generator,
    factors: tuple[int, int, int] = (1, 1, 1),
    margin: Sequence[int] = (0, 0, 0),
) -> torch.Tensor:
    """Form an image; parameters as in :func:`spinetools.phantom.simulate`.

    Returns
    -------
    tensor
        Float32 on the labels' device. The same seed gives the same image on one device, but
        another than NumPy's: texture and noise are drawn by torch.
    """
    draw = torch.Generator(labels.device)
    draw.manual_seed(int(rng.integers(2**63)))
    image = block_mean(
        tissue_signal(labels, table, rng, draw, acquisition.flow), factors, acquisition.gap
    )
    space = coarse_space(labels.space, factors)
    for axis, (sigma, factor) in enumerate(zip(acquisition.blur, factors, strict=True)):
        if sigma > 0 and factor <= 2:
            image = _blur(image, axis, sigma)
    if labels.implants:
        image = _metal(image, space, labels.implants, acquisition, rng)
    coil = scanner.Coil(acquisition.coil, acquisition.bias, acquisition.band_mm)
    if coil.fall_off > 0 or coil.bias > 0 or coil.band_mm > 0:
        field, weights = scanner.sensitivity(coil, space, labels.cord_mm, rng)
        image = image * _spread(field, weights, labels.device).clamp_min(0.01)
    image = _disturb(_fold(image, margin), space, acquisition, rng)
    noise = torch.randn((2, *image.shape), generator=draw, device=image.device) / acquisition.snr
    if not acquisition.magnitude:
        return image + noise[0]
    return torch.hypot(image + noise[0], noise[1])


def tissue_signal(
    labels: DeviceLabels,
    table: TissueTable,
    rng: np.random.Generator,
    draw: torch.Generator,
    flow: float = 0.0,
) -> torch.Tensor:
    """Signal on the fine grid, without scanner: means, texture, partial volume."""
    device = labels.device
    pattern = _texture(labels.space, draw, TEXTURE_SCALES, device)
    gains = torch.from_numpy(draw_gains(table, rng)).to(device)
    mean = torch.from_numpy(np.asarray(table.mean, dtype=np.float32)).to(device)
    rough = torch.from_numpy(np.asarray(table.texture, dtype=np.float32)).to(device)
    top, under = labels.top.int(), labels.under.int()
    first = mean[top] * (1 + rough[top] * pattern) * gains[labels.structure.int()]
    fatty = (pattern - MARBLED_ABOVE).clamp(0, 1) * (top == int(Tissue.MUSCLE))
    first = first + float(marbling(table, rng)) * fatty
    second = mean[under] * (1 + rough[under] * pattern)
    image = torch.lerp(second, first, labels.share)
    moving: torch.Tensor | float = 1.0
    if flow > 0:
        moving = 1 - flow * _texture(labels.space, draw, JET_SCALES, device).clamp(0, 1)

    def of(tissue: Tissue) -> torch.Tensor:
        return mean[int(tissue)] * (1 + rough[int(tissue)] * pattern)

    sac, grey, root = labels.sac, labels.grey, labels.root
    cord = torch.minimum(labels.cord, sac)
    inside = (
        of(Tissue.CSF) * moving * (sac - cord - root).clamp_min(0)
        + of(Tissue.WHITE_MATTER) * (cord - grey)
        + of(Tissue.GREY_MATTER) * grey
        + of(Tissue.ROOT) * root
    )
    return (image * (1 - sac) + inside).clamp_min(0)


def block_mean(fine: torch.Tensor, factors: tuple[int, int, int], gap: float = 0.0) -> torch.Tensor:
    """Average the parts of each voxel; with a gap, the outer parts of thick slices count less."""
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        weights = slice_weights(factor, gap if factor == max(factors) else 0.0)
        shape = (*fine.shape[:axis], -1, factor, *fine.shape[axis + 1 :])
        parts = fine.reshape(shape).movedim(axis + 1, -1)
        fine = parts @ torch.from_numpy(weights).to(fine.device)
    return fine


def _texture(
    space: Space,
    draw: torch.Generator,
    scales: Sequence[tuple[float, float]],
    device: torch.device,
) -> torch.Tensor:
    """Smooth noise of about unit variance: (scale in mm, weight) pairs."""
    total = torch.zeros(space.shape, device=device)
    for scale_mm, weight in scales:
        pairs = [
            interpolation(n, d, scale_mm) for n, d in zip(space.shape, space.spacing, strict=True)
        ]
        noise = torch.randn([len(p) for p, _ in pairs], generator=draw, device=device)
        total += weight * 1.4 * _spread(noise, tuple(w for _, w in pairs), device)
    return total.clamp(-2.5, 2.5)


def _spread(
    field: npt.NDArray[np.float64] | torch.Tensor,
    weights: Sequence[npt.NDArray[np.float32]],
    device: torch.device,
) -> torch.Tensor:
    """Interpolate a lattice field to the grid, one axis after the other."""
    if not isinstance(field, torch.Tensor):
        field = torch.from_numpy(field.astype(np.float32)).to(device)
    for axis, weight in enumerate(weights):
        matrix = torch.from_numpy(weight).to(device)
        field = torch.tensordot(matrix, field, dims=([1], [axis])).movedim(0, axis)
    return field


def _blur(image: torch.Tensor, axis: int, sigma: float) -> torch.Tensor:
    """Gaussian along one axis, the border repeated; cut off at three sigma."""
    reach = int(3 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    along = image.movedim(axis, 0)
    n = len(along)
    total = torch.zeros_like(along)
    for step, weight in zip(range(-reach, reach + 1), kernel, strict=True):
        index = torch.arange(n, device=image.device).add(step).clamp(0, n - 1)
        total += float(weight) * along[index]
    return total.movedim(0, axis)


def _metal(
    image: torch.Tensor,
    space: Space,
    implants: tuple[Implant, ...],
    acquisition: Acquisition,
    rng: np.random.Generator,
) -> torch.Tensor:
    plain = image.cpu().numpy()
    if acquisition.magnitude:
        found = scanner.metal(plain, space, implants, rng)
    else:
        bright = float(from_hounsfield(np.array([_METAL_HU], dtype=np.float32))[0])
        found = scanner.metal_ct(plain, space, implants, bright)
    return torch.from_numpy(np.ascontiguousarray(found, dtype=np.float32)).to(image.device)


def _fold(image: torch.Tensor, margin: Sequence[int]) -> torch.Tensor:
    """Fold what lies beyond the field of view over its other end."""
    for axis, m in enumerate(margin):
        if m:
            along = image.movedim(axis, 0)
            core = along[m:-m].clone()
            core[-m:] += along[:m]
            core[:m] += along[-m:]
            image = core.movedim(0, axis)
    return image


def _disturb(
    image: torch.Tensor, space: Space, acquisition: Acquisition, rng: np.random.Generator
) -> torch.Tensor:
    """Apply what happens in k-space and between slices."""
    order = np.argsort(space.spacing, kind="stable")
    in_plane, through = [int(axis) for axis in order[:2]], int(order[2])
    if acquisition.ringing > 0:
        for axis in in_plane:
            spectrum = torch.fft.rfft(image, dim=axis)
            keep = int(np.ceil(spectrum.shape[axis] * (1 - acquisition.ringing)))
            spectrum.narrow(axis, keep, spectrum.shape[axis] - keep).zero_()
            image = torch.fft.irfft(spectrum, n=image.shape[axis], dim=axis).clamp_min(0)
    if acquisition.ghost > 0:
        axis = in_plane[rng.integers(2)]
        shift = image.shape[axis] // int(rng.integers(2, 5))
        image = image + acquisition.ghost * torch.roll(image, shift, dims=axis)
    if acquisition.motion > 0:
        axis = in_plane[rng.integers(2)]
        n = image.shape[axis]
        lines = scanner.draw_displacement(n, acquisition.motion, space.spacing[axis], rng)
        phase = np.exp(-2j * np.pi * np.fft.fftfreq(n) * np.fft.ifftshift(lines))
        turn = torch.from_numpy(phase.astype(np.complex64)).to(image.device)
        shape = [n if a == axis else 1 for a in range(3)]
        image = torch.fft.ifft(torch.fft.fft(image, dim=axis) * turn.view(shape), dim=axis).abs()
    thick = space.spacing[through] > FINEST_MM
    if thick and (acquisition.cross_talk > 0 or acquisition.uneven > 0):
        share, along = acquisition.cross_talk, image.movedim(through, 0)
        padded = torch.cat([along[:1], along, along[-1:]])
        mixed = (1 - 2 * share) * along + share * (padded[:-2] + padded[2:])
        mixed[1::2] *= 1 - acquisition.uneven
        image = mixed.movedim(0, through)
    return image
