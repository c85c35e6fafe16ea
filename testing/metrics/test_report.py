"""The report of a segmentation against a reference, on boxes with known figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinetools.errors import InputError, SpaceMismatch
from spinetools.image import Image, Space
from spinetools.metrics.report import cord_report

SPACE = Space((24, 24, 12), np.diag([0.5, 0.5, 2.0, 1.0]))


@pytest.fixture
def pair():
    """A cord of 10 × 10 pixels in slices 2 to 9; the segmentation is 9 × 10, without slice 9."""
    reference, segmentation = np.zeros(SPACE.shape), np.zeros(SPACE.shape)
    reference[5:15, 5:15, 2:10] = 1
    segmentation[6:15, 5:15, 2:9] = 1
    return Image(segmentation, SPACE), Image(reference, SPACE)


def test_figures(pair):
    found = cord_report(*pair)
    assert found["dice"] == pytest.approx(2 * 630 / (630 + 800))
    assert found["csa_bias_percent"] == pytest.approx(-10)
    assert found["csa_ratio_bias_percent"] == pytest.approx(-10)
    assert found["volume_bias_percent"] == pytest.approx(100 * (630 / 800 - 1))
    assert found["coverage"] == pytest.approx(7 / 8)
    assert (found["worst_slice"], found["worst_slice_dice"]) == (9, 0)
    assert found["hausdorff_mm"] == pytest.approx(math.hypot(2, 0.5))
    assert 0 < found["mean_surface_distance_mm"] < found["hd95_mm"] <= found["hausdorff_mm"]


def test_chosen_slices(pair):
    found = cord_report(*pair, slices=range(3, 7))
    assert found["dice"] == pytest.approx(18 / 19)
    assert found["coverage"] == 1
    assert found["hausdorff_mm"] == pytest.approx(0.5)
    assert found["worst_slice"] == 3
    assert found["volume_bias_percent"] == pytest.approx(-10)


def test_soft_masks_count_from_one_half_on(pair):
    half, less = (pair[1].like(pair[1].data * share) for share in (0.5, 0.499))
    assert cord_report(half, pair[1])["dice"] == 1
    assert cord_report(less, pair[1])["dice"] == 0


def test_mean_of_ratios_and_ratio_of_means_differ():
    reference, segmentation = np.zeros(SPACE.shape), np.zeros(SPACE.shape)
    reference[:10, :10, 0], segmentation[:10, :11, 0] = 1, 1
    reference[:10, :1, 1], segmentation[:10, :2, 1] = 1, 1
    found = cord_report(Image(segmentation, SPACE), Image(reference, SPACE))
    assert found["csa_bias_percent"] == pytest.approx((10 + 100) / 2)
    assert found["csa_ratio_bias_percent"] == pytest.approx(100 * 20 / 110)


def test_the_way_the_files_lie_does_not_matter(pair):
    segmentation, reference = pair
    turned = cord_report(
        segmentation.reorient(("P", "S", "R")), reference.reorient(("I", "L", "A"))
    )
    assert turned == pytest.approx(cord_report(*pair))


def test_an_empty_segmentation_has_figures_and_an_empty_reference_none(pair):
    nothing = Image(np.zeros(SPACE.shape), SPACE)
    found = cord_report(nothing, pair[1])
    assert (found["dice"], found["coverage"], found["volume_bias_percent"]) == (0, 0, -100)
    assert math.isnan(found["hd95_mm"])
    assert math.isnan(found["csa_bias_percent"])
    with pytest.raises(InputError, match="empty in the slices"):
        cord_report(pair[0], nothing)
    with pytest.raises(InputError, match="empty in the slices"):
        cord_report(*pair, slices=[0, 1])
    with pytest.raises(InputError, match="expected 0 to 11"):
        cord_report(*pair, slices=[3, 12])


def test_grids_must_agree(pair):
    moved = Image(pair[1].data, Space(SPACE.shape, np.eye(4)))
    with pytest.raises(SpaceMismatch):
        cord_report(pair[0], moved)
