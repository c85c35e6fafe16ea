"""Curve coordinates of a grid's voxels, and random fields that are fixed to the anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.phantom.curve import STEP_MM, Lattice
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.paint import WHOLE, Box, Canvas
from spinetools.phantom.shapes import F32
from spinetools.phantom.subject import Subject


@dataclass(frozen=True, eq=False)
class Field:
    """Curve coordinates (s, u, v) of a grid's voxels, and what is tabulated along the curve."""

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

    def box_above(self, s_mm: float) -> Box | None:
        """Return the box of voxels that lie above a place on the curve; None if there are none."""
        above = self.s < s_mm
        ranges = []
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            found = np.flatnonzero(above.any(axis=others))
            if not found.size:
                return None
            ranges.append(slice(int(found[0]), int(found[-1]) + 1))
        return ranges[0], ranges[1], ranges[2]

    def ball(
        self,
        centre: tuple[float, float, float],
        radii: tuple[float, float, float],
        box: Box = WHOLE,
    ) -> F32:
        """Distance to an ellipsoid: centre (right, front, above the top of C1) in mm, scale one."""
        scale = self.subject.habitus.scale
        a, b, c = (np.float32(r * scale) for r in radii)
        x = self.u[box] - np.float32(centre[0] * scale)
        y = self.v[box] - np.float32(centre[1] * scale)
        z = self.s[box] + np.float32(centre[2] * scale)
        q = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) + np.float32(1e-6)
        distance: F32 = (q - 1) * np.float32((a + b + c) / 3)
        return distance


def waves(
    field: Field,
    seed: int,
    across_mm: float,
    along_mm: float,
    mirrored: bool = True,
    where: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray:
    """Smooth random field of unit variance on the lattice, fixed to the anatomy.

    A sum of plane waves in curve coordinates, so that any window of the same subject sees the same
    field.

    Parameters
    ----------
    field
        The coordinates.
    seed
        Tells fields of one subject apart.
    across_mm, along_mm
        Typical wavelength across and along the spine.
    mirrored
        Left and right alike.
    where
        Two other coordinates on the lattice, in mm, instead of right and front.
    """
    rng = np.random.default_rng([field.subject.habitus.muscle_seed, seed])
    lattice = field.lattice
    u = np.abs(lattice.u) if mirrored else lattice.u
    first, second = (u, lattice.v) if where is None else where
    terms = 12
    total: FloatArray = np.zeros_like(lattice.s)
    for _ in range(terms):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        k_across = 2 * np.pi / across_mm * rng.uniform(0.6, 1.4)
        k_along = 2 * np.pi / along_mm * rng.normal()
        total += np.cos(
            k_across * (np.cos(angle) * first + np.sin(angle) * second)
            + k_along * lattice.s
            + phase
        )
    total *= np.sqrt(2 / terms)
    return total
