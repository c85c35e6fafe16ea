"""A canvas to paint tissues on: every voxel holds up to two tissues and their shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.image import Space
from spinetools.phantom.shapes import F32, Number, fraction
from spinetools.phantom.tissues import Tissue

Box = tuple[slice, slice, slice]
WHOLE: Box = (slice(None), slice(None), slice(None))


@dataclass(frozen=True, eq=False)
class Patch:
    """A box of voxels with local coordinates (mm) along three axes."""

    box: Box
    x: F32
    y: F32
    z: F32


class Canvas:
    """Tissues on a grid, painted one over the other.

    Attributes
    ----------
    top, under
        (grid) tissue numbers; ``share`` of the voxel is ``top``, the rest ``under``.
    share
        (grid) float32, 0.5 to 1.
    structure
        (grid) uint8, identity of the structure (vertebra, disc); 0 for none.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.width = float(np.mean(space.spacing))
        self._to_voxel = np.linalg.inv(space.affine[:3, :3])
        self._voxels_a_mm = np.linalg.norm(self._to_voxel, axis=1)
        self.top = np.zeros(space.shape, dtype=np.uint8)
        self.under = np.zeros(space.shape, dtype=np.uint8)
        self.share = np.ones(space.shape, dtype=np.float32)
        self.structure = np.zeros(space.shape, dtype=np.uint8)

    def paint(
        self, box: Box, distance: F32, tissue: Tissue, structure: int = 0, width: Number = 0.0
    ) -> None:
        """Paint the inside of a signed distance; its edge is shared with what was there.

        Parameters
        ----------
        box
            Where ``distance`` lies on the grid.
        distance
            Signed distance in mm, negative inside.
        tissue
            What to paint.
        structure
            Identity written where the shape has at least half of the voxel; 0 leaves it.
        width
            Width of the edge in mm; 0 for the mean voxel width.
        """
        edge = self.width if isinstance(width, float) and width == 0.0 else width
        half = np.float32(0.5) * edge
        full = distance <= -half
        top, under, share = self.top[box], self.under[box], self.share[box]
        np.copyto(top, np.uint8(tissue), where=full)
        np.copyto(share, np.float32(1), where=full)
        if structure:
            np.copyto(self.structure[box], np.uint8(structure), where=full)
        place = np.nonzero((distance < half) & ~full)
        if not place[0].size:
            return
        share_in = fraction(distance[place], edge if isinstance(edge, float) else edge[place])
        old_top, old_under, old_share = top[place], under[place], share[place]
        more = share_in >= 0.5
        # a faint new edge does not displace a stronger mixture that is already there
        faint = ~more & (share_in <= 1 - old_share)
        top[place] = np.where(more, np.uint8(tissue), old_top)
        under[place] = np.where(faint, old_under, np.where(more, old_top, np.uint8(tissue)))
        share[place] = np.where(faint, old_share, np.maximum(share_in, 1 - share_in))
        if structure:
            inside = tuple(axis[more] for axis in place)
            self.structure[box][inside] = structure

    def box_of(self, world: npt.NDArray[np.float64], margin_mm: float) -> Box | None:
        """Return the box of voxels within a margin of world points (N, 3); None if outside."""
        voxels = (world - self.space.affine[:3, 3]) @ self._to_voxel.T
        margin = self._voxels_a_mm * margin_mm
        low = np.floor(voxels.min(axis=0) - margin).astype(int)
        high = np.ceil(voxels.max(axis=0) + margin).astype(int) + 1
        low = np.maximum(low, 0)
        high = np.minimum(high, self.space.shape)
        if (high <= low).any():
            return None
        return (
            slice(int(low[0]), int(high[0])),
            slice(int(low[1]), int(high[1])),
            slice(int(low[2]), int(high[2])),
        )

    def patch(
        self,
        origin: npt.NDArray[np.float64],
        axes: npt.NDArray[np.float64],
        low: Sequence[float],
        high: Sequence[float],
    ) -> Patch | None:
        """Return the voxels of a local box, with their local coordinates.

        Parameters
        ----------
        origin
            (3,) world mm of the local origin.
        axes
            (3, 3), a row for each local axis, unit vectors in the world.
        low, high
            Corners of the box in local mm.
        """
        corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T
        box = self.box_of(origin + corners @ axes, self.width)
        if box is None:
            return None
        move = axes @ self.space.affine[:3, :3]
        shift = axes @ (self.space.affine[:3, 3] - origin)
        i, j, k = (
            np.arange(part.start, part.stop, dtype=np.float32).reshape(
                tuple(-1 if a == axis else 1 for a in range(3))
            )
            for axis, part in enumerate(box)
        )
        m = move.astype(np.float32)
        b = shift.astype(np.float32)
        x, y, z = (m[row, 0] * i + m[row, 1] * j + (m[row, 2] * k + b[row]) for row in range(3))
        return Patch(box, x, y, z)
