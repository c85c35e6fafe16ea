"""The centreline as one function, whatever it is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.centerline.detect import CANONICAL, PRESENT, Detection, detect, sizes_along
from spinetools.centerline.fit import Algorithm, Curve, fit_curve
from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.models.store import find_model

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Contrast = Literal["t1", "t2", "t2s", "dwi", "any"]

#: Smoothing along the cord, wavelength kept by half (SCT's default of the same option).
SMOOTH_MM = 30.0
#: Stretch of cord over which its size is averaged.
SIZE_MM = 20.0


@dataclass(frozen=True, eq=False)
class Centreline:
    """The cord's centre in each axial slice of an image.

    Attributes
    ----------
    voxels
        A row a slice from the lowest (K, 3), voxel coordinates on the image's grid, not rounded.
    world_mm
        The same places in scanner space (K, 3).
    slices
        Slice of each row, counted from the lowest.
    curve
        In mm of the canonical grid, see :mod:`spinetools.centerline.fit`.
    score
        How sure the detector is (K,), 0 to 1; 1 where a person or a mask gave the place.
    radius_mm
        Rough radius of the cord (K,), smoothed along it; None where only places are known.
    n_below, n_above
        How many of the first and of the last slices lie beyond those where the cord was seen.
    ceiling
        The lowest slice that was seen to hold brain, counted as ``slices``; None for none.
    model
        The detector's file; None where a person or a mask gave the places.
    """

    voxels: FloatArray
    world_mm: FloatArray
    slices: IntArray
    curve: Curve
    score: FloatArray
    radius_mm: FloatArray | None = None
    n_below: int = 0
    n_above: int = 0
    ceiling: int | None = None
    model: Path | None = None

    def mask(self, image: Image, soft: bool = False) -> Image:
        """Draw the centreline on its image's grid, see :func:`draw`."""
        return draw(image, self.world_mm, soft)


def draw(image: Image, world_mm: FloatArray, soft: bool = False) -> Image:
    """Draw places on an image's grid.

    Parameters
    ----------
    image
        The image that the places belong to.
    world_mm
        Places (K, 3) in scanner space, one an axial slice.
    soft
        False: one voxel a slice (uint8). True: the place between voxels as weights that add up to
        1 in each slice (float32).
    """
    space = image.space.reoriented(CANONICAL)
    places = space.to_voxel(world_mm)
    shape = np.array(space.shape)
    drawn = np.zeros(space.shape, dtype=np.float32 if soft else np.uint8)
    k = np.clip(np.rint(places[:, 2]), 0, shape[2] - 1).astype(int)
    if not soft:
        i, j = np.clip(np.rint(places[:, :2]), 0, shape[:2] - 1).astype(int).T
        drawn[i, j, k] = 1
    else:
        low = np.clip(np.floor(places[:, :2]), 0, np.maximum(shape[:2] - 2, 0)).astype(int)
        part = np.clip(places[:, :2] - low, 0, 1)
        for di in (0, 1):
            for dj in (0, 1):
                weight = np.abs(1 - di - part[:, 0]) * np.abs(1 - dj - part[:, 1])
                drawn[low[:, 0] + di, low[:, 1] + dj, k] = weight
    back = Image(drawn, space).reorient(image.space.nib_codes)
    return image.like(back.data)


def optic_centreline(
    image: Image,
    points_voxel: FloatArray | None = None,
    algo: Algorithm = "bspline",
    smooth_mm: float = SMOOTH_MM,
    extrapolate: bool = False,
    model: str = "optic",
    below_mm: float = 0.0,
    above_mm: float = 0.0,
    stop_at_brain: bool = False,
    device: str = "auto",
) -> Centreline:
    """Find the cord's centreline with a trained detector.

    Parameters
    ----------
    image
        3D, any orientation and contrast.
    points_voxel
        Places (N, 3) that the path has to pass through.
    algo, smooth_mm
        See :func:`spinetools.centerline.fit.fit_curve`.
    extrapolate
        Go on to the first and the last slice of the image, straight, where no cord was seen.
    model
        Name or path of the detector; ``cord_heatmap`` tells the brain from the cord, too.
    below_mm, above_mm
        Go on, straight, this far beyond the slices where the cord was seen: the conus' tip is
        seldom seen for sure. ``n_below`` and ``n_above`` of the result say how many slices that is.
    stop_at_brain
        End below the brain, where the detector tells the brain.
    device
        Where the detector runs, see :mod:`spinetools.infer.device`.

    Raises
    ------
    NoSpineError
        When no cord was found.
    """
    found = detect(image, points_voxel, model, stop_at_brain, device)
    space = image.space.reoriented(CANONICAL)
    spacing = np.asarray(space.spacing)
    inside = found.present
    rows = np.flatnonzero(inside)
    points = np.column_stack([found.centres_voxel[rows], found.slices[rows]]) * spacing
    curve = fit_curve(points, algo, smooth_mm, weights=np.maximum(found.score[rows], 0.05))
    score = np.interp(np.arange(space.shape[2]), found.slices, found.score)
    first, last = int(found.slices[rows[0]]), int(found.slices[rows[-1]])
    lowest = max(0, first - int(below_mm / spacing[2]))
    top = space.shape[2] if found.ceiling is None else max(found.ceiling, last + 1)
    highest = min(top - 1, last + int(above_mm / spacing[2]))
    line = _along(image, curve, lowest, highest, score, extrapolate)
    return replace(
        line,
        radius_mm=_sizes(found, rows, line.slices, spacing[2]),
        n_below=first - int(line.slices[0]),
        n_above=int(line.slices[-1]) - last,
        ceiling=found.ceiling,
        model=find_model(model),
    )


