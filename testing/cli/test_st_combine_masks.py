"""``st_combine_masks`` on files and folders."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from .conftest import Run

AFFINE = np.diag([1.0, 1, 2, 1])


def save(path: Path, *places: tuple[int, int], value: int = 1) -> None:
    data = np.zeros((4, 5, 6), np.uint8)
    for k, v in places or [(0, value)]:
        data[1, 2, k] = v
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(data, AFFINE), path)


def voxels(path: str) -> list[int]:
    return np.asarray(nib.load(path).dataobj)[1, 2].tolist()


def test_classes_of_a_label_image(run: Run, folder: Path) -> None:
    save(folder / "l.nii.gz", (0, 18), (1, 19), (2, 203), (3, 200))
    outcome = run("st_combine_masks", "-i", "l.nii.gz", "-m", "vertebrae,discs")
    assert outcome.code == 0, outcome.err
    assert voxels("l_combined.nii.gz") == [1, 1, 1, 0, 0, 0]
    record = json.loads((folder / "l_combined.json").read_text())
    assert record["Structures"] == ["vertebrae_L5", "vertebrae_L4", "disc_L4_L5"]


def test_a_folder_of_classes_becomes_labels(run: Run, folder: Path) -> None:
    save(folder / "seg" / "vertebrae_L1.nii.gz", (0, 1))
    save(folder / "seg" / "vertebrae_L2.nii.gz", (1, 1))
    save(folder / "seg" / "heart.nii.gz", (2, 1))
    outcome = run("st_combine_masks", "-i", "seg", "-m", "vertebrae", "-keep-values", "-o", "a.nii")
    assert outcome.code == 0, outcome.err
    assert voxels("a.nii") == [22, 21, 0, 0, 0, 0]
    assert run("st_combine_masks", "-i", "seg").code == 0
    assert voxels("seg_combined.nii.gz") == [1, 1, 1, 0, 0, 0]


def test_files_into_one(run: Run, folder: Path) -> None:
    save(folder / "a.nii.gz", (0, 1))
    save(folder / "b.nii.gz", (3, 1))
    assert run("st_combine_masks", "-i", "a.nii.gz", "b.nii.gz", "-o", "c.nii.gz").code == 0
    assert voxels("c.nii.gz") == [1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("words", "message"),
    [("heart", "there is no such structure"), ("C3", "nothing to combine"), (" , ", "no class")],
)
def test_what_is_not_there_is_an_error(run: Run, folder: Path, words: str, message: str) -> None:
    save(folder / "l.nii.gz", (0, 18), (1, 19), (2, 203))
    outcome = run("st_combine_masks", "-i", "l.nii.gz", "-m", words)
    assert outcome.code == 1
    assert message in outcome.err
    assert [path.name for path in folder.iterdir()] == ["l.nii.gz"]


def test_an_empty_mask_where_it_is_allowed(run: Run, folder: Path) -> None:
    save(folder / "l.nii.gz", (0, 18), (1, 19), (2, 203))
    outcome = run("st_combine_masks", "-i", "l.nii.gz", "-m", "C3", "-allow-empty")
    assert outcome.code == 0, outcome.err
    assert voxels("l_combined.nii.gz") == [0] * 6
    (folder / "empty").mkdir()
    assert "has no NIfTI" in run("st_combine_masks", "-i", "empty").err
