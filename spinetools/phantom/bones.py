"""Signed distances of vertebrae and discs in their own frames (x right, y front, z up; mm).

The dimensions that vary come with the :class:`~spinetools.phantom.anatomy.Vertebra`; the fixed
proportions below follow the shapes of anatomy atlases and were adjusted by eye on MRI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from spinetools.phantom.shapes import F32, capsule, ellipse, ellipsoid, super_ellipse
from spinetools.phantom.subject import Disc, Vertebra

#: How far a vertebra reaches round its body's centre: (side, back, front, down, up), mm.
_REACH_MM = {
    "C": (42.0, 62.0, 14.0, 24.0, 28.0),
    "T": (44.0, 80.0, 20.0, 48.0, 24.0),
    "L": (54.0, 84.0, 22.0, 40.0, 28.0),
    "S": (62.0, 50.0, 24.0, 20.0, 20.0),
}


#: How far along the body lips at the endplates reach, mm.
_LIP_MM = 3.5


def reach(vertebra: Vertebra) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Corners of the local box that holds a vertebra, mm."""
    side, back, front, down, up = _REACH_MM[vertebra.name[0]]
    return (-side, -back, -down), (side, front, up)


def body(vertebra: Vertebra, x: F32, y: F32, z: F32) -> F32:
    """Distance to the vertebral body: a waisted super-elliptic cylinder with concave endplates."""
    region, half = vertebra.name[0], vertebra.height / 2
    a, b = vertebra.width / 2, vertebra.depth / 2
    across = np.clip(1 - (x / a) ** 2, 0, 1)
    # the back of thoracic and lumbar bodies is hollow
    hollow = {"C": 0.0, "T": 1.0, "L": 1.5, "S": 0.5}[region]
    pushed = y - np.float32(hollow) * across * np.clip(-y / b, 0, 1)
    waist = {"C": 0.05, "T": 0.10, "L": 0.12, "S": 0.02}[region]
    thin = 1 - np.float32(waist) * np.clip(1 - (z / half) ** 2, 0, 1)
    rim = super_ellipse(x, pushed, a * thin, b * thin, 2.6 if region != "T" else 2.2)
    lesions = vertebra.lesions
    for side, lip in zip((1, -1), lesions.osteophytes, strict=True):
        if lip:  # strongest in front and at the sides
            height = np.exp(-(((z - side * (half - 1)) / _LIP_MM) ** 2))
            rim = rim - np.float32(lip) * height * (0.7 + 0.3 * np.clip(y / b, -1, 1))
    along = np.clip(1 - (y / b) ** 2, 0, 1)
    dish = np.float32({"C": 0.6, "T": 0.9, "L": 1.6, "S": 0.3}[region]) * across * along
    hollow_top, hollow_bottom = (deep * across * along for deep in lesions.dish)
    top = half + vertebra.tilt_top * y - dish - hollow_top - lesions.wedge[0] * (y + b)
    if region == "C":  # uncinate processes
        top = top + 3.0 * np.clip(np.abs(x) / a - 0.7, 0, 0.3) / 0.3
    bottom = -half + vertebra.tilt_bottom * y + dish + hollow_bottom + lesions.wedge[1] * (y + b)
    result: F32 = np.maximum(rim, np.maximum(z - top, bottom - z), dtype=np.float32)
    return result


def disc(part: Disc, x: F32, y: F32, z: F32) -> tuple[F32, F32]:
    """Distances to a disc and to its nucleus; the bodies painted over it give it its height.

    The nucleus is a lens whose edge is meant to be soft.
    """
    a, b = part.width / 2 + 0.6, part.depth / 2 + 0.6
    rim = super_ellipse(x, y, a, b, 2.4)
    bulge = np.clip(1 - (x / a) ** 2, 0, 1) * np.clip(1 - (y / b) ** 2, 0, 1)
    half = part.height / 2 + 1.2 + 1.8 * bulge + np.abs(y) * 0.05
    above, below = (
        fill * bulge + slope * np.clip(y + part.depth / 2, 0, None)
        for fill, slope in zip(part.fill, part.slope, strict=True)
    )
    whole: F32 = np.maximum(rim, np.maximum(z - half - above, -z - half - below), dtype=np.float32)
    thick = max(part.height / 2 + 0.6, 0.8)
    back = y + 0.06 * part.depth
    # a lens: thick in the middle, thin towards the annulus
    radius = np.sqrt((x / (0.37 * part.width)) ** 2 + (back / (0.35 * part.depth)) ** 2)
    lens = np.float32(thick) * np.sqrt(np.clip(1 - radius**2, 0, 1))
    inner = np.maximum(z - lens - 0.8 * above, -z - lens - 0.8 * below)
    rim_of_core = (radius - 1) * np.float32(0.3 * part.depth)
    return whole, np.maximum(rim_of_core, inner, dtype=np.float32)


