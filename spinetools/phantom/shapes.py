"""Signed distances (mm, negative inside) of the shapes that anatomy is built from.

All functions take coordinate arrays of one shape and return one of that shape, in single
precision. They are first-order distances: exact in sign, right to a few per cent near the surface.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
Number = float | F32

_TINY = np.float32(1e-6)


def ellipse(x: F32, y: F32, a: Number, b: Number) -> F32:
    """Distance to an ellipse with half-axes ``a`` (along x) and ``b``; a cylinder in 3D."""
    xa, yb = x / a, y / b
    q = np.sqrt(xa * xa + yb * yb) + _TINY
    gradient = np.sqrt((xa / a) ** 2 + (yb / b) ** 2) + _TINY
    result: F32 = (q - 1) * q / gradient
    # near the centre the gradient vanishes: bound by the smaller half-axis
    return np.maximum(result, -np.minimum(a, b), dtype=np.float32)


def super_ellipse(x: F32, y: F32, a: Number, b: Number, power: float) -> F32:
    """Distance, measured along the ray from the centre, to |x/a|^p + |y/b|^p = 1."""
    q = (np.abs(x / a) ** power + np.abs(y / b) ** power + _TINY) ** np.float32(1 / power)
    length = np.sqrt(x * x + y * y)
    ray: F32 = length - length / q
    return np.maximum(ray, -np.minimum(a, b), dtype=np.float32)


def ellipsoid(x: F32, y: F32, z: F32, radii: Sequence[float]) -> F32:
    """Distance to an axis-aligned ellipsoid about the origin."""
    a, b, c = (np.float32(radius) for radius in radii)
    q = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) + _TINY
    gradient = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2) + _TINY
    result: F32 = (q - 1) * q / gradient
    return np.maximum(result, -np.float32(min(radii)), dtype=np.float32)


def capsule(
    x: F32,
    y: F32,
    z: F32,
    start: Sequence[float],
    end: Sequence[float],
    radii: tuple[float, float],
    squash: Sequence[float] = (1.0, 1.0, 1.0),
) -> F32:
    """Distance to a rod from ``start`` to ``end`` whose radius goes from one value to the other.

    ``squash`` stretches the rod's section along each axis (2 along z: twice as tall as thick).
    """
    scale = np.asarray(squash, dtype=float)
    first, last = np.asarray(start, dtype=float) / scale, np.asarray(end, dtype=float) / scale
    along = last - first
    length2 = float(along @ along) + 1e-9
    px = x * np.float32(1 / scale[0]) - np.float32(first[0])
    py = y * np.float32(1 / scale[1]) - np.float32(first[1])
    pz = z * np.float32(1 / scale[2]) - np.float32(first[2])
    t = (px * np.float32(along[0]) + py * np.float32(along[1]) + pz * np.float32(along[2])) * (
        np.float32(1 / length2)
    )
    np.clip(t, 0, 1, out=t)
    px -= t * np.float32(along[0])
    py -= t * np.float32(along[1])
    pz -= t * np.float32(along[2])
    distance: F32 = np.sqrt(px * px + py * py + pz * pz)
    distance -= np.float32(radii[0]) + t * np.float32(radii[1] - radii[0])
    return distance


def fraction(distance: F32, width: Number) -> F32:
    """Share of a voxel inside a surface, for a voxel ``width`` mm wide along the normal."""
    share: F32 = np.float32(0.5) - distance / width
    return np.clip(share, 0, 1, out=share)
