"""Where the image's edge lies, on tubes of known radius."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.compare.edges import edge_distance, find_edges, polarity_of
from spinetools.compare.evidence import judge, roughness
from spinetools.compare.plausible import calibrated
from spinetools.image import Image

from .conftest import RADIUS_MM, SPACING_MM, mask, tube


def test_distances_from_an_edge() -> None:
    inside = np.zeros((7, 5, 2), dtype=bool)
    inside[2:5, :, 0] = True
    away = edge_distance(inside, (1.0, 1.0))
    assert away[:, 2, 0].tolist() == [1.5, 0.5, -0.5, -1.5, -0.5, 0.5, 1.5]
    assert np.isinf(away[:, :, 1]).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_polarity_is_the_image_s(bright: Image, sign: int) -> None:
    masks = [tube(RADIUS_MM), tube(RADIUS_MM + 1)]
    assert polarity_of(sign * bright.data, masks, SPACING_MM) == sign


@pytest.mark.parametrize("off_mm", [-1.2, -0.6, 0.0, 0.6, 1.2])
def test_a_mask_too_large_or_small_is_measured(bright: Image, off_mm: float) -> None:
    drawn = tube(RADIUS_MM + off_mm)
    # of voxels, a tube has not quite the radius that was asked for
    area_mm2 = drawn[:, :, 0].sum() * SPACING_MM[0] * SPACING_MM[1]
    outside = np.sqrt(area_mm2 / np.pi) - RADIUS_MM
    edges = find_edges(bright.data, drawn, SPACING_MM, 1)
    assert np.allclose(edges.offset_mm, -outside, atol=0.35)
    assert np.nanmean(edges.error_mm) == pytest.approx(abs(outside), abs=0.35)


def test_a_mask_beside_the_cord_is_off_by_its_shift(bright: Image) -> None:
    edges = find_edges(bright.data, tube(RADIUS_MM, shift_mm=1.2), SPACING_MM, 1)
    # the mean of |1.2 cos| over all directions, and none in the mean
    assert np.nanmean(edges.error_mm) == pytest.approx(1.2 * 2 / np.pi, abs=0.2)
    assert abs(np.nanmean(edges.offset_mm)) < 0.2


def test_slices_without_mask_have_no_edge(bright: Image) -> None:
    edges = find_edges(bright.data, tube(RADIUS_MM, 10, 30), SPACING_MM, 1)
    known = np.isfinite(edges.error_mm)
    assert np.flatnonzero(known).tolist() == list(range(10, 30))


def test_no_edge_anywhere_is_as_bad_as_can_be() -> None:
    flat = np.full((44, 44, 40), 7.0)
    edges = find_edges(flat, tube(RADIUS_MM), SPACING_MM, 1)
    assert (edges.error_mm == 2.0).all()
    assert (edges.share == 0).all()


def test_evidence_tells_the_better_mask(bright: Image) -> None:
    masks = {
        "good": mask(RADIUS_MM),
        "wide": mask(RADIUS_MM + 1.0),
        "short": mask(RADIUS_MM, 0, 25),
    }
    found = judge(bright, masks, calibrated().limits)
    good, wide, short = (found[name].evidence for name in masks)
    assert good.edge < wide.edge
    assert (good.missing, wide.missing) == (0, 0)
    assert short.missing > 0.3
    scores = {name: calibrated().dice(found[name].evidence) for name in masks}
    assert scores["good"] > max(scores["wide"], scores["short"])


def test_orientation_does_not_matter(bright: Image) -> None:
    masks = {"a": mask(RADIUS_MM), "b": mask(RADIUS_MM + 0.8, 5, 40)}
    straight = judge(bright, masks, calibrated().limits)
    codes = ("P", "I", "R")
    turned = judge(
        bright.reorient(codes), {n: m.reorient(codes) for n, m in masks.items()},
        calibrated().limits,
    )  # fmt: skip
    for name in masks:
        assert turned[name].evidence.row() == pytest.approx(straight[name].evidence.row())


def test_roughness() -> None:
    even = np.full(30, 70.0)
    assert roughness(even, 2.0) == 0
    spiky = even.copy()
    spiky[15] = 140.0
    assert roughness(spiky, 2.0) == pytest.approx(np.log(2) / 30)
    assert roughness(np.zeros(5), 2.0) == 0
