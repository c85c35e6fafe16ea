"""A trained detector on axial slices, and one best path over all of them (``optic``, ``cnn``)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.centerline.path import best_path
from spinetools.errors import InputError, ModelError, NoSpineError
from spinetools.image import Image
from spinetools.infer.normalise import local_contrast
from spinetools.infer.onnx import OnnxModel
from spinetools.models.store import find_model

logger = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

CANONICAL = ("R", "A", "S")
#: Slices closer together than this are not all looked at: the cord hardly changes.
LOOK_EVERY_MM = 3.0
#: The score of a place is the mean probability about it, at the width of a cord.
CORD_SIGMA_MM = 2.0
#: Weight of the squared step against the score.
SMOOTHNESS = 0.06
#: The path's centre is refined to the centroid of the probability within this radius.
CENTROID_RADIUS_MM = 9.0
#: A slice whose score along the path is lower holds no cord.
PRESENT = 0.30
#: Slices in which the cord is not seen are bridged over this length, between sure ones.
LONGEST_GAP_MM = 12.0
#: Fewer millimetres of cord than this are no spine.
LEAST_LENGTH_MM = 15.0
#: Channels of a detector, as its card's labels name them.
CORD, BRAIN = "cord", "brain"
_BATCH = 16


@dataclass(frozen=True)
class Detection:
    """Where the cord was seen, a row a slice that was looked at, on the canonical (RAS) grid.

    Attributes
    ----------
    slices
        Slice indices (K,).
    centres_voxel
        Centre in the plane (K, 2), voxels, not rounded.
    score
        0 to 1 (K,): how sure the detector is along the path.
    radius_mm
        Radius of the disc as large as the cord that the detector sees (K,): a rough size.
    step_mm
        Usual distance between two slices that were looked at.
    ceiling
        The lowest slice that was looked at and holds brain; None where none does, or where the
        detector was not asked.
    """

    slices: IntArray
    centres_voxel: FloatArray
    score: FloatArray
    radius_mm: FloatArray
    step_mm: float
    ceiling: int | None = None

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Slices that hold cord (K,): the longest stretch of sure ones, with its short gaps."""
        sure = np.flatnonzero(self.score >= PRESENT)
        inside = np.zeros(len(self.score), dtype=bool)
        if not len(sure):
            return inside
        missing_mm = (np.diff(sure) - 1) * self.step_mm
        limit = max(LONGEST_GAP_MM, self.step_mm)
        stretches = np.split(sure, np.flatnonzero(missing_mm > limit) + 1)
        longest = max(stretches, key=len)
        inside[longest[0] : longest[-1] + 1] = True
        return inside


def detect(
    image: Image,
    points_voxel: FloatArray | None = None,
    model: str = "optic",
    stop_at_brain: bool = False,
    device: str = "auto",
) -> Detection:
    """Find the cord in every axial slice.

    Parameters
    ----------
    image
        3D, any orientation, any contrast.
    points_voxel
        Places (N, 3) on the image's grid that the path has to pass through; None for none.
    model
        Name or path of the detector.
    stop_at_brain
        No slice from the brain up counts as cord, where the detector tells the brain.
    device
        Where the detector runs, see :mod:`spinetools.infer.device`.

    Returns
    -------
    Detection

    Raises
    ------
    NoSpineError
        When the detector is sure of no stretch of cord.
    ModelError
        When the detector cannot be loaded.

    References
    ----------
    Gros C et al. Automatic spinal cord localization, robust to MRI contrasts using global curve
    optimization. Medical Image Analysis 44 (2018) 215–227. The detector here is a small network
    instead of HOG and SVM; the optimisation is the same.
    """
    seen = look(image, model, device)
    spacing = np.asarray(image.space.reoriented(CANONICAL).spacing)
    scores = list(seen.scores)
    forced: dict[int, FloatArray] = {}
    if points_voxel is not None:
        forced = _force(scores, seen, image, points_voxel)
    path = best_path(scores, np.diff(seen.slices) * spacing[2], SMOOTHNESS)
    certainty = np.array([min(float(s[tuple(p)]), 1.0) for s, p in zip(scores, path, strict=True)])
    found = [_centroid(m, p, seen.pixel_mm) for m, p in zip(seen.maps, path, strict=True)]
    centres = np.stack([centre for centre, _ in found])
    radius_mm = np.sqrt(np.array([area for _, area in found]) / np.pi)
    ceiling = None
    if stop_at_brain and seen.brain is not None:
        rows = np.arange(len(path))
        first = _brain_row(certainty, seen.brain[rows, path[:, 0], path[:, 1]])
        certainty[first:] = 0
        ceiling = int(seen.slices[first]) if first < len(path) else None
    for row, place in forced.items():  # a person's word counts more than the detector's
        centres[row], certainty[row] = place, 1.0
    voxels = seen.to_voxels(centres)
    detection = Detection(seen.slices, voxels, certainty, radius_mm, seen.step_mm, ceiling)
    whole_mm = float(spacing[2] * (seen.slices[-1] + 1))
    sure = detection.present & (certainty >= PRESENT)
    if sure.sum() * seen.step_mm < min(LEAST_LENGTH_MM, whole_mm / 2):
        raise NoSpineError(
            f"{image.name}: no spinal cord was found (seen for sure over "
            f"{sure.sum() * seen.step_mm:.0f} mm, expected {LEAST_LENGTH_MM:g} mm or more); "
            "check the image, or give -init-points"
        )
    return detection


