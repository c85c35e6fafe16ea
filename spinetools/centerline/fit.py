"""A smooth curve through the cord's centre in each slice.

Points and curves live in a mm frame whose third axis is the slice direction (voxel index times
spacing on a grid in canonical RAS order), so that a curve is x(z), y(z): one position a slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline, PPoly, make_lsq_spline
from scipy.linalg import solveh_banded

from spinetools.errors import InputError

FloatArray = npt.NDArray[np.float64]
Algorithm = Literal["bspline", "polyfit", "linear", "nurbs"]

#: Highest degree of ``polyfit``: what SCT uses by default.
POLYNOMIAL_DEGREE = 5
#: Step of the table behind arc lengths, and of the smoothed ``linear`` curve.
TABLE_STEP_MM = 0.25
#: How far either side of a point slopes are taken, so that a corner gets the mean of both sides.
CORNER_MM = 1e-6
#: Points whose z (mm) agrees to this many decimals share a place.
SAME_PLACE_DECIMALS = 3


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve x(z), y(z) in mm, made by :func:`fit_curve`.

    Attributes
    ----------
    polynomials
        Piecewise polynomials from z to (x, y).
    start_mm, stop_mm
        Lowest and highest z of the points behind the curve.
    extrapolates
        Whether the curve goes on beyond them, straight along its end tangents; otherwise it is
        NaN there.
    """

    polynomials: PPoly
    start_mm: float
    stop_mm: float
    extrapolates: bool = True

    def at(self, z_mm: npt.ArrayLike) -> FloatArray:
        """Return positions.

        Parameters
        ----------
        z_mm
            Coordinates along the third axis, any shape.

        Returns
        -------
        ndarray
            Shape (…, 3), mm.
        """
        z = np.asarray(z_mm, dtype=np.float64)
        inside = np.clip(z, self.start_mm, self.stop_mm)
        beyond = (z - inside)[..., None]
        xy = self.polynomials(inside) + self._slopes(z) * beyond
        if not self.extrapolates:
            xy = np.where(beyond == 0, xy, np.nan)
        return np.concatenate([xy, z[..., None]], axis=-1)

    def tangent(self, z_mm: npt.ArrayLike) -> FloatArray:
        """Return unit tangents (…, 3) that point to growing z; beyond the ends, the end's."""
        slopes = self._slopes(z_mm)
        vectors = np.concatenate([slopes, np.ones((*slopes.shape[:-1], 1))], axis=-1)
        unit: FloatArray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
        if not self.extrapolates:
            z = np.asarray(z_mm, dtype=np.float64)[..., None]
            unit = np.where((z < self.start_mm) | (z > self.stop_mm), np.nan, unit)
        return unit

    @property
    def length_mm(self) -> float:
        """Arc length from ``start_mm`` to ``stop_mm``."""
        return float(self._table[1][-1])

    def arc_length(self, z_mm: npt.ArrayLike) -> FloatArray:
        """Return the arc length in mm from ``start_mm`` to z; negative below it."""
        z = np.asarray(z_mm, dtype=np.float64)
        inside = np.clip(z, self.start_mm, self.stop_mm)
        end = np.sqrt(1 + (self._slopes(inside) ** 2).sum(axis=-1))
        table_z, table_s = self._table
        length: FloatArray = np.interp(inside, table_z, table_s) + (z - inside) * end
        return length if self.extrapolates else np.where(z == inside, length, np.nan)

    def at_arc_length(self, arc_mm: npt.ArrayLike) -> FloatArray:
        """Return positions (…, 3) at arc lengths from ``start_mm``, held at the curve's ends."""
        table_z, table_s = self._table
        return self.at(np.interp(np.asarray(arc_mm, dtype=np.float64), table_s, table_z))

    def resample(self, step_mm: float) -> FloatArray:
        """Return points (M, 3) from end to end, ``step_mm`` (or a little less) apart along it."""
        if not step_mm > 0:
            raise InputError(f"a step of {step_mm} mm along a curve, expected a positive number")
        intervals = max(1, int(np.ceil(self.length_mm / step_mm - 1e-9)))
        return self.at_arc_length(np.linspace(0, self.length_mm, intervals + 1))

    @cached_property
    def _table(self) -> tuple[FloatArray, FloatArray]:
        """Arc length at closely spaced z, by the trapezoid rule."""
        count = max(2, int(np.ceil((self.stop_mm - self.start_mm) / TABLE_STEP_MM)) + 1)
        z = np.linspace(self.start_mm, self.stop_mm, count)
        speed = np.sqrt(1 + (self._slopes(z) ** 2).sum(axis=-1))
        steps = (speed[1:] + speed[:-1]) / 2 * np.diff(z)
        return z, np.concatenate([[0.0], np.cumsum(steps)])

    def _slopes(self, z_mm: npt.ArrayLike) -> FloatArray:
        """dx/dz and dy/dz (…, 2); beyond the ends, those of the end."""
        z = np.clip(np.asarray(z_mm, dtype=np.float64), self.start_mm, self.stop_mm)
        slope = self.polynomials.derivative()
        mean: FloatArray = (slope(z - CORNER_MM) + slope(z + CORNER_MM)) / 2
        return mean


