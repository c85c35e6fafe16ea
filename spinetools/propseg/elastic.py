"""The elastic surface: radii that follow their targets and keep the template's shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from spinetools.propseg.profiles import FloatArray


def relax(
    targets_mm: FloatArray,
    weights: FloatArray,
    template_mm: FloatArray,
    stiffness: float,
    stiffness_along: float,
) -> FloatArray:
    """Solve for the radii that balance the edge found and the shape of the template.

    Minimises Σ w (r − target)² + a Σ |Δr − Δr₀|² over neighbours in the ring, and b times the same
    over neighbours along the cord, exactly (a sparse linear system). This is the published energy
    (De Leener 2014) without its term β Σ |edge|²: that one pulls every edge towards zero length,
    and so shrinks the tube wherever the image does not hold against it; a penalty on the
    *difference* to the template's edges has no such pull.

    Parameters
    ----------
    targets_mm
        Radius of the edge found for each vertex (K, T).
    weights
        Weight of each target (K, T); small where no edge was seen.
    template_mm
        Radii (K, T) whose differences between neighbours are kept.
    stiffness, stiffness_along
        a and b.

    Returns
    -------
    radii
        (K, T), mm.
    """
    n_rings, n_rays = targets_mm.shape
    around = _differences(n_rays, closed=True)
    ring = sparse.kron(sparse.identity(n_rings), around.T @ around)
    smooth = stiffness * ring
    if n_rings > 1:
        along = _differences(n_rings, closed=False)
        smooth = smooth + stiffness_along * sparse.kron(along.T @ along, sparse.identity(n_rays))
    matrix = sparse.diags(weights.ravel()) + smooth
    right = (weights * targets_mm).ravel() + smooth @ template_mm.ravel()
    radii: FloatArray = spsolve(matrix.tocsc(), right).reshape(n_rings, n_rays)
    return radii


def low_pass(radii_mm: FloatArray, harmonics: int) -> FloatArray:
    """Keep the first harmonics of each ring: the area stays, the ripple goes."""
    spectrum = np.fft.rfft(radii_mm, axis=1)
    spectrum[:, harmonics + 1 :] = 0
    return np.fft.irfft(spectrum, radii_mm.shape[1], axis=1)


def _differences(n: int, closed: bool) -> Any:
    """Matrix of differences between neighbours, round a ring or along a line."""
    if closed:
        matrix = sparse.diags([np.ones(n), -np.ones(n - 1)], [0, 1], format="lil")
        matrix[n - 1, 0] = -1
        return matrix.tocsr()
    return sparse.diags([np.ones(n - 1), -np.ones(n - 1)], [0, 1], shape=(n - 1, n), format="csr")