@dataclass(frozen=True)
class Looks:
    """What the detector says of the slices that it looked at.

    Attributes
    ----------
    slices
        Slice indices (K,) on the canonical grid.
    maps
        Probability of cord (K, X, Y) on pixels of ``pixel_mm``.
    pixel_mm
        The detector's spacing.
    zoom
        Pixels a voxel along the two axes in the plane (2,).
    step_mm
        Usual distance between two of the slices.
    brain
        Probability of brain (K, X, Y); None where the detector has no such channel.
    """

    slices: IntArray
    maps: Float32Array
    pixel_mm: float
    zoom: FloatArray
    step_mm: float
    brain: Float32Array | None = None

    @property
    def scores(self) -> Iterator[Float32Array]:
        """Mean probability about each pixel, at the width of a cord: a map (X, Y) a slice."""
        sigma = CORD_SIGMA_MM / self.pixel_mm
        return (ndimage.gaussian_filter(m, sigma) for m in self.maps)

    def to_pixels(self, voxels: FloatArray) -> FloatArray:
        """Map places in the plane (…, 2) from voxels to pixels."""
        result: FloatArray = (voxels + 0.5) * self.zoom - 0.5
        return result

    def to_voxels(self, pixels: FloatArray) -> FloatArray:
        """Map places in the plane (…, 2) from pixels to voxels."""
        result: FloatArray = (pixels + 0.5) / self.zoom - 0.5
        return result


def look(image: Image, model: str, device: str = "auto") -> Looks:
    """Run the detector on the axial slices of an image, some 3 mm apart where they are thinner."""
    canonical = image.reorient(CANONICAL)
    detector = OnnxModel(find_model(model), device)
    every = max(1, round(LOOK_EVERY_MM / canonical.space.spacing[2]))
    slices = np.arange(0, canonical.shape[2], every)
    # the last slice belongs to the image as much as the first
    if slices[-1] != canonical.shape[2] - 1:
        slices = np.append(slices, canonical.shape[2] - 1)
    channels = probability_maps(canonical, slices, detector)
    if CORD not in channels:
        raise ModelError(
            f"{detector.path} tells {', '.join(channels)}, expected {CORD}; choose a cord detector"
        )
    zoom = np.array(channels[CORD].shape[1:]) / np.array(canonical.shape[:2])
    step_mm = every * canonical.space.spacing[2]
    pixel_mm = detector.card.spacing_mm[0]
    return Looks(slices, channels[CORD], pixel_mm, zoom, step_mm, channels.get(BRAIN))


def sizes_along(image: Image, places: FloatArray, model: str = "optic") -> Detection:
    """Say how large the cord is along a centreline that is known.

    Parameters
    ----------
    image
        3D, any orientation and contrast.
    places
        Centreline on the canonical grid (K, 3), voxels, a row a slice.
    model
        Name or path of the detector.

    Returns
    -------
    Detection
        Its centres are those given; empty where the detector looked at no slice of them.
    """
    seen = look(image, model)
    rows = np.flatnonzero(np.isin(seen.slices, np.rint(places[:, 2]).astype(int)))
    xy = np.column_stack(
        [np.interp(seen.slices[rows], places[:, 2], places[:, axis]) for axis in (0, 1)]
    )
    pixels = seen.to_pixels(xy)
    limits = np.array(seen.maps.shape[1:]) - 1
    scores, areas = [], []
    for row, pixel in zip(rows, pixels, strict=True):
        nearest = np.clip(np.rint(pixel), 0, limits).astype(int)
        smooth = ndimage.gaussian_filter(seen.maps[row], CORD_SIGMA_MM / seen.pixel_mm)
        scores.append(float(smooth[tuple(nearest)]))
        areas.append(_centroid(seen.maps[row], nearest, seen.pixel_mm)[1])
    radius_mm = np.sqrt(np.array(areas) / np.pi)
    return Detection(seen.slices[rows], xy, np.array(scores), radius_mm, seen.step_mm)


