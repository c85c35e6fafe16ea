"""Which areas and lengths are plausible, and what the shipped numbers say."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.compare.evidence import NAMES, Evidence
from spinetools.compare.plausible import Limits, calibrated
from spinetools.phantom.numbers import LEVEL_NUMBERS

LIMITS = Limits((20.0, 130.0), 550.0, 0.2)


def test_areas_that_no_cord_has() -> None:
    found = LIMITS.implausible(np.array([0.0, 10.0, 20.0, 75.0, 130.0, 300.0]))
    assert found.tolist() == [False, True, False, False, False, True]


def test_a_known_level_narrows_it() -> None:
    # C4: 77.4 ± 7.5; T5: 35.1 ± 4.1
    levels = np.array([4, 4, 4, 12, 12, 0])
    area = np.array([77.0, 35.0, 135.0, 35.0, 77.0, 35.0])
    assert LIMITS.implausible(area, levels).tolist() == [False, True, True, False, True, False]


def test_the_conus_may_be_thin() -> None:
    assert LEVEL_NUMBERS[19].name == "L1"
    assert LIMITS.implausible(np.array([24.0]), np.array([20])).tolist() == [False]


def test_the_shipped_numbers() -> None:
    quality = calibrated()
    assert set(quality.weights) == set(NAMES)
    assert min(quality.weights.values()) >= 0
    assert quality.weights["edge"] > 0
    low, high = quality.limits.area_mm2
    # every level's mean is inside, with room on both sides
    means = [level.cord_csa for level in LEVEL_NUMBERS]
    assert low < min(means) * 0.8
    assert max(means) * 1.2 < high < 200
    assert 450 < quality.limits.longest_mm < 650
    assert 0.7 < quality.picks <= 1


def test_evidence_only_ever_speaks_against() -> None:
    quality = calibrated()
    none = Evidence(*[0.0] * len(NAMES))
    assert quality.dice(none) == pytest.approx(1 - quality.base)
    for n, name in enumerate(NAMES):
        values = [0.0] * len(NAMES)
        values[n] = 0.2
        expected = 1 - quality.base - 0.2 * quality.weights[name]
        assert quality.dice(Evidence(*values)) == pytest.approx(expected)
    assert quality.dice(Evidence(*[50.0] * len(NAMES))) == 0
