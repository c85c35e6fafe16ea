"""Slice indices and sides are those of the image's own grid, in all 48 orientations."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.image import Image, Space
from spinetools.image.orientation import ALL_CODES
from spinetools.qc.cuts import (
    axial_cut,
    cropped_slices,
    extent_of,
    follow,
    midsagittal_cut,
    sagittal_cut,
)
from spinetools.qc.geometry import Frame

CODES = ["".join(codes) for codes in ALL_CODES]


def marked(like: Image, ras_voxel: tuple[int, int, int]) -> tuple[Image, tuple[int, ...]]:
    """One voxel, given in RAS counting; returns it on the image's grid, and its index there."""
    world = np.array([-20.0, -30.0, 5.0]) + np.array(ras_voxel) * np.array([1.0, 0.8, 2.0])
    index = tuple(int(i) for i in np.rint(like.space.to_voxel(world)))
    array = np.zeros(like.shape, dtype=np.uint8)
    array[index] = 1
    return like.like(array), index


def axial(mask: Image, most: int = 500):
    frame = Frame(mask.space, "axial")
    extent = extent_of(frame, mask.data > 0)
    centres = follow(extent, frame.shape, frame.spacing[2])
    return axial_cut(frame, extent, centres, most), frame, extent, centres


@pytest.mark.parametrize("codes", CODES)
def test_axial_tile_shows_the_native_slice_and_the_right_side(cord, codes):
    image, mask = cord(codes)
    # right, in front of, and above the middle of the cord: RAS x grows to the right
    spot, index = marked(image, (30, 36, 30))
    cut, frame, _, _ = axial(mask)
    tiles = cut.tiles(spot.data)
    tile, row, column = np.argwhere(tiles)[0]
    axis = frame.axes[2]
    assert image.space.nib_codes[axis] in "SI"
    assert cut.native_slices()[tile] == index[axis]
    row, column = row - cut.gutter, column - cut.gutter
    assert column < cut.size[1] / 2, "the patient's right is on the left of the picture"
    assert row < cut.size[0] / 2, "the patient's front is at the top"
    assert frame.letters == ("A", "L", "P", "R")
    # the tile's origin and steps lead back to the very voxel
    down, across = cut.native_origins()[tile]
    steps = [-1 if flip else 1 for flip in frame.flipped]
    assert down + steps[0] * row == index[frame.axes[0]]
    assert across + steps[1] * column == index[frame.axes[1]]


@pytest.mark.parametrize("codes", CODES)
def test_axial_tiles_run_from_head_to_foot(cord, codes):
    image, mask = cord(codes)
    cut, frame, _, _ = axial(mask)
    axis = frame.axes[2]
    voxel = np.zeros((len(cut.slices), 3))
    voxel[:, axis] = cut.native_slices()
    heights = image.space.to_world(voxel)[:, 2]
    assert (np.diff(heights) == -2.0).all()


@pytest.mark.parametrize("codes", CODES)
def test_sagittal_tile_shows_the_native_slice_and_the_right_side(cord, codes):
    image, mask = cord(codes)
    spot, index = marked(image, (24, 44, 30))
    _, _, extent, centres = axial(mask)
    middle = midsagittal_cut(image.space, extent, centres)
    cut = sagittal_cut(middle, extent, most=99)
    found = np.argwhere(cut.tiles(spot.data)[1:])
    tile, row, column = found[0]
    assert len(found) == 1
    axis = cut.frame.axes[2]
    assert image.space.nib_codes[axis] in "RL"
    assert cut.native_slices()[tile + 1] == index[axis]
    assert cut.native_slices()[0] is None
    assert column < cut.size[1] / 2, "the patient's front is on the left"
    assert row < cut.size[0] / 2, "the head is at the top"
    assert cut.frame.letters == ("S", "P", "I", "A")


@pytest.mark.parametrize("codes", CODES)
def test_the_sagittal_cut_follows_the_cord(cord, codes):
    image, mask = cord(codes)
    _, _, extent, centres = axial(mask)
    middle = midsagittal_cut(image.space, extent, centres)
    tile = middle.tiles(mask.data)[0]
    # every row that has cord shows cord, though no straight sagittal slice does
    straight = [(mask.data.take(i, middle.frame.axes[2]) > 0) for i in range(SHAPE_X)]
    assert max(s.any(axis=_other(middle)).sum() for s in straight) < 36
    assert tile.any(axis=1).sum() == 36
    # and says, row by row, which native slice it took
    curve = middle.native_curve()
    view = middle.frame.array(mask.data)
    rows = np.flatnonzero(tile.any(axis=1)) - middle.gutter
    for row in rows:
        native = curve[row]
        slice_ = middle.frame.native(2, native)
        assert view[row, :, slice_].any()


