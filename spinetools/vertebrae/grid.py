"""The grid that the networks work on: isotropic, cut to the spine, of a size that fits memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spinetools.image import Image, Space, resample_to
from spinetools.vertebrae.networks import Network
from spinetools.vertebrae.parts import PARTS

logger = logging.getLogger(__name__)

CODES = ("R", "A", "S")
#: Kept round what the low-resolution network finds, mm.
MARGIN_MM = 18.0
#: Probability of background below which a voxel belongs to the spine's surroundings.
_BACKGROUND = 0.6
#: Slices this much thicker than the pixels are interpolated linearly: splines ring.
_THICK = 3.0
#: Copies of a voxel's probabilities (float32) that are held at once at most.
_COPIES = 2.6

Box = tuple[list[int], list[int]]


def working_image(image: Image, spacing: float, box_mm: Box | None = None) -> Image:
    """Resample an image to the isotropic working grid, or to a part of it.

    Parameters
    ----------
    image
        3D, in any orientation.
    spacing
        mm.
    box_mm
        First and last place along each axis (right, front, up) in mm from the grid's first voxel;
        None for the whole.

    Returns
    -------
    Image
        float32, axes right, front, up.
    """
    upright = image.reorient(CODES)
    space = isotropic(upright.space, spacing)
    if box_mm is not None:
        steps = np.asarray(space.spacing)
        start = np.maximum(np.floor(np.asarray(box_mm[0]) / steps).astype(int), 0)
        stop = np.ceil(np.asarray(box_mm[1]) / steps).astype(int) + 1
        space = space.cropped(start.tolist(), np.minimum(stop, space.shape).tolist())
    if space.same_as(upright.space):
        return upright.astype(np.float32)
    sides = upright.space.spacing
    thick = max(sides) / min(sides) > _THICK
    return resample_to(upright.astype(np.float32), space, "linear" if thick else "spline")


def isotropic(space: Space, spacing: float) -> Space:
    """Return a grid of the exact spacing about the same middle, of nearly the same box."""
    old = np.asarray(space.spacing)
    shape = np.maximum(1, np.round(np.asarray(space.shape) * old / spacing)).astype(int)
    affine = space.affine.copy()
    affine[:3, :3] = affine[:3, :3] / old * spacing
    middle = space.to_world((np.asarray(space.shape) - 1) / 2)
    affine[:3, 3] = middle - affine[:3, :3] @ ((shape - 1) / 2)
    if (np.abs(old - spacing) < 1e-4).all():
        return space
    return Space((int(shape[0]), int(shape[1]), int(shape[2])), affine)


@dataclass(frozen=True, eq=False)
class Region:
    """What the network at low resolution tells.

    Attributes
    ----------
    box
        Of the spine, as :func:`working_image` takes it; None: the whole image is worked on.
    parts
        (X, Y, Z, 1 + parts): probability of spine and of each part of the column
        (:data:`~spinetools.vertebrae.parts.PARTS`); None where the network tells no parts.
    """

    box: Box | None = None
    parts: Image | None = None


def find_region(image: Image, network: Network | None) -> Region:
    """Find the spine, and the parts of the column, with a network at low resolution.

    Where there is no network, or it finds nothing, nothing is known.
    """
    if network is None:
        return Region()
    coarse = working_image(image, network.spacing_mm)
    answer = network.probabilities(coarse.data[None], coarse.space)
    found = np.argwhere(answer[0] < _BACKGROUND)
    if len(found) < 20:
        logger.info("no spine at low resolution: the whole image is searched")
        return Region()
    parts = None
    if set(PARTS) <= set(network.classes):
        chosen = [network.classes.index(name) for name in ("spine", *PARTS)]
        parts = Image(np.moveaxis(answer[chosen], 0, -1), coarse.space)
    steps = np.asarray(coarse.space.spacing)
    # stray voxels do not widen the box
    low, high = np.percentile(found, (0.3, 99.7), axis=0) * steps
    return Region(((low - MARGIN_MM).tolist(), (high + MARGIN_MM).tolist()), parts)


def memory_gb(shape: Sequence[int], n_classes: int) -> float:
    """Estimate the memory that a run on a grid of this shape needs at its peak, GB."""
    return float(np.prod(shape)) * n_classes * 4 * _COPIES / 1e9 + 0.35


def say_memory(shape: Sequence[int], n_classes: int) -> float:
    """Say how large the work is; warn where the machine has not that much memory free."""
    needed = memory_gb(shape, n_classes)
    logger.debug("working grid of %s voxels, about %.1f GB", " × ".join(map(str, shape)), needed)
    free = _free_gb()
    if free is not None and needed > free:
        logger.warning(
            "about %.1f GB of memory are needed and %.1f GB are free; crop the image to the spine "
            "(st_crop_image) or use -fast", needed, free,
        )  # fmt: skip
    return needed


def _free_gb() -> float | None:
    try:
        # by name: Windows has no such function, macOS no such number
        asked = getattr(os, "sysconf")  # noqa: B009
        pages, size = int(asked("SC_AVPHYS_PAGES")), int(asked("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return None
    return pages * size / 1e9
