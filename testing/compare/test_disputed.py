"""What the image says where methods differ."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.compare.disputed import contradicted
from spinetools.image import Image

from .conftest import RADIUS_MM, SPACING_MM, tube


def shares(image: Image, **masks: np.ndarray) -> dict[str, float]:
    return contradicted(np.asarray(image.data, dtype=float), masks, SPACING_MM)


def test_what_lies_in_the_fluid_speaks_against_the_one_that_has_it(bright: Image) -> None:
    right, large = tube(RADIUS_MM), tube(RADIUS_MM + 1.6)
    found = shares(bright, right=right, large=large)
    assert found["right"] == 0
    # all but the outermost voxels, which are partly cord
    assert found["large"] == pytest.approx(1 - right.sum() / large.sum(), abs=0.06)


def test_cord_that_is_left_out_speaks_against_the_one_without(bright: Image) -> None:
    right, small = tube(RADIUS_MM), tube(RADIUS_MM - 1.6)
    found = shares(bright, right=right, small=small)
    assert found["right"] == 0
    assert found["small"] > 0.5  # of its own volume: less than half of the cord is in it


def test_differences_on_the_edge_speak_against_nobody(bright: Image) -> None:
    left, right = tube(RADIUS_MM, shift_mm=-0.4), tube(RADIUS_MM, shift_mm=0.4)
    assert (left != right).any()
    assert max(shares(bright, left=left, right=right).values()) < 0.02


def test_slices_that_only_one_has_are_another_matter(bright: Image) -> None:
    assert shares(bright, whole=tube(RADIUS_MM), half=tube(RADIUS_MM, last=20)) == {
        "whole": 0.0, "half": 0.0,
    }  # fmt: skip
    assert shares(bright, upper=tube(RADIUS_MM, first=20), lower=tube(RADIUS_MM, last=20)) == {
        "upper": 0.0, "lower": 0.0,
    }  # fmt: skip


def test_a_brighter_and_a_darker_cord_are_judged_alike(bright: Image) -> None:
    masks = {"right": tube(RADIUS_MM), "large": tube(RADIUS_MM + 1.6)}
    inverted = bright.like(300 - np.asarray(bright.data))
    assert shares(inverted, **masks) == pytest.approx(shares(bright, **masks), abs=0.01)


def test_the_mean_over_several_others(bright: Image) -> None:
    right, large = tube(RADIUS_MM), tube(RADIUS_MM + 1.6)
    two = shares(bright, large=large, right=right)
    three = shares(bright, large=large, right=right, same=large)
    assert three["large"] == pytest.approx(two["large"] / 2)


def test_one_method_alone_is_not_contradicted(bright: Image) -> None:
    assert shares(bright, only=tube(RADIUS_MM)) == {"only": 0.0}