def fit_curve(
    points_mm: npt.ArrayLike,
    algo: Algorithm = "bspline",
    smooth_mm: float = 30.0,
    weights: npt.ArrayLike | None = None,
    extrapolate: bool = True,
) -> Curve:
    """Fit a curve x(z), y(z) through points along the cord.

    Parameters
    ----------
    points_mm
        Shape (N, 3), N ≥ 1, in a mm frame whose third axis is the slice direction. Points with
        the same z count as their weighted mean. One point gives a line along z, two a straight
        line.
    algo
        ``bspline``
            The cubic smoothing spline, which minimises Σ w (point − curve)² + λ ∫ curve″²; it is
            straight at its ends. Works from three points and with any gaps.
        ``polyfit``
            A polynomial by weighted least squares, of degree 5, or less with few points (at most
            half as many as there are points). ``smooth_mm`` is not used.
        ``linear``
            Straight lines from point to point, then averaged with a Hann window ``smooth_mm``
            wide.
        ``nurbs``
            A cubic B-spline by weighted least squares, with knots about every ``smooth_mm`` / 2
            spread like the points. (A NURBS whose control points all have rational weight 1 is
            such a B-spline; nothing more is done here.)
    smooth_mm
        Smoothing length. For ``bspline``: a sideways wave of this wavelength keeps half of its
        amplitude, one of wavelength L keeps 1 / (1 + (smooth_mm / L)⁴), whatever the spacing of
        the points. 0 goes through the points (``bspline``, ``linear``).
    weights
        Shape (N,), ≥ 0; relative trust in each point. None for all the same.
    extrapolate
        Whether the curve goes on beyond the points, straight along its end tangents; otherwise
        it is NaN there.

    Returns
    -------
    Curve

    Raises
    ------
    InputError
        When there is no point, or points, weights, ``smooth_mm`` or ``algo`` cannot be used.

    Notes
    -----
    The smoothing spline is solved as in Green and Silverman, Nonparametric Regression and
    Generalized Linear Models (1994), section 2.3.3 (Reinsch's algorithm). For points h apart, its
    response to a wave of angular frequency ω is 1 / (1 + λ h ω⁴), hence
    λ = (smooth_mm / 2π)⁴ / h, with h the median spacing.
    """
    if algo not in get_args(Algorithm):
        raise InputError(
            f"unknown centreline algorithm {algo!r}; choose one of {', '.join(get_args(Algorithm))}"
        )
    if not (np.isfinite(smooth_mm) and smooth_mm >= 0):
        raise InputError(f"a smoothing length of {smooth_mm} mm, expected a number from 0 up")
    z, xy, trust = _merged(points_mm, weights)
    if len(z) <= 2:
        pieces = _through(z, xy)
    elif algo == "bspline":
        pieces = _smoothing_spline(z, xy, trust, smooth_mm)
    elif algo == "polyfit":
        pieces = _polynomial(z, xy, trust)
    elif algo == "linear":
        pieces = _smoothed_lines(z, xy, smooth_mm)
    else:
        pieces = _regression_spline(z, xy, trust, smooth_mm)
    return Curve(pieces, float(z[0]), float(z[-1]), extrapolate)


