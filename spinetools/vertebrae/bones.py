"""Vertebrae as things: every bone voxel goes to one vertebra of a named spine.

The bodies between two discs are told apart by the discs' planes. From the bodies the names flow
into the arches: first within the masks that keep neighbours apart (odd, even, landmarks), then in
all bone. Without such masks they flow in all bone but the sacrum at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.morphology import components
from spinetools.vertebrae.anatomy import Anatomy
from spinetools.vertebrae.arches import Bools, Heights, Ints, flow, name_orphans, return_arches
from spinetools.vertebrae.canal import FloatArray, Line, coordinates
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.naming import Path

#: A body reaches so far round the line between its discs, as a share of their depth.
_BODY_SHARE = 0.62
#: Seeds keep away from the discs by this share of the body's height.
_SEED_MARGIN = 0.12
#: Pieces of bone without a name take that of a named one this near, mm.
_NEAR_MM = 8.0
#: Where C1's ring begins above the disc C2–C3, mm in a mean body: less behind the canal, by this
#: slope, and less so far aside. (These and the next ones were fitted to 40 digital spines.)
_C1_RING_MM, _C1_HANG, _C1_LATERAL_MM, _C1_ASIDE_MM = 20.0, 0.15, 2.0, 16.0
#: This near to where it begins neighbours decide.
_C1_SURE_MM = 2.0
#: With less of the image above that than this, all is called C2, mm.
_C1_SEEN_MM = 6.0
#: The dens and the slopes beside it: half their width, and where the dens ends in front of the
#: discs' middle, mm.
_DENS_HALF_MM, _DENS_FRONT_MM = 11.5, 6.0
#: From here on backwards C2's lower edge hangs down, by this slope.
_C2_FRONT_MM, _C2_HANG = 3.0, 0.4
#: The sacrum begins so far above the middle of the last disc, mm in a mean body, by the way before
#: the canal's line (its wings reach up beside the disc), and behind it near the midline: medians
#: of 15 simulated images. This near to there the network decides, where it knows the sacrum.
_SACRUM_FRONT_MM, _SACRUM_TOP_MM = (-20.0, -5.0, 5.0, 20.0), (2.0, 6.0, 5.0, 1.0)
_MIDLINE_MM, _SACRUM_MIDLINE_MM = 8.0, (-8.0, 1.0, 1.0, 1.0)
_SACRUM_SURE_MM = 8.0
#: It knows the sacrum where it calls so by this share of what lies further below.
_KNOWN_SACRUM = 0.5
#: So far in front of the canal's line it reaches, by how far below the last disc, mm in a mean body
#: (99 % of it in SPIDER's and simulated images, and 5 mm): beyond are bladder and bowel.
_SACRUM_BELOW_MM, _SACRUM_REACH_MM = (10.0, 30.0, 50.0, 70.0), (56.0, 42.0, 34.0, 29.0)
_SACRUM_LENGTH_MM = 125.0
#: Discs that were not seen are thought of up to this far beyond the image, mm.
_BEYOND_MM = 15.0


@dataclass(frozen=True, eq=False)
class Plane:
    """A disc of the named spine, seen or not.

    Attributes
    ----------
    index
        Which disc of the anatomy (0 is C2–C3).
    centre, normal
        In mm; the normal points upwards.
    depth
        Front to back, mm.
    seen
        Whether the network saw it.
    """

    index: int
    centre: FloatArray
    normal: FloatArray
    depth: float
    seen: bool


def planes_of(
    discs: Sequence[DiscSeen],
    path: Path,
    anatomy: Anatomy,
    scale: float,
    line: Line,
    reach: tuple[float, float],
) -> list[Plane]:
    """Return the planes of all discs in the image from the top, those missed put where they belong.

    Parameters
    ----------
    discs, path
        The discs seen, and which disc of the anatomy each is.
    anatomy
        The count of vertebrae.
    scale
        Body size relative to the mean.
    line
        The canal's line.
    reach
        Length along the line where the image begins and ends, mm.
    """
    named = [(j, disc) for disc, j in zip(discs, path, strict=True) if j is not None]
    seen_s = np.array([disc.s for _, disc in named])
    seen_mm = anatomy.place_mm[[j for j, _ in named]] * scale
    front = np.median([coordinates(line, disc.centre[None])[2][0] for _, disc in named])
    by_index = dict(named)
    result = []
    for j, place in enumerate(anatomy.place_mm * scale):
        if j in by_index:
            disc = by_index[j]
            depth = disc.depth if np.isfinite(disc.depth) else anatomy.disc_depth_mm[j] * scale
            result.append(Plane(j, disc.centre, disc.normal, float(depth), True))
            continue
        # between two discs seen in proportion, beyond them straight on
        s = float(np.interp(place, seen_mm, seen_s))
        s += min(place - seen_mm[0], 0.0) + max(place - seen_mm[-1], 0.0)
        between = seen_mm[0] < place < seen_mm[-1]  # then it is needed, wherever it lies
        if not (between or reach[0] - _BEYOND_MM <= s <= reach[1] + _BEYOND_MM):
            continue
        at = int(np.clip(np.searchsorted(line.s, s), 0, len(line.s) - 1))
        centre = line.at(s) + line.front[at] * front
        depth = float(anatomy.disc_depth_mm[j] * scale)
        result.append(Plane(j, centre, line.up[at], depth, False))
    return result


def name_vertebrae(
    masks: Sequence[Bools],
    planes: Sequence[Plane],
    anatomy: Anatomy,
    scale: float,
    line: Line,
    spacing: float,
) -> Ints:
    """Give each bone voxel the number of its vertebra.

    Parameters
    ----------
    masks
        Disjoint masks of bone, together all of it. Up to two: the first holds all vertebrae, but
        for the sacrum where the second one does. More: none of them holds two neighbours.
    planes
        From :func:`planes_of`.
    anatomy, scale, line
        As there.
    spacing
        Of the isotropic grid, mm.

    Returns
    -------
    ndarray of int16
        1 for C1, counted through the anatomy's free vertebrae; one more for the sacrum; 0 outside.
    """
    masks = _part_sacrum(masks, planes, anatomy, scale, line, spacing)
    bone = np.logical_or.reduce(masks)
    result = np.zeros(bone.shape, np.int16)
    if not bone.any():
        return result
    columns = np.zeros(bone.shape, np.int16)
    seeds = np.zeros(bone.shape, np.int16)
    for number, above, below in _slabs(planes, anatomy):
        sacrum = number > len(anatomy.vertebrae)
        _mark_body((columns, seeds), bone, number, (above, below), sacrum, spacing)
    if planes[0].index == 0:
        _mark_top(columns, seeds, bone, planes[0], scale, line, spacing)
    owner = _owners(seeds, masks)
    heights = Heights(_middles(planes, anatomy, scale, line), anatomy, line, spacing)
    for i, mask in enumerate(masks):
        # where neighbours share a mask, names meet at the height of the discs rather than half-way
        hills = heights.hills(bone) if i == 0 and len(masks) <= 2 else None
        here = flow(mask, np.where(mask & (owner == i)[seeds], seeds, 0).astype(np.int16), hills)
        if hills is not None:
            return_arches(here, heights, hills)
        name_orphans(here, mask, np.flatnonzero(owner == i), heights, hills)
        result[mask] = here[mask]
    result[(columns > 0) & bone] = columns[(columns > 0) & bone]
    result = flow(bone, result)
    _adopt(result, bone, spacing)
    return result


def _slabs(
    planes: Sequence[Plane], anatomy: Anatomy
) -> list[tuple[int, Plane | None, Plane | None]]:
    """Return the number of each vertebra with the discs above and below it, C1 and C2 left out."""
    by_index = {plane.index: plane for plane in planes}
    return [
        (j + 3, by_index.get(j), by_index.get(j + 1))
        for j in range(max(min(by_index) - 1, 0), max(by_index) + 1)
    ]


def _mark_body(
    targets: tuple[Ints, Ints],
    bone: Bools,
    number: int,
    between: tuple[Plane | None, Plane | None],
    sacrum: bool,
    spacing: float,
) -> None:
    """Write a number into the bone between two planes, and into the middle of it as a seed."""
    (columns, seeds), (above, below) = targets, between
    ends = [plane for plane in (above, below) if plane is not None]
    depth = max(plane.depth for plane in ends)
    radius = _BODY_SHARE * depth
    tall = 60.0 if len(ends) == 1 else 0.0
    corners = np.array([plane.centre for plane in ends])
    low = np.floor((corners.min(axis=0) - radius - 12 - tall) / spacing).astype(int)
    high = np.ceil((corners.max(axis=0) + radius + 12 + tall) / spacing).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, bone.shape)
    if (high <= low).any():
        return
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)),
                                indexing="ij"), axis=-1) * spacing  # fmt: skip
    inside = bone[box].copy()
    heights = []
    for plane, sign in ((above, -1.0), (below, 1.0)):
        if plane is not None:
            height = sign * ((grid - plane.centre) @ plane.normal)
            inside &= height > 0
            heights.append(height)
    axis = above.centre - below.centre if above is not None and below is not None else None
    axis = ends[0].normal if axis is None else axis / np.linalg.norm(axis)
    away = grid - ends[0].centre
    across = away - (away @ axis)[..., None] * axis
    inside &= (across**2).sum(axis=-1) < radius**2
    if len(ends) == 1 and not sacrum:
        inside &= heights[0] < 45.0
    columns[box][inside] = number
    total = heights[0] + heights[-1] if len(heights) == 2 else np.full(inside.shape, 30.0)
    core = inside & (np.minimum(heights[0], heights[-1]) > _SEED_MARGIN * total)
    seeds[box][core] = number


def _mark_top(
    columns: Ints, seeds: Ints, bone: Bools, plane: Plane, scale: float, line: Line, spacing: float
) -> None:
    """Tell C1 from C2 above the disc C2–C3: the dens lies within C1's ring.

    In front the plane of the disc bounds C2 below. Behind the canal's line its arch hangs down, and
    where the image cuts the disc its plane is a guess: there lengths along the line count.
    """
    places = np.argwhere(bone) * spacing
    s, right, front, _ = coordinates(line, places)
    at, _, ahead, _ = coordinates(line, plane.centre[None])
    rise = (at[0] - s) / scale
    height = (places - plane.centre) @ plane.normal
    above = np.where(front > _C2_FRONT_MM, height > 0, rise > _C2_HANG * front / scale)
    places, rise, height = places[above], rise[above], height[above]
    if not len(places):
        return
    right, front = np.abs(right[above]) / scale, front[above] / scale
    ring = _C1_RING_MM + _C1_HANG * np.minimum(front, 0) - _C1_LATERAL_MM * (right > _C1_ASIDE_MM)
    dens = (right < _DENS_HALF_MM) & (front > 2) & (front < ahead[0] / scale + _DENS_FRONT_MM)
    voxels = tuple(np.rint(places / spacing).astype(int).T)
    if rise.max() < _C1_RING_MM + _C1_SEEN_MM:  # too little of it to tell it from C2's facets
        ring = np.full(rise.shape, np.inf)
    sure = dens | (np.abs(rise - ring) > _C1_SURE_MM)
    columns[voxels] = 0
    body = (height < 0.6 * _C1_RING_MM * scale) & (front > 0)
    columns[tuple(axis[body] for axis in voxels)] = 2
    seeds[voxels] = np.where(sure, np.where((rise > ring) & ~dens, 1, 2), 0)


def _part_sacrum(
    masks: Sequence[Bools],
    planes: Sequence[Plane],
    anatomy: Anatomy,
    scale: float,
    line: Line,
    spacing: float,
) -> tuple[Bools, ...]:
    """Return the masks with the sacrum apart, less what lies too far from it to be bone.

    The facet joints make one piece of bone of L5 and the sacrum, whose wings lie as near to L5's
    body as to S1's: neither names that flow nor the disc's plane tell them apart. Where the image
    ends above their disc, up to two masks become one; if it was not seen, all bone below it stays.
    """
    bone = np.logical_or.reduce(masks)
    several = len(masks) > 2
    last = planes[-1]
    if last.index != len(anatomy.disc_names) - 1 or not bone.any():
        return tuple(masks) if several else (bone,)
    voxels = np.argwhere(bone)
    where = tuple(voxels.T)
    s, right, front, _ = coordinates(line, voxels * spacing)
    rise = (coordinates(line, last.centre[None])[0][0] - s) / scale
    top = np.where(
        np.abs(right) < _MIDLINE_MM * scale,
        np.interp(front / scale, _SACRUM_FRONT_MM, _SACRUM_MIDLINE_MM),
        np.interp(front / scale, _SACRUM_FRONT_MM, _SACRUM_TOP_MM),
    )
    reach = np.interp(-rise, _SACRUM_BELOW_MM, _SACRUM_REACH_MM)
    beyond = (rise < 0) & ((front / scale > reach) | (rise < -_SACRUM_LENGTH_MM))
    near = bone.copy()
    near[where] = ~(beyond & last.seen)
    if several:
        return tuple(mask & near for mask in masks)
    below = rise < top
    deep = rise < top - _SACRUM_SURE_MM
    if len(masks) == 2 and deep.any() and masks[1][where][deep].mean() >= _KNOWN_SACRUM:
        unsure = np.abs(rise - top) < _SACRUM_SURE_MM
        below[unsure] = masks[1][where][unsure]
    sacrum = np.zeros(bone.shape, bool)
    sacrum[where] = below
    return near & ~sacrum, near & sacrum


def _owners(seeds: Ints, masks: Sequence[Bools]) -> npt.NDArray[np.intp]:
    """Return the number of the mask that holds most of each vertebra's seeds; -1 for none."""
    most = max(int(seeds.max()) + 1, 2)
    counts = np.stack([np.bincount(seeds[mask], minlength=most) for mask in masks])
    owner = np.where(counts.any(axis=0), np.argmax(counts, axis=0), -1)
    owner[0] = -1
    return owner


