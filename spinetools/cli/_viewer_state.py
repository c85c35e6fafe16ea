"""What the point-picking window knows, without the window: slices, points, suggestions, undo.

Everything is in voxels of the image in RAS order: x grows to the patient's right, y to the front,
z to the head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError

Point = tuple[float, float, float]
FloatArray = npt.NDArray[np.float64]

#: Two points are the least that tell where a centreline runs.
LEAST_POINTS = 2


@dataclass(frozen=True)
class PickState:
    """One moment of picking points; every action returns the next moment.

    Without labels, points are placed on axial slices, at most one a slice, from the bottom up.
    With labels, each named point is placed on a sagittal slice, in the order of the names.

    Attributes
    ----------
    shape
        Number of voxels along x, y and z.
    step
        Slices from a point to the next suggested slice.
    labels
        Names of the points to place; empty for a centreline.
    position
        Sagittal slice (x) and axial slice (z) on the screen.
    points
        The points so far, by axial slice or, with labels, by the label's place in ``labels``.
    current
        Place of the label that comes next; its length once all are done.
    notice
        What the last action has to say.
    before
        The moment that undo goes back to.
    """

    shape: tuple[int, int, int]
    step: int
    labels: tuple[str, ...]
    position: tuple[int, int]
    points: Mapping[int, Point] = field(default_factory=dict)
    current: int = 0
    notice: str = ""
    before: PickState | None = None

    @classmethod
    def start(
        cls,
        shape: Sequence[int],
        spacing_mm: Sequence[float],
        gap_mm: float,
        labels: Sequence[str] | None = None,
    ) -> PickState:
        """Begin in the middle sagittal slice: at the bottom, or half-way up with labels.

        Raises
        ------
        InputError
            When the gap is not a positive number, or labels are asked for but there are none.
        """
        if not (np.isfinite(gap_mm) and gap_mm > 0):
            raise InputError(f"the gap between points is {gap_mm:g} mm, expected more than 0")
        if labels is not None and not labels:
            raise InputError("no labels to place were named, expected at least one")
        nx, ny, nz = (int(n) for n in shape)
        return cls(
            shape=(nx, ny, nz),
            step=max(1, round(gap_mm / spacing_mm[2])),
            labels=tuple(labels or ()),
            position=(nx // 2, nz // 2 if labels else 0),
        )

    # -- moving -------------------------------------------------------------------------------

    def moved(self, up: int = 0, right: int = 0) -> PickState:
        """Go some slices towards the head, and to the patient's right."""
        x, z = self.position
        return self.at(x=x + right, z=z + up)

    def at(self, x: int | None = None, z: int | None = None) -> PickState:
        """Go to a sagittal slice, an axial slice, or both; beyond the image is its last slice."""
        new_x = self.position[0] if x is None else min(max(x, 0), self.shape[0] - 1)
        new_z = self.position[1] if z is None else min(max(z, 0), self.shape[2] - 1)
        return replace(self, position=(new_x, new_z), notice="")

    # -- clicks and commands ------------------------------------------------------------------

    def clicked_axial(self, x: float, y: float) -> PickState:
        """Place this slice's point and go to the next suggested slice.

        With labels, choose the sagittal slice instead.
        """
        x, y = self._inside(x, 0), self._inside(y, 1)
        if self.labels:
            return self.at(x=round(x))
        z = self.position[1]
        placed = replace(self, points={**self.points, z: (x, y, float(z))}, before=self)
        return placed.at(x=round(x))._onward()

    def clicked_sagittal(self, y: float, z: float) -> PickState:
        """Go to the axial slice; with labels, place the current label and go to the next."""
        y, z = self._inside(y, 1), self._inside(z, 2)
        if not self.labels:
            return self.at(z=round(z))
        if self.current == len(self.labels):
            return replace(self, notice="All labels are placed; u takes the last one back")
        points = {**self.points, self.current: (float(self.position[0]), y, z)}
        placed = replace(self, points=points, before=self, current=self.current + 1)
        return placed.at(z=round(z))._with_end_notice()

    def skipped(self) -> PickState:
        """Go to the next suggested slice, or the next label, without placing a point."""
        if not self.labels:
            return self._onward()
        if self.current == len(self.labels):
            return self._with_end_notice()
        return replace(self, current=self.current + 1, before=self, notice="")._with_end_notice()

    def undone(self) -> PickState:
        """Take the last point back (with labels also a skip), and return to where it was placed."""
        if self.before is None:
            return replace(self, notice="Nothing to undo")
        return replace(self.before, notice="")

    def with_notice(self, text: str) -> PickState:
        """Say something."""
        return replace(self, notice=text)

    # -- what to show and to return -----------------------------------------------------------

    @property
    def suggestion(self) -> int | None:
        """The axial slice after this one where a point is wanted; None above the last.

        Slices that already have a point are passed over, so that after an earlier point was
        corrected the work goes on where it was left.
        """
        z, top = self.position[1], self.shape[2] - 1
        ahead = True
        while ahead:
            beyond = [placed for placed in self.points if z < placed <= z + self.step]
            ahead = bool(beyond)
            z = max(beyond, default=z)
        return min(z + self.step, top) if z < top else None

    @property
    def label(self) -> str | None:
        """Name of the point to place now; None without labels and once all are placed."""
        return self.labels[self.current] if self.current < len(self.labels) else None

    @property
    def predicted(self) -> tuple[float, float] | None:
        """Where the points so far let the cord be expected in this axial slice (x, y)."""
        slices = sorted(self.points)
        if self.labels or not slices:
            return None
        if len(slices) == 1:
            return self.points[slices[0]][:2]
        z = self.position[1]
        after = int(np.clip(np.searchsorted(slices, z), 1, len(slices) - 1))
        low, high = slices[after - 1], slices[after]
        part = (z - low) / (high - low)
        (x0, y0, _), (x1, y1, _) = self.points[low], self.points[high]
        return self._inside(x0 + part * (x1 - x0), 0), self._inside(y0 + part * (y1 - y0), 1)

    @property
    def missing(self) -> str:
        """Why the points cannot be saved yet; empty when they can."""
        least = 1 if self.labels else LEAST_POINTS
        if len(self.points) >= least:
            return ""
        so_far = {0: "none", 1: "one"}[len(self.points)]
        needed = "one point" if least == 1 else "two points on different slices"
        return f"At least {needed} needed, {so_far} so far"

    def result(self) -> FloatArray:
        """Return the points (N, 3) from bottom to top; with labels one row each, NaN if skipped."""
        if not self.labels:
            rows = [self.points[z] for z in sorted(self.points)]
            return np.array(rows, dtype=np.float64).reshape(-1, 3)
        nothing = (np.nan, np.nan, np.nan)
        return np.array([self.points.get(i, nothing) for i in range(len(self.labels))])

    # -- helpers ------------------------------------------------------------------------------

    def _onward(self) -> PickState:
        following = self.suggestion
        if following is None:
            return replace(self, notice="That was the last slice: Enter saves and quits")
        return self.at(z=following)

    def _with_end_notice(self) -> PickState:
        if self.current < len(self.labels):
            return self
        return replace(self, notice="That was the last label: Enter saves and quits")

    def _inside(self, value: float, axis: int) -> float:
        """Keep a coordinate between the centres of the first and the last voxel."""
        return float(min(max(value, 0.0), self.shape[axis] - 1.0))
