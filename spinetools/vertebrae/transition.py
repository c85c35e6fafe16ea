"""Vertebrae at the sacrum that are neither lumbar nor sacral, where the count says nothing of it.

A fifth lumbar vertebra may be joined to the sacrum by wide transverse processes (sacralised in
part), and the first sacral one may be square, with a whole disc below it (lumbarised in part;
Castellvi 1984, Wigh 1980). Both keep the usual count, so that they show in shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spinetools.vertebrae.canal import Line
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.naming import VARIANT_THRESHOLD, Numbering
from spinetools.vertebrae.shape import Bools, Frame

#: What a transition is called, and the share of adults that has it without a change of the count
#: (lumbarised 6.6 %, sacralised 3.6 %, n = 10,833, each in part about as often as wholly).
SHARES = {"sacralised": 0.016, "lumbarised": 0.038}

#: Where a bridge to the sacrum would be: mm to the side of the last disc's middle, behind and in
#: front of it, and above and below its plane.
_BRIDGE_SIDE_MM, _BRIDGE_FRONT_MM, _BRIDGE_HEIGHT_MM = (24, 50), (-48, 4), (-5, 9)
#: Section of a bridge, mm², logarithm of one more: without and with one, and the spread.
_NO_BRIDGE, _BRIDGE, _BRIDGE_SD = 1.5, 5.5, 1.1
#: Middles of the first two sacral segments below the last disc, mm in a mean body.
_S1_MM, _S2_MM = 15.0, 44.0
#: Depth of the second sacral body over the first one's: usual, square, and the spread.
_USUAL_S2, _SQUARE_S2, _S2_SD = 0.70, 0.84, 0.04


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
    """

    bridge: float
    squareness: float


def look_at_sacrum(
    last: DiscSeen, bone: Bools, line: Line, scale: float, spacing: float
) -> SacrumSeen:
    """Measure the end of the spine.

    Parameters
    ----------
    last
        The disc above the sacrum.
    bone
        All of it, on the working grid.
    line
        The canal's line.
    scale
        Body size relative to the mean.
    spacing
        Of the grid, mm.
    """
    depths = [_depth(last.s + away * scale, bone, line, spacing) for away in (_S1_MM, _S2_MM)]
    return SacrumSeen(_bridge(last, bone, line, spacing), depths[1] / depths[0])


def transition_probability(seen: SacrumSeen) -> dict[str, float]:
    """Return the probability of each transition, given the usual count."""
    sections = np.log1p(seen.bridge)
    odds = {
        "sacralised": _log_ratio(sections, _NO_BRIDGE, _BRIDGE, _BRIDGE_SD),
        "lumbarised": _log_ratio(seen.squareness, _USUAL_S2, _SQUARE_S2, _S2_SD),
    }
    weights = {name: SHARES[name] * np.exp(value) for name, value in odds.items()}
    total = 1 - sum(SHARES.values()) + sum(weights.values())
    return {name: float(weight / total) for name, weight in weights.items()}


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


def _depth(s: float, bone: Bools, line: Line, spacing: float) -> float:
    """Depth of the body in front of the canal at a length along it, mm; NaN for none."""
    at = int(np.clip(np.searchsorted(line.s, s), 0, len(line.s) - 1))
    if s > line.s[-1] - 3:
        return float("nan")
    frame = Frame.on(line.points[at], line.up[at], line, spacing)
    y = np.arange(0.0, 60.5)
    lines = frame.look_up(bone, np.arange(-4.0, 4.5), y, np.arange(-3.0, 3.5))
    rows = lines.transpose(0, 2, 1).reshape(-1, len(y))
    rows = rows[rows[:, :25].any(axis=1)]
    if len(rows) < 10:
        return float("nan")
    start = np.argmax(rows, axis=1)
    length = [np.argmin(np.append(row[at:], False)) for row, at in zip(rows, start, strict=True)]
    front = float(np.median(start + length))
    if not frame.shows(bone.shape, 0.0, front + 2.0, 0.0):
        return float("nan")
    quarter = len(length) // 4
    return float(np.mean(np.sort(length)[quarter : len(length) - quarter]))


def with_transition(
    numbering: Numbering,
    discs: Sequence[DiscSeen],
    bone: Bools,
    line: Line,
    spacing: float,
    threshold: float = VARIANT_THRESHOLD,
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
    looks = look_at_sacrum(discs[at], bone, line, numbering.scale, spacing)
    chances = {
        name: min(named, 1.0) * chance for name, chance in transition_probability(looks).items()
    }
    likeliest = max(chances, key=lambda name: chances[name])
    return replace(
        numbering,
        variant_probability=numbering.variant_probability | chances,
        transition=likeliest if chances[likeliest] >= threshold else "",
    )
