"""Paint what lies round the spine: skin, fat, muscles with fat planes, organs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spinetools.phantom import organs
from spinetools.phantom.field import Field, waves
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.paint import WHOLE, Box, Canvas
from spinetools.phantom.shapes import F32, ellipse, super_ellipse
from spinetools.phantom.tissues import Tissue

#: Half the thickness of the fibrous sheets between muscles, mm.
_FASCIA_MM = 0.3

#: Sheets of shorter wavelength than this carry vessels where they cross, mm.
_CROSSING_MM = 30.0

#: Organs end rounded, over this length along the spine, mm.
_END_MM = 14.0


def paint_surroundings(canvas: Canvas, field: Field) -> F32:
    """Paint everything but bones and what they hold; returns the distance to the skin."""
    skin = _outline(field)
    if field.subject.habitus.arms:
        _paint_arms(canvas, field)
    canvas.paint(WHOLE, skin, Tissue.SKIN)
    inner = _paint_fat(canvas, field, skin)
    _paint_fat_planes(canvas, field, inner)
    ripple = field.lattice.spread(waves(field, 5, 26.0, 40.0, mirrored=False))
    for tube in (*organs.NECK, *organs.CHEST, organs.BELLY_FAT):
        _paint_tube(canvas, field, tube, skin, ripple)
    _paint_bowel(canvas, field, skin)
    for tube in organs.BELLY:
        _paint_tube(canvas, field, tube, skin, ripple)
    return skin


def _paint_arms(canvas: Canvas, field: Field) -> None:
    """Paint arms beside the trunk, hanging from the shoulders; the trunk is painted over them."""
    habitus = field.subject.habitus
    level, _, _, half = np.array(organs.OUTLINE).T
    trunk = field.by_level(level, half * habitus.scale * habitus.neck)
    arm = np.array(organs.ARM)
    radius, front = (field.by_level(arm[:, 0], arm[:, i] * habitus.scale) for i in (1, 2))
    place = np.maximum(trunk + radius + 4, 1.18 * radius + 150 * habitus.scale)
    table = field.subject.profiles["level"]
    rows = np.nonzero((table >= arm[0, 0]) & (table <= arm[-1, 0]))[0]
    for side in (1, -1):
        box = _tube_box(canvas, field, rows, (side * place, front, radius, radius), 4.0)
        if box is None:
            continue
        shape = ellipse(
            side * field.u[box] - field.along(place, box),
            field.v[box] - field.along(front, box),
            field.along(radius, box),
            field.along(1.1 * radius, box),
        )
        along = field.along(table, box)
        shape = np.maximum(shape, 25 * np.maximum(arm[0, 0] - along, along - arm[-1, 0]))
        bone = shape + field.along(radius, box)
        skin = np.float32(1.6 + 0.35 * habitus.fat)
        for distance, tissue in (
            (shape, Tissue.SKIN),
            (shape + np.float32(1.6), Tissue.FAT),
            (shape + skin, Tissue.MUSCLE),
            (bone - np.float32(12), Tissue.CORTEX),
            (bone - np.float32(8), Tissue.SKULL_MARROW),
        ):
            canvas.paint(box, distance.astype(np.float32), tissue)


def _outline(field: Field) -> F32:
    habitus = field.subject.habitus
    level, back, front, half = np.array(organs.OUTLINE).T
    # what fat adds beyond a lean body lies outside of it
    more = np.interp(level, *np.array(organs.FAT_BY_LEVEL).T) * (habitus.fat - 10.0) * 0.6
    # the chin lies at another level in everyone
    face = level + habitus.jaw * np.clip((organs.FACE_ABOVE - level) / 2, 0, 1)
    table_back, table_front, table_half = (
        field.by_level(at, values * habitus.scale * habitus.neck + extra)
        for at, values, extra in (
            (level, back, -more),
            (face, front, 0.8 * more),
            (level, half, more),
        )
    )
    middle = field.along((table_back + table_front) / 2)
    depth = field.along((table_front - table_back) / 2)
    bump = field.lattice.spread(waves(field, 1, 90.0, 120.0) * 2.0)
    body = super_ellipse(field.u, field.v - middle, field.along(table_half), depth, 2.4)
    body += bump
    np.minimum(body, field.ball((0, 18, 78), (76, 96, 82)), out=body)
    return body


def _paint_fat(canvas: Canvas, field: Field, skin: F32) -> F32:
    """Fat below the skin, muscle below that; returns the distance to muscle."""
    canvas.paint(WHOLE, skin + np.float32(1.6), Tissue.FAT)
    levels, factors = np.array(organs.FAT_BY_LEVEL).T
    thick = field.along(field.by_level(levels, factors * field.subject.habitus.fat))
    ripple = field.lattice.spread(waves(field, 2, 60.0, 90.0) * 0.15 + 1.0)
    # thinner at the sides and, in most, in front
    radius = np.sqrt(field.u**2 + field.v**2) + 1
    turned = np.float32(0.75) - np.float32(0.25) * field.v / radius
    thick *= ripple
    thick *= turned
    thick += skin + np.float32(1.6)
    canvas.paint(WHOLE, thick, Tissue.MUSCLE)
    return thick


def _paint_fat_planes(canvas: Canvas, field: Field, inner: F32) -> None:
    """Thin sheets of fat and fascia between muscles: where smooth random fields change sign.

    Two fields fold round the spine as muscle layers do, one cuts across them.
    """
    rng = np.random.default_rng([field.subject.habitus.muscle_seed, 9])
    thickness = rng.uniform(0.15, 0.8)
    u, v = np.abs(field.lattice.u), field.lattice.v + 8.0
    radius = np.hypot(u, v)
    around = 30.0 * np.arctan2(u, -v)
    sheets = (
        (Tissue.FAT_PLANE, 24.0, waves(field, 3, 24.0, 160.0, where=(radius * 1.2, around * 0.4))),
        (Tissue.FAT_PLANE, 46.0, waves(field, 6, 46.0, 130.0)),
        (Tissue.FASCIA, 34.0, waves(field, 4, 34.0, 160.0, where=(radius * 1.2, around * 0.7))),
        (Tissue.FASCIA, 17.0, waves(field, 16, 17.0, 120.0, where=(radius, around * 0.8))),
    )
    fade = field.lattice.spread(waves(field, 7, 30.0, 60.0, mirrored=False) * 0.35)
    fade = np.minimum(fade + np.float32(thickness), np.float32(0.9), out=fade)
    inner = inner + np.float32(1.0)
    crossed: list[F32] = []
    for tissue, wavelength, values in sheets:
        sheet = field.lattice.spread(values)
        np.abs(sheet, out=sheet)
        # |gradient| of the field is about 2π / wavelength / √2
        sheet *= np.float32(wavelength / (2 * np.pi) * 1.2)
        if wavelength < _CROSSING_MM:
            crossed.append(sheet.copy())
        sheet -= fade if tissue is Tissue.FAT_PLANE else np.float32(_FASCIA_MM)
        np.maximum(sheet, inner, out=sheet)
        canvas.paint(WHOLE, sheet, tissue)
    # small vessels run along the lines where two sheets cross
    lines = np.maximum(np.maximum(*crossed) - np.float32(rng.uniform(0.5, 1.3)), inner)
    canvas.paint(WHOLE, lines, Tissue.VEIN)


def _paint_bowel(canvas: Canvas, field: Field, skin: F32) -> None:
    """Loops of gut within the belly's fat."""
    found = _tube_distance(canvas, field, organs.BELLY_FAT, 1)
    if found is None:
        return
    box, cavity = found
    loops = field.lattice.spread(waves(field, 8, 58.0, 50.0, mirrored=False))[box]
    gut = np.maximum(np.float32(9.0) * (np.float32(0.25) - loops), cavity + np.float32(9.0))
    np.maximum(gut, 42.0 - field.v[box], out=gut)  # in front of spine and great vessels
    np.maximum(gut, skin[box] + np.float32(16.0), out=gut)
    canvas.paint(box, gut, Tissue.MUCOSA)
    canvas.paint(box, gut + np.float32(2.0), Tissue.BOWEL)


