"""The cascade: networks' probabilities in, named structures out."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.errors import NoSpineError
from spinetools.image import Image, Space, resample_to
from spinetools.vertebrae.anatomy import anatomies
from spinetools.vertebrae.anchors import Init, from_discfile, from_init, votes_of_localizer
from spinetools.vertebrae.bones import name_vertebrae, planes_of
from spinetools.vertebrae.canal import Line, coordinates, find_line
from spinetools.vertebrae.discs import (
    CLEAR,
    FAINT,
    DiscSeen,
    find_discs,
    with_faint,
    without_sacral,
)
from spinetools.vertebrae.evidence import (
    Evidence,
    EvidenceParams,
    PlaceEvidence,
    landmark_shares,
)
from spinetools.vertebrae.finish import clean, close_canal
from spinetools.vertebrae.grid import find_box, say_memory, working_image
from spinetools.vertebrae.naming import Numbering, solve
from spinetools.vertebrae.networks import Network, Networks
from spinetools.vertebrae.reading import (
    Seen,
    draw_odd,
    hard_classes,
    read_step1,
    read_step2,
    shares_of,
)
from spinetools.vertebrae.result import (
    ANY_DISC,
    ANY_VERTEBRA,
    CANAL,
    CORD,
    FIRST_DISC,
    NamedDisc,
    SpineLabels,
    as_candidate,
    named_disc,
    working_names,
)
from spinetools.vertebrae.shape import Masks, measure
from spinetools.vertebrae.transition import with_transition

FloatArray = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
logger = logging.getLogger(__name__)

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
#: Vertebrae reach this far from the canal's line to the front, back and side: a large lumbar body
#: and half the canal, a long spinous process, the wing of the sacrum, each with room to spare, mm.
_BONE_REACH_MM = (65.0, 95.0, 80.0)
#: … and the canal with the cord: it is at most some 30 mm wide, and the line runs within.
_CANAL_REACH_MM = (30.0, 30.0, 30.0)
#: Less of a vertebra than this is a crumb beside a disc that the image's end cuts, mm³.
_SLIVER_MM3 = 200.0


@dataclass(frozen=True)
class LabelParams:
    """How to label.

    Attributes
    ----------
    step1_only
        Stop after step 1: cord, canal, named discs, and one label for all vertebrae.
    fast
        Step 1 alone: vertebrae are told apart by the discs' planes.
    variants
        Whether T13, L6 and a sacralised L5 are thought of.
    evidence
        How far each kind of evidence is trusted; None for the fitted values.
    keep_steps
        Keep the networks' own classes in the result.
    """

    step1_only: bool = False
    fast: bool = False
    variants: bool = True
    evidence: EvidenceParams | None = None
    keep_steps: bool = False


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


def label_spine(
    image: Image,
    networks: Networks,
    params: LabelParams | None = None,
    known: Known | None = None,
) -> SpineLabels:
    """Label an image.

    Parameters
    ----------
    image
        3D, in any orientation and spacing.
    networks
        The cascade's networks. Step 2 may read smaller voxels than step 1; the result lies on the
        last step's grid.
    params, known
        How to label, and what is known beforehand.

    Raises
    ------
    NoSpineError
        When no spine or no disc is found.
    InputError
        When what is known does not fit the image.
    """
    params, known = params or LabelParams(), known or Known()
    first = networks.step1
    box = find_box(image, networks.region)
    working = working_image(image, first.spacing_mm, box)
    mean_sd = None if box is None else (float(image.data.mean()), float(image.data.std()))
    second = None if params.fast or params.step1_only else networks.step2
    _say_memory(working, first, second)
    spacing = first.spacing_mm

    answer = first.probabilities(working.data[None], working.space, mean_sd)
    steps = {"step1": working.like(hard_classes(answer))} if params.keep_steps else {}
    seen = read_step1(answer)
    del answer
    line = find_line(seen.cord + seen.canal >= 0.5, seen.disc + seen.bone >= 0.5, spacing)
    discs = _discs(seen, line, spacing)
    shares = landmark_shares([np.array([disc.landmark for disc in discs]).reshape(-1, 5)])
    numbering = _number(image, working, seen, line, discs, shares, params, known)
    if second is not None:
        coarse, spacing = working, second.spacing_mm
        if spacing != first.spacing_mm:
            working = working_image(image, spacing, box)
        odd = _on_space(coarse.like(draw_odd(discs, numbering.path, coarse.shape)), working.space)
        answer = second.probabilities(np.stack([working.data, odd.data]), working.space, mean_sd)
        if params.keep_steps:
            steps["step2"] = working.like(hard_classes(answer))
        before, seen = seen, read_step2(answer)
        del answer
        line = find_line(seen.cord + seen.canal >= 0.5, seen.disc + seen.bone >= 0.5, spacing)
        discs = _discs(seen, line, spacing)
        shares = shares_of(discs, before, seen, (coarse.space, working.space))
        numbering = _number(image, working, seen, line, discs, shares, params, known)
    numbers = _paint(seen, line, discs, numbering, params, spacing)
    result = SpineLabels(
        image=image, working=working, numbers=numbers, names=_names(numbering, params),
        discs=_named(discs, numbering, line, working.space), numbering=numbering,
        cord=seen.cord, canal=np.clip(seen.cord + seen.canal, 0, 1), line=line, steps=steps,
        models=tuple(n.name for n in (networks.region, first, second) if n is not None),
    )  # fmt: skip
    _say(result)
    return result


def _say_memory(working: Image, first: Network, second: Network | None) -> None:
    """Say what the larger of the steps needs."""
    steps = [network for network in (first, second) if network is not None]
    finer = first.spacing_mm / min(network.spacing_mm for network in steps)
    shape = [round(n * finer) for n in working.shape]
    say_memory(shape, max(len(network.classes) for network in steps))


def _on_space(labels: Image, space: Space) -> Image:
    return labels if labels.space.same_as(space) else resample_to(labels, space, "nn")


# -- numbering ------------------------------------------------------------------------------------


def _number(
    image: Image,
    working: Image,
    seen: Seen,
    line: Line,
    discs: list[DiscSeen],
    shares: FloatArray,
    params: LabelParams,
    known: Known,
) -> Numbering:
    """Collect the evidence and solve."""
    if not discs:
        raise NoSpineError(
            f"no intervertebral disc was found in {image.name}, so that nothing can be numbered"
        )
    spacing = working.space.spacing[0]
    ahead = _ahead(discs, line)
    top, bottom = _reach(line, ahead, working.shape, spacing)
    places = list(_conus(seen, line, spacing, bottom))
    if known.init is not None:
        places.append(from_init(known.init, image, line, working.space, ahead))
    if known.discs is not None:
        places += from_discfile(known.discs, line, working.space)
    names = tuple(dict.fromkeys(name for kind in anatomies() for name in kind.disc_names))
    votes = np.zeros((len(discs), len(names)))
    if known.localizer is not None:
        votes += votes_of_localizer(known.localizer, discs, working.space, names)
    bone = seen.bone >= np.maximum(seen.disc, 0.5)
    masks = Masks(bone, seen.cord + seen.canal >= 0.5, seen.cord >= 0.5)
    axes = working.space.affine[:3, :3] / np.asarray(working.space.spacing)
    shape = measure(discs, masks, line, spacing, axes)
    cut = np.isnan([disc.height for disc in discs])
    heard = np.where(cut[:, None], np.nan, shares)
    evidence = Evidence(tuple(discs), heard, top, bottom, tuple(places), votes, names, shape)
    numbering = solve(evidence, params.evidence, params.variants)
    if not params.variants:
        return numbering
    return with_transition(numbering, discs, bone, line, spacing)


def _discs(seen: Seen, line: Line, spacing: float) -> list[DiscSeen]:
    found, faint = (
        find_discs(seen.disc, seen.landmarks, line, spacing, seen.kinds, threshold)
        for threshold in (CLEAR, FAINT)
    )
    return without_sacral(with_faint(found, faint))


def _ahead(discs: list[DiscSeen], line: Line) -> float:
    """Return how far in front of the canal's line the discs lie, mm."""
    return float(np.median(coordinates(line, np.array([disc.centre for disc in discs]))[2]))