def _merged(
    points_mm: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sort points by z, drop those without weight, and average those that share a z."""
    points = np.asarray(points_mm, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise InputError(f"points of shape {points.shape}, expected N × 3 finite numbers in mm")
    trust = np.ones(len(points)) if weights is None else np.asarray(weights, dtype=np.float64)
    if trust.shape != (len(points),) or not np.isfinite(trust).all() or (trust < 0).any():
        raise InputError("a weight is missing, negative or not finite; expected one a point, ≥ 0")
    points, trust = points[trust > 0], trust[trust > 0]
    if not len(points):
        raise InputError("no point to fit a centreline through; expected at least one")
    slot = np.unique(np.round(points[:, 2], SAME_PLACE_DECIMALS), return_inverse=True)[1].ravel()
    total = np.bincount(slot, trust)
    x, y, z = (np.bincount(slot, trust * column) / total for column in points.T)
    return z, np.stack([x, y], axis=1), total / total.mean()


def _through(z: FloatArray, xy: FloatArray) -> PPoly:
    """Straight lines from point to point; one point gives a constant."""
    if len(z) == 1:
        return PPoly(xy[None], np.array([z[0], z[0] + 1.0]))
    slopes = np.diff(xy, axis=0) / np.diff(z)[:, None]
    return PPoly(np.stack([slopes, xy[:-1]]), z)


def _smoothing_spline(
    z: FloatArray, xy: FloatArray, trust: FloatArray, smooth_mm: float
) -> CubicSpline:
    """Cubic smoothing spline (Reinsch): second derivatives γ from a banded system."""
    gaps = np.diff(z)
    strength = (smooth_mm / (2 * np.pi)) ** 4 / float(np.median(gaps))
    # Q maps values to differences of slopes: columns of three numbers
    first, last = 1 / gaps[:-1], 1 / gaps[1:]
    middle = -(first + last)
    a, b, c = 1 / trust[:-2], 1 / trust[1:-1], 1 / trust[2:]
    bands = np.zeros((3, len(z) - 2))
    bands[0] = (gaps[:-1] + gaps[1:]) / 3 + strength * (first**2 * a + middle**2 * b + last**2 * c)
    bands[1, :-1] = gaps[1:-1] / 6 + strength * (
        middle[:-1] * first[1:] * b[:-1] + last[:-1] * middle[1:] * c[:-1]
    )
    bands[2, :-2] = strength * last[:-2] * first[2:] * c[:-2]
    bends = np.diff(np.diff(xy, axis=0) / gaps[:, None], axis=0)
    gamma = np.atleast_2d(solveh_banded(bands[: len(z) - 2], bends, lower=True))
    correction = np.zeros_like(xy)
    correction[:-2] += first[:, None] * gamma
    correction[1:-1] += middle[:, None] * gamma
    correction[2:] += last[:, None] * gamma
    smooth = xy - strength * correction / trust[:, None]
    return CubicSpline(z, smooth, bc_type="natural")


def _polynomial(z: FloatArray, xy: FloatArray, trust: FloatArray) -> PPoly:
    degree = min(POLYNOMIAL_DEGREE, max(1, len(z) // 2))
    columns = []
    for values in xy.T:
        fitted = np.polynomial.Polynomial.fit(z, values, degree, w=np.sqrt(trust))
        # the same polynomial in z − z[0], highest power first, as PPoly wants it
        local = fitted.convert(domain=[z[0], z[0] + 1], window=[0, 1]).coef
        columns.append(np.pad(local, (0, degree + 1 - len(local)))[::-1])
    return PPoly(np.stack(columns, axis=-1)[:, None, :], z[[0, -1]])


def _smoothed_lines(z: FloatArray, xy: FloatArray, smooth_mm: float) -> PPoly:
    """Lines from point to point under a Hann window; straight lines stay as they are."""
    count = int(np.ceil((z[-1] - z[0]) / TABLE_STEP_MM)) + 1
    # never wider than the curve, so that the mirrored ends below exist
    reach = min(int(smooth_mm / TABLE_STEP_MM / 2), count - 1)
    if reach < 1:
        return _through(z, xy)
    table = np.linspace(z[0], z[-1], count)
    window = np.hanning(2 * reach + 3)[1:-1]
    columns = []
    for values in xy.T:
        # "odd" mirrors a curve through its end point, so that slopes go on
        longer = np.pad(np.interp(table, z, values), reach, mode="reflect", reflect_type="odd")
        columns.append(np.convolve(longer, window / window.sum(), mode="valid"))
    return _through(table, np.stack(columns, axis=1))


def _regression_spline(z: FloatArray, xy: FloatArray, trust: FloatArray, smooth_mm: float) -> PPoly:
    degree = min(3, len(z) - 1)
    knots_wanted = (z[-1] - z[0]) / smooth_mm * 2 if smooth_mm else np.inf
    # at least twice as many points as coefficients: otherwise it follows the noise
    inner = int(np.clip(knots_wanted - 1, 0, max(0, len(z) // 2 - degree - 1)))
    # quantiles of the points: every piece has points, as least squares needs
    places = np.quantile(z, np.linspace(0, 1, inner + 2)[1:-1])
    knots = np.concatenate([np.repeat(z[0], degree + 1), places, np.repeat(z[-1], degree + 1)])
    splines = [make_lsq_spline(z, values, knots, k=degree, w=np.sqrt(trust)) for values in xy.T]
    pieces = [PPoly.from_spline(spline) for spline in splines]
    real = np.diff(pieces[0].x) > 0  # the repeated end knots make pieces of no length
    breaks = np.append(pieces[0].x[:-1][real], z[-1])
    return PPoly(np.stack([piece.c[:, real] for piece in pieces], axis=-1), breaks)
