"""Paint the spine: canal, foramina, ligaments, discs, vertebrae."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spinetools.phantom import bones
from spinetools.phantom.field import Field, waves
from spinetools.phantom.paint import Box, Canvas, Patch
from spinetools.phantom.pathology import SOUND
from spinetools.phantom.shapes import F32, capsule, ellipsoid, super_ellipse
from spinetools.phantom.subject import Disc, Vertebra
from spinetools.phantom.tissues import Tissue

#: Thickness of cortical bone, mm, times the subject's own factor.
_CORTEX_BODY_MM, _CORTEX_ARCH_MM = 0.8, 0.95

#: Level where epidural fat begins: below the cistern that the head is painted with.
_FIRST_EPIDURAL = 0.1

#: Width of the transition from nucleus to annulus, mm.
_NUCLEUS_EDGE_MM = 2.2

#: Discs more degenerate than this are dark.
_DARK_DISC = 0.55


def paint_spine(canvas: Canvas, field: Field, ids: Mapping[str, int]) -> None:
    """Paint all of the spine but the content of the dural sac.

    Parameters
    ----------
    canvas, field
        Where.
    ids
        Identity to write by the structure's name (``vertebrae_C2``, ``disc_C2_C3``, ``sacrum``).
    """
    _paint_midline(canvas, field)
    _paint_foramina(canvas, field)
    _paint_canal_wall(canvas, field)
    for part in field.subject.discs:
        _paint_disc(canvas, part, ids[f"disc_{part.name.replace('-', '_')}"])
    for part in field.subject.remnants:
        _paint_disc(canvas, part, ids["sacrum"])
    named = [(part.name.split("-"), part.name.replace("-", "_")) for part in field.subject.discs]
    above = {lower: ids[f"disc_{name}"] for (_, lower), name in named}
    below = {upper: ids[f"disc_{name}"] for (upper, _), name in named}
    for vertebra in field.subject.vertebrae:
        name = "sacrum" if vertebra.name[0] == "S" else f"vertebrae_{vertebra.name}"
        beside = (above.get(vertebra.name, 0), below.get(vertebra.name, 0))
        _paint_vertebra(canvas, field, vertebra, ids[name], beside)
    for part in field.subject.discs:
        if part.fused:
            upper, lower = part.name.split("-")
            _paint_bridge(canvas, part, (ids[f"vertebrae_{upper}"], ids[f"vertebrae_{lower}"]))


def _paint_midline(canvas: Canvas, field: Field) -> None:
    """Ligaments and fat in the midline between and behind the spinous processes."""
    curve, p = field.subject.curve, field.subject.profiles
    rows = np.nonzero((p["level"] >= 0.8) & (p["level"] < 26))[0][::10]
    s = curve.s[rows]
    world = np.concatenate([curve.at(s, u, v) for u in (-4.0, 4.0) for v in (-8.0, -48.0)])
    box = canvas.box_of(world, 8.0)
    if box is None:
        return
    level = field.along(p["level"], box)
    behind = field.v[box] - field.along(p["canal_v"] - p["canal_ap"] / 2, box)
    half = field.along(field.by_level((1, 6.5, 8, 18, 20, 26), (1.0, 1.0, 2.5, 2.5, 4.5, 4.5)), box)
    length = field.along(
        field.by_level((0.8, 1.4, 2.2, 6, 8, 20, 26), (4, 16, 32, 38, 36, 34, 22)), box
    )
    ragged = field.lattice.spread(waves(field, 15, 18.0, 14.0, mirrored=False))[box] * 2.5
    sheet = np.maximum(np.abs(field.u[box]) - half, np.maximum(behind, ragged - behind - length))
    sheet = np.maximum(sheet, np.maximum(0.8 - level, level - 26) * 16)
    canvas.paint(box, sheet, Tissue.LIGAMENT)
    mixed = field.lattice.spread(waves(field, 12, 22.0, 26.0))[box] * 3.0
    canvas.paint(box, np.maximum(sheet + 0.7, mixed - 1.0), Tissue.FAT_PLANE)


def _canal_distance(field: Field, box: Box) -> F32:
    """Distance to the bony canal's wall: the sac, and the fat round it."""
    p = field.subject.profiles
    v, half = field.v[box] - field.along(p["canal_v"], box), field.along(p["canal_ap"] / 2, box)
    u = field.u[box] * (1 - field.along(p["sac_skew"], box) * np.clip(v / half, -1, 1))
    return super_ellipse(u, v, field.along(p["canal_rl"] / 2, box), half, 2.3)


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
    outside = np.maximum(_FIRST_EPIDURAL - level, level - 28.5) * 20
    behind = field.v[box] - field.along(p["canal_v"] - 0.1 * p["canal_ap"], box)
    ligament = np.maximum(np.maximum(wall - 2.8, behind), outside)
    canvas.paint(box, ligament, Tissue.LIGAMENT)
    canvas.paint(box, np.maximum(wall, outside), Tissue.EPIDURAL)
    if (
        p["flavum"].max() > 0.3
    ):  # thickened: it fills what it takes from the sac, less in the middle
        thick = field.along(p["flavum"], box)
        spread = 0.5 + 0.5 * np.clip(np.abs(field.u[box]) / 3, 0, 1)
        inner = np.maximum(np.maximum(wall, -wall - thick * spread), behind)
        canvas.paint(box, np.maximum(inner, np.maximum(outside, 0.3 - thick)), Tissue.LIGAMENT)


