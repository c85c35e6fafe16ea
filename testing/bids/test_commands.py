"""The commands with -bids, as a user runs them; what they write is given to the BIDS validator."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from spinetools.bids import parse_name
from spinetools.bids.derivatives import IGNORED
from spinetools.image import Image

from .conftest import IMAGES, Validate, add, describe

COMMANDS = ("st_get_centerline", "st_propseg", "st_deepseg_sc", "st_label_vertebrae")
RUN1 = "sub-01/ses-01/anat/sub-01_ses-01_run-1"


def run(capsys: pytest.CaptureFixture[str], command: str, *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    module = importlib.import_module(f"spinetools.cli.{command}")
    with pytest.raises(SystemExit) as stop:
        module.main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, out, err


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_validator_finds_errors(names_only: Path, validate: Validate) -> None:
    """Else the tests below would say nothing."""
    add(names_only, "sub-01/ses-01/anat/sub-01_ses-01_T2w_seg")
    found = validate(names_only)
    assert any("sub-01_ses-01_T2w_seg" in error for error in found)


def test_the_phantoms_are_valid(phantoms: Path, validate: Validate) -> None:
    assert validate(phantoms) == []


def work(raw: Path, capsys: pytest.CaptureFixture[str], *calls: tuple[object, ...]) -> set[str]:
    """Run commands on a data set; return what they wrote, once all of it has been looked at."""
    said = ""
    for command, *options in calls:
        code, out, err = run(capsys, str(command), "-i", raw, "-bids", *options)
        assert code == 0, err
        said += out
    made = raw / "derivatives" / "spinetools"
    files = files_of(made)
    # all that is said to be written is there
    written = {line.removeprefix("written: ") for line in said.splitlines()
               if line.startswith("written: ")}  # fmt: skip
    assert written
    assert written <= {str(made / file) for file in files}
    for image in made.rglob("*.nii.gz"):
        sidecar = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
        (source,) = sidecar["Sources"]
        assert sidecar["SpatialReference"] == source
        original = raw / source.removeprefix("bids:raw:")
        if "_res-iso_" not in image.name:
            assert Image.load(image).space.same_as(Image.load(original).space), image
        assert parse_name(image).folder == parse_name(original).folder
    return files


def hidden(files: set[str]) -> set[str]:
    """Return the suffixes of files that the validator is told to ignore."""
    patterns = [pattern for pattern in IGNORED if "/" not in pattern]
    return {
        parse_name(file).suffix
        for file in files
        if any(Path(file).match(pattern) for pattern in patterns)
    }


@pytest.mark.slow
def test_what_is_written_of_the_cord_is_valid(
    phantoms: Path, tmp_path: Path, validate: Validate, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw data"
    shutil.copytree(phantoms, raw)
    files = work(
        raw, capsys,
        ("st_get_centerline", "-exclude", "run-2"),
        ("st_get_centerline", "-centerline-soft", 1, "-space", "phys", "-include", "dwi"),
        ("st_propseg", "-c", "t2", "-include", "run-1", "-CSF", "-cross", "-centerline-binary",
         "-centerline-coord", "-mesh", "-low-resolution-mesh", ".ply", "-init-tube"),
        ("st_deepseg_sc", "-c", "dwi", "-r", 0, "-uncertainty", "-qc", tmp_path / "qc"),
        ("st_deepseg_sc", "-c", "t2s", "-thr", -1),
    )  # fmt: skip
    assert validate(raw) == []
    assert validate(raw / "derivatives" / "spinetools") == []
    t2w, two = f"{RUN1}_space-T2w", "sub-02/ses-01"
    assert {
        f"{t2w}_label-centerline_desc-optic_mask.nii.gz",
        f"{t2w}_label-SC_desc-propseg_mask.nii.gz",
        f"{t2w}_label-CSF_desc-propseg_mask.nii.gz",
        f"{t2w}_label-SCLowResolution_desc-propseg_mesh.ply",
        "sub-01/ses-02/anat/sub-01_ses-02_space-T1w_label-centerline_desc-optic_mask.nii.gz",
        f"{two}/anat/sub-02_ses-01_space-flip1mtonMTS_label-SC_desc-deepseg_probseg.nii.gz",
        f"{two}/dwi/sub-02_ses-01_dir-AP_space-dwi_label-centerline_desc-optic_probseg.nii.gz",
        f"{two}/dwi/sub-02_ses-01_dir-AP_space-dwi_label-SC_desc-deepseg_mask.nii.gz",
    } <= files
    assert not any("run-2" in file for file in files)
    assert hidden(files) == {"mesh", "uncertainty"}
    t1w = "sub-01/ses-02/anat/sub-01_ses-02_space-T1w"
    for place, desc, coordinates in ((t1w, "optic", "pix"), (t2w, "propseg", "phys")):
        stem = raw / "derivatives/spinetools" / f"{place}_label-centerline_desc-{desc}_mask"
        line, said = Image.load(f"{stem}.nii.gz"), json.loads(Path(f"{stem}.json").read_text())
        assert said["Coordinates"] == coordinates
        points = np.array(said["Points"])
        voxels = points if coordinates == "pix" else line.space.to_voxel(points)
        assert line.data[tuple(np.rint(voxels).astype(int).T)].mean() > 0.9


@pytest.mark.slow
def test_what_is_written_of_vertebrae_is_valid(
    phantoms: Path, tmp_path: Path, validate: Validate, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw data"
    shutil.copytree(phantoms, raw)
    command = ("st_label_vertebrae", "-include", "acq-ax", "-fast")
    files = work(
        raw, capsys,
        (*command, "-statistics", "-preview", "-save", "step1,cord,canal,soft",
         "-label-scheme", "totalspineseg_2025"),
        (*command, "-ml", 0, "-iso"),
    )  # fmt: skip
    made = raw / "derivatives" / "spinetools"
    assert validate(made) == []
    assert hidden(files) == {"statistics", "preview"}
    place = "sub-01/ses-02/anat/sub-01_ses-02_acq-ax_space-T2w"
    assert {
        f"{place}_res-iso_label-discC4C5_desc-vertebrae_mask.nii.gz",
        f"{place}_res-iso_label-vertebraeC4_desc-vertebrae_mask.nii.gz",
        f"{place}_res-iso_label-SC_desc-vertebrae_mask.nii.gz",
        f"{place}_label-SC_desc-vertebrae_mask.nii.gz",
        f"{place}_label-canal_desc-vertebrae_probseg.nii.gz",
        f"{place}_seg-step1_desc-vertebrae_dseg.nii.gz",
    } <= files
    for scheme in ("totalspineseg2025", "sctdisc"):
        stem = f"{made / place}_seg-{scheme}_desc-vertebrae_dseg"
        labels = Image.load(f"{stem}.nii.gz")
        table = Path(f"{stem}.tsv").read_text().splitlines()
        assert table[0].split("\t")[:2] == ["index", "name"]
        rows = dict(line.split("\t")[:2] for line in table[1:])
        assert {int(value) for value in rows} == set(np.unique(labels.data)) - {0}
    assert rows["3"] == "disc_C2_C3"
    sidecar = json.loads(
        (made / f"{place}_seg-totalspineseg2025_desc-vertebrae_dseg.json").read_text()
    )
    assert sidecar["Manual"] is False
    assert sidecar["LabelScheme"] == "totalspineseg_2025"
    assert "Confidence" in sidecar


@pytest.mark.slow
def test_results_are_those_without_bids(
    phantoms: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """-bids changes names only; and what is written can be worked on again."""
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "raw"
    shutil.copytree(phantoms, raw)
    image = raw / f"{RUN1}_T2w.nii.gz"
    before = files_of(raw)
    for options in (("-o", "plain.nii.gz"), ("-bids", "-ofolder", "out")):
        code, _, err = run(capsys, "st_propseg", "-i", image, "-c", "t2", *options)
        assert code == 0, err
    mask = Path("out") / f"{RUN1}_space-T2w_label-SC_desc-propseg_mask.nii.gz"
    assert (Image.load(mask).data == Image.load("plain.nii.gz").data).all()
    assert files_of(raw) == before
    # the centreline of that mask lies beside it
    code, _, err = run(capsys, "st_get_centerline", "-i", mask, "-method", "fitseg", "-bids")
    assert code == 0, err
    line = mask.with_name(
        "sub-01_ses-01_run-1_space-T2w_label-centerline_desc-SCPropsegFitseg_mask.json"
    )
    said = json.loads(line.read_text())
    assert said["Sources"] == [f"bids::{mask.relative_to('out').as_posix()}"]
    # and serves the next command
    code, _, err = run(
        capsys, "st_deepseg_sc", "-i", image, "-c", "t2", "-bids", "-ofolder", "out",
        "-centerline", "file", "-file-centerline", line.with_suffix("").with_suffix(".nii.gz"),
    )  # fmt: skip
    assert code == 0, err


@pytest.mark.slow
def test_a_failure_among_many(
    phantoms: Path, tmp_path: Path, validate: Validate, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(phantoms, raw)
    (raw / f"{RUN1}_T2w.nii.gz").write_bytes(b"no image")
    words = ("-i", raw, "-bids", "-include", "run-", "-ofolder", tmp_path / "out")
    code, _, err = run(capsys, "st_get_centerline", *words)
    assert code == 1
    assert not (tmp_path / "out").exists()
    for jobs in (1, 2):
        code, _, err = run(capsys, "st_get_centerline", *words, "-continue-on-error", "-jobs", jobs)
        assert code == 1
        assert "1 of 2 images failed: sub-01_ses-01_run-1_T2w.nii.gz" in err
        made = {Path(file).name for file in files_of(tmp_path / "out") if file.endswith(".nii.gz")}
        assert made == {"sub-01_ses-01_run-2_space-T2w_label-centerline_desc-optic_mask.nii.gz"}
        assert validate(tmp_path / "out") == []
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_be_is_one_line(
    command: str, names_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = names_only / f"{RUN1}_T2w.nii.gz"
    add(tmp_path, "sub-01_T2w")
    contrast = () if command == "st_label_vertebrae" else ("-c", "t2")
    cases: list[tuple[tuple[object, ...], str]] = [
        (("-i", tmp_path / "sub-01_T2w.nii.gz", "-bids"), "lies in no BIDS data set"),
        (("-i", tmp_path / "none.nii.gz", "-bids"), "does not exist"),
        (("-i", image, "-bids", "-o", "x.nii.gz"), "with -bids BIDS does"),
        (("-i", image, "-include", "run"), "give -bids too"),
        (("-i", names_only, "-bids", "-exclude", "["), "is no regular expression"),
        (("-i", names_only, "-bids", "-include", "sub-99"), "to work on"),
        (("-i", names_only, "-bids", "-ofolder", names_only / "sub-01"), "may only be in deriv"),
        (("-i", image, "-bids", "-ofolder", names_only), "is raw data"),
    ]
    before = files_of(tmp_path)
    for words, message in cases:
        code, out, err = run(capsys, command, *words, *contrast)
        assert (code, out) == (1, ""), words
        assert re.escape(message) in re.escape(err)
        assert err.count("\n") == 1, err
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_broken_data_sets_are_one_line(
    command: str, names_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("-i", names_only, "-bids")
    contrast = () if command == "st_label_vertebrae" else ("-c", "t2")

    def refused(message: str) -> None:
        code, out, err = run(capsys, command, *words, *contrast)
        assert (code, out, err.count("\n")) == (1, "", 1), err
        assert message in err

    twin = names_only / f"{RUN1}_T2w.nii"
    twin.write_bytes(b"")
    refused("are the same image for BIDS")
    twin.unlink()
    odd = add(names_only, "sub-01/ses-01/anat/sub-01_ses-01_acq-<b>\n_T2w")
    refused("letters, digits and '+' only")
    odd.unlink()
    (names_only / "sub-03").mkdir()
    (names_only / "SUB-03").mkdir()  # no subject: it does not begin with sub-
    (names_only / "sub-03A").mkdir()
    (names_only / "sub-03a").mkdir()
    refused("two folders of one subject")
    (names_only / "sub-03a").rmdir()
    (names_only / f"{RUN1}_T2w.json").write_text("{")
    refused("is broken, expected JSON")
    (names_only / f"{RUN1}_T2w.json").unlink()
    describe(names_only, Name="")
    refused("has no Name")
    assert not (names_only / "derivatives").exists()


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("st_get_centerline", "-init-points"),
        ("st_propseg", "-init-centerline"),
        ("st_propseg", "-init-mask"),
        ("st_propseg", "-mask-correction"),
        ("st_deepseg_sc", "-file-centerline"),
        ("st_label_vertebrae", "-discfile"),
    ],
)
def test_a_file_of_one_image_is_not_for_a_folder(
    command: str, option: str, names_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contrast = () if command == "st_label_vertebrae" else ("-c", "t2")
    more = ("-centerline", "file") if command == "st_deepseg_sc" else ()
    code, out, err = run(
        capsys, command, "-i", names_only, "-bids", option, "x.nii.gz", *contrast, *more
    )
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert "belong" in err
    assert "-i is a folder" in err


def test_a_name_for_the_uncertainty_is_refused(
    names_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "st_deepseg_sc", "-i", names_only, "-bids", "-uncertainty", "u.nii")
    assert code == 1
    assert "-uncertainty needs no name with -bids" in err


def test_each_image_has_the_contrast_of_its_name(
    names_only: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from spinetools.cli import st_deepseg_sc

    seen: dict[str, str] = {}
    monkeypatch.setattr(
        st_deepseg_sc, "segment", lambda args: seen.update({Path(args.i).name: args.c})
    )
    code, _, err = run(capsys, "st_deepseg_sc", "-i", names_only, "-bids", "-v", 0)
    assert code == 0, err
    assert len(seen) == len(IMAGES)
    assert seen["sub-01_ses-02_T1w.nii.gz"] == "t1"
    assert seen["sub-02_ses-01_dir-AP_dwi.nii.gz"] == "dwi"
    assert seen["sub-02_ses-01_flip-1_mt-on_MTS.nii.gz"] == "t2s"
