"""Tidying up, rule by rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spinetools.deepseg.clean import Cleaned, Rules, clean, sureness

MM = np.array([1.0, 1.0, 1.0])


def cord(n: int = 60, radius: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """A cord's probability and its middle."""
    x, y, _ = np.indices((40, 40, n))
    chance = np.clip(radius + 0.5 - np.hypot(x - 20, y - 18), 0, 1).astype(np.float32)
    k = np.arange(n)
    return chance, np.column_stack([np.full(n, 20.0), np.full(n, 18.0), k])


def run(
    chance: np.ndarray,
    line: np.ndarray,
    seen: tuple[int, int] | None = None,
    mm: np.ndarray = MM,
    **options: Any,
) -> Cleaned:
    limits = np.array(seen or (0, chance.shape[2] - 1))
    return clean(chance, line, limits, mm, Rules(options.pop("threshold", 0.5), **options))


def filled(cleaned: Cleaned) -> list[int]:
    return np.flatnonzero(cleaned.mask.any(axis=(0, 1))).tolist()


def test_a_sound_cord_is_left_as_it_is() -> None:
    chance, line = cord()
    cleaned = run(chance, line)
    assert (cleaned.mask == (chance >= 0.5)).all()
    assert (cleaned.filled, cleaned.thin, cleaned.dropped) == ((), (), ())


def test_holes_are_filled_or_left() -> None:
    chance, line = cord()
    chance[20, 18, 30] = 0
    assert run(chance, line).mask[20, 18, 30]
    assert not run(chance, line, fill_holes=False).mask[20, 18, 30]


def test_the_object_nearest_the_slice_before_is_kept() -> None:
    chance, line = cord()
    chance[30:39, 30:39, 20:30] = 1  # larger than the cord, but elsewhere
    cleaned = run(chance, line)
    assert not cleaned.mask[30:39, 30:39].any()
    assert cleaned.mask[20, 18].all()


def test_a_cord_that_is_lost_for_a_while_is_found_again() -> None:
    chance, line = cord()
    chance[:, :, 20:35] = 0
    chance[30:38, 4:12, 22:30] = 1  # something else where the cord is not seen
    assert filled(run(chance, line)) == [*range(20), *range(35, 60)]


def test_the_cord_may_lie_aside_of_the_centreline() -> None:
    chance, line = cord()
    line[:, 0] += np.linspace(0, 8, 60)  # 8 mm off at the top
    assert filled(run(chance, line)) == list(range(60))


def test_nothing_far_from_the_centreline_is_cord() -> None:
    chance, line = cord()
    line[:, 0] -= 14
    assert not run(chance, line).mask.any()


@pytest.mark.parametrize(("gap", "is_filled"), [(1, True), (6, True), (7, False)])
def test_short_gaps_are_filled(gap: int, is_filled: bool) -> None:
    chance, line = cord()
    chance[:, :, 20 : 20 + gap] = 0
    cleaned = run(chance, line)
    missing = list(range(20, 20 + gap))
    assert cleaned.filled == (tuple(missing) if is_filled else ())
    assert (cleaned.mask[:, :, 20] == (cord()[0][:, :, 20] >= 0.5)).all() == is_filled


def test_one_thick_slice_may_be_missing() -> None:
    chance, line = cord(12)
    chance[:, :, 5] = 0
    assert run(chance, line, mm=np.array([1.0, 1.0, 9.0])).filled == (5,)
    chance[:, :, 6] = 0
    assert run(chance, line, mm=np.array([1.0, 1.0, 9.0])).filled == ()


def test_a_gap_of_a_leaning_cord_is_filled_at_full_width() -> None:
    x, y, k = np.indices((60, 40, 9))
    chance = np.clip(5.5 - np.hypot(x - 12 - 5 * k, y - 18), 0, 1).astype(np.float32)
    line = np.column_stack([12.0 + 5 * np.arange(9), np.full(9, 18.0), np.arange(9)])
    whole = chance >= 0.5
    chance[:, :, 4] = 0
    cleaned = run(chance, line, mm=np.array([1.0, 1.0, 5.0]))
    assert cleaned.filled == (4,)
    assert (cleaned.mask[:, :, 4] == whole[:, :, 4]).all()


