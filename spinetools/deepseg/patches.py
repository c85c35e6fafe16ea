"""Patches along the cord: cut out of the image, and their probabilities put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.deepseg.lattice import Axis, Float32Array, FloatArray, patch_axis

IntArray = npt.NDArray[np.int64]

#: Width (σ) of a block's weight along the cord, as a share of its length (nnU-Net's default).
BLEND_SIGMA = 1 / 8
#: The cord's middle may leave that of a block by this share of the block's half width.
TRUSTED_SHARE = 0.4

#: Digits of heights (mm) that are compared.
_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Patches:
    """Where patches lie on a canonical (RAS) grid, and how they are read and put back.

    Attributes
    ----------
    shape
        Of the grid.
    axes
        Per axis the matrices; for patches of one slice only two.
    middles
        The voxel in each patch's middle (N, 3).
    weights
        Weight of each patch in each slice of its window (N, W); ones for patches of one slice.
    margin
        Pixels about the patch, in the plane, that are cut out as well.
    wide
        The matrices in the plane for patches with that margin.
    """

    shape: tuple[int, int, int]
    axes: tuple[Axis, ...]
    middles: IntArray
    weights: FloatArray
    margin: int
    wide: tuple[Axis, Axis]

    def __len__(self) -> int:
        return len(self.middles)

    @property
    def is_flat(self) -> bool:
        """Whether each patch is one slice."""
        return len(self.axes) == 2

    def cut(self, volume: npt.NDArray[np.generic], numbers: Sequence[int]) -> Float32Array:
        """Cut patches out of a volume; beyond the image its border is repeated.

        Returns
        -------
        ndarray
            (n, P + 2 margin, P + 2 margin), with a third axis where patches are blocks.
        """
        x, y = self.wide
        found = []
        for number in numbers:
            i, j, k = self._window(number, self.wide)
            window = volume[np.ix_(i, j, k)].astype(np.float32)
            if self.is_flat:
                found.append(x.gather @ window[:, :, 0] @ y.gather.T)
            else:
                block = window @ self.axes[2].gather.T
                found.append(np.einsum("iw,jv,wvk->ijk", x.gather, y.gather, block, optimize=True))
        return np.stack(found)

    def paste(self, found: Float32Array) -> Float32Array:
        """Put values of all patches back: their weighted mean on the image's voxels.

        Parameters
        ----------
        found
            (N, P, P), with a third axis where patches are blocks.

        Returns
        -------
        ndarray
            Of the grid's shape; 0 where no patch lies.
        """
        total = np.zeros(self.shape, dtype=np.float32)
        weight = np.zeros(self.shape[2])
        x, y = self.axes[:2]
        for number, patch in enumerate(found):
            window = self._window(number, (x, y), clip=False)
            if self.is_flat:
                values = (x.spread @ patch @ y.spread.T)[:, :, None]
            else:
                values = (
                    np.einsum("wi,vj,ijk->wvk", x.spread, y.spread, patch, optimize=True)
                    @ self.axes[2].spread.T
                )
            inside = [(w >= 0) & (w < n) for w, n in zip(window, self.shape, strict=True)]
            own = self.weights[number][inside[2]].astype(np.float32)
            i, j, k = (w[keep] for w, keep in zip(window, inside, strict=True))
            total[np.ix_(i, j, k)] += values[np.ix_(*inside)] * own
            weight[k] += own
        total /= np.where(weight > 0, weight, 1).astype(np.float32)
        return total

    def _window(self, number: int, plane: Sequence[Axis], clip: bool = True) -> list[IntArray]:
        offsets = [axis.offsets for axis in plane]
        offsets.append(np.zeros(1, dtype=np.int64) if self.is_flat else self.axes[2].offsets)
        window = [m + o for m, o in zip(self.middles[number], offsets, strict=True)]
        if not clip:
            return window
        return [np.clip(w, 0, n - 1) for w, n in zip(window, self.shape, strict=True)]


def slices_along(
    shape: tuple[int, int, int],
    voxel_mm: FloatArray,
    line: FloatArray,
    size: tuple[int, ...],
    pixel_mm: tuple[float, ...],
    margin: int,
) -> Patches:
    """Place a patch about the cord in each slice.

    Parameters
    ----------
    shape, voxel_mm
        Of the canonical grid.
    line
        The cord's middle (K, 3), voxels, a row a slice.
    size, pixel_mm
        Of a patch.
    margin
        See :class:`Patches`.
    """
    plane = [patch_axis(size[a], pixel_mm[a], float(voxel_mm[a])) for a in (0, 1)]
    wide = [patch_axis(size[a] + 2 * margin, pixel_mm[a], float(voxel_mm[a])) for a in (0, 1)]
    middles = np.rint(line).astype(np.int64)
    ones = np.ones((len(line), 1))
    return Patches(shape, tuple(plane), middles, ones, margin, (wide[0], wide[1]))


def blocks_along(
    shape: tuple[int, int, int],
    voxel_mm: FloatArray,
    line: FloatArray,
    size: tuple[int, ...],
    pixel_mm: tuple[float, ...],
    margin: int,
    overlap: float,
) -> Patches:
    """Place overlapping blocks along the cord, more of them where it bends away.

    Each lies about the cord's middle at its own height; its weight falls off along the cord as a
    Gaussian, and with the way that the cord has gone aside.

    Parameters
    ----------
    shape, voxel_mm, line, size, pixel_mm, margin
        As in :func:`slices_along`; ``size`` and ``pixel_mm`` of three axes.
    overlap
        Share of a block that the next one has in common with it.
    """
    plane = [patch_axis(size[a], pixel_mm[a], float(voxel_mm[a])) for a in (0, 1)]
    wide = [patch_axis(size[a] + 2 * margin, pixel_mm[a], float(voxel_mm[a])) for a in (0, 1)]
    # an even number of slices: their middle is half a step off, so that slices meet slices
    half_step = 0.0 if size[2] % 2 else pixel_mm[2] / 2
    along = patch_axis(size[2], pixel_mm[2], float(voxel_mm[2]), half_step)
    blocks = _Blocks(line * voxel_mm, along, voxel_mm, size, pixel_mm)
    rows = blocks.rows(overlap)
    middles = np.rint(line[rows]).astype(np.int64)
    weights = np.stack([blocks.weights(row) for row in rows])
    return Patches(shape, (*plane, along), middles, weights, margin, (wide[0], wide[1]))


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Where blocks lie along the cord, and how much each counts where."""

    line_mm: FloatArray
    along: Axis
    voxel_mm: FloatArray
    size: tuple[int, ...]
    pixel_mm: tuple[float, ...]

    @property
    def length_mm(self) -> float:
        return self.size[2] * self.pixel_mm[2]

    @property
    def trusted_mm(self) -> float:
        """How far the cord's middle may leave that of a block."""
        return (
            TRUSTED_SHARE
            * min(n * s for n, s in zip(self.size[:2], self.pixel_mm, strict=False))
            / 2
        )

    @property
    def heights_mm(self) -> FloatArray:
        """Heights of a window's slices from its middle (W,)."""
        heights: FloatArray = self.along.offsets * self.voxel_mm[2]
        return heights

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Slices of a window that the block covers wholly (W,)."""
        whole = self.along.spread.sum(axis=1) > 0.99
        return np.asarray(whole | (self.along.offsets == 0))

    def rows(self, overlap: float) -> IntArray:
        """Rows of the line in the middle of each block, such that every row lies well in one."""
        heights = self.line_mm[:, 2]
        reach = (1 - overlap) * self.length_mm / 2
        span = max(float(heights[-1] - heights[0]) - 2 * reach, 0.0)
        n_steps = int(np.ceil(span / (2 * reach) - 1e-9))
        wanted = (heights[0] + heights[-1] - span) / 2 + np.linspace(0, span, n_steps + 1)
        # of two rows as near as each other the lower one, whatever the header's rounding says
        rows = {int(np.abs(heights - height).round(_DIGITS).argmin()) for height in wanted}
        good = np.any([self._lies_well(row) for row in rows], axis=0)
        while not good.all():
            missing = np.flatnonzero(~good)
            # the first stretch without a good block gets one in its middle
            n = int(np.flatnonzero(np.diff([*missing, missing[-1] + 2]) > 1)[0]) + 1
            rows.add(int(missing[n // 2]))
            good |= self._lies_well(int(missing[n // 2]))
        return np.array(sorted(rows))

    def weights(self, row: int) -> FloatArray:
        """Weight of a block in each slice of its window (W,)."""
        weight = np.exp(-((self.heights_mm / (BLEND_SIGMA * self.length_mm)) ** 2) / 2)
        line, middle = self.line_mm, self.line_mm[row]
        at = [np.interp(middle[2] + self.heights_mm, line[:, 2], line[:, a]) for a in (0, 1)]
        aside = np.abs(np.stack(at, axis=1) - middle[:2]).max(axis=1)
        result: FloatArray = weight * np.exp(-((aside / self.trusted_mm) ** 2) / 2) * self.covered
        return result

    def _lies_well(self, row: int) -> npt.NDArray[np.bool_]:
        """Rows of the line that a block about one of them is good for (K,)."""
        away = np.abs(self.line_mm - self.line_mm[row])
        covered = np.interp(away[:, 2], self.heights_mm, self.covered) > 0.99
        near = away[:, :2].max(axis=1) <= self.trusted_mm
        good = covered & near & (away[:, 2].round(_DIGITS) <= 0.4 * self.length_mm)
        good[row] = True
        return np.asarray(good)
