"""Smooth fields: computed on a coarse lattice, interpolated to every voxel by separable cubics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]


def interpolation(n: int, spacing: float, lattice_mm: float) -> tuple[FloatArray, Float32Array]:
    """Coarse positions along an axis, and cubic weights (n, coarse) that interpolate from them."""
    step = max(lattice_mm / spacing, 1.0)
    count = int(np.ceil((n - 1) / step)) + 4
    # symmetric about the grid's middle, so that a flipped grid has the same lattice
    positions = (n - 1) / 2 + (np.arange(count, dtype=np.float64) - (count - 1) / 2) * step
    place = (np.arange(n) - positions[0]) / step
    index = np.clip(np.floor(place).astype(np.intp), 1, count - 3)
    t = place - index
    weights: FloatArray = np.zeros((n, count))
    rows = np.arange(n)
    # Lagrange's cubic through the four nearest lattice points
    weights[rows, index - 1] = -t * (t - 1) * (t - 2) / 6
    weights[rows, index] = (t + 1) * (t - 1) * (t - 2) / 2
    weights[rows, index + 1] = -(t + 1) * t * (t - 2) / 2
    weights[rows, index + 2] = (t + 1) * t * (t - 1) / 6
    return positions, weights.astype(np.float32)


def spread(field: FloatArray, weights: tuple[Float32Array, ...]) -> Float32Array:
    """Interpolate a lattice field to the grid, one axis after the other."""
    # relative to its middle, so that single precision keeps micrometres
    middle = float(field.mean())
    fine = (field - middle).astype(np.float32)
    fine = np.tensordot(weights[0], fine, axes=(1, 0))
    fine = np.moveaxis(np.tensordot(weights[1], fine, axes=(1, 1)), 0, 1)
    fine = fine @ weights[2].T
    fine += np.float32(middle)
    return np.ascontiguousarray(fine, dtype=np.float32)