def _middles(planes: Sequence[Plane], anatomy: Anatomy, scale: float, line: Line) -> FloatArray:
    """Return the length along the line at the middle of each vertebra, sacrum included, mm."""
    s = coordinates(line, np.array([plane.centre for plane in planes]))[0]
    at = anatomy.place_mm[[plane.index for plane in planes]] * scale
    levels = [anatomy.level_mm(level) for level in anatomy.vertebrae]
    levels.append((anatomy.level_mm("S")[0], anatomy.level_mm("S")[0] + 60.0))
    wanted = np.array(levels).mean(axis=1) * scale
    inner: FloatArray = np.interp(wanted, at, s)
    inner += np.minimum(wanted - at[0], 0) + np.maximum(wanted - at[-1], 0)
    return inner


def _adopt(result: Ints, bone: Bools, spacing: float) -> None:
    """Give pieces of bone that no name has reached the name of a near one; in place."""
    left = bone & (result == 0)
    if not left.any() or not result.any():
        return
    reach = int(np.ceil(_NEAR_MM / spacing)) + 1
    for side in ndimage.find_objects(components(left)[0]):
        box = tuple(slice(max(s.start - reach, 0), s.stop + reach) for s in side)
        if not result[box].any():
            continue
        named = result[box]
        distance, (x, y, z) = ndimage.distance_transform_edt(named == 0, return_indices=True)
        near = left[box] & (distance * spacing <= _NEAR_MM)
        named[near] = named[x[near], y[near], z[near]]
