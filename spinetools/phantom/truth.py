"""Ground truth of a phantom: what is exact by construction, on the image's grid or as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.image import Space
from spinetools.labels import structures
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.subject import Subject


@dataclass(frozen=True, eq=False)
class SliceTruth:
    """Exact values where the cord's line crosses the middle of each slice.

    Arrays have one value a slice along ``axis`` (the array axis that runs up or down); NaN, or
    level 0, where there is no cord.

    Attributes
    ----------
    axis
        Array axis of the slices.
    position
        (N, 3) voxel coordinates of the cord's centre.
    s
        Length along the cord from the top of C1, mm.
    csa
        Area perpendicular to the cord, mm².
    ap, rl
        Diameters, mm.
    angle
        Between the cord and the slices' normal, degrees.
    level
        SCT's level value; 0 also at T13, which has none.
    names
        Name of the vertebra, ``n/a`` where there is no cord.
    """

    axis: int
    position: FloatArray
    s: FloatArray
    csa: FloatArray
    ap: FloatArray
    rl: FloatArray
    angle: FloatArray
    level: npt.NDArray[np.int64]
    names: tuple[str, ...] = ()

    def csv(self) -> str:
        """Return a table with a row for each slice that the cord crosses."""
        lines = ["slice,level,s_mm,csa_mm2,ap_mm,rl_mm,angle_deg"]
        for i in np.flatnonzero(np.isfinite(self.s)):
            values = (self.s[i], self.csa[i], self.ap[i], self.rl[i], self.angle[i])
            numbers = ",".join(f"{value:.4f}" for value in values)
            lines.append(f"{i},{self.names[i]},{numbers}")
        return "\n".join(lines) + "\n"


def slice_axis(space: Space) -> int:
    """Return the array axis that runs up or down."""
    return next(axis for axis, code in enumerate(space.nib_codes) if code in "SI")


def slice_truth(
    subject: Subject, space: Space, seen: npt.NDArray[np.uint8] | None = None
) -> SliceTruth:
    """Cross the cord's line with the middle plane of each slice; only where ``seen`` is not 0."""
    axis = slice_axis(space)
    first, last = subject.cord_range
    s = np.arange(first, last, 0.1)
    voxels = space.to_voxel(subject.curve.at(s))
    along = voxels[:, axis]
    order = np.argsort(along)
    slices = np.arange(space.shape[axis], dtype=float)
    at = np.interp(slices, along[order], s[order], left=np.nan, right=np.nan)
    position = np.stack([np.interp(at, s, voxels[:, a]) for a in range(3)], axis=1)
    inside = np.isfinite(at)
    others = [a for a in range(3) if a != axis]
    for a in others:
        inside &= (position[:, a] > -0.5) & (position[:, a] < space.shape[a] - 0.5)
    if seen is not None:
        nearest = np.rint(np.where(inside[:, None], position, 0)).astype(int)
        inside &= seen[tuple(nearest.T)] > 0
    at = np.where(inside, at, np.nan)
    safe = np.where(inside, at, 0.0)
    _, up, _, _ = subject.curve.frame(safe)
    normal = np.cross(space.affine[:3, others[0]], space.affine[:3, others[1]])
    cosine = np.abs(up @ (normal / np.linalg.norm(normal)))

    def known(values: FloatArray) -> FloatArray:
        result: FloatArray = np.where(inside, values, np.nan)
        return result

    return SliceTruth(
        axis=axis,
        position=np.where(inside[:, None], position, np.nan),
        s=at,
        csa=known(subject.cord_csa(safe)),
        ap=known(subject.profile("cord_ap", safe)),
        rl=known(subject.profile("cord_rl", safe)),
        angle=known(np.degrees(np.arccos(np.clip(cosine, 0, 1)))),
        level=np.where(inside, subject.level_index(safe), 0),
        names=tuple(subject.level_names(np.where(inside, at, -1.0))),
    )


def centerline(subject: Subject, space: Space, step_mm: float = 0.5) -> FloatArray:
    """Points (N, 4) on the cord's line inside the grid, top first: world mm and length in mm."""
    first, last = subject.cord_range
    s = np.arange(first, last, step_mm)
    points = subject.curve.at(s)
    voxels = space.to_voxel(points)
    inside = ((voxels > -0.5) & (voxels < np.array(space.shape) - 0.5)).all(axis=1)
    return np.column_stack([points, s])[inside]


def cord_levels(
    subject: Subject, space: Space, cord: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Write SCT's level value into each voxel of the cord."""
    result = np.zeros(space.shape, dtype=np.uint8)
    place = np.nonzero(cord)
    if place[0].size:
        s, _, _ = subject.curve.solve(space.to_world(np.stack(place, axis=1)))
        inside = np.clip(s, subject.boundaries[0], subject.boundaries[-1] - 1e-6)
        result[place] = subject.level_index(inside)
    return result


def disc_points(subject: Subject, space: Space) -> npt.NDArray[np.uint8]:
    """Mark the posterior edge of each disc that SCT numbers with one voxel of its value."""
    values = {s.level: s.values["sct_disc"] for s in structures() if "sct_disc" in s.values}
    result = np.zeros(space.shape, dtype=np.uint8)
    for disc in subject.discs:
        if disc.name not in values:  # beside T13 and L6, or above the sacrum without an L5
            continue
        edge = disc.origin - disc.axes[1] * disc.depth / 2
        voxel = np.rint(space.to_voxel(edge)).astype(int)
        if (voxel >= 0).all() and (voxel < space.shape).all():
            result[tuple(voxel)] = values[disc.name]
    return result
