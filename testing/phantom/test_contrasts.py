"""Contrasts beyond the measured ones: order of tissues, signal equations, Hounsfield units."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.phantom import CONTRASTS, draw_table, make_phantom
from spinetools.phantom.contrast import STYLES, from_hounsfield, to_hounsfield
from spinetools.phantom.relaxation import SEQUENCES, Sequence, draw_means, signal
from spinetools.phantom.tissues import Tissue

T = Tissue


def rising(values: np.ndarray, tissues: list[T]) -> bool:
    return bool((np.diff(values[tissues]) > 0).all())


@pytest.mark.parametrize("seed", range(5))
def test_orders_of_tissues(seed: int) -> None:
    def mean(contrast: str, style: str | None = None) -> np.ndarray:
        return draw_table(contrast, np.random.default_rng(seed), style, fat_suppressed=False).mean

    stir = [T.CORTEX, T.MARROW, T.MUSCLE, T.WHITE_MATTER, T.NUCLEUS, T.CSF]
    assert rising(mean("stir"), stir) or mean("stir")[T.MUSCLE] < mean("stir")[T.MARROW]
    assert mean("stir")[T.FAT] < 0.1
    assert rising(mean("pd"), [T.CORTEX, T.MUSCLE, T.WHITE_MATTER, T.CSF])
    assert rising(mean("dixon", "water"), [T.FAT, T.MARROW, T.WHITE_MATTER, T.CSF])
    assert rising(mean("dixon", "fat"), [T.CSF, T.MARROW, T.FAT])
    assert mean("dixon", "opposed")[T.MARROW] < 0.6 * mean("dixon", "in")[T.MARROW]
    assert rising(mean("ct"), [T.AIR, T.LUNG, T.FAT, T.CSF, T.WHITE_MATTER, T.MARROW, T.CORTEX])
    turbo = mean("t2", "turbo")
    assert 0.13 < turbo[T.MARROW] / turbo[T.CSF] < 0.6


def test_changed_marrow_stands_out() -> None:
    for contrast, brighter, darker in (
        ("stir", T.OEDEMA, T.FATTY_MARROW),
        ("ct", T.SCLEROSIS, T.FATTY_MARROW),
        ("t2", T.OEDEMA, T.SCLEROSIS),
    ):
        mean = draw_table(contrast, np.random.default_rng(1), fat_suppressed=False).mean
        assert mean[brighter] > mean[T.MARROW] > mean[darker]


def test_every_tissue_has_a_signal_in_every_contrast() -> None:
    for contrast in CONTRASTS:
        for style in STYLES.get(contrast, (None,)):
            mean = draw_table(contrast, np.random.default_rng(0), style).mean
            assert np.isfinite(mean).all()
            assert (mean[1:] > 0).all(), (contrast, style)


def test_signal_equations_in_closed_form() -> None:
    t1, t2, t2_star, density = (np.array([value]) for value in (1000.0, 100.0, 50.0, 80.0))
    times = (t1, t2, t2_star, density)
    # long repetition, no echo time: proton density
    assert signal(Sequence("spin_echo", 1e6, 0.0), *times) == pytest.approx(80)
    # one T1 of repetition, one T2 of echo
    expected = 80 * (1 - np.exp(-1)) * np.exp(-1)
    assert signal(Sequence("spin_echo", 1000, 100), *times) == pytest.approx(expected)
    # inversion at ln 2 × T1 is the null point
    null = Sequence("inversion", 1e6, 10, inversion=1000 * np.log(2))
    assert signal(null, *times) == pytest.approx(0, abs=1e-9)
    # a gradient echo is largest at Ernst's angle
    ernst = np.degrees(np.arccos(np.exp(-20 / 1000)))
    around = [
        float(signal(Sequence("gradient_echo", 20, 5, flip=ernst + step), *times)[0])
        for step in (-3, 0, 3)
    ]
    assert around[1] == max(around)
    decay = signal(Sequence("gradient_echo", 20, 50, flip=10), *times) / signal(
        Sequence("gradient_echo", 20, 0, flip=10), *times
    )
    assert decay == pytest.approx(np.exp(-1))


@pytest.mark.parametrize("kind", SEQUENCES)
def test_random_sequences_show_the_cord(kind: str) -> None:
    drawn = np.array([draw_means(np.random.default_rng(seed), kind) for seed in range(60)])
    assert drawn[:, T.WHITE_MATTER] == pytest.approx(1)
    assert (np.abs(drawn[:, T.CSF] - 1) >= 0.2).all()
    assert (drawn.max(axis=1) <= 10.01).all()
    assert 0.1 < np.mean(drawn[:, T.CSF] > 1) < 0.97  # both polarities


def test_hounsfield_units_there_and_back() -> None:
    units = np.array([-1000, 35, 1200], dtype=np.float32)
    assert from_hounsfield(units) == pytest.approx([0, 1, 2.1256], rel=1e-3)
    assert to_hounsfield(from_hounsfield(units)) == pytest.approx(units, abs=0.01)


def test_ct_is_in_hounsfield_units() -> None:
    from dataclasses import replace

    from spinetools.phantom import get_protocol

    protocol = replace(get_protocol("ct_lumbar"), spacing=(2.0, 2.0, 3.0), size=(120, 120, 60))
    phantom = make_phantom(2, "ct", protocol, field_of_view=None)
    image = phantom.image.data
    canal = phantom.canal.data > 0
    assert np.median(image[canal]) == pytest.approx(20, abs=30)
    bone = (phantom.structures.data > 0) & (phantom.structures.data < 200)
    assert np.median(image[bone]) > 100
    assert image.min() < -50  # noise is not folded up as in magnitude images
