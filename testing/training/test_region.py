"""The network that finds the spine at low resolution: its data, its samples, its file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spinetools.image import Image, Space

pytest.importorskip("torch", reason="training needs torch")

from spinetools.infer.predictor import OnnxPredictor
from spinetools.training import region
from spinetools.training.nnunet_targets import DATASETS
from spinetools.vertebrae.grid import working_image

SHAPE = (60, 100, 120)
BAR = (slice(20, 40), slice(30, 50), slice(None))


def image_with_a_bar(seed: int) -> Image:
    """1.5 mm; a bright bar from bottom to top, which stands for the spine."""
    rng = np.random.default_rng(seed)
    data = rng.normal(100, 10, SHAPE)
    data[BAR] += 300
    return Image(data.astype(np.float32), Space(SHAPE, np.diag([1.5, 1.5, 1.5, 1.0])))


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """A training folder with a phantom, labelled everywhere, and a real image, below only."""
    raw = tmp_path / "nnunet" / "raw" / DATASETS[101].folder
    for part in (raw / "imagesTr", raw / "labelsTr"):
        part.mkdir(parents=True)
    facts = {"spinetools": {"commit": "abc"}}
    (raw / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    for seed, name in enumerate(("phantom_000000_00", "real_a_00")):
        image = image_with_a_bar(seed)
        labels = np.zeros(SHAPE, np.uint8)
        labels[BAR] = 4
        if name.startswith("real"):
            labels[..., 60:] = len(DATASETS[101].classes)
        image.save(raw / "imagesTr" / f"{name}_0000.nii.gz")
        image.like(labels).save(raw / "labelsTr" / f"{name}.nii.gz")
    return tmp_path / "nnunet"


def test_from_volumes_to_a_network_that_tells_the_bar(
    volumes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region, "FEATURES", (8, 16))  # quick
    monkeypatch.setattr(region, "MULTIPLE", 2)
    folder, model = tmp_path / "run", tmp_path / "spine_region.onnx"
    region.prepare(volumes, folder)
    groups, commit = region.load_volumes(folder / "volumes.npz")
    assert commit == "abc"
    phantom, real = groups["phantom"][0], groups["real"][0]
    assert phantom.image.shape == (18, 30, 36)
    assert np.nanmax(phantom.spine) == pytest.approx(1, abs=0.01)
    share = float(np.nansum(phantom.spine)) * region.SPACING_MM**3
    assert share == pytest.approx(20 * 20 * 120 * 1.5**3, rel=0.05)
    assert np.isnan(real.spine[..., 20:]).all()
    assert not np.isnan(real.spine[..., :16]).any()

    region.main(["train", "-o", str(folder), "-steps", "60"])
    region.main(["export", "-o", str(folder), "-model", str(model)])
    predictor = OnnxPredictor(model)
    image = image_with_a_bar(5)
    predictor = OnnxPredictor(model)
    coarse = working_image(image, region.SPACING_MM)
    answer = predictor.predict(coarse.data[None], coarse.space.spacing)
    bar = coarse.data > 250
    # a minute's training is not enough to be sure, but to tell one from the other
    assert answer[0][~bar].mean() > answer[0][bar].mean() + 0.05
    assert answer[1][~bar].mean() < answer[1][bar].mean() - 0.05


def test_samples_are_padded_where_nothing_is_known() -> None:
    spine = np.zeros((18, 30, 36), np.float32)
    image = np.random.default_rng(0).random(spine.shape, np.float32)
    volume = region.Volume(image, spine)
    draw = region.Sampler({"phantom": [volume]})
    for seed in range(5):
        image, target = draw(np.random.default_rng(seed))
        assert image.shape[1:] == (1, *target.shape[2:])
        assert all(length % region.MULTIPLE == 0 for length in image.shape[2:])
        unknown = np.isnan(target[0, 0].numpy())
        assert unknown.any()
        assert (image[0, 0].numpy()[unknown] == 0).all()
        assert (target[0, 0].numpy()[~unknown] == 1).all()
