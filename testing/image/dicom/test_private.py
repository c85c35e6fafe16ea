"""Nothing of the patient's name, id, dates or places is in outputs or messages."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_maker import BIRTH, NAME, PATIENT_ID, SECRETS, Study, zipped

from spinetools.cli import st_image, st_label_utils
from spinetools.image import load_volume
from spinetools.image.dicom.convert import load_series, source_files
from spinetools.image.dicom.seg import write_segmentation
from spinetools.labels import numbering

AFFINE = np.diag([-1.0, -1, 3, 1])
VOXELS = np.random.default_rng(0).integers(0, 900, (14, 12, 6))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    scan = Study(tmp_path / "scan" / "study")
    scan.add(VOXELS, AFFINE, 2, f"t2 {NAME}", ImageComments=NAME, PatientComments=NAME)
    scan.add(VOXELS, AFFINE, 3, f"t1 {PATIENT_ID}", "t1")
    return scan.folder


def all_bytes(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        yield str(path.relative_to(folder)).encode()
        if path.is_file():
            content = path.read_bytes()
            yield gzip.decompress(content) if path.suffix == ".gz" else content


def assert_nothing_of_the_patient(texts: Iterator[bytes]) -> None:
    for text in texts:
        for word in (*SECRETS, "101112"):
            assert word.lower().encode() not in text.lower(), word


def call(main: Callable[..., object], *arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def test_images_sidecars_segmentations_and_messages(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    archive = zipped(study, tmp_path / "scan" / "study.zip")
    for number, source in enumerate((study, archive)):
        image = out / f"{number}.nii.gz"
        assert call(st_image.main, "-i", source, "-convert", "-o", image, "-v", 2) == 1
        assert call(st_image.main, "-i", f"{source}#2", "-convert", "-o", image, "-v", 2) == 0
        assert call(st_image.main, "-i", f"{source}#quix", "-getorient", "-v", 2) == 1
        data = np.zeros((14, 12, 6), np.uint8)
        data[4:8, 4:8] = 200
        labels = load_volume(image).like(data).save(out / f"labels{number}.nii.gz")
        assert (
            call(
                st_label_utils.main, "-i", labels, "-export-dicomseg", f"{source}#2",
                "-label-scheme", "totalspineseg", "-ofolder", out, "-v", 2,
            )
            == 0
        )  # fmt: skip
    assert len(list(out.glob("*.dcm"))) == 2
    assert_nothing_of_the_patient(all_bytes(out))
    said = capfd.readouterr()
    # what the user typed is the user's: the wish '#quix' comes back
    assert "#quix" in said.err
    text = (said.out + said.err).replace("#quix", "").replace("'quix'", "")
    assert "t2 ***^***^***" in text
    assert "Traceback" in text
    assert_nothing_of_the_patient(iter([text.encode()]))


def test_damaged_headers_are_not_quoted(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for file in study.iterdir():
        header = pydicom.dcmread(file)
        header.PatientBirthDate = ""
        header.save_as(file)
        content = file.read_bytes()
        # values that fit their type no longer, and a broken sequence with the name in it
        file.write_bytes(
            content.replace(b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x10\x00DS\x02\x00")
        )
    assert call(st_image.main, "-i", f"{study}#2", "-getorient", "-v", 2) == 1
    said = capfd.readouterr()
    assert_nothing_of_the_patient(iter([(said.out + said.err).encode()]))


def test_the_patients_name_in_a_path_is_warned_of(
    study: Path, tmp_path: Path, messages: Callable[[], str]
) -> None:
    load_volume(f"{study}#2")
    assert "path of -i holds" not in messages()
    named = study.rename(study.with_name("QUIXANO_A"))
    load_volume(f"{named}#2")
    assert "the path of -i holds the patient's name or ID" in messages()


def test_a_record_of_the_scan_says_how_not_who(study: Path) -> None:
    record = load_series(f"{study}#2").record
    assert record["EchoTime"] == pytest.approx(0.1)
    assert record["MagneticFieldStrength"] == 3
    assert record["SeriesNumber"] == 2
    assert_nothing_of_the_patient(iter([str(record).encode()]))


def test_the_patient_is_kept_where_it_is_asked_for(study: Path, tmp_path: Path) -> None:
    image = load_volume(f"{study}#2")
    data = np.zeros(image.shape, np.uint8)
    data[4:8, 4:8] = 200
    headers = source_files(f"{study}#2")
    names = numbering("totalspineseg")
    blank = pydicom.dcmread(
        write_segmentation(tmp_path / "a.dcm", image.like(data), names, headers)
    )
    kept = pydicom.dcmread(
        write_segmentation(tmp_path / "b.dcm", image.like(data), names, headers, keep_patient=True)
    )
    assert (str(kept.PatientName), kept.PatientID, kept.PatientBirthDate) == (
        NAME, PATIENT_ID, BIRTH
    )  # fmt: skip
    assert kept.StudyDate == "20210304"
    assert kept.StudyDescription == f"spine of {NAME}"
    assert "PatientAddress" not in kept
    assert (str(blank.PatientName), blank.PatientID, blank.StudyDate) == ("", "", "")
    assert blank.StudyInstanceUID == kept.StudyInstanceUID == headers[0].StudyInstanceUID
