"""The ONNX engine over whole volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinetools.errors import InputError, ModelError
from spinetools.infer.normalise import local_contrast, patch_contrast
from spinetools.infer.predictor import (
    OnnxPredictor,
    Predictor,
    mirrored,
    sigmoid,
    softmax,
    zscore,
)
from spinetools.infer.sliding_window import F32, most_likely

from .conftest import Make, card_of

RNG = np.random.default_rng(3)
ONE_MM = (1.0, 1.0, 1.0)


@pytest.fixture
def volume() -> F32:
    return RNG.normal(100, 20, (21, 30, 17)).astype(np.float32)


def test_it_is_a_predictor(make_model: Make, volume: F32) -> None:
    predictor: Predictor = OnnxPredictor(make_model(card_of(3, spacing_mm=(1, 1, 1))))
    assert (predictor.name, predictor.version, predictor.labels) == ("small", "1.0", ("cord",))
    assert (predictor.n_channels, predictor.orientation) == (1, "RAS")
    assert predictor.spacing_mm == ONE_MM
    np.testing.assert_allclose(predictor.predict(volume, ONE_MM)[0], volume, rtol=2e-6)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float64, np.float16])
def test_any_type_of_voxels(make_model: Make, volume: F32, dtype: Any) -> None:
    array = volume.astype(dtype)
    found = OnnxPredictor(make_model(card_of(3, patch=(8, 8, 8)))).predict(array, ONE_MM)
    np.testing.assert_allclose(found[0], array, rtol=1e-3)


def test_a_2d_model_goes_through_the_slices(make_model: Make, volume: F32) -> None:
    """Each slice by itself: what is in one does not reach the next."""
    path = make_model(card_of(2, patch=(16, 16)), "blur")
    found = OnnxPredictor(path, batch=4).predict(volume, ONE_MM)
    assert found.shape == (1, *volume.shape)
    volume[:, :, 9] = 0
    again = OnnxPredictor(path, batch=4).predict(volume, ONE_MM)
    same = np.arange(17) != 9
    np.testing.assert_array_equal(again[..., same], found[..., same])
    assert not again[..., 9].any()


def test_tiles(make_model: Make) -> None:
    path = make_model(card_of(3, patch=(16, 32, 16), multiple=16))
    assert OnnxPredictor(path).tile((100, 100, 100)) == (16, 32, 16)
    assert OnnxPredictor(path, tile=(40, 16, 17)).tile((9, 9, 9)) == (48, 16, 32)
    whole = OnnxPredictor(make_model(card_of(2, multiple=8), name="flat.onnx"))
    assert whole.tile((30, 33, 12)) == (32, 40, 1)
    with pytest.raises(ModelError, match="does not fit the axes"):
        OnnxPredictor(path, tile=(16, 16))


def test_the_orientation_of_the_axes(make_model: Make) -> None:
    """A network that is not the same along all axes: x stays x."""
    path = make_model(card_of(3, patch=(8, 8, 8)), "ramp")
    array = np.zeros((12, 13, 14), dtype=np.float32)
    array[5, 6, 7] = 6
    found = OnnxPredictor(path).predict(array, ONE_MM)[0]
    assert set(zip(*np.nonzero(np.round(found, 3)), strict=True)) == {
        (4, 6, 7), (5, 6, 7), (6, 6, 7),
    }  # fmt: skip
    np.testing.assert_allclose(found[4:7, 6, 7], [3, 2, 1], rtol=1e-5)


def test_several_channels_of_which_one_is_not_normalised(make_model: Make, volume: F32) -> None:
    card = card_of(3, axes="N 2 x y z", channels=("image", "noNorm"), normalisation="zscore")
    path = make_model(card, "sum of channels")
    odd = (volume > 100).astype(np.uint8)
    found = OnnxPredictor(path).predict(np.stack([volume, odd]), ONE_MM)[0]
    expected = (volume - volume.mean()) / volume.std() + 10 * odd
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(InputError, match="expected 2 channels of three axes"):
        OnnxPredictor(path).predict(volume, ONE_MM)


def test_normalisations(make_model: Make, volume: F32) -> None:
    def found(n_axes: int, normalisation: str, **changes: Any) -> F32:
        card = card_of(n_axes, normalisation=normalisation, **changes)
        return OnnxPredictor(make_model(card)).predict(volume, ONE_MM)[0]

    np.testing.assert_allclose(found(3, "zscore"), zscore(volume), atol=1e-5)
    slices = np.stack([local_contrast(volume[:, :, z], 1.0) for z in range(17)], axis=-1)
    np.testing.assert_allclose(found(2, "local_contrast"), slices, atol=1e-5)
    # each tile by itself: here each tile is the whole
    np.testing.assert_allclose(found(3, "patch_contrast"), patch_contrast(volume), atol=1e-5)
    with pytest.raises(ModelError, match="unknown normalisation, 'magic'"):
        found(3, "magic")


def test_a_part_is_normalised_as_the_image_that_it_was_cut_from(
    make_model: Make, volume: F32
) -> None:
    """With the whole's mean and deviation a part looks as it does in the whole."""
    part, mean_sd = volume[:5], (float(volume.mean()), float(volume.std()))

    def found(normalisation: str) -> F32:
        model = OnnxPredictor(make_model(card_of(3, normalisation=normalisation)))
        return model.predict(part, ONE_MM, mean_sd=mean_sd)[0]

    np.testing.assert_allclose(found("zscore"), zscore(volume)[:5], atol=1e-5)
    np.testing.assert_allclose(found("none"), part, atol=1e-5)


