"""Components and holes, on masks small enough to count by hand."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.morphology import components, fill_holes, largest_component, remove_small


@pytest.fixture
def blobs():
    """Components of 27, 8 and 1 voxels."""
    mask = np.zeros((20, 20, 20), dtype=np.uint8)
    mask[2:5, 2:5, 2:5] = 1
    mask[10:12, 10:12, 10:12] = 4
    mask[18, 18, 18] = 1
    return mask


def test_largest_component(blobs):
    kept = largest_component(blobs)
    assert kept.dtype == bool
    assert kept.sum() == 27
    assert kept[2:5, 2:5, 2:5].all()
    assert not largest_component(np.zeros((3, 3, 3))).any()
    assert largest_component(blobs == 4).sum() == 8


def test_connectivity_decides_whether_corners_touch():
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[:2, :2, :2] = True
    mask[2, 2, 2] = True
    assert largest_component(mask, connectivity=26).sum() == 9
    assert largest_component(mask, connectivity=6).sum() == 8


def test_remove_small_in_voxels_and_mm3(blobs):
    assert remove_small(blobs, 8).sum() == 35
    assert remove_small(blobs, 9).sum() == 27
    assert remove_small(blobs, 0).sum() == 36
    assert remove_small(blobs, 100).sum() == 0
    assert remove_small(blobs, 4.0, voxel_volume_mm3=0.5).sum() == 35
    assert remove_small(blobs, 4.1, voxel_volume_mm3=0.5).sum() == 27
    # 8 voxels of 0.1 mm³ are 0.8 mm³, whatever floating point makes of it
    assert remove_small(blobs, 0.8, voxel_volume_mm3=0.1).sum() == 35
    assert not remove_small(np.zeros((3, 3, 3)), 1).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_tube_has_holes_only_slice_by_slice(axis):
    tube = np.zeros((7, 7, 9), dtype=bool)
    tube[1:6, 1:6, :] = True
    tube[2:5, 2:5, :] = False
    tube = np.moveaxis(tube, 2, axis)
    assert fill_holes(tube, axis=axis).sum() == 25 * 9
    assert (fill_holes(tube, axis=(axis + 1) % 3) == tube).all()
    assert (fill_holes(tube, axis=None) == tube).all()


def test_a_cavity_is_filled_in_3d():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[2:7, 2:7, 2:7] = True
    mask[4, 4, 4] = False
    assert fill_holes(mask, axis=None).sum() == 125
    assert fill_holes(mask).sum() == 125


def test_a_dent_is_no_hole():
    mask = np.ones((5, 5, 3), dtype=bool)
    mask[2, 2:, :] = False
    assert (fill_holes(mask) == mask).all()
    assert not fill_holes(np.zeros((4, 4, 4))).any()


def test_input_is_not_changed(blobs):
    before = blobs.copy()
    largest_component(blobs), remove_small(blobs, 5), fill_holes(blobs)
    assert (blobs == before).all()


@pytest.mark.parametrize("operation", [largest_component, fill_holes])
def test_other_dimensions_are_refused(operation):
    with pytest.raises(InputError, match="three dimensions"):
        operation(np.ones((3, 3)))


@pytest.mark.parametrize("connectivity", [6, 26])
def test_components_of_thin_arrays(connectivity: Literal[6, 26]) -> None:
    """The library that counts them keeps room for too few in some."""
    for length in range(1, 12):
        for shape in ((length, 1, 1), (1, length, 1), (1, 1, length), (length, 3, 1)):
            mask = np.zeros(shape, bool)
            mask[::2, ::2, ::2] = True
            labels, count = components(mask, connectivity)
            assert count == mask.sum()
            assert (np.unique(labels[mask]) == 1 + np.arange(count)).all()
            assert (labels > 0).tolist() == mask.tolist()
