"""Axial training slices at 1 mm: from real images marked ``train``, and from the digital spine."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.errors import InputError
from spinetools.image import Image, load_mask, load_volume, resample_to_spacing

logger = logging.getLogger(__name__)

SPACING_MM = 1.0
Float32Array = npt.NDArray[np.float32]

#: Volumes with a manual cord whose patient is marked ``train`` (../shared/real/README.md).
REAL_CORDS = (
    "cord/errsm11_T2w",
    "cord/errsm18_T2w",
    "cord/gm9418_T2star",
    "cord/gm9584_T2star",
    "cord/gm10062Ses1_T2star",
    "cord/gm10062Ses2_T2star",
)


#: SPIDER's label of a disc, and the smallest component that is one (voxels).
SPIDER_DISC, SMALLEST_DISC = 2, 500
#: From the lowest disc upwards (L5–S1, or S1–S2 where it shows) no cord reaches down to the third:
#: the conus ends above L3 (anatomy: mid T12 to upper L3).
DISCS_WITHOUT_CORD = 3


@dataclass(frozen=True)
class Slice:
    """One training slice.

    Attributes
    ----------
    image
        (X, Y), axes R and A, 1 mm pixels, raw intensities.
    cord
        (X, Y), fraction of cord 0 to 1.
    group
        What it comes from, for sampling evenly: a real volume, or a contrast of the phantom.
    """

    image: Float32Array
    cord: Float32Array
    group: str


def real_slices(folder: Path) -> Iterator[Slice]:
    """Give the labelled axial slices of the real training images.

    Raises
    ------
    InputError
        When the manifest does not mark one of them ``train``.
    """
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        use = {row["file"]: row["use"] for row in csv.DictReader(file, delimiter="\t")}
    for name in REAL_CORDS:
        if use.get(f"{name}.nii.gz") != "train":
            raise InputError(f"{name} is not marked train in {folder / 'manifest.tsv'}")
        image = load_volume(folder / f"{name}.nii.gz")
        cord = load_mask(folder / f"{name}_seg.nii.gz").astype(np.float32)
        yield from volume_slices(image, cord, group=name, labelled_only=True)


def cauda_slices(folder: Path) -> Iterator[Slice]:
    """Give axial slices of lumbar images that hold cauda equina and surely no cord.

    SPIDER's volumes marked ``train`` have no cord mask, but their discs, counted from below, tell
    where no cord can be. (van der Graaf JW et al., Scientific Data 11 (2024) 264, CC BY 4.0.)
    """
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["use"] == "train"]
    for row in rows:
        if not row["file"].startswith("spider/") or row["file"].endswith("_seg.nii.gz"):
            continue
        image = load_volume(folder / row["file"]).reorient(("R", "A", "S"))
        stem = row["file"].removesuffix(".nii.gz")
        discs = load_mask(folder / f"{stem}_seg.nii.gz").reorient(("R", "A", "S")).data
        components = cc3d.connected_components((discs == SPIDER_DISC).astype(np.uint8))
        found = cc3d.statistics(components)
        discs_found = zip(found["centroids"][1:], found["voxel_counts"][1:], strict=True)
        heights = sorted(float(at[2]) for at, size in discs_found if size >= SMALLEST_DISC)
        top = int(heights[DISCS_WITHOUT_CORD - 1])
        part = image.crop((0, 0, 0), (*image.shape[:2], top))
        nothing = part.like(np.zeros(part.shape, dtype=np.float32))
        yield from volume_slices(part, nothing, "spider cauda", labelled_only=False, step_mm=6.0)


def volume_slices(
    image: Image, cord: Image, group: str, labelled_only: bool, step_mm: float = 0.0
) -> Iterator[Slice]:
    """Cut a volume into axial slices at 1 mm in the plane.

    Parameters
    ----------
    image, cord
        On one grid; the cord as a fraction.
    group
        See :class:`Slice`.
    labelled_only
        Leave out slices without cord: where a person did not draw, there may be cord all the same.
    step_mm
        Least distance between the slices taken; 0 for all.
    """
    image, cord = image.reorient(("R", "A", "S")), cord.reorient(("R", "A", "S"))
    thickness = image.space.spacing[2]
    every = max(1, round(step_mm / thickness))
    spacing = (SPACING_MM, SPACING_MM, thickness)
    voxels = resample_to_spacing(image, spacing).data
    masks = np.clip(resample_to_spacing(cord, spacing).data, 0, 1)
    for k in range(0, voxels.shape[2], every):
        if labelled_only and not masks[:, :, k].any():
            continue
        yield Slice(voxels[:, :, k].astype(np.float32), masks[:, :, k].astype(np.float32), group)


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes to a slice; all are drawn uniformly unless said.

    Attributes
    ----------
    patch
        Pixels along each side of a sample.
    rotation_deg, log_scale
        Half widths about no rotation and scale 1.
    invert
        Probability of turning bright and dark round.
    repaint
        Probability of fading everything and brightening or darkening the cord alone, from where it
        hardly differs to where nothing else is seen (diffusion).
    """

    patch: int = 96
    rotation_deg: float = 15.0
    log_scale: float = 0.25
    invert: float = 0.3
    repaint: float = 0.2


