"""What slices that are looked at one by one tell their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.deepseg.look import smooth_along

ALL = np.ones(30, bool)


def tube(slices: int = 30) -> np.ndarray:
    x, y = np.mgrid[:20, :20]
    disc = (np.hypot(x - 10, y - 10) < 5).astype(np.float32)
    return np.repeat(disc[:, :, None], slices, axis=2)


def test_what_does_not_change_along_the_cord_stays() -> None:
    assert smooth_along(tube(), ALL, 1.0) == pytest.approx(tube(), abs=1e-6)


def test_what_one_thin_slice_sees_alone_is_noise() -> None:
    chance = tube()
    chance[3, 3, 12] = 1.0
    chance[10, 10, 20] = 0.0
    smooth = smooth_along(chance, ALL, 1.0)
    assert smooth[3, 3, 12] == pytest.approx(0.4, abs=0.01)
    assert smooth[10, 10, 20] == pytest.approx(0.6, abs=0.01)


def test_thick_slices_stay_as_they_are() -> None:
    chance = np.random.default_rng(0).random((6, 6, 30)).astype(np.float32)
    assert np.abs(smooth_along(chance, ALL, 1 / 5) - chance).max() < 1e-4


def test_only_what_was_looked_at_counts() -> None:
    looked_at = ALL.copy()
    looked_at[[0, 1, 29]] = False
    chance = tube() * looked_at
    assert smooth_along(chance, looked_at, 1.0) == pytest.approx(chance, abs=1e-6)


def test_a_cord_that_ends_does_not_grow() -> None:
    chance = tube()
    chance[:, :, 15:] = 0
    ends = np.flatnonzero((smooth_along(chance, ALL, 1.0) >= 0.5).any(axis=(0, 1)))
    assert ends[-1] == 14
