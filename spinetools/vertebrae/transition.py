"""Vertebrae at the sacrum that are neither lumbar nor sacral, where the count says nothing of it.

A fifth lumbar vertebra may be joined to the sacrum by wide transverse processes (sacralised in
part), and the first sacral one may be square, with a whole disc below it (lumbarised in part;
Castellvi 1984, Wigh 1980). Both keep the usual count, so that they show in shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.vertebrae.canal import Line
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.naming import Numbering
from spinetools.vertebrae.shape import Bools, Frame

FloatArray = npt.NDArray[np.float64]
F32 = npt.NDArray[np.float32]

#: What a transition is called, by which vertebra it is, and the share of adults that has it without
#: a change of the count (lumbarised 6.6 %, sacralised 3.6 %, n = 10,833, each in part about as
#: often as wholly).
TRANSITIONS = {"sacralised": "L5", "lumbarised": "S1"}
SHARES = {"sacralised": 0.016, "lumbarised": 0.038}

#: Probability from which one is spoken of. It changes no name, and is to be looked at: less than
#: for variants of the count.
TRANSITION_THRESHOLD = 0.3

#: Where a bridge to the sacrum would be: mm to the side of the last disc's middle, behind and in
#: front of it, and above and below its plane.
_BRIDGE_SIDE_MM, _BRIDGE_FRONT_MM, _BRIDGE_HEIGHT_MM = (24, 50), (-48, 4), (-5, 9)
#: Section of a bridge, mm², logarithm of one more: without and with one, and the spread.
_NO_BRIDGE, _BRIDGE, _BRIDGE_SD = 1.5, 5.5, 1.1
#: Heights below the last disc, mm in a mean body: within the first two sacral bodies, where the
#: networks draw them well, and where the disc between them is.
_S1_MM, _S2_MM, _S1_S2_MM = (5.0, 12.0), (34.0, 42.0), (22.0, 40.0)
#: The sacrum is looked at in a slab about the midline, from here to there in front of the canal's
#: line, and at points so far apart, mm.
_SLAB_MM, _AHEAD_MM, _STEP_MM = 6.0, (-5.0, 60.0), 0.5
#: Where the networks are as sure as this, the sacrum is bone: it is drawn fainter downwards.
_BONE = 0.4
#: The image shows at least this share of the place where a disc is looked for.
_SHOWN = 0.8
#: A body begins this near to where the first one's back is, mm.
_BACK_MM = (-6.0, 12.0)
#: The part of the first body's depth in which a disc below it is looked for.
_DISC_SHARE = 0.75
#: Depth of the second sacral body over the first one's: usual, square, and the spread. (These and
#: the next ones: ``testing/benchmark/calibrate_transition.py``; usual lies between the simulated
#: images, 0.72, and SPIDER's, 0.50.)
_USUAL_S2, _SQUARE_S2, _S2_SD = 0.66, 0.84, 0.09
#: Thickness of the disc between them, as far as the networks take it for one, mm, logarithm:
#: usual, whole, and the spread.
_NO_DISC, _WHOLE_DISC, _DISC_SD = -2.5, -0.5, 0.8


@dataclass(frozen=True)
class SacrumSeen:
    """What the end of the spine looks like; NaN where the image does not show it.

    Attributes
    ----------
    bridge
        Section of bone that joins the last free vertebra to the sacrum beside their disc, mm² (the
        smaller side: one-sided ones are frequent and mean less).
    squareness
        Depth of the second sacral body over that of the first.
    disc
        Thickness of the disc between these, as far as the networks take it for one, mm: its
        probability, summed over the height.
    """

    bridge: float
    squareness: float
    disc: float


def look_at_sacrum(
    last: DiscSeen, bone: F32, disc: F32, line: Line, scale: float, spacing: float
) -> SacrumSeen:
    """Measure the end of the spine.

    Parameters
    ----------
    last
        The disc above the sacrum.
    bone, disc
        Probability of any bone, and of any disc, on the working grid.
    line
        The canal's line.
    scale
        Body size relative to the mean.
    spacing
        Of the grid, mm.
    """
    below = np.arange(_S1_MM[0], _S2_MM[1], _STEP_MM)
    bones, discs = (
        _section(volume, last.s + below * scale, line, spacing) for volume in (bone, disc)
    )
    first, second, between = (
        (below >= start) & (below < end) for start, end in (_S1_MM, _S2_MM, _S1_S2_MM)
    )
    bridge = _bridge(last, bone >= np.maximum(disc, 0.5), line, spacing)
    back, depth = _body(bones[first])
    if not np.isfinite(depth):
        return SacrumSeen(bridge, np.nan, np.nan)
    ahead = _ahead()
    inside = (ahead > back) & (ahead < back + _DISC_SHARE * depth)
    place = discs[between][:, inside]
    shown = place.size > 0 and np.isfinite(place).mean() >= _SHOWN
    height = place.shape[0] * _STEP_MM * scale
    thickness = float(np.nanmean(place) * height) if shown else np.nan
    return SacrumSeen(bridge, _body(bones[second], back)[1] / depth, thickness)


def transition_probability(seen: SacrumSeen) -> dict[str, float]:
    """Return the probability of each transition, given the usual count."""
    sections = np.log1p(seen.bridge)
    odds = {
        "sacralised": _log_ratio(sections, _NO_BRIDGE, _BRIDGE, _BRIDGE_SD),
        # only both together: the remnant of a disc is often seen in a sacrum that is none of these
        "lumbarised": _log_ratio(seen.squareness, _USUAL_S2, _SQUARE_S2, _S2_SD)
        + _log_ratio(np.log(max(seen.disc, 1e-3)), _NO_DISC, _WHOLE_DISC, _DISC_SD)
        if np.isfinite(seen.squareness + seen.disc)
        else 0.0,
    }
    weights = {name: SHARES[name] * np.exp(value) for name, value in odds.items()}
    total = 1 - sum(SHARES.values()) + sum(weights.values())
    return {name: float(weight / total) for name, weight in weights.items()}


def unusual(variant: str, chance: object = None) -> str:
    """Say in words what is unusual, with its probability where that is a number."""
    known = f" (probability {chance:.2f})" if isinstance(chance, (int, float)) else ""
    if variant in TRANSITIONS:
        return f"{TRANSITIONS[variant]} may be {variant} in part{known}"
    return f"the count of vertebrae is unusual: {variant}{known}"


def _log_ratio(value: float, without: float, with_: float, sd: float) -> float:
    """Log-likelihood ratio of two normal densities, no more certain than at their means."""
    if not np.isfinite(value):
        return 0.0
    value = float(np.clip(value, min(without, with_), max(without, with_)))
    return ((value - without) ** 2 - (value - with_) ** 2) / (2 * sd**2)


def _bridge(last: DiscSeen, bone: Bools, line: Line, spacing: float) -> float:
    frame = Frame.on(last.centre, last.normal, line, spacing)
    side, (back, front), (low, high) = _BRIDGE_SIDE_MM, _BRIDGE_FRONT_MM, _BRIDGE_HEIGHT_MM
    x, y = np.arange(side[0], side[1] + 0.5), np.arange(back, front + 0.5)
    z = np.arange(low, high + 0.5)
    sections = []
    for sign in (-1.0, 1.0):
        if not frame.shows(bone.shape, sign * side[1], 0.0, 0.0):
            return float("nan")
        columns = frame.look_up(bone, sign * x, y, z).all(axis=2)
        sections.append(float(columns.sum()))
    return min(sections)


def _ahead() -> FloatArray:
    return np.arange(*_AHEAD_MM, _STEP_MM)


def _section(volume: F32, s: FloatArray, line: Line, spacing: float) -> FloatArray:
    """Return the mean of a slab about the midline (heights, ahead); NaN where the image ends."""
    result = np.full((len(s), len(_ahead())), np.nan)
    seen = s <= line.s[-1]
    at = np.searchsorted(line.s, s[seen])
    along = line.front[at][:, None] * _ahead()[None, :, None]
    middle = line.points[at][:, None] + along
    sides = np.arange(-_SLAB_MM, _SLAB_MM + 0.1, 1.5)
    places = middle[:, :, None] + sides[:, None] * line.right[at][:, None, None]
    sampled = ndimage.map_coordinates(
        volume, np.moveaxis(places, -1, 0) / spacing, order=1, cval=np.nan
    )
    # a slab of few slices may end beside the midline
    there = np.isfinite(sampled).sum(axis=-1)
    result[seen] = np.where(there > 0, np.nansum(sampled, axis=-1) / np.maximum(there, 1), np.nan)
    return result


def _body(section: FloatArray, back: float | None = None) -> tuple[float, float]:
    """Return where bone begins in front of the canal, and its depth, mm; NaN for none.

    Medians over the section's heights. With ``back`` what begins far from there is no body.
    """
    ahead, found = _ahead(), []
    low, high = (0.0, 25.0) if back is None else (back + _BACK_MM[0], back + _BACK_MM[1])
    for row in section:
        start = np.flatnonzero((row >= _BONE) & (ahead >= low) & (ahead <= high))
        if len(start):
            rest = row[start[0] :]
            end = np.flatnonzero(~(rest >= _BONE))
            if len(end) and np.isfinite(rest[end[0]]):  # else the image ends there
                found.append((ahead[start[0]], end[0] * _STEP_MM))
    if len(found) < len(section) / 2:
        return np.nan, np.nan
    where, depth = np.median(found, axis=0)
    return float(where), float(depth)


def with_transition(
    numbering: Numbering,
    discs: Sequence[DiscSeen],
    bone: F32,
    disc: F32,
    line: Line,
    spacing: float,
    threshold: float = TRANSITION_THRESHOLD,
) -> Numbering:
    """Say whether the vertebra at the sacrum is a transitional one, where the count is usual.

    Returns
    -------
    Numbering
        The same, with the probabilities of transitions, and the one that reaches the threshold.
    """
    if numbering.anatomy.variant:
        return numbering
    lowest = len(numbering.anatomy.disc_names) - 1
    if lowest not in numbering.path:
        return numbering
    at = numbering.path.index(lowest)
    # another naming may have another disc there
    named = sum(
        candidate.probability
        for candidate in (numbering.chosen, *numbering.alternatives)
        if candidate.names[at] == numbering.chosen.names[at]
    )
    looks = look_at_sacrum(discs[at], bone, disc, line, numbering.scale, spacing)
    chances = {
        name: min(named, 1.0) * chance for name, chance in transition_probability(looks).items()
    }
    likeliest = max(chances, key=lambda name: chances[name])
    return replace(
        numbering,
        variant_probability=numbering.variant_probability | chances,
        transition=likeliest if chances[likeliest] >= threshold else "",
    )
