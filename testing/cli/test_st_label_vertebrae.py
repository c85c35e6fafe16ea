"""What ``st_label_vertebrae`` writes, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from spinetools.labels import numbering
from spinetools.phantom import make_subject

from .conftest import Run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vertebrae"))
from coded import coded_image, save_networks


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with networks, an image that they can read, and its truth."""
    folder = tmp_path_factory.mktemp("lumbar")
    image, truth, _ = coded_image(make_subject(4, "normal"), (18.5, 25.5))
    image.save(folder / "t2.nii.gz")
    truth.save(folder / "truth.nii.gz")
    save_networks(folder / "models")
    return folder


@pytest.fixture
def image(sound: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The image in the current folder; its networks are found by name."""
    shutil.copy(sound / "t2.nii.gz", folder)
    monkeypatch.setenv("SPINETOOLS_MODELS", str(sound / "models"))
    return folder / "t2.nii.gz"


def voxels(path: Path | str) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def test_labels_levels_and_sidecars(run: Run, image: Path, sound: Path, folder: Path) -> None:
    outcome = run("st_label_vertebrae", "-i", "t2.nii.gz", "-qc", "qc", "-qc-subject", "s1")
    assert outcome.code == 0, outcome.err
    labels, truth = voxels("t2_labels.nii.gz"), voxels(sound / "truth.nii.gz")
    for name, row in ((r.name, v) for v, r in numbering("totalspineseg").items()):
        real, said = truth == row, labels == row
        if np.count_nonzero(real) > 200:
            overlap = 2 * np.count_nonzero(real & said) / (real.sum() + said.sum())
            assert overlap > 0.9, name
    levels = voxels("t2_levels.nii.gz")
    values, counts = np.unique(levels[levels > 0], return_counts=True)
    assert set(range(21, 26)) <= set(values.tolist())
    assert (counts == 1).all()
    record = json.loads((folder / "t2_labels.json").read_text())
    assert record["Confidence"] > 0.9
    assert record["NumberingCertain"] is True
    assert record["Models"] == ["spine_region 1", "spine_step1 1", "spine_step2 1"]
    assert isinstance(record["Alternatives"], list)
    assert (folder / "t2_dseg.tsv").read_text().startswith("index\tname\tcolor\n")
    assert (folder / "qc" / "index.html").is_file()
    assert "view: fsleyes t2.nii.gz t2_labels.nii.gz" in outcome.out
    # the next command reads both
    nib.save(
        nib.Nifti1Image((labels == 201).astype(np.uint8), nib.load("t2.nii.gz").affine),
        "canal.nii.gz",
    )
    for option, path in (("-vertfile", "t2_labels.nii.gz"), ("-discfile", "t2_levels.nii.gz")):
        table = f"{option[1:]}.csv"
        measured = run("st_process_segmentation", "-i", "canal.nii.gz", "-perlevel", "1",
                       option, path, "-o", table)  # fmt: skip
        assert measured.code == 0, measured.err
        assert (folder / table).read_text().count("\n") > 3


def test_everything_else(run: Run, image: Path, folder: Path) -> None:
    outcome = run(
        "st_label_vertebrae", "-i", "t2.nii.gz", "-fast", "-o", "out/mine_labels.nii.gz", "-iso",
        "-statistics", "-preview", "jpg", "-save", "step1,cord,canal,levels,soft",
        "-label-scheme", "totalspineseg_2025", "-structures", "vertebrae,L4-L5,S",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    names = {path.name for path in (folder / "out").iterdir()}
    images = {"labels", "levels", "step1", "cord", "canal", "cord_soft", "canal_soft"}
    expected = {f"mine_{name}.nii.gz" for name in images} | {f"mine_{name}.json" for name in images}
    expected |= {"mine_dseg.tsv", "mine_statistics.tsv", "mine_statistics.json", "mine_preview.jpg"}
    assert names == expected
    values = set(np.unique(voxels("out/mine_labels.nii.gz")).tolist()) - {0}
    assert {41, 42, 43, 44, 45, 50, 95} <= values
    assert not values & {1, 2, 94}
    cord, canal = voxels("out/mine_cord.nii.gz"), voxels("out/mine_canal.nii.gz")
    assert (canal[cord > 0] == 1).all()
    assert voxels("out/mine_canal_soft.nii.gz").dtype == np.float32
    assert Picture.open(folder / "out" / "mine_preview.jpg").size[1] > 500
    record = json.loads((folder / "out" / "mine_statistics.json").read_text())
    assert {row["name"] for row in record["Structures"]} >= {"vertebrae_L4", "disc_L4_L5"}


def test_a_file_a_class(run: Run, image: Path, folder: Path) -> None:
    outcome = run("st_label_vertebrae", "-i", "t2.nii.gz", "-fast", "-ml", "0",
                  "-structures", "L3,cord")  # fmt: skip
    assert outcome.code == 0, outcome.err
    files = {path.name for path in (folder / "t2_labels").iterdir()}
    assert files == {"vertebrae_L3.nii.gz", "spinal_cord.nii.gz", "labels.json"}
    assert set(np.unique(voxels("t2_labels/vertebrae_L3.nii.gz"))) == {0, 1}
    assert not (folder / "t2_labels.nii.gz").exists()


def test_a_folder(run: Run, image: Path, folder: Path) -> None:
    (folder / "in").mkdir()
    shutil.copy(image, folder / "in" / "a.nii.gz")
    (folder / "in" / "b.nii.gz").write_bytes(b"no image")
    shutil.copy(image, folder / "in" / "c.nii.gz")
    stopped = run("st_label_vertebrae", "-i", "in", "-fast", "-ofolder", "one")
    assert stopped.code == 1
    assert "b.nii.gz" in stopped.err
    assert not (folder / "one" / "c_labels.nii.gz").exists()
    outcome = run("st_label_vertebrae", "-i", "in", "-fast", "-ofolder", "two",
                  "-continue-on-error")  # fmt: skip
    assert outcome.code == 1
    assert "1 of 3 images failed: b.nii.gz" in outcome.err
    assert (folder / "two" / "a_labels.nii.gz").exists()
    assert (voxels("two/a_labels.nii.gz") == voxels("two/c_labels.nii.gz")).all()


@pytest.mark.slow
def test_a_folder_in_processes(run: Run, image: Path, folder: Path) -> None:
    (folder / "in").mkdir()
    for name in "ab":
        shutil.copy(image, folder / "in" / f"{name}.nii.gz")
    outcome = run("st_label_vertebrae", "-i", "in", "-fast", "-ofolder", "out", "-jobs", "2")
    assert outcome.code == 0, outcome.err
    assert (voxels("out/a_labels.nii.gz") == voxels("out/b_labels.nii.gz")).all()


def test_a_localizer_for_each_image(run: Run, image: Path, sound: Path, folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "loc").mkdir()
    shutil.copy(image, folder / "in" / "a.nii.gz")
    shutil.copy(sound / "truth.nii.gz", folder / "loc" / "a_seg.nii.gz")
    arguments = ("-i", "in", "-fast", "-loc", "loc", "-ofolder", "out")
    outcome = run("st_label_vertebrae", *arguments, "-loc-suffix", "_seg")
    assert outcome.code == 0, outcome.err
    assert re.search(r"labels (\d+) of \1 discs", outcome.err)
    missing = run("st_label_vertebrae", *arguments, "-loc-suffix", "_none")
    assert missing.code == 1
    assert "a_none.nii.gz does not exist" in missing.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-init", "L9,3"), "expected a level"),
        (("-structures", "L99"), "no structure of this name"),
        (("-model", "nowhere"), "no model named 'nowhere_step1'"),
        (("-iso", "-qc", "qc"), "leave out -iso"),
    ],
)
def test_what_cannot_be_done(
    arguments: tuple[str, ...], words: str, run: Run, image: Path, folder: Path
) -> None:
    outcome = run("st_label_vertebrae", "-i", "t2.nii.gz", "-fast", *arguments)
    assert outcome.code == 1
    assert words in outcome.err
    assert sorted(path.name for path in folder.iterdir()) == ["t2.nii.gz"]


def test_a_folder_without_images_and_options_for_one(run: Run, image: Path, folder: Path) -> None:
    (folder / "in").mkdir()
    assert "expected a NIfTI file" in run("st_label_vertebrae", "-i", "in").err
    (folder / "in" / "t2.nii.gz").write_bytes(image.read_bytes())
    assert "give -ofolder" in run("st_label_vertebrae", "-i", "in", "-o", "x.nii.gz").err
    assert "belong to one image" in run("st_label_vertebrae", "-i", "in", "-init", "L3,3").err
    assert run("st_label_vertebrae", "-i", "in", "-save", "everything").code == 2
