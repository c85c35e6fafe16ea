"""Bones of the trunk that are not spine: ribs, breastbone, shoulder girdle, pelvis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from spinetools.phantom.field import Field
from spinetools.phantom.paint import Box, Canvas
from spinetools.phantom.shapes import F32, capsule
from spinetools.phantom.tissues import Tissue

Point = tuple[float, float, float]
Rod = tuple[Point, Point, float]

#: Size of each rib's arch over the largest's, T1 to T13.
_RIB_SIZE = (0.42, 0.60, 0.76, 0.87, 0.94, 0.98, 1.0, 1.0, 0.98, 0.95, 0.85, 0.65,
             0.4)  # fmt: skip

_SHELL_MM = 1.3


def paint_trunk_bones(canvas: Canvas, field: Field, skin: F32) -> None:
    """Paint ribs, breastbone, shoulders and pelvis, inside the skin."""
    subject = field.subject
    rods = _shoulder(field)
    for index, name in enumerate(subject.names):
        if name[0] == "T" and not (name == "T12" and subject.variant == "ribs11"):
            rods += _rib(field, index, int(name[1:]) - 1)
        if name == "C7" and subject.variant == "cervical_rib":
            rods += _cervical_rib(field, index)
    shapes = [
        found for rod in rods for side in (1, -1) if (found := _rod(canvas, field, rod, side))
    ]
    for box, distance in shapes:
        np.maximum(distance, skin[box] + np.float32(6.0), out=distance)
        canvas.paint(box, distance, Tissue.CORTEX)
    for box, distance in shapes:
        canvas.paint(box, distance + np.float32(_SHELL_MM), Tissue.ARCH_MARROW)
    _paint_pelvis(canvas, field, skin)


def _level_s(field: Field, level: float) -> float:
    subject = field.subject
    return float(np.interp(level, subject.profiles["level"], subject.curve.s))


def _rib(field: Field, index: int, number: int) -> list[Rod]:
    """Chain of rods from the head at the disc above, round the chest.

    ``index`` is the vertebra's place below C1, ``number`` the rib's (0 for T1).
    """
    subject, scale = field.subject, field.subject.habitus.scale
    top = float(subject.boundaries[index])
    vertebra = subject.vertebrae[index]
    s_vertebra = float(subject.boundaries[index : index + 2].mean())
    body_back = float(subject.profile("canal_v", top) + subject.profile("canal_ap", top) / 2)
    size = _RIB_SIZE[number]
    r = (4.5 if 2 <= number <= 9 else 3.8) * scale
    head = (vertebra.width / 2 + 2.0, body_back + 5.0, top + 2.0)
    neck = (25 * scale, body_back - 15 * scale, s_vertebra - 3.0)
    points = [head, neck]
    if number < 11:
        points.append((72 * size * scale + 10, -46 * (0.5 + 0.5 * size) * scale, top + 16))
    if number < 10:
        points.append((128 * size * scale + 14, -10 * scale, top + 34))
        points.append((146 * size * scale + 10, 45 * size * scale, top + 52))
    if number < 8:
        points.append((118 * size * scale, 112 * size * scale, top + 66))
    return [(a, b, r) for a, b in pairwise(points)]


def _cervical_rib(field: Field, index: int) -> list[Rod]:
    """Short rods that leave C7's transverse processes."""
    subject, scale = field.subject, field.subject.habitus.scale
    top, middle = (
        float(subject.boundaries[index]),
        float(subject.boundaries[index : index + 2].mean()),
    )
    body_back = float(subject.profile("canal_v", top) + subject.profile("canal_ap", top) / 2)
    first = (24 * scale, body_back - 4, middle)
    return [
        (first, (38 * scale, body_back - 2, middle + 5), 3.2),
        ((38 * scale, body_back - 2, middle + 5), (46 * scale, body_back + 14, middle + 16), 2.8),
    ]


def _shoulder(field: Field) -> list[Rod]:
    scale = field.subject.habitus.scale
    s7, s8, s9, s14 = (_level_s(field, level) for level in (7.0, 8.0, 9.0, 14.0))

    def at(u: float, v: float, s: float) -> Point:
        return (u * scale, v * scale, s)

    return [
        (at(14, 62, s8 + 6), at(80, 48, s7), 6.0),
        (at(80, 48, s7), at(138, 8, s7 + 2), 6.0),
        (at(160, 8, s8), at(164, 8, s8 + 14), 22.0),
        (at(166, 8, s8 + 25), at(172, 10, s14), 12.0),
        # spine and borders of the shoulder blade
        (at(78, -46, s9 - 8), at(140, -18, s8 - 4), 6.0),
        (at(76, -47, s8), at(90, -47, s14), 4.0),
        (at(90, -47, s14), at(140, -8, s8 + 10), 4.5),
    ]


def _rod(canvas: Canvas, field: Field, rod: Rod, side: int) -> tuple[Box, F32] | None:
    start, end, radius = rod
    t = np.linspace(0, 1, 5)[:, None]
    line = np.asarray(start) * (1 - t) + np.asarray(end) * t
    world = field.subject.curve.at(line[:, 2], side * line[:, 0], line[:, 1])
    box = canvas.box_of(world, radius + 3.0 + canvas.width)
    if box is None:
        return None
    return box, capsule(
        side * field.u[box], field.v[box], field.s[box], start, end, (radius, radius)
    )


def _paint_pelvis(canvas: Canvas, field: Field, skin: F32) -> None:
    """Paint the iliac wings: two plates that open from the sacrum to the sides."""
    subject, scale = field.subject, field.subject.habitus.scale
    top, bottom = _level_s(field, 22.6), _level_s(field, 29.0)
    s = np.arange(top, bottom, 10.0)
    corners: Sequence[tuple[float, float]] = ((-150, -50), (-150, 110), (150, -50), (150, 110))
    world = np.concatenate([subject.curve.at(s, u * scale, v * scale) for u, v in corners])
    box = canvas.box_of(world, 5.0)
    if box is None:
        return
    u, v, along = np.abs(field.u[box]) / scale, field.v[box] / scale, field.s[box]
    t = np.clip((along - top) / (bottom - top), 0, 1)
    # the plate follows an arc round the pelvis' axis; its front end moves forward lower down
    arc = np.abs(np.hypot(u * 0.82, v - 72) - (104 - 18 * t)) - (4.0 + 6.0 * t)
    wing = np.maximum(arc, np.maximum(56 - 12 * t - u, v - (25 + 60 * t)))
    wing = np.maximum(wing, np.maximum(top - along, along - bottom))
    wing = np.maximum(wing, skin[box] + 10).astype(np.float32)
    canvas.paint(box, wing, Tissue.CORTEX)
    canvas.paint(box, wing + np.float32(1.6), Tissue.ARCH_MARROW)
