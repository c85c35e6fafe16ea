"""What a person corrected: cross-sections drawn whole, and voxels that mark the edge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.propseg.profiles import FloatArray, IntArray, radii_axis, ray_angles
from spinetools.propseg.tube import Tube

BoolArray = npt.NDArray[np.bool_]

#: Grid on which everything is computed (nibabel letters).
CANONICAL = ("R", "A", "S")

#: A slice in which a disc of this radius fits into what is marked shows the cord as a whole; a
#: stroke along its edge is thinner. The smallest cord in the field's tables, at T9, is 6.2 mm
#: front to back (PAM50, spine-generic).
WHOLE_RADIUS_MM = 1.75
#: How far along the cord a drawn cross-section leads the surface.
REACH_MM = 20.0
#: A fit that is no further than this from what drawn slices nearby say agrees with them.
AGREE_MM = 0.5
#: How far along the cord, and over how many rays, a marked voxel pulls the surface along.
PULL_MM, PULL_RAYS = 3.0, 2.0


@dataclass(frozen=True)
class Correction:
    """A person's marks, on the canonical grid.

    Attributes
    ----------
    drawn
        The cord, in slices where it was drawn as a whole (X, Y, Z).
    edge
        Voxels on the cord's edge, in other slices (X, Y, Z).
    rings
        The drawn cross-sections, one ring each.
    """

    drawn: BoolArray
    edge: BoolArray
    rings: Tube

    @property
    def slices(self) -> IntArray:
        """Slices that were drawn as a whole."""
        return self.rings.slices


def read_correction(marks: npt.NDArray[np.generic], spacing: FloatArray, n_rays: int) -> Correction:
    """Tell cross-sections drawn whole, filled or as a closed outline, from voxels on the edge.

    Parameters
    ----------
    marks
        What a person marked (X, Y, Z), on the canonical grid; not zero where marked.
    spacing
        Voxel size in mm (3,).
    n_rays
        Vertices of the rings.

    Raises
    ------
    InputError
        When nothing is marked.
    """
    marked = np.asarray(marks != 0)
    found = np.flatnonzero(marked.any(axis=(0, 1)))
    if not len(found):
        raise InputError("-mask-correction is empty; mark voxels on the cord's edge, or draw it")
    drawn = np.zeros_like(marked)
    whole = []
    for k in found.tolist():
        filled = ndimage.binary_fill_holes(marked[:, :, k])
        # from the outermost voxels' outer edge, not from their centres
        depth = ndimage.distance_transform_edt(np.pad(filled, 1), sampling=spacing[:2])
        if depth.max() - 0.5 * float(min(spacing[:2])) >= WHOLE_RADIUS_MM:
            drawn[:, :, k] = filled
            whole.append(k)
    edge = marked & ~np.isin(np.arange(marked.shape[2]), whole)
    return Correction(drawn, edge, _rings(drawn, np.array(whole, dtype=np.int64), spacing, n_rays))


def drawn_places(correction: Image, rescale: float = 1.0) -> npt.NDArray[np.float64]:
    """Return the centre of each cross-section that was drawn whole, as voxels of the image (N, 3).

    The centreline has to pass there, whatever a detector sees.
    """
    canonical = correction.reorient(CANONICAL)
    spacing = np.asarray(canonical.space.spacing) * rescale
    rings = read_correction(canonical.data, spacing, n_rays=8).rings
    places = np.column_stack([rings.centres_mm / spacing[:2], rings.slices])
    return correction.space.to_voxel(canonical.space.to_world(places))


def _rings(drawn: BoolArray, slices: IntArray, spacing: FloatArray, n_rays: int) -> Tube:
    """Describe drawn cross-sections by radii about their centres, with the area as drawn."""
    angles, radii = ray_angles(n_rays), radii_axis()
    centres, rings = np.zeros((len(slices), 2)), np.ones((len(slices), n_rays))
    for row, k in enumerate(slices.tolist()):
        mask = drawn[:, :, k]
        centres[row] = np.array(ndimage.center_of_mass(mask)) * spacing[:2]
        where = [
            (centres[row, axis] + np.outer(turn(angles), radii)) / spacing[axis]
            for axis, turn in enumerate((np.cos, np.sin))
        ]
        inside = ndimage.map_coordinates(mask.astype(np.float32), where, order=1) >= 0.5
        # the last place inside: a bay is closed, as a ring has one radius an angle
        rings[row] = radii[len(radii) - 1 - np.argmax(inside[:, ::-1], axis=1)]
        area_mm2 = float(mask.sum()) * spacing[0] * spacing[1]
        rings[row] *= np.sqrt(area_mm2 / (np.pi * (rings[row] ** 2).mean()))
    return Tube(slices, centres, rings)


@dataclass(frozen=True)
class Course:
    """The way that the tube grows: a centre and a size a slice.

    Attributes
    ----------
    slices
        (K,), increasing by one.
    centres_mm
        (K, 2).
    radius_mm
        (K,).
    n_below
        How many of the first rows lie below the cord that was seen.
    """

    slices: IntArray
    centres_mm: FloatArray
    radius_mm: FloatArray
    n_below: int


def lead(path: Course, rings: Tube, step_mm: float, sized: bool = True) -> Course:
    """Lead the course through drawn cross-sections, and on to those beyond its ends.

    Parameters
    ----------
    path
        As it was found or given.
    rings
        Drawn cross-sections.
    step_mm
        Distance between slices.
    sized
        Whether a detector saw the path's size; else what was drawn tells it everywhere.
    """
    if not len(rings.slices):
        return path
    first = min(int(path.slices[0]), int(rings.slices[0]))
    last = max(int(path.slices[-1]), int(rings.slices[-1]))
    slices = np.arange(first, last + 1)
    weight = _weight(slices, rings.slices, step_mm)
    centres = np.stack([np.interp(slices, path.slices, c) for c in path.centres_mm.T], axis=1)
    radius = np.interp(slices, path.slices, path.radius_mm)
    at = rings.slices - first
    off = rings.centres_mm - centres[at]
    shift = np.stack([np.interp(slices, rings.slices, o) for o in off.T], axis=1)
    ratio = np.sqrt(rings.areas_mm2 / np.pi) / radius[at]
    seen = min(int(path.slices[0]) + path.n_below, int(rings.slices[0]))
    share = weight if sized else np.ones_like(weight)
    return Course(
        slices,
        centres + weight[:, None] * shift,
        radius * (1 + share * (np.interp(slices, rings.slices, ratio) - 1)),
        seen - first,
    )


def guide(tube: Tube, rings: Tube, path: Course, step_mm: float) -> Tube:
    """Bring a tube near drawn cross-sections to their shape, and on to those beyond its ends.

    Parameters
    ----------
    tube
        As it grew.
    rings
        Drawn cross-sections.
    path
        Through the rings, see :func:`lead`.
    step_mm
        Distance between slices.
    """
    if not len(rings.slices):
        return tube
    tube = tube.resampled(rings.n_rays)
    first = min(int(tube.slices[0]), int(rings.slices[0]))
    last = max(int(tube.slices[-1]), int(rings.slices[-1]))
    slices = np.arange(first, last + 1)
    weight = _weight(slices, rings.slices, step_mm)
    # the surface did not come this far by itself
    weight[(slices < tube.slices[0]) | (slices > tube.slices[-1])] = 1
    centres = path.centres_mm[slices - path.slices[0]]
    grown = np.stack([np.interp(slices, tube.slices, c) for c in tube.centres_mm.T], axis=1)
    w = weight[:, None]
    return Tube(
        slices,
        w * centres + (1 - w) * grown,
        w * _between(slices, rings.slices, rings.radii_mm)
        + (1 - w) * _between(slices, tube.slices, tube.radii_mm),
    )


def held(tube: Tube, guided: Tube, drawn: IntArray, step_mm: float) -> Tube:
    """Hold a fitted tube where it leaves what drawn cross-sections nearby say.

    Where both agree, the image knows better; what made the surface fail in a drawn slice makes it
    fail beside it, too.

    Parameters
    ----------
    tube
        As it was fitted to the image from ``guided``, in the same slices.
    guided
        See :func:`guide`.
    drawn
        Slices that were drawn.
    step_mm
        Distance between slices.
    """
    if not len(drawn):
        return tube
    weight = _weight(tube.slices, drawn, step_mm)
    near = np.flatnonzero(weight > 0)
    fitted = tube.part(near).recentred(guided.centres_mm[near])
    off_mm = np.abs(fitted.radii_mm - guided.radii_mm[near])
    doubt = np.clip((off_mm - AGREE_MM) / AGREE_MM, 0, 1)
    doubt = ndimage.gaussian_filter1d(doubt, PULL_RAYS / 2, axis=1, mode="wrap")
    share = weight[near, None] * doubt
    centres, radii = tube.centres_mm.copy(), tube.radii_mm.copy()
    centres[near] = fitted.centres_mm
    radii[near] = share * guided.radii_mm[near] + (1 - share) * fitted.radii_mm
    return replace(tube, centres_mm=centres, radii_mm=radii)


def impose(tube: Tube, correction: Correction, spacing: FloatArray) -> Tube:
    """Put drawn cross-sections into a tube, and pull it through voxels marked on its edge.

    Raises
    ------
    InputError
        When no mark lies in a slice of the tube.
    """
    rings = correction.rings
    kept = np.isin(rings.slices, tube.slices)
    marked = correction.edge[:, :, tube.slices].any()
    if not kept.any() and not marked:
        raise InputError("-mask-correction marks no slice that the segmentation covers")
    if marked:
        tube = _pulled(tube, correction.edge, spacing)
    rows = rings.slices[kept] - tube.slices[0]
    centres, radii = tube.centres_mm.copy(), tube.radii_mm.copy()
    centres[rows], radii[rows] = rings.centres_mm[kept], rings.radii_mm[kept]
    return replace(tube, centres_mm=centres, radii_mm=radii)


def _pulled(tube: Tube, edge: BoolArray, spacing: FloatArray) -> Tube:
    """Pull the surface through marked voxels, and its neighbourhood along."""
    i, j, k = np.nonzero(edge)
    radii = tube.radii_mm.copy()
    pull, count = np.zeros_like(radii), np.zeros_like(radii)
    for x, y, z in zip(i * spacing[0], j * spacing[1], k - tube.slices[0], strict=True):
        if not 0 <= z < len(radii):
            continue
        dx, dy = np.array([x, y]) - tube.centres_mm[z]
        ray = round(float(np.arctan2(dy, dx)) / (2 * np.pi) * tube.n_rays) % tube.n_rays
        pull[z, ray] += np.hypot(dx, dy) - radii[z, ray]
        count[z, ray] += 1
    marked = count > 0
    known = np.where(marked, pull / np.maximum(count, 1), 0)
    sigma = (PULL_MM / spacing[2], PULL_RAYS)
    total = ndimage.gaussian_filter(marked.astype(float), sigma, mode=("nearest", "wrap"))
    spread = ndimage.gaussian_filter(known, sigma, mode=("nearest", "wrap"))
    share = total / (total + 0.02)
    moved = radii + share * spread / np.maximum(total, 1e-6)
    return tube.with_radii(np.maximum(np.where(marked, radii + known, moved), 0.5))


def _weight(slices: IntArray, drawn: IntArray, step_mm: float) -> FloatArray:
    """How much drawn slices say about others: 1 to half of their reach, 0 beyond it.

    Between two of them it counts as a distance what two springs in parallel would give.
    """
    nothing = 1e6
    after = np.searchsorted(drawn, slices)
    below = np.where(after > 0, slices - drawn[np.maximum(after - 1, 0)], nothing)
    above = np.where(after < len(drawn), drawn[np.minimum(after, len(drawn) - 1)] - slices, nothing)
    away_mm = below * above / np.maximum(below + above, 1) * step_mm
    weight: FloatArray = np.clip(2 * (1 - away_mm / REACH_MM), 0, 1)
    return weight


def _between(slices: IntArray, known: IntArray, values: FloatArray) -> FloatArray:
    """Interpolate rings (K, T) at other slices; beyond the ends the last one is repeated."""
    return np.stack([np.interp(slices, known, column) for column in values.T], axis=1)
