"""Curves against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.centerline.fit import Curve, fit_curve
from spinetools.errors import InputError

ALGORITHMS = ("bspline", "polyfit", "linear", "nurbs")


def line(z):
    return np.stack([3 + 0.3 * z, -7 - 0.2 * z, z], axis=-1)


def arc(z, radius_mm=150.0):
    """A circle in the sagittal plane, centred at z = 60."""
    return np.stack([np.full_like(z, 5.0), np.sqrt(radius_mm**2 - (z - 60) ** 2), z], axis=-1)


@pytest.mark.parametrize("algo", ALGORITHMS)
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 60])
@pytest.mark.parametrize("spacing_mm", [0.5, 1.0, 17.0])
def test_a_straight_line_stays_straight(algo, count, spacing_mm):
    z = np.arange(count) * spacing_mm + 12.5
    curve = fit_curve(line(z), algo)
    wide = np.linspace(z[0] - 20, z[-1] + 20, 101)
    np.testing.assert_allclose(curve.at(wide), line(wide), atol=1e-6)
    direction = np.array([0.3, -0.2, 1]) / np.linalg.norm([0.3, -0.2, 1])
    np.testing.assert_allclose(curve.tangent(wide), np.tile(direction, (101, 1)), atol=1e-6)
    assert curve.length_mm == pytest.approx((z[-1] - z[0]) * np.linalg.norm([0.3, -0.2, 1]))


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_one_point_gives_a_line_along_z(algo):
    curve = fit_curve([[4.0, 5.0, 6.0]], algo)
    np.testing.assert_allclose(curve.at([0, 6, 9]), [[4, 5, 0], [4, 5, 6], [4, 5, 9]])
    np.testing.assert_allclose(curve.tangent(3.0), [0, 0, 1], atol=1e-9)
    assert curve.length_mm == 0
    np.testing.assert_allclose(curve.resample(1.0)[0], [4, 5, 6])


@pytest.mark.parametrize(
    ("algo", "spacing_mm", "worst_mm"),
    [
        ("bspline", 1.0, 0.17),  # straight at its ends, as it says; see below for the rest
        ("bspline", 5.0, 0.10),
        ("polyfit", 1.0, 0.01),
        ("linear", 1.0, 0.20),  # a window of 30 mm cuts the corner by s² / 16 r
        ("nurbs", 1.0, 0.01),
        ("nurbs", 5.0, 0.02),
    ],
)
def test_follows_an_arc(algo, spacing_mm, worst_mm):
    z = np.arange(0, 121, spacing_mm)
    curve = fit_curve(arc(z), algo)
    fine = np.linspace(0, 120, 500)
    assert np.abs(curve.at(fine) - arc(fine)).max() < worst_mm
    true_angle = np.degrees(np.arcsin((fine - 60) / 150))
    tangent = curve.tangent(fine)
    angle = np.degrees(np.arctan2(-tangent[:, 1], tangent[:, 2]))
    inner = (fine > 15) & (fine < 105)
    assert np.abs(angle - true_angle)[inner].max() < 0.7
    if algo != "linear":
        assert np.abs(curve.at(fine) - arc(fine))[inner].max() < 0.03
    assert curve.length_mm == pytest.approx(2 * 150 * np.arcsin(60 / 150), rel=2e-3)


@pytest.mark.parametrize("spacing_mm", [1.0, 3.0])
@pytest.mark.parametrize("smooth_mm", [20.0, 30.0, 60.0])
@pytest.mark.parametrize("ratio", [0.6, 1.0, 2.0, 4.0])
def test_smoothing_length_is_the_half_amplitude_wavelength(spacing_mm, smooth_mm, ratio):
    wavelength = smooth_mm * ratio
    z = np.arange(-400, 401, spacing_mm)
    wave = np.cos(2 * np.pi * z / wavelength)
    curve = fit_curve(np.stack([wave, 2 * wave, z], axis=1), smooth_mm=smooth_mm)
    expected = 1 / (1 + ratio**-4)
    np.testing.assert_allclose(curve.at(0.0)[:2], [expected, 2 * expected], atol=0.02)


def test_no_smoothing_goes_through_the_points():
    z = np.array([0.0, 1, 4, 5, 9, 11])
    points = np.stack([np.sin(z), z**2 / 10, z], axis=1)
    for algo in ("bspline", "linear"):
        np.testing.assert_allclose(fit_curve(points, algo, smooth_mm=0).at(z), points, atol=1e-9)


def test_linear_goes_straight_between_points_and_halves_corners():
    curve = fit_curve([[0, 0, 0], [10, 0, 10], [0, 0, 20]], "linear", smooth_mm=0)
    np.testing.assert_allclose(curve.at([5.0, 15.0])[:, 0], [5, 5])
    np.testing.assert_allclose(curve.tangent(10.0), [0, 0, 1], atol=1e-6)


@pytest.mark.parametrize("algo", ["bspline", "nurbs", "linear"])
def test_noise_is_reduced(algo):
    random = np.random.default_rng(1)
    z = np.arange(0, 200.0)
    noisy = arc(z, 400.0)
    noisy[:, :2] += random.normal(0, 0.4, (200, 2))
    off = fit_curve(noisy, algo).at(z) - arc(z, 400.0)
    assert np.sqrt((off[:, :2] ** 2).mean()) < 0.2
    assert np.sqrt((off[15:-15, :2] ** 2).mean()) < 0.15


def test_weights_say_which_points_count():
    z = np.arange(0, 101.0)
    points = line(z)
    points[50, 0] += 20
    weights = np.ones(101)
    weights[50] = 0
    np.testing.assert_allclose(fit_curve(points, weights=weights).at(z), line(z), atol=1e-6)
    weights[50] = 0.5
    partly = fit_curve(points, weights=weights).at(50.0)[0] - line(np.array(50.0))[0]
    fully = fit_curve(points).at(50.0)[0] - line(np.array(50.0))[0]
    assert 0.1 < partly < 0.75 * fully


def test_points_at_one_height_are_averaged_and_order_does_not_matter():
    points = [[2.0, 0, 5], [0.0, 0, 0], [4.0, 2, 5], [0.0, 0, 10]]
    curve = fit_curve(points, "linear", smooth_mm=0, weights=[1, 1, 3, 1])
    np.testing.assert_allclose(curve.at(5.0), [3.5, 1.5, 5])


def test_does_not_swing_out_beyond_its_ends():
    z = np.arange(0, 60.0)
    curve = fit_curve(arc(z, 80.0))
    high = np.array([60.0, 120.0, 400.0])
    ends = curve.at(59.0)[1] + curve.tangent(59.0)[1] / curve.tangent(59.0)[2] * (high - 59)
    np.testing.assert_allclose(curve.at(high)[:, 1], ends)
    kept = fit_curve(arc(z, 80.0), extrapolate=False)
    assert np.isnan(kept.at([-0.5, 59.5])[:, :2]).all()
    assert np.isnan(kept.tangent(-0.5)).all()
    assert np.isnan(kept.arc_length(70.0))
    assert np.isfinite(kept.at([0.0, 59.0])).all()


def test_a_gap_is_bridged_smoothly():
    z = np.concatenate([np.arange(0, 40.0), np.arange(80, 120.0)])
    curve = fit_curve(arc(z))
    assert np.abs(curve.at(np.arange(40, 80.0)) - arc(np.arange(40, 80.0))).max() < 0.2


def test_arc_length_and_resampling():
    curve = fit_curve(line(np.arange(0, 51.0)))
    factor = np.linalg.norm([0.3, -0.2, 1])
    np.testing.assert_allclose(
        curve.arc_length([-10, 0, 25, 60]), np.array([-10, 0, 25, 60]) * factor
    )
    points = curve.resample(4.0)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.max() <= 4 + 1e-9
    assert np.ptp(steps) < 1e-6
    np.testing.assert_allclose(points[[0, -1]], line(np.array([0, 50.0])), atol=1e-6)
    round_trip = fit_curve(arc(np.arange(0, 121.0)))
    z = np.array([3.0, 50, 119])
    np.testing.assert_allclose(
        round_trip.at_arc_length(round_trip.arc_length(z))[:, 2], z, atol=1e-6
    )


@pytest.mark.parametrize(
    ("points", "options", "said"),
    [
        (np.zeros((0, 3)), {}, "no point"),
        ([[0, 0, 0]], {"weights": [0.0]}, "no point"),
        ([[0, 0]], {}, "N × 3"),
        ([[0, np.nan, 0]], {}, "finite"),
        ([[0, 0, 0]], {"weights": [-1.0]}, "weight"),
        ([[0, 0, 0]], {"smooth_mm": -3.0}, "smoothing length"),
        ([[0, 0, 0]], {"algo": "spline"}, "unknown centreline algorithm"),
    ],
)
def test_bad_input(points, options, said):
    with pytest.raises(InputError, match=said):
        fit_curve(points, **options)


def test_bad_step():
    with pytest.raises(InputError, match="step"):
        fit_curve([[0, 0, 0], [0, 0, 1]]).resample(0)


def test_curve_is_frozen():
    curve = fit_curve([[0, 0, 0], [0, 0, 1]])
    assert isinstance(curve, Curve)
    with pytest.raises(AttributeError):
        curve.start_mm = 3.0
