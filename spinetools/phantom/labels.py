"""The tissues of a subject on any grid, with exact shares of cord and canal in every voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.image import Space
from spinetools.labels import structures
from spinetools.phantom import bones
from spinetools.phantom.content import Content, fill_canal
from spinetools.phantom.head import paint_head
from spinetools.phantom.paint import Canvas
from spinetools.phantom.shapes import F32, super_ellipse
from spinetools.phantom.subject import Disc, Subject, Vertebra
from spinetools.phantom.surroundings import Field, paint_surroundings
from spinetools.phantom.tissues import Tissue

#: Grids larger than this are painted in slabs, so that memory stays bounded.
_SLAB_VOXELS = 3_000_000

_CORTEX_BODY_MM, _CORTEX_ARCH_MM = 0.8, 1.1


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

    @property
    def hard(self) -> npt.NDArray[np.uint8]:
        """The tissue that has most of each voxel."""
        labels = self.top.copy()
        labels[self.sac >= 0.5] = Tissue.CSF
        labels[self.root >= 0.5] = Tissue.ROOT
        labels[self.cord >= 0.5] = Tissue.WHITE_MATTER
        labels[self.grey >= 0.5] = Tissue.GREY_MATTER
        return labels


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
    for first, last in zip(cuts[:-1], cuts[1:], strict=True):
        start, stop = [0, 0, 0], list(space.shape)
        start[longest], stop[longest] = int(first), int(last)
        parts.append(_paint_slab(subject, space.cropped(start, stop)))

    def joined(name: str) -> npt.NDArray[np.generic]:
        arrays = [getattr(part, name) for part in parts]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=longest)

    names = ("top", "under", "share", "sac", "cord", "grey", "root", "structure")
    return LabelVolume(
        space=space, cord_mm=subject.curve.points[::10], **{name: joined(name) for name in names}
    )  # type: ignore[arg-type]


def _paint_slab(subject: Subject, space: Space) -> LabelVolume:
    canvas = Canvas(space)
    field = Field.over(subject, canvas)
    paint_surroundings(canvas, field)
    paint_head(canvas, field)
    _paint_canal_wall(canvas, field)
    ids = {s.name: s.values.get("totalspineseg", 0) for s in structures()}
    for part in subject.discs:
        upper, lower = part.name.split("-")
        _paint_disc(canvas, part, ids[f"disc_{upper}_{lower}"])
    for vertebra in subject.vertebrae:
        name = "sacrum" if vertebra.name[0] == "S" else f"vertebrae_{vertebra.name}"
        _paint_vertebra(canvas, field, vertebra, ids[name])
    content: Content = fill_canal(canvas, field)
    structure = canvas.structure
    structure[content.sac >= 0.5] = ids["spinal_canal"]
    structure[content.cord >= 0.5] = ids["spinal_cord"]
    return LabelVolume(
        space, canvas.top, canvas.under, canvas.share,
        content.sac, content.cord, content.grey, content.root, structure, subject.curve.points[::10],
    )  # fmt: skip


def _canal_distance(field: Field, box: tuple[slice, slice, slice]) -> F32:
    """Distance to the bony canal's wall: the sac, and the fat round it."""
    p = field.subject.profiles
    ap = p["sac_ap"] + 1.4 + p["gap_back"]
    middle = p["sac_v"] + (1.4 - p["gap_back"]) / 2
    rl = p["sac_rl"] + 2 * 1.8
    return super_ellipse(
        field.u[box], field.v[box] - field.along(middle, box),
        field.along(rl / 2, box), field.along(ap / 2, box), 2.3,
    )  # fmt: skip


def _paint_canal_wall(canvas: Canvas, field: Field) -> None:
    """Epidural fat, and the yellow ligament behind it; bones are painted over, cut to the canal."""
    curve, p = field.subject.curve, field.subject.profiles
    rows = np.nonzero((curve.s >= 0) & (p["level"] < 28.5))[0]
    s = curve.s[rows]
    reach = [(i * 16.0, j * 16.0) for i in (-1, 1) for j in (-1, 1)]
    world = np.concatenate([curve.at(s, u, v) for u, v in reach])
    box = canvas.box_of(world, 4.0)
    if box is None:
        return
    wall = _canal_distance(field, box)
    level = field.along(p["level"], box)
    outside = np.maximum(-level, level - 28.5) * 20
    behind = field.v[box] - field.along(p["sac_v"] - 0.2 * p["sac_ap"], box)
    ligament = np.maximum(np.maximum(wall - 2.8, behind), outside)
    canvas.paint(box, ligament, Tissue.LIGAMENT)
    canvas.paint(box, np.maximum(wall, outside), Tissue.EPIDURAL)


def _paint_disc(canvas: Canvas, part: Disc, structure: int) -> None:
    half = (part.width / 2 + 4, part.depth / 2 + 4, part.height / 2 + 6)
    patch = canvas.patch(part.origin, part.axes, [-h for h in half], half)
    if patch is None:
        return
    whole, core = bones.disc(part, patch.x, patch.y, patch.z)
    canvas.paint(patch.box, whole, Tissue.ANNULUS, structure)
    dark = part.degeneration > 0.55
    canvas.paint(patch.box, core, Tissue.NUCLEUS_DARK if dark else Tissue.NUCLEUS)


def _paint_vertebra(canvas: Canvas, field: Field, vertebra: Vertebra, structure: int) -> None:
    low, high = bones.reach(vertebra)
    patch = canvas.patch(vertebra.origin, vertebra.axes, low, high)
    if patch is None:
        return
    canal = -_canal_distance(field, patch.box)
    ring = bones.arch(vertebra, patch.x, patch.y, patch.z)
    np.maximum(ring, canal, out=ring)
    if vertebra.name == "C1":
        canvas.paint(patch.box, ring, Tissue.CORTEX, structure)
        canvas.paint(patch.box, ring + _CORTEX_ARCH_MM, Tissue.ARCH_MARROW)
        return
    block = np.maximum(bones.body(vertebra, patch.x, patch.y, patch.z), canal)
    canvas.paint(patch.box, np.minimum(ring, block), Tissue.CORTEX, structure)
    canvas.paint(patch.box, ring + _CORTEX_ARCH_MM, Tissue.ARCH_MARROW)
    canvas.paint(patch.box, block + _CORTEX_BODY_MM, Tissue.MARROW)
    if vertebra.name[0] in "TL":
        back = -vertebra.depth / 2
        vein = np.sqrt((patch.x / 5) ** 2 + ((patch.y - back - 3) / 6) ** 2 + (patch.z / 2) ** 2)
        canvas.paint(patch.box, np.maximum((vein - 1) * 2, block + 0.3), Tissue.BASIVERTEBRAL)
