"""Sheets hold the tiles where the page looks for them, within their limits."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image as Pillow

from spinetools.image import Space
from spinetools.qc import render
from spinetools.qc.geometry import Cut, Frame


def cut_of(
    n: int, size: tuple[int, int], spacing: tuple[float, float, float] = (1, 1, 1), plane="axial"
):
    """A cut of n whole slices of an image in display order."""
    affine = np.diag([-spacing[1], -spacing[0], -spacing[2], 1.0])  # columns L, rows P, slices I
    space = Space((size[1], size[0], n), affine)
    frame = Frame(space, plane)
    return Cut(frame, tuple(range(n)), (0,) * n, (0,) * n, size, gutter=1)


def decoded(sheets: render.Sheets, mode: str) -> list[np.ndarray]:
    return [np.asarray(Pillow.open(io.BytesIO(data)).convert(mode)) for data in sheets.content]


def tile_at(arrays, arrangement, n, tile):
    """The tile's pixels, as the page finds them: row by row, sheet after sheet."""
    number, place = divmod(tile, arrangement.per_sheet)
    in_sheet = min(arrangement.per_sheet, n - number * arrangement.per_sheet)
    sheet = arrays[number]
    height = sheet.shape[0] // math.ceil(in_sheet / arrangement.columns)
    width = sheet.shape[1] // arrangement.columns
    row, column = divmod(place, arrangement.columns)
    return sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]


