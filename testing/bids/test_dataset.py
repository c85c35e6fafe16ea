"""Data sets that are read: which images they have, and which are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from spinetools.bids import find_dataset, matching, open_dataset
from spinetools.bids.dataset import ignores
from spinetools.errors import InputError

from .conftest import IMAGES, add, describe, write_json

ALL = sorted(f"{name}.nii.gz" for name, _, _ in IMAGES)
T2W = "sub-01/ses-01/anat/sub-01_ses-01_run-1_T2w"


def test_its_images(names_only: Path) -> None:
    add(names_only, "sub-02/ses-01/anat/sub-02_ses-01_mod-T1w_defacemask")
    add(names_only, "derivatives/x/sub-01/anat/sub-01_T2w")
    add(names_only, "sourcedata/sub-09/anat/odd name")
    data = open_dataset(names_only)
    assert data.images() == ALL
    assert (data.title, data.is_derivative) == ("Phantoms", False)


def test_images_by_contrast_and_place(names_only: Path) -> None:
    add(names_only, "sub-02/ses-01/anat/sub-02_ses-01_PDw")
    data = open_dataset(names_only)
    assert data.images("t2") == [path for path in ALL if path.endswith("T2w.nii.gz")]
    assert data.images("t2s") == [path for path in ALL if "MTS" in path]
    assert data.images("dwi") == [path for path in ALL if "dwi" in path]
    assert data.images("any") == ALL
    assert len(data.images()) == len(ALL) + 1
    ses = names_only / "sub-01" / "ses-01"
    assert data.images("any", ses) == [path for path in ALL if path.startswith("sub-01/ses-01/")]
    assert data.images("any", names_only) == ALL
    # a folder whose name only begins alike is another one
    assert data.images(None, names_only / "sub-0") == []


def test_include_and_exclude() -> None:
    assert matching(ALL, "ses-01.*run-", None) == ALL[:2]
    assert matching(ALL, "T2w", "run-2|acq-ax") == [f"{T2W}.nii.gz"]
    assert matching(ALL, None, "sub-0") == []
    with pytest.raises(InputError, match="-exclude '\\(' is no regular expression"):
        matching(ALL, None, "(")


def test_the_data_set_of_a_file(names_only: Path, tmp_path: Path, monkeypatch) -> None:
    data = find_dataset(names_only / f"{T2W}.nii.gz")
    assert data.root == names_only
    monkeypatch.chdir(names_only / "sub-01" / "ses-01")
    assert find_dataset("anat/sub-01_ses-01_run-1_T2w.nii.gz").root == names_only
    assert data.below("../ses-02/anat/x.nii") == "sub-01/ses-02/anat/x.nii"
    with pytest.raises(InputError, match="lies in no BIDS data set"):
        find_dataset(tmp_path / "sub-01_T2w.nii.gz")


def test_links_are_not_followed(names_only: Path, tmp_path: Path) -> None:
    """git-annex keeps images elsewhere, under names of its own."""
    image = names_only / f"{T2W}.nii.gz"
    image.rename(tmp_path / "annexed")
    image.symlink_to(tmp_path / "annexed")
    data = find_dataset(image)
    assert data.root == names_only
    assert data.below(image) == f"{T2W}.nii.gz"
    # one whose content is not there is named, and the loader says that it is missing
    (tmp_path / "annexed").unlink()
    assert f"{T2W}.nii.gz" in data.images()


def test_sidecars_are_inherited(names_only: Path) -> None:
    write_json(names_only / "T2w.json", {"EchoTime": 1, "Manufacturer": "A", "Place": "root"})
    write_json(names_only / "run-1_T2w.json", {"Run": 1})
    write_json(names_only / "run-2_T2w.json", {"Run": 2})
    write_json(names_only / "sub-01/ses-01/sub-01_ses-01_T2w.json", {"Place": "session"})
    write_json(names_only / "sub-01/ses-01/anat/sub-01_ses-01_run-2_T2w.json", {"Place": "other"})
    assert open_dataset(names_only).metadata(f"{T2W}.nii.gz") == {
        "EchoTime": 0.12, "Manufacturer": "A", "Place": "session", "Run": 1,
    }  # fmt: skip


def test_what_lies_above_counts_as_given(names_only: Path) -> None:
    dwi = next(names_only.rglob("*_dwi.bval"))
    dwi.rename(names_only / "dwi.bval")
    next(names_only.rglob("*_dwi.bvec")).rename(names_only / "dir-AP_dwi.bvec")
    next(names_only.rglob("*_MTS.json")).rename(names_only / "MTS.json")
    assert open_dataset(names_only).images() == ALL


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("*_dwi.bval", "has no .bval file, which BIDS requires"),
        ("*_dwi.bvec", "has no .bvec file, which BIDS requires"),
        ("*_MTS.json", "has no sidecar with FlipAngle, MTState, RepetitionTimeExcitation"),
    ],
)
def test_missing_companions(names_only: Path, gone: str, message: str) -> None:
    next(names_only.rglob(gone)).unlink()
    with pytest.raises(InputError, match=re.escape(message)):
        open_dataset(names_only).images()
    # only what is worked on has to be complete
    assert open_dataset(names_only).images("t2")


def test_a_sidecar_without_a_field(names_only: Path) -> None:
    sidecar = next(names_only.rglob("*_MTS.json"))
    write_json(sidecar, {"FlipAngle": 9, "MTState": True})
    with pytest.raises(InputError, match="no sidecar with RepetitionTimeExcitation, which"):
        open_dataset(names_only).images()


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', '{"a": NaN,}', "\x00"])
def test_a_broken_sidecar(names_only: Path, text: str) -> None:
    (names_only / f"{T2W}.json").write_text(text)
    with pytest.raises(InputError, match=r"_T2w\.json is broken, expected") as caught:
        open_dataset(names_only).images()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is broken, expected JSON"),
        ('{"Name": "x", "BIDSVersion": "1.10.0"', "is broken, expected JSON"),
        ("[]", "expected a JSON object"),
        ("[" * 100_000, "is broken, expected JSON"),
        ("{}", "has no Name"),
        ('{"Name": "x"}', "has no BIDSVersion"),
        ('{"Name": 3, "BIDSVersion": "1.10.0"}', "has no Name"),
        ('{"Name": " ", "BIDSVersion": "1.10.0"}', "has no Name"),
        ('{"Name": "x", "BIDSVersion": "1.10.0", "DatasetType": "cooked"}', "'cooked', expected"),
    ],
)
def test_a_broken_description(names_only: Path, content: str, message: str) -> None:
    path = names_only / "dataset_description.json"
    path.write_text(content)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        open_dataset(names_only)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_description(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it has no dataset_description\.json"):
        open_dataset(tmp_path)


def test_a_description_with_a_byte_order_mark(names_only: Path) -> None:
    path = names_only / "dataset_description.json"
    path.write_text("\ufeff" + path.read_text(), encoding="utf-8")
    assert open_dataset(names_only).title == "Phantoms"


def test_two_subjects_of_one_name(names_only: Path) -> None:
    (names_only / "sub-A").mkdir()
    (names_only / "sub-a").mkdir()
    with pytest.raises(InputError, match="two folders of one subject: sub-A and sub-a"):
        open_dataset(names_only)


def test_two_rows_of_one_subject(names_only: Path) -> None:
    (names_only / "participants.tsv").write_text("participant_id\tage\nsub-01\t3\nsub-01\t4\n")
    with pytest.raises(InputError, match="two rows of one subject: sub-01 and sub-01"):
        open_dataset(names_only)


@pytest.mark.parametrize(
    "twin",
    ["sub-01_ses-01_run-1_T2w.nii", "sub-01_ses-01_run-01_T2w.nii.gz"],
)
def test_two_files_of_one_image(names_only: Path, twin: str) -> None:
    image = names_only / f"{T2W}.nii.gz"
    (image.parent / twin).write_bytes(image.read_bytes())
    with pytest.raises(InputError, match="are the same image for BIDS"):
        open_dataset(names_only).check_image(f"{T2W}.nii.gz")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sub-01/ses-01/anat/sub-01_ses-01_T2w_seg", "'T2w' is no entity"),
        ("sub-01/ses-01/anat/sub-01_ses-01_acq-a b_T2w", "letters, digits"),
        ("sub-01/ses-01/anat/sub-01_ses-02_acq-b_T2w", "expected sub-01/ses-02/"),
        ("sub-01/ses-01/anat/sub-02_ses-01_T2w", "expected sub-02/ses-01/"),
        ("sub-01/anat/sub-01_ses-01_acq-b_T2w", "expected sub-01/ses-01/"),
    ],
)
def test_odd_names_and_places(names_only: Path, name: str, message: str) -> None:
    add(names_only, name)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        open_dataset(names_only).images()
    assert "\n" not in str(caught.value)
    # what the data set's owner has put aside is left alone
    (names_only / ".bidsignore").write_text(f"# mine\n{Path(name).name}.nii.gz\n")
    assert open_dataset(names_only).images() == ALL


def test_an_image_in_no_folder_of_bids(names_only: Path) -> None:
    add(names_only, "sub-01/ses-01/perf/sub-01_ses-01_T2w")
    data = open_dataset(names_only)
    assert data.images() == ALL
    with pytest.raises(InputError, match="one of anat, dwi, func"):
        data.check_image("sub-01/ses-01/perf/sub-01_ses-01_T2w.nii.gz")


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*_seg.nii.gz", "sub-01/anat/sub-01_T2w_seg.nii.gz", True),
        ("*_seg.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz", False),
        ("extra/", "sub-01/extra/sub-01_T2w.nii.gz", True),
        ("extra/", "sub-01/anat/extra", False),
        ("/sub-01/anat", "sub-01/anat/sub-01_T2w.nii.gz", True),
        ("sub-02/", "sub-01/anat/sub-01_T2w.nii.gz", False),
        ("**/anat/*T2w*", "sub-01/anat/sub-01_T2w.nii.gz", True),
    ],
)
def test_patterns_of_bidsignore(pattern: str, path: str, expected: bool) -> None:
    assert ignores(pattern, path) is expected


def test_a_derivative_need_not_have_raw_sidecars(tmp_path: Path) -> None:
    describe(tmp_path, DatasetType="derivative", GeneratedBy=[{"Name": "preproc"}])
    add(tmp_path, "sub-01/dwi/sub-01_desc-preproc_dwi")
    assert open_dataset(tmp_path).images() == ["sub-01/dwi/sub-01_desc-preproc_dwi.nii.gz"]
    assert json.loads((tmp_path / "dataset_description.json").read_text())["Name"] == "Phantoms"
