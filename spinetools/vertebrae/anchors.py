"""What is known beforehand: a level by hand, disc points, the labels of a localizer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image import Image, Space
from spinetools.image.points import points_of
from spinetools.labels import find_scheme, numbering, structures
from spinetools.vertebrae.anatomy import anatomies
from spinetools.vertebrae.canal import Line, coordinates
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.evidence import PlaceEvidence

FloatArray = npt.NDArray[np.float64]
logger = logging.getLogger(__name__)

#: Points of a person are trusted, but one may be wrong; labels of a localizer a little less.
_POINT_SURE, _LOCALIZER_SURE = 0.999, 0.98
#: How far above and below a disc's middle a localizer is asked for the vertebrae there, mm.
_BESIDE_MM = (7.0, 10.0, 13.0)


@dataclass(frozen=True)
class Init:
    """A level by hand.

    Attributes
    ----------
    level
        A vertebra (``L3``) or a disc (``C2-C3``).
    z
        Axial slice through its middle, counted upwards from the image's lowest one.
    """

    level: str
    z: float


@dataclass(frozen=True, eq=False)
class Known:
    """What is known beforehand.

    Attributes
    ----------
    init
        A level by hand.
    discs
        Single voxels with SCT's disc values, on any grid of the same scanner space.
    localizer
        Labels of another image of the same session, in any scheme.
    """

    init: Init | None = None
    discs: Image | None = None
    localizer: Image | None = None


def parse_init(text: str) -> Init:
    """Read ``LEVEL,z``: ``L3,120`` or ``C2-C3,210``.

    Raises
    ------
    InputError
        When it is not of that form or the level does not exist.
    """
    level, _, number = text.partition(",")
    level = level.strip().upper().replace("/", "-").replace("L5-S1", "L5-S")
    known = {name for kind in anatomies() for name in kind.vertebrae} | {"S"}
    known |= {
        "-".join(kind.neighbours(i)) for kind in anatomies() for i in range(len(kind.disc_names))
    }
    try:
        z = float(number)
    except ValueError:
        z = np.nan
    if level not in known or not np.isfinite(z):
        raise InputError(
            f"-init {text}: expected a level and the axial slice through its middle, e.g. L3,120 "
            "or C2-C3,210 (slices count upwards from the lowest, 0)"
        )
    return Init(level, z)


def from_init(init: Init, image: Image, line: Line, space: Space, ahead: float) -> PlaceEvidence:
    """Find where the column of bodies crosses an axial slice of the image.

    Parameters
    ----------
    init
        The level by hand.
    image
        The input, whose slices are counted.
    line, space
        The canal's line, and the working grid that its mm count on.
    ahead
        How far in front of the line the bodies lie, mm.

    Raises
    ------
    InputError
        When the image has no such slice.
    """
    upright = image.space.reoriented(("R", "A", "S"))
    if not 0 <= init.z <= upright.shape[2] - 1:
        raise InputError(
            f"-init {init.level},{init.z:g}: {image.name} has the axial slices 0 to "
            f"{upright.shape[2] - 1}, counted upwards"
        )
    column = line.points + ahead * line.front
    height = upright.to_voxel(space.to_world(column / np.asarray(space.spacing)))[:, 2]
    nearest = int(np.argmin(np.abs(height - init.z)))
    return PlaceEvidence(float(line.s[nearest]), init.level)


def from_discfile(discs: Image, line: Line, space: Space) -> list[PlaceEvidence]:
    """Read single voxels with SCT's disc values (3 is C2–C3) as places along the canal.

    Raises
    ------
    InputError
        When no voxel has the value of a disc.
    """
    known = {s.values["sct_disc"]: s.level for s in structures() if "sct_disc" in s.values}
    places, levels = [], []
    for point in points_of(discs):
        if int(point.value) in known:
            places.append(discs.space.to_world((point.x, point.y, point.z)))
            levels.append(known[int(point.value)])
    if not places:
        raise InputError(
            f"{discs.name} has no voxel with a disc's value, expected SCT's: 3 is C2–C3, 8 C7–T1"
        )
    local = space.to_voxel(np.array(places)) * np.asarray(space.spacing)
    s = coordinates(line, local)[0]
    return [
        PlaceEvidence(float(place), level, _POINT_SURE)
        for place, level in zip(s, levels, strict=True)
    ]


def votes_of_localizer(
    localizer: Image, discs: Sequence[DiscSeen], space: Space, names: Sequence[str]
) -> FloatArray:
    """Ask a labelled localizer what each disc, and what lies above and below it, is.

    Parameters
    ----------
    localizer
        Labels in any scheme of the label table, on any grid of the same scanner space.
    discs
        The discs seen.
    space
        The working grid.
    names
        Discs to vote for, as in the label table.

    Returns
    -------
    votes
        (N, names) log-likelihoods; zeros where the localizer shows nothing.
    """
    values = {int(value) for value in np.unique(localizer.data) if value}
    rows = numbering(find_scheme(values))
    votes = np.zeros((len(discs), len(names)))
    pairs = [name.removeprefix("disc_").split("_") for name in names]
    answered = 0
    for i, disc in enumerate(discs):
        heard = np.zeros(len(names))
        for away in (0.0, *_BESIDE_MM, *(-mm for mm in _BESIDE_MM)):
            row = rows.get(_value_at(localizer, disc.centre + away * disc.normal, space))
            if row is None:
                continue
            if row.kind == "disc" and abs(away) < 4:
                heard += 2.0 * np.array([name == row.name for name in names])
            elif row.kind == "vertebra" and away:
                side = 0 if away > 0 else 1
                heard += [pair[side] == row.level for pair in pairs]
        if heard.any():
            answered += 1
            share = _LOCALIZER_SURE * heard / heard.sum() + (1 - _LOCALIZER_SURE) / len(names)
            votes[i] = np.log(share * len(names))
    logger.info("%s labels %d of %d discs", localizer.name, answered, len(discs))
    return votes


def _value_at(image: Image, place: FloatArray, space: Space) -> int:
    world = space.to_world(place / np.asarray(space.spacing))
    voxel = np.rint(image.space.to_voxel(world)).astype(int)
    if (voxel < 0).any() or (voxel >= image.space.shape).any():
        return 0
    return int(image.data[tuple(voxel)])
