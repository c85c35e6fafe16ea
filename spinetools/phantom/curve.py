"""The backbone of the digital spine: the cord's centre curve with a frame at every millimetre.

A point of the body is given by three coordinates: ``s``, the length along the curve (mm, zero at
the top of C1, growing downwards), and ``u`` (right) and ``v`` (anterior) in the plane that stands
at right angles on the curve at ``s``. A cross-section that is an ellipse in (u, v) is therefore an
exact ellipse perpendicular to the cord.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from spinetools.image import Space
from spinetools.phantom.lattice import Float32Array, FloatArray, interpolation, spread

#: Sampling step of the curve and of everything tabulated along it.
STEP_MM = 1.0

#: The coordinates vary slowly: they are solved on a lattice this wide and interpolated (cubic).
_LATTICE_MM = 5.0
_NEWTON_STEPS = 6


@dataclass(frozen=True, eq=False)
class Curve:
    """A smooth curve, sampled every :data:`STEP_MM`, straight beyond its ends.

    Parameters
    ----------
    start_mm
        ``s`` of the first sample.
    points
        (N, 3) world mm, RAS.
    up, right, front
        (N, 3) orthonormal frames: superior tangent, right, anterior.
    """

    start_mm: float
    points: FloatArray
    up: FloatArray
    right: FloatArray
    front: FloatArray

    @cached_property
    def s(self) -> FloatArray:
        """``s`` of each sample, mm."""
        return self.start_mm + STEP_MM * np.arange(len(self.points), dtype=np.float64)

    def at(self, s: npt.ArrayLike, u: npt.ArrayLike = 0.0, v: npt.ArrayLike = 0.0) -> FloatArray:
        """World position (…, 3) of curve coordinates, mm."""
        point, _, right, front = self.frame(s)
        u, v = np.asarray(u, dtype=float)[..., None], np.asarray(v, dtype=float)[..., None]
        return point + u * right + v * front

    def frame(self, s: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Point, up, right and front at ``s``, each (…, 3)."""
        table = np.concatenate([self.points, self.up, self.right, self.front], axis=1)
        values = self._look_up(table, np.asarray(s, dtype=float))
        return values[..., :3], values[..., 3:6], values[..., 6:9], values[..., 9:12]

    def _look_up(self, table: FloatArray, s: FloatArray) -> FloatArray:
        place = (s - self.start_mm) / STEP_MM
        index = np.clip(np.floor(place).astype(np.intp), 0, len(table) - 2)
        # not clipped: beyond the ends the first and last step are continued
        fraction = (place - index)[..., None]
        values: FloatArray = table[index] * (1 - fraction) + table[index + 1] * fraction
        return values

    def solve(self, world: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Curve coordinates (s, u, v) of world points (…, 3), by Newton steps on s."""
        down = -self.up
        bend = np.gradient(down, STEP_MM, axis=0)
        table = np.concatenate([self.points, down, bend], axis=1)
        order = np.argsort(self.points[:, 2])
        s = np.interp(world[..., 2], self.points[order, 2], self.s[order])
        top, bottom = self.start_mm - 300.0, float(self.s[-1]) + 300.0
        for _ in range(_NEWTON_STEPS):
            values = self._look_up(table, s)
            offset = world - values[..., :3]
            forward = (offset * values[..., 3:6]).sum(-1)
            # the derivative tends to 0 at the centre of curvature: keep the step bounded there
            slope = np.maximum(1 - (offset * values[..., 6:9]).sum(-1), 0.4)
            s = np.clip(s + np.clip(forward / slope, -60, 60), top, bottom)
        point, _, right, front = self.frame(s)
        offset = world - point
        return s, (offset * right).sum(-1), (offset * front).sum(-1)

    def lattice(self, space: Space) -> Lattice:
        """Curve coordinates on a coarse lattice over a grid, to interpolate fields from."""
        pairs = [
            interpolation(n, spacing, _LATTICE_MM)
            for n, spacing in zip(space.shape, space.spacing, strict=True)
        ]
        voxels = np.stack(np.meshgrid(*(p for p, _ in pairs), indexing="ij"), axis=-1)
        s, u, v = self.solve(space.to_world(voxels))
        return Lattice(s, u, v, tuple(w for _, w in pairs))


@dataclass(frozen=True, eq=False)
class Lattice:
    """Curve coordinates on a lattice of about :data:`_LATTICE_MM`, and the way to the grid."""

    s: FloatArray
    u: FloatArray
    v: FloatArray
    weights: tuple[Float32Array, ...]

    def spread(self, field: FloatArray) -> Float32Array:
        """Interpolate a field on the lattice to every voxel of the grid (cubic)."""
        return spread(field, self.weights)


def integrate(
    s: FloatArray, sagittal_rad: FloatArray, coronal_rad: FloatArray, twist_rad: FloatArray
) -> Curve:
    """Build a curve from its angles.

    Parameters
    ----------
    s
        (N,) lengths, a step of :data:`STEP_MM` apart, downwards.
    sagittal_rad
        Forward lean of the upward tangent.
    coronal_rad
        Lean of the upward tangent to the right.
    twist_rad
        Turn of the frame about the tangent (seen from above, front towards left).

    Returns
    -------
    Curve
        With the origin of the world at ``s = 0``.
    """
    up = np.stack(
        [
            np.sin(coronal_rad),
            np.cos(coronal_rad) * np.sin(sagittal_rad),
            np.cos(coronal_rad) * np.cos(sagittal_rad),
        ],
        axis=1,
    )
    middle = up[:-1] + up[1:]
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    points = np.concatenate([np.zeros((1, 3)), np.cumsum(-STEP_MM * middle, axis=0)])
    right = np.array([1.0, 0.0, 0.0]) - up[:, :1] * up
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    front = np.cross(up, right)
    cosine, sine = np.cos(twist_rad)[:, None], np.sin(twist_rad)[:, None]
    right, front = cosine * right + sine * front, -sine * right + cosine * front
    zero = np.array([np.interp(0.0, s, points[:, axis]) for axis in range(3)])
    return Curve(float(s[0]), points - zero, up, right, front)
