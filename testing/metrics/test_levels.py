"""Levels of slices from label volumes and from discs, on a straight cord."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.errors import InputError, SpaceMismatch
from spinetools.image import Image, Space
from spinetools.metrics.levels import levels_from_discs, levels_from_labels, spans

SPACE = Space((20, 30, 40), np.diag([1.0, 1.0, 2.0, 1.0]))


@pytest.fixture
def cord():
    mask = np.zeros(SPACE.shape, dtype=np.uint8)
    mask[8:12, 18:22] = 1
    return Image(mask, SPACE)


@pytest.fixture
def centreline():
    heights = np.arange(0, 80, 0.1)
    return np.stack([np.full(800, 9.5), np.full(800, 19.5), heights], axis=1)


def discs(values):
    """Voxels ten in front of the cord, at these slices."""
    data = np.zeros(SPACE.shape)
    for value, index in values.items():
        data[10, 29, index] = value
    return Image(data, SPACE)


def test_labels_on_the_cord(cord):
    labels = cord.data * 1.0
    labels[:, :, 20:] *= 3
    labels[:, :, :20] *= 4
    labels[8:9, 18:20, 19] = 3  # a slice shared by two levels goes to the larger part
    labels[:, :, 5] = 0
    labels[0, 0, 30] = 50  # another landmark
    found = levels_from_labels(Image(labels, SPACE), cord)
    assert found.tolist() == [0 if i == 5 else 4 if i < 20 else 3 for i in range(40)]


def test_the_last_levels_of_sct_are_its_own(cord):
    labels = Image(cord.data * np.repeat([30, 29], 20), SPACE)
    assert levels_from_labels(labels, cord).tolist() == [30] * 20 + [29] * 20


def test_labels_on_vertebrae(cord):
    labels = np.zeros(SPACE.shape, dtype=np.int16)
    labels[4:16, 2:14, 22:30] = 5
    labels[4:16, 2:14, 10:18] = 6
    labels[9:11, 23:28, 14:19] = 5  # the spinous process of 5 reaches down behind 6
    found = levels_from_labels(Image(labels, SPACE), cord)
    assert set(found[22:30]) == {5}
    assert set(found[10:18]) == {6}
    assert found[18] == 5
    assert not found[19:22].any()


@pytest.mark.parametrize("codes", [("P", "S", "R"), ("L", "A", "I")])
def test_the_way_the_files_lie_does_not_matter(cord, centreline, codes):
    labels = Image(cord.data * np.repeat([9, 8], 20), SPACE)
    expected = levels_from_labels(labels, cord)
    assert (levels_from_labels(labels.reorient(codes), cord) == expected).all()
    points = discs({3: 35, 4: 25, 5: 10})
    expected = levels_from_discs(points, cord, centreline)
    turned = levels_from_discs(points.reorient(codes), cord.reorient(codes), centreline)
    assert (turned == expected).all()


def test_discs_bound_levels(cord, centreline):
    found = levels_from_discs(discs({3: 35, 4: 25, 5: 10}), cord, centreline)
    assert found.tolist() == [3 if 25 <= i < 35 else 4 if 10 <= i < 25 else 0 for i in range(40)]


def test_a_missing_disc_leaves_its_neighbours_unknown(cord, centreline, caplog):
    found = levels_from_discs(discs({3: 35, 5: 20, 6: 10, 49: 38}), cord, centreline)
    assert found.tolist() == [5 if 10 <= i < 20 else 0 for i in range(40)]
    assert "no disc 4" in caplog.text


def test_discs_are_projected_across_the_cord():
    """On a tilted cord the nearest point lies at another height than the disc."""
    heights = np.arange(0, 80, 0.05)
    tilted = np.stack([np.full(1600, 10.0), 10 + 0.25 * heights, heights], axis=1)
    mask = Image(np.ones(SPACE.shape), SPACE)
    found = levels_from_discs(discs({3: 30, 4: 10}), mask, tilted)
    # the foot of the perpendicular from (29, 60), in (y, z): z = (60 + 0.25 · 19) / (1 + 0.25²)
    top, bottom = ((z + 0.25 * 19) / 1.0625 for z in (60, 20))
    expected = [3 if bottom <= 2 * i < top else 0 for i in range(40)]
    assert found.tolist() == expected
    assert found[30] == 3


def test_another_scheme_is_recognised(cord, centreline):
    """TotalSpineSeg: cord 200, C3 39, C4 38, discs C2–C3 224, C3–C4 223, C4–C5 222."""
    labels = cord.data.astype(np.int16) * 200
    labels[4:16, 2:14, 24:34] = 39
    labels[4:16, 2:14, 11:23] = 38
    for value, index in {224: 35, 223: 23, 222: 10}.items():
        labels[4:16, 2:14, index] = value
    volume = Image(labels, SPACE)
    found = levels_from_labels(volume, cord)
    assert found.tolist() == [3 if 24 <= i < 34 else 4 if 11 <= i < 23 else 0 for i in range(40)]
    found = levels_from_discs(volume, cord, centreline)
    assert found.tolist() == [3 if 23 <= i < 35 else 4 if 10 <= i < 23 else 0 for i in range(40)]


def test_bad_labels(cord, centreline):
    with pytest.raises(InputError, match=r"values 60, expected SCT's for levels"):
        levels_from_labels(discs({60: 4}), cord)
    with pytest.raises(InputError, match="no label scheme has all of the values 41, 300"):
        levels_from_labels(Image(cord.data * np.repeat([41, 300], 20), SPACE), cord)
    with pytest.raises(InputError, match="levels 3:4 do not follow each other downwards"):
        levels_from_labels(Image(cord.data * np.repeat([3, 4], 20), SPACE), cord)
    with pytest.raises(InputError, match="values 60, expected SCT's for discs"):
        levels_from_discs(discs({60: 4}), cord, centreline)
    with pytest.raises(InputError, match="disc 4 does not lie below disc 3"):
        levels_from_discs(discs({3: 10, 4: 20}), cord, centreline)
    with pytest.raises(InputError, match="only disc 3,5"):
        levels_from_discs(discs({3: 30, 5: 20}), cord, centreline)
    with pytest.raises(SpaceMismatch):
        levels_from_labels(Image(cord.data, Space(SPACE.shape, np.eye(4))), cord)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([4], "4"), ([4, 5], "4:5"), ([9, 2, 3, 4, 7, 9], "2:4,7,9"), ([0, 2], "0,2")],
)
def test_spans(numbers, text):
    assert spans(numbers) == text
