"""Paint what lies round the spine: skin, fat, muscles with fat planes, organs, head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.phantom import organs
from spinetools.phantom.curve import STEP_MM, Lattice
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.paint import WHOLE, Box, Canvas
from spinetools.phantom.shapes import F32, ellipse, super_ellipse
from spinetools.phantom.subject import Subject
from spinetools.phantom.tissues import Tissue


@dataclass(frozen=True, eq=False)
class Field:
    """Curve coordinates of a grid's voxels, and what is tabulated along the curve."""

    subject: Subject
    lattice: Lattice
    s: F32
    u: F32
    v: F32
    index: npt.NDArray[np.int32]

    @classmethod
    def over(cls, subject: Subject, canvas: Canvas) -> Field:
        """Solve the coordinates of a canvas's voxels."""
        lattice = subject.curve.lattice(canvas.space)
        s, u, v = (lattice.spread(part) for part in (lattice.s, lattice.u, lattice.v))
        last = len(subject.curve.points) - 1
        index = np.clip((s - subject.curve.start_mm) / STEP_MM + 0.5, 0, last).astype(np.int32)
        return cls(subject, lattice, s, u, v, index)

    def along(self, table: FloatArray, box: Box = WHOLE) -> F32:
        """Spread a table along the curve to a box of voxels (nearest millimetre)."""
        return table.astype(np.float32)[self.index[box]]

    def by_level(self, knots: npt.ArrayLike, values: npt.ArrayLike) -> FloatArray:
        """Interpolate values at levels to a table along the curve."""
        level = self.subject.profiles["level"]
        result: FloatArray = np.interp(level, np.asarray(knots), np.asarray(values))
        return result


def waves(
    field: Field,
    seed: int,
    across_mm: float,
    along_mm: float,
    terms: int = 14,
    mirrored: bool = True,
) -> FloatArray:
    """Smooth random field of unit variance on the lattice, fixed to the anatomy.

    A sum of plane waves in curve coordinates, so that any window of the same subject sees the same
    field; ``mirrored`` makes left and right alike.
    """
    rng = np.random.default_rng([field.subject.habitus.muscle_seed, seed])
    lattice = field.lattice
    u = np.abs(lattice.u) if mirrored else lattice.u
    total = np.zeros_like(lattice.s)
    for _ in range(terms):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        k_across = 2 * np.pi / across_mm * rng.uniform(0.6, 1.4)
        k_along = 2 * np.pi / along_mm * rng.normal()
        total += np.cos(
            k_across * (np.cos(angle) * u + np.sin(angle) * lattice.v) + k_along * lattice.s + phase
        )
    return total * np.sqrt(2 / terms)


def paint_surroundings(canvas: Canvas, field: Field) -> None:
    """Paint everything but the spine, from the skin inwards."""
    skin = _outline(field)
    inner = _paint_layers(canvas, field, skin)
    _paint_fat_planes(canvas, field, inner)
    for tube in (*organs.NECK, *organs.CHEST, *organs.BELLY):
        paint_tube(canvas, field, tube)


def _outline(field: Field) -> F32:
    scale = field.subject.habitus.scale
    level, back, front, half = np.array(organs.OUTLINE).T
    girth = field.subject.habitus.neck
    table_back, table_front, table_half = (
        field.by_level(level, values * scale * girth) for values in (back, front, half)
    )
    middle = field.along((table_back + table_front) / 2)
    depth = field.along((table_front - table_back) / 2)
    bump = field.lattice.spread(waves(field, 1, 90.0, 120.0) * 2.0)
    body = super_ellipse(field.u, field.v - middle, field.along(table_half), depth, 2.4) + bump
    head = _head(field, 0.0)
    return np.minimum(body, head, out=body)


