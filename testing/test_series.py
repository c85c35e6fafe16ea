"""Which inputs are DICOM, by name alone, and what their outputs are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinetools.files import output_path, strip_nifti_suffix
from spinetools.series import note_taken, series_name, series_path, with_series


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("study", "a.b#c", "deep/sub-01"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("study.zip", "one.dcm", "TWO.IMA", "t2.nii.gz", "t2#3.nii.gz", "a#b.zip"):
        (tmp_path / file).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("given", "path", "series", "name"),
    [
        ("study", "study", None, "study"),
        ("study/", "study", None, "study"),
        ("study#3", "study", "3", "study_3"),
        ("study/#3", "study", "3", "study_3"),
        ("study.zip", "study.zip", None, "study"),
        ("study.zip#3", "study.zip", "3", "study_3"),
        ("study.zip#3.2", "study.zip", "3.2", "study_3.2"),
        ("study.zip#t2 tse/sag", "study.zip", "t2 tse/sag", "study_t2_tse_sag"),
        ("study.zip#../../x", "study.zip", "../../x", "study_.._.._x"),
        ("study.zip#été", "study.zip", "été", "study_t"),
        ("study.zip#é", "study.zip", "é", "study_series"),
        ("one.dcm", "one.dcm", None, "one"),
        ("TWO.IMA", "TWO.IMA", None, "TWO"),
        ("a#b.zip", "a#b.zip", None, "a#b"),
        ("a#b.zip#4", "a#b.zip", "4", "a#b_4"),
        ("a.b#c", "a.b#c", None, "a.b#c"),
        ("a.b#c#7", "a.b#c", "7", "a.b#c_7"),
        ("deep/sub-01#7", "deep/sub-01", "7", "sub-01_7"),
    ],
)
def test_dicom_inputs(here: Path, given: str, path: str, series: str | None, name: str) -> None:
    assert series_path(given) == (Path(path), series)
    assert series_name(given) == strip_nifti_suffix(given) == name
    assert output_path(given, "_seg.nii.gz") == Path(f"{name}_seg.nii.gz")
    assert output_path(given, "_seg.nii.gz", None, "out") == Path(f"out/{name}_seg.nii.gz")


@pytest.mark.parametrize(
    "given",
    ["t2.nii.gz", "t2#3.nii.gz", "t2.nii.gz#3", "missing.zip", "missing.zip#3", "missing", "#3",
     "study.zip#", "", "x" * 5000, "a\0b"],
)  # fmt: skip
def test_inputs_that_are_not(here: Path, given: str) -> None:
    assert series_path(given) is None
    assert series_name(given) is None


def test_the_current_folder_and_the_one_above_have_names(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "deep" / "sub-01")
    assert series_name(".") == "sub-01"
    assert series_name("..") == "deep"
    assert series_name(".#4") == "sub-01_4"


def test_what_was_taken_is_remembered() -> None:
    assert with_series("some.nii.gz") == "some.nii.gz"
    note_taken("x.zip", "x.zip#4")
    assert with_series("x.zip") == with_series(Path("x.zip")) == "x.zip#4"
