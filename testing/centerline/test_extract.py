"""Centrelines from masks, points and the detector."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.centerline import (
    centreline_through,
    draw,
    fitted_centreline,
    optic_centreline,
)
from spinetools.errors import InputError, NoSpineError
from spinetools.image import Image, Space
from spinetools.image.orientation import ALL_CODES
from spinetools.phantom import make_phantom

SHAPE = (30, 40, 50)


def oblique(shape: tuple[int, int, int] = SHAPE) -> Space:
    angle = np.deg2rad(12)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.8, 0.7, 1.5])
    affine[:3, 3] = [12, -30, 44]
    return Space(shape, affine)


def tube_mask() -> tuple[Image, np.ndarray]:
    """A leaning tube; gives the mask and its centre a slice."""
    i, j, k = np.indices(SHAPE)
    centre = np.column_stack([14 + 0.05 * np.arange(50), 15 + 0.2 * np.arange(50), np.arange(50)])
    near = ((i - centre[k, 0]) * 0.8) ** 2 + ((j - centre[k, 1]) * 0.7) ** 2 < 16
    return Image(near.astype(np.uint8), oblique()), centre


def test_fit_of_a_mask_is_its_centre() -> None:
    mask, centre = tube_mask()
    line = fitted_centreline(mask)
    assert line.slices.tolist() == list(range(50))
    assert np.abs(line.voxels - centre).max() < 0.3


def test_fit_is_the_same_in_all_orientations() -> None:
    mask, _ = tube_mask()
    reference = fitted_centreline(mask).world_mm
    for codes in ALL_CODES:
        line = fitted_centreline(mask.reorient(codes))
        assert np.abs(line.world_mm - reference).max() < 1e-6, codes


def test_extrapolation_goes_to_both_ends_and_stays_inside() -> None:
    mask, _ = tube_mask()
    part = mask.data.copy()
    part[:, :, :20] = 0
    part[:, :, 35:] = 0
    short = fitted_centreline(mask.like(part))
    long = fitted_centreline(mask.like(part), extrapolate=True)
    assert short.slices.tolist() == list(range(20, 35))
    assert long.slices.tolist() == list(range(50))
    assert (long.voxels > -1e-6).all()
    assert (long.voxels < np.array(SHAPE) - 1 + 1e-6).all()
    assert long.voxels[20:35] == pytest.approx(short.voxels)


def test_drawn_hard_and_soft() -> None:
    mask, _ = tube_mask()
    line = fitted_centreline(mask)
    hard, soft = line.mask(mask), line.mask(mask, soft=True)
    assert hard.data.dtype == np.uint8
    assert (hard.data.sum(axis=(0, 1)) == 1).all()
    assert soft.data.sum(axis=(0, 1)) == pytest.approx(1)
    i, j = np.indices(SHAPE[:2])
    for k in (0, 20, 49):
        found = [(soft.data[:, :, k] * axis).sum() for axis in (i, j)]
        assert found == pytest.approx(line.voxels[k, :2], abs=1e-4)


def test_drawn_in_the_images_orientation() -> None:
    mask, _ = tube_mask()
    line = fitted_centreline(mask)
    for codes in (("P", "S", "R"), ("L", "A", "I")):
        turned = mask.reorient(codes)
        drawn = draw(turned, line.world_mm)
        assert drawn.space.same_as(turned.space)
        assert (drawn.data & turned.data).sum() == 50


def test_points_in_any_order_and_outside() -> None:
    mask, centre = tube_mask()
    world = mask.space.to_world(centre[[40, 5, 20]])
    line = centreline_through(mask, world, smooth_mm=0)
    assert line.slices.tolist() == list(range(5, 41))
    assert np.abs(line.voxels - centre[5:41]).max() < 1e-6
    with pytest.raises(InputError, match="outside"):
        centreline_through(mask, world + 500)


def test_empty_mask_is_an_error() -> None:
    with pytest.raises(InputError, match="empty"):
        fitted_centreline(Image(np.zeros(SHAPE, dtype=np.uint8), oblique()))


@pytest.mark.parametrize(
    ("protocol", "contrast"),
    [
        ("t2_3d", None),
        ("t1_3d", None),
        ("t2s_axial", None),
        ("mt_axial", None),
        ("dwi_axial", None),
    ],
)
def test_optic_stays_in_the_phantoms_cord(protocol: str, contrast: str | None) -> None:
    phantom = make_phantom(987, contrast, protocol)
    line = optic_centreline(phantom.image)
    cord = phantom.cord.data > 0
    have = np.flatnonzero(cord.any(axis=(0, 1)))
    covered = np.isin(have, line.slices)
    assert covered.mean() > 0.95
    i, j, k = np.rint(line.voxels[np.isin(line.slices, have)]).astype(int).T
    assert cord[i, j, k].mean() > 0.98


def test_optic_is_the_same_in_other_orientations() -> None:
    phantom = make_phantom(988, None, "t2s_axial")
    reference = optic_centreline(phantom.image).world_mm
    for codes in (("P", "S", "R"), ("L", "P", "I"), ("S", "R", "A")):
        turned = optic_centreline(phantom.image.reorient(codes)).world_mm
        assert np.abs(turned - reference).max() < 1e-3


def test_optic_passes_through_given_points() -> None:
    phantom = make_phantom(989, None, "t2s_axial")
    free = optic_centreline(phantom.image)
    forced = free.voxels[7] + np.array([6, 0, 0])
    line = optic_centreline(phantom.image, forced[None], smooth_mm=0)
    assert line.voxels[7] == pytest.approx(forced, abs=0.01)
    assert np.abs(line.voxels[[3, 11]] - free.voxels[[3, 11]]).max() < 2


def smooth_noise(seed: int) -> np.ndarray:
    from scipy import ndimage

    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(80, 90, 40)), 3)
    return (noise * 1000).astype(np.float32)


@pytest.mark.parametrize("kind", ["noise", "smooth noise", "ramp", "ball"])
def test_an_image_without_a_spine_is_refused(kind: str) -> None:
    shape = (80, 90, 40)
    i, j, k = np.indices(shape)
    data = {
        "noise": np.random.default_rng(0).normal(100, 20, shape),
        "smooth noise": smooth_noise(0),
        "ramp": i + 2.0 * j + k,
        "ball": 100.0 * (((i - 40) ** 2 + (j - 45) ** 2 + (2 * k - 40) ** 2) < 30**2),
    }[kind]
    image = Image(data.astype(np.float32), Space(shape, np.diag([1.0, 1.0, 2.0, 1.0])))
    with pytest.raises(NoSpineError, match="no spinal cord"):
        optic_centreline(image)