def test_slivers_beside_a_gap_are_filled_over() -> None:
    chance, line = cord()
    chance[:, :, 20:24] = 0
    chance[20:22, 18, [20, 23]] = 1
    cleaned = run(chance, line)
    assert cleaned.filled == (20, 21, 22, 23)
    assert cleaned.thin == ()
    assert (cleaned.mask == (cord()[0] >= 0.5)).all()


def test_parts_of_the_cord_stay_unless_they_are_short() -> None:
    chance, line = cord()
    chance[:, :, 20:30] = 0
    assert filled(run(chance, line)) == [*range(20), *range(30, 60)]
    assert filled(run(chance, line, largest=True)) == list(range(30, 60))
    assert run(chance, line, largest=True).dropped == tuple(range(20))
    chance[:, :, :14] = 0
    assert filled(run(chance, line)) == list(range(30, 60))


def test_small_parts_are_removed_by_voxels_or_mm3() -> None:
    chance, line = cord()
    chance[:, :, 20:40] = 0
    a_slice = int((chance[:, :, 0] >= 0.5).sum())
    fine = np.array([0.5, 0.5, 1.0])
    line[:, :2] += 0  # the line is in voxels: the same on the finer grid
    assert filled(run(chance, line, smallest=20 * a_slice)) == [*range(20), *range(40, 60)]
    assert not run(chance, line, smallest=20 * a_slice + 1).mask.any()
    assert run(chance, line, mm=fine, smallest=5 * a_slice, in_mm3=True).mask.any()
    assert not run(chance, line, mm=fine, smallest=5 * a_slice + 1, in_mm3=True).mask.any()


def test_slivers_at_the_ends_are_dropped() -> None:
    chance, line = cord()
    thin = np.zeros((40, 40), dtype=bool)
    thin[20:23, 18] = True
    for k in (0, 1, 59):
        chance[:, :, k] = thin
    cleaned = run(chance, line)
    assert cleaned.thin == (0, 1, 59)
    assert filled(cleaned) == list(range(2, 59))


def test_a_conus_keeps_its_tip() -> None:
    x, y, k = np.indices((40, 40, 60))
    radius = np.clip(5.0 * k / 20, 0, 5)
    chance = np.clip(radius + 0.5 - np.hypot(x - 20, y - 18), 0, 1).astype(np.float32)
    line = cord()[1]
    assert filled(run(chance, line, seen=(20, 59)))[0] <= 6  # 1.5 mm thick there


def test_beyond_what_the_detector_saw_the_cord_ends_where_it_widens_or_weakens() -> None:
    chance, line = cord()
    wide = cord(60, 7.5)[0]
    leaking = chance.copy()
    leaking[:, :, :10] = wide[:, :, :10]
    assert filled(run(leaking, line, seen=(15, 59)))[0] == 10
    assert filled(run(leaking, line))[0] == 0
    weak = chance.copy()
    weak[:, :, :10] *= 0.55
    assert filled(run(weak, line, seen=(15, 59)))[0] == 10
    assert filled(run(chance, line, seen=(15, 59)))[0] == 0
    assert filled(run(leaking[:, :, ::-1], line, seen=(0, 44)))[-1] == 49


def test_sureness_falls_with_probability_and_with_what_lies_elsewhere() -> None:
    chance, _ = cord(4)
    chance[:, :, 1] *= 0.6
    chance[30:38, 30:38, 2] = 0.45
    chance[:, :, 3] = 0
    found = sureness(chance >= 0.5, chance)
    assert found[0] > 0.97
    assert found[1] == pytest.approx(0.6, abs=0.02)
    assert 0.6 < found[2] < 0.8
    assert found[3] == 0
