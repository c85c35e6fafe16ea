"""What is wrong with a folder or zip: one line says so, and nothing is written anywhere."""

from __future__ import annotations

import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from dicom_maker import SECRETS, Study, zipped

from spinetools.errors import MissingExtra, OutputError, SpinetoolsError
from spinetools.image import load_volume
from spinetools.image.dicom import convert
from spinetools.image.dicom.convert import load_series, source_files
from spinetools.image.dicom.files import SUSPECT_BYTES, DicomFiles

AFFINE = np.diag([-1.0, -1, 3, 1])
VOXELS = np.random.default_rng(0).integers(0, 900, (14, 12, 6))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    Study(tmp_path / "study").add(VOXELS, AFFINE, 2)
    return tmp_path / "study"


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(path: Path | str, around: Path) -> str:
    """Return what is said of an input that is refused; nothing may be written."""
    before = listing(around)
    with pytest.raises(SpinetoolsError) as caught:
        load_volume(path)
    assert listing(around) == before
    text = str(caught.value)
    assert "\n" not in text
    assert str(path).partition("#")[0] in text
    return text


@pytest.mark.parametrize(
    "name",
    [
        "../outside.dcm", "a/../../outside.dcm", "/tmp/spinetools_outside.dcm",
        "..\\outside.dcm", "C:\\outside.dcm", "C:/outside.dcm",
    ],
)  # fmt: skip
def test_a_zip_with_a_path_out_of_its_folder(name: str, study: Path, tmp_path: Path) -> None:
    path = zipped(study, tmp_path / "study.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), next(study.iterdir()).read_bytes())
    text = refused(path, tmp_path)
    assert "path is in it" in text or "path out of its folder is in it" in text
    assert not Path("/tmp/spinetools_outside.dcm").exists()


def test_a_zip_with_a_link(study: Path, tmp_path: Path) -> None:
    path = zipped(study, tmp_path / "study.zip")
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("link.dcm")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "a link or a device is in it" in refused(path, tmp_path)


def test_a_bomb(study: Path, tmp_path: Path) -> None:
    path = zipped(study, tmp_path / "study.zip")
    start = next(study.iterdir()).read_bytes()
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", start + bytes(SUSPECT_BYTES))
    assert path.stat().st_size < SUSPECT_BYTES / 100
    assert "times its size is in it" in refused(path, tmp_path)


def test_a_zip_whose_files_overlap_unpacks_to_too_much(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(study, tmp_path / "study.zip")
    monkeypatch.setattr("spinetools.image.dicom.files.MOST_BYTES", 1000)
    assert "unpacks to more than" in refused(path, tmp_path)
    monkeypatch.setattr("spinetools.image.dicom.files.MOST_FILES", 5)
    assert "holds 6 files, expected at most 5" in refused(study, tmp_path)


def test_an_encrypted_zip(study: Path, tmp_path: Path) -> None:
    path = zipped(study, tmp_path / "study.zip")
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 8] |= 1
    path.write_bytes(data)
    assert "an encrypted file is in it" in refused(path, tmp_path)


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_a_truncated_zip(share: float, study: Path, tmp_path: Path) -> None:
    path = zipped(study, tmp_path / "study.zip")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "is not a sound zip file" in refused(path, tmp_path)


def test_a_zip_with_a_damaged_file(study: Path, tmp_path: Path) -> None:
    path = zipped(study, tmp_path / "study.zip")
    with zipfile.ZipFile(path) as archive:
        entry = archive.infolist()[2]
    data = bytearray(path.read_bytes())
    middle = entry.header_offset + 60 + entry.compress_size // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    assert "cannot be read" in refused(path, tmp_path) or "missing" in refused(path, tmp_path)


def test_what_is_no_zip_and_no_dicom(tmp_path: Path) -> None:
    for name, content in (("a.zip", b"PK hello"), ("b.zip", b""), ("c.dcm", b"hello" * 99)):
        (tmp_path / name).write_bytes(content)
    assert "not a sound zip" in refused(tmp_path / "a.zip", tmp_path)
    assert "not a sound zip" in refused(tmp_path / "b.zip", tmp_path)
    assert "is not a DICOM file" in refused(tmp_path / "c.dcm", tmp_path)
    folder = tmp_path / "notes"
    folder.mkdir()
    assert "without files" in refused(folder, tmp_path)
    (folder / "a.txt").write_text("hello")
    (folder / ".DS_Store").write_text("noise")
    assert "a folder with 1 files of which none is DICOM" in refused(folder, tmp_path)
    said = refused(zipped(folder, tmp_path / "d.zip"), tmp_path)
    assert "a zip with 1 files of which none is DICOM" in said
    assert "does not exist" in refused(tmp_path / "missing.zip", tmp_path)
    assert "does not exist" in refused(f"{tmp_path}/missing.zip#3", tmp_path)


def test_dicom_without_images(study: Path, tmp_path: Path) -> None:
    import pydicom

    for file in study.iterdir():
        header = pydicom.dcmread(file)
        del header.PixelData, header.Rows, header.Columns
        header.Modality = "SR"
        header.save_as(file)
    assert "no image series" in refused(study, tmp_path)


def test_damaged_files_are_left_out_and_then_missed(
    study: Path, tmp_path: Path, messages: Callable[[], str]
) -> None:
    (study / "rubbish.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 50)
    assert load_volume(study).shape == (14, 12, 6)
    file = sorted(study.glob("Quixano*"))[3]
    file.write_bytes(file.read_bytes()[:300])
    assert "some are missing" in refused(study, tmp_path)
    assert not [word for word in SECRETS if word in messages().lower()]


def test_dicom_that_dcm2niix_cannot_convert(study: Path, tmp_path: Path) -> None:
    import pydicom

    for file in study.iterdir():
        header = pydicom.dcmread(file)
        del header.PixelData
        header.save_as(file)
    assert "cannot be converted: dcm2niix made no image" in refused(study, tmp_path)


def test_dcm2niix_that_does_not_run_or_end(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcm2niix.bin", str(tmp_path / "gone"))
    assert "dcm2niix cannot be run (no such file or directory)" in refused(study, tmp_path)
    slow = tmp_path / "slow"
    slow.write_text(f"#!{sys.executable}\nimport time; time.sleep(60)\n")
    slow.chmod(0o755)
    monkeypatch.setattr("dcm2niix.bin", str(slow))
    monkeypatch.setattr(convert, "LIMIT_S", 0.5)
    assert "dcm2niix did not end" in refused(study, tmp_path)


def test_a_disk_that_is_too_small(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(study, tmp_path / "study.zip")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(OutputError, match=r"cannot unpack .* 0.00 GB are free; set TMPDIR"):
        load_volume(path)


@pytest.mark.parametrize("module", ["pydicom", "dcm2niix"])
def test_a_missing_extra(module: str, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"{module} is not installed.*spinetools\[dicom\]"):
        load_volume(study)


def test_the_users_settings_of_dcm2niix_change_nothing(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".dcm2nii.ini").write_text("isGZ=1\nfilename=%n_%i\n")
    before = (tmp_path / ".dcm2nii.ini").read_text()
    assert load_volume(study).shape == (14, 12, 6)
    assert (tmp_path / ".dcm2nii.ini").read_text() == before


def test_files_without_the_preamble(study: Path) -> None:
    import pydicom

    for file in study.iterdir():
        header = pydicom.dcmread(file)
        del header.preamble, header.file_meta
        with file.open("wb") as stream:
            pydicom.dcmwrite(
                stream, header, implicit_vr=True, little_endian=True, enforce_file_format=False
            )
    with DicomFiles(study) as files:
        assert all(files.looks_like_dicom(number) for number in range(len(files)))
    assert len(source_files(study)) == 6


def test_an_interrupted_conversion_leaves_nothing(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupt)
    before = listing(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        load_series(study)
    assert listing(tmp_path) == before


def test_noise_of_operating_systems_is_ignored(study: Path, tmp_path: Path) -> None:
    (study / "__MACOSX").mkdir()
    (study / "__MACOSX" / "._a.dcm").write_bytes(bytes(128) + b"DICM")
    (study / "._b.dcm").write_bytes(bytes(128) + b"DICM")
    for path in (study, zipped(study, tmp_path / "study.zip")):
        with DicomFiles(path) as files:
            assert len(files) == 6


def test_no_file_of_a_folder_is_followed_in_circles(study: Path) -> None:
    (study / "loop").symlink_to(study, target_is_directory=True)
    (study / "dangling").symlink_to(study / "nowhere")
    with DicomFiles(study) as files:
        assert len(files) == 6


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_are_an_error_or_none(seed: int, study: Path, tmp_path: Path) -> None:
    """Each file loses or changes some bytes of its header, in the same places or in others."""
    for place, file in enumerate(sorted(study.iterdir())):
        rng = np.random.default_rng([seed, place if seed % 2 else 0])
        content = bytearray(file.read_bytes())
        start = int(rng.integers(132, 1800))
        if seed % 4 == 0:
            content[start : start + 4] = b"\xff" * 4
        elif seed % 4 == 1:
            content[start : start + int(rng.integers(1, 40))] = rng.bytes(int(rng.integers(0, 40)))
        elif seed % 4 == 2:
            for position in rng.integers(132, 1800, 8):
                content[position] = rng.integers(256)
        elif place % 3 == 0:
            del content[start:]
        file.write_bytes(content)
    said = ""
    try:
        load_series(study)
        source_files(study)
    except SpinetoolsError as error:
        said = str(error)
    assert "\n" not in said