def _head(field: Field, inside_mm: float) -> F32:
    """Distance to the cranium's surface, shrunk by some millimetres."""
    scale = field.subject.habitus.scale
    a, b, c = (r * scale - inside_mm for r in (76.0, 96.0, 82.0))
    x, y, z = field.u, field.v - 18 * scale, field.s + 78 * scale
    q = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) + np.float32(1e-6)
    distance: F32 = (q - 1) * np.float32((a + b + c) / 3)
    return distance


def _paint_layers(canvas: Canvas, field: Field, skin: F32) -> F32:
    """Skin, fat below it, muscle below that; returns the distance to muscle."""
    canvas.paint(WHOLE, skin, Tissue.SKIN)
    skin += 1.6
    canvas.paint(WHOLE, skin, Tissue.FAT)
    levels, factors = np.array(organs.FAT_BY_LEVEL).T
    thick = field.along(field.by_level(levels, factors * field.subject.habitus.fat))
    ripple = field.lattice.spread(waves(field, 2, 60.0, 90.0) * 0.15 + 1.0)
    # thinner at the sides and, in most, in front
    radius = np.sqrt(field.u**2 + field.v**2) + 1
    turned = 0.75 - 0.25 * field.v / radius
    inner = skin + thick * ripple * turned
    canvas.paint(WHOLE, inner, Tissue.MUSCLE)
    return inner


def _paint_fat_planes(canvas: Canvas, field: Field, inner: F32) -> None:
    """Thin sheets of fat where a smooth random field changes sign."""
    rng = np.random.default_rng([field.subject.habitus.muscle_seed, 9])
    thickness = rng.uniform(0.25, 0.9)
    for seed, across in ((3, 30.0), (4, 42.0)):
        sheet = np.abs(field.lattice.spread(waves(field, seed, across, 160.0)))
        # |gradient| of the field is about 2π / wavelength / √2
        sheet *= np.float32(across / (2 * np.pi) * 1.2)
        sheet -= np.float32(thickness)
        canvas.paint(WHOLE, np.maximum(sheet, inner + 1, out=sheet), Tissue.FAT_PLANE)


def paint_tube(canvas: Canvas, field: Field, tube: organs.Tube) -> None:
    """Paint one tube, on both sides if it is mirrored."""
    knots = np.array(tube.knots)
    tables = [field.by_level(knots[:, 0], knots[:, c]) for c in range(1, 5)]
    scale = field.subject.habitus.scale
    u, v, a, b = (table * scale for table in tables)
    level = field.subject.profiles["level"]
    rows = np.nonzero((level >= knots[0, 0]) & (level <= knots[-1, 0]))[0]
    wall = 0.0 if tube.wall is None else tube.wall[1]
    for side in (1, -1) if tube.mirrored else (1,):
        box = _tube_box(canvas, field, rows, (side * u, v, a + wall, b + wall))
        if box is None:
            continue
        x = field.u[box] - side * field.along(u, box)
        y = field.v[box] - field.along(v, box)
        half_a, half_b = field.along(a, box), field.along(b, box)
        shape = (
            ellipse(x, y, half_a, half_b)
            if tube.power == 2.0
            else super_ellipse(x, y, half_a, half_b, tube.power)
        )
        s, (first, last) = field.s[box], field.subject.curve.s[rows[[0, -1]]]
        ends = np.maximum(first - s, s - last)
        shape = np.maximum(shape, ends, out=shape)
        if tube.wall is not None:
            canvas.paint(box, shape - np.float32(wall), tube.wall[0])
        canvas.paint(box, shape, tube.tissue)


def _tube_box(
    canvas: Canvas,
    field: Field,
    rows: npt.NDArray[np.intp],
    shape: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
) -> Box | None:
    u, v, a, b = (part[rows] for part in shape)
    s = field.subject.curve.s[rows]
    corners = [field.subject.curve.at(s, u + i * a, v + j * b) for i in (-1, 1) for j in (-1, 1)]
    world = np.concatenate(corners)
    # a long tube may pass a small window far away: keep the part that lies in the window's range
    return canvas.box_of(world, 2 * canvas.width)