def _paint_tube(canvas: Canvas, field: Field, tube: organs.Tube, skin: F32, ripple: F32) -> None:
    """Paint one tube, on both sides if it is mirrored, never through the skin."""
    wall = 0.0 if tube.wall is None else tube.wall[1]
    rough = tube.roughness
    for side in (1, -1) if tube.mirrored else (1,):
        found = _tube_distance(canvas, field, tube, side)
        if found is None:
            continue
        box, shape = found
        if rough:
            shape += np.float32(rough) * ripple[box]
        np.maximum(shape, skin[box] + np.float32(4.0 + wall), out=shape)
        if tube.wall is not None:
            canvas.paint(box, shape - np.float32(wall), tube.wall[0])
        canvas.paint(box, shape, tube.tissue)


def _tube_distance(
    canvas: Canvas, field: Field, tube: organs.Tube, side: int
) -> tuple[Box, F32] | None:
    """Distance to a tube's surface and the box of the grid that it may touch."""
    curve, scale = field.subject.curve, field.subject.habitus.scale
    knots = np.array(tube.knots)
    level = field.subject.profiles["level"]
    rows = np.nonzero((level >= knots[0, 0]) & (level <= knots[-1, 0]))[0]
    if not rows.size:
        return None
    first, last = curve.s[rows[[0, -1]]]
    tables = [scale * field.by_level(knots[:, 0], knots[:, c]) for c in range(1, 5)]
    u, v, a, b = tables[0] * side, tables[1], tables[2], tables[3]
    to_end = np.clip(np.minimum(curve.s - first, last - curve.s) / _END_MM, 0.02, 1)
    rounded = np.sqrt(1 - (1 - to_end) ** 2)
    a, b = a * rounded, b * rounded
    box = _tube_box(canvas, field, rows, (u, v, a, b), 4.0)
    if box is None:
        return None
    x, y = field.u[box] - field.along(u, box), field.v[box] - field.along(v, box)
    half_a, half_b = field.along(a, box), field.along(b, box)
    shape = (
        ellipse(x, y, half_a, half_b)
        if tube.power == 2.0
        else super_ellipse(x, y, half_a, half_b, tube.power)
    )
    s = field.s[box]
    np.maximum(shape, np.maximum(np.float32(first) - s, s - np.float32(last)), out=shape)
    return box, shape


def _tube_box(
    canvas: Canvas,
    field: Field,
    rows: npt.NDArray[np.intp],
    shape: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    margin: float,
) -> Box | None:
    u, v, a, b = (part[rows] for part in shape)
    s = field.subject.curve.s[rows]
    corners = [field.subject.curve.at(s, u + i * a, v + j * b) for i in (-1, 1) for j in (-1, 1)]
    return canvas.box_of(np.concatenate(corners), 2 * canvas.width + margin)