def _paint_foramina(canvas: Canvas, field: Field) -> None:
    """Fat and the nerve's ganglion where it leaves the canal, below each pedicle."""
    subject, curve = field.subject, field.subject.curve
    for name, s in zip(subject.names, subject.boundaries[1:], strict=True):
        out, ahead, fat, nerve = (
            (13.0, 5.0, 2.8, 2.2)
            if name[0] == "C"
            else (12.0, 1.0, 3.6, 2.0)
            if name[0] == "T"
            else (15.0, 2.0, 5.0, 3.0)
        )
        side = float(subject.profile("canal_rl", s)) / 2
        middle = float(subject.profile("canal_v", s))
        start = (side - 3.0, middle, s - 6.0)
        end = (side + out, middle + ahead, s + (2.0 if name[0] == "C" else -1.0))
        for sign in (1, -1):
            points = np.array([start, end])
            box = canvas.box_of(curve.at(points[:, 2], sign * points[:, 0], points[:, 1]), fat + 4)
            if box is None:
                continue
            x, y, z = sign * field.u[box], field.v[box], field.s[box]
            canvas.paint(
                box, capsule(x, y, z, start, end, (fat, fat), (1, 1, 1.4)), Tissue.EPIDURAL
            )
            near = tuple(0.5 * (a + b) for a, b in zip(start, end, strict=True))
            canvas.paint(box, capsule(x, y, z, near, end, (nerve, nerve * 0.7)), Tissue.ROOT)


def _paint_disc(canvas: Canvas, part: Disc, structure: int) -> None:
    half = (part.width / 2 + 4, part.depth / 2 + 4 + part.bulge, part.height / 2 + 6)
    patch = canvas.patch(part.origin, part.axes, [-h for h in half], half)
    if patch is None:
        return
    whole, core = bones.disc(part, patch.x, patch.y, patch.z)
    if part.bulge > 0.5:
        radii = (0.36 * part.width, part.bulge + 1.5, part.height / 2 + 1.0)
        back = patch.y + np.float32(part.depth / 2 - 0.5)
        np.minimum(whole, ellipsoid(patch.x, back, patch.z, radii), out=whole)
    canvas.paint(patch.box, whole, Tissue.ANNULUS, structure)
    dark = part.degeneration > _DARK_DISC
    tissue = Tissue.NUCLEUS_DARK if dark else Tissue.NUCLEUS
    # the nucleus merges into the annulus
    canvas.paint(patch.box, core, tissue, width=max(_NUCLEUS_EDGE_MM, canvas.width))


