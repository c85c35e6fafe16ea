"""Shape of the cord, slice by slice: area, diameters, eccentricity, orientation, solidity.

Everything is measured in the *slice frame*: millimetres along the first in-slice axis, along the
direction at right angles to it within the slice, and along the slice normal. On an orthogonal grid
that is voxel index × spacing; on a sheared one it is what makes areas, lengths and angles right.
Slices are axial and counted from the inferior end of the grid, whatever the file's orientation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image import Image, Space
from spinetools.metrics.outline import Outline, trace
from spinetools.metrics.overlap import as_fractions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Grid on which slices are counted from the inferior end (nibabel's letters).
AXIAL = ("R", "A", "S")
#: The AP diameter is the mean over this middle part of the RL diameter: a single line would
#: follow every step of the pixels, and the sides are rounder.
MIDDLE_PART = 1 / 3
#: Mean over that part of an ellipse's chords, as a fraction of its diameter: the mean of
#: √(1 − x²) over |x| < MIDDLE_PART.
MIDDLE_CHORD = (np.sqrt(1 - MIDDLE_PART**2) + np.arcsin(MIDDLE_PART) / MIDDLE_PART) / 2
#: What interpolation leaves of zero.
NEAR_ZERO = 1e-6


@dataclass(frozen=True, eq=False)
class SliceShapes:
    """Measures of each axial slice, from the inferior end; arrays of shape (number of slices,).

    A slice without mask is NaN in all of them. A slice in which no voxel reaches one half has an
    area and no shape.

    Attributes
    ----------
    area_mm2
        Area at right angles to the cord: sum of fractions × pixel area × cos(angle).
    angle_ap_deg, angle_rl_deg
        Angle between cord and slice normal about the AP axis (positive where the cord goes to the
        left on its way up) and about the RL axis (positive where it goes forward).
    diameter_ap_mm
        Mean extent along the cord's own AP axis over the middle third of its width, divided by
        what that is for an ellipse of diameter 1.
    diameter_rl_mm
        Diameter along the cord's own RL axis of the ellipse with the same second moments.
    eccentricity
        Of that ellipse: 0 for a circle, towards 1 for a line.
    orientation_deg
        Angle by which the cord is turned about itself, −45 to 45: 0 where its AP axis lies in the
        grid's sagittal plane, positive where its left side is turned forward.
    solidity
        Area over that of the convex hull.
    length_mm
        Length of cord in the slice: slice distance / cos(angle).
    objects
        Number of separate objects; 0 without mask.
    """

    area_mm2: FloatArray
    angle_ap_deg: FloatArray
    angle_rl_deg: FloatArray
    diameter_ap_mm: FloatArray
    diameter_rl_mm: FloatArray
    eccentricity: FloatArray
    orientation_deg: FloatArray
    solidity: FloatArray
    length_mm: FloatArray
    objects: IntArray

    @property
    def slices(self) -> IntArray:
        """Indices of the slices that have mask, from the inferior end."""
        return np.flatnonzero(np.isfinite(self.area_mm2))


def measure_slices(mask: Image, tangents: npt.ArrayLike | None = None) -> SliceShapes:
    """Measure the cord in every axial slice.

    Parameters
    ----------
    mask
        Cord mask in any orientation; binary, or soft with fractions from 0 to 1.
    tangents
        Direction of the cord in each slice: shape (number of slices, 3), in the slice frame, of
        any length, third component positive. What is measured is then the section at right angles
        to the cord. None measures within the slices as they are.

    Returns
    -------
    SliceShapes

    Raises
    ------
    InputError
        When the mask is no mask, or tangents do not fit it.

    Notes
    -----
    The section at right angles comes from the slice by projection along the cord: exact for a
    straight cord, whatever its section. Diameters and angles are those of the projected outline,
    not of a resampled picture.
    """
    image = mask.reorient(AXIAL)
    frame = slice_frame(image.space)
    volume = as_fractions(image.data)
    directions = _unit_tangents(tangents, volume.shape[2])
    columns = np.full((volume.shape[2], 9), np.nan)
    objects = np.zeros(volume.shape[2], dtype=np.int64)
    for index in np.flatnonzero((volume > NEAR_ZERO).any(axis=(0, 1))):
        patch = _box_around(volume[:, :, index])
        left, forward, up = -directions[index, 0], *directions[index, 1:]
        to_mm = _projection(directions[index]) @ frame[:2, :2]
        outline = trace(patch)
        area = float(patch.sum()) * abs(np.linalg.det(to_mm))
        shape = (np.nan,) * 5 if outline is None else _shape(patch, outline, to_mm)
        angles = np.degrees([np.arctan2(left, up), np.arctan2(forward, up)])
        columns[index] = [area, *angles, *shape, frame[2, 2] / up]
        objects[index] = 0 if outline is None else outline.objects
    return SliceShapes(
        area_mm2=columns[:, 0],
        angle_ap_deg=columns[:, 1],
        angle_rl_deg=columns[:, 2],
        diameter_ap_mm=columns[:, 3],
        diameter_rl_mm=columns[:, 4],
        eccentricity=columns[:, 5],
        orientation_deg=columns[:, 6],
        solidity=columns[:, 7],
        length_mm=columns[:, 8],
        objects=objects,
    )


def slice_frame(space: Space) -> FloatArray:
    """Return the matrix from voxel indices to mm in the slice frame.

    Parameters
    ----------
    space
        A grid; its third axis counts the slices.

    Returns
    -------
    ndarray
        Shape (3, 3), upper triangular with a positive diagonal: pixel width, pixel height and
        slice distance (at right angles) on the diagonal, shear above it.
    """
    upper = np.linalg.qr(space.affine[:3, :3], mode="r")
    frame: FloatArray = upper * np.sign(np.diag(upper))[:, None]
    return frame


def slice_centres(mask: Image) -> tuple[IntArray, FloatArray]:
    """Return the mask's centre of mass in each axial slice.

    Parameters
    ----------
    mask
        Binary or soft, in any orientation.

    Returns
    -------
    slices
        Indices (K,) of the slices that have mask, from the inferior end.
    points_mm
        Centres (K, 3) in the slice frame.
    """
    image = mask.reorient(AXIAL)
    volume = as_fractions(image.data)
    mass = volume.sum(axis=(0, 1), dtype=np.float64)
    slices = np.flatnonzero(mass > NEAR_ZERO)
    across = [volume.sum(axis=other, dtype=np.float64)[:, slices] for other in (1, 0)]
    i, j = (np.arange(len(sums)) @ sums / mass[slices] for sums in across)
    return slices, np.stack([i, j, slices], axis=1) @ slice_frame(image.space).T


def mean_inside(mask: Image, image: Image) -> FloatArray:
    """Return an image's mean inside a mask, in each axial slice.

    Parameters
    ----------
    mask
        Binary, or soft (fractions are weights).
    image
        On the grid of ``mask``; either may lie in any orientation.

    Returns
    -------
    ndarray
        One value a slice, counted from the inferior end; NaN without mask.

    Raises
    ------
    SpaceMismatch
        When the two are not on one grid.
    """
    weights, values = mask.reorient(AXIAL), image.reorient(AXIAL)
    values.space.check_same(weights.space, names=(image.name, mask.name))
    fractions = as_fractions(weights.data)
    mass = fractions.sum(axis=(0, 1), dtype=np.float64)
    total = (fractions * values.data).sum(axis=(0, 1), dtype=np.float64)
    means: FloatArray = np.full(len(mass), np.nan)
    np.divide(total, mass, out=means, where=mass > NEAR_ZERO)
    return means


def _shape(
    patch: FloatArray, outline: Outline, to_mm: FloatArray
) -> tuple[float, float, float, float, float]:
    """AP and RL diameter, eccentricity, orientation, solidity of one slice."""
    variances, axes = np.linalg.eigh(to_mm @ outline.covariance @ to_mm.T)
    # the cord's own RL axis is the principal axis nearer to the grid's
    chosen = int(np.argmax(np.abs(axes[0])))
    right = axes[:, chosen] * np.sign(axes[0, chosen])
    diameter_rl = 4 * float(np.sqrt(variances[chosen]))
    diameter_ap = _middle_extent(patch, to_mm, right, diameter_rl * MIDDLE_PART) / MIDDLE_CHORD
    eccentricity = float(np.sqrt(1 - variances[0] / variances[1]))
    # turned from the right towards the front is the left turned back: hence the sign
    orientation = -float(np.degrees(np.arctan2(right[1], right[0])))
    return diameter_ap, diameter_rl, eccentricity, orientation, outline.solidity


def _middle_extent(
    patch: FloatArray, to_mm: FloatArray, axis: FloatArray, width_mm: float
) -> float:
    """Mean extent (mm) at right angles to an axis, over a strip about the centre of mass.

    A pixel that the edge of the strip crosses counts with the part that lies inside, which is
    exact: a pixel's shadow on the axis is a trapezoid.
    """
    places = np.argwhere(patch > NEAR_ZERO)
    mass = patch[tuple(places.T)]
    along = places @ (axis @ to_mm)
    along = along - np.average(along, weights=mass)
    sides = np.maximum(np.abs(axis @ to_mm), 1e-9)
    inside = _shadow_below(along, width_mm / 2, sides) - _shadow_below(along, -width_mm / 2, sides)
    return float((mass * inside).sum() * abs(np.linalg.det(to_mm)) / width_mm)


def _shadow_below(along: FloatArray, limit: float, sides: FloatArray) -> FloatArray:
    """Part of each pixel's shadow that lies below a limit; ``sides`` are those of the pixel."""
    reach = limit - along
    outer, inner = (sides[0] + sides[1]) / 2, abs(sides[0] - sides[1]) / 2
    # the trapezoid of height 1 / (longer side), integrated from its lower end
    clipped = np.clip(reach, -outer, outer)
    rising = np.minimum(clipped, -inner) + outer
    falling = np.maximum(clipped - inner, 0)
    flat = np.clip(clipped, -inner, inner) + inner
    slope = outer - inner
    part: FloatArray = (rising**2 / (2 * slope) + flat + falling - falling**2 / (2 * slope)) / max(
        sides
    )
    return part


def _projection(direction: FloatArray) -> FloatArray:
    """From the slice along the cord to the section at right angles to it (2, 2).

    The section's axes are (0, up, −forward), the direction across the cord that lies in the grid's
    sagittal plane, and the one at right angles to it; the determinant is cos(angle).
    """
    x, y, z = direction
    side = float(np.sqrt(1 - x * x))
    return np.array([[side, -x * y / side], [0, z / side]])


def _unit_tangents(tangents: npt.ArrayLike | None, count: int) -> FloatArray:
    if tangents is None:
        return np.tile([0.0, 0.0, 1.0], (count, 1))
    vectors = np.asarray(tangents, dtype=np.float64)
    if vectors.shape != (count, 3) or not (vectors[:, 2] > 0).all():
        raise InputError(
            f"tangents of shape {vectors.shape}, expected ({count}, 3): one a slice, upwards"
        )
    unit: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _box_around(values: npt.NDArray[np.float64]) -> FloatArray:
    """Cut out the part that is not zero, as float."""
    rows = np.flatnonzero((values > NEAR_ZERO).any(axis=1))
    columns = np.flatnonzero((values > NEAR_ZERO).any(axis=0))
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64)
