"""Resampling, against functions of world coordinates whose values are known everywhere."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from spinetools.image import Image, Space, resample_to, resample_to_spacing
from spinetools.image.orientation import ALL_CODES
from spinetools.image.resample import Interpolation

from .conftest import affine_for

SPACE = Space((20, 24, 28), affine_for(spacing=(1, 1.2, 0.9), degrees=(6, -8, 12)))


def _world(space: Space) -> NDArray[np.float64]:
    return space.to_world(np.moveaxis(np.indices(space.shape), 0, -1))


def _ramp(space: Space) -> Image:
    return Image((_world(space) @ [1.0, -2, 0.5] + 300).astype(np.float32), space)


def _interior(space: Space, old: Space, margin: float = 2) -> NDArray[np.bool_]:
    voxel = old.to_voxel(_world(space))
    return ((voxel > margin) & (voxel < np.asarray(old.shape) - 1 - margin)).all(axis=-1)


@pytest.mark.parametrize("interpolation", get_args(Interpolation))
def test_onto_its_own_grid_is_the_identity(interpolation: Interpolation) -> None:
    noise = np.random.default_rng(1).random(SPACE.shape).astype(np.float32)
    result = resample_to(Image(noise, SPACE), SPACE, interpolation)
    np.testing.assert_allclose(result.data, noise, atol=2e-5)


@pytest.mark.parametrize("interpolation", ["linear", "spline"])
@pytest.mark.parametrize("codes", ALL_CODES[::7], ids="".join)
def test_a_ramp_stays_the_same_ramp_in_the_scanner(
    interpolation: Interpolation, codes: tuple[str, str, str]
) -> None:
    space = Space((15, 18, 16), affine_for(codes, (1.1, 0.8, 1.3), (20, 5, -30)))
    # centre the new grid on the old one
    shift = SPACE.to_world((10, 12, 14)) - space.to_world((7.5, 9, 8))
    affine = space.affine.copy()
    affine[:3, 3] += shift
    space = Space(space.shape, affine)
    result = resample_to(_ramp(SPACE), space, interpolation)
    inside = _interior(space, SPACE)
    assert inside.sum() > 500
    # the smoothing before a coarser grid does not change a ramp away from the borders
    margin = _interior(space, SPACE, margin=5)
    np.testing.assert_allclose(result.data[margin], _ramp(space).data[margin], atol=0.02)


def test_beyond_the_old_grid_is_zero_and_the_border_reaches_half_a_voxel() -> None:
    old = Space((4, 4, 4), np.eye(4))
    wide = old.cropped((-3, 0, 0), (7, 4, 4))
    result = resample_to(Image(np.full((4, 4, 4), 5, np.uint8), old), wide, "nn")
    assert result.data[:, 0, 0].tolist() == [0, 0, 0, 5, 5, 5, 5, 0, 0, 0]
    fine = resample_to_spacing(Image(np.full((4, 4, 4), 5.0), old), (0.25, 1, 1))
    np.testing.assert_allclose(fine.data, 5)


def test_nearest_keeps_labels_and_type() -> None:
    labels = np.random.default_rng(0).choice([0, 3, 41, 224], SPACE.shape).astype(np.uint8)
    result = resample_to_spacing(Image(labels, SPACE), (0.6, 0.7, 2), "nn")
    assert result.data.dtype == np.uint8
    assert set(np.unique(result.data)) == {0, 3, 41, 224}
    mask = resample_to_spacing(Image(labels > 0, SPACE), (0.6, 0.7, 2), "nn")
    assert mask.data.dtype == np.bool_
    np.testing.assert_array_equal(mask.data, result.data > 0)


def test_a_spline_never_leaves_the_range_of_the_input() -> None:
    mask = np.zeros(SPACE.shape, np.float32)
    mask[8:12, 8:12, 8:12] = 1
    result = resample_to_spacing(Image(mask, SPACE), (0.4, 0.4, 0.4), "spline")
    assert result.data.min() >= 0
    assert result.data.max() <= 1


def test_a_coarser_grid_does_not_alias() -> None:
    stripes = np.zeros((40, 8, 8), np.float32)
    stripes[::2] = 1  # one voxel on, one off: its mean is 0.5 wherever it is sampled
    result = resample_to_spacing(Image(stripes, Space((40, 8, 8), np.eye(4))), (4, 1, 1))
    np.testing.assert_allclose(result.data[2:-2], 0.5, atol=0.02)


def test_a_coarser_grid_smooths_as_its_voxels_are_wide() -> None:
    point = np.zeros((61, 3, 3), np.float32)
    point[30] = 1
    result = resample_to_spacing(Image(point, Space(point.shape, np.eye(4))), (61 / 15, 1, 1))
    # full width at half maximum of the Gaussian: what the new voxel is wider, in quadrature
    step = 61 / 15
    sigma = np.sqrt(step**2 - 1) / 2.355
    places = np.arange(15) * step + (step - 1) / 2
    low = np.floor(places)
    grey = [np.exp(-((x - 30) ** 2) / 2 / sigma**2) for x in (low, low + 1)]
    expected = (
        (grey[0] * (low + 1 - places) + grey[1] * (places - low)) / sigma / np.sqrt(2 * np.pi)
    )
    np.testing.assert_allclose(result.data[:, 1, 1], expected, atol=0.002)
    assert result.data[7, 1, 1] > 0.2


def test_volume_of_a_ball_is_kept() -> None:
    radius = 8.0
    centre = SPACE.to_world(np.asarray(SPACE.shape) / 2)
    ball = (np.linalg.norm(_world(SPACE) - centre, axis=-1) < radius).astype(np.float32)
    expected = ball.sum() * SPACE.voxel_volume
    for spacing in [(0.5, 0.5, 0.5), (2, 2, 2), (0.7, 1.9, 3)]:
        result = resample_to_spacing(Image(ball, SPACE), spacing)
        assert result.data.sum() * result.space.voxel_volume == pytest.approx(expected, rel=0.01)


def test_4d_goes_volume_by_volume() -> None:
    four = np.random.default_rng(0).random((*SPACE.shape, 3)).astype(np.float32)
    image = Image(four, SPACE)
    result = resample_to_spacing(image, (2, 2, 2))
    assert result.shape == (*result.space.shape, 3)
    for index in range(3):
        one = resample_to_spacing(image.volume(index), (2, 2, 2))
        np.testing.assert_array_equal(result.data[..., index], one.data)
