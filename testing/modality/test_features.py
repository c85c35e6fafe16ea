"""What is measured of an image, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.image import Image, Space
from spinetools.modality.features import FEATURES, look_at
from spinetools.modality.guess import COMMAND, CONTRASTS, guess_contrast

SHAPE = (60, 70, 24)


def tube(csf: float, scale: float = 1.0, lift: float = 0.0) -> Image:
    """A cord of 100 in fluid of ``csf``, bodies of 40 before it and muscle of 60 elsewhere."""
    x, y, z = np.indices(SHAPE)
    away = np.hypot(x - 30 - 0.05 * z, 1.2 * (y - 30))
    image = np.full(SHAPE, 60.0)
    image[(np.abs(x - 30) < 13) & (y > 41) & (y < 60)] = 40
    image[away < 9] = csf
    image[away < 5] = 100
    noise = np.random.default_rng(0).normal(0, 1.5, SHAPE)
    data = ((image + noise).clip(0.5) * scale + lift).astype(np.float32)
    return Image(data, Space(SHAPE, np.diag([1.0, 1, 4, 1])))


@pytest.fixture(scope="module")
def bright() -> np.ndarray:
    return look_at(tube(240)).features


def test_fluid_is_measured_against_the_cord(bright: np.ndarray) -> None:
    found = dict(zip(FEATURES, bright, strict=True))
    assert found["round p50"] == pytest.approx(np.log(2.4), abs=0.1)
    assert found["bodies p50"] == pytest.approx(np.log(0.4), abs=0.1)
    assert found["muscle p50"] == pytest.approx(np.log(0.6), abs=0.1)
    dark = dict(zip(FEATURES, look_at(tube(40)).features, strict=True))
    assert dark["round p50"] == pytest.approx(np.log(0.4), abs=0.15)


def test_neither_scale_nor_orientation_matters(bright: np.ndarray) -> None:
    np.testing.assert_allclose(look_at(tube(240, scale=37.5)).features, bright, atol=1e-3)
    turned = tube(240).reorient(("P", "S", "R"))
    np.testing.assert_allclose(look_at(turned).features, bright, atol=1e-6)


def test_zeros_round_the_image_do_not_matter(bright: np.ndarray) -> None:
    padded = tube(240).pad((6, 6, 0), (6, 6, 0))
    image = slice(0, FEATURES.index("cord"))
    np.testing.assert_allclose(look_at(padded).features[image], bright[image], atol=0.02)


def test_without_a_cord_only_the_whole_image_counts() -> None:
    noise = np.random.default_rng(1).normal(200, 20, SHAPE).astype(np.float32)
    seen = look_at(Image(noise, Space(SHAPE, np.eye(4))))
    assert np.isnan(seen.features[FEATURES.index("cord") :]).all()
    assert np.isfinite(seen.features[: FEATURES.index("cord")]).all()
    guess = guess_contrast(Image(noise, Space(SHAPE, np.eye(4))))
    assert (guess.contrast, guess.command) == ("not sure", "")


def test_hounsfield_units_prove_ct() -> None:
    data = np.random.default_rng(2).choice(
        [-1000, -90, 40, 60, 300], SHAPE, p=(0.2, 0.2, 0.3, 0.2, 0.1)
    )
    guess = guess_contrast(Image(data.astype(np.int16), Space(SHAPE, np.eye(4))))
    assert (guess.modality, guess.source) == ("CT", "Hounsfield units")


def test_values_below_zero_that_are_no_hounsfield_units_are_left_open() -> None:
    standardised = Image((tube(240).data - 70) * 10, tube(240).space)
    assert guess_contrast(standardised).modality == "not sure"


def test_every_contrast_of_a_command_has_a_name() -> None:
    assert set(COMMAND) <= set(CONTRASTS)
    assert set(COMMAND.values()) == {"t1", "t2", "t2s", "dwi"}
