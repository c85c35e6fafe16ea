"""Overlap of two masks: Dice, Jaccard, sensitivity, precision, volumes; hard or soft.

Soft masks hold the fraction of each voxel that belongs to the object, from 0 to 1. Their
intersection is the voxel-wise minimum and their union the maximum (Crum et al., IEEE TMI 2006,
25(11):1451), so that a mask compared with itself has a Dice of 1, and binary masks give the usual
values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image import Image

FloatArray = npt.NDArray[np.float64]

#: How far values of a soft mask may lie outside 0 to 1 (a spline's ringing) before it is none.
SOFT_TOLERANCE = 0.1


@dataclass(frozen=True)
class Overlap:
    """What two masks share, in voxels (fractions count as such).

    Attributes
    ----------
    first, second
        Size of each mask.
    intersection
        Size of what they share.
    """

    first: float
    second: float
    intersection: float

    @property
    def union(self) -> float:
        """Size of what belongs to either."""
        return self.first + self.second - self.intersection

    @property
    def dice(self) -> float:
        """``2 |A ∩ B| / (|A| + |B|)``; NaN where both masks are empty, as nothing was compared."""
        return _ratio(2 * self.intersection, self.first + self.second)

    @property
    def jaccard(self) -> float:
        """``|A ∩ B| / |A ∪ B|``; NaN where both masks are empty."""
        return _ratio(self.intersection, self.union)

    @property
    def sensitivity(self) -> float:
        """Fraction of the second mask (the reference) that the first has; NaN if it is empty."""
        return _ratio(self.intersection, self.second)

    @property
    def precision(self) -> float:
        """Fraction of the first mask that is in the second; NaN if the first is empty."""
        return _ratio(self.intersection, self.first)


def overlap(first: npt.ArrayLike, second: npt.ArrayLike) -> Overlap:
    """Compare two masks of one shape.

    Parameters
    ----------
    first, second
        Any shape. Boolean or integer: what differs from zero is the object. Floating point:
        fractions from 0 to 1 (see :func:`as_fractions`).

    Returns
    -------
    Overlap

    Raises
    ------
    InputError
        When the shapes differ, or a soft mask has values far outside 0 to 1.
    """
    a, b = as_fractions(first), as_fractions(second)
    _check_shapes(a, b)
    both = a & b if a.dtype == b.dtype == np.bool_ else np.minimum(a, b)
    return Overlap(_size(a), _size(b), _size(both))


def dice(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the Dice coefficient of two masks; NaN where both are empty."""
    return overlap(first, second).dice


def overlap_by_label(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> dict[int, Overlap]:
    """Compare two label volumes, label by label.

    Parameters
    ----------
    first, second
        Whole numbers, one shape; 0 is background.

    Returns
    -------
    dict
        By label value, in ascending order: every value that either volume has.

    Raises
    ------
    InputError
        When the shapes differ or a value is no whole number.
    """
    a, b = _as_labels(first), _as_labels(second)
    _check_shapes(a, b)
    sizes = [dict(zip(*_counts(values), strict=True)) for values in (a, b, a[a == b])]
    labels = sorted((sizes[0].keys() | sizes[1].keys()) - {0})
    return {label: Overlap(*(float(counts.get(label, 0)) for counts in sizes)) for label in labels}


def overlap_by_slice(first: npt.ArrayLike, second: npt.ArrayLike, axis: int = 2) -> list[Overlap]:
    """Compare two 3D masks slice by slice across an axis; see :func:`overlap`."""
    a, b = as_fractions(first), as_fractions(second)
    _check_shapes(a, b)
    others = tuple(other for other in range(a.ndim) if other != axis)
    sums = [values.sum(axis=others, dtype=np.float64) for values in (a, b, np.minimum(a, b))]
    return [Overlap(float(x), float(y), float(z)) for x, y, z in zip(*sums, strict=True)]


def volume_mm3(mask: Image) -> float:
    """Return the volume of a mask in mm³; of a soft mask, the sum of its fractions."""
    return _size(as_fractions(mask.data)) * mask.space.voxel_volume


def as_fractions(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Read a mask as bool, or as float64 fractions from 0 to 1.

    Whole numbers (of any type) are binary: what differs from zero is the object. Other values are
    fractions; those that lie outside 0 to 1 by no more than 0.1 are clipped.

    Raises
    ------
    InputError
        When values are further outside, or not finite.
    """
    array: npt.NDArray[Any] = np.asarray(values)
    if array.dtype == np.bool_:
        return array
    binary: npt.NDArray[np.bool_] = array != 0
    if array.dtype.kind in "ui":
        return binary
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError("a mask has values that are NaN or infinite; replace them first")
    if (array == np.rint(array)).all():
        return binary
    if low < -SOFT_TOLERANCE or high > 1 + SOFT_TOLERANCE:
        raise InputError(
            f"a mask has values from {low:.4g} to {high:.4g}, expected fractions from 0 to 1 or "
            "whole numbers; scale it or set a threshold first"
        )
    fractions: FloatArray = np.clip(array.astype(np.float64), 0, 1)
    return fractions


def _as_labels(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.asarray(values)
    if array.dtype.kind == "f":
        rounded = np.rint(array)
        if not (array == rounded).all():
            raise InputError(
                "a label volume has values that are no whole numbers; compare it as a soft mask"
            )
        array = rounded.astype(np.int64)
    return array


def _counts(values: npt.NDArray[Any]) -> tuple[list[int], list[int]]:
    found, counts = np.unique(values, return_counts=True)
    return [int(value) for value in found], [int(count) for count in counts]


def _check_shapes(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise InputError(f"masks of shapes {a.shape} and {b.shape}, expected the same shape")


def _size(mask: npt.NDArray[Any]) -> float:
    return float(np.count_nonzero(mask) if mask.dtype == np.bool_ else mask.sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
