"""Overlap measures against numbers counted by hand and against set identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spinetools.errors import InputError
from spinetools.image import Image, Space
from spinetools.metrics.overlap import (
    as_fractions,
    dice,
    overlap,
    overlap_by_label,
    overlap_by_slice,
    volume_mm3,
)


@pytest.fixture
def pair():
    """Two boxes of 24 and 18 voxels that share 12."""
    a, b = np.zeros((2, 8, 8, 8), dtype=np.uint8)
    a[1:4, 1:5, 1:3] = 1
    b[2:5, 1:4, 1:3] = 1
    return a, b


def test_counts(pair):
    found = overlap(*pair)
    assert (found.first, found.second, found.intersection, found.union) == (24, 18, 12, 30)
    assert found.dice == pytest.approx(24 / 42)
    assert found.jaccard == pytest.approx(12 / 30)
    assert found.sensitivity == pytest.approx(12 / 18)
    assert found.precision == pytest.approx(12 / 24)


@pytest.mark.parametrize("dtype", [bool, np.int16, np.float32, np.float64])
def test_the_type_does_not_matter(pair, dtype):
    a, b = pair
    assert dice(a.astype(dtype) * dtype(1), b * 3) == pytest.approx(24 / 42)


def test_empty_masks(pair):
    nothing = np.zeros_like(pair[0])
    assert math.isnan(dice(nothing, nothing))
    assert math.isnan(overlap(nothing, nothing).jaccard)
    assert dice(pair[0], nothing) == 0
    assert overlap(nothing, pair[0]).sensitivity == 0
    assert math.isnan(overlap(nothing, pair[0]).precision)
    assert math.isnan(overlap(pair[0], nothing).sensitivity)


soft = hnp.arrays(np.float64, (3, 4, 5), elements=st.floats(0, 1))


@given(soft, soft)
def test_soft_masks_obey_the_identities(a, b):
    a[0, 0, 0] = b[0, 0, 0] = 0.5  # at least one value that is a fraction
    found = overlap(a, b)
    assert overlap(a, a).dice == pytest.approx(1)
    assert 0 < found.dice <= 1
    assert found.jaccard == pytest.approx(found.dice / (2 - found.dice))
    assert found.union == pytest.approx(np.maximum(a, b).sum())
    assert overlap(b, a).dice == pytest.approx(found.dice)


@given(hnp.arrays(bool, (3, 4, 5)), hnp.arrays(bool, (3, 4, 5)))
def test_soft_and_hard_agree_on_binary_masks(a, b):
    a[0, 0, 0] = True
    slightly = np.where(a, 1 - 1e-12, 0.0)
    assert dice(slightly, b) == pytest.approx(dice(a, b), abs=1e-9)


def test_by_label():
    a = np.array([[0, 1, 1, 2], [3, 3, 3, 3]])
    b = np.array([[1, 1, 0, 2], [3, 3, 4, 4]], dtype=np.float32)
    found = overlap_by_label(a, b)
    assert list(found) == [1, 2, 3, 4]
    assert [found[label].dice for label in found] == pytest.approx([0.5, 1, 4 / 6, 0])
    assert overlap_by_label(a * 0, b * 0) == {}
    with pytest.raises(InputError, match="whole numbers"):
        overlap_by_label(a, b + 0.5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_by_slice(pair, axis):
    slices = overlap_by_slice(*pair, axis=axis)
    assert len(slices) == 8
    assert sum(s.first for s in slices) == 24
    assert sum(s.intersection for s in slices) == 12
    for index, found in enumerate(slices):
        expected = overlap(*(np.take(mask, index, axis=axis) for mask in pair))
        assert found == expected


def test_volume_follows_a_sheared_grid(pair):
    affine = np.array([[0.5, 0.2, 0, 0], [0, 0.5, 0.3, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]])
    space = Space((8, 8, 8), affine)
    assert volume_mm3(Image(pair[0], space)) == pytest.approx(24 * 0.75)
    assert volume_mm3(Image(pair[0] * 0.25, space)) == pytest.approx(6 * 0.75)


def test_fractions():
    assert as_fractions([0, 2, 5]).tolist() == [False, True, True]
    assert as_fractions([0.0, 255.0]).tolist() == [False, True]
    assert as_fractions([-0.05, 0.5, 1.05]).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("values", "said"),
    [([0.5, 127.3], "0.5 to 127.3"), ([-0.7, 0.2], "-0.7 to 0.2"), ([0.5, np.nan], "NaN")],
)
def test_values_that_are_no_mask(values, said):
    with pytest.raises(InputError, match=said):
        overlap(values, values)


@pytest.mark.parametrize("compare", [dice, overlap_by_label, overlap_by_slice])
@pytest.mark.parametrize("n", [7, 1])  # one layer would be taken for each of the eight
def test_shapes_must_agree(pair, compare, n):
    with pytest.raises(InputError, match=rf"\(8, 8, 8\) and \(8, 8, {n}\)"):
        compare(pair[0], pair[1][..., :n])
