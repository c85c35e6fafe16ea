"""From probabilities to one cord: what a person would tidy up in the network's answer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import edt
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.deepseg.lattice import Float32Array, FloatArray
from spinetools.morphology import fill_holes, largest_component, remove_small

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: How far the cord may lie from the centreline in the slice that the others are compared with.
FARTHEST_MM = 8.0
#: From slice to slice, of several objects the one nearest to where the cord is expected is kept, if
#: it is no further away than the first of these and the second for each millimetre between them.
ASTRAY_MM, ASTRAY_SHARE = 2.0, 0.3
#: A gap is filled up to this length, and a single slice whatever its thickness.
LONGEST_FILLED_GAP_MM = 6.0
#: A part of the cord by itself, shorter than this, is none where a longer one is there.
SHORTEST_PART_MM = 10.0
#: Slices at the ends with less than this share of the area of those further in are dropped.
THIN_SHARE = 0.3
#: Stretch of cord that an end's slice is compared with.
THIN_STRETCH_MM = 8.0
#: Beyond the cord that the detector saw, slices count until one is less sure than this …
SURE_BEYOND = 0.6
#: … or larger than the cord before it by this factor.
LARGER_BEYOND = 1.35


@dataclass(frozen=True)
class Cleaned:
    """A tidy mask, and what was done for it; slices count from the lowest of the grid.

    Attributes
    ----------
    mask
        (X, Y, Z).
    filled
        Slices of gaps that were filled from their neighbours.
    thin
        Slices dropped at the ends.
    dropped
        Slices of parts that were too short, or not the largest one.
    """

    mask: BoolArray
    filled: tuple[int, ...]
    thin: tuple[int, ...]
    dropped: tuple[int, ...]


@dataclass(frozen=True)
class Rules:
    """What is tidied up, see :class:`spinetools.deepseg.DeepsegParams`."""

    threshold: float
    largest: bool = False
    fill_holes: bool = True
    smallest: float = 0.0
    in_mm3: bool = False


def clean(
    chance: Float32Array, line: FloatArray, seen: IntArray, voxel_mm: FloatArray, rules: Rules
) -> Cleaned:
    """Threshold a probability, and keep what can be one cord.

    Parameters
    ----------
    chance
        (X, Y, Z), axes R, A, S.
    line
        The cord's middle (K, 3), voxels, a row a slice.
    seen
        First and last slice in which the detector saw the cord; beyond them rules are stricter.
    voxel_mm
        Of the grid.
    rules
        Threshold and options.
    """
    mask = chance >= rules.threshold
    mask[:, :, np.setdiff1d(np.arange(mask.shape[2]), np.rint(line[:, 2]).astype(int))] = False
    if rules.fill_holes:
        mask = fill_holes(mask, axis=2)
    mask = _one_object_a_slice(mask, line, voxel_mm)
    mask = _end_beyond(mask, chance, seen, voxel_mm[2])
    # slivers beside a gap go first: what is filled lies between sound slices
    thin = _drop_thin_ends(mask, voxel_mm[2])
    before = _filled(mask)
    filled = _fill_gaps(mask, voxel_mm)
    _keep_parts(mask, voxel_mm[2])
    if rules.largest:
        mask = largest_component(mask)
    if rules.smallest:
        volume = float(np.prod(voxel_mm)) if rules.in_mm3 else None
        mask = remove_small(mask, rules.smallest, volume)
    kept = _filled(mask)
    lost = np.setdiff1d(before, kept)
    added = np.intersect1d(filled, kept)
    dropped = np.setdiff1d(thin, added)
    return Cleaned(mask, *(tuple(slices.tolist()) for slices in (added, dropped, lost)))


def _filled(mask: BoolArray) -> IntArray:
    return np.flatnonzero(mask.any(axis=(0, 1)))


def _one_object_a_slice(mask: BoolArray, line: FloatArray, voxel_mm: FloatArray) -> BoolArray:
    """Keep in each slice the object nearest to where the slice before has the cord."""
    flat = ndimage.generate_binary_structure(3, 2)
    flat[:, :, [0, 2]] = False  # within the slice, corners included
    labels, n = ndimage.label(mask, structure=flat)
    kept = np.zeros_like(mask)
    if n == 0:
        return kept
    middles = dict(zip(np.rint(line[:, 2]).astype(int).tolist(), line[:, :2], strict=True))
    areas = mask.sum(axis=(0, 1))
    # the most usual of the filled slices: neither a leak nor a sliver
    some = np.flatnonzero(areas)
    start = int(some[np.abs(areas[some] - np.median(areas[some])).argmin()])
    first = np.zeros(2)
    for heights in (range(start, mask.shape[2]), range(start, -1, -1)):
        aside, before = first, start  # the cord's place from the centreline, and in which slice
        for k in heights:
            if not areas[k]:
                continue
            places = np.argwhere(labels[:, :, k] > 0)
            own = labels[places[:, 0], places[:, 1], k]
            away = np.linalg.norm((places - middles[k] - aside) * voxel_mm[:2], axis=1)
            limit = ASTRAY_MM + ASTRAY_SHARE * abs(k - before) * voxel_mm[2]
            if away.min() > (FARTHEST_MM if k == start else min(limit, FARTHEST_MM)):
                continue
            chosen = places[own == own[away.argmin()]]
            kept[chosen[:, 0], chosen[:, 1], k] = True
            aside, before = chosen.mean(axis=0) - middles[k], k
            if k == start:
                first = aside
    return kept


def _end_beyond(mask: BoolArray, chance: Float32Array, seen: IntArray, step_mm: float) -> BoolArray:
    """Beyond the cord that the detector saw, end where the network's answer gets weak or wide."""
    sure = sureness(mask, chance)
    areas = mask.sum(axis=(0, 1)).astype(float)
    inside = np.arange(seen[0], seen[1] + 1)
    reach = max(1, round(THIN_STRETCH_MM / step_mm))
    for edge, way in ((int(seen[0]), -1), (int(seen[1]), 1)):
        near = inside[:reach] if way < 0 else inside[-reach:]
        usual = float(np.median(areas[near]))
        k = edge + way
        while 0 <= k < mask.shape[2]:
            if not areas[k] or sure[k] < SURE_BEYOND or areas[k] > LARGER_BEYOND * usual:
                break
            usual = min(usual, areas[k])  # a conus only gets thinner
            k += way
        if way < 0:
            mask[:, :, : k + 1] = False
        else:
            mask[:, :, k:] = False
    return mask