def arch(vertebra: Vertebra, x: F32, y: F32, z: F32) -> F32:
    """Distance to all that is not the body: pedicles, laminae, processes, C1's ring, the dens."""
    builder = _BUILDERS.get(vertebra.name) or _BUILDERS[vertebra.name[0]]
    distance: F32 | None = None
    side = np.abs(x)  # all parts are symmetric
    for part in builder(vertebra, side, y, z):
        distance = part if distance is None else np.minimum(distance, part, out=distance)
    assert distance is not None
    return distance


def _c1(v: Vertebra, x: F32, y: F32, z: F32) -> Iterator[F32]:
    k, yc, hc = v.width / 17.0, v.canal, v.canal_ap / 2
    yield capsule(x, y, z, (0, 9.5 * k, 0), (12 * k, 6 * k, 0), (3.0, 3.0), (1, 1, 1.7))
    yield ellipsoid(x - 19 * k, y + 2 * k, z + 1, (7.0 * k, 9.5 * k, 9.0 * k))
    yield capsule(x, y, z, (23 * k, -4 * k, 0), (36 * k, -6 * k, -1), (4.0, 3.4))
    yield capsule(x, y, z, (19 * k, -9 * k, 0), (17 * k, yc - 4, 0), (3.2, 2.6), (1, 1, 1.4))
    yield capsule(
        x, y, z, (17 * k, yc - 4, 0), (9 * k, yc - hc - 2, -1), (2.6, 2.6), (1, 1, 1.4)
    )  # fmt: skip
    yield capsule(
        x, y, z, (9 * k, yc - hc - 2, -1), (0, yc - hc - 3.5, -1), (2.6, 3.2), (1, 1, 1.4)
    )  # fmt: skip


def _c2(v: Vertebra, x: F32, y: F32, z: F32) -> Iterator[F32]:
    k, half = v.width / 17.5, v.height / 2
    yield capsule(x, y, z, (0, 0, 0), (0, 1.0, half + 15.5 * k), (5.6 * k, 4.8 * k))
    yield ellipsoid(x - 12.5 * k, y + 3.0, z - half - 0.5, (8.0 * k, 8.5 * k, 6.0 * k))
    yield capsule(x, y, z, (14 * k, -5, half - 2), (25 * k, -7, half - 4), (3.2, 2.6))
    yield from _cervical(v, x, y, z)


def _cervical(v: Vertebra, x: F32, y: F32, z: F32) -> Iterator[F32]:
    k = v.width / 17.5
    yc, wc, hc, b = v.canal, v.canal_rl / 2, v.canal_ap / 2, v.depth / 2
    thick = 1.35 if v.name == "C2" else 1.0
    yield capsule(
        x, y, z, (v.width / 2 - 2, -b + 2.5, 1), (wc + 4, yc + 0.3 * hc, 1), (v.pedicle / 2.1,) * 2
    )  # fmt: skip
    # the articular pillar: a slanted column with a joint above and below
    xp, yp = wc + 4.6 * k, yc - 0.1 * hc
    column = ellipse(x - xp - 0.8 * k, y - yp, 6.6 * k, 6.8 * k)
    slab = (np.abs(z - 0.8 * (y - yp)) - (v.span / 2 - 0.6)) / 1.28
    yield np.maximum(column, slab, dtype=np.float32)
    yield capsule(
        x, y, z, (wc + 2.5, yc - 0.6 * hc, -1), (0, yc - hc - 2.6, -3.5),
        (2.7 * thick, 3.0 * thick), (1, 1, 2.0),
    )  # fmt: skip
    root, length = yc - hc - 3.0, v.spinous
    tip = (root - length * np.cos(v.slant), -4.0 - length * np.sin(v.slant))
    split = 3.5 if v.name in ("C2", "C3", "C4", "C5") else 0.0
    yield capsule(
        x, y, z, (0, root, -3.5), (0, tip[0] + 2, tip[1]), (3.0 * thick, 2.8), (1, 1, 1.5)
    )
    if split:
        yield capsule(x, y, z, (1, tip[0] + 4, tip[1]), (split, tip[0] - 1, tip[1] - 1), (2.4, 2.6))
    if v.name != "C2":
        yield capsule(
            x, y, z, (v.width / 2 - 1, -b + 4, 0), (v.width / 2 + 9 * k, -b + 1.5, -2), (2.4, 2.2)
        )
        yield capsule(
            x, y, z, (wc + 5, yc + 0.6 * hc, 0), (v.width / 2 + 9.5 * k, -b - 2.5, -2), (2.2, 2.4)
        )


