"""The cascade: networks' probabilities in, named structures out."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.errors import NoSpineError
from spinetools.image import Image, Space, resample_to
from spinetools.vertebrae.agreement import agreed, same_discs
from spinetools.vertebrae.anchors import Known
from spinetools.vertebrae.bones import name_vertebrae, planes_of
from spinetools.vertebrae.canal import Line, coordinates
from spinetools.vertebrae.evidence import EvidenceParams, landmark_shares
from spinetools.vertebrae.finish import clean, close_canal
from spinetools.vertebrae.grid import find_box, say_memory, working_image
from spinetools.vertebrae.naming import Numbering, solve
from spinetools.vertebrae.networks import Network, Networks
from spinetools.vertebrae.reading import (
    draw_odd,
    hard_classes,
    read_step1,
    read_step2,
    shares_of,
)
from spinetools.vertebrae.result import (
    ANY_DISC,
    ANY_VERTEBRA,
    ATLAS,
    AXIS,
    CANAL,
    CORD,
    FIRST_DISC,
    NamedDisc,
    SpineLabels,
    as_candidate,
    named_disc,
    working_names,
)
from spinetools.vertebrae.transition import unusual, with_transition
from spinetools.vertebrae.views import View, evidence_of, view

FloatArray = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
logger = logging.getLogger(__name__)

#: Vertebrae reach this far from the canal's line to the front, back and side: a large lumbar body
#: and half the canal, a long spinous process, the wing of the sacrum, each with room to spare, mm.
_BONE_REACH_MM = (65.0, 95.0, 80.0)
#: … and the canal with the cord: it is at most some 30 mm wide, and the line runs within.
_CANAL_REACH_MM = (30.0, 30.0, 30.0)
#: Less of a vertebra than this is a crumb beside a disc that the image's end cuts, mm³.
_SLIVER_MM3 = 200.0
#: Less of the atlas than this, of what is seen of C2, may as well be C2's facets.
_LEAST_ATLAS = 0.08


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
    answer = first.probabilities(working.data[None], working.space, mean_sd)
    steps = {"step1": working.like(hard_classes(answer))} if params.keep_steps else {}
    shown = view(working, read_step1(answer))
    del answer
    shares = landmark_shares([np.array([d.landmark for d in shown.discs]).reshape(-1, 5)])
    numbering = _number(shown, shares, image, params, known)
    if second is not None:
        if second.spacing_mm != first.spacing_mm:
            working = working_image(image, second.spacing_mm, box)
        odd = shown.working.like(draw_odd(shown.discs, numbering.path, shown.working.shape))
        odd = _on_space(odd, working.space)
        answer = second.probabilities(np.stack([working.data, odd.data]), working.space, mean_sd)
        if params.keep_steps:
            steps["step2"] = working.like(hard_classes(answer))
        before, spaces = shown, (shown.working.space, working.space)
        shown = view(working, read_step2(answer, before.seen, spaces))
        del answer
        numbering = _number_again(before, numbering, shown, image, params, known)
    seen = shown.seen
    result = SpineLabels(
        image=image, working=working, numbers=_paint(shown, numbering, params),
        names=_names(numbering, params), discs=_named(shown, numbering), numbering=numbering,
        cord=seen.cord, canal=np.clip(seen.cord + seen.canal, 0, 1), line=shown.line, steps=steps,
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
    shown: View,
    shares: FloatArray,
    image: Image,
    params: LabelParams,
    known: Known,
    names: dict[int, str] | None = None,
) -> Numbering:
    """Collect the evidence and solve."""
    if not shown.discs:
        raise NoSpineError(
            f"no intervertebral disc was found in {image.name}, so that nothing can be numbered"
        )
    evidence = evidence_of(shown, shares, image, known, names)
    numbering = solve(evidence, params.evidence, params.variants)
    if not params.variants:
        return numbering
    return with_transition(
        numbering, shown.discs, shown.seen.bone, shown.seen.disc, shown.line, shown.spacing
    )


def _number_again(
    before: View,
    numbering: Numbering,
    shown: View,
    image: Image,
    params: LabelParams,
    known: Known,
) -> Numbering:
    """Solve anew for what step 2 saw, by what both steps say."""
    spaces = before.working.space, shown.working.space
    shares = shares_of(shown.discs, before.seen, shown.seen, spaces)

    def number(names: dict[int, str] | None = None) -> Numbering:
        return _number(shown, shares, image, params, known, names)

    pairs = same_discs(before.discs, shown.discs, spaces)
    return agreed(numbering, number(), pairs, number)


# -- painting -------------------------------------------------------------------------------------


def _paint(shown: View, numbering: Numbering, params: LabelParams) -> npt.NDArray[np.uint8]:
    """Write working numbers."""
    seen, line, discs, spacing = shown.seen, shown.line, shown.discs, shown.spacing
    numbers = np.zeros(seen.disc.shape, np.uint8)
    if params.step1_only:
        numbers[_near(seen.masks[0], line, spacing)] = ANY_VERTEBRA
    else:
        planes = planes_of(
            discs, numbering.path, numbering.anatomy, numbering.scale, line, shown.reach
        )
        masks = tuple(_near(mask, line, spacing) for mask in seen.masks)
        named = name_vertebrae(masks, planes, numbering.anatomy, numbering.scale, line, spacing)
        numbers[:] = named
    for disc, index in zip(discs, numbering.path, strict=True):
        if index is not None:
            numbers[tuple(disc.voxels.T)] = FIRST_DISC + index
    if not params.step1_only:
        numbers = clean(numbers, spacing)
        sizes = np.bincount(numbers.ravel(), minlength=FIRST_DISC)[:FIRST_DISC] * spacing**3
        if 0 < sizes[ATLAS] < _LEAST_ATLAS * sizes[AXIS]:
            numbers = clean(np.where(numbers == ATLAS, AXIS, numbers).astype(np.uint8), spacing)
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


def _named(shown: View, numbering: Numbering) -> tuple[NamedDisc, ...]:
    return tuple(
        named_disc(numbering.anatomy.disc_names[index], disc, shown.line, shown.working.space)
        for disc, index in zip(shown.discs, numbering.path, strict=True)
        if index is not None
    )


def _say(result: SpineLabels) -> None:
    """Say how the discs were named, and warn where that is uncertain or unusual."""
    chosen = result.numbering.chosen
    logger.info("discs %s", as_candidate(chosen))
    if result.variant:
        said = unusual(result.variant, result.numbering.variant_probability[result.variant])
        logger.warning("%s%s", said, "; -variants never numbers without" if chosen.variant else "")
    if not result.sure:
        others = ", ".join(as_candidate(other) for other in result.numbering.alternatives[:3])
        logger.warning(
            "the numbering is uncertain: %s; or %s. A level by hand (-init), disc points "
            "(-discfile) or a localizer's labels (-loc) settle it", as_candidate(chosen), others,
        )  # fmt: skip
