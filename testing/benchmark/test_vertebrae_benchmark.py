"""What the benchmark of the vertebrae calls right, on an image whose networks know the truth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "vertebrae"))
import vertebrae
from coded import coded_image, save_networks

from spinetools.image import Image
from spinetools.labels import structures
from spinetools.phantom import make_subject
from spinetools.vertebrae.api import label_vertebrae
from spinetools.vertebrae.engines import load_networks
from spinetools.vertebrae.result import SpineLabels

VALUES = {row.name: row.values.get("totalspineseg", 0) for row in structures()}


@pytest.fixture(scope="module")
def lumbar(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpineLabels, Image]:
    """A result, and the truth by value of the label table (vertebrae, discs)."""
    image, truth, names = coded_image(make_subject(4, "normal"), (18.5, 24.4))
    networks = load_networks(str(save_networks(tmp_path_factory.mktemp("models"))))
    lookup = np.zeros(256, np.int16)
    for value, name in names.items():
        lookup[value] = VALUES.get(name, 0)
    return label_vertebrae(image, networks=networks), truth.like(lookup[np.asarray(truth.data)])


def saved(truth: Image, keep: dict[int, int], path: Path) -> Path:
    data = np.zeros(truth.shape, np.int16)
    for value, new in keep.items():
        data[truth.data == value] = new
    truth.like(data).save(path)
    return path


def test_bodies_are_right_under_their_own_name_only(
    lumbar: tuple[SpineLabels, Image], tmp_path: Path
) -> None:
    result, truth = lumbar
    levels = {VALUES[f"vertebrae_L{n}"]: VALUES[f"vertebrae_L{n}"] for n in range(1, 6)}
    answer = vertebrae.bodies(result, saved(truth, levels, tmp_path / "a.nii.gz"))
    assert answer.right, answer.note
    assert answer.figures["body voxels"] > 0.9
    off = {value: value + 1 for value in levels}
    answer = vertebrae.bodies(result, saved(truth, off, tmp_path / "b.nii.gz"))
    assert not answer.right
    assert "T12 is L1" in answer.note
    assert answer.figures["body voxels"] < 0.1


def test_the_order_is_right_without_gaps_only(
    lumbar: tuple[SpineLabels, Image], tmp_path: Path
) -> None:
    result, truth = lumbar
    values = [VALUES[f"vertebrae_L{n}"] for n in range(1, 6)]
    counted = dict(zip(values, (1, 2, 3, 4, 5), strict=True))
    answer = vertebrae.order(result, saved(truth, counted, tmp_path / "a.nii.gz"))
    assert answer.right
    assert answer.note == "L1 L2 L3 L4 L5"
    gap = dict(zip(values, (1, 2, 0, 3, 4), strict=True))
    assert not vertebrae.order(result, saved(truth, gap, tmp_path / "b.nii.gz")).right


def test_regions_and_discs(lumbar: tuple[SpineLabels, Image], tmp_path: Path) -> None:
    result, truth = lumbar
    names = ("L1_L2", "L2_L3", "L3_L4", "L4_L5")
    values = [VALUES[f"disc_{name}"] for name in names]
    answer = vertebrae.discs(
        result, saved(truth, dict(zip(values, values, strict=True)), tmp_path / "a.nii.gz")
    )
    assert answer.right, answer.note
    bones = {VALUES[f"vertebrae_L{n}"]: 1 for n in range(1, 6)}
    found = vertebrae.regions(
        result, saved(truth, bones | dict.fromkeys(values, 2), tmp_path / "b.nii.gz")
    ).figures
    assert found["Dice vertebra"] > 0.85
    assert found["Dice disc"] > 0.8
    assert found["Dice canal"] == 0  # nobody labelled it


@pytest.mark.real
def test_only_test_images_are_measured(real_data: Path) -> None:
    found = vertebrae.cases(real_data)
    assert len(found) == 25
    manifest = (real_data / "manifest.tsv").read_text(encoding="utf-8")
    uses = dict(line.split("\t")[:2] for line in manifest.splitlines())
    for case in found:
        assert uses[str(case.image.relative_to(real_data))] == "test"
