"""Surface distances against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from spinetools.errors import InputError
from spinetools.image import Space
from spinetools.image.orientation import reorient_array
from spinetools.metrics.surface import (
    hausdorff_distance,
    surface_distances,
    surface_distances_by_slice,
    surface_voxels,
    thinned,
)

ISOTROPIC = np.eye(4)
ANISOTROPIC = np.diag([0.5, 0.5, 3.0, 1.0])
SHEARED = np.array([[0.8, 0.3, 0.0, 5], [0.0, 0.9, 0.4, -7], [0.1, 0.0, 2.5, 3], [0, 0, 0, 1]])


def box(start, stop, shape=(20, 20, 20)):
    mask = np.zeros(shape, dtype=np.uint8)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = 1
    return mask


def faces_by_hand(mask):
    """A voxel is surface when one of its six neighbours, or the edge, is not in the mask."""
    padded = np.pad(mask, 1)
    found = []
    for place in np.argwhere(padded):
        steps = [step * sign for step in np.eye(3, dtype=int) for sign in (1, -1)]
        if any(not padded[tuple(place + step)] for step in steps):
            found.append(place - 1)
    return np.array(found)


@pytest.mark.parametrize("affine", [ISOTROPIC, ANISOTROPIC, SHEARED])
def test_against_brute_force(affine):
    random = np.random.default_rng(3)
    a = random.random((9, 8, 7)) > 0.5
    b = random.random((9, 8, 7)) > 0.7
    b[:3] = False
    space = Space(a.shape, affine)
    table = cdist(*(space.to_world(faces_by_hand(mask)) for mask in (a, b)))
    forward, backward = table.min(axis=1), table.min(axis=0)
    found = surface_distances(a, b, space)
    np.testing.assert_allclose(np.sort(found.forward), np.sort(forward), atol=1e-9)
    np.testing.assert_allclose(np.sort(found.backward), np.sort(backward), atol=1e-9)
    assert found.hausdorff == pytest.approx(max(forward.max(), backward.max()))
    assert found.hd95 == pytest.approx(max(np.percentile(forward, 95), np.percentile(backward, 95)))
    assert found.mean == pytest.approx(np.concatenate([forward, backward]).mean())


def test_identical_masks_are_zero_apart():
    mask = box((3, 3, 3), (9, 12, 15))
    found = surface_distances(mask, mask, Space(mask.shape, SHEARED))
    assert (found.hausdorff, found.hd95, found.mean) == (0, 0, 0)


@pytest.mark.parametrize(
    ("affine", "shift", "expected_mm"),
    [
        (ISOTROPIC, (4, 0, 0), 4.0),
        (ANISOTROPIC, (4, 0, 0), 2.0),
        (ANISOTROPIC, (0, 0, 3), 9.0),
        (ISOTROPIC, (3, 4, 0), 5.0),
    ],
)
def test_a_shifted_box(affine, shift, expected_mm):
    first, second = box((2, 2, 2), (10, 10, 10)), box((2, 2, 2), (10, 10, 10))
    second = np.roll(second, shift, axis=(0, 1, 2))
    space = Space(first.shape, affine)
    assert hausdorff_distance(first, second, space) == pytest.approx(expected_mm)
    assert hausdorff_distance(second, first, space) == pytest.approx(expected_mm)


def test_a_box_within_a_box_is_as_far_as_its_surface():
    outer, inner = box((2, 2, 2), (17, 17, 17)), box((5, 5, 5), (14, 14, 14))
    found = surface_distances(outer, inner, Space(outer.shape, ISOTROPIC))
    assert found.hausdorff == pytest.approx(3 * np.sqrt(3))
    np.testing.assert_allclose(found.backward, 3)


def test_measuring_from_some_slices_still_reaches_the_whole_surface():
    first, second = box((5, 5, 2), (12, 12, 18)), box((5, 5, 2), (12, 12, 18))
    second[:, :, 10:] = 0
    second[3:5, 5:12, 2:6] = 1
    space = Space(first.shape, ISOTROPIC)
    low = np.zeros(first.shape)
    low[:, :, 2:8] = 1
    assert surface_distances(first, second, space).hausdorff == 8
    found = surface_distances(first, second, space, within=low)
    assert found.hausdorff == 2
    assert found.forward.size == (faces_by_hand(first)[:, 2] < 8).sum()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_by_slice(axis):
    first, second = (np.zeros((12, 12, 12)) for _ in range(2))
    first[4:8, 4:8, 2:9] = 1
    second[4:8, 4:8, 4:11] = 1
    second[8, 4:8, 5] = 1
    first, second = (np.moveaxis(mask, 2, axis) for mask in (first, second))
    spacing = np.ones(3)
    spacing[axis] = 3
    found = surface_distances_by_slice(
        first, second, Space(first.shape, np.diag([*spacing, 1])), axis=axis
    )
    assert list(found) == [4, 5, 6, 7, 8]
    assert {index: each.hausdorff for index, each in found.items()} == {
        4: 0,
        5: 1,
        6: 0,
        7: 0,
        8: 0,
    }


def test_slices_of_a_sheared_grid_against_one_by_one():
    random = np.random.default_rng(8)
    a, b = random.random((2, 9, 8, 7)) > 0.6
    a[:, :, 3] = False
    space = Space(a.shape, SHEARED)
    found = surface_distances_by_slice(a, b, space)
    assert list(found) == [0, 1, 2, 4, 5, 6]
    for index, each in found.items():
        alone = [np.zeros_like(mask) for mask in (a, b)]
        for kept, mask in zip(alone, (a, b), strict=True):
            kept[:, :, index] = surface_voxels(mask, axis=2)[:, :, index]
        expected = surface_distances(*alone, space)
        np.testing.assert_allclose(np.sort(each.forward), np.sort(expected.forward), atol=1e-9)
        np.testing.assert_allclose(np.sort(each.backward), np.sort(expected.backward), atol=1e-9)


def test_the_next_slice_is_never_nearer_than_the_far_end_of_ones_own():
    first, second = (np.zeros((20, 15, 3), np.uint8) for _ in range(2))
    first[0, 0] = 1
    second[19, 14, 1] = second[0, 0, 2] = 1
    # slices of 0.1 mm: in the scanner, the second mask's voxel of the next slice is the nearest
    found = surface_distances_by_slice(first, second, Space(first.shape, np.diag([1, 1, 0.1, 1])))
    far = pytest.approx([np.hypot(19, 14)])
    assert (found[1].forward, found[1].backward) == (far, far)
    assert found[2].hausdorff == 0


def test_outlines_of_slices_are_not_the_surface_in_3d():
    mask = box((3, 3, 3), (8, 8, 8))
    assert surface_voxels(mask).sum() == 125 - 27
    assert surface_voxels(mask, axis=2).sum() == 5 * (25 - 9)
    assert surface_voxels(np.ones((5, 5, 5))).sum() == 125 - 27
    assert surface_voxels(np.zeros((5, 5, 5))).sum() == 0


def test_distances_do_not_depend_on_the_way_the_grid_lies():
    first, second = box((2, 3, 4), (9, 10, 11)), box((4, 3, 6), (12, 10, 17))
    space = Space(first.shape, SHEARED)
    expected = surface_distances(first, second, space)
    codes = ("I", "R", "P")
    moved = [reorient_array(mask, space.nib_codes, codes) for mask in (first, second)]
    found = surface_distances(*moved, space.reoriented(codes))
    assert found.hausdorff == pytest.approx(expected.hausdorff)
    assert found.mean == pytest.approx(expected.mean)


def test_empty_masks_have_no_distance():
    mask = box((2, 2, 2), (5, 5, 5))
    space = Space(mask.shape, ISOTROPIC)
    with pytest.raises(InputError, match="the second mask is empty"):
        surface_distances(mask, mask * 0, space)
    with pytest.raises(InputError, match="the first mask is empty"):
        hausdorff_distance(mask * 0, mask * 0, space)
    assert surface_distances_by_slice(mask, np.roll(mask, 8, axis=2), space) == {}
    with pytest.raises(InputError, match="nothing to measure"):
        surface_distances(mask, mask, space, within=mask * 0)
    with pytest.raises(InputError, match="the grid's"):
        surface_distances(mask[1:], mask[1:], space)


def test_thinning_leaves_the_middle_line_of_each_slice():
    mask = box((4, 2, 3), (9, 18, 6))
    thin = thinned(mask)
    assert thin.any(axis=(0, 1)).tolist() == mask.any(axis=(0, 1)).tolist()
    assert thin[6, 5:15, 3:6].all()
    assert not (thin & (mask == 0)).any()
    assert thin.sum() < mask.sum() / 3
