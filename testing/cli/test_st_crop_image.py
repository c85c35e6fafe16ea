"""st_crop_image: the box by mask, reference and limits; blanking instead of cropping."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from spinetools.image import Image

from .conftest import Run


def _voxels(path: Path | str) -> NDArray[np.generic]:
    return np.asarray(nib.load(path).dataobj)


def _place(path: Path | str) -> NDArray[np.float64]:
    affine: NDArray[np.float64] = nib.load(path).affine
    return affine[:3, 3]


@pytest.fixture
def mask(t2: Path) -> str:
    array = np.zeros((12, 10, 8), np.uint8)
    array[3:6, 4, 1:7] = 1
    image = nib.load(t2)
    nib.save(nib.Nifti1Image(array, image.affine, image.header), "mask.nii.gz")
    return "mask.nii.gz"


def test_limits_are_inclusive_and_count_the_files_own_axes(run: Run, t2: Path) -> None:
    limits = ["-xmin", 2, "-xmax", 5, "-ymax", 3, "-zmin", 1]
    assert run("st_crop_image", "-i", t2, *limits).code == 0
    np.testing.assert_array_equal(_voxels("t2_crop.nii.gz"), _voxels(t2)[2:6, :4, 1:])
    expected = nib.load(t2).affine @ [2, 0, 1, 1]
    np.testing.assert_allclose(_place("t2_crop.nii.gz"), expected[:3], atol=1e-4)
    sidecar = json.loads(Path("t2_crop.json").read_text())
    assert sidecar["Box"] == [2, 0, 1, 6, 4, 8]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (["-zmax", -1], np.s_[:, :, :]),
        (["-zmax", -2], np.s_[:, :, :7]),
        (["-zmin", -3, "-xmax", 0], np.s_[:1, :, 5:]),
        (["-ymin", 9, "-ymax", 9], np.s_[:, 9:10, :]),
    ],
)
def test_negative_limits_count_from_the_end(
    limits: list[object], expected: tuple[slice, ...], run: Run, t2: Path
) -> None:
    assert run("st_crop_image", "-i", t2, *limits, "-o", "c.nii").code == 0
    np.testing.assert_array_equal(_voxels("c.nii"), _voxels(t2)[expected])


@pytest.mark.parametrize(
    "limits",
    [["-xmax", 12], ["-xmin", -13], ["-xmin", 6, "-xmax", 5], ["-zmin", 8], ["-ymax", 99]],
)
def test_limits_outside_the_image(limits: list[object], run: Run, t2: Path) -> None:
    outcome = run("st_crop_image", "-i", t2, *limits)
    assert outcome.code == 1
    assert "is no range" in outcome.err
    assert "it has voxels 0 to" in outcome.err
    assert not Path("t2_crop.nii.gz").exists()


def test_box_of_a_mask(run: Run, t2: Path, mask: str) -> None:
    assert run("st_crop_image", "-i", t2, "-m", mask, "-o", "c.nii.gz").code == 0
    np.testing.assert_array_equal(_voxels("c.nii.gz"), _voxels(t2)[3:6, 4:5, 1:7])


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        ("2", np.s_[1:8, 2:7, 0:8]),
        ("1x3x0", np.s_[2:7, 1:8, 1:7]),
        ("100", np.s_[:, :, :]),
    ],
)
def test_margins_stop_at_the_borders(
    margin: str, expected: tuple[slice, ...], run: Run, t2: Path, mask: str
) -> None:
    outcome = run("st_crop_image", "-i", t2, "-m", mask, "-dilate", margin, "-o", "c.nii.gz")
    assert outcome.code == 0
    np.testing.assert_array_equal(_voxels("c.nii.gz"), _voxels(t2)[expected])


def test_blanking_keeps_the_size_type_and_header(run: Run, t2: Path, mask: str) -> None:
    assert run("st_crop_image", "-i", t2, "-m", mask, "-b", "-5", "-o", "b.nii.gz").code == 0
    blanked, whole = _voxels("b.nii.gz"), _voxels(t2)
    assert blanked.dtype == whole.dtype
    np.testing.assert_array_equal(blanked[3:6, 4:5, 1:7], whole[3:6, 4:5, 1:7])
    assert (blanked == -5).sum() == whole.size - 3 * 6
    np.testing.assert_array_equal(nib.load("b.nii.gz").affine, nib.load(t2).affine)
    for value in ("0.5", "40000"):
        outcome = run("st_crop_image", "-i", t2, "-m", mask, "-b", value, "-o", "no.nii.gz")
        assert outcome.code == 1
        assert f"-b {float(value):g} does not fit" in outcome.err


def test_the_part_that_a_reference_covers(run: Run, t2: Path, folder: Path) -> None:
    image = Image.load(t2)
    part = image.crop((2, 3, 1), (9, 8, 6))
    part.save(folder / "ref.nii.gz")
    assert run("st_crop_image", "-i", t2, "-ref", "ref.nii.gz", "-o", "c.nii.gz").code == 0
    np.testing.assert_array_equal(_voxels("c.nii.gz"), part.data)
    np.testing.assert_allclose(_place("c.nii.gz"), _place("ref.nii.gz"), atol=1e-4)
    # the reference may lie another way round
    part.reorient("RAS").save(folder / "ras.nii.gz")
    assert run("st_crop_image", "-i", t2, "-ref", "ras.nii.gz", "-o", "d.nii.gz").code == 0
    np.testing.assert_array_equal(_voxels("d.nii.gz"), part.data)


def test_an_oblique_reference_keeps_all_that_it_covers(run: Run, t2: Path) -> None:
    image = Image.load(t2)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("z", 40, degrees=True).as_matrix()
    affine[:3, 3] = image.space.to_world((5, 5, 3))
    nib.save(nib.Nifti1Image(np.zeros((5, 4, 3), np.uint8), affine), "ref.nii.gz")
    assert run("st_crop_image", "-i", t2, "-ref", "ref.nii.gz", "-o", "c.nii.gz").code == 0
    cropped = Image.load("c.nii.gz")
    # every voxel centre of the image inside the reference's box is in the crop, none is lost
    indices = np.moveaxis(np.indices(image.shape), 0, -1).reshape(-1, 3)
    world = image.space.to_world(indices)
    local = np.c_[world, np.ones(len(world))] @ np.linalg.inv(affine).T
    covered = ((local[:, :3] >= -0.5) & (local[:, :3] <= np.array([5, 4, 3]) - 0.5)).all(axis=1)
    kept = np.rint(cropped.space.to_voxel(world[covered]))
    assert covered.sum() > 10
    assert kept.min(axis=0).tolist() == [0, 0, 0]
    assert kept.max(axis=0).tolist() == [n - 1 for n in cropped.shape]


def test_what_does_not_fit(run: Run, t2: Path, mask: str) -> None:
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.diag([1, 1, 1, 1])), "far.nii.gz")
    outcome = run("st_crop_image", "-i", t2, "-m", "far.nii.gz")
    assert outcome.code == 1
    assert f"st_image -i far.nii.gz -resample-to {t2}" in outcome.err
    affine = np.eye(4)
    affine[:3, 3] = 900
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), affine), "far.nii.gz")
    assert "do not overlap" in run("st_crop_image", "-i", t2, "-ref", "far.nii.gz").err
    empty = nib.load(mask)
    nib.save(nib.Nifti1Image(np.zeros((12, 10, 8), np.uint8), empty.affine), "e.nii.gz")
    assert "empty mask" in run("st_crop_image", "-i", t2, "-m", "e.nii.gz").err


def test_one_way_to_say_the_box(run: Run, t2: Path, mask: str) -> None:
    for arguments in ([], ["-m", mask, "-ref", t2], ["-m", mask, "-xmin", 2], ["-dilate", "3"]):
        outcome = run("st_crop_image", "-i", t2, *arguments)
        assert outcome.code == 2
        assert "one of -m, -ref, or limits" in outcome.err
    outcome = run("st_crop_image", "-i", t2, "-m", mask, "-dilate", "1x2")
    assert outcome.code == 2


def test_4d_is_cropped_with_all_its_volumes(run: Run, t2: Path, mask: str) -> None:
    three = _voxels(t2)
    four = np.stack([three, three + 1], axis=-1)
    nib.save(nib.Nifti1Image(four, nib.load(t2).affine), "four.nii.gz")
    assert run("st_crop_image", "-i", "four.nii.gz", "-m", mask, "-o", "c.nii.gz").code == 0
    np.testing.assert_array_equal(_voxels("c.nii.gz"), four[3:6, 4:5, 1:7])
    blank = run("st_crop_image", "-i", "four.nii.gz", "-m", mask, "-b", "0", "-o", "b.nii.gz")
    assert blank.code == 0
    assert (_voxels("b.nii.gz") == 0).all(axis=-1).sum() == three.size - 18
