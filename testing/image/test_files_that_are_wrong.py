"""Files that cannot be used: each is refused in one line that says what to do."""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from spinetools.errors import InputError
from spinetools.image import load_mask, load_volume

from .conftest import SHAPE, affine_for

Raw = Callable[..., Path]


def _refused(path: Path, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_volume(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_and_kinds_of_file(tmp_path: Path) -> None:
    _refused(tmp_path / "gone.nii.gz", "does not exist")
    _refused(tmp_path, "is a folder")
    for name in ("a.img", "a.mgz", "a", "a.nii.bz2"):
        (tmp_path / name).write_bytes(bytes(400))
        _refused(tmp_path / name, "wrong extension")
    (tmp_path / "b.nii").touch()
    _refused(tmp_path / "b.nii", "is an empty file")


def test_not_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_text("hello " * 100)
    _refused(tmp_path / "a.nii", "is not a NIfTI image")
    with gzip.open(tmp_path / "a.nii.gz", "wb") as stream:
        stream.write(b"hello " * 100)
    _refused(tmp_path / "a.nii.gz", "is not a NIfTI image")
    (tmp_path / "short.nii").write_bytes(b"\x5c\x01")
    _refused(tmp_path / "short.nii", "truncated")


def test_half_of_a_pair(tmp_path: Path, write_raw: Raw, voxels: NDArray[np.int16]) -> None:
    _refused(write_raw(voxels, affine_for(), magic=b"ni1"), "does not say n\\+1 or n\\+2")


def test_names_that_lie_about_compression(tmp_path: Path, voxels: NDArray[np.int16]) -> None:
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "a.nii.gz")
    (tmp_path / "b.nii").write_bytes((tmp_path / "a.nii.gz").read_bytes())
    _refused(tmp_path / "b.nii", "is compressed by gzip")
    (tmp_path / "c.nii.gz").write_bytes(gzip.decompress((tmp_path / "a.nii.gz").read_bytes()))
    _refused(tmp_path / "c.nii.gz", "is not compressed by gzip")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.99])
def test_truncated(suffix: str, part: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 9999, (20, 20, 20)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), tmp_path / f"a{suffix}")
    whole = (tmp_path / f"a{suffix}").read_bytes()
    short = tmp_path / f"short{suffix}"
    short.write_bytes(whole[: int(len(whole) * part)])
    _refused(short, "truncated")


def test_damaged_in_the_middle(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 9999, (20, 20, 20)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), tmp_path / "a.nii.gz")
    data = bytearray((tmp_path / "a.nii.gz").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    (tmp_path / "a.nii.gz").write_bytes(data)
    _refused(tmp_path / "a.nii.gz", "cannot be read: truncated or damaged")


def test_a_flipped_bit_is_found_by_the_check_sum(tmp_path: Path) -> None:
    # stored, not deflated: the stream stays readable and only gzip's CRC tells
    noise = np.random.default_rng(0).integers(0, 9999, (20, 20, 20)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), tmp_path / "a.nii")
    packed = bytearray(gzip.compress((tmp_path / "a.nii").read_bytes(), compresslevel=0))
    packed[5000] ^= 1
    (tmp_path / "a.nii.gz").write_bytes(packed)
    _refused(tmp_path / "a.nii.gz", "cannot be read: truncated or damaged")


def test_no_permission(
    tmp_path: Path, voxels: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "a.nii.gz")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    _refused(tmp_path / "a.nii.gz", "no permission")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((5, 6), "is 2D"),
        ((5, 6, 1), "is 2D"),
        ((5, 6, 1, 4), "is 2D"),
        ((5, 1, 1), "is 1D"),
        ((5, 6, 7, 1, 3), "is 5D"),
        ((5, 6, 7, 2, 2), "is 5D"),
    ],
)
def test_too_few_or_too_many_axes(shape: tuple[int, ...], said: str, tmp_path: Path) -> None:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii.gz")
    _refused(tmp_path / "a.nii.gz", said)


def test_an_axis_without_voxels(write_raw: Raw, voxels: NDArray[np.int16]) -> None:
    _refused(write_raw(voxels, affine_for(), dim=[3, 5, 0, 7, 1, 1, 1, 1]), "is empty")
    _refused(write_raw(voxels, affine_for(), dim=[3, 5, -6, 7, 1, 1, 1, 1]), "is empty")
    _refused(write_raw(voxels, affine_for(), dim=[0, 0, 0, 0, 0, 0, 0, 0]), "is empty")


def test_voxels_that_are_no_single_number(tmp_path: Path) -> None:
    for dtype in (np.complex64, [("R", "u1"), ("G", "u1"), ("B", "u1")]):
        array = np.zeros(SHAPE, dtype=dtype)
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii.gz")
        _refused(tmp_path / "a.nii.gz", "one real number")


