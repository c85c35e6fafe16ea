"""Parts of the column, as a network tells them that sees the whole image at low resolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spinetools.image import Image, Space
from spinetools.vertebrae.discs import DiscSeen

FloatArray = npt.NDArray[np.float64]

PARTS = ("cervical", "thoracic", "lumbar", "sacrum")
#: How far above and below a disc's middle vertebrae are asked, mm along the disc's normal.
_AWAY_MM = (9.0, 13.0, 17.0)
#: Voxels that are rather no spine say nothing of its parts.
_LEAST_SPINE = 0.3
#: The network is wrong about a vertebra this often, however sure it is.
_WRONG = 0.08
#: A vertebra is asked from the disc above and from the disc below, and neighbours err together.
_WEIGHT = 0.35


def part_of(name: str) -> int:
    """Return the number, from 1, of a vertebra's part; 0 for what is no vertebra.

    Parameters
    ----------
    name
        As in the label table, e.g. ``vertebrae_T4``.
    """
    if name == "sacrum":
        return PARTS.index("sacrum") + 1
    level = name.removeprefix("vertebrae_")
    if level == name:
        return 0
    return "CTL".index(level[0]) + 1


def votes_of_parts(
    shares: Image, discs: Sequence[DiscSeen], space: Space, names: Sequence[str]
) -> FloatArray:
    """Return the log-likelihood of each disc by the parts that the vertebrae beside it belong to.

    Parameters
    ----------
    shares
        (X, Y, Z, 1 + parts): probability of spine, and of each part.
    discs
        From the top, on ``space``.
    space
        The working grid.
    names
        Discs that are thought of, as in the label table.

    Returns
    -------
    votes
        (discs, names); zero where nothing is known.
    """
    spacing = space.spacing[0]
    votes = np.zeros((len(discs), len(names)))
    pairs = [_parts_beside(name) for name in names]
    for number, disc in enumerate(discs):
        for side, sign in enumerate((1.0, -1.0)):
            places = disc.centre + sign * np.outer(_AWAY_MM, disc.normal)
            chance = _chance(shares, space.to_world(places / spacing))
            if chance is not None:
                votes[number] += [
                    _WEIGHT * np.log(chance[pair[side]] * len(PARTS)) for pair in pairs
                ]
    return votes


def _chance(shares: Image, places: FloatArray) -> FloatArray | None:
    """Return the probability of each part at some places of one vertebra."""
    voxels = np.rint(shares.space.to_voxel(places)).astype(int)
    inside = ((voxels >= 0) & (voxels < shares.shape[:3])).all(axis=1)
    found = np.asarray(shares.data)[tuple(voxels[inside].T)].astype(float)
    found = found[found[:, 0] >= _LEAST_SPINE]
    if not len(found):
        return None
    chance = found[:, 1:].mean(axis=0)
    chance /= max(float(chance.sum()), 1e-6)
    result: FloatArray = (1 - _WRONG) * chance + _WRONG / len(PARTS)
    return result


def _parts_beside(name: str) -> tuple[int, int]:
    """Return the parts (from 0) of the vertebrae above and below a disc."""
    above, below = name.removeprefix("disc_").split("_")
    return tuple("CTLS".index(level[0]) for level in (above, below))  # type: ignore[return-value]