def _paint_vertebra(
    canvas: Canvas, field: Field, vertebra: Vertebra, structure: int, discs: tuple[int, int]
) -> None:
    low, high = bones.reach(vertebra)
    patch = canvas.patch(vertebra.origin, vertebra.axes, low, high)
    if patch is None:
        return
    canal = -_canal_distance(field, patch.box)
    shell = field.subject.habitus.cortex
    ring = bones.arch(vertebra, patch.x, patch.y, patch.z)
    np.maximum(ring, canal, out=ring)
    if vertebra.name == "C1":
        canvas.paint(patch.box, ring, Tissue.CORTEX, structure)
        canvas.paint(patch.box, ring + np.float32(_CORTEX_ARCH_MM * shell), Tissue.ARCH_MARROW)
        return
    block: F32 = np.maximum(bones.body(vertebra, patch.x, patch.y, patch.z), canal)
    canvas.paint(patch.box, np.minimum(ring, block), Tissue.CORTEX, structure)
    canvas.paint(patch.box, ring + np.float32(_CORTEX_ARCH_MM * shell), Tissue.ARCH_MARROW)
    canvas.paint(patch.box, block + np.float32(_CORTEX_BODY_MM * shell), Tissue.MARROW)
    if vertebra.lesions is not SOUND:
        _paint_lesions(canvas, patch, vertebra, block, discs)
    if vertebra.name[0] in "TL":
        back = -vertebra.depth / 2
        vein: F32 = np.sqrt(
            (patch.x / 5) ** 2 + ((patch.y - back - 3) / 6) ** 2 + (patch.z / 2) ** 2
        )
        canvas.paint(patch.box, np.maximum((vein - 1) * 2, block + 0.3), Tissue.BASIVERTEBRAL)


def _paint_lesions(
    canvas: Canvas, patch: Patch, vertebra: Vertebra, block: F32, discs: tuple[int, int]
) -> None:
    """Paint marrow changes inside a body, and discs (above, below) that broke into it."""
    a, b, half = vertebra.width / 2, vertebra.depth / 2, vertebra.height / 2
    inner = block + np.float32(_CORTEX_BODY_MM)
    for spot in vertebra.lesions.spots:
        x, y, z = (c * size for c, size in zip(spot.centre, (a, b, half), strict=True))
        ball = ellipsoid(patch.x - x, patch.y - y, patch.z - z, spot.radii)
        canvas.paint(patch.box, np.maximum(ball, inner), spot.tissue)
    for x, y, side, radius in vertebra.lesions.nodes:
        slope = vertebra.tilt_top if side > 0 else vertebra.tilt_bottom
        height = side * (half - 0.8) + slope * y * b
        centre = (patch.x - x * a, patch.y - y * b, patch.z - height)
        node = ellipsoid(*centre, (1.2 * radius, radius, radius))
        canvas.paint(patch.box, np.maximum(node - 0.8, inner), Tissue.CORTEX)
        broken = np.maximum(node, block)
        canvas.paint(patch.box, broken, Tissue.NUCLEUS_DARK, discs[0 if side > 0 else 1])


def _paint_bridge(canvas: Canvas, part: Disc, ids: tuple[int, int]) -> None:
    """Join the bodies (identities of the upper and the lower) round the remnant of a disc."""
    half = (part.width / 2 + 1, part.depth / 2 + 1, part.height / 2 + 3)
    patch = canvas.patch(part.origin, part.axes, [-h for h in half], half)
    if patch is None:
        return
    rim = super_ellipse(patch.x, patch.y, 0.46 * part.width, 0.46 * part.depth, 2.4)
    remnant = super_ellipse(patch.x, patch.y, 0.28 * part.width, 0.24 * part.depth, 2.4)
    plug = np.maximum(np.maximum(rim, -remnant), np.abs(patch.z) - np.float32(half[2] - 1.2))
    for side, structure in zip((-1, 1), ids, strict=True):
        canvas.paint(patch.box, np.maximum(plug, side * patch.z), Tissue.MARROW, structure)
