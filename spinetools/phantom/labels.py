"""The tissues of a subject on any grid, with exact shares of cord and canal in every voxel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from spinetools.image import Space
from spinetools.labels import structures
from spinetools.phantom.content import fill_canal
from spinetools.phantom.field import Field
from spinetools.phantom.head import paint_head
from spinetools.phantom.paint import Canvas
from spinetools.phantom.shapes import F32
from spinetools.phantom.spine import paint_spine
from spinetools.phantom.subject import Implant, Subject
from spinetools.phantom.surroundings import paint_surroundings
from spinetools.phantom.tissues import Tissue
from spinetools.phantom.trunk import paint_trunk_bones

#: Grids larger than this are painted in slabs, so that memory stays bounded.
_SLAB_VOXELS = 3_000_000

_ARRAYS = ("top", "under", "share", "sac", "cord", "grey", "root", "structure")


def structure_ids() -> dict[str, int]:
    """Return the identity of each structure by its name (``vertebrae_C2``, ``disc_C2_C3``)."""
    return {s.name: s.values["totalspineseg"] for s in structures() if "totalspineseg" in s.values}


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """Tissues on a grid.

    Attributes
    ----------
    space
        The grid.
    top, under, share
        All but the dural sac and what it holds: ``share`` of a voxel (0.5–1) is tissue ``top``,
        the rest ``under`` (:class:`~spinetools.phantom.tissues.Tissue` numbers).
    sac, cord, grey, root
        Shares of each voxel (float32, 0–1): dural sac with all it holds, cord, the cord's grey
        matter, nerve roots.
    structure
        uint8, ids of the label table's column ``totalspineseg``.
    cord_mm
        (N, 3) points along the cord's line in world mm, for coils to lie along.
    implants
        Metal, which shows in images only.
    """

    space: Space
    top: npt.NDArray[np.uint8]
    under: npt.NDArray[np.uint8]
    share: F32
    sac: F32
    cord: F32
    grey: F32
    root: F32
    structure: npt.NDArray[np.uint8]
    cord_mm: npt.NDArray[np.float64]
    implants: tuple[Implant, ...] = ()

    @property
    def hard(self) -> npt.NDArray[np.uint8]:
        """The tissue that has most of each voxel."""
        labels = self.top.copy()
        labels[self.sac >= 0.5] = Tissue.CSF
        labels[self.root >= 0.5] = Tissue.ROOT
        labels[self.cord >= 0.5] = Tissue.WHITE_MATTER
        labels[self.grey >= 0.5] = Tissue.GREY_MATTER
        return labels

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> LabelVolume:
        """Return the voxels from ``start`` to ``stop`` (exclusive): many images of one painting."""
        box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        parts = {name: getattr(self, name)[box] for name in _ARRAYS}
        return LabelVolume(
            space=self.space.cropped(start, stop),
            cord_mm=self.cord_mm,
            implants=self.implants,
            **parts,
        )


def paint_labels(subject: Subject, space: Space) -> LabelVolume:
    """Put a subject on a grid.

    Parameters
    ----------
    subject
        From :func:`~spinetools.phantom.anatomy.make_subject`.
    space
        Any grid in the subject's world.
    """
    longest = int(np.argmax(space.shape))
    voxels = int(np.prod(space.shape))
    count = min(int(np.ceil(voxels / _SLAB_VOXELS)), space.shape[longest])
    cuts = np.linspace(0, space.shape[longest], count + 1).astype(int)
    parts = []
    for first, last in pairwise(cuts):
        start, stop = [0, 0, 0], list(space.shape)
        start[longest], stop[longest] = int(first), int(last)
        parts.append(_paint_slab(subject, space.cropped(start, stop)))

    if len(parts) == 1:
        return parts[0]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=longest)
        for name in _ARRAYS
    }
    return LabelVolume(space=space, cord_mm=parts[0].cord_mm, implants=subject.implants, **joined)


def _paint_slab(subject: Subject, space: Space) -> LabelVolume:
    canvas = Canvas(space)
    field = Field.over(subject, canvas)
    skin = paint_surroundings(canvas, field)
    paint_head(canvas, field)
    paint_trunk_bones(canvas, field, skin)
    ids = structure_ids()
    paint_spine(canvas, field, ids)
    content = fill_canal(canvas, field)
    structure = canvas.structure
    structure[content.sac >= 0.5] = ids["spinal_canal"]
    structure[content.cord >= 0.5] = ids["spinal_cord"]
    return LabelVolume(
        space, canvas.top, canvas.under, canvas.share,
        content.sac, content.cord, content.grey, content.root, structure,
        subject.curve.points[::10], subject.implants,
    )  # fmt: skip