def _reach(line: Line, ahead: float, shape: tuple[int, ...], spacing: float) -> tuple[float, float]:
    """Return the length along the line between which a disc's middle lies within the image."""
    column = line.points + ahead * line.front
    limit = (np.asarray(shape) - 1) * spacing
    inside = ((column[:, 1:] >= 0) & (column[:, 1:] <= limit[1:])).all(axis=1)
    if not inside.any():
        return float(line.s[0]), float(line.s[-1])
    found = np.flatnonzero(inside)
    return float(line.s[found[0]]), float(line.s[found[-1]])


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


# -- painting -------------------------------------------------------------------------------------


def _paint(
    seen: Seen,
    line: Line,
    discs: list[DiscSeen],
    numbering: Numbering,
    params: LabelParams,
    spacing: float,
) -> npt.NDArray[np.uint8]:
    """Write working numbers."""
    numbers = np.zeros(seen.disc.shape, np.uint8)
    if params.step1_only:
        numbers[_near(seen.masks[0], line, spacing)] = ANY_VERTEBRA
    else:
        planes = planes_of(
            discs, numbering.path, numbering.anatomy, numbering.scale, line,
            _reach(line, _ahead(discs, line), numbers.shape, spacing),
        )  # fmt: skip
        masks = tuple(_near(mask, line, spacing) for mask in seen.masks)
        named = name_vertebrae(masks, planes, numbering.anatomy, numbering.scale, line, spacing)
        numbers[:] = named
    for disc, index in zip(discs, numbering.path, strict=True):
        if index is not None:
            numbers[tuple(disc.voxels.T)] = FIRST_DISC + index
    if not params.step1_only:
        numbers = clean(numbers, spacing)
        sizes = np.bincount(numbers.ravel(), minlength=FIRST_DISC)[:FIRST_DISC] * spacing**3
        numbers[np.isin(numbers, np.flatnonzero(sizes < _SLIVER_MM3))] = 0
    cord = (seen.cord >= 0.5) & (seen.cord >= seen.canal) & (numbers == 0)
    canal = (seen.cord + seen.canal >= 0.5) & ~cord & (numbers == 0)
    cord, canal = (_near(mask, line, spacing, _CANAL_REACH_MM) for mask in (cord, canal))
    cord, canal = close_canal(cord, canal, numbers == 0, spacing)
    numbers[canal], numbers[cord] = CANAL, CORD
    return numbers


