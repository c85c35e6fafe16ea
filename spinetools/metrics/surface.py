"""Distances between the surfaces of two masks, in mm, on any grid.

A mask's surface is those of its voxels that share a face with the background or with the edge of
the image. Distances are taken between voxel centres in scanner space, so that anisotropic, oblique
and sheared grids need no special care. Definitions follow Maier-Hein, Reinke et al., Metrics
reloaded, Nature Methods 2024, 21:195.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree

from spinetools.errors import InputError
from spinetools.image import Space

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances from each surface voxel of one mask to the nearest one of the other, in mm.

    Attributes
    ----------
    forward
        From the first mask to the second, one value a surface voxel.
    backward
        From the second mask to the first.
    """

    forward: FloatArray
    backward: FloatArray

    @property
    def hausdorff(self) -> float:
        """Largest distance, either way."""
        return float(max(self.forward.max(), self.backward.max()))

    @property
    def hd95(self) -> float:
        """95th percentile of the distances, the larger of the two ways."""
        return self.percentile(95)

    @property
    def mean(self) -> float:
        """Mean over all surface voxels of both masks (average symmetric surface distance)."""
        total = self.forward.sum() + self.backward.sum()
        return float(total / (self.forward.size + self.backward.size))

    def percentile(self, percent: float) -> float:
        """Return a percentile of the distances, the larger of the two ways."""
        return float(
            max(np.percentile(self.forward, percent), np.percentile(self.backward, percent))
        )


def surface_distances(
    first: npt.NDArray[Any],
    second: npt.NDArray[Any],
    space: Space,
    within: npt.NDArray[Any] | None = None,
) -> SurfaceDistances:
    """Measure from each mask's surface to the other's, in 3D.

    Parameters
    ----------
    first, second
        3D masks on ``space``; what differs from zero is the object.
    space
        Their grid.
    within
        Mask of the voxels to measure *from*; what they are measured *to* is always the whole
        other surface, so that the edge of a region makes no surface of its own.

    Returns
    -------
    SurfaceDistances

    Raises
    ------
    InputError
        When a mask is empty (no distance exists), or has no surface in ``within``.
    """
    places = [_surface_places(mask, space, name) for mask, name in _named(first, second)]
    sources = places
    if within is not None:
        sources = [where[within[tuple(where.T)] != 0] for where in places]
        if min(len(source) for source in sources) == 0:
            raise InputError("a mask has no surface in the slices to compare; nothing to measure")
    return SurfaceDistances(
        _nearest_mm(sources[0], places[1], space), _nearest_mm(sources[1], places[0], space)
    )


def surface_distances_by_slice(
    first: npt.NDArray[Any], second: npt.NDArray[Any], space: Space, axis: int = 2
) -> dict[int, SurfaceDistances]:
    """Measure between the outlines of two masks in each slice, in 2D.

    Parameters
    ----------
    first, second
        3D masks on ``space``.
    space
        Their grid.
    axis
        Slices lie across this axis.

    Returns
    -------
    dict
        By slice index, for the slices in which both masks have voxels; there may be none.
    """
    for mask, name in _named(first, second):
        _check_shape(mask, space, name)
    outlines = [surface_voxels(mask, axis=axis) for mask in (first, second)]
    others = tuple(other for other in range(3) if other != axis)
    occupied: list[BoolArray] = [np.asarray(outline.any(axis=others)) for outline in outlines]
    shared = occupied[0] & occupied[1]
    if not shared.any():
        return {}
    places = [np.argwhere(outline) for outline in outlines]
    places = [where[shared[where[:, axis]]] for where in places]
    # one tree for all slices: a fourth coordinate keeps them further apart than the image is wide
    width_mm = float(np.linalg.norm(np.multiply(space.shape, space.spacing)))
    points = [
        np.column_stack([space.to_world(where), where[:, axis] * 2 * width_mm]) for where in places
    ]
    forward = KDTree(points[1]).query(points[0])[0]
    backward = KDTree(points[0]).query(points[1])[0]
    return {
        int(index): SurfaceDistances(
            forward[places[0][:, axis] == index], backward[places[1][:, axis] == index]
        )
        for index in np.flatnonzero(shared)
    }


def hausdorff_distance(first: npt.NDArray[Any], second: npt.NDArray[Any], space: Space) -> float:
    """Return the Hausdorff distance of two masks in mm; see :func:`surface_distances`."""
    return surface_distances(first, second, space).hausdorff


def surface_voxels(mask: npt.NDArray[Any], axis: int | None = None) -> BoolArray:
    """Mark the voxels of a mask that share a face with the background or the image's edge.

    Parameters
    ----------
    mask
        3D; what differs from zero is the object.
    axis
        Only faces within slices across this axis count (outlines of slices); None for all.

    Returns
    -------
    ndarray of bool
        Same shape.
    """
    foreground = np.asarray(mask != 0)
    surface = np.zeros_like(foreground)
    occupied = np.nonzero(foreground)
    if not len(occupied[0]):
        return surface
    box = tuple(slice(int(places.min()), int(places.max()) + 1) for places in occupied)
    neighbours = ndimage.generate_binary_structure(3, 1)
    if axis is not None:
        for end in (0, 2):
            neighbours[tuple(end if other == axis else slice(None) for other in range(3))] = False
    # beyond the box lies background, or the edge of the image, which counts as such
    inner = ndimage.binary_erosion(foreground[box], structure=neighbours)
    surface[box] = foreground[box] & ~inner
    return surface


def thinned(mask: npt.NDArray[Any]) -> BoolArray:
    """Reduce a 3D mask to the skeleton of each slice across its last axis."""
    from skimage.morphology import skeletonize  # slow to import, and seldom needed

    foreground = np.asarray(mask != 0)
    skeleton = np.zeros_like(foreground)
    for index in np.flatnonzero(foreground.any(axis=(0, 1))):
        skeleton[:, :, index] = skeletonize(  # type: ignore[no-untyped-call]
            foreground[:, :, index]
        )
    return skeleton


def _nearest_mm(sources: IntArray, targets: IntArray, space: Space) -> FloatArray:
    """Distance in mm from each source voxel to the nearest target voxel."""
    distances: FloatArray = KDTree(space.to_world(targets)).query(space.to_world(sources))[0]
    return distances


def _surface_places(mask: npt.NDArray[Any], space: Space, name: str) -> IntArray:
    _check_shape(mask, space, name)
    places = np.argwhere(surface_voxels(mask))
    if not len(places):
        raise InputError(f"{name} is empty: distances to or from it do not exist")
    return places


def _check_shape(mask: npt.NDArray[Any], space: Space, name: str) -> None:
    if mask.shape != space.shape:
        raise InputError(f"{name} has the shape {mask.shape}, expected the grid's {space.shape}")


def _named(
    first: npt.NDArray[Any], second: npt.NDArray[Any]
) -> tuple[tuple[npt.NDArray[Any], str], tuple[npt.NDArray[Any], str]]:
    return (first, "the first mask"), (second, "the second mask")
