"""Labels as single voxels, and what ``st_label_utils`` does to label images."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image.image import Image
from spinetools.image.load import check_finite, load_grid
from spinetools.image.orientation import reorient_array

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]

#: Axes right to left, front to back, *feet to head*: SCT's RPI, in nibabel's letters.
_UPWARDS = ("L", "A", "S")
_UP = 2


@dataclass(frozen=True, order=True)
class Point:
    """A label on one voxel, in the file's own axes."""

    x: int
    y: int
    z: int
    value: float

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.z},{self.number}"

    @property
    def number(self) -> str:
        """The value as a person writes it."""
        whole = float(self.value).is_integer()
        return str(int(self.value)) if whole else f"{self.value:g}"


def load_labels(path: str | os.PathLike[str]) -> Image:
    """Load a 3D label image; one without any label is allowed.

    Raises
    ------
    InputError
        When the file cannot be used: see :meth:`Image.load`; also 4D, NaN or infinite.
    """
    image = load_grid(path)
    if image.n_volumes > 1:
        raise InputError(f"{image.name} is 4D {image.shape}, expected 3D labels")
    check_finite(image)
    return image


def points_of(image: Image) -> list[Point]:
    """Return every voxel that is not zero, sorted by value, then by place."""
    where = np.argwhere(image.data)
    values = image.data[tuple(where.T)]
    points = [
        Point(int(x), int(y), int(z), value)
        for (x, y, z), value in zip(where, values.tolist(), strict=True)
    ]
    return sorted(points, key=lambda point: (point.value, point))


def create(image: Image, points: Sequence[Point]) -> Image:
    """Return an image of zeros on the grid, with points set.

    Raises
    ------
    InputError
        When a point lies outside the image.
    """
    return add_points(image.like(np.zeros(image.space.shape, np.uint8)), points)


def add_points(image: Image, points: Sequence[Point]) -> Image:
    """Return the label image with more points; the type widens where a value needs it."""
    array = _for_values(image.data, [point.value for point in points]).copy()
    taken: dict[tuple[int, int, int], Point] = {}
    for point in points:
        place = (point.x, point.y, point.z)
        if not all(0 <= index < n for index, n in zip(place, image.space.shape, strict=True)):
            raise InputError(
                f"the point {point} lies outside {image.name}, whose shape is {image.space.shape}"
            )
        if place in taken:
            logger.warning("%s and %s share a voxel; the later one is kept", taken[place], point)
        taken[place] = point
        array[place] = point.value
    return image.like(array)


def add_value(image: Image, number: int) -> Image:
    """Add a number to every label; zero stays zero."""
    labels = image.data != 0
    wanted = image.data[labels].astype(np.float64) + number
    array = _for_values(image.data, wanted[[*_extremes(wanted)]]).copy()
    array[labels] = wanted
    if (wanted == 0).any():
        logger.warning("labels of value %d become 0 and vanish", -number)
    return image.like(array)


def keep_values(image: Image, values: Iterable[int]) -> Image:
    """Set labels of other values to zero; a value that does not occur is said."""
    wanted = _said_where_missing(image, values)
    return image.like(np.where(np.isin(image.data, wanted), image.data, 0).astype(image.data.dtype))


def remove_values(image: Image, values: Iterable[int]) -> Image:
    """Set labels of these values to zero; a value that does not occur is said."""
    wanted = _said_where_missing(image, values)
    return image.like(np.where(np.isin(image.data, wanted), 0, image.data).astype(image.data.dtype))


def replace_values(image: Image, changes: Mapping[int, int]) -> Image:
    """Give labels new values; those that are not in ``changes`` become zero."""
    highest = max(changes.values(), default=0)
    array = np.zeros(image.space.shape, np.min_scalar_type(highest))
    for old, new in changes.items():
        array[image.data == old] = new
    return image.like(array)


def whole_values(image: Image) -> list[int]:
    """Return the label values that occur, without zero.

    Raises
    ------
    InputError
        When one is not a whole number above zero.
    """
    values = [value for value in np.unique(image.data).tolist() if value != 0]
    wrong = next((value for value in values if value < 0 or value != int(value)), None)
    if wrong is not None:
        raise InputError(f"{image.name} has a label {wrong:g}, expected whole numbers above zero")
    return [int(value) for value in values]


def number_downwards(image: Image) -> Image:
    """Give the labelled voxels the values 1, 2, 3, … from the head to the feet."""
    upright = image.reorient(_UPWARDS)
    where = np.argwhere(upright.data)
    if not len(where):
        raise InputError(f"{image.name} is empty: it has no labels")
    order = np.lexsort((where[:, 1], where[:, 0], -where[:, _UP]))
    array = np.zeros(upright.shape, np.min_scalar_type(len(where)))
    array[tuple(where[order].T)] = np.arange(1, len(where) + 1)
    return _back_on(image, array)


