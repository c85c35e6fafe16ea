"""The grid that the networks work on: isotropic, cut to the spine, of a size that fits memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spinetools.image import Image, Space, resample_to
from spinetools.morphology import components
from spinetools.vertebrae.networks import Network

logger = logging.getLogger(__name__)

CODES = ("R", "A", "S")
# The box of the spine. Its constants were chosen on 72 phantoms and on real images marked train,
# as the smallest with which no image lost 0.5 % of its spine, and one step more of margin:
# testing/benchmark/region_box.py.
#: Kept round what the low-resolution network finds, mm.
MARGIN_MM = 20.0
#: Probability of background below which a voxel may belong to the spine.
_BACKGROUND = 0.8
#: Pieces smaller than this share of the largest one are noise.
_LEAST_PIECE = 0.2
#: The spine runs through the whole image: where more of its height shows none, the network failed.
_MOST_UNSEEN = 0.05
#: Along a shorter axis nothing is cut: it is hardly more than the spine with its margin, mm.
_SHORT_MM = 120.0
#: A box that leaves more of the image than this is not worth having.
_MOST_LEFT = 0.9
#: Slices this much thicker than the pixels are interpolated linearly: splines ring.
_THICK = 3.0
#: Copies of a voxel's probabilities (float32) that are held at once at most.
_COPIES = 2.6

#: First and last place along each axis (right, front, up), mm from the image's middle.
Box = tuple[tuple[float, float, float], tuple[float, float, float]]


def working_image(image: Image, spacing: float, box_mm: Box | None = None) -> Image:
    """Resample an image to the isotropic working grid, or to a part of it.

    Parameters
    ----------
    image
        3D, in any orientation.
    spacing
        mm.
    box_mm
        What to cut out; None for the whole.

    Returns
    -------
    Image
        float32, axes right, front, up.
    """
    upright = image.reorient(CODES)
    space = working_space(upright.space, spacing, box_mm)
    if space.same_as(upright.space):
        return upright.astype(np.float32)
    sides = upright.space.spacing
    thick = max(sides) / min(sides) > _THICK
    return resample_to(upright.astype(np.float32), space, "linear" if thick else "spline")


def working_space(upright: Space, spacing: float, box_mm: Box | None = None) -> Space:
    """Return the grid of :func:`working_image` for a grid whose axes run right, front and up."""
    space = isotropic(upright, spacing)
    if box_mm is None:
        return space
    steps, middle = np.asarray(space.spacing), (np.asarray(space.shape) - 1) / 2
    start = np.maximum(np.floor(np.asarray(box_mm[0]) / steps + middle).astype(int), 0)
    stop = np.ceil(np.asarray(box_mm[1]) / steps + middle).astype(int) + 1
    return space.cropped(start.tolist(), np.minimum(stop, space.shape).tolist())


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


def find_box(image: Image, network: Network | None) -> Box | None:
    """Find the box of the spine with a network at low resolution.

    Only what lies before, behind and beside the spine is cut off: it ends with the image, above and
    below. The whole image is kept where the box cannot be trusted or hardly saves anything.

    Parameters
    ----------
    image
        3D, in any orientation and spacing.
    network
        Its first class is background; None: there is no such network.

    Returns
    -------
    tuple or None
        The box, as :func:`working_image` takes it; None for the whole image.
    """
    if network is None:
        return None
    coarse = working_image(image, network.spacing_mm)
    seen = _pieces(network.probabilities(coarse.data[None], coarse.space)[0] < _BACKGROUND)
    steps = np.asarray(coarse.space.spacing)
    half = np.asarray(coarse.shape) * steps / 2
    unseen = 1 - float(seen.any(axis=(0, 1)).mean())
    if unseen > _MOST_UNSEEN:
        logger.info(
            "at low resolution no spine is seen in %.0f %% of the image's height: "
            "the whole image is searched", 100 * unseen,
        )  # fmt: skip
        return None
    where = np.argwhere(seen) * steps + steps / 2 - half
    low = where.min(axis=0) - steps / 2 - MARGIN_MM
    high = where.max(axis=0) + steps / 2 + MARGIN_MM
    whole = 2 * half < _SHORT_MM
    whole[2] = True
    # the coarse grid is some mm shorter or longer than the image: its ends are the image's
    low = np.where(whole | (low <= -half), -half - steps, low)
    high = np.where(whole | (high >= half), half + steps, high)
    left = float(np.prod((np.minimum(high, half) - np.maximum(low, -half)) / (2 * half)))
    if left > _MOST_LEFT:
        return None
    logger.info("the spine lies in %.0f %% of the image: the rest is not searched", 100 * left)
    return _corner(low), _corner(high)


def _corner(place: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(place[0]), float(place[1]), float(place[2])


def _pieces(seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Leave out small pieces."""
    parts, _ = components(seen)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    result: npt.NDArray[np.bool_] = (sizes >= max(1.0, _LEAST_PIECE * sizes.max()))[parts]
    return result


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
