"""Two numberings made one: what both say, and what happens where they contradict each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinetools.image import Space
from spinetools.vertebrae.agreement import agreed, as_votes, same_discs
from spinetools.vertebrae.anatomy import usual
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.naming import Candidate, Numbering

NAMES = usual().disc_names


def numbering(path: tuple[int | None, ...], probability: float) -> Numbering:
    names = tuple(None if j is None else NAMES[j] for j in path)
    other = Candidate(tuple(NAMES[5 + i] for i in range(len(path))), "", 0.01)
    return Numbering(usual(), path, 1.0, Candidate(names, "", probability), (other,), {})


def disc(z_mm: float) -> DiscSeen:
    centre = np.array([20.0, 30.0, z_mm])
    return DiscSeen(np.zeros((1, 3), int), centre, np.array([0, 0, 1.0]), centre, z_mm, 30, 40, 8,
                    0.9, np.zeros(5))  # fmt: skip


def grids() -> tuple[Space, Space]:
    """Two grids over the same place, the second one finer and 10 mm lower."""
    coarse, fine = np.diag([1.5, 1.5, 1.5, 1]), np.diag([1.25, 1.25, 1.25, 1])
    fine[2, 3] = -10.0
    return Space((40, 40, 100), coarse), Space((48, 48, 130), fine)


def test_discs_are_the_same_by_their_place_in_the_world() -> None:
    first = [disc(120.0), disc(90.0), disc(60.0)]
    second = [disc(162.0), disc(132.0), disc(101.0), disc(68.0)]
    assert same_discs(first, second, grids()) == [None, 0, 1, 2]
    assert same_discs([], second, grids()) == [None] * 4
    assert same_discs(first, [], grids()) == []


def test_two_discs_are_never_the_same_one() -> None:
    assert same_discs([disc(90.0)], [disc(103.0), disc(99.0)], grids()) == [None, 0]


def unused(_names: dict[int, str]) -> Numbering:
    pytest.fail("nothing has to be numbered again")


def test_what_both_say_has_the_average_of_their_confidence() -> None:
    first, second = numbering((20, 21, 22), 0.9), numbering((19, 20, 21, 22), 0.7)
    result = agreed(first, second, [None, 0, 1, 2], unused)
    assert result.path == second.path
    assert result.chosen.probability == pytest.approx(0.8)
    assert result.alternatives == second.alternatives


def test_a_false_alarm_of_one_step_contradicts_nothing() -> None:
    first, second = numbering((20, None, 21), 0.9), numbering((20, 21, None), 0.9)
    result = agreed(first, second, [0, 2, 1], unused)
    assert result.path == second.path


@pytest.mark.parametrize(("sure", "of_first"), [(0.95, True), (0.5, False)])
def test_the_surer_one_is_kept_and_the_other_is_its_alternative(
    sure: float, of_first: bool
) -> None:
    first, second = numbering((20, 21, 22), sure), numbering((19, 20, 21), 0.8)
    given: list[dict[int, str]] = []

    def again(names: dict[int, str]) -> Numbering:
        given.append(names)
        return numbering((20, 21, 22), 1.0)

    result = agreed(first, second, [0, 1, None], again)
    assert given == [{0: NAMES[20], 1: NAMES[21]}]
    assert result.path == ((20, 21, 22) if of_first else (19, 20, 21))
    assert result.chosen.probability == pytest.approx(max(sure, 0.8) / 2)
    rival = result.alternatives[0]
    assert rival.names[0] == (NAMES[19] if of_first else NAMES[20])
    assert rival.probability == pytest.approx(min(sure, 0.8) / 2)
    assert len(result.alternatives) == 2


def test_as_sure_as_each_other_step_1_is_kept() -> None:
    first, second = numbering((20, 21), 0.9), numbering((19, 20), 0.9)
    result = agreed(first, second, [0, 1], lambda _: replace(first))
    assert result.path == (20, 21)


def test_votes_give_a_disc_its_name() -> None:
    votes = as_votes({1: NAMES[3]}, 3, NAMES)
    assert votes.shape == (3, len(NAMES))
    assert np.argwhere(votes).tolist() == [[1, 3]]