def centres(image: Image, values: Iterable[int] | None = None) -> Image:
    """Shrink each label to one voxel, at the mean of its voxels.

    Parameters
    ----------
    image
        Labels of any size.
    values
        Only these; a value that does not occur is said. None takes all.
    """
    if not image.data.any():
        raise InputError(f"{image.name} is empty: it has no labels")
    wanted = None if values is None else _said_where_missing(image, values)
    where = np.argwhere(image.data)
    found, group = np.unique(image.data[tuple(where.T)], return_inverse=True)
    counts = np.bincount(group.ravel())
    means = np.stack(
        [np.bincount(group.ravel(), weights=where[:, axis]) / counts for axis in range(3)], axis=1
    )
    points = [
        _point_near(mean, value)
        for mean, value in zip(means, found.tolist(), strict=True)
        if wanted is None or value in wanted
    ]
    empty = image.like(np.zeros_like(image.data))
    return add_points(empty, points)


def along_segmentation(image: Image, labels: Sequence[tuple[int, int]]) -> Image:
    """Put labels at the centre of a segmentation.

    Parameters
    ----------
    image
        Segmentation or centreline, binary or soft.
    labels
        Slice and value of each label; slices are counted from the lowest one (0) upwards, whatever
        the file's axes.

    Raises
    ------
    InputError
        When a slice lies outside the image or has no segmentation.
    """
    upright = image.reorient(_UPWARDS)
    filled = np.flatnonzero(upright.data.any(axis=(0, 1)))
    if not filled.size:
        raise InputError(f"{image.name} is an empty segmentation")
    points = []
    for z, value in labels:
        if z not in filled:
            raise InputError(
                f"{image.name} has no segmentation in slice {z}; it reaches from slice "
                f"{filled[0]} to {filled[-1]}, counted upwards from the lowest slice (0)"
            )
        points.append(_point_near([*_centre(upright.data[:, :, z]), z], value))
    return _back_on(image, create(upright, points).data)


def middle_slice(image: Image) -> int:
    """Return the slice half-way up the image, counted from the lowest one."""
    return round(image.reorient(_UPWARDS).shape[_UP] / 2)


def project(labels: Image, centreline: Image) -> Image:
    """Move each label to the nearest point of a centreline, in mm.

    Parameters
    ----------
    labels
        Single voxels; larger labels are shrunk to their centres first.
    centreline
        Centreline or segmentation on the same grid: its centre in each axial slice counts.
    """
    centreline.space.check_same(labels.space, (centreline.name, labels.name))
    line = centreline.reorient(_UPWARDS)
    filled = np.flatnonzero(line.data.any(axis=(0, 1)))
    if not filled.size:
        raise InputError(f"{centreline.name} is empty: there is no centreline to project on")
    voxels = np.array([[*_centre(line.data[:, :, z]), z] for z in filled])
    world = line.space.to_world(voxels)
    moved = []
    for point in points_of(centres(labels)):
        place = labels.space.to_world((point.x, point.y, point.z))
        nearest = int(np.argmin(np.linalg.norm(world - place, axis=1)))
        moved.append(_point_near(voxels[nearest], point.value))
    return _back_on(centreline, create(line, moved).data)


def n_slices_reached(image: Image) -> int:
    """Return the number of axial slices that have a voxel different from zero."""
    return int(image.reorient(_UPWARDS).data.any(axis=(0, 1)).sum())


def is_points(image: Image) -> bool:
    """Whether every label is one voxel, as disc labels are."""
    values, counts = np.unique(image.data[image.data != 0], return_counts=True)
    return bool(values.size) and bool((counts == 1).all())


def _back_on(image: Image, upright: Array) -> Image:
    """Put an upright array back on an image's own axes, under its untouched header."""
    return image.like(reorient_array(upright, _UPWARDS, image.space.nib_codes))


def _point_near(place: Sequence[float] | Array, value: float) -> Point:
    x, y, z = (int(index) for index in np.rint(place))
    return Point(x, y, z, value)


def _centre(plane: Array) -> npt.NDArray[np.float64]:
    """Return the centre of mass of a slice."""
    where = np.argwhere(plane)
    centre: npt.NDArray[np.float64] = np.average(where, axis=0, weights=plane[tuple(where.T)])
    return centre


def _for_values(array: Array, values: Sequence[float] | Array) -> Array:
    """Return the array in a type that holds these values too."""
    dtype = array.dtype
    for value in values:
        number = int(value) if float(value).is_integer() else float(value)
        needed = np.min_scalar_type(number)
        if dtype.kind in "iu" and needed.kind in "iu":
            limits = np.iinfo(dtype)
            if limits.min <= number <= limits.max:
                continue
        dtype = np.promote_types(dtype, needed)
    return array.astype(dtype, copy=False)


def _extremes(values: Array) -> list[int]:
    return [int(values.argmin()), int(values.argmax())] if values.size else []


def _said_where_missing(image: Image, values: Iterable[int]) -> list[int]:
    wanted = list(values)
    present = set(np.unique(image.data).tolist())
    missing = [str(value) for value in wanted if value not in present]
    if missing:
        logger.warning("%s has no label %s", image.name, ", ".join(missing))
    return wanted
