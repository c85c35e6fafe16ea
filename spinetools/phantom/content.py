"""What the dural sac holds, with exact shares of every voxel: CSF, cord, grey matter, roots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.phantom.field import Field
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.paint import Canvas
from spinetools.phantom.shapes import F32
from spinetools.phantom.subject import Subject

#: Voxels on a surface are divided into parts no wider than this, mm.
_SUBVOXEL_MM = 0.4
_MOST_PARTS = 512
_CHUNK = 200_000

#: Radius of a bundle of rootlets, mm.
_ROOTLET_MM = 0.45

#: Grey matter over the cord's size, by level (0 at the top of C1): relative scale of the butterfly.
_GREY_LEVELS = (0.0, 4.5, 8.0, 16.0, 18.5, 20.0)
_GREY_SCALE = (0.95, 1.08, 0.88, 0.88, 1.25, 1.4)


@dataclass(frozen=True, eq=False)
class Content:
    """Shares of each voxel, float32, each of the grid's shape."""

    sac: F32
    cord: F32
    grey: F32
    root: F32


@dataclass(frozen=True, eq=False)
class _Points:
    """Points in curve coordinates, flat; single precision would cost accuracy here."""

    s: FloatArray
    u: FloatArray
    v: FloatArray


def fill_canal(canvas: Canvas, field: Field) -> Content:
    """Compute the shares of sac, cord, grey matter and roots on the canvas's grid."""
    subject, shape = field.subject, canvas.space.shape
    content = Content(*(np.zeros(shape, dtype=np.float32) for _ in range(4)))
    low, high = 0.0, subject.sac_end_s
    margin = float(np.linalg.norm(canvas.space.spacing))
    near = (np.abs(field.u) < 17 + margin) & (np.abs(field.v) < 17 + margin)
    near &= (field.s > low - margin) & (field.s < high + margin)
    flat = np.flatnonzero(near)
    if not flat.size:
        return content
    points = _Points(
        *(part.ravel()[flat].astype(np.float64) for part in (field.s, field.u, field.v))
    )
    for name, target in (("sac", content.sac), ("cord", content.cord)):
        target.ravel()[flat] = _share(canvas, subject, points, name)
    _add_inner(canvas, subject, points, flat, content)
    return content


def _surface(subject: Subject, points: _Points, name: str) -> FloatArray:
    """Signed distance (mm) to the sac's or the cord's wall."""
    a = np.maximum(subject.profile(f"{name}_rl", points.s) / 2, 0.05)
    b = np.maximum(subject.profile(f"{name}_ap", points.s) / 2, 0.05)
    x, y = points.u / a, points.v / b
    if name == "sac":
        y = (points.v - subject.profile("sac_v", points.s)) / b
        x = x * (1 - subject.profile("sac_skew", points.s) * np.clip(y, -1, 1))
    q = np.sqrt(x * x + y * y) + 1e-9
    gradient = np.sqrt((x / a) ** 2 + (y / b) ** 2) + 1e-9
    wall = np.maximum((q - 1) * q / gradient, -np.minimum(a, b))
    end = subject.sac_end_s if name == "sac" else subject.conus_s
    ends: FloatArray = np.maximum(-points.s, points.s - end)
    return np.maximum(wall, ends)