def _fill_gaps(mask: BoolArray, voxel_mm: FloatArray) -> IntArray:
    """Fill short gaps with shapes between those of the two neighbours; return their slices."""
    have = _filled(mask)
    done: list[int] = []
    for low, high in itertools.pairwise(have):
        n = int(high - low - 1)
        if n == 0 or (n > 1 and n * voxel_mm[2] > LONGEST_FILLED_GAP_MM):
            continue
        ends = [mask[:, :, k] for k in (low, high)]
        middles = [np.argwhere(end).mean(axis=0) for end in ends]
        for step in range(1, n + 1):
            share = step / (n + 1)
            middle = (1 - share) * middles[0] + share * middles[1]
            # brought over each other: a cord that leans does not get thinner in between
            below, above = (
                _signed_distance(ndimage.shift(end, np.rint(middle - own), order=0), voxel_mm)
                for end, own in zip(ends, middles, strict=True)
            )
            mask[:, :, low + step] = (1 - share) * below + share * above > 0
            done.append(int(low + step))
    return np.array(done, dtype=np.int64)


def _signed_distance(plane: BoolArray, voxel_mm: FloatArray) -> Float32Array:
    """Distance to the edge in mm, positive inside."""
    spacing = (float(voxel_mm[0]), float(voxel_mm[1]))
    inner = edt.edt(np.ascontiguousarray(plane), anisotropy=spacing)
    outer = edt.edt(np.ascontiguousarray(~plane), anisotropy=spacing)
    result: Float32Array = inner - outer
    return result


def _keep_parts(mask: BoolArray, step_mm: float) -> None:
    """Drop short parts that a gap parts from the others; the longest stays in any case."""
    have = _filled(mask)
    if not len(have):
        return
    parts = np.split(have, np.flatnonzero(np.diff(have) > 1) + 1)
    longest = max(parts, key=len)
    for part in parts:
        if part is not longest and len(part) * step_mm < SHORTEST_PART_MM:
            mask[:, :, part] = False


def _drop_thin_ends(mask: BoolArray, step_mm: float) -> list[int]:
    """Drop slices at both ends that hold a sliver only; the ends of each part alike."""
    areas = mask.sum(axis=(0, 1)).astype(float)
    have = _filled(mask)
    dropped: list[int] = []
    reach = max(2, round(THIN_STRETCH_MM / step_mm))
    for part in np.split(have, np.flatnonzero(np.diff(have) > 1) + 1):
        for order in (part, part[::-1]):
            for n, k in enumerate(order):
                inner = areas[order[n + 1 : n + 1 + reach]]
                if len(inner) < 2 or areas[k] >= THIN_SHARE * np.median(inner):
                    break
                mask[:, :, k] = False
                dropped.append(int(k))
    return sorted(set(dropped))


def sureness(mask: BoolArray, chance: Float32Array) -> FloatArray:
    """How sure the network is of the cord in each slice, 0 to 1 (Z,); 0 where there is none.

    The mean probability inside the cord, but for its outermost voxels, which share their volume
    with what lies around; times the share of all probability that is in the cord and its rim.
    """
    flat = ndimage.generate_binary_structure(3, 1)
    flat[:, :, [0, 2]] = False
    inner = ndimage.binary_erosion(mask, flat)
    rim = ndimage.binary_dilation(mask, flat, iterations=2)
    n_inner = inner.sum(axis=(0, 1))
    mean = (chance * inner).sum(axis=(0, 1)) / np.maximum(n_inner, 1)
    # where nothing is left after erosion, the surest voxel
    best = np.where(mask, chance, 0).max(axis=(0, 1))
    total = np.maximum(chance.sum(axis=(0, 1)), 1e-6)
    share = (chance * rim).sum(axis=(0, 1)) / total
    result: FloatArray = np.where(n_inner > 0, mean, best) * share * mask.any(axis=(0, 1))
    return result
