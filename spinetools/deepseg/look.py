"""One look along a centreline: patches, network, tidy mask; and where to look again."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.deepseg.clean import Cleaned, Rules, clean
from spinetools.deepseg.lattice import Float32Array, FloatArray
from spinetools.deepseg.network import MARGIN, Version, probabilities
from spinetools.deepseg.patches import Patches, blocks_along, slices_along
from spinetools.image import Image
from spinetools.infer.onnx import OnnxModel

logger = logging.getLogger(__name__)

IntArray = npt.NDArray[np.int64]
Box = tuple[list[int], list[int]]

#: Where the cord lies further than this from the centreline, its patches are cut about it again:
#: the networks are trained on patches whose middle is up to 4 mm off.
LOOK_AGAIN_MM = 4.0


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen along a centreline, on a box of the canonical grid.

    Attributes
    ----------
    box
        First voxel, and the one after the last, along each axis.
    patches
        Where was looked.
    chance
        Probability of cord on the box.
    deviation
        Of the versions of each patch (N, P, P[, P]); None for one version.
    cleaned
        The tidy mask on the box.
    line
        The centreline on the box (K, 3), voxels, a row a slice.
    """

    box: Box
    patches: Patches
    chance: Float32Array
    deviation: Float32Array | None
    cleaned: Cleaned
    line: FloatArray

    @property
    def start(self) -> IntArray:
        """The box's first voxel."""
        return np.array(self.box[0])


def look_along(
    canonical: Image,
    line: FloatArray,
    seen: IntArray,
    network: OnnxModel,
    shown: tuple[Version, ...],
    rules: Rules,
) -> Look:
    """Segment along a centreline; a second time about the cord's own middle, where that is far off.

    Parameters
    ----------
    canonical
        The image, axes R, A, S.
    line
        Centreline (K, 3), voxels, a row a slice.
    seen
        First and last slice in which the detector saw the cord.
    network
        See :func:`spinetools.deepseg.network.check_network`.
    shown
        See :func:`spinetools.deepseg.network.versions`.
    rules
        See :class:`spinetools.deepseg.clean.Rules`.
    """
    first = _look(canonical, line, seen, network, shown, rules)
    middles = own_middles(first.cleaned.mask, first.line, np.asarray(canonical.space.spacing))
    if middles is None:
        return first
    second = _look(canonical, middles + first.start, seen, network, shown, rules)
    return second if second.cleaned.mask.any() else first


def own_middles(
    mask: npt.NDArray[np.bool_], line: FloatArray, voxel_mm: FloatArray
) -> FloatArray | None:
    """Return a centreline through the middles of a mask; None where the old one is near enough.

    In slices without mask it keeps the distance of the nearest slices with mask.
    """
    filled: npt.NDArray[np.bool_] = np.asarray(mask.any(axis=(0, 1)))
    rows = np.flatnonzero(filled[np.rint(line[:, 2]).astype(int)])
    if not len(rows):
        return None
    places = [np.argwhere(mask[:, :, k]).mean(axis=0) for k in np.rint(line[rows, 2]).astype(int)]
    aside = np.array(places) - line[rows, :2]
    if np.linalg.norm(aside * voxel_mm[:2], axis=1).max() <= LOOK_AGAIN_MM:
        return None
    every = np.arange(len(line))
    moved = line.copy()
    for axis in (0, 1):
        moved[:, axis] += np.interp(every, rows, aside[:, axis])
    return moved


def _look(
    canonical: Image,
    line: FloatArray,
    seen: IntArray,
    network: OnnxModel,
    shown: tuple[Version, ...],
    rules: Rules,
) -> Look:
    line = np.clip(line, 0, np.array(canonical.shape) - 1)
    patches, box = _place(canonical, line, network)
    part, start = canonical.crop(*box), np.array(box[0])
    mean, deviation = probabilities(network, part.data, patches, shown)
    chance = patches.paste(mean)
    voxel_mm = np.asarray(canonical.space.spacing)
    cleaned = clean(chance, line - start, seen - start[2], voxel_mm, rules)
    return Look(box, patches, chance, deviation, cleaned, line - start)


def _place(canonical: Image, line: FloatArray, network: OnnxModel) -> tuple[Patches, Box]:
    """Place the patches, and return them on the smallest box of the image that holds them all."""
    card = network.card
    shape, voxel_mm = canonical.shape, np.asarray(canonical.space.spacing)
    reach = np.zeros(3)
    reach[: len(card.patch)] = (np.array(card.patch) / 2 + MARGIN) * card.spacing_mm
    voxels = np.ceil(reach / voxel_mm) + np.where(reach, 2, 0)
    low = np.maximum(np.floor(line.min(axis=0) - voxels).astype(int), 0)
    high = np.minimum(np.ceil(line.max(axis=0) + voxels).astype(int) + 1, shape)
    space = (int(high[0] - low[0]), int(high[1] - low[1]), int(high[2] - low[2]))
    how = (space, voxel_mm, line - low, card.patch, card.spacing_mm, MARGIN)
    patches = slices_along(*how) if len(card.patch) == 2 else blocks_along(*how, card.overlap)
    return patches, (low.tolist(), high.tolist())