def _share(canvas: Canvas, subject: Subject, points: _Points, name: str) -> F32:
    """Share of voxels inside a wall: subvoxels where the wall passes, 0 or 1 elsewhere."""
    axes = canvas.space.affine[:3, :3]
    reach = float(np.linalg.norm(axes, axis=0).sum()) / 2
    distance = _surface(subject, points, name)
    result = (distance < 0).astype(np.float32)
    edge = np.flatnonzero(np.abs(distance) <= reach + 0.3)
    if not edge.size:
        return result
    counts = np.maximum(np.ceil(np.asarray(canvas.space.spacing) / _SUBVOXEL_MM), 1).astype(int)
    while counts.prod() > _MOST_PARTS:
        counts[np.argmax(counts)] -= 1
    grids = np.meshgrid(*((np.arange(n) + 0.5) / n - 0.5 for n in counts), indexing="ij")
    parts = np.stack([g.ravel() for g in grids], axis=1) @ axes.T
    width = float(np.mean(np.asarray(canvas.space.spacing) / counts))
    total = np.zeros(edge.size)
    s, u, v = points.s[edge], points.u[edge], points.v[edge]
    _, up, right, front = subject.curve.frame(s)
    # many parts at a time for few voxels, few for many: bounded memory
    step = max(_CHUNK // edge.size, 1)
    for first in range(0, len(parts), step):
        some = parts[first : first + step].T
        moved = _Points(
            s[:, None] - up @ some, u[:, None] + right @ some, v[:, None] + front @ some
        )
        total += np.clip(0.5 - _surface(subject, moved, name) / width, 0, 1).sum(axis=1)
    result[edge] = total / len(parts)
    return result


def _add_inner(
    canvas: Canvas,
    subject: Subject,
    points: _Points,
    flat: npt.NDArray[np.intp],
    content: Content,
) -> None:
    """Grey matter inside the cord; roots beside and below it."""
    cord = content.cord.ravel()[flat]
    inside = np.flatnonzero(cord > 0)
    a = np.maximum(subject.profile("cord_rl", points.s[inside]) / 2, 0.3)
    b = np.maximum(subject.profile("cord_ap", points.s[inside]) / 2, 0.3)
    level = subject.profile("level", points.s[inside])
    size = np.interp(level, _GREY_LEVELS, _GREY_SCALE)
    x, y = np.abs(points.u[inside]) / a / size, points.v[inside] / b / size
    grey = _butterfly(x, y) * np.minimum(a, b) * size
    share = np.clip(0.5 - grey / canvas.width, 0, 1) * cord[inside]
    content.grey.ravel()[flat[inside]] = share

    _add_rootlets(canvas, subject, points, flat, content)
    low = np.flatnonzero((points.s > subject.conus_s - 45) & (content.sac.ravel()[flat] > 0))
    if not low.size:
        return
    s, u, v = points.s[low], points.u[low], points.v[low]
    rl, ap = subject.profile("sac_rl", s) / 2, subject.profile("sac_ap", s) / 2
    level, middle = subject.profile("level", s), subject.profile("sac_v", s)
    best = np.full(len(low), 9.0)
    for angle, depth, radius, leave in subject.roots:
        # a root leaves the bundle to the side above its foramen
        out = np.clip(1 - (leave - level) / 0.8, 0, 1)
        turn = angle + np.sign(angle) * out * (np.pi / 2 - abs(angle)) * 0.8
        place = (depth + (0.97 - depth) * out) * 0.92
        du = u - np.sin(turn) * place * rl
        dv = v - middle + np.cos(turn) * place * ap
        distance = np.hypot(du, dv) - radius
        best = np.where(level < leave, np.minimum(best, distance), best)
    share = np.clip(0.5 - best / canvas.width, 0, 1)
    share *= content.sac.ravel()[flat[low]] - content.cord.ravel()[flat[low]]
    share *= np.clip((s - subject.conus_s + 45) / 20, 0, 1)
    roots = content.root.ravel()
    roots[flat[low]] = np.maximum(roots[flat[low]], share)


def _add_rootlets(
    canvas: Canvas,
    subject: Subject,
    points: _Points,
    flat: npt.NDArray[np.intp],
    content: Content,
) -> None:
    """Front and back roots that cross the CSF from the cord to each foramen."""
    sac, cord = content.sac.ravel()[flat], content.cord.ravel()[flat]
    around = np.flatnonzero((sac > 0) & (cord < 1))
    for number, end in enumerate(subject.boundaries[1:]):
        if end > subject.conus_s - 20:
            break
        # the lower the level, the farther the root descends within the sac
        length = 5.0 + 0.9 * number
        here = around[np.abs(points.s[around] - (end - 2 - length / 2)) < length / 2 + 2]
        if not here.size:
            continue
        s, u, v = points.s[here], np.abs(points.u[here]), points.v[here]
        half_rl, half_ap = (float(subject.profile(f"cord_{d}", end)) / 2 for d in ("rl", "ap"))
        wall = float(subject.profile("sac_rl", end)) / 2
        middle = float(subject.profile("sac_v", end))
        best = np.full(len(here), 9.0)
        for from_v in (0.55 * half_ap, -0.6 * half_ap):
            start = np.array([0.8 * half_rl, from_v, end - 2 - length])
            along = np.array([wall, middle, end - 2]) - start
            t = (u - start[0]) * along[0] + (v - start[1]) * along[1] + (s - start[2]) * along[2]
            t = np.clip(t / (along @ along), 0, 1)
            offset = [part - start[i] - t * along[i] for i, part in enumerate((u, v, s))]
            best = np.minimum(best, np.sqrt(sum(part**2 for part in offset)) - _ROOTLET_MM)
        share = np.clip(0.5 - best / canvas.width, 0, 1) * (sac[here] - cord[here])
        share *= min(2 * _ROOTLET_MM / canvas.width, 1.0)
        content.root.ravel()[flat[here]] = np.maximum(share, 0)


def _butterfly(x: FloatArray, y: FloatArray) -> FloatArray:
    """Distance to the grey matter's section, in units of the cord's half-axes (x folded)."""
    front = _rod(x, y, (0.16, 0.02), (0.36, 0.36), 0.11, 0.15)
    back = _rod(x, y, (0.16, 0.0), (0.42, -0.66), 0.075, 0.055)
    bridge = _rod(x, y, (0.0, 0.0), (0.2, 0.0), 0.07, 0.1)
    return np.minimum(np.minimum(front, back), bridge)


def _rod(
    x: FloatArray,
    y: FloatArray,
    start: tuple[float, float],
    end: tuple[float, float],
    first: float,
    last: float,
) -> FloatArray:
    dx, dy = end[0] - start[0], end[1] - start[1]
    t = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    distance: FloatArray = np.hypot(x - start[0] - t * dx, y - start[1] - t * dy)
    return distance - (first + t * (last - first))
