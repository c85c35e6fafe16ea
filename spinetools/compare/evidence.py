"""What can be said of the methods' masks on one image without a reference.

Each piece of evidence is zero for a faultless mask and grows with what is wrong. None depends on
how a method works: all are measured on the image and the masks, so that no method is judged by
its own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from spinetools.compare.disputed import contradicted
from spinetools.compare.edges import Edges, find_edges, polarity_of
from spinetools.compare.plausible import Limits
from spinetools.image import Image
from spinetools.metrics.overlap import overlap, overlap_by_slice
from spinetools.metrics.shape import AXIAL

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Anatomy kept around the masks; what lies further away is no evidence.
MARGIN_MM = 8.0
#: The area is compared with its median over this length on either side.
BESIDE_MM = 12.0
#: Methods whose masks in a slice have a lower Dice than this do not agree there: two sound masks
#: of a small cord in large voxels still do.
AGREE = 0.75


@dataclass(frozen=True)
class Evidence:
    """Evidence against one mask; zero is faultless.

    Attributes
    ----------
    edge
        Mean distance from the mask's edge to the image's, over the cord's radius.
    bias
        The same, of the distance with its sign: a mask too large or too small all round.
    off_edge
        How much the image's slope at the mask's edge falls short of the steepest nearby.
    rough
        Mean change of the area from its surroundings, in natural logarithms.
    missing
        Share of the cord's volume, as the methods have it together, in slices that this one lacks.
    implausible
        Share of the slices whose area no cord has, and of length beyond what fits.
    disagreement
        One minus the mean Dice with the other methods.
    contradicted
        Share of the volume where the image speaks for another method, less where it speaks against
        it (:mod:`spinetools.compare.disputed`).
    """

    edge: float
    bias: float
    off_edge: float
    rough: float
    missing: float
    implausible: float
    disagreement: float
    contradicted: float

    def row(self) -> FloatArray:
        """Return the values in the order of the attributes."""
        return np.array([getattr(self, name) for name in NAMES])


NAMES = tuple(item.name for item in fields(Evidence))


@dataclass(frozen=True, eq=False)
class Judged:
    """One method's mask on one image.

    Attributes
    ----------
    evidence
        See the class.
    area_mm2
        In each slice from the inferior end; 0 without mask.
    edges
        See the class.
    agreement
        Mean Dice with the other methods in each slice; NaN where none has a mask.
    implausible
        Slices whose area no cord has.
    too_long
        Whether the mask is longer than a cord in this field of view can be.
    """

    evidence: Evidence
    area_mm2: FloatArray
    edges: Edges
    agreement: FloatArray
    implausible: BoolArray
    too_long: bool


def judge(
    image: Image,
    masks: Mapping[str, Image],
    limits: Limits,
    levels: npt.NDArray[np.int64] | None = None,
) -> dict[str, Judged]:
    """Collect the evidence for every method on one image.

    Parameters
    ----------
    image
        What was segmented, in any orientation.
    masks
        By method, on the image's grid; none of them empty. Soft masks count from 0.5 on.
    limits
        What areas and lengths are plausible.
    levels
        Vertebral level of each axial slice from the inferior end, 0 where it is not known.

    Returns
    -------
    dict
        By method.
    """
    if not masks:
        return {}
    voxels, data, spacing = _cropped(image, masks)
    areas = {name: mask.sum(axis=(0, 1)) * spacing[0] * spacing[1] for name, mask in data.items()}
    polarity = polarity_of(voxels, list(data.values()), spacing)
    against = contradicted(voxels, data, spacing)
    result = {}
    for name, mask in data.items():
        others = [other for key, other in data.items() if key != name]
        edges = find_edges(voxels, mask, spacing, polarity)
        implausible = limits.implausible(areas[name], levels)
        length_mm = float((areas[name] > 0).sum() * spacing[2])
        too_long = length_mm > limits.longest_mm
        has = areas[name] > 0
        radius_mm = float(np.sqrt(np.median(areas[name][has]) / np.pi))
        evidence = Evidence(
            edge=float(np.nanmean(edges.error_mm)) / radius_mm,
            bias=abs(float(np.nanmean(edges.offset_mm))) / radius_mm,
            off_edge=1 - float(np.nanmean(edges.share)),
            rough=roughness(areas[name], spacing[2]),
            missing=_missing(areas, name),
            implausible=min(1.0, float(implausible[has].mean()) + float(too_long)),
            disagreement=_disagreement(mask, others),
            contradicted=against[name],
        )
        agreement = _agreement(mask, others)
        result[name] = Judged(evidence, areas[name], edges, agreement, implausible, too_long)
    return result


def roughness(area_mm2: FloatArray, slice_mm: float) -> float:
    """Return the mean change of a cord's area from its surroundings, in natural logarithms.

    Parameters
    ----------
    area_mm2
        In each slice; 0 without mask.
    slice_mm
        Distance of the slices.
    """
    near = max(1, round(BESIDE_MM / slice_mm))
    filled = np.flatnonzero(area_mm2 > 0)
    changes = []
    for k in filled:
        around = area_mm2[max(0, k - near) : k + near + 1]
        around = around[around > 0]
        changes.append(abs(float(np.log(area_mm2[k] / np.median(around)))))
    return float(np.mean(changes)) if changes else 0.0


def _cropped(
    image: Image, masks: Mapping[str, Image]
) -> tuple[FloatArray, dict[str, BoolArray], tuple[float, float, float]]:
    """Return upright voxels and masks of the cord's surroundings, all slices, and their spacing."""
    upright = image.mean_volume().reorient(AXIAL)
    data = {}
    for name, mask in masks.items():
        turned = mask.reorient(AXIAL)
        upright.space.check_same(turned.space, names=(image.name, mask.name))
        data[name] = np.asarray(turned.data >= 0.5 if turned.data.dtype.kind == "f"
                                else turned.data != 0)  # fmt: skip
    spacing = upright.space.spacing
    anywhere = np.any(list(data.values()), axis=0)
    box = []
    for axis in (0, 1):
        filled = np.flatnonzero(anywhere.any(axis=(1 - axis, 2)))
        margin = int(np.ceil(MARGIN_MM / spacing[axis]))
        box.append(slice(max(0, filled[0] - margin), filled[-1] + margin + 1))
    where = (box[0], box[1], slice(None))
    voxels = np.asarray(upright.data[where], dtype=np.float64)
    return voxels, {name: mask[where] for name, mask in data.items()}, spacing


def _missing(areas: Mapping[str, FloatArray], name: str) -> float:
    """Share of the cord's volume that lies in slices which others have and this one lacks."""
    stack = np.array(list(areas.values()))
    counts = (stack > 0).sum(axis=0)
    mean = np.divide(stack.sum(axis=0), counts, out=np.zeros(stack.shape[1]), where=counts > 0)
    return float(mean[areas[name] <= 0].sum() / mean.sum())


def _disagreement(mask: BoolArray, others: Sequence[BoolArray]) -> float:
    return float(np.mean([1 - overlap(mask, other).dice for other in others])) if others else 0.0


def _agreement(mask: BoolArray, others: Sequence[BoolArray]) -> FloatArray:
    """Mean Dice with the other masks, a slice; NaN where neither has a voxel, or none is there."""
    if not others:
        return np.full(mask.shape[2], np.nan)
    each = np.array([[found.dice for found in overlap_by_slice(mask, o)] for o in others])
    known = np.isfinite(each)
    total = np.where(known, each, 0).sum(axis=0)
    result: FloatArray = np.full(mask.shape[2], np.nan)
    np.divide(total, known.sum(axis=0), out=result, where=known.any(axis=0))
    return result
