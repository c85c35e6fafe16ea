"""The odd discs that step 2 is shown in training: rough outlines, in the right places."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spinetools.training.nnunet_discs import FLIPPED, as_step1_draws, flipped


@pytest.fixture(scope="module")
def discs() -> np.ndarray:
    """Four discs of four voxels' height, one at the volume's lower end."""
    mask = np.zeros((24, 30, 64), bool)
    for z in (0, 18, 34, 50):
        mask[4:20, 6:24, z : z + 4] = True
    return mask


def test_outlines_are_rough_and_places_right(discs: np.ndarray) -> None:
    overlaps, counts = [], []
    for seed in range(60):
        rough = as_step1_draws(discs, np.random.default_rng(seed))
        assert rough.shape == discs.shape
        assert rough.dtype == bool
        parts, count = ndimage.label(rough)
        sizes = np.bincount(parts.ravel())[1:]
        counts.append(int((sizes > 30).sum()))
        overlaps.append(2 * (discs & rough).sum() / (discs.sum() + rough.sum()))
        # nothing of it lies farther from the discs than their outlines move
        assert not (rough & ~ndimage.binary_dilation(discs, iterations=4)).any()
        assert count < 12
    assert max(overlaps) < 0.97, "an outline that may be copied"
    assert np.median(overlaps) > 0.6
    assert set(counts) == {3, 4}
    assert 0.6 < np.mean([count == 4 for count in counts]) < 1


def test_the_same_seed_gives_the_same(discs: np.ndarray) -> None:
    one, same, other = (as_step1_draws(discs, np.random.default_rng(n)) for n in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_no_discs_stay_none() -> None:
    assert not as_step1_draws(np.zeros((5, 6, 7), bool), np.random.default_rng(0)).any()


def test_odd_and_even_change_places_as_often_as_said() -> None:
    rng = np.random.default_rng(3)
    assert abs(np.mean([flipped(rng) for _ in range(4000)]) - FLIPPED) < 0.03
