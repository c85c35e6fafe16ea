"""Image formation on torch tensors agrees with NumPy's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from spinetools.image import Space  # noqa: E402
from spinetools.phantom import (  # noqa: E402
    Acquisition,
    LabelVolume,
    draw_acquisition,
    draw_table,
    make_subject,
    paint_labels,
    simulate,
)
from spinetools.phantom.acquisition import block_mean, fine_space  # noqa: E402
from spinetools.phantom.subject import Implant  # noqa: E402
from spinetools.training import image_formation  # noqa: E402

PERFECT = Acquisition(snr=1e6, coil=0.0, bias=0.0, blur=(0, 0, 0))


def painted(spacing: tuple[float, float, float] = (1.5, 1.5, 1.5)) -> LabelVolume:
    subject = make_subject(7, pathology="none")
    shape = tuple(int(np.ceil(size / d)) for size, d in zip((60, 84, 60), spacing, strict=True))
    affine = np.diag([*spacing, 1.0])
    s = float(np.interp(4.5, subject.profiles["level"], subject.curve.s))
    affine[:3, 3] = subject.curve.at(s) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    fine, factors = fine_space(Space((shape[0], shape[1], shape[2]), affine))
    assert max(factors) == max(1, int(np.ceil(max(spacing) / 2)))
    return paint_labels(subject, fine)


@pytest.fixture(scope="module")
def labels() -> LabelVolume:
    return painted()


def test_without_texture_and_noise_the_images_are_the_same(labels: LabelVolume) -> None:
    table = draw_table("t2", np.random.default_rng(0), "volume")
    plain = replace(table, texture=table.texture * 0, gain=0.0)
    moved = image_formation.to_device(labels, "cpu")
    for acquisition in (
        PERFECT,
        replace(PERFECT, blur=(0.4, 0.5, 0.3)),
        replace(PERFECT, ringing=0.2),
    ):
        expected = simulate(labels, plain, acquisition, np.random.default_rng(1))
        found = image_formation.simulate(moved, plain, acquisition, np.random.default_rng(1))
        assert found.dtype == torch.float32
        assert np.abs(found.numpy() - expected).max() < 2e-3


@pytest.mark.parametrize("contrast", ["t1", "t2", "t2s", "ct"])
def test_means_and_spreads_agree(labels: LabelVolume, contrast: str) -> None:
    # discs and vertebrae as bright in both: their gains are drawn at different places
    table = replace(draw_table(contrast, np.random.default_rng(0)), gain=0.0)
    acquisition = replace(draw_acquisition(contrast, np.random.default_rng(3)), coil=0.0, bias=0.0)
    acquisition = replace(acquisition, motion=0.0, ghost=0.0, flow=0.0)
    moved = image_formation.to_device(labels, "cpu")
    tissues = labels.hard
    several = range(4)
    expected, found = (
        np.stack([np.asarray(form(np.random.default_rng(seed))) for seed in several])
        for form in (
            lambda rng: simulate(labels, table, acquisition, rng),
            lambda rng: image_formation.simulate(moved, table, acquisition, rng),
        )
    )
    for tissue in np.unique(tissues):
        inside = tissues == tissue
        if inside.sum() > 1500:
            one, other = expected[:, inside], found[:, inside]
            assert other.mean() == pytest.approx(one.mean(), rel=0.04, abs=0.01), tissue
            assert other.std() == pytest.approx(one.std(), rel=0.15, abs=0.01), tissue


def test_thick_slices_are_averaged_alike() -> None:
    fine = np.random.default_rng(0).random((6, 10, 12)).astype(np.float32)
    for factors, gap in (((1, 1, 3), 0.0), ((3, 1, 1), 0.3), ((1, 5, 3), 0.2)):
        expected = block_mean(fine, factors, gap)
        found = image_formation.block_mean(torch.from_numpy(fine), factors, gap)
        assert found.numpy() == pytest.approx(expected, abs=1e-5)


def test_every_mishap_runs_and_agrees_on_the_mean(labels: LabelVolume) -> None:
    middle = labels.space.to_world((np.array(labels.space.shape) - 1) / 2)
    metal = (Implant(middle, middle + 8.0, 3.0),)
    ill = replace(labels, implants=metal)
    acquisition = Acquisition(
        ghost=0.05, motion=1.0, cross_talk=0.1, uneven=0.1, coil=0.5, flow=0.4, ringing=0.1
    )
    table = draw_table("t2", np.random.default_rng(0))
    margin = (4, 0, 0)
    expected = simulate(ill, table, acquisition, np.random.default_rng(2), margin=margin)
    moved = image_formation.to_device(ill, "cpu")
    found = image_formation.simulate(
        moved, table, acquisition, np.random.default_rng(2), margin=margin
    )
    assert tuple(found.shape) == expected.shape == (labels.space.shape[0] - 8, *expected.shape[1:])
    assert float(found.mean()) == pytest.approx(float(expected.mean()), rel=0.3)  # another coil
    assert torch.isfinite(found).all()


def test_same_seed_same_image_and_crops_fit(labels: LabelVolume) -> None:
    moved = image_formation.to_device(labels, "cpu")
    table = draw_table("t1", np.random.default_rng(0))
    first, again = (
        image_formation.simulate(moved, table, Acquisition(), np.random.default_rng(5))
        for _ in range(2)
    )
    assert torch.equal(first, again)
    part = moved.crop((3, 4, 5), (20, 30, 25))
    assert part.space.same_as(labels.space.cropped((3, 4, 5), (20, 30, 25)))
    assert part.cord.shape == (17, 26, 20)
