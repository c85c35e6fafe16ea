"""What is read from step 2: the average with step 1, and when odd and even keep bones apart."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.image import Space
from spinetools.vertebrae.classes import STEP1, STEP2
from spinetools.vertebrae.reading import Seen, read_step1, read_step2

SHAPE = (8, 8, 8)


def step2(odd: float, even: float, disc: float = 0.0) -> np.ndarray:
    """The lower half is bone of these shares, the upper half a disc."""
    answer = np.zeros((len(STEP2), *SHAPE), np.float32)
    answer[STEP2.index("vertebra_odd"), ..., :4] = odd
    answer[STEP2.index("vertebra_even"), ..., :4] = even
    answer[STEP2.index("disc_even"), ..., 4:] = disc
    answer[0] = 1 - answer.sum(axis=0)
    return answer


def step1(disc: float) -> Seen:
    answer = np.zeros((len(STEP1), *SHAPE), np.float32)
    answer[STEP1.index("disc"), ..., 4:] = disc
    answer[0] = 1 - answer.sum(axis=0)
    return read_step1(answer)


def space(mm: float) -> Space:
    return Space(SHAPE, np.diag([mm, mm, mm, 1.0]))


def test_odd_and_even_are_apart_where_the_network_is_sure() -> None:
    masks = read_step2(step2(0.97, 0.02)).masks
    filled = [mask.sum() for mask in masks if mask.any()]
    assert filled == [8 * 8 * 4]
    assert len(masks) > 1


@pytest.mark.parametrize(("odd", "even"), [(0.5, 0.45), (0.8, 0.2)])
def test_unsure_odd_and_even_are_one_mask_and_the_sacrum_another(odd: float, even: float) -> None:
    answer = step2(odd, even)
    answer[STEP2.index("sacrum"), ..., 0] = 0.98
    answer[0, ..., 0] = answer[STEP2.index("vertebra_odd"), ..., 0] = 0.01
    answer[STEP2.index("vertebra_even"), ..., 0] = 0
    free, sacrum = read_step2(answer).masks
    assert free[..., 1:4].all()
    assert not free[..., 4:].any()
    assert sacrum[..., 0].all()
    assert not (free & sacrum).any()


def test_without_bone_nothing_is_apart() -> None:
    assert not np.any(read_step2(step2(0.1, 0.1)).masks)


def test_both_steps_are_averaged() -> None:
    seen = read_step2(step2(0.97, 0.02, disc=0.4), step1(0.8), (space(1.5), space(1.5)))
    assert seen.disc[..., 4:] == pytest.approx(0.6)
    assert seen.bone[..., :4] == pytest.approx(0.495)
    assert seen.kinds is not None
    assert (seen.kinds[..., 4:] == STEP2.index("disc_even")).all()


def test_step_1_is_brought_to_step_2_s_grid() -> None:
    """The finer grid covers the first half of the coarse one's voxels only."""
    seen = read_step2(step2(0.97, 0.02), step1(0.8), (space(1.5), space(0.75)))
    assert seen.disc[4, 4, 2] == pytest.approx(0.0)
    assert read_step2(step2(0.97, 0.02)).disc.max() == 0
    coarse = read_step2(step2(0, 0, disc=1.0), step1(0.8), (space(0.75), space(1.5)))
    assert coarse.disc[1, 1, 3] == pytest.approx(0.4, abs=0.01)