def test_activations(make_model: Make, volume: F32) -> None:
    logits = np.stack([volume, -2 * volume]) / 100
    for name, function in (("softmax", softmax), ("sigmoid", sigmoid)):
        card = card_of(3, labels=("a", "b"), activation=name, patch=(8, 8, 8))
        predictor = OnnxPredictor(make_model(card, "two labels"))
        found = predictor.predict(volume / 100, ONE_MM)
        np.testing.assert_allclose(found, function(logits), atol=1e-5)
        labels = predictor.predict(volume / 100, ONE_MM, finish=most_likely)
        np.testing.assert_array_equal(labels[0], found.argmax(axis=0))
    np.testing.assert_allclose(softmax(logits).sum(axis=0), 1, rtol=1e-6)
    assert np.isfinite(softmax(np.array([[1e4], [-1e4]], dtype=np.float32))).all()
    assert np.isfinite(sigmoid(np.array([1e4, -1e4], dtype=np.float32))).all()


def test_mirroring_takes_a_network_s_side_away(make_model: Make, volume: F32) -> None:
    path = make_model(card_of(3, tta=("x",)), "ramp")
    sided = OnnxPredictor(path).predict(volume, ONE_MM)
    even = OnnxPredictor(path, tta=True).predict(volume, ONE_MM)
    turned = OnnxPredictor(path, tta=True).predict(volume[::-1], ONE_MM)
    np.testing.assert_allclose(turned[:, ::-1], even, rtol=1e-5)
    assert np.abs(sided - even).max() > 1


def test_mirroring_along_several_axes() -> None:
    seen: list[F32] = []

    def look(batch: F32) -> F32:
        seen.append(batch.copy())
        return batch

    batch = RNG.normal(0, 1, (2, 1, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(mirrored(look, (0, 2))(batch), batch, rtol=1e-6)
    assert len(seen) == 4
    np.testing.assert_array_equal(seen[3], batch[:, :, ::-1, :, ::-1])
    assert mirrored(look, ()) is look


def test_memory(make_model: Make) -> None:
    predictor = OnnxPredictor(make_model(card_of(3, patch=(16, 16, 16))))
    voxels = 100 * 90 * 80
    assert predictor.memory((100, 90, 80)) > 2 * 4 * voxels
    assert predictor.memory((100, 90, 80)) < 3 * 4 * voxels


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.03), (2.0, 1.0, 1.0), (1.0, 1.0)])
def test_another_voxel_size(make_model: Make, volume: F32, spacing: tuple[float, ...]) -> None:
    predictor = OnnxPredictor(make_model(card_of(3)))
    with pytest.raises(InputError, match="but small reads 1 × 1 × 1 mm; resample first"):
        predictor.predict(volume, spacing)
    predictor.predict(volume, (1.01, 0.99, 1.0))


def test_a_card_that_lies_about_the_labels(make_model: Make, volume: F32) -> None:
    with pytest.raises(ModelError, match="has 2 output channels, but its card names 1 labels"):
        OnnxPredictor(make_model(card_of(3), "two labels")).predict(volume, ONE_MM)


def test_arrays_that_do_not_fit(make_model: Make, tmp_path: Path) -> None:
    predictor = OnnxPredictor(make_model(card_of(3)))
    for shape in ((4, 4), (2, 4, 4, 4), (1, 1, 4, 4, 4)):
        with pytest.raises(InputError, match="expected 1 channels of three axes"):
            predictor.predict(np.zeros(shape), ONE_MM)