def test_an_unknown_type_of_voxel(write_raw: Raw, voxels: NDArray[np.int16]) -> None:
    _refused(write_raw(voxels, affine_for(), datatype=777), "damaged header")


@pytest.mark.parametrize("zoom", [0, -1, np.nan, np.inf])
def test_a_voxel_size_that_is_none(zoom: float, write_raw: Raw, voxels: NDArray[np.int16]) -> None:
    pixdim = [1, 1, 2, zoom, 1, 1, 1, 1]
    _refused(write_raw(voxels, affine_for(), pixdim=pixdim), "voxel size of .*-set-qform-to-sform")
    _refused(
        write_raw(voxels, affine_for(), pixdim=pixdim, sform_code=0), "voxel size.*-copy-header"
    )


@pytest.mark.parametrize("bad", [0, np.nan])
def test_an_sform_that_places_nothing(
    bad: float, write_raw: Raw, voxels: NDArray[np.int16]
) -> None:
    row = [bad] * 4
    _refused(write_raw(voxels, affine_for(), srow_z=row), "sform .* -set-sform-to-qform")
    _refused(write_raw(voxels, affine_for(), srow_z=row, qform_code=0), "sform .* -copy-header")


def test_a_qform_that_is_no_rotation(write_raw: Raw, voxels: NDArray[np.int16]) -> None:
    path = write_raw(voxels, affine_for(), sform_code=0, quatern_b=1.0, quatern_c=1.0)
    _refused(path, "qform that is no rotation")


def test_nothing_is_written_beside_or_said_by_nibabel(
    write_raw: Raw, voxels: NDArray[np.int16], capfd: pytest.CaptureFixture[str]
) -> None:
    _refused(write_raw(voxels, affine_for(), pixdim=[1, 0, 0, 0, 0, 0, 0, 0]), "voxel size")
    assert capfd.readouterr() == ("", "")


# -- voxels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite(value: float, tmp_path: Path) -> None:
    array = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    array[1, 2, 3] = value
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii.gz")
    _refused(tmp_path / "a.nii.gz", "1 voxels that are NaN or infinite")
    with pytest.raises(InputError, match="NaN or infinite"):
        load_mask(tmp_path / "a.nii.gz")


def test_constant_and_empty(tmp_path: Path) -> None:
    for value, name in [(0, "zero.nii.gz"), (7, "seven.nii.gz")]:
        array = np.full(SHAPE, value, np.uint8)
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / name)
        _refused(tmp_path / name, f"is constant \\(every voxel is {value}\\)")
    with pytest.raises(InputError, match="empty mask"):
        load_mask(tmp_path / "zero.nii.gz")
    assert not load_mask(tmp_path / "zero.nii.gz", allow_empty=True).data.any()
    assert load_mask(tmp_path / "seven.nii.gz").data.all()


# -- 4D and doubts -----------------------------------------------------------------------------


def test_4d_is_averaged_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = np.random.default_rng(0).integers(0, 99, (*SHAPE, 4)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii.gz")
    with caplog.at_level(logging.INFO, "spinetools"):
        mean = load_volume(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(mean.data, array.mean(axis=3), rtol=1e-6)
    assert "a.nii.gz has 4 volumes: taking their mean" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO, "spinetools"):
        third = load_volume(tmp_path / "a.nii.gz", volume=2)
    np.testing.assert_array_equal(third.data, array[..., 2])
    assert "mean" not in caplog.text
    with pytest.raises(InputError, match="has no volume 4: it has 4, counted from 0"):
        load_volume(tmp_path / "a.nii.gz", volume=4)
    with pytest.raises(InputError, match=r"4D .* expected a 3D mask"):
        load_mask(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"qoffset_x": 5.0}, "sform and qform place voxels up to"),
        ({"sform_code": 0, "qform_code": 0}, "codes 0\\); its axes are taken as RPI"),
        ({"quatern_b": 1.0, "quatern_c": 1.0}, "no rotation and is ignored"),
        ({"srow_x": [1, 0.5, 0, 0]}, "sheared"),
    ],
)
def test_doubts_are_said(
    fields: dict[str, object],
    said: str,
    write_raw: Raw,
    voxels: NDArray[np.int16],
    caplog: pytest.LogCaptureFixture,
) -> None:
    load_volume(write_raw(voxels, affine_for(), **fields))
    assert len(caplog.records) >= 1
    assert caplog.text.count("\n") == len(caplog.records)
    assert re.search(said, caplog.text)


@pytest.mark.parametrize("fields", [{}, {"sform_code": 0}, {"qform_code": 0}])
def test_a_sound_header_says_nothing(
    fields: dict[str, int],
    write_raw: Raw,
    voxels: NDArray[np.int16],
    caplog: pytest.LogCaptureFixture,
) -> None:
    load_volume(write_raw(voxels, affine_for(degrees=(10, 20, 30)), **fields))
    assert not caplog.records
