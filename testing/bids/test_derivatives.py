"""Where derivatives go, what they are called, and what is refused."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spinetools.bids import Derivatives, Output, open_dataset, parse_name
from spinetools.bids.derivatives import fields_of
from spinetools.errors import InputError, OutputError

from .conftest import IMAGES, add, describe

CORD = Output("mask", "propseg", label="SC")
T2W = "sub-01/ses-01/anat/sub-01_ses-01_run-1_T2w.nii.gz"


def read(path: Path) -> dict[str, object]:
    content = json.loads(path.read_text())
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize(
    ("name", "output", "expected"),
    [
        (T2W[:-7], CORD,
         "sub-01/ses-01/anat/sub-01_ses-01_run-1_space-T2w_label-SC_desc-propseg_mask.nii.gz"),
        (T2W[:-7], Output("dseg", "vertebrae", seg="totalspineseg_2025", extension=".tsv"),
         "sub-01/ses-01/anat/"
         "sub-01_ses-01_run-1_space-T2w_seg-totalspineseg2025_desc-vertebrae_dseg.tsv"),
        (T2W[:-7], Output("probseg", "vertebrae", label="canal", res="iso"),
         "sub-01/ses-01/anat/"
         "sub-01_ses-01_run-1_space-T2w_res-iso_label-canal_desc-vertebrae_probseg.nii.gz"),
        # derivatives have no such entities: the space says which image it was
        ("sub-02/ses-01/anat/sub-02_ses-01_flip-1_mt-on_MTS", CORD,
         "sub-02/ses-01/anat/"
         "sub-02_ses-01_space-flip1mtonMTS_label-SC_desc-propseg_mask.nii.gz"),
        ("sub-02/ses-01/dwi/sub-02_ses-01_dir-AP_dwi", CORD,
         "sub-02/ses-01/dwi/sub-02_ses-01_dir-AP_space-dwi_label-SC_desc-propseg_mask.nii.gz"),
    ],
)  # fmt: skip
def test_names(names_only: Path, tmp_path: Path, name: str, output: Output, expected: str) -> None:
    where = Derivatives.of(open_dataset(names_only), tmp_path / "out")
    assert where.path(f"{name}.nii.gz", output) == tmp_path / "out" / expected
    # the same for a path from the root of the file system
    assert where.path(names_only / f"{name}.nii.gz", output) == tmp_path / "out" / expected


def test_no_two_images_share_a_name(names_only: Path) -> None:
    for extra in (
        "sub-02/ses-01/anat/sub-02_ses-01_flip-1_mt-off_MTS",
        "sub-02/ses-01/anat/sub-02_ses-01_flip-2_mt-off_MTS",
    ):
        add(names_only, extra, {"FlipAngle": 9, "MTState": False, "RepetitionTimeExcitation": 1})
    data = open_dataset(names_only)
    images = data.images()
    assert len(images) == len(IMAGES) + 2
    where = Derivatives.of(data)
    assert len({where.path(image, CORD) for image in images}) == len(images)


def test_the_source_of_a_derivative_stays_in_its_name(tmp_path: Path) -> None:
    describe(tmp_path, DatasetType="derivative", GeneratedBy=[{"Name": "preproc"}])
    add(tmp_path, "sub-01/anat/sub-01_desc-preproc_T2w")
    add(tmp_path, "sub-01/anat/sub-01_space-T1w_label-SC_desc-manual_mask")
    where = Derivatives.of(open_dataset(tmp_path), tmp_path / "derivatives" / "x")
    names = [where.path(f"sub-01/anat/sub-01_{name}.nii.gz", CORD).name for name in (
        "desc-preproc_T2w", "space-T1w_label-SC_desc-manual_mask",
    )]  # fmt: skip
    assert names == [
        "sub-01_space-T2w_label-SC_desc-preprocPropseg_mask.nii.gz",
        "sub-01_space-T1w_label-SC_desc-SCManualPropseg_mask.nii.gz",
    ]


def test_the_description(names_only: Path) -> None:
    where = Derivatives.of(open_dataset(names_only))
    assert where.root == names_only / "derivatives" / "spinetools"
    assert not where.root.exists()  # nothing is written before there is a result
    link = where.prepare()
    assert link == "raw"
    said = read(where.root / "dataset_description.json")
    assert said["DatasetType"] == "derivative"
    assert said["DatasetLinks"] == {"raw": "../.."}
    assert said["License"] == "CC0"
    assert "label-SC" in (where.root / "README").read_text()
    assert where.uri(names_only / T2W, link) == f"bids:raw:{T2W}"
    assert where.uri(where.root / "sub-01/x y.nii", link) == "bids::sub-01/x%20y.nii"
    assert where.uri("/elsewhere/x.nii", link) == "file:///elsewhere/x.nii"


def test_a_second_source_has_a_link_of_its_own(names_only: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    describe(other, Name="Other")
    out = tmp_path / "out"
    assert Derivatives.of(open_dataset(names_only), out).prepare() == "raw"
    # what its owner has added stays
    path = out / "dataset_description.json"
    path.write_text(json.dumps({**read(path), "Funding": ["mine"]}))
    (out / "README").write_text("mine")
    assert Derivatives.of(open_dataset(other), out).prepare() == "raw2"
    assert Derivatives.of(open_dataset(names_only), out).prepare() == "raw"
    said = read(path)
    assert said["DatasetLinks"] == {"raw": "../raw", "raw2": "../other"}
    assert said["SourceDatasets"] == [{"URL": "../raw"}, {"URL": "../other"}]
    assert said["Funding"] == ["mine"]
    assert said["Name"] == "Phantoms: spinetools"
    assert (out / "README").read_text() == "mine"


def test_another_version_is_added(names_only: Path, tmp_path: Path) -> None:
    where = Derivatives.of(open_dataset(names_only), tmp_path / "out")
    where.prepare()
    path = where.root / "dataset_description.json"
    said = read(path)
    path.write_text(json.dumps({**said, "GeneratedBy": [{"Name": "spinetools", "Version": "0"}]}))
    where.prepare()
    makers = read(path)["GeneratedBy"]
    assert makers == [{"Name": "spinetools", "Version": "0"}, *said["GeneratedBy"]]  # type: ignore[misc]


def test_many_at_once_lose_no_link(names_only: Path, tmp_path: Path) -> None:
    sources = []
    for number in range(12):
        describe(tmp_path / f"study{number}", Name=f"Study {number}")
        sources.append(Derivatives.of(open_dataset(tmp_path / f"study{number}"), tmp_path / "out"))
    with ThreadPoolExecutor(12) as pool:
        links = list(pool.map(lambda source: source.prepare(), sources))
    assert len(set(links)) == 12
    written = read(tmp_path / "out" / "dataset_description.json")["DatasetLinks"]
    assert written == {link: f"../study{number}" for number, link in enumerate(links)}


def test_derivatives_of_own_derivatives_lie_beside_them(names_only: Path, tmp_path: Path) -> None:
    first = Derivatives.of(open_dataset(names_only), tmp_path / "out")
    first.prepare()
    again = Derivatives.of(open_dataset(first.root))
    assert again.root == first.root
    assert again.uri(first.root / "sub-01/anat/x.nii.gz", again.prepare()) == (
        "bids::sub-01/anat/x.nii.gz"
    )


@pytest.mark.parametrize(
    ("place", "more", "message"),
    [
        ("elsewhere", {}, "is raw data (Phantoms), which stays as it is"),
        ("elsewhere", {"DatasetType": "derivative"}, "a derivative of another pipeline"),
        (
            "raw/derivatives/fmriprep",
            {"DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]},
            "a derivative of another pipeline",
        ),
        ("raw", {}, "is raw data"),
        ("raw/sub-01", None, "may only be in derivatives/"),
        ("raw/results", None, "may only be in derivatives/"),
    ],
)
def test_places_that_are_refused(
    names_only: Path, tmp_path: Path, place: str, more: dict[str, object] | None, message: str
) -> None:
    if more is not None and place != "raw":
        describe(tmp_path / place, **more)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=re.escape(message)) as caught:
        Derivatives.of(open_dataset(names_only), tmp_path / place)
    assert "choose another -ofolder" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_broken_description_there(names_only: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dataset_description.json").write_text("{")
    with pytest.raises(InputError, match="is broken, expected JSON"):
        Derivatives.of(open_dataset(names_only), tmp_path / "out")


def test_a_folder_that_cannot_be_made(names_only: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    where = Derivatives.of(open_dataset(names_only), tmp_path / "file" / "out")
    with pytest.raises(OutputError, match="choose another -ofolder"):
        where.prepare()


def test_what_sidecars_say() -> None:
    cord = fields_of(parse_name("sub-01_space-T2w_label-SC_desc-propseg_mask.nii.gz"))
    assert cord == {"Description": "Spinal cord (propseg)", "Manual": False, "Type": "ROI"}
    clicked = fields_of(parse_name("sub-01_space-T2w_label-centerline_desc-viewer_mask.nii.gz"))
    assert clicked["Manual"] is True
    iso = fields_of(parse_name("sub-01_space-T2w_seg-sct_res-iso_desc-vertebrae_dseg.nii.gz"))
    assert iso["Resolution"] == {"iso": "isotropic working grid"}
    assert "Type" not in iso