def probability_maps(
    canonical: Image, slices: IntArray, detector: OnnxModel
) -> dict[str, Float32Array]:
    """Run the detector.

    Returns
    -------
    maps
        By label of the card: probability (K, X, Y) on pixels of the detector's spacing.
    """
    pixel_mm, labels = detector.card.spacing_mm[0], detector.card.labels
    in_plane = np.asarray(canonical.space.spacing[:2])
    shape = np.maximum(np.round(np.array(canonical.shape[:2]) * in_plane / pixel_mm), 8).astype(int)
    multiple = detector.card.multiple
    padded = -(-shape // multiple) * multiple
    maps = np.empty((len(labels), len(slices), *shape), dtype=np.float32)
    for first in range(0, len(slices), _BATCH):
        rows = slices[first : first + _BATCH]
        batch = np.zeros((len(rows), 1, *padded), dtype=np.float32)
        for row, k in enumerate(rows):
            plane = _at_pixels(canonical.data[:, :, k], shape)
            normalised = local_contrast(plane, pixel_mm)
            batch[row, 0] = np.pad(
                normalised,
                [(0, int(p - s)) for p, s in zip(padded, shape, strict=True)],
                mode="edge",
            )
        found = detector.run(batch)[:, : len(labels), : shape[0], : shape[1]]
        maps[:, first : first + len(rows)] = found.swapaxes(0, 1)
    return dict(zip(labels, maps, strict=True))


def _brain_row(cord: FloatArray, brain: Float32Array) -> int:
    """Return the first row of the brain: where cord below and brain above fit best.

    One slice that is taken for brain amid the cord does not cut the cord in two, as the sum over
    all slices decides. The number of rows where there is no brain.
    """
    evidence = cord - brain  # of each row being cord
    below = np.concatenate([[0.0], np.cumsum(evidence)])
    fit = 2 * below - below[-1]
    return int(len(fit) - 1 - fit[::-1].argmax())  # of equal ones the highest


def _at_pixels(plane: npt.NDArray[np.generic], shape: IntArray) -> Float32Array:
    """Resample a slice to a shape over the same box, without aliasing."""
    result = plane.astype(np.float32)
    steps = np.array(plane.shape) / shape
    if (steps > 1.01).any():
        result = ndimage.gaussian_filter(
            result, np.sqrt(np.maximum(steps**2 - 1, 0)) / 2.355, mode="nearest"
        )
    if tuple(shape) == plane.shape:
        return result
    x, y = ((np.arange(n) + 0.5) * s - 0.5 for n, s in zip(shape, steps, strict=True))
    resampled: Float32Array = ndimage.map_coordinates(
        result, np.meshgrid(x, y, indexing="ij"), order=1, mode="nearest"
    )
    return resampled


def _centroid(chance: Float32Array, start: IntArray, pixel_mm: float) -> tuple[FloatArray, float]:
    """Centroid (pixels) and area (mm²) of the probability about a pixel.

    Where there is next to none, the pixel itself.
    """
    reach = round(CENTROID_RADIUS_MM / pixel_mm)
    centre, area = start.astype(np.float64), 0.0
    for _ in range(3):
        low = np.maximum(np.round(centre).astype(int) - reach, 0)
        box = chance[low[0] : low[0] + 2 * reach + 1, low[1] : low[1] + 2 * reach + 1]
        x, y = (np.arange(n) + s for n, s in zip(box.shape, low, strict=True))
        near = np.hypot(x[:, None] - centre[0], y[None, :] - centre[1]) <= reach
        weight = np.where(near & (box > 0.2), box, 0)
        total = float(weight.sum())
        if total < 3:
            break
        centre = np.array([(weight.sum(1) * x).sum(), (weight.sum(0) * y).sum()]) / total
        area = total * pixel_mm**2
    return centre, area


def _force(
    scores: list[Float32Array], seen: Looks, image: Image, points_voxel: FloatArray
) -> dict[int, FloatArray]:
    """Leave only the given place open in the slices nearest to the points; give it by row."""
    forced: dict[int, FloatArray] = {}
    canonical = image.space.reoriented(CANONICAL)
    for place in canonical.to_voxel(image.space.to_world(points_voxel)):
        inside = (place > -0.5).all() and (place < np.array(canonical.shape) - 0.5).all()
        if not inside:
            raise InputError(f"an init point lies outside {image.name}; check its space")
        row = int(np.abs(seen.slices - place[2]).argmin())
        forced[row] = seen.to_pixels(place[:2])
        pixel = np.clip(np.rint(forced[row]), 0, np.array(scores[row].shape) - 1).astype(int)
        # not infinite: other points may contradict, and the slope is limited
        scores[row] = scores[row] - 100
        scores[row][tuple(pixel)] += 101
    return forced
