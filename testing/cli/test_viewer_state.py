"""Picking points without a window: suggestions, undo, labels."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.cli._viewer_state import PickState
from spinetools.errors import InputError

SHAPE, SPACING = (20, 30, 101), (1.0, 1.0, 2.0)


@pytest.fixture
def state():
    """A hundred and one slices of 2 mm; a suggestion every 10 slices."""
    return PickState.start(SHAPE, SPACING, gap_mm=20.0)


def test_begins_at_the_bottom_in_the_middle(state):
    assert state.position == (10, 0)
    assert state.suggestion == 10
    assert state.result().shape == (0, 3)


def test_each_click_leads_one_gap_up_to_the_very_top(state):
    visited = []
    while state.suggestion is not None:
        visited.append(state.position[1])
        state = state.clicked_axial(9.0, 14.0)
    assert visited == list(range(0, 100, 10))
    assert state.position[1] == 100
    state = state.clicked_axial(9.0, 14.0)
    assert state.position[1] == 100
    assert "Enter" in state.notice
    assert state.result()[:, 2].tolist() == [*range(0, 101, 10)]


def test_the_last_suggestion_is_the_top_slice_however_near(state):
    assert state.at(z=97).clicked_axial(9, 9).position[1] == 100


def test_a_gap_smaller_than_a_slice_goes_slice_by_slice():
    state = PickState.start(SHAPE, SPACING, gap_mm=0.1)
    assert state.clicked_axial(5, 5).position[1] == 1


def test_points_come_out_from_bottom_to_top_in_whatever_order_they_were_placed(state):
    for z, y in ((80, 3.0), (10, 1.0), (40, 2.0)):
        state = state.at(z=z).clicked_axial(4.25, y)
    np.testing.assert_allclose(state.result(), [[4.25, 1.0, 10], [4.25, 2.0, 40], [4.25, 3.0, 80]])


def test_a_second_click_on_a_slice_replaces_its_point_and_work_goes_on_where_it_was_left(state):
    for _ in range(3):
        state = state.clicked_axial(9, 9)
    corrected = state.at(z=10).clicked_axial(7, 8)
    assert corrected.result()[1].tolist() == [7, 8, 10]
    assert len(corrected.points) == 3
    assert corrected.position[1] == 30


def test_undo_brings_back_points_and_slices_one_by_one(state):
    moments = [state]
    for x in (3, 4, 5):
        moments.append(moments[-1].clicked_axial(x, 9))
    now = moments[-1]
    for earlier in reversed(moments[:-1]):
        now = now.undone()
        assert (now.points, now.position) == (earlier.points, earlier.position)
    assert now.undone().notice == "Nothing to undo"


def test_undo_of_a_replaced_point_brings_the_old_one_back(state):
    state = state.clicked_axial(3, 3).at(z=0).clicked_axial(8, 8).undone()
    assert state.points == {0: (3, 3, 0)}
    assert state.position[1] == 0


def test_moving_and_skipping_place_nothing_and_stay_inside(state):
    assert state.moved(up=-5).position == (10, 0)
    assert state.moved(up=500, right=-50).position == (0, 100)
    assert state.skipped().position[1] == 10
    assert state.skipped().points == {}
    assert "last slice" in state.at(z=100).skipped().notice


def test_a_click_beyond_the_outer_voxel_centres_is_taken_as_on_them(state):
    assert state.clicked_axial(-0.4, 29.4).points[0] == (0, 29, 0)


def test_the_sagittal_view_follows_the_cord(state):
    assert state.clicked_axial(12.6, 9).position[0] == 13


def test_the_cord_is_expected_on_the_line_through_the_nearest_points(state):
    assert state.predicted is None
    one = state.clicked_axial(4, 8)
    assert one.predicted == (4, 8)
    two = one.clicked_axial(5, 10)
    assert two.predicted == (6, 12)  # beyond the points, at slice 20
    assert two.at(z=5).predicted == (4.5, 9)  # between them
    assert two.at(z=100).predicted == (14, 28)
    assert two.at(z=0).predicted == (4, 8)


def test_a_centreline_needs_two_points(state):
    assert "none so far" in state.missing
    assert "one so far" in state.clicked_axial(1, 1).missing
    assert state.clicked_axial(1, 1).clicked_axial(1, 1).missing == ""


@pytest.mark.parametrize("gap_mm", [0, -3, float("nan"), float("inf")])
def test_a_gap_that_is_none_is_refused(gap_mm):
    with pytest.raises(InputError, match="gap"):
        PickState.start(SHAPE, SPACING, gap_mm)


def test_labels_are_placed_on_sagittal_slices_in_their_order():
    state = PickState.start(SHAPE, SPACING, 20.0, labels=["C2-C3", "C3-C4", "C4-C5"])
    assert state.position == (10, 50)
    assert state.label == "C2-C3"
    assert "one point" in state.missing
    state = state.clicked_sagittal(11.5, 70.5)
    assert state.label == "C3-C4"
    state = state.skipped().moved(right=-1).clicked_sagittal(12.5, 61.0)
    assert state.label is None
    assert "Enter" in state.notice
    assert state.missing == ""
    np.testing.assert_array_equal(state.result(), [[10, 11.5, 70.5], [np.nan] * 3, [9, 12.5, 61.0]])
    assert state.clicked_sagittal(1, 1).points == state.points
    assert state.undone().undone().label == "C3-C4"


def test_with_labels_a_click_on_the_axial_slice_chooses_the_sagittal_one():
    state = PickState.start(SHAPE, SPACING, 20.0, labels=["C2-C3"]).clicked_axial(4.4, 20)
    assert state.position == (4, 50)
    assert state.points == {}


def test_labels_that_are_none_are_refused():
    with pytest.raises(InputError, match="label"):
        PickState.start(SHAPE, SPACING, 20.0, labels=[])