@pytest.mark.parametrize("side_px", [2048, 70])
@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_every_tile_is_where_the_page_looks(n, side_px, monkeypatch):
    monkeypatch.setattr(render, "SHEET_PX", side_px)
    cut = cut_of(n, (10, 12))
    arrangement = render.arrange(cut)
    # a row of voxels as long as the slice's number + 1 marks each slice
    mask = np.zeros((12, 10, n), dtype=np.uint8)
    for k in range(n):
        frame_column = np.arange(12)[: k % 12 + 1]
        view = cut.frame.array(mask)
        view[3 + k // 12, frame_column, k] = 1
    sheets = render.mask_sheets(cut, arrangement, mask, "#ff0000")
    arrays = decoded(sheets, "RGBA")
    assert len(arrays) == -(-n // arrangement.per_sheet)
    for k in range(n):
        tile = tile_at(arrays, arrangement, n, k)[1:-1, 1:-1]
        assert tile.shape == (10, 12, 4)
        expected = np.zeros((10, 12), dtype=bool)
        expected[3 + k // 12, : k % 12 + 1] = True
        np.testing.assert_array_equal(tile[..., 3] > 0, expected)
        assert (tile[expected][:, :3] == (255, 0, 0)).all()


def test_sheets_keep_to_their_limits():
    cut = cut_of(480, (100, 100))
    arrangement = render.arrange(cut)
    data = np.random.default_rng(0).normal(100, 20, (100, 100, 480)).astype(np.float32)
    sheets = render.image_sheets(cut, arrangement, data)
    sizes = [Pillow.open(io.BytesIO(content)).size for content in sheets.content]
    assert len(sizes) > 1
    assert max(max(size) for size in sizes) <= render.SHEET_PX
    # noise alone hardly packs, and still keeps to the limit
    assert sum(map(len, sheets.content)) < render.MAX_BYTES * 1.1
    masks = render.mask_sheets(cut, arrangement, (data > 150).astype(np.uint8), "#ff0000")
    assert len(masks.content) == len(sheets.content)


def test_fine_overlays_are_not_finer_than_the_image():
    cut = cut_of(3, (400, 400), (0.1, 0.1, 1))
    arrangement = render.arrange(cut)
    assert arrangement.tile_px == (round(402 * 0.1 / 0.25),) * 2
    mask = np.zeros((400, 400, 3), dtype=np.uint8)
    mask[100:300, 100:300] = 1
    arrays = decoded(render.mask_sheets(cut, arrangement, mask, "#00ff00"), "RGBA")
    tile = tile_at(arrays, arrangement, 3, 0)
    assert tile.shape[0] == arrangement.tile_px[0]
    assert (tile[..., 3] > 0).mean() == pytest.approx(0.25, abs=0.02)


def test_coarse_pixels_are_square_on_the_sheet():
    cut = cut_of(4, (20, 10), (1.0, 4.0, 1))
    height, width = render.arrange(cut).tile_px
    assert height / width == pytest.approx(22 * 1.0 / (12 * 4.0), rel=0.05)


def test_image_brightness_keeps_its_order():
    cut = cut_of(1, (30, 40))
    ramp = np.broadcast_to(np.linspace(-500, 900, 40)[:, None, None], (40, 30, 1))
    ramp = cut.frame.array(np.ascontiguousarray(ramp.astype(np.float32)))[:, :, 0]
    row = render.windowed(ramp[None])[0, 15].astype(int)
    steps = np.diff(row) if row[-1] > row[0] else -np.diff(row)
    assert (steps >= 0).all()
    assert {row.min(), row.max()} == {0, 255}


def test_coil_fall_off_is_evened_out_head_to_foot():
    rng = np.random.default_rng(2)
    pattern = rng.uniform(0.2, 1, (60, 30, 30))
    fall = np.exp(-np.arange(60) / 40)[:, None, None]  # to a quarter
    bright = render.windowed(pattern * fall * 700).reshape(60, -1).mean(axis=1)
    assert bright[-8:].mean() > 0.6 * bright[:8].mean()
    # and down the rows of a sagittal picture
    tall = np.moveaxis(pattern * fall * 700, 0, 1)
    rows = render.windowed(tall, along=1).mean(axis=(0, 2))
    assert rows[-8:].mean() > 0.6 * rows[:8].mean()


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
def test_an_image_without_contrast_does_not_fail(value):
    grey = render.windowed(np.full((3, 9, 9), value))
    assert grey.shape == (3, 9, 9)


def test_a_soft_mask_is_more_or_less_opaque():
    cut = cut_of(1, (8, 8))
    soft = np.zeros((8, 8, 1), dtype=np.float32)
    view = cut.frame.array(soft)
    view[2, 1:5, 0] = (0.1, 0.4, 0.7, 1.0)
    arrangement = render.arrange(cut)
    tile = decoded(render.mask_sheets(cut, arrangement, soft, "#00ff00"), "RGBA")[0]
    alphas = tile[1 + 2, 1 + 1 : 1 + 5, 3].astype(int)
    assert (np.diff(alphas) > 0).all()
    assert alphas[-1] == 255
    assert tile[0, 0, 3] == 0


def test_a_mask_that_counts_to_255_is_hard():
    cut = cut_of(1, (8, 8))
    mask = np.zeros((8, 8, 1), dtype=np.uint8)
    mask[3:6, 3:6] = 255
    tile = decoded(render.mask_sheets(cut, render.arrange(cut), mask, "#00ff00"), "RGBA")[0]
    assert set(np.unique(tile[..., 3])) == {0, 255}


def test_points_are_drawn_large_enough_and_labels_differ():
    cut = cut_of(1, (20, 20), (0.5, 0.5, 1))
    labels = np.zeros((20, 20, 1), dtype=np.int16)
    view = cut.frame.array(labels)
    view[5, 5, 0], view[14, 14, 0] = 3, 4
    tile = decoded(render.label_sheets(cut, render.arrange(cut), labels), "RGBA")[0]
    first, second = tile[1 + 5, 1 + 5], tile[1 + 14, 1 + 14]
    assert tuple(first[:3]) != tuple(second[:3])
    shown = (tile[..., 3] > 0).sum() * 0.25 / 2
    assert shown == pytest.approx(math.pi * 1.2**2, rel=0.35), "discs of 1.2 mm radius"
    red, green, blue = (int(render.label_colour(3)[i : i + 2], 16) for i in (1, 3, 5))
    assert tuple(first[:3]) == (red, green, blue)


def test_a_disc_label_beside_the_midline_is_projected_onto_the_cut_that_follows_the_cord():
    space = Space((20, 30, 40), np.diag([1.0, 1.0, 1.0, 1.0]))
    frame = Frame(space, "sagittal")
    cut = Cut(frame, (-1,), (0,), (0,), (40, 30), curve=(10,) * 40)
    labels = np.zeros((20, 30, 40), dtype=np.uint8)
    labels[11, 8, 30] = 3  # two slices beside
    far = labels.copy()
    far[2, 20, 10] = 4  # far away
    picture = decoded(render.label_sheets(cut, render.arrange(cut), far), "RGBA")[0]
    rows, columns = np.nonzero(picture[..., 3])
    assert rows.mean() == pytest.approx(1 + 39 - 30)
    assert columns.mean() == pytest.approx(1 + 29 - 8)


def test_colours_of_structures_do_not_depend_on_the_order():
    assert render.colour_of("cord") == render.colour_of("spinal cord", taken=["#8be04e"])
    assert render.colour_of("cord", taken=[render.colour_of("cord")]) != render.colour_of("cord")


def test_more_values_than_a_palette_has():
    labels = np.arange(300, dtype=np.int32).reshape(10, 30, 1)
    cut = cut_of(1, (30, 10))
    (picture,) = decoded(render.label_sheets(cut, render.arrange(cut), labels), "RGBA")
    assert (picture[..., 3] > 0).sum() >= 255


def test_without_webp_the_picture_is_a_png(monkeypatch):
    from PIL import features

    monkeypatch.setattr(features, "check", lambda _name: False)
    cut = cut_of(2, (10, 10))
    data = np.random.default_rng(0).normal(size=(10, 10, 2))
    sheets = render.image_sheets(cut, render.arrange(cut), data)
    assert sheets.suffix == ".png"
    assert Pillow.open(io.BytesIO(sheets.content[0])).format == "PNG"
