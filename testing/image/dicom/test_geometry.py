"""Where voxels lie: the same places and values in the DICOM series and in what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_maker import Study, zipped

from spinetools.errors import InputError
from spinetools.image import Image, load_volume
from spinetools.phantom import Phantom

PLANES = ("sagittal", "axial", "coronal")
Phantoms = Callable[[str], Phantom]
#: No voxel may move by more.
TOLERANCE_MM = 1e-3


def values_of(phantom: Phantom) -> np.ndarray:
    return np.rint(phantom.image.data).astype(np.uint16)


def assert_same_places(image: Image, array: np.ndarray, affine: np.ndarray) -> None:
    """Compare voxel by voxel: each at its place in the scanner, with its value."""
    indices = np.argwhere(np.ones(array.shape, dtype=bool))
    world = indices @ affine[:3, :3].T + affine[:3, 3]
    found = np.rint(image.space.to_voxel(world)).astype(int)
    assert np.abs(image.space.to_world(found) - world).max() < TOLERANCE_MM
    assert sorted(image.shape) == sorted(array.shape)
    np.testing.assert_array_equal(image.data[tuple(found.T)], array[tuple(indices.T)])


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("kind", ["files", "enhanced"])
def test_every_voxel_keeps_its_place(
    plane: str, kind: str, phantom: Phantoms, tmp_path: Path
) -> None:
    one = phantom(plane)
    study = Study(tmp_path / "study")
    (study.add if kind == "files" else study.add_enhanced)(values_of(one), one.space.affine, 4)
    image = load_volume(tmp_path / "study")
    assert_same_places(image, values_of(one), one.space.affine)
    assert image.qform_disagrees < TOLERANCE_MM
    saved = image.save(tmp_path / "image.nii.gz")
    assert_same_places(Image.load(saved), values_of(one), one.space.affine)


def test_a_zip_gives_what_its_folder_does(phantom: Phantoms, tmp_path: Path) -> None:
    one = phantom("sagittal")
    Study(tmp_path / "study").add(values_of(one), one.space.affine, 4)
    folder = load_volume(tmp_path / "study")
    archive = load_volume(zipped(tmp_path / "study", tmp_path / "study.zip"))
    np.testing.assert_array_equal(folder.data, archive.data)
    np.testing.assert_array_equal(folder.space.affine, archive.space.affine)
    assert archive.name == f"{tmp_path / 'study.zip'}#4"


def test_one_enhanced_file_is_enough(phantom: Phantoms, tmp_path: Path) -> None:
    one = phantom("axial")
    Study(tmp_path / "study").add_enhanced(values_of(one), one.space.affine, 4)
    (file,) = (tmp_path / "study").iterdir()
    assert_same_places(load_volume(file), values_of(one), one.space.affine)


def test_files_in_any_order_and_folder(phantom: Phantoms, tmp_path: Path) -> None:
    one = phantom("axial")
    Study(tmp_path / "study").add(values_of(one), one.space.affine, 4)
    files = sorted((tmp_path / "study").iterdir())
    for place, file in enumerate(np.random.default_rng(0).permutation(files)):
        deeper = tmp_path / "study" / f"a{place % 3}" / "b"
        deeper.mkdir(parents=True, exist_ok=True)
        file.rename(deeper / f"IM{place:04d}")  # no ending either
    assert_same_places(load_volume(tmp_path / "study"), values_of(one), one.space.affine)


def test_slices_against_the_normal(phantom: Phantoms, tmp_path: Path) -> None:
    """Many scanners store sagittal slices from right to left, others from left to right."""
    one = phantom("sagittal")
    array = values_of(one)[:, :, ::-1]
    move = np.diag([1.0, 1, -1, 1])
    move[2, 3] = array.shape[2] - 1
    Study(tmp_path / "study").add(array, one.space.affine @ move, 4)
    assert_same_places(load_volume(tmp_path / "study"), values_of(one), one.space.affine)


def test_repetitions_become_4d(phantom: Phantoms, tmp_path: Path) -> None:
    one = phantom("axial")
    array = np.stack([values_of(one), values_of(one) + 10], axis=-1)
    Study(tmp_path / "study").add(array, one.space.affine, 4)
    image = Image.load(tmp_path / "study")
    assert image.n_volumes == 2
    assert_same_places(image.volume(0), array[..., 0], one.space.affine)
    assert_same_places(image.volume(1), array[..., 1], one.space.affine)


def test_ct_in_hounsfield_units(phantom: Phantoms, tmp_path: Path) -> None:
    one = phantom("axial")
    Study(tmp_path / "study", modality="CT").add(values_of(one), one.space.affine, 4, "spine")
    expected = values_of(one).astype(np.int32) - 1024
    assert_same_places(load_volume(tmp_path / "study"), expected, one.space.affine)


@pytest.mark.parametrize("left_out", [3, 4])
def test_a_missing_slice_is_refused(left_out: int, phantom: Phantoms, tmp_path: Path) -> None:
    one = phantom("sagittal")
    Study(tmp_path / "study").add(values_of(one), one.space.affine, 4)
    sorted((tmp_path / "study").iterdir())[left_out].unlink()
    with pytest.raises(InputError, match=r"slices 3\.3 to 6\.6 mm apart: some are missing"):
        load_volume(tmp_path / "study")


def test_echoes_are_images_of_one_series(
    phantom: Phantoms, tmp_path: Path, messages: Callable[[], str]
) -> None:
    one = phantom("axial")
    study = Study(tmp_path / "study")
    uid = study.add(values_of(one), one.space.affine, 4, EchoNumbers=1, EchoTime=10)
    study.add(values_of(one) // 2, one.space.affine, 4, uid=uid, first=10, EchoNumbers=2,
              EchoTime=80)  # fmt: skip
    with pytest.raises(InputError, match=r"study#4 gives 2 images .* like .*study#4\.1"):
        load_volume(tmp_path / "study")
    assert "study#4.2  axial, 44 × 52 × 9, 1.6 × 1.7 × 3.3 mm, echo time 80 ms" in messages()
    first, second = (load_volume(f"{tmp_path / 'study'}#4.{part}") for part in (1, 2))
    assert_same_places(first, values_of(one), one.space.affine)
    assert_same_places(second, values_of(one) // 2, one.space.affine)
    assert second.name.endswith("study#4.2")
    with pytest.raises(InputError, match=r"there is no .*study#4\.3"):
        load_volume(f"{tmp_path / 'study'}#4.3")
