"""Which series is taken, and what is said where that is not clear."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_maker import NAME, Study

from spinetools.errors import InputError
from spinetools.image.dicom.choose import choose, describe
from spinetools.image.dicom.convert import _pick
from spinetools.image.dicom.files import DicomFiles
from spinetools.image.dicom.series import Series, _orientation, find_series
from spinetools.image.dicom.weighting import weighting

SAGITTAL = np.array([[0, 0, -4, 20], [-1, 0, 0, 30], [0, -1, 0, 40], [0, 0, 0, 1.0]])
AXIAL = np.array([[-1, 0, 0, 20], [0, -1, 0, 30], [0, 0, 4, 40], [0, 0, 0, 1.0]])
CORONAL = np.array([[-1, 0, 0, 20], [0, 0, 4, 30], [0, -1, 0, 40], [0, 0, 0, 1.0]])
Messages = Callable[[], str]


def voxels(slices: int = 5) -> np.ndarray:
    return np.random.default_rng(slices).integers(0, 900, (12, 10, slices))


@pytest.fixture
def exam(tmp_path: Path) -> Study:
    """A usual examination of the spine."""
    study = Study(tmp_path / "exam")
    scout = study.add(voxels(3), SAGITTAL, 1, "scout", image_type=("ORIGINAL", "PRIMARY", "M"))
    study.add(voxels(3), AXIAL, 1, "scout", uid=scout, first=4)
    study.add(voxels(3), CORONAL, 1, "scout", uid=scout, first=7)
    study.add(voxels(7), SAGITTAL, 3, "t1_tse_sag", "t1")
    study.add(voxels(7), SAGITTAL, 4, "t2_tse_sag", "t2")
    study.add(voxels(6), AXIAL, 5, "t2s_medic_tra", "t2s")
    study.add(voxels(5), CORONAL, 6, "t2_mpr", "t2", ("DERIVED", "SECONDARY", "MPR"))
    study.add(voxels(2), AXIAL, 7, "check", "t2")
    study.add(voxels(5), AXIAL, 8, "phase", "t2s", ("ORIGINAL", "PRIMARY", "P", "ND"))
    study.add_screenshot(9)
    return study


def series_of(study: Study) -> list[Series]:
    with DicomFiles(study.folder) as files:
        return find_series(files)


def test_every_series_is_described(exam: Study) -> None:
    lines = {one.number: describe(one) for one in series_of(exam)}
    assert lines == {
        1: "scout, MR, no one plane, 9 × 12 × 10, T2 – a localizer",
        3: "t1_tse_sag, MR, sagittal, 7 × 12 × 10, 1 × 1 × 4 mm, T1",
        4: "t2_tse_sag, MR, sagittal, 7 × 12 × 10, 1 × 1 × 4 mm, T2",
        5: "t2s_medic_tra, MR, axial, 6 × 12 × 10, 1 × 1 × 4 mm, T2S",
        6: "t2_mpr, MR, coronal, 5 × 12 × 10, 1 × 1 × 4 mm, T2 – worked out from others (mpr)",
        7: "check, MR, axial, 2 × 12 × 10, 1 × 1 × 4 mm, T2 – 2 slices only",
        8: "phase, MR, axial, 5 × 12 × 10, 1 × 1 × 4 mm, T2S – phases, not magnitudes",
        9: "screen, OT, no one plane, 1 × 32 × 32 – a picture of the screen, or no MR and no CT",
    }


@pytest.mark.parametrize(("contrast", "number"), [("t1", 3), ("t2", 4), ("t2s", 5)])
def test_the_only_one_of_a_contrast_is_taken(exam: Study, contrast: str, number: int) -> None:
    one, part, reason = choose(series_of(exam), None, contrast, "exam")
    assert (one.number, part) == (number, None)
    assert reason == f"the only {contrast.upper()} of 3 that may be"


@pytest.mark.parametrize("contrast", [None, "any", "dwi"])
def test_what_is_not_clear_is_listed(exam: Study, contrast: str | None, messages: Messages) -> None:
    with pytest.raises(InputError, match=r"^exam: 3 of 8 series may be meant .* like exam#3$"):
        choose(series_of(exam), None, contrast, "exam")
    lines = messages().splitlines()
    assert lines[0] == "series in exam:"
    assert [line.split()[0] for line in lines[1:]] == [f"#{n}" for n in (1, 3, 4, 5, 6, 7, 8, 9)]


def test_two_of_a_contrast_are_not_clear(exam: Study) -> None:
    exam.add(voxels(8), AXIAL, 12, "t2_tse_tra", "t2")
    with pytest.raises(InputError, match=r"exam: 2 of 9 series may be meant .* like exam#4"):
        choose(series_of(exam), None, "t2", "exam")


def test_the_only_one_that_may_be_is_taken(exam: Study) -> None:
    rest = [one for one in series_of(exam) if one.number not in (3, 5)]
    for contrast in (None, "t2", "t1"):  # -c is what the user says of the image, not a filter
        one, _, reason = choose(rest, None, contrast, "exam")
        assert (one.number, reason) == (4, "the other 5 cannot be meant")


def test_a_derived_series_is_taken_where_it_is_all_there_is(exam: Study, tmp_path: Path) -> None:
    alone = Study(tmp_path / "alone")
    alone.add(voxels(7), SAGITTAL, 2, "t2", image_type=("DERIVED", "PRIMARY", "M", "COMPOSED"))
    assert choose(series_of(alone), None, None, "alone")[0].number == 2
    scout = [one for one in series_of(exam) if one.number == 1]
    with pytest.raises(InputError, match=r"not taken by itself: a localizer; .* exam#1$"):
        choose(scout, None, None, "exam")
    assert choose(scout, "1", None, "exam")[0].number == 1


@pytest.mark.parametrize("wish", ["4", "t2_tse_sag", "T2_TSE_SAG", "t2_tse"])
def test_a_series_is_asked_for(exam: Study, wish: str) -> None:
    one, part, reason = choose(series_of(exam), wish, "t1", f"exam#{wish}")
    assert (one.number, part, reason) == (4, None, "as asked for")
    by_uid = choose(series_of(exam), one.uid, None, "exam")[0]
    assert by_uid == one
    assert choose(series_of(exam), "4.2", None, "exam#4.2")[:2] == (one, 2)


def test_a_wish_that_fits_none_or_several(exam: Study, messages: Messages) -> None:
    with pytest.raises(InputError, match="exam#44: no series has the number, UID or description"):
        choose(series_of(exam), "44", None, "exam#44")
    assert "series in exam:\n" in messages()
    with pytest.raises(InputError, match=r"exam#sag: 'sag' fits 2 series .* like exam#3"):
        choose(series_of(exam), "sag", None, "exam#sag")


def test_two_studies_with_the_same_numbers_are_told_by_uid(exam: Study, messages: Messages) -> None:
    other = Study(exam.folder)
    uid = other.add(voxels(7), SAGITTAL, 4, "t2_tse_sag_other_day", "t2")
    with pytest.raises(InputError, match=r"'4' fits 2 series .* like exam#1\.2\.826"):
        choose(series_of(exam), "4", None, "exam#4")
    assert f"#{uid}  t2_tse_sag_other_day" in messages()
    assert choose(series_of(exam), "other_day", None, "exam#other_day")[0].uid == uid


def test_a_long_list_is_cut(exam: Study, messages: Messages) -> None:
    one = series_of(exam)[1]
    many = [replace(one, number=n, uid=f"1.2.{n}") for n in range(1, 100)]
    with pytest.raises(InputError, match="99 of 99 series"):
        choose(many, None, None, "disk")
    assert messages().splitlines()[-1] == "  … and 39 more"


def test_descriptions_are_shown_without_the_patients_name(tmp_path: Path) -> None:
    study = Study(tmp_path / "exam")
    study.add(voxels(), AXIAL, 2, f"t2 {NAME.split('^')[0].upper()}, LaMancha\x07\n\x1b[31m")
    (one,) = series_of(study)
    assert one.description == "t2 ***, *** [31m"


def converted(folder: Path, name: str, **account: object) -> Path:
    """An image as dcm2niix leaves it, with what it says of it."""
    nib.Nifti1Image(np.zeros((4, 4, 3), np.int16), np.eye(4)).to_filename(folder / f"{name}.nii")
    (folder / f"{name}.json").write_text(json.dumps(account), encoding="utf-8")
    return folder / f"{name}.nii"


def test_of_a_magnitude_and_its_phases_the_magnitude_is_taken(
    tmp_path: Path, messages: Messages
) -> None:
    converted(tmp_path, "a", EchoTime=0.01, ImageType=["ORIGINAL", "PRIMARY", "P"])
    wanted = converted(tmp_path, "b", EchoTime=0.01, ImageType=["ORIGINAL", "PRIMARY", "M"])
    converted(tmp_path, "c_ph", EchoTime=0.01)
    assert _pick(tmp_path, None, "exam#4") == (wanted, 2)
    assert "exam#4: its magnitude is taken" in messages()
    assert _pick(tmp_path, 3, "exam#4") == (tmp_path / "c_ph.nii", 3)
    with pytest.raises(InputError, match=r"exam#4 gives 3 images: there is no exam#4\.4"):
        _pick(tmp_path, 4, "exam#4")


def test_of_several_echoes_none_is_taken(tmp_path: Path, messages: Messages) -> None:
    late = converted(tmp_path, "a", EchoTime=0.02)
    early = converted(tmp_path, "b", EchoTime=0.01)
    with pytest.raises(InputError, match="several echoes or directions"):
        _pick(tmp_path, None, "exam")
    assert "exam.1  axial, 4 × 4 × 3, 1 × 1 × 1 mm, echo time 10 ms" in messages()
    assert [_pick(tmp_path, n, "exam")[0] for n in (1, 2)] == [early, late]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 0, 0, 0, 1, 0], (1, 0, 0, 0, 1, 0)),
        ([1, 0, 0, 0, 1], ()),
        ([1, 0, 0, 0, 1, 0, 0], ()),
        ([1, 0, 0, 0, 1, float("nan")], ()),
        ([1, 0, 0, 1, 0, 0], ()),
        (["x"] * 6, ()),
        (None, ()),
    ],
)
def test_directions_are_six_numbers_of_two_axes(values: object, expected: tuple[int, ...]) -> None:
    assert _orientation({"ImageOrientationPatient": values}) == expected


@pytest.mark.parametrize(
    ("image_type", "reason"),
    [
        (("ORIGINAL", "PRIMARY", "M"), ""),
        (("DERIVED", "PRIMARY", "M"), "worked out from others (derived)"),
        (("DERIVED", "PRIMARY", "P"), "worked out from others (derived)"),
        (("ORIGINAL", "PRIMARY", "PHASE"), "phases, not magnitudes"),
        (("ORIGINAL", "P", "M"), ""),
    ],
)
def test_what_a_series_was_made_from(
    tmp_path: Path, image_type: tuple[str, ...], reason: str
) -> None:
    study = Study(tmp_path / "exam")
    study.add(voxels(6), SAGITTAL, 3, "t2", "t2", image_type)
    (one,) = series_of(study)
    assert one.unfit == reason


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"ScanningSequence": "SE", "EchoTime": 12, "RepetitionTime": 600}, "t1"),
        ({"ScanningSequence": ["SE"], "EchoTime": 105, "RepetitionTime": 3500}, "t2"),
        ({"ScanningSequence": "SE", "EchoTime": 15, "RepetitionTime": 2500}, ""),
        ({"ScanningSequence": "SE", "EchoTime": 40, "RepetitionTime": 1000}, ""),
        ({"ScanningSequence": ["SE", "IR"], "EchoTime": 70, "RepetitionTime": 4000}, "t2"),
        ({"ScanningSequence": ["GR", "IR"], "EchoTime": 3, "RepetitionTime": 2300}, "t1"),
        ({"ScanningSequence": "GR", "EchoTime": 2, "RepetitionTime": 5}, "t1"),
        ({"ScanningSequence": "GR", "EchoTime": 17, "RepetitionTime": 600}, "t2s"),
        ({"ScanningSequence": "EP", "EchoTime": 80, "RepetitionTime": 4000}, ""),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION"], "EchoTime": 80}, "dwi"),
        ({"DiffusionBValue": 800, "ScanningSequence": "EP"}, "dwi"),
        ({"EchoPulseSequence": "SPIN", "EchoTime": 100, "RepetitionTime": 3000}, "t2"),
        ({"ScanningSequence": "SE", "EchoTime": None, "RepetitionTime": "long"}, ""),
        ({"Modality": "CT"}, ""),
        ({}, ""),
    ],
)
def test_timing_tells_the_contrast(fields: dict[str, object], expected: str) -> None:
    assert weighting({"Modality": "MR", **fields}) == expected
