"""Vertebral levels along the cord, from labels: what curves of many subjects are drawn over.

A level is a number that grows from head to foot: 3.0 is the top of C3 (the disc C2–C3), 3.5 its
middle, 8.0 the top of T1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from spinetools.labels import LEVELS, level_value

#: Levels are carried on beyond the last label by this much, and no further.
BEYOND_LEVELS = 0.5

#: A name of a label: ``C2-C3``, ``disc_C2_C3``, ``vertebrae_C3``, ``C3``.
_DISC = re.compile(r"([CTL]\d{1,2})[\s_/–-]+([CTL]\d{1,2})")
_VERTEBRA = re.compile(r"(?:^|[\s_])([CTL]\d{1,2})$")


def level_of_label(value: int, name: str, layer: str) -> float | None:
    """Return the level that a label marks; None where it marks none.

    Parameters
    ----------
    value, name
        Of the label; the name counts where it names a disc or a vertebra.
    layer
        Name of the label image: where it speaks of discs or levels, values count as SCT's do.
    """
    disc, vertebra = _DISC.search(name), _VERTEBRA.search(name)
    if disc and disc[2] in LEVELS:
        return float(level_value(disc[2]))
    if vertebra and vertebra[1] in LEVELS:
        return level_value(vertebra[1]) + 0.5
    if not name.isdigit() or not 1 <= value <= len(LEVELS):
        return None
    if re.search("disc", layer, re.IGNORECASE):
        return float(value)
    if re.search("level|vert", layer, re.IGNORECASE):
        return value + 0.5
    return None


def levels_along(
    places: Mapping[float, float], first: int, last: int, downwards: int
) -> dict[int, float]:
    """Return the level of each slice, interpolated between labels.

    Parameters
    ----------
    places
        Native slice index (not rounded) by level.
    first, last
        The lowest and the highest native index that counts.
    downwards
        +1 where native indices grow from head to foot, else -1.

    Returns
    -------
    dict
        By native index; empty for fewer than two labels, or where they are not in order.
    """
    if len(places) < 2:
        return {}
    levels = np.array(sorted(places))
    along = np.array([places[level] for level in levels]) * downwards
    if (np.diff(along) <= 0).any():
        return {}
    per_slice = float((levels[-1] - levels[0]) / (along[-1] - along[0]))
    slices = np.arange(first, last + 1, dtype=np.float64) * downwards
    found = np.interp(slices, along, levels)
    below, above = slices > along[-1], slices < along[0]
    found[below] = levels[-1] + (slices[below] - along[-1]) * per_slice
    found[above] = levels[0] + (slices[above] - along[0]) * per_slice
    kept = (found >= levels[0] - BEYOND_LEVELS) & (found <= levels[-1] + BEYOND_LEVELS)
    return {first + k: round(float(level), 3) for k, level in enumerate(found.tolist()) if kept[k]}
