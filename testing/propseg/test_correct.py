"""Corrections by hand: drawn slices are kept and lead their neighbours, marks pull the edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.image.orientation import ALL_CODES
from spinetools.phantom import Phantom, get_protocol, make_phantom
from spinetools.propseg import PropsegResult, drawn_places, segment_cord
from spinetools.propseg.correct import read_correction

SPACING = np.array([1.0, 1.0, 1.0])
#: Slices of the phantom in which something of the cord's intensity lies behind the cord.
BESIDE = slice(14, 34)


def disc(radius: float, shape=(30, 30, 6), centre=(14.0, 15.0)) -> np.ndarray:
    i, j = np.indices(shape[:2])
    return np.hypot(i - centre[0], j - centre[1]) < radius


# -- what was drawn -------------------------------------------------------------------------------


def test_whole_slices_are_told_from_marks_on_the_edge() -> None:
    marks = np.zeros((30, 30, 6), dtype=np.uint8)
    marks[..., 1] = disc(5)
    marks[..., 2] = disc(5) & ~disc(4)  # a closed outline
    marks[18:20, 12:20, 3] = 1  # a stroke, two voxels wide
    marks[19, 15, 4] = 1
    read = read_correction(marks, SPACING, 32)
    assert read.slices.tolist() == [1, 2]
    assert (read.drawn[..., 1] == disc(5)).all()
    assert (read.drawn[..., 2] == disc(5)).all(), "the outline is filled"
    assert np.flatnonzero(read.edge.any(axis=(0, 1))).tolist() == [3, 4]
    assert read.rings.areas_mm2 == pytest.approx(disc(5).sum(), rel=1e-6)
    assert read.rings.centres_mm == pytest.approx(np.array([[14, 15], [14, 15]]))
    assert read.rings.radii_mm == pytest.approx(np.sqrt(disc(5).sum() / np.pi), abs=0.3)


@pytest.mark.parametrize("pixel", [0.4, 0.7, 1.0])
def test_a_thick_brush_on_the_edge_is_no_cross_section(pixel: float) -> None:
    marks = np.zeros((60, 60, 3), dtype=np.uint8)
    marks[20:23, 10:40, 1] = 1  # three voxels wide
    spacing = np.array([pixel, pixel, 1.0])
    assert not len(read_correction(marks, spacing, 32).slices)
    # and the smallest cord is one: 6.2 mm front to back
    i, j = (np.indices((60, 60)) - 30) * pixel
    marks[..., 1] = np.hypot(i / 4.2, j / 3.1) < 1
    assert read_correction(marks, spacing, 32).slices.tolist() == [1]


def test_an_empty_correction_is_refused() -> None:
    with pytest.raises(InputError, match="is empty"):
        read_correction(np.zeros((5, 5, 5)), SPACING, 32)


def test_centres_of_drawn_slices_are_the_image_s_own_voxels() -> None:
    marks = np.zeros((30, 30, 6), dtype=np.uint8)
    marks[..., 4] = disc(4)
    from spinetools.image import Space

    upright = Image(marks, Space(marks.shape, np.diag([0.8, 0.9, 3.0, 1])))
    for codes in ALL_CODES:
        turned = upright.reorient(codes)
        place = drawn_places(turned)[0]
        expected = np.argwhere(turned.data).mean(axis=0)
        assert place == pytest.approx(expected, abs=1e-6), codes


# -- a leak, and what corrects it -----------------------------------------------------------------


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    grid = replace(get_protocol("t2_3d"), levels=(2.0, 5.0), size=(40, 44, 0), forward=0.0)
    return make_phantom(seed=3, protocol=grid)


@pytest.fixture(scope="module")
def leaking(phantom: Phantom) -> Image:
    """The image with tissue like the cord's behind the cord along a piece, and no CSF between."""
    cord = phantom.cord.data > 0
    data = phantom.image.data.copy()
    level = float(np.median(data[cord]))
    beside = ndimage.shift(cord.astype(float), (2, -5, 0), order=0) > 0
    around = ndimage.binary_dilation(cord, iterations=2) & (beside | ~cord)
    part = np.zeros(cord.shape, dtype=bool)
    part[..., BESIDE] = (beside & ~cord)[..., BESIDE]
    assert (part & around).any()
    noise = np.random.default_rng(0).normal(0, 0.03 * level, part.sum())
    data[part] = level + noise
    return phantom.image.like(data)


@pytest.fixture(scope="module")
def segment(phantom: Phantom, leaking: Image) -> Callable[..., PropsegResult]:
    world = phantom.centerline[::-1]
    line = phantom.space.to_voxel(world)

    def run(marks: np.ndarray | None = None, image: Image | None = None) -> PropsegResult:
        correction = None if marks is None else phantom.image.like(marks.astype(np.uint8))
        return segment_cord(image or leaking, line, "t2", correction=correction)

    return run