def fitted_centreline(
    mask: Image,
    algo: Algorithm = "bspline",
    smooth_mm: float = SMOOTH_MM,
    extrapolate: bool = False,
) -> Centreline:
    """Fit the centreline of a segmentation, or through labelled points (``fitseg``).

    Parameters
    ----------
    mask
        Cord mask, probability or single voxels; each slice gives its centre of mass.

    Raises
    ------
    InputError
        When the mask is empty.
    """
    canonical = mask.reorient(CANONICAL)
    weights = np.clip(canonical.data.astype(np.float64), 0, None)
    slices = np.flatnonzero(weights.any(axis=(0, 1)))
    if not len(slices):
        raise InputError(f"{mask.name} is empty: there is nothing to fit a centreline to")
    places = np.array([(*ndimage.center_of_mass(weights[:, :, k]), k) for k in slices])
    return centreline_through(mask, canonical.space.to_world(places), algo, smooth_mm, extrapolate)


def centreline_through(
    image: Image,
    world_mm: FloatArray,
    algo: Algorithm = "bspline",
    smooth_mm: float = SMOOTH_MM,
    extrapolate: bool = False,
) -> Centreline:
    """Fit the centreline through points that a person or a mask gave.

    Parameters
    ----------
    image
        The image whose slices the centreline gets one place each of.
    world_mm
        Points (N, 3) in scanner space, in any order.
    """
    space = image.space.reoriented(CANONICAL)
    places = space.to_voxel(world_mm)
    if (places < -1).any() or (places > np.array(space.shape)).any():
        raise InputError(f"a point of the centreline lies outside {image.name}; check its space")
    places = places[np.argsort(places[:, 2], kind="stable")]
    spacing = np.asarray(space.spacing)
    curve = fit_curve(places * spacing, algo, smooth_mm)
    limits = np.clip(np.rint(places[[0, -1], 2]), 0, space.shape[2] - 1).astype(int)
    score = np.ones(space.shape[2])
    return _along(image, curve, int(limits[0]), int(limits[1]), score, extrapolate)


def with_sizes(image: Image, line: Centreline, model: str = "optic") -> Centreline:
    """Add the cord's rough size, as the detector sees it, to a centreline that came without.

    Where the detector does not see the cord along most of the line, there is still none.
    """
    space = image.space.reoriented(CANONICAL)
    found = sizes_along(image, space.to_voxel(line.world_mm), model)
    rows = np.flatnonzero(found.score >= PRESENT)
    if 2 * len(rows) < len(found.score) or not len(rows):
        return line
    return replace(line, radius_mm=_sizes(found, rows, line.slices, space.spacing[2]))


def _along(
    image: Image, curve: Curve, first: int, last: int, score: FloatArray, extrapolate: bool
) -> Centreline:
    """Read a curve off at every slice between two, or at all."""
    space = image.space.reoriented(CANONICAL)
    if extrapolate:
        first, last = 0, space.shape[2] - 1
    slices = np.arange(first, last + 1)
    spacing = np.asarray(space.spacing)
    xy = curve.at(slices * spacing[2])[:, :2] / spacing[:2]
    # a curve that is carried on may leave the image; the place at its border is the nearest
    xy = np.clip(xy, 0, np.array(space.shape[:2]) - 1)
    world = space.to_world(np.column_stack([xy, slices]))
    return Centreline(image.space.to_voxel(world), world, slices, curve, score[slices])


def _sizes(found: Detection, rows: IntArray, slices: IntArray, step_mm: float) -> FloatArray:
    """Size of the cord at each slice: a running median, then a mean, over some 20 mm of cord."""
    seen = found.radius_mm[rows]
    spread = float(np.median(np.diff(found.slices))) * step_mm if len(found.slices) > 1 else step_mm
    width = 2 * round(SIZE_MM / 2 / spread) + 1
    middle = ndimage.median_filter(seen, width, mode="nearest")
    smooth = ndimage.gaussian_filter1d(middle, SIZE_MM / 4 / spread, mode="nearest")
    sizes: FloatArray = np.interp(slices, found.slices[rows], smooth)
    return sizes
