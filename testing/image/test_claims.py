"""What a header claims: checked before anything is read or allocated."""

from __future__ import annotations

import gzip
import logging
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from spinetools.errors import InputError
from spinetools.image import Image, load_volume
from spinetools.image import claims as module

from .conftest import SHAPE, affine_for

Raw = Callable[..., Path]


def _packed(path: Path) -> Path:
    """Compress a file beside itself."""
    packed = path.with_name("raw.nii.gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    return packed


def _two(path: Path, affine: NDArray[np.float64], **fields: Any) -> Path:
    """Write a NIfTI-2 byte by byte."""
    header = nib.Nifti2Header()
    header.set_data_shape(SHAPE)
    header.set_data_dtype(np.int16)
    header.set_qform(affine, 1)
    header["magic"], header["vox_offset"] = header.single_magic, 544
    for field, value in fields.items():
        header[field] = value
    voxels = np.arange(np.prod(SHAPE), dtype=np.int16).tobytes()
    path.write_bytes(header.binaryblock + bytes(4) + voxels)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dim", [[3, 32767, 32767, 32767], [4, 32767, 999, 32767, 32767]])
def test_huge_dimensions_take_no_memory(
    dim: list[int], packed: bool, write_raw: Raw, voxels: NDArray[np.int16]
) -> None:
    path = write_raw(voxels, affine_for(), dim=[*dim, *[1] * (8 - len(dim))])
    path = _packed(path) if packed else path
    tracemalloc.start()
    with pytest.raises(InputError, match="truncated"):
        load_volume(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_dimensions_beyond_any_number_of_bytes(tmp_path: Path) -> None:
    path = _two(tmp_path / "raw.nii", affine_for(), dim=[3, 2**62, 2**62, 4, 1, 1, 1, 1])
    for file in (path, _packed(path)):
        with pytest.raises(InputError, match="truncated"):
            load_volume(file)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("offset", [np.nan, np.inf, -1, 4, 348, 1e9, 1e30])
def test_voxels_that_start_where_they_cannot(
    offset: float, packed: bool, write_raw: Raw, voxels: NDArray[np.int16]
) -> None:
    path = write_raw(voxels, affine_for(), vox_offset=offset)
    with pytest.raises(InputError, match="voxels start at byte"):
        load_volume(_packed(path) if packed else path)


@pytest.mark.parametrize("packed", [False, True])
def test_an_offset_of_zero_means_right_after_the_header(
    packed: bool, write_raw: Raw, voxels: NDArray[np.int16]
) -> None:
    path = write_raw(voxels, affine_for(), vox_offset=0)
    np.testing.assert_array_equal(Image.load(_packed(path) if packed else path).data, voxels)


@pytest.mark.parametrize("axes", [-1, 8, 32767])
def test_a_number_of_axes_that_cannot_be(
    axes: int, write_raw: Raw, voxels: NDArray[np.int16]
) -> None:
    path = write_raw(voxels, affine_for(), dim=[axes, 5, 6, 7, 1, 1, 1, 1])
    with pytest.raises(InputError, match=f"says {axes} axes"):
        load_volume(path)


@pytest.mark.parametrize("size", [0, 1, 7, -8, -(2**31), 2**31 - 1, 40])
def test_damaged_extensions_are_left_out_and_that_is_said(
    size: int,
    tmp_path: Path,
    write_raw: Raw,
    voxels: NDArray[np.int16],
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw = write_raw(voxels, affine_for(), vox_offset=352 + 32).read_bytes()
    block = b"\1\0\0\0" + struct.pack("<ii", size, 6) + b"x" * 24
    path = tmp_path / "ext.nii"
    path.write_bytes(raw[:348] + block + raw[352:])
    image = Image.load(path)
    np.testing.assert_array_equal(image.data, voxels)
    assert caplog.messages == [f"{path}: its header extensions are damaged and are left out"]
    assert not Image.load(image.save(tmp_path / "saved.nii")).header.extensions


def test_sound_extensions_are_kept_whatever_they_are(
    tmp_path: Path, voxels: NDArray[np.int16], caplog: pytest.LogCaptureFixture
) -> None:
    source = nib.Nifti1Image(voxels, affine_for())
    contents = [(2, b"no DICOM"), (44, b"{not json"), (6, b"note"), (12345, b"\xff\xfe")]
    for code, content in contents:
        source.header.extensions.append(nib.nifti1.Nifti1Extension(code, content))
    nib.save(source, tmp_path / "a.nii.gz")
    image = Image.load(tmp_path / "a.nii.gz")
    again = Image.load(image.save(tmp_path / "b.nii.gz"))
    for kept in (image, again):
        found = [(e.get_code(), e.get_content()) for e in kept.header.extensions]
        assert found == contents
    assert not caplog.records


def test_extensions_may_be_empty_and_zeros_may_follow(
    tmp_path: Path, write_raw: Raw, voxels: NDArray[np.int16], caplog: pytest.LogCaptureFixture
) -> None:
    raw = write_raw(voxels, affine_for(), vox_offset=352 + 48).read_bytes()
    block = b"\1\0\0\0" + struct.pack("<iiii8s", 8, 6, 16, 44, b"note") + bytes(24)
    path = tmp_path / "ext.nii"
    path.write_bytes(raw[:348] + block + raw[352:])
    found = [(e.get_code(), e.get_content()) for e in Image.load(path).header.extensions]
    assert found == [(6, b""), (44, b"note")]
    assert not caplog.records
    # nothing may be left between the last one's end and the voxels
    exact = write_raw(voxels, affine_for(), "exact.nii", vox_offset=352 + 16).read_bytes()
    path.write_bytes(exact[:348] + b"\1\0\0\0" + struct.pack("<ii8s", 16, 6, b"x") + exact[352:])
    assert [e.get_content() for e in Image.load(path).header.extensions] == [b"x"]


def test_a_flood_behind_the_voxels_ends(
    tmp_path: Path, write_raw: Raw, voxels: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES_BEHIND", 1 << 20)
    whole = write_raw(voxels, affine_for()).read_bytes()
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(whole + bytes(1 << 22)))
    with pytest.raises(InputError, match="follow its last voxel"):
        load_volume(path)
    path.write_bytes(gzip.compress(whole + bytes(1 << 10)))  # some programs pad
    np.testing.assert_array_equal(load_volume(path).data, voxels)


def test_reading_a_qform_does_not_change_the_header(tmp_path: Path) -> None:
    """NIfTI-2 holds voxel sizes as float64: the sign of the third was turned in the header."""
    path = _two(tmp_path / "left.nii", affine_for(("L", "A", "S")))
    image = Image.load(path)
    assert float(image.header["pixdim"][0]) == -1
    assert image.space.nib_codes == ("L", "A", "S")
    again = Image.load(image.save(tmp_path / "again.nii"))
    assert again.space.same_as(image.space)
    assert (again.header["pixdim"][1:4] > 0).all()


@pytest.mark.parametrize("code", [6, 77, 32767])
def test_codes_that_nobody_knows_count_as_aligned(
    code: int, tmp_path: Path, write_raw: Raw, voxels: NDArray[np.int16]
) -> None:
    image = Image.load(write_raw(voxels, affine_for(), sform_code=code, qform_code=code))
    turned = Image.load(image.reorient("LPI").save(tmp_path / "t.nii.gz"))
    assert (int(turned.header["sform_code"]), int(turned.header["qform_code"])) == (2, 2)
    assert turned.reorient(image.space.nib_codes).space.same_as(image.space)


@pytest.mark.parametrize("code", [1, 3, 5])
def test_codes_of_the_standard_stay(
    code: int, tmp_path: Path, write_raw: Raw, voxels: NDArray[np.int16]
) -> None:
    image = Image.load(write_raw(voxels, affine_for(), sform_code=code, qform_code=code))
    turned = Image.load(image.reorient("LPI").save(tmp_path / "t.nii.gz"))
    assert (int(turned.header["sform_code"]), int(turned.header["qform_code"])) == (code, code)


@pytest.mark.parametrize("factor", [1e-9, 1e9, 1e30])
def test_voxels_of_a_size_that_none_has(
    factor: float, write_raw: Raw, voxels: NDArray[np.int16]
) -> None:
    affine = affine_for() * [[factor], [factor], [factor], [1]]
    rows = {f"srow_{axis}": affine[n] for n, axis in enumerate("xyz")}
    with pytest.raises(InputError, match="gives a voxel no volume"):
        load_volume(write_raw(voxels, affine_for(), **rows))
    with pytest.raises(InputError, match="voxel size of"):
        load_volume(write_raw(voxels, affine_for(), pixdim=[1, factor, 1, 1, 1, 1, 1, 1]))


def test_saving_says_nothing_of_odd_fields(
    tmp_path: Path,
    write_raw: Raw,
    voxels: NDArray[np.int16],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    fields = {"intent_code": 999, "bitpix": 7, "qform_code": 9, "vox_offset": 353.0}
    path = write_raw(
        np.append(voxels, np.int16(0)), affine_for(), dim=[3, *SHAPE, 1, 1, 1, 1], **fields
    )
    Image.load(path).save(tmp_path / "saved.nii.gz")
    assert capfd.readouterr() == ("", "")
    # what nibabel says, it says through a logger of its own
    assert not [record for record in caplog.records if record.name.startswith("nibabel")]
    assert not logging.getLogger("nibabel.global").disabled


def test_infinite_scale_factors_are_found_in_the_voxels(
    write_raw: Raw, voxels: NDArray[np.int16], caplog: pytest.LogCaptureFixture
) -> None:
    path = write_raw(voxels, affine_for(), scl_slope=3e38, scl_inter=1.0)
    with caplog.at_level(logging.WARNING), pytest.raises(InputError, match="NaN or infinite"):
        load_volume(path)
