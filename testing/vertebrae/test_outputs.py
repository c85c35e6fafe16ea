"""Values, names in the header, numbers, arrays."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from conftest import Coded

import spinetools
from spinetools.errors import InputError, ModelError
from spinetools.image import Image
from spinetools.labels import SCHEMES, numbering
from spinetools.phantom import make_subject
from spinetools.vertebrae import SpineSegmenter, label_vertebrae, load_networks
from spinetools.vertebrae.result import SpineLabels
from spinetools.vertebrae.statistics import COLUMNS, statistics_of, table_of, without_nan
from spinetools.vertebrae.values import dseg_table, in_scheme


@pytest.fixture(scope="module")
def result(models: Path, lumbar: Coded) -> SpineLabels:
    return label_vertebrae(lumbar[0], networks=load_networks(str(models)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_values_are_those_of_the_scheme(scheme: str, result: SpineLabels) -> None:
    image, names = in_scheme(result, scheme)
    rows = numbering(scheme)
    assert set(np.unique(image.data)) - {0} == set(names)
    assert {value: rows[value].name for value in names} == names
    assert "vertebrae_L3" in names.values()


def test_only_some_structures(result: SpineLabels) -> None:
    _, names = in_scheme(result, "totalspineseg", ["discs", "L4", "cord", "S"])
    assert {"vertebrae_L4", "sacrum", "spinal_cord", "disc_L4_L5"} <= set(names.values())
    assert "vertebrae_L3" not in names.values()
    with pytest.raises(InputError, match="no structure of this name"):
        in_scheme(result, "totalspineseg", ["L9"])
    with pytest.raises(InputError, match="nothing is left"):
        in_scheme(result, "totalspineseg", ["C3"])
    with pytest.raises(InputError, match="nothing is left"):
        in_scheme(result, "sct", ["discs"])


def test_names_are_in_the_header(result: SpineLabels, tmp_path: Path) -> None:
    image, names = in_scheme(result, "totalspineseg")
    path = image.save(tmp_path / "labels.nii.gz")
    (extension,) = nib.load(path).header.extensions
    text = extension.get_content().decode()
    assert text.startswith("<?xml")
    for value, name in names.items():
        assert f'Key="{value}" ' in text
        assert f"<![CDATA[{name}]]>" in text
    # written again, the names are there once
    again, _ = in_scheme(result, "totalspineseg")
    assert len(Image.load(path).header.extensions) == len(again.header.extensions) == 1


def test_the_table_of_names(result: SpineLabels) -> None:
    _, names = in_scheme(result, "totalspineseg")
    head, *rows = dseg_table(names).splitlines()
    assert head == "index\tname\tcolor"
    assert [int(row.split("\t")[0]) for row in rows] == sorted(names)
    assert len({row.split("\t")[2] for row in rows}) == len(rows)


def test_statistics_agree_with_the_subject(result: SpineLabels, lumbar: Coded) -> None:
    labels, names = in_scheme(result, "totalspineseg")
    rows = {row["name"]: row for row in statistics_of(result, names, labels)}
    subject = make_subject(4, "normal")
    truth, values = lumbar[1], {name: value for value, name in lumbar[2].items()}
    for level in ("L1", "L2", "L3", "L4"):
        row = rows[f"vertebrae_{level}"]
        bone = next(v for v in subject.vertebrae if v.name == level)
        # both endplates of the simulated bodies are hollow by 1.6 mm in their middle
        assert row["height_middle_mm"] == pytest.approx(bone.height - 3.2, abs=2.0)
        wedge = bone.tilt_top - bone.tilt_bottom  # rise towards the front: higher in front
        taller = row["height_anterior_mm"] - row["height_posterior_mm"]
        assert taller == pytest.approx(wedge * 0.76 * bone.depth, abs=3.0)
        volume = np.count_nonzero(truth.data == values[f"vertebrae_{level}"]) * 8
        assert row["volume_mm3"] == pytest.approx(volume, rel=0.05)
        number = [v.name for v in subject.vertebrae].index(level)
        middle = subject.boundaries[number : number + 2].mean()
        canal = float(subject.profile("sac_ap", middle))
        assert row["canal_ap_mm"] == pytest.approx(canal, abs=1.5)
    disc = next(d for d in subject.discs if d.name == "L3-L4")
    row = rows["disc_L3_L4"]
    assert row["depth_mm"] == pytest.approx(disc.depth, rel=0.12)
    assert row["width_mm"] == pytest.approx(disc.width, rel=0.12)
    assert row["height_middle_mm"] == pytest.approx(disc.height + 3.2, abs=2.0)
    head, *lines = table_of(list(rows.values())).splitlines()
    assert head.split("\t") == list(COLUMNS)
    assert len(lines) == len(rows)
    assert "nan" not in str(without_nan(list(rows.values())))


def test_soft_results_are_probabilities(result: SpineLabels) -> None:
    cord, canal = (result.soft(name).data for name in ("cord", "canal"))
    assert cord.dtype == np.float32
    assert cord.min() >= 0
    assert cord.max() <= 1
    assert (canal >= cord - 1e-5).all()


# -- arrays ---------------------------------------------------------------------------------------


def test_the_package_offers_both_and_stays_light() -> None:
    import subprocess
    import sys

    assert spinetools.label_vertebrae is label_vertebrae
    assert spinetools.SpineSegmenter is SpineSegmenter
    code = "import sys, spinetools; print('numpy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout == "False\n"
    with pytest.raises(AttributeError):
        _ = spinetools.nothing


def test_every_kind_of_image_gives_the_same(
    result: SpineLabels, models: Path, lumbar: Coded, tmp_path: Path
) -> None:
    image, networks = lumbar[0], load_networks(str(models))
    expected = result.on_input.data
    path = image.save(tmp_path / "image.nii.gz")
    assert (label_vertebrae(path, networks=networks).on_input.data == expected).all()
    nifti = nib.load(path)
    assert (label_vertebrae(nifti, networks=networks).on_input.data == expected).all()
    array = image.reorient(("P", "S", "R")).data
    turned = label_vertebrae(array, (2, 2, 2), "PSR", networks=networks)
    back = turned.on_input.reorient(("R", "A", "S")).data
    assert (back == expected).mean() > 0.9999
    with pytest.raises(InputError, match="expected a path, an image or a 3D array"):
        label_vertebrae(np.zeros((4, 4)), networks=networks)


def test_the_segmenter(models: Path, lumbar: Coded) -> None:
    image, truth, names = lumbar
    segmenter = SpineSegmenter(model=str(models))
    found = segmenter.segment(image.data, spacing_mm=(2, 2, 2))
    assert found.semantic_segmentation.shape == image.shape
    assert set(np.unique(found.semantic_segmentation)) == {0, 1, 2, 3, 4}
    assert {"L1", "L5", "sacrum", "L4-L5", "cord", "canal"} <= set(found.id_to_label.values())
    assert set(np.unique(found.instance_segmentation)) - {0} == set(found.id_to_label)
    number = next(k for k, name in found.id_to_label.items() if name == "L3")
    real = truth.data == next(v for v, name in names.items() if name == "vertebrae_L3")
    said = found.instance_segmentation == number
    assert 2 * np.count_nonzero(said & real) / (said.sum() + real.sum()) > 0.95
    two = segmenter.segment(image.data, two_class_only=True, spacing_mm=(2, 2, 2))
    assert set(np.unique(two.semantic_segmentation)) == {0, 1, 2}
    assert "cord" not in two.id_to_label.values()


def test_the_segmenter_takes_one_sagittal_slice(models: Path, lumbar: Coded) -> None:
    image, truth, names = lumbar
    middle = image.shape[0] // 2
    found = SpineSegmenter(model=str(models)).segment(image.data[middle], spacing_mm=(2, 2))
    assert found.instance_segmentation.shape == image.shape[1:]
    assert {"L2", "L3", "L2-L3", "sacrum"} <= set(found.id_to_label.values())
    number = next(k for k, name in found.id_to_label.items() if name == "L3")
    real = truth.data[middle] == next(v for v, name in names.items() if name == "vertebrae_L3")
    said = found.instance_segmentation == number
    assert 2 * np.count_nonzero(said & real) / (said.sum() + real.sum()) > 0.8
    with pytest.raises(InputError, match="expected a volume or a slice"):
        SpineSegmenter(model=str(models)).segment(np.zeros(5))


def test_a_missing_model_is_named() -> None:
    with pytest.raises(ModelError, match="nowhere_step1"):
        load_networks("nowhere")