def _near(
    mask: Bools, line: Line, spacing: float, reach: tuple[float, float, float] = _BONE_REACH_MM
) -> Bools:
    """Leave out what lies where none can be: for bone in faces, skin and pelvis."""
    front, back, side = reach
    where = np.argwhere(mask)
    _, aside, ahead, _ = coordinates(line, where * spacing)
    far = (ahead > front) | (ahead < -back) | (np.abs(aside) > side)
    result = mask.copy()
    result[tuple(where[far].T)] = False
    return result


def _names(numbering: Numbering, params: LabelParams) -> dict[int, str]:
    names = working_names(numbering.anatomy)
    return names | {ANY_VERTEBRA: "vertebrae", ANY_DISC: "discs"} if params.step1_only else names


def _named(
    discs: list[DiscSeen], numbering: Numbering, line: Line, space: Space
) -> tuple[NamedDisc, ...]:
    return tuple(
        named_disc(numbering.anatomy.disc_names[index], disc, line, space)
        for disc, index in zip(discs, numbering.path, strict=True)
        if index is not None
    )


def _say(result: SpineLabels) -> None:
    """Say how the discs were named, and warn where that is uncertain or unusual."""
    chosen = result.numbering.chosen
    logger.info("discs %s", as_candidate(chosen))
    if chosen.variant:
        logger.warning(
            "the count of vertebrae is unusual: %s (probability %.0f %%); "
            "-variants never numbers without",
            chosen.variant, 100 * result.numbering.variant_probability[chosen.variant],
        )  # fmt: skip
    elif result.variant:
        logger.warning(
            "a transitional vertebra at the sacrum: %s is %s in part (probability %.0f %%)",
            "S1" if result.variant == "lumbarised" else "L5", result.variant,
            100 * result.numbering.variant_probability[result.variant],
        )  # fmt: skip
    if not result.sure:
        others = ", ".join(as_candidate(other) for other in result.numbering.alternatives[:3])
        logger.warning(
            "the numbering is uncertain: %s; or %s. A level by hand (-init), disc points "
            "(-discfile) or a localizer's labels (-loc) settle it", as_candidate(chosen), others,
        )  # fmt: skip
