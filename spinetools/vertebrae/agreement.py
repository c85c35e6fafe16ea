"""Two numberings of one image, by step 1 and by step 2, made one.

Step 2 draws better, on smaller voxels, but names worse what is unlike its training images: its
discs are numbered by what both steps say, and where that contradicts step 1's numbering, the two
are weighed. They come from one image, so that they do not multiply: their average counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from spinetools.image import Space
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.naming import Numbering
from spinetools.vertebrae.result import as_candidate

FloatArray = npt.NDArray[np.float64]
logger = logging.getLogger(__name__)

#: Middles of a disc as two networks draw it lie within this, mm: less than half a low disc's way to
#: the next one.
_SAME_MM = 7.0
#: A vote (log-likelihood) that other evidence does not outweigh.
_CERTAIN = 50.0


def same_discs(
    first: Sequence[DiscSeen], second: Sequence[DiscSeen], spaces: tuple[Space, Space]
) -> list[int | None]:
    """Return, for each disc of step 2, which one of step 1's it is; None for a new one."""
    if not first:
        return [None] * len(second)
    places = [
        space.to_world(np.array([disc.centre for disc in discs]) / space.spacing[0])
        for discs, space in zip((first, second), spaces, strict=True)
        if discs
    ]
    result: list[int | None] = []
    for i in range(len(second)):
        away = np.linalg.norm(places[0] - places[1][i], axis=1)
        near = int(np.argmin(away))
        back = int(np.argmin(np.linalg.norm(places[1] - places[0][near], axis=1)))
        result.append(near if away[near] < _SAME_MM and back == i else None)
    return result


def agreed(
    first: Numbering,
    second: Numbering,
    pairs: Sequence[int | None],
    again: Callable[[dict[int, str]], Numbering],
) -> Numbering:
    """Return the numbering of step 2's discs that both steps support most.

    Parameters
    ----------
    first
        Of step 1's discs.
    second
        Of step 2's discs, by all evidence.
    pairs
        From :func:`same_discs`.
    again
        Numbers step 2's discs with the names of some of them given.

    Returns
    -------
    Numbering
        Its confidence is the average of both where they say the same; else what the surer one has
        of the average (at most one half), and the other one is the first of the alternatives.
    """
    names = {
        i: name for i, pair in enumerate(pairs) if pair is not None
        if (name := first.chosen.names[pair]) is not None
    }  # fmt: skip
    shares = first.chosen.probability / 2, second.chosen.probability / 2
    if all(second.chosen.names[i] in (None, name) for i, name in names.items()):
        chosen = replace(second.chosen, probability=sum(shares))
        return replace(second, chosen=chosen)
    logger.info(
        "step 1 numbers %s, step 2 %s", as_candidate(first.chosen), as_candidate(second.chosen)
    )
    ways = [(again(names), shares[0]), (second, shares[1])]
    (kept, share), (other, others_share) = sorted(ways, key=lambda way: -way[1])
    chosen = replace(kept.chosen, probability=share)
    rival = replace(other.chosen, probability=others_share)
    return replace(
        kept, chosen=chosen,
        alternatives=(rival, *(c for c in kept.alternatives if c.names != rival.names)),
    )  # fmt: skip


def as_votes(names: Mapping[int, str], count: int, columns: Sequence[str]) -> FloatArray:
    """Return the votes (count, columns) that give some discs their names."""
    votes = np.zeros((count, len(columns)))
    for i, name in names.items():
        votes[i, list(columns).index(name)] = _CERTAIN
    return votes
