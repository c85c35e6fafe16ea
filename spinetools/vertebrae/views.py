"""What one step of the cascade saw: the canal's line, the discs in order, and the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from spinetools.image import Image
from spinetools.vertebrae.agreement import as_votes
from spinetools.vertebrae.anatomy import anatomies
from spinetools.vertebrae.anchors import Known, from_discfile, from_init, votes_of_localizer
from spinetools.vertebrae.canal import Line, coordinates, find_line
from spinetools.vertebrae.discs import (
    CLEAR,
    FAINT,
    DiscSeen,
    find_discs,
    with_faint,
    without_sacral,
)
from spinetools.vertebrae.evidence import Evidence, PlaceEvidence
from spinetools.vertebrae.reading import Seen
from spinetools.vertebrae.shape import MEASURES, Masks, measure

FloatArray = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: A cord shorter than this is no cord, and a canal seen for less says nothing of the conus, mm.
_LEAST_CORD_MM, _LEAST_CANAL_MM = 15.0, 20.0
#: The conus is its tip where the canal goes on below it for this much, mm.
_BELOW_CONUS_MM = 12.0
#: Thinner than this the cord's tip is a nerve root, mm².
_LEAST_CORD_MM2 = 8.0
#: Cord below a longer gap than this is a bundle of roots that the network took for it; its area is
#: that of parts of the line so long, mm.
_CORD_GAP_MM, _BIN_MM = 6.0, 2.0
#: How sure it is that what the network calls cord is the cord.
_CONUS_SURE = 0.93


@dataclass(frozen=True, eq=False)
class View:
    """What one step saw.

    Attributes
    ----------
    working
        The image on the step's grid.
    seen
        The network's output, by structure.
    line
        The canal's.
    discs
        From the top.
    """

    working: Image
    seen: Seen
    line: Line
    discs: tuple[DiscSeen, ...]

    @property
    def spacing(self) -> float:
        """Of the isotropic grid, mm."""
        return self.working.space.spacing[0]

    @cached_property
    def bone(self) -> Bools:
        """Voxels of vertebrae."""
        result: Bools = self.seen.bone >= np.maximum(self.seen.disc, 0.5)
        return result

    @cached_property
    def ahead(self) -> float:
        """How far in front of the canal's line the discs lie, mm."""
        centres = np.array([disc.centre for disc in self.discs])
        return float(np.median(coordinates(self.line, centres)[2]))

    @cached_property
    def shape(self) -> FloatArray:
        """What each disc and the vertebra below it look like, see :mod:`.shape`."""
        seen, axes = self.seen, self.working.space.affine[:3, :3] / self.spacing
        masks = Masks(self.bone, seen.cord + seen.canal >= 0.5, seen.cord >= 0.5)
        result = measure(self.discs, masks, self.line, self.spacing, axes)
        result[[disc.cut for disc in self.discs], MEASURES.index("lean")] = np.nan
        return result

    @cached_property
    def reach(self) -> tuple[float, float]:
        """Length along the line between which a disc's middle lies within the image."""
        line = self.line
        column = line.points + self.ahead * line.front
        limit = (np.asarray(self.working.shape) - 1) * self.spacing
        inside = ((column[:, 1:] >= 0) & (column[:, 1:] <= limit[1:])).all(axis=1)
        if not inside.any():
            return float(line.s[0]), float(line.s[-1])
        found = np.flatnonzero(inside)
        return float(line.s[found[0]]), float(line.s[found[-1]])


def view(working: Image, seen: Seen) -> View:
    """Find the canal's line and the discs in a step's output."""
    spacing = working.space.spacing[0]
    line = find_line(seen.cord + seen.canal >= 0.5, seen.disc + seen.bone >= 0.5, spacing)
    found, faint = (
        find_discs(seen.disc, seen.landmarks, line, spacing, seen.kinds, threshold)
        for threshold in (CLEAR, FAINT)
    )
    return View(working, seen, line, tuple(without_sacral(with_faint(found, faint))))


def evidence_of(
    seen_by: View,
    shares: FloatArray,
    image: Image,
    known: Known,
    names: Mapping[int, str] | None = None,
) -> Evidence:
    """Collect all that tells the discs' names.

    Parameters
    ----------
    seen_by
        With at least one disc.
    shares
        (N, 5) of no landmark and of each landmark, from all steps together.
    image
        On its own grid.
    known
        What is known beforehand.
    names
        Discs (by their number) whose names are given.
    """
    seen, line, discs, space = seen_by.seen, seen_by.line, seen_by.discs, seen_by.working.space
    spacing, (top, bottom) = seen_by.spacing, seen_by.reach
    places = list(_conus(seen, line, spacing, bottom))
    if known.init is not None:
        places.append(from_init(known.init, image, line, space, seen_by.ahead))
    if known.discs is not None:
        places += from_discfile(known.discs, line, space)
    columns = tuple(dict.fromkeys(name for kind in anatomies() for name in kind.disc_names))
    votes = as_votes(names or {}, len(discs), columns)
    if known.localizer is not None:
        votes += votes_of_localizer(known.localizer, discs, space, columns)
    cut = np.array([disc.cut for disc in discs])
    heard = np.where(cut[:, None], np.nan, shares)
    # of a disc that the image's end cuts the place is known, and not the size
    discs = tuple(replace(disc, depth=np.nan, width=np.nan) if disc.cut else disc for disc in discs)
    return Evidence(discs, heard, top, bottom, tuple(places), votes, columns, seen_by.shape)


def _conus(seen: Seen, line: Line, spacing: float, bottom: float) -> list[PlaceEvidence]:
    """Say where the conus is, or that it lies beyond the image."""
    top_seen, bottom_seen = line.seen
    bottom_seen = min(bottom_seen, bottom)
    if bottom_seen - top_seen < _LEAST_CANAL_MM:
        return []
    cord = np.argwhere(seen.cord >= 0.5)
    if len(cord):
        s = coordinates(line, cord[:: max(1, len(cord) // 40000)] * spacing)[0]
        areas, edges = np.histogram(s, bins=np.arange(s.min(), s.max() + _BIN_MM, _BIN_MM))
        areas = areas * (max(1, len(cord) // 40000) * spacing**3 / _BIN_MM)
        first, last = _longest(areas >= _LEAST_CORD_MM2, int(_CORD_GAP_MM / _BIN_MM))
        if edges[last] - edges[first] >= _LEAST_CORD_MM:
            end = float(edges[last])
            goes_on = bottom_seen - end > _BELOW_CONUS_MM
            return [PlaceEvidence(end, "conus", _CONUS_SURE, 0 if goes_on else 1)]
    return [PlaceEvidence(top_seen, "conus", _CONUS_SURE, -1)]


def _longest(there: Bools, gap: int) -> tuple[int, int]:
    """Return where the longest run begins and ends (exclusive), gaps of some bins bridged."""
    where = np.flatnonzero(there)
    if not len(where):
        return 0, 0
    runs = np.split(where, np.flatnonzero(np.diff(where) > gap + 1) + 1)
    best = max(runs, key=len)
    return int(best[0]), int(best[-1]) + 1