SHAPE_X = 40


def _other(cut) -> int:
    """The axis, in a sagittal slice of the native array, that does not run head to foot."""
    _, columns, through = cut.frame.axes
    return columns - (columns > through)


@pytest.mark.parametrize("slices", [1, 3])
def test_pictures_stay_on_the_cord_where_a_few_slices_leak(cord, slices):
    _, mask = cord("LAS")
    cut, frame, _, centres = axial(mask)
    leaky = mask.data.copy()
    leaky[2:20, 40:54, 20 : 20 + slices] = 1
    cut_leaky, _, extent, centres_leaky = axial(mask.like(leaky))
    assert np.abs(centres - centres_leaky).max() < 2.0
    if slices == 1:
        # its neighbours keep the scale of their pictures, and what is cut off is known
        assert cut_leaky.size == cut.size
        assert cropped_slices(cut_leaky, extent) == (20,)
        assert cropped_slices(cut, extent_of(frame, mask.data > 0)) == ()


def test_gaps_are_interpolated_and_ends_held(cord):
    _, mask = cord("RAS")
    whole = axial(mask)
    holey = mask.data.copy()
    holey[:, :, 20:26] = 0
    cut, _, _, centres = axial(mask.like(holey))
    assert np.abs(centres - whole[3]).max() < 2.0
    assert cut.native_slices() == whole[0].native_slices()
    # some slices beyond either end, but not the whole image
    assert cut.native_slices()[0] == FILLED_LAST + 5
    assert cut.native_slices()[-1] == 6 - 5


FILLED_LAST = 41


def test_every_nth_slice_of_a_huge_stack(cord):
    _, mask = cord("RAS")
    cut, *_ = axial(mask, most=10)
    assert len(cut.slices) <= 10
    assert cut.every == 5
    assert set(np.diff(cut.native_slices())) == {-5}


def test_an_empty_mask_shows_the_middle_of_every_slice(cord):
    image, mask = cord("RAS")
    cut, *_ = axial(mask.like(np.zeros_like(mask.data)))
    assert len(cut.slices) == 48
    tiles = cut.tiles(image.data)
    assert tiles.any(axis=(1, 2)).all()


def test_beyond_the_grid_is_black(cord):
    image, mask = cord("RAS")
    small = mask.data.copy()
    small[:] = 0
    small[0, 0, 20] = 1
    cut, *_ = axial(mask.like(small))
    tile = cut.tiles(np.ones_like(image.data))[5]
    # the voxel is the image's corner (patient's left, back): what is left of it and above is image
    assert 0.2 < tile.mean() < 0.35
    rows, columns = np.nonzero(tile)
    assert rows.max() < tile.shape[0] * 0.6
    assert columns.max() < tile.shape[1] * 0.6


def test_oblique_grid_goes_to_the_nearest_plane():
    angle = np.deg2rad(30)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.0, 1.0, 3.0])
    frame = Frame(Space((20, 30, 10), affine), "axial")
    assert frame.axes == (1, 0, 2)
    assert frame.spacing == pytest.approx((1, 1, 3))


def test_the_sagittal_picture_shows_all_of_a_segmentation_from_front_to_back(cord):
    image, mask = cord("PSR")
    wide = mask.data.copy()
    frame = Frame(mask.space, "axial")
    frame.array(wide)[2:54, 18:22, 20] = 1
    _, _, extent, centres = axial(mask.like(wide))
    cut = midsagittal_cut(image.space, extent, centres)
    assert cut.lefts[0] == 0
    assert cut.lefts[0] + cut.size[1] == 56


@pytest.mark.parametrize("codes", ["RAS", "LPI", "PSR", "IAL"])
def test_extent_is_that_of_a_plain_count(cord, codes):
    _, mask = cord(codes)
    frame = Frame(mask.space, "axial")
    extent = extent_of(frame, mask.data > 0)
    view = frame.array(mask.data > 0)
    for k in range(view.shape[2]):
        rows, columns = np.nonzero(view[:, :, k])
        assert extent.counts[k] == len(rows)
        if len(rows):
            assert extent.centres[k] == pytest.approx((rows.mean(), columns.mean()))
            assert tuple(extent.low[k]) == (rows.min(), columns.min())
            assert tuple(extent.high[k]) == (rows.max(), columns.max())
        else:
            assert np.isnan(extent.centres[k]).all()
