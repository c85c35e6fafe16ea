"""The matrices between voxels and pixels: they keep areas, lines and symmetry."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.deepseg.lattice import box_spline, patch_axis

VOXELS = (0.2, 0.35, 0.5, 0.75, 1.0, 3.0)


@pytest.mark.parametrize("voxel_mm", VOXELS)
def test_areas_are_kept_both_ways(voxel_mm: float) -> None:
    axis = patch_axis(64, 0.5, voxel_mm)
    assert axis.gather.sum(axis=1) == pytest.approx(1, abs=1e-6)
    # every pixel's length arrives, wherever it lies
    assert axis.spread.sum(axis=0) * voxel_mm == pytest.approx(0.5, abs=1e-6)
    inside = np.abs(axis.offsets * voxel_mm) < 16 - 2 * max(voxel_mm, 0.5)
    assert axis.spread.sum(axis=1)[inside] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("voxel_mm", VOXELS)
def test_a_line_stays_the_line(voxel_mm: float) -> None:
    axis = patch_axis(64, 0.5, voxel_mm)
    voxels = axis.offsets * voxel_mm
    pixels = (np.arange(64) - 31.5) * 0.5
    # the mean of small voxels is that of a few whole ones, off by a tenth of one at most
    within = 1e-4 if voxel_mm >= 0.5 else 0.15 * voxel_mm
    assert axis.gather @ voxels == pytest.approx(pixels, abs=within)
    inside = np.abs(voxels) < 16 - 2 * max(voxel_mm, 0.5)
    # a large voxel has whole pixels and parts of others, whose middles are not those of the parts
    assert (axis.spread @ pixels)[inside] == pytest.approx(voxels[inside], abs=0.1)


def test_of_large_voxels_pixels_are_interpolated_linearly() -> None:
    axis = patch_axis(8, 0.5, 2.0)
    values = np.random.default_rng(0).normal(size=len(axis.offsets))
    pixels = (np.arange(8) - 3.5) * 0.5
    expected = np.interp(pixels, axis.offsets * 2.0, values)
    assert axis.gather @ values == pytest.approx(expected, abs=1e-5)


def test_a_large_voxel_gets_its_share_of_the_pixels() -> None:
    """Voxels of 1 mm whose borders fall on those of pixels: the mean of two pixels."""
    axis = patch_axis(8, 0.5, 1.0, middle_mm=0.5)
    pixels = np.arange(8.0) ** 2
    voxels = axis.spread @ pixels
    first = int(np.flatnonzero(axis.offsets == -1)[0])
    assert voxels[first : first + 4] == pytest.approx(pixels.reshape(4, 2).mean(axis=1), abs=1e-5)


def test_the_middle_is_the_middle() -> None:
    for n in (64, 63):
        axis = patch_axis(n, 0.5, 0.7)
        assert axis.gather == pytest.approx(axis.gather[::-1, ::-1], abs=1e-6)
        assert axis.spread == pytest.approx(axis.spread[::-1, ::-1], abs=1e-6)


@pytest.mark.parametrize("widths", [(1.0, 0.5), (1.0, 1.0), (0.5, 0.3, 0.2), (2.0, 1.0, 0.0)])
def test_box_spline_is_a_convolution_of_boxes(widths: tuple[float, ...]) -> None:
    step = 0.001
    x = np.arange(-2500, 2501) * step
    drawn = np.zeros_like(x)
    drawn[2500] = 1 / step
    for width in widths:
        if width:
            n = round(width / step) | 1
            drawn = np.convolve(drawn, np.full(n, 1 / n), mode="same")
    made = box_spline(x, widths)
    assert made.sum() * step == pytest.approx(1, abs=1e-3)
    assert made == pytest.approx(drawn, abs=0.01)
