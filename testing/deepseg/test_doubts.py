"""What is named for a person to look at."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.deepseg import doubts

SLICES = np.arange(10, 70)


def test_an_even_taper_is_no_jump_but_a_step_and_a_spike_are() -> None:
    areas = np.linspace(20, 90, 60)
    assert doubts.area_jumps(SLICES, areas, 1.0) == []
    spiked = areas.copy()
    spiked[30] *= 1.5
    (found,) = doubts.area_jumps(SLICES, spiked, 1.0)
    assert (found.kind, found.slices) == ("area jump", (40,))
    assert "+50%" in found.reason
    lost = areas.copy()
    lost[20:22] *= 0.4
    assert doubts.area_jumps(SLICES, lost, 1.0)[0].slices == (30, 31)


def test_few_slices_have_no_jumps() -> None:
    assert doubts.area_jumps(SLICES[:4], np.array([80.0, 20, 80, 20]), 5.0) == []


def test_unsure_slices_are_named_with_the_lowest_figure() -> None:
    sure = np.full(60, 0.95)
    assert doubts.unsure_slices(SLICES, sure) == []
    sure[[3, 4]] = 0.5, 0.41
    (found,) = doubts.unsure_slices(SLICES, sure)
    assert found.slices == (13, 14)
    assert "0.41" in found.reason


def test_disagreement_counts_against_the_area() -> None:
    areas = np.full(60, 80.0)
    deviation = np.full(60, 5.0)
    deviation[7] = 40
    (found,) = doubts.disagreements(SLICES, deviation, areas)
    assert found.slices == (17,)
    assert "50%" in found.reason


@pytest.mark.parametrize("filled", [(), (20, 21)])
def test_gaps(filled: tuple[int, ...]) -> None:
    have = np.setdiff1d(SLICES, [40, 41])
    found = {doubt.kind: doubt.slices for doubt in doubts.gaps(have, filled)}
    assert found.pop("gap") == (40, 41)
    assert found == ({"gap filled": filled} if filled else {})


def test_slices_that_the_detector_saw_and_the_network_did_not() -> None:
    (found,) = doubts.not_segmented(SLICES, np.arange(5, 72), 1.0)
    assert found.slices == (5, 6, 7, 8, 9)  # two at the upper end are open
    assert doubts.not_segmented(SLICES, np.arange(5, 72), 5.0)[0].slices == (5, 6, 7, 8, 9, 70, 71)
    assert doubts.not_segmented(SLICES, SLICES[3:-3], 1.0) == []