def _thoracic(v: Vertebra, x: F32, y: F32, z: F32) -> Iterator[F32]:
    k, half, b = v.span / 27.0, v.height / 2, v.depth / 2
    yc, wc, hc = v.canal, v.canal_rl / 2, v.canal_ap / 2
    beside = wc + 0.45 * v.pedicle
    yield capsule(
        x, y, z, (beside, -b + 4, 0.4 * half), (beside + 0.5, yc - 1, 0.4 * half),
        (0.5 * v.pedicle, 0.5 * v.pedicle), (1, 1, 1.6),
    )  # fmt: skip
    yield capsule(
        x, y, z, (wc + 2.5, yc - 0.7 * hc, 0), (0, yc - hc - 3.2, -5 * k), (2.9, 3.0), (1, 1, 2.8)
    )
    yield capsule(
        x,
        y,
        z,
        (wc + 3, yc - 0.8 * hc + 0.5, half + 1),
        (wc + 3, yc - hc - 2, -half - 1),
        (3.6, 3.6),
    )
    reach_out = (24 + 8 * min(max(1.6 - k, 0.2), 1.0)) * (
        0.7 if v.name in ("T11", "T12", "T13") else 1
    )
    yield capsule(
        x, y, z, (wc + 3, yc - 0.8 * hc, 2), (reach_out, yc - hc - 9, 5), (4.2, 4.6), (1, 1, 1.2)
    )
    root = yc - hc - 3.0
    tip = (root - v.spinous * np.cos(v.slant), -5 - v.spinous * np.sin(v.slant))
    yield capsule(x, y, z, (0, root, -5), (0, tip[0], tip[1]), (3.2, 2.8), (1, 1, 2.0))


def _lumbar(v: Vertebra, x: F32, y: F32, z: F32) -> Iterator[F32]:
    k, half, b = v.span / 35.0, v.height / 2, v.depth / 2
    yc, wc, hc = v.canal, v.canal_rl / 2, v.canal_ap / 2
    beside = wc + 0.42 * v.pedicle
    yield capsule(
        x, y, z, (beside, -b + 4, 0.45 * half), (beside + 1, yc - 2, 0.4 * half),
        (0.45 * v.pedicle, 0.45 * v.pedicle), (1, 1, max(1.0, 14 / v.pedicle)),
    )  # fmt: skip
    yield capsule(
        x, y, z, (wc + 4, yc - 0.5 * hc, -1), (0, yc - hc - 4, -8 * k), (3.4, 3.4), (1, 1, 2.6)
    )
    # superior processes embrace the inferior ones of the vertebra above; joint space between
    yield capsule(
        x, y, z, (wc + 7.5 * k, yc - 0.4 * hc, 1), (wc + 9 * k, yc - 0.6 * hc, half + 9 * k),
        (5.0 * k, 4.2 * k), (1, 1.5, 1),
    )  # fmt: skip
    yield capsule(
        x, y, z, (wc + 5 * k, yc - 0.8 * hc, -4), (wc + 2.5 * k, yc - hc - 4, -half - 13 * k),
        (4.6 * k, 4.2 * k), (1, 1.3, 1),
    )  # fmt: skip
    yield capsule(x, y, z, (wc + 8, yc + 2, 3), (42 * k, yc - 5, 5), (3.8, 3.0), (1, 1, 1.5))
    if v.wings:
        yield capsule(
            x, y, z, (wc + 8, yc + 3, -2), (44 * k, yc + 1, -half - 4), (5.0, 8.5), (1, 1, 1.6)
        )
    root, length = yc - hc - 4.0, v.spinous
    tip = (root - length * np.cos(v.slant), -9 * k - length * np.sin(v.slant))
    yield capsule(x, y, z, (0, root, -8 * k), (0, tip[0], tip[1]), (2.9, 3.4), (1, 1, 3.5))


def _sacral(v: Vertebra, x: F32, y: F32, z: F32) -> Iterator[F32]:
    segment = int(v.name[1])
    k = v.width / (45.6 * (0.95, 0.68, 0.52, 0.42, 0.34)[segment - 1])
    half = v.span / 2 + 0.8
    side, thick = (
        (55.0, 17.0), (47.0, 14.0), (38.0, 11.0), (31.0, 9.0), (20.0, 7.0),
    )[segment - 1]  # fmt: skip
    yc, hc = v.canal, v.canal_ap / 2
    back = yc - hc - 3
    # the wings lie level with the back half of the bodies
    wing = super_ellipse(x, y - (yc + 3.0), side * k, thick * k, 2.6)
    mass = np.maximum(wing, np.abs(z) - half, dtype=np.float32)
    hole = ellipse(x - (v.width / 2 + 6 * k), z + half, 5.0 * k, 5.0 * k)
    yield np.maximum(mass, -hole, dtype=np.float32)
    yield capsule(x, y, z, (0, back, half), (0, back - 2, -half), (4.0, 4.0), (2.2, 1, 1))
    yield capsule(x, y, z, (0, back - 3, 2), (0, back - v.spinous, -2), (3.0, 3.0), (1, 1, 2))


_BUILDERS: dict[str, Callable[[Vertebra, F32, F32, F32], Iterator[F32]]] = {
    "C1": _c1,
    "C2": _c2,
    "C": _cervical,
    "T": _thoracic,
    "L": _lumbar,
    "S": _sacral,
}
