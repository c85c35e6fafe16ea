"""Edges along rays and the elastic surface, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf

from spinetools.propseg.edges import closed_path, crossing, edge_score
from spinetools.propseg.elastic import low_pass, relax
from spinetools.propseg.profiles import radii_axis
from spinetools.propseg.tube import ellipse_radii

RADII = radii_axis()


def ring_profiles(edge_mm: np.ndarray, blur_mm: float = 0.6, wall_mm: float = 3.0) -> np.ndarray:
    """Dark cord, bright CSF of some thickness, dark wall; blurred."""

    def step(at: np.ndarray) -> np.ndarray:
        return 0.5 * (1 + erf((RADII - at[..., None]) / (blur_mm * np.sqrt(2))))

    return (200 + 600 * step(edge_mm) - 700 * step(edge_mm + wall_mm)).astype(np.float32)


def test_closed_path_finds_the_ellipse() -> None:
    edge = ellipse_radii(32, 3.8, 6.2)[None]
    path = closed_path(edge_score(ring_profiles(edge), RADII, 1.6) / 600)
    # the score's peak is as wide as its boxes: a coarse place, that crossing() makes exact
    assert RADII[path] == pytest.approx(edge, abs=0.61)
    assert np.abs(RADII[path] - edge).mean() < 0.25


def test_closed_path_does_not_jump_to_a_stronger_spot() -> None:
    score = np.zeros((1, 24, len(RADII)), dtype=np.float32)
    score[:, :, 20] = 1
    score[:, 7, 50] = 5  # one vertex sees a strong edge far away
    assert (closed_path(score) == 20).all()


def test_edge_inside_the_cord_scores_less() -> None:
    edge = np.full((1, 32), 5.0)
    profiles = ring_profiles(edge)
    profiles[..., (RADII > 2) & (RADII < 3.2)] += 150  # grey matter
    score = edge_score(profiles, RADII, 1.6)
    assert RADII[score[0, 0].argmax()] == pytest.approx(5.0, abs=0.3)


def test_the_canals_wall_scores_low_for_a_bright_cord() -> None:
    # seen with the wrong sign, the wall is the strongest edge; with the right one it is none
    edge = np.full((1, 32), 4.0)
    score = edge_score(ring_profiles(edge), RADII, 1.6)
    assert score[0, 0, RADII > 6.5].max() < 0


def test_crossing_is_the_edge_at_one_half() -> None:
    edge = ellipse_radii(32, 3.8, 6.2)[None]
    profiles = ring_profiles(edge, wall_mm=30)
    radius, found = crossing(profiles, RADII, edge + 0.5, np.full_like(edge, 500.0))
    assert found.all()
    assert radius == pytest.approx(edge, abs=0.02)


def test_crossing_too_far_leaves_the_surface() -> None:
    edge = np.full((1, 32), 4.0)
    surface = edge + 3
    radius, found = crossing(ring_profiles(edge), RADII, surface, np.full_like(edge, 500.0))
    assert not found.any()
    assert (radius == surface).all()


def test_relax_does_not_shrink() -> None:
    # without evidence anywhere the template stays as it is: no pull to zero length
    template = np.tile(ellipse_radii(32, 4, 6), (10, 1))
    radii = relax(template * 0, np.full_like(template, 1e-9), template, 0.5, 0.5)
    assert radii - radii.mean() == pytest.approx(template - template.mean(), abs=1e-3)
    # with evidence all round the target is met exactly, whatever the stiffness
    target = template + 0.7
    assert relax(target, np.ones_like(target), template, 5.0, 5.0) == pytest.approx(
        target, abs=1e-6
    )


def test_relax_bridges_a_gap_by_its_neighbours() -> None:
    template = np.full((9, 16), 4.0)
    target, weights = np.full((9, 16), 5.0), np.ones((9, 16))
    weights[4, 3:6] = 0
    target[4, 3:6] = 0
    radii = relax(target, weights, template, 0.5, 0.5)
    assert radii[4, 3:6] == pytest.approx(5.0, abs=0.05)


def test_low_pass_keeps_the_mean_and_slow_shapes() -> None:
    radii = ellipse_radii(32, 4, 5)[None] + 0.3 * np.cos(12 * np.arange(32) * 2 * np.pi / 32)
    smooth = low_pass(radii, 6)
    assert smooth.mean() == pytest.approx(radii.mean())
    assert np.abs(smooth - ellipse_radii(32, 4, 5)).max() < 0.05