@pytest.fixture(scope="module")
def failed(segment) -> PropsegResult:
    return segment()


def dice_by_slice(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = one > 0, other > 0
    total = one.sum(axis=(0, 1)) + other.sum(axis=(0, 1))
    return 2 * (one & other).sum(axis=(0, 1)) / np.maximum(total, 1)


def only(mask: np.ndarray, *slices: int) -> np.ndarray:
    kept = np.zeros_like(mask)
    kept[..., list(slices)] = mask[..., list(slices)]
    return kept


def test_two_drawn_slices_mend_a_leak(phantom, failed, segment) -> None:
    truth = phantom.cord.data
    before = dice_by_slice(failed.mask.data, truth)
    assert before[BESIDE].min() < 0.85, "the surface leaks where it is made to"
    drawn = only(truth, 18, 29)
    result = segment(drawn)
    after = dice_by_slice(result.mask.data, truth)
    assert result.kept.tolist() == [18, 29]
    for k in (18, 29):
        assert (result.mask.data[..., k] == truth[..., k]).all()
        assert not result.leak.flagged[result.slices == k].any()
    assert after[BESIDE].min() > max(0.87, before[BESIDE].min() + 0.05)
    assert after[BESIDE].mean() > before[BESIDE].mean() + 0.03
    # far from what was drawn it is as good as before
    far = np.flatnonzero(before > 0)
    far = far[far > 29 + 12]
    assert after[far].min() > before[far].min() - 0.03


def test_a_drawn_slice_is_kept_voxel_by_voxel_whatever_its_shape(phantom, segment) -> None:
    drawn = only(phantom.cord.data, 24)
    i, j = np.argwhere(drawn[..., 24]).mean(axis=0).round().astype(int)
    drawn[i, j + 1 :, 24] = 0  # a cleft that no ring of radii can have
    result = segment(drawn)
    assert (result.mask.data[..., 24] == drawn[..., 24]).all()


def test_a_whole_edited_mask_comes_back_and_its_empty_slices_are_segmented(
    phantom, segment
) -> None:
    truth = phantom.cord.data
    edited = truth.copy()
    edited[..., 22:26] = 0
    result = segment(edited)
    kept = np.setdiff1d(np.flatnonzero(truth.any(axis=(0, 1))), np.arange(22, 26))
    assert result.kept.tolist() == kept.tolist()
    assert (result.mask.data[..., kept] == truth[..., kept]).all()
    assert dice_by_slice(result.mask.data, truth)[22:26].min() > 0.9


def test_leaks_are_not_bridged_over_what_was_drawn(phantom, leaking) -> None:
    from spinetools.propseg import PropsegParams

    truth = phantom.cord.data
    line = phantom.space.to_voxel(phantom.centerline[::-1])
    marks = phantom.image.like(only(truth, 24))
    for action in ("bridge", "stop"):
        result = segment_cord(
            leaking, line, "t2", PropsegParams(leak=action, init=24), correction=marks
        )
        assert (result.mask.data[..., 24] == truth[..., 24]).all(), action


def test_a_slice_beyond_the_end_of_the_surface_is_reached(phantom, segment) -> None:
    from spinetools.propseg import PropsegParams

    truth = phantom.cord.data
    world = phantom.centerline[::-1]
    line = phantom.space.to_voxel(world)
    canonical = phantom.space.reoriented(("R", "A", "S")).to_voxel(world)[:, 2]
    short = line[canonical < 30]
    drawn = phantom.image.like(only(truth, 40))
    without = segment_cord(phantom.image, short, "t2", PropsegParams())
    assert not without.mask.data[..., 34:].any()
    result = segment_cord(phantom.image, short, "t2", PropsegParams(), correction=drawn)
    assert dice_by_slice(result.mask.data, truth)[34:41].min() > 0.85
    assert not result.mask.data[..., 42:].any()


def test_a_centreline_beside_the_cord_is_led_back(phantom) -> None:
    truth = phantom.cord.data
    line = phantom.space.to_voxel(phantom.centerline[::-1])
    off = line + np.array([9.0, 0, 0])
    lost = dice_by_slice(segment_cord(phantom.image, off, "t2").mask.data, truth)
    drawn = phantom.image.like(only(truth, 20, 32))
    result = segment_cord(phantom.image, off, "t2", correction=drawn)
    found = dice_by_slice(result.mask.data, truth)
    assert lost[20:33].max() < 0.5
    assert found[20:33].min() > 0.85


def test_marks_elsewhere_are_refused(phantom) -> None:
    marks = np.zeros(phantom.image.shape, dtype=np.uint8)
    marks[20, 20, 50] = 1
    line = phantom.space.to_voxel(phantom.centerline[::-1])
    heights = phantom.space.to_voxel(phantom.centerline[::-1])[:, 2]
    with pytest.raises(InputError, match="marks no slice"):
        segment_cord(phantom.image, line[heights < 40], "t2", correction=phantom.image.like(marks))
