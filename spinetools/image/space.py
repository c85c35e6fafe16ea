"""Space: the grid of an image as an immutable value, testable without voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError, SpaceMismatch
from spinetools.image.orientation import codes_of, flips_and_axes

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """A voxel grid in scanner space.

    Parameters
    ----------
    shape
        Number of voxels along the three axes.
    affine
        4 × 4 matrix from voxel indices to world coordinates in mm (RAS+, as in NIfTI).

    Raises
    ------
    InputError
        When the shape is not 3D, or the affine is not finite or has an axis of no length.
    """

    shape: tuple[int, int, int]
    affine: FloatArray

    def __post_init__(self) -> None:
        if len(self.shape) != 3:
            raise InputError(f"seen {len(self.shape)} dimensions {self.shape}, expected 3")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise InputError(
                "the affine is not a finite 4 × 4 matrix; "
                "mend the header: st_image -set-qform-to-sform or -set-sform-to-qform"
            )
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if (lengths == 0).any() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
            raise InputError(
                "a voxel has no volume (zero spacing, or two axes that coincide); "
                "mend the header: st_image -set-qform-to-sform or -set-sform-to-qform"
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", affine)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm along each axis."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @cached_property
    def nib_codes(self) -> tuple[str, str, str]:
        """Direction in which each axis grows, nibabel's way: ``("R", "A", "S")``."""
        return codes_of(self.affine)

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in mm³, right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def is_orthogonal(self) -> bool:
        """Whether the axes stand at right angles (to a thousandth)."""
        axes = self.affine[:3, :3] / np.asarray(self.spacing)
        return bool(np.abs(axes.T @ axes - np.eye(3)).max() < 1e-3)

    def to_world(self, voxels: npt.ArrayLike) -> FloatArray:
        """Map voxel coordinates (…, 3) to world mm (…, 3)."""
        points = np.asarray(voxels, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_voxel(self, world: npt.ArrayLike) -> FloatArray:
        """Map world mm (…, 3) to voxel coordinates (…, 3), not rounded."""
        points = np.asarray(world, dtype=np.float64)
        return (points - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T

    def differences(self, other: Space, atol: float = 1e-3) -> str:
        """Say in a few words how two grids differ; empty where they are the same.

        ``atol`` is in mm, at the grid's corners: a difference that moves no voxel by more is none.
        """
        if self.shape != other.shape:
            return f"shapes {_by(self.shape)} and {_by(other.shape)}"
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        moved = float(np.abs(self.to_world(corners) - other.to_world(corners)).max())
        if moved <= atol:
            return ""
        if self.nib_codes != other.nib_codes:
            return f"axes {''.join(self.nib_codes)} and {''.join(other.nib_codes)} (nibabel codes)"
        if not np.allclose(self.spacing, other.spacing, atol=1e-4):
            return f"spacings {_mm(self.spacing)} and {_mm(other.spacing)} mm"
        return f"positions in the scanner, by up to {moved:.3g} mm"

    def same_as(self, other: Space, atol: float = 1e-3) -> bool:
        """Whether two grids are the same to ``atol`` mm."""
        return not self.differences(other, atol)

    def check_same(
        self, other: Space, names: Sequence[str] = ("the images", ""), atol: float = 1e-2
    ) -> None:
        """Raise SpaceMismatch, saying how the grids differ and which command mends it."""
        difference = self.differences(other, atol)
        if difference:
            first, second = names
            raise SpaceMismatch(
                f"{first} and {second} are not on one grid: they differ in {difference}; "
                f"resample one to the other: st_image -i {second} -resample-to {first} "
                "(for labels with -x nn)"
            )

    def reoriented(self, nib_codes: Sequence[str]) -> Space:
        """Return the grid with its axes permuted and flipped to the codes; voxels do not move."""
        axes, _ = flips_and_axes(self.nib_codes, tuple(nib_codes))
        shape = tuple(self.shape[axis] for axis in axes)
        return Space((shape[0], shape[1], shape[2]), self.affine @ self.reorientation(nib_codes))

    def reorientation(self, nib_codes: Sequence[str]) -> FloatArray:
        """Return the 4 × 4 of whole numbers from voxels of the reoriented grid to these voxels."""
        axes, flips = flips_and_axes(self.nib_codes, tuple(nib_codes))
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for new, old in enumerate(axes):
            matrix[old, new] = -1 if flips[old] else 1
            matrix[old, 3] = self.shape[old] - 1 if flips[old] else 0
        return matrix

    def cropped(self, start: Sequence[int], stop: Sequence[int]) -> Space:
        """Return the grid of voxels ``start`` to ``stop`` (exclusive); may reach beyond."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_world(np.asarray(start, dtype=np.float64))
        a, b, c = (int(e) - int(s) for s, e in zip(start, stop, strict=True))
        return Space((a, b, c), affine)

    def resampled(self, spacing: Sequence[float]) -> Space:
        """Return a grid over the same box (outer faces of the outer voxels) with a new spacing."""
        old = np.asarray(self.spacing)
        shape = np.maximum(1, np.round(np.asarray(self.shape) * old / np.asarray(spacing)))
        zoom = np.asarray(self.shape) / shape
        affine = self.affine.copy()
        affine[:3, :3] = self.affine[:3, :3] * zoom
        affine[:3, 3] = self.to_world((zoom - 1) / 2)
        a, b, c = (int(n) for n in shape)
        return Space((a, b, c), affine)


def _by(shape: Sequence[int]) -> str:
    return " × ".join(str(n) for n in shape)


def _mm(spacing: Sequence[float]) -> str:
    return " × ".join(f"{s:.4g}" for s in spacing)