def augmented(
    sample: Slice, rng: np.random.Generator, settings: Augmentation, distort: bool
) -> tuple[Float32Array, Float32Array]:
    """Give a randomly placed, turned, scaled and recoloured patch and its cord fraction.

    Parameters
    ----------
    sample
        A slice.
    rng
        Source of randomness.
    settings
        Ranges.
    distort
        Whether to remap intensities at random: for real slices, whose few contrasts are to stand
        for all; the digital spine brings its own.

    Returns
    -------
    image, cord
        (patch, patch) each.
    """
    size = settings.patch
    centre = _centre(sample, rng)
    angle = np.deg2rad(rng.uniform(-1, 1) * settings.rotation_deg)
    zoom = np.exp(rng.uniform(-1, 1) * settings.log_scale)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * zoom
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    offset = centre - turn @ np.full(2, (size - 1) / 2)
    image = ndimage.affine_transform(
        sample.image, turn, offset, (size, size), order=1, mode="nearest"
    )
    cord = ndimage.affine_transform(sample.cord, turn, offset, (size, size), order=1)
    if distort:
        image = _recoloured(image, rng, settings.invert)
    if rng.random() < settings.repaint:
        image = _repainted(image, cord, rng)
    if rng.random() < 0.5:
        sigma = rng.uniform(0, 1.0, size=2)
        if rng.random() < 0.25:
            sigma[0] = rng.uniform(1.0, 2.0)  # thick sagittal slices
        image = ndimage.gaussian_filter(image, sigma)
    image = image * _bias(size, rng)
    spread = float(np.percentile(image, 99) - np.percentile(image, 1))
    image = image + rng.normal(0, rng.uniform(0, 0.07) * max(spread, 1e-6), image.shape)
    if rng.random() < 0.3:
        image, cord = _cropped(image, cord, rng)
    return image.astype(np.float32), cord.astype(np.float32)


def _centre(sample: Slice, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Mostly near the cord; sometimes anywhere, so that the rest is learnt as background."""
    shape = np.array(sample.image.shape)
    if sample.cord.max() > 0.5 and rng.random() < 0.75:
        cord = np.argwhere(sample.cord > 0.5).mean(axis=0)
        return np.asarray(cord + rng.uniform(-36, 36, size=2))
    return np.asarray(rng.uniform(0.1, 0.9, size=2) * shape)


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


def _bias(size: int, rng: np.random.Generator) -> Float32Array:
    """Smooth field of a surface coil."""
    coarse = rng.normal(0, rng.uniform(0, 0.35), size=(4, 4))
    field: Float32Array = np.exp(ndimage.zoom(coarse, size / 4, order=3)).astype(np.float32)
    return field


def _cropped(
    image: Float32Array, cord: Float32Array, rng: np.random.Generator
) -> tuple[Float32Array, Float32Array]:
    """Simulate a small field of view: beyond it the border is repeated, and there is no cord."""
    size = image.shape[0]
    width = rng.integers(30, size, size=2)
    start = np.array([rng.integers(0, size - w + 1) for w in width])
    box = tuple(slice(s, s + w) for s, w in zip(start, width, strict=True))
    pad = [(int(s), int(size - s - w)) for s, w in zip(start, width, strict=True)]
    return np.pad(image[box], pad, mode="edge"), np.pad(cord[box], pad)
